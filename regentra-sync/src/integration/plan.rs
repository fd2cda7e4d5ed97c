use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Integration, MappingSync, SweepOutcome};
use crate::{
    EventId, MspOrgId,
    error::Result,
    event::{Event, SweepEvent, SyncEvent},
    progress::Progress,
    run::RunKind,
    schedule::spread,
};

/// How many rows of the plan are read at a time.
const PAGE: u32 = 1_000;

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// Asset syncs: one event per connected region.
    AssetSync,
    /// Evidence sweeps: one event per mapped organization whose company was promoted.
    EvidenceSweep,
}

/// How a planned event ended.
#[derive(Debug)]
pub enum Handled {
    /// An asset sync, organization by organization.
    AssetSync(Vec<MappingSync>),
    /// An evidence sweep.
    EvidenceSweep(SweepOutcome),
}

impl Integration {
    /// Plans the work of one tick over all MSPs: stage 1. Two schedulers that plan the same tick emit the same events.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.plan", skip_all, fields(?kind, %scheduled_at))]
    pub async fn plan(&self, kind: PlanKind, scheduled_at: OffsetDateTime) -> Result<Vec<Event>> {
        match kind {
            PlanKind::AssetSync => self.plan_syncs(scheduled_at).await,
            PlanKind::EvidenceSweep => self.plan_sweeps(scheduled_at).await,
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

    /// Handles a planned event: stage 2. It may run again for one event, here or elsewhere; `attempt` counts from 1 and is for
    /// the log.
    ///
    /// # Errors
    /// As [`sync_assets`](Self::sync_assets) and [`sweep`](Self::sweep).
    pub async fn handle(&self, event: &Event, attempt: u32) -> Result<Handled> {
        if attempt > 1 {
            tracing::info!(event = %event.id(), attempt, "handled again");
        }
        match event {
            Event::AssetSync(event) => Ok(Handled::AssetSync(self.handle_sync(event).await?)),
            Event::EvidenceSweep(event) => Ok(Handled::EvidenceSweep(self.sweep(event).await?)),
        }
    }

    /// Sweeps every promoted customer of one MSP at once, as one tick would, without spreading the starts: for demonstrations
    /// and tests. Different customers run in parallel, `parallel` at a time; one customer's organizations one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) from planning; what a sweep itself ends with is in the answer.
    pub async fn sweep_now(
        &self,
        msp: MspOrgId,
        scheduled_at: OffsetDateTime,
        parallel: usize,
    ) -> Result<Vec<(SweepEvent, Result<SweepOutcome>)>> {
        let mut customers: BTreeMap<_, Vec<_>> = BTreeMap::new();
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
                let outcome = self.sweep(&event).await;
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
