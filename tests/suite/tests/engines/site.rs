//! Where the stories happen: a simulated tenant, an MSP with its customers on PostgreSQL, and the engine's schema and role.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use ninjaone_simulator::{
    Clock as SimulatedClock, Preset, Tenant,
    front::tcp::{self, Framing, Front},
};
use regentra_harness::{
    plan::PlanAll as _,
    postgres::{self, Database, OWNER, STORE, SUPERUSER, execute},
};
use regentra_sync::{
    Change, Configure, Connect, Discover, Integration, Promote,
    host::{Clock, HostPolicy, ProgressObserver, SystemClock},
    model::{
        Actor, CompanyId, ComplianceOrgId, CredentialId, EventId, MappingId, MappingState,
        MspOrgId, PortalCompany, RegionKey, StrategyChoice,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::RateLimit,
    schedule::{Cadence, Event, PlanKind, Retry},
    seal::{KeyId, Keyring, MasterKey},
    store::{CommitOutcome, MappingCommit, Mappings as _, Store},
};
use regentra_sync_postgres::PostgresStore;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions};
use time::{OffsetDateTime, Time};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// What workers of the engine log in as.
pub(crate) const ENGINE: &str = "regentra_engine";

/// How long a lease holds here, and how long a worker may be silent.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

pub(crate) fn msp() -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(1))
}

/// A clock that is wrong by so much.
#[derive(Clone, Debug)]
pub(crate) struct Skewed(pub(crate) time::Duration);

#[async_trait]
impl Clock for Skewed {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + self.0
    }
}

/// What a process has to know of a site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) store: String,
    pub(crate) engine: String,
    pub(crate) region: String,
    /// The cadence's offset in minutes: the last tick was an hour ago, the next is in eleven.
    pub(crate) offset: i64,
    /// Requests within ten seconds, for all processes together.
    pub(crate) budget: Option<usize>,
}

impl Place {
    pub(crate) fn cadence(&self) -> Cadence {
        Cadence {
            every: time::Duration::hours(12),
            offset: time::Duration::minutes(self.offset),
        }
    }

    pub(crate) fn region(&self) -> RegionKey {
        RegionKey::parse(&self.region).unwrap()
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.store).await.unwrap()
    }

    pub(crate) async fn engine(&self) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(12);
        pool.connect(&self.engine).await.unwrap()
    }

    pub(crate) fn integration(
        &self,
        store: Arc<dyn Store>,
        skew: time::Duration,
        observer: Option<Arc<dyn ProgressObserver>>,
    ) -> Integration {
        let key = |byte| MasterKey::from_bytes([byte; 32]);
        let keyring = Arc::new(Keyring::new(KeyId::new("engines").unwrap(), key(1), key(9)));
        let mut ninjaone = NinjaOneApi::new();
        ninjaone = match self.budget {
            None => ninjaone.rate_limit(RateLimit::unlimited()),
            Some(requests) => ninjaone
                .rate_limit(RateLimit::default().windows([(requests, Duration::from_secs(10))]))
                .shared_budget(Arc::clone(&store), Arc::clone(&keyring)),
        };
        let waits = (
            time::Duration::milliseconds(200),
            time::Duration::seconds(2),
        );
        let policy = HostPolicy::default()
            .allow_hosts(|_| true)
            .evidence_sweep(self.cadence())
            .plan_page(25)
            // Which tickets a cap lets through depends on who comes first.
            .tickets_per_tick(100_000)
            .retry(Retry::default().waits(waits.0, waits.1))
            .lease_length(time::Duration::try_from(SILENCE).unwrap());
        let mut builder = Integration::builder(store, keyring, Arc::new(ninjaone))
            .clock(Arc::new(Skewed(skew)))
            .policy(policy);
        if let Some(observer) = observer {
            builder = builder.observer(observer);
        }
        builder.build()
    }
}

/// A site, and the processes' way to it.
pub(crate) struct Site {
    pub(crate) place: Place,
    pub(crate) database: Database,
    pub(crate) customers: Vec<ComplianceOrgId>,
    pub(crate) mappings: Vec<(MappingId, ComplianceOrgId)>,
    front: Arc<Front>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

async fn engines_role() {
    static ROLE: OnceCell<()> = OnceCell::const_new();
    ROLE.get_or_init(|| async {
        let database = postgres::bare_database().await;
        let mut superuser = database.connect(SUPERUSER).await;
        let role = format!("CREATE ROLE {ENGINE} LOGIN NOSUPERUSER NOBYPASSRLS");
        execute(&mut superuser, &role).await;
    })
    .await;
}

/// A database with the store's schema and the engine's.
pub(crate) async fn migrated() -> Database {
    engines_role().await;
    let database = postgres::database().await;
    regentra_sync_graphile_worker::migrate(&database.url(OWNER), ENGINE)
        .await
        .unwrap();
    database
}

/// A database with the store's schema alone, on a server that has the engine's role.
pub(crate) async fn not_migrated() -> Database {
    engines_role().await;
    postgres::database().await
}

impl Site {
    /// So many organizations, dealt to so many customers, each of which was swept once before.
    pub(crate) async fn new(organizations: usize, customers: usize, devices: usize) -> Self {
        let now = SystemClock.now();
        let tenant = Tenant::builder(now)
            .preset(Preset::Mixed, 7, devices)
            .organization_count(organizations)
            .build();
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let front = tcp::serve_with(tenant, SimulatedClock::wall(), Framing::default(), 0);
        let front = front.await.unwrap();
        let database = Box::pin(migrated()).await;
        let midnight = now.replace_time(Time::MIDNIGHT);
        let place = Place {
            store: database.url(STORE),
            engine: database.url(ENGINE),
            region: front.url(),
            offset: ((now - midnight).whole_minutes() - 60).rem_euclid(12 * 60),
            budget: None,
        };
        let mut site = Self {
            place,
            database,
            customers: Vec::new(),
            mappings: Vec::new(),
            front: Arc::new(front),
        };
        // Half a day ago, so that what comes now is the second sweep, which opens tickets.
        let before = -time::Duration::hours(12);
        let store = site.place.store().await;
        let integration = site
            .place
            .integration(Arc::new(store.clone()), before, None);
        site.furnish(&integration, &store, customers, &id, &secret)
            .await;
        let tick = site.place.cadence().last(now + before);
        site.sweep_all(&integration, tick).await;
        store.close().await;
        site
    }

