//! The whole story over a fleet in which every text is a canary, and where none of them may turn up afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ninjaone_simulator::{Fault, Malformed, Preset, Tenant, front};
use regentra_evidence::{Guard, LeakKind};
use regentra_sync::{
    Choice, Connect, Disconnect, Discover, Integration, MapOrganization, Promote, SweepNow,
    SweepOutcome, SyncAssets,
    host::{HostPolicy, ManualClock, StoreClock},
    model::{Actor, ComplianceOrgId, EventId, MspOrgId, RegionKey, StrategyChoice},
    ninjaone::NinjaOneApi,
    ninjaone_client::RateLimit,
    store::Store,
};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::runtime::{self, Runtime};
use uuid::Uuid;

use crate::{
    keys::keyring,
    log::{Log, heard_whatever_other_threads_do},
};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// Columns, each by its table and its name.
pub type Places = [(&'static str, &'static str)];

/// What names a customer or a machine to the MSP that looks after them.
pub const NAMED: &Places = &[
    ("companies", "name"),
    ("mappings", "name"),
    ("assets", "name"),
    ("assets", "host_name"),
    ("assets", "serial_number"),
    ("assets", "entra_device_id"),
    ("assets", "manufacturer"),
    ("assets", "model"),
    ("assets", "operating_system"),
];

/// What a customer's own auditors read, and what leaves the MSP as tickets.
pub const PUBLISHED: &Places = &[
    ("signals", "body"),
    ("evidence", "record"),
    ("customer_audit", "details"),
    ("msp_audit", "details"),
    ("outbox", "action"),
    ("runs", "outcome"),
];

/// Every value of every column, as text, by table and column.
pub type Columns = BTreeMap<(String, String), Vec<String>>;

/// What must not turn up.
pub struct Planted {
    pub canaries: BTreeSet<String>,
    pub secrets: Vec<String>,
}

/// From connecting to disconnecting, with rows that do not decode and filters that are ignored on the way. Its organizations are
/// read by one strategy or another.
#[expect(clippy::too_many_lines, reason = "a story is one piece")]
pub async fn whole_story(
    strategy: StrategyChoice,
    store: impl FnOnce(StoreClock) -> Arc<dyn Store>,
) -> Planted {
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
    let clock = ManualClock::at(NOW);
    let keyring = Arc::new(keyring());
    let store = store(StoreClock::of(clock.clone()));
    let ninjaone = NinjaOneApi::new()
        .rate_limit(RateLimit::unlimited())
        .shared_budget(Arc::clone(&store), Arc::clone(&keyring));
    let policy = HostPolicy::default()
        .allow_hosts(|_| true)
        .tickets_per_tick(3);
    let host = Integration::builder(store, keyring, Arc::new(ninjaone))
        .clock(Arc::new(clock.clone()))
        .policy(policy.sweep_strategy(strategy))
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
    host.discover(
        msp,
        Discover {
            region: region.clone(),
            actor,
            event: event("discover"),
        },
    )
    .await
    .unwrap();
    let mappings = host.views().mappings(msp, credential).await.unwrap();
    for (mapping, number) in mappings.iter().zip(100..) {
        let event = event(&mapping.id.to_string());
        let mapped = host.map(
            msp,
            MapOrganization {
                mapping: mapping.id,
                choice: Choice::CreateNew,
                actor,
                event,
            },
        );
        let company = mapped.await.unwrap().mapping.state.company().unwrap();
        let customer = ComplianceOrgId::from_uuid(Uuid::from_u128(number));
        let event = EventId::of_request("promote", &company.to_string());
        host.promote(
            msp,
            Promote {
                company,
                compliance_org: customer,
                actor,
                event,
            },
        )
        .await
        .unwrap();
    }
    for round in 0..4 {
        if round == 1 {
            server.tenant().fault(Fault::FiltersIgnored);
        }
        let event = event(&format!("sync {round}"));
        host.sync_assets(
            msp,
            SyncAssets {
                region: region.clone(),
                actor,
                event,
            },
        )
        .await
        .unwrap();
        let tick = NOW + Duration::hours(6) * round;
        clock.set(tick);
        for (_, swept) in host
            .sweep_now(
                msp,
                SweepNow {
                    scheduled_at: tick,
                    parallel: 2,
                    actor,
                },
            )
            .await
            .unwrap()
        {
            assert!(matches!(swept.unwrap(), SweepOutcome::Committed(_)));
        }
    }
    for row in host.views().outbox(msp, 2).await.unwrap() {
        host.delivered(msp, row.id, Some("T-1".into()))
            .await
            .unwrap();
    }
    host.disconnect(
        msp,
        Disconnect {
            region: region.clone(),
            actor,
            event: event("disconnect"),
        },
    )
    .await
    .unwrap();
    Planted {
        canaries,
        secrets: vec![id, secret],
    }
}

