//! Every text of the fleet is a canary: after the whole story, every column of every table of the database is looked at, and
//! everything that was logged. Only the columns that are there to name customers and machines may hold one, on the MSP's side.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use ninjaone_simulator::{Fault, Malformed, Preset, Tenant, front};
use regentra_evidence::{Guard, LeakKind};
use regentra_sync::{
    ComplianceOrgId, EventId, Integration, MspOrgId, Policy, RegionKey,
    audit::Actor,
    clock::ManualClock,
    integration::{Choice, Connect, SweepOutcome},
    live::LiveNinjaOne,
    ninjaone_client::RateLimit,
    seal::{KeyId, Keyring, MasterKey},
};
use regentra_sync_sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool, sqlite::SqliteConnectOptions};
use time::{Duration, OffsetDateTime, macros::datetime};
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// What names a customer or a machine to the MSP that looks after them.
const NAMED: [(&str, &str); 9] = [
    ("company", "name"),
    ("mapping", "name"),
    ("asset", "name"),
    ("asset", "host_name"),
    ("asset", "serial_number"),
    ("asset", "entra_device_id"),
    ("asset", "manufacturer"),
    ("asset", "model"),
    ("asset", "operating_system"),
];

/// What a customer's own auditors read, and what leaves the MSP as tickets.
const PUBLISHED: [(&str, &str); 6] = [
    ("signal", "body"),
    ("evidence", "record"),
    ("customer_audit", "entry"),
    ("msp_audit", "entry"),
    ("outbox", "action"),
    ("run", "record"),
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// From connecting to disconnecting, with rows that do not decode and filters that are ignored on the way. Returns the canaries,
/// and the secrets.
async fn whole_story(path: &Path) -> (BTreeSet<String>, Vec<String>) {
    let tenant = Tenant::builder(NOW).preset(Preset::Failing, 9, 60);
    let mut tenant = tenant.organization_count(3).canaries().build();
    tenant.fault(
        Fault::MalformedRow(Malformed::WrongType)
            .starting_at(9)
            .once(),
    );
    let canaries = tenant.canaries().into_iter().collect();
    let (id, secret) = (
        tenant.client_id().to_owned(),
        tenant.client_secret().to_owned(),
    );
    let server = front::tcp::serve(tenant).await.unwrap();
    let store = Arc::new(SqliteStore::migrate(path).await.unwrap());
    let clock = ManualClock::at(NOW);
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let keyring = Keyring::new(KeyId::new("one").unwrap(), key(1), key(2));
    let host = Integration::builder(Arc::<SqliteStore>::clone(&store), keyring)
        .live(LiveNinjaOne::new().rate_limit(RateLimit::unlimited()))
        .clock(Arc::new(clock.clone()))
        .policy(Policy::default().allow_hosts(|_| true).tickets_per_tick(3))
        .build();
    let region = RegionKey::parse(&server.url()).unwrap();
    let (msp, actor) = (MspOrgId::from_uuid(Uuid::from_u128(1)), Actor::Schedule);
    let event = |what: &str| EventId::of_request("story", what);
    let connect = Connect {
        event: event("connect"),
        region: region.clone(),
        client_id: id.clone().into(),
        client_secret: secret.clone().into(),
        allow_duplicate: false,
        actor,
    };
    let credential = host.connect(msp, connect).await.unwrap().credential;
    host.discover(msp, &region, actor, event("discover"))
        .await
        .unwrap();
    let mappings = host.store().mappings(msp, credential).await.unwrap();
    for (mapping, number) in mappings.iter().zip(100..) {
        let event = event(&mapping.id.to_string());
        let mapped = host.map(msp, mapping.id, Choice::CreateNew, actor, event);
        let company = mapped.await.unwrap().mapping.state.company().unwrap();
        let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(number));
        let event = EventId::of_request("promote", &company.to_string());
        host.promote(msp, company, customer, actor, event)
            .await
            .unwrap();
    }
    for round in 0..4 {
        if round == 1 {
            server.tenant().fault(Fault::FiltersIgnored);
        }
        let event = event(&format!("sync {round}"));
        host.sync_assets(msp, &region, actor, event).await.unwrap();
        let tick = NOW + Duration::hours(6) * round;
        clock.set(tick);
        for (_, swept) in host.sweep_now(msp, tick, 2, actor).await.unwrap() {
            assert!(matches!(swept.unwrap(), SweepOutcome::Committed(_)));
        }
    }
    for row in host.outbox(msp, 2).await.unwrap() {
        host.delivered(msp, row.id, Some("T-1".into()))
            .await
            .unwrap();
    }
    host.disconnect(msp, &region, actor, event("disconnect"))
        .await
        .unwrap();
    store.close().await;
    (canaries, vec![id, secret])
}

