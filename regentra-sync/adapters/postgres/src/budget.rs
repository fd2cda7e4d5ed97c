//! [`Budget`]: one row per request, counted under a lock per NinjaOne tenant that every process shares.

use async_trait::async_trait;
use regentra_sync::{
    model::{BudgetUsage, Fingerprint, Spend, Window},
    store::{Budget, Result},
};
use sqlx::{PgConnection, postgres::PgRow};
use time::{Duration, OffsetDateTime};

use crate::{
    PostgresStore,
    column::Columns as _,
    failure::failed,
    transaction::{Tenants, store_time},
};

/// How long until every window has room; `None` if every window has room now.
///
/// A window is full when it holds `limit` requests. It has room again when the request that came `limit` requests ago leaves it. A request
/// that is stamped ahead of the clock counts as started now.
async fn wait(
    connection: &mut PgConnection,
    tenant: &Fingerprint,
    now: OffsetDateTime,
    windows: &[Window],
) -> Result<Option<Duration>> {
    let mut room_at = None;
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
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?,
        };
        let has_room_at =
            leaves_first.map(|at: OffsetDateTime| at.min(now).saturating_add(window.length));
        room_at = room_at.max(has_room_at);
    }
    Ok(room_at.map(|room_at| room_at - now))
}

#[async_trait]
impl Budget for PostgresStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        let mut transaction = self.write(Tenants::budget_of(tenant)).await?;
        sqlx::query(
            "SELECT pg_advisory_xact_lock(hashtextextended('regentra.requests ' || $1, 0))",
        )
        .bind(tenant.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;

        // The time is read under the lock. Requests stamped ahead of it count as started now.
        let row = sqlx::query(
            "WITH clock AS MATERIALIZED (SELECT coalesce($2, clock_timestamp()) AS now), \
             stamped AS (UPDATE regentra_sync.requests SET started_at = clock.now FROM clock \
             WHERE fingerprint = $1 AND started_at > clock.now RETURNING 1) \
             SELECT clock.now, (SELECT count(*) FROM stamped) AS stamped FROM clock",
        )
        .bind(tenant.as_str())
        .bind(self.clock.reading())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
        let (now, stamped) = (row.time("now")?, row.count("stamped")?);
        if let Some(retry_after) = wait(&mut transaction, tenant, now, windows).await? {
            if stamped > 0 {
                transaction.commit().await.map_err(failed)?;
            } else {
                transaction.rollback().await.map_err(failed)?;
            }
            return Ok(Spend::Exhausted { retry_after });
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

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        let mut transaction = self.read(Tenants::budget_of(tenant)).await?;
        let now = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
        let wait = wait(&mut transaction, tenant, now, windows).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(wait.unwrap_or(Duration::ZERO))
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        let query = sqlx::query(
            "WITH clock AS MATERIALIZED (SELECT coalesce($2, clock_timestamp()) AS now) \
             SELECT count(*) FILTER (WHERE started_at > clock.now - interval '1 minute') AS last_minute, \
             count(*) AS last_hour, count(*) FILTER (WHERE started_at > clock.now) AS ahead \
             FROM regentra_sync.requests, clock WHERE fingerprint = $1 AND started_at > clock.now - interval '1 hour'",
        )
        .bind(tenant.as_str())
        .bind(self.clock.reading());
        let usage = |row: &PgRow| {
            Ok(BudgetUsage {
                last_minute: row.counter("last_minute")?,
                last_hour: row.counter("last_hour")?,
                ahead: row.counter("ahead")?,
            })
        };
        let usage = self.row(Tenants::budget_of(tenant), query, usage).await?;
        Ok(usage.unwrap_or_default())
    }
}
