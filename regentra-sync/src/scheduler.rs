//! Runs the schedule inside the host's own process: plans each tick when it is due, and handles its events.
//!
//! It is a thin loop over [`Integration::plan`] and [`Integration::handle`], which any other engine can call as well. It keeps no state of
//! its own. Completed work is recorded in the store, so a process may end at any point, and several processes may share one store.
//!
//! - **Missed ticks collapse into one.** After the machine slept or the service was down, only the last due tick of each kind is planned.
//!   Its events that are already done are left out, without a request.
//! - **Starts are spread** over the interval, identically in every process.
//! - **One run at a time** per customer's sweeps and per region's syncs. Others run in parallel, at most [`parallel`](Scheduler::parallel)
//!   in all and at most [`per_connection`](Scheduler::per_connection) for one connection, so that a tenant that answers slowly cannot take
//!   all slots.
//! - **A spent request budget does not block other connections.** An event whose connection would wait more than a minute is not begun. It
//!   returns to the queue until the budget has room.
//! - **The oldest events go first.** If a tick is not done when the next is due, the newer event takes the older one's place in the queue,
//!   so that no customer is left out for good.
//! - **A person's request** has a slot of its own ([`Requests`]): it begins at once, however long the queue is.
//! - **A clock that is set back** is detected: ticks that then lie in the future count as not planned.
//! - **Failed events are retried**, after a longer wait each time, and never beyond the next tick, whose event replaces them. They do not
//!   keep other events from being handled.
//! - **A shutdown** begins nothing new and gives running events a grace period. Events that do not end in time are dropped, which leaves
//!   the store consistent; the next start, here or on another machine, does them.
//!
//! The scheduler does not drain the ticket outbox; the host's bridge does.

mod queue;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, pending},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use self::queue::{Queue, Waiting};
use crate::{
    error::Result,
    host::Progress,
    model::CredentialId,
    schedule::{
        Again, Cadence, Event, EventEnd, EventKey, EventOutcome, PlanCursor, PlanKind, Retry,
    },
    use_cases::Integration,
};

/// Runs the schedule of an [`Integration`].
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use regentra_sync::{Integration, Scheduler, ninjaone::NinjaOneApi, seal::{KeyId, Keyring, MasterKey}, store::MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let keyring = Keyring::new(KeyId::new("2026-11")?, MasterKey::generate()?, MasterKey::generate()?);
/// let integration = Integration::builder(Arc::new(MemoryStore::new()), keyring, Arc::new(NinjaOneApi::new())).build();
///
/// // In a service this future is a signal or the host's own cancellation token.
/// let until_told = tokio::time::sleep(Duration::from_millis(20));
/// let stopped = Scheduler::new(integration).parallel(8).run(until_told).await;
/// assert_eq!(stopped.dropped, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    integration: Integration,
    timetable: Vec<(PlanKind, Cadence)>,
    parallel: usize,
    per_connection: Option<usize>,
    requests: Requests,
    grace: Duration,
    retry: Retry,
}

/// Hands events that a person asked for to a scheduler that runs: see [`Scheduler::requests`]. Clones hand them to the same one.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Inbox>);

#[derive(Debug, Default)]
struct Inbox {
    events: Mutex<Vec<Event>>,
    arrived: Notify,
}

impl Requests {
    /// Has the scheduler handle an event ahead of its schedule, in the slot that is kept for that, unless its subject is being
    /// worked on: then as soon as it is free.
    pub fn request(&self, event: Event) {
        self.events().push(event);
        self.0.arrived.notify_one();
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events())
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a scheduler did until it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Events that were done, here or by another process.
    pub done: u64,
    /// Events that there was nothing to do about any more.
    pub skipped: u64,
    /// Events that were given up: they failed, and no attempt was left before the next tick.
    pub failed: u64,
    /// Events that were being handled at the end of the grace, and were dropped. The next start does them.
    pub dropped: usize,
    /// Events that had not begun, or were to be tried again. The next start does them, if no newer tick is due by then.
    pub left: usize,
}

