//! SQLite keeps every law of the store traits.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use regentra_sync::host::StoreClock;
use regentra_sync_sqlite::SqliteStore;
use tempfile::TempDir;

async fn new_store(clock: StoreClock) -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::migrate(folder.path().join("regentra.db"))
        .await
        .unwrap();
    (store.with_clock(clock), folder)
}

regentra_sync::conformance!(new_store);
