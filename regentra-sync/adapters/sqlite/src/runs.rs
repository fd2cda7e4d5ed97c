use async_trait::async_trait;
use regentra_sync::{
    model::{Fence, Lease, LeaseKey, MspOrgId, RunRecord, WorkerId},
    store::{Result, Runs},
};
use time::{Duration, OffsetDateTime};

use crate::{
    SqliteStore,
    column::{Columns as _, from_json, json, micros},
    failure::Failure,
};

/// How long a lease of before is taken to be, which has no length.
const USUAL_LENGTH: Duration = Duration::minutes(5);

/// No lease is so long that twice its length does not fit.
fn length_in_micros(length: Duration) -> i64 {
    i64::try_from(length.whole_microseconds())
        .map_or(i64::MAX / 8, |micros| micros.min(i64::MAX / 8))
}

#[async_trait]
impl Runs for SqliteStore {
    async fn store_time(&self) -> Result<OffsetDateTime> {
        Ok(self.clock.now())
    }

    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let now = self.clock.now();
        let expires_at = now.saturating_add(length);
        // One of before has no length: it is measured by that of who wants it.
        let take = "INSERT INTO lease (msp, key, worker, fence, expires_at, length) VALUES (?1, ?2, ?3, 1, ?4, ?6) \
                    ON CONFLICT (msp, key) DO UPDATE SET worker = excluded.worker, fence = fence + 1, \
                    expires_at = excluded.expires_at, length = excluded.length \
                    WHERE worker IS NULL OR worker = excluded.worker OR expires_at <= ?5 \
                    OR expires_at > ?5 + 2 * coalesce(length, excluded.length) RETURNING fence";
        let row = sqlx::query(take)
            .bind(msp.as_uuid())
            .bind(key.to_text())
            .bind(worker.as_uuid())
            .bind(micros(expires_at))
            .bind(micros(now))
            .bind(length_in_micros(length))
            .fetch_optional(&self.writer)
            .await
            .map_err(Failure::from)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Lease {
            key,
            worker,
            fence: Fence::from_u32(row.number("fence")?),
            expires_at,
        }))
    }

    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let renewed = Lease {
            expires_at: self.clock.now().saturating_add(length),
            ..*lease
        };
        let renew = "UPDATE lease SET expires_at = ?1, length = ?6 WHERE msp = ?2 AND key = ?3 AND worker = ?4 AND fence = ?5";
        let updated = sqlx::query(renew)
            .bind(micros(renewed.expires_at))
            .bind(msp.as_uuid())
            .bind(lease.key.to_text())
            .bind(lease.worker.as_uuid())
            .bind(lease.fence.as_u32())
            .bind(length_in_micros(length))
            .execute(&self.writer)
            .await
            .map_err(Failure::from)?;
        Ok((updated.rows_affected() == 1).then_some(renewed))
    }

    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()> {
        let mut db = self.begin().await?;
        let release = "UPDATE lease SET worker = NULL WHERE msp = ?1 AND key = ?2 AND worker = ?3 AND fence = ?4";
        let released = sqlx::query(release)
            .bind(msp.as_uuid())
            .bind(lease.key.to_text())
            .bind(lease.worker.as_uuid())
            .bind(lease.fence.as_u32())
            .execute(&mut *db)
            .await
            .map_err(Failure::from)?;
        if released.rows_affected() == 1 {
            for record in records {
                let insert =
                    "INSERT OR REPLACE INTO run (msp, subject, record) VALUES (?1, ?2, ?3)";
                sqlx::query(insert)
                    .bind(msp.as_uuid())
                    .bind(json(&record.subject)?)
                    .bind(json(&record)?)
                    .execute(&mut *db)
                    .await
                    .map_err(Failure::from)?;
            }
        }
        db.commit().await.map_err(Failure::from)?;
        Ok(())
    }

    async fn leases_ahead(&self, msp: MspOrgId) -> Result<u32> {
        let count = "SELECT count(*) AS ahead FROM lease WHERE msp = ?1 AND worker IS NOT NULL \
                     AND expires_at > ?2 + 2 * coalesce(length, ?3)";
        let row = sqlx::query(count)
            .bind(msp.as_uuid())
            .bind(micros(self.clock.now()))
            .bind(length_in_micros(USUAL_LENGTH))
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(row.number("ahead")?)
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let rows = sqlx::query("SELECT record FROM run WHERE msp = ?1")
            .bind(msp.as_uuid())
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        let records = rows
            .iter()
            .map(|row| from_json(&row.text("record")?, "record"));
        let mut records: Vec<RunRecord> = records.collect::<std::result::Result<_, Failure>>()?;
        records.sort_by_key(|record| record.subject);
        Ok(records)
    }
}
