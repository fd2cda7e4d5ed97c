//! The second way in over real HTTP: a simulated tenant, an administrator, and processes on one database.

pub mod killed;

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ninjaone_simulator::{Preset, Request, Tenant, TenantBuilder, front};
use regentra_sync::{
    Authorized, BeginAuthorization, Callback, CompleteAuthorization, Discover, Error, Integration,
    RequestedAccess, TestSavedConnection,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{Actor, Credential, CredentialId, EventId, Field, Mapping, MspOrgId, RegionKey},
    ninjaone::NinjaOneApi,
    ninjaone_client::RetryPolicy,
    store::Store,
};
use regentra_sync_postgres::PostgresStore;
use regentra_sync_sqlite::SqliteStore;
use secrecy::SecretString;
use tempfile::TempDir;
use time::{OffsetDateTime, macros::datetime};
use url::Url;
use uuid::Uuid;

use crate::{
    keys::keyring,
    log::Log,
    postgres::{Database, STORE},
};

pub const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
pub const REDIRECT: &str = "http://127.0.0.1/callback";

/// What this program logs at TRACE of every crate in it but the database: a subscriber is the process's.
pub static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_env_filter("trace,sqlx=off,ninjaone_simulator=off")
        .with_writer(log.clone())
        .with_ansi(false)
        .init();
    log
});

/// Where a scene's database is, for as long as this lives.
#[async_trait(?Send)]
pub trait Place {
    /// In words that another process understands.
    fn told(&self) -> String;

    /// Waits until nothing that a dead process has begun is at work any more.
    async fn is_left(&self);

    /// Whether a connection waits for a lock.
    async fn is_held_up(&self) -> bool;
}

/// In a file.
pub struct File(TempDir);

impl File {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait(?Send)]
impl Place for File {
    fn told(&self) -> String {
        let file = self.0.path().join("regentra.db");
        file.to_str().unwrap().to_owned()
    }

    /// Its locks end with a process.
    async fn is_left(&self) {}

    /// Nobody locks anything longer than a write.
    async fn is_held_up(&self) -> bool {
        false
    }
}

/// On a server.
#[async_trait(?Send)]
impl Place for Database {
    fn told(&self) -> String {
        self.url(STORE)
    }

    async fn is_left(&self) {
        self.is_left().await;
    }

    async fn is_held_up(&self) -> bool {
        self.waiting_for_locks().await > 0
    }
}

/// A database in a file, or on a server.
async fn open(place: &str, clock: StoreClock) -> Arc<dyn Store> {
    if place.starts_with("postgres:") {
        let store = PostgresStore::connect(place).await.unwrap();
        Arc::new(store.with_clock(clock))
    } else {
        let store = SqliteStore::migrate(place).await.unwrap();
        Arc::new(store.with_clock(clock))
    }
}

/// A tenant whose API client may be authorized, and an MSP with a database.
pub struct Scene {
    pub server: front::tcp::Front,
    pub place: Box<dyn Place>,
    pub clock: ManualClock,
    pub client: (String, String),
    is_native: bool,
}

pub fn tenant() -> TenantBuilder {
    Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 12)
        .organization_count(2)
        .scopes(&["monitoring", "offline_access"])
}

pub fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number))
}

pub fn event(label: &str) -> EventId {
    EventId::of_request("test", label)
}

/// A request to authorize an API client for reading alone; a native application has no secret.
pub fn begin_authorization(
    region: RegionKey,
    client_id: &str,
    client_secret: Option<&str>,
    redirect_uri: &str,
) -> BeginAuthorization {
    BeginAuthorization {
        region,
        client_id: client_id.into(),
        client_secret: client_secret.map(Into::into),
        redirect_uri: redirect_uri.to_owned(),
        access: RequestedAccess::default(),
        allow_duplicate: false,
    }
}

/// How many organizations the saved connection sees.
pub async fn organizations_visible(
    process: &Integration,
    msp: MspOrgId,
    region: RegionKey,
    actor: Actor,
) -> Result<u64, Error> {
    let request = TestSavedConnection { region, actor };
    let tested = process.test_saved_connection(msp, request).await?;
    Ok(tested.organizations_visible)
}

/// A process of the host: an integration over the same database, with clients and tokens of its own.
pub struct Process {
    pub integration: Integration,
    pub store: Arc<dyn Store>,
}