impl Scheduler {
    /// A scheduler by the integration's own cadences: see [`HostPolicy::asset_sync`](crate::host::HostPolicy::asset_sync) and
    /// [`HostPolicy::evidence_sweep`](crate::host::HostPolicy::evidence_sweep).
    #[must_use]
    pub fn new(integration: Integration) -> Self {
        let policy = integration.policy();
        let retry = policy.retry;
        let timetable = vec![
            (PlanKind::AssetSync, policy.asset_sync),
            (PlanKind::EvidenceSweep, policy.evidence_sweep),
        ];
        Self {
            integration,
            timetable,
            parallel: 4,
            per_connection: None,
            requests: Requests::default(),
            grace: Duration::seconds(25),
            retry,
        }
    }

    /// What is due when, other than the integration's own cadences: a process that only sweeps, or a kind that is due by two.
    /// The operator's card goes on telling the integration's.
    #[must_use]
    pub fn timetable(mut self, timetable: impl IntoIterator<Item = (PlanKind, Cadence)>) -> Self {
        self.timetable = timetable.into_iter().collect();
        self
    }

    /// How many events are handled side by side, at least one. Default: 4. More do not make a NinjaOne tenant answer faster, whose
    /// limit is the bottleneck; many tenants they do.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// Where a host hands in what a person asked for while this scheduler runs. One slot more than [`parallel`](Self::parallel) is
    /// kept for that.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// How many events of one connection are handled side by side, at least one and no more than [`parallel`](Self::parallel).
    /// Default: half of them, so that no one connection has all slots. A host of a single connection sets it to as many.
    #[must_use]
    pub fn per_connection(mut self, events: usize) -> Self {
        self.per_connection = Some(events.max(1));
        self
    }

    /// How long what runs has to come to its end once the scheduler is asked to stop. Default: 25 seconds, within the 30 that
    /// container engines give.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// When an event that did not end well is handled again, and how often. Default: [`HostPolicy::retry`](crate::host::HostPolicy::retry).
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Runs the schedule until `shutdown` is over. A store or a NinjaOne tenant that does not answer never ends it: what happens is
    /// told to the [`ProgressObserver`](crate::host::ProgressObserver) and to `tracing`.
    ///
    /// The future may be dropped as well, which stops everything at once and leaves a whole store.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Stopped {
        self.drive(shutdown, Mode::Forever).await
    }

    /// Does what is due now and is not done yet, without spreading the starts, tries again what fails, and ends: for a host that
    /// is itself started by a timer.
    pub async fn run_due(&self, shutdown: impl Future<Output = ()>) -> Stopped {
        self.drive(shutdown, Mode::Due).await
    }

    #[tracing::instrument(name = "regentra.scheduler", skip_all)]
    async fn drive(&self, shutdown: impl Future<Output = ()>, mode: Mode) -> Stopped {
        let mut shutdown = pin!(shutdown);
        let clock = self.integration.clock();
        let mut work = Work::of(self, mode);
        let mut told_until = None;
        loop {
            let now = clock.now();
            work.notice_set_back(now);
            work.take_requests(now);
            work.plan_what_is_due(now);
            work.start_what_is_ready(now);
            let Some(until) = work.sleeps_until(now) else {
                return work.stopped;
            };
            if work.is_idle() && told_until != Some(until) {
                told_until = Some(until);
                let waiting = work.queue.len();
                self.integration
                    .report_progress(&Progress::Idle { until, waiting });
            }
            // A future that is not `Unpin` has to outlive the two that are made anew each time.
            let ended = {
                let sleep = async {
                    clock.sleep_until(until).await;
                    if until <= now {
                        // There is no later time, at the end of the calendar.
                        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    }
                };
                let sleep = pin!(sleep);
                // A request ends the sleep as the clock does: there is something to do.
                let arrived = pin!(self.requests.0.arrived.notified());
                let sleep = select(sleep, arrived);
                let next = pin!(work.next());
                match select(shutdown.as_mut(), select(next, sleep)).await {
                    Either::Left(((), _)) => None,
                    Either::Right((Either::Left((ended, _)), _)) => Some(Some(ended)),
                    Either::Right((Either::Right((_, _)), _)) => Some(None),
                }
            };
            match ended {
                None => break,
                Some(Some(Next::Planned(planned))) => work.note(planned, clock.now()),
                Some(Some(Next::Ended(ended))) => work.settle(&ended, clock.now()),
                Some(None) => {}
            }
        }
        work.end(self.grace).await
    }
}

