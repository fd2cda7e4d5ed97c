use async_trait::async_trait;
use regentra_sync::{
    model::{BudgetUsage, Fingerprint, Spend, Window},
    store::{Budget, Result},
};
use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use crate::{
    SqliteStore,
    column::{Columns as _, micros},
    failure::Failure,
};

/// When the window has room again; `None` when it has room at `now`.
async fn room(
    db: &mut SqliteConnection,
    tenant: &Fingerprint,
    now: OffsetDateTime,
    window: &Window,
) -> std::result::Result<Option<OffsetDateTime>, Failure> {
    let Some(others) = window.limit.checked_sub(1) else {
        return Ok(Some(now.saturating_add(window.length)));
    };
    // The request that has to leave first: as many as the limit started since.
    let blocking = "SELECT started_at FROM request WHERE tenant = ?1 AND started_at > ?2 \
                    ORDER BY started_at DESC LIMIT 1 OFFSET ?3";
    let row = sqlx::query(blocking)
        .bind(tenant.as_str())
        .bind(micros(now.saturating_sub(window.length)))
        .bind(others)
        .fetch_optional(db)
        .await?;
    let started = row.map(|row| row.time("started_at")).transpose()?;
    // One that is stamped ahead counts as started now.
    Ok(started.map(|started| started.min(now).saturating_add(window.length)))
}

/// How long until every window has room; `None` when it has.
async fn wait(
    db: &mut SqliteConnection,
    tenant: &Fingerprint,
    now: OffsetDateTime,
    windows: &[Window],
) -> std::result::Result<Option<Duration>, Failure> {
    let mut room_at = None;
    for window in windows {
        room_at = room_at.max(room(db, tenant, now, window).await?);
    }
    Ok(room_at.map(|room_at| room_at - now))
}

#[async_trait]
impl Budget for SqliteStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        let mut db = self.begin().await?;
        // Read under the write lock, so that the times of requests are in the order of their rows.
        let now = self.clock.now();
        let stamped =
            sqlx::query("UPDATE request SET started_at = ?2 WHERE tenant = ?1 AND started_at > ?2")
                .bind(tenant.as_str())
                .bind(micros(now))
                .execute(&mut *db)
                .await
                .map_err(Failure::from)?;
        if let Some(retry_after) = wait(&mut db, tenant, now, windows).await? {
            if stamped.rows_affected() > 0 {
                db.commit().await.map_err(Failure::from)?;
            }
            return Ok(Spend::Exhausted { retry_after });
        }
        let forgotten = now.saturating_sub(
            windows
                .iter()
                .map(|w| w.length)
                .fold(Duration::hours(1), Duration::max),
        );
        sqlx::query("DELETE FROM request WHERE tenant = ?1 AND started_at <= ?2")
            .bind(tenant.as_str())
            .bind(micros(forgotten))
            .execute(&mut *db)
            .await
            .map_err(Failure::from)?;
        sqlx::query("INSERT INTO request (tenant, started_at) VALUES (?1, ?2)")
            .bind(tenant.as_str())
            .bind(micros(now))
            .execute(&mut *db)
            .await
            .map_err(Failure::from)?;
        db.commit().await.map_err(Failure::from)?;
        Ok(Spend::Granted)
    }

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        let now = self.clock.now();
        // One transaction, so that all windows are of one moment.
        let mut db = self.readers.begin().await.map_err(Failure::from)?;
        Ok(wait(&mut db, tenant, now, windows)
            .await?
            .unwrap_or(Duration::ZERO))
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        let now = self.clock.now();
        let count = "SELECT count(*) AS hour, coalesce(sum(started_at > ?3), 0) AS minute, \
                     coalesce(sum(started_at > ?4), 0) AS ahead FROM request WHERE tenant = ?1 AND started_at > ?2";
        let row = sqlx::query(count)
            .bind(tenant.as_str())
            .bind(micros(now.saturating_sub(Duration::hours(1))))
            .bind(micros(now.saturating_sub(Duration::minutes(1))))
            .bind(micros(now))
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(BudgetUsage {
            last_minute: row.number("minute")?,
            last_hour: row.number("hour")?,
            ahead: row.number("ahead")?,
        })
    }
}