    /// The same site on a database of its own.
    pub(crate) async fn copy(&self) -> Self {
        let database = self.database.copy().await;
        let place = Place {
            store: database.url(STORE),
            engine: database.url(ENGINE),
            ..self.place.clone()
        };
        Self {
            place,
            database,
            customers: self.customers.clone(),
            mappings: self.mappings.clone(),
            front: Arc::clone(&self.front),
        }
    }

    /// The last tick of the sweep.
    pub(crate) fn tick(&self) -> OffsetDateTime {
        self.place.cadence().last(SystemClock.now())
    }

    /// Requests to the tenant since this was last asked, log-ins left out: when each came.
    pub(crate) fn requests(&self) -> Vec<OffsetDateTime> {
        let mut tenant = self.front.tenant();
        let requests = tenant.requests().iter();
        let requests = requests.filter(|request| request.method == "GET");
        let at = requests.map(|request| request.at).collect();
        tenant.clear_requests();
        at
    }

    /// Handles every event of a tick, one after the other, as often as its verdict says.
    pub(crate) async fn sweep_all(&self, integration: &Integration, tick: OffsetDateTime) {
        for event in self.plan(integration, tick).await {
            let end = integration.handle(&event, 1).await;
            assert!(end.outcome.is_over(), "{end:?}");
        }
    }

    pub(crate) async fn plan(&self, integration: &Integration, tick: OffsetDateTime) -> Vec<Event> {
        let planned = integration.plan_all(PlanKind::EvidenceSweep, tick).await;
        planned.unwrap()
    }

    /// The events of the last tick, all to begin with it.
    pub(crate) async fn plan_now(&self, integration: &Integration) -> Vec<Event> {
        let mut events = self.plan(integration, self.tick()).await;
        for event in &mut events {
            event.start_within(time::Duration::ZERO);
        }
        events
    }

    async fn furnish(
        &mut self,
        integration: &Integration,
        store: &PostgresStore,
        customers: usize,
        id: &str,
        secret: &str,
    ) {
        let request = |what: &str| EventId::of_request("engines", what);
        let (actor, region) = (Actor::Schedule, self.place.region());
        let connect = Connect {
            event: request("connect"),
            region: region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor,
        };
        integration.connect(msp(), connect).await.unwrap();
        let configure = Configure {
            sweep_strategy: Change::To(StrategyChoice::PerCustomer),
            ..Configure::new(request("configure"), region.clone(), actor)
        };
        integration.configure(msp(), configure).await.unwrap();
        let discover = Discover {
            region: region.clone(),
            actor,
            event: request("discover"),
        };
        integration.discover(msp(), discover).await.unwrap();
        let credential = CredentialId::of(msp(), &region);
        let at = SystemClock.now() - time::Duration::hours(12);
        let mappings = store.mappings(msp(), credential).await.unwrap();
        for (place, mapping) in mappings.iter().enumerate() {
            let number = place % customers;
            let name = format!("Customer {number}");
            let company = CompanyId::of_name(msp(), &name);
            let customer =
                ComplianceOrgId::from_uuid(Uuid::from_u128((0xc0 << 64) | number as u128));
            let map = MappingCommit {
                event: request(&format!("map {}", mapping.id)),
                guard: mapping.guard(),
                state: MappingState::Mapped { company },
                company: (place < customers).then(|| PortalCompany {
                    id: company,
                    name: name.into(),
                    converted_to: None,
                    created_at: at,
                }),
                at,
                audit: Vec::new(),
            };
            let mapped = store.commit_mapping(msp(), map).await.unwrap();
            assert_eq!(mapped, CommitOutcome::Committed);
            if place < customers {
                let promote = Promote {
                    company,
                    compliance_org: customer,
                    actor,
                    event: request(&format!("promote {company}")),
                };
                integration.promote(msp(), promote).await.unwrap();
                self.customers.push(customer);
            }
            self.mappings.push((mapping.id, customer));
        }
    }
}
