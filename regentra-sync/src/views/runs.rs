use super::Views;
use crate::{
    error::Result,
    model::{MspOrgId, RunRecord},
    store::{RunPage, RunSubjects},
};

impl Views {
    /// The last run of every subject of an MSP, ordered by subject. Runs that lie in the future are left out, because a clock that ran
    /// ahead wrote them.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        let (mut runs, now) = (self.store.runs(msp).await?, self.store.store_time().await?);
        runs.retain(|run| !run.is_ahead(now));
        Ok(runs)
    }
    /// The last runs of some subjects, ordered by subject. Runs that lie in the future are left out, as in [`runs`](Self::runs).
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>> {
        let mut runs = self.store.runs_of(msp, subjects).await?;
        let now = self.store.store_time().await?;
        runs.retain(|run| !run.is_ahead(now));
        Ok(runs)
    }

    /// A page of the last runs that match, in the order of [`RunPage::place`]. Runs that lie in the future are left out, as in
    /// [`runs`](Self::runs); for each page of the store with such a run, one more query fills the gap. So a short page is the last one.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>> {
        let (mut rest, mut found) = (page, Vec::new());
        let now = self.store.store_time().await?;
        loop {
            let runs = self.store.runs_page(msp, rest).await?;
            let next = runs
                .last()
                .filter(|_| runs.len() as u64 == u64::from(rest.limit))
                .map(|last| rest.next(last));
            found.extend(runs.into_iter().filter(|run| !run.is_ahead(now)));
            let is_full = found.len() as u64 >= u64::from(page.limit);
            match next {
                Some(next) if !is_full => rest = next,
                _ => break,
            }
        }
        found.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::Duration;
    use uuid::Uuid;

    use super::*;
    use crate::{
        host::StoreClock,
        model::{MappingId, RunKind, RunOutcome, RunSubject},
        store::{
            MemoryStore, RunFilter, Runs as _,
            conformance::world::{World, at, clock},
        },
    };

    /// Without these runs a page would be short, and a short page is taken for the last one.
    #[tokio::test]
    async fn runs_that_lie_in_the_future_do_not_shorten_a_page() {
        let clock = clock();
        let store = Arc::new(MemoryStore::new().with_clock(StoreClock::of(clock.clone())));
        let world = World::new(&*store, 1).await;
        let run = |n, minutes| RunRecord {
            subject: RunSubject {
                kind: RunKind::AssetSync,
                credential: world.credential.id,
                mapping: Some(MappingId::from_uuid(Uuid::from_u128(n))),
            },
            started_at: at(minutes),
            finished_at: at(minutes),
            outcome: RunOutcome::Succeeded,
            requests: 1,
            reading: None,
        };
        // A clock that ran ahead wrote the third to the sixth of ten runs.
        let runs: Vec<_> = (1..=10)
            .map(|n| run(n, if (3..=6).contains(&n) { 90_000 } else { 0 }))
            .collect();
        clock.set(at(90_000));
        let (msp, key, worker) = (world.msp, world.lease.key, world.lease.worker);
        let lease = store.take_lease(msp, key, worker, Duration::hours(1)).await;
        let lease = lease.unwrap().unwrap();
        store
            .release_lease(msp, &lease, runs.clone())
            .await
            .unwrap();
        clock.set(at(1_000));

        let views = Views::new(Arc::<MemoryStore>::clone(&store));
        let present: Vec<_> = [&runs[..2], &runs[6..]].concat();
        assert_eq!(views.runs(msp).await.unwrap(), present);
        for limit in 1..=11 {
            let (mut page, mut read) = (RunPage::first(RunFilter::default(), limit), Vec::new());
            loop {
                let rows = views.runs_page(msp, page).await.unwrap();
                assert!(rows.len() as u64 <= u64::from(limit));
                read.extend(rows.iter().cloned());
                let Some(last) = rows
                    .last()
                    .filter(|_| rows.len() as u64 == u64::from(limit))
                else {
                    break;
                };
                page = page.next(last);
            }
            assert_eq!(read, present, "pages of {limit}");
        }
        let nothing = RunPage::first(RunFilter::default(), 0);
        assert_eq!(views.runs_page(msp, nothing).await.unwrap(), []);
    }
}
