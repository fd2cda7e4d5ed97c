use std::cmp::Reverse;

use async_trait::async_trait;
use regentra_sync::{
    model::{AuditRow, ComplianceOrgId, EventId, MspOrgId},
    store::{AuditPage, AuditTrail, CommitOutcome, Result},
};

use super::{HashMapStore, State, Stop};

fn page_of(trail: Option<&Vec<AuditRow>>, page: AuditPage) -> Vec<AuditRow> {
    let mut rows: Vec<_> = trail.into_iter().flatten().cloned().collect();
    rows.sort_by_key(|row| Reverse((row.at, row.id)));
    rows.retain(|row| page.before.is_none_or(|before| (row.at, row.id) < before));
    rows.retain(|row| page.filter.matches(row));
    rows.truncate(page.limit as usize);
    rows
}

#[async_trait]
impl AuditTrail for HashMapStore {
    async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>> {
        Ok(page_of(self.state().msp_audit.get(&msp), page))
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        Ok(page_of(self.state().customer_audit.get(&customer), page))
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        let check = |_: &State| Ok::<_, Stop>(());
        self.commit(msp, event, &rows, check, |state, ()| {
            state.append_audit(msp, rows.clone());
        })
    }
}
