//! Row-level security backs the types: on the store's own connections a session of one tenant reads and writes nothing of
//! another, whatever the query says. The tables are read from the catalog, so that a new one cannot be forgotten.

use std::{collections::BTreeSet, sync::Arc};

use regentra_harness::postgres::{self, Database, OWNER, SUPERUSER, execute};
use regentra_sync::{
    Integration,
    host::{Anchor, AnchorSink, ManualClock, SinkError},
    model::{
        AnchoringFailure, AuditDetails, EventId, EvidenceRoot, Fingerprint, NINJAONE_WINDOWS,
        NoteReason, OutboxRow, RegionKey, RunKind, RunOutcome, RunRecord, RunSubject, Source,
        StateDigest, StoredAuthorization, SweptSignal, TicketTick, chain_start,
    },
    ninjaone::NinjaOneApi,
    regentra_evidence::{
        Hash256, HeadTree, KeyId, PublicKey, SignalKind, Status, TrustedKeys, verify_export,
    },
    seal::{Keyring, MasterKey, Sealed},
    store::{
        Anchors as _, AuditPage, AuditTrail as _, Budget as _, Connections as _, Evidence as _,
        RootCommit, Runs as _, TicketWrite,
        conformance::world::{World, at, committed, digest_of, signer},
    },
};
use regentra_sync_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Postgres, Transaction};

/// What tells tenants apart in a table, and the setting that its policy reads.
const TENANCIES: [(&str, &str); 3] = [
    ("msp_org_id", "regentra.msp_org_id"),
    ("compliance_org_id", "regentra.compliance_org_id"),
    ("fingerprint", "regentra.fingerprint"),
];

/// Writes rows of one tenant into every table.
async fn fill(store: &PostgresStore, number: u128) -> Tenant {
    let world = World::new(store, number).await;
    world
        .write_assets("assets", vec![world.asset(Source::Ninjaone, "1")])
        .await;
    let ticket = world.ticket("sweep", SignalKind::PatchSla);
    let mut sweep = world.sweeping("sweep", 3).await;
    sweep.outbox = vec![OutboxRow::note(
        sweep.event,
        &ticket,
        NoteReason::Unmapped,
        at(3),
    )];
    sweep.tickets = vec![TicketWrite {
        ticket,
        expected: None,
    }];
    sweep.tick = Some(TicketTick {
        opened: 1,
        ..TicketTick::new(at(0))
    });
    committed(
        store
            .commit_sweep(world.msp, world.customer, sweep)
            .await
            .unwrap(),
    );
    let commit = RootCommit {
        event: EventId::of_root(1),
        root: EvidenceRoot {
            number: 1,
            tick: at(0),
            heads: 5,
            root: Hash256::from_bytes([7; 32]),
            made_at: at(4),
            handed_out_at: None,
        },
    };
    committed(store.commit_root(world.msp, commit).await.unwrap());
    let record = RunRecord {
        subject: RunSubject {
            kind: RunKind::Discovery,
            credential: world.credential.id,
            mapping: None,
        },
        started_at: at(1),
        finished_at: at(2),
        outcome: RunOutcome::Succeeded,
        requests: 1,
        reading: None,
    };
    store
        .release_lease(world.msp, &world.lease, vec![record])
        .await
        .unwrap();
    let pending = StoredAuthorization {
        state: StateDigest::from_bytes(digest_of(&format!("state {number}"))),
        region: RegionKey::from_stored("us"),
        sealed: Sealed::from_stored("1.k.sealed"),
        expires_at: at(1_005),
    };
    store
        .begin_authorization(world.msp, pending, at(995))
        .await
        .unwrap();
    let failure = AnchoringFailure {
        error: "sink.refused".to_owned(),
        at: at(4),
    };
    let remembered = store.remember_anchoring_failure(world.msp, Some(failure));
    remembered.await.unwrap();
    let fingerprint = world.credential.fingerprint.clone();
    let _ = store.spend(&fingerprint, &NINJAONE_WINDOWS).await.unwrap();
    committed(
        store
            .commit_audit(world.msp, world.event("row"), vec![world.audit("row", 1)])
            .await
            .unwrap(),
    );
    Tenant {
        msp: world.msp.to_string(),
        customer: world.customer.to_string(),
        fingerprint,
    }
}

