use async_trait::async_trait;
use regentra_sync::{
    budget::{BudgetUsage, Spend, Window},
    credential::Fingerprint,
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
    Ok(started.map(|started| started.saturating_add(window.length)))
}

#[async_trait]
impl Budget for SqliteStore {
    async fn spend(
        &self,
        tenant: &Fingerprint,
        now: OffsetDateTime,
        windows: &[Window],
    ) -> Result<Spend> {
        let mut db = self.begin().await?;
        let mut retry_at = None;
        for window in windows {
            retry_at = retry_at.max(room(&mut db, tenant, now, window).await?);
        }
        if let Some(retry_at) = retry_at {
            return Ok(Spend::Exhausted { retry_at });
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

    async fn budget_usage(&self, tenant: &Fingerprint, now: OffsetDateTime) -> Result<BudgetUsage> {
        let count = "SELECT count(*) AS hour, coalesce(sum(started_at > ?3), 0) AS minute FROM request \
                     WHERE tenant = ?1 AND started_at > ?2 AND started_at <= ?4";
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
        })
    }
}
