//! Whose file it is, and the error for one that cannot be used. The file stays as it was.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{collections::BTreeMap, error::Error as _, fs, path::Path, sync::Arc};

use regentra_sync::{
    Integration,
    model::{
        ComplianceOrgId, CredentialId, EventId, Fingerprint, LeaseKey, MappingId, MspOrgId,
        NINJAONE_WINDOWS, RunKind, RunOutcome, RunRecord, RunSubject, Spend, WorkerId,
    },
    ninjaone::NinjaOneApi,
    regentra_evidence::{SignalKind, Status},
    seal::{KeyId, Keyring, MasterKey},
    store::{
        Anchors as _, Budget as _, Evidence as _, Runs as _, StoreError, StoreErrorKind,
        conformance::world::{World, signal},
    },
    views::{Finding, FutureRows},
};
use regentra_sync_sqlite::{SCHEMA_VERSION, SqliteStore};
use sqlx::{
    AssertSqlSafe, Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// No clock that is right shows it while this is tested.
const AHEAD: OffsetDateTime = datetime!(2100-01-01 00:00 UTC);

/// A digest, such as stores have kept in every version.
const FINGERPRINT: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfefff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

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

fn cause(error: &StoreError) -> String {
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
        (opened.kind(), cause(&opened)),
        (migrated.kind(), cause(&migrated))
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
        cause(&missing).contains("there is no database at"),
        "{}",
        cause(&missing)
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
        cause(&error).contains("migrate it first"),
        "{}",
        cause(&error)
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
        cause(&error).contains("another program's database"),
        "{}",
        cause(&error)
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
    assert!(cause(&error).contains(&expected), "{}", cause(&error));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "Dear diary, ".repeat(1_000)).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(
        cause(&error).contains("is not a SQLite database"),
        "{}",
        cause(&error)
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
        cause(&error).contains("cannot be opened for writing"),
        "{}",
        cause(&error)
    );
    assert!(
        SqliteStore::migrate(folder.path()).await.is_err(),
        "a folder is no file"
    );
}

async fn content(path: &Path) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(path);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    let all = "SELECT 'evidence', rowid, quote(signal), sequence, quote(record) FROM evidence \
               UNION ALL SELECT 'signals', position, quote(signal), 0, quote(body) FROM signals \
               UNION ALL SELECT 'msp_audit', 0, quote(msp_org_id), at, quote(details) FROM msp_audit \
               UNION ALL SELECT 'customer_audit', 0, quote(compliance_org_id), at, quote(details) FROM customer_audit \
               UNION ALL SELECT 'evidence_heads', root_number, quote(signal), length, quote(hash) FROM evidence_heads \
               UNION ALL SELECT 'evidence_roots', handed_out_at, quote(root), number, quote(tick) FROM evidence_roots";
    let rows = sqlx::query(all).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    let text = |row: &SqliteRow| {
        let numbers: [Option<i64>; 2] = [row.get(1), row.get(3)];
        let texts: [String; 3] = [row.get(0), row.get(2), row.get(4)];
        format!("{numbers:?} {texts:?}")
    };
    rows.iter().map(text).collect()
}

