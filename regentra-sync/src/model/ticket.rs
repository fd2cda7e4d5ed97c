//! Tickets about failing signals, and the outbox through which they reach a ticket system.
//!
//! The sync never calls a ticket system. It writes outbox rows in the same commit as the signals, and the host's bridge drains them. Each
//! row's id is an idempotency key, so a bridge that dies between sending and acknowledging can send the row again.

use std::collections::BTreeMap;

use regentra_evidence::{Signal, SignalKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    ahead::is_ahead,
    company::CompanyId,
    id::{EventId, Version, derive, opaque_id},
    mapping::MappingId,
    sensitive::Sensitive,
    tenant::ComplianceOrgId,
};

opaque_id! {
    /// One ticket.
    TicketId
}

opaque_id! {
    /// One outbox row; the idempotency key for the ticket system.
    OutboxId
}

/// What a ticket is about: one signal of one mapping of one customer. There is at most one open ticket for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalKey {
    /// The customer.
    pub compliance_org: ComplianceOrgId,
    /// The mapping.
    pub mapping: MappingId,
    /// The signal.
    pub signal: SignalKind,
}

/// Whether work on a ticket is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// The signal failed and has not passed twice since.
    Open,
    /// The signal passed completely in two sweeps.
    Closed,
}

impl TicketState {
    /// The name used in stores: `open` or `closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Closed]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// One ticket, as the MSP's side keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Which ticket.
    pub id: TicketId,
    /// What it is about.
    #[serde(flatten)]
    pub key: SignalKey,
    /// The company in the MSP's portal.
    pub company: CompanyId,
    /// Whether it is open.
    pub state: TicketState,
    /// How often the row was written.
    pub version: Version,
    /// When the signal failed.
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    /// When a sweep last saw it fail.
    #[serde(with = "time::serde::rfc3339")]
    pub last_failed_at: OffsetDateTime,
    /// The number of complete passing sweeps in a row since the signal last failed or warned. Each was unexpired when the next one passed,
    /// and at least half an interval passed between them.
    pub passes: u32,
    /// When the last of these passes expires, which is the expiry of its signal. `None` if there is no pass.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub pass_expires_at: Option<OffsetDateTime>,
    /// A digest of the ticket's last content. An update is sent only if the numbers behind the verdict have changed.
    pub content_digest: String,
    /// The ticket system's own reference, once the bridge has delivered it.
    pub reference: Option<Sensitive>,
    /// When it was closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
}

impl TicketId {
    /// The ticket that this event opens about this signal.
    #[must_use]
    pub fn opened_by(event: EventId, signal: SignalKind) -> Self {
        Self(derive(
            "ticket",
            &[event.as_uuid().as_bytes(), signal.as_str().as_bytes()],
        ))
    }
}

/// Why an open ticket gets a note: no sweep will write the ticket any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoteReason {
    /// NinjaOne was disconnected. The signal remains until it expires.
    Disconnected,
    /// The organization is no longer mapped to the company.
    Unmapped,
}

/// An action for the bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutboxAction {
    /// Open a ticket.
    Open {
        /// What it is about.
        key: SignalKey,
        /// The company in the MSP's portal.
        company: CompanyId,
        /// The failing signal: verdict, reasons and aggregates.
        signal: Box<Signal>,
    },
    /// The signal still does not pass, and its numbers have changed.
    Update {
        /// What it is about.
        key: SignalKey,
        /// The signal as it is now.
        signal: Box<Signal>,
    },
    /// The signal passed completely in two sweeps.
    Close {
        /// What it is about.
        key: SignalKey,
        /// The passing signal.
        signal: Box<Signal>,
    },
    /// Add a note to an open ticket.
    Note {
        /// What it is about.
        key: SignalKey,
        /// Why.
        reason: NoteReason,
    },
    /// One message for all failing signals that got no ticket in this tick.
    Digest {
        /// The signals, by company.
        entries: BTreeMap<CompanyId, Vec<SignalKey>>,
    },
}

