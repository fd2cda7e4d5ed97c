use regentra_evidence::posture::{Posture, posture};
use serde::Serialize;

use super::Views;
use crate::{
    error::{Error, ErrorKind, Result},
    model::{CompanyId, ComplianceOrgId, MappingId, MspOrgId},
    store::StoredSignal,
};

/// The posture of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomerPosture {
    /// The customer.
    pub compliance_org: ComplianceOrgId,
    /// For each signal, the worst result of the customer's mappings.
    pub posture: Vec<Posture>,
    /// The current signals of each mapping, including mappings without a signal.
    pub mappings: Vec<(MappingId, Vec<StoredSignal>)>,
}

impl Views {
    /// The posture of a promoted company: for each signal, the worst result of the company's mappings, with the current signals behind it.
    /// If a mapping has no unexpired signal of a kind, the result for that kind is unknown.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such company, [`ErrorKind::Conflict`] when it was not promoted,
    /// [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.posture", skip_all, fields(%msp, %company))]
    pub async fn posture(&self, msp: MspOrgId, company: CompanyId) -> Result<CustomerPosture> {
        let store = &self.store;
        let stored = store.company(msp, company).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "there is no such company: list the companies for their ids",
            )
        })?;
        let compliance_org = stored.converted_to.ok_or_else(|| {
            let message = "this company was not promoted to compliance: it contributes assets only, never signals";
            Error::new(ErrorKind::Conflict, message)
        })?;
        let now = self.now();
        let current = store.current_signals(compliance_org, now).await?;
        let mut mappings = Vec::new();
        for credential in store.credentials(msp).await? {
            for mapping in store.mappings(msp, credential.id).await? {
                if mapping.state.company() == Some(company) {
                    let signals = current
                        .iter()
                        .filter(|stored| stored.mapping == mapping.id)
                        .cloned()
                        .collect();
                    mappings.push((mapping.id, signals));
                }
            }
        }
        let of_mappings = mappings
            .iter()
            .map(|(_, signals): &(_, Vec<StoredSignal>)| {
                signals.iter().map(|stored| &stored.signal)
            });
        let posture = posture(of_mappings, now).into_iter().collect();
        Ok(CustomerPosture {
            compliance_org,
            posture,
            mappings,
        })
    }
}