/// A person who drops the triggers first changes what he likes: that is found by signatures and anchors, not here.
#[tokio::test]
async fn no_statement_changes_a_record_a_signal_or_an_audit_row_while_the_triggers_stand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    SqliteStore::migrate(&path).await.unwrap().close().await;
    // Two of each, as a commit writes them: without row ids.
    let rows = "INSERT INTO evidence SELECT x'00', x'00', 'patch_sla', value, x'00', '{}', x'00', x'00', NULL, NULL \
          FROM json_each('[1, 2]');
        INSERT INTO signals (compliance_org_id, mapping_id, signal, event_id, status, collected_at, expires_at, body) \
          SELECT x'00', x'00', 'patch_sla', x'00', 'fail', 0, 0, '{}' FROM json_each('[1, 2]');
        INSERT INTO msp_audit SELECT x'00', x'00', x'00', value, NULL, 'a', '{}' FROM json_each('[1, 2]');
        INSERT INTO customer_audit SELECT x'00', x'00', x'00', value, NULL, 'a', '{}' FROM json_each('[1, 2]');
        INSERT INTO evidence_heads SELECT x'00', x'00', x'00', 'patch_sla', value, x'00', 0, 1 FROM json_each('[1, 2]');
        INSERT INTO evidence_roots SELECT x'00', value, 0, 1, x'00', 0, 0 FROM json_each('[1, 2]')";
    execute(&path, rows).await.unwrap();
    let before = content(&path).await;
    assert_eq!(before.len(), 12);

    let evidence =
        "(x'00', x'00', 'patch_sla', 1, x'00', '{\"forged\":1}', x'00', x'00', NULL, NULL)";
    let signal = "(1, x'00', x'00', 'patch_sla', x'00', 'pass', 0, 0, '{\"forged\":1}')";
    let audit = "(x'00', x'00', x'00', 1, NULL, 'a', '{\"forged\":1}')";
    let head = "(x'00', x'00', x'00', 'patch_sla', 1, x'ff', 0, 1)";
    let root = "(x'00', 1, 0, 1, x'ff', 0, 0)";
    let columns =
        "compliance_org_id, mapping_id, signal, sequence, event_id, record, previous, hash";
    let mut statements = Vec::new();
    for (table, row, column, value) in [
        ("evidence", evidence, "record", "'x'"),
        ("signals", signal, "body", "'x'"),
        ("msp_audit", audit, "details", "'x'"),
        ("customer_audit", audit, "details", "'x'"),
        ("evidence_heads", head, "hash", "x'ff'"),
        ("evidence_roots", root, "root", "x'ff'"),
    ] {
        statements.extend([
            format!("DELETE FROM {table}"),
            format!("DELETE FROM {table} WHERE rowid IS NOT NULL OR 1"),
            format!("UPDATE {table} SET {column} = {value}"),
            format!("UPDATE OR REPLACE {table} SET {column} = {value}"),
            format!("UPDATE OR IGNORE {table} SET {column} = {value}"),
            format!("INSERT INTO {table} VALUES {row}"),
            format!("INSERT OR REPLACE INTO {table} VALUES {row}"),
            format!("REPLACE INTO {table} VALUES {row}"),
            format!("INSERT OR IGNORE INTO {table} VALUES {row}"),
            format!("INSERT OR FAIL INTO {table} VALUES {row}"),
            format!("INSERT OR ROLLBACK INTO {table} VALUES {row}"),
            format!(
                "INSERT INTO {table} VALUES {row} ON CONFLICT DO UPDATE SET {column} = {value}"
            ),
            format!("INSERT INTO {table} VALUES {row} ON CONFLICT DO NOTHING"),
        ]);
    }
    // A row id is a second key, and every way to it is closed too.
    let other_place = "(1, x'00', x'00', 'patch_sla', 9, x'00', '{}', x'00', x'00')";
    statements.extend([
        "UPDATE OR REPLACE evidence SET sequence = 2 WHERE sequence = 1".to_owned(),
        "UPDATE OR REPLACE evidence SET rowid = 2 WHERE rowid = 1".to_owned(),
        "UPDATE evidence SET rowid = 9 WHERE rowid = 1".to_owned(),
        format!("INSERT OR REPLACE INTO evidence (rowid, {columns}) VALUES {other_place}"),
        format!("INSERT OR REPLACE INTO evidence (_rowid_, {columns}) VALUES {other_place}"),
        "UPDATE OR REPLACE signals SET position = 2 WHERE position = 1".to_owned(),
        "UPDATE OR REPLACE evidence_heads SET root_number = 2 WHERE length = 1".to_owned(),
        "UPDATE OR REPLACE evidence_roots SET handed_out_at = 9 WHERE number = 1".to_owned(),
        "UPDATE OR REPLACE evidence_roots SET number = 2 WHERE number = 1".to_owned(),
        "UPDATE msp_audit SET at = 2 WHERE at = 1".to_owned(),
    ]);
    let has_row_ids = |statement: &str| {
        let without = [
            "msp_audit",
            "customer_audit",
            "evidence_heads",
            "evidence_roots",
        ];
        !(statement.contains("rowid") && without.iter().any(|table| statement.contains(table)))
    };
    statements.retain(|statement| has_row_ids(statement));
    for statement in statements {
        for recursive in ["OFF", "ON"] {
            let sql = format!("PRAGMA recursive_triggers = {recursive}; {statement}");
            let error = execute(&path, &sql).await.unwrap_err().to_string();
            assert!(error.contains("append-only"), "{sql}: {error}");
            assert_eq!(content(&path).await, before, "{sql}");
        }
    }

    // What a commit writes still goes in, and a head and a root go their one way.
    let next = "INSERT INTO evidence SELECT x'00', x'00', 'patch_sla', 3, x'00', '{}', x'00', x'00', NULL, zeroblob(64);
        INSERT INTO signals (compliance_org_id, mapping_id, signal, event_id, status, collected_at, expires_at, body) \
          SELECT x'00', x'00', 'patch_sla', x'00', 'pass', 0, 0, '{}' FROM json_each('[1, 2, 3]');
        INSERT INTO evidence_heads VALUES (x'00', x'00', x'00', 'patch_sla', 3, x'00', 0, NULL);
        UPDATE evidence_heads SET root_number = 3 WHERE root_number IS NULL;
        INSERT INTO evidence_roots VALUES (x'00', 3, 0, 1, x'00', 0, NULL);
        UPDATE evidence_roots SET handed_out_at = 5 WHERE handed_out_at IS NULL";
    execute(&path, next).await.unwrap();
    assert_eq!(content(&path).await.len(), 12 + 1 + 3 + 1 + 1);
}

