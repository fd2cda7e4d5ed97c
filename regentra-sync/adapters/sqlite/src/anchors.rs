use async_trait::async_trait;
use regentra_sync::{
    model::{AnchoringFailure, ComplianceOrgId, EvidenceHead, EvidenceRoot, MappingId, MspOrgId},
    regentra_evidence::Hash256,
    store::{
        Anchors, CommitOutcome, Guard, Result, RootCommit, Stamped as _, SweepCommit,
        check_not_ahead,
    },
};
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use time::OffsetDateTime;

use crate::{
    SqliteStore,
    column::{Columns as _, json, micros, signal_kind},
    commit::{begins, finish},
    failure::{Failure, Stop, holds},
};

// Left to itself, SQLite walks all heads or roots that the MSP ever had, in the order of the primary key, instead of looking up the few.
const PUT_UNDER_ROOT: &str = "UPDATE evidence_head INDEXED BY evidence_head_without_root SET root = ?1 \
                              WHERE msp = ?2 AND tick = ?3 AND root IS NULL";
const TICKS_WITHOUT_ROOT: &str = "SELECT DISTINCT tick FROM evidence_head INDEXED BY evidence_head_without_root \
                                  WHERE msp = ?1 AND root IS NULL AND tick < ?2 ORDER BY tick LIMIT ?3";
const HEADS_WITHOUT_ROOT: &str = "SELECT * FROM evidence_head INDEXED BY evidence_head_without_root \
                                  WHERE msp = ?1 AND tick = ?2 AND root IS NULL";
const HEADS_OF_ROOT: &str =
    "SELECT * FROM evidence_head INDEXED BY evidence_head_root WHERE msp = ?1 AND root = ?2";
const ROOTS_WAITING: &str = "SELECT * FROM evidence_root INDEXED BY evidence_root_waiting \
                             WHERE msp = ?1 AND handed_out_at IS NULL ORDER BY number LIMIT ?2";

fn evidence_head(row: &SqliteRow) -> std::result::Result<EvidenceHead, Failure> {
    Ok(EvidenceHead {
        customer: ComplianceOrgId::from_uuid(row.id("compliance_org")?),
        mapping: MappingId::from_uuid(row.id("mapping")?),
        signal: signal_kind(&row.text("signal")?)?,
        length: row.number("length")?,
        hash: row.hash("hash")?,
        tick: row.time("tick")?,
        root: row.optional_number("root")?,
    })
}

fn evidence_root(row: &SqliteRow) -> std::result::Result<EvidenceRoot, Failure> {
    Ok(EvidenceRoot {
        number: row.number("number")?,
        tick: row.time("tick")?,
        heads: row.number("heads")?,
        root: row.hash("root")?,
        made_at: row.time("made_at")?,
        handed_out_at: row.optional_time("handed_out_at")?,
    })
}

fn heads(rows: &[SqliteRow]) -> Result<Vec<EvidenceHead>> {
    Ok(rows
        .iter()
        .map(evidence_head)
        .collect::<std::result::Result<_, _>>()?)
}

/// A number of ours as SQLite counts.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes the head of each record that a sweep appends, under no root.
pub(crate) async fn append_heads(
    db: &mut SqliteConnection,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    commit: &SweepCommit,
) -> std::result::Result<(), Failure> {
    #[derive(Serialize)]
    struct Row {
        mapping: MappingId,
        signal: &'static str,
        length: u64,
        hash: Hash256,
    }
    let rows = commit.evidence.iter().map(|row| Row {
        mapping: row.mapping,
        signal: row.signal.as_str(),
        length: row.link.sequence,
        hash: row.link.hash,
    });
    let insert = "INSERT INTO evidence_head (msp, compliance_org, mapping, signal, length, hash, tick) \
                  SELECT ?1, ?2, unhex(value ->> 'mapping', '-'), value ->> 'signal', value ->> 'length', \
                  unhex(value ->> 'hash'), ?3 FROM json_each(?4)";
    sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(customer.as_uuid())
        .bind(micros(commit.scheduled_at))
        .bind(json(&rows.collect::<Vec<_>>())?)
        .execute(db)
        .await?;
    Ok(())
}

async fn last_root(
    db: &mut SqliteConnection,
    msp: MspOrgId,
) -> std::result::Result<Option<EvidenceRoot>, Failure> {
    let last = "SELECT * FROM evidence_root WHERE msp = ?1 ORDER BY number DESC LIMIT 1";
    let row = sqlx::query(last)
        .bind(msp.as_uuid())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(evidence_root).transpose()
}

