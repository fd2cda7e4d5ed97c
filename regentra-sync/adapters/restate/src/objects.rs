//! The objects that the server calls: one per key of events, and one per cadence.

use std::{
    collections::BTreeMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use regentra_sync::{
    Integration,
    host::{Clock, Progress},
    model::CredentialId,
    schedule::{Again, Event, EventEnd, EventOutcome, PlanCursor, PlanKind},
};
use restate_sdk::{
    context::{RequestTarget, RunFuture, RunRetryPolicy},
    prelude::*,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// The object of a key of events.
pub(crate) const KEYS: &str = "RegentraEvents";
pub(crate) const HANDLE: &str = "handle";
/// The object of a cadence.
pub(crate) const TICKS: &str = "RegentraTicks";
pub(crate) const TICK: &str = "tick";
const PAGE: &str = "page";

/// How long an event waits in this process for a slot.
pub(crate) const ROOM: Duration = Duration::from_secs(30);

/// Events that found no slot are delivered again this far apart, and not before.
const APART: Duration = Duration::from_millis(50);
const NO_SLOT: Duration = Duration::from_millis(250);

/// One delivery of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) event: Event,
    /// Counts from 1.
    attempt: u32,
    /// Counts from 1, including deliveries that did not count as an attempt.
    delivery: u32,
}

impl Work {
    pub(crate) const fn first(event: Event) -> Self {
        Self {
            event,
            attempt: 1,
            delivery: 1,
        }
    }

    /// The server delivers only one of several deliveries with the same key.
    pub(crate) fn idempotency_key(&self) -> String {
        format!("{}/{}", self.event.id(), self.delivery)
    }

    fn again(self, attempts: u32) -> Self {
        Self {
            attempt: self.attempt.saturating_add(attempts),
            delivery: self.delivery.saturating_add(1),
            ..self
        }
    }
}

/// A tick that became due, or the first check of a process that starts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Tick {
    kind: PlanKind,
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    /// How often it was delivered to a process whose clock is behind.
    early: u32,
}

impl Tick {
    pub(crate) const fn look(kind: PlanKind) -> Self {
        Self {
            kind,
            at: None,
            early: 0,
        }
    }
}

/// A page of the plan of a tick.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Plan {
    kind: PlanKind,
    #[serde(with = "time::serde::rfc3339")]
    tick: OffsetDateTime,
    from: Option<PlanCursor>,
    failures: u32,
    events: usize,
    done: usize,
}

impl Plan {
    fn idempotency_key(&self) -> String {
        let from = self.from.map(|from| from.to_string()).unwrap_or_default();
        let (kind, tick) = (self.kind.as_str(), self.tick.unix_timestamp());
        format!("page/{kind}/{tick}/{from}/{}", self.failures)
    }
}

