//! [`Anchors`].

use async_trait::async_trait;
use regentra_sync::{
    model::{
        AnchoringFailure, ComplianceOrgId, EvidenceHead, EvidenceRoot, EvidenceRow, MappingId,
        MspOrgId,
    },
    regentra_evidence::Hash256,
    store::{
        Anchors, CommitOutcome, Precondition, Result, RootCommit, Stamped as _, check_not_ahead,
    },
};
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, column, micros, to_bigint, to_json},
    failure::{Step, failed, holds},
};

const LAST_ROOT: &str =
    "SELECT * FROM evidence_roots WHERE msp_org_id = ?1 ORDER BY number DESC LIMIT 1";

// Without `INDEXED BY`, SQLite walks all heads or roots that the MSP ever had, in the order of the primary key, instead of looking up the
// few.
const TICKS_WITHOUT_ROOT: &str = "SELECT DISTINCT tick FROM evidence_heads INDEXED BY evidence_heads_without_root \
    WHERE msp_org_id = ?1 AND root_number IS NULL AND tick < ?2 ORDER BY tick LIMIT ?3";
const HEADS_WITHOUT_ROOT: &str = "SELECT * FROM evidence_heads INDEXED BY evidence_heads_without_root \
    WHERE msp_org_id = ?1 AND tick = ?2 AND root_number IS NULL";
const ROOTS_WAITING: &str = "SELECT * FROM evidence_roots INDEXED BY evidence_roots_waiting \
    WHERE msp_org_id = ?1 AND handed_out_at IS NULL ORDER BY number LIMIT ?2";
const HEADS_OF_ROOT: &str = "SELECT * FROM evidence_heads INDEXED BY evidence_heads_by_root \
    WHERE msp_org_id = ?1 AND root_number = ?2";
const PUT_UNDER_ROOT: &str = "UPDATE evidence_heads INDEXED BY evidence_heads_without_root SET root_number = ?3 \
    WHERE msp_org_id = ?1 AND tick = ?2 AND root_number IS NULL";

