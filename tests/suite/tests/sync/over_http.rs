//! The integration over real HTTP, on SQLite: what crosses from NinjaOne's answers into a customer's tenant, and what does not.

use std::{collections::BTreeMap, sync::Arc};

use ninjaone_simulator::{
    Fault, Malformed, NotAvailable, Preset, RetryAfter, Tenant, TenantBuilder, front,
};
use regentra_evidence::{Guard, LeakKind, SignalKind, Status};
use regentra_harness::keys::keyring;
use regentra_sync::{
    Choice, Connect, Discover, ErrorKind, Integration, MapOrganization, Promote, SweepNow,
    SweepOutcome, SweepReport, SyncAssets, SyncOutcome, TestConnection,
    host::{Clock as _, HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, AssetStatus, AuditAction, AuditDetails, CompanyId, ComplianceOrgId, CredentialId,
        EventId, Mapping, MspOrgId, RegionKey,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::{ErrorKind as Vendor, RetryPolicy},
    store::{AssetFilter, AuditPage, Store},
};
use regentra_sync_sqlite::SqliteStore;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// A host over a simulated tenant: every organization mapped to a company of its own and promoted.
struct Scene {
    server: front::tcp::Front,
    store: Arc<dyn Store>,
    integration: Integration,
    clock: ManualClock,
    region: RegionKey,
    msp: MspOrgId,
    mappings: Vec<Mapping>,
    _folder: TempDir,
}

fn tenant() -> TenantBuilder {
    Tenant::builder(NOW)
        .preset(Preset::Mixed, 5, 90)
        .organization_count(3)
}

/// Retries as the default, without its pauses.
fn impatient() -> RetryPolicy {
    RetryPolicy::default().backoff(
        std::time::Duration::from_millis(1),
        std::time::Duration::from_millis(5),
    )
}

impl Scene {
    async fn connected(tenant: Tenant) -> Self {
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let server = front::tcp::serve(tenant).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(NOW);
        let store = SqliteStore::migrate(folder.path().join("regentra.db"))
            .await
            .unwrap()
            .with_clock(StoreClock::of(clock.clone()));
        let store: Arc<dyn Store> = Arc::new(store);
        let keyring = Arc::new(keyring());
        let ninjaone = NinjaOneApi::new()
            .retry(impatient())
            .shared_budget(Arc::clone(&store), Arc::clone(&keyring));
        let integration = Integration::builder(Arc::clone(&store), keyring, Arc::new(ninjaone))
            .clock(Arc::new(clock.clone()))
            .policy(HostPolicy::default().allow_hosts(|_| true))
            .build();
        let (region, msp) = (
            RegionKey::parse(&server.url()).unwrap(),
            MspOrgId::from_uuid(Uuid::from_u128(1)),
        );
        let connect = Connect {
            event: EventId::of_request("connect", "1"),
            region: region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        integration.connect(msp, connect).await.unwrap();
        Self {
            server,
            store,
            integration,
            clock,
            region,
            msp,
            mappings: Vec::new(),
            _folder: folder,
        }
    }

    async fn promoted(tenant: Tenant) -> Self {
        let mut scene = Self::connected(tenant).await;
        let event = |what: &str| EventId::of_request("scene", what);
        let (msp, region) = (scene.msp, scene.region.clone());
        scene
            .integration
            .discover(
                msp,
                Discover {
                    region: region.clone(),
                    actor: Actor::Schedule,
                    event: event("discover"),
                },
            )
            .await
            .unwrap();
        for mapping in scene
            .store
            .mappings(msp, CredentialId::of(msp, &region))
            .await
            .unwrap()
        {
            let label = mapping.id.to_string();
            let mapped = scene.integration.map(
                msp,
                MapOrganization {
                    mapping: mapping.id,
                    choice: Choice::CreateNew,
                    actor: Actor::Schedule,
                    event: event(&label),
                },
            );
            let mapping = mapped.await.unwrap().mapping;
            let company = mapping.state.company().unwrap();
            let promoted = event(&format!("promote {company}"));
            scene
                .integration
                .promote(
                    msp,
                    Promote {
                        company,
                        compliance_org: customer(company),
                        actor: Actor::Schedule,
                        event: promoted,
                    },
                )
                .await
                .unwrap();
            scene.mappings.push(mapping);
        }
        scene
    }

    async fn sync(&self, label: &str) -> Vec<SyncOutcome> {
        let event = EventId::of_request("sync", label);
        let synced = self
            .integration
            .sync_assets(
                self.msp,
                SyncAssets {
                    region: self.region.clone(),
                    actor: Actor::Schedule,
                    event,
                },
            )
            .await
            .unwrap();
        synced
            .into_iter()
            .map(|sync| sync.outcome.unwrap())
            .collect()
    }

    async fn sweep(&self) -> BTreeMap<ComplianceOrgId, SweepReport> {
        // Each is of a tick of its own.
        let swept = self
            .integration
            .sweep_now(
                self.msp,
                SweepNow {
                    scheduled_at: self.clock.now(),
                    parallel: 2,
                    actor: Actor::Schedule,
                },
            )
            .await
            .unwrap();
        self.clock.advance(Duration::hours(6));
        let report = |outcome| match outcome {
            SweepOutcome::Committed(report) => report,
            other => unreachable!("not committed: {other:?}"),
        };
        swept
            .into_iter()
            .map(|(event, outcome)| (event.customer_compliance_org_id, report(outcome.unwrap())))
            .collect()
    }

    fn customers(&self) -> Vec<ComplianceOrgId> {
        self.mappings
            .iter()
            .map(|mapping| customer(mapping.state.company().unwrap()))
            .collect()
    }
}

fn customer(company: CompanyId) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::from_u128(company.as_uuid().as_u128() ^ 1))
}

