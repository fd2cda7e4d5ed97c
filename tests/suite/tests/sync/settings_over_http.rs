//! Settings of connections over real HTTP: three providers with equal fleets, each with a NinjaOne tenant and settings of its own.

use std::sync::Arc;

use ninjaone_simulator::{Preset, Tenant, front};
use regentra_evidence::{KindsInUse, SignalKind};
use regentra_harness::{keys::keyring, plan::PlanAll as _};
use regentra_sync::{
    Change, Choice, Configure, Connect, Discover, Integration, MapOrganization, Promote,
    SweepOutcome,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{
        Actor, ComplianceOrgId, CustomFieldSource, CustomFields, EventId, MspOrgId, Question,
        RegionKey,
    },
    ninjaone::NinjaOneApi,
    ninjaone_client::RateLimit,
    schedule::{Cadence, Event, PlanKind},
    store::MemoryStore,
};
use serde_json::Value;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number))
}

struct Providers {
    integration: Integration,
    clock: ManualClock,
    regions: Vec<RegionKey>,
    servers: Vec<front::tcp::Front>,
}

impl Providers {
    /// Three of them, each with one customer, swept never.
    async fn three() -> Self {
        let clock = ManualClock::at(NOW);
        let store = MemoryStore::new().with_clock(StoreClock::of(clock.clone()));
        let keyring = keyring();
        let ninjaone = NinjaOneApi::new().rate_limit(RateLimit::unlimited());
        let integration = Integration::builder(Arc::new(store), keyring, Arc::new(ninjaone))
            .clock(Arc::new(clock.clone()))
            .policy(HostPolicy::default().allow_hosts(|_| true))
            .build();
        let mut providers = Self {
            integration,
            clock,
            regions: Vec::new(),
            servers: Vec::new(),
        };
        for number in 1..=3 {
            providers.add(number).await;
        }
        providers
    }

