//! Crashes on PostgreSQL, and processes that are killed hard: then the event is delivered again, and everything is as if nothing
//! had happened. What becomes of each single commit that is cut off, `postgres_interruptions` shows.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test panics where it fails, helpers included"
)]
#![allow(missing_docs, reason = "a test's name says what it shows")]
#![allow(
    dead_code,
    reason = "the proofs on other stores use more of these modules"
)]

#[path = "sync_proofs/killed.rs"]
mod killed;
#[path = "sync_proofs/on_a_database.rs"]
mod on_a_database;
mod postgres;
#[path = "sync/scripted.rs"]
mod scripted;
#[path = "sync_proofs/site.rs"]
mod site;
#[path = "sync_proofs/snapshot.rs"]
mod snapshot;
#[path = "sync_proofs/story.rs"]
mod story;
#[path = "sync_proofs/undisturbed.rs"]
mod undisturbed;
#[path = "sync_proofs/watched.rs"]
mod watched;

use std::{sync::Arc, time::Duration};

use killed::{Left, OPERATIONS as KILLED, Other, is_the_other_process, killed, test_name};
use on_a_database::{Begun, crashes, on};
use postgres::{Database, SUPERUSER, execute};
use regentra_sync::store::Store;
use regentra_sync_postgres::PostgresStore;
use site::Site;
use story::Story;

struct Stories(Database);

impl Begun for Stories {
    type Copy = Database;

    async fn new() -> Self {
        let (store, database) = postgres::new_store().await;
        Story::begin(Site::new(Arc::new(store.clone()), ())).await;
        store.close().await;
        Self(database)
    }

    async fn copy(&self) -> Database {
        self.0.copy().await
    }

    fn place(copy: &Database) -> String {
        copy.url(postgres::STORE)
    }

    async fn open(place: &str) -> Arc<dyn Store> {
        Arc::new(PostgresStore::connect(place).await.unwrap())
    }

    async fn is_left(copy: &Database) {
        copy.is_left().await;
    }
}

crashes!("current_thread", Stories);
killed!(Stories);

/// A table that is locked holds a process up at its first write into it, in the middle of its transaction. There it is killed.
/// The server finishes the statement when the lock is gone, and only then finds nobody who waits for it.
#[tokio::test]
async fn a_process_killed_hard_at_its_first_write_into_any_table_is_made_good() {
    if is_the_other_process::<Stories>().await {
        return;
    }
    let test = test_name!(a_process_killed_hard_at_its_first_write_into_any_table_is_made_good);
    let begun = Stories::new().await;
    for operation in KILLED {
        let mut left = Left::of(operation).await;
        let copy = begun.copy().await;
        Other::performs(test, operation, &Stories::place(&copy)).ends_by_itself();
        copy.is_left().await;
        let written: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_stat_user_tables WHERE schemaname = 'regentra_sync' \
             AND n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY 1",
        )
        .fetch_all(&mut copy.connect(SUPERUSER).await)
        .await
        .unwrap();
        assert!(written.contains(&"events".to_owned()), "{written:?}");
        for table in written {
            let what = format!("{operation:?} killed at its first write into {table}");
            let copy = begun.copy().await;
            let mut superuser = copy.connect(SUPERUSER).await;
            let lock = format!("BEGIN; LOCK TABLE regentra_sync.{table} IN EXCLUSIVE MODE");
            execute(&mut superuser, &lock).await;
            let mut process = Other::performs(test, operation, &Stories::place(&copy));
            while copy.waiting_for_locks().await == 0 {
                assert!(!process.has_ended(), "{what}: nothing held it up");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            process.kill();
            execute(&mut superuser, "ROLLBACK").await;
            copy.is_left().await;
            let story = on::<Stories>(&Stories::place(&copy)).await;
            left.is_whole_and_made_good(&story, &what).await;
        }
    }
}
