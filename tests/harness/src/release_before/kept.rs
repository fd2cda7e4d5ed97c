//! The laws of a database that the release before wrote.

use std::{collections::BTreeSet, fs, sync::Arc};

use regentra_sync::{
    Callback, CompleteAuthorization, Connect, ErrorKind, Integration, SweepOutcome, SyncCompany,
    SyncOutcome, TestSavedConnection,
    host::{Clock as _, StoreClock},
    model::{
        CompanyId, ComplianceOrgId, EvidenceRow, Field, LeaseKey, MappingId, MspOrgId,
        OutboxAction, TicketState, WorkerId, chain_start, verify_times,
    },
    regentra_evidence::{
        Anchor, EvidenceExport, EvidenceRecord, Signal, SignalKind, TrustedKeys,
        anchor::{ChainReport, read_anchors},
        verify_chain, verify_export,
    },
    schedule::{Cadence, Event, PlanKind},
    seal::{KeyId, Keyring, MasterKey},
    store::{Store, StoreError, StoreErrorKind},
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::{
    answers::{CODE, Phase},
    names::builder,
    rows::{self, Row, Tables},
    shown,
    story::{
        BEGUN, Host, KEPT, REDIRECT, credential, customer, gone, mapping, operator, ours,
        parameter_of, region, request, signer, state_of,
    },
};
use crate::{keys::keyring, plan::PlanAll as _};

/// A database of one kind, as long as this lives.
pub trait OldDatabase: Sized {
    /// As the release before left it.
    async fn kept() -> Self;

    /// Without anything in it but this release's schema.
    async fn empty() -> Self;

    /// Where the administrator was sent to whose authorization is under way.
    fn authorization() -> &'static str;

    async fn open(&self) -> Result<Arc<dyn Store>, StoreError>;

    async fn migrate(&self);

    /// The opened store, by another clock.
    async fn open_by(&self, clock: StoreClock) -> Arc<dyn Store>;

    /// Every row of every table.
    async fn rows(&self) -> Tables;

    /// The names of what protects rows: triggers, unique indexes, constraints, policies, grants.
    async fn guards(&self) -> BTreeSet<String>;

    /// Runs a statement as a superuser; whether it succeeded.
    async fn execute(&self, sql: &str) -> bool;
}

/// A host over a database that was migrated, at the moment it was kept.
async fn host<D: OldDatabase>(kept: &D, anchors: &tempfile::TempDir) -> Host {
    let path = anchors.path().join("anchors");
    fs::write(&path, ANCHORS).unwrap();
    let clock = regentra_sync::host::ManualClock::at(KEPT);
    let store = kept.open_by(StoreClock::of(clock.clone())).await;
    let host = Host {
        store,
        answers: super::answers::Answers::at(KEPT),
        clock,
        anchors: path,
    };
    host.answers.set(KEPT, Phase::Recovered);
    host
}

async fn migrated<D: OldDatabase>() -> (D, Host, tempfile::TempDir) {
    let kept = D::kept().await;
    kept.migrate().await;
    let anchors = tempfile::tempdir().unwrap();
    let host = host(&kept, &anchors).await;
    (kept, host, anchors)
}

const ANCHORS: &str = include_str!("../../fixtures/release_before/anchors");
const EXPORTS: &str = include_str!("../../fixtures/release_before/exports.json");

/// The chains that were there: mapping and length.
fn chains() -> [(MspOrgId, ComplianceOrgId, MappingId, u64); 3] {
    [
        (ours(), customer(101), mapping(ours(), "us", 1), 4),
        (ours(), customer(102), mapping(ours(), "us", 2), 4),
        (gone(), customer(201), mapping(gone(), "oc", 8), 1),
    ]
}

/// A database that is not migrated is refused with words that say what to do, and stays as it was.
pub async fn is_refused_until_migrated<D: OldDatabase>() {
    let kept = D::kept().await;
    let before = kept.rows().await;
    let error = kept.open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(said.contains("migrate it first"), "{said}");
    assert_eq!(kept.rows().await, before);
    kept.migrate().await;
    kept.open().await.unwrap();
}

pub async fn every_row_and_value_is_kept<D: OldDatabase>() {
    let kept = D::kept().await;
    let (before, guards) = (kept.rows().await, kept.guards().await);
    // Else a migration could lose what nobody would miss.
    assert_eq!(rows::without_a_value(&before), Vec::<String>::new());
    for _ in 0..2 {
        kept.migrate().await;
        let now = kept.rows().await;
        assert_eq!(rows::differences(&before, &now), Vec::<String>::new());
        let lost = rows::lost_guards(&guards, &kept.guards().await);
        assert_eq!(lost, Vec::<String>::new(), "they protected rows");
    }
}

/// Whatever a migration did to one table or one column, the comparison would say so.
pub async fn a_lost_row_or_value_would_be_seen<D: OldDatabase>() {
    let mut broken = 0;
    for (table, rows) in D::kept().await.rows().await {
        if table.ends_with("migration") || table == "migrations" {
            continue;
        }
        let of = |rows: &[Row]| Tables::from([(table.clone(), rows.to_vec())]);
        let (before, columns) = (of(&rows), rows[0].keys());
        let columns = columns.filter(|column| !rows::is_given_up(&table, column));
        let without = of(&rows[1..]);
        let twice = of(&[&rows[..], &rows[..1]].concat());
        let mut now = vec![without, twice, Tables::new()];
        for column in columns {
            let (mut reset, mut dropped) = (rows.clone(), rows.clone());
            for row in &mut reset {
                row.insert(column.clone(), "NULL".to_owned());
            }
            for row in &mut dropped {
                row.remove(column);
            }
            now.push(of(&reset));
            if !rows::stands_in_another(&table, column) {
                now.push(of(&dropped));
            }
        }
        for now in &now {
            assert_ne!(rows::differences(&before, now), Vec::<String>::new());
        }
        broken += now.len();
    }
    assert!(broken > 200, "{broken} ways to lose something");
}

/// Tables, and what a statement that changes their rows would set.
pub type Appended = [(&'static str, &'static str); 6];

/// A migration that builds a table anew loses its triggers with it.
pub async fn what_is_appended_stays_as_it_is<D: OldDatabase>(tables: Appended) {
    let kept = D::kept().await;
    kept.migrate().await;
    let before = kept.rows().await;
    for (table, change) in tables {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("UPDATE {table} SET {change}"),
        ] {
            assert!(!kept.execute(&statement).await, "{statement}");
        }
    }
    assert_eq!(kept.rows().await, before);
}

