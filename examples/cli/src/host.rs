//! The host: a database to read, and the integration over it and its keys.

use std::{ops::Deref, sync::Arc};

use anyhow::bail;
use clap::Args;
use quickstart::{MSP, OPERATOR};
use regentra_sync::{
    Integration, IntegrationBuilder,
    host::{Clock, HostPolicy, ProgressObserver, StoreClock, SystemClock},
    model::{Actor, ActorId, EventId, MspOrgId, PortalCompany, RegionKey, UnknownRegion},
    ninjaone::NinjaOneApi,
    seal::Keyring,
    store::{MemoryStore, Store},
    views::{Connection, ConnectionStatus, Views},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    anchors,
    clock::RunningFrom,
    database::{Database, Reader},
    format::number,
    keys, output,
    progress::Meter,
    signing,
};

/// What a run says that finds another one at its work.
pub(crate) const BUSY: &str =
    "another run works on it, or was killed less than a minute ago: try again in a minute";

/// A run that was killed keeps others waiting no longer than this.
const LEASE: Duration = Duration::minutes(1);

/// What every command that uses the database takes.
#[derive(Clone, Debug, Default, Args)]
pub struct HostArgs {
    /// The database: a file, or a postgres:// URL [default: regentra/regentra.db in your data directory].
    ///
    /// A URL that holds a password belongs into `REGENTRA_DB`, where other users of the machine cannot read it.
    #[arg(
        long,
        global = true,
        env = "REGENTRA_DB",
        hide_env_values = true,
        value_name = "DATABASE",
        value_parser = Reader,
        help_heading = "Database"
    )]
    pub db: Option<Database>,

    /// Whose data, where one database serves several providers.
    #[arg(
        long,
        global = true,
        env = "REGENTRA_MSP",
        value_name = "UUID",
        help_heading = "Database"
    )]
    pub msp: Option<MspOrgId>,

    /// Read as of this time instead of now (RFC 3339, such as 2026-11-23T06:30:00Z). What writes takes it for simulated tenants only.
    #[arg(long, global = true, value_name = "RFC3339", value_parser = parse_time)]
    pub now: Option<OffsetDateTime>,

    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "not a time like 2026-11-23T06:30:00Z".to_owned())
}

impl HostArgs {
    /// Opens the database for what asks NinjaOne.
    ///
    /// # Errors
    /// When it cannot be opened, or its keys are missing.
    pub async fn open(&self) -> anyhow::Result<Host> {
        let database = self.database()?;
        let store = self.open_store(&database).await?;
        let Some(keyring) = keys::find(&database)? else {
            bail!(keys::missing(&database));
        };
        let reading = self.reading(store);
        let meter = Arc::new(Meter::new());
        let builder = reading.acting(Some(keyring), Arc::<Meter>::clone(&meter));
        let integration = vouching(builder, &database)?
            .policy(of_this_machine())
            .build();
        Ok(Host {
            reading,
            integration,
            meter,
        })
    }

