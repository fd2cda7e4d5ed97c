//! [`Runs`].

use std::cmp::Ordering;

use async_trait::async_trait;
use regentra_sync::{
    host::LEASE_LENGTH,
    model::{
        CredentialId, Fence, Lease, LeaseKey, MappingId, MspOrgId, RunKind, RunRecord, RunSubject,
        WorkerId,
    },
    store::{Result, RowsAhead, RunFilter, RunPage, RunSubjects, Runs, Stamped as _},
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteRow};
use time::{Duration, OffsetDateTime};

use crate::{
    SqliteStore,
    column::{Columns as _, micros, to_bigint, to_json},
    failure::failed,
    transaction::present_until,
};

/// The length is limited so that twice the length still fits.
fn length_in_micros(length: Duration) -> i64 {
    i64::try_from(length.whole_microseconds())
        .map_or(i64::MAX / 8, |micros| micros.min(i64::MAX / 8))
}

/// Counts the rows later than `?2`. A lease is ahead if it ends later than twice its length from `?3`.
const ROWS_AHEAD: &str = "SELECT \
    (SELECT count(*) FROM leases WHERE msp_org_id = ?1 AND worker_id IS NOT NULL \
        AND expires_at > ?3 + 2 * coalesce(length_micros, ?4)) AS leases, \
    (SELECT count(*) FROM ticket_ticks WHERE msp_org_id = ?1 AND scheduled_at > ?2 AND opened > 0) \
        AS ticket_ticks, \
    (SELECT count(*) FROM evidence_heads WHERE msp_org_id = ?1 AND root_number IS NULL AND tick > ?2) \
        AS heads, \
    (SELECT count(*) FROM evidence_roots WHERE msp_org_id = ?1 \
        AND (made_at > ?2 OR handed_out_at > ?2)) AS roots, \
    (SELECT count(*) FROM mappings WHERE msp_org_id = ?1 \
        AND (discovered_at > ?2 OR missing_since > ?2 OR first_evidence_synced_at > ?2)) AS mappings, \
    (SELECT count(*) FROM assets WHERE msp_org_id = ?1 \
        AND (created_at > ?2 OR updated_at > ?2 OR missing_since > ?2)) AS assets, \
    (SELECT count(*) FROM tickets WHERE msp_org_id = ?1 \
        AND (opened_at > ?2 OR last_failed_at > ?2 OR closed_at > ?2)) AS tickets, \
    (SELECT count(*) FROM outbox WHERE msp_org_id = ?1 AND delivered_at IS NULL AND created_at > ?2) \
        AS outbox, \
    (SELECT count(*) FROM msp_audit WHERE msp_org_id = ?1 AND at > ?2) AS audit, \
    (SELECT count(*) FROM credentials WHERE msp_org_id = ?1 \
        AND (connected_at > ?2 OR disconnected_at > ?2)) AS credentials";

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
        let mut transaction = self.write().await?;
        let now = self.clock.now();
        // A lease that an earlier release wrote has no length. The requested length is used in its place.
        let row = sqlx::query(
            "INSERT INTO leases AS held \
             (msp_org_id, key, worker_id, fence, expires_at, length_micros) VALUES (?1, ?2, ?3, ?4, ?5, ?7) \
             ON CONFLICT (msp_org_id, key) DO UPDATE SET worker_id = excluded.worker_id, \
             fence = held.fence + 1, expires_at = excluded.expires_at, length_micros = excluded.length_micros \
             WHERE held.worker_id IS NULL OR held.worker_id = excluded.worker_id OR held.expires_at <= ?6 \
             OR held.expires_at > ?6 + 2 * coalesce(held.length_micros, excluded.length_micros) \
             RETURNING fence, expires_at",
        )
        .bind(msp.as_uuid())
        .bind(key.to_text())
        .bind(worker.as_uuid())
        .bind(i64::from(Fence::FIRST.as_u32()))
        .bind(micros(now.saturating_add(length)))
        .bind(micros(now))
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
        let mut transaction = self.write().await?;
        let now = self.clock.now();
        let row = sqlx::query(
            "UPDATE leases SET expires_at = ?5, length_micros = ?6 \
             WHERE msp_org_id = ?1 AND key = ?2 AND worker_id = ?3 AND fence = ?4 RETURNING expires_at",
        )
        .bind(msp.as_uuid())
        .bind(lease.key.to_text())
        .bind(lease.worker.as_uuid())
        .bind(i64::from(lease.fence.as_u32()))
        .bind(micros(now.saturating_add(length)))
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
        let mut transaction = self.write().await?;
        records.check_not_ahead(self.clock.now())?;
        let released = sqlx::query(
            "UPDATE leases SET worker_id = NULL \
             WHERE msp_org_id = ?1 AND key = ?2 AND worker_id = ?3 AND fence = ?4",
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
        let mut transaction = self.read().await?;
        let now = self.clock.now();
        let row = sqlx::query(ROWS_AHEAD)
            .bind(msp.as_uuid())
            .bind(micros(present_until(now)))
            .bind(micros(now))
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
            "SELECT kind, credential_id, mapping_id, started_at, finished_at, outcome, requests, reading \
             FROM runs WHERE msp_org_id = ?1",
        )
        .bind(msp.as_uuid());
        let mut runs = self.rows(query, run_record).await?;
        runs.sort_by_key(|run| run.subject);
        Ok(runs)
    }

    async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>> {
        let mut select = select_subjects(msp, &subjects)?;
        let mut runs = self.rows(select.build(), run_record).await?;
        runs.sort_by_key(|run| run.subject);
        Ok(runs)
    }

    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>> {
        let mut query = select_page(msp, page);
        self.rows(query.build(), run_record).await
    }
}

