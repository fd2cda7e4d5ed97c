//! Which tickets a sweep opens, updates and closes: the rule, without I/O.

use std::collections::BTreeMap;

use regentra_evidence::{SIGNAL_LIFETIME, Signal, SignalKind, Status};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{
    host::PASSES_TO_CLOSE,
    model::{
        CompanyId, ComplianceOrgId, EventId, MappingId, MspOrgId, OutboxAction, OutboxId,
        OutboxRow, SignalKey, Ticket, TicketId, TicketState, TicketTick, Version, present,
    },
    store::{SweepState, TicketWrite},
};

/// The inputs of the rule from one sweep.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The MSP.
    pub msp: MspOrgId,
    /// The customer.
    pub customer: ComplianceOrgId,
    /// The mapping.
    pub mapping: MappingId,
    /// The company.
    pub company: CompanyId,
    /// The event.
    pub event: EventId,
    /// The tick whose cap applies.
    pub scheduled_at: OffsetDateTime,
    /// When the digest of the tick is complete.
    pub digest_due_at: OffsetDateTime,
    /// The minimum distance of two passes that close a ticket: half the interval of sweeps.
    pub passes_apart: Duration,
    /// The time by which the sweep judges.
    pub now: OffsetDateTime,
    /// The time at which the sweep is written. It is later, because reading the reports takes time.
    pub written_at: OffsetDateTime,
    /// No sweep has succeeded yet, so no ticket is opened.
    pub dry_run: bool,
    /// The maximum number of tickets that the tick opens.
    pub tickets_per_tick: u32,
}

/// The tickets and outbox rows that one sweep writes.
#[derive(Clone, Debug, Default)]
pub struct TicketPlan {
    /// Tickets.
    pub tickets: Vec<TicketWrite>,
    /// Actions for the bridge.
    pub outbox: Vec<OutboxRow>,
    /// The tick, if a ticket was opened or a signal was added to its digest.
    pub tick: Option<TicketTick>,
}

/// Plans the tickets of one sweep.
///
/// - `fail` opens a ticket, unless one is open, the sweep is a dry run, or the tick's cap is reached. If the cap is reached, the signal
///   goes into the tick's digest and can get a ticket in the next tick.
/// - `fail` and `warning` update the open ticket if the numbers behind the verdict changed. The count of passes starts again from zero.
/// - `pass`, complete and twice in a row, closes the open ticket, unless the first pass has expired when the second comes. Passes less than
///   half an interval apart count as one, because several sweeps within a minute observe the same state.
/// - `unknown` and `not_applicable` change nothing, because nothing was measured.
#[must_use]
pub fn ticket_plan<'a>(
    sweep: Sweep,
    state: &SweepState,
    signals: impl IntoIterator<Item = &'a Signal>,
) -> TicketPlan {
    let mut plan = TicketPlan::default();
    let mut tick = state
        .tick
        .clone()
        .unwrap_or_else(|| TicketTick::new(sweep.scheduled_at));
    let (opened_before, mut overflow) = (tick.opened, Vec::new());
    for signal in signals {
        let kind = signal.kind();
        match state.open_tickets.get(&kind) {
            Some(ticket) => plan.go_on(sweep, ticket, signal),
            None if signal.status != Status::Fail || sweep.dry_run => {}
            None if tick.opened < sweep.tickets_per_tick => {
                tick.opened += 1;
                plan.open(sweep, signal);
            }
            None => overflow.push(sweep.key(kind)),
        }
    }
    let has_overflow = !overflow.is_empty();
    if has_overflow {
        plan.outbox.push(digest(sweep, state, &mut tick, overflow));
    }
    if has_overflow || tick.opened > opened_before {
        plan.tick = Some(tick);
    }
    plan
}

impl Sweep {
    fn key(self, signal: SignalKind) -> SignalKey {
        SignalKey {
            compliance_org: self.customer,
            mapping: self.mapping,
            signal,
        }
    }
}

impl TicketPlan {
    fn open(&mut self, sweep: Sweep, signal: &Signal) {
        let key = sweep.key(signal.kind());
        let ticket = Ticket {
            id: TicketId::opened_by(sweep.event, signal.kind()),
            key,
            company: sweep.company,
            state: TicketState::Open,
            version: Version::FIRST,
            opened_at: sweep.now,
            last_failed_at: sweep.now,
            passes: 0,
            pass_expires_at: None,
            content_digest: content_digest(signal),
            reference: None,
            closed_at: None,
        };
        let action = OutboxAction::Open {
            key,
            company: sweep.company,
            signal: Box::new(signal.clone()),
        };
        self.outbox.push(row(sweep, &ticket, action));
        self.tickets.push(TicketWrite {
            ticket,
            expected: None,
        });
    }