struct Tenant {
    msp: String,
    customer: String,
    fingerprint: Fingerprint,
}

impl Tenant {
    /// This tenant's value of a tenant column.
    fn value(&self, column: &str) -> &str {
        match column {
            "msp_org_id" => &self.msp,
            "compliance_org_id" => &self.customer,
            _ => self.fingerprint.as_str(),
        }
    }

    /// A transaction on the store's own connections that says it is this tenant's, on both sides.
    async fn session(&self, store: &PostgresStore) -> Transaction<'static, Postgres> {
        let mut session = store.pool().begin().await.unwrap();
        for (column, setting) in TENANCIES {
            sqlx::query("SELECT set_config($1, $2, true)")
                .bind(setting)
                .bind(self.value(column))
                .execute(&mut *session)
                .await
                .unwrap();
        }
        session
    }
}

struct Scene {
    store: PostgresStore,
    database: Database,
    one: Tenant,
    two: Tenant,
    /// Every table but the list of migrations, with what tells its tenants apart.
    tables: Vec<(String, &'static str)>,
}

/// Two tenants with rows in every table.
async fn scene() -> Scene {
    let (store, database) = postgres::new_store(postgres::clock()).await;
    let (one, two) = (fill(&store, 1).await, fill(&store, 2).await);
    let mut superuser = database.connect(SUPERUSER).await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE c.relnamespace = 'regentra_sync'::regnamespace AND c.relkind = 'r' \
         AND c.relname NOT IN ('migrations', 'key_check') \
         AND a.attnum > 0 ORDER BY 1, 2",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let names: BTreeSet<_> = columns.iter().map(|(table, _)| table.clone()).collect();
    let has = |table: &str, column: &str| columns.iter().any(|(t, c)| t == table && c == column);
    let mut tables = Vec::new();
    for table in names {
        let (column, _) = TENANCIES
            .into_iter()
            .find(|(column, _)| has(&table, column))
            .expect("every table but the list of migrations and the key check has a tenant");
        for tenant in [&one, &two] {
            let rows = count(
                &mut superuser,
                &format!(
                    "SELECT count(*) FROM regentra_sync.{table} WHERE {column}::text = '{}'",
                    tenant.value(column)
                ),
            )
            .await;
            assert!(rows > 0, "the scene has nothing in {table}");
        }
        tables.push((table, column));
    }
    assert!(tables.len() > 10);
    Scene {
        store,
        database,
        one,
        two,
        tables,
    }
}

async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Rows that a statement changed, or the SQLSTATE it was refused with. The session goes on either way.
async fn change(session: &mut Transaction<'static, Postgres>, sql: &str) -> Result<u64, String> {
    execute(session, "SAVEPOINT before").await;
    let changed = session.execute(AssertSqlSafe(sql.to_owned())).await;
    execute(session, "ROLLBACK TO SAVEPOINT before").await;
    match changed {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(error
            .as_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned()),
    }
}

const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[tokio::test]
async fn every_table_is_under_forced_row_level_security() {
    let scene = scene().await;
    let mut superuser = scene.database.connect(SUPERUSER).await;
    let unbound: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'regentra_sync'::regnamespace AND c.relkind = 'r' \
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity \
         AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*'))",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert_eq!(unbound, ["migrations"]);
}

#[tokio::test]
async fn a_query_that_says_nobody_finds_nothing() {
    let scene = scene().await;
    let mut connection = scene.store.pool().acquire().await.unwrap();
    for (table, _) in &scene.tables {
        let found = count(
            &mut connection,
            &format!("SELECT count(*) FROM regentra_sync.{table}"),
        )
        .await;
        assert_eq!(found, 0, "{table}");
    }
}

#[tokio::test]
async fn a_session_of_one_tenant_reads_its_own_rows_and_no_other() {
    let scene = scene().await;
    for (tenant, other) in [(&scene.one, &scene.two), (&scene.two, &scene.one)] {
        let mut session = tenant.session(&scene.store).await;
        for (table, column) in &scene.tables {
            let theirs = format!(
                "SELECT count(*) FROM regentra_sync.{table} WHERE {column}::text = '{}'",
                other.value(column)
            );
            assert_eq!(count(&mut session, &theirs).await, 0, "{table}");
            let all = format!("SELECT count(*) FROM regentra_sync.{table}");
            assert!(
                count(&mut session, &all).await > 0,
                "{table}: its own rows are there"
            );
        }
    }
}

#[tokio::test]
async fn a_session_of_one_tenant_changes_and_deletes_no_row_of_another() {
    let scene = scene().await;
    let mut session = scene.one.session(&scene.store).await;
    let (mut changed, mut deleted) = (0, 0);
    for (table, column) in &scene.tables {
        let (own, other) = (scene.one.value(column), scene.two.value(column));
        for (counter, statement) in [
            (
                &mut changed,
                format!(
                    "UPDATE regentra_sync.{table} SET {column} = {column} WHERE {column}::text ="
                ),
            ),
            (
                &mut deleted,
                format!("DELETE FROM regentra_sync.{table} WHERE {column}::text ="),
            ),
        ] {
            match change(&mut session, &format!("{statement} '{other}'")).await {
                Ok(rows) => assert_eq!(rows, 0, "{statement}"),
                Err(code) => assert_eq!(code, INSUFFICIENT_PRIVILEGE, "{statement}"),
            }
            if change(&mut session, &format!("{statement} '{own}'"))
                .await
                .is_ok_and(|rows| rows > 0)
            {
                *counter += 1;
            }
        }
        // Neither can a row be given away.
        let give = format!(
            "UPDATE regentra_sync.{table} SET {column} = '{other}' WHERE {column}::text = '{own}'"
        );
        assert_eq!(
            change(&mut session, &give).await,
            Err(INSUFFICIENT_PRIVILEGE.to_owned()),
            "{table}"
        );
    }
    assert!(
        changed >= 8 && deleted >= 3,
        "own rows can be changed: {changed}, deleted: {deleted}"
    );
}

#[tokio::test]
async fn a_session_of_one_tenant_inserts_no_row_for_another() {
    let scene = scene().await;
    let mut superuser = scene.database.connect(SUPERUSER).await;
    let mut session = scene.one.session(&scene.store).await;
    for (table, column) in &scene.tables {
        let other = scene.two.value(column);
        let row: String = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT to_jsonb(t)::text FROM regentra_sync.{table} t WHERE {column}::text = '{other}' LIMIT 1"
        )))
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        let insert = |row: &str| {
            format!(
                "INSERT INTO regentra_sync.{table} OVERRIDING SYSTEM VALUE \
                 SELECT * FROM jsonb_populate_record(NULL::regentra_sync.{table}, '{}'::jsonb)",
                row.replace('\'', "''")
            )
        };
        let refused = change(&mut session, &insert(&row)).await;
        assert_eq!(refused, Err(INSUFFICIENT_PRIVILEGE.to_owned()), "{table}");
        // The same row as its own would be one too many, or one more; but nobody forbids the session to try.
        let own = change(
            &mut session,
            &insert(&row.replace(other, scene.one.value(column))),
        )
        .await;
        assert_ne!(own, Err(INSUFFICIENT_PRIVILEGE.to_owned()), "{table}");
    }
}