    /// The same, with another policy and another observer.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(
        &self,
        observer: Arc<dyn ProgressObserver>,
        policy: impl FnOnce(HostPolicy) -> HostPolicy,
    ) -> anyhow::Result<Host> {
        let database = self.database()?;
        let store = self.open_store(&database).await?;
        let Some(keyring) = keys::find(&database)? else {
            bail!(keys::missing(&database));
        };
        let mut reading = self.reading(store);
        let policy = policy(of_this_machine());
        let builder = reading.acting(Some(keyring), observer);
        let integration = vouching(builder, &database)?.policy(policy).build();
        reading.views = integration.views().clone();
        Ok(Host {
            reading,
            integration,
            meter: Arc::new(Meter::new()),
        })
    }

    /// Opens the database for what looks whether secrets open, with its keys if they are there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open_with_keys_if_any(&self) -> anyhow::Result<Host> {
        let database = self.database()?;
        let store = self.open_store(&database).await?;
        let keyring = match keys::find(&database) {
            Ok(keyring) => keyring,
            Err(error) => {
                output::note(format_args!("warning: {error:#}"));
                None
            }
        };
        Ok(Host::of(self.reading(store), keyring))
    }

    /// Opens the database for what only reads.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn read(&self) -> anyhow::Result<Reading> {
        Ok(self.reading(self.open_store(&self.database()?).await?))
    }

    /// Opens the database for what neither seals nor opens a secret, and so goes without its keys.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open_without_keys(&self) -> anyhow::Result<Host> {
        Ok(Host::of(self.read().await?, None))
    }

    /// The same, and makes the database where there is none.
    ///
    /// # Errors
    /// When it can be neither opened nor made.
    pub async fn create_without_keys(&self) -> anyhow::Result<Host> {
        let store = self.create_store(&self.database()?).await?;
        Ok(Host::of(self.reading(store), None))
    }

    /// Opens the database, or makes it and its keys.
    ///
    /// # Errors
    /// When it can be neither, or its keys are missing while something is sealed under them.
    pub async fn create(&self) -> anyhow::Result<Host> {
        let database = self.database()?;
        let store = self.create_store(&database).await?;
        self.create_over(self.clock(), &database, store).await
    }

    /// The same, by another clock, which is the database's too.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_by(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Host> {
        let database = self.database()?;
        let store = database.create(StoreClock::of(Arc::clone(&clock))).await?;
        self.create_over(clock, &database, store).await
    }

    async fn create_over(
        &self,
        clock: Arc<dyn Clock>,
        database: &Database,
        store: Arc<dyn Store>,
    ) -> anyhow::Result<Host> {
        let reading = Reading::new(store, self.msp(), clock, self.json);
        if let Some(keyring) = keys::find(database)? {
            return Ok(Host::of(reading, Some(keyring)));
        }
        if reading.connected(None).await.is_ok() {
            bail!(
                "{}; or `regentra disconnect` first, which forgets what they seal",
                keys::missing(database)
            );
        }
        Ok(Host::of(reading, Some(keys::create(database)?)))
    }

    /// The database if there is one, with its keys; else one in memory that is gone afterwards, and its keys with it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_or_forget(&self) -> anyhow::Result<Host> {
        if self.database()?.exists() {
            return self.open().await;
        }
        let store = Arc::new(MemoryStore::new().with_clock(StoreClock::of(self.clock())));
        Ok(Host::of(self.reading(store), Some(keys::of_memory()?)))
    }

    /// The database goes by its own clock. Where another time is asked for and all tenants are simulated, it goes by that time as
    /// well: it is another day for all of them.
    async fn open_store(&self, database: &Database) -> anyhow::Result<Arc<dyn Store>> {
        let store = database.open(StoreClock::server()).await?;
        if self.now.is_none() || !self.is_simulated(&*store).await? {
            return Ok(store);
        }
        database.open(StoreClock::of(self.clock())).await
    }

    async fn create_store(&self, database: &Database) -> anyhow::Result<Arc<dyn Store>> {
        let store = database.create(StoreClock::server()).await?;
        if self.now.is_none() || !self.is_simulated(&*store).await? {
            return Ok(store);
        }
        database.create(StoreClock::of(self.clock())).await
    }

    /// Whether no tenant that is connected is a real one.
    async fn is_simulated(&self, store: &dyn Store) -> anyhow::Result<bool> {
        let connected = store.credentials(self.msp()).await?.into_iter();
        let mut connected = connected.filter(|credential| credential.is_active);
        Ok(connected.all(|credential| is_simulated(&credential.region)))
    }

    /// Refuses another time than the present for a command that writes about real tenants: what is written then is in the records for
    /// good, and decides what is due.
    ///
    /// # Errors
    /// When `--now` is given and a real tenant is connected, or is to be.
    pub async fn refuse_other_time(&self, region: Option<&RegionKey>) -> anyhow::Result<()> {
        if self.now.is_none() {
            return Ok(());
        }
        let mut is_real = region.is_some_and(|region| !is_simulated(region));
        let database = self.database()?;
        if !is_real && database.exists() {
            let store = database.open(StoreClock::server()).await?;
            is_real = !self.is_simulated(&*store).await?;
        }
        if is_real {
            bail!(
                "--now is for reading, and for simulated tenants: a real tenant is connected, and what is written about it has the \
                 time at which it is written; leave --now out"
            );
        }
        Ok(())
    }

    fn msp(&self) -> MspOrgId {
        self.msp.unwrap_or(MspOrgId::from_uuid(MSP))
    }

    /// The database that is meant.
    ///
    /// # Errors
    /// When none is named and this user has no data directory.
    pub fn database(&self) -> anyhow::Result<Database> {
        self.db.clone().map_or_else(Database::of_user, Ok)
    }

    /// The time that is asked for, or the machine's.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self.now {
            Some(now) => Arc::new(RunningFrom::new(now)),
            None => Arc::new(SystemClock),
        }
    }

    fn reading(&self, store: Arc<dyn Store>) -> Reading {
        Reading::new(store, self.msp(), self.clock(), self.json)
    }
}

