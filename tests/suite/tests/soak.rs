//! A long run: one process that syncs and sweeps tick after tick, with clocks that jump, a hostile tenant, faults, and other
//! processes that are wrong about the time or die. Every healthy MSP is served at every tick, no ticket closes that should not, every
//! chain verifies, and memory stays as it is.
//!
//! The client, its limiter, the shared budget, the scheduler and the store are the shipped ones and live through all of it; NinjaOne is
//! simulated in the process, and time is a clock that moves on when the scheduler has nothing left to do. In small it is a test;
//! `REGENTRA_SOAK_TICKS=10000` makes it what its name says (`.ci/soak`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test panics where it fails, and a long one says how it goes on"
)]
#![allow(missing_docs, reason = "a test's name says what it shows")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt,
    future::pending,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration as Real, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use ninjaone_simulator::{CursorHabit, Fault, Preset, Request, RetryAfter, Tenant};
use peak_alloc::PeakAlloc;
use regentra_harness::{keys::keyring, onboarding::connect_and_promote_all, plan::PlanAll as _};
use regentra_sync::{
    Connect, Integration, Scheduler,
    host::{
        Anchor, AnchorSink, Clock as _, HostPolicy, ManualClock, Progress, ProgressObserver,
        SinkError, SinkErrorKind, StoreClock,
    },
    model::{
        Actor, ComplianceOrgId, EventId, MappingId, MspOrgId, NINJAONE_WINDOWS, RegionKey, Ticket,
        TicketState, chain_start,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::{RateLimit, RetryPolicy, Transport, TransportError, TransportErrorKind},
    regentra_evidence::{SignalKind, verify_chain},
    schedule::{Cadence, Event, EventOutcome, PlanKind, Retry},
    store::Store,
};
use regentra_sync_sqlite::SqliteStore;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::sync::watch;
use uuid::Uuid;

/// What the process has allocated, but for what SQLite has.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const BEGIN: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// The healthy MSPs, each with one customer; the hostile one is number 0 and has three.
const HEALTHY: usize = 4;
const HOSTILE_CUSTOMERS: usize = 3;

/// The devices of this one are not encrypted: its ticket opens once and stays open.
const FAILING: usize = 4;

/// How much more the process may have allocated in the last tenth of the run than in the second, on average. A run of 40 ticks finds
/// what grows by 32 KiB a tick, one of 10,000 what grows by 140 bytes.
const FLAT_HEAP: u64 = 1 << 20;

/// The same of its resident memory. SQLite's page caches fill within this: 2 MiB for each of five connections.
const FLAT_RESIDENT: u64 = 8 << 20;

/// Settings of glibc's allocator in the environment, which it reads when a process begins. The first: to give a block of this size or more
/// back to the system when it is freed; without it, it moves that size up to the largest block that was freed. The second: one arena
/// for all threads; without it, each keeps what a hostile page once took in it. Resident memory then shows how large those pages were,
/// and not what the process holds.
const GIVE_BACK: [(&str, &str); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_ARENA_MAX", "1"),
];

/// What ends a sweep that is never answered. It is real time: on a busy machine, a healthy sweep has to end well before.
const DEADLINE: Duration = Duration::seconds(10);

/// Chance that is the same in every run, rolled through a shared reference.
#[derive(Debug)]
struct SharedDice(AtomicU64);

impl SharedDice {
    /// A number below `sides`.
    fn roll(&self, sides: u64) -> u64 {
        let step = |state: u64| {
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1)
        };
        let state = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |s| Some(step(s)));
        (state.unwrap() >> 33) % sides
    }
}

/// NinjaOne: a tenant for each MSP, at an address of its own.
struct TenantsByMsp {
    tenants: Vec<Mutex<Tenant>>,
    /// The hostile one behaves until it is connected.
    is_hostile: AtomicBool,
    dice: SharedDice,
    /// NinjaOne's clock is that of the machines that are right.
    clock: ManualClock,
}

