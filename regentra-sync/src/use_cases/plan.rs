use std::collections::{BTreeMap, btree_map::Entry};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use ninjaone_client::Lane;
use time::{Duration, OffsetDateTime};

use super::{
    asset_sync::{MappingSync, SyncOutcome},
    evidence_sweep::SweepOutcome,
    integration::Integration,
};
use crate::{
    error::{Error, ErrorKind, Result},
    host::Progress,
    model::{
        Actor, CredentialId, EventId, MappingId, MspOrgId, RunKind, RunOutcome, RunRecord,
        RunSubject, StrategyChoice,
    },
    rules::{FEW_CUSTOMERS, StrategyPlan},
    schedule::{
        Attempt, Event, EventEnd, EventOutcome, GroupedSweep, PlanCursor, PlanKind, PlanPage,
        RequestedSyncEvent, Retry, SweepEvent, SweepGroup, SyncEvent, spread,
    },
    store::ActiveCredential,
    views::strategy_of,
};

/// An event that would wait longer than this for the request budget is not begun.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// An organization that was synced so shortly before a request for it is up to date: asked for twice within a minute, it is synced once.
const JUST_SYNCED: Duration = Duration::minutes(1);

/// An organization to sync ahead of the schedule.
#[derive(Clone, Debug)]
pub struct RequestSync {
    /// The organization's mapping.
    pub mapping: MappingId,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

/// A sweep that is made now.
#[derive(Clone, Debug)]
pub struct SweepNow {
    /// A time of the tick that it belongs to, such as now.
    pub scheduled_at: OffsetDateTime,
    /// How many customers are swept side by side.
    pub parallel: usize,
    /// Who asks.
    pub actor: Actor,
}

impl Integration {
    /// Plans the work of one tick over all MSPs, page by page: stage 1. Begin without a cursor, and go on with
    /// [`PlanPage::next`] until there is none. Two processes that plan the same tick emit the same events.
    ///
    /// With an anchor sink, the last page of the sweeps also makes the roots over the heads of the ticks before, and hands them out;
    /// what the sink does not take within ten seconds waits for the next tick.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.plan", skip_all, fields(?kind, %scheduled_at))]
    pub async fn plan(
        &self,
        kind: PlanKind,
        scheduled_at: OffsetDateTime,
        from: Option<PlanCursor>,
    ) -> Result<PlanPage> {
        match kind {
            PlanKind::AssetSync => self.plan_syncs(scheduled_at, from).await,
            PlanKind::EvidenceSweep => {
                let page = self.plan_sweeps(scheduled_at, from).await?;
                if page.next.is_none() {
                    self.anchor_before(scheduled_at).await;
                }
                Ok(page)
            }
        }
    }

    async fn plan_syncs(
        &self,
        scheduled_at: OffsetDateTime,
        from: Option<PlanCursor>,
    ) -> Result<PlanPage> {
        let (length, limit) = (
            self.inner.policy.asset_sync.every,
            self.inner.policy.plan_page,
        );
        let after = from.map(|from| from.connection);
        let page = self.inner.store.active_credentials(after, limit).await?;
        let next = page
            .last()
            .map(|last| PlanCursor::after(last.credential, None));
        let events = page.into_iter().map(|active| {
            Event::AssetSync(SyncEvent {
                id: EventId::of_sync(active.credential, scheduled_at),
                msp_org_id: active.msp,
                region: active.region,
                scheduled_at,
                starts_at: spread(scheduled_at, length, active.credential.as_uuid()),
            })
        });
        Ok(PlanPage::new(events.collect(), next))
    }