/// Whether a tenant is simulated: it is on this very machine.
fn is_simulated(region: &RegionKey) -> bool {
    let Ok(url) = url::Url::parse(region.as_str()) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Signs evidence where there is a signing key, and anchors it where a file of anchors is named.
fn vouching(
    builder: IntegrationBuilder,
    database: &Database,
) -> anyhow::Result<IntegrationBuilder> {
    let mut builder = builder;
    if let Some(signer) = signing::find(database)? {
        builder = builder.head_signer(signer);
    }
    if let Some(sink) = anchors::sink()? {
        builder = builder.anchor_sink(sink);
    }
    Ok(builder)
}

fn of_this_machine() -> HostPolicy {
    // The machine of the person who types an address asks it, so every address that is no plain http may be connected. A
    // server that takes addresses from its users keeps the default, which knows NinjaOne's own.
    HostPolicy::default()
        .allow_hosts(|_| true)
        .lease_length(LEASE)
}

/// What a command reads with.
#[derive(Debug)]
pub struct Reading {
    /// What is stored.
    pub views: Views,
    /// Whose data.
    pub msp: MspOrgId,
    /// Whether to print JSON.
    pub json: bool,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// What a command acts with. It reads too.
#[derive(Debug)]
pub struct Host {
    reading: Reading,
    /// The use cases.
    pub integration: Integration,
    /// What shows progress.
    pub meter: Arc<Meter>,
}

impl Deref for Host {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.reading
    }
}

impl Host {
    /// One without keys acts as far as nothing is sealed or opened.
    fn of(reading: Reading, keyring: Option<Keyring>) -> Self {
        let meter = Arc::new(Meter::new());
        let builder = reading.acting(keyring, Arc::<Meter>::clone(&meter));
        Self {
            reading,
            integration: builder.policy(of_this_machine()).build(),
            meter,
        }
    }

    /// Adds a company to the portal.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn add_company(&self, company: PortalCompany) -> anyhow::Result<()> {
        Ok(self.store.add_company(self.msp, company).await?)
    }

    /// Who asks.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Operator(ActorId::from_uuid(OPERATOR))
    }

    /// A new request.
    #[must_use]
    pub fn request(&self) -> EventId {
        EventId::new(self.now())
    }
}

impl Reading {
    fn new(store: Arc<dyn Store>, msp: MspOrgId, clock: Arc<dyn Clock>, json: bool) -> Self {
        let views = Views::new(Arc::clone(&store))
            .clock(Arc::clone(&clock))
            .policy(of_this_machine());
        Self {
            views,
            msp,
            json,
            store,
            clock,
        }
    }

    /// An integration over the same store, whose requests are drawn from the store's budget.
    fn acting(
        &self,
        keyring: Option<Keyring>,
        observer: Arc<dyn ProgressObserver>,
    ) -> IntegrationBuilder {
        let (store, ninjaone) = (Arc::clone(&self.store), NinjaOneApi::new());
        let ninjaone = ninjaone.observer(Arc::clone(&observer));
        let builder = match keyring.map(Arc::new) {
            None => Integration::builder_without_keys(store, Arc::new(ninjaone)),
            Some(keyring) => {
                let ninjaone = ninjaone.shared_budget(Arc::clone(&store), Arc::clone(&keyring));
                Integration::builder(store, keyring, Arc::new(ninjaone))
            }
        };
        builder.clock(Arc::clone(&self.clock)).observer(observer)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The connected regions, or the one that is asked for.
    ///
    /// # Errors
    /// When none is connected, or that one is not.
    pub async fn connected(&self, only: Option<&RegionKey>) -> anyhow::Result<Vec<Connection>> {
        let mut connected = self.views.connections(self.msp).await?;
        connected.retain(|connection| {
            connection.connected && only.is_none_or(|only| connection.region == *only)
        });
        if !connected.is_empty() {
            return Ok(connected);
        }
        match only {
            Some(region) => {
                bail!("{region} is not connected: `regentra connect --region {region}` first")
            }
            None => bail!("nothing is connected: `regentra connect` first"),
        }
    }

    /// The one region that is meant.
    ///
    /// # Errors
    /// As [`Self::connected`]; when several are connected and none is named.
    pub async fn one_region(&self, only: Option<&RegionKey>) -> anyhow::Result<RegionKey> {
        let connected = self.connected(only).await?;
        match connected.as_slice() {
            [connection] => Ok(connection.region.clone()),
            several => {
                let names: Vec<_> = several
                    .iter()
                    .map(|connection| connection.region.to_string())
                    .collect();
                bail!(
                    "several regions are connected: say which with --region ({})",
                    names.join(", ")
                )
            }
        }
    }

    /// Requests spent against the limit, one line for each connected region.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn spent(&self) -> anyhow::Result<String> {
        let mut connections = self.views.connection_status(self.msp).await?;
        connections.retain(|connection| connection.connected);
        let is_one = connections.len() == 1;
        let line = |connection: &ConnectionStatus| {
            let whose = if is_one {
                String::new()
            } else {
                format!(" of {}", connection.region)
            };
            format!("Requests{whose}: {}.\n", spent(connection))
        };
        Ok(connections.iter().map(line).collect())
    }
}

