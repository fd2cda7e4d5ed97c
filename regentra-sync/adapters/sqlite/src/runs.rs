use async_trait::async_trait;
use regentra_sync::{
    MspOrgId, WorkerId,
    run::{Fence, Lease, LeaseKey, RunRecord},
    store::{Result, Runs},
};
use time::{Duration, OffsetDateTime};

use crate::{
    SqliteStore,
    column::{Columns as _, from_json, json, micros},
    failure::Failure,
};

#[async_trait]
impl Runs for SqliteStore {
    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let expires_at = now.saturating_add(length);
        let take = "INSERT INTO lease (msp, key, worker, fence, expires_at) VALUES (?1, ?2, ?3, 1, ?4) \
                    ON CONFLICT (msp, key) DO UPDATE \
                    SET worker = excluded.worker, fence = fence + 1, expires_at = excluded.expires_at \
                    WHERE worker IS NULL OR worker = excluded.worker OR expires_at <= ?5 RETURNING fence";
        let row = sqlx::query(take)
            .bind(msp.as_uuid())
            .bind(key.to_text())
            .bind(worker.as_uuid())
            .bind(micros(expires_at))
            .bind(micros(now))
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
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let renewed = Lease {
            expires_at: now.saturating_add(length),
            ..*lease
        };
        let renew = "UPDATE lease SET expires_at = ?1 WHERE msp = ?2 AND key = ?3 AND worker = ?4 AND fence = ?5";
        let updated = sqlx::query(renew)
            .bind(micros(renewed.expires_at))
            .bind(msp.as_uuid())
            .bind(lease.key.to_text())
            .bind(lease.worker.as_uuid())
            .bind(lease.fence.as_u32())
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