/// How long a scheduler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forever,
    Due,
}

/// One line of the timetable, and how far it is planned.
#[derive(Debug)]
struct Line {
    kind: PlanKind,
    cadence: Cadence,
    planned: Option<OffsetDateTime>,
    is_planning: bool,
    /// The tick that is planned now, and how far.
    tick: Option<Tick>,
    failures: u32,
    retry_at: Option<OffsetDateTime>,
}

/// A tick of which some pages are planned.
#[derive(Clone, Copy, Debug)]
struct Tick {
    scheduled_at: OffsetDateTime,
    next: PlanCursor,
    /// Events that are to be handled, and those that were done before.
    events: usize,
    done: usize,
}

/// A page of a tick that was planned, or not.
struct Planned {
    line: usize,
    scheduled_at: OffsetDateTime,
    page: Result<OutstandingPage>,
}

/// What is left to do of a page of a plan.
struct OutstandingPage {
    events: Vec<Event>,
    done: usize,
    next: Option<PlanCursor>,
}

/// An event that was handled.
struct Ended {
    waiting: Waiting,
    end: EventEnd,
}

enum Next {
    Planned(Planned),
    Ended(Box<Ended>),
}

/// Everything that a running scheduler has in hand.
struct Work<'a> {
    scheduler: &'a Scheduler,
    mode: Mode,
    lines: Vec<Line>,
    queue: Queue,
    requested: Vec<Waiting>,
    /// How many events run that a person asked for.
    requested_running: usize,
    planning: FuturesUnordered<BoxFuture<'a, Planned>>,
    running: FuturesUnordered<BoxFuture<'a, Ended>>,
    keys: BTreeSet<EventKey>,
    /// How many events of each connection run.
    connections: BTreeMap<CredentialId, usize>,
    /// What the clock showed last.
    seen: Option<OffsetDateTime>,
    stopped: Stopped,
}

impl<'a> Work<'a> {
    fn of(scheduler: &'a Scheduler, mode: Mode) -> Self {
        let lines = scheduler.timetable.iter().map(|(kind, cadence)| Line {
            kind: *kind,
            cadence: *cadence,
            planned: None,
            is_planning: false,
            tick: None,
            failures: 0,
            retry_at: None,
        });
        Self {
            scheduler,
            mode,
            lines: lines.collect(),
            queue: Queue::default(),
            requested: Vec::new(),
            requested_running: 0,
            planning: FuturesUnordered::new(),
            running: FuturesUnordered::new(),
            keys: BTreeSet::new(),
            connections: BTreeMap::new(),
            seen: None,
            stopped: Stopped::default(),
        }
    }

    fn tell(&self, progress: &Progress) {
        self.scheduler.integration.report_progress(progress);
    }

    /// Forgets what a clock planned that was set back since: ticks that lie in the future, and waits for a time that is far off now.
    fn notice_set_back(&mut self, now: OffsetDateTime) {
        let is_set_back = self.seen.is_some_and(|seen| now < seen);
        self.seen = Some(now);
        if !is_set_back {
            return;
        }
        let longest = self.scheduler.retry.longest;
        for line in &mut self.lines {
            line.planned = line.planned.filter(|planned| *planned <= now);
            let latest = now.saturating_add(longest);
            line.retry_at = line.retry_at.map(|at| at.min(latest));
        }
        self.queue.drop_ahead(now);
        let every = self.lines.iter().map(|line| line.cadence.every).max();
        let latest = now.saturating_add(every.unwrap_or(longest));
        self.queue.no_later_than(latest);
    }

