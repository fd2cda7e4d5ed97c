//! [`Budget`]: one row a request, counted under a lock per NinjaOne tenant that every process shares.

use async_trait::async_trait;
use regentra_sync::{
    budget::{BudgetUsage, Spend, Window},
    credential::Fingerprint,
    store::{Budget, Result},
};
use sqlx::postgres::PgRow;
use time::{Duration, OffsetDateTime};

use crate::{PostgresStore, column::Columns as _, failure::failed, transaction::Tenants};

#[async_trait]
impl Budget for PostgresStore {
    async fn spend(
        &self,
        tenant: &Fingerprint,
        now: OffsetDateTime,
        windows: &[Window],
    ) -> Result<Spend> {
        let mut transaction = self.write(Tenants::budget_of(tenant)).await?;
        sqlx::query(
            "SELECT pg_advisory_xact_lock(hashtextextended('regentra.requests ' || $1, 0))",
        )
        .bind(tenant.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;

        // A window is full when it holds `limit` requests; it has room again when the one that came `limit` requests ago
        // leaves it.
        let mut retry_at = None;
        for window in windows {
            let leaves_first = match window.limit.checked_sub(1) {
                None => Some(now),
                Some(newer) => sqlx::query_scalar(
                    "SELECT started_at FROM regentra_sync.requests WHERE fingerprint = $1 AND started_at > $2 \
                     ORDER BY started_at DESC OFFSET $3 LIMIT 1",
                )
                .bind(tenant.as_str())
                .bind(now.saturating_sub(window.length))
                .bind(i64::from(newer))
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?,
            };
            let has_room_at =
                leaves_first.map(|at: OffsetDateTime| at.saturating_add(window.length));
            retry_at = retry_at.max(has_room_at);
        }
        if let Some(retry_at) = retry_at {
            transaction.rollback().await.map_err(failed)?;
            return Ok(Spend::Exhausted { retry_at });
        }

        let longest = windows.iter().map(|window| window.length);
        let kept = longest.fold(Duration::hours(1), Duration::max);
        sqlx::query(
            "WITH forgotten AS (DELETE FROM regentra_sync.requests WHERE fingerprint = $1 AND started_at <= $3) \
             INSERT INTO regentra_sync.requests (fingerprint, started_at) VALUES ($1, $2)",
        )
        .bind(tenant.as_str())
        .bind(now)
        .bind(now.saturating_sub(kept))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(Spend::Granted)
    }

    async fn budget_usage(&self, tenant: &Fingerprint, now: OffsetDateTime) -> Result<BudgetUsage> {
        let query = sqlx::query(
            "SELECT count(*) FILTER (WHERE started_at > $2) AS last_minute, count(*) AS last_hour \
             FROM regentra_sync.requests WHERE fingerprint = $1 AND started_at > $3 AND started_at <= $4",
        )
        .bind(tenant.as_str())
        .bind(now.saturating_sub(Duration::minutes(1)))
        .bind(now.saturating_sub(Duration::hours(1)))
        .bind(now);
        let usage = |row: &PgRow| {
            Ok(BudgetUsage {
                last_minute: row.counter("last_minute")?,
                last_hour: row.counter("last_hour")?,
            })
        };
        let usage = self.row(Tenants::budget_of(tenant), query, usage).await?;
        Ok(usage.unwrap_or(BudgetUsage {
            last_minute: 0,
            last_hour: 0,
        }))
    }
}
