//! Tickets, and the outbox to the ticket system.

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
    /// All tickets, of one customer or of all, newest first (by `opened_at`, then by ascending id).
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>>;

    /// A page of the tickets that match, newest first (by `opened_at`, then by ascending id). A short page is the last one.
    async fn tickets_page(&self, msp: MspOrgId, page: TicketPage) -> Result<Vec<Ticket>>;

    /// How many of the tickets that match have each state.
    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts>;

    /// The outbox rows that are due at `now` and not delivered, in the order of their commits; at most `limit`. The rows of one commit are
    /// in the order given, its notes in any order. A row whose `created_at` lies ahead of `now` was written by a clock that ran ahead, and
    /// is due.
    ///
    /// Reading does not claim a row: every reader gets it until it is acknowledged. This is intended. A bridge that dies between sending
    /// and acknowledging must find its row again, so with or without a claim a row can be sent twice. The row's id prevents a double
    /// effect: the ticket system, or the bridge, recognises it.
    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>>;

    /// Records that the bridge delivered a row, and the ticket system's reference for its ticket. If the row does not exist or was
    /// delivered before, under any event, changes nothing and returns [`CommitOutcome::AlreadyCommitted`]. When two bridges deliver one row
    /// at once, the store keeps the reference of the first to acknowledge it.
    ///
    /// Writes: `delivered_at`; if a reference is given, the ticket's reference and the ticket's version plus one.
    async fn commit_delivery(&self, msp: MspOrgId, commit: DeliveryCommit)
    -> Result<CommitOutcome>;
}

/// Selects tickets: those that meet every condition given. A store honours every field and ignores none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    /// In this state.
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

/// Selects a page of an MSP's tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketPage {
    /// Which tickets.
    pub filter: TicketFilter,
    /// Only tickets that follow this one in the order of the list: `opened_at` and id of the last one of the previous page.
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
    /// The delivered row.
    pub row: OutboxId,
    /// The ticket system's own reference.
    pub reference: Option<Sensitive>,
    /// When it was delivered.
    pub at: OffsetDateTime,
}