#[tokio::test]
async fn whose_a_transaction_is_ends_with_it() {
    let scene = scene().await;
    let mut connection = scene.store.pool().acquire().await.unwrap();
    for end in ["COMMIT", "ROLLBACK"] {
        let begin = format!(
            "BEGIN; SELECT set_config('regentra.msp_org_id', '{}', true)",
            scene.one.value("msp_org_id")
        );
        execute(&mut connection, &begin).await;
        let assets = "SELECT count(*) FROM regentra_sync.assets";
        assert_eq!(count(&mut connection, assets).await, 1);
        execute(&mut connection, end).await;
        assert_eq!(count(&mut connection, assets).await, 0, "after {end}");
    }
}

#[tokio::test]
async fn the_stores_role_cannot_lift_row_level_security() {
    let scene = scene().await;
    let mut session = scene.one.session(&scene.store).await;
    for sql in [
        "ALTER TABLE regentra_sync.assets DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE regentra_sync.assets NO FORCE ROW LEVEL SECURITY",
        "CREATE POLICY open ON regentra_sync.assets USING (true)",
        "DROP POLICY msp ON regentra_sync.assets",
        "TRUNCATE regentra_sync.assets",
        "CREATE TABLE regentra_sync.copy (x int)",
        "UPDATE regentra_sync.evidence SET record = ''",
        "DELETE FROM regentra_sync.msp_audit",
        "DELETE FROM regentra_sync.migrations",
        &format!("SET ROLE {OWNER}"),
        "SET row_security = off; SELECT * FROM regentra_sync.assets",
    ] {
        let sql = sql.to_owned();
        let refused = change(&mut session, &sql).await;
        assert_eq!(refused, Err(INSUFFICIENT_PRIVILEGE.to_owned()), "{sql}");
    }
}

