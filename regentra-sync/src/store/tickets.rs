//! Tickets and their outbox.

use std::fmt::Debug;

use async_trait::async_trait;
use regentra_evidence::SignalKind;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{
    CompanyId, ComplianceOrgId, EventId, MappingId, MspOrgId, OutboxId, OutboxRow, Sensitive,
    Ticket, TicketId, TicketState,
};

/// The tickets of an MSP.
#[async_trait]
pub trait Tickets: Debug + Send + Sync + 'static {
    /// All tickets, of one customer or of all, newest first (by `opened_at`, then id upwards).
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>>;

    /// A page of the tickets that match, newest first (by `opened_at`, then id upwards). A short page is the last one.
    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>>;

    /// How many of the tickets that match have each state.
    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts>;

    /// Outbox rows that are due at `now` and not delivered, in the order they were committed (those of one commit in
    /// the order given, notes of one commit in any), at most `limit`. A row that was written by a clock that ran ahead (its
    /// `created_at` lies ahead of `now`) is due.
    ///
    /// Reading claims nothing: every reader gets a row until it is acknowledged. That is meant. A bridge that died
    /// between sending and acknowledging must find its row again, so a row can always be sent twice, claim or not; what keeps
    /// it from having an effect twice is its id, by which the ticket system (or the bridge) recognises it.
    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>>;

    /// Remembers that the bridge delivered a row, and the ticket system's reference for its ticket. A row that does not exist
    /// or was delivered before is left as it is ([`CommitOutcome::AlreadyCommitted`]), under whatever event: of two bridges
    /// that deliver a row at once, the first to acknowledge it has its reference kept.
    ///
    /// Writes: `delivered_at`; with a reference, the ticket's reference and its version plus one.
    async fn commit_delivery(&self, msp: MspOrgId, commit: DeliveryCommit)
    -> Result<CommitOutcome>;
}

/// Which tickets: those for which everything that is given holds. A store answers every field; it ignores none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    /// Whether it is open.
    pub state: Option<TicketState>,
    /// About this customer.
    pub customer: Option<ComplianceOrgId>,
    /// Of this company.
    pub company: Option<CompanyId>,
    /// About this mapping.
    pub mapping: Option<MappingId>,
    /// About this signal.
    pub signal: Option<SignalKind>,
}

impl TicketFilter {
    /// Whether this ticket matches.
    #[must_use]
    pub fn matches(&self, ticket: &Ticket) -> bool {
        let Self {
            state,
            customer,
            company,
            mapping,
            signal,
        } = *self;
        state.is_none_or(|state| ticket.state == state)
            && customer.is_none_or(|customer| ticket.key.compliance_org == customer)
            && company.is_none_or(|company| ticket.company == company)
            && mapping.is_none_or(|mapping| ticket.key.mapping == mapping)
            && signal.is_none_or(|signal| ticket.key.signal == signal)
    }
}

/// Which part of an MSP's tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketPage {
    /// Which tickets.
    pub filter: TicketFilter,
    /// Only those that come after this one in the order of the answer: when the last one of the page before was opened, and its
    /// id.
    pub after: Option<(OffsetDateTime, TicketId)>,
    /// At most this many.
    pub limit: u32,
}

impl TicketPage {
    /// The newest `limit` that match.
    #[must_use]
    pub const fn first(filter: TicketFilter, limit: u32) -> Self {
        Self {
            filter,
            after: None,
            limit,
        }
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub const fn next(self, last: &Ticket) -> Self {
        Self {
            after: Some((last.opened_at, last.id)),
            ..self
        }
    }
}

/// How many tickets have each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TicketCounts {
    /// Open ones.
    pub open: u64,
    /// Closed ones.
    pub closed: u64,
}

/// Everything that a delivery writes.
#[derive(Clone, Debug)]
pub struct DeliveryCommit {
    /// The request.
    pub event: EventId,
    /// Which row.
    pub row: OutboxId,
    /// The ticket system's own reference.
    pub reference: Option<Sensitive>,
    /// When.
    pub at: OffsetDateTime,
}
