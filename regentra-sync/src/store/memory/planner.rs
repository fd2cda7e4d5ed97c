use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{CredentialId, MappingId},
    store::{ActiveCredential, Planner, PromotedMapping, Result},
};

#[async_trait]
impl Planner for MemoryStore {
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>> {
        self.with(|state| {
            let active = state
                .credentials
                .iter()
                .filter(|(_, credential)| credential.is_active);
            let mut active: Vec<_> = active
                .filter(|((_, id), _)| after.is_none_or(|after| *id > after))
                .map(|((msp, id), credential)| ActiveCredential {
                    msp: *msp,
                    credential: *id,
                    region: credential.region.clone(),
                })
                .collect();
            active.sort_by_key(|active| active.credential);
            active.truncate(limit as usize);
            Ok(active)
        })
        .await
    }

    async fn promoted_mappings(
        &self,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<PromotedMapping>> {
        self.with(|state| {
            let promoted = state.mappings.iter().filter_map(|((msp, id), mapping)| {
                if after.is_some_and(|after| *id <= after) {
                    return None;
                }
                let credential = state
                    .credentials
                    .get(&(*msp, mapping.credential))
                    .filter(|c| c.is_active)?;
                let company = state.companies.get(&(*msp, mapping.state.company()?))?;
                Some(PromotedMapping {
                    msp: *msp,
                    customer: company.converted_to?,
                    mapping: *id,
                    region: credential.region.clone(),
                    external_org_id: mapping.external_org_id,
                })
            });
            let mut promoted: Vec<_> = promoted.collect();
            promoted.sort_by_key(|promoted| promoted.mapping);
            promoted.truncate(limit as usize);
            Ok(promoted)
        })
        .await
    }
}
