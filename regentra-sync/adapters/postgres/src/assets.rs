//! [`Assets`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use regentra_sync::{
    host::StoreClock,
    model::{
        Asset, AssetContent, AssetId, AssetStatus, CompanyId, CredentialId, ExternalId, MappingId,
        MspOrgId, Sensitive, Source, Version,
    },
    store::{
        AssetCommit, AssetFilter, AssetPage, AssetWrite, Assets, CommitOutcome, Precondition,
        Result, StoreError, StoreErrorKind,
    },
};
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use time::OffsetDateTime;

use crate::{
    PostgresStore,
    audit::append_msp_audit,
    column::{Columns as _, column},
    commit::{Lock, credential_holds, lease_holds, mapping_holds, settings_hold},
    failure::{Step, corrupt, holds},
    transaction::{Tenants, store_time},
};

#[async_trait]
impl Assets for PostgresStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        let all = |statement: &'static str| sqlx::query(statement).bind(msp.as_uuid());
        let query = match filter {
            AssetFilter::All => {
                all("SELECT * FROM regentra_sync.assets WHERE msp_org_id = $1 ORDER BY asset_id")
            }
            AssetFilter::Company(company) => all(
                "SELECT * FROM regentra_sync.assets WHERE msp_org_id = $1 AND company_id = $2 ORDER BY asset_id",
            )
            .bind(company.as_uuid()),
            AssetFilter::Mapping(mapping) => all(
                "SELECT * FROM regentra_sync.assets WHERE msp_org_id = $1 AND mapping_id = $2 ORDER BY asset_id",
            )
            .bind(mapping.as_uuid()),
            AssetFilter::Devices {
                credential,
                devices,
            } => all(
                // One look-up per device. For a list of devices, the server would walk all assets of the credential if it has no
                // statistics.
                "SELECT found.* FROM (SELECT DISTINCT id FROM unnest($3::text[]) AS device (id)) AS device \
                 CROSS JOIN LATERAL (SELECT * FROM regentra_sync.assets \
                 WHERE msp_org_id = $1 AND credential_id = $2 AND external_id = device.id OFFSET 0) AS found \
                 ORDER BY found.asset_id",
            )
            .bind(credential.as_uuid())
            .bind(devices.iter().map(ToString::to_string).collect::<Vec<_>>()),
            _ => {
                let text = "this version of the store does not know the filter";
                return Err(StoreError::new(StoreErrorKind::Other, text));
            }
        };
        self.rows(Tenants::msp(msp), query, asset).await
    }

    async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>> {
        let AssetPage {
            company,
            source,
            active_only,
            after,
            limit,
        } = page;
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.assets WHERE msp_org_id = $1 AND ($2::uuid IS NULL OR company_id = $2) \
             AND ($3::text IS NULL OR external_source = $3) AND (NOT $4 OR status = 'ACTIVE') \
             AND ($5::uuid IS NULL OR asset_id > $5) ORDER BY asset_id LIMIT $6",
        )
        .bind(msp.as_uuid())
        .bind(company.map(CompanyId::as_uuid))
        .bind(source.map(Source::as_str))
        .bind(active_only)
        .bind(after.map(AssetId::as_uuid))
        .bind(i64::from(limit));
        self.rows(Tenants::msp(msp), query, asset).await
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        let clock = self.clock.clone();
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| {
                let clock = clock.clone();
                Box::pin(async move { write(connection, &clock, msp, commit).await })
            },
        )
        .await
    }
}

async fn write(
    connection: &mut PgConnection,
    clock: &StoreClock,
    msp: MspOrgId,
    commit: &AssetCommit,
) -> Step {
    let AssetCommit {
        event: _,
        credential,
        settings,
        mapping,
        lease,
        writes,
        audit,
    } = commit;
    if let Some(guard) = credential {
        credential_holds(connection, msp, *guard, Lock::Share).await?;
    }
    if let Some(guard) = settings {
        settings_hold(connection, msp, *guard, Lock::Share).await?;
    }
    if let Some(guard) = mapping {
        mapping_holds(connection, msp, *guard, Lock::Share).await?;
    }
    if let Some(lease) = lease {
        lease_holds(connection, msp, lease).await?;
    }
    let stored = versions(connection, msp, writes).await?;
    let as_read =
        |write: &AssetWrite| stored.get(&write.id()).map(|(version, _)| *version) == write.expected;
    holds(writes.iter().all(as_read), Precondition::Asset)?;

    let (new, rewritten): (Vec<_>, Vec<_>) =
        writes.iter().partition(|write| write.expected.is_none());
    insert(connection, msp, &column(&new, |write| &write.asset)).await?;
    update(connection, msp, &column(&rewritten, |write| &write.asset)).await?;
    holds(
        superseding_assets_are_active(connection, msp, writes).await?,
        Precondition::Asset,
    )?;
    if !rewritten.is_empty() {
        let now = store_time(connection, clock).await?;
        for write in rewritten {
            if let Some((_, written_at)) = stored.get(&write.id()) {
                write.check_order(*written_at, now)?;
            }
        }
    }
    append_msp_audit(connection, msp, audit).await
}

