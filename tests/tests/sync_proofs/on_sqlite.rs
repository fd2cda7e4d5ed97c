//! Crashes on SQLite, and processes that are killed hard: then the event is delivered again, and everything is as if nothing
//! had happened.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use regentra_sync::store::Result;
use regentra_sync_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::{
    on_a_database::{Kept, crashes, in_memory, is_made_good, undisturbed},
    site::Site,
    story::{Operation, Story},
    watched::{Call, Watch, Watched},
};

/// A folder in memory where there is one: what is proven survives a process, not a machine, and waits for no disk.
fn folder() -> TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

/// A database in which the story has begun, to be copied.
struct Stories {
    folder: TempDir,
    begun: PathBuf,
    copies: AtomicU32,
}

impl Stories {
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

    fn copy(&self) -> PathBuf {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{number}.db"));
        fs::copy(&self.begun, &path).unwrap();
        path
    }

    async fn begin(&self) -> (Story, Kept) {
        (on(&self.copy()).await, Box::new(()))
    }
}

/// The story, over a database in which it has begun.
async fn on(path: &Path) -> Story {
    let mut story = in_memory().await;
    story.site.store = Arc::new(SqliteStore::open(path).await.unwrap());
    story
}

crashes!("current_thread", Stories::new());

const CHILD: &str = "REGENTRA_TEST_PERFORMS";

/// Tells of every call, before it is made.
#[derive(Debug)]
struct Tells;

#[async_trait]
impl Watch for Tells {
    async fn before(&self, _call: &Call) -> Result<()> {
        println!("\ncall");
        Ok(())
    }

    async fn after(&self, _call: &Call) -> Result<()> {
        Ok(())
    }
}

/// What the other process does: the operation, once.
async fn perform(told: &str) {
    let (name, path) = told.split_once('|').unwrap();
    let operations = Operation::ALL.into_iter();
    let mut named = operations.filter(|operation| format!("{operation:?}") == name);
    let operation = named.next().unwrap();
    let story = on(Path::new(path)).await;
    let watched = Watched {
        store: Arc::clone(&story.site.store),
        watch: Arc::new(Tells),
    };
    let process = story.process_over(operation, Arc::new(watched));
    story.perform(&process, operation).await.unwrap();
}

/// Lets another process perform the operation and kills it hard a moment after it made so many calls. Says whether it made
/// that many.
fn killed(path: &Path, operation: Operation, calls: usize, moment: Duration) -> bool {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", KILLED, "--nocapture"])
        .env(CHILD, format!("{operation:?}|{}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = lines.filter(|line| line.as_deref().is_ok_and(|line| line == "call"));
    let made = told.by_ref().take(calls).count();
    std::thread::sleep(moment);
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    assert!(made == calls || ended.success(), "the other process failed");
    made == calls
}

const KILLED: &str = "on_sqlite::a_process_killed_hard_at_any_time_is_made_good";

#[tokio::test]
async fn a_process_killed_hard_at_any_time_is_made_good() {
    if let Ok(told) = env::var(CHILD) {
        perform(&told).await;
        return;
    }
    let stories = Stories::new().await;
    for operation in [
        Operation::SyncAssets,
        Operation::SweepThatFails,
        Operation::Connect,
        Operation::Disconnect,
        Operation::RotateKey,
    ] {
        let expected = undisturbed(operation).await;
        for calls in 1.. {
            let path = stories.copy();
            // From the middle of the call to somewhere behind it.
            let moment = Duration::from_micros(400 * (calls as u64 % 7));
            let was_killed = killed(&path, operation, calls, moment);
            let what = format!("{operation:?} killed {moment:?} after call {calls} began");
            is_made_good(&on(&path).await, operation, &expected, &what).await;
            if !was_killed {
                assert!(calls > 2, "{operation:?} calls the store");
                break;
            }
        }
    }
}
