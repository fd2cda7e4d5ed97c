#![doc = include_str!("../README.md")]

use std::{fmt, str::FromStr as _, time::Duration};

use regentra_sync::{host::StoreClock, store::Result};
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

mod anchors;
mod assets;
mod audit;
mod budget;
mod column;
mod commit;
mod connections;
mod evidence;
mod failure;
mod mappings;
mod planner;
mod retire_and_reactivate;
mod runs;
mod schema;
mod tickets;
mod transaction;

pub use schema::{SCHEMA_VERSION, migrate};

/// How long a call waits for a connection before the store is called unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in a PostgreSQL database, under row-level security. Clones share its connections.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    clock: StoreClock,
}

impl PostgresStore {
    /// Connects with at most ten connections, as a role that row-level security binds.
    ///
    /// The URL is `postgres://ROLE:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=...`; what it leaves out comes from
    /// the usual `PG...` variables of the environment.
    ///
    /// # Errors
    /// [`StoreErrorKind::Misconfigured`](regentra_sync::store::StoreErrorKind::Misconfigured) when the URL is invalid; when the role is a
    /// superuser, has `BYPASSRLS` or owns tables; when the schema is missing, belongs to another program, or is older or newer than this
    /// program; or when row-level security was switched off. The source says which, and what to do.
    /// [`StoreErrorKind::Unavailable`](regentra_sync::store::StoreErrorKind::Unavailable) when the server does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        let options = options(url)?;
        // A single connection is opened first: a pool tries until its time is over, and then does not say why it got no connection.
        let first = PgConnection::connect_with(&options);
        let first = tokio::time::timeout(ACQUIRE_TIMEOUT, first).await;
        let first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        // This connection has served its purpose. An error while closing it does not matter.
        let _ = first.map_err(failure::failed)?.close().await;
        let pool = PgPoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(failure::failed)?;
        Self::from_pool(pool).await
    }

    /// Uses a pool that the host made, with another number of connections, other time-outs, or another way to log in. Use the pool for
    /// nothing else, and give it no hook that sets a role or leaves a transaction open.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self> {
        let mut connection = pool.acquire().await.map_err(failure::failed)?;
        schema::check(&mut connection).await?;
        drop(connection);
        let clock = StoreClock::server();
        Ok(Self { pool, clock })
    }

    /// The same store with another clock than the server's. Clones made before keep their clock. Processes that share a database should
    /// share its clock, too, so use another clock only in tests and demonstrations.
    #[must_use]
    pub fn with_clock(mut self, clock: StoreClock) -> Self {
        self.clock = clock;
        self
    }

    /// The pool of connections. A query on them finds no row unless it sets its tenant, as the store's transactions do.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Waits for running calls and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("connections", &self.pool.size())
            .field("idle", &self.pool.num_idle())
            .finish_non_exhaustive()
    }
}

/// The options in a URL. The error does not say what is wrong with the URL, because it may contain a password.
fn options(url: &str) -> Result<PgConnectOptions> {
    let is_ours = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    let options = is_ours.then(|| PgConnectOptions::from_str(url).ok());
    let options = options
        .flatten()
        .ok_or_else(|| failure::misconfigured("this is not a postgres:// URL"))?;
    Ok(options.application_name("regentra-sync"))
}
