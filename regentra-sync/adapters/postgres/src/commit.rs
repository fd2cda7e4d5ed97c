//! The common part of every commit: it records its event first, checks its guards under locks, and writes all or nothing.
//!
//! A guard locks the row it reads, so that what it found still holds when the commit ends. Locks are taken in one order
//! everywhere (event, credential, mapping, company, lease, assets, tickets, tick, outbox), so that commits wait for each other
//! and do not deadlock.

use std::pin::Pin;

use regentra_sync::{
    model::{
        CompanyId, CredentialGuard, EventId, Fence, Generation, Lease, MappingGuard, MspOrgId,
        SettingsGuard, Version, WorkerId,
    },
    store::{CommitOutcome, Precondition, Result, Stamped},
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    PostgresStore,
    column::Columns as _,
    failure::{Step, Stop, failed, holds, is_lost_race},
    transaction::Tenants,
};

/// The maximum number of attempts of a commit that loses races inside the database.
const ATTEMPTS: usize = 5;

/// What a commit does inside its transaction: check the guards, write.
pub(crate) type Writing<'c> = Pin<Box<dyn Future<Output = Step> + Send + 'c>>;

impl PostgresStore {
    /// Runs `write` in one transaction, all or nothing, unless the event was committed before, or the commit has a time ahead of the
    /// store's clock. Every commit calls this function.
    ///
    /// The event is recorded first: a concurrent second delivery waits for the end of the first and then finds the event. A transaction
    /// that lost a race inside the database is begun again, and its guards then report what happened.
    pub(crate) async fn commit<C: Stamped>(
        &self,
        tenants: Tenants<'_>,
        msp: MspOrgId,
        event: EventId,
        commit: &C,
        write: impl for<'c> Fn(&'c mut PgConnection, &'c C) -> Writing<'c> + Send + Sync,
    ) -> Result<CommitOutcome> {
        let mut attempt = 1;
        loop {
            let stopped = match self.attempt(tenants, msp, event, commit, &write).await {
                Ok(()) => return Ok(CommitOutcome::Committed),
                Err(stopped) => stopped,
            };
            match stopped {
                Stop::Answer(outcome) => return Ok(outcome),
                Stop::Store(error) => return Err(error),
                Stop::Database(error) if attempt < ATTEMPTS && is_lost_race(&error) => {
                    tracing::debug!(attempt, "a commit lost a race inside the database");
                    attempt += 1;
                    tokio::task::yield_now().await;
                }
                Stop::Database(error) => return Err(failed(error)),
            }
        }
    }

    async fn attempt<C: Stamped>(
        &self,
        tenants: Tenants<'_>,
        msp: MspOrgId,
        event: EventId,
        commit: &C,
        write: &(impl for<'c> Fn(&'c mut PgConnection, &'c C) -> Writing<'c> + Send + Sync),
    ) -> Step {
        let mut transaction = self.write(tenants).await?;
        let written = async {
            let server_time = remember(&mut transaction, msp, event).await?;
            commit.check_not_ahead(self.clock.reading().unwrap_or(server_time))?;
            write(&mut transaction, commit).await
        }
        .await;
        match written {
            Ok(()) => Ok(transaction.commit().await?),
            Err(stopped) => {
                // The locks are released before this function returns. If the connection broke, the server releases them.
                let _ = transaction.rollback().await;
                Err(stopped)
            }
        }
    }
}

/// Records the event, and returns the server's time.
async fn remember(
    connection: &mut PgConnection,
    msp: MspOrgId,
    event: EventId,
) -> Step<OffsetDateTime> {
    let remembered = sqlx::query_scalar(
        "INSERT INTO regentra_sync.events (msp_org_id, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING \
         RETURNING clock_timestamp()",
    )
    .bind(msp.as_uuid())
    .bind(event.as_uuid())
    .fetch_optional(connection)
    .await?;
    remembered.ok_or(Stop::Answer(CommitOutcome::AlreadyCommitted))
}

/// How a guarded row is locked.
#[derive(Clone, Copy)]
pub(crate) enum Lock {
    /// The row may not change until the commit ends. Other commits may rely on it, too.
    Share,
    /// This commit will change the row.
    Change,
}

/// Checks that the credential is active and has this generation.
pub(crate) async fn credential_holds(
    connection: &mut PgConnection,
    msp: MspOrgId,
    guard: CredentialGuard,
    lock: Lock,
) -> Step {
    let row = sqlx::query(match lock {
        Lock::Share => {
            "SELECT is_active, generation FROM regentra_sync.credentials \
             WHERE msp_org_id = $1 AND credential_id = $2 FOR SHARE"
        }
        Lock::Change => {
            "SELECT is_active, generation FROM regentra_sync.credentials \
             WHERE msp_org_id = $1 AND credential_id = $2 FOR NO KEY UPDATE"
        }
    })
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
    connection: &mut PgConnection,
    msp: MspOrgId,
    guard: SettingsGuard,
    lock: Lock,
) -> Step {
    let row = sqlx::query(match lock {
        Lock::Share => {
            "SELECT settings_version FROM regentra_sync.credentials \
             WHERE msp_org_id = $1 AND credential_id = $2 FOR SHARE"
        }
        Lock::Change => {
            "SELECT settings_version FROM regentra_sync.credentials \
             WHERE msp_org_id = $1 AND credential_id = $2 FOR NO KEY UPDATE"
        }
    })
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
    connection: &mut PgConnection,
    msp: MspOrgId,
    guard: MappingGuard,
    lock: Lock,
) -> Step<Option<CompanyId>> {
    let row = sqlx::query(match lock {
        Lock::Share => {
            "SELECT version, company_id FROM regentra_sync.mappings WHERE msp_org_id = $1 AND mapping_id = $2 FOR SHARE"
        }
        Lock::Change => {
            "SELECT version, company_id FROM regentra_sync.mappings \
             WHERE msp_org_id = $1 AND mapping_id = $2 FOR NO KEY UPDATE"
        }
    })
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
    connection: &mut PgConnection,
    msp: MspOrgId,
    guard: MappingGuard,
    lock: Lock,
) -> Step<CompanyId> {
    let company = mapping_version_holds(connection, msp, guard, lock).await?;
    company.ok_or_else(|| Stop::superseded(Precondition::Mapping))
}

/// Checks that this worker holds the lease under this fence.
pub(crate) async fn lease_holds(
    connection: &mut PgConnection,
    msp: MspOrgId,
    lease: &Lease,
) -> Step {
    let row = sqlx::query(
        "SELECT worker_id, fence FROM regentra_sync.leases WHERE msp_org_id = $1 AND key = $2 FOR SHARE",
    )
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