#[tokio::test]
async fn the_planners_door_shows_ids_and_opens_nothing_else() {
    let scene = scene().await;
    let mut session = scene.one.session(&scene.store).await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT pg_get_function_result(oid) FROM pg_proc WHERE pronamespace = 'regentra_sync'::regnamespace AND prosecdef \
         ORDER BY proname",
    )
    .fetch_all(&mut *session)
    .await
    .unwrap();
    assert_eq!(
        columns,
        [
            "TABLE(msp_org_id uuid, credential_id uuid, region text)",
            "boolean",
            "boolean",
        ]
    );
    let plan = "SELECT count(*) FROM regentra_sync.active_credentials(NULL, 9)";
    let credentials = "SELECT count(*) FROM regentra_sync.credentials";
    assert_eq!(count(&mut session, plan).await, 2, "the planner sees both");
    assert_eq!(
        count(&mut session, credentials).await,
        1,
        "the session its own"
    );
    execute(
        &mut session,
        "SELECT set_config('regentra.planning', 'on', true)",
    )
    .await;
    assert_eq!(
        count(&mut session, credentials).await,
        1,
        "the functions' setting is the owner's alone"
    );
}

#[tokio::test]
async fn the_owner_is_bound_too() {
    let scene = scene().await;
    let mut owner = scene.database.connect(OWNER).await;
    for (table, _) in &scene.tables {
        let all = format!("SELECT count(*) FROM regentra_sync.{table}");
        assert_eq!(count(&mut owner, &all).await, 0, "{table}");
    }
    for table in [
        "signals",
        "evidence",
        "msp_audit",
        "customer_audit",
        "evidence_heads",
        "evidence_roots",
    ] {
        for sql in [
            format!("DELETE FROM regentra_sync.{table}"),
            format!("TRUNCATE regentra_sync.{table}"),
        ] {
            let error = sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut owner)
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("is append-only"),
                "{table}: {error}"
            );
        }
    }
}

/// The store's role, whatever statement it runs: no grant, and behind the grants a trigger.
#[tokio::test]
async fn the_stores_role_appends_records_and_signals_and_changes_none() {
    let scene = scene().await;
    let mut session = scene.one.session(&scene.store).await;
    let content = "SELECT md5(string_agg(line, ';' ORDER BY line)) FROM ( \
        SELECT e::text AS line FROM regentra_sync.evidence e UNION ALL SELECT s::text FROM regentra_sync.signals s \
        UNION ALL SELECT a::text FROM regentra_sync.customer_audit a \
        UNION ALL SELECT a::text FROM regentra_sync.msp_audit a \
        UNION ALL SELECT h::text FROM regentra_sync.evidence_heads h \
        UNION ALL SELECT r::text FROM regentra_sync.evidence_roots r) AS everything";
    let before: String = sqlx::query_scalar(content)
        .fetch_one(&mut *session)
        .await
        .unwrap();
    let mut statements = Vec::new();
    for (name, column) in [
        ("evidence", "record"),
        ("signals", "status"),
        ("customer_audit", "action"),
        ("msp_audit", "action"),
        ("evidence_heads", "hash"),
        ("evidence_roots", "root"),
    ] {
        let table = format!("regentra_sync.{name}");
        statements.extend([
            format!("DELETE FROM {table}"),
            format!("DELETE FROM ONLY {table} WHERE false"),
            format!("TRUNCATE {table}"),
            format!("TRUNCATE {table} CASCADE"),
            format!("UPDATE {table} SET {column} = {column}"),
            format!("INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table} ON CONFLICT ON CONSTRAINT {name}_pkey \
                     DO UPDATE SET {column} = excluded.{column}"),
            format!("MERGE INTO {table} t USING {table} s ON true WHEN MATCHED THEN DELETE"),
            format!("MERGE INTO {table} t USING {table} s ON true WHEN MATCHED THEN UPDATE SET {column} = s.{column}"),
            format!("WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone"),
            format!("SELECT * FROM {table} FOR UPDATE"),
            format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("DROP TRIGGER append_only ON {table}"),
            format!("DROP TABLE {table}"),
            format!("CREATE RULE quiet AS ON INSERT TO {table} DO INSTEAD NOTHING"),
        ]);
    }
    statements.extend([
        "UPDATE regentra_sync.evidence_heads SET tick = now()".to_owned(),
        "UPDATE regentra_sync.evidence_roots SET number = number + 1".to_owned(),
        "SET session_replication_role = replica".to_owned(),
    ]);
    // A lock on rows needs the right to change a column, and has it where a head is put under a root; it changes nothing.
    statements.retain(|sql| !(sql.ends_with("FOR UPDATE") && sql.contains("evidence_")));
    for sql in statements {
        let refused = change(&mut session, &sql).await;
        assert_eq!(refused, Err(INSUFFICIENT_PRIVILEGE.to_owned()), "{sql}");
    }
    // What the role may change of a head and a root it may change once.
    for sql in [
        "UPDATE regentra_sync.evidence_heads SET root_number = 2",
        "UPDATE regentra_sync.evidence_heads SET root_number = NULL",
        "UPDATE regentra_sync.evidence_roots SET handed_out_at = now(); \
         UPDATE regentra_sync.evidence_roots SET handed_out_at = NULL",
    ] {
        let refused = change(&mut session, sql).await;
        assert_eq!(refused, Err("23001".to_owned()), "{sql}");
    }
    let after: String = sqlx::query_scalar(content)
        .fetch_one(&mut *session)
        .await
        .unwrap();
    assert_eq!(after, before);
}

