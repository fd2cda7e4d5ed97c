use async_trait::async_trait;

use super::{MemoryStore, holds, outcome};
use crate::{
    MspOrgId,
    asset::Asset,
    store::{AssetCommit, AssetFilter, Assets, CommitOutcome, Guard, Result},
};

#[async_trait]
impl Assets for MemoryStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        self.with(|state| {
            let matches = |asset: &Asset| match &filter {
                AssetFilter::All => true,
                AssetFilter::Company(company) => asset.company == *company,
                AssetFilter::Mapping(mapping) => asset.mapping == Some(*mapping),
                AssetFilter::Devices {
                    credential,
                    devices,
                } => asset.credential == Some(*credential) && devices.contains(&asset.external_id),
            };
            let of_msp = state
                .assets
                .iter()
                .filter(|((owner, _), asset)| *owner == msp && matches(asset));
            Ok(of_msp.map(|(_, asset)| asset.clone()).collect())
        })
        .await
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        self.with(|state| {
            Ok(outcome((|| {
                let AssetCommit {
                    event,
                    credential,
                    mapping,
                    lease,
                    writes,
                    audit,
                } = commit;
                state.unseen(msp, event)?;
                credential.map_or(Ok(()), |guard| state.credential_holds(msp, guard))?;
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
                holds(as_read, Guard::Asset)?;

                for write in writes {
                    state.assets.insert((msp, write.id()), write.asset);
                }
                state.append_msp_audit(msp, audit);
                Ok(state.committed(msp, event))
            })()))
        })
        .await
    }
}
