//! A long run: ticks upon ticks with clocks that jump, a hostile tenant, and processes that die. Every healthy MSP is served at every
//! tick, no ticket closes that should not, every chain verifies, and memory stays as it is.
//!
//! In small it is a test; `REGENTRA_SOAK_TICKS=10000` makes it what its name says (`.ci/soak`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test panics where it fails, and a long one says how it goes on"
)]
#![allow(missing_docs, reason = "a test's name says what it shows")]

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use regentra_sync::{
    Choice, Connect, Error, ErrorKind, Integration, Result, Scheduler,
    host::{Clock as _, ManualClock, Policy, StoreClock},
    model::{
        Actor, ComplianceOrgId, CredentialId, DeviceList, EventId, ExternalOrgId,
        ListedOrganization, MappingId, MspOrgId, NINJAONE_WINDOWS, OrganizationList, RegionKey,
        Report, ReportOutcome, SweepCounts, chain_start,
    },
    ninjaone::{Access, Assessment, AssessmentRequest, NinjaOne, Redeemed, Redemption, Verdict},
    ninjaone_client::ErrorKind as Vendor,
    regentra_evidence::{SignalKind, Status, verify_chain},
    schedule::{Cadence, Event, PlanKind},
    seal::{KeyId, Keyring, MasterKey},
    store::{Store, conformance::world},
};
use regentra_sync_sqlite::SqliteStore;
use secrecy::ExposeSecret as _;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const BEGIN: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// The healthy ones, each with one customer; the hostile one is number 0 and has three.
const HEALTHY: u128 = 4;
const HOSTILE_CUSTOMERS: i64 = 3;

/// Chance that is the same in every run.
#[derive(Debug)]
struct Dice(AtomicU64);

impl Dice {
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

/// NinjaOne as the healthy tenants see it, and as the hostile one makes it.
#[derive(Debug)]
struct Tenants(Dice);

fn is_hostile(access: &Access) -> bool {
    access.client_id.expose_secret() == "client 0"
}

impl Tenants {
    /// What the hostile tenant does to whoever asks.
    async fn misbehave(&self) -> Result<()> {
        let failed = |kind| {
            let error = Error::new(ErrorKind::Ninjaone(kind), "the tenant is hostile");
            Err(error.retryable(kind == Vendor::Timeout))
        };
        match self.0.roll(20) {
            0..=4 => failed(Vendor::Timeout),
            5..=8 => failed(Vendor::Server),
            9..=11 => failed(Vendor::Decode),
            12..=13 => failed(Vendor::LimitExceeded),
            // It never answers: the deadline ends it.
            14 => pending().await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl NinjaOne for Tenants {
    async fn authenticate(&self, _access: &Access) -> Result<()> {
        Ok(())
    }

    async fn redeem(&self, _redemption: Redemption) -> Result<Redeemed> {
        Err(Error::new(ErrorKind::Internal, "nobody is authorized here"))
    }

    async fn organizations(&self, _access: &Access, _ceiling: usize) -> Result<OrganizationList> {
        let organizations = (1..=HOSTILE_CUSTOMERS).map(|id| ListedOrganization {
            id: ExternalOrgId::new(id),
            name: format!("Organization {id}").into(),
        });
        Ok(OrganizationList {
            organizations: organizations.collect(),
            ..OrganizationList::default()
        })
    }

    async fn devices(
        &self,
        _access: &Access,
        _organization: ExternalOrgId,
        _ceiling: usize,
    ) -> Result<DeviceList> {
        Ok(DeviceList::default())
    }

    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        tokio::task::yield_now().await;
        if is_hostile(access) {
            self.misbehave().await?;
        }
        let mut verdicts: Vec<_> = SignalKind::ALL
            .into_iter()
            .map(|kind| Verdict {
                signal: world::signal(kind, Status::Pass, request.now),
                facts: world::facts(),
            })
            .collect();
        let mut unlisted_devices = BTreeMap::new();
        if is_hostile(access) {
            // Half an assessment, or devices that nobody has ever seen.
            verdicts.truncate(usize::try_from(self.0.roll(8)).unwrap());
            unlisted_devices = (0..2_000).map(|device| (device, 1)).collect();
        }
        Ok(Assessment {
            customer: request.customer,
            verdicts,
            reports: BTreeMap::from([(Report::Devices, ReportOutcome::Answered)]),
            counts: SweepCounts::default(),
            signatures_out_of_date: BTreeMap::new(),
            listed_devices: None,
            unlisted_devices,
        })
    }
}

struct Soak {
    store: Arc<dyn Store>,
    tenants: Arc<Tenants>,
    /// The store's clock, and that of the processes that are right.
    clock: ManualClock,
    customers: Vec<(MspOrgId, ComplianceOrgId, MappingId)>,
}

fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number + 1))
}