pub async fn everything_is_shown_as_before<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let today = shown::today(&host, &host.process()).await;
    let differences = shown::differences(&shown::before(), &today);
    assert_eq!(differences, Vec::<String>::new());
}

async fn export(process: &Integration, msp: MspOrgId, customer: ComplianceOrgId) -> EvidenceExport {
    let keys = vec![signer().public_key()];
    let export = process.views().evidence_export(msp, customer, &[], keys);
    export.await.unwrap()
}

fn anchors(host: &Host) -> Vec<Anchor> {
    let text = fs::read_to_string(&host.anchors).unwrap();
    let file = read_anchors(&text).unwrap();
    file.anchors
}

fn verified(export: &EvidenceExport, anchors: &[Anchor]) -> Vec<ChainReport> {
    let keys = TrustedKeys::new([signer().public_key()]).unwrap();
    let reports = verify_export(export, Some(&keys), anchors);
    assert_eq!(
        reports.len(),
        SignalKind::ALL.len(),
        "a chain for each signal"
    );
    for report in &reports {
        assert_eq!(report.fault, None, "{report:?}");
    }
    reports
}

/// With the records that are signed and anchored by then.
pub async fn every_chain_verifies<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let process = host.process();
    let anchors = anchors(&host);
    for (msp, customer, mapping, length) in chains() {
        let export = export(&process, msp, customer).await;
        for report in verified(&export, &anchors) {
            // The first tick was not signed, and the root of the last one still waits for its sink. What was swept by the MSP that is
            // gone was never under a root.
            let anchored = if msp == ours() { length - 1 } else { 0 };
            assert_eq!((report.records, report.anchored), (length, anchored));
            let signed = serde_json::to_value(report.signatures).unwrap();
            assert_eq!(signed["signed"], json!(length - 1), "{signed}");
        }
        for signal in SignalKind::ALL {
            let rows = chain(&host, customer, mapping, signal).await;
            assert_eq!(verify_times(&rows), []);
            assert!(rows.iter().all(|row| row.committed_at.is_some()));
        }
        let mut changed = export;
        let record = &mut changed.chains[0].links[0].link.record;
        *record = record.replacen("\"complete\":true", "\"complete\":false", 1);
        let found = verify_export(&changed, None, &anchors);
        assert!(found[0].fault.is_some(), "a change is found");
    }
    for msp in [ours(), gone()] {
        let faults = process.views().verify_anchors(msp, &anchors).await;
        assert_eq!(faults.unwrap(), []);
    }
}

