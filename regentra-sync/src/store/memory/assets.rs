use async_trait::async_trait;

use super::{MemoryStore, holds, of_msp, outcome};
use crate::{
    model::{Asset, MspOrgId},
    store::{
        AssetCommit, AssetFilter, AssetPage, Assets, CommitOutcome, Precondition, Result, effects,
    },
};

#[async_trait]
impl Assets for MemoryStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        self.with(|state| {
            let of_msp = state
                .assets
                .iter()
                .filter(|((owner, _), asset)| *owner == msp && filter.matches(asset));
            Ok(of_msp.map(|(_, asset)| asset.clone()).collect())
        })
        .await
    }

    async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>> {
        self.with(|state| {
            let of_msp = state.assets.iter().filter(|((owner, _), _)| *owner == msp);
            let found = of_msp
                .map(|(_, asset)| asset)
                .filter(|asset| page.matches(asset));
            let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
            Ok(found.take(limit).cloned().collect())
        })
        .await
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let AssetCommit {
                    event,
                    credential,
                    settings,
                    mapping,
                    lease,
                    writes,
                    audit,
                } = commit;
                credential.map_or(Ok(()), |guard| state.credential_holds(msp, guard))?;
                settings.map_or(Ok(()), |guard| state.settings_hold(msp, guard))?;
                mapping.map_or(Ok(()), |guard| state.mapping_holds(msp, guard).map(drop))?;
                lease
                    .as_ref()
                    .map_or(Ok(()), |lease| state.lease_holds(msp, lease))?;
                let as_read = writes.iter().all(|write| {
                    state
                        .assets
                        .get(&(msp, write.id()))
                        .map(|stored| stored.version)
                        == write.expected
                });
                holds(as_read, Precondition::Asset)?;
                let stored = of_msp(&state.assets, msp);
                holds(
                    effects::superseding_assets_are_active(stored, &writes),
                    Precondition::Asset,
                )?;
                for write in &writes {
                    if let Some(stored) = state.assets.get(&(msp, write.id())) {
                        write.check_order(stored.updated_at, self.clock.now())?;
                    }
                }

                for write in writes {
                    state.assets.insert((msp, write.id()), write.asset);
                }
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }
}