/// Verdicts and numbers, without ids and times.
fn verdicts(reports: &BTreeMap<ComplianceOrgId, SweepReport>) -> Vec<serde_json::Value> {
    let signals = reports.values().flat_map(|report| &report.signals);
    let mut verdicts: Vec<_> = signals
        .map(|stored| {
            let signal = &stored.signal;
            serde_json::json!([
                signal.kind(),
                signal.status,
                signal.complete,
                signal.reasons,
                signal.metadata
            ])
        })
        .collect();
    verdicts.sort_by_key(ToString::to_string);
    verdicts
}

#[tokio::test]
async fn when_ninjaone_ignores_its_filters_nothing_of_one_customer_reaches_another() {
    let honest = Scene::promoted(tenant().build()).await;
    honest.sync("one").await;
    let expected = (
        verdicts(&honest.sweep().await),
        honest
            .store
            .assets(honest.msp, AssetFilter::All)
            .await
            .unwrap(),
    );

    let mut tenant = tenant().build();
    tenant.fault(Fault::FiltersIgnored);
    let scene = Scene::promoted(tenant).await;
    let synced = scene.sync("one").await;
    for outcome in &synced {
        assert!(
            matches!(outcome, SyncOutcome::Synced { counts, .. } if counts.foreign_rows > 0),
            "{outcome:?}"
        );
    }
    let bound =
        |assets: Vec<regentra_sync::model::Asset>| -> BTreeMap<String, (String, AssetStatus)> {
            let by_id = assets.into_iter();
            by_id
                .map(|asset| {
                    (
                        asset.external_id.to_string(),
                        (asset.content.name.as_str().to_owned(), asset.status),
                    )
                })
                .collect()
        };
    let assets = scene
        .store
        .assets(scene.msp, AssetFilter::All)
        .await
        .unwrap();
    for asset in &assets {
        let mapping = scene
            .mappings
            .iter()
            .find(|mapping| Some(mapping.id) == asset.mapping)
            .unwrap();
        assert_eq!(Some(asset.company), mapping.state.company());
        let tenant = scene.server.tenant();
        let row = tenant
            .devices()
            .iter()
            .find(|row| {
                row.get("id").unwrap().as_i64()
                    == asset.device().map(regentra_sync::model::DeviceId::get)
            })
            .unwrap();
        assert_eq!(
            row.get("organizationId").unwrap().as_i64(),
            Some(mapping.external_org_id.get())
        );
    }
    let swept = scene.sweep().await;
    assert_eq!(
        verdicts(&swept),
        expected.0,
        "the verdicts are those of a tenant that honours its filters"
    );
    assert_eq!(bound(assets), bound(expected.1));
    for customer in scene.customers() {
        let trail = scene
            .store
            .customer_audit(customer, AuditPage::newest(1))
            .await
            .unwrap();
        let details = &trail.first().unwrap().details;
        let AuditDetails::Swept { counts, .. } = details else {
            unreachable!("{details:?}")
        };
        assert!(
            counts.foreign_rows > 0,
            "dropped rows are audited: {counts:?}"
        );
    }
    let trail = scene
        .store
        .msp_audit(scene.msp, AuditPage::newest(99))
        .await
        .unwrap();
    let audited = trail.iter().filter(
        |row| matches!(row.details, AuditDetails::Synced { counts, .. } if counts.foreign_rows > 0),
    );
    assert_eq!(audited.count(), synced.len());
}

