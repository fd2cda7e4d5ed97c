//! Crashes on SQLite, and processes that are killed hard: then the event is delivered again, and everything is as if nothing
//! had happened.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use regentra_sync::store::Store;
use regentra_sync_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::{
    killed::killed,
    on_a_database::{Begun, crashes},
    site::Site,
    story::Story,
};

/// A folder in memory where there is one: what is proven survives a process, not a machine, and waits for no disk.
fn folder() -> TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

struct Stories {
    folder: TempDir,
    begun: PathBuf,
    copies: AtomicU32,
}

impl Begun for Stories {
    type Copy = PathBuf;

    async fn new() -> Self {
        let folder = folder();
        let begun = folder.path().join("begun.db");
        let store = SqliteStore::migrate(&begun).await.unwrap();
        Story::begin(Site::new(Arc::new(store.clone()), ())).await;
        store.close().await;
        Self {
            folder,
            begun,
            copies: AtomicU32::new(0),
        }
    }

    async fn copy(&self) -> PathBuf {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{number}.db"));
        fs::copy(&self.begun, &path).unwrap();
        path
    }

    fn place(copy: &PathBuf) -> String {
        copy.to_str().unwrap().to_owned()
    }

    async fn open(place: &str) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(place).await.unwrap())
    }

    /// Its locks end with a process.
    async fn is_left(_copy: &PathBuf) {}
}

crashes!("current_thread", Stories);
killed!(Stories);
