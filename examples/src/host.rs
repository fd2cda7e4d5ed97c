//! The host behind the command line: one MSP, a SQLite file, and a key file beside it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::Args;
use etcetera::BaseStrategy as _;
use regentra_sync::{
    CompanyId, Integration, MspOrgId, Policy, RegionKey,
    audit::{Actor, ActorId},
    clock::{Clock, SystemClock},
    company::fold_name,
    progress::Observer,
    store::Store,
};
use regentra_sync_sqlite::SqliteStore;
use time::OffsetDateTime;
use uuid::Uuid;

pub mod audit;
pub mod companies;
pub mod connection;
pub mod keys;
pub mod organizations;
pub mod progress;
pub mod sweep;
pub mod sync;
pub mod table;
pub mod tickets;

/// The MSP of a command line that serves one.
const THE_MSP: Uuid = Uuid::from_u128(0x9c5d_8f0e_4d3b_4b1f_9a35_6f1d_2b7c_0a11);

/// Whoever sits at the command line.
const THE_OPERATOR: Uuid = Uuid::from_u128(0x2e0b_7a9d_6c41_4f0d_8d5e_13c4_5b9f_7701);

/// Where the host keeps what it knows.
#[derive(Clone, Debug, Args)]
pub struct HostArgs {
    /// The database file. Default: regentra.db in the user's data folder. Its keys lie beside it, in a file of the same name that
    /// ends in .keys.
    #[arg(long, global = true, value_name = "FILE", env = "REGENTRA_DB")]
    pub db: Option<PathBuf>,
}

/// A host: its integration, and whose it is.
#[derive(Clone, Debug)]
pub struct Host {
    /// The use cases.
    pub integration: Integration,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Where it lies, as a person reads it.
    pub place: String,
    /// The MSP.
    pub msp: MspOrgId,
    /// Who asks.
    pub actor: Actor,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl HostArgs {
    fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.db {
            return Ok(path.clone());
        }
        let folders = etcetera::choose_base_strategy()
            .context("no home folder is known: name a file with --db")?;
        Ok(folders.data_dir().join("regentra").join("regentra.db"))
    }

    /// Opens the host's database, which has to exist.
    ///
    /// # Errors
    /// When there is none, or it cannot be used; nothing is changed then.
    pub async fn open(&self, observer: Arc<dyn Observer>) -> anyhow::Result<Host> {
        let path = self.path()?;
        if !path.exists() {
            bail!(
                "nothing is connected yet: there is no database at {}. Begin with `regentra connect`",
                path.display()
            );
        }
        let store = SqliteStore::migrate(&path).await?;
        Host::over(store, &path, Arc::new(SystemClock), observer)
    }

    /// Opens the host's database, and creates it if there is none.
    ///
    /// # Errors
    /// When it cannot be created or used.
    pub async fn create(&self, observer: Arc<dyn Observer>) -> anyhow::Result<Host> {
        let path = self.path()?;
        if self.db.is_none()
            && let Some(folder) = path.parent()
        {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be created", folder.display()))?;
        }
        let store = SqliteStore::migrate(&path).await?;
        Host::over(store, &path, Arc::new(SystemClock), observer)
    }
}

impl Host {
    /// A host over an open store, with the keys beside `path`.
    ///
    /// # Errors
    /// When the keys cannot be read or made.
    pub fn over(
        store: SqliteStore,
        path: &Path,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> anyhow::Result<Self> {
        let store: Arc<dyn Store> = Arc::new(store);
        let keyring = keys::beside(path)?;
        // Whoever sits at the command line may ask whatever address they type.
        let policy = Policy::default().allow_hosts(|_| true);
        let integration = Integration::builder(Arc::clone(&store), keyring)
            .clock(Arc::clone(&clock))
            .observer(observer)
            .policy(policy)
            .build();
        Ok(Self {
            integration,
            store,
            place: path.display().to_string(),
            msp: MspOrgId::from_uuid(THE_MSP),
            actor: Actor::Operator(ActorId::from_uuid(THE_OPERATOR)),
            clock,
        })
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The region that is meant: the one that was named, else the only one that is connected.
    ///
    /// # Errors
    /// When none is connected, or several are and none was named.
    pub async fn region(&self, named: Option<RegionKey>) -> anyhow::Result<RegionKey> {
        if let Some(region) = named {
            return Ok(region);
        }
        let credentials = self.store.credentials(self.msp).await?;
        let connected: Vec<_> = credentials
            .into_iter()
            .filter(|credential| credential.is_active)
            .collect();
        match connected.as_slice() {
            [] => bail!("no NinjaOne region is connected: begin with `regentra connect`"),
            [one] => Ok(one.region.clone()),
            several => {
                let regions: Vec<_> = several
                    .iter()
                    .map(|credential| credential.region.to_string())
                    .collect();
                bail!(
                    "several regions are connected ({}): say which with --region or --base-url",
                    regions.join(", ")
                )
            }
        }
    }

    /// The company that is meant, by id or by name.
    ///
    /// # Errors
    /// When there is none, or several have that name.
    pub async fn company(&self, text: &str) -> anyhow::Result<CompanyId> {
        let companies = self.store.companies(self.msp).await?;
        if let Ok(id) = text.parse::<CompanyId>()
            && companies.iter().any(|company| company.id == id)
        {
            return Ok(id);
        }
        let name = fold_name(text);
        let named: Vec<_> = companies
            .iter()
            .filter(|company| fold_name(company.name.as_str()) == name)
            .collect();
        match named.as_slice() {
            [] => bail!("there is no company `{text}`: `regentra companies` lists them"),
            [one] => Ok(one.id),
            _ => bail!(
                "several companies are named `{text}`: name one by its id, from `regentra companies`"
            ),
        }
    }
}

/// Where a tenant lives.
#[derive(Clone, Debug, Args)]
pub struct RegionArgs {
    /// The region you sign in at: us, us2, eu, ca, oc or fed.
    #[arg(long, value_name = "REGION", conflicts_with = "base_url")]
    region: Option<String>,
    /// Another base URL, such as a branded host; http is accepted for loopback only.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

impl RegionArgs {
    /// The region that was named.
    ///
    /// # Errors
    /// When it is neither a region nor an address.
    pub fn named(&self) -> anyhow::Result<Option<RegionKey>> {
        let named = self.region.as_deref().or(self.base_url.as_deref());
        Ok(named.map(RegionKey::parse).transpose()?)
    }
}

/// Prints a value as JSON on standard output.
///
/// # Errors
/// When it cannot be written.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
