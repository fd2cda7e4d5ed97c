use std::collections::{BTreeMap, btree_map::Entry};

use futures_util::{StreamExt as _, stream};
use ninjaone_client::Lane;
use time::OffsetDateTime;

use super::{asset_sync::MappingSync, evidence_sweep::SweepOutcome, integration::Integration};
use crate::{
    error::Result,
    host::Progress,
    model::{Actor, EventId, MspOrgId, RunKind, RunOutcome, RunRecord, RunSubject},
    schedule::{Event, PlanKind, SweepEvent, SyncEvent, spread},
};

/// How many rows of the plan are read at a time.
const PAGE: u32 = 1_000;

/// How a planned event ended.
#[derive(Debug)]
pub enum Handled {
    /// An asset sync, organization by organization.
    AssetSync(Vec<MappingSync>),
    /// An evidence sweep.
    EvidenceSweep(SweepOutcome),
    /// It was not begun: its connection's request budget is spent for more than a minute, and an event that waits for it must not
    /// hold up others. Deliver it again after this time.
    Deferred {
        /// How long the wait is, as far as known now.
        after: time::Duration,
    },
}

/// An event that would wait longer than this for the request budget is not begun.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

impl Integration {
    /// Plans the work of one tick over all MSPs: stage 1. Two schedulers that plan the same tick emit the same events.
    ///
    /// With an anchor sink, planning sweeps also makes the roots over the heads of the ticks before, and hands them out; what the
    /// sink does not take within ten seconds waits for the next tick.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.plan", skip_all, fields(?kind, %scheduled_at))]
    pub async fn plan(&self, kind: PlanKind, scheduled_at: OffsetDateTime) -> Result<Vec<Event>> {
        match kind {
            PlanKind::AssetSync => self.plan_syncs(scheduled_at).await,
            PlanKind::EvidenceSweep => {
                let events = self.plan_sweeps(scheduled_at).await?;
                self.anchor_before(scheduled_at).await;
                Ok(events)
            }
        }
    }

    async fn plan_syncs(&self, scheduled_at: OffsetDateTime) -> Result<Vec<Event>> {
        let length = self.inner.policy.asset_sync.every;
        let (mut events, mut after) = (Vec::new(), None);
        loop {
            let page = self.inner.store.active_credentials(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(events);
            };
            after = Some(last.credential);
            events.extend(page.into_iter().map(|active| {
                Event::AssetSync(SyncEvent {
                    id: EventId::of_sync(active.credential, scheduled_at),
                    msp_org_id: active.msp,
                    region: active.region,
                    scheduled_at,
                    starts_at: spread(scheduled_at, length, active.credential.as_uuid()),
                })
            }));
        }
    }

    async fn plan_sweeps(&self, scheduled_at: OffsetDateTime) -> Result<Vec<Event>> {
        let length = self.inner.policy.evidence_sweep.every;
        let (mut events, mut after) = (Vec::new(), None);
        loop {
            let page = self.inner.store.promoted_mappings(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(events);
            };
            after = Some(last.mapping);
            events.extend(page.into_iter().map(|promoted| {
                Event::EvidenceSweep(SweepEvent {
                    id: EventId::of_sweep(promoted.mapping, scheduled_at),
                    msp_credential_org_id: promoted.msp,
                    customer_compliance_org_id: promoted.customer,
                    mapping_id: promoted.mapping,
                    region: promoted.region,
                    external_org_id: promoted.external_org_id,
                    scheduled_at,
                    starts_at: spread(scheduled_at, length, promoted.mapping.as_uuid()),
                })
            }));
        }
    }