/// The state that all calls of a process share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    integration: Integration,
    clock: Arc<dyn Clock>,
    start_within: Option<time::Duration>,
    slots: Slots,
    is_stopping: AtomicBool,
    running: AtomicUsize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        integration: Integration,
        clock: Arc<dyn Clock>,
        parallel: usize,
        per_connection: usize,
        start_within: Option<time::Duration>,
    ) -> Self {
        Self(Arc::new(Inner {
            integration,
            clock,
            start_within,
            slots: Slots::new(parallel, per_connection),
            is_stopping: AtomicBool::new(false),
            running: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn integration(&self) -> &Integration {
        &self.0.integration
    }

    /// Refuses events from now on, so that the server delivers them to another process.
    pub(crate) fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.0.running.load(Ordering::SeqCst) == 0
    }

    fn refuse_if_stopping(&self) -> Result<(), HandlerError> {
        if self.0.is_stopping.load(Ordering::SeqCst) {
            return Err(HandlerError::from("this process is stopping"));
        }
        Ok(())
    }

    /// Handles an event once, if there is a slot for it.
    async fn handle(&self, work: &Work) -> Step {
        let Inner { integration, .. } = &*self.0;
        let Some(_slot) = self.0.slots.of(&work.event).await else {
            let wait = self.0.slots.turn();
            return Step::NoSlot { wait };
        };
        let _running = Running::new(&self.0.running);
        let (event, attempt) = (&work.event, work.attempt);
        integration.report_progress(&Progress::EventStarted {
            kind: event.kind(),
            event: event.id(),
            attempt,
        });
        let handled = AssertUnwindSafe(integration.handle(event, attempt)).catch_unwind();
        let Ok(end) = handled.await else {
            return Step::Panicked;
        };
        let retry_at = match end.again {
            Again::Never => None,
            Again::Now => Some(self.0.clock.now()),
            Again::After(wait) => Some(self.0.clock.now().saturating_add(signed(wait))),
        };
        integration.report_progress(&Progress::EventFinished {
            kind: event.kind(),
            event: event.id(),
            outcome: end.outcome,
            retry_at,
        });
        Step::Ended { end }
    }

    fn look(&self, tick: Tick) -> Look {
        let cadence = self.0.integration.cadence(tick.kind);
        let now = self.0.clock.now();
        if let Some(at) = tick.at.filter(|at| *at > now) {
            return Look::Early {
                wait: unsigned(at - now),
            };
        }
        let next = cadence.next(now);
        Look::Due {
            newest: cadence.last(now),
            next,
            wait: unsigned(next - now),
        }
    }

    async fn page(&self, plan: Plan) -> Planned {
        let integration = &self.0.integration;
        let now = self.0.clock.now();
        if plan.tick < integration.cadence(plan.kind).last(now) {
            return Planned::Over;
        }
        let page = async {
            let mut page = integration.plan(plan.kind, plan.tick, plan.from).await?;
            if let Some(length) = self.0.start_within {
                for event in &mut page.events {
                    event.start_within(length);
                }
            }
            let planned = page.events.len();
            let events = integration.outstanding(page.events).await?;
            let done = planned - events.len();
            Ok::<_, regentra_sync::Error>((events, done, page.next))
        };
        let Ok(page) = AssertUnwindSafe(page).catch_unwind().await else {
            return Planned::Panicked;
        };
        match page {
            Ok((events, done, next)) => {
                let plan = Plan {
                    events: plan.events + events.len(),
                    done: plan.done + done,
                    ..plan
                };
                if next.is_none() {
                    let Plan {
                        kind,
                        tick: scheduled_at,
                        events,
                        done,
                        ..
                    } = plan;
                    tracing::info!(kind = kind.as_str(), %scheduled_at, events, done, "planned");
                    integration.report_progress(&Progress::Planned {
                        kind,
                        scheduled_at,
                        events,
                        done,
                        missed: 0,
                    });
                }
                let due = |event: Event| (unsigned(event.starts_at() - now), event);
                Planned::Page {
                    events: events.into_iter().map(due).collect(),
                    next: next.map(|from| Plan {
                        from: Some(from),
                        failures: 0,
                        ..plan
                    }),
                }
            }
            Err(error) => {
                let failures = plan.failures.saturating_add(1);
                let wait = integration.plan_wait(failures);
                tracing::error!(kind = plan.kind.as_str(), %error, "could not be planned");
                integration.report_progress(&Progress::NotPlanned {
                    kind: plan.kind,
                    error: error.kind().as_str(),
                    retry_at: now.saturating_add(signed(wait)),
                });
                Planned::Failed { wait }
            }
        }
    }
}

/// Counts what runs.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many events of a process run at once.
struct Slots {
    all: Arc<Semaphore>,
    /// Limits the events that run, and as many that wait, so that a waiting event takes a free slot at once.
    room: Arc<Semaphore>,
    /// Reserved for people's requests.
    requested: Arc<Semaphore>,
    per_connection: usize,
    connections: Mutex<BTreeMap<CredentialId, Connection>>,
    /// When the next event that finds no slot is delivered again.
    turn: Mutex<Option<Instant>>,
}

/// The share of one connection.
#[derive(Clone)]
struct Connection {
    slots: Arc<Semaphore>,
    /// Limits the connection's events that run, and as many that wait, so that one connection does not take all of the process's room.
    room: Arc<Semaphore>,
}

impl Connection {
    fn new(per_connection: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(per_connection)),
            room: Arc::new(Semaphore::new(per_connection.saturating_mul(2))),
        }
    }
}

impl Slots {
    fn new(parallel: usize, per_connection: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(parallel)),
            room: Arc::new(Semaphore::new(parallel.saturating_mul(2))),
            requested: Arc::new(Semaphore::new(1)),
            per_connection,
            connections: Mutex::default(),
            turn: Mutex::default(),
        }
    }

    /// A slot, after a short wait if necessary; `None` if there is none. A person's request waits until there is one.
    async fn of(&self, event: &Event) -> Option<Vec<OwnedSemaphorePermit>> {
        if matches!(event, Event::RequestedSync(_)) {
            let (kept, all) = (Arc::clone(&self.requested), Arc::clone(&self.all));
            let slot = tokio::select! {
                biased;
                slot = kept.acquire_owned() => slot,
                slot = all.acquire_owned() => slot,
            };
            return Some(vec![slot.ok()?]);
        }
        let connection = {
            let mut connections = self
                .connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let new = || Connection::new(self.per_connection);
            let of_it = connections.entry(event.credential());
            of_it.or_insert_with(new).clone()
        };
        // The connection's room is checked first, so that an event that is refused here takes no room from other connections.
        let of_connection = connection.room.try_acquire_owned().ok()?;
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let share = within(connection.slots).await?;
        let slot = within(Arc::clone(&self.all)).await?;
        Some(vec![slot, share, room, of_connection])
    }

    /// How long an event waits that found no slot. Each event has its own turn.
    fn turn(&self) -> Duration {
        let now = Instant::now();
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let at = turn.map_or(now, |turn| turn.max(now)) + APART;
        *turn = Some(at);
        NO_SLOT + at.duration_since(now)
    }
}

