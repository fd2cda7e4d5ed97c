//! The host of one case: an MSP, its customers, and one tick.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use regentra_evidence::SignalKind;
use regentra_harness::plan::PlanAll as _;
use regentra_sync::{
    Change, Configure, Connect, Discover, Integration, Promote,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, CompanyId, ComplianceOrgId, CredentialId, EventId, MappingState, MspOrgId,
        PortalCompany, RegionKey,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::RateLimit,
    schedule::{Again, Cadence, Event, PlanKind},
    seal::{KeyId, Keyring, MasterKey},
    store::{AssetFilter, CommitOutcome, MappingCommit, Store},
};
use regentra_sync_sqlite::SqliteStore;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::{
    cases::{Case, Figures, Work},
    meter,
    metered::{self, Metered},
    plain,
    simulator::Simulator,
};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// Events that are handled side by side: as many of one connection as the scheduler's default.
const PARALLEL: usize = 4;

/// How often an event is handled until it is over.
const ATTEMPTS: u32 = 3;

struct Host {
    integration: Integration,
    store: Arc<dyn Store>,
    msp: MspOrgId,
    region: RegionKey,
    customers: Vec<ComplianceOrgId>,
}

pub(crate) async fn run(case: &Case) -> anyhow::Result<Figures> {
    let mut simulator = Simulator::start(case).await?;
    let folder = tempfile::tempdir()?;
    let clock = ManualClock::at(NOW);
    let store = SqliteStore::migrate(folder.path().join("regentra.db"))
        .await?
        .with_clock(StoreClock::of(clock.clone()));
    let store: Arc<dyn Store> = Arc::new(store);
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let keyring = Keyring::new(KeyId::new("bench")?, key(1), key(9));
    let reading = Arc::new(metered::CpuCounter::default());
    let ninjaone = Metered {
        api: NinjaOneApi::new().rate_limit(RateLimit::unlimited()),
        spent: Arc::clone(&reading),
    };
    let integration = Integration::builder(Arc::clone(&store), keyring, Arc::new(ninjaone))
        .clock(Arc::new(clock))
        .policy(HostPolicy::default().allow_hosts(|_| true))
        .build();
    let mut host = Host {
        integration,
        store,
        msp: MspOrgId::from_uuid(Uuid::from_u128(1)),
        region: RegionKey::parse(&simulator.url)?,
        customers: Vec::new(),
    };
    host.furnish(case, &simulator).await?;

    let _ = simulator.requests().await?;
    let (kind, cadence) = match case.work {
        Work::Sweep => (PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP),
        Work::Assets => (PlanKind::AssetSync, Cadence::ASSET_SYNC),
    };
    meter::forget_peak();
    let resident_before_mib = meter::resident();
    let (spent, began, read_before) =
        (meter::CpuSnapshot::now(), Instant::now(), reading.seconds());
    host.tick(kind, cadence).await?;
    let seconds = began.elapsed().as_secs_f64();
    let spent = spent.since();
    let reading_cpu_seconds = reading.seconds() - read_before + spent.connections;
    let peak_mib = meter::peak();

    let targets = simulator.targets().await?;
    let by_path = simulator.requests().await?;
    let verdicts = match case.work {
        Work::Sweep => host.verdicts().await?,
        Work::Assets => {
            host.check_assets(case.devices).await?;
            BTreeMap::new()
        }
    };
    let plain = plain::read(&simulator, &targets).await?;
    Ok(Figures {
        case: case.clone(),
        requests: by_path.values().sum(),
        by_path,
        verdicts,
        seconds,
        cpu_seconds: spent.process,
        reading_cpu_seconds,
        store_cpu_seconds: spent.store,
        plain: Some(plain),
        resident_before_mib,
        peak_mib,
    })
}

