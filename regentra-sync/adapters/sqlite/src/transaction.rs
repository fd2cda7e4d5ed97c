//! Transactions: one that reads, one that writes.

use regentra_sync::{model::CLOCK_TOLERANCE, store::Result};
use sqlx::{
    Sqlite, Transaction,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use time::OffsetDateTime;

use crate::{SqliteStore, failure::failed};

impl SqliteStore {
    /// Begins a transaction that reads one state of the database throughout.
    pub(crate) async fn read(&self) -> Result<Transaction<'static, Sqlite>> {
        self.readers.begin().await.map_err(failed)
    }

    /// Begins a transaction that writes. It holds the write lock from the start, so what it reads stays valid until it commits.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)
    }

    /// Reads rows with one statement. Each row is converted as it arrives, because a row of the driver takes several times the memory of an
    /// asset.
    pub(crate) async fn rows<T: Send + Unpin>(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
        read: impl Fn(&SqliteRow) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        let rows = query.map(|row| read(&row)).fetch_all(&self.readers);
        rows.await.map_err(failed)?.into_iter().collect()
    }

    /// Reads at most one row with one statement.
    pub(crate) async fn row<T: Send + Unpin>(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
        read: impl Fn(&SqliteRow) -> Result<T> + Send + Sync,
    ) -> Result<Option<T>> {
        Ok(self.rows(query, read).await?.into_iter().next())
    }
}

/// Times later than this lie in the future, by a clock that shows `now`.
pub(crate) fn present_until(now: OffsetDateTime) -> OffsetDateTime {
    now.saturating_add(CLOCK_TOLERANCE)
}
