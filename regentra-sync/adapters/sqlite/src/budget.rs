//! [`Budget`]: one row per request, counted under the write lock, which every process shares.

use async_trait::async_trait;
use regentra_sync::{
    model::{BudgetUsage, Fingerprint, Spend, Window},
    store::{Budget, Result},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::{Duration, OffsetDateTime};

use crate::{
    SqliteStore,
    column::{Columns as _, micros},
    failure::failed,
};

/// How long until every window has room; `None` if every window has room now.
///
/// A window is full when it holds `limit` requests. It has room again when the request that came `limit` requests ago leaves it. A request
/// that is stamped ahead of the clock counts as started now.
async fn wait(
    connection: &mut SqliteConnection,
    tenant: &Fingerprint,
    now: OffsetDateTime,
    windows: &[Window],
) -> Result<Option<Duration>> {
    let mut room_at = None;
    for window in windows {
        let leaves_first = match window.limit.checked_sub(1) {
            None => Some(now),
            Some(newer) => sqlx::query(
                "SELECT started_at FROM requests WHERE fingerprint = ?1 AND started_at > ?2 \
                 ORDER BY started_at DESC LIMIT 1 OFFSET ?3",
            )
            .bind(tenant.as_str())
            .bind(micros(now.saturating_sub(window.length)))
            .bind(i64::from(newer))
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?
            .map(|row| row.time("started_at"))
            .transpose()?,
        };
        let has_room_at =
            leaves_first.map(|at: OffsetDateTime| at.min(now).saturating_add(window.length));
        room_at = room_at.max(has_room_at);
    }
    Ok(room_at.map(|room_at| room_at - now))
}

#[async_trait]
impl Budget for SqliteStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        let mut transaction = self.write().await?;
        // The time is read under the lock. Requests stamped ahead of it count as started now.
        let now = self.clock.now();
        let stamped = sqlx::query(
            "UPDATE requests SET started_at = ?2 WHERE fingerprint = ?1 AND started_at > ?2",
        )
        .bind(tenant.as_str())
        .bind(micros(now))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        if let Some(retry_after) = wait(&mut transaction, tenant, now, windows).await? {
            if stamped.rows_affected() > 0 {
                transaction.commit().await.map_err(failed)?;
            } else {
                transaction.rollback().await.map_err(failed)?;
            }
            return Ok(Spend::Exhausted { retry_after });
        }

        let longest = windows.iter().map(|window| window.length);
        let kept = longest.fold(Duration::hours(1), Duration::max);
        sqlx::query("DELETE FROM requests WHERE fingerprint = ?1 AND started_at <= ?2")
            .bind(tenant.as_str())
            .bind(micros(now.saturating_sub(kept)))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO requests (fingerprint, started_at) VALUES (?1, ?2)")
            .bind(tenant.as_str())
            .bind(micros(now))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(Spend::Granted)
    }

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        let mut transaction = self.read().await?;
        let now = self.clock.now();
        let wait = wait(&mut transaction, tenant, now, windows).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(wait.unwrap_or(Duration::ZERO))
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        let now = self.clock.now();
        let query = sqlx::query(
            "SELECT count(*) FILTER (WHERE started_at > ?3) AS last_minute, count(*) AS last_hour, \
             count(*) FILTER (WHERE started_at > ?4) AS ahead \
             FROM requests WHERE fingerprint = ?1 AND started_at > ?2",
        )
        .bind(tenant.as_str())
        .bind(micros(now.saturating_sub(Duration::hours(1))))
        .bind(micros(now.saturating_sub(Duration::minutes(1))))
        .bind(micros(now));
        let usage = |row: &SqliteRow| {
            Ok(BudgetUsage {
                last_minute: row.counter("last_minute")?,
                last_hour: row.counter("last_hour")?,
                ahead: row.counter("ahead")?,
            })
        };
        let usage = self.row(query, usage).await?;
        Ok(usage.unwrap_or_default())
    }
}
