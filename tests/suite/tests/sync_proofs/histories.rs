//! Random histories of everything that can happen to a host and in NinjaOne, over several MSPs and customers, checked after each
//! step against a small model that is derived from the promise.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use regentra_harness::{
    StoreGuard,
    history::histories::{On, agree_with_the_model},
};
use regentra_sync::store::{MemoryStore, Store};
use regentra_sync_sqlite::SqliteStore;

#[test]
fn every_history_in_memory_agrees_with_the_model() {
    agree_with_the_model(On::Memory, async |clock| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new().with_clock(clock));
        (store, Box::new(()) as StoreGuard)
    });
}

#[test]
fn every_history_on_sqlite_agrees_with_the_model() {
    // In memory where that can be: nothing here is about disks.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let (empty, number) = (folder.path().join("empty.db"), AtomicU32::new(0));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { SqliteStore::migrate(&empty).await.unwrap().close().await });
    agree_with_the_model(On::Sqlite, async |clock| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        fs::copy(&empty, &path).unwrap();
        let store = SqliteStore::open(&path).await.unwrap().with_clock(clock);
        let store: Arc<dyn Store> = Arc::new(store);
        (store, Box::new(()) as StoreGuard)
    });
}
