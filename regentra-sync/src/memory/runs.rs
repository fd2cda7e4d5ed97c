use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{LeaseRow, MemoryStore};
use crate::{
    MspOrgId,
    run::{Fence, Lease, LeaseKey, RunRecord, WorkerId},
    store::{Result, Runs},
};

#[async_trait]
impl Runs for MemoryStore {
    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>> {
        self.with(|state| {
            let row = state.leases.get(&(msp, key));
            if row.is_some_and(|row| {
                row.worker.is_some_and(|holder| holder != worker) && now < row.expires_at
            }) {
                return Ok(None);
            }
            let fence = row.map_or(Fence::FIRST, |row| row.fence.next());
            let expires_at = now.saturating_add(length);
            state.leases.insert(
                (msp, key),
                LeaseRow {
                    worker: Some(worker),
                    fence,
                    expires_at,
                },
            );
            Ok(Some(Lease {
                key,
                worker,
                fence,
                expires_at,
            }))
        })
        .await
    }

    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>> {
        self.with(|state| {
            if state.lease_holds(msp, lease).is_err() {
                return Ok(None);
            }
            let renewed = Lease {
                expires_at: now.saturating_add(length),
                ..*lease
            };
            if let Some(row) = state.leases.get_mut(&(msp, lease.key)) {
                row.expires_at = renewed.expires_at;
            }
            Ok(Some(renewed))
        })
        .await
    }

    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()> {
        self.with(|state| {
            if state.lease_holds(msp, lease).is_ok() {
                if let Some(row) = state.leases.get_mut(&(msp, lease.key)) {
                    row.worker = None;
                }
                state.runs.extend(
                    records
                        .into_iter()
                        .map(|record| ((msp, record.subject), record)),
                );
            }
            Ok(())
        })
        .await
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        self.with(|state| {
            Ok(state
                .runs
                .iter()
                .filter(|((owner, _), _)| *owner == msp)
                .map(|(_, r)| r.clone())
                .collect())
        })
        .await
    }
}
