//! Crashes on PostgreSQL, and processes that are killed hard: then the event is delivered again, and everything is as if nothing
//! had happened. What becomes of each single commit that is cut off, `interruptions` shows.

use std::sync::Arc;

use regentra_harness::{
    postgres::{self, Database, SUPERUSER, execute},
    proofs::{
        killed::{HoldsUp, killed, killed_at_first_writes, operations},
        on_a_database::{StoryTemplate, crashes},
        site::Site,
        story::Story,
    },
};
use regentra_sync::{host::StoreClock, store::Store};
use regentra_sync_postgres::PostgresStore;
use sqlx::PgConnection;

struct Stories(Database);

impl StoryTemplate for Stories {
    type Copy = Database;

    async fn new() -> Self {
        let (store, database) = postgres::new_store(postgres::clock()).await;
        Story::begin(Site::new(
            |clock| Arc::new(store.clone().with_clock(clock)),
            (),
        ))
        .await;
        store.close().await;
        Self(database)
    }

    async fn copy(&self) -> Database {
        self.0.copy().await
    }

    fn place(copy: &Database) -> String {
        copy.url(postgres::STORE)
    }

    async fn open(place: &str, clock: StoreClock) -> Arc<dyn Store> {
        let store = PostgresStore::connect(place).await.unwrap();
        Arc::new(store.with_clock(clock))
    }

    async fn is_left(copy: &Database) {
        copy.is_left().await;
    }
}

/// A table that is locked holds a process up at its first write into it. The server finishes the statement when the lock is gone,
/// and only then finds nobody who waits for it.
impl HoldsUp for Stories {
    type Hold = PgConnection;

    async fn written(&self, copy: &Database) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT relname::text FROM pg_stat_user_tables WHERE schemaname = 'regentra_sync' \
             AND n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY 1",
        )
        .fetch_all(&mut copy.connect(SUPERUSER).await)
        .await
        .unwrap()
    }

    async fn hold_up(copy: &Database, table: &str) -> PgConnection {
        let mut superuser = copy.connect(SUPERUSER).await;
        let lock = format!("BEGIN; LOCK TABLE regentra_sync.{table} IN EXCLUSIVE MODE");
        execute(&mut superuser, &lock).await;
        superuser
    }

    async fn is_held_up(copy: &Database) -> bool {
        copy.waiting_for_locks().await > 0
    }

    async fn release(mut superuser: PgConnection) {
        execute(&mut superuser, "ROLLBACK").await;
    }
}

crashes!("current_thread", Stories);
killed!(Stories);
killed_at_first_writes!(Stories, operations());