impl Host {
    /// Connects, maps every organization to a company of its own, and promotes as many as the case says.
    async fn furnish(&mut self, case: &Case, simulator: &Simulator) -> anyhow::Result<()> {
        let request = |what: &str| EventId::of_request("bench", what);
        let (msp, actor) = (self.msp, Actor::Schedule);
        let connect = Connect {
            event: request("connect"),
            region: self.region.clone(),
            client_id: simulator.client_id.as_str().into(),
            client_secret: simulator.client_secret.as_str().into(),
            allow_duplicate: false,
            actor,
        };
        self.integration.connect(msp, connect).await?;
        let configure = Configure {
            sweep_strategy: Change::To(case.strategy),
            ..Configure::new(request("configure"), self.region.clone(), actor)
        };
        self.integration.configure(msp, configure).await?;
        let discover = Discover {
            region: self.region.clone(),
            actor,
            event: request("discover"),
        };
        self.integration.discover(msp, discover).await?;
        let credential = CredentialId::of(msp, &self.region);
        let mut mappings = self.store.mappings(msp, credential).await?;
        ensure!(
            mappings.len() == case.organizations,
            "{} organizations were discovered",
            mappings.len()
        );
        mappings.sort_by_key(|mapping| mapping.external_org_id);
        for (place, mapping) in mappings.iter().enumerate() {
            // What `map` would write, without looking for a company of that name among all the others: nothing is measured here.
            let company = CompanyId::of_name(msp, mapping.name.as_str());
            let map = MappingCommit {
                event: request(&format!("map {}", mapping.id)),
                guard: mapping.guard(),
                state: MappingState::Mapped { company },
                company: Some(PortalCompany {
                    id: company,
                    name: mapping.name.clone(),
                    converted_to: None,
                    created_at: NOW,
                }),
                at: NOW,
                audit: Vec::new(),
            };
            let mapped = self.store.commit_mapping(msp, map).await?;
            ensure!(
                mapped == CommitOutcome::Committed,
                "an organization was not mapped: {mapped:?}"
            );
            // Spread over the tenant, and over what its customers are like: 7,919 is a prime.
            if place * 7_919 % case.organizations.max(1) >= case.promoted {
                continue;
            }
            let customer =
                ComplianceOrgId::from_uuid(Uuid::from_u128(!company.as_uuid().as_u128()));
            let promote = Promote {
                company,
                compliance_org: customer,
                actor,
                event: request(&format!("promote {company}")),
            };
            self.integration.promote(msp, promote).await?;
            self.customers.push(customer);
        }
        ensure!(
            self.customers.len() == case.promoted,
            "{} customers were promoted",
            self.customers.len()
        );
        Ok(())
    }

    /// Handles every event of a tick: one at a time of each key, as an engine does.
    async fn tick(&self, kind: PlanKind, cadence: Cadence) -> anyhow::Result<()> {
        let mut queues: BTreeMap<String, VecDeque<Event>> = BTreeMap::new();
        for event in self.integration.plan_all(kind, cadence.last(NOW)).await? {
            let queue = queues.entry(event.key().to_string()).or_default();
            queue.push_back(event);
        }
        stream::iter(queues.into_values().map(Ok))
            .try_for_each_concurrent(PARALLEL, |queue| self.handle(queue))
            .await
    }

    async fn handle(&self, queue: VecDeque<Event>) -> anyhow::Result<()> {
        for event in queue {
            let mut attempt = 1;
            loop {
                let end = self.integration.handle(&event, attempt).await;
                if end.outcome.is_over() {
                    break;
                }
                ensure!(
                    attempt < ATTEMPTS && end.again != Again::Never,
                    "an event of {} ended {:?}",
                    event.key(),
                    end.outcome
                );
                attempt += 1;
            }
        }
        Ok(())
    }

    /// Signal -> status -> customers. Each customer has each signal once, and judged by complete reports.
    async fn verdicts(&self) -> anyhow::Result<BTreeMap<String, BTreeMap<String, u64>>> {
        let all = stream::iter(&self.customers)
            .map(|customer| self.store.current_signals(*customer, NOW))
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?;
        let mut verdicts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for signals in all {
            ensure!(
                signals.len() == SignalKind::ALL.len(),
                "a customer has {} signals",
                signals.len()
            );
            for stored in signals {
                let signal = &stored.signal;
                ensure!(signal.complete, "{} is incomplete", signal.kind());
                let of_kind = verdicts.entry(signal.kind().to_string()).or_default();
                *of_kind.entry(format!("{:?}", signal.status)).or_default() += 1;
            }
        }
        Ok(verdicts)
    }

    async fn check_assets(&self, devices: usize) -> anyhow::Result<()> {
        let assets = self.store.assets(self.msp, AssetFilter::All).await?;
        ensure!(
            assets.len() == devices,
            "{} devices became assets",
            assets.len()
        );
        Ok(())
    }
}