    async fn plan_sweeps(
        &self,
        scheduled_at: OffsetDateTime,
        from: Option<PlanCursor>,
    ) -> Result<PlanPage> {
        let limit = self.inner.policy.plan_page as usize;
        let mut events = Vec::new();
        // A connection whose events did not fit on the page before comes once more.
        let mut after = from.and_then(|from| match from.mapping {
            Some(_) => id_before(from.connection),
            None => Some(from.connection),
        });
        let within = from.and_then(|from| Some((from.connection, from.mapping?)));
        loop {
            let store = &self.inner.store;
            let connections = store.active_credentials(after, CONNECTIONS_AT_ONCE).await?;
            let Some(last) = connections.last() else {
                return Ok(PlanPage::new(events, None));
            };
            after = Some(last.credential);
            for connection in connections {
                let within = within.filter(|(of, _)| *of == connection.credential);
                let planned = self.plan_connection(&connection, scheduled_at).await?;
                let begin = within.and_then(|(_, mapping)| {
                    let ended = planned
                        .iter()
                        .position(|event| last_mapping(event) == Some(mapping));
                    ended.map(|place| place + 1)
                });
                let rest = planned.into_iter().skip(begin.unwrap_or(0));
                let mut rest = rest.peekable();
                while events.len() < limit
                    && let Some(event) = rest.next()
                {
                    events.push(event);
                }
                if events.len() >= limit {
                    let mapping = rest.peek().and_then(|_| last_mapping(events.last()?));
                    let next = PlanCursor::after(connection.credential, mapping);
                    return Ok(PlanPage::new(events, Some(next)));
                }
            }
        }
    }

    /// The sweeps of one connection, in the order of their starts: each by itself, or in groups.
    async fn plan_connection(
        &self,
        connection: &ActiveCredential,
        scheduled_at: OffsetDateTime,
    ) -> Result<Vec<Event>> {
        let (msp, credential) = (connection.msp, connection.credential);
        let mut sweeps = self.promoted(connection, scheduled_at).await?;
        sweeps.sort_by_key(|sweep| (sweep.starts_at, sweep.mapping_id));
        let plan = self.strategy(msp, credential, sweeps.iter().map(|sweep| sweep.mapping_id));
        let plan = plan.await?;
        if plan.groups.is_empty() {
            sweeps.sort_by_key(|sweep| sweep.mapping_id);
            return Ok(sweeps.into_iter().map(Event::EvidenceSweep).collect());
        }
        let groups = plan.groups.iter().filter_map(|group| {
            let sweeps = sweeps.get(group.customers.clone())?;
            let first = sweeps.first()?;
            Some(Event::SweepGroup(SweepGroup {
                id: EventId::of_sweep_group(credential, first.mapping_id, scheduled_at),
                msp_credential_org_id: msp,
                region: connection.region.clone(),
                scheduled_at,
                starts_at: first.starts_at,
                strategy: plan.strategy,
                reason: plan.reason,
                costs: plan.costs,
                cost: group.cost,
                sweeps: sweeps.iter().map(GroupedSweep::of).collect(),
            }))
        });
        Ok(groups.collect())
    }

    /// A sweep of every mapped organization of a connection whose company was promoted.
    async fn promoted(
        &self,
        connection: &ActiveCredential,
        scheduled_at: OffsetDateTime,
    ) -> Result<Vec<SweepEvent>> {
        let (msp, store) = (connection.msp, &self.inner.store);
        let mappings = store.mappings(msp, connection.credential).await?;
        if mappings
            .iter()
            .all(|mapping| mapping.state.company().is_none())
        {
            return Ok(Vec::new());
        }
        let companies = store.companies(msp).await?.into_iter();
        let promoted: BTreeMap<_, _> = companies
            .filter_map(|company| Some((company.id, company.converted_to?)))
            .collect();
        let length = self.inner.policy.evidence_sweep.every;
        let sweeps = mappings.into_iter().filter_map(|mapping| {
            let customer = promoted.get(&mapping.state.company()?)?;
            Some(SweepEvent {
                id: EventId::of_sweep(mapping.id, scheduled_at),
                msp_credential_org_id: msp,
                customer_compliance_org_id: *customer,
                mapping_id: mapping.id,
                region: connection.region.clone(),
                external_org_id: mapping.external_org_id,
                scheduled_at,
                starts_at: spread(scheduled_at, length, mapping.id.as_uuid()),
            })
        });
        Ok(sweeps.collect())
    }

