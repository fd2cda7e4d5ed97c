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
use serde::Serialize;
use sqlx::{
    Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    audit::append_msp_audit,
    column::{Columns as _, column, micros, to_json},
    commit::{credential_holds, lease_holds, mapping_holds, settings_hold},
    failure::{Step, corrupt, holds},
};

// Without the plus, SQLite walks all assets of the MSP in the order of their ids instead of looking up the few.
const ALL: &str = "SELECT * FROM assets WHERE msp_org_id = ?1 ORDER BY asset_id";
const OF_COMPANY: &str =
    "SELECT * FROM assets WHERE msp_org_id = ?1 AND company_id = ?2 ORDER BY +asset_id";
const OF_MAPPING: &str =
    "SELECT * FROM assets WHERE msp_org_id = ?1 AND mapping_id = ?2 ORDER BY +asset_id";
const OF_DEVICES: &str = "SELECT * FROM assets WHERE msp_org_id = ?1 AND credential_id = ?2 \
    AND external_id IN (SELECT value FROM json_each(?3)) ORDER BY +asset_id";

// For the first page, the place is an empty id, which sorts before every other id.
const PAGE: &str = "SELECT * FROM assets WHERE msp_org_id = ?1 AND asset_id > ?2 \
    AND (?3 IS NULL OR external_source = ?3) AND (NOT ?4 OR status = 'ACTIVE') ORDER BY asset_id LIMIT ?5";
const PAGE_OF_COMPANY: &str = "SELECT * FROM assets WHERE msp_org_id = ?1 AND +asset_id > ?2 \
    AND (?3 IS NULL OR external_source = ?3) AND (NOT ?4 OR status = 'ACTIVE') AND company_id = ?6 \
    ORDER BY +asset_id LIMIT ?5";

// The rows are few and the assets many. SQLite walks a cross join from the left.
const VERSIONS: &str = "SELECT asset_id, version, updated_at FROM json_each(?2) AS written \
    CROSS JOIN assets ON msp_org_id = ?1 AND asset_id = unhex(written.value, '-')";
const ACTIVE: &str = "SELECT asset_id FROM json_each(?2) AS superseding \
    CROSS JOIN assets ON msp_org_id = ?1 AND asset_id = unhex(superseding.value, '-') AND status = 'ACTIVE'";
const IS_SUPERSEDING: &str = "SELECT EXISTS (SELECT 1 FROM json_each(?2) AS written \
    CROSS JOIN assets ON msp_org_id = ?1 AND superseded_by = unhex(written.value, '-'))";
/// Rows of a JSON array, by the names of their columns.
macro_rules! insert {
    () => {
        "INSERT INTO assets (msp_org_id, asset_id, company_id, external_source, credential_id, mapping_id, \
         external_id, status, superseded_by, name, host_name, serial_number, entra_device_id, class, manufacturer, model, \
         operating_system, version, created_at, updated_at, missing_since, possible_duplicate_of) \
         SELECT ?1, unhex(value ->> 'asset_id', '-'), unhex(value ->> 'company_id', '-'), value ->> 'external_source', \
         unhex(value ->> 'credential_id', '-'), unhex(value ->> 'mapping_id', '-'), value ->> 'external_id', \
         value ->> 'status', unhex(value ->> 'superseded_by', '-'), value ->> 'name', value ->> 'host_name', \
         value ->> 'serial_number', value ->> 'entra_device_id', value ->> 'class', value ->> 'manufacturer', \
         value ->> 'model', value ->> 'operating_system', value ->> 'version', value ->> 'created_at', \
         value ->> 'updated_at', value ->> 'missing_since', unhex(value ->> 'possible_duplicate_of', '-') \
         FROM json_each(?2)"
    };
}

const INSERT: &str = insert!();

// An insert of rows that all exist. An `UPDATE` from a list would read all assets of the MSP for each row.
const UPDATE: &str = concat!(
    insert!(),
    " WHERE true ON CONFLICT (msp_org_id, asset_id) DO UPDATE SET company_id = excluded.company_id, \
     external_source = excluded.external_source, credential_id = excluded.credential_id, \
     mapping_id = excluded.mapping_id, external_id = excluded.external_id, status = excluded.status, \
     superseded_by = excluded.superseded_by, name = excluded.name, host_name = excluded.host_name, \
     serial_number = excluded.serial_number, entra_device_id = excluded.entra_device_id, class = excluded.class, \
     manufacturer = excluded.manufacturer, model = excluded.model, operating_system = excluded.operating_system, \
     version = excluded.version, created_at = excluded.created_at, updated_at = excluded.updated_at, \
     missing_since = excluded.missing_since, possible_duplicate_of = excluded.possible_duplicate_of"
);

#[async_trait]
impl Assets for SqliteStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        let all = |statement: &'static str| sqlx::query(statement).bind(msp.as_uuid());
        let query = match filter {
            AssetFilter::All => all(ALL),
            AssetFilter::Company(company) => all(OF_COMPANY).bind(company.as_uuid()),
            AssetFilter::Mapping(mapping) => all(OF_MAPPING).bind(mapping.as_uuid()),
            AssetFilter::Devices {
                credential,
                devices,
            } => {
                let devices: Vec<_> = devices.iter().map(ToString::to_string).collect();
                all(OF_DEVICES)
                    .bind(credential.as_uuid())
                    .bind(to_json(&devices)?)
            }
            _ => {
                let text = "this version of the store does not know the filter";
                return Err(StoreError::new(StoreErrorKind::Other, text));
            }
        };
        self.rows(query, asset).await
    }

    async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>> {
        let AssetPage {
            company,
            source,
            active_only,
            after,
            limit,
        } = page;
        let statement = if company.is_some() {
            PAGE_OF_COMPANY
        } else {
            PAGE
        };
        let after = after.map_or_else(Vec::new, |after| after.as_uuid().as_bytes().to_vec());
        let mut query = sqlx::query(statement)
            .bind(msp.as_uuid())
            .bind(after)
            .bind(source.map(Source::as_str))
            .bind(active_only)
            .bind(i64::from(limit));
        if let Some(company) = company {
            query = query.bind(company.as_uuid());
        }
        self.rows(query, asset).await
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        let clock = self.clock.clone();
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            let clock = clock.clone();
            Box::pin(async move { write(connection, &clock, msp, commit).await })
        })
        .await
    }
}

