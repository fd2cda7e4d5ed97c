//! A SQLite database of the release before opens, migrates and goes on.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use regentra_harness::release_before::{kept::OldDatabase, rows::Tables};
use regentra_sync::{
    host::StoreClock,
    store::{Store, StoreError},
};
use regentra_sync_sqlite::SqliteStore;
use sqlx::{
    AssertSqlSafe, Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

struct File(TempDir);

impl File {
    fn path(&self) -> PathBuf {
        self.0.path().join("regentra.db")
    }

    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        let options = options.create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    async fn texts(db: &mut SqliteConnection, sql: String) -> Vec<String> {
        let texts = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(db);
        texts.await.unwrap()
    }
}

impl OldDatabase for File {
    async fn kept() -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        let dump = include_str!("../../../harness/fixtures/release_before/sqlite.sql");
        let mut db = file.connect().await;
        sqlx::raw_sql(dump).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        file
    }

    async fn empty() -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        file.migrate().await;
        file
    }

    fn authorization() -> &'static str {
        include_str!("../../../harness/fixtures/release_before/sqlite.authorization").trim()
    }

    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(SqliteStore::open(self.path()).await?))
    }

    async fn migrate(&self) {
        let store = SqliteStore::migrate(self.path()).await.unwrap();
        store.close().await;
    }

    async fn open_by(&self, clock: StoreClock) -> Arc<dyn Store> {
        let store = SqliteStore::open(self.path()).await.unwrap();
        Arc::new(store.with_clock(clock))
    }

    async fn rows(&self) -> Tables {
        let mut db = self.connect().await;
        let names =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
        let mut tables = Tables::new();
        for table in Self::texts(&mut db, names.to_owned()).await {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns = Self::texts(&mut db, columns).await;
            let quoted = columns.iter().map(|column| format!("quote(\"{column}\")"));
            let quoted = quoted.collect::<Vec<_>>().join(", ");
            let all = AssertSqlSafe(format!("SELECT {quoted} FROM {table}"));
            let all = sqlx::query(all).fetch_all(&mut db).await.unwrap();
            let row = |row: &sqlx::sqlite::SqliteRow| {
                let values = (0..).zip(&columns);
                values
                    .map(|(place, column): (usize, _)| (column.clone(), row.get(place)))
                    .collect()
            };
            tables.insert(table, all.iter().map(row).collect());
        }
        tables
    }

    async fn guards(&self) -> BTreeSet<String> {
        let mut db = self.connect().await;
        let names = "SELECT type || ' ' || name FROM sqlite_schema WHERE type = 'trigger' OR sql LIKE 'CREATE UNIQUE INDEX%' \
                     UNION ALL SELECT t.name || '.' || c.name || ' is not null' \
                     FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND c.\"notnull\"";
        let names = Self::texts(&mut db, names.to_owned()).await;
        names.into_iter().collect()
    }

    async fn execute(&self, sql: &str) -> bool {
        let mut db = self.connect().await;
        let executed = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db);
        executed.await.is_ok()
    }
}

regentra_harness::release_before!(File,
    appended: [
        ("signals", "status = 'pass'"),
        ("evidence", "record = '{}'"),
        ("msp_audit", "details = '{}'"),
        ("customer_audit", "details = '{}'"),
        ("evidence_heads", "hash = zeroblob(32)"),
        ("evidence_roots", "root = zeroblob(32)"),
    ],
    told: ["signals", "evidence", "evidence_heads", "evidence_roots"]);
