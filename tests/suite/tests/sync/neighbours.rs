//! Section 13, neighbours: what one MSP does or suffers takes nothing from another.
//!
//! The API's client, its limiter and the scheduler are the real ones; the network is a script, and time is simulated.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use regentra_harness::{keys::keyring, plan::PlanAll as _};
use regentra_sync::{
    Choice, Connect, Disconnect, Discover, ErrorKind, Integration, MapOrganization, Promote,
    Scheduler, TestConnection,
    host::{Clock, HostPolicy, Progress, ProgressObserver, StoreClock, to_micros},
    model::{Actor, CredentialId, EventId, MspOrgId, OrganizationId, RegionKey, StrategyChoice},
    ninjaone::NinjaOneApi,
    ninjaone_client::{RateLimit, RetryPolicy, Transport, TransportError},
    schedule::{Cadence, Event, EventOutcome, PlanKind},
    store::{Budget as _, Connections as _, MemoryStore, Runs as _},
};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::time::Instant;
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);

/// The time as tokio simulates it.
#[derive(Clone, Copy, Debug)]
struct Simulated(Instant);

impl Clock for Simulated {
    fn now(&self) -> OffsetDateTime {
        to_micros(NOW + self.0.elapsed())
    }
}

/// A network behind which every client id is known whose secret is `secret`, and which answers empty lists.
#[derive(Debug, Default)]
struct CountingNinjaOne {
    /// How many requests were sent, by client id; those with a token are found by it.
    sent: Mutex<BTreeMap<String, u64>>,
    /// Whose requests are never answered, but for log-ins.
    silent: Mutex<Option<String>>,
    organizations: usize,
}

impl CountingNinjaOne {
    fn sent(&self, client: &str) -> u64 {
        self.sent.lock().unwrap().get(client).copied().unwrap_or(0)
    }

    fn of_form(request: &Request<Bytes>, field: &str) -> String {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let field = format!("{field}=");
        let mut pairs = body.split('&').filter_map(|pair| pair.strip_prefix(&field));
        pairs.next().unwrap_or_default().to_owned()
    }
}

fn answer(status: StatusCode, body: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    answer
}

#[async_trait]
impl Transport for CountingNinjaOne {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        tokio::task::yield_now().await;
        let path = request.uri().path().to_owned();
        if path.contains("oauth") {
            let client = Self::of_form(&request, "client_id");
            *self.sent.lock().unwrap().entry(client.clone()).or_default() += 1;
            if Self::of_form(&request, "client_secret") != "secret" {
                let body = r#"{"error":"invalid_client"}"#.to_owned();
                return Ok(answer(StatusCode::UNAUTHORIZED, body));
            }
            let body = format!(
                r#"{{"access_token":"{client}","token_type":"Bearer","expires_in":3600,"scope":"monitoring"}}"#
            );
            return Ok(answer(StatusCode::OK, body));
        }
        let token = request.headers().get("authorization").unwrap();
        let client = token.to_str().unwrap().trim_start_matches("Bearer ");
        let client = client.to_owned();
        *self.sent.lock().unwrap().entry(client.clone()).or_default() += 1;
        if self.silent.lock().unwrap().as_ref() == Some(&client) {
            return pending().await;
        }
        let body = if path.ends_with("/organizations") {
            // An empty page ends the list.
            let query = request.uri().query().unwrap_or_default();
            let after = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("after="));
            let after = after.map_or(0, |id| id.parse().unwrap());
            let rows = (after + 1..=self.organizations)
                .map(|id| format!(r#"{{"id":{id},"name":"Org {id}"}}"#));
            format!("[{}]", rows.collect::<Vec<_>>().join(","))
        } else if path.contains("activities") {
            r#"{"lastActivityId":0,"activities":[]}"#.to_owned()
        } else if path.contains("queries") {
            r#"{"results":[]}"#.to_owned()
        } else {
            "[]".to_owned()
        };
        Ok(answer(StatusCode::OK, body))
    }
}

/// When each event ended, and how.
#[derive(Debug)]
struct Ends(Simulated, Mutex<Vec<(EventId, EventOutcome, Duration)>>);

impl ProgressObserver for Ends {
    fn progress(&self, progress: &Progress) {
        if let Progress::EventFinished { event, outcome, .. } = progress {
            let after = self.0.now() - NOW;
            self.1.lock().unwrap().push((*event, *outcome, after));
        }
    }
}

struct Host {
    store: MemoryStore,
    network: Arc<CountingNinjaOne>,
    live: Arc<NinjaOneApi>,
    clock: Simulated,
    ends: Arc<Ends>,
    integration: Integration,
}

fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number))
}

