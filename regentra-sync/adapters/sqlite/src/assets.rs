use async_trait::async_trait;
use regentra_sync::{
    AssetId, CompanyId, CredentialId, EventId, MappingId, MspOrgId,
    asset::{Asset, AssetContent, AssetStatus, Source, come_back},
    id::Version,
    private::Private,
    store::{AssetCommit, AssetFilter, AssetWrite, Assets, CommitOutcome, Guard, Result},
    ticket::{NoteReason, OutboxRow},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, json, micros},
    commit::{append_msp_audit, credential_holds, finish, lease_holds, mapping_holds, unseen},
    failure::{Failure, Stop, holds},
    tickets::{insert_outbox, ticket},
};

fn asset(row: &SqliteRow) -> std::result::Result<Asset, Failure> {
    let private = |column| Ok::<_, Failure>(row.optional_text(column)?.map(Private::new));
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
            host_name: private("host_name")?,
            serial_number: private("serial_number")?,
            entra_device_id: private("entra_device_id")?,
            class: row.optional_text("class")?,
            manufacturer: row.optional_text("manufacturer")?,
            model: row.optional_text("model")?,
            operating_system: row.optional_text("operating_system")?,
        },
        version: Version::from_u32(row.number("version")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Writes one row whole; `false` when the stored version is not the expected one.
async fn write_asset(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    write: &AssetWrite,
) -> std::result::Result<bool, Failure> {
    let insert = "INSERT INTO asset (msp, id, company, external_source, credential, mapping, external_id, status, \
                  superseded_by, name, host_name, serial_number, entra_device_id, class, manufacturer, model, \
                  operating_system, version, created_at, updated_at) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) \
                  ON CONFLICT (msp, id) DO NOTHING";
    let update = "UPDATE asset SET company = ?3, external_source = ?4, credential = ?5, mapping = ?6, external_id = ?7, \
                  status = ?8, superseded_by = ?9, name = ?10, host_name = ?11, serial_number = ?12, \
                  entra_device_id = ?13, class = ?14, manufacturer = ?15, model = ?16, operating_system = ?17, \
                  version = ?18, created_at = ?19, updated_at = ?20 WHERE msp = ?1 AND id = ?2 AND version = ?21";
    let AssetWrite { asset, expected } = write;
    let content = &asset.content;
    let query = sqlx::query(if expected.is_none() { insert } else { update })
        .bind(msp.as_uuid())
        .bind(asset.id.as_uuid())
        .bind(asset.company.as_uuid())
        .bind(asset.source.as_str())
        .bind(asset.credential.map(CredentialId::as_uuid))
        .bind(asset.mapping.map(MappingId::as_uuid))
        .bind(&asset.external_id)
        .bind(asset.status.as_str())
        .bind(asset.status.superseded_by().map(AssetId::as_uuid))
        .bind(content.name.as_str())
        .bind(content.host_name.as_ref().map(Private::as_str))
        .bind(content.serial_number.as_ref().map(Private::as_str))
        .bind(content.entra_device_id.as_ref().map(Private::as_str))
        .bind(content.class.as_deref())
        .bind(content.manufacturer.as_deref())
        .bind(content.model.as_deref())
        .bind(content.operating_system.as_deref())
        .bind(asset.version.as_u32())
        .bind(micros(asset.created_at))
        .bind(micros(asset.updated_at));
    let query = match expected {
        None => query,
        Some(expected) => query.bind(expected.as_u32()),
    };
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// Whose mappings are let go.
#[derive(Clone, Copy)]
pub(crate) enum LetGo {
    Credential(CredentialId),
    Mapping(MappingId),
}

impl LetGo {
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
pub(crate) async fn let_go(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    of: LetGo,
    event: EventId,
    reason: NoteReason,
    at: OffsetDateTime,
) -> std::result::Result<(), Failure> {
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
    for asset in come_back(superseded, at) {
        let update = "UPDATE asset SET status = ?1, superseded_by = ?2, version = ?3, updated_at = ?4 \
                      WHERE msp = ?5 AND id = ?6";
        sqlx::query(update)
            .bind(asset.status.as_str())
            .bind(asset.status.superseded_by().map(AssetId::as_uuid))
            .bind(asset.version.as_u32())
            .bind(micros(asset.updated_at))
            .bind(msp.as_uuid())
            .bind(asset.id.as_uuid())
            .execute(&mut *db)
            .await?;
    }
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
        " ORDER BY id"
    );
    let open = sqlx::query(open)
        .bind(msp.as_uuid())
        .bind(credential)
        .bind(mapping)
        .fetch_all(&mut *db)
        .await?;
    for row in &open {
        insert_outbox(db, msp, &OutboxRow::note(event, &ticket(row)?, reason, at)).await?;
    }
    Ok(())
}

async fn write_assets(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    commit: &AssetCommit,
) -> std::result::Result<(), Stop> {
    let AssetCommit {
        event,
        credential,
        mapping,
        lease,
        writes,
        audit,
    } = commit;
    unseen(db, msp, *event).await?;
    if let Some(guard) = credential {
        credential_holds(db, msp, *guard).await?;
    }
    if let Some(guard) = mapping {
        mapping_holds(db, msp, *guard).await?;
    }
    if let Some(lease) = lease {
        lease_holds(db, msp, lease).await?;
    }
    for write in writes {
        holds(write_asset(db, msp, write).await?, Guard::Asset)?;
    }
    Ok(append_msp_audit(db, msp, audit).await?)
}

#[async_trait]
impl Assets for SqliteStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        let query = match &filter {
            AssetFilter::All => {
                sqlx::query("SELECT * FROM asset WHERE msp = ?1 ORDER BY id").bind(msp.as_uuid())
            }
            AssetFilter::Company(company) => {
                sqlx::query("SELECT * FROM asset WHERE msp = ?1 AND company = ?2 ORDER BY id")
                    .bind(msp.as_uuid())
                    .bind(company.as_uuid())
            }
            AssetFilter::Mapping(mapping) => {
                sqlx::query("SELECT * FROM asset WHERE msp = ?1 AND mapping = ?2 ORDER BY id")
                    .bind(msp.as_uuid())
                    .bind(mapping.as_uuid())
            }
            AssetFilter::Devices {
                credential,
                devices,
            } => {
                let select = "SELECT * FROM asset WHERE msp = ?1 AND credential = ?2 \
                              AND external_id IN (SELECT value FROM json_each(?3)) ORDER BY id";
                sqlx::query(select)
                    .bind(msp.as_uuid())
                    .bind(credential.as_uuid())
                    .bind(json(devices)?)
            }
            _ => return Err(Failure::corrupt("(asset filter)").into()),
        };
        let rows = query
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(asset)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_assets(&mut db, msp, &commit).await;
        finish(db, written).await
    }
}