/// A role that was granted nothing sees nothing at all, not even that there are tables.
#[tokio::test]
async fn a_role_of_the_same_server_that_was_not_migrated_for_may_do_nothing() {
    let scene = scene().await;
    let mut superuser = scene.database.connect(SUPERUSER).await;
    let stranger = format!("stranger_of_{}", scene.database.name());
    execute(&mut superuser, &format!("CREATE ROLE {stranger} LOGIN")).await;
    let mut stranger = scene.database.connect(&stranger).await;
    for sql in [
        "SELECT * FROM regentra_sync.credentials",
        "SELECT * FROM regentra_sync.active_credentials(NULL, 9)",
    ] {
        let error = stranger.execute(sql).await.unwrap_err();
        let code = error
            .as_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned();
        assert_eq!(code, INSUFFICIENT_PRIVILEGE, "{sql}");
    }
}

/// The method names the customer, the transaction is the customer's, and the rows are: a sweep of one never reaches the other.
#[tokio::test]
async fn what_one_customer_wrote_another_does_not_read_through_the_store() {
    let scene = scene().await;
    let store = &scene.store;
    let (one, two) = (World::empty(store, 1), World::empty(store, 2));
    let signals = store.current_signals(one.customer, at(4)).await.unwrap();
    assert_eq!(signals.len(), 5);
    let of_two = store.current_signals(two.customer, at(4)).await.unwrap();
    assert!(of_two.iter().all(|stored| !signals.contains(stored)));
    let page = AuditPage::newest(9);
    let (a, b) = (
        store.customer_audit(one.customer, page).await.unwrap(),
        store.customer_audit(two.customer, page).await.unwrap(),
    );
    assert_eq!((a.len(), b.len()), (1, 1));
    assert_ne!(a, b);
}

/// Keeps anchors where no statement reaches them.
#[derive(Debug, Default)]
struct Elsewhere(std::sync::Mutex<Vec<Anchor>>);

#[async_trait::async_trait]
impl AnchorSink for Elsewhere {
    async fn keep(&self, anchor: &Anchor) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(anchor.clone());
        Ok(())
    }
}

