//! [`Runs`].

use async_trait::async_trait;
use regentra_sync::{
    host::LEASE_LENGTH,
    model::{
        CredentialId, Fence, Lease, LeaseKey, MappingId, MspOrgId, RunKind, RunRecord, RunSubject,
        WorkerId,
    },
    store::{
        Result, RowsAhead, RunFilter, RunOutcomeKind, RunPage, RunSubjects, Runs, Stamped as _,
    },
};
use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use time::{Duration, OffsetDateTime};

use crate::{
    PostgresStore,
    column::{Columns as _, to_bigint, to_json},
    failure::failed,
    transaction::{Tenants, present_until, store_time},
};

/// The length is limited so that twice the length still fits.
fn length_in_micros(length: Duration) -> i64 {
    i64::try_from(length.whole_microseconds())
        .map_or(i64::MAX / 8, |micros| micros.min(i64::MAX / 8))
}

/// Counts the rows later than `$2`. A lease is ahead if it ends later than twice its length from `$3`.
const ROWS_AHEAD: &str = "SELECT \
    (SELECT count(*) FROM regentra_sync.leases WHERE msp_org_id = $1 AND worker_id IS NOT NULL \
        AND expires_at > $3 + 2 * coalesce(length_micros, $4) * interval '1 microsecond') AS leases, \
    (SELECT count(*) FROM regentra_sync.ticket_ticks WHERE msp_org_id = $1 AND scheduled_at > $2 AND opened > 0) \
        AS ticket_ticks, \
    (SELECT count(*) FROM regentra_sync.evidence_heads WHERE msp_org_id = $1 AND root_number IS NULL AND tick > $2) \
        AS heads, \
    (SELECT count(*) FROM regentra_sync.evidence_roots WHERE msp_org_id = $1 \
        AND (made_at > $2 OR handed_out_at > $2)) AS roots, \
    (SELECT count(*) FROM regentra_sync.mappings WHERE msp_org_id = $1 \
        AND (discovered_at > $2 OR missing_since > $2 OR first_evidence_synced_at > $2)) AS mappings, \
    (SELECT count(*) FROM regentra_sync.assets WHERE msp_org_id = $1 \
        AND (created_at > $2 OR updated_at > $2 OR missing_since > $2)) AS assets, \
    (SELECT count(*) FROM regentra_sync.tickets WHERE msp_org_id = $1 \
        AND (opened_at > $2 OR last_failed_at > $2 OR closed_at > $2)) AS tickets, \
    (SELECT count(*) FROM regentra_sync.outbox WHERE msp_org_id = $1 AND delivered_at IS NULL AND created_at > $2) \
        AS outbox, \
    (SELECT count(*) FROM regentra_sync.msp_audit WHERE msp_org_id = $1 AND at > $2) AS audit, \
    (SELECT count(*) FROM regentra_sync.credentials WHERE msp_org_id = $1 \
        AND (connected_at > $2 OR disconnected_at > $2)) AS credentials";

#[async_trait]
impl Runs for PostgresStore {
    async fn store_time(&self) -> Result<OffsetDateTime> {
        match self.clock.reading() {
            Some(now) => Ok(now),
            None => sqlx::query_scalar("SELECT clock_timestamp()")
                .fetch_one(&self.pool)
                .await
                .map_err(failed),
        }
    }

    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
        // A lease that an earlier release wrote has no length. The requested length is used in its place.
        let row = sqlx::query(
            "INSERT INTO regentra_sync.leases AS held \
             (msp_org_id, key, worker_id, fence, expires_at, length_micros) VALUES ($1, $2, $3, $4, $5, $7) \
             ON CONFLICT (msp_org_id, key) DO UPDATE SET worker_id = excluded.worker_id, \
             fence = held.fence + 1, expires_at = excluded.expires_at, length_micros = excluded.length_micros \
             WHERE held.worker_id IS NULL OR held.worker_id = excluded.worker_id OR held.expires_at <= $6 \
             OR held.expires_at > $6 + 2 * coalesce(held.length_micros, excluded.length_micros) \
             * interval '1 microsecond' RETURNING fence, expires_at",
        )
        .bind(msp.as_uuid())
        .bind(key.to_text())
        .bind(worker.as_uuid())
        .bind(i64::from(Fence::FIRST.as_u32()))
        .bind(now.saturating_add(length))
        .bind(now)
        .bind(length_in_micros(length))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        row.map(|row| {
            Ok(Lease {
                key,
                worker,
                fence: Fence::from_u32(row.counter("fence")?),
                expires_at: row.time("expires_at")?,
            })
        })
        .transpose()
    }

    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
        let row = sqlx::query(
            "UPDATE regentra_sync.leases SET expires_at = $5, length_micros = $6 \
             WHERE msp_org_id = $1 AND key = $2 AND worker_id = $3 AND fence = $4 RETURNING expires_at",
        )
        .bind(msp.as_uuid())
        .bind(lease.key.to_text())
        .bind(lease.worker.as_uuid())
        .bind(i64::from(lease.fence.as_u32()))
        .bind(now.saturating_add(length))
        .bind(length_in_micros(length))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        row.map(|row| {
            Ok(Lease {
                expires_at: row.time("expires_at")?,
                ..*lease
            })
        })
        .transpose()
    }

    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock).await;
        records.check_not_ahead(now.map_err(failed)?)?;
        let released = sqlx::query(
            "UPDATE regentra_sync.leases SET worker_id = NULL \
             WHERE msp_org_id = $1 AND key = $2 AND worker_id = $3 AND fence = $4",
        )
        .bind(msp.as_uuid())
        .bind(lease.key.to_text())
        .bind(lease.worker.as_uuid())
        .bind(i64::from(lease.fence.as_u32()))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        if released.rows_affected() > 0 {
            for record in &records {
                keep(&mut transaction, msp, record).await?;
            }
        }
        transaction.commit().await.map_err(failed)
    }

    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead> {
        let mut transaction = self.read(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock)
            .await
            .map_err(failed)?;
        let row = sqlx::query(ROWS_AHEAD)
            .bind(msp.as_uuid())
            .bind(present_until(now))
            .bind(now)
            .bind(length_in_micros(LEASE_LENGTH))
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(RowsAhead {
            leases: row.count("leases")?,
            ticket_ticks: row.count("ticket_ticks")?,
            heads: row.count("heads")?,
            roots: row.count("roots")?,
            mappings: row.count("mappings")?,
            assets: row.count("assets")?,
            tickets: row.count("tickets")?,
            outbox: row.count("outbox")?,
            audit: row.count("audit")?,
            credentials: row.count("credentials")?,
        })
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let query = sqlx::query(
            "SELECT kind, credential_id, mapping_id, started_at, finished_at, outcome::text, requests, reading::text \
             FROM regentra_sync.runs WHERE msp_org_id = $1",
        )
        .bind(msp.as_uuid());
        let mut runs = self.rows(Tenants::msp(msp), query, run_record).await?;
        runs.sort_by_key(|run| run.subject);
        Ok(runs)
    }

    async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>> {
        let query = select_subjects(msp, &subjects);
        let mut runs = self.rows(Tenants::msp(msp), query, run_record).await?;
        runs.sort_by_key(|run| run.subject);
        Ok(runs)
    }

    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>> {
        self.rows(Tenants::msp(msp), select_page(msp, page), run_record)
            .await
    }
}

