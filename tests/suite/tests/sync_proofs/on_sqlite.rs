//! Crashes on SQLite, and processes that are killed hard: then the event is delivered again, and everything is as if nothing
//! had happened.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use regentra_sync::{host::StoreClock, store::Store};
use regentra_sync_sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{
    killed::{HoldsUp, killed, killed_at_first_writes, operations},
    on_a_database::{StoryTemplate, crashes},
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

impl StoryTemplate for Stories {
    type Copy = PathBuf;

    async fn new() -> Self {
        let folder = folder();
        let begun = folder.path().join("begun.db");
        let store = SqliteStore::migrate(&begun).await.unwrap();
        Story::begin(Site::new(
            |clock| Arc::new(store.clone().with_clock(clock)),
            (),
        ))
        .await;
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

    async fn open(place: &str, clock: StoreClock) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(place).await.unwrap().with_clock(clock))
    }

    /// Its locks end with a process.
    async fn is_left(_copy: &PathBuf) {}
}

/// For how long the write lock is taken throughout, when its holder is held up.
const HELD: Duration = Duration::from_millis(60);

/// What takes minutes to count.
const LONG: &str = "CREATE VIEW long AS WITH RECURSIVE step (n) AS \
                    (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < 1000000000000) SELECT n FROM step";

/// A connection that waits for a lock: one of a process that was killed outlives it by a moment.
async fn connection(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// A connection that waits for no lock.
async fn impatient(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    let options = options.busy_timeout(Duration::ZERO);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn execute(db: &mut SqliteConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await.unwrap();
}

/// A trigger that takes minutes holds a process up at its first write into a table, with the write lock in its hands.
impl HoldsUp for Stories {
    type Hold = PathBuf;

    async fn written(&self, copy: &PathBuf) -> Vec<String> {
        let mut db = connection(copy).await;
        let begun = self.begun.display();
        execute(&mut db, format!("ATTACH '{begun}' AS begun")).await;
        let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
        let all: Vec<String> = sqlx::query_scalar(all).fetch_all(&mut db).await.unwrap();
        let mut written = Vec::new();
        for table in all {
            let [now, before] = ["main", "begun"].map(|of| format!("SELECT * FROM {of}.{table}"));
            let differs =
                format!("SELECT EXISTS ({now} EXCEPT {before}) OR EXISTS ({before} EXCEPT {now})");
            let differs = sqlx::query_scalar(AssertSqlSafe(differs));
            if differs.fetch_one(&mut db).await.unwrap() {
                written.push(table);
            }
        }
        written
    }

    async fn hold_up(copy: &PathBuf, table: &str) -> PathBuf {
        let mut db = connection(copy).await;
        execute(&mut db, LONG.to_owned()).await;
        for write in ["INSERT", "UPDATE", "DELETE"] {
            let trigger = format!("CREATE TRIGGER held_{write} BEFORE {write} ON {table}");
            let count = format!("{trigger} BEGIN SELECT count(*) FROM long; END");
            execute(&mut db, count).await;
        }
        db.close().await.unwrap();
        copy.clone()
    }

    async fn is_held_up(copy: &PathBuf) -> bool {
        let mut db = impatient(copy).await;
        let since = Instant::now();
        while since.elapsed() < HELD {
            if sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK")
                .execute(&mut db)
                .await
                .is_ok()
            {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    async fn release(copy: PathBuf) {
        let mut db = connection(&copy).await;
        for write in ["INSERT", "UPDATE", "DELETE"] {
            execute(&mut db, format!("DROP TRIGGER held_{write}")).await;
        }
        execute(&mut db, "DROP VIEW long".to_owned()).await;
        db.close().await.unwrap();
    }
}

crashes!("current_thread", Stories);
killed!(Stories);
killed_at_first_writes!(Stories, operations());
