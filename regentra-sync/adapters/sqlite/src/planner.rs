use async_trait::async_trait;
use regentra_sync::{
    model::{ComplianceOrgId, CredentialId, MappingId, MspOrgId, OrganizationId, RegionKey},
    store::{ActiveCredential, Planner, PromotedMapping, Result},
};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::{SqliteStore, column::Columns as _, failure::Failure};

fn active_credential(row: &SqliteRow) -> std::result::Result<ActiveCredential, Failure> {
    Ok(ActiveCredential {
        msp: MspOrgId::from_uuid(row.id("msp")?),
        credential: CredentialId::from_uuid(row.id("id")?),
        region: RegionKey::from_stored(row.text("region")?),
    })
}

fn promoted_mapping(row: &SqliteRow) -> std::result::Result<PromotedMapping, Failure> {
    Ok(PromotedMapping {
        msp: MspOrgId::from_uuid(row.id("msp")?),
        customer: ComplianceOrgId::from_uuid(row.id("customer")?),
        mapping: MappingId::from_uuid(row.id("mapping")?),
        region: RegionKey::from_stored(row.text("region")?),
        external_org_id: OrganizationId::new(row.number("external_org_id")?),
    })
}

#[async_trait]
impl Planner for SqliteStore {
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>> {
        let select = "SELECT msp, id, region FROM credential WHERE is_active = 1 AND id > ?1 ORDER BY id LIMIT ?2";
        let rows = sqlx::query(select)
            .bind(after.map_or(Uuid::nil(), CredentialId::as_uuid))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(active_credential)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn promoted_mappings(
        &self,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<PromotedMapping>> {
        let select = "SELECT m.msp, m.id AS mapping, m.external_org_id, r.region, c.converted_to AS customer \
                      FROM mapping m \
                      JOIN credential r ON r.msp = m.msp AND r.id = m.credential AND r.is_active = 1 \
                      JOIN company c ON c.msp = m.msp AND c.id = m.company AND c.converted_to IS NOT NULL \
                      WHERE m.id > ?1 ORDER BY m.id LIMIT ?2";
        let rows = sqlx::query(select)
            .bind(after.map_or(Uuid::nil(), MappingId::as_uuid))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(promoted_mapping)
            .collect::<std::result::Result<_, _>>()?)
    }
}
