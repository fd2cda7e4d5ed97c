//! Runs that are held up in the middle: some never go on, some go on after something else has happened.

use std::{collections::BTreeMap, pin::pin};

use regentra_sync::model::{ComplianceOrgId, LeaseKey, WorkerId};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    history::{
        host::Performed,
        model::{LEASE, Model, Run, Sweep},
        step::HistoryStep,
        truth::{Org, Tenant, Truth, msp_id},
        view::difference,
        world::World,
    },
    suspension::run_to_suspension,
};

/// What there was when a run began.
struct Before {
    model: Model,
    truths: BTreeMap<Tenant, Truth>,
    at: OffsetDateTime,
    store_time: OffsetDateTime,
    sweep: Option<Sweep>,
}

impl World {
    /// Ends every lease that an interrupted run may have left.
    fn wait_for_leases(&self) {
        if let Some(end) = self.model.leases_end(self.store_time()) {
            self.pass(end - self.store_time());
        }
    }

    /// What the model says there is before a run, between two of its commits, and after it.
    fn stages(&mut self, operation: &HistoryStep) -> Vec<Model> {
        let mut run = Run::default();
        let before = self.model.clone();
        let _ = self.expect(operation, &mut run);
        let after = std::mem::replace(&mut self.model, before.clone());
        let mut stages = vec![before];
        stages.append(&mut run.between);
        stages.push(after);
        stages
    }

    /// Goes on with the one of these that is what is stored, and says which ones are.
    async fn settle_on(&mut self, candidates: &[Model], why: &str) -> Result<Vec<usize>, String> {
        let (seen, now, store_time) = (self.observe().await, self.now(), self.store_time());
        let found: Vec<_> = (0..candidates.len())
            .filter(|place| candidates[*place].seen(now, store_time) == seen.view)
            .collect();
        let Some(first) = found.first() else {
            let nearest = candidates
                .iter()
                .map(|candidate| difference(&seen.view, &candidate.seen(now, store_time)));
            let nearest = nearest.min_by_key(String::len).unwrap_or_default();
            return Err(format!("{why}; what is nearest:\n{nearest}"));
        };
        self.model = candidates[*first].clone();
        self.versions = seen.versions;
        Ok(found)
    }

    /// A run whose future is dropped: what is there is what one of its commits left, and the model goes on from there.
    pub async fn interrupted(
        &mut self,
        operation: &HistoryStep,
        suspension: usize,
        ends: bool,
    ) -> Result<(), String> {
        self.wait_for_leases();
        if matches!(operation, HistoryStep::RotateKeys) {
            return Ok(());
        }
        let (subjects, host) = (self.subjects(operation), self.host(operation));
        let done = run_to_suspension(pin!(host.perform(operation)), suspension).await;
        if let Some(performed) = done {
            self.compare(operation, &performed)?;
            return self.check(None).await;
        }
        self.wait_for_writers().await;
        let stages = self.stages(operation);
        self.settle_on(&stages, "a half of something is there")
            .await?;
        self.model
            .leaves_leases(subjects, self.store_time() + LEASE);
        if ends {
            self.start();
        }
        Ok(())
    }

    /// A statement whose future was dropped may still be on its way.
    async fn wait_for_writers(&self) {
        let key = LeaseKey::EvidenceSweep(ComplianceOrgId::from_uuid(Uuid::nil()));
        let worker = WorkerId::from_uuid(Uuid::nil());
        let lease = self
            .store
            .take_lease(msp_id(1), key, worker, Duration::SECOND);
        let lease = lease.await.unwrap().unwrap();
        self.store
            .release_lease(msp_id(1), &lease, Vec::new())
            .await
            .unwrap();
    }

