//! Transactions: their tenants, and what happens when their future is dropped.

use regentra_sync::{
    host::StoreClock,
    model::{CLOCK_TOLERANCE, ComplianceOrgId, Fingerprint, MspOrgId},
    store::Result,
};
use sqlx::{
    PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use time::OffsetDateTime;

use crate::{PostgresStore, failure::failed};

/// How long a statement waits for a lock, and how long a transaction may be idle before the server ends it. A worker that froze during a
/// commit blocks the others no longer than this.
const LOCK_TIMEOUT: &str = "10s";
const IDLE_TIMEOUT: &str = "60s";

/// The tenants of a transaction. Row-level security shows it only the rows of these tenants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tenants<'a> {
    msp: Option<MspOrgId>,
    customer: Option<ComplianceOrgId>,
    fingerprint: Option<&'a Fingerprint>,
}

impl<'a> Tenants<'a> {
    /// No tenant: only the planner's functions return rows.
    pub(crate) const NONE: Self = Self {
        msp: None,
        customer: None,
        fingerprint: None,
    };

    pub(crate) const fn msp(msp: MspOrgId) -> Self {
        Self {
            msp: Some(msp),
            ..Self::NONE
        }
    }

    pub(crate) const fn customer(customer: ComplianceOrgId) -> Self {
        Self {
            customer: Some(customer),
            ..Self::NONE
        }
    }

    pub(crate) const fn both(msp: MspOrgId, customer: ComplianceOrgId) -> Self {
        Self {
            msp: Some(msp),
            customer: Some(customer),
            fingerprint: None,
        }
    }

    pub(crate) const fn budget_of(fingerprint: &'a Fingerprint) -> Self {
        Self {
            fingerprint: Some(fingerprint),
            ..Self::NONE
        }
    }
}

impl PostgresStore {
    /// Begins a transaction that reads one state of the database throughout.
    pub(crate) async fn read(
        &self,
        tenants: Tenants<'_>,
    ) -> Result<Transaction<'static, Postgres>> {
        begin(
            &self.pool,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            tenants,
        )
        .await
        .map_err(failed)
    }

    /// Begins a transaction that writes. Each statement sees what was committed before the statement, so a guard that is read under a row
    /// lock has its current value.
    pub(crate) async fn write(
        &self,
        tenants: Tenants<'_>,
    ) -> Result<Transaction<'static, Postgres>> {
        begin(&self.pool, "BEGIN ISOLATION LEVEL READ COMMITTED", tenants)
            .await
            .map_err(failed)
    }

    /// Reads rows with one statement. Each row is converted as it arrives, so a long list is in memory only once.
    pub(crate) async fn rows<T: Send + Unpin>(
        &self,
        tenants: Tenants<'_>,
        query: Query<'_, Postgres, PgArguments>,
        read: impl Fn(&PgRow) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        let mut transaction = self.read(tenants).await?;
        let rows = query.map(|row| read(&row)).fetch_all(&mut *transaction);
        let rows = rows.await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        rows.into_iter().collect()
    }

    /// Reads at most one row with one statement.
    pub(crate) async fn row<T: Send + Unpin>(
        &self,
        tenants: Tenants<'_>,
        query: Query<'_, Postgres, PgArguments>,
        read: impl Fn(&PgRow) -> Result<T> + Send + Sync,
    ) -> Result<Option<T>> {
        Ok(self.rows(tenants, query, read).await?.into_iter().next())
    }
}

/// Begins a transaction and sets its tenants.
///
/// Statements are planned each time. A cached plan that was made for a small table would walk all rows of an MSP to find the few of one
/// customer, until statistics are gathered again. That happens after the first sync, not during it.
///
/// `BEGIN` runs to its end in a separate task. If its future were dropped half-way, the driver would take the connection for idle while a
/// transaction is open on the server, and the next user of the connection would work inside that transaction.
async fn begin(
    pool: &PgPool,
    begin: &'static str,
    tenants: Tenants<'_>,
) -> std::result::Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let mut transaction = tokio::spawn(async move { pool.begin_with(begin).await })
        .await
        .map_err(|_| sqlx::Error::WorkerCrashed)??;
    sqlx::query(
        "SELECT set_config('regentra.msp_org_id', $1, true), set_config('regentra.compliance_org_id', $2, true), \
         set_config('regentra.fingerprint', $3, true), set_config('lock_timeout', $4, true), \
         set_config('idle_in_transaction_session_timeout', $5, true), \
         set_config('plan_cache_mode', 'force_custom_plan', true)",
    )
    .bind(tenants.msp.map_or_else(String::new, |id| id.to_string()))
    .bind(tenants.customer.map_or_else(String::new, |id| id.to_string()))
    .bind(tenants.fingerprint.map_or("", Fingerprint::as_str))
    .bind(LOCK_TIMEOUT)
    .bind(IDLE_TIMEOUT)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// The time by the store's clock: the server's, or the one that the store was given.
pub(crate) async fn store_time(
    connection: &mut PgConnection,
    clock: &StoreClock,
) -> std::result::Result<OffsetDateTime, sqlx::Error> {
    match clock.reading() {
        Some(now) => Ok(now),
        None => {
            sqlx::query_scalar("SELECT clock_timestamp()")
                .fetch_one(connection)
                .await
        }
    }
}

/// Times later than this lie in the future, by a clock that shows `now`.
pub(crate) fn present_until(now: OffsetDateTime) -> OffsetDateTime {
    now.saturating_add(CLOCK_TOLERANCE)
}

/// Sets the customer of an MSP's transaction: the following statements access this customer's rows.
pub(crate) async fn enter_customer(
    connection: &mut PgConnection,
    customer: ComplianceOrgId,
) -> std::result::Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('regentra.compliance_org_id', $1, true)")
        .bind(customer.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