async fn within(slots: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let slot = tokio::time::timeout(ROOM, slots.acquire_owned()).await;
    slot.ok()?.ok()
}

/// The outcome of a delivery. The server stores it, so that a repeated delivery ends in the same way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    NoSlot { wait: Duration },
    Ended { end: EventEnd },
    Panicked,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Look {
    Early {
        wait: Duration,
    },
    Due {
        #[serde(with = "time::serde::rfc3339")]
        newest: OffsetDateTime,
        #[serde(with = "time::serde::rfc3339")]
        next: OffsetDateTime,
        wait: Duration,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Planned {
    Over,
    Page {
        events: Vec<(Duration, Event)>,
        next: Option<Plan>,
    },
    Failed {
        wait: Duration,
    },
    Panicked,
}

/// The events of one key, one at a time.
#[derive(Debug)]
pub(crate) struct Events(pub(crate) Shared);

#[object(name = "RegentraEvents")]
impl Events {
    #[handler]
    async fn handle(&self, ctx: ObjectContext<'_>, payload: Vec<u8>) -> Result<(), HandlerError> {
        let work = work(&payload)?;
        self.0.refuse_if_stopping()?;
        let is_requested = matches!(work.event, Event::RequestedSync(_));
        if !is_requested {
            // An event of a newer tick takes the place of an older one.
            let subject = work.event.subject().to_string();
            let tick = work.event.scheduled_at().unix_timestamp();
            match ctx.get::<i64>(&subject).await? {
                Some(newest) if newest > tick => return Ok(()),
                Some(newest) if newest == tick => {}
                _ => ctx.set(&subject, tick),
            }
        }
        let (shared, of_run) = (self.0.clone(), work.clone());
        let Json(step) = ctx
            .run(|| async move { Ok(Json(shared.handle(&of_run).await)) })
            .retry_policy(RunRetryPolicy::new().max_attempts(1))
            .name(HANDLE)
            .await?;
        match step {
            Step::NoSlot { wait } => send_work(&ctx, work.again(0), wait),
            Step::Panicked => return Err(panicked().into()),
            Step::Ended { end } => {
                // A deferred event was not begun, so this does not count as an attempt.
                let attempts = u32::from(end.outcome != EventOutcome::Deferred);
                match end.again {
                    Again::Never => {}
                    Again::Now => send_work(&ctx, work.again(attempts), Duration::ZERO),
                    Again::After(wait) => send_work(&ctx, work.again(attempts), wait),
                }
            }
        }
        Ok(())
    }
}

/// The ticks of one cadence.
#[derive(Debug)]
pub(crate) struct Ticks(pub(crate) Shared);

#[object(name = "RegentraTicks")]
impl Ticks {
    #[handler]
    async fn tick(&self, ctx: ObjectContext<'_>, payload: Vec<u8>) -> Result<(), HandlerError> {
        let tick: Tick = serde_json::from_slice(&payload).map_err(|_| no_plan())?;
        self.0.refuse_if_stopping()?;
        let shared = self.0.clone();
        let Json(look) = ctx
            .run(|| async move { Ok(Json(shared.look(tick))) })
            .name("look")
            .await?;
        let (next, wait) = match look {
            Look::Early { wait } => {
                let early = tick.early.saturating_add(1);
                (Tick { early, ..tick }, wait)
            }
            Look::Due { newest, next, wait } => {
                let plan = Plan {
                    kind: tick.kind,
                    tick: newest,
                    from: None,
                    failures: 0,
                    events: 0,
                    done: 0,
                };
                send_plan(&ctx, plan, Duration::ZERO);
                let (at, early) = (Some(next), 0);
                let kind = tick.kind;
                (Tick { kind, at, early }, wait)
            }
        };
        // With this key, each tick is delivered once, however many processes start.
        let at = next.at.map_or(0, OffsetDateTime::unix_timestamp);
        let kind = next.kind.as_str();
        let target = RequestTarget::object(TICKS, kind, TICK);
        ctx.request::<_, ()>(target, Json(next))
            .idempotency_key(format!("tick/{kind}/{at}/{}", next.early))
            .send_after(wait);
        Ok(())
    }

    #[handler]
    async fn page(&self, ctx: ObjectContext<'_>, payload: Vec<u8>) -> Result<(), HandlerError> {
        let plan: Plan = serde_json::from_slice(&payload).map_err(|_| no_plan())?;
        self.0.refuse_if_stopping()?;
        let shared = self.0.clone();
        let Json(planned) = ctx
            .run(|| async move { Ok(Json(shared.page(plan).await)) })
            .name(PAGE)
            .await?;
        match planned {
            Planned::Over => {}
            Planned::Panicked => return Err(panicked().into()),
            Planned::Failed { wait } => {
                let failures = plan.failures.saturating_add(1);
                send_plan(&ctx, Plan { failures, ..plan }, wait);
            }
            Planned::Page { events, next } => {
                for (wait, event) in events {
                    send_work(&ctx, Work::first(event), wait);
                }
                if let Some(next) = next {
                    send_plan(&ctx, next, Duration::ZERO);
                }
            }
        }
        Ok(())
    }
}

/// Sends a separate delivery, so that it blocks no other event of its key until then.
fn send_work(ctx: &ObjectContext<'_>, work: Work, wait: Duration) {
    let target = RequestTarget::object(KEYS, work.event.key().to_string(), HANDLE);
    let key = work.idempotency_key();
    let request = ctx
        .request::<_, ()>(target, Json(work))
        .idempotency_key(key);
    if wait.is_zero() {
        request.send();
    } else {
        request.send_after(wait);
    }
}

fn send_plan(ctx: &ObjectContext<'_>, plan: Plan, wait: Duration) {
    let target = RequestTarget::object(TICKS, plan.kind.as_str(), PAGE);
    let key = plan.idempotency_key();
    let request = ctx
        .request::<_, ()>(target, Json(plan))
        .idempotency_key(key);
    if wait.is_zero() {
        request.send();
    } else {
        request.send_after(wait);
    }
}

/// Reads the event of a delivery. If it cannot be read, the error contains no value of it.
fn work(payload: &[u8]) -> Result<Work, TerminalError> {
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    let version = value.pointer("/event/version").and_then(Value::as_u64);
    serde_json::from_value(value).map_err(|_| {
        let newest = u64::from(Event::VERSION);
        TerminalError::new(match version {
            Some(version) if version > newest => format!(
                "an event of version {version}, and this release reads up to {newest}: handle it with the release that wrote it"
            ),
            _ => "this is no event that this release can read: nothing was done".to_owned(),
        })
    })
}

fn no_plan() -> TerminalError {
    TerminalError::new("this is no plan that this release can read: nothing was done")
}

fn panicked() -> TerminalError {
    TerminalError::new("handling it ended in a panic: the log of the process says where")
}

fn unsigned(length: time::Duration) -> Duration {
    Duration::try_from(length).unwrap_or_default()
}

fn signed(length: Duration) -> time::Duration {
    time::Duration::try_from(length).unwrap_or(time::Duration::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_by_name_and_without_its_values() {
        let id = "8e3d52f4-7a0c-5b6e-9f21-6d1cc05e27ab";
        let tick = "2026-11-30T06:30:00Z";
        let event = json!({
            "version": 1, "kind": "asset_sync", "id": id, "msp_org_id": id, "region": "eu", "scheduled_at": tick,
            "starts_at": tick,
        });
        let of = |event: &Value| json!({"event": event, "attempt": 1, "delivery": 1}).to_string();
        let read = work(of(&event).as_bytes()).unwrap();
        assert_eq!(read.idempotency_key(), format!("{id}/1"));
        assert_eq!(read.again(0).idempotency_key(), format!("{id}/2"));
        let mut later = event.clone();
        later["version"] = json!(Event::VERSION + 1);
        let mut unknown = event.clone();
        unknown["kind"] = json!("canary");
        for (payload, says) in [
            (of(&later), "this release reads up to 2"),
            (of(&unknown), "no event that this release can read"),
            ("canary".to_owned(), "no event"),
            (String::new(), "no event"),
            ("[\"canary\"]".to_owned(), "no event"),
        ] {
            let refused = work(payload.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
            assert!(!refused.contains("canary"), "{refused}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn events_without_a_slot_are_delivered_again_one_after_the_other() {
        let slots = Slots::new(4, 2);
        let waits: Vec<_> = (0..100).map(|_| slots.turn()).collect();
        assert!(waits.windows(2).all(|two| two[0] + APART == two[1]));
    }
}
