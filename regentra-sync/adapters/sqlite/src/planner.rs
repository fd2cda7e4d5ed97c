//! [`Planner`].

use async_trait::async_trait;
use regentra_sync::{
    model::{ComplianceOrgId, CredentialId, MappingId, MspOrgId, OrganizationId, RegionKey},
    store::{ActiveCredential, Planner, PromotedMapping, Result},
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

    async fn promoted_mappings(
        &self,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<PromotedMapping>> {
        let query = sqlx::query(
            "SELECT m.msp_org_id, c.converted_to_organization_id AS compliance_org_id, m.mapping_id, r.region, \
             m.external_org_id FROM mappings m \
             JOIN credentials r ON r.msp_org_id = m.msp_org_id AND r.credential_id = m.credential_id AND r.is_active = 1 \
             JOIN companies c ON c.msp_org_id = m.msp_org_id AND c.company_id = m.company_id \
             AND c.converted_to_organization_id IS NOT NULL \
             WHERE m.mapping_id > ?1 ORDER BY m.mapping_id LIMIT ?2",
        )
        .bind(after.map_or(Uuid::nil(), MappingId::as_uuid))
        .bind(i64::from(limit));
        self.rows(query, |row| {
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