/// Each subject is looked up in the index. The other runs of the connection are not read.
fn select_subjects(msp: MspOrgId, subjects: &RunSubjects) -> Result<QueryBuilder<Sqlite>> {
    let RunSubjects {
        kind,
        credential,
        mappings,
    } = subjects;
    let mut select = QueryBuilder::new(
        "SELECT kind, credential_id, mapping_id, started_at, finished_at, outcome, requests, reading \
         FROM runs INDEXED BY one_record_per_subject WHERE msp_org_id = ",
    );
    select
        .push_bind(msp.as_uuid())
        .push(" AND kind = ")
        .push_bind(kind.as_str())
        .push(" AND credential_id = ")
        .push_bind(credential.as_uuid())
        .push(" AND mapping_order IN (SELECT unhex(value, '-') FROM json_each(")
        .push_bind(to_json(mappings)?)
        .push(") UNION ALL SELECT ")
        .push_bind(mapping_order(None))
        .push(")");
    Ok(select)
}

/// The statement contains only the conditions that are given, and the known part of the previous page's place. It names the index for them,
/// because SQLite would use another one.
fn select_page(msp: MspOrgId, page: RunPage) -> QueryBuilder<Sqlite> {
    let RunPage {
        filter: RunFilter {
            kind,
            mapping,
            outcome,
        },
        after,
        limit,
    } = page;
    let mut select = QueryBuilder::new(
        "SELECT kind, credential_id, mapping_id, started_at, finished_at, outcome, requests, reading \
         FROM runs INDEXED BY ",
    );
    select.push(match (mapping, outcome) {
        (Some(_), _) => "runs_of_mapping",
        (None, Some(_)) => "runs_by_outcome",
        (None, None) => "one_record_per_subject",
    });
    select.push(" WHERE msp_org_id = ").push_bind(msp.as_uuid());
    if let Some(mapping) = mapping {
        select
            .push(" AND mapping_id = ")
            .push_bind(mapping.as_uuid());
    }
    if let Some(outcome) = outcome {
        select
            .push(" AND outcome ->> 'outcome' = ")
            .push_bind(outcome.as_str());
    }
    if let Some(kind) = kind {
        select.push(" AND kind = ").push_bind(kind.as_str());
    }
    if let Some(after) = after {
        let past = kind.map_or(Ordering::Equal, |kind| {
            after.kind.as_str().cmp(kind.as_str())
        });
        match past {
            // The previous page ended in another kind: either every run of this kind follows, or none does.
            Ordering::Less => {}
            Ordering::Greater => {
                select.push(" AND false");
            }
            Ordering::Equal => {
                // Under the same credential, the run of the requested mapping may follow the run of another mapping.
                let is_of_credential =
                    mapping.is_some_and(|mapping| after.mapping.is_some_and(|of| mapping > of));
                select.push(match (kind, mapping) {
                    (None, None) => " AND (kind, credential_id, mapping_order)",
                    (None, Some(_)) => " AND (kind, credential_id)",
                    (Some(_), None) => " AND (credential_id, mapping_order)",
                    (Some(_), Some(_)) => " AND (credential_id)",
                });
                select.push(if is_of_credential { " >= (" } else { " > (" });
                let mut place = select.separated(", ");
                if kind.is_none() {
                    place.push_bind(after.kind.as_str());
                }
                place.push_bind(after.credential.as_uuid());
                if mapping.is_none() {
                    place.push_bind(mapping_order(after.mapping));
                }
                select.push(")");
            }
        }
    }
    select.push(if mapping.is_some() {
        " ORDER BY kind, credential_id LIMIT "
    } else {
        " ORDER BY kind, credential_id, mapping_order LIMIT "
    });
    select.push_bind(i64::from(limit));
    select
}