/// Requests spent against the limit.
#[must_use]
pub fn spent(connection: &ConnectionStatus) -> String {
    let (minute, hour) = connection.budget_limits;
    format!(
        "{} of {} in the last hour, {} of {} in the last minute",
        number(connection.budget.last_hour.into()),
        number(hour.into()),
        number(connection.budget.last_minute.into()),
        number(minute.into()),
    )
}

/// Reads a region as a person types it.
///
/// # Errors
/// When it is neither a region nor an address.
pub fn region(text: &str) -> Result<RegionKey, UnknownRegion> {
    RegionKey::parse(text)
}

#[cfg(test)]
mod tests {
    use regentra_sync::store::conformance::world::World;
    use regentra_sync_sqlite::SqliteStore;
    use time::macros::datetime;

    use super::*;

    #[tokio::test]
    async fn on_a_real_connection_another_time_is_for_reading_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let store = SqliteStore::migrate(&path).await.unwrap();
        let later = datetime!(2027-11-30 00:00 UTC);
        let args = |now, msp| HostArgs {
            db: Some(Database::Sqlite(path.clone())),
            msp,
            now,
            json: false,
        };
        // Nothing is connected: no harm is done to anybody.
        let nobody = args(Some(later), None);
        nobody.refuse_other_time(None).await.unwrap();
        let eu = RegionKey::from_stored("eu");
        let simulated = RegionKey::from_stored("http://127.0.0.1:8080");
        nobody.refuse_other_time(Some(&simulated)).await.unwrap();
        let refused = nobody.refuse_other_time(Some(&eu)).await.unwrap_err();
        assert!(refused.to_string().contains("leave --now out"), "{refused}");

        let world = World::new(&store, 1).await;
        let present = args(None, Some(world.msp));
        present.refuse_other_time(Some(&eu)).await.unwrap();
        let ahead = args(Some(later), Some(world.msp));
        for region in [None, Some(&simulated), Some(&eu)] {
            let refused = ahead.refuse_other_time(region).await.unwrap_err();
            assert!(refused.to_string().contains("leave --now out"), "{refused}");
        }
        // It reads as of then, and the database goes by its own clock.
        let host = ahead.read().await.unwrap();
        assert!(host.now() >= later);
        let store_time = host.store.store_time().await.unwrap();
        assert!((store_time - SystemClock.now()).abs() < Duration::minutes(1));
        // Of simulated tenants it is another day for all.
        let host = nobody.read().await.unwrap();
        assert!(host.store.store_time().await.unwrap() >= later);
    }

    #[test]
    fn the_clock_of_another_time_stands_at_the_end_of_the_calendar() {
        let end = datetime!(9999-12-31 23:59:59.999_999 UTC);
        let clock = RunningFrom::new(end);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(clock.now(), end);
    }

    #[test]
    fn only_what_is_on_this_machine_is_simulated() {
        for (address, simulated) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080", true),
            ("eu", false),
            ("https://eu.ninjarmm.com", false),
            ("https://acme.rmmservice.com", false),
            ("http://evil.localhost", false),
        ] {
            let region = RegionKey::from_stored(address);
            assert_eq!(is_simulated(&region), simulated, "{address}");
        }
    }
}
