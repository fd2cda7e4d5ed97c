//! Tickets and their outbox.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{ComplianceOrgId, EventId, MspOrgId, OutboxId, OutboxRow, Sensitive, Ticket};

/// The tickets of an MSP.
#[async_trait]
pub trait Tickets: Debug + Send + Sync + 'static {
    /// All tickets, of one customer or of all, newest first (by `opened_at`, then id upwards).
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>>;

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