fn eu() -> RegionKey {
    RegionKey::parse("eu").unwrap()
}

fn event(label: &str) -> EventId {
    EventId::of_request("neighbours", label)
}

impl Host {
    fn new(organizations: usize, policy: HostPolicy) -> Self {
        let clock = Simulated(Instant::now());
        let store = MemoryStore::new().with_clock(StoreClock::of(clock));
        let network = Arc::new(CountingNinjaOne {
            organizations,
            ..CountingNinjaOne::default()
        });
        let live = NinjaOneApi::new()
            .rate_limit(RateLimit::default())
            .retry(RetryPolicy::default())
            .transport(Arc::<CountingNinjaOne>::clone(&network))
            .shared_budget(Arc::new(store.clone()), Arc::new(keyring()));
        let (live, ends) = (Arc::new(live), Arc::new(Ends(clock, Mutex::default())));
        let ninjaone = Arc::<NinjaOneApi>::clone(&live);
        let integration = Integration::builder(Arc::new(store.clone()), keyring(), ninjaone)
            .clock(Arc::new(clock))
            .observer(Arc::<Ends>::clone(&ends))
            .policy(policy.sweep_strategy(StrategyChoice::PerCustomer))
            .build();
        Self {
            store,
            network,
            live,
            clock,
            ends,
            integration,
        }
    }

    fn connecting(number: u128, client: &str, secret: &str) -> Connect {
        Connect {
            event: event(&format!("connect {number} {client} {secret}")),
            region: eu(),
            client_id: client.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        }
    }

    async fn discover(&self, number: u128, label: &str) {
        let (eu, event) = (eu(), event(&format!("{number} {label}")));
        let discovery = self.integration.discover(
            msp(number),
            Discover {
                region: eu.clone(),
                actor: Actor::Schedule,
                event,
            },
        );
        discovery.await.unwrap();
    }

    async fn test(&self, number: u128, client: &str, secret: &str) -> Result<u64, ErrorKind> {
        let request = TestConnection {
            region: eu(),
            client_id: client.into(),
            client_secret: secret.into(),
            try_other_regions: false,
            actor: Actor::Schedule,
        };
        let tested = self.integration.test_connection(msp(number), request);
        let tested = tested.await.map_err(|error| error.kind());
        tested.map(|tested| tested.organizations_visible)
    }

    /// An MSP with so many promoted customers. Its client id is its own.
    async fn promoted(&self, number: u128, client: &str, customers: usize) -> CredentialId {
        let (host, msp) = (&self.integration, msp(number));
        let connect = Self::connecting(number, client, "secret");
        let credential = host.connect(msp, connect).await.unwrap().credential;
        let event = |what: &str| event(&format!("{number} {what}"));
        self.discover(number, "discover").await;
        for organization in (1..).take(customers) {
            let external = OrganizationId::new(organization);
            let mapping = regentra_sync::model::MappingId::of(credential, external);
            let mapped = host.map(
                msp,
                MapOrganization {
                    mapping,
                    choice: Choice::CreateNew,
                    actor: Actor::Schedule,
                    event: event(&format!("map {organization}")),
                },
            );
            let company = mapped.await.unwrap().mapping.state.company().unwrap();
            let customer = Uuid::from_u128(company.as_uuid().as_u128() ^ 0xc0de);
            let promoted = host.promote(
                msp,
                Promote {
                    company,
                    compliance_org: regentra_sync::model::ComplianceOrgId::from_uuid(customer),
                    actor: Actor::Schedule,
                    event: event(&format!("promote {organization}")),
                },
            );
            promoted.await.unwrap();
        }
        credential
    }

    /// Spends a connection's whole hour.
    async fn exhaust(&self, number: u128, credential: CredentialId) {
        let stored = self.store.credential(msp(number), credential).await;
        let fingerprint = stored.unwrap().unwrap().fingerprint;
        let hour = [regentra_sync::model::NINJAONE_WINDOWS[1]];
        for _ in 0..1_500 {
            let _ = self.store.spend(&fingerprint, &hour).await.unwrap();
        }
    }

    /// The sweeps that are due, whose they are.
    async fn due(&self) -> BTreeMap<EventId, MspOrgId> {
        let tick = Cadence::EVIDENCE_SWEEP.last(self.clock.now());
        let events = self
            .integration
            .plan_all(PlanKind::EvidenceSweep, tick)
            .await;
        let events = events.unwrap().into_iter();
        events.map(|event| (event.id(), event.msp())).collect()
    }

    fn only_sweeps(&self) -> Scheduler {
        Scheduler::new(self.integration.clone())
            .timetable([(PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP)])
            .parallel(4)
    }

