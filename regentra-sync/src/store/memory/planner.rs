use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::CredentialId,
    store::{ActiveCredential, Planner, Result},
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
}
