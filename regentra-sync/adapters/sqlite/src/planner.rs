//! [`Planner`].

use async_trait::async_trait;
use regentra_sync::{
    model::{CredentialId, MspOrgId, RegionKey},
    store::{ActiveCredential, Planner, Result},
};
use uuid::Uuid;

use crate::{SqliteStore, column::Columns as _};

#[async_trait]
impl Planner for SqliteStore {
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>> {
        let query = sqlx::query(
            "SELECT msp_org_id, credential_id, region FROM credentials \
             WHERE is_active = 1 AND credential_id > ?1 ORDER BY credential_id LIMIT ?2",
        )
        .bind(after.map_or(Uuid::nil(), CredentialId::as_uuid))
        .bind(i64::from(limit));
        self.rows(query, |row| {
            Ok(ActiveCredential {
                msp: row.id("msp_org_id", MspOrgId::from_uuid)?,
                credential: row.id("credential_id", CredentialId::from_uuid)?,
                region: RegionKey::from_stored(row.text("region")?),
            })
        })
        .await
    }
}
