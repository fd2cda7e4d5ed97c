//! The common part of every commit: it records its event first, checks its guards, and writes all or nothing.
//!
//! A commit holds the write lock of the file from its start, so what a guard found still holds when the commit ends.

use std::pin::Pin;

use regentra_sync::{
    model::{
        CompanyId, CredentialGuard, EventId, Fence, Generation, Lease, MappingGuard, MspOrgId,
        SettingsGuard, Version, WorkerId,
    },
    store::{CommitOutcome, Precondition, Result, Stamped},
};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, micros},
    failure::{Step, Stop, failed, holds},
};

/// What a commit does inside its transaction: check the guards, write.
pub(crate) type Writing<'c> = Pin<Box<dyn Future<Output = Step> + Send + 'c>>;

impl SqliteStore {
    /// Runs `write` in one transaction, all or nothing, unless the event was committed before, or the commit has a time ahead of the
    /// store's clock. Every commit calls this function.
    pub(crate) async fn commit<C: Stamped>(
        &self,
        msp: MspOrgId,
        event: EventId,
        commit: &C,
        write: impl for<'c> Fn(&'c mut SqliteConnection, &'c C) -> Writing<'c> + Send + Sync,
    ) -> Result<CommitOutcome> {
        match self.attempt(msp, event, commit, &write).await {
            Ok(()) => Ok(CommitOutcome::Committed),
            Err(Stop::Answer(outcome)) => Ok(outcome),
            Err(Stop::Store(error)) => Err(error),
            Err(Stop::Database(error)) => Err(failed(error)),
        }
    }

    async fn attempt<C: Stamped>(
        &self,
        msp: MspOrgId,
        event: EventId,
        commit: &C,
        write: &(impl for<'c> Fn(&'c mut SqliteConnection, &'c C) -> Writing<'c> + Send + Sync),
    ) -> Step {
        let mut transaction = self.write().await?;
        let written = async {
            let now = self.clock.now();
            remember(&mut transaction, msp, event, now).await?;
            commit.check_not_ahead(now)?;
            write(&mut transaction, commit).await
        }
        .await;
        match written {
            Ok(()) => Ok(transaction.commit().await?),
            Err(stopped) => {
                // The write lock is released before this function returns.
                let _ = transaction.rollback().await;
                Err(stopped)
            }
        }
    }
}

/// Records the event.
async fn remember(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    event: EventId,
    now: OffsetDateTime,
) -> Step {
    let remembered = sqlx::query(
        "INSERT INTO events (msp_org_id, event_id, recorded_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )
    .bind(msp.as_uuid())
    .bind(event.as_uuid())
    .bind(micros(now))
    .execute(connection)
    .await?;
    if remembered.rows_affected() == 0 {
        return Err(Stop::Answer(CommitOutcome::AlreadyCommitted));
    }
    Ok(())
}

/// Checks that the credential is active and has this generation.
pub(crate) async fn credential_holds(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    guard: CredentialGuard,
) -> Step {
    let row = sqlx::query(
        "SELECT is_active, generation FROM credentials WHERE msp_org_id = ?1 AND credential_id = ?2",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .fetch_optional(connection)
    .await?;
    let connected = match row {
        None => false,
        Some(row) => {
            row.value::<bool>("is_active")?
                && Generation::from_u32(row.counter("generation")?) == guard.generation
        }
    };
    holds(connected, Precondition::Credential)
}

/// Checks that the settings of the connection have this version.
pub(crate) async fn settings_hold(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    guard: SettingsGuard,
) -> Step {
    let row = sqlx::query(
        "SELECT settings_version FROM credentials WHERE msp_org_id = ?1 AND credential_id = ?2",
    )
    .bind(msp.as_uuid())
    .bind(guard.credential.as_uuid())
    .fetch_optional(connection)
    .await?;
    let version = row.map(|row| row.counter("settings_version").map(Version::from_u32));
    holds(
        version.transpose()? == Some(guard.version),
        Precondition::Settings,
    )
}

/// Checks that the mapping has this version, and returns the company that it is mapped to.
pub(crate) async fn mapping_version_holds(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    guard: MappingGuard,
) -> Step<Option<CompanyId>> {
    let row = sqlx::query(
        "SELECT version, company_id FROM mappings WHERE msp_org_id = ?1 AND mapping_id = ?2",
    )
    .bind(msp.as_uuid())
    .bind(guard.mapping.as_uuid())
    .fetch_optional(connection)
    .await?;
    match row {
        Some(row) if Version::from_u32(row.counter("version")?) == guard.version => {
            Ok(row.id_if_any("company_id", CompanyId::from_uuid)?)
        }
        _ => Err(Stop::superseded(Precondition::Mapping)),
    }
}

/// Checks that the mapping is mapped and has this version, and returns its company.
pub(crate) async fn mapping_holds(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    guard: MappingGuard,
) -> Step<CompanyId> {
    let company = mapping_version_holds(connection, msp, guard).await?;
    company.ok_or_else(|| Stop::superseded(Precondition::Mapping))
}

/// Checks that this worker holds the lease under this fence.
pub(crate) async fn lease_holds(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    lease: &Lease,
) -> Step {
    let row = sqlx::query("SELECT worker_id, fence FROM leases WHERE msp_org_id = ?1 AND key = ?2")
        .bind(msp.as_uuid())
        .bind(lease.key.to_text())
        .fetch_optional(connection)
        .await?;
    let held = match row {
        None => false,
        Some(row) => {
            row.id_if_any("worker_id", WorkerId::from_uuid)? == Some(lease.worker)
                && Fence::from_u32(row.counter("fence")?) == lease.fence
        }
    };
    holds(held, Precondition::Lease)
}
