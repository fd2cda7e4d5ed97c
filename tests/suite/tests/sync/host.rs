//! A host: a store, keys, a clock, and an MSP that uses it.

use std::{
    any::Any,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use regentra_harness::{keys::rotating_keyring, plan::PlanAll as _};
use regentra_sync::{
    Choice, Connect, Discover, Discovery, Integration, IntegrationBuilder, MapOrganization,
    MappingSync, Promote, SweepOutcome, SweepReport, SyncAssets, SyncOutcome,
    host::{Clock, HostPolicy, ManualClock, Progress, ProgressObserver, StoreClock},
    model::{
        Actor, ActorId, Asset, AuditAction, AuditRow, CompanyId, ComplianceOrgId, CredentialId,
        EventId, Mapping, MappingId, MspOrgId, OrganizationId, PortalCompany, RegionKey,
        StrategyChoice,
    },
    schedule::{Event, PlanKind, SweepEvent},
    seal::Keyring,
    store::{AssetFilter, AuditPage, MemoryStore, Store},
};
use regentra_sync_sqlite::SqliteStore;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::scripted::Scripted;

pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ninjaone: Scripted,
    pub(crate) clock: ManualClock,
    pub(crate) store_clock: HostClock,
    pub(crate) integration: Integration,
    pub(crate) msp: MspOrgId,
    events: AtomicU64,
    _kept: Arc<dyn Any + Send + Sync>,
}

/// The clock of a host's store: it shows what the processes' clock shows, until it is given a time of its own.
#[derive(Clone, Debug)]
pub(crate) struct HostClock {
    processes: ManualClock,
    own: Arc<Mutex<Option<ManualClock>>>,
}

impl HostClock {
    fn following(processes: &ManualClock) -> Self {
        Self {
            processes: processes.clone(),
            own: Arc::default(),
        }
    }

    /// From now on it stands at `now`, wherever the processes' clock goes.
    pub(crate) fn set(&self, now: OffsetDateTime) {
        *self.own.lock().unwrap() = Some(ManualClock::at(now));
    }
}

impl Clock for HostClock {
    fn now(&self) -> OffsetDateTime {
        let own = self.own.lock().unwrap();
        own.as_ref().unwrap_or(&self.processes).now()
    }
}

pub(crate) fn keyring() -> Keyring {
    rotating_keyring(false)
}

pub(crate) fn us() -> RegionKey {
    RegionKey::parse("us").unwrap()
}

pub(crate) fn operator() -> Actor {
    Actor::Operator(ActorId::from_uuid(Uuid::from_u128(42)))
}

pub(crate) fn now() -> OffsetDateTime {
    datetime!(2026-11-23 06:31 UTC)
}

/// Sends what a process reports to a test.
#[derive(Debug)]
pub(crate) struct SendsProgress(pub(crate) mpsc::UnboundedSender<Progress>);

impl ProgressObserver for SendsProgress {
    fn progress(&self, progress: &Progress) {
        let _ = self.0.send(progress.clone());
    }
}

impl Host {
    pub(crate) fn in_memory() -> Self {
        Self::new(
            |clock| Arc::new(MemoryStore::new().with_clock(clock)),
            Arc::new(()),
        )
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::migrate(folder.path().join("regentra.db"))
            .await
            .unwrap();
        Self::new(|clock| Arc::new(store.with_clock(clock)), Arc::new(folder))
    }

    /// A host over a store by the same clock; [`Self::store_clock`] is where they part.
    fn new(
        store: impl FnOnce(StoreClock) -> Arc<dyn Store>,
        kept: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        let (ninjaone, clock) = (Scripted::default(), ManualClock::at(now()));
        let store_clock = HostClock::following(&clock);
        let store = store(StoreClock::of(store_clock.clone()));
        let integration = builder(&store, &ninjaone, &clock).build();
        let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
        Self {
            store,
            ninjaone,
            clock,
            store_clock,
            integration,
            msp,
            events: AtomicU64::new(0),
            _kept: kept,
        }
    }