    /// When the sweeps of MSPs were done, the first MSP's apart.
    fn done(&self, due: &BTreeMap<EventId, MspOrgId>) -> (Vec<Duration>, Vec<Duration>) {
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for (event, end, after) in self.ends.1.lock().unwrap().iter() {
            if *end == EventOutcome::Done {
                let of = if due[event] == msp(1) {
                    &mut first
                } else {
                    &mut others
                };
                of.push(*after);
            }
        }
        (first, others)
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_msp_of_forty_sweeps_keeps_none_of_twenty_others_waiting() {
    one_is_exhausted(4).await;
}

/// Here no share of the slots is kept from it: it gives the only one back.
#[tokio::test(start_paused = true)]
async fn a_spent_budget_holds_not_even_the_only_slot() {
    one_is_exhausted(1).await;
}

async fn one_is_exhausted(parallel: usize) {
    let host = Host::new(40, HostPolicy::default());
    // Clients of one id share their limiter in a process: tests that run beside each other have ids of their own.
    let exhausted = format!("exhausted-{parallel}");
    let exhausted = host.promoted(1, &exhausted, 40).await;
    for number in 2..=21 {
        let client = format!("client-{parallel}-{number}");
        host.promoted(number, &client, 1).await;
    }
    host.exhaust(1, exhausted).await;
    let due = host.due().await;
    assert_eq!(due.len(), 60);
    let begin = host.clock.now() - NOW;
    let scheduler = host.only_sweeps().parallel(parallel);
    let stopped = scheduler.run_due(pending()).await;
    assert_eq!((stopped.done, stopped.failed), (60, 0), "{stopped:?}");
    let (first, others) = host.done(&due);
    assert_eq!((first.len(), others.len()), (40, 20));
    for after in others {
        assert!(after - begin < Duration::minutes(1), "{after}");
    }
    // The exhausted one is done when its hour has room again, and not before.
    assert!(
        first
            .iter()
            .all(|after| *after - begin > Duration::minutes(58)),
        "{first:?}"
    );
    assert!(
        first
            .iter()
            .all(|after| *after - begin < Duration::minutes(80)),
        "{first:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_never_answers_takes_no_more_than_its_share_of_the_slots() {
    let policy = HostPolicy::default().sweep_deadline(Duration::minutes(10));
    let host = Host::new(40, policy);
    host.promoted(1, "silent", 40).await;
    for number in 2..=21 {
        host.promoted(number, &format!("neighbour {number}"), 1)
            .await;
    }
    *host.network.silent.lock().unwrap() = Some("silent".to_owned());
    let due = host.due().await;
    let begin = host.clock.now() - NOW;
    let an_hour = tokio::time::sleep(std::time::Duration::from_hours(1));
    host.only_sweeps().run_due(an_hour).await;
    let (first, others) = host.done(&due);
    assert_eq!((first.len(), others.len()), (0, 20));
    for after in others {
        assert!(after - begin < Duration::minutes(1), "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_exceeds_its_deadline_ends_with_its_kind() {
    let policy = HostPolicy::default()
        .sweep_deadline(Duration::seconds(10))
        .event_deadline(Duration::seconds(30));
    let host = Host::new(1, policy);
    host.promoted(1, "slow", 1).await;
    *host.network.silent.lock().unwrap() = Some("slow".to_owned());
    let plan = async |kind, cadence: Cadence| {
        let events = host
            .integration
            .plan_all(kind, cadence.last(host.clock.now()));
        events.await.unwrap().remove(0)
    };
    let sweep = plan(PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP).await;
    let sync = plan(PlanKind::AssetSync, Cadence::ASSET_SYNC).await;
    for (event, seconds) in [(sweep, 10), (sync, 30)] {
        let begin = Instant::now();
        let error = match &event {
            Event::EvidenceSweep(event) => host.integration.sweep(event).await.map(drop),
            Event::AssetSync(event) => host.integration.sync(event).await.map(drop),
            other => panic!("{other:?} in a plan"),
        };
        let error = error.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (ErrorKind::Deadline, true)
        );
        assert_eq!(begin.elapsed(), std::time::Duration::from_secs(seconds));
        assert!(!error.to_string().contains("slow"));
        let runs = host.store.runs(msp(1)).await.unwrap();
        let failed = runs
            .iter()
            .any(|run| serde_json::to_string(run).unwrap().contains("deadline"));
        assert!(failed, "the card says so: {runs:?}");
        // It holds nothing: the next attempt begins afresh.
        let again = host.integration.handle(&event, 2).await;
        let error = ErrorKind::Deadline;
        assert_eq!(again.outcome, EventOutcome::Failed { error });
    }
}

#[tokio::test(start_paused = true)]
async fn four_hundred_invented_client_ids_keep_no_client() {
    let host = Host::new(3, HostPolicy::default());
    host.promoted(1, "ours", 1).await;
    assert_eq!(host.live.kept_clients(), 1);
    for number in 0..400 {
        // A log-in that fails is one of the MSP's own requests.
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        let (client, secret) = (format!("invented {number}"), format!("guess {number}"));
        let error = host.test(2, &client, &secret).await.unwrap_err();
        assert!(matches!(error, ErrorKind::Ninjaone(_)), "{error:?}");
    }
    assert!(host.live.kept_clients() <= 1);
    // Neither does a test that succeeds.
    assert_eq!(host.test(2, "right", "secret").await, Ok(3));
    assert!(host.live.kept_clients() <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_goes_with_disconnect_reconnect_and_an_hour_idle() {
    let host = Host::new(3, HostPolicy::default());
    host.promoted(1, "ours", 1).await;
    assert_eq!(host.live.kept_clients(), 1);
    // Used again and again it stays.
    for hour in 0..3 {
        tokio::time::sleep(std::time::Duration::from_mins(50)).await;
        host.discover(1, &format!("again {hour}")).await;
        assert_eq!(host.live.kept_clients(), 1, "hour {hour}");
    }
    tokio::time::sleep(std::time::Duration::from_mins(66)).await;
    assert_eq!(host.live.kept_clients(), 0, "an hour idle");

    host.discover(1, "kept again").await;
    assert_eq!(host.live.kept_clients(), 1);
    let again = Connect {
        event: event("reconnect"),
        ..Host::connecting(1, "ours", "secret")
    };
    host.integration.connect(msp(1), again).await.unwrap();
    assert_eq!(host.live.kept_clients(), 0, "a reconnect");
    host.discover(1, "after the reconnect").await;
    assert_eq!(host.live.kept_clients(), 1);
    let (eu, event) = (eu(), event("disconnect"));
    let gone = host.integration.disconnect(
        msp(1),
        Disconnect {
            region: eu.clone(),
            actor: Actor::Schedule,
            event,
        },
    );
    assert!(gone.await.unwrap().changed);
    assert_eq!(host.live.kept_clients(), 0, "a disconnect");
}

#[tokio::test(start_paused = true)]
async fn a_client_id_is_claimed_only_by_who_authenticated_with_it() {
    let host = Host::new(3, HostPolicy::default());
    // MSP 2 names MSP 1's client id first, without its secret.
    let claim = Host::connecting(2, "ours", "guess");
    let refused = host.integration.connect(msp(2), claim).await.unwrap_err();
    assert!(
        matches!(refused.kind(), ErrorKind::Ninjaone(_)),
        "{refused:?}"
    );
    assert!(host.store.credentials(msp(2)).await.unwrap().is_empty());
    let ours = Host::connecting(1, "ours", "secret");
    host.integration.connect(msp(1), ours).await.unwrap();
    // Who has the secret learns that it is taken, as before.
    let second = Host::connecting(2, "ours", "secret");
    let taken = host.integration.connect(msp(2), second).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn failed_log_ins_spend_the_budget_of_the_msp_that_tries() {
    let host = Host::new(3, HostPolicy::default());
    let credential = host.promoted(1, "ours", 1).await;
    let stored = host.store.credential(msp(1), credential).await;
    let fingerprint = stored.unwrap().unwrap().fingerprint;
    tokio::time::sleep(std::time::Duration::from_hours(2)).await;
    let before = host.network.sent("ours");
    for number in 0..100 {
        let guess = format!("guess {number}");
        let _ = host.test(2, "ours", &guess).await.unwrap_err();
    }
    assert_eq!(host.network.sent("ours") - before, 100, "each was sent");
    let usage = host.store.budget_usage(&fingerprint).await.unwrap();
    assert_eq!(usage.last_hour, 0, "and cost its owner nothing");
    // A hundred more in the same minute are more than the guesser has.
    let began = Instant::now();
    for number in 100..201 {
        let guess = format!("guess {number}");
        let _ = host.test(2, "ours", &guess).await.unwrap_err();
    }
    assert!(began.elapsed() > std::time::Duration::from_secs(50));
    // Its owner waits for nothing meanwhile.
    let began = Instant::now();
    assert_eq!(host.test(1, "ours", "secret").await, Ok(3));
    assert!(began.elapsed() < std::time::Duration::from_secs(1));
    // What was asked with an accepted log-in is the tenant's: the page of organizations, and the empty one that ends them.
    let usage = host.store.budget_usage(&fingerprint).await.unwrap();
    assert_eq!(usage.last_hour, 2);
}
