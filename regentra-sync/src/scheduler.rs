//! Runs the schedule inside the host's own process: plans each tick when it is due, and handles its events.
//!
//! It is a thin loop over [`Integration::plan`] and [`Integration::handle`], which any other engine can drive as well. It keeps
//! nothing of its own: what is done is in the store, so that a process may end at any point, and several may share one store.
//!
//! - **Missed ticks collapse into one.** After a sleep or a downtime only the last tick of a kind that is due is planned, and what of
//!   it is done already is left out, without a request.
//! - **Starts are spread** over the interval, alike in every process.
//! - **One run at a time** of a customer's sweeps and of a region's syncs; others go side by side, as many as
//!   [`parallel`](Scheduler::parallel) says, and of one connection as many as [`per_connection`](Scheduler::per_connection) says:
//!   a tenant that answers slowly takes no slot from another.
//! - **A spent budget holds nobody up.** An event whose connection would wait for more than a minute is not begun, and goes back into
//!   the line until there is room.
//! - **The oldest go first.** Where a tick is not done before the next is due, its newer event takes the place of the older one in
//!   the line, so that no customer is left out for good.
//! - **What a person asked for** has a slot of its own ([`Requests`]): it begins at once, however long the line is.
//! - **A clock that is set back** is noticed: ticks that lie in the future then count as not planned.
//! - **What fails is tried again**, later each time, and never beyond the next tick, whose event takes its place. It keeps no other
//!   from being handled.
//! - **It stops when it is told to**: nothing new is begun, and what runs has a while to end. What does not is dropped, which
//!   leaves a whole store; the next start, here or elsewhere, does it.
//!
//! The ticket outbox is not the scheduler's: the host's bridge drains it.

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