fn event(label: &str) -> EventId {
    EventId::of_request("soak", label)
}

/// How much memory the process has, in kibibytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
    digits.parse().unwrap_or(0)
}

impl Soak {
    async fn begin(store: SqliteStore) -> Self {
        let clock = ManualClock::at(BEGIN);
        let store = Arc::new(store.with_clock(StoreClock::of(clock.clone())));
        let mut soak = Self {
            store,
            tenants: Arc::new(Tenants(Dice(AtomicU64::new(20_261_123)))),
            clock,
            customers: Vec::new(),
        };
        for number in 0..=HEALTHY {
            let customers = if number == 0 { HOSTILE_CUSTOMERS } else { 1 };
            soak.connect(number, customers).await;
        }
        soak
    }

    /// A process whose clock shows this much more than it should.
    fn process(&self, ahead: Duration) -> Integration {
        let key = |byte| MasterKey::from_bytes([byte; 32]);
        let keyring = Keyring::new(KeyId::new("one").unwrap(), key(1), key(2));
        let clock = if ahead.is_zero() {
            self.clock.clone()
        } else {
            ManualClock::at(self.clock.now() + ahead)
        };
        Integration::builder(Arc::clone(&self.store), keyring)
            .ninjaone(Arc::<Tenants>::clone(&self.tenants))
            .clock(Arc::new(clock))
            .policy(Policy::default().sweep_deadline(Duration::milliseconds(50)))
            .build()
    }

