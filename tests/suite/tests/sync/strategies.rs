//! One pass for many customers says of each what its own sweep would have said, whatever the server does.

use std::{collections::BTreeMap, sync::Arc, time::Duration as Wait};

use ninjaone_simulator::{
    Clock as TenantClock, CursorHabit, Damage, Fault, FaultRule, Half, Harm, NotAvailable,
    Parameter, Preset, RetryAfter, Shape, Tenant, TenantBuilder, front::in_process,
};
use proptest::{prelude::*, sample};
use regentra_evidence::SignalKind;
use regentra_harness::{in_process::InProcess, keys::keyring, plan::PlanAll as _};
use regentra_sync::{
    Choice, Connect, Discover, Integration, MapOrganization, Promote, TestSavedConnection,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, AuditDetails, ComplianceOrgId, CredentialId, CustomFieldName, CustomFieldSource,
        CustomFields, EventId, Mapping, MspOrgId, OrganizationListHabit, Question, RegionKey,
        Report, RunKind, RunRecord, StrategyChoice, StrategyReason, SweepStrategy,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::{RateLimit, RetryPolicy},
    schedule::{Cadence, Event, EventEnd, EventOutcome, PlanKind},
    store::{AssetFilter, AuditFilter, AuditPage, MemoryStore, Store},
};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// A host over a tenant, every organization of which is mapped and promoted. Two of them over equal tenants have equal ids.
struct Scene {
    front: in_process::Front,
    store: Arc<dyn Store>,
    integration: Integration,
    clock: ManualClock,
    mappings: Vec<Mapping>,
}

fn msp() -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(1))
}

fn customer(organization: i64) -> ComplianceOrgId {
    ComplianceOrgId::from_uuid(Uuid::from_u128(
        1_000 + u128::try_from(organization).unwrap(),
    ))
}

impl Scene {
    async fn new(tenant: Tenant, choice: StrategyChoice) -> Self {
        let policy = HostPolicy::default().sweep_strategy(choice);
        Self::with(tenant, policy, RateLimit::unlimited()).await
    }

    /// With custom fields for encryption and for the Entra device id.
    async fn with_fields(tenant: Tenant, choice: StrategyChoice) -> Self {
        let source = CustomFieldSource::new("diskEncryption", ["yes"], ["no"]);
        let fields = CustomFields::default().answer(Question::DiskEncrypted, source.unwrap());
        let policy = HostPolicy::default()
            .sweep_strategy(choice)
            .custom_fields(fields)
            .entra_device_id_field(CustomFieldName::new("entraDeviceId").unwrap());
        Self::with(tenant, policy, RateLimit::unlimited()).await
    }

    /// Under the vendor's limits, by the time of the test.
    async fn limited(tenant: Tenant, choice: StrategyChoice) -> Self {
        let policy = HostPolicy::default().sweep_strategy(choice);
        Self::with(tenant, policy, RateLimit::default()).await
    }

    async fn with(tenant: Tenant, policy: HostPolicy, limit: RateLimit) -> Self {
        let is_limited = !limit.is_unlimited();
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let front = if is_limited {
            in_process::serve(tenant)
        } else {
            in_process::serve_with(tenant, TenantClock::fixed(NOW))
        };
        let clock = ManualClock::at(NOW);
        let store = MemoryStore::new().with_clock(StoreClock::of(clock.clone()));
        let store: Arc<dyn Store> = Arc::new(store);
        let keyring = keyring();
        let retry = RetryPolicy::default().backoff(Wait::from_millis(1), Wait::from_millis(5));
        let ninjaone = NinjaOneApi::new()
            .rate_limit(limit)
            .retry(retry)
            .transport(Arc::new(InProcess::new(front.clone())));
        let policy = policy.allow_hosts(|_| true);
        let integration = Integration::builder(Arc::clone(&store), keyring, Arc::new(ninjaone))
            .clock(Arc::new(clock.clone()))
            .policy(policy)
            .build();
        let region = RegionKey::parse(&front.url()).unwrap();
        let (actor, event) = (Actor::Schedule, |what: &str| {
            EventId::of_request("scene", what)
        });
        let connect = Connect {
            event: event("connect"),
            region: region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor,
        };
        integration.connect(msp(), connect).await.unwrap();
        let discover = Discover {
            region: region.clone(),
            actor,
            event: event("discover"),
        };
        integration.discover(msp(), discover).await.unwrap();
        let credential = CredentialId::of(msp(), &region);
        for mapping in store.mappings(msp(), credential).await.unwrap() {
            let map = MapOrganization {
                mapping: mapping.id,
                choice: Choice::CreateNew,
                actor,
                event: event(&format!("map {}", mapping.id)),
            };
            let mapped = integration.map(msp(), map).await.unwrap();
            let promote = Promote {
                company: mapped.mapping.state.company().unwrap(),
                compliance_org: customer(mapping.external_org_id.get()),
                actor,
                event: event(&format!("promote {}", mapping.id)),
            };
            integration.promote(msp(), promote).await.unwrap();
        }
        let mappings = store.mappings(msp(), credential).await.unwrap();
        front.tenant().clear_requests();
        Self {
            front,
            store,
            integration,
            clock,
            mappings,
        }
    }