    /// Another process of the same host.
    pub(crate) fn another_process(&self) -> Integration {
        builder(&self.store, &self.ninjaone, &self.clock).build()
    }

    /// Another process, on a machine whose clock is its own.
    pub(crate) fn process_by(&self, clock: &ManualClock) -> Integration {
        builder(&self.store, &self.ninjaone, clock).build()
    }

    /// Another process, which reports progress.
    pub(crate) fn observed(
        &self,
        observer: Arc<dyn ProgressObserver>,
        policy: HostPolicy,
    ) -> Integration {
        builder(&self.store, &self.ninjaone, &self.clock)
            .observer(observer)
            .policy(policy)
            .build()
    }

    pub(crate) fn with_policy(&self, policy: HostPolicy) -> Integration {
        builder(&self.store, &self.ninjaone, &self.clock)
            .policy(policy)
            .build()
    }

    /// A request nobody made before.
    pub(crate) fn event(&self) -> EventId {
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        EventId::of_request("test", &number.to_string())
    }

    pub(crate) fn connecting(&self) -> Connect {
        Connect {
            event: self.event(),
            region: us(),
            client_id: "client".into(),
            client_secret: "hunter2".into(),
            allow_duplicate: false,
            actor: operator(),
        }
    }

    pub(crate) async fn connect(&self) -> CredentialId {
        self.integration
            .connect(self.msp, self.connecting())
            .await
            .unwrap()
            .credential
    }

    pub(crate) fn organizations(&self, organizations: &[(i64, &str)]) {
        self.ninjaone.script().organizations = organizations
            .iter()
            .map(|(id, name)| (*id, (*name).to_owned()))
            .collect();
    }

    pub(crate) async fn discover(&self) -> Discovery {
        self.integration
            .discover(
                self.msp,
                Discover {
                    region: us(),
                    actor: operator(),
                    event: self.event(),
                },
            )
            .await
            .unwrap()
    }

    pub(crate) fn mapping_id(&self, organization: i64) -> MappingId {
        MappingId::of(
            CredentialId::of(self.msp, &us()),
            OrganizationId::new(organization),
        )
    }

