//! Both SQL stores have one dictionary: the same tables with the same columns. And what a migration may lose without anybody seeing
//! it: the policies and grants of PostgreSQL.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
};

use regentra_harness::postgres::{self, STORE, SUPERUSER};
use regentra_sync_sqlite::SqliteStore;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// Columns of a table, in its order.
type Dictionary = BTreeMap<String, Vec<String>>;

/// What one store has alone: (table, column), and why.
const SQLITE_ALONE: &[(&str, &str, &str)] = &[(
    "runs",
    "mapping_order",
    "computed from mapping_id: SQLite has no index with NULL last",
)];

/// Tables of the same meaning under two names, SQLite's and PostgreSQL's. An older release looks for that name in the file to see that
/// the file is newer, and PostgreSQL has it in a schema of ours.
const MIGRATIONS: (&str, &str) = ("regentra_migration", "migrations");

/// A row id of SQLite's, which is its first column; on PostgreSQL it comes after the key.
const ROW_ID: &str = "position";

fn dictionary(columns: Vec<(String, String)>) -> Dictionary {
    let mut dictionary = Dictionary::new();
    for (table, column) in columns {
        dictionary.entry(table).or_default().push(column);
    }
    dictionary
}

async fn of_sqlite() -> Dictionary {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regentra.db");
    SqliteStore::migrate(&path).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    // With the columns that are computed.
    let columns = "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c \
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid";
    let columns = sqlx::query_as(columns).fetch_all(&mut connection);
    dictionary(columns.await.unwrap())
}

async fn of_postgres() -> Dictionary {
    let database = postgres::database().await;
    let mut superuser = database.connect(SUPERUSER).await;
    let columns = "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                   WHERE c.relnamespace = 'regentra_sync'::regnamespace AND c.relkind IN ('r', 'p') \
                   AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum";
    let columns = sqlx::query_as(columns).fetch_all(&mut superuser);
    dictionary(columns.await.unwrap())
}

/// What one has and the other has not, or elsewhere.
fn differences(mut sqlite: Dictionary, mut postgres: Dictionary) -> Vec<String> {
    let mut differences = Vec::new();
    for (table, column, _) in SQLITE_ALONE {
        let columns = sqlite.entry((*table).to_owned()).or_default();
        let before = columns.len();
        columns.retain(|name| name != column);
        if columns.len() == before {
            differences.push(format!("SQLite does not have {table}.{column}"));
        }
    }
    let (here, there) = MIGRATIONS;
    if let Some(columns) = sqlite.remove(here) {
        sqlite.insert(there.to_owned(), columns);
    }
    for dictionary in [&mut sqlite, &mut postgres] {
        for columns in dictionary.values_mut() {
            columns.sort_by_key(|column| column != ROW_ID);
        }
    }
    let tables: BTreeSet<_> = sqlite.keys().chain(postgres.keys()).collect();
    for table in tables {
        let (here, there) = (sqlite.get(table), postgres.get(table));
        if here != there {
            differences.push(format!(
                "{table}: {here:?} on SQLite, {there:?} on PostgreSQL"
            ));
        }
    }
    differences
}

#[tokio::test]
async fn both_stores_have_the_same_tables_and_columns_in_the_same_order() {
    let (sqlite, postgres) = (of_sqlite().await, of_postgres().await);
    assert!(sqlite.len() > 15, "{sqlite:?}");
    assert_eq!(
        differences(sqlite, postgres),
        Vec::<String>::new(),
        "one dictionary"
    );
}

/// Whatever differed, the comparison would say so.
#[tokio::test]
async fn a_table_or_column_of_one_store_alone_would_be_seen() {
    let (sqlite, postgres) = (of_sqlite().await, of_postgres().await);
    let mut seen = 0;
    for table in postgres.keys() {
        for column in 0..postgres[table].len() {
            let (mut without, mut renamed, mut last) =
                (postgres.clone(), postgres.clone(), postgres.clone());
            let gone = without.get_mut(table).unwrap().remove(column);
            renamed.get_mut(table).unwrap()[column] = "said".to_owned();
            let columns = last.get_mut(table).unwrap();
            let moved = columns.remove(column);
            let is_elsewhere = moved != ROW_ID && column < columns.len();
            columns.push(moved);
            assert_ne!(
                differences(sqlite.clone(), without),
                [""; 0],
                "{table}.{gone}"
            );
            assert_ne!(
                differences(sqlite.clone(), renamed),
                [""; 0],
                "{table}.{gone}"
            );
            if is_elsewhere {
                assert_ne!(differences(sqlite.clone(), last), [""; 0], "{table}.{gone}");
            }
            seen += 1;
        }
        let mut without = postgres.clone();
        without.remove(table);
        assert_ne!(differences(sqlite.clone(), without), [""; 0], "{table}");
    }
    assert!(seen > 100, "{seen} columns");
}