/// A tenant whose devices were in contact just now, with the faults that any tenant has now and then.
fn tenant(number: usize, now: OffsetDateTime) -> Tenant {
    let (preset, organizations) = match number {
        0 => (Preset::Mixed, HOSTILE_CUSTOMERS),
        FAILING => (Preset::Failing, 1),
        _ => (Preset::Healthy, 1),
    };
    let id = format!("client {number}");
    let mut tenant = Tenant::builder(now)
        .preset(preset, number as u64, 3)
        .organization_count(organizations)
        .client(&id, "secret")
        .build();
    tenant.fault(Fault::ServiceUnavailable.starting_at(5).every(23));
    tenant.fault(Fault::CutBody { after: 60 }.starting_at(7).every(29));
    tenant.fault(
        Fault::TooManyRequests(RetryAfter::Seconds(0))
            .starting_at(3)
            .every(31),
    );
    tenant.fault(
        Fault::Cursor(CursorHabit::NameChanges)
            .starting_at(number as u64 + 1)
            .every(2),
    );
    tenant
}

impl TenantsByMsp {
    fn new(clock: ManualClock) -> Self {
        let now = clock.now();
        let tenants = (0..=HEALTHY).map(|number| Mutex::new(tenant(number, now)));
        Self {
            tenants: tenants.collect(),
            is_hostile: AtomicBool::new(false),
            dice: SharedDice(AtomicU64::new(20_261_123)),
            clock,
        }
    }

