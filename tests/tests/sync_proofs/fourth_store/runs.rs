use async_trait::async_trait;
use regentra_sync::{
    MspOrgId,
    run::{Fence, Lease, LeaseKey, RunRecord, WorkerId},
    store::{Result, Runs},
};
use time::{Duration, OffsetDateTime};

use super::{HashMapStore, Taken};

#[async_trait]
impl Runs for HashMapStore {
    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut state = self.state();
        let taken = state.leases.get(&(msp, key)).copied();
        let holder = taken.and_then(|taken| taken.holder);
        if holder.is_some_and(|(holder, expires_at)| holder != worker && now < expires_at) {
            return Ok(None);
        }
        let fence = taken.map_or(Fence::FIRST, |taken| taken.fence.next());
        let expires_at = now + length;
        let holder = Some((worker, expires_at));
        state.leases.insert((msp, key), Taken { fence, holder });
        Ok(Some(Lease {
            key,
            worker,
            fence,
            expires_at,
        }))
    }

    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut state = self.state();
        if !state.is_held(msp, lease) {
            return Ok(None);
        }
        let expires_at = now + length;
        if let Some(taken) = state.leases.get_mut(&(msp, lease.key)) {
            taken.holder = Some((lease.worker, expires_at));
        }
        Ok(Some(Lease {
            expires_at,
            ..*lease
        }))
    }

    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()> {
        let mut state = self.state();
        if !state.is_held(msp, lease) {
            return Ok(());
        }
        if let Some(taken) = state.leases.get_mut(&(msp, lease.key)) {
            taken.holder = None;
        }
        let runs = state.runs.entry(msp).or_default();
        for record in records {
            runs.retain(|(subject, _)| *subject != record.subject);
            runs.push((record.subject, record));
        }
        Ok(())
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let mut runs = self.state().runs.get(&msp).cloned().unwrap_or_default();
        runs.sort_by_key(|(subject, _)| *subject);
        Ok(runs.into_iter().map(|(_, record)| record).collect())
    }
}
