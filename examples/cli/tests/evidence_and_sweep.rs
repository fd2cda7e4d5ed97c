//! `regentra evidence`, which stores nothing, and the sweep of a connected, mapped and promoted organization give the same verdict for
//! the same answers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, process::Stdio, sync::Arc};

use ninjaone_simulator::{
    CursorHabit, Damage, Fault, FaultRule, Harm, Malformed, NotAvailable, Preset, Tenant, front,
};
use regentra_harness::{keys::keyring, plan::PlanAll as _};
use regentra_sync::{
    Choice, Connect, Discover, Integration, MapOrganization, Promote, SweepOutcome,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, ComplianceOrgId, CredentialId, EventId, MappingId, MspOrgId, OrganizationId,
        RegionKey,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::RateLimit,
    schedule::{Cadence, Event, PlanKind},
    store::MemoryStore,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// So many devices that every page of 25 rows has a next one.
const DEVICES: usize = 40;

/// What a server does to the answers of every organization, without an end.
fn habits() -> Vec<(&'static str, Vec<FaultRule>)> {
    let reports = "/v2/queries/*";
    let undated = |field: &str, harm| Fault::Damaged(Damage::to(field, harm).of_every(3));
    let capped = || FaultRule::from(Fault::PageCapped { rows: 25 });
    vec![
        ("none", Vec::new()),
        ("capped pages", vec![capped()]),
        (
            "capped pages whose count is their own",
            vec![
                capped(),
                Fault::Cursor(CursorHabit::CountOfPage).on(reports),
            ],
        ),
        ("ignored filters", vec![Fault::FiltersIgnored.into()]),
        (
            "fields that can be read all the same",
            vec![
                Fault::Damaged(Damage::to("capacity", Harm::AsExponent)).on(reports),
                Fault::Damaged(Damage::to("id", Harm::AsText)).into(),
            ],
        ),
        (
            "fields that cannot be read",
            vec![
                Fault::Damaged(Damage::to("approvalStatus", Harm::Word).of_every(4))
                    .on("/v2/devices-detailed"),
                Fault::Damaged(Damage::to("productState", Harm::Object).of_every(5)).on(reports),
                Fault::Damaged(Damage::to("severity", Harm::List).of_every(5)).on(reports),
            ],
        ),
        (
            "undated rows",
            vec![
                undated("timestamp", Harm::Absent).on(reports),
                undated("installedAt", Harm::Word).on(reports),
                undated("activityTime", Harm::Absent).on("/v2/activities"),
            ],
        ),
        (
            "rows of a day to come",
            vec![undated("timestamp", Harm::FarFuture).on(reports)],
        ),
        (
            "rows that are lost",
            vec![Fault::MalformedRow(Malformed::NotAnObject).on(reports)],
        ),
        (
            "a failed report",
            vec![Fault::RowsNull.on("/v2/queries/volumes")],
        ),
        (
            "a report that is not available",
            vec![Fault::NotAvailable(NotAvailable::Forbidden).on("/v2/queries/antivirus-status")],
        ),
        (
            "a list of activities that does not move on",
            vec![capped(), Fault::PlaceIgnored.on("/v2/activities")],
        ),
        (
            "several together",
            vec![
                capped(),
                Fault::FiltersIgnored.into(),
                undated("timestamp", Harm::Absent).on(reports),
                Fault::RowsNull.on("/v2/queries/os-patches"),
            ],
        ),
    ]
}

/// The verdicts, by the name of their signal, as both ways write them.
type Verdicts = BTreeMap<String, Value>;

fn verdicts(signals: Vec<Value>) -> Verdicts {
    let named = |signal: Value| (signal["signal"].as_str().unwrap().to_owned(), signal);
    let verdicts: Verdicts = signals.into_iter().map(named).collect();
    assert_eq!(verdicts.len(), 5);
    verdicts
}

/// What `regentra evidence` prints.
async fn command(server: &front::tcp::Front, organization: i64) -> Verdicts {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regentra"));
    let (id, secret) = {
        let tenant = server.tenant();
        (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        )
    };
    command
        .args(["--now", "2026-11-23T06:31:00Z", "--json", "evidence"])
        .args(["--base-url", &server.url()])
        .args(["--org", &organization.to_string()])
        .env("NINJAONE_CLIENT_ID", id)
        .env("NINJAONE_CLIENT_SECRET", secret)
        .env("RUST_LOG", "off")
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    verdicts(serde_json::from_slice(&output.stdout).unwrap())
}

/// What the first sweep of the organization stores: connected, mapped to a company of its own, and promoted.
async fn sweep(
    server: &front::tcp::Front,
    organization: i64,
    faults: &[FaultRule],
) -> (Verdicts, Verdicts) {
    let (id, secret) = {
        let mut tenant = server.tenant();
        tenant.clear_faults();
        (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        )
    };
    let clock = ManualClock::at(NOW);
    let store = MemoryStore::new().with_clock(StoreClock::of(clock.clone()));
    let keyring = keyring();
    let ninjaone = NinjaOneApi::new().rate_limit(RateLimit::unlimited());
    let integration = Integration::builder(Arc::new(store), keyring, Arc::new(ninjaone))
        .clock(Arc::new(clock))
        .policy(HostPolicy::default().allow_hosts(|_| true))
        .build();
    let region = RegionKey::parse(&server.url()).unwrap();
    let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
    let event = |what: &str| EventId::of_request("agreement", what);
    let connect = Connect {
        event: event("connect"),
        region: region.clone(),
        client_id: id.into(),
        client_secret: secret.into(),
        allow_duplicate: false,
        actor: Actor::Schedule,
    };
    integration.connect(msp, connect).await.unwrap();
    let discovered = integration.discover(
        msp,
        Discover {
            region: region.clone(),
            actor: Actor::Schedule,
            event: event("discover"),
        },
    );
    discovered.await.unwrap();
    let mapping = MappingId::of(
        CredentialId::of(msp, &region),
        OrganizationId::new(organization),
    );
    let map = integration.map(
        msp,
        MapOrganization {
            mapping,
            choice: Choice::CreateNew,
            actor: Actor::Schedule,
            event: event("map"),
        },
    );
    let company = map.await.unwrap().mapping.state.company().unwrap();
    let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(2));
    let promoted = integration.promote(
        msp,
        Promote {
            company,
            compliance_org: customer,
            actor: Actor::Schedule,
            event: event("promote"),
        },
    );
    promoted.await.unwrap();

    server.tenant().faults(faults.iter().cloned());
    let tick = Cadence::EVIDENCE_SWEEP.last(NOW);
    let events = integration.plan_all(PlanKind::EvidenceSweep, tick).await;
    let Event::EvidenceSweep(planned) = events.unwrap().remove(0) else {
        panic!("an asset sync among sweeps");
    };
    let swept = integration.sweep(&planned).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
    let views = integration.views();
    let stored = views.current_signals(customer).await.unwrap();
    let signals = stored
        .iter()
        .map(|stored| serde_json::to_value(&stored.signal).unwrap());
    // The record that an auditor reads says the same.
    let mut recorded = Verdicts::new();
    for signal in &stored {
        let kind = signal.signal.kind();
        let chain = views.evidence_chain(customer, mapping, kind, 0, 9).await;
        let record: Value = serde_json::from_str(&chain.unwrap()[0].link.record).unwrap();
        recorded.insert(kind.as_str().to_owned(), record);
    }
    (verdicts(signals.collect()), recorded)
}