    fn take_requests(&mut self, now: OffsetDateTime) {
        for event in self.scheduler.requests.take() {
            // Asked for again before it began, it is one event.
            let is_same = |waiting: &Waiting| {
                waiting.event.key() == event.key() && waiting.event.kind() == event.kind()
            };
            if matches!(event, Event::RequestedSync(_)) && self.requested.iter().any(is_same) {
                continue;
            }
            let line = self.lines.iter().find(|line| line.kind == event.kind());
            let every = line.map_or(Duration::DAY, |line| line.cadence.every);
            self.requested.push(Waiting {
                event,
                at: now,
                attempt: 1,
                until: now.saturating_add(every),
                is_requested: true,
            });
        }
    }

    /// Begins to plan the last tick of every line that is due and not planned. Those before it were missed.
    fn plan_what_is_due(&mut self, now: OffsetDateTime) {
        for (place, line) in self.lines.iter_mut().enumerate() {
            let due = line.cadence.last(now);
            let is_planned = line
                .planned
                .is_some_and(|planned| due <= planned || self.mode == Mode::Due);
            if is_planned || line.is_planning || line.retry_at.is_some_and(|at| now < at) {
                continue;
            }
            line.is_planning = true;
            let (integration, kind) = (&self.scheduler.integration, line.kind);
            let length = match self.mode {
                Mode::Forever => line.cadence.every,
                Mode::Due => Duration::ZERO,
            };
            // Pages that were planned before one that failed are in the line already.
            line.tick = line.tick.filter(|tick| tick.scheduled_at == due);
            let from = line.tick.map(|tick| tick.next);
            let plan = async move {
                let mut page = integration.plan(kind, due, from).await?;
                for event in &mut page.events {
                    event.start_within(length);
                }
                let planned = page.events.len();
                let events = integration.outstanding(page.events).await?;
                Ok(OutstandingPage {
                    done: planned - events.len(),
                    events,
                    next: page.next,
                })
            };
            let planned = plan.map(move |page| Planned {
                line: place,
                scheduled_at: due,
                page,
            });
            self.planning.push(Box::pin(planned));
        }
    }

