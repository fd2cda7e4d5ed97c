//! A PostgreSQL database of the release before opens, migrates and goes on.

use std::{collections::BTreeSet, sync::Arc};

use regentra_harness::{
    postgres::{self, Database, OWNER, STORE, SUPERUSER, execute},
    release_before::{
        kept::OldDatabase,
        rows::{Row, Tables},
    },
};
use regentra_sync::{
    host::StoreClock,
    store::{Store, StoreError},
};
use regentra_sync_postgres::{PostgresStore, migrate};
use sqlx::AssertSqlSafe;

async fn texts(database: &Database, sql: &str) -> Vec<String> {
    let mut superuser = database.connect(SUPERUSER).await;
    let texts = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut superuser);
    texts.await.unwrap()
}

struct OnServer(Database);

impl OldDatabase for OnServer {
    async fn kept() -> Self {
        let database = postgres::bare_database().await;
        let mut superuser = database.connect(SUPERUSER).await;
        let dump = include_str!("../../../harness/fixtures/release_before/postgres.sql");
        execute(&mut superuser, dump).await;
        Self(database)
    }

    async fn empty() -> Self {
        Self(postgres::database().await)
    }

    fn authorization() -> &'static str {
        include_str!("../../../harness/fixtures/release_before/postgres.authorization").trim()
    }

    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(PostgresStore::connect(&self.0.url(STORE)).await?))
    }

    async fn migrate(&self) {
        migrate(&self.0.url(OWNER), STORE).await.unwrap();
    }

    async fn open_by(&self, clock: StoreClock) -> Arc<dyn Store> {
        Arc::new(self.0.store().await.with_clock(clock))
    }

    async fn rows(&self) -> Tables {
        let names = "SELECT relname::text FROM pg_class \
                     WHERE relnamespace = 'regentra_sync'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition";
        let mut tables = Tables::new();
        for table in texts(&self.0, names).await {
            let all = format!("SELECT to_jsonb(t)::text FROM regentra_sync.{table} t");
            let row = |text: String| -> Row {
                let columns: serde_json::Map<_, _> = serde_json::from_str(&text).unwrap();
                let columns = columns.into_iter();
                columns
                    .map(|(name, value)| (name, value.to_string()))
                    .collect()
            };
            let rows = texts(&self.0, &all).await;
            tables.insert(table, rows.into_iter().map(row).collect());
        }
        tables
    }

    async fn guards(&self) -> BTreeSet<String> {
        let names = [
            "SELECT tgrelid::regclass || ' trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT conrelid::regclass || ' constraint ' || conname FROM pg_constraint WHERE conrelid <> 0",
            "SELECT indexrelid::regclass || ' index' FROM pg_index WHERE indisunique",
            "SELECT polrelid::regclass || ' policy ' || polname FROM pg_policy",
            "SELECT oid::regclass || ' is forced' FROM pg_class WHERE relrowsecurity AND relforcerowsecurity",
            "SELECT c.relname || '.' || a.attname || ' is not null' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             WHERE c.relnamespace = 'regentra_sync'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnotnull AND a.attnum > 0",
            "SELECT table_name || ' lets ' || grantee || ' ' || privilege_type FROM information_schema.role_table_grants \
             WHERE table_schema = 'regentra_sync'",
        ];
        let mut guards = BTreeSet::new();
        for names in names {
            guards.extend(texts(&self.0, names).await);
        }
        guards
    }

    async fn execute(&self, sql: &str) -> bool {
        let mut superuser = self.0.connect(SUPERUSER).await;
        let executed = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut superuser);
        executed.await.is_ok()
    }
}

regentra_harness::release_before!(OnServer,
    appended: [
        ("regentra_sync.signals", "status = 'pass'"),
        ("regentra_sync.evidence", "record = '{}'"),
        ("regentra_sync.msp_audit", "details = '{}'"),
        ("regentra_sync.customer_audit", "details = '{}'"),
        ("regentra_sync.evidence_heads", "hash = decode(repeat('00', 32), 'hex')"),
        ("regentra_sync.evidence_roots", "root = decode(repeat('00', 32), 'hex')"),
    ],
    told: ["signals", "evidence", "evidence_heads", "evidence_roots"]);