/// The superuser switches the triggers off and writes one customer's history anew, as far as it goes without a key.
async fn rewrite(database: &Database, world: &World<'_>) {
    let mut superuser = database.connect(SUPERUSER).await;
    for table in [
        "evidence",
        "signals",
        "customer_audit",
        "evidence_heads",
        "evidence_roots",
    ] {
        let off = format!("ALTER TABLE regentra_sync.{table} DISABLE TRIGGER ALL");
        execute(&mut superuser, &off).await;
    }
    let rows = "SELECT signal, record, hash FROM regentra_sync.evidence WHERE compliance_org_id::text = $1";
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(rows)
        .bind(world.customer.to_string())
        .fetch_all(&mut superuser)
        .await
        .unwrap();
    let mut heads = Vec::new();
    for (signal, record, old) in rows {
        let kind = SignalKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == signal)
            .unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
        record.as_object_mut().unwrap().remove("signing_key");
        *record.pointer_mut("/signal/status").unwrap() = "warning".into();
        let link = chain_start(world.customer, world.mapping.id, kind).append(record.to_string());
        heads.push(link.head());
        let digit = |hex: String, byte: &u8| hex + &format!("{byte:02x}");
        let hex = old.iter().fold(String::new(), digit);
        let sql = "UPDATE regentra_sync.evidence SET record = $1, hash = $2, signature = NULL WHERE hash = $3";
        sqlx::query(sql)
            .bind(&link.record)
            .bind(link.hash.as_bytes().as_slice())
            .bind(&old)
            .execute(&mut superuser)
            .await
            .unwrap();
        let new = link.hash;
        for sql in [
            format!(
                "UPDATE regentra_sync.evidence_heads SET hash = '\\x{new}' WHERE hash = '\\x{hex}'"
            ),
            format!(
                "UPDATE regentra_sync.customer_audit SET details = replace(details::text, '{hex}', '{new}')::jsonb"
            ),
        ] {
            execute(&mut superuser, &sql).await;
        }
    }
    let root = HeadTree::new(heads).root();
    let sql = format!(
        "UPDATE regentra_sync.evidence_roots SET root = '\\x{root}' WHERE msp_org_id::text = '{}'",
        world.msp
    );
    execute(&mut superuser, &sql).await;
}

#[tokio::test]
async fn a_superuser_who_rewrites_records_is_found_by_signatures_and_anchors_and_not_without() {
    let (store, database) = postgres::new_store(postgres::clock()).await;
    let world = World::new(&store, 1).await;
    let mut sweep = world.sweeping("sweep", 3).await;
    if let AuditDetails::Swept { signals, .. } = &mut sweep.audit.details {
        for row in &sweep.evidence {
            let chain_head = row.link.head();
            let (status, complete) = (Status::Pass, true);
            signals.insert(
                row.signal,
                SweptSignal {
                    status,
                    complete,
                    chain_head,
                },
            );
        }
    }
    committed(
        store
            .commit_sweep(world.msp, world.customer, sweep)
            .await
            .unwrap(),
    );
    let sink = Arc::new(Elsewhere::default());
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let keyring = Keyring::new(KeyId::new("k").unwrap(), key(1), key(2));
    let host = Integration::builder(
        Arc::new(store.clone()),
        keyring,
        Arc::new(NinjaOneApi::new()),
    )
    .clock(Arc::new(ManualClock::at(at(10))))
    .anchor_sink(Arc::<Elsewhere>::clone(&sink))
    .build();
    assert_eq!(host.anchor(world.msp).await.unwrap().handed_out, 1);
    let anchors = sink.0.lock().unwrap().clone();
    // The key says since when every record is signed: records that lost their signature are found by it.
    let public = PublicKey {
        since: Some(at(0)),
        ..signer().public_key()
    };
    let keys = TrustedKeys::new([public]).unwrap();
    let faults = |keys, anchors: Vec<Anchor>| {
        let export = host
            .views()
            .evidence_export(world.msp, world.customer, &[], Vec::new());
        async move {
            let reports = verify_export(&export.await.unwrap(), keys, &anchors);
            assert_eq!(reports.len(), 5);
            reports
                .iter()
                .filter(|report| report.fault.is_some())
                .count()
        }
    };
    assert_eq!(faults(Some(&keys), anchors.clone()).await, 0);
    assert!(
        host.views()
            .verify_anchors(world.msp, &anchors)
            .await
            .unwrap()
            .is_empty()
    );

    rewrite(&database, &world).await;
    assert_eq!(
        faults(None, Vec::new()).await,
        0,
        "without anything from outside"
    );
    assert_eq!(faults(Some(&keys), Vec::new()).await, 5);
    assert_eq!(faults(None, anchors.clone()).await, 5);
    assert_eq!(
        host.views()
            .verify_anchors(world.msp, &anchors)
            .await
            .unwrap()
            .len(),
        1
    );
}