/// Each subject is looked up in the index. The other runs of the connection are not read.
fn select_subjects(msp: MspOrgId, subjects: &RunSubjects) -> Query<'static, Postgres, PgArguments> {
    let RunSubjects {
        kind,
        credential,
        mappings,
    } = subjects;
    let mappings: Vec<_> = mappings.iter().map(|mapping| mapping.as_uuid()).collect();
    sqlx::query(
        "SELECT kind, credential_id, mapping_id, started_at, finished_at, outcome::text, requests, reading::text \
         FROM regentra_sync.runs WHERE msp_org_id = $1 AND kind = $2 AND credential_id = $3 \
         AND (mapping_id = ANY($4) OR mapping_id IS NULL)",
    )
    .bind(msp.as_uuid())
    .bind(kind.as_str())
    .bind(credential.as_uuid())
    .bind(mappings)
}

fn select_page(msp: MspOrgId, page: RunPage) -> Query<'static, Postgres, PgArguments> {
    let RunPage {
        filter: RunFilter {
            kind,
            mapping,
            outcome,
        },
        after,
        limit,
    } = page;
    // In the order of the index, a run without a mapping is the last one of its kind and credential.
    sqlx::query(
        "SELECT kind, credential_id, mapping_id, started_at, finished_at, outcome::text AS outcome, requests, \
         reading::text AS reading \
         FROM regentra_sync.runs WHERE msp_org_id = $1 \
         AND ($2::text IS NULL OR ((kind, credential_id) >= ($2, $3) AND ((kind, credential_id) > ($2, $3) \
         OR ($4::uuid IS NOT NULL AND (mapping_id > $4 OR mapping_id IS NULL))))) \
         AND ($5::text IS NULL OR kind = $5) AND ($6::uuid IS NULL OR mapping_id = $6) \
         AND ($7::text IS NULL OR runs.outcome ->> 'outcome' = $7) \
         ORDER BY kind, credential_id, mapping_id NULLS LAST LIMIT $8",
    )
    .bind(msp.as_uuid())
    .bind(after.map(|after| after.kind.as_str()))
    .bind(after.map(|after| after.credential.as_uuid()))
    .bind(after.and_then(|after| after.mapping).map(MappingId::as_uuid))
    .bind(kind.map(RunKind::as_str))
    .bind(mapping.map(MappingId::as_uuid))
    .bind(outcome.map(RunOutcomeKind::as_str))
    .bind(i64::from(limit))
}

async fn keep(connection: &mut PgConnection, msp: MspOrgId, record: &RunRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO regentra_sync.runs \
         (msp_org_id, kind, credential_id, mapping_id, started_at, finished_at, outcome, requests, reading) \
         VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9::text::jsonb) \
         ON CONFLICT ON CONSTRAINT one_record_per_subject DO UPDATE SET started_at = excluded.started_at, \
         finished_at = excluded.finished_at, outcome = excluded.outcome, requests = excluded.requests, reading = excluded.reading",
    )
    .bind(msp.as_uuid())
    .bind(record.subject.kind.as_str())
    .bind(record.subject.credential.as_uuid())
    .bind(record.subject.mapping.map(MappingId::as_uuid))
    .bind(record.started_at)
    .bind(record.finished_at)
    .bind(to_json(&record.outcome)?)
    .bind(to_bigint(record.requests)?)
    .bind(record.reading.as_ref().map(to_json).transpose()?)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

fn run_record(row: &PgRow) -> Result<RunRecord> {
    Ok(RunRecord {
        subject: RunSubject {
            kind: row.named("kind", RunKind::from_name)?,
            credential: row.id("credential_id", CredentialId::from_uuid)?,
            mapping: row.id_if_any("mapping_id", MappingId::from_uuid)?,
        },
        started_at: row.time("started_at")?,
        finished_at: row.time("finished_at")?,
        outcome: row.json("outcome")?,
        requests: row.count("requests")?,
        reading: row.json_if_readable("reading")?,
    })
}