#[tokio::test]
async fn chains_of_the_schema_before_keep_their_records_and_their_last_heads_wait_for_a_root() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let initial = include_str!("../migrations/0001_initial.sql");
    let second = include_str!("../migrations/0002_pass_expires_at.sql");
    let created = "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL DEFAULT 0) STRICT;
        INSERT INTO regentra_migration (version) VALUES (1), (2)";
    let rows = "INSERT INTO mapping (msp, id, credential, external_org_id, name, state, version, discovered_at) \
          VALUES (x'aa', x'bb', x'00', 1, 'n', 'ignored', 1, 0);
        INSERT INTO evidence VALUES (x'cc', x'bb', 'patch_sla', 1, x'01', '{}', x'00', x'01'),
          (x'cc', x'bb', 'patch_sla', 2, x'02', '{}', x'01', x'02'), (x'cc', x'bb', 'disk_encryption', 1, x'01', '{}', x'00', x'03');
        INSERT INTO signal (compliance_org, mapping, signal, event, status, collected_at, expires_at, body) \
          VALUES (x'cc', x'bb', 'patch_sla', x'02', 'fail', 77, 0, '{}')";
    for sql in [initial, second, created, rows] {
        execute(&path, sql).await.unwrap();
    }
    SqliteStore::migrate(&path).await.unwrap().close().await;
    let content = content(&path).await;
    let of = |table: &str| content.iter().filter(|row| row.contains(table)).count();
    assert_eq!(of("\"evidence\""), 3);
    assert_eq!(of("\"evidence_heads\""), 2, "{content:?}");
    let last = "[None, Some(2)] [\"evidence_heads\", \"'patch_sla'\", \"X'02'\"]";
    assert!(content.iter().any(|row| row == last), "{content:?}");
}