async fn chain(
    host: &Host,
    customer: ComplianceOrgId,
    mapping: MappingId,
    signal: SignalKind,
) -> Vec<EvidenceRow> {
    let chain = host.store.evidence_chain(customer, mapping, signal, 0, 100);
    chain.await.unwrap()
}

/// The export of now is the export of then, and a file that was exported then verifies without any database.
pub async fn exports_are_the_same<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let before: Vec<Value> = serde_json::from_str(EXPORTS).unwrap();
    let process = host.process();
    for (before, (msp, number)) in before.into_iter().zip([(ours(), 102), (gone(), 201)]) {
        let export = export(&process, msp, customer(number)).await;
        assert_eq!(serde_json::to_value(&export).unwrap(), before);
        let read: EvidenceExport = serde_json::from_value(before).unwrap();
        assert_eq!(read, export);
        verified(&read, &anchors(&host));
    }
}

/// Records and signals are read, and written again as they were, byte by byte; so are the hashes over them.
pub async fn records_and_signals_are_written_as_before<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let mut records = 0;
    for (_, customer, mapping, length) in chains() {
        for signal in SignalKind::ALL {
            let rows = chain(&host, customer, mapping, signal).await;
            let start = chain_start(customer, mapping, signal);
            let mut head = start;
            for row in &rows {
                let text = &row.link.record;
                let record = EvidenceRecord::parse(text).unwrap();
                assert_eq!(record.canonical().unwrap(), *text);
                let link = head.append(record.canonical().unwrap());
                assert_eq!(link, row.link, "the hash is over the same bytes");
                head = link.head();
                records += 1;
            }
            assert_eq!(head.length, length);
            let links: Vec<_> = rows.into_iter().map(|row| row.link).collect();
            verify_chain(start, &links, &[head]).unwrap();
        }
    }
    assert_eq!(records, 45);
    let before = shown::before();
    let customers = before["customers"].as_object().unwrap().values();
    let mut signals = 0;
    for stored in customers.flat_map(|customer| customer["current"].as_array().unwrap()) {
        let signal: Signal = serde_json::from_value(stored.clone()).unwrap();
        let Value::Object(written) = serde_json::to_value(&signal).unwrap() else {
            panic!("a signal is an object");
        };
        // Beside what says which mapping and sweep it is of.
        let mut before = stored.as_object().unwrap().clone();
        before.retain(|name, _| name != "mapping" && name != "event");
        assert_eq!(written, before);
        signals += 1;
    }
    assert_eq!(signals, 15);
}

/// Who tells the story today writes the same signals and records of the same answers: every figure, every digest of facts, every
/// hash and every signature, byte by byte.
pub async fn the_same_answers_give_the_same_bytes<D: OldDatabase>(tables: [&str; 4]) {
    let kept = D::kept().await;
    kept.migrate().await;
    let before = kept.rows().await;
    let empty = D::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let clock = regentra_sync::host::ManualClock::at(BEGUN);
    let host = Host {
        store: empty.open_by(StoreClock::of(clock.clone())).await,
        answers: super::answers::Answers::at(BEGUN),
        clock,
        anchors: folder.path().join("anchors"),
    };
    host.tell().await;
    let now = empty.rows().await;
    for table in tables {
        assert!(!before[table].is_empty());
        let only = |tables: &Tables| Tables::from([(table.to_owned(), tables[table].clone())]);
        let differences = rows::differences(&only(&before), &only(&now));
        assert_eq!(differences, Vec::<String>::new());
    }
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let anchored = fs::read_to_string(&host.anchors).unwrap();
    assert_eq!(lines(&anchored), lines(ANCHORS));
}