async fn write_root(
    db: &mut SqliteConnection,
    store_time: OffsetDateTime,
    msp: MspOrgId,
    commit: &RootCommit,
) -> std::result::Result<(), Stop> {
    let RootCommit { event, root } = commit;
    begins(db, store_time, msp, *event, commit).await?;
    let last = last_root(db, msp).await?.map_or(0, |last| last.number);
    holds(root.number == last.saturating_add(1), Guard::Root)?;
    let put_under = sqlx::query(PUT_UNDER_ROOT)
        .bind(integer(root.number))
        .bind(msp.as_uuid())
        .bind(micros(root.tick))
        .execute(&mut *db)
        .await?;
    holds(put_under.rows_affected() == root.heads, Guard::Root)?;
    let insert = "INSERT INTO evidence_root (msp, number, tick, heads, root, made_at, handed_out_at) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    sqlx::query(insert)
        .bind(msp.as_uuid())
        .bind(integer(root.number))
        .bind(micros(root.tick))
        .bind(integer(root.heads))
        .bind(root.root.as_bytes().as_slice())
        .bind(micros(root.made_at))
        .bind(root.handed_out_at.map(micros))
        .execute(db)
        .await?;
    Ok(())
}

#[async_trait]
impl Anchors for SqliteStore {
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>> {
        let rows = sqlx::query(TICKS_WITHOUT_ROOT)
            .bind(msp.as_uuid())
            .bind(micros(before))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(|row| row.time("tick"))
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>> {
        let rows = sqlx::query(HEADS_WITHOUT_ROOT)
            .bind(msp.as_uuid())
            .bind(micros(tick))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        heads(&rows)
    }

    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = write_root(&mut db, self.clock.now(), msp, &commit).await;
        finish(db, written).await
    }

    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>> {
        let mut db = self.readers.acquire().await.map_err(Failure::from)?;
        Ok(last_root(&mut db, msp).await?)
    }

    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>> {
        let rows = sqlx::query(ROOTS_WAITING)
            .bind(msp.as_uuid())
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        Ok(rows
            .iter()
            .map(evidence_root)
            .collect::<std::result::Result<_, _>>()?)
    }

    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()> {
        check_not_ahead(at, self.clock.now())?;
        let update = "UPDATE evidence_root SET handed_out_at = ?1 \
                      WHERE msp = ?2 AND number = ?3 AND handed_out_at IS NULL";
        sqlx::query(update)
            .bind(micros(at))
            .bind(msp.as_uuid())
            .bind(integer(number))
            .execute(&self.writer)
            .await
            .map_err(Failure::from)?;
        Ok(())
    }

    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>> {
        let row = sqlx::query("SELECT error, \"at\" FROM anchoring_failure WHERE msp = ?1")
            .bind(msp.as_uuid())
            .fetch_optional(&self.readers)
            .await
            .map_err(Failure::from)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(AnchoringFailure {
            error: row.text("error")?,
            at: row.time("at")?,
        }))
    }

    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()> {
        failure.check_not_ahead(self.clock.now())?;
        let query = match &failure {
            None => sqlx::query("DELETE FROM anchoring_failure WHERE msp = ?1").bind(msp.as_uuid()),
            Some(AnchoringFailure { error, at }) => sqlx::query(
                "INSERT OR REPLACE INTO anchoring_failure (msp, error, \"at\") VALUES (?1, ?2, ?3)",
            )
            .bind(msp.as_uuid())
            .bind(error)
            .bind(micros(*at)),
        };
        query.execute(&self.writer).await.map_err(Failure::from)?;
        Ok(())
    }

    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>> {
        let rows = sqlx::query(HEADS_OF_ROOT)
            .bind(msp.as_uuid())
            .bind(integer(number))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        heads(&rows)
    }

    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>> {
        let select = "SELECT * FROM evidence_head WHERE msp = ?1 AND compliance_org = ?2 AND root IS NOT NULL";
        let rows = sqlx::query(select)
            .bind(msp.as_uuid())
            .bind(customer.as_uuid())
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        heads(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_root_is_made_and_handed_out_without_walking_the_heads_and_roots_of_before() {
        for (statement, step) in [
            (
                PUT_UNDER_ROOT,
                "evidence_head_without_root (msp=? AND tick=?)",
            ),
            (
                TICKS_WITHOUT_ROOT,
                "evidence_head_without_root (msp=? AND tick<?)",
            ),
            (
                HEADS_WITHOUT_ROOT,
                "evidence_head_without_root (msp=? AND tick=?)",
            ),
            (HEADS_OF_ROOT, "evidence_head_root (msp=? AND root=?)"),
            (ROOTS_WAITING, "evidence_root_waiting (msp=?)"),
        ] {
            let steps = crate::plan(statement).await;
            let [only] = steps.as_slice() else {
                panic!("{statement}: {steps:?}");
            };
            assert!(only.ends_with(step), "{statement}: {only}");
        }
    }
}