/// Whether every asset that supersedes a written row is active, and no written row that is not active supersedes another.
///
/// Superseding assets of other sources are locked. So a commit that retires one of them waits for this one, and then finds the assets that
/// it superseded.
async fn superseding_assets_are_active(
    connection: &mut PgConnection,
    msp: MspOrgId,
    writes: &[AssetWrite],
) -> Step<bool> {
    let status = |write: &AssetWrite| write.asset.status;
    let mut superseding: Vec<_> = writes
        .iter()
        .filter_map(|write| status(write).superseded_by())
        .collect();
    superseding.sort_unstable();
    superseding.dedup();
    if !superseding.is_empty() {
        let active = sqlx::query(
            "SELECT asset_id FROM regentra_sync.assets \
             WHERE msp_org_id = $1 AND asset_id = ANY ($2) AND status = 'ACTIVE' ORDER BY asset_id FOR SHARE",
        )
        .bind(msp.as_uuid())
        .bind(column(&superseding, |id| id.as_uuid()))
        .fetch_all(&mut *connection)
        .await?;
        if active.len() != superseding.len() {
            return Ok(false);
        }
    }
    let out_of_count: Vec<_> = writes
        .iter()
        .filter(|write| status(write) != AssetStatus::Active)
        .map(|write| write.id().as_uuid())
        .collect();
    if out_of_count.is_empty() {
        return Ok(true);
    }
    let is_superseding: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM regentra_sync.assets WHERE msp_org_id = $1 AND superseded_by = ANY ($2))",
    )
    .bind(msp.as_uuid())
    .bind(out_of_count)
    .fetch_one(connection)
    .await?;
    Ok(!is_superseding)
}

/// The versions of the rows to be written, and when they were last written. The rows are locked in the order of their ids.
async fn versions(
    connection: &mut PgConnection,
    msp: MspOrgId,
    writes: &[AssetWrite],
) -> Step<BTreeMap<AssetId, (Version, OffsetDateTime)>> {
    if writes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT asset_id, version, updated_at FROM regentra_sync.assets \
         WHERE msp_org_id = $1 AND asset_id = ANY ($2) ORDER BY asset_id FOR NO KEY UPDATE",
    )
    .bind(msp.as_uuid())
    .bind(column(writes, |write| write.id().as_uuid()))
    .fetch_all(connection)
    .await?;
    let version = |row: &PgRow| {
        Ok((
            row.id("asset_id", AssetId::from_uuid)?,
            (
                Version::from_u32(row.counter("version")?),
                row.time("updated_at")?,
            ),
        ))
    };
    Ok(rows.iter().map(version).collect::<Result<_>>()?)
}

/// Inserts rows that did not exist when they were read. If another session inserted one meanwhile, the commit begins again and finds it.
async fn insert(connection: &mut PgConnection, msp: MspOrgId, assets: &[&Asset]) -> Step {
    if assets.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO regentra_sync.assets (msp_org_id, asset_id, company_id, external_source, credential_id, mapping_id, \
         external_id, status, superseded_by, name, host_name, serial_number, entra_device_id, class, manufacturer, model, \
         operating_system, version, created_at, updated_at, missing_since, possible_duplicate_of) \
         SELECT $1, new.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], \
         $9::uuid[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], \
         $17::text[], $18::bigint[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::uuid[]) AS new (id) ORDER BY id",
    );
    bind(statement, msp, assets).execute(connection).await?;
    Ok(())
}

