//! What every commit does: the guards they share, and the end.

use regentra_sync::{
    model::{
        AuditRow, CompanyId, CredentialGuard, EventId, Lease, MappingGuard, MspOrgId, SettingsGuard,
    },
    store::{CommitOutcome, Guard, Result, Stamped},
};
use sqlx::{Row as _, Sqlite, SqliteConnection, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column::{json, micros},
    failure::{Failure, Stop, holds},
};

/// Commits what was written, or takes it back where the work stopped.
pub(crate) async fn finish(
    transaction: Transaction<'static, Sqlite>,
    written: std::result::Result<(), Stop>,
) -> Result<CommitOutcome> {
    match written {
        Ok(()) => {
            transaction.commit().await.map_err(Failure::from)?;
            Ok(CommitOutcome::Committed)
        }
        Err(Stop::Outcome(outcome)) => {
            transaction.rollback().await.map_err(Failure::from)?;
            Ok(outcome)
        }
        Err(Stop::Failure(failure)) => Err(failure.into()),
    }
}

/// Remembers the event, or stops because it was seen, or because the commit has a time ahead of the store's clock. Every commit
/// begins with it.
pub(crate) async fn begins(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    event: EventId,
    commit: &(impl Stamped + ?Sized),
) -> std::result::Result<(), Stop> {
    let remembered =
        sqlx::query("INSERT INTO event (msp, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(msp.as_uuid())
            .bind(event.as_uuid())
            .execute(db)
            .await?;
    if remembered.rows_affected() == 0 {
        return Err(Stop::Outcome(CommitOutcome::AlreadyCommitted));
    }
    Ok(commit.check_not_ahead(store_time)?)
}

pub(crate) async fn credential_holds(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    guard: CredentialGuard,
) -> std::result::Result<(), Stop> {
    let found = sqlx::query(
        "SELECT 1 FROM credential WHERE msp = ?1 AND id = ?2 AND is_active = 1 AND generation = ?3",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .bind(guard.generation.as_u32())
    .fetch_optional(db)
    .await?;
    holds(found.is_some(), Guard::Credential)
}

/// The settings of the connection are of that version.
pub(crate) async fn settings_hold(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    guard: SettingsGuard,
) -> std::result::Result<(), Stop> {
    let found = sqlx::query(
        "SELECT 1 FROM credential WHERE msp = ?1 AND id = ?2 AND settings_version = ?3",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .bind(guard.version.as_u32())
    .fetch_optional(db)
    .await?;
    holds(found.is_some(), Guard::Settings)
}

/// The mapping is mapped and has that version; its company is the answer.
pub(crate) async fn mapping_holds(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    guard: MappingGuard,
) -> std::result::Result<CompanyId, Stop> {
    let found = sqlx::query("SELECT company FROM mapping WHERE msp = ?1 AND id = ?2 AND version = ?3 AND state = 'mapped'")
        .bind(msp.as_uuid())
        .bind(guard.mapping.as_uuid())
        .bind(guard.version.as_u32())
        .fetch_optional(db)
        .await?;
    let superseded = Stop::Outcome(CommitOutcome::Superseded(Guard::Mapping));
    Ok(CompanyId::from_uuid(
        found.ok_or(superseded)?.try_get::<Uuid, _>("company")?,
    ))
}

pub(crate) async fn lease_holds(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    lease: &Lease,
) -> std::result::Result<(), Stop> {
    let found = sqlx::query(
        "SELECT 1 FROM lease WHERE msp = ?1 AND key = ?2 AND worker = ?3 AND fence = ?4",
    )
    .bind(msp.as_uuid())
    .bind(lease.key.to_text())
    .bind(lease.worker.as_uuid())
    .bind(lease.fence.as_u32())
    .fetch_optional(db)
    .await?;
    holds(found.is_some(), Guard::Lease)
}

pub(crate) async fn append_msp_audit(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    rows: &[AuditRow],
) -> std::result::Result<(), Failure> {
    for row in rows {
        sqlx::query("INSERT INTO msp_audit (msp, \"at\", id, entry) VALUES (?1, ?2, ?3, ?4)")
            .bind(msp.as_uuid())
            .bind(micros(row.at))
            .bind(row.id.as_uuid())
            .bind(json(row)?)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

pub(crate) async fn append_customer_audit(
    db: &mut SqliteConnection,
    customer: regentra_sync::model::ComplianceOrgId,
    row: &AuditRow,
) -> std::result::Result<(), Failure> {
    sqlx::query(
        "INSERT INTO customer_audit (compliance_org, \"at\", id, entry) VALUES (?1, ?2, ?3, ?4)",
    )
    .bind(customer.as_uuid())
    .bind(micros(row.at))
    .bind(row.id.as_uuid())
    .bind(json(row)?)
    .execute(db)
    .await?;
    Ok(())
}
