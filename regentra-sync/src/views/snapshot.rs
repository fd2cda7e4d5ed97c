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

/// What is stored of an MSP at one moment, as far as several rows together say how it stands.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) msp: MspOrgId,
    /// By the clock of the process.
    pub(super) now: OffsetDateTime,
    /// By the store's clock.
    pub(super) store_time: OffsetDateTime,
    pub(super) companies: BTreeMap<CompanyId, PortalCompany>,
    /// In the order of their regions.
    pub(super) connections: Vec<ConnectionSnapshot>,
    /// Run records that lie in the future: a clock that ran ahead wrote them, and they count as not there.
    pub(super) runs_ahead: u64,
    /// The assets that a person should look at: of all companies, or of the one that was asked about.
    pub(super) doubts: Vec<AssetDoubt>,
}

/// What is stored of one connection.
#[derive(Debug)]
pub(super) struct ConnectionSnapshot {
    pub(super) credential: Credential,
    /// Whatever was decided about them, in the order of the organizations' ids.
    pub(super) mappings: Vec<Mapping>,
    /// The last run of each subject, without those that lie in the future.
    pub(super) runs: Vec<RunRecord>,
    pub(super) budget: BudgetUsage,
    pub(super) settings: ConnectionSettings,
}

impl Views {
    /// Loads it. `company` narrows the assets that are looked at, and nothing else.
    pub(super) async fn snapshot(
        &self,
        msp: MspOrgId,
        company: Option<CompanyId>,
    ) -> Result<Snapshot> {
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
        Ok(Snapshot {
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