    pub(crate) async fn mapping(&self, organization: i64) -> Mapping {
        self.store
            .mapping(self.msp, self.mapping_id(organization))
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn map(
        &self,
        organization: i64,
        choice: Choice,
    ) -> regentra_sync::Result<Mapping> {
        let mapped = self
            .integration
            .map(
                self.msp,
                MapOrganization {
                    mapping: self.mapping_id(organization),
                    choice,
                    actor: operator(),
                    event: self.event(),
                },
            )
            .await;
        mapped.map(|mapped| mapped.mapping)
    }

    pub(crate) async fn add_company(&self, name: &str) -> CompanyId {
        let id = CompanyId::from_uuid(Uuid::from_u128(
            1_000 + u128::from(self.events.fetch_add(1, Ordering::Relaxed)),
        ));
        let company = PortalCompany {
            id,
            name: name.into(),
            converted_to: None,
            created_at: now(),
        };
        self.store.add_company(self.msp, company).await.unwrap();
        id
    }

    /// Connects, discovers these organizations, and maps each to a new company.
    pub(crate) async fn mapped(&self, organizations: &[(i64, &str)]) -> Vec<CompanyId> {
        self.organizations(organizations);
        self.connect().await;
        self.discover().await;
        let mut companies = Vec::new();
        for (organization, _) in organizations {
            let mapping = self.map(*organization, Choice::CreateNew).await.unwrap();
            companies.push(mapping.state.company().unwrap());
        }
        companies
    }

    /// As [`Self::mapped`], and promotes each company.
    pub(crate) async fn promoted(&self, organizations: &[(i64, &str)]) -> Vec<ComplianceOrgId> {
        let mut customers = Vec::new();
        for company in self.mapped(organizations).await {
            customers.push(self.promote(company).await);
        }
        customers
    }

    pub(crate) async fn promote(&self, company: CompanyId) -> ComplianceOrgId {
        let customer =
            ComplianceOrgId::from_uuid(Uuid::from_u128(company.as_uuid().as_u128() ^ 0xc0de));
        self.integration
            .promote(
                self.msp,
                Promote {
                    company,
                    compliance_org: customer,
                    actor: operator(),
                    event: self.event(),
                },
            )
            .await
            .unwrap();
        customer
    }

    pub(crate) async fn sync(&self) -> Vec<MappingSync> {
        self.integration
            .sync_assets(
                self.msp,
                SyncAssets {
                    region: us(),
                    actor: operator(),
                    event: self.event(),
                },
            )
            .await
            .unwrap()
    }

    /// Syncs the one mapped organization.
    pub(crate) async fn sync_one(&self) -> SyncOutcome {
        let mut synced = self.sync().await;
        assert_eq!(synced.len(), 1);
        synced.remove(0).outcome.unwrap()
    }

    pub(crate) async fn assets(&self) -> Vec<Asset> {
        let mut assets = self.store.assets(self.msp, AssetFilter::All).await.unwrap();
        assets.sort_by(|a, b| (a.source, &a.external_id).cmp(&(b.source, &b.external_id)));
        assets
    }

    /// The tick of the sweep that is due.
    pub(crate) fn tick(&self) -> OffsetDateTime {
        regentra_sync::schedule::Cadence::EVIDENCE_SWEEP.last(self.clock.now())
    }

    pub(crate) async fn sweep_events(&self) -> Vec<SweepEvent> {
        let events = self
            .integration
            .plan_all(PlanKind::EvidenceSweep, self.tick())
            .await
            .unwrap();
        let sweeps = events.into_iter().map(|event| match event {
            Event::EvidenceSweep(sweep) => sweep,
            other => panic!("{other:?} among sweeps"),
        });
        sweeps.collect()
    }

    /// Sweeps every promoted customer in the present tick, and moves on to the next.
    pub(crate) async fn sweep_all(&self) -> Vec<SweepOutcome> {
        let mut outcomes = Vec::new();
        for event in self.sweep_events().await {
            outcomes.push(self.integration.sweep(&event).await.unwrap());
        }
        self.clock.advance(Duration::hours(6));
        outcomes
    }

    /// Sweeps the one promoted customer.
    pub(crate) async fn sweep_one(&self) -> SweepReport {
        let mut outcomes = self.sweep_all().await;
        assert_eq!(outcomes.len(), 1);
        match outcomes.remove(0) {
            SweepOutcome::Committed(report) => report,
            other => panic!("not committed: {other:?}"),
        }
    }

    pub(crate) async fn msp_audit(&self, action: AuditAction) -> Vec<AuditRow> {
        let rows = self
            .store
            .msp_audit(self.msp, AuditPage::newest(1_000))
            .await
            .unwrap();
        rows.into_iter()
            .filter(|row| row.action == action)
            .collect()
    }

    pub(crate) async fn customer_audit(&self, customer: ComplianceOrgId) -> Vec<AuditRow> {
        self.store
            .customer_audit(customer, AuditPage::newest(1_000))
            .await
            .unwrap()
    }
}

fn builder(store: &Arc<dyn Store>, ninjaone: &Scripted, clock: &ManualClock) -> IntegrationBuilder {
    let ninjaone = Arc::new(ninjaone.clone());
    // Every customer is swept by itself, as many as there are: passes for many have tests of their own.
    let alone = HostPolicy::default().sweep_strategy(StrategyChoice::PerCustomer);
    Integration::builder(Arc::clone(store), keyring(), ninjaone)
        .clock(Arc::new(clock.clone()))
        .policy(alone)
}
