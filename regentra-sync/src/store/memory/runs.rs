use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{LeaseRow, MemoryStore};
use crate::{
    model::{Fence, Lease, LeaseKey, MspOrgId, RunRecord, WorkerId},
    store::{Result, Runs},
};

#[async_trait]
impl Runs for MemoryStore {
    async fn store_time(&self) -> Result<OffsetDateTime> {
        self.with(|_| Ok(self.clock.now())).await
    }

    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        length: Duration,
    ) -> Result<Option<Lease>> {
        self.with(|state| {
            let now = self.clock.now();
            let row = state.leases.get(&(msp, key));
            if row.is_some_and(|row| {
                row.worker.is_some_and(|holder| holder != worker)
                    && now < row.expires_at
                    && !row.is_ahead(now)
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
                    length,
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
        length: Duration,
    ) -> Result<Option<Lease>> {
        self.with(|state| {
            let now = self.clock.now();
            if state.lease_holds(msp, lease).is_err() {
                return Ok(None);
            }
            let renewed = Lease {
                expires_at: now.saturating_add(length),
                ..*lease
            };
            if let Some(row) = state.leases.get_mut(&(msp, lease.key)) {
                (row.expires_at, row.length) = (renewed.expires_at, length);
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

    async fn leases_ahead(&self, msp: MspOrgId) -> Result<u32> {
        self.with(|state| {
            let now = self.clock.now();
            let ahead = state.leases.iter().filter(|((owner, _), row)| {
                *owner == msp && row.worker.is_some() && row.is_ahead(now)
            });
            Ok(u32::try_from(ahead.count()).unwrap_or(u32::MAX))
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
