use async_trait::async_trait;
use regentra_sync::{
    model::{Fence, Lease, LeaseKey, MspOrgId, RunRecord, WorkerId},
    store::{Result, Runs},
};
use time::{Duration, OffsetDateTime};

use super::{HashMapStore, Taken};

#[async_trait]
impl Runs for HashMapStore {
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
        let mut state = self.state();
        let now = self.clock.now();
        let taken = state.leases.get(&(msp, key)).copied();
        let holder = taken.and_then(|taken| taken.holder);
        let is_alive = taken.is_some_and(|taken| !taken.is_expired(now));
        if is_alive && holder.is_some_and(|(holder, _)| holder != worker) {
            return Ok(None);
        }
        let fence = taken.map_or(Fence::FIRST, |taken| taken.fence.next());
        let expires_at = now + length;
        let holder = Some((worker, expires_at));
        state.leases.insert(
            (msp, key),
            Taken {
                fence,
                holder,
                length,
            },
        );
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
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut state = self.state();
        if !state.is_held(msp, lease) {
            return Ok(None);
        }
        let expires_at = self.clock.now() + length;
        if let Some(taken) = state.leases.get_mut(&(msp, lease.key)) {
            (taken.holder, taken.length) = (Some((lease.worker, expires_at)), length);
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

    async fn leases_ahead(&self, msp: MspOrgId) -> Result<u32> {
        let (state, now) = (self.state(), self.clock.now());
        let of_msp = state.leases.iter().filter(|((owner, _), _)| *owner == msp);
        let ahead = of_msp.filter(|(_, taken)| taken.holder.is_some() && taken.is_ahead(now));
        Ok(u32::try_from(ahead.count()).unwrap_or(u32::MAX))
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let mut runs = self.state().runs.get(&msp).cloned().unwrap_or_default();
        runs.sort_by_key(|(subject, _)| *subject);
        Ok(runs.into_iter().map(|(_, record)| record).collect())
    }
}