/// A database of an older release: every row is kept, and an age of signatures that was running runs on.
#[tokio::test]
async fn a_database_of_an_older_release_keeps_every_row_and_the_running_ages_of_signatures() {
    use regentra_sync::{
        model::{EventId, SignatureState, TenantView},
        store::{AssetFilter, Assets as _, Connections as _},
    };

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
        "INSERT INTO signature (msp, mapping, device, first_seen_at) VALUES ({msp}, {mapping}, '{FINGERPRINT}', 5000000);\
         INSERT INTO credential (msp, id, region, \"grant\", fingerprint, is_active, generation, secrets_version, connected_at) \
         VALUES ({msp}, {credential}, 'us', 'authorization_code', '{FINGERPRINT}', 1, 1, 1, 0);\
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

/// The schema of the release before stores told the future from the present, with rows that a clock far ahead wrote.
async fn written_ahead(path: &Path) {
    let old = [
        "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT;",
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_pass_expires_at.sql"),
        include_str!("../migrations/0003_identity.sql"),
        "INSERT INTO regentra_migration (version) VALUES (1), (2), (3);",
    ];
    execute(path, &old.concat()).await.unwrap();
    let signal = signal(SignalKind::PatchSla, Status::Pass, AHEAD);
    let body = serde_json::to_string(&signal).unwrap().replace('\'', "''");
    let run = RunRecord {
        subject: RunSubject {
            kind: RunKind::EvidenceSweep,
            credential: CredentialId::from_uuid(Uuid::from_u128(3)),
            mapping: Some(MappingId::from_uuid(Uuid::from_u128(2))),
        },
        started_at: AHEAD,
        finished_at: AHEAD,
        outcome: RunOutcome::Succeeded,
        requests: 9,
        reading: None,
    };
    let (subject, record) = (
        serde_json::to_string(&run.subject).unwrap(),
        serde_json::to_string(&run).unwrap(),
    );
    let blob = |number: u128| format!("x'{}'", Uuid::from_u128(number).simple());
    let (msp, mapping, credential, company, customer) =
        (blob(1), blob(2), blob(3), blob(5), blob(9));
    let (ahead, expires) = (
        AHEAD.unix_timestamp() * 1_000_000,
        signal.expires_at.unix_timestamp() * 1_000_000,
    );
    let rows = format!(
        "INSERT INTO credential (msp, id, region, \"grant\", fingerprint, is_active, generation, secrets_version, connected_at) \
         VALUES ({msp}, {credential}, 'us', 'client_credentials', '{FINGERPRINT}', 1, 1, 1, 0);\
         INSERT INTO company (msp, id, name, converted_to, created_at) VALUES ({msp}, {company}, 'n', {customer}, 0);\
         INSERT INTO mapping (msp, id, credential, external_org_id, name, state, company, version, discovered_at) \
         VALUES ({msp}, {mapping}, {credential}, 1, 'n', 'mapped', {company}, 1, 0);\
         INSERT INTO signal (compliance_org, mapping, signal, event, status, collected_at, expires_at, body) \
         VALUES ({customer}, {mapping}, 'patch_sla', x'07', 'pass', {ahead}, {expires}, '{body}');\
         INSERT INTO evidence VALUES ({customer}, {mapping}, 'patch_sla', 1, x'07', '{{}}', zeroblob(32), zeroblob(32));\
         INSERT INTO run VALUES ({msp}, '{subject}', '{record}');\
         INSERT INTO lease VALUES ({msp}, 'evidence_sweep:{customer_id}', x'{worker}', 4, {ahead});\
         INSERT INTO ticket_tick VALUES ({msp}, {ahead}, 1, 20, 0);\
         INSERT INTO request (tenant, started_at) SELECT '{FINGERPRINT}', {ahead} FROM json_each('[1, 2, 3, 4, 5]');",
        customer_id = Uuid::from_u128(9),
        worker = Uuid::from_u128(8).simple(),
    );
    // The event of a signal is an id, too.
    execute(path, &rows.replace("x'07'", &blob(7)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_of_the_release_before_whose_clock_ran_ahead_migrates_ignores_its_rows_and_shows_them()
 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    written_ahead(&path).await;
    let store = SqliteStore::migrate(&path).await.unwrap();
    let now = store.store_time().await.unwrap();
    let (msp, customer) = (
        MspOrgId::from_uuid(Uuid::from_u128(1)),
        ComplianceOrgId::from_uuid(Uuid::from_u128(9)),
    );
    assert_eq!(store.current_signals(customer, now).await.unwrap(), []);
    assert_eq!(store.signals_ahead(customer).await.unwrap().len(), 1);
    let tenant = Fingerprint::parse(FINGERPRINT).unwrap();
    let usage = store.budget_usage(&tenant).await.unwrap();
    assert_eq!((usage.last_hour, usage.ahead), (5, 5));

    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let keyring = Keyring::new(KeyId::new("k").unwrap(), key(1), key(2));
    let integration = Integration::builder(
        Arc::new(store.clone()),
        keyring,
        Arc::new(NinjaOneApi::new()),
    )
    .build();
    let shown = async || {
        let found = integration.diagnose(msp, None).await.unwrap().into_iter();
        let ahead = found.filter_map(|found| match found.finding {
            Finding::InTheFuture { rows, count } => Some((rows, count)),
            _ => None,
        });
        ahead.collect::<BTreeMap<_, _>>()
    };
    let expected = BTreeMap::from([
        (FutureRows::Signals, 1),
        (FutureRows::Runs, 1),
        (FutureRows::Leases, 1),
        (FutureRows::Requests, 5),
        (FutureRows::TicketTicks, 1),
    ]);
    assert_eq!(shown().await, expected);
    let card = integration.views().connection_status(msp).await.unwrap();
    assert_eq!(card[0].last_evidence_sweep, None);

    // Its worker is gone, and its requests are an hour's at most.
    let worker = WorkerId::from_uuid(Uuid::from_u128(6));
    let lease = LeaseKey::EvidenceSweep(customer);
    let taken = store.take_lease(msp, lease, worker, Duration::minutes(5));
    assert!(taken.await.unwrap().is_some());
    let spent = store.spend(&tenant, &NINJAONE_WINDOWS).await.unwrap();
    assert_eq!(spent, Spend::Granted);
    let left = shown().await;
    assert!(!left.contains_key(&FutureRows::Leases) && !left.contains_key(&FutureRows::Requests));
    store.close().await;
}

#[tokio::test]
async fn heads_that_a_migration_adds_are_of_no_tick_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    written_ahead(&path).await;
    let blob = |number: u128| format!("x'{}'", Uuid::from_u128(number).simple());
    let (mapping, customer) = (blob(2), blob(9));
    // One that was swept in time, and one whose signal is not there.
    let more = format!(
        "INSERT INTO signal (compliance_org, mapping, signal, event, status, collected_at, expires_at, body) \
         VALUES ({customer}, {mapping}, 'device_inventory', x'77', 'pass', 5000000, 0, '{{}}');\
         INSERT INTO evidence VALUES ({customer}, {mapping}, 'device_inventory', 1, x'77', '{{}}', zeroblob(32), zeroblob(32)), \
         ({customer}, {mapping}, 'backup_activity', 1, x'78', '{{}}', zeroblob(32), zeroblob(32));"
    );
    execute(&path, &more).await.unwrap();
    let store = SqliteStore::migrate(&path).await.unwrap();
    let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
    let now = store.store_time().await.unwrap();
    let ticks = store.ticks_without_root(msp, AHEAD, 9).await.unwrap();
    assert_eq!(
        ticks[..2],
        [
            OffsetDateTime::UNIX_EPOCH,
            OffsetDateTime::UNIX_EPOCH + Duration::seconds(5)
        ]
    );
    assert!(ticks.len() == 3 && ticks[2] <= now, "{ticks:?}");
    assert_eq!(store.rows_ahead(msp).await.unwrap().heads, 0);
    store.close().await;
}

#[tokio::test]
async fn a_database_of_the_release_before_settings_keeps_its_rows_and_has_decided_nothing() {
    use regentra_sync::{
        model::{CompanyId, StoredFrameworks, StoredSettings},
        store::{Connections as _, Mappings as _},
    };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = [
        "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT;",
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_pass_expires_at.sql"),
        include_str!("../migrations/0003_identity.sql"),
        include_str!("../migrations/0004_clocks.sql"),
        include_str!("../migrations/0005_signed_heads.sql"),
        include_str!("../migrations/0006_anchoring_failure.sql"),
        include_str!("../migrations/0007_key_check.sql"),
        "INSERT INTO regentra_migration (version) VALUES (1), (2), (3), (4), (5), (6), (7);",
    ];
    execute(&path, &old.concat()).await.unwrap();
    let id = |number: u128| Uuid::from_u128(number);
    let blob = |number: u128| format!("x'{}'", id(number).simple());
    let (msp, gone, company, customer) = (blob(1), blob(4), blob(5), blob(9));
    let credential = blob(3);
    let rows = format!(
        "INSERT INTO credential (msp, id, region, \"grant\", client_id, fingerprint, is_active, generation, secrets_version, \
         connected_at) VALUES ({msp}, {credential}, 'us', 'client_credentials', 'sealed', '{FINGERPRINT}', 1, 7, 3, 5000000);\
         INSERT INTO credential (msp, id, region, \"grant\", fingerprint, is_active, generation, secrets_version, connected_at, \
         disconnected_at) VALUES ({msp}, {gone}, 'eu', 'authorization_code', '{FINGERPRINT}', 0, 2, 1, 1000000, 2000000);\
         INSERT INTO company (msp, id, name, converted_to, created_at) VALUES ({msp}, {company}, 'n', {customer}, 3000000);"
    );
    execute(&path, &rows).await.unwrap();

    let store = SqliteStore::migrate(&path).await.unwrap();
    let msp = MspOrgId::from_uuid(id(1));
    let credentials = store.credentials(msp).await.unwrap();
    let kept: Vec<_> = credentials
        .iter()
        .map(|one| (one.region.as_str(), one.is_active, one.generation.as_u32()))
        .collect();
    assert_eq!(kept, [("eu", false, 2), ("us", true, 7)]);
    for credential in &credentials {
        let stored = store.connection_settings(msp, credential.id).await;
        assert_eq!(stored.unwrap(), Some(StoredSettings::default()));
    }
    let company = CompanyId::from_uuid(id(5));
    let kept = store.company(msp, company).await.unwrap().unwrap();
    assert_eq!(kept.name.as_str(), "n");
    assert_eq!(kept.converted_to.map(ComplianceOrgId::as_uuid), Some(id(9)));
    let stored = store.adopted_frameworks(msp, company).await.unwrap();
    assert_eq!(stored, Some(StoredFrameworks::default()));
    store.close().await;
}

#[tokio::test]
async fn settings_that_are_no_json_object_are_damage_and_name_their_column() {
    use regentra_sync::store::{Connections as _, Mappings as _};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.db");
    let store = SqliteStore::migrate(&path).await.unwrap();
    let world = World::new(&store, 1).await;
    for (column, damage) in [
        (
            "settings",
            "UPDATE credentials SET settings = '[\"secret\"]'",
        ),
        (
            "frameworks",
            "UPDATE companies SET frameworks = '{\"secret\": 1}'",
        ),
    ] {
        execute(&path, damage).await.unwrap();
        let settings = store.connection_settings(world.msp, world.credential.id);
        let frameworks = store.adopted_frameworks(world.msp, world.company.id);
        let error = match column {
            "settings" => settings.await.unwrap_err(),
            _ => frameworks.await.unwrap_err(),
        };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let text = format!("{error} {error:?}");
        assert!(text.contains(column) && !text.contains("secret"), "{text}");
    }
    store.close().await;
}

#[tokio::test]
async fn ids_and_digests_of_another_form_are_damage_and_name_their_column() {
    use regentra_sync::{
        model::Source,
        store::{AssetFilter, Assets as _, Connections as _},
    };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.db");
    let store = SqliteStore::migrate(&path).await.unwrap();
    let world = World::new(&store, 1).await;
    world.sweep("a", 1).await;
    let asset = world.asset(Source::Ninjaone, "1");
    world.write_assets("assets", vec![asset]).await;
    for (table, column) in [
        ("signature_history", "device_digest"),
        ("credentials", "fingerprint"),
        ("assets", "external_id"),
    ] {
        let damage = format!("UPDATE {table} SET {column} = 'SECRET' || substr({column}, 7)");
        execute(&path, &damage).await.unwrap();
        let credentials = store.credentials(world.msp).await.map(drop);
        let event = EventId::from_uuid(Uuid::from_u128(8));
        let (customer, mapping) = (world.customer, world.mapping.id);
        let state = store.sweep_state(world.msp, customer, mapping, event, AHEAD);
        let error = match column {
            "fingerprint" => credentials.unwrap_err(),
            "external_id" => store.assets(world.msp, AssetFilter::All).await.unwrap_err(),
            _ => state.await.unwrap_err(),
        };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let text = format!("{error} {error:?}");
        assert!(text.contains(column) && !text.contains("SECRET"), "{text}");
    }
    store.close().await;
}

/// A file of schema version 9, whose tables and columns had names of their own.
async fn with_names_of_before(path: &Path, rows: &str) {
    let old = [
        "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT;",
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_pass_expires_at.sql"),
        include_str!("../migrations/0003_identity.sql"),
        include_str!("../migrations/0004_clocks.sql"),
        include_str!("../migrations/0005_signed_heads.sql"),
        include_str!("../migrations/0006_anchoring_failure.sql"),
        include_str!("../migrations/0007_key_check.sql"),
        include_str!("../migrations/0008_settings.sql"),
        include_str!("../migrations/0009_pages.sql"),
        "INSERT INTO regentra_migration (version) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9);",
        rows,
    ];
    execute(path, &old.concat()).await.unwrap();
}

#[tokio::test]
async fn runs_of_the_schema_before_keep_their_times_to_the_microsecond_and_their_order() {
    use regentra_sync::{
        model::{Report, RunReading, SweepStrategy},
        store::{RunFilter, RunPage},
    };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let blob = format!("x'{}'", Uuid::from_u128(1).simple());
    let subject = |mapping: Option<u128>| RunSubject {
        kind: RunKind::AssetSync,
        credential: CredentialId::from_uuid(Uuid::from_u128(3)),
        mapping: mapping.map(|mapping| MappingId::from_uuid(Uuid::from_u128(mapping))),
    };
    let times = [
        datetime!(2026-11-30 12:00 UTC),
        datetime!(2026-11-30 12:00:00.5 UTC),
        datetime!(2026-11-30 12:00:00.000001 UTC),
        datetime!(2026-11-30 12:00:00.123456 UTC),
        datetime!(2026-11-30 23:30:59.25 +02:00),
        datetime!(1969-12-31 23:59:59 UTC),
        datetime!(9999-12-31 23:59:59.999999 UTC),
    ];
    let mut runs = Vec::new();
    let mut rows = Vec::new();
    for (number, time) in (1..).zip(times) {
        let run = RunRecord {
            subject: subject((number > 1).then_some(number)),
            started_at: time,
            finished_at: time,
            outcome: RunOutcome::PARTIAL,
            requests: 7,
            reading: (number == 2).then(|| {
                RunReading::of_customer(
                    SweepStrategy::Group,
                    BTreeMap::from([(Report::OsPatches, 7)]),
                )
            }),
        };
        let json = [
            serde_json::to_string(&run.subject).unwrap(),
            serde_json::to_string(&run).unwrap(),
        ];
        let [subject, record] = json;
        rows.push(format!(
            "INSERT INTO run VALUES ({blob}, '{subject}', '{record}');"
        ));
        runs.push(run);
    }
    with_names_of_before(&path, &rows.concat()).await;
    let store = SqliteStore::migrate(&path).await.unwrap();
    let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
    assert_eq!(store.runs(msp).await.unwrap(), runs);
    let page = RunPage::first(RunFilter::default(), 50);
    let page = store.runs_page(msp, page).await.unwrap();
    runs.rotate_left(1);
    assert_eq!(page, runs, "the one without a mapping is last");
    store.close().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_renamed_stops_the_migration_and_the_file_stays_as_it_was_until_it_is_mended()
 {
    let event = Uuid::from_u128(7);
    let whole = format!(
        r#"{{"id":"{event}","event":"{event}","at":"2026-11-30T12:00:00Z","actor":"schedule","action":"NINJAONE_SYNCED","details":{{"a":1}}}}"#
    );
    let damages = [
        "{}",
        r#"{"event":"secret","action":"a","details":{}}"#,
        &whole.replace("details", "secret"),
        &whole.replace("action", "secret"),
    ];
    let of = |table| damages.map(|damaged| (table, damaged));
    let mut all = [of("msp_audit"), of("customer_audit")].concat();
    // An index over the other trail's JSON refuses what is none.
    all.push(("customer_audit", "secret"));
    for (table, damaged) in all {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.db");
        let row = format!("INSERT INTO {table} VALUES (x'01', 5, x'02', '{damaged}');");
        with_names_of_before(&path, &row).await;
        let error = SqliteStore::migrate(&path).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Other, "{damaged}");
        let text = format!("{error} {error:?} {}", cause(&error));
        assert!(text.contains("breaks a rule of its table"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let refused = SqliteStore::open(&path).await.unwrap_err();
        assert!(cause(&refused).contains("migrate it first"), "version 9");
        let mend = format!(
            "DROP TRIGGER {table}_stays; UPDATE {table} SET entry = '{whole}'; \
             CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"
        );
        execute(&path, &mend).await.unwrap();
        SqliteStore::migrate(&path).await.unwrap().close().await;
        let content = content(&path).await;
        assert_eq!(content.len(), 1);
        assert!(content[0].contains(r#"{\"a\":1}"#), "{content:?}");
    }
}