#[async_trait]
impl Anchors for SqliteStore {
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>> {
        let query = sqlx::query(TICKS_WITHOUT_ROOT)
            .bind(msp.as_uuid())
            .bind(micros(before))
            .bind(i64::from(limit));
        self.rows(query, |row| row.time("tick")).await
    }

    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>> {
        let query = sqlx::query(HEADS_WITHOUT_ROOT)
            .bind(msp.as_uuid())
            .bind(micros(tick));
        self.rows(query, evidence_head).await
    }

    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, &commit, move |connection, commit| {
            Box::pin(write_root(connection, msp, commit))
        })
        .await
    }

    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>> {
        let query = sqlx::query(LAST_ROOT).bind(msp.as_uuid());
        self.row(query, evidence_root).await
    }

    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>> {
        let query = sqlx::query(ROOTS_WAITING)
            .bind(msp.as_uuid())
            .bind(i64::from(limit));
        self.rows(query, evidence_root).await
    }

    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()> {
        let number = to_bigint(number)?;
        let mut transaction = self.write().await?;
        check_not_ahead(at, self.clock.now())?;
        sqlx::query(
            "UPDATE evidence_roots SET handed_out_at = ?3 \
             WHERE msp_org_id = ?1 AND number = ?2 AND handed_out_at IS NULL",
        )
        .bind(msp.as_uuid())
        .bind(number)
        .bind(micros(at))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>> {
        let query = sqlx::query("SELECT error, at FROM anchoring_failures WHERE msp_org_id = ?1")
            .bind(msp.as_uuid());
        let failure = |row: &SqliteRow| {
            Ok(AnchoringFailure {
                error: row.text("error")?,
                at: row.time("at")?,
            })
        };
        self.row(query, failure).await
    }

    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()> {
        let mut transaction = self.write().await?;
        failure.check_not_ahead(self.clock.now())?;
        let query = match &failure {
            None => sqlx::query("DELETE FROM anchoring_failures WHERE msp_org_id = ?1")
                .bind(msp.as_uuid()),
            Some(AnchoringFailure { error, at }) => sqlx::query(
                "INSERT INTO anchoring_failures (msp_org_id, error, at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (msp_org_id) DO UPDATE SET error = excluded.error, at = excluded.at",
            )
            .bind(msp.as_uuid())
            .bind(error.as_str())
            .bind(micros(*at)),
        };
        query.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>> {
        // Every number of a root fits into a bigint. A larger number finds no row.
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let query = sqlx::query(HEADS_OF_ROOT).bind(msp.as_uuid()).bind(number);
        self.rows(query, evidence_head).await
    }

    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>> {
        let query = sqlx::query(
            "SELECT * FROM evidence_heads \
             WHERE msp_org_id = ?1 AND compliance_org_id = ?2 AND root_number IS NOT NULL",
        )
        .bind(msp.as_uuid())
        .bind(customer.as_uuid());
        self.rows(query, evidence_head).await
    }
}

/// Writes the head of each record that a sweep appends, under no root.
pub(crate) async fn append_heads(
    connection: &mut SqliteConnection,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    rows: &[EvidenceRow],
    tick: OffsetDateTime,
) -> Step {
    #[derive(Serialize)]
    struct Row {
        mapping: MappingId,
        signal: &'static str,
        length: u64,
        hash: Hash256,
    }
    let rows = column(rows, |row| Row {
        mapping: row.mapping,
        signal: row.signal.as_str(),
        length: row.link.sequence,
        hash: row.link.hash,
    });
    sqlx::query(
        "INSERT INTO evidence_heads \
         (msp_org_id, compliance_org_id, tick, mapping_id, signal, length, hash) \
         SELECT ?1, ?2, ?3, unhex(value ->> 'mapping', '-'), value ->> 'signal', value ->> 'length', \
         unhex(value ->> 'hash') FROM json_each(?4)",
    )
    .bind(msp.as_uuid())
    .bind(customer.as_uuid())
    .bind(micros(tick))
    .bind(to_json(&rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_root(connection: &mut SqliteConnection, msp: MspOrgId, commit: &RootCommit) -> Step {
    let RootCommit { event: _, root } = commit;
    let last = sqlx::query(LAST_ROOT)
        .bind(msp.as_uuid())
        .fetch_optional(&mut *connection)
        .await?;
    let last = last.as_ref().map(evidence_root).transpose()?;
    let next = last.map_or(1, |last| last.number.saturating_add(1));
    holds(root.number == next, Precondition::Root)?;
    let put_under = sqlx::query(PUT_UNDER_ROOT)
        .bind(msp.as_uuid())
        .bind(micros(root.tick))
        .bind(to_bigint(root.number)?)
        .execute(&mut *connection)
        .await?;
    holds(put_under.rows_affected() == root.heads, Precondition::Root)?;
    sqlx::query(
        "INSERT INTO evidence_roots (msp_org_id, number, tick, heads, root, made_at, handed_out_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(msp.as_uuid())
    .bind(to_bigint(root.number)?)
    .bind(micros(root.tick))
    .bind(to_bigint(root.heads)?)
    .bind(root.root.as_bytes().as_slice())
    .bind(micros(root.made_at))
    .bind(root.handed_out_at.map(micros))
    .execute(connection)
    .await?;
    Ok(())
}

fn evidence_head(row: &SqliteRow) -> Result<EvidenceHead> {
    Ok(EvidenceHead {
        customer: row.id("compliance_org_id", ComplianceOrgId::from_uuid)?,
        mapping: row.id("mapping_id", MappingId::from_uuid)?,
        signal: row.signal_kind("signal")?,
        length: row.count("length")?,
        hash: row.hash("hash")?,
        tick: row.time("tick")?,
        root: row.count_if_any("root_number")?,
    })
}

fn evidence_root(row: &SqliteRow) -> Result<EvidenceRoot> {
    Ok(EvidenceRoot {
        number: row.count("number")?,
        tick: row.time("tick")?,
        heads: row.count("heads")?,
        root: row.hash("root")?,
        made_at: row.time("made_at")?,
        handed_out_at: row.time_if_any("handed_out_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_root_is_made_and_handed_out_without_walking_the_heads_and_roots_of_before() {
        for (statement, step) in [
            (
                PUT_UNDER_ROOT,
                "evidence_heads_without_root (msp_org_id=? AND tick=?)",
            ),
            (
                TICKS_WITHOUT_ROOT,
                "evidence_heads_without_root (msp_org_id=? AND tick<?)",
            ),
            (
                HEADS_WITHOUT_ROOT,
                "evidence_heads_without_root (msp_org_id=? AND tick=?)",
            ),
            (
                HEADS_OF_ROOT,
                "evidence_heads_by_root (msp_org_id=? AND root_number=?)",
            ),
            (ROOTS_WAITING, "evidence_roots_waiting (msp_org_id=?)"),
        ] {
            let steps = crate::plan(statement).await;
            let [only] = steps.as_slice() else {
                panic!("{statement}: {steps:?}");
            };
            assert!(only.ends_with(step), "{statement}: {only}");
        }
    }
}
