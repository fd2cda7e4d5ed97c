use std::collections::HashMap;

use async_trait::async_trait;
use regentra_sync::{
    model::{Fence, Lease, LeaseKey, MspOrgId, RunRecord, WorkerId, is_ahead},
    store::{Result, RowsAhead, RunPage, Runs, Stamped},
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
        records.check_not_ahead(self.clock.now())?;
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

    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead> {
        let (state, now) = (self.state(), self.clock.now());
        let is_ahead_of_its_length = |taken: &&Taken| taken.holder.is_some() && taken.is_ahead(now);
        let count = |rows: usize| rows as u64;
        let ticks = of_msp(&state.ticks, msp).filter(|tick| tick.opened > 0);
        let heads = state.heads.get(&msp).into_iter().flatten();
        let heads = heads.filter(|head| head.root.is_none() && is_ahead(head.tick, now));
        let outbox = of_msp(&state.outbox, msp).map(|(_, row)| row);
        Ok(RowsAhead {
            leases: count(
                of_msp(&state.leases, msp)
                    .filter(is_ahead_of_its_length)
                    .count(),
            ),
            ticket_ticks: ahead(ticks, now),
            heads: count(heads.count()),
            roots: ahead(state.roots.get(&msp).into_iter().flatten(), now),
            mappings: ahead(of_msp(&state.mappings, msp), now),
            assets: ahead(of_msp(&state.assets, msp), now),
            tickets: ahead(of_msp(&state.tickets, msp), now),
            outbox: ahead(outbox.filter(|row| row.delivered_at.is_none()), now),
            audit: ahead(state.msp_audit.get(&msp).into_iter().flatten(), now),
            credentials: ahead(of_msp(&state.credentials, msp), now),
        })
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let mut runs = self.state().runs.get(&msp).cloned().unwrap_or_default();
        runs.sort_by_key(|(subject, _)| *subject);
        Ok(runs.into_iter().map(|(_, record)| record).collect())
    }

    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>> {
        let mut runs = self.runs(msp).await?;
        let after = page.after.as_ref().map(RunPage::place);
        runs.retain(|run| {
            page.filter.matches(run)
                && after.is_none_or(|after| RunPage::place(&run.subject) > after)
        });
        runs.sort_by_key(|run| RunPage::place(&run.subject));
        runs.truncate(page.limit as usize);
        Ok(runs)
    }
}

fn of_msp<K, T>(table: &HashMap<(MspOrgId, K), T>, msp: MspOrgId) -> impl Iterator<Item = &T> {
    let rows = table.iter().filter(move |((owner, _), _)| *owner == msp);
    rows.map(|(_, row)| row)
}

fn ahead<'a, T: Stamped + 'a>(rows: impl Iterator<Item = &'a T>, now: OffsetDateTime) -> u64 {
    rows.filter(|row| row.check_not_ahead(now).is_err()).count() as u64
}
