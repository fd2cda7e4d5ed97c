//! An MSP's stored data, loaded once. The card and the diagnosis are derived from it.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Views, asset_doubts::AssetDoubt};
use crate::{
    error::Result,
    model::{
        BudgetUsage, CompanyId, ConnectionSettings, Credential, Mapping, MspOrgId, PortalCompany,
        RunRecord,
    },
};

/// The stored rows of an MSP at one moment, as far as the card and the diagnosis need them together.
#[derive(Debug)]
pub(super) struct MspSnapshot {
    pub(super) msp: MspOrgId,
    /// The time by the clock of the process.
    pub(super) now: OffsetDateTime,
    /// The time by the store's clock.
    pub(super) store_time: OffsetDateTime,
    pub(super) companies: BTreeMap<CompanyId, PortalCompany>,
    /// The connections, ordered by region.
    pub(super) connections: Vec<ConnectionSnapshot>,
    /// The number of run records that lie in the future. A clock that ran ahead wrote them, and they are ignored.
    pub(super) runs_ahead: u64,
    /// The assets that a person should look at, of all companies or of the requested one.
    pub(super) doubts: Vec<AssetDoubt>,
}

/// The stored rows of one connection.
#[derive(Debug)]
pub(super) struct ConnectionSnapshot {
    pub(super) credential: Credential,
    /// All mappings, whatever the decision about them, ordered by the organization's id.
    pub(super) mappings: Vec<Mapping>,
    /// The last run of each subject, without runs that lie in the future.
    pub(super) runs: Vec<RunRecord>,
    pub(super) budget: BudgetUsage,
    pub(super) settings: ConnectionSettings,
}

impl Views {
    /// Loads the snapshot. `company` selects the company whose assets are read, and nothing else.
    pub(super) async fn snapshot(
        &self,
        msp: MspOrgId,
        company: Option<CompanyId>,
    ) -> Result<MspSnapshot> {
        let store = &self.store;
        let companies = store.companies(msp).await?.into_iter();
        let companies = companies.map(|company| (company.id, company)).collect();
        let (mut runs, store_time) = (store.runs(msp).await?, store.store_time().await?);
        let all = runs.len();
        runs.retain(|run| !run.is_ahead(store_time));
        let runs_ahead = all.saturating_sub(runs.len()) as u64;
        let mut connections = Vec::new();
        for credential in store.credentials(msp).await? {
            let of_it = runs
                .iter()
                .filter(|run| run.subject.credential == credential.id);
            connections.push(ConnectionSnapshot {
                runs: of_it.cloned().collect(),
                mappings: store.mappings(msp, credential.id).await?,
                budget: store.budget_usage(&credential.fingerprint).await?,
                settings: store
                    .connection_settings(msp, credential.id)
                    .await?
                    .unwrap_or_default()
                    .settings,
                credential,
            });
        }
        Ok(MspSnapshot {
            msp,
            now: self.now(),
            store_time,
            companies,
            connections,
            runs_ahead,
            doubts: self.asset_doubts(msp, company).await?,
        })
    }
}
