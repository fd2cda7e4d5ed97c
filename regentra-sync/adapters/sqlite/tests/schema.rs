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
    let rows = "INSERT INTO evidence VALUES (x'00', x'00', 'patch_sla', 1, x'00', '{}', x'00', x'00');
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

/// A database of an older release: every row is kept, and an age of signatures that was running runs on.
#[tokio::test]
async fn a_database_of_an_older_release_keeps_every_row_and_the_running_ages_of_signatures() {
    use regentra_sync::{
        ComplianceOrgId, EventId, MappingId, MspOrgId,
        credential::TenantView,
        signature_history::SignatureState,
        store::{AssetFilter, Assets as _, Connections as _, Evidence as _},
    };
    use time::OffsetDateTime;
    use uuid::Uuid;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = [
        "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT;",
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_pass_expires_at.sql"),
        "INSERT INTO regentra_migration (version) VALUES (1), (2);",
    ];
    execute(&path, &old.concat()).await.unwrap();
    let id = |number: u128| Uuid::from_u128(number);
    let blob = |number: u128| format!("x'{}'", id(number).simple());
    let (msp, mapping, credential, asset, company) = (blob(1), blob(2), blob(3), blob(4), blob(5));
    let rows = format!(
        "INSERT INTO signature (msp, mapping, device, first_seen_at) VALUES ({msp}, {mapping}, 'd', 5000000);\
         INSERT INTO credential (msp, id, region, \"grant\", fingerprint, is_active, generation, secrets_version, connected_at) \
         VALUES ({msp}, {credential}, 'us', 'authorization_code', 'f', 1, 1, 1, 0);\
         INSERT INTO asset (msp, id, company, external_source, external_id, status, name, version, created_at, updated_at) \
         VALUES ({msp}, {asset}, {company}, 'level', '7', 'ACTIVE', 'PC', 1, 0, 0);"
    );
    execute(&path, &rows).await.unwrap();

    let store = SqliteStore::migrate(&path).await.unwrap();
    let msp = MspOrgId::from_uuid(id(1));
    let state = store
        .sweep_state(
            msp,
            ComplianceOrgId::from_uuid(id(9)),
            MappingId::from_uuid(id(2)),
            EventId::from_uuid(id(8)),
            OffsetDateTime::UNIX_EPOCH,
        )
        .await
        .unwrap();
    let kept: Vec<_> = state
        .signature_history
        .values()
        .map(|record| (record.state, record.since.unix_timestamp()))
        .collect();
    assert_eq!(kept, [(SignatureState::OutOfDate, 5)]);
    let credentials = store.credentials(msp).await.unwrap();
    assert_eq!(
        (credentials[0].view, credentials[0].lost_organizations),
        (TenantView::Unknown, 0)
    );
    let assets = store.assets(msp, AssetFilter::All).await.unwrap();
    assert_eq!(
        (assets[0].missing_since, assets[0].possible_duplicate_of),
        (None, None)
    );
    store.close().await;
}