pub fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Does something, and listens to everything that is logged meanwhile.
pub fn listening<T>(runtime: &Runtime, story: impl Future<Output = T>) -> (T, String) {
    let log = Log::default();
    let _second = heard_whatever_other_threads_do();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let told = tracing::subscriber::with_default(subscriber, || runtime.block_on(story));
    let log = log.text();
    (told, log)
}

impl Planted {
    /// The first canary in a text.
    pub fn canary_in(&self, text: &str) -> Option<&str> {
        let mut canaries = self.canaries.iter();
        let held = canaries.find(|canary| text.contains(canary.as_str()));
        held.map(String::as_str)
    }

    /// The first secret in a text.
    pub fn secret_in(&self, text: &str) -> Option<&str> {
        let mut secrets = self.secrets.iter();
        let held = secrets.find(|secret| text.contains(secret.as_str()));
        held.map(String::as_str)
    }

    /// `named` is what names a customer or a machine to the MSP that looks after them: only there a canary may be. `published`
    /// is what a customer's own auditors read, and what leaves the MSP as tickets: JSON in which nothing may even look like
    /// what canaries look like.
    pub fn look_at(&self, columns: &Columns, named: &Places, published: &Places) {
        assert!(
            self.canaries.len() > 100 && columns.len() > 100,
            "{} columns",
            columns.len()
        );
        for place in named.iter().chain(published) {
            let mut there = columns.keys();
            let is_there = there.any(|(table, column)| (table.as_str(), column.as_str()) == *place);
            assert!(is_there, "{place:?} is no column");
        }
        let mut naming = 0;
        for ((table, column), values) in columns {
            let place = (table.as_str(), column.as_str());
            let is_published = published.contains(&place);
            assert!(
                !is_published || !values.is_empty(),
                "nothing was written into {place:?}"
            );
            for value in values {
                let held = self.canary_in(value);
                naming += usize::from(held.is_some());
                assert!(
                    held.is_none() || named.contains(&place),
                    "{held:?} in {place:?}"
                );
                assert_eq!(self.secret_in(value), None, "in {place:?}");
                if is_published {
                    self.look_through(value, place);
                }
            }
        }
        assert!(naming > 100, "the assets name machines: {naming}");
    }

    fn look_through(&self, value: &str, place: (&str, &str)) {
        let shapes = [
            LeakKind::Ipv4,
            LeakKind::Ipv6,
            LeakKind::Mac,
            LeakKind::Drive,
            LeakKind::Email,
            LeakKind::DomainUser,
            LeakKind::Denied,
        ];
        let json: serde_json::Value = serde_json::from_str(value).unwrap();
        let guard = Guard::new().deny(&self.canaries);
        let found = guard.scan(&json).unwrap().into_iter();
        let mut leaks = found.filter(|finding| {
            // The region of a simulated tenant is the address of this machine.
            shapes.contains(&finding.kind) && !finding.path.ends_with("/region")
        });
        assert_eq!(leaks.next(), None, "in {place:?}: {value}");
    }

    /// What the crates logged, at every level.
    pub fn look_at_log(&self, log: &str) {
        assert!(
            log.contains("regentra.sweep") && log.contains("ninjaone.attempt"),
            "the log was listened to"
        );
        for planted in self.canaries.iter().chain(&self.secrets) {
            assert!(!log.contains(planted.as_str()), "logged: {planted}");
        }
    }
}
