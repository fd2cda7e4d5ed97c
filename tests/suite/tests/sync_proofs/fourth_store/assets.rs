use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use regentra_sync::{
    model::{Asset, AssetStatus, MspOrgId},
    store::{
        AssetCommit, AssetFilter, AssetPage, AssetWrite, Assets, CommitOutcome, Guard, Result,
        StoreError, StoreErrorKind,
    },
};

use super::{HashMapStore, State, Stop};

fn matches(filter: &AssetFilter, asset: &Asset) -> Result<bool> {
    Ok(match filter {
        AssetFilter::All => true,
        AssetFilter::Company(company) => asset.company == *company,
        AssetFilter::Mapping(mapping) => asset.mapping == Some(*mapping),
        AssetFilter::Devices {
            credential,
            devices,
        } => asset.credential == Some(*credential) && devices.contains(&asset.external_id),
        _ => {
            let unknown = "this store does not know the filter";
            return Err(StoreError::new(StoreErrorKind::Other, unknown));
        }
    })
}

#[async_trait]
impl Assets for HashMapStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        let state = self.state();
        let ours = state.assets.iter().filter(|((owner, _), _)| *owner == msp);
        let mut assets = Vec::new();
        for (_, asset) in ours {
            if matches(&filter, asset)? {
                assets.push(asset.clone());
            }
        }
        assets.sort_by_key(|asset| asset.id);
        Ok(assets)
    }

    async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>> {
        let mut assets = self.assets(msp, AssetFilter::All).await?;
        assets.retain(|asset| page.matches(asset));
        assets.truncate(page.limit as usize);
        Ok(assets)
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        let check = |state: &State| {
            if let Some(credential) = commit.credential {
                state.check_credential(msp, credential)?;
            }
            if let Some(settings) = commit.settings {
                state.check_settings(msp, settings)?;
            }
            if let Some(mapping) = commit.mapping {
                state.check_mapping(msp, mapping)?;
            }
            if let Some(lease) = &commit.lease {
                state.check_lease(msp, lease)?;
            }
            for write in &commit.writes {
                let stored = state.assets.get(&(msp, write.id()));
                if stored.map(|stored| stored.version) != write.expected {
                    return Err(Guard::Asset.into());
                }
            }
            state.check_winners(msp, &commit.writes)?;
            for write in &commit.writes {
                if let Some(stored) = state.assets.get(&(msp, write.id())) {
                    write.check_order(stored.updated_at, self.clock.now())?;
                }
            }
            Ok::<_, Stop>(())
        };
        self.commit(msp, commit.event, &commit, check, |state, ()| {
            for write in &commit.writes {
                state.assets.insert((msp, write.id()), write.asset.clone());
            }
            state.append_audit(msp, commit.audit.clone());
        })
    }
}

impl State {
    /// The assets as the commit leaves them: whatever gives way, and is or was given way to by a written row, does so to an
    /// active one.
    fn check_winners(
        &self,
        msp: MspOrgId,
        writes: &[AssetWrite],
    ) -> std::result::Result<(), Guard> {
        let stored = self.assets.iter().filter(|((owner, _), _)| *owner == msp);
        let mut after: HashMap<_, _> = stored.map(|((_, id), asset)| (*id, asset)).collect();
        after.extend(writes.iter().map(|write| (write.id(), &write.asset)));
        let written: HashSet<_> = writes.iter().map(AssetWrite::id).collect();
        for asset in after.values() {
            let Some(winner) = asset.status.superseded_by() else {
                continue;
            };
            let is_active = after
                .get(&winner)
                .is_some_and(|winner| winner.status == AssetStatus::Active);
            if !is_active && (written.contains(&asset.id) || written.contains(&winner)) {
                return Err(Guard::Asset);
            }
        }
        Ok(())
    }
}