/// What a verdict says, whichever way it was found.
const SAID: [&str; 8] = [
    "signal",
    "status",
    "complete",
    "reasons",
    "controls",
    "metadata",
    "collected_at",
    "expires_at",
];

#[tokio::test(flavor = "multi_thread")]
async fn regentra_evidence_and_the_stored_sweep_give_the_same_verdict_for_the_same_answers() {
    let mut statuses = BTreeMap::<String, u32>::new();
    for preset in Preset::ALL {
        let tenant = Tenant::preset(preset, 7, DEVICES, NOW);
        let organization = tenant.organizations()[0]["id"].as_i64().unwrap();
        let server = front::tcp::serve(tenant).await.unwrap();
        for (habit, faults) in habits() {
            {
                let mut tenant = server.tenant();
                tenant.clear_faults();
                tenant.faults(faults.iter().cloned());
            }
            let mut printed = command(&server, organization).await;
            let (mut stored, recorded) = sweep(&server, organization, &faults).await;
            // What needs a history, and nothing else: by what a sweep tells the age of signatures. The first sweep of a mapping has a
            // history without an entry, so that no age differs.
            let take_basis = |of: &mut Verdicts| {
                let antivirus = of.get_mut("antivirus_posture").unwrap();
                let metadata = antivirus["metadata"].as_object_mut().unwrap();
                metadata.remove("age_basis").unwrap()
            };
            let bases = (take_basis(&mut printed), take_basis(&mut stored));
            assert_eq!(bases, (json!("status_only"), json!("first_seen")));
            for (kind, printed) in &printed {
                for said in SAID {
                    let stored = &stored[kind];
                    assert_eq!(printed[said], stored[said], "{preset:?}, {habit}: {kind}");
                }
                let fields: Vec<_> = printed.as_object().unwrap().keys().collect();
                assert!(
                    fields.iter().all(|field| SAID.contains(&field.as_str())),
                    "{fields:?}"
                );
                let recorded = recorded[kind].to_string();
                let status = printed["status"].as_str().unwrap();
                assert!(
                    recorded.contains(&format!("\"status\":\"{status}\"")),
                    "{recorded}"
                );
                *statuses.entry(status.to_owned()).or_default() += 1;
            }
            assert_eq!(printed, stored, "{preset:?}, {habit}");
        }
    }
    // All five verdicts were compared.
    let named: Vec<_> = statuses.keys().map(String::as_str).collect();
    assert_eq!(
        named,
        ["fail", "not_applicable", "pass", "unknown", "warning"]
    );
}
