use async_trait::async_trait;

use super::{MemoryStore, outcome};
use crate::{
    model::{AuditRow, ComplianceOrgId, EventId, MspOrgId},
    store::{AuditPage, AuditTrail, CommitOutcome, Result},
};

fn page(rows: Option<&Vec<AuditRow>>, page: AuditPage) -> Vec<AuditRow> {
    let mut rows: Vec<_> = rows.into_iter().flatten().collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.at, row.id)));
    let after = rows
        .into_iter()
        .filter(|row| page.before.is_none_or(|before| (row.at, row.id) < before))
        .filter(|row| page.filter.matches(row));
    after.take(page.limit as usize).cloned().collect()
}

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn msp_audit(&self, msp: MspOrgId, part: AuditPage) -> Result<Vec<AuditRow>> {
        self.with(|state| Ok(page(state.msp_audit.get(&msp), part)))
            .await
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        part: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        self.with(|state| Ok(page(state.customer_audit.get(&customer), part)))
            .await
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, event, &rows, self.clock.now())?;
                state.append_msp_audit(msp, rows);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }
}
