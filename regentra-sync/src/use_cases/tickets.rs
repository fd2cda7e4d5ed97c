use super::integration::Integration;
use crate::{
    error::Result,
    model::{EventId, MspOrgId, OutboxId, Sensitive},
    store::{CommitOutcome, DeliveryCommit},
};

impl Integration {
    /// Acknowledges a row that the bridge delivered, with the ticket system's reference if there is one. Returns `false` when it
    /// was acknowledged before.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn delivered(
        &self,
        msp: MspOrgId,
        row: OutboxId,
        reference: Option<Sensitive>,
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
}
