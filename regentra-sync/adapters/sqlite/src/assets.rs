use std::collections::BTreeMap;

use async_trait::async_trait;
use regentra_sync::{
    model::{
        Asset, AssetContent, AssetId, AssetStatus, CompanyId, CredentialId, EventId, MappingId,
        MspOrgId, NoteReason, OutboxRow, Sensitive, Source, Version, reactivate_superseded,
    },
    store::{
        AssetCommit, AssetFilter, AssetPage, AssetWrite, Assets, CommitOutcome, Guard, Result,
    },
};
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, json, micros},
    commit::{
        append_msp_audit, begins, credential_holds, finish, lease_holds, mapping_holds,
        settings_hold,
    },
    failure::{Failure, Stop, holds},
    tickets::{append_outbox, ticket},
};

// The plus keeps SQLite from walking all assets of the MSP in the order of their ids instead of looking up the few.
const ALL: &str = "SELECT * FROM asset WHERE msp = ?1 ORDER BY id";
const OF_COMPANY: &str = "SELECT * FROM asset WHERE msp = ?1 AND company = ?2 ORDER BY +id";
const OF_MAPPING: &str = "SELECT * FROM asset WHERE msp = ?1 AND mapping = ?2 ORDER BY +id";
const OF_DEVICES: &str = "SELECT * FROM asset WHERE msp = ?1 AND credential = ?2 \
                          AND external_id IN (SELECT value FROM json_each(?3)) ORDER BY +id";

const PAGE: &str = "SELECT * FROM asset WHERE msp = ?1 AND id > ?2 AND (?3 IS NULL OR external_source = ?3) \
                    AND (NOT ?4 OR status = 'ACTIVE') ORDER BY id LIMIT ?5";
const PAGE_OF_COMPANY: &str = "SELECT * FROM asset WHERE msp = ?1 AND +id > ?2 AND (?3 IS NULL OR external_source = ?3) \
                               AND (NOT ?4 OR status = 'ACTIVE') AND company = ?6 ORDER BY +id LIMIT ?5";