#[tokio::test]
async fn a_sweep_survives_what_can_be_survived_and_says_the_same() {
    let expected = verdicts(&Scene::promoted(tenant().build()).await.sweep().await);
    let mut tenant = tenant().build();
    tenant.fault(Fault::TooManyRequests(RetryAfter::Seconds(0)).every(7));
    tenant.fault(Fault::ServiceUnavailable.every(11));
    tenant.fault(Fault::ThrottlePage.every(13));
    tenant.fault(Fault::TokenDies.starting_at(17).once());
    tenant.fault(Fault::CutBody { after: 100 }.every(19));
    let scene = Scene::promoted(tenant).await;
    assert_eq!(verdicts(&scene.sweep().await), expected);
    let tenant = scene.server.tenant();
    let struck = tenant
        .requests()
        .iter()
        .filter(|request| !request.faults.is_empty())
        .count();
    assert!(struck >= 5, "faults struck {struck} times");
}

#[tokio::test]
async fn a_report_that_is_not_licensed_is_unknown_and_ends_the_dry_run_all_the_same() {
    let mut tenant = tenant().build();
    tenant.fault(Fault::NotAvailable(NotAvailable::NotLicensed).on("/v2/queries/antivirus-status"));
    let scene = Scene::promoted(tenant).await;
    for report in scene.sweep().await.values() {
        assert!(report.answered);
        for stored in &report.signals {
            let is_unknown = stored.signal.status == Status::Unknown;
            if stored.signal.kind() == SignalKind::AntivirusPosture {
                assert!(is_unknown, "{:?}", stored.signal);
            }
        }
    }
    for mapping in &scene.mappings {
        let stored = scene
            .store
            .mapping(scene.msp, mapping.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.first_evidence_synced_at, Some(NOW));
    }
}

#[tokio::test]
async fn a_report_that_fails_keeps_the_dry_run_going_and_leaves_the_other_signals_alone() {
    let expected = Scene::promoted(tenant().build()).await.sweep().await;
    let mut tenant = tenant().build();
    tenant.fault(Fault::ServiceUnavailable.on("/v2/queries/volumes"));
    let scene = Scene::promoted(tenant).await;
    let swept = scene.sweep().await;
    let others = |reports: &BTreeMap<_, SweepReport>| {
        let all = verdicts(reports).into_iter();
        all.filter(|verdict| !verdict.to_string().contains("disk_encryption"))
            .collect::<Vec<_>>()
    };
    assert_eq!(others(&swept), others(&expected));
    for report in swept.values() {
        assert!(!report.answered && report.dry_run);
        let disk = report
            .signals
            .iter()
            .find(|stored| stored.signal.kind() == SignalKind::DiskEncryption)
            .unwrap();
        assert_eq!(disk.signal.status, Status::Unknown);
    }
    for mapping in &scene.mappings {
        let stored = scene
            .store
            .mapping(scene.msp, mapping.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.first_evidence_synced_at, None);
    }
}

