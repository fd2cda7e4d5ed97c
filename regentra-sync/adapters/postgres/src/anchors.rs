//! [`Anchors`].

use async_trait::async_trait;
use regentra_sync::{
    model::{
        AnchoringFailure, ComplianceOrgId, EvidenceHead, EvidenceRoot, EvidenceRow, MappingId,
        MspOrgId,
    },
    store::{
        Anchors, CommitOutcome, Precondition, Result, RootCommit, Stamped as _, check_not_ahead,
    },
};
use sqlx::{PgConnection, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    PostgresStore,
    column::{Columns as _, column, to_bigint},
    failure::{Step, failed, holds},
    transaction::{Tenants, store_time},
};

const LAST_ROOT: &str =
    "SELECT * FROM regentra_sync.evidence_roots WHERE msp_org_id = $1 ORDER BY number DESC LIMIT 1";

#[async_trait]
impl Anchors for PostgresStore {
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>> {
        let query = sqlx::query(
            "SELECT DISTINCT tick FROM regentra_sync.evidence_heads \
             WHERE msp_org_id = $1 AND root_number IS NULL AND tick < $2 ORDER BY tick LIMIT $3",
        )
        .bind(msp.as_uuid())
        .bind(before)
        .bind(i64::from(limit));
        self.rows(Tenants::msp(msp), query, |row| row.time("tick"))
            .await
    }

    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.evidence_heads WHERE msp_org_id = $1 AND tick = $2 AND root_number IS NULL",
        )
        .bind(msp.as_uuid())
        .bind(tick);
        self.rows(Tenants::msp(msp), query, evidence_head).await
    }

    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome> {
        self.commit(
            Tenants::msp(msp),
            msp,
            commit.event,
            &commit,
            move |connection, commit| Box::pin(write_root(connection, msp, commit)),
        )
        .await
    }

    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>> {
        let query = sqlx::query(LAST_ROOT).bind(msp.as_uuid());
        self.row(Tenants::msp(msp), query, evidence_root).await
    }

    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.evidence_roots WHERE msp_org_id = $1 AND handed_out_at IS NULL \
             ORDER BY number LIMIT $2",
        )
        .bind(msp.as_uuid())
        .bind(i64::from(limit));
        self.rows(Tenants::msp(msp), query, evidence_root).await
    }

    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()> {
        let number = to_bigint(number)?;
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock).await;
        check_not_ahead(at, now.map_err(failed)?)?;
        sqlx::query(
            "UPDATE regentra_sync.evidence_roots SET handed_out_at = $3 \
             WHERE msp_org_id = $1 AND number = $2 AND handed_out_at IS NULL",
        )
        .bind(msp.as_uuid())
        .bind(number)
        .bind(at)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>> {
        let query = sqlx::query(
            "SELECT error, at FROM regentra_sync.anchoring_failures WHERE msp_org_id = $1",
        )
        .bind(msp.as_uuid());
        let failure = |row: &PgRow| {
            Ok(AnchoringFailure {
                error: row.text("error")?,
                at: row.time("at")?,
            })
        };
        self.row(Tenants::msp(msp), query, failure).await
    }

    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()> {
        let mut transaction = self.write(Tenants::msp(msp)).await?;
        let now = store_time(&mut transaction, &self.clock).await;
        failure.check_not_ahead(now.map_err(failed)?)?;
        let query = match &failure {
            None => sqlx::query("DELETE FROM regentra_sync.anchoring_failures WHERE msp_org_id = $1")
                .bind(msp.as_uuid()),
            Some(AnchoringFailure { error, at }) => sqlx::query(
                "INSERT INTO regentra_sync.anchoring_failures (msp_org_id, error, at) VALUES ($1, $2, $3) \
                 ON CONFLICT (msp_org_id) DO UPDATE SET error = excluded.error, at = excluded.at",
            )
            .bind(msp.as_uuid())
            .bind(error.as_str())
            .bind(at),
        };
        query.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>> {
        // Every number of a root fits into a bigint. A larger number finds no row.
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.evidence_heads WHERE msp_org_id = $1 AND root_number = $2",
        )
        .bind(msp.as_uuid())
        .bind(number);
        self.rows(Tenants::msp(msp), query, evidence_head).await
    }

    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>> {
        let query = sqlx::query(
            "SELECT * FROM regentra_sync.evidence_heads \
             WHERE msp_org_id = $1 AND compliance_org_id = $2 AND root_number IS NOT NULL",
        )
        .bind(msp.as_uuid())
        .bind(customer.as_uuid());
        self.rows(Tenants::msp(msp), query, evidence_head).await
    }
}

/// Writes the head of each record that a sweep appends, under no root.
pub(crate) async fn append_heads(
    connection: &mut PgConnection,
    msp: MspOrgId,
    customer: ComplianceOrgId,
    rows: &[EvidenceRow],
    tick: OffsetDateTime,
) -> Step {
    let lengths = rows
        .iter()
        .map(|row| to_bigint(row.link.sequence))
        .collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "INSERT INTO regentra_sync.evidence_heads \
         (msp_org_id, compliance_org_id, tick, mapping_id, signal, length, hash) \
         SELECT $1, $2, $3, new.* FROM unnest($4::uuid[], $5::text[], $6::bigint[], $7::bytea[]) AS new",
    )
    .bind(msp.as_uuid())
    .bind(customer.as_uuid())
    .bind(tick)
    .bind(column(rows, |row| row.mapping.as_uuid()))
    .bind(column(rows, |row| row.signal.as_str()))
    .bind(lengths)
    .bind(column(rows, |row| row.link.hash.as_bytes().as_slice()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_root(connection: &mut PgConnection, msp: MspOrgId, commit: &RootCommit) -> Step {
    let RootCommit { event: _, root } = commit;
    let last = sqlx::query(LAST_ROOT)
        .bind(msp.as_uuid())
        .fetch_optional(&mut *connection)
        .await?;
    let last = last.as_ref().map(evidence_root).transpose()?;
    let next = last.map_or(1, |last| last.number.saturating_add(1));
    holds(root.number == next, Precondition::Root)?;
    let put_under = sqlx::query(
        "UPDATE regentra_sync.evidence_heads SET root_number = $3 \
         WHERE msp_org_id = $1 AND tick = $2 AND root_number IS NULL",
    )
    .bind(msp.as_uuid())
    .bind(root.tick)
    .bind(to_bigint(root.number)?)
    .execute(&mut *connection)
    .await?;
    holds(put_under.rows_affected() == root.heads, Precondition::Root)?;
    sqlx::query(
        "INSERT INTO regentra_sync.evidence_roots (msp_org_id, number, tick, heads, root, made_at, handed_out_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(msp.as_uuid())
    .bind(to_bigint(root.number)?)
    .bind(root.tick)
    .bind(to_bigint(root.heads)?)
    .bind(root.root.as_bytes().as_slice())
    .bind(root.made_at)
    .bind(root.handed_out_at)
    .execute(connection)
    .await?;
    Ok(())
}

fn evidence_head(row: &PgRow) -> Result<EvidenceHead> {
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

fn evidence_root(row: &PgRow) -> Result<EvidenceRoot> {
    Ok(EvidenceRoot {
        number: row.count("number")?,
        tick: row.time("tick")?,
        heads: row.count("heads")?,
        root: row.hash("root")?,
        made_at: row.time("made_at")?,
        handed_out_at: row.time_if_any("handed_out_at")?,
    })
}