    fn go_on(&mut self, sweep: Sweep, open: &Ticket, signal: &Signal) {
        let key = open.key;
        let mut ticket = open.clone();
        // Times that a clock that ran ahead stamped are corrected to the present.
        for time in [&mut ticket.opened_at, &mut ticket.last_failed_at] {
            *time = present(*time, sweep.now);
        }
        match signal.status {
            Status::Fail | Status::Warning => {
                ticket.passes = 0;
                ticket.pass_expires_at = None;
                if signal.status == Status::Fail {
                    ticket.last_failed_at = sweep.now;
                }
                let digest = content_digest(signal);
                if digest != ticket.content_digest {
                    ticket.content_digest = digest;
                    self.outbox.push(row(
                        sweep,
                        &ticket,
                        OutboxAction::Update {
                            key,
                            signal: Box::new(signal.clone()),
                        },
                    ));
                }
            }
            Status::Pass if signal.complete => {
                // An expired pass does not count, because nothing shows the state since then. A pass in the future does not count either.
                let until = open.pass_expires_at.filter(|until| sweep.now < *until);
                let passed = until
                    .map(|until| until.saturating_sub(SIGNAL_LIFETIME))
                    .filter(|passed| *passed <= sweep.now);
                ticket.passes = match passed {
                    None => 1,
                    // Of passes close together, the first counts. If the last one counted, frequent sweeps would keep a ticket open for
                    // good.
                    Some(passed) if sweep.now - passed < sweep.passes_apart => return,
                    Some(_) => open.passes.saturating_add(1),
                };
                ticket.pass_expires_at = Some(signal.expires_at);
                if ticket.passes >= PASSES_TO_CLOSE {
                    ticket.state = TicketState::Closed;
                    ticket.closed_at = Some(sweep.now);
                    self.outbox.push(row(
                        sweep,
                        &ticket,
                        OutboxAction::Close {
                            key,
                            signal: Box::new(signal.clone()),
                        },
                    ));
                }
            }
            Status::Pass | Status::Unknown | Status::NotApplicable => {}
        }
        if ticket != *open {
            ticket.version = open.version.next();
            self.tickets.push(TicketWrite {
                ticket,
                expected: Some(open.version),
            });
        }
    }
}

fn row(sweep: Sweep, ticket: &Ticket, action: OutboxAction) -> OutboxRow {
    OutboxRow {
        id: OutboxId::of(sweep.event, ticket.id),
        ticket: Some(ticket.id),
        action,
        created_at: sweep.now,
        due_at: sweep.now,
        delivered_at: None,
    }
}

/// A digest closes this long before it is due, so that it does not change after the bridge has read it.
const DIGEST_CLOSES: Duration = Duration::minutes(1);

/// How long a digest that is created after its tick waits for signals of other late sweeps.
const LATE_DIGEST: Duration = Duration::minutes(10);

/// The tick's digest, with these signals added. If the bridge may have read the present digest, a new one is created.
fn digest(
    sweep: Sweep,
    state: &SweepState,
    tick: &mut TicketTick,
    overflow: Vec<SignalKey>,
) -> OutboxRow {
    let is_unread = |row: &OutboxRow| sweep.written_at < row.due_at.saturating_sub(DIGEST_CLOSES);
    let mut row = state.digest.clone().filter(is_unread).unwrap_or_else(|| {
        tick.digests += 1;
        OutboxRow {
            id: OutboxId::digest(sweep.msp, tick.scheduled_at, tick.digests),
            ticket: None,
            action: OutboxAction::Digest {
                entries: BTreeMap::new(),
            },
            created_at: sweep.now,
            due_at: sweep
                .digest_due_at
                .max(sweep.written_at.saturating_add(LATE_DIGEST)),
            delivered_at: None,
        }
    });
    row.created_at = present(row.created_at, sweep.now);
    if let OutboxAction::Digest { entries } = &mut row.action {
        let of_company = entries.entry(sweep.company).or_default();
        of_company.extend(overflow);
        of_company.sort();
        of_company.dedup();
    }
    row
}

/// A digest of the verdict, reasons and numbers, without the times. If it changes, the ticket gets an update.
fn content_digest(signal: &Signal) -> String {
    let content = serde_json::json!([
        signal.status,
        signal.complete,
        signal.reasons,
        signal.metadata
    ]);
    crate::hex::encode(&Sha256::digest(content.to_string()))
}
