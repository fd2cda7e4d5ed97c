use async_trait::async_trait;
use regentra_sync::{
    model::{CredentialId, MappingId},
    store::{ActiveCredential, Planner, PromotedMapping, Result},
};

use super::HashMapStore;

#[async_trait]
impl Planner for HashMapStore {
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>> {
        let state = self.state();
        let mut active: Vec<_> = state
            .credentials
            .iter()
            .filter(|((_, id), credential)| {
                credential.is_active && after.is_none_or(|after| *id > after)
            })
            .map(|((msp, id), credential)| ActiveCredential {
                msp: *msp,
                credential: *id,
                region: credential.region.clone(),
            })
            .collect();
        active.sort_by_key(|active| active.credential);
        active.truncate(limit as usize);
        Ok(active)
    }

    async fn promoted_mappings(
        &self,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<PromotedMapping>> {
        let state = self.state();
        let mut promoted: Vec<_> = state
            .mappings
            .iter()
            .filter(|((_, id), _)| after.is_none_or(|after| *id > after))
            .filter_map(|((msp, id), mapping)| {
                let company = state.companies.get(&(*msp, mapping.state.company()?))?;
                let credential = state.credentials.get(&(*msp, mapping.credential))?;
                credential.is_active.then_some(())?;
                Some(PromotedMapping {
                    msp: *msp,
                    customer: company.converted_to?,
                    mapping: *id,
                    region: credential.region.clone(),
                    external_org_id: mapping.external_org_id,
                })
            })
            .collect();
        promoted.sort_by_key(|promoted| promoted.mapping);
        promoted.truncate(limit as usize);
        Ok(promoted)
    }
}