    fn now(&self) -> OffsetDateTime {
        use regentra_sync::host::Clock as _;
        self.clock.now()
    }

    async fn planned(&self) -> Vec<Event> {
        let tick = Cadence::EVIDENCE_SWEEP.last(self.now());
        let planned = self.integration.plan_all(PlanKind::EvidenceSweep, tick);
        planned.await.unwrap()
    }

    /// Sweeps everything that the present tick plans, and moves on to the next tick.
    async fn sweep(&self) -> Vec<EventEnd> {
        let mut ends = Vec::new();
        let mut planned = self.planned().await;
        planned.sort_by_key(Event::starts_at);
        for event in planned {
            ends.push(self.integration.handle(&event, 1).await);
        }
        self.clock.advance(Duration::hours(6));
        ends
    }

    async fn sync(&self) -> Vec<EventEnd> {
        let tick = Cadence::ASSET_SYNC.last(self.now());
        let planned = self.integration.plan_all(PlanKind::AssetSync, tick);
        let mut ends = Vec::new();
        for event in planned.await.unwrap() {
            ends.push(self.integration.handle(&event, 1).await);
        }
        ends
    }

    fn requests(&self) -> usize {
        let tenant = self.front.tenant();
        tenant
            .requests()
            .iter()
            .filter(|request| request.path.starts_with("/v2/"))
            .count()
    }

    /// Everything that an auditor and the ticket system see, as text.
    async fn remembered(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for mapping in &self.mappings {
            let (name, customer) = (
                mapping.external_org_id,
                customer(mapping.external_org_id.get()),
            );
            let signals = self
                .store
                .current_signals(customer, OffsetDateTime::UNIX_EPOCH);
            for stored in signals.await.unwrap() {
                let key = format!("{name} {} as it is", stored.signal.kind().as_str());
                all.insert(key, serde_json::to_string(&stored).unwrap());
            }
            for kind in SignalKind::ALL {
                let chain = self
                    .store
                    .evidence_chain(customer, mapping.id, kind, 0, 100);
                for (place, row) in chain.await.unwrap().into_iter().enumerate() {
                    let key = format!("{name} {} record {place}", kind.as_str());
                    all.insert(key, format!("{row:?}"));
                }
            }
        }
        let outbox = self.store.outbox(msp(), self.now(), 1_000).await.unwrap();
        for row in outbox {
            all.insert(format!("outbox {}", row.id), format!("{row:?}"));
        }
        all
    }

    async fn assets(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for mapping in &self.mappings {
            let assets = self
                .store
                .assets(msp(), AssetFilter::Mapping(mapping.id))
                .await;
            for asset in assets.unwrap() {
                all.insert(asset.id.to_string(), serde_json::to_string(&asset).unwrap());
            }
        }
        all
    }

    async fn runs(&self) -> Vec<RunRecord> {
        self.store.runs(msp()).await.unwrap()
    }