fn another_worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(0xe1e))
}

/// A worker of the release before may still be at work.
pub async fn a_lease_that_is_held_is_honoured_until_it_expires<D: OldDatabase>() {
    let (kept, host, _folder) = migrated::<D>().await;
    let process = host.process();
    let company = CompanyId::of_name(ours(), "Fabrikam");
    let sync = async |label: &str| {
        let event = request(label);
        let synced = process
            .sync_company(
                ours(),
                SyncCompany {
                    company,
                    actor: operator(),
                    event,
                },
            )
            .await;
        synced.unwrap().remove(0).outcome
    };
    let length = Duration::minutes(5);
    let keys = [
        LeaseKey::EvidenceSweep(customer(102)),
        LeaseKey::AssetSync(mapping(ours(), "us", 2)),
    ];
    let fences = async || -> Vec<String> {
        let tables = kept.rows().await;
        let leases = tables
            .get("lease")
            .or_else(|| tables.get("leases"))
            .unwrap();
        let fence = |key: &LeaseKey| {
            let text = key.to_text();
            let mut leases = leases.iter();
            let lease = leases.find(|row| row.values().any(|value| value.contains(&text)));
            lease.unwrap()["fence"].clone()
        };
        keys.iter().map(fence).collect()
    };
    let before = fences().await;
    for later in [Duration::ZERO, length - Duration::SECOND] {
        host.set(KEPT + later, Phase::Recovered);
        for key in keys {
            let taken = host.store.take_lease(ours(), key, another_worker(), length);
            assert_eq!(taken.await.unwrap(), None, "{key:?} after {later}");
        }
        let error = sync(&format!("sync {later}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
    }
    assert_eq!(fences().await, before);
    host.set(KEPT + length, Phase::Recovered);
    let synced = sync("sync again").await.unwrap();
    assert!(matches!(synced, SyncOutcome::Synced { .. }), "{synced:?}");
    let taken = host
        .store
        .take_lease(ours(), keys[0], another_worker(), length);
    assert!(taken.await.unwrap().is_some());
    for (before, now) in before.iter().zip(fences().await) {
        let [before, now] =
            [before.as_str(), now.as_str()].map(|text| text.parse::<u64>().unwrap());
        assert!(now > before, "a commit of the worker before is refused");
    }
}

/// The address that the administrator's browser comes to.
fn callback<D: OldDatabase>() -> Callback {
    let state = state_of(D::authorization());
    Callback::read(&format!("{REDIRECT}?code={CODE}&state={state}"))
}

pub async fn an_authorization_under_way_is_completed_once<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let process = host.process();
    host.set(KEPT + Duration::minutes(9), Phase::Recovered);
    let complete = || {
        process.complete_authorization(
            ours(),
            CompleteAuthorization {
                callback: callback::<D>(),
                actor: operator(),
            },
        )
    };
    let completed = complete().await.unwrap();
    assert_eq!(completed.test.unwrap().organizations_visible, 1);
    // What was sealed then is what is sent now: NinjaOne compares it with what the address said.
    let requests = host.answers.token_requests();
    let redemption: std::collections::BTreeMap<_, _> = requests[0].iter().cloned().collect();
    assert_eq!(redemption["grant_type"], "authorization_code");
    assert_eq!(redemption["redirect_uri"], REDIRECT);
    let challenge = parameter_of(D::authorization(), "code_challenge");
    assert_eq!(challenge_of(&redemption["code_verifier"]), challenge);
    let again = complete().await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AuthorizationExpired);
    let connections = process.views().connections(ours()).await.unwrap();
    let connected = connections.iter().filter(|connection| connection.connected);
    let connected: Vec<_> = connected
        .map(|connection| connection.region.as_str())
        .collect();
    assert_eq!(connected, ["ca", "eu", "us"]);
}

pub async fn an_authorization_that_took_too_long_is_void<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    host.set(KEPT + Duration::minutes(10), Phase::Recovered);
    let process = host.process();
    let completed = process.complete_authorization(
        ours(),
        CompleteAuthorization {
            callback: callback::<D>(),
            actor: operator(),
        },
    );
    assert_eq!(
        completed.await.unwrap_err().kind(),
        ErrorKind::AuthorizationExpired
    );
    assert_eq!(host.answers.token_requests(), Vec::<Vec<_>>::new());
}