    /// What the hostile tenant does instead of answering; `None` where it answers.
    async fn misbehave(&self, path: &str) -> Option<Answer> {
        let page = |rows: String| Some(answer(200, format!("[{rows}]")));
        match self.dice.roll(400) {
            0..=14 => Some(Err(TransportError::new(TransportErrorKind::Timeout))),
            15..=29 => Some(answer(500, String::new())),
            30..=39 => Some(answer(200, "{\"results\":[{".to_owned())),
            40..=44 => Some(answer(200, "<html>".to_owned())),
            45..=49 => Some(answer(302, String::new())),
            // More rows than asked for, of no use.
            50..=51 => page(vec!["{}"; 12_000].join(",")),
            // One id, again and again.
            55..=56 => page(vec![r#"{"id":7,"organizationId":1}"#; 3_000].join(",")),
            60..=61 => Some(answer(200, "[".repeat(100_000))),
            65..=66 => page(format!(
                r#"{{"id":7,"systemName":"{}"}}"#,
                "x".repeat(1 << 18)
            )),
            // A million is the test of memory's.
            70..=71 => {
                let keys: Vec<_> = (0..5_000).map(|key| format!(r#""k{key}":{key}"#)).collect();
                page(format!(r#"{{"id":7,"userData":{{{}}}}}"#, keys.join(",")))
            }
            // Devices that nobody has ever seen, and a cursor that never ends and changes its name.
            75..=82 if path.contains("/queries/") => {
                let seed = self.dice.roll(1 << 30);
                let rows: Vec<_> = (0..200)
                    .map(|row| format!(r#"{{"deviceId":{}}}"#, seed + row))
                    .collect();
                let cursor = format!(r#"{{"name":"c{seed}","offset":0,"count":9000000000000}}"#);
                let rows = rows.join(",");
                Some(answer(
                    200,
                    format!(r#"{{"cursor":{cursor},"results":[{rows}]}}"#),
                ))
            }
            // It never answers: the deadline ends it.
            83 if self.dice.roll(100) == 0 => pending().await,
            _ => None,
        }
    }

    /// What a tenant answers, with a fleet that is no older than six hours.
    fn answered(&self, number: usize, request: http::Request<Bytes>) -> Answer {
        let now = self.clock.now();
        let mut of = self.tenants[number].lock().unwrap();
        if (now - of.now()).abs() > Duration::hours(6) {
            *of = tenant(number, now);
        }
        let reply = of.answer(&Request::from(request), now);
        if reply.delivery.cut_after.is_some() || reply.delivery.reset {
            return Err(TransportError::new(TransportErrorKind::Incomplete));
        }
        let mut head = http::Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            head = head.header(name, value);
        }
        Ok(head.body(reply.body).unwrap())
    }
}

/// Whose tenant is asked.
fn msp_of(request: &http::Request<Bytes>) -> usize {
    let host = request.uri().host().unwrap();
    let number = host.trim_start_matches("msp-").split('.').next();
    number.unwrap().parse().unwrap()
}

type Answer = Result<http::Response<Bytes>, TransportError>;

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is answered beside errors of the transport"
)]
fn answer(status: u16, body: String) -> Answer {
    Ok(http::Response::builder()
        .status(status)
        .body(body.into())
        .unwrap())
}

impl fmt::Debug for TenantsByMsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantsByMsp")
    }
}

#[async_trait]
impl Transport for TenantsByMsp {
    async fn send(&self, request: http::Request<Bytes>) -> Answer {
        tokio::task::yield_now().await;
        let number = msp_of(&request);
        let path = request.uri().path().to_owned();
        if number == 0
            && self.is_hostile.load(Ordering::Relaxed)
            && !path.contains("oauth")
            && let Some(answer) = self.misbehave(&path).await
        {
            return answer;
        }
        self.answered(number, request)
    }
}

/// A sink that fails now and then.
#[derive(Debug)]
struct Sink(SharedDice, AtomicU64);

#[async_trait]
impl AnchorSink for Sink {
    async fn keep(&self, _anchor: &Anchor) -> Result<(), SinkError> {
        if self.0.roll(10) == 0 {
            return Err(SinkError::new(SinkErrorKind::Other, "the sink fails"));
        }
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// When the process that is watched has nothing to do until then, and how its events ended: how many, and those of this tick one by one.
#[derive(Debug)]
struct Watched {
    idle: watch::Sender<Option<OffsetDateTime>>,
    ends: Mutex<BTreeMap<&'static str, u64>>,
    tick: Mutex<Vec<(EventId, &'static str)>>,
}

impl ProgressObserver for Watched {
    fn progress(&self, progress: &Progress) {
        match progress {
            Progress::Idle { until, .. } => drop(self.idle.send_replace(Some(*until))),
            Progress::EventFinished { event, outcome, .. } => {
                let end = match outcome {
                    EventOutcome::Failed { error } => error.as_str(),
                    other => other.as_str(),
                };
                *self.ends.lock().unwrap().entry(end).or_default() += 1;
                self.tick.lock().unwrap().push((*event, end));
            }
            _ => {}
        }
    }
}

struct Customer {
    /// The number of its MSP.
    of: usize,
    id: ComplianceOrgId,
    mapping: MappingId,
}

struct Soak {
    store: Arc<dyn Store>,
    network: Arc<TenantsByMsp>,
    sink: Arc<Sink>,
    /// The store's clock, and that of the processes that are right.
    clock: ManualClock,
    customers: Vec<Customer>,
}

fn msp(number: usize) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number as u128 + 1))
}

fn region(number: usize) -> RegionKey {
    RegionKey::parse(&format!("https://msp-{number}.example")).unwrap()
}

fn event(label: &str) -> EventId {
    EventId::of_request("soak", label)
}

/// How much memory the process has (`VmRSS:`), or had at most (`VmHWM:`), in bytes. 0 where the system does not say.
fn resident(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|of| of.strip_prefix(line));
    let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
    digits.parse::<u64>().unwrap_or(0) * 1_024
}

impl Soak {
    async fn begin(store: SqliteStore) -> Self {
        let clock = ManualClock::at(BEGIN);
        let store = Arc::new(store.with_clock(StoreClock::of(clock.clone())));
        let mut soak = Self {
            store,
            network: Arc::new(TenantsByMsp::new(clock.clone())),
            sink: Arc::new(Sink(SharedDice(AtomicU64::new(7)), AtomicU64::new(0))),
            clock,
            customers: Vec::new(),
        };
        for number in 0..=HEALTHY {
            soak.connect(number).await;
        }
        soak.network.is_hostile.store(true, Ordering::Relaxed);
        soak
    }

    /// NinjaOne as a new process sees it.
    fn live(&self) -> Arc<NinjaOneApi> {
        // NinjaOne's windows, as much shorter as time is here.
        let windows = [(500, Real::from_secs(1)), (10_000, Real::from_secs(20))];
        let retry = RetryPolicy::default().backoff(Real::from_millis(1), Real::from_millis(2));
        let live = NinjaOneApi::new()
            .rate_limit(RateLimit::default().windows(windows))
            .retry(retry)
            .transport(Arc::<TenantsByMsp>::clone(&self.network))
            .shared_budget(Arc::clone(&self.store), Arc::new(keyring()));
        Arc::new(live)
    }

    /// A process whose clock shows this much more than it should.
    fn process(&self, ahead: Duration) -> Integration {
        let clock = if ahead.is_zero() {
            self.clock.clone()
        } else {
            ManualClock::at(self.clock.now() + ahead)
        };
        self.process_of(clock, self.live(), None)
    }

    fn process_of(
        &self,
        clock: ManualClock,
        live: Arc<NinjaOneApi>,
        watched: Option<Arc<Watched>>,
    ) -> Integration {
        let policy = HostPolicy::default()
            .allow_hosts(|_| true)
            .sweep_deadline(DEADLINE)
            .event_deadline(DEADLINE);
        let mut builder = Integration::builder(Arc::clone(&self.store), keyring(), live)
            .clock(Arc::new(clock))
            .anchor_sink(Arc::<Sink>::clone(&self.sink))
            .policy(policy);
        if let Some(watched) = watched {
            builder = builder.observer(watched);
        }
        builder.build()
    }

    async fn connect(&mut self, number: usize) {
        let host = self.process(Duration::ZERO);
        let connect = Connect {
            event: event(&format!("connect {number}")),
            region: region(number),
            client_id: format!("client {number}").into(),
            client_secret: "secret".into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        let customers =
            connect_and_promote_all(&host, &*self.store, msp(number), connect, event).await;
        let customers = customers.into_iter().map(|(mapping, id)| Customer {
            of: number,
            id,
            mapping,
        });
        self.customers.extend(customers);
    }

    /// A process whose clock is wrong does what it can, once, and ends.
    async fn by_a_wrong_clock(&self, ahead: Duration) {
        let scheduler = Scheduler::new(self.process(ahead)).retry(Retry::default().attempts(1));
        scheduler.run_due(pending()).await;
    }

    /// A process dies in mid-sweep, and leaves its leases.
    async fn dies(&self) {
        let process = self.process(Duration::ZERO);
        let tick = Cadence::EVIDENCE_SWEEP.last(self.clock.now());
        let events = process
            .plan_all(PlanKind::EvidenceSweep, tick)
            .await
            .unwrap();
        for event in events {
            let Event::EvidenceSweep(event) = event else {
                continue;
            };
            let sweep = process.sweep(&event);
            let moments = Real::from_micros(500 * self.network.dice.roll(12));
            let _ = tokio::time::timeout(moments, sweep).await;
        }
    }

    /// Every customer of a healthy MSP has evidence of this tick. Where one has not, it says how the customer's sweeps ended.
    async fn all_are_served(&self, tick: OffsetDateTime, ends: &[(EventId, &str)]) {
        for Customer { of, id, mapping } in
            self.customers.iter().filter(|customer| customer.of != 0)
        {
            let now = self.clock.now();
            let current = self.store.current_signals(*id, now).await.unwrap();
            let sweep = EventId::of_sweep(*mapping, tick);
            let ends = ends.iter().filter(|(event, _)| *event == sweep);
            let ends: Vec<_> = ends.map(|(_, end)| *end).collect();
            assert_eq!(current.len(), 5, "MSP {of}, {mapping} at {tick}: {ends:?}");
            for stored in current {
                let at = stored.signal.collected_at;
                assert!(
                    at >= tick && at <= now,
                    "MSP {of}, {mapping} at {tick}: {at}, {ends:?}"
                );
            }
        }
    }

    /// No ticket of a healthy MSP was opened or closed that should not be: those of failing devices stay open, others there are none.
    async fn tickets_stay(&self) {
        for number in 1..=HEALTHY {
            let tickets = self.store.tickets(msp(number), None).await.unwrap();
            let signals: BTreeSet<_> = tickets.iter().map(|ticket| ticket.key.signal).collect();
            assert_eq!(
                signals.len(),
                tickets.len(),
                "MSP {number}: one was opened again"
            );
            let closed = |ticket: &&_| -> bool {
                let ticket: &Ticket = ticket;
                ticket.state != TicketState::Open
            };
            assert_eq!(tickets.iter().find(closed), None, "MSP {number}");
            assert_eq!(
                number == FAILING,
                signals.contains(&SignalKind::DiskEncryption)
            );
        }
    }

    /// Every chain is whole.
    async fn chains_verify(&self) -> u64 {
        let mut records = 0;
        for Customer { id, mapping, .. } in &self.customers {
            for kind in SignalKind::ALL {
                let mut head = chain_start(*id, *mapping, kind);
                loop {
                    let rows = self
                        .store
                        .evidence_chain(*id, *mapping, kind, head.length, 1_000)
                        .await
                        .unwrap();
                    if rows.is_empty() {
                        break;
                    }
                    head = verify_chain(head, rows.iter().map(|row| &row.link), &[]).unwrap();
                }
                records += head.length;
            }
        }
        records
    }
}

/// The process that lives through all of it.
struct Main<'a> {
    soak: &'a Soak,
    watched: Arc<Watched>,
    live: Arc<NinjaOneApi>,
}

impl Main<'_> {
    /// When there is something to do again, once everything is done that is due.
    async fn idle(&self) -> OffsetDateTime {
        let mut idle = self.watched.idle.subscribe();
        let is_later = |until: &Option<OffsetDateTime>| {
            until.is_some_and(|until| until > self.soak.clock.now())
        };
        let until = tokio::time::timeout(Real::from_mins(2), idle.wait_for(is_later));
        let until = until.await.unwrap().unwrap();
        until.unwrap()
    }

    /// The machine and its database run ahead, go on for a while, and are set right.
    async fn all_ahead(&self, ahead: Duration) {
        let right = self.soak.clock.now();
        self.soak.clock.advance(ahead);
        for _ in 0..8 {
            let until = self.idle().await;
            self.soak.clock.set(until);
        }
        self.idle().await;
        for number in 0..=HEALTHY {
            let of_msp = self.soak.store.credentials(msp(number)).await.unwrap();
            let spent = self
                .soak
                .store
                .spend(&of_msp[0].fingerprint, &NINJAONE_WINDOWS);
            let _ = spent.await.unwrap();
        }
        // What it told is of the wrong time.
        self.watched.idle.send_replace(None);
        self.soak.clock.set(right);
    }

    /// What goes wrong in a tick, if anything.
    async fn disturb(&self, ends: &mut BTreeMap<&'static str, u64>) {
        let soak = self.soak;
        let what = match soak.network.dice.roll(10) {
            0 => {
                soak.by_a_wrong_clock(Duration::days(20)).await;
                "a clock 20 days ahead"
            }
            1 => {
                soak.by_a_wrong_clock(Duration::days(-3)).await;
                "a clock 3 days behind"
            }
            2 => {
                soak.by_a_wrong_clock(Duration::minutes(10)).await;
                "a clock 10 minutes ahead"
            }
            3 => {
                soak.by_a_wrong_clock(Duration::minutes(-10)).await;
                "a clock 10 minutes behind"
            }
            4 => {
                self.all_ahead(Duration::days(20)).await;
                "all 20 days ahead"
            }
            5 => {
                self.all_ahead(Duration::hours(6)).await;
                "all 6 hours ahead"
            }
            6 => {
                soak.dies().await;
                "a process died"
            }
            _ => "nothing",
        };
        *ends.entry(what).or_default() += 1;
    }

    /// One tick, from when it is due to when the next one is.
    async fn tick(&self, disturbances: &mut BTreeMap<&'static str, u64>) {
        let (soak, clock) = (self.soak, &self.soak.clock);
        let tick = Cadence::EVIDENCE_SWEEP.last(clock.now());
        let next = Cadence::EVIDENCE_SWEEP.next(clock.now());
        let disturbed_at = soak.network.dice.roll(8);
        for step in 0.. {
            let until = self.idle().await;
            if step == disturbed_at {
                self.disturb(disturbances).await;
            } else if until < next {
                clock.set(until);
            } else if step > disturbed_at {
                break;
            }
        }
        self.idle().await;
        let ends = std::mem::take(&mut *self.watched.tick.lock().unwrap());
        soak.all_are_served(tick, &ends).await;
        clock.set(next);
    }
}

/// How many ticks.
fn ticks() -> usize {
    let told = env::var("REGENTRA_SOAK_TICKS").ok();
    told.map_or(40, |told| told.parse().unwrap())
}

fn mean(of: &[u64]) -> u64 {
    of.iter().sum::<u64>() / of.len().max(1) as u64
}

/// Compares the last tenth of a run with the second, by their means: one tick's memory says little, because a hostile answer may have
/// been read in it. In KiB; an error when it grew by `most` bytes or more.
fn flat(what: &str, ticks: &[u64], most: u64) -> Result<String, String> {
    let tenth = ticks.len() / 10;
    let (early, late) = (
        mean(&ticks[tenth..2 * tenth]),
        mean(&ticks[ticks.len() - tenth..]),
    );
    let line = format!(
        "{what}: {} KiB in the second tenth, {} KiB in the last",
        early >> 10,
        late >> 10
    );
    if late < early + most {
        Ok(line)
    } else {
        Err(line)
    }
}

#[test]
fn memory_that_grows_a_little_with_each_tick_is_not_flat() {
    let grows = |ticks: u64, by: u64| -> Vec<_> { (0..ticks).map(|tick| tick * by).collect() };
    for (ticks, by) in [(40, 32 << 10), (1_000, 1_400), (10_000, 140)] {
        let found = flat("allocated", &grows(ticks, by), FLAT_HEAP);
        assert!(found.is_err(), "{found:?}");
        assert!(flat("allocated", &grows(ticks, by / 4), FLAT_HEAP).is_ok());
    }
}

/// The process that is measured is a second one of the same program, which began with [`GIVE_BACK`].
#[test]
fn every_healthy_msp_is_served_at_every_tick_whatever_clocks_and_a_hostile_tenant_do() {
    if GIVE_BACK
        .iter()
        .all(|(name, _)| env::var_os(name).is_some())
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(live_through_it());
    }
    let mut itself = Command::new(env::current_exe().unwrap());
    let status = itself
        .args(env::args_os().skip(1))
        .envs(GIVE_BACK)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

async fn live_through_it() {
    // A long run writes more than a folder in memory should hold: it says where by `TMPDIR`.
    let folder = match ticks() {
        0..=1_000 => tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()),
        _ => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    let path = folder.path().join("soak.db");
    let soak = Soak::begin(SqliteStore::migrate(&path).await.unwrap()).await;
    let main = Main {
        soak: &soak,
        watched: Arc::new(Watched {
            idle: watch::Sender::new(None),
            ends: Mutex::default(),
            tick: Mutex::default(),
        }),
        live: soak.live(),
    };
    let process = soak.process_of(
        soak.clock.clone(),
        Arc::clone(&main.live),
        Some(Arc::clone(&main.watched)),
    );
    let scheduler = Scheduler::new(process).retry(Retry::default().attempts(3));
    let stop = Arc::new(tokio::sync::Notify::new());
    let running = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move { scheduler.run(stop.notified()).await }
    });

    let (began, all) = (Instant::now(), ticks());
    let mut disturbances = BTreeMap::new();
    // What the run itself keeps of its memory is there from the start.
    let (mut allocated, mut kept) = (Vec::with_capacity(all), Vec::with_capacity(all));
    for done in 1..=all {
        main.tick(&mut disturbances).await;
        allocated.push(HEAP.current_usage() as u64);
        kept.push(resident("VmRSS:"));
        if done % 500 == 0 {
            soak.tickets_stay().await;
            let seconds = began.elapsed().as_secs();
            let [heap, resident] = [&allocated, &kept].map(|of| mean(&of[done - 500..]) >> 10);
            let file = std::fs::metadata(&path).unwrap().len() >> 20;
            println!(
                "{done} ticks, {seconds} s; in these 500 {heap} KiB allocated, {resident} KiB resident; {file} MiB stored"
            );
        }
    }
    assert!(main.live.kept_clients() <= HEALTHY + 1);
    stop.notify_one();
    let stopped = running.await.unwrap();
    soak.tickets_stay().await;
    let records = soak.chains_verify().await;
    println!(
        "{all} ticks in {} s, every one of {HEALTHY} healthy MSPs served in each: {stopped:?}, {records} records, {} anchors",
        began.elapsed().as_secs(),
        soak.sink.1.load(Ordering::Relaxed)
    );
    println!("{disturbances:?}");
    let ends = main.watched.ends.lock().unwrap().clone();
    println!("{ends:?}");
    if all < 40 {
        return;
    }
    // The hostile tenant was hostile, in several ways.
    let kinds = ends.keys().filter(|end| end.starts_with("ninjaone."));
    assert!(kinds.count() >= 2, "{ends:?}");
    let most = resident("VmHWM:") >> 10;
    println!("resident at most: {most} KiB, while a hostile answer was read");
    for (what, of, most) in [
        ("allocated", allocated, FLAT_HEAP),
        ("resident", kept, FLAT_RESIDENT),
    ] {
        println!("{}", flat(what, &of, most).unwrap());
    }
}
