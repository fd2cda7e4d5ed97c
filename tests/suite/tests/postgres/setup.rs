//! Setting up a database: migrating, granting, connecting, and the errors where something is not as it has to be.

use std::{collections::BTreeMap, error::Error as _, sync::Arc};

use regentra_harness::postgres::{self, Database, OWNER, STORE, SUPERUSER, execute};
use regentra_sync::{
    Integration,
    model::{ComplianceOrgId, Fingerprint, LeaseKey, MspOrgId, NINJAONE_WINDOWS, Spend, WorkerId},
    ninjaone::NinjaOneApi,
    regentra_evidence::{SignalKind, Status},
    seal::{KeyId, Keyring, MasterKey},
    store::{
        Anchors as _, Budget as _, Evidence as _, Runs as _, StoreError, StoreErrorKind,
        conformance::world::{World, signal},
    },
    views::{Finding, FutureRows},
};
use regentra_sync_postgres::{PostgresStore, SCHEMA_VERSION, migrate};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// A digest, such as stores have kept in every version.
const FINGERPRINT: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfefff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

fn cause(error: &StoreError) -> String {
    error.source().unwrap().to_string()
}

/// Connecting is refused as something a person has to set up, and these words say what.
async fn refused(database: &Database, role: &str, words: &str) {
    let error = PostgresStore::connect(&database.url(role))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(cause(&error).contains(words), "{}", cause(&error));
}

/// A role of this test's own; roles belong to the whole server.
async fn role(database: &Database, name: &str, options: &str) -> String {
    let role = format!("{name}_of_{}", database.name());
    let mut superuser = database.connect(SUPERUSER).await;
    execute(
        &mut superuser,
        &format!("CREATE ROLE {role} LOGIN {options}"),
    )
    .await;
    role
}