fn asset(row: &SqliteRow) -> std::result::Result<Asset, Failure> {
    let sensitive = |column| Ok::<_, Failure>(row.optional_text(column)?.map(Sensitive::new));
    let status = match (
        row.text("status")?.as_str(),
        row.optional_id("superseded_by")?,
    ) {
        ("ACTIVE", None) => AssetStatus::Active,
        ("RETIRED", None) => AssetStatus::Retired,
        ("RETIRED", Some(by)) => AssetStatus::Superseded {
            by: AssetId::from_uuid(by),
        },
        _ => return Err(Failure::corrupt("status")),
    };
    let source = row.text("external_source")?;
    Ok(Asset {
        id: AssetId::from_uuid(row.id("id")?),
        company: CompanyId::from_uuid(row.id("company")?),
        source: Source::from_name(&source).ok_or_else(|| Failure::corrupt("external_source"))?,
        credential: row.optional_id("credential")?.map(CredentialId::from_uuid),
        mapping: row.optional_id("mapping")?.map(MappingId::from_uuid),
        external_id: row.text("external_id")?,
        status,
        content: AssetContent {
            name: row.text("name")?.into(),
            host_name: sensitive("host_name")?,
            serial_number: sensitive("serial_number")?,
            entra_device_id: sensitive("entra_device_id")?,
            class: row.optional_text("class")?,
            manufacturer: row.optional_text("manufacturer")?,
            model: row.optional_text("model")?,
            operating_system: row.optional_text("operating_system")?,
        },
        missing_since: row.optional_time("missing_since")?,
        possible_duplicate_of: row
            .optional_id("possible_duplicate_of")?
            .map(AssetId::from_uuid),
        version: Version::from_u32(row.number("version")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// One row to write, as the statements below take it apart.
#[derive(Serialize)]
struct AssetRow<'a> {
    id: AssetId,
    company: CompanyId,
    external_source: &'static str,
    credential: Option<CredentialId>,
    mapping: Option<MappingId>,
    external_id: &'a str,
    status: &'static str,
    superseded_by: Option<AssetId>,
    #[serde(flatten)]
    content: &'a AssetContent,
    missing_since: Option<i64>,
    possible_duplicate_of: Option<AssetId>,
    version: Version,
    created_at: i64,
    updated_at: i64,
    expected: Option<Version>,
}

impl<'a> AssetRow<'a> {
    fn of(asset: &'a Asset, expected: Option<Version>) -> Self {
        Self {
            id: asset.id,
            company: asset.company,
            external_source: asset.source.as_str(),
            credential: asset.credential,
            mapping: asset.mapping,
            external_id: &asset.external_id,
            status: asset.status.as_str(),
            superseded_by: asset.status.superseded_by(),
            content: &asset.content,
            missing_since: asset.missing_since.map(micros),
            possible_duplicate_of: asset.possible_duplicate_of,
            version: asset.version,
            created_at: micros(asset.created_at),
            updated_at: micros(asset.updated_at),
            expected,
        }
    }
}

/// Whether every stored version is the expected one. The rows are few and the assets many: the join may not go the other way.
const AS_READ: &str = "SELECT count(*) AS held FROM json_each(?2) AS new LEFT JOIN asset \
                       ON asset.msp = ?1 AND asset.id = unhex(new.value ->> 'id', '-') \
                       WHERE asset.version IS new.value ->> 'expected'";

const WRITE: &str = "INSERT INTO asset (msp, id, company, external_source, credential, mapping, external_id, status, \
                     superseded_by, name, host_name, serial_number, entra_device_id, class, manufacturer, model, \
                     operating_system, missing_since, possible_duplicate_of, version, created_at, updated_at) \
                     SELECT ?1, unhex(value ->> 'id', '-'), unhex(value ->> 'company', '-'), \
                     value ->> 'external_source', unhex(value ->> 'credential', '-'), unhex(value ->> 'mapping', '-'), \
                     value ->> 'external_id', value ->> 'status', unhex(value ->> 'superseded_by', '-'), \
                     value ->> 'name', value ->> 'host_name', value ->> 'serial_number', value ->> 'entra_device_id', \
                     value ->> 'class', value ->> 'manufacturer', value ->> 'model', value ->> 'operating_system', \
                     value ->> 'missing_since', unhex(value ->> 'possible_duplicate_of', '-'), \
                     value ->> 'version', value ->> 'created_at', value ->> 'updated_at' \
                     FROM json_each(?2) WHERE true ON CONFLICT (msp, id) DO UPDATE SET company = excluded.company, \
                     external_source = excluded.external_source, credential = excluded.credential, \
                     mapping = excluded.mapping, external_id = excluded.external_id, status = excluded.status, \
                     superseded_by = excluded.superseded_by, name = excluded.name, host_name = excluded.host_name, \
                     serial_number = excluded.serial_number, entra_device_id = excluded.entra_device_id, \
                     class = excluded.class, manufacturer = excluded.manufacturer, model = excluded.model, \
                     operating_system = excluded.operating_system, missing_since = excluded.missing_since, \
                     possible_duplicate_of = excluded.possible_duplicate_of, version = excluded.version, \
                     created_at = excluded.created_at, updated_at = excluded.updated_at";

/// How many of the written rows are superseded by an asset that is not active, or supersede an asset though they
/// do not count.
const LEFT_BEHIND: &str = "SELECT count(*) AS left_behind FROM json_each(?2) AS new \
                           JOIN asset written ON written.msp = ?1 AND written.id = unhex(new.value ->> 'id', '-') \
                           WHERE written.status <> 'ACTIVE' AND (\
                             EXISTS (SELECT 1 FROM asset s WHERE s.msp = ?1 AND s.superseded_by = written.id) \
                             OR (written.superseded_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM asset w \
                               WHERE w.msp = ?1 AND w.id = written.superseded_by AND w.status = 'ACTIVE')))";

/// When those of these rows that exist were last written.
const WRITTEN_AT: &str = "SELECT asset.id, asset.updated_at FROM json_each(?2) AS rewritten JOIN asset \
                          ON asset.msp = ?1 AND asset.id = unhex(rewritten.value, '-')";

async fn written_at(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    writes: &[AssetWrite],
) -> std::result::Result<BTreeMap<AssetId, OffsetDateTime>, Failure> {
    let rewritten = writes.iter().filter(|write| write.expected.is_some());
    let rewritten: Vec<_> = rewritten.map(AssetWrite::id).collect();
    if rewritten.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(WRITTEN_AT)
        .bind(msp.as_uuid())
        .bind(json(&rewritten)?)
        .fetch_all(db)
        .await?;
    let written_at =
        |row: &SqliteRow| Ok((AssetId::from_uuid(row.id("id")?), row.time("updated_at")?));
    rows.iter().map(written_at).collect()
}

/// Writes rows whole; `false`, and nothing, when a stored version is not the expected one.
async fn write(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    rows: &[AssetRow<'_>],
) -> std::result::Result<bool, Failure> {
    if rows.is_empty() {
        return Ok(true);
    }
    let rows_json = json(&rows)?;
    let held = sqlx::query(AS_READ)
        .bind(msp.as_uuid())
        .bind(&rows_json)
        .fetch_one(&mut *db)
        .await?;
    if held.number::<usize>("held")? != rows.len() {
        return Ok(false);
    }
    sqlx::query(WRITE)
        .bind(msp.as_uuid())
        .bind(rows_json)
        .execute(db)
        .await?;
    Ok(true)
}

/// Whether all that is given way to, by the written rows or among them, is active.
async fn superseding_assets_are_active(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    rows: &[AssetRow<'_>],
) -> std::result::Result<bool, Failure> {
    let out_of_count: Vec<_> = rows
        .iter()
        .filter(|row| row.status != AssetStatus::Active.as_str())
        .collect();
    if out_of_count.is_empty() {
        return Ok(true);
    }
    let left_behind = sqlx::query(LEFT_BEHIND)
        .bind(msp.as_uuid())
        .bind(json(&out_of_count)?)
        .fetch_one(db)
        .await?;
    Ok(left_behind.number::<u32>("left_behind")? == 0)
}

/// Whose mappings are let go.
#[derive(Clone, Copy)]
pub(crate) enum RetireScope {
    Credential(CredentialId),
    Mapping(MappingId),
}

impl RetireScope {
    /// The one of the two that it is, as the two parameters of `mapping_set`.
    fn parameters(self) -> (Option<uuid::Uuid>, Option<uuid::Uuid>) {
        match self {
            Self::Credential(credential) => (Some(credential.as_uuid()), None),
            Self::Mapping(mapping) => (None, Some(mapping.as_uuid())),
        }
    }
}

/// The mappings that are let go, as a subquery of `?1` (MSP), `?2` (credential) and `?3` (mapping).
macro_rules! mapping_set {
    () => {
        "(SELECT id FROM mapping WHERE msp = ?1 AND (credential = ?2 OR id = ?3))"
    };
}

/// Takes the NinjaOne assets of these mappings out of count, deletes their signature history, and puts a note on their open
/// tickets.
pub(crate) async fn retire_and_reactivate(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    of: RetireScope,
    event: EventId,
    reason: NoteReason,
    at: OffsetDateTime,
) -> std::result::Result<(), Stop> {
    let (credential, mapping) = of.parameters();
    let superseded = concat!(
        "SELECT s.* FROM asset s JOIN asset w ON w.msp = s.msp AND w.id = s.superseded_by WHERE s.msp = ?1 ",
        "AND w.external_source = 'ninjaone' AND w.status = 'ACTIVE' AND w.mapping IN ",
        mapping_set!()
    );
    let superseded = sqlx::query(superseded)
        .bind(msp.as_uuid())
        .bind(credential)
        .bind(mapping)
        .fetch_all(&mut *db)
        .await?;
    let superseded = superseded
        .iter()
        .map(asset)
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let read: Vec<_> = superseded.iter().map(|asset| asset.version).collect();
    let back = reactivate_superseded(superseded, at);
    let rows: Vec<_> = back
        .iter()
        .zip(read)
        .map(|(asset, read)| AssetRow::of(asset, Some(read)))
        .collect();
    write(db, msp, &rows).await?;
    let retire = concat!(
        "UPDATE asset SET status = 'RETIRED', version = version + 1, updated_at = ?4 WHERE msp = ?1 ",
        "AND external_source = 'ninjaone' AND status = 'ACTIVE' AND mapping IN ",
        mapping_set!()
    );
    sqlx::query(retire)
        .bind(msp.as_uuid())
        .bind(credential)
        .bind(mapping)
        .bind(micros(at))
        .execute(&mut *db)
        .await?;
    let purge = concat!(
        "DELETE FROM signature WHERE msp = ?1 AND mapping IN ",
        mapping_set!()
    );
    sqlx::query(purge)
        .bind(msp.as_uuid())
        .bind(credential)
        .bind(mapping)
        .execute(&mut *db)
        .await?;
    let open = concat!(
        "SELECT * FROM ticket WHERE msp = ?1 AND state = 'open' AND mapping IN ",
        mapping_set!(),
        " ORDER BY +id"
    );
    let open = sqlx::query(open)
        .bind(msp.as_uuid())
        .bind(credential)
        .bind(mapping)
        .fetch_all(&mut *db)
        .await?;
    let notes = open
        .iter()
        .map(|row| Ok(OutboxRow::note(event, &ticket(row)?, reason, at)))
        .collect::<std::result::Result<Vec<_>, Failure>>()?;
    append_outbox(db, msp, &notes).await
}

async fn write_assets(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &AssetCommit,
) -> std::result::Result<(), Stop> {
    let AssetCommit {
        event,
        credential,
        settings,
        mapping,
        lease,
        writes,
        audit,
    } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    if let Some(guard) = credential {
        credential_holds(db, msp, *guard).await?;
    }
    if let Some(guard) = settings {
        settings_hold(db, msp, *guard).await?;
    }
    if let Some(guard) = mapping {
        mapping_holds(db, msp, *guard).await?;
    }
    if let Some(lease) = lease {
        lease_holds(db, msp, lease).await?;
    }
    let rows: Vec<_> = writes
        .iter()
        .map(|AssetWrite { asset, expected }| AssetRow::of(asset, *expected))
        .collect();
    let written_at = written_at(db, msp, writes).await?;
    holds(write(db, msp, &rows).await?, Guard::Asset)?;
    // After the rows are written; what does not hold takes them back.
    holds(
        superseding_assets_are_active(db, msp, &rows).await?,
        Guard::Asset,
    )?;
    for write in writes {
        if let Some(stored) = written_at.get(&write.id()) {
            write.check_order(*stored, store_time)?;
        }
    }
    Ok(append_msp_audit(db, msp, audit).await?)
}

#[async_trait]
impl Assets for SqliteStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        let query = match &filter {
            AssetFilter::All => sqlx::query(ALL).bind(msp.as_uuid()),
            AssetFilter::Company(company) => sqlx::query(OF_COMPANY)
                .bind(msp.as_uuid())
                .bind(company.as_uuid()),
            AssetFilter::Mapping(mapping) => sqlx::query(OF_MAPPING)
                .bind(msp.as_uuid())
                .bind(mapping.as_uuid()),
            AssetFilter::Devices {
                credential,
                devices,
            } => sqlx::query(OF_DEVICES)
                .bind(msp.as_uuid())
                .bind(credential.as_uuid())
                .bind(json(devices)?),
            _ => return Err(Failure::corrupt("(asset filter)").into()),
        };
        // Each row is read as it comes: a row of SQLite's takes several times the memory of an asset.
        let assets = query.map(|row| asset(&row)).fetch_all(&self.readers);
        let assets = assets.await.map_err(Failure::from)?;
        Ok(assets.into_iter().collect::<std::result::Result<_, _>>()?)
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
        // Before the first page stands an empty id, which is before every other one.
        let after = after.map_or_else(Vec::new, |after| after.as_uuid().as_bytes().to_vec());
        let mut query = sqlx::query(statement)
            .bind(msp.as_uuid())
            .bind(after)
            .bind(source.map(Source::as_str))
            .bind(active_only)
            .bind(limit);
        if let Some(company) = company {
            query = query.bind(company.as_uuid());
        }
        let assets = query.map(|row| asset(&row)).fetch_all(&self.readers);
        let assets = assets.await.map_err(Failure::from)?;
        Ok(assets.into_iter().collect::<std::result::Result<_, _>>()?)
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_assets(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn a_customers_sync_does_not_walk_the_assets_of_all_customers() {
        for (statement, lookup) in [
            (OF_COMPANY, "(msp=? AND company=?)"),
            (PAGE_OF_COMPANY, "(msp=? AND company=?)"),
            (OF_MAPPING, "(msp=? AND mapping=?)"),
            (OF_DEVICES, "(msp=? AND credential=? AND external_id=?)"),
            (AS_READ, "(msp=? AND id=?)"),
            (LEFT_BEHIND, "(msp=? AND superseded_by=?)"),
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