/// What PKCE makes of a verifier (RFC 7636, S256).
fn challenge_of(verifier: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest as _, Sha256};
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// The sealed credentials open, everything that is due is done, each chain goes on from its head, and a ticket that is mended closes.
pub async fn everything_goes_on<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let stored = host
        .store
        .credential(ours(), credential(ours(), "ca"))
        .await;
    let sealed = stored.unwrap().unwrap().secrets.unwrap().refresh_token;
    let opened = keyring().open(ours(), &region("ca"), Field::RefreshToken, &sealed.unwrap());
    let opened = opened.unwrap();
    let number = opened.expose_secret().strip_prefix("refresh-token-");
    let number = number.unwrap().parse().unwrap();
    host.answers.set_refresh_tokens(number);

    let process = host.process();
    let next = Cadence::EVIDENCE_SWEEP.next(KEPT) + Duration::minutes(1);
    host.tick(&process, next, Phase::Recovered).await;

    let requests = host.answers.token_requests();
    let sent = |name: &str, value: &str| {
        let mut fields = requests.iter().flatten();
        fields.any(|(field, sent)| field == name && sent == value)
    };
    assert!(sent("client_secret", &format!("secret of {}", ours())));
    assert!(!sent("client_secret", &format!("secret of {}", gone())));
    assert!(sent("refresh_token", &format!("refresh-token-{number}")));
    assert!(host.answers.refresh_tokens() > number);

    let anchors = anchors(&host);
    let mut numbers: Vec<_> = anchors.iter().map(|anchor| anchor.number).collect();
    numbers.sort_unstable();
    let all: Vec<_> = (1..=4).collect();
    assert_eq!(numbers, all, "the root that waited is handed out, once");
    for (msp, customer, _, length) in chains() {
        let export = export(&process, msp, customer).await;
        for report in verified(&export, &anchors) {
            let expected = if msp == ours() {
                (length + 1, length)
            } else {
                (1, 0)
            };
            assert_eq!((report.records, report.anchored), expected);
        }
    }

    let views = process.views();
    let tickets = views.tickets(ours(), None).await.unwrap();
    let state_of = |signal, number| {
        let mut of_signal = tickets.iter().filter(|ticket| {
            ticket.key.signal == signal && ticket.key.compliance_org == customer(number)
        });
        of_signal.next().unwrap().state
    };
    assert_eq!(
        state_of(SignalKind::PatchSla, 101),
        TicketState::Closed,
        "it passed twice"
    );
    assert_eq!(state_of(SignalKind::DiskEncryption, 102), TicketState::Open);
    let outbox = views.outbox(ours(), 100).await.unwrap();
    let closes = outbox
        .iter()
        .filter(|row| matches!(row.action, OutboxAction::Close { .. }));
    assert_eq!(closes.count(), 2, "one of then, and one of now");

    // The assets that were held are retired by the second list without them.
    let status = views.connection_status(ours()).await.unwrap();
    let us = status.iter().find(|status| status.region == region("us"));
    assert!(us.unwrap().last_evidence_sweep.as_ref().unwrap().at == host.clock.now());
    let held = views.asset_doubts(ours(), None).await.unwrap();
    assert_eq!(held.len(), 1, "the possible duplicate is left: {held:?}");

    // The next tick is as any other.
    host.tick(&process, next + Duration::hours(6), Phase::Recovered)
        .await;
    for (_, customer, mapping, length) in chains().into_iter().take(2) {
        let rows = chain(&host, customer, mapping, SignalKind::PatchSla).await;
        assert_eq!(rows.len() as u64, length + 2);
    }
}

