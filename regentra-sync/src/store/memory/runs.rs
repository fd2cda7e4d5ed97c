use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{MemoryStore, of_msp};
use crate::{
    model::{Lease, LeaseKey, MspOrgId, RunRecord, WorkerId, is_ahead},
    store::{
        Result, RowsAhead, RunPage, RunSubjects, Runs, Stamped,
        effects::{StoredLease, tick_to_come},
    },
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
            let stored = state.leases.get(&(msp, key)).copied();
            let taken = StoredLease::taken(stored, worker, length, self.clock.now());
            let Some(taken) = taken else {
                return Ok(None);
            };
            state.leases.insert((msp, key), taken);
            Ok(Some(Lease {
                key,
                worker,
                fence: taken.fence,
                expires_at: taken.expires_at,
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
            records.check_not_ahead(self.clock.now())?;
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

    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead> {
        self.with(|state| {
            let now = self.clock.now();
            let leases = of_msp(&state.leases, msp).filter(|lease| lease.is_ahead(now));
            let outbox = state.outbox.get(&msp).into_iter().flatten();
            let outbox = outbox.filter(|row| row.delivered_at.is_none());
            let heads = state.heads.get(&msp).into_iter().flatten();
            Ok(RowsAhead {
                leases: leases.count() as u64,
                roots: ahead(state.roots.get(&msp).into_iter().flatten(), now),
                mappings: ahead(of_msp(&state.mappings, msp), now),
                assets: ahead(of_msp(&state.assets, msp), now),
                tickets: ahead(of_msp(&state.tickets, msp), now),
                outbox: ahead(outbox, now),
                audit: ahead(state.msp_audit.get(&msp).into_iter().flatten(), now),
                credentials: ahead(of_msp(&state.credentials, msp), now),
                heads: heads
                    .filter(|head| head.root.is_none() && is_ahead(head.tick, now))
                    .count() as u64,
                ticket_ticks: of_msp(&state.ticks, msp)
                    .filter(|tick| tick_to_come(tick, now).is_some())
                    .count() as u64,
            })
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

    async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>> {
        self.with(|state| {
            let found = of_msp(&state.runs, msp).filter(|run| subjects.contains(&run.subject));
            Ok(found.cloned().collect())
        })
        .await
    }

    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>> {
        self.with(|state| {
            let RunPage {
                filter,
                after,
                limit,
            } = page;
            let after = after.as_ref().map(RunPage::place);
            let mut found: Vec<_> = of_msp(&state.runs, msp)
                .filter(|run| after.is_none_or(|after| RunPage::place(&run.subject) > after))
                .filter(|run| filter.matches(run))
                .collect();
            found.sort_by_key(|run| RunPage::place(&run.subject));
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found.into_iter().cloned().collect())
        })
        .await
    }
}

fn ahead<'a, T: Stamped + 'a>(rows: impl Iterator<Item = &'a T>, now: OffsetDateTime) -> u64 {
    rows.filter(|row| row.check_not_ahead(now).is_err()).count() as u64
}