    /// Puts a page's events into the line. The next page is planned at once, the next tick when it is due.
    fn note(&mut self, planned: Planned, now: OffsetDateTime) {
        let Planned {
            line,
            scheduled_at,
            page,
        } = planned;
        let Some(line) = self.lines.get_mut(line) else {
            return;
        };
        line.is_planning = false;
        // The clock was set back while it was planned.
        if scheduled_at > now {
            line.tick = None;
            return;
        }
        let kind = line.kind;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                line.failures = line.failures.saturating_add(1);
                let retry_at = now.saturating_add(self.scheduler.retry.wait(line.failures));
                line.retry_at = Some(retry_at);
                tracing::error!(kind = kind.as_str(), %error, "could not be planned");
                self.tell(&Progress::NotPlanned {
                    kind,
                    error: error.kind().as_str(),
                    retry_at,
                });
                return;
            }
        };
        let before = line.tick.take();
        let events = before.map_or(0, |tick| tick.events) + page.events.len();
        let done = before.map_or(0, |tick| tick.done) + page.done;
        (line.failures, line.retry_at) = (0, None);
        let until = line.cadence.next(scheduled_at);
        if let Some(next) = page.next {
            line.tick = Some(Tick {
                scheduled_at,
                next,
                events,
                done,
            });
        } else {
            let passed = line.planned.map(|planned| scheduled_at - planned);
            let ticks = passed.map_or(1, |passed| ticks(passed, line.cadence));
            line.planned = Some(scheduled_at);
            tracing::info!(kind = kind.as_str(), %scheduled_at, events, done, "planned");
            self.tell(&Progress::Planned {
                kind,
                scheduled_at,
                events,
                done,
                missed: ticks.saturating_sub(1),
            });
        }
        for event in page.events {
            let at = event.starts_at();
            self.queue.put(Waiting {
                event,
                at,
                attempt: 1,
                until,
                is_requested: false,
            });
        }
    }

    fn start_what_is_ready(&mut self, now: OffsetDateTime) {
        let parallel = self.scheduler.parallel;
        let half = (parallel / 2).max(1);
        let most = self.scheduler.per_connection.unwrap_or(half);
        while self.running.len() <= parallel {
            let keys = &self.keys;
            let is_ready =
                |waiting: &Waiting| waiting.at <= now && !keys.contains(&waiting.event.key());
            let Some(place) = self.requested.iter().position(is_ready) else {
                break;
            };
            let waiting = self.requested.remove(place);
            self.requested_running += 1;
            self.start(waiting);
        }
        while self.running.len().saturating_sub(self.requested_running) < parallel {
            let (keys, connections) = (&self.keys, &self.connections);
            let is_free = |event: &Event| {
                let running = connections.get(&event.credential());
                !keys.contains(&event.key()) && running.is_none_or(|running| *running < most)
            };
            let Some(waiting) = self.queue.take(now, is_free) else {
                return;
            };
            self.start(waiting);
        }
    }

    fn start(&mut self, waiting: Waiting) {
        self.keys.insert(waiting.event.key());
        let connection = waiting.event.credential();
        *self.connections.entry(connection).or_default() += 1;
        self.tell(&Progress::EventStarted {
            kind: waiting.event.kind(),
            event: waiting.event.id(),
            attempt: waiting.attempt,
        });
        let (integration, retry) = (&self.scheduler.integration, self.scheduler.retry);
        self.running.push(Box::pin(async move {
            let Waiting {
                event,
                attempt,
                until,
                ..
            } = &waiting;
            let end = integration.handle_by(event, *attempt, *until, retry).await;
            Ended { waiting, end }
        }));
    }

    /// Puts an event back to be handled again.
    fn put_back(&mut self, waiting: Waiting) {
        if waiting.is_requested {
            self.requested.push(waiting);
        } else {
            self.queue.put(waiting);
        }
    }

    /// What is to be done about an event that was handled.
    fn settle(&mut self, ended: &Ended, now: OffsetDateTime) {
        let Ended { waiting, end } = ended;
        self.keys.remove(&waiting.event.key());
        let connection = waiting.event.credential();
        if let Some(running) = self.connections.get_mut(&connection) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.connections.remove(&connection);
            }
        }
        self.requested_running -= usize::from(waiting.is_requested);
        let outcome = end.outcome;
        let retry_at = match end.again {
            Again::Never => None,
            Again::Now => Some(now),
            Again::After(wait) => {
                let wait = Duration::try_from(wait).unwrap_or(Duration::MAX);
                Some(now.saturating_add(wait))
            }
        };
        if let Some(at) = retry_at {
            // What was not begun was no attempt.
            let attempts = u32::from(outcome != EventOutcome::Deferred);
            self.put_back(Waiting {
                at,
                attempt: waiting.attempt.saturating_add(attempts),
                ..waiting.clone()
            });
        } else if outcome == EventOutcome::Skipped {
            self.stopped.skipped += 1;
        } else if outcome.is_over() {
            self.stopped.done += 1;
        } else {
            self.stopped.failed += 1;
        }
        self.tell(&Progress::EventFinished {
            kind: waiting.event.kind(),
            event: waiting.event.id(),
            outcome,
            retry_at,
        });
    }

    /// The next time at which there is something to do besides waiting for what runs; `None` when everything is done.
    fn sleeps_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let is_over = self.mode == Mode::Due
            && self.lines.iter().all(|line| line.planned.is_some())
            && self.queue.len() == 0
            && self.requested.is_empty()
            && self.running.is_empty();
        if is_over {
            return None;
        }
        let next = self.lines.iter().map(|line| {
            let next = line.cadence.next(now);
            let retry = line.retry_at.filter(|_| !line.is_planning);
            retry.map_or(next, |retry| next.min(retry))
        });
        let scheduled = self.running.len().saturating_sub(self.requested_running);
        let has_room = scheduled < self.scheduler.parallel;
        let start = self.queue.next_start(now).filter(|_| has_room);
        let requested = self.requested.iter().map(|waiting| waiting.at);
        let start = start
            .into_iter()
            .chain(requested.filter(|at| *at > now))
            .min();
        // Without a timetable there is never anything to do.
        Some(
            next.chain(start)
                .min()
                .unwrap_or(now.saturating_add(Duration::DAY)),
        )
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.planning.is_empty()
    }

    /// Whatever ends next of what is planned and handled.
    async fn next(&mut self) -> Next {
        let planned = next_of(&mut self.planning);
        let ended = next_of(&mut self.running);
        match select(pin!(planned), pin!(ended)).await {
            Either::Left((planned, _)) => Next::Planned(planned),
            Either::Right((ended, _)) => Next::Ended(Box::new(ended)),
        }
    }

    /// Lets what runs come to its end, and drops what does not.
    async fn end(mut self, grace: Duration) -> Stopped {
        self.planning.clear();
        let clock = self.scheduler.integration.clock();
        let until = clock.now().saturating_add(grace);
        let running = self.running.len();
        tracing::info!(running, %until, "stopping");
        self.tell(&Progress::Stopping { running, until });
        let mut patience = clock.sleep_until(until);
        while !self.running.is_empty() {
            let ended = {
                let next = pin!(next_of(&mut self.running));
                match select(next, patience.as_mut()).await {
                    Either::Left((ended, _)) => ended,
                    Either::Right(((), _)) => break,
                }
            };
            self.settle(&ended, clock.now());
        }
        self.stopped.dropped = self.running.len();
        self.stopped.left = self.queue.len() + self.requested.len();
        self.stopped
    }
}