    /// What the last pass made of lists of organizations.
    async fn habits(&self, kind: RunKind) -> BTreeMap<Report, OrganizationListHabit> {
        let runs = self.runs().await;
        let mut of_pass = runs
            .into_iter()
            .filter(|run| run.subject.kind == kind && run.subject.mapping.is_none());
        let pass = of_pass.next().unwrap().reading.unwrap().pass.unwrap();
        pass.organization_list
    }
}

/// A tenant of some customers of every character.
fn tenant(seed: u64, organizations: usize, devices: usize) -> TenantBuilder {
    Tenant::builder(NOW)
        .preset(Preset::Mixed, seed, organizations * devices)
        .organization_count(organizations)
}

/// What every strategy remembers of equal tenants with these faults, in two ticks: the first is a dry run, and the second opens tickets.
async fn compare(what: &str, build: impl Fn() -> Tenant, faults: impl Fn() -> Vec<FaultRule>) {
    compare_from(0, what, build, faults).await;
}

/// The same, where the server begins with it after so many ticks.
async fn compare_from(
    begin: usize,
    what: &str,
    build: impl Fn() -> Tenant,
    faults: impl Fn() -> Vec<FaultRule>,
) {
    let mut alone: Option<(BTreeMap<String, String>, BTreeMap<String, String>)> = None;
    for choice in [
        StrategyChoice::PerCustomer,
        StrategyChoice::Group,
        StrategyChoice::WholeTenant,
    ] {
        let scene = Scene::with_fields(build(), choice).await;
        for tick in 0..begin + 2 {
            if tick == begin {
                scene.front.tenant().faults(faults());
            }
            if choice == StrategyChoice::WholeTenant {
                let planned = scene.planned().await;
                let strategies = planned.iter().map(|event| match event {
                    Event::SweepGroup(group) => group.strategy,
                    _ => SweepStrategy::PerCustomer,
                });
                let strategies: Vec<_> = strategies.collect();
                assert_eq!(strategies, [SweepStrategy::WholeTenant], "{what}");
            }
            scene.sync().await;
            scene.sweep().await;
        }
        let remembered = (scene.remembered().await, scene.assets().await);
        match &alone {
            None => alone = Some(remembered),
            Some(alone) => {
                for (of, is) in [(&alone.0, &remembered.0), (&alone.1, &remembered.1)] {
                    for (key, value) in of {
                        assert_eq!(is.get(key), Some(value), "{what}, {choice}: {key}");
                    }
                    assert_eq!(is.len(), of.len(), "{what}, {choice}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_strategy_says_the_same_of_every_customer() {
    for (seed, organizations, devices) in [(1, 12, 8), (2, 7, 3), (3, 25, 2)] {
        let build = || tenant(seed, organizations, devices).build();
        compare("as it is", build, Vec::new).await;
    }
    for preset in [
        Preset::Empty,
        Preset::Dark,
        Preset::Failing,
        Preset::NetworkOnly,
    ] {
        let build = || {
            let tenant = Tenant::builder(NOW).preset(preset, 5, 40);
            tenant.organization_count(6).build()
        };
        compare("a preset", build, Vec::new).await;
    }
    for shape in Shape::ALL {
        let build = || tenant(4, 6, 6).shape(shape).build();
        compare("a shape", build, Vec::new).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_strategy_says_the_same_whatever_survivable_the_server_does() {
    let build = || tenant(9, 8, 6).build();
    let every = |fault: Fault| vec![FaultRule::from(fault)];
    for rows in [2, 3, 7, 100, 999] {
        let what = format!("pages capped at {rows}");
        compare(&what, build, || every(Fault::PageCapped { rows })).await;
    }
    for habit in [
        CursorHabit::CountOfPage,
        CursorHabit::CountAbsent,
        CursorHabit::NameChanges,
        CursorHabit::AbsentOnLastPage,
        CursorHabit::PresentOnOnePage,
    ] {
        compare("a habit", build, || every(Fault::Cursor(habit))).await;
    }
    for parameter in Parameter::ALL {
        compare("ignored", build, || every(Fault::Ignored(parameter))).await;
    }
    compare("filters ignored", build, || every(Fault::FiltersIgnored)).await;
    compare("busy", build, || {
        vec![Fault::TooManyRequests(RetryAfter::Seconds(1)).every(3)]
    })
    .await;
    compare("a module is missing", build, || {
        vec![Fault::NotAvailable(NotAvailable::Forbidden).on("/v2/queries/antivirus-status")]
    })
    .await;
}

/// A tenant's list of organizations that is answered wrongly: for devices, for a report, for activities and for all.
fn wrong_lists() -> Vec<(&'static str, Vec<FaultRule>)> {
    let mut all = Vec::new();
    let leaves_out = [
        Fault::MatchesNothing(Parameter::DeviceFilterIn),
        Fault::Halved(Half::Organizations),
    ];
    for path in [
        "/v2/devices-detailed",
        "/v2/devices",
        "/v2/queries/volumes",
        "/v2/queries/antivirus-status",
        "/v2/queries/os-patches",
        "/v2/queries/os-patch-installs",
        "/v2/queries/software-patches",
        "/v2/queries/software-patch-installs",
        "/v2/queries/custom-fields",
        "/v2/activities",
        "/v2/*",
    ] {
        all.extend(leaves_out.clone().map(|fault| (path, vec![fault.on(path)])));
    }
    let others = [
        Fault::Ignored(Parameter::DeviceFilterIn),
        Fault::Refused(Parameter::DeviceFilterIn),
        Fault::TooLong {
            bytes: 300,
            status: 414,
        },
    ];
    for path in [
        "/v2/devices-detailed",
        "/v2/queries/os-patches",
        "/v2/queries/custom-fields",
        "/v2/*",
    ] {
        all.extend(others.clone().map(|fault| (path, vec![fault.on(path)])));
        all.push((path, vec![Fault::Halved(Half::Devices).on(path)]));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_list_of_organizations_that_is_answered_wrongly_leads_to_the_right_verdicts() {
    for (path, faults) in wrong_lists() {
        let build = || tenant(6, 8, 3).build();
        let what = format!("{path} {faults:?}");
        compare(&what, build, || faults.clone()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_begins_to_leave_out_rows_once_it_is_trusted_is_found_out() {
    let build = || tenant(6, 8, 4).build();
    for half in [Half::Devices, Half::Organizations] {
        for path in ["/v2/devices-detailed", "/v2/queries/os-patches", "/v2/*"] {
            let halved = || vec![Fault::Halved(half).on(path)];
            compare_from(2, path, build, halved).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_device_list_that_always_fails_keeps_no_customer_from_being_swept() {
    let build = || tenant(6, 6, 3).build();
    for fault in [
        Fault::ServiceUnavailable,
        Fault::NotAvailable(NotAvailable::Forbidden),
    ] {
        let fails = || vec![fault.clone().on("/v2/devices")];
        compare("the second look fails", build, fails).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_module_that_is_missing_is_missing_for_every_one_of_many_customers() {
    let build = || tenant(6, 15, 2).build();
    let missing = || {
        vec![
            Fault::Refused(Parameter::DeviceFilterIn).on("/v2/*"),
            Fault::NotAvailable(NotAvailable::NotLicensed).on("/v2/queries/antivirus-status"),
        ]
    };
    compare("each alone, and a module is missing", build, missing).await;
}

#[tokio::test(start_paused = true)]
async fn a_customer_with_one_device_does_not_show_that_a_server_halves_the_devices_of_the_others() {
    let build = || {
        let mut tenant = tenant(6, 8, 5).build();
        let first = tenant.organizations()[0]["id"].clone();
        let mut is_seen = false;
        let devices: Vec<_> = tenant
            .devices()
            .iter()
            .filter(|row| row["organizationId"] != first || !std::mem::replace(&mut is_seen, true))
            .cloned()
            .collect();
        tenant.set_devices(&devices);
        tenant
    };
    for path in ["/v2/devices-detailed", "/v2/queries/volumes", "/v2/*"] {
        let halved = || vec![Fault::Halved(Half::Devices).on(path)];
        compare(path, build, halved).await;
    }
}

/// A tenant, and what its server does.
#[derive(Clone, Debug)]
struct Generated {
    seed: u64,
    organizations: usize,
    devices: usize,
    preset: Preset,
    shape: Option<Shape>,
    faults: Vec<FaultRule>,
    /// Of the device at this place, the id in the rows of a report.
    damage: Option<(usize, &'static str, Harm)>,
}

const REPORTS: [&str; 6] = [
    "/v2/queries/volumes",
    "/v2/queries/antivirus-status",
    "/v2/queries/os-patches",
    "/v2/queries/os-patch-installs",
    "/v2/queries/software-patches",
    "/v2/queries/software-patch-installs",
];

/// Everything that a server may do all the time without its answers saying another thing of a customer who is asked for alone.
fn survivable() -> Vec<FaultRule> {
    let mut all: Vec<_> = [
        CursorHabit::CountOfPage,
        CursorHabit::CountAbsent,
        CursorHabit::NameChanges,
        CursorHabit::AbsentOnLastPage,
        CursorHabit::PresentOnOnePage,
    ]
    .map(|habit| Fault::Cursor(habit).into())
    .into();
    all.extend(Parameter::ALL.map(|parameter| Fault::Ignored(parameter).into()));
    all.extend([2, 5, 40].map(|rows| Fault::PageCapped { rows }.into()));
    all.extend([2, 3].map(|nth| Fault::TooManyRequests(RetryAfter::Seconds(1)).every(nth)));
    all.push(Fault::FiltersIgnored.into());
    all.push(Fault::ByteOrderMark.into());
    all.push(Fault::WrongContentType.into());
    for path in REPORTS.into_iter().chain(["/v2/activities"]) {
        all.push(Fault::NotAvailable(NotAvailable::NotLicensed).on(path));
        all.push(Fault::ServiceUnavailable.on(path));
    }
    all.extend(REPORTS.map(|path| Fault::Halved(Half::Devices).on(path)));
    all.push(
        Fault::PageTooLarge {
            most: 500,
            status: 413,
        }
        .into(),
    );
    all.extend(wrong_lists().into_iter().flat_map(|(_, faults)| faults));
    all
}

prop_compose! {
    fn generated()(
        seed in 1_u64..10_000,
        organizations in 2_usize..12,
        devices in 1_usize..7,
        preset in sample::select(vec![Preset::Mixed, Preset::Mixed, Preset::Mixed, Preset::Failing, Preset::Empty, Preset::Healthy]),
        shape in proptest::option::weighted(0.3, sample::select(Shape::ALL.to_vec())),
        faults in proptest::collection::vec(sample::select(survivable()), 0..3),
        // The id of a device that no list shows, an id of another form, and none.
        damage in proptest::option::of((
            0_usize..60,
            sample::select(REPORTS.to_vec()),
            sample::select(vec![Harm::Raw("4999999".to_owned()), Harm::AsText, Harm::Word]),
        )),
    ) -> Generated {
        Generated { seed, organizations, devices, preset, shape, faults, damage }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 40, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn every_strategy_says_the_same_of_generated_tenants(of in generated()) {
        let build = || {
            let tenant = Tenant::builder(NOW).preset(of.preset, of.seed, of.organizations * of.devices);
            let tenant = tenant.organization_count(of.organizations);
            match of.shape {
                Some(shape) => tenant.shape(shape).build(),
                None => tenant.build(),
            }
        };
        let faults = || {
            let mut faults = of.faults.clone();
            if let Some((place, path, harm)) = &of.damage {
                let tenant = build();
                let device = tenant.devices().iter().cycle().nth(*place).and_then(|row| row["id"].as_i64());
                let damaged = device.map(|id| Damage::to("deviceId", harm.clone()).of_device(id));
                faults.extend(damaged.map(|damage| Fault::Damaged(damage).on(path)));
            }
            faults
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(compare("generated", build, faults));
    }
}

/// Each is three hosts and many ticks: so fewer than of a pure function.
fn cases() -> u32 {
    (ProptestConfig::default().cases / 25).max(1)
}

/// The first device of an organization in the middle of the list.
fn some_device(tenant: &Tenant) -> i64 {
    let organization = &tenant.organizations()[4]["id"];
    let devices = tenant.devices();
    let own = devices
        .iter()
        .find(|device| device["organizationId"] == *organization);
    own.unwrap()["id"].as_i64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lost_row_or_a_report_that_fails_is_of_the_customers_that_it_is_of_alone() {
    let build = || tenant(8, 9, 5).build();
    let device = some_device(&build());
    for (path, harm) in [
        (
            "/v2/devices-detailed",
            Damage::to("id", Harm::Word).of_id(device),
        ),
        (
            "/v2/devices-detailed",
            Damage::to("organizationId", Harm::Object).of_id(device),
        ),
        ("/v2/devices", Damage::to("id", Harm::Word).of_id(device)),
        (
            "/v2/queries/volumes",
            Damage::to("deviceId", Harm::Word).of_device(device),
        ),
        (
            "/v2/queries/os-patches",
            Damage::to("deviceId", Harm::List).of_device(device),
        ),
        (
            "/v2/activities",
            Damage::to("statusCode", Harm::Object).of_device(device),
        ),
    ] {
        let what = format!("a lost row of {path}");
        compare(&what, build, || vec![Fault::Damaged(harm.clone()).on(path)]).await;
    }
    for path in [
        "/v2/queries/volumes",
        "/v2/queries/os-patches",
        "/v2/activities",
    ] {
        compare("always down", build, || {
            vec![Fault::ServiceUnavailable.on(path)]
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_row_is_not_looked_for_by_lists_that_are_answered_wrongly() {
    let build = || tenant(6, 8, 3).build();
    let device = some_device(&build());
    let lost = [
        Fault::Damaged(Damage::to("id", Harm::Word).of_id(device)).on("/v2/devices-detailed"),
        Fault::Damaged(Damage::to("deviceId", Harm::Word).of_device(device))
            .on("/v2/queries/os-patches"),
    ];
    for wrong in [
        Fault::MatchesNothing(Parameter::DeviceFilterIn),
        Fault::Halved(Half::Organizations),
        Fault::Halved(Half::Devices),
        Fault::Ignored(Parameter::DeviceFilterIn),
        Fault::Refused(Parameter::DeviceFilterIn),
    ] {
        for lost in &lost {
            let what = format!("{wrong:?} and {lost:?}");
            let faults = || vec![wrong.clone().on("/v2/*"), lost.clone()];
            compare(&what, build, faults).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_out_organizations_is_found_out_and_remembered() {
    for (fault, habit) in [
        (
            Fault::Halved(Half::Organizations),
            OrganizationListHabit::LeavesOut,
        ),
        (
            Fault::MatchesNothing(Parameter::DeviceFilterIn),
            OrganizationListHabit::LeavesOut,
        ),
        (
            Fault::Refused(Parameter::DeviceFilterIn),
            OrganizationListHabit::Refused,
        ),
    ] {
        let scene = Scene::new(tenant(6, 12, 6).build(), StrategyChoice::Cheapest).await;
        scene.front.tenant().fault(fault.on("/v2/*"));
        let planned = scene.planned().await;
        assert!(matches!(planned.as_slice(), [Event::SweepGroup(_)]));
        scene.sweep().await;
        let habits = scene.habits(RunKind::EvidenceSweep).await;
        assert_eq!(habits[&Report::Devices], habit);
        // From now on each is read alone.
        let planned = scene.planned().await;
        assert_eq!(planned.len(), 12);
        assert!(
            planned
                .iter()
                .all(|event| matches!(event, Event::EvidenceSweep(_)))
        );
    }
    let scene = Scene::new(tenant(6, 12, 6).build(), StrategyChoice::Cheapest).await;
    scene.sweep().await;
    let habits = scene.habits(RunKind::EvidenceSweep).await;
    assert!(
        habits
            .values()
            .all(|habit| *habit == OrganizationListHabit::Honoured),
        "{habits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_asset_sync_asks_no_server_again_for_lists_that_it_is_known_to_leave_rows_out_of() {
    let scene = Scene::new(tenant(6, 12, 6).build(), StrategyChoice::Cheapest).await;
    scene
        .front
        .tenant()
        .fault(Fault::Halved(Half::Organizations).on("/v2/*"));
    let mut requests = Vec::new();
    for _ in 0..4 {
        scene.front.tenant().clear_requests();
        scene.sync().await;
        requests.push(scene.requests());
        scene.clock.advance(Duration::hours(4));
    }
    assert!(requests[0] > requests[1], "{requests:?}");
    assert!(
        requests[1..].iter().all(|of| *of == requests[1]),
        "{requests:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_customers_cost_few_requests_and_the_audit_trail_says_so() {
    let scene = Scene::new(tenant(6, 12, 6).build(), StrategyChoice::Cheapest).await;
    scene.sweep().await;
    scene.front.tenant().clear_requests();
    let planned = scene.planned().await;
    let [Event::SweepGroup(group)] = planned.as_slice() else {
        panic!("{planned:?}");
    };
    assert_eq!(
        (group.strategy, group.reason),
        (SweepStrategy::Group, StrategyReason::Cheapest)
    );
    let ends = scene.sweep().await;
    assert_eq!(ends[0].outcome, EventOutcome::Done);
    assert!(scene.requests() <= 30, "{}", scene.requests());
    let audit = scene
        .store
        .msp_audit(msp(), AuditPage::first(AuditFilter::default(), 100))
        .await
        .unwrap();
    let told = audit.iter().find_map(|row| match &row.details {
        AuditDetails::GroupSwept {
            costs,
            committed,
            requests,
            ..
        } => Some((*costs, *committed, *requests)),
        _ => None,
    });
    let (costs, committed, requests) = told.unwrap();
    assert_eq!((committed, requests), (12, scene.requests() as u64));
    assert!(costs.group < costs.per_customer);
    // Delivered again, it asks for nothing.
    scene.front.tenant().clear_requests();
    let again = scene.integration.handle(&planned[0], 2).await;
    assert_eq!(again.outcome, EventOutcome::DoneBefore);
    assert_eq!(scene.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_during_the_pass_is_judged() {
    let build = || {
        let mut tenant = tenant(6, 8, 6).build();
        let device = some_device(&tenant);
        tenant.move_device(device, 9_999_999);
        tenant
    };
    for strategy in [StrategyChoice::Group, StrategyChoice::WholeTenant] {
        let to = tenant(6, 8, 6).build().organizations()[4]["id"].as_i64();
        let (device, to) = (some_device(&tenant(6, 8, 6).build()), to.unwrap());
        let scene = Scene::new(build(), strategy).await;
        let comes = Fault::DeviceMoves {
            device,
            organization: to,
        };
        scene.front.tenant().fault(comes.starting_at(4).once());
        scene.sweep().await;
        let alone = Scene::new(tenant(6, 8, 6).build(), StrategyChoice::PerCustomer).await;
        alone.sweep().await;
        assert_eq!(scene.remembered().await, alone.remembered().await);
    }
}

/// A device of an organization in the middle moves to this one as the request of this number comes, while the server does this: both
/// customers stand as their own sweeps would have found them after the move.
async fn moves(request: u64, to: Option<usize>, faults: &[FaultRule]) {
    let scene = Scene::new(tenant(6, 8, 6).build(), StrategyChoice::Group).await;
    let (device, to) = {
        let tenant = scene.front.tenant();
        // One that is in no pass.
        let to = to.map_or(9_999_999, |to| {
            tenant.organizations()[to]["id"].as_i64().unwrap()
        });
        (some_device(&tenant), to)
    };
    let moves = Fault::DeviceMoves {
        device,
        organization: to,
    };
    let mut faults = faults.to_vec();
    faults.push(moves.starting_at(request).once());
    scene.front.tenant().faults(faults.clone());
    let ends = scene.sweep().await;
    assert_eq!(ends[0].outcome, EventOutcome::Done, "{request}");
    let alone = {
        let tenant = tenant(6, 8, 6).build();
        let scene = Scene::new(tenant, StrategyChoice::PerCustomer).await;
        scene.front.tenant().move_device(device, to);
        scene.sweep().await;
        scene.remembered().await
    };
    assert_eq!(
        scene.remembered().await,
        alone,
        "{request}, {to}, {faults:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_that_moves_during_the_pass_counts_where_it_is() {
    for request in [2, 4, 8, 11] {
        moves(request, Some(6), &[]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_moves_to_a_customer_outside_the_pass_is_not_judged() {
    for request in [2, 4, 8, 11] {
        moves(request, None, &[]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_moves_while_each_list_is_read_alone_is_judged_once() {
    // It stands in no list, or in two.
    let refuses = Fault::Refused(Parameter::DeviceFilterIn).on("/v2/devices-detailed");
    for request in 2..=12 {
        for to in [Some(0), Some(6)] {
            moves(request, to, std::slice::from_ref(&refuses)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_look_that_leaves_out_devices_hides_none_that_moved() {
    for fault in [
        Fault::Halved(Half::Devices),
        Fault::Halved(Half::Organizations),
        Fault::MatchesNothing(Parameter::DeviceFilterIn),
    ] {
        for to in [Some(6), None] {
            moves(4, to, &[fault.clone().on("/v2/devices")]).await;
        }
    }
}

/// Requests by the lane's share of the budget, over hours of groups one after the other, with asset syncs between them.
async fn spent(person: bool) -> Vec<OffsetDateTime> {
    // Few devices: what counts is the requests.
    let tenant = tenant(6, 40, 1).enforce_limits(200, 1_500).build();
    let scene = Scene::limited(tenant, StrategyChoice::Group).await;
    let began = tokio::time::Instant::now();
    let sweeps = async {
        while began.elapsed() < Wait::from_mins(195) {
            scene.sync().await;
            let ends = scene.sweep().await;
            assert!(
                ends.iter().all(|end| end.outcome == EventOutcome::Done),
                "{ends:?}"
            );
        }
    };
    let people = async {
        if !person {
            std::future::pending::<()>().await;
        }
        loop {
            let request = TestSavedConnection {
                region: RegionKey::parse(&scene.front.url()).unwrap(),
                actor: Actor::Schedule,
            };
            scene
                .integration
                .test_saved_connection(msp(), request)
                .await
                .unwrap();
        }
    };
    let (sweeps, people) = (std::pin::pin!(sweeps), std::pin::pin!(people));
    futures_util::future::select(sweeps, people).await;
    let tenant = scene.front.tenant();
    let all = tenant
        .requests()
        .iter()
        .filter(|request| request.path.starts_with("/v2/"));
    all.map(|request| {
        assert_ne!(request.status, 429, "the limit was exceeded");
        request.at
    })
    .collect()
}

/// The most requests within any span of this length, and the fewest within one after the first two hours.
fn spans(at: &[OffsetDateTime], length: Duration) -> (usize, usize) {
    let within = |from: OffsetDateTime| {
        let first = at.partition_point(|time| *time < from);
        let last = at.partition_point(|time| *time < from + length);
        last - first
    };
    let most = at.iter().map(|time| within(*time)).max().unwrap();
    let begin = at[0] + Duration::hours(2);
    let settled = at
        .iter()
        .filter(|time| **time >= begin && **time + length <= at[at.len() - 1]);
    (most, settled.map(|time| within(*time)).min().unwrap())
}

#[tokio::test(start_paused = true)]
async fn hours_of_groups_use_what_sweeps_may_use_of_the_budget_and_never_more() {
    let (hour, minute) = (Duration::hours(1), Duration::minutes(1));
    let at = spent(false).await;
    let (most, fewest) = spans(&at, hour);
    assert!(
        most <= 1_350 && fewest * 100 >= 1_500 * 89,
        "{most}, {fewest}"
    );
    assert!(spans(&at, minute).0 <= 200);
    // With a person in the fast lane all of the time, both lanes use it up.
    let at = spent(true).await;
    let (most, fewest) = spans(&at, hour);
    assert!(
        most <= 1_500 && fewest * 100 >= 1_500 * 99,
        "{most}, {fewest}"
    );
    assert!(spans(&at, minute).0 <= 200);
}