#[tokio::test]
async fn rows_that_do_not_decode_retire_nothing() {
    let scene = Scene::promoted(tenant().build()).await;
    scene.sync("one").await;
    let before = scene
        .store
        .assets(scene.msp, AssetFilter::All)
        .await
        .unwrap();
    scene
        .server
        .tenant()
        .fault(Fault::MalformedRow(Malformed::WrongType).on("/v2/devices-detailed"));
    for outcome in scene.sync("two").await {
        let SyncOutcome::Synced { counts, .. } = outcome else {
            unreachable!("{outcome:?}")
        };
        assert!(
            counts.malformed_rows > 0 || counts.listed == 0,
            "{counts:?}"
        );
        assert_eq!(counts.retired, 0);
    }
    assert_eq!(
        scene
            .store
            .assets(scene.msp, AssetFilter::All)
            .await
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn every_request_is_counted_in_the_budget_that_processes_share() {
    let scene = Scene::promoted(tenant().build()).await;
    scene.sync("one").await;
    scene.sweep().await;
    scene.clock.advance(Duration::hours(-6));
    let credential = CredentialId::of(scene.msp, &scene.region);
    let fingerprint = scene
        .store
        .credential(scene.msp, credential)
        .await
        .unwrap()
        .unwrap()
        .fingerprint;
    let usage = scene.store.budget_usage(&fingerprint).await.unwrap();
    let answered = scene.server.tenant().requests().len();
    // But the log-in with which the credentials were tried: until it was accepted it was the MSP's own.
    assert_eq!(usage.last_hour as usize + 1, answered);
    assert!(answered > 20);
}

#[tokio::test]
async fn a_client_that_ninjaone_does_not_know_is_refused_with_the_reason() {
    let scene = Scene::connected(tenant().build()).await;
    let test = |id: &str, secret: &str| TestConnection {
        region: scene.region.clone(),
        client_id: id.into(),
        client_secret: secret.into(),
        try_other_regions: false,
        actor: Actor::Schedule,
    };
    let (id, secret) = {
        let tenant = scene.server.tenant();
        (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        )
    };
    let unknown = scene
        .integration
        .test_connection(scene.msp, test("nobody", &secret))
        .await
        .unwrap_err();
    assert_eq!(
        unknown.kind(),
        ErrorKind::Ninjaone(Vendor::WrongRegionOrClient)
    );
    assert!(unknown.to_string().contains("127.0.0.1"), "{unknown}");
    let wrong = scene
        .integration
        .test_connection(scene.msp, test(&id, "hunter2"))
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Ninjaone(Vendor::Unauthenticated));
    for error in [unknown, wrong] {
        let said = format!("{error} {error:?}");
        assert!(
            !said.contains("hunter2") && !said.contains(&secret) && !said.contains(&id),
            "{said}"
        );
    }
    scene
        .integration
        .test_connection(scene.msp, test(&id, &secret))
        .await
        .unwrap();
    let trail = scene
        .store
        .msp_audit(scene.msp, AuditPage::newest(9))
        .await
        .unwrap();
    assert_eq!(
        trail
            .iter()
            .filter(|row| row.action == AuditAction::NinjaoneTested)
            .count(),
        3
    );
}

#[tokio::test]
async fn no_canary_of_the_fleet_is_in_signals_evidence_audit_or_tickets() {
    let scene = Scene::promoted(
        Tenant::builder(NOW)
            .preset(Preset::Failing, 9, 60)
            .organization_count(2)
            .canaries()
            .build(),
    )
    .await;
    scene.sync("one").await;
    scene.sweep().await;
    scene.sweep().await;
    let canaries = scene.server.tenant().canaries();
    assert!(canaries.len() > 100);
    let (store, msp) = (&scene.store, scene.msp);
    let stored = store.assets(msp, AssetFilter::All).await.unwrap();
    let names = serde_json::to_string(&stored).unwrap();
    assert!(
        canaries.iter().any(|canary| names.contains(canary)),
        "an asset register names machines"
    );

    let mut published = Vec::new();
    published.extend(
        store
            .msp_audit(msp, AuditPage::newest(999))
            .await
            .unwrap()
            .iter()
            .map(serde_json::to_value),
    );
    published.extend(
        store
            .tickets(msp, None)
            .await
            .unwrap()
            .iter()
            .map(serde_json::to_value),
    );
    published.extend(
        scene
            .integration
            .views()
            .outbox(msp, 999)
            .await
            .unwrap()
            .iter()
            .map(serde_json::to_value),
    );
    published.extend(
        store
            .runs(msp)
            .await
            .unwrap()
            .iter()
            .map(serde_json::to_value),
    );
    for mapping in &scene.mappings {
        let customer = customer(mapping.state.company().unwrap());
        published.extend(
            store
                .current_signals(customer, NOW)
                .await
                .unwrap()
                .iter()
                .map(serde_json::to_value),
        );
        let trail = store
            .customer_audit(customer, AuditPage::newest(999))
            .await
            .unwrap();
        published.extend(trail.iter().map(serde_json::to_value));
        for kind in SignalKind::ALL {
            let rows = store
                .evidence_chain(customer, mapping.id, kind, 0, 99)
                .await
                .unwrap();
            assert_eq!(rows.len(), 2);
            published.extend(rows.iter().map(serde_json::to_value));
        }
    }
    assert!(published.len() > 40);
    let guard = Guard::new().deny(&canaries);
    for value in published {
        let value = value.unwrap();
        // Ids of ours and hashes are what a guard of shapes cannot tell from serial numbers; a word of the fleet it can.
        let shapes = [
            LeakKind::Ipv4,
            LeakKind::Ipv6,
            LeakKind::Mac,
            LeakKind::Drive,
            LeakKind::Email,
            LeakKind::DomainUser,
        ];
        let leak = guard.scan(&value).unwrap().into_iter().find(|finding| {
            // The region of a simulated tenant is the address of this machine.
            let looks_like = shapes.contains(&finding.kind) && !finding.path.ends_with("/region");
            finding.kind == LeakKind::Denied || looks_like
        });
        assert_eq!(leak, None, "in {value}");
    }
}