/// Rewrites rows that are locked.
pub(crate) async fn update(
    connection: &mut PgConnection,
    msp: MspOrgId,
    assets: &[&Asset],
) -> Step {
    if assets.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "UPDATE regentra_sync.assets SET company_id = new.company_id, external_source = new.external_source, \
         credential_id = new.credential_id, mapping_id = new.mapping_id, external_id = new.external_id, \
         status = new.status, superseded_by = new.superseded_by, name = new.name, host_name = new.host_name, \
         serial_number = new.serial_number, entra_device_id = new.entra_device_id, class = new.class, \
         manufacturer = new.manufacturer, model = new.model, operating_system = new.operating_system, \
         version = new.version, created_at = new.created_at, updated_at = new.updated_at, \
         missing_since = new.missing_since, possible_duplicate_of = new.possible_duplicate_of \
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], \
         $9::uuid[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], \
         $17::text[], $18::bigint[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::uuid[]) \
         AS new (asset_id, company_id, external_source, credential_id, mapping_id, external_id, status, superseded_by, \
         name, host_name, serial_number, entra_device_id, class, manufacturer, model, operating_system, version, \
         created_at, updated_at, missing_since, possible_duplicate_of) \
         WHERE assets.msp_org_id = $1 AND assets.asset_id = new.asset_id",
    );
    bind(statement, msp, assets).execute(connection).await?;
    Ok(())
}

/// Binds assets column by column, in the order of the table.
fn bind<'q>(
    statement: Query<'q, Postgres, PgArguments>,
    msp: MspOrgId,
    assets: &[&Asset],
) -> Query<'q, Postgres, PgArguments> {
    statement
        .bind(msp.as_uuid())
        .bind(column(assets, |asset| asset.id.as_uuid()))
        .bind(column(assets, |asset| asset.company.as_uuid()))
        .bind(column(assets, |asset| asset.source.as_str()))
        .bind(column(assets, |asset| {
            asset.credential.map(CredentialId::as_uuid)
        }))
        .bind(column(assets, |asset| {
            asset.mapping.map(MappingId::as_uuid)
        }))
        .bind(column(assets, |asset| asset.external_id.to_string()))
        .bind(column(assets, |asset| asset.status.as_str()))
        .bind(column(assets, |asset| {
            asset.status.superseded_by().map(AssetId::as_uuid)
        }))
        .bind(column(assets, |asset| asset.content.name.as_str()))
        .bind(column(assets, |asset| {
            asset.content.host_name.as_ref().map(Sensitive::as_str)
        }))
        .bind(column(assets, |asset| {
            asset.content.serial_number.as_ref().map(Sensitive::as_str)
        }))
        .bind(column(assets, |asset| {
            asset
                .content
                .entra_device_id
                .as_ref()
                .map(Sensitive::as_str)
        }))
        .bind(column(assets, |asset| asset.content.class.as_deref()))
        .bind(column(assets, |asset| {
            asset.content.manufacturer.as_deref()
        }))
        .bind(column(assets, |asset| asset.content.model.as_deref()))
        .bind(column(assets, |asset| {
            asset.content.operating_system.as_deref()
        }))
        .bind(column(assets, |asset| i64::from(asset.version.as_u32())))
        .bind(column(assets, |asset| asset.created_at))
        .bind(column(assets, |asset| asset.updated_at))
        .bind(column(assets, |asset| asset.missing_since))
        .bind(column(assets, |asset| {
            asset.possible_duplicate_of.map(AssetId::as_uuid)
        }))
}

pub(crate) fn asset(row: &PgRow) -> Result<Asset> {
    let by = row.id_if_any("superseded_by", AssetId::from_uuid)?;
    let status = match (row.text("status")?.as_str(), by) {
        ("ACTIVE", None) => AssetStatus::Active,
        ("RETIRED", None) => AssetStatus::Retired,
        ("RETIRED", Some(by)) => AssetStatus::Superseded { by },
        _ => return Err(corrupt("status")),
    };
    let sensitive = |column| Ok(row.text_if_any(column)?.map(Sensitive::from));
    let source = row.named("external_source", Source::from_name)?;
    let external_id = row.text("external_id")?;
    Ok(Asset {
        id: row.id("asset_id", AssetId::from_uuid)?,
        company: row.id("company_id", CompanyId::from_uuid)?,
        source,
        credential: row.id_if_any("credential_id", CredentialId::from_uuid)?,
        mapping: row.id_if_any("mapping_id", MappingId::from_uuid)?,
        external_id: ExternalId::read(source, external_id).ok_or_else(|| corrupt("external_id"))?,
        status,
        content: AssetContent {
            name: row.text("name")?.into(),
            host_name: sensitive("host_name")?,
            serial_number: sensitive("serial_number")?,
            entra_device_id: sensitive("entra_device_id")?,
            class: row.text_if_any("class")?,
            manufacturer: row.text_if_any("manufacturer")?,
            model: row.text_if_any("model")?,
            operating_system: row.text_if_any("operating_system")?,
        },
        missing_since: row.time_if_any("missing_since")?,
        possible_duplicate_of: row.id_if_any("possible_duplicate_of", AssetId::from_uuid)?,
        version: Version::from_u32(row.counter("version")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