/// The value of the column `mapping_order`: a run without a mapping is last.
fn mapping_order(mapping: Option<MappingId>) -> Vec<u8> {
    mapping.map_or_else(
        || vec![0xFF; 17],
        |mapping| mapping.as_uuid().as_bytes().to_vec(),
    )
}

async fn keep(connection: &mut SqliteConnection, msp: MspOrgId, record: &RunRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO runs \
         (msp_org_id, kind, credential_id, mapping_id, started_at, finished_at, outcome, requests, reading) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (msp_org_id, kind, credential_id, mapping_order) DO UPDATE SET started_at = excluded.started_at, \
         finished_at = excluded.finished_at, outcome = excluded.outcome, requests = excluded.requests, \
         reading = excluded.reading",
    )
    .bind(msp.as_uuid())
    .bind(record.subject.kind.as_str())
    .bind(record.subject.credential.as_uuid())
    .bind(record.subject.mapping.map(MappingId::as_uuid))
    .bind(micros(record.started_at))
    .bind(micros(record.finished_at))
    .bind(to_json(&record.outcome)?)
    .bind(to_bigint(record.requests)?)
    .bind(record.reading.as_ref().map(to_json).transpose()?)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

fn run_record(row: &SqliteRow) -> Result<RunRecord> {
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
            (all, "one_record_per_subject (msp_org_id=?"),
            (
                RunFilter { kind, ..all },
                "one_record_per_subject (msp_org_id=? AND kind=?",
            ),
            (
                RunFilter { outcome, ..all },
                "runs_by_outcome (msp_org_id=? AND <expr>=?",
            ),
            (
                RunFilter { mapping, ..all },
                "runs_of_mapping (msp_org_id=? AND mapping_id=?",
            ),
            (
                RunFilter {
                    kind,
                    mapping,
                    ..all
                },
                "runs_of_mapping (msp_org_id=? AND mapping_id=? AND kind=?",
            ),
            (
                RunFilter {
                    kind,
                    outcome,
                    ..all
                },
                "runs_by_outcome (msp_org_id=? AND <expr>=? AND kind=?",
            ),
        ] {
            let first = RunPage::first(filter, 50);
            let after = Some(RunSubject {
                kind: RunKind::EvidenceSweep,
                credential: CredentialId::from_uuid(id),
                mapping,
            });
            for page in [first, RunPage { after, ..first }] {
                let begins = match (page.after, filter.kind, filter.mapping) {
                    (None, ..) => ")",
                    (_, None, None) => " AND (kind,credential_id,mapping_order)>(?,?,?))",
                    (_, None, Some(_)) => " AND (kind,credential_id)>(?,?))",
                    (_, Some(_), None) => " AND (credential_id,mapping_order)>(?,?))",
                    (_, Some(_), Some(_)) => " AND credential_id>?)",
                };
                let select = select_page(MspOrgId::from_uuid(id), page);
                let plan = plan(select.sql().as_str()).await;
                let [step] = plan.as_slice() else {
                    panic!("{filter:?}: {plan:?}");
                };
                assert!(
                    step.starts_with("SEARCH runs USING ")
                        && step.contains(&format!("{lookup}{begins}")),
                    "{filter:?}: {step}"
                );
            }
        }
    }
}