/// Renaming keeps policies and grants; a table that is built anew has none. Of a database that the release before wrote and of a new
/// one.
#[tokio::test]
async fn after_migrating_every_table_is_under_forced_row_level_security_and_grants_are_as_narrow_as_on_a_new_database()
 {
    let fresh = postgres::database().await;
    let kept = postgres::bare_database().await;
    let mut superuser = kept.connect(SUPERUSER).await;
    let dump = include_str!("../../../harness/fixtures/release_before/postgres.sql");
    postgres::execute(&mut superuser, dump).await;
    regentra_sync_postgres::migrate(&kept.url(postgres::OWNER), STORE)
        .await
        .unwrap();
    let mut found = Vec::new();
    for database in [&fresh, &kept] {
        let mut superuser = database.connect(SUPERUSER).await;
        let tables = "SELECT relname::text, relrowsecurity AND relforcerowsecurity FROM pg_class \
                      WHERE relnamespace = 'regentra_sync'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1";
        let tables: Vec<(String, bool)> = sqlx::query_as(tables)
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        assert!(tables.len() > 15, "{tables:?}");
        for (table, is_forced) in &tables {
            assert_eq!(*is_forced, table != "migrations", "{table}");
        }
        let policies = "SELECT polrelid::regclass || ' ' || polname || ' ' || polcmd::text || ' ' || pg_get_expr(polqual, polrelid) \
                        FROM pg_policy ORDER BY 1";
        let policies: Vec<String> = sqlx::query_scalar(policies)
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        assert!(policies.len() >= tables.len() - 1, "{policies:?}");
        let grants = "SELECT table_name || '.' || column_name || ' ' || privilege_type FROM information_schema.column_privileges \
                      WHERE table_schema = 'regentra_sync' AND grantee = $1 \
                      UNION ALL SELECT table_name || ' ' || privilege_type FROM information_schema.table_privileges \
                      WHERE table_schema = 'regentra_sync' AND grantee = $1 ORDER BY 1";
        let grants: Vec<String> = sqlx::query_scalar(grants)
            .bind(STORE)
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        found.push((tables, policies, grants));
    }
    assert_eq!(found[0], found[1]);
}

#[tokio::test]
async fn a_row_that_cannot_be_renamed_stops_the_migration_and_the_database_stays_as_it_was_until_it_is_mended()
 {
    let database = postgres::bare_database().await;
    let mut superuser = database.connect(SUPERUSER).await;
    let dump = include_str!("../../../harness/fixtures/release_before/postgres.sql");
    postgres::execute(&mut superuser, dump).await;
    let damage = "CREATE TABLE public.whole AS SELECT msp_org_id, outbox_id, action FROM regentra_sync.outbox; \
                  UPDATE regentra_sync.outbox SET action = '{\"secret\": 1}'";
    postgres::execute(&mut superuser, damage).await;
    let state = "SELECT string_agg(o::text, ',' ORDER BY outbox_id) || (SELECT max(version) FROM regentra_sync.migrations) \
                 FROM regentra_sync.outbox o";
    let before: String = sqlx::query_scalar(state)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    let url = database.url(postgres::OWNER);
    for _ in 0..2 {
        let error = regentra_sync_postgres::migrate(&url, STORE)
            .await
            .unwrap_err();
        let text = format!("{error} {error:?} {}", error.source().unwrap());
        assert!(text.contains("outbox_action_check"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let now: String = sqlx::query_scalar(state)
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        assert_eq!(now, before);
    }
    let mend = "UPDATE regentra_sync.outbox SET action = whole.action FROM public.whole WHERE outbox.outbox_id = whole.outbox_id; \
                DROP TABLE public.whole";
    postgres::execute(&mut superuser, mend).await;
    regentra_sync_postgres::migrate(&url, STORE).await.unwrap();
    database.store().await;
}