/// The MSP that was gone connects again: its mapping and its company are there, and its chain goes on.
pub async fn who_was_disconnected_connects_again<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let process = host.process();
    let connect = Connect {
        event: request("connect again"),
        region: region("oc"),
        client_id: "client of another".into(),
        client_secret: "another secret".into(),
        allow_duplicate: false,
        actor: operator(),
    };
    let connected = process.connect(gone(), connect).await.unwrap();
    assert!(connected.reconnected);
    let tick = Cadence::EVIDENCE_SWEEP.last(KEPT);
    let events = process
        .plan_all(PlanKind::EvidenceSweep, tick)
        .await
        .unwrap();
    let mut own = events.into_iter().filter_map(|event| match event {
        Event::EvidenceSweep(sweep) if sweep.msp_credential_org_id == gone() => Some(sweep),
        _ => None,
    });
    let swept = process.sweep(&own.next().unwrap()).await.unwrap();
    let SweepOutcome::Committed(report) = swept else {
        panic!("{swept:?}");
    };
    assert!(!report.dry_run, "it was over before");
    let export = export(&process, gone(), customer(201)).await;
    assert!(
        verified(&export, &[])
            .iter()
            .all(|report| report.records == 2)
    );
}

/// A wrong key is found out at once, and does no harm to the right one. The release before kept no check of its keys.
pub async fn another_key_is_refused_and_the_right_one_goes_on<D: OldDatabase>() {
    let (_kept, host, _folder) = migrated::<D>().await;
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    let id = || KeyId::new("one").unwrap();
    let us = region("us");
    for wrong in [
        Keyring::new(id(), key(1), key(9)),
        Keyring::new(id(), key(9), key(2)),
    ] {
        let wrong = super::names::builder_with(&host, wrong).build();
        let tested = wrong.test_saved_connection(
            ours(),
            TestSavedConnection {
                region: us.clone(),
                actor: operator(),
            },
        );
        assert_eq!(tested.await.unwrap_err().kind(), ErrorKind::Sealing);
    }
    let other_identity = super::names::builder_with(&host, Keyring::new(id(), key(1), key(9)));
    let connect = Connect {
        event: request("connect under another key"),
        region: us.clone(),
        client_id: format!("client of {}", ours()).into(),
        client_secret: "another secret".into(),
        allow_duplicate: false,
        actor: operator(),
    };
    let connected = other_identity.build().connect(ours(), connect).await;
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::Sealing);
    let right = builder(&host).build();
    let tested = right.test_saved_connection(
        ours(),
        TestSavedConnection {
            region: us.clone(),
            actor: operator(),
        },
    );
    assert_eq!(tested.await.unwrap().organizations_visible, 6);
}

/// A test of each law, for one kind of database.
#[macro_export]
macro_rules! release_before {
    ($kept:ty, appended: $appended:expr, told: $told:expr) => {
        use $crate::release_before::kept;

        $crate::release_before! { $kept;
            a_database_of_the_release_before_is_refused_until_it_is_migrated: is_refused_until_migrated,
            migrating_keeps_every_row_and_every_value: every_row_and_value_is_kept,
            a_migration_that_lost_a_row_or_a_value_would_be_seen: a_lost_row_or_value_would_be_seen,
            after_migrating_everything_is_shown_as_before: everything_is_shown_as_before,
            after_migrating_every_chain_verifies_with_its_signatures_and_anchors: every_chain_verifies,
            an_export_of_the_release_before_verifies_and_is_the_export_of_today: exports_are_the_same,
            records_and_signals_of_the_release_before_are_written_again_byte_by_byte: records_and_signals_are_written_as_before,
            after_migrating_a_lease_that_is_held_is_honoured_until_it_expires: a_lease_that_is_held_is_honoured_until_it_expires,
            after_migrating_an_authorization_under_way_is_completed_once: an_authorization_under_way_is_completed_once,
            after_migrating_an_authorization_that_took_too_long_is_void: an_authorization_that_took_too_long_is_void,
            after_migrating_syncs_sweeps_tickets_and_anchors_go_on: everything_goes_on,
            after_migrating_who_was_disconnected_connects_again: who_was_disconnected_connects_again,
            after_migrating_another_key_is_refused_and_the_right_one_goes_on: another_key_is_refused_and_the_right_one_goes_on,
        }

        #[tokio::test]
        async fn after_migrating_what_is_appended_stays_as_it_is() {
            kept::what_is_appended_stays_as_it_is::<$kept>($appended).await;
        }

        #[tokio::test]
        async fn the_same_answers_give_the_same_signals_and_records_as_the_release_before() {
            kept::the_same_answers_give_the_same_bytes::<$kept>($told).await;
        }
    };
    ($kept:ty; $($name:ident: $law:ident,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                kept::$law::<$kept>().await;
            }
        )+
    };
}