/// The next of these that ends; never, while there is none.
async fn next_of<T>(futures: &mut FuturesUnordered<BoxFuture<'_, T>>) -> T {
    match futures.next().await {
        Some(ended) => ended,
        None => pending().await,
    }
}

/// How many ticks of a cadence are in this time.
fn ticks(passed: Duration, cadence: Cadence) -> u64 {
    let every = cadence.every.max(Duration::SECOND).whole_seconds();
    u64::try_from(passed.whole_seconds() / every).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::HostPolicy,
        ninjaone::NinjaOneApi,
        seal::{KeyId, Keyring, MasterKey},
        store::MemoryStore,
    };

    fn scheduler(policy: HostPolicy) -> Scheduler {
        let key = || MasterKey::from_bytes([1; 32]);
        let keyring = Keyring::new(KeyId::new("one").unwrap(), key(), key());
        let ninjaone = Arc::new(NinjaOneApi::new());
        let integration = Integration::builder(Arc::new(MemoryStore::new()), keyring, ninjaone);
        Scheduler::new(integration.policy(policy).build())
    }

    fn default() -> Scheduler {
        scheduler(HostPolicy::default())
    }

    #[test]
    fn the_cadences_are_the_integrations_unless_said_otherwise() {
        let policy = HostPolicy::default().evidence_sweep(Cadence::SAAS_ALERTS);
        let expected = [
            (PlanKind::AssetSync, Cadence::ASSET_SYNC),
            (PlanKind::EvidenceSweep, Cadence::SAAS_ALERTS),
        ];
        assert_eq!(scheduler(policy).timetable, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_timetable_it_waits_to_be_stopped() {
        let told = tokio::time::sleep(std::time::Duration::from_secs(5));
        let stopped = default().timetable([]).run(told).await;
        assert_eq!(stopped, Stopped::default());
    }
}