#[tokio::test]
async fn a_new_database_is_migrated_and_then_connected_to() {
    let database = postgres::bare_database().await;
    refused(
        &database,
        STORE,
        "has no schema regentra_sync; migrate it first",
    )
    .await;
    for _ in 0..2 {
        migrate(&database.url(OWNER), STORE).await.unwrap();
        World::new(&database.store().await.with_clock(postgres::clock()), 1)
            .await
            .snapshot()
            .await;
        let mut superuser = database.connect(SUPERUSER).await;
        execute(
            &mut superuser,
            &format!("SET ROLE {OWNER}; DROP SCHEMA regentra_sync CASCADE"),
        )
        .await;
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_may_grant_to_another_role() {
    let database = postgres::database().await;
    let store = database.store().await.with_clock(postgres::clock());
    let world = World::new(&store, 1).await;
    let before = world.snapshot().await;
    let second = role(&database, "second", "").await;
    refused(
        &database,
        &second,
        "may not use the schema regentra_sync; migrate it for this role",
    )
    .await;
    migrate(&database.url(OWNER), &second).await.unwrap();
    let other = PostgresStore::connect(&database.url(&second))
        .await
        .unwrap();
    let same = World {
        store: &other,
        ..world
    };
    assert_eq!(same.snapshot().await, before);
}

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let database = postgres::bare_database().await;
    let url = database.url(OWNER);
    let (a, b, c) = tokio::join!(
        migrate(&url, STORE),
        migrate(&url, STORE),
        migrate(&url, STORE)
    );
    a.unwrap();
    b.unwrap();
    c.unwrap();
    database.store().await;
}

#[tokio::test]
async fn a_newer_and_an_older_schema_are_refused() {
    let database = postgres::database().await;
    let mut owner = database.connect(OWNER).await;
    let newer = SCHEMA_VERSION + 1;
    execute(
        &mut owner,
        &format!("INSERT INTO regentra_sync.migrations (version) VALUES ({newer})"),
    )
    .await;
    let words = format!(
        "has schema version {newer}, and this program knows up to {SCHEMA_VERSION}; use a newer program"
    );
    refused(&database, STORE, &words).await;
    let error = migrate(&database.url(OWNER), STORE).await.unwrap_err();
    assert!(cause(&error).contains(&words), "{}", cause(&error));

    execute(
        &mut owner,
        &format!("DELETE FROM regentra_sync.migrations WHERE version >= {SCHEMA_VERSION}"),
    )
    .await;
    let words = format!(
        "has schema version {}, and this program needs {SCHEMA_VERSION}; migrate it first",
        SCHEMA_VERSION - 1
    );
    refused(&database, STORE, &words).await;
}

#[tokio::test]
async fn a_foreign_schema_of_our_name_is_refused_and_left() {
    let database = postgres::bare_database().await;
    let mut owner = database.connect(OWNER).await;
    execute(
        &mut owner,
        "CREATE SCHEMA regentra_sync; CREATE TABLE regentra_sync.bookmarks (url text)",
    )
    .await;
    refused(&database, STORE, "is another program's").await;
    let error = migrate(&database.url(OWNER), STORE).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(
        cause(&error).contains("is another program's"),
        "{}",
        cause(&error)
    );
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'regentra_sync'::regnamespace",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(tables, 1, "nothing was added");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let database = postgres::bare_database().await;
    let error = migrate(&database.url(OWNER), "nobody_of_that_name")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(
        cause(&error).contains("the store's role does not exist; create it"),
        "{}",
        cause(&error)
    );
    // Stopped in its second step, it takes the first one back.
    let mut superuser = database.connect(SUPERUSER).await;
    execute(
        &mut superuser,
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
         CREATE EVENT TRIGGER no_policies ON ddl_command_start WHEN TAG IN ('CREATE POLICY') EXECUTE FUNCTION refuse()",
    )
    .await;
    migrate(&database.url(OWNER), STORE).await.unwrap_err();
    refused(&database, STORE, "has no schema regentra_sync").await;
    execute(&mut superuser, "DROP EVENT TRIGGER no_policies").await;
    migrate(&database.url(OWNER), STORE).await.unwrap();
    database.store().await;
}

#[tokio::test]
async fn a_role_that_row_level_security_does_not_bind_is_refused() {
    let database = postgres::database().await;
    let with_bypass = role(&database, "bypass", "BYPASSRLS").await;
    let member = role(&database, "member", &format!("IN ROLE {OWNER}")).await;
    let admin = role(&database, "admin", "NOINHERIT").await;
    let mut superuser = database.connect(SUPERUSER).await;
    execute(&mut superuser, &format!("GRANT {SUPERUSER} TO {admin}")).await;
    for (role, words) in [
        (SUPERUSER, "is a superuser"),
        (admin.as_str(), "is a superuser, or a member of one"),
        (with_bypass.as_str(), "has BYPASSRLS"),
        (OWNER, "owns tables"),
        (
            member.as_str(),
            "owns tables of this database, or is a member of a role that does",
        ),
    ] {
        refused(&database, role, words).await;
        refused(
            &database,
            role,
            "CREATE ROLE ... LOGIN NOSUPERUSER NOBYPASSRLS",
        )
        .await;
        let error = migrate(&database.url(OWNER), role).await.unwrap_err();
        assert!(
            cause(&error).contains("create a role of its own"),
            "{role}: {}",
            cause(&error)
        );
    }
}

#[tokio::test]
async fn a_superuser_who_plays_another_role_is_refused() {
    let database = postgres::database().await;
    let url = format!("{}&options=-c%20role%3D{STORE}", database.url(SUPERUSER));
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(
        cause(&error).contains("is a superuser"),
        "{}",
        cause(&error)
    );
}

#[tokio::test]
async fn tables_without_row_level_security_are_refused() {
    let database = postgres::database().await;
    let mut owner = database.connect(OWNER).await;
    for (break_it, mend_it) in [
        (
            "ALTER TABLE regentra_sync.assets DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE regentra_sync.assets ENABLE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE regentra_sync.assets NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE regentra_sync.assets FORCE ROW LEVEL SECURITY",
        ),
        (
            "GRANT TRUNCATE ON regentra_sync.assets TO PUBLIC",
            "REVOKE TRUNCATE ON regentra_sync.assets FROM PUBLIC",
        ),
        (
            "CREATE TABLE regentra_sync.notes (x int)",
            "DROP TABLE regentra_sync.notes",
        ),
    ] {
        execute(&mut owner, break_it).await;
        let table = if break_it.contains("notes") {
            "on notes"
        } else {
            "on assets"
        };
        refused(&database, STORE, table).await;
        execute(&mut owner, mend_it).await;
        database.store().await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable_and_a_wrong_database_is_not() {
    let database = postgres::database().await;
    let nowhere = "postgres://person@localhost/db?host=/nonexistent-regentra";
    for error in [
        PostgresStore::connect(nowhere).await.unwrap_err(),
        migrate(nowhere, STORE).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        let said = cause(&error);
        assert!(
            said.contains("the connection to PostgreSQL failed ("),
            "{said}"
        );
    }
    let url = database
        .url(STORE)
        .replace(database.name(), "no_such_database");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert!(
        cause(&error).contains("no such database"),
        "{}",
        cause(&error)
    );
}

#[tokio::test]
async fn no_error_and_no_debug_shows_a_password() {
    let secret = "hunter2canary";
    for url in [
        format!("mysql://person:{secret}@localhost/db"),
        format!("postgres://person:{secret}@localhost:notaport/db"),
        format!("postgres://person:{secret}@localhost/db?host=/nonexistent-regentra"),
        format!("postgres://person:{secret}@localhost/db?sslmode={secret}"),
    ] {
        for error in [
            PostgresStore::connect(&url).await.unwrap_err(),
            migrate(&url, STORE).await.unwrap_err(),
        ] {
            let shown = format!("{error} {error:?} {}", cause(&error));
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let (store, database) = postgres::new_store(postgres::clock()).await;
    let url = database
        .url(STORE)
        .replace(STORE, &format!("{STORE}:{secret}"));
    let with_password = PostgresStore::connect(&url).await.unwrap();
    for store in [store, with_password] {
        let shown = format!("{store:?}");
        assert!(
            shown.starts_with("PostgresStore") && !shown.contains(secret),
            "{shown}"
        );
    }
}

/// As a database of the release before: every row is kept, and an age of signatures that was running runs on.
#[tokio::test]
async fn a_schema_of_the_release_before_keeps_every_row_and_the_running_ages_of_signatures() {
    let database = postgres::database().await;
    let mut owner = database.connect(OWNER).await;
    let id = |number: u128| format!("'{}'::uuid", Uuid::from_u128(number));
    let before = format!(
        "DROP SCHEMA regentra_sync CASCADE; CREATE SCHEMA regentra_sync; \
         CREATE TABLE regentra_sync.migrations (version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()); \
         {} {} {} \
         INSERT INTO regentra_sync.migrations (version) VALUES (1), (2), (3); \
         SET regentra.msp_org_id = '{tenant}'; \
         INSERT INTO regentra_sync.signature_history (msp_org_id, mapping_id, device_digest, first_seen_at) \
         VALUES ({msp}, {mapping}, 'd', '2026-10-01 00:00+00'); \
         SET regentra.compliance_org_id = '{customer}'; \
         INSERT INTO regentra_sync.mappings (msp_org_id, mapping_id, credential_id, external_org_id, name, state, version, discovered_at) \
         VALUES ({msp}, {mapping}, {mapping}, 7, 'n', 'pending_review', 1, '2026-10-01 00:00+00'); \
         INSERT INTO regentra_sync.signals (compliance_org_id, mapping_id, signal, event_id, status, collected_at, expires_at, body) \
         VALUES ('{customer}', {mapping}, 'patch_sla', {msp}, 'pass', '2026-10-02 00:00+00', '2026-10-09 00:00+00', '{{}}'); \
         INSERT INTO regentra_sync.evidence (compliance_org_id, mapping_id, signal, sequence, event_id, record, previous, hash) \
         SELECT '{customer}', {mapping}, 'patch_sla', n, {msp}, '{{}}', sha256('p'), sha256(n::text::bytea) \
         FROM generate_series(1, 2) AS n",
        include_str!("../../../../regentra-sync/adapters/postgres/migrations/0001_store.sql"),
        include_str!(
            "../../../../regentra-sync/adapters/postgres/migrations/0002_row_level_security.sql"
        ),
        include_str!(
            "../../../../regentra-sync/adapters/postgres/migrations/0003_pass_expires_at.sql"
        ),
        tenant = Uuid::from_u128(1),
        customer = Uuid::from_u128(3),
        msp = id(1),
        mapping = id(2)
    );
    execute(&mut owner, &before).await;
    migrate(&database.url(OWNER), STORE).await.unwrap();
    let kept: (String, String) = sqlx::query_as(
        "SELECT state, (since AT TIME ZONE 'UTC')::text FROM regentra_sync.signature_history",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    let expected = ("out_of_date".to_owned(), "2026-10-01 00:00:00".to_owned());
    assert_eq!(kept, expected);
    let heads: Vec<(i64, String)> = sqlx::query_as(
        "SELECT length, (tick AT TIME ZONE 'UTC')::text FROM regentra_sync.evidence_heads",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(heads, [(2, "2026-10-02 00:00:00".to_owned())]);
}

/// No clock that is right shows it while this is tested.
const AHEAD: OffsetDateTime = datetime!(2100-01-01 00:00 UTC);

/// The schema of the release before stores told the future from the present, with rows that a clock far ahead wrote.
async fn written_ahead() -> Database {
    let database = postgres::bare_database().await;
    let mut owner = database.connect(OWNER).await;
    let old = [
        "CREATE SCHEMA regentra_sync; CREATE TABLE regentra_sync.migrations \
         (version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());",
        include_str!("../../../../regentra-sync/adapters/postgres/migrations/0001_store.sql"),
        include_str!(
            "../../../../regentra-sync/adapters/postgres/migrations/0002_row_level_security.sql"
        ),
        include_str!(
            "../../../../regentra-sync/adapters/postgres/migrations/0003_pass_expires_at.sql"
        ),
        include_str!("../../../../regentra-sync/adapters/postgres/migrations/0004_identity.sql"),
        "INSERT INTO regentra_sync.migrations (version) VALUES (1), (2), (3), (4);",
    ];
    for sql in old {
        execute(&mut owner, sql).await;
    }
    let id = |number: u128| format!("'{}'::uuid", Uuid::from_u128(number));
    let (msp, mapping, credential, company, customer) = (id(1), id(2), id(3), id(5), id(9));
    let (event, worker) = (id(7), id(8));
    let signal = signal(SignalKind::PatchSla, Status::Pass, AHEAD);
    let body = serde_json::to_string(&signal).unwrap().replace('\'', "''");
    let (subject, zeros) = (Uuid::from_u128(9), "decode(repeat('00', 32), 'hex')");
    let rows = format!(
        "INSERT INTO regentra_sync.credentials (msp_org_id, credential_id, region, grant_name, fingerprint, is_active, \
         generation, secrets_version, connected_at) \
         VALUES ({msp}, {credential}, 'us', 'client_credentials', '{FINGERPRINT}', true, 1, 1, 'epoch');\
         INSERT INTO regentra_sync.companies VALUES ({msp}, {company}, 'n', {customer}, 'epoch');\
         INSERT INTO regentra_sync.mappings (msp_org_id, mapping_id, credential_id, external_org_id, name, state, company_id, \
         version, discovered_at) VALUES ({msp}, {mapping}, {credential}, 1, 'n', 'mapped', {company}, 1, 'epoch');\
         INSERT INTO regentra_sync.signals (compliance_org_id, mapping_id, signal, event_id, status, collected_at, expires_at, \
         body) VALUES ({customer}, {mapping}, 'patch_sla', {event}, 'pass', '{AHEAD}', '{expires}', '{body}'), \
         ({customer}, {mapping}, 'device_inventory', {worker}, 'pass', 'epoch', 'epoch', '{body}');\
         INSERT INTO regentra_sync.evidence VALUES \
         ({customer}, {mapping}, 'patch_sla', 1, {event}, '{{}}', {zeros}, {zeros}), \
         ({customer}, {mapping}, 'device_inventory', 1, {worker}, '{{}}', {zeros}, {zeros}), \
         ({customer}, {mapping}, 'backup_activity', 1, {msp}, '{{}}', {zeros}, {zeros});\
         INSERT INTO regentra_sync.runs VALUES ({msp}, 'evidence_sweep', {credential}, {mapping}, '{AHEAD}', '{AHEAD}', \
         '{{\"outcome\": \"succeeded\"}}', 9);\
         INSERT INTO regentra_sync.leases VALUES ({msp}, 'evidence_sweep:{subject}', {worker}, 4, '{AHEAD}');\
         INSERT INTO regentra_sync.ticket_ticks VALUES ({msp}, '{AHEAD}', 1, 20, 0);\
         INSERT INTO regentra_sync.requests SELECT '{FINGERPRINT}', '{AHEAD}' FROM generate_series(1, 5);",
        expires = signal.expires_at,
    );
    let mut superuser = database.connect(SUPERUSER).await;
    execute(&mut superuser, &rows).await;
    migrate(&database.url(OWNER), STORE).await.unwrap();
    database
}

#[tokio::test]
async fn a_database_of_the_release_before_whose_clock_ran_ahead_migrates_ignores_its_rows_and_shows_them()
 {
    let database = written_ahead().await;
    let store = database.store().await;
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
}

#[tokio::test]
async fn heads_that_a_migration_adds_are_of_no_tick_to_come() {
    let database = written_ahead().await;
    let store = database.store().await;
    let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
    let now = store.store_time().await.unwrap();
    // One was swept in time, of one the signal is not there: both are of the first tick there is.
    let ticks = store.ticks_without_root(msp, AHEAD, 9).await.unwrap();
    assert_eq!(ticks[0], OffsetDateTime::UNIX_EPOCH);
    assert!(ticks.len() == 2 && ticks[1] <= now, "{ticks:?}");
    let heads = store.heads_without_root(msp, ticks[1]).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0].signal, SignalKind::PatchSla);
    assert_eq!(store.rows_ahead(msp).await.unwrap().heads, 0);
}

#[tokio::test]
async fn a_database_of_the_release_before_settings_keeps_its_rows_and_has_decided_nothing() {
    use regentra_sync::{
        model::{CompanyId, CredentialId, StoredFrameworks, StoredSettings},
        store::{Connections as _, Mappings as _},
    };

    let database = postgres::bare_database().await;
    let mut owner = database.connect(OWNER).await;
    macro_rules! migrations {
        ($($file:literal),+) => {
            [$(include_str!(concat!("../../../../regentra-sync/adapters/postgres/migrations/", $file))),+]
        };
    }
    execute(
        &mut owner,
        "CREATE SCHEMA regentra_sync; CREATE TABLE regentra_sync.migrations \
         (version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());",
    )
    .await;
    for sql in migrations!(
        "0001_store.sql",
        "0002_row_level_security.sql",
        "0003_pass_expires_at.sql",
        "0004_identity.sql",
        "0005_clocks.sql",
        "0006_signed_heads.sql",
        "0007_anchoring_failure.sql",
        "0008_key_check.sql"
    ) {
        execute(&mut owner, sql).await;
    }
    execute(
        &mut owner,
        "INSERT INTO regentra_sync.migrations (version) SELECT generate_series(1, 8);",
    )
    .await;
    let id = |number: u128| format!("'{}'::uuid", Uuid::from_u128(number));
    let (msp, credential, company, customer) = (id(1), id(3), id(5), id(9));
    let rows = format!(
        "INSERT INTO regentra_sync.credentials (msp_org_id, credential_id, region, grant_name, fingerprint, is_active, \
         generation, secrets_version, connected_at) \
         VALUES ({msp}, {credential}, 'us', 'client_credentials', '{FINGERPRINT}', true, 7, 3, 'epoch');\
         INSERT INTO regentra_sync.companies VALUES ({msp}, {company}, 'n', {customer}, 'epoch');"
    );
    let mut superuser = database.connect(SUPERUSER).await;
    execute(&mut superuser, &rows).await;
    migrate(&database.url(OWNER), STORE).await.unwrap();

    let store = PostgresStore::connect(&database.url(STORE)).await.unwrap();
    let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
    let credential = CredentialId::from_uuid(Uuid::from_u128(3));
    let kept = store.credential(msp, credential).await.unwrap().unwrap();
    assert_eq!((kept.generation.as_u32(), kept.is_active), (7, true));
    let stored = store.connection_settings(msp, credential).await.unwrap();
    assert_eq!(stored, Some(StoredSettings::default()));
    let company = CompanyId::from_uuid(Uuid::from_u128(5));
    let kept = store.company(msp, company).await.unwrap().unwrap();
    assert_eq!(kept.name.as_str(), "n");
    let stored = store.adopted_frameworks(msp, company).await.unwrap();
    assert_eq!(stored, Some(StoredFrameworks::default()));
}

#[tokio::test]
async fn ids_and_digests_of_another_form_are_damage_and_name_their_column() {
    use regentra_sync::{
        model::{EventId, Source},
        store::{AssetFilter, Assets as _, Connections as _},
    };

    let database = postgres::database().await;
    let store = database.store().await.with_clock(postgres::clock());
    let world = World::new(&store, 1).await;
    world.sweep("a", 1).await;
    let asset = world.asset(Source::Ninjaone, "1");
    world.write_assets("assets", vec![asset]).await;
    let mut superuser = database.connect(SUPERUSER).await;
    for (table, column) in [
        ("signature_history", "device_digest"),
        ("credentials", "fingerprint"),
        ("assets", "external_id"),
    ] {
        let damage =
            format!("UPDATE regentra_sync.{table} SET {column} = 'SECRET' || substr({column}, 7)");
        execute(&mut superuser, &damage).await;
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
}
