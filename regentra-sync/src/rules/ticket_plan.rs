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

/// One sweep, as the rule sees it.
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
    /// How far two passes are apart at least that close a ticket: half the interval of sweeps.
    pub passes_apart: Duration,
    /// The time of the sweep: what it judges by.
    pub now: OffsetDateTime,
    /// The time at which it is written: the reports took their time.
    pub written_at: OffsetDateTime,
    /// The first sweep has not succeeded yet: nothing is opened.
    pub dry_run: bool,
    /// The most tickets that the tick opens.
    pub tickets_per_tick: u32,
}

/// What one sweep writes about tickets.
#[derive(Clone, Debug, Default)]
pub struct TicketPlan {
    /// Tickets.
    pub tickets: Vec<TicketWrite>,
    /// What the bridge is to do.
    pub outbox: Vec<OutboxRow>,
    /// The tick, when something was opened or put into its digest.
    pub tick: Option<TicketTick>,
}

/// Plans the tickets of one sweep.
///
/// - `fail` opens a ticket, unless one is open, the sweep is a dry run, or the tick's cap is reached: then it goes into the
///   tick's digest, and competes for a ticket again in the next tick.
/// - `fail` and `warning` update the open ticket where the numbers behind the verdict changed, and begin the passes anew.
/// - `pass`, complete, twice in a row closes it, unless the first of the two has expired meanwhile. Passes closer together than half
///   an interval are one: three sweeps in a minute have seen one thing.
/// - `unknown` and `not_applicable` touch nothing: what was not measured neither helps nor harms.
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
        // What a clock that ran ahead stamped is written with the time of now.
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
                // An expired pass is none: nothing says what was true since. Nor is one that lies in the future.
                let until = open.pass_expires_at.filter(|until| sweep.now < *until);
                let passed = until
                    .map(|until| until.saturating_sub(SIGNAL_LIFETIME))
                    .filter(|passed| *passed <= sweep.now);
                ticket.passes = match passed {
                    None => 1,
                    // The first of them counts, or sweeping often would keep a ticket open for good.
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

/// How long before it is due a digest takes nothing more: what the bridge has read is not to change under it.
const DIGEST_CLOSES: Duration = Duration::minutes(1);

/// How long a digest that is begun after its tick collects what else is late.
const LATE_DIGEST: Duration = Duration::minutes(10);

/// The tick's digest with these signals in it: the one that nobody can have read yet, or a new one.
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

/// A digest of verdict, reasons and numbers, without the times: when it changes, there is something to say.
fn content_digest(signal: &Signal) -> String {
    let content = serde_json::json!([
        signal.status,
        signal.complete,
        signal.reasons,
        signal.metadata
    ]);
    crate::hex::encode(&Sha256::digest(content.to_string()))
}