async fn write(
    connection: &mut SqliteConnection,
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
        credential_holds(connection, msp, *guard).await?;
    }
    if let Some(guard) = settings {
        settings_hold(connection, msp, *guard).await?;
    }
    if let Some(guard) = mapping {
        mapping_holds(connection, msp, *guard).await?;
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
        let now = clock.now();
        for write in rewritten {
            if let Some((_, written_at)) = stored.get(&write.id()) {
                write.check_order(*written_at, now)?;
            }
        }
    }
    append_msp_audit(connection, msp, audit).await
}

/// Whether every asset that supersedes a written row is active, and no written row that is not active supersedes another.
async fn superseding_assets_are_active(
    connection: &mut SqliteConnection,
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
        let active = sqlx::query(ACTIVE)
            .bind(msp.as_uuid())
            .bind(to_json(&superseding)?)
            .fetch_all(&mut *connection)
            .await?;
        if active.len() != superseding.len() {
            return Ok(false);
        }
    }
    let out_of_count: Vec<_> = writes
        .iter()
        .filter(|write| status(write) != AssetStatus::Active)
        .map(AssetWrite::id)
        .collect();
    if out_of_count.is_empty() {
        return Ok(true);
    }
    let is_superseding: bool = sqlx::query_scalar(IS_SUPERSEDING)
        .bind(msp.as_uuid())
        .bind(to_json(&out_of_count)?)
        .fetch_one(connection)
        .await?;
    Ok(!is_superseding)
}

/// The versions of the rows to be written, and when they were last written.
async fn versions(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    writes: &[AssetWrite],
) -> Step<BTreeMap<AssetId, (Version, OffsetDateTime)>> {
    if writes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(VERSIONS)
        .bind(msp.as_uuid())
        .bind(to_json(&column(writes, AssetWrite::id))?)
        .fetch_all(connection)
        .await?;
    let version = |row: &SqliteRow| {
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

/// Inserts rows that do not exist.
async fn insert(connection: &mut SqliteConnection, msp: MspOrgId, assets: &[&Asset]) -> Step {
    if assets.is_empty() {
        return Ok(());
    }
    let statement = bind(sqlx::query(INSERT), msp, assets)?;
    statement.execute(connection).await?;
    Ok(())
}

/// Rewrites rows that exist.
pub(crate) async fn update(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    assets: &[&Asset],
) -> Step {
    if assets.is_empty() {
        return Ok(());
    }
    let statement = bind(sqlx::query(UPDATE), msp, assets)?;
    statement.execute(connection).await?;
    Ok(())
}

/// Binds assets as JSON, by the names of their columns.
fn bind<'q>(
    statement: Query<'q, Sqlite, SqliteArguments>,
    msp: MspOrgId,
    assets: &[&Asset],
) -> Result<Query<'q, Sqlite, SqliteArguments>> {
    #[derive(Serialize)]
    struct Row<'a> {
        asset_id: AssetId,
        company_id: CompanyId,
        external_source: &'static str,
        credential_id: Option<CredentialId>,
        mapping_id: Option<MappingId>,
        external_id: &'a ExternalId,
        status: &'static str,
        superseded_by: Option<AssetId>,
        #[serde(flatten)]
        content: &'a AssetContent,
        version: Version,
        created_at: i64,
        updated_at: i64,
        missing_since: Option<i64>,
        possible_duplicate_of: Option<AssetId>,
    }
    let rows = column(assets, |asset| Row {
        asset_id: asset.id,
        company_id: asset.company,
        external_source: asset.source.as_str(),
        credential_id: asset.credential,
        mapping_id: asset.mapping,
        external_id: &asset.external_id,
        status: asset.status.as_str(),
        superseded_by: asset.status.superseded_by(),
        content: &asset.content,
        version: asset.version,
        created_at: micros(asset.created_at),
        updated_at: micros(asset.updated_at),
        missing_since: asset.missing_since.map(micros),
        possible_duplicate_of: asset.possible_duplicate_of,
    });
    Ok(statement.bind(msp.as_uuid()).bind(to_json(&rows)?))
}

pub(crate) fn asset(row: &SqliteRow) -> Result<Asset> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn a_customers_sync_does_not_walk_the_assets_of_all_customers() {
        for (statement, lookup) in [
            (OF_COMPANY, "(msp_org_id=? AND company_id=?)"),
            (PAGE_OF_COMPANY, "(msp_org_id=? AND company_id=?)"),
            (OF_MAPPING, "(msp_org_id=? AND mapping_id=?)"),
            (
                OF_DEVICES,
                "(msp_org_id=? AND credential_id=? AND external_id=?)",
            ),
            (VERSIONS, "(msp_org_id=? AND asset_id=?)"),
            (ACTIVE, "(msp_org_id=? AND asset_id=?)"),
            (IS_SUPERSEDING, "(msp_org_id=? AND superseded_by=?)"),
        ] {
            let steps = plan(statement).await;
            let looks_up = |step: &String| step.contains("SEARCH ") && step.contains(lookup);
            assert!(
                steps.iter().any(looks_up),
                "{statement}\n{}",
                steps.join("\n")
            );
        }
    }
}