    async fn connect(&mut self, number: u128, customers: i64) {
        let (host, msp) = (self.process(Duration::ZERO), msp(number));
        let region = RegionKey::parse("us").unwrap();
        let connect = Connect {
            event: event(&format!("connect {number}")),
            region: region.clone(),
            client_id: format!("client {number}").into(),
            client_secret: "secret".into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        host.connect(msp, connect).await.unwrap();
        let found = event(&format!("discover {number}"));
        let discovery = host.discover(msp, &region, Actor::Schedule, found);
        discovery.await.unwrap();
        let credential = CredentialId::of(msp, &region);
        for organization in 1..=customers {
            let mapping = MappingId::of(credential, ExternalOrgId::new(organization));
            let label = format!("{number} {organization}");
            let decided = event(&format!("map {label}"));
            let mapped = host.map(msp, mapping, Choice::CreateNew, Actor::Schedule, decided);
            let company = mapped.await.unwrap().mapping.state.company().unwrap();
            let customer = Uuid::from_u128(company.as_uuid().as_u128() ^ 0xc0de);
            let customer = ComplianceOrgId::from_uuid(customer);
            let promoted = event(&format!("promote {label}"));
            let promoted = host.promote(msp, company, customer, Actor::Schedule, promoted);
            promoted.await.unwrap();
            self.customers.push((msp, customer, mapping));
        }
    }

    /// Sweeps what is due, once, with the real scheduler.
    async fn sweep(&self, process: Integration) {
        let scheduler = Scheduler::new(process)
            .timetable([(PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP)])
            .parallel(4)
            .attempts(1);
        scheduler.run_due(pending()).await;
    }

    /// A process whose clock is wrong does what it can.
    async fn by_a_wrong_clock(&self, ahead: Duration) {
        self.sweep(self.process(ahead)).await;
    }

    /// The machine and its database run ahead, are swept, and are set right.
    async fn all_ahead(&self, ahead: Duration) {
        let right = self.clock.now();
        self.clock.advance(ahead);
        self.sweep(self.process(Duration::ZERO)).await;
        for (msp, ..) in &self.customers {
            let of_msp = self.store.credentials(*msp).await.unwrap();
            let spent = self.store.spend(&of_msp[0].fingerprint, &NINJAONE_WINDOWS);
            let _ = spent.await.unwrap();
        }
        self.clock.set(right);
    }

    /// A process dies in mid-sweep, and leaves its leases.
    async fn dies(&self) {
        let process = self.process(Duration::ZERO);
        let tick = Cadence::EVIDENCE_SWEEP.last(self.clock.now());
        let events = process.plan(PlanKind::EvidenceSweep, tick).await.unwrap();
        for event in events {
            let Event::EvidenceSweep(event) = event else {
                continue;
            };
            let sweep = process.sweep(&event);
            let moments = std::time::Duration::from_micros(200 * self.tenants.0.roll(8));
            let _ = tokio::time::timeout(moments, sweep).await;
        }
        // Its leases run out.
        self.clock.advance(Duration::minutes(6));
    }

    /// Every customer of a healthy MSP has evidence of this tick.
    async fn all_are_served(&self, tick: OffsetDateTime) {
        for (of, customer, mapping) in &self.customers {
            if *of == msp(0) {
                continue;
            }
            let now = self.clock.now();
            let current = self.store.current_signals(*customer, now).await.unwrap();
            assert_eq!(current.len(), 5, "{mapping} at {tick}");
            for stored in current {
                let at = stored.signal.collected_at;
                assert!(at >= tick && at <= now, "{mapping} at {tick}: {at}");
            }
        }
    }

    /// Every chain is whole.
    async fn chains_verify(&self) {
        for (_, customer, mapping) in &self.customers {
            for kind in SignalKind::ALL {
                let mut head = chain_start(*customer, *mapping, kind);
                loop {
                    let rows = self
                        .store
                        .evidence_chain(*customer, *mapping, kind, head.length, 1_000)
                        .await
                        .unwrap();
                    if rows.is_empty() {
                        break;
                    }
                    head = verify_chain(head, rows.iter().map(|row| &row.link), &[]).unwrap();
                }
            }
        }
    }
}

/// How many ticks.
fn ticks() -> u64 {
    let told = std::env::var("REGENTRA_SOAK_TICKS").ok();
    told.map_or(40, |told| told.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_healthy_msp_is_served_at_every_tick_whatever_clocks_and_a_hostile_tenant_do() {
    // A long run writes more than a folder in memory should hold.
    let folder = match ticks() {
        0..=1_000 => tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()),
        _ => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    let store = SqliteStore::migrate(folder.path().join("soak.db"))
        .await
        .unwrap();
    let soak = Soak::begin(store).await;
    let (began, all) = (Instant::now(), ticks());
    let (mut jumps, mut deaths, mut early) = (0, 0, 0);
    for number in 0..all {
        soak.clock
            .set(BEGIN + Duration::hours(6) * i32::try_from(number).unwrap());
        let tick = Cadence::EVIDENCE_SWEEP.last(soak.clock.now());
        match soak.tenants.0.roll(10) {
            0 => soak.by_a_wrong_clock(Duration::days(20)).await,
            1 => soak.by_a_wrong_clock(Duration::days(-3)).await,
            2 => soak.by_a_wrong_clock(Duration::minutes(10)).await,
            3 => soak.by_a_wrong_clock(Duration::minutes(-10)).await,
            4 => soak.all_ahead(Duration::days(20)).await,
            5 => soak.all_ahead(Duration::hours(6)).await,
            6 => {
                soak.dies().await;
                deaths += 1;
            }
            _ => jumps -= 1,
        }
        jumps += 1;
        soak.sweep(soak.process(Duration::ZERO)).await;
        soak.all_are_served(tick).await;
        if number + 1 == all.div_ceil(10) {
            early = resident();
        }
        if (number + 1) % 1_000 == 0 {
            let (done, seconds) = (number + 1, began.elapsed().as_secs());
            println!("{done} ticks, {seconds} s, {} KiB", resident());
        }
    }
    soak.chains_verify().await;
    let late = resident();
    println!(
        "{all} ticks, {jumps} of them disturbed, {deaths} deaths: {early} KiB after a tenth, {late} KiB at the end"
    );
    assert!(late < early + 32 * 1_024, "{early} KiB, then {late} KiB");
}
