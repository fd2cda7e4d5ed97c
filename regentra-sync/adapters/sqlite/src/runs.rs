use async_trait::async_trait;
use regentra_sync::{
    model::{Fence, Lease, LeaseKey, MspOrgId, RunRecord, WorkerId},
    store::{Result, RowsAhead, RunFilter, RunPage, Runs, Stamped as _},
};
use sqlx::{QueryBuilder, Sqlite};
use time::{Duration, OffsetDateTime};

use crate::{
    SqliteStore,
    column::{Columns as _, from_json, json, micros, present_until},
    failure::Failure,
};

/// How long a lease of before is taken to be, which has no length.
const USUAL_LENGTH: Duration = Duration::minutes(5);

/// No lease is so long that twice its length does not fit.
fn length_in_micros(length: Duration) -> i64 {
    i64::try_from(length.whole_microseconds())
        .map_or(i64::MAX / 8, |micros| micros.min(i64::MAX / 8))
}

/// What lies later than `?2`; a lease is measured by its length from `?3`.
const ROWS_AHEAD: &str = "SELECT \
    (SELECT count(*) FROM lease WHERE msp = ?1 AND worker IS NOT NULL \
        AND expires_at > ?3 + 2 * coalesce(length, ?4)) AS leases, \
    (SELECT count(*) FROM ticket_tick WHERE msp = ?1 AND scheduled_at > ?2 AND opened > 0) AS ticket_ticks, \
    (SELECT count(*) FROM evidence_head WHERE msp = ?1 AND root IS NULL AND tick > ?2) AS heads, \
    (SELECT count(*) FROM evidence_root WHERE msp = ?1 AND (made_at > ?2 OR handed_out_at > ?2)) AS roots, \
    (SELECT count(*) FROM mapping WHERE msp = ?1 \
        AND (discovered_at > ?2 OR missing_since > ?2 OR first_evidence_synced_at > ?2)) AS mappings, \
    (SELECT count(*) FROM asset WHERE msp = ?1 \
        AND (created_at > ?2 OR updated_at > ?2 OR missing_since > ?2)) AS assets, \
    (SELECT count(*) FROM ticket WHERE msp = ?1 \
        AND (opened_at > ?2 OR last_failed_at > ?2 OR closed_at > ?2)) AS tickets, \
    (SELECT count(*) FROM outbox WHERE msp = ?1 AND delivered_at IS NULL AND created_at > ?2) AS outbox, \
    (SELECT count(*) FROM msp_audit WHERE msp = ?1 AND \"at\" > ?2) AS audit, \
    (SELECT count(*) FROM credential WHERE msp = ?1 \
        AND (connected_at > ?2 OR disconnected_at > ?2)) AS credentials";

/// The text of a subject, `{"kind":"…","credential":"…","mapping":…}`, is in the order of pages: `null` is after every id. Only what is
/// given stands in the statement; the index for it is named, since SQLite takes the primary key in its place.
fn select_page(msp: MspOrgId, page: RunPage) -> std::result::Result<QueryBuilder<Sqlite>, Failure> {
    let RunPage {
        filter: RunFilter {
            kind,
            mapping,
            outcome,
        },
        after,
        limit,
    } = page;
    let of_kind = kind.map(|kind| format!("{{\"kind\":\"{}\"", kind.as_str()));
    let after = after.map(|after| json(&after)).transpose()?;
    let index = match (mapping, outcome) {
        (Some(_), _) => " INDEXED BY run_mapping",
        (None, Some(_)) => " INDEXED BY run_outcome",
        (None, None) => "",
    };
    let mut select = QueryBuilder::new("SELECT record FROM run");
    select
        .push(index)
        .push(" WHERE msp = ")
        .push_bind(msp.as_uuid());
    if let Some(mapping) = mapping {
        select
            .push(" AND subject ->> 'mapping' = ")
            .push_bind(mapping.to_string());
    }
    if let Some(outcome) = outcome {
        select
            .push(" AND record ->> 'outcome' = ")
            .push_bind(outcome.as_str());
    }
    // A comma follows, and `-` is what comes after it.
    if let Some(end) = of_kind.as_ref().map(|of_kind| format!("{of_kind}-")) {
        select.push(" AND subject < ").push_bind(end);
    }
    if let Some(begin) = of_kind.max(after) {
        select.push(" AND subject > ").push_bind(begin);
    }
    select.push(" ORDER BY subject LIMIT ").push_bind(limit);
    Ok(select)
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
        records.check_not_ahead(self.clock.now())?;
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

    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead> {
        let now = self.clock.now();
        let row = sqlx::query(ROWS_AHEAD)
            .bind(msp.as_uuid())
            .bind(micros(present_until(now)))
            .bind(micros(now))
            .bind(length_in_micros(USUAL_LENGTH))
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(RowsAhead {
            leases: row.number("leases")?,
            ticket_ticks: row.number("ticket_ticks")?,
            heads: row.number("heads")?,
            roots: row.number("roots")?,
            mappings: row.number("mappings")?,
            assets: row.number("assets")?,
            tickets: row.number("tickets")?,
            outbox: row.number("outbox")?,
            audit: row.number("audit")?,
            credentials: row.number("credentials")?,
        })
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
    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>> {
        let rows = select_page(msp, page)?
            .build()
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(|row| from_json(&row.text("record")?, "record"))
            .collect::<std::result::Result<_, Failure>>()?)
    }
}

#[cfg(test)]
mod tests {
    use regentra_sync::{
        model::{CredentialId, MappingId, RunKind, RunSubject},
        store::RunOutcomeKind,
    };
    use uuid::Uuid;

    use super::*;
    use crate::plan;

    #[tokio::test]
    async fn a_page_of_runs_begins_where_the_one_before_ended_and_sorts_nothing() {
        let id = Uuid::from_u128(1);
        let all = RunFilter::default();
        let kind = Some(RunKind::EvidenceSweep);
        let mapping = Some(MappingId::from_uuid(id));
        let outcome = Some(RunOutcomeKind::Failed);
        for (filter, lookup) in [
            (all, "PRIMARY KEY (msp=?"),
            (RunFilter { kind, ..all }, "PRIMARY KEY (msp=?"),
            (
                RunFilter { outcome, ..all },
                "run_outcome (msp=? AND <expr>=?",
            ),
            (
                RunFilter { mapping, ..all },
                "run_mapping (msp=? AND <expr>=?",
            ),
            (
                RunFilter {
                    kind,
                    outcome,
                    ..all
                },
                "run_outcome (msp=? AND <expr>=?",
            ),
        ] {
            let first = RunPage::first(filter, 50);
            let after = Some(RunSubject {
                kind: RunKind::EvidenceSweep,
                credential: CredentialId::from_uuid(id),
                mapping,
            });
            for page in [first, RunPage { after, ..first }] {
                let begins = match (page.after, filter.kind) {
                    (None, None) => ")",
                    (Some(_), None) => " AND subject>?)",
                    (_, Some(_)) => " AND subject>? AND subject<?)",
                };
                let select = select_page(MspOrgId::from_uuid(id), page).unwrap();
                let plan = plan(select.sql().as_str()).await;
                let [step] = plan.as_slice() else {
                    panic!("{filter:?}: {plan:?}");
                };
                assert!(
                    step.starts_with("SEARCH run USING ")
                        && step.contains(&format!("{lookup}{begins}")),
                    "{filter:?}: {step}"
                );
            }
        }
    }
}
