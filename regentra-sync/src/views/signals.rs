use regentra_evidence::SignalKind;

use super::Views;
use crate::{
    error::Result,
    model::{ComplianceOrgId, EvidenceRow, MappingId},
    store::StoredSignal,
};

impl Views {
    /// The current signals of a customer: for each mapping and kind, the signal that was committed last, unless it has expired. Ordered by
    /// mapping and kind.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn current_signals(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        Ok(self.store.current_signals(customer, self.now()).await?)
    }

    /// The signals of one mapping and kind, whatever their times, the last committed first; at most `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        let history = self.store.signal_history(customer, mapping, signal, limit);
        Ok(history.await?)
    }

    /// The evidence records of one mapping and signal after sequence `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>> {
        let chain = self
            .store
            .evidence_chain(customer, mapping, signal, after, limit);
        Ok(chain.await?)
    }
}
