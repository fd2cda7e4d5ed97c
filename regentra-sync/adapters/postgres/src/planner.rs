//! [`Planner`]: the one trait that reads across tenants. A function of the database answers it. The function runs as the schema's owner and
//! returns only ids; the store's role could not read these rows.

use async_trait::async_trait;
use regentra_sync::{
    model::{CredentialId, MspOrgId, RegionKey},
    store::{ActiveCredential, Planner, Result},
};

use crate::{PostgresStore, column::Columns as _, transaction::Tenants};

#[async_trait]
impl Planner for PostgresStore {
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>> {
        let query = sqlx::query("SELECT * FROM regentra_sync.active_credentials($1, $2)")
            .bind(after.map(CredentialId::as_uuid))
            .bind(i64::from(limit));
        self.rows(Tenants::NONE, query, |row| {
            Ok(ActiveCredential {
                msp: row.id("msp_org_id", MspOrgId::from_uuid)?,
                credential: row.id("credential_id", CredentialId::from_uuid)?,
                region: RegionKey::from_stored(row.text("region")?),
            })
        })
        .await
    }
}