impl OutboxAction {
    /// The name used in stores and lists.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Update { .. } => "update",
            Self::Close { .. } => "close",
            Self::Note { .. } => "note",
            Self::Digest { .. } => "digest",
        }
    }
}

/// One action for the bridge, with its delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The idempotency key.
    pub id: OutboxId,
    /// The ticket it is about; a digest has none.
    pub ticket: Option<TicketId>,
    /// What to do.
    #[serde(flatten)]
    pub action: OutboxAction,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The earliest time of delivery. A digest is complete only when its tick is over.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// When the bridge acknowledged it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub delivered_at: Option<OffsetDateTime>,
}

impl OutboxId {
    /// The row that this event writes about this ticket.
    #[must_use]
    pub fn of(event: EventId, ticket: TicketId) -> Self {
        Self(derive(
            "outbox",
            &[event.as_uuid().as_bytes(), ticket.as_uuid().as_bytes()],
        ))
    }

    /// The digest number `part` of a tick. A tick has a second digest only if sweeps were too late for the first.
    #[must_use]
    pub fn digest(msp: crate::model::MspOrgId, tick: OffsetDateTime, part: u32) -> Self {
        let tick = tick.unix_timestamp_nanos().to_be_bytes();
        Self(derive(
            "digest",
            &[msp.as_uuid().as_bytes(), &tick, &part.to_be_bytes()],
        ))
    }
}

impl OutboxRow {
    /// The note that `event` adds to an open ticket. Stores call this function where a commit's contract asks for notes.
    #[must_use]
    pub fn note(event: EventId, ticket: &Ticket, reason: NoteReason, at: OffsetDateTime) -> Self {
        Self {
            id: OutboxId::of(event, ticket.id),
            ticket: Some(ticket.id),
            action: OutboxAction::Note {
                key: ticket.key,
                reason,
            },
            created_at: at,
            due_at: at,
            delivered_at: None,
        }
    }

    /// Whether the bridge must deliver the row at `now`: the row is not delivered yet, and `due_at` has been reached. A row whose
    /// `created_at` lies ahead of `now` was written by a clock that ran ahead, and is due whatever its `due_at`.
    #[must_use]
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.delivered_at.is_none() && (self.due_at <= now || is_ahead(self.created_at, now))
    }
}

/// The tickets that were opened for one MSP in one tick of the schedule. Commits that open tickets compare its version, so that customers
/// swept in parallel share one cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketTick {
    /// The scheduled time of the tick.
    pub scheduled_at: OffsetDateTime,
    /// How often the row was written; 0 if there is no row.
    pub version: Version,
    /// Tickets opened.
    pub opened: u32,
    /// How many digests the tick has.
    pub digests: u32,
}

impl TicketTick {
    /// A tick in which no ticket was opened yet.
    #[must_use]
    pub const fn new(scheduled_at: OffsetDateTime) -> Self {
        Self {
            scheduled_at,
            version: Version::from_u32(0),
            opened: 0,
            digests: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn a_row_is_due_from_its_time_on_until_it_is_delivered() {
        let at = |minutes| OffsetDateTime::UNIX_EPOCH + Duration::minutes(minutes);
        for (created, due, delivered, is_due) in [
            (0, 10, None, true),
            (0, 11, None, false),
            (0, 10, Some(10), false),
            (15, 20, None, false),
            // A clock that ran ahead wrote these.
            (16, 20, None, true),
            (16, 20, Some(10), false),
        ] {
            let row = OutboxRow {
                id: OutboxId::from_uuid(uuid::Uuid::nil()),
                ticket: None,
                action: OutboxAction::Digest {
                    entries: BTreeMap::new(),
                },
                created_at: at(created),
                due_at: at(due),
                delivered_at: delivered.map(at),
            };
            assert_eq!(row.is_due(at(10)), is_due, "{row:?}");
        }
    }
}