/// Every value of every column, as text.
async fn columns(path: &Path) -> BTreeMap<(String, String), Vec<String>> {
    let options = SqliteConnectOptions::new().filename(path);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let tables = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    let all: Vec<(String, String)> = sqlx::query_as(tables).fetch_all(&pool).await.unwrap();
    let mut columns = BTreeMap::new();
    for (table, column) in all {
        let select = format!(
            r#"SELECT CAST("{column}" AS BLOB) FROM "{table}" WHERE "{column}" IS NOT NULL"#
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .fetch_all(&pool)
            .await
            .unwrap();
        let values = rows.iter().map(|row| {
            let bytes: Vec<u8> = row.get(0);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        columns.insert((table, column), values.collect());
    }
    columns
}

#[test]
fn no_canary_is_in_a_column_that_is_not_there_for_it_nor_in_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regentra.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (canaries, secrets) =
        tracing::subscriber::with_default(subscriber, || runtime.block_on(whole_story(&path)));
    let columns = runtime.block_on(columns(&path));
    assert!(
        canaries.len() > 100 && columns.len() > 100,
        "{} columns",
        columns.len()
    );

    let (mut empty, mut naming) = (BTreeSet::new(), 0);
    let shapes = [
        LeakKind::Ipv4,
        LeakKind::Ipv6,
        LeakKind::Mac,
        LeakKind::Drive,
        LeakKind::Email,
        LeakKind::DomainUser,
        LeakKind::Denied,
    ];
    let guard = Guard::new().deny(&canaries);
    for ((table, column), values) in &columns {
        let place = (table.as_str(), column.as_str());
        if values.is_empty() {
            empty.insert(table.as_str());
        }
        for value in values {
            let held = canaries.iter().find(|canary| value.contains(*canary));
            naming += usize::from(held.is_some());
            assert!(
                held.is_none() || NAMED.contains(&place),
                "{held:?} in {place:?}"
            );
            let secret = secrets.iter().find(|secret| value.contains(*secret));
            assert_eq!(secret, None, "in {place:?}");
            if PUBLISHED.contains(&place) {
                let json: serde_json::Value = serde_json::from_str(value).unwrap();
                let found = guard.scan(&json).unwrap().into_iter();
                let mut leaks = found.filter(|finding| {
                    // The region of a simulated tenant is the address of this machine.
                    shapes.contains(&finding.kind) && !finding.path.ends_with("/region")
                });
                assert_eq!(leaks.next(), None, "in {place:?}: {value}");
            }
        }
    }
    assert!(naming > 100, "the assets name machines: {naming}");
    for place in NAMED.iter().chain(&PUBLISHED) {
        let is_there = columns
            .keys()
            .any(|(table, column)| (table.as_str(), column.as_str()) == *place);
        assert!(is_there, "{place:?} is no column");
    }
    for (table, column) in PUBLISHED {
        let rows = columns.get(&(table.to_owned(), column.to_owned())).unwrap();
        assert!(!rows.is_empty(), "nothing was written into {table}");
    }

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("regentra.sweep") && log.contains("ninjaone.attempt"),
        "the log was listened to"
    );
    for canary in canaries.iter().chain(&secrets) {
        assert!(!log.contains(canary.as_str()), "logged: {canary}");
    }
}
