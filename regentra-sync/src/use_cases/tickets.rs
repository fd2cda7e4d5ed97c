use super::integration::Integration;
use crate::{
    error::Result,
    model::{ComplianceOrgId, EventId, MspOrgId, OutboxId, OutboxRow, Private, Ticket},
    store::{CommitOutcome, DeliveryCommit},
};

impl Integration {
    /// What the bridge to the ticket system is to do next, in order. Each row's id is an idempotency key.
    ///
    /// Let one bridge drain an MSP's outbox at a time: two get the same rows, and their order among each other is lost. Whether
    /// one or two, a row may be sent again after a crash, so hand its id to the ticket system as the key under which it
    /// acts once, or look there for it before you send. [`delivered`](Self::delivered) says who was first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn outbox(&self, msp: MspOrgId, limit: u32) -> Result<Vec<OutboxRow>> {
        Ok(self.inner.store.outbox(msp, self.now(), limit).await?)
    }

    /// Acknowledges a row that the bridge delivered, with the ticket system's reference if there is one. Returns `false` when it
    /// was acknowledged before.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
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
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        Ok(self.inner.store.tickets(msp, customer).await?)
    }
}