use self::queue::{Key, Queue, Waiting};
use crate::{
    error::{Error, ErrorKind, Result},
    host::Progress,
    model::CredentialId,
    schedule::{Cadence, Event, EventEnd, PlanKind, spread},
    use_cases::{Handled, Integration, MappingSync, SweepOutcome, SyncOutcome},
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

/// When something is tried again.
#[derive(Clone, Copy, Debug)]
struct Retry {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Retry {
    /// When the event is handled again that was handled `attempt` times; `None` when no attempt is left before `until`. Events that
    /// failed together come back apart.
    fn at(
        self,
        event: &Event,
        attempt: u32,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        let wait = self.wait(attempt);
        let at = spread(now.saturating_add(wait), wait / 4, event.id().as_uuid());
        (attempt < self.attempts && at < until).then_some(at)
    }

    fn wait(self, attempt: u32) -> Duration {
        let doubled = 2_i32.saturating_pow(attempt.saturating_sub(1).min(30));
        self.first
            .checked_mul(doubled)
            .map_or(self.longest, |wait| wait.min(self.longest))
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
    /// A scheduler by the integration's own cadences: see [`Policy::asset_sync`](crate::host::Policy::asset_sync) and
    /// [`Policy::evidence_sweep`](crate::host::Policy::evidence_sweep).
    #[must_use]
    pub fn new(integration: Integration) -> Self {
        let policy = integration.policy();
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
            retry: Retry {
                first: Duration::seconds(30),
                longest: Duration::minutes(30),
                attempts: u32::MAX,
            },
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

    /// How long what runs has to come to its end once the scheduler is told to stop. Default: 25 seconds, within the 30 that
    /// container engines give.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long an event waits that failed or found its customer being worked on: `first` at first, twice as long each time, never
    /// longer than `longest`, and never beyond the next tick. One that found its customer being worked on looks again within half
    /// the length of a lease. Default: 30 seconds, and half an hour.
    #[must_use]
    pub fn retry(mut self, first: Duration, longest: Duration) -> Self {
        (self.retry.first, self.retry.longest) = (first.max(Duration::MILLISECOND), longest);
        self
    }

    /// How often an event is handled before it is given up. Default: as often as there is time for before the next tick.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.retry.attempts = attempts.max(1);
        self
    }

    /// Runs the schedule until `shutdown` is over. A store or a NinjaOne tenant that does not answer never ends it: what happens is
    /// told to the [`Observer`](crate::host::Observer) and to `tracing`.
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
                self.integration.tell(&Progress::Idle { until, waiting });
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
    failures: u32,
    retry_at: Option<OffsetDateTime>,
}

/// A tick that was planned, or not.
struct Planned {
    line: usize,
    scheduled_at: OffsetDateTime,
    plan: Result<(usize, Vec<Event>)>,
}

/// An event that was handled.
struct Ended {
    waiting: Waiting,
    handled: Result<Handled>,
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
    keys: BTreeSet<Key>,
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
        self.scheduler.integration.tell(progress);
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
            let plan = async move {
                let mut events = integration.plan(kind, due).await?;
                for event in &mut events {
                    event.start_within(length);
                }
                let planned = events.len();
                let events = integration.outstanding(events).await?;
                Ok((planned - events.len(), events))
            };
            let planned = plan.map(move |plan| Planned {
                line: place,
                scheduled_at: due,
                plan,
            });
            self.planning.push(Box::pin(planned));
        }
    }

    fn note(&mut self, planned: Planned, now: OffsetDateTime) {
        let retry = self.scheduler.retry;
        let Planned {
            line,
            scheduled_at,
            plan,
        } = planned;
        let Some(line) = self.lines.get_mut(line) else {
            return;
        };
        line.is_planning = false;
        // The clock was set back while it was planned.
        if scheduled_at > now {
            return;
        }
        let kind = line.kind;
        match plan {
            Ok((done, events)) => {
                let passed = line.planned.map(|planned| scheduled_at - planned);
                let ticks = passed.map_or(1, |passed| ticks(passed, line.cadence));
                let next = line.cadence.next(scheduled_at);
                (line.planned, line.failures, line.retry_at) = (Some(scheduled_at), 0, None);
                tracing::info!(kind = kind.as_str(), %scheduled_at, events = events.len(), done, "planned");
                self.tell(&Progress::Planned {
                    kind,
                    scheduled_at,
                    events: events.len(),
                    done,
                    missed: ticks.saturating_sub(1),
                });
                for event in events {
                    let at = event.starts_at();
                    self.queue.put(Waiting {
                        event,
                        at,
                        attempt: 1,
                        until: next,
                        is_requested: false,
                    });
                }
            }
            Err(error) => {
                line.failures = line.failures.saturating_add(1);
                let retry_at = now.saturating_add(retry.wait(line.failures));
                line.retry_at = Some(retry_at);
                tracing::error!(kind = kind.as_str(), %error, "could not be planned");
                self.tell(&Progress::NotPlanned {
                    kind,
                    error: error.kind().as_str(),
                    retry_at,
                });
            }
        }
    }

    fn start_what_is_ready(&mut self, now: OffsetDateTime) {
        let parallel = self.scheduler.parallel;
        let half = (parallel / 2).max(1);
        let most = self.scheduler.per_connection.unwrap_or(half);
        while self.running.len() <= parallel {
            let keys = &self.keys;
            let is_ready =
                |waiting: &Waiting| waiting.at <= now && !keys.contains(&Key::of(&waiting.event));
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
                !keys.contains(&Key::of(event)) && running.is_none_or(|running| *running < most)
            };
            let Some(waiting) = self.queue.take(now, is_free) else {
                return;
            };
            self.start(waiting);
        }
    }

    fn start(&mut self, waiting: Waiting) {
        self.keys.insert(Key::of(&waiting.event));
        let connection = waiting.event.credential();
        *self.connections.entry(connection).or_default() += 1;
        self.tell(&Progress::EventStarted {
            kind: waiting.event.kind(),
            event: waiting.event.id(),
            attempt: waiting.attempt,
        });
        let integration = &self.scheduler.integration;
        self.running.push(Box::pin(async move {
            let handled = integration.handle(&waiting.event, waiting.attempt).await;
            Ended { waiting, handled }
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
        let Ended { waiting, handled } = ended;
        self.keys.remove(&Key::of(&waiting.event));
        let connection = waiting.event.credential();
        if let Some(running) = self.connections.get_mut(&connection) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.connections.remove(&connection);
            }
        }
        self.requested_running -= usize::from(waiting.is_requested);
        if let Ok(Handled::Deferred { after }) = handled {
            return self.defer(waiting, *after, now);
        }
        let (end, again) = end_of(handled);
        let mut retry = self.scheduler.retry;
        if end == EventEnd::Busy {
            // Whoever works on it may have died: then its lease runs out, and somebody should be there.
            let lease = self.scheduler.integration.policy().lease_length;
            retry.longest = retry.longest.min(lease / 2);
        }
        // A tick that lies in the future was planned by a clock that was set back since.
        let again = again && waiting.event.scheduled_at() <= now;
        let at = again.then(|| retry.at(&waiting.event, waiting.attempt, now, waiting.until));
        let retry_at = at.flatten();
        match (end, retry_at) {
            (_, Some(at)) => self.put_back(Waiting {
                at,
                attempt: waiting.attempt.saturating_add(1),
                ..waiting.clone()
            }),
            (EventEnd::Done | EventEnd::DoneBefore, None) => self.stopped.done += 1,
            (EventEnd::Skipped, None) => self.stopped.skipped += 1,
            (_, None) => self.stopped.failed += 1,
        }
        if let Err(error) = handled {
            let event = waiting.event.id();
            tracing::warn!(%event, attempt = waiting.attempt, %error, "an event failed");
        }
        self.tell(&Progress::EventFinished {
            kind: waiting.event.kind(),
            event: waiting.event.id(),
            end,
            retry_at,
        });
    }

    /// Puts an event back into the line until its connection's budget has room: no attempt was made. Events of one connection
    /// come back apart.
    fn defer(&mut self, waiting: &Waiting, after: Duration, now: OffsetDateTime) {
        let event = &waiting.event;
        let at = spread(
            now.saturating_add(after),
            Duration::minutes(1),
            event.id().as_uuid(),
        );
        self.put_back(Waiting {
            at,
            ..waiting.clone()
        });
        self.tell(&Progress::EventFinished {
            kind: event.kind(),
            event: event.id(),
            end: EventEnd::Deferred,
            retry_at: Some(at),
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

/// What came of an event, and whether it is worth handling again.
fn end_of(handled: &Result<Handled>) -> (EventEnd, bool) {
    match handled {
        Ok(Handled::EvidenceSweep(outcome)) => match outcome {
            SweepOutcome::Committed(_) => (EventEnd::Done, false),
            SweepOutcome::AlreadyCommitted => (EventEnd::DoneBefore, false),
            SweepOutcome::Skipped(_) => (EventEnd::Skipped, false),
            SweepOutcome::Superseded(_) => (EventEnd::Superseded, true),
            SweepOutcome::Busy => (EventEnd::Busy, true),
        },
        Ok(Handled::AssetSync(synced)) => end_of_sync(synced),
        Ok(Handled::Deferred { .. }) => (EventEnd::Deferred, true),
        Err(error) => end_of_error(error),
    }
}

fn end_of_sync(synced: &[MappingSync]) -> (EventEnd, bool) {
    let ends = synced.iter().filter_map(|synced| match &synced.outcome {
        Ok(SyncOutcome::Synced { .. } | SyncOutcome::Missing | SyncOutcome::OutOfView) => None,
        Ok(SyncOutcome::Superseded) => Some((EventEnd::Superseded, true)),
        Err(error) => Some(end_of_error(error)),
    });
    // One that may come right is reason enough to try again; those that are done are not asked again.
    let worst = ends.max_by_key(|(end, again)| (*again, matches!(end, EventEnd::Failed { .. })));
    worst.unwrap_or((EventEnd::Done, false))
}

fn end_of_error(error: &Error) -> (EventEnd, bool) {
    match error.kind() {
        ErrorKind::Busy => (EventEnd::Busy, true),
        ErrorKind::Superseded => (EventEnd::Superseded, true),
        ErrorKind::NotConnected => (EventEnd::Skipped, false),
        kind => {
            let error_name = kind.as_str();
            (EventEnd::Failed { error: error_name }, error.is_retryable())
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{
        host::Policy,
        model::{EventId, MspOrgId, RegionKey},
        ninjaone::NinjaOneApi,
        schedule::SyncEvent,
        seal::{KeyId, Keyring, MasterKey},
        store::MemoryStore,
    };

    const TICK: OffsetDateTime = datetime!(2026-11-23 04:15 UTC);

    fn event(n: u128) -> Event {
        let msp = MspOrgId::from_uuid(uuid::Uuid::from_u128(n));
        let region = RegionKey::from_stored("us");
        let credential = CredentialId::of(msp, &region);
        Event::AssetSync(SyncEvent {
            id: EventId::of_sync(credential, TICK),
            msp_org_id: msp,
            region,
            scheduled_at: TICK,
            starts_at: TICK,
        })
    }

    fn scheduler(policy: Policy) -> Scheduler {
        let key = || MasterKey::from_bytes([1; 32]);
        let keyring = Keyring::new(KeyId::new("one").unwrap(), key(), key());
        let ninjaone = Arc::new(NinjaOneApi::new());
        let integration = Integration::builder(Arc::new(MemoryStore::new()), keyring, ninjaone);
        Scheduler::new(integration.policy(policy).build())
    }

    fn default() -> Scheduler {
        scheduler(Policy::default())
    }

    #[test]
    fn waits_double_up_to_the_longest_and_never_overflow() {
        let retry = default().retry;
        let seconds: Vec<_> = (1..=9).map(|n| retry.wait(n).whole_seconds()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800]);
        assert_eq!(retry.wait(u32::MAX), Duration::minutes(30));
        let endless = default().retry(Duration::MAX, Duration::MAX).retry;
        assert_eq!(endless.wait(9), Duration::MAX);
    }

    #[test]
    fn events_that_failed_together_come_back_apart_and_before_the_next_tick() {
        let retry = default().retry;
        let next = Cadence::ASSET_SYNC.next(TICK);
        let at = |n, now| retry.at(&event(n), 1, now, next);
        let times: BTreeSet<_> = (0..20).filter_map(|n| at(n, TICK)).collect();
        assert_eq!(times.len(), 20);
        for at in times {
            let wait = at - TICK;
            assert!(wait >= Duration::seconds(30) && wait < Duration::seconds(38));
        }
        assert_eq!(at(1, next - Duration::seconds(20)), None);
        assert_eq!(at(1, next), None);
    }

    #[test]
    fn attempts_are_counted_where_the_host_says_so() {
        let retry = default().attempts(3).retry;
        let next = Cadence::ASSET_SYNC.next(TICK);
        assert!(retry.at(&event(1), 2, TICK, next).is_some());
        assert_eq!(retry.at(&event(1), 3, TICK, next), None);
    }

    #[test]
    fn the_cadences_are_the_integrations_unless_said_otherwise() {
        let policy = Policy::default().evidence_sweep(Cadence::SAAS_ALERTS);
        let expected = [
            (PlanKind::AssetSync, Cadence::ASSET_SYNC),
            (PlanKind::EvidenceSweep, Cadence::SAAS_ALERTS),
        ];
        assert_eq!(scheduler(policy).timetable, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_timetable_it_waits_to_be_told() {
        let told = tokio::time::sleep(std::time::Duration::from_secs(5));
        let stopped = default().timetable([]).run(told).await;
        assert_eq!(stopped, Stopped::default());
    }
}