    /// Leaves out of a plan what is done already, as far as the store knows: for a process that starts in the middle of an
    /// interval. It makes no request and writes nothing. Whatever is left can be handled again without doubling anything.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn outstanding(&self, events: Vec<Event>) -> Result<Vec<Event>> {
        let (now, mut done, mut outstanding) = (self.now(), BTreeMap::new(), Vec::new());
        for event in events {
            let msp = event.msp();
            // What has not started cannot be done.
            if event.starts_at() <= now {
                if let Entry::Vacant(unread) = done.entry(msp) {
                    let runs = self.views().runs(msp).await?;
                    let runs = runs.into_iter().map(|run| (run.subject, run));
                    unread.insert(runs.collect::<BTreeMap<_, _>>());
                }
                let run = done
                    .get(&msp)
                    .and_then(|runs| runs.get(&subject_of(&event)));
                if let Some(run) = run
                    && run.was_done_since(event.starts_at())
                    && self.is_done(&event, run).await?
                {
                    continue;
                }
            }
            outstanding.push(event);
        }
        Ok(outstanding)
    }

    async fn is_done(&self, event: &Event, run: &RunRecord) -> Result<bool> {
        match event {
            Event::AssetSync(_) => Ok(run.outcome == RunOutcome::Succeeded),
            // The last run may have been somebody's own; the store remembers exactly.
            Event::EvidenceSweep(event) => self.is_swept(event).await,
        }
    }

    /// Handles a planned event: stage 2. It may run again for one event, here or elsewhere; `attempt` counts from 1 and is for
    /// the log.
    ///
    /// # Errors
    /// As [`sync_assets`](Self::sync_assets) and [`sweep`](Self::sweep).
    pub async fn handle(&self, event: &Event, attempt: u32) -> Result<Handled> {
        if attempt > 1 {
            tracing::info!(event = %event.id(), attempt, "handled again");
        }
        if let Some(after) = self.waits_for_budget(event).await? {
            return Ok(Handled::Deferred { after });
        }
        match event {
            Event::AssetSync(event) => Ok(Handled::AssetSync(self.handle_sync(event).await?)),
            Event::EvidenceSweep(event) => Ok(Handled::EvidenceSweep(self.sweep(event).await?)),
        }
    }

    /// How long the event would wait for the request budget before it began, where that is too long.
    async fn waits_for_budget(&self, event: &Event) -> Result<Option<time::Duration>> {
        let (msp, id) = (event.msp(), event.credential());
        // Nothing is decided by what is read here: the run reads its credential when it begins.
        let mut credentials = self.inner.store.credentials(msp).await?.into_iter();
        let Some(credential) = credentials.find(|stored| stored.id == id && stored.is_active)
        else {
            return Ok(None);
        };
        let tenant = &credential.fingerprint;
        let wait = self.inner.ninjaone.budget_wait(id, tenant, Lane::Sweep);
        let wait = wait.await?;
        let after = time::Duration::try_from(wait).unwrap_or(time::Duration::MAX);
        Ok((wait > LONGEST_WAIT).then_some(after))
    }

    /// Sweeps every promoted customer of one MSP at once, without spreading the starts: at the wish of `actor`, whom the audit
    /// trails name. It is the sweep of the schedule's tick that `scheduled_at` falls into, made now: what was swept in that tick
    /// already stays as it is, so that nobody closes a ticket by sweeping twice, or opens more of them than a tick may.
    ///
    /// Different customers run in parallel, `parallel` at a time; one customer's organizations one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store) from planning; what a sweep itself ends with is in the answer.
    pub async fn sweep_now(
        &self,
        msp: MspOrgId,
        scheduled_at: OffsetDateTime,
        parallel: usize,
        actor: Actor,
    ) -> Result<Vec<(SweepEvent, Result<SweepOutcome>)>> {
        let mut customers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let scheduled_at = self.inner.policy.evidence_sweep.last(scheduled_at);
        for event in self.plan_sweeps(scheduled_at).await? {
            if let Event::EvidenceSweep(event) = event
                && event.msp_credential_org_id == msp
            {
                customers
                    .entry(event.customer_compliance_org_id)
                    .or_default()
                    .push(event);
            }
        }
        let subjects = customers.values().map(Vec::len).sum();
        self.tell(&Progress::Started {
            kind: RunKind::EvidenceSweep,
            subjects,
        });
        let sweeps = customers.into_values().map(|events| async move {
            let mut swept = Vec::with_capacity(events.len());
            for event in events {
                let outcome = self.sweep_by(&event, actor).await;
                swept.push((event, outcome));
            }
            swept
        });
        let swept: Vec<_> = stream::iter(sweeps)
            .buffer_unordered(parallel.max(1))
            .collect()
            .await;
        Ok(swept.into_iter().flatten().collect())
    }
}

/// Whose last run says whether an event may be done.
fn subject_of(event: &Event) -> RunSubject {
    match event {
        Event::AssetSync(event) => RunSubject {
            kind: RunKind::AssetSync,
            credential: event.credential(),
            mapping: None,
        },
        Event::EvidenceSweep(event) => RunSubject {
            kind: RunKind::EvidenceSweep,
            credential: event.credential(),
            mapping: Some(event.mapping_id),
        },
    }
}
