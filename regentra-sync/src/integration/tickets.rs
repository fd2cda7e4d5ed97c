use super::Integration;
use crate::{
    ComplianceOrgId, EventId, MspOrgId,
    error::Result,
    private::Private,
    store::{CommitOutcome, DeliveryCommit},
    ticket::{OutboxId, OutboxRow, Ticket},
};

impl Integration {
    /// What the bridge to the ticket system is to do next, in order. Each row's id is an idempotency key.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn outbox(&self, msp: MspOrgId, limit: u32) -> Result<Vec<OutboxRow>> {
        Ok(self.inner.store.outbox(msp, self.now(), limit).await?)
    }

    /// Acknowledges a row that the bridge delivered, with the ticket system's reference if there is one. Returns `false` when it
    /// was acknowledged before.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn delivered(
        &self,
        msp: MspOrgId,
        row: OutboxId,
        reference: Option<Private>,
    ) -> Result<bool> {
        let event = EventId::of_request("delivered", &row.to_string());
        let commit = DeliveryCommit {
            event,
            row,
            reference,
            at: self.now(),
        };
        Ok(self.inner.store.commit_delivery(msp, commit).await? == CommitOutcome::Committed)
    }

    /// All tickets of an MSP, of one customer or of all, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        Ok(self.inner.store.tickets(msp, customer).await?)
    }
}