    /// A run that is held up while something else happens, and goes on then: it is refused, or what it writes is what it would
    /// write if it had begun only now, but for what it had read from NinjaOne already.
    pub async fn meanwhile(
        &mut self,
        operation: &HistoryStep,
        suspension: usize,
        others: &[HistoryStep],
        elsewhere: bool,
    ) -> Result<(), String> {
        self.wait_for_leases();
        let (subjects, host) = (self.subjects(operation), self.host(operation));
        let before = Before {
            model: self.model.clone(),
            truths: self.truths.all().clone(),
            at: self.now(),
            store_time: self.store_time(),
            sweep: host.event.as_ref().map(|(_, sweep)| *sweep),
        };
        let mut run = pin!(host.perform(operation));
        if let Some(performed) = run_to_suspension(run.as_mut(), suspension).await {
            self.compare(operation, &performed)?;
            return self.check(None).await;
        }
        let stages = self.stages(operation);
        let reached = self
            .settle_on(&stages, "a half of something is there")
            .await?;
        let left = self.model.clone();
        // In its own process nobody else begins what it is at; another process may once its lease has expired.
        let held = if elsewhere {
            LEASE
        } else {
            Duration::days(9_999)
        };
        self.model
            .leaves_leases(subjects.iter().copied(), before.store_time + held);
        if elsewhere {
            self.start();
        }
        for other in others {
            let step = Box::pin(self.step(other)).await;
            step.map_err(|why| format!("meanwhile, {other:?}:\n{why}"))?;
        }
        let performed = run.await;
        self.model.frees(&subjects);
        let is_run = |other: &HistoryStep| {
            matches!(
                other,
                HistoryStep::Deliver { .. }
                    | HistoryStep::DeliverTogether { .. }
                    | HistoryStep::Sync { .. }
            )
        };
        let touched = self.model.view != left.view || others.iter().any(is_run);
        let candidates = match operation {
            HistoryStep::Deliver { .. } => {
                let committed = reached.contains(&(stages.len() - 1));
                self.sweep_goes_on(&before, &performed, committed, touched)
            }
            HistoryStep::Sync { tenant } | HistoryStep::Discover { tenant } => {
                let places = reached.into_iter();
                let goes_on =
                    |place| self.sync_goes_on(*tenant, &before, &performed, place, touched);
                places.flat_map(goes_on).collect()
            }
            _ => vec![self.model.clone()],
        };
        let why = format!("it went on and answered: {}", performed.answer);
        self.settle_on(&candidates, &why).await?;
        Ok(())
    }

    /// What there may be after a sweep went on.
    fn sweep_goes_on(
        &self,
        before: &Before,
        performed: &Performed,
        committed: bool,
        touched: bool,
    ) -> Vec<Model> {
        let Some(sweep) = before.sweep.filter(|_| !committed) else {
            return vec![self.model.clone()];
        };
        let mut candidates = Vec::new();
        if touched && !performed.answer.starts_with("committed, ") {
            candidates.push(self.model.clone());
        }
        let truths = self.truths.all();
        let (old, new, now) = (&before.truths, &*truths, self.now());
        for (truths, at) in [(old, before.at), (new, before.at), (new, now)] {
            let mut swept = self.model.clone();
            let times = (at, now, self.store_time());
            if swept.sweep(sweep, truths, times, &Run::default()) == performed.answer {
                candidates.push(swept);
            }
        }
        candidates
    }

    /// What there may be after a sync or a discovery went on that had come to this place of its stages.
    fn sync_goes_on(
        &self,
        tenant: Tenant,
        before: &Before,
        performed: &Performed,
        place: usize,
        touched: bool,
    ) -> Vec<Model> {
        let truths = self.truths.all();
        let (old, new) = (&before.truths, &*truths);
        let mut candidates = vec![self.model.clone()];
        if place == 0 {
            let late = self
                .model
                .takes_in_late(&before.model, tenant, old, before.at);
            let mut now = self.model.clone();
            let _ = now.discover(tenant, new, self.now());
            candidates.extend([late, now]);
        }
        let left: &[(Org, String)] = performed.synced.get(place.max(1) - 1..).unwrap_or_default();
        for (number, (org, answer)) in left.iter().enumerate() {
            // Only of the first it may have read the devices before.
            let truths = if number == 0 {
                vec![old, new]
            } else {
                vec![new]
            };
            let mut next = Vec::new();
            for candidate in candidates {
                next.extend(candidate.syncs_late(*org, &truths, answer, touched, self.now()));
            }
            candidates = next;
        }
        candidates
    }
}
