//! Whose file it is, and what is said about one that cannot be used. The file stays as it was.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{error::Error as _, fs, path::Path};

use regentra_sync::store::{StoreError, StoreErrorKind};
use regentra_sync_sqlite::{SCHEMA_VERSION, SqliteStore};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

async fn execute(path: &Path, sql: &str) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut db = SqliteConnection::connect_with(&options).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut db)
        .await?;
    db.close().await
}

fn said(error: &StoreError) -> String {
    error.source().unwrap().to_string()
}

async fn refused(path: &Path) -> StoreError {
    let before = fs::read(path).ok();
    let (opened, migrated) = (
        SqliteStore::open(path).await,
        SqliteStore::migrate(path).await,
    );
    let (opened, migrated) = (opened.unwrap_err(), migrated.unwrap_err());
    assert_eq!(
        (opened.kind(), said(&opened)),
        (migrated.kind(), said(&migrated))
    );
    assert_eq!(fs::read(path).ok(), before, "the file stays as it was");
    opened
}

#[tokio::test]
async fn a_new_database_is_migrated_and_then_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let missing = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Misconfigured);
    assert!(
        said(&missing).contains("there is no database at"),
        "{}",
        said(&missing)
    );
    assert!(!path.exists(), "opening creates nothing");
    SqliteStore::migrate(&path).await.unwrap().close().await;
    SqliteStore::migrate(&path).await.unwrap().close().await;
    SqliteStore::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let (a, b, c) = tokio::join!(
        SqliteStore::migrate(&path),
        SqliteStore::migrate(&path),
        SqliteStore::migrate(&path)
    );
    a.unwrap();
    b.unwrap();
    c.unwrap();
}

#[tokio::test]
async fn an_empty_file_is_not_migrated_by_opening_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    fs::write(&path, b"").unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(
        said(&error).contains("migrate it first"),
        "{}",
        said(&error)
    );
}

#[tokio::test]
async fn a_foreign_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    execute(&path, "CREATE TABLE bookmarks (url TEXT)")
        .await
        .unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(
        said(&error).contains("another program's database"),
        "{}",
        said(&error)
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("newer.db");
    SqliteStore::migrate(&path).await.unwrap().close().await;
    let newer = SCHEMA_VERSION + 1;
    let sql = format!(
        "PRAGMA journal_mode = delete; INSERT INTO regentra_migration (version) VALUES ({newer})"
    );
    execute(&path, &sql).await.unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let expected = format!(
        "has schema version {newer}, and this program knows up to {SCHEMA_VERSION}; use a newer program"
    );
    assert!(said(&error).contains(&expected), "{}", said(&error));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "Dear diary, ".repeat(1_000)).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(
        said(&error).contains("is not a SQLite database"),
        "{}",
        said(&error)
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteStore::migrate(folder.path().join("no such folder").join("new.db"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    assert!(
        said(&error).contains("cannot be opened for writing"),
        "{}",
        said(&error)
    );
    assert!(
        SqliteStore::migrate(folder.path()).await.is_err(),
        "a folder is no file"
    );
}

#[tokio::test]
async fn evidence_signals_and_audit_are_append_only_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    SqliteStore::migrate(&path).await.unwrap().close().await;
    let rows = "INSERT INTO evidence VALUES (x'00', x'00', 'patch_sla', 1, x'00', '{}', x'00', x'00', 0);
        INSERT INTO signal VALUES (1, x'00', x'00', 'patch_sla', x'00', 'pass', 0, 0, '{}');
        INSERT INTO msp_audit VALUES (x'00', 0, x'00', '{}'); INSERT INTO customer_audit VALUES (x'00', 0, x'00', '{}')";
    execute(&path, rows).await.unwrap();
    for sql in [
        "UPDATE evidence SET record = ''",
        "DELETE FROM evidence",
        "UPDATE signal SET status = 'pass'",
        "UPDATE msp_audit SET entry = ''",
        "DELETE FROM msp_audit",
        "UPDATE customer_audit SET entry = ''",
        "DELETE FROM customer_audit",
    ] {
        let error = execute(&path, sql).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}
