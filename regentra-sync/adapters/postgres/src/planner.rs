//! [`Planner`]: the one door between tenants. Two functions of the database answer it, which run as the schema's owner and
//! return ids only; the store's own role could not read these rows.

use async_trait::async_trait;
use regentra_sync::{
    model::{ComplianceOrgId, CredentialId, MappingId, MspOrgId, OrganizationId, RegionKey},
    store::{ActiveCredential, Planner, PromotedMapping, Result},
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

    async fn promoted_mappings(
        &self,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<PromotedMapping>> {
        let query = sqlx::query("SELECT * FROM regentra_sync.promoted_mappings($1, $2)")
            .bind(after.map(MappingId::as_uuid))
            .bind(i64::from(limit));
        self.rows(Tenants::NONE, query, |row| {
            Ok(PromotedMapping {
                msp: row.id("msp_org_id", MspOrgId::from_uuid)?,
                customer: row.id("compliance_org_id", ComplianceOrgId::from_uuid)?,
                mapping: row.id("mapping_id", MappingId::from_uuid)?,
                region: RegionKey::from_stored(row.text("region")?),
                external_org_id: OrganizationId::new(row.value("external_org_id")?),
            })
        })
        .await
    }
}
