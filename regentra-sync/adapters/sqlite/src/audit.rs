use async_trait::async_trait;
use regentra_sync::{
    model::{AuditRow, ComplianceOrgId, EventId, MspOrgId},
    store::{AuditPage, AuditTrail, CommitOutcome, Result},
};
use uuid::Uuid;

use crate::{
    SqliteStore,
    column::{Columns as _, from_json, micros},
    commit::{append_msp_audit, begins, finish},
    failure::{Failure, Stop},
};

/// A page of the trail that `select` reads, with the parameters tenant, time and id of the row before, and limit.
async fn page(
    store: &SqliteStore,
    select: &'static str,
    tenant: Uuid,
    page: AuditPage,
) -> std::result::Result<Vec<AuditRow>, Failure> {
    // Without a row before: the end of time.
    let (at, id) = page.before.map_or((i64::MAX, Uuid::max()), |(at, id)| {
        (micros(at), id.as_uuid())
    });
    let rows = sqlx::query(select)
        .bind(tenant)
        .bind(at)
        .bind(id)
        .bind(page.limit)
        .fetch_all(&store.readers)
        .await?;
    rows.iter()
        .map(|row| from_json(&row.text("entry")?, "entry"))
        .collect()
}

#[async_trait]
impl AuditTrail for SqliteStore {
    async fn msp_audit(&self, msp: MspOrgId, part: AuditPage) -> Result<Vec<AuditRow>> {
        let select = "SELECT entry FROM msp_audit WHERE msp = ?1 AND (\"at\", id) < (?2, ?3) \
                      ORDER BY \"at\" DESC, id DESC LIMIT ?4";
        Ok(page(self, select, msp.as_uuid(), part).await?)
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        part: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        let select = "SELECT entry FROM customer_audit WHERE compliance_org = ?1 AND (\"at\", id) < (?2, ?3) \
                      ORDER BY \"at\" DESC, id DESC LIMIT ?4";
        Ok(page(self, select, customer.as_uuid(), part).await?)
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        let mut db = self.begin().await?;
        let written = async {
            begins(&mut db, self.clock.now(), msp, event, &rows).await?;
            Ok::<_, Stop>(append_msp_audit(&mut db, msp, &rows).await?)
        };
        let written = written.await;
        finish(db, written).await
    }
}