    /// How the sweeps of these organizations of a connection are read.
    async fn strategy(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
        organizations: impl ExactSizeIterator<Item = MappingId>,
    ) -> Result<StrategyPlan> {
        let store = &self.inner.store;
        let settings = store.connection_settings(msp, credential).await?;
        // Settings that cannot be read are an error of the sweeps, which say so.
        let applied = self
            .inner
            .policy
            .apply(&settings.unwrap_or_default().settings);
        let applied = applied.unwrap_or_default();
        let is_asked = organizations.len() > FEW_CUSTOMERS
            && applied.sweep_strategy != StrategyChoice::PerCustomer;
        let runs = if is_asked {
            self.views().runs(msp).await?
        } else {
            Vec::new()
        };
        Ok(strategy_of(
            organizations,
            &applied,
            &runs,
            credential,
            self.now(),
        ))
    }

    /// The event that syncs the assets of one mapped organization, because a person asks for it: *Sync With NinjaOne* on a company.
    /// Nothing is asked or written yet. Hand it to what runs events: [`Scheduler::requests`](crate::Scheduler::requests), an
    /// engine's queue, or [`handle`](Self::handle) itself. An organization that was synced within the minute before is not
    /// synced again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the MSP has no such mapping, [`ErrorKind::Invalid`] when the organization is not mapped to a
    /// company: map it first; [`ErrorKind::NotConnected`] when its region is not connected; [`ErrorKind::Store`].
    pub async fn request_sync(&self, msp: MspOrgId, request: RequestSync) -> Result<Event> {
        let RequestSync {
            mapping,
            actor,
            event,
        } = request;
        let Some(mapping) = self.inner.store.mapping(msp, mapping).await? else {
            let message = "there is no such organization: look at the list";
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        if mapping.state.company().is_none() {
            let message = "this organization is not mapped to a company: map it first";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let region = self.connected(msp, mapping.credential).await?.region;
        Ok(Event::RequestedSync(RequestedSyncEvent {
            id: event.for_mapping(mapping.id),
            msp_org_id: msp,
            region,
            mapping_id: mapping.id,
            actor,
            requested_at: self.now(),
        }))
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
            Event::AssetSync(_) | Event::RequestedSync(_) => {
                Ok(run.outcome == RunOutcome::Succeeded)
            }
            // The last run may have been a person's own; the store remembers exactly.
            Event::EvidenceSweep(event) => self.is_swept(event).await,
            Event::SweepGroup(group) => {
                for event in group.events() {
                    if !self.is_swept(&event).await? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Handles an event: stage 2. It may be delivered again, here or elsewhere, without doubling anything; `attempt` counts from 1.
    /// The answer says what came of it and when to deliver it again, by [`HostPolicy::retry`](crate::host::HostPolicy::retry). What failed
    /// is in the log, in the record of the run, and on the operator's card.
    pub async fn handle(&self, event: &Event, attempt: u32) -> EventEnd {
        let cadence = self.cadence(event.kind());
        let until = match event {
            Event::RequestedSync(event) => event.requested_at.saturating_add(cadence.every),
            _ => cadence.next(event.scheduled_at()),
        };
        self.handle_by(event, attempt, until, self.inner.policy.retry)
            .await
    }

    /// The same by another cadence and another rule of retries than the policy's: nothing is tried again from `until` on.
    pub(crate) async fn handle_by(
        &self,
        event: &Event,
        attempt: u32,
        until: OffsetDateTime,
        retry: Retry,
    ) -> EventEnd {
        if attempt > 1 {
            tracing::info!(event = %event.id(), attempt, "handled again");
        }
        let handled = match self.waits_for_budget(event).await {
            Ok(Some(wait)) => return Retry::deferred(event, wait),
            Ok(None) => match event {
                Event::AssetSync(event) => self.sync(event).await.map(|all| of_all(&all)),
                Event::EvidenceSweep(event) => {
                    self.sweep(event).await.map(|swept| of_sweep(&swept))
                }
                Event::RequestedSync(event) => self.handle_requested(event).await,
                Event::SweepGroup(group) => {
                    self.sweep_group(group).await.map(|swept| of_group(&swept))
                }
            },
            Err(error) => Err(error),
        };
        let (outcome, is_retryable) = handled.unwrap_or_else(|error| {
            tracing::warn!(event = %event.id(), attempt, %error, "an event failed");
            of_error(&error)
        });
        let attempt = Attempt {
            event,
            number: attempt,
            now: self.now(),
            until,
            lease: self.inner.policy.lease_length,
        };
        retry.verdict(attempt, outcome, is_retryable)
    }

    async fn handle_requested(&self, event: &RequestedSyncEvent) -> Result<(EventOutcome, bool)> {
        let (msp, credential) = (event.msp_org_id, event.credential());
        let subject = RunSubject::of_mapping(RunKind::AssetSync, credential, event.mapping_id);
        let since = event.requested_at.saturating_sub(JUST_SYNCED);
        let last = self.last_run(msp, subject).await?;
        if last.is_some_and(|run| run.was_done_since(since)) {
            return Ok((EventOutcome::DoneBefore, false));
        }
        let synced = self.sync_requested(event).await?;
        if synced.is_empty() {
            // It is not mapped any more.
            return Ok((EventOutcome::Skipped, false));
        }
        Ok(of_all(&synced))
    }

    /// How long the event would wait for the request budget before it began, where that is too long.
    async fn waits_for_budget(&self, event: &Event) -> Result<Option<std::time::Duration>> {
        let (msp, id) = (event.msp(), event.credential());
        // Nothing is decided by what is read here: the run reads its credential when it begins.
        let mut credentials = self.inner.store.credentials(msp).await?.into_iter();
        let Some(credential) = credentials.find(|stored| stored.id == id && stored.is_active)
        else {
            return Ok(None);
        };
        let tenant = &credential.fingerprint;
        let lane = match event {
            Event::RequestedSync(_) => Lane::Interactive,
            _ => Lane::Sweep,
        };
        // One pass begins when all of it has room, so that it does not stand half read.
        let requests = match event {
            Event::SweepGroup(group) => u32::try_from(group.cost).unwrap_or(u32::MAX),
            _ => 1,
        };
        let ninjaone = &self.inner.ninjaone;
        let wait = ninjaone.budget_wait(id, tenant, lane, requests).await?;
        Ok((wait > LONGEST_WAIT).then_some(wait))
    }

    /// Sweeps every promoted customer of one MSP at once, without spreading the starts: asked for by `actor`, whom the audit
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
        request: SweepNow,
    ) -> Result<Vec<(SweepEvent, Result<SweepOutcome>)>> {
        let SweepNow {
            scheduled_at,
            parallel,
            actor,
        } = request;
        let scheduled_at = self.inner.policy.evidence_sweep.last(scheduled_at);
        let (mut customers, mut groups): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) =
            Default::default();
        for credential in self.inner.store.credentials(msp).await? {
            if !credential.is_active {
                continue;
            }
            let connection = ActiveCredential {
                msp,
                credential: credential.id,
                region: credential.region,
            };
            for event in self.plan_connection(&connection, scheduled_at).await? {
                match event {
                    Event::EvidenceSweep(event) => {
                        let customer = event.customer_compliance_org_id;
                        customers.entry(customer).or_default().push(event);
                    }
                    Event::SweepGroup(group) => {
                        groups.entry(connection.credential).or_default().push(group);
                    }
                    Event::AssetSync(_) | Event::RequestedSync(_) => {}
                }
            }
        }
        let grouped = groups.values().flatten().map(|group| group.sweeps.len());
        let subjects = customers.values().map(Vec::len).chain(grouped).sum();
        self.report_progress(&Progress::Started {
            kind: RunKind::EvidenceSweep,
            subjects,
        });
        for events in customers.values_mut() {
            events.sort_by_key(|event| event.mapping_id);
        }
        let alone = customers.into_values().map(|events| {
            let sweeps = async move {
                let mut swept = Vec::with_capacity(events.len());
                for event in events {
                    let outcome = self.sweep_by(&event, actor).await;
                    swept.push((event, outcome));
                }
                swept
            };
            sweeps.boxed()
        });
        let together = groups.into_values().map(|groups| {
            let sweeps = async move {
                let mut swept = Vec::new();
                for group in groups {
                    match self.sweep_group_by(&group, actor).await {
                        Ok(outcomes) => swept.extend(outcomes),
                        Err(error) => {
                            swept.extend(
                                group.events().map(|event| (event, Err(error.of_another()))),
                            );
                        }
                    }
                }
                swept
            };
            sweeps.boxed()
        });
        let swept: Vec<_> = stream::iter(alone.chain(together))
            .buffer_unordered(parallel.max(1))
            .collect()
            .await;
        Ok(swept.into_iter().flatten().collect())
    }
}

/// Connections that are read at once when sweeps are planned.
const CONNECTIONS_AT_ONCE: u32 = 100;

/// The id before this one.
fn id_before(credential: CredentialId) -> Option<CredentialId> {
    let before = credential.as_uuid().as_u128().checked_sub(1)?;
    Some(CredentialId::from_uuid(uuid::Uuid::from_u128(before)))
}

/// The last mapping that an event of a sweep is about.
fn last_mapping(event: &Event) -> Option<MappingId> {
    match event {
        Event::EvidenceSweep(event) => Some(event.mapping_id),
        Event::SweepGroup(group) => group.sweeps.last().map(|sweep| sweep.mapping_id),
        Event::AssetSync(_) | Event::RequestedSync(_) => None,
    }
}

/// Whose last run says whether an event may be done.
fn subject_of(event: &Event) -> RunSubject {
    let (kind, credential) = (event.kind(), event.credential());
    let kind = match kind {
        PlanKind::AssetSync => RunKind::AssetSync,
        PlanKind::EvidenceSweep => RunKind::EvidenceSweep,
    };
    match event {
        Event::AssetSync(_) | Event::SweepGroup(_) => RunSubject::of_connection(kind, credential),
        Event::EvidenceSweep(event) => RunSubject::of_mapping(kind, credential, event.mapping_id),
        Event::RequestedSync(event) => RunSubject::of_mapping(kind, credential, event.mapping_id),
    }
}

/// What came of a sweep, and whether it is worth handling again.
const fn of_sweep(swept: &SweepOutcome) -> (EventOutcome, bool) {
    match swept {
        SweepOutcome::Committed(_) => (EventOutcome::Done, false),
        SweepOutcome::AlreadyCommitted => (EventOutcome::DoneBefore, false),
        SweepOutcome::Skipped(_) => (EventOutcome::Skipped, false),
        SweepOutcome::Superseded(_) => (EventOutcome::Superseded, true),
        SweepOutcome::Busy => (EventOutcome::Busy, true),
    }
}

/// The same of the sweeps of a group together: what is left to do of it decides.
fn of_group(swept: &[(SweepEvent, Result<SweepOutcome>)]) -> (EventOutcome, bool) {
    let ends = swept.iter().map(|(_, outcome)| match outcome {
        Ok(swept) => of_sweep(swept),
        Err(error) => of_error(error),
    });
    let rank = |(end, again): &(EventOutcome, bool)| {
        let rank = match end {
            EventOutcome::Failed { .. } => 4,
            EventOutcome::Busy | EventOutcome::Superseded => 3,
            EventOutcome::Done => 2,
            EventOutcome::DoneBefore => 1,
            _ => 0,
        };
        (*again, rank)
    };
    let worst = ends.max_by_key(rank);
    worst.unwrap_or((EventOutcome::Skipped, false))
}

/// The same of the organizations of an asset sync together.
fn of_all(synced: &[MappingSync]) -> (EventOutcome, bool) {
    let ends = synced.iter().filter_map(|synced| match &synced.outcome {
        Ok(SyncOutcome::Synced { .. } | SyncOutcome::Missing | SyncOutcome::OutOfView) => None,
        Ok(SyncOutcome::Superseded) => Some((EventOutcome::Superseded, true)),
        Err(error) => Some(of_error(error)),
    });
    // One that may come right is reason enough to try again; those that are done are not asked again.
    let worst =
        ends.max_by_key(|(end, again)| (*again, matches!(end, EventOutcome::Failed { .. })));
    worst.unwrap_or((EventOutcome::Done, false))
}

/// The same of an error.
fn of_error(error: &Error) -> (EventOutcome, bool) {
    match error.kind() {
        ErrorKind::Busy => (EventOutcome::Busy, true),
        ErrorKind::Superseded => (EventOutcome::Superseded, true),
        ErrorKind::NotConnected => (EventOutcome::Skipped, false),
        error_kind => {
            let failed = EventOutcome::Failed { error: error_kind };
            (failed, error.is_retryable())
        }
    }
}