    async fn add(&mut self, number: u128) {
        let tenant = Tenant::builder(NOW)
            .preset(Preset::Mixed, 5, 40)
            .organization_count(1)
            .build();
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let server = front::tcp::serve(tenant).await.unwrap();
        let (integration, msp) = (&self.integration, msp(number));
        let region = RegionKey::parse(&server.url()).unwrap();
        let event = |what: &str| EventId::of_request(what, &number.to_string());
        let connect = Connect {
            event: event("connect"),
            region: region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: true,
            actor: Actor::Schedule,
        };
        let connected = integration.connect(msp, connect).await.unwrap();
        let discover = Discover {
            region: region.clone(),
            actor: Actor::Schedule,
            event: event("discover"),
        };
        let discovery = integration.discover(msp, discover);
        discovery.await.unwrap();
        let views = integration.views();
        let mappings = views.mappings(msp, connected.credential).await.unwrap();
        let map = MapOrganization {
            mapping: mappings[0].id,
            choice: Choice::CreateNew,
            actor: Actor::Schedule,
            event: event("map"),
        };
        let map = integration.map(msp, map);
        let company = map.await.unwrap().mapping.state.company().unwrap();
        let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(100 + number));
        let promote = Promote {
            company,
            compliance_org: customer,
            actor: Actor::Schedule,
            event: event("promote"),
        };
        let promoted = integration.promote(msp, promote);
        promoted.await.unwrap();
        self.regions.push(region);
        self.servers.push(server);
    }

    async fn configure(&self, number: usize, change: impl FnOnce(&mut Configure)) {
        let event = EventId::new(self.clock_now());
        let region = self.regions[number - 1].clone();
        let mut request = Configure::new(event, region, Actor::Schedule);
        change(&mut request);
        let configured = self.integration.configure(msp(number as u128), request);
        assert!(configured.await.unwrap().changed);
    }

    fn clock_now(&self) -> OffsetDateTime {
        use regentra_sync::host::Clock as _;
        self.clock.now()
    }

    /// Sweeps all in the present tick, and moves on to the next: the five signals of each provider's customer.
    async fn sweep(&self) -> Vec<Vec<Value>> {
        let tick = Cadence::EVIDENCE_SWEEP.last(self.clock_now());
        let events = self
            .integration
            .plan_all(PlanKind::EvidenceSweep, tick)
            .await;
        let mut events: Vec<_> = events
            .unwrap()
            .into_iter()
            .map(|event| match event {
                Event::EvidenceSweep(event) => event,
                other => panic!("{other:?}"),
            })
            .collect();
        events.sort_by_key(|event| event.msp_credential_org_id);
        let mut signals = Vec::new();
        for event in events {
            match self.integration.sweep(&event).await.unwrap() {
                SweepOutcome::Committed(report) => {
                    let signals_of = report.signals.iter();
                    let json = |stored: &regentra_sync::store::StoredSignal| {
                        serde_json::to_value(&stored.signal).unwrap()
                    };
                    signals.push(signals_of.map(json).collect());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(signals.len(), 3);
        self.clock.advance(Duration::hours(6));
        signals
    }
}

fn encrypted_by(field: &str, yes: &str, no: &str) -> Change<CustomFields> {
    let source = CustomFieldSource::new(field, [yes], [no]).unwrap();
    Change::To(CustomFields::default().answer(Question::DiskEncrypted, source))
}

/// The kinds of signals in which two sweeps differ.
fn differences(one: &[Value], other: &[Value]) -> Vec<SignalKind> {
    let pairs = SignalKind::ALL.into_iter().zip(one.iter().zip(other));
    let differ = pairs.filter(|(_, (one, other))| one != other);
    differ.map(|(kind, _)| kind).collect()
}

fn disk(signals: &[Value]) -> &Value {
    signals
        .iter()
        .find(|signal| signal["signal"] == "disk_encryption")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_one_provider_change_its_verdicts_and_no_other_ones() {
    let providers = Providers::three().await;
    let swept = providers.sweep().await;
    assert!(swept.iter().all(|signals| *signals == swept[0]));
    let unmeasured = |signals: &[Value]| {
        let volumes = &disk(signals)["metadata"]["volumes"];
        volumes["unmeasured"].as_u64().unwrap()
    };
    assert!(unmeasured(&swept[0]) > 0, "{}", disk(&swept[0]));

    // A field that the tenant does not have makes nothing better, and nothing worse.
    let typo = encrypted_by("filevoult", "Yes", "No");
    providers
        .configure(1, |request| request.custom_fields = typo)
        .await;
    let swept = providers.sweep().await;
    assert!(swept.iter().all(|signals| *signals == swept[0]));

    let right = encrypted_by("fileVault", "Yes", "No");
    providers
        .configure(1, |request| request.custom_fields = right)
        .await;
    let swept = providers.sweep().await;
    assert_eq!(
        differences(&swept[0], &swept[1]),
        [SignalKind::DiskEncryption]
    );
    assert!(unmeasured(&swept[0]) < unmeasured(&swept[1]));
    assert_eq!(swept[1], swept[2]);

    // The same field means the opposite in another tenant: each is judged by its own words.
    let opposite = encrypted_by("fileVault", "No", "Yes");
    providers
        .configure(2, |request| request.custom_fields = opposite)
        .await;
    let swept = providers.sweep().await;
    let encrypted = |signals: &[Value]| disk(signals)["metadata"]["volumes"]["encrypted"].as_u64();
    let (own, other, none) = (
        encrypted(&swept[0]),
        encrypted(&swept[1]),
        encrypted(&swept[2]),
    );
    assert!(own > other && other >= none, "{own:?} {other:?} {none:?}");

    let kinds = Change::To(KindsInUse::Os);
    providers
        .configure(3, |request| request.kinds_in_use = kinds)
        .await;
    let swept = providers.sweep().await;
    let reasons = |signals: &[Value]| {
        let patches = signals.iter().find(|one| one["signal"] == "patch_sla");
        patches.unwrap()["reasons"].to_string()
    };
    assert!(!reasons(&swept[0]).contains("kind_not_in_use"));
    assert!(reasons(&swept[2]).contains("kind_not_in_use"));
}