impl Process {
    pub async fn over(place: &str, own: RegionKey, clock: ManualClock) -> Self {
        let store = open(place, StoreClock::of(clock.clone())).await;
        let moment = std::time::Duration::from_millis(1);
        let retry = RetryPolicy::default().backoff(moment, moment);
        let keyring = Arc::new(keyring());
        let ninjaone = NinjaOneApi::new()
            .retry(retry)
            .shared_budget(Arc::clone(&store), Arc::clone(&keyring));
        let integration = Integration::builder(Arc::clone(&store), keyring, Arc::new(ninjaone))
            .clock(Arc::new(clock))
            .policy(HostPolicy::default().allow_hosts(move |base| own.base_url().unwrap() == *base))
            .build();
        Self { integration, store }
    }

    pub async fn discover(&self, region: &RegionKey) -> Result<(), Error> {
        let (actor, event) = (Actor::Schedule, event("discover"));
        let discovered = self.integration.discover(
            msp(1),
            Discover {
                region: region.clone(),
                actor,
                event,
            },
        );
        discovered.await.map(drop)
    }

    /// What a discovery leaves behind.
    pub async fn organizations(&self, credential: CredentialId) -> Vec<(i64, String)> {
        let mappings = self.store.mappings(msp(1), credential).await.unwrap();
        let organization = |mapping: Mapping| {
            let state = format!("{:?} {:?}", mapping.name, mapping.state);
            (mapping.external_org_id.get(), state)
        };
        mappings.into_iter().map(organization).collect()
    }
}

impl Scene {
    pub async fn of(tenant: TenantBuilder, is_native: bool) -> Self {
        LazyLock::force(&LOG);
        Self::on(Box::new(File::new()), tenant, is_native).await
    }

    pub async fn on(place: Box<dyn Place>, tenant: TenantBuilder, is_native: bool) -> Self {
        let tenant = tenant.build();
        let client = (tenant.client_id().into(), tenant.client_secret().into());
        Self {
            server: front::tcp::serve(tenant).await.unwrap(),
            place,
            clock: ManualClock::at(NOW),
            client,
            is_native,
        }
    }

    pub fn region(&self) -> RegionKey {
        RegionKey::parse(&self.server.url()).unwrap()
    }

    pub fn credential(&self, msp: MspOrgId) -> CredentialId {
        CredentialId::of(msp, &self.region())
    }

    pub async fn process(&self) -> Process {
        Process::over(&self.place.told(), self.region(), self.clock.clone()).await
    }

    pub fn beginning(&self) -> BeginAuthorization {
        let (id, secret) = &self.client;
        let secret = (!self.is_native).then_some(secret.as_str());
        begin_authorization(self.region(), id, secret, REDIRECT)
    }

    /// An administrator opens an address, says yes, and is sent to another one.
    pub fn consented(&self, address: &str) -> String {
        let url = Url::parse(address).unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let answer = self.server.tenant().answer(&Request::get(&target), NOW);
        let mut headers = answer.headers.into_iter();
        let location = headers.find(|(name, _)| name.eq_ignore_ascii_case("location"));
        location.map_or_else(String::new, |(_, address)| address)
    }

    pub async fn authorize_as(
        &self,
        process: &Process,
        msp: MspOrgId,
        request: BeginAuthorization,
    ) -> Result<Authorized, Error> {
        let begun = process.integration.begin_authorization(msp, request);
        let address = self.consented(&begun.await.unwrap().url);
        assert!(address.starts_with(REDIRECT), "{address}");
        let callback = Callback::read(&address);
        let completed = process.integration.complete_authorization(
            msp,
            CompleteAuthorization {
                callback,
                actor: Actor::Schedule,
            },
        );
        completed.await
    }

    pub async fn authorize(&self, process: &Process) -> Authorized {
        let authorized = self.authorize_as(process, msp(1), self.beginning());
        authorized.await.unwrap()
    }

    pub async fn stored(&self, process: &Process, msp: MspOrgId) -> Credential {
        let stored = process.store.credential(msp, self.credential(msp));
        stored.await.unwrap().unwrap()
    }

    pub async fn refresh_token(&self, process: &Process, msp: MspOrgId) -> SecretString {
        let secrets = self.stored(process, msp).await.secrets.unwrap();
        let (region, sealed) = (self.region(), secrets.refresh_token.unwrap());
        let opened = keyring().open(msp, &region, Field::RefreshToken, &sealed);
        opened.unwrap()
    }

    pub async fn rotations(&self, process: &Process, msp: MspOrgId) -> u32 {
        self.stored(process, msp).await.secrets_version.as_u32() - 1
    }

    pub async fn visible(&self, process: &Process, msp: MspOrgId) -> Result<u64, Error> {
        let (process, region) = (&process.integration, self.region());
        organizations_visible(process, msp, region, Actor::Schedule).await
    }
}
