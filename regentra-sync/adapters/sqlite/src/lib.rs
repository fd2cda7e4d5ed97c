#![doc = include_str!("../README.md")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use regentra_sync::{
    host::StoreClock,
    store::{Result, StoreErrorKind},
};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
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

use failure::misconfigured;
pub use schema::SCHEMA_VERSION;

/// How much of the file a connection keeps in memory, in KiB, however large the file is.
const PAGE_CACHE_KIB: u32 = 2_048;

/// How long a writer waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A store in one SQLite file, in write-ahead mode. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// One connection, because SQLite has one writer. Waiting in the pool's queue is fairer than SQLite's refusal when it is busy.
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
    clock: StoreClock,
}

impl SqliteStore {
    /// Opens a database of this program's schema.
    ///
    /// # Errors
    /// [`StoreErrorKind::Misconfigured`] when there is no such file, it is not a database, holds another program's tables, or
    /// has an older or newer schema; [`StoreErrorKind::ReadOnly`] when it may not be written. The source says which, and what
    /// to do. The file stays as it was.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let store = Self::connect(path.as_ref(), false).await?;
        schema::check(&store.writer, &store.path).await?;
        Ok(store)
    }

    /// Creates the database, or brings its schema up to date, and opens it. Several processes may do so at once.
    ///
    /// # Errors
    /// As [`Self::open`], but neither a missing file nor an older schema is an error.
    pub async fn migrate(path: impl AsRef<Path>) -> Result<Self> {
        let store = Self::connect(path.as_ref(), true).await?;
        let mut tries = 0;
        loop {
            match schema::migrate(&store.writer, &store.path).await {
                // Unlike a statement, the switch to write-ahead mode does not wait for a lock. So if another process migrates at the same
                // moment, it is tried again.
                Err(error) if error.kind() == StoreErrorKind::Unavailable && tries < 100 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(store),
            }
        }
    }

    async fn connect(path: &Path, create: bool) -> Result<Self> {
        if !create && !path.exists() {
            let text = format!(
                "there is no database at {}; migrate it first",
                path.display()
            );
            return Err(misconfigured(text));
        }
        // A file that belongs to another program must not be changed. So the journal mode, which is written into the file, is set only
        // after this check.
        schema::refuse_foreign(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // A negative size is in KiB, a positive one in pages.
            .pragma("cache_size", format!("-{PAGE_CACHE_KIB}"))
            .pragma("mmap_size", "0")
            .busy_timeout(BUSY_TIMEOUT);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                // A connection to a file need not be renewed. Closing it and opening another loses its page cache and its statements, and
                // fragments the memory of the process.
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(options.clone())
        };
        Ok(Self {
            writer: pool(1),
            readers: pool(4),
            path: path.to_owned(),
            clock: StoreClock::machine(),
        })
    }

    /// The same store with another clock than the machine's. Clones made before keep their clock.
    #[must_use]
    pub fn with_clock(mut self, clock: StoreClock) -> Self {
        self.clock = clock;
        self
    }

    /// The path of the database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for running calls and closes the file. Dropping the store closes it, too, in the background.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The steps by which SQLite runs a statement.
#[cfg(test)]
pub(crate) async fn plan(statement: &str) -> Vec<String> {
    use sqlx::{AssertSqlSafe, Row as _};

    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::migrate(folder.path().join("plan.db"))
        .await
        .unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let steps = sqlx::query(explain)
        .fetch_all(&store.readers)
        .await
        .unwrap();
    steps
        .iter()
        .map(|step| step.try_get("detail").unwrap())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_memory_of_every_connection_is_bounded_however_large_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::migrate(folder.path().join("bounded.db"))
            .await
            .unwrap();
        for pool in [&store.writer, &store.readers] {
            let bounds = ["PRAGMA cache_size", "PRAGMA mmap_size"];
            for (bound, expected) in bounds.into_iter().zip([-i64::from(PAGE_CACHE_KIB), 0]) {
                let set: i64 = sqlx::query_scalar(bound).fetch_one(pool).await.unwrap();
                assert_eq!(set, expected, "{bound}");
            }
        }
    }
}
