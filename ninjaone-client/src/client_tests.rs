//! The pipeline over a scripted transport, in simulated time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    BudgetError, BudgetGrant, BudgetKey, Client, ClientEvent, ClientObserver, ErrorKind, Lane,
    RateLimit, RetryPolicy, SharedBudget, TransportError, TransportErrorKind, WaitReason,
    organizations::OrganizationsParams,
    scripted::{Scripted, answer, parameter, token, with_token},
};

async fn list(client: &Client) -> Result<usize, crate::Error> {
    let organizations = client
        .organizations()
        .list(OrganizationsParams::default())
        .collect()
        .await?;
    Ok(organizations.rows.len())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_authenticated_and_the_token_is_kept() {
    let script = with_token(|_| answer(200, "[]"));
    let client = script.client();
    assert_eq!(list(&client).await.unwrap(), 0);
    assert_eq!(list(&client.clone()).await.unwrap(), 0);
    assert_eq!(
        script.sent(),
        [
            "/ws/oauth/token",
            "/v2/organizations?pageSize=1000",
            "/v2/organizations?pageSize=1000"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_passing_fault_is_retried_and_waits_as_asked() {
    for (fault, at_least) in [
        (answer(503, ""), 0),
        (answer(200, "<html>Too many requests</html>"), 0),
        (answer(200, r#"[{"id":1}"#), 0),
        (answer(200, ""), 0),
        (Err(TransportError::new(TransportErrorKind::Timeout)), 0),
        (Err(TransportError::new(TransportErrorKind::Connect)), 0),
        (Err(TransportError::new(TransportErrorKind::Incomplete)), 0),
        (
            Ok(http::Response::builder()
                .status(429)
                .header("retry-after", "17")
                .body(bytes::Bytes::new())
                .unwrap()),
            17,
        ),
    ] {
        let described = format!("{fault:?}");
        let mut fault = Some(fault);
        let script = with_token(move |_| fault.take().unwrap_or_else(|| answer(200, "[]")));
        let before = Instant::now();
        assert_eq!(list(&script.client()).await.unwrap(), 0, "{described}");
        assert_eq!(script.asked().len(), 2, "{described}");
        assert!(
            before.elapsed() >= Duration::from_secs(at_least),
            "{described}"
        );
        assert!(
            before.elapsed() <= Duration::from_secs(at_least + 2),
            "{described}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lasting_faults_are_not_retried() {
    for (status, kind) in [
        (400, ErrorKind::InvalidRequest),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (302, ErrorKind::Config),
    ] {
        let script = with_token(move |_| answer(status, "{}"));
        let error = list(&script.client()).await.unwrap_err();
        assert_eq!((error.kind(), script.asked().len()), (kind, 1));
        assert_eq!(
            (error.status(), error.operation()),
            (Some(status), "organizations.list")
        );
        assert!(!error.is_retryable());
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_bounded_by_count_and_deadline() {
    let script = with_token(|_| answer(503, ""));
    let error = list(&script.client()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts(), script.asked().len()),
        (ErrorKind::Server, 6, 6),
        "five, and one in pages of half the size"
    );
    assert!(error.is_retryable());

    let script = with_token(|_| {
        Ok(http::Response::builder()
            .status(429)
            .header("retry-after", "3000")
            .body(bytes::Bytes::new())
            .unwrap())
    });
    let before = Instant::now();
    let error = list(&script.client()).await.unwrap_err();
    let retry_after = Some(Duration::from_secs(3000));
    assert_eq!(
        (error.kind(), script.asked().len()),
        (ErrorKind::RateLimited { retry_after }, 1)
    );
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "a wait beyond the deadline is the caller's"
    );
}

#[tokio::test(start_paused = true)]
async fn token_ends_mid_run_after_an_hour() {
    // Renewed a minute early by the clock, and once more when NinjaOne refuses it all the same.
    let valid = Arc::new(AtomicU32::new(0));
    let issued = Arc::clone(&valid);
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tokens);
    let script = Scripted::new(move |path| {
        if path.starts_with("/ws") {
            let number = issued.fetch_add(1, Ordering::Relaxed) + 1;
            return answer(
                200,
                format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#),
            );
        }
        seen.lock().unwrap().push(issued.load(Ordering::Relaxed));
        answer(200, "[]")
    });
    let client = script.client();
    for _ in 0..5 {
        list(&client).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1800)).await;
    }
    assert_eq!(*tokens.lock().unwrap(), [1, 1, 2, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_the_token_once_and_once_only() {
    let mut refused = 0;
    let script = with_token(move |_| {
        refused += 1;
        if refused == 1 {
            answer(401, "{}")
        } else {
            answer(200, "[]")
        }
    });
    list(&script.client()).await.unwrap();
    assert_eq!(
        script
            .sent()
            .iter()
            .filter(|path| path.starts_with("/ws"))
            .count(),
        2
    );

    let script = with_token(|_| answer(401, r#"{"error":"not_authenticated","error_code":10}"#));
    let error = list(&script.client()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Unauthenticated, Some("not_authenticated"))
    );
    assert_eq!(script.sent().len(), 4, "two tokens, two requests");
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_are_said_once_for_all_who_ask() {
    let script = Scripted::new(|_| {
        answer(
            404,
            r#"{"resultCode":"Client app not exist","incidentId":"WEB-1"}"#,
        )
    });
    let client = script.client();
    let (one, two, three) = tokio::join!(list(&client), list(&client), client.authenticate());
    for error in [one.unwrap_err(), two.unwrap_err(), three.unwrap_err()] {
        assert_eq!(
            (error.kind(), error.incident_id()),
            (ErrorKind::WrongRegionOrClient, Some("WEB-1"))
        );
        assert!(error.to_string().contains("region"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_call_is_retried_like_a_read() {
    let mut calls = 0;
    let script = Scripted::new(move |_| {
        calls += 1;
        if calls < 3 {
            answer(502, "<html>")
        } else {
            token()
        }
    });
    script.client().authenticate().await.unwrap();
    assert_eq!(script.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn two_windows_hold_over_simulated_hours() {
    let script = with_token(|_| answer(200, "[]"));
    let client = script.client();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..40 {
        let client = client.in_lane(if task % 4 == 0 {
            Lane::Interactive
        } else {
            Lane::Sweep
        });
        tasks.spawn(async move {
            for _ in 0..100 {
                list(&client).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let times = script.times();
    let most = |period: Duration| {
        let within = |first: &Instant| {
            times
                .iter()
                .filter(|time| *time >= first && **time <= *first + period)
                .count()
        };
        times.iter().map(within).max().unwrap()
    };
    // 4,000 requests and their tokens, in no minute more than 200, in no hour more than 1,500.
    assert!(times.len() > 4000);
    assert_eq!(most(Duration::from_secs(60)), 200);
    assert!(most(Duration::from_secs(3600)) <= 1500);
    assert!(
        most(Duration::from_secs(3600)) > 1300,
        "and the quota is used"
    );
    assert!(*times.last().unwrap() - times[0] < Duration::from_secs(3 * 3600));
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_policy_never_waits() {
    let script = with_token(|_| answer(200, "[]"));
    let client = script
        .builder()
        .rate_limit(RateLimit::unlimited())
        .build()
        .unwrap();
    let before = Instant::now();
    for _ in 0..3000 {
        list(&client).await.unwrap();
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn clients_of_one_tenant_share_the_limit_and_others_do_not() {
    let script = with_token(|_| answer(200, "[]"));
    let limit = RateLimit::default().windows([(10, Duration::from_secs(60))]);
    let client = |id: &str, host: &str| {
        Client::builder(
            crate::BaseUrl::parse(host).unwrap(),
            crate::Credentials::client_credentials(id, "secret"),
        )
        .transport(Arc::clone(&script) as Arc<dyn crate::Transport>)
        .rate_limit(limit.clone())
        .build()
        .unwrap()
    };
    let one = client("shared-limit", "https://eu.ninjarmm.com");
    let branded = client("shared-limit", "https://acme.rmmservice.eu");
    let other = client("other-limit", "https://eu.ninjarmm.com");
    for _ in 0..4 {
        list(&one).await.unwrap();
        list(&branded).await.unwrap();
    }
    assert_eq!(
        one.budget().windows[0].0,
        10,
        "eight requests and two tokens"
    );
    assert_eq!(other.budget().windows[0].0, 0);
    let before = Instant::now();
    list(&other).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    list(&branded).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(60));
}

#[derive(Debug, Default)]
struct Store(Mutex<Vec<Lane>>, bool);

#[async_trait::async_trait]
impl SharedBudget for Store {
    async fn take(
        &self,
        key: &BudgetKey,
        limit: &RateLimit,
        lane: Lane,
    ) -> Result<BudgetGrant, BudgetError> {
        if self.1 {
            return Err(BudgetError::new("the database is gone"));
        }
        assert_eq!((key.host(), key.client_id()), ("eu.ninjarmm.com", "id"));
        assert_eq!(limit.windows_of(lane).len(), 2);
        let mut taken = self.0.lock().unwrap();
        taken.push(lane);
        Ok(if taken.len().is_multiple_of(2) {
            BudgetGrant::Granted
        } else {
            BudgetGrant::Wait(Duration::from_secs(5))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_shared_between_processes_is_asked_before_every_request() {
    let script = with_token(|_| answer(200, "[]"));
    let store = Arc::new(Store::default());
    let client = script
        .builder()
        .shared_budget(store.clone())
        .lane(Lane::Sweep)
        .build()
        .unwrap();
    let before = Instant::now();
    list(&client).await.unwrap();
    assert_eq!(
        *store.0.lock().unwrap(),
        [
            Lane::Interactive,
            Lane::Interactive,
            Lane::Sweep,
            Lane::Sweep
        ],
        "token and list, each after one wait"
    );
    assert_eq!(before.elapsed(), Duration::from_secs(10));

    let broken = script
        .builder()
        .shared_budget(Arc::new(Store(Mutex::default(), true)))
        .build()
        .unwrap();
    let sent = script.sent().len();
    assert_eq!(list(&broken).await.unwrap_err().kind(), ErrorKind::Budget);
    assert_eq!(
        script.sent().len(),
        sent,
        "nothing is sent without the budget's word"
    );
}

/// Most requests sent within any stretch of so many seconds.
fn most_within(times: &[Instant], seconds: u64) -> usize {
    let period = Duration::from_secs(seconds);
    let within = |first: &Instant| {
        let same = times
            .iter()
            .filter(|time| *time >= first && **time <= *first + period);
        same.count()
    };
    times.iter().map(within).max().unwrap_or(0)
}

/// Twenty a minute, of which a sweep leaves two.
fn twenty() -> RateLimit {
    RateLimit::default().windows([(20, Duration::from_secs(60))])
}

/// Twenty callers at once, and twenty more a minute later.
async fn two_waves(client: &Client) {
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..40 {
        let client = client.clone();
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_secs(if caller < 20 { 0 } else { 60 })).await;
            list(&client).await.unwrap();
        });
    }
    tasks.join_all().await;
}

/// A transport whose token endpoint takes its time.
#[derive(Debug)]
struct SlowTokens(Arc<Scripted>, Duration);

#[async_trait::async_trait]
impl crate::Transport for SlowTokens {
    async fn send(&self, request: http::Request<bytes::Bytes>) -> crate::scripted::Answer {
        let is_token = request.uri().path().starts_with("/ws");
        let answer = self.0.send(request).await;
        if is_token {
            tokio::time::sleep(self.1).await;
        }
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_for_what_is_sent_however_slow_the_token_is() {
    let script = with_token(|_| answer(200, "[]"));
    let transport = SlowTokens(Arc::clone(&script), Duration::from_secs(59));
    let client = script
        .builder()
        .transport(Arc::new(transport))
        .timeout(Duration::from_secs(100))
        .rate_limit(twenty())
        .build()
        .unwrap();
    two_waves(&client).await;
    assert_eq!(script.times().len(), 41);
    assert_eq!(most_within(&script.times(), 60), 20);
}

/// A shared budget that grants everything: the first so many in a while, later ones at once.
#[derive(Debug)]
struct SlowBudget(AtomicU32, Duration);

#[async_trait::async_trait]
impl SharedBudget for SlowBudget {
    async fn take(
        &self,
        _: &BudgetKey,
        _: &RateLimit,
        _: Lane,
    ) -> Result<BudgetGrant, BudgetError> {
        if self.0.fetch_add(1, Ordering::Relaxed) < 21 {
            tokio::time::sleep(self.1).await;
        }
        Ok(BudgetGrant::Granted)
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_for_what_is_sent_however_slow_the_shared_budget_is() {
    let script = with_token(|_| answer(200, "[]"));
    let budget = SlowBudget(AtomicU32::new(0), Duration::from_secs(40));
    let client = script.builder().shared_budget(Arc::new(budget));
    let client = client.rate_limit(twenty()).build().unwrap();
    // The token first, so that only the budget is slow.
    client.authenticate().await.unwrap();
    two_waves(&client).await;
    assert_eq!(script.times().len(), 41);
    assert_eq!(most_within(&script.times(), 60), 20);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_before_the_sending_leaves_nothing_counted() {
    let script = with_token(|_| answer(200, "[]"));
    let budget = SlowBudget(AtomicU32::new(0), Duration::from_secs(40));
    let client = script.builder().shared_budget(Arc::new(budget));
    let client = client.rate_limit(twenty()).build().unwrap();
    for _ in 0..15 {
        let gives_up = tokio::time::timeout(Duration::from_secs(1), list(&client));
        assert!(gives_up.await.is_err());
    }
    let used = client.budget();
    assert_eq!((used.windows[0].0, used.interactive_waiting), (0, 0));
    list(&client).await.unwrap();
    assert_eq!(client.budget().windows[0].0, 2, "a token and a list");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_while_its_request_waits_is_renewed_before_it_is_sent() {
    let tokens = Arc::new(AtomicU32::new(0));
    let issued = Arc::clone(&tokens);
    let script = Scripted::new(move |path| {
        if !path.starts_with("/ws") {
            return answer(200, "[]");
        }
        issued.fetch_add(1, Ordering::Relaxed);
        // Used for a minute.
        answer(200, r#"{"access_token":"t","expires_in":120}"#)
    });
    let limit = RateLimit::default().windows([(2, Duration::from_secs(100))]);
    let client = script.builder().rate_limit(limit).build().unwrap();
    let before = Instant::now();
    list(&client).await.unwrap();
    list(&client).await.unwrap();
    assert_eq!(tokens.load(Ordering::Relaxed), 2);
    assert!(script.sent()[2].starts_with("/ws"));
    assert!(before.elapsed() < Duration::from_secs(101), "one wait");
    assert_eq!(client.budget().windows[0].0, 2, "the permit was given back");
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_life_is_used_all_the_same() {
    let script = Scripted::new(|path| {
        if path.starts_with("/ws") {
            return answer(200, r#"{"access_token":"t","expires_in":0}"#);
        }
        answer(200, "[]")
    });
    // One request in a hundred seconds: no token ever lives long enough.
    let limit = RateLimit::default().windows([(1, Duration::from_secs(100))]);
    let client = script.builder().rate_limit(limit).build().unwrap();
    list(&client).await.unwrap();
    assert_eq!(script.asked().len(), 1);
    assert!(script.sent().len() <= 4);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_renews_the_token_keeps_nobody_waiting() {
    let script = Scripted::new(|path| {
        if path.starts_with("/ws") {
            // Used for half a minute.
            return answer(200, r#"{"access_token":"t","expires_in":60}"#);
        }
        answer(200, "[]")
    });
    let client = script.builder().rate_limit(twenty()).build().unwrap();
    let mut sweep = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let client = client.in_lane(Lane::Sweep);
        sweep.spawn(async move { list(&client).await.unwrap() });
    }
    // When the sweep may go on, the token has ended and forty requests stand in its lane.
    tokio::time::sleep(Duration::from_secs(61)).await;
    let before = Instant::now();
    list(&client).await.unwrap();
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "waited {:?}",
        before.elapsed()
    );
    assert_eq!(client.budget().sweep_waiting, 60 - 17 - 17);
    sweep.join_all().await;
    assert!(most_within(&script.times(), 60) <= 20);
}

/// A shared budget as the trait describes it, in memory.
#[derive(Debug, Default)]
struct Ledger(Mutex<Vec<Instant>>);

#[async_trait::async_trait]
impl SharedBudget for Ledger {
    async fn take(
        &self,
        _: &BudgetKey,
        limit: &RateLimit,
        lane: Lane,
    ) -> Result<BudgetGrant, BudgetError> {
        let mut taken = self.0.lock().unwrap();
        let now = Instant::now();
        let fits = limit
            .windows_of(lane)
            .into_iter()
            .filter_map(|(most, period)| {
                let leaves = taken.len().checked_sub(most)?;
                Some(taken[leaves] + period + Duration::from_millis(1))
            });
        if let Some(fits) = fits.max().filter(|fits| *fits > now) {
            return Ok(BudgetGrant::Wait(fits - now));
        }
        taken.push(now);
        Ok(BudgetGrant::Granted)
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_a_budget_and_their_sweeps_leave_a_tenth_free() {
    let script = with_token(|_| answer(200, "[]"));
    let ledger = Arc::new(Ledger::default());
    // A limiter of its own is what makes a process.
    let process = || {
        let client = script.builder().shared_budget(ledger.clone());
        client.rate_limit(twenty()).build().unwrap()
    };
    let (one, other) = (process(), process());
    let mut sweeps = tokio::task::JoinSet::new();
    for number in 0..80 {
        let client = if number % 2 == 0 { &one } else { &other };
        let client = client.in_lane(Lane::Sweep);
        sweeps.spawn(async move { list(&client).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        script.sent().len(),
        18,
        "sweeps and tokens of both processes"
    );
    let mut people = tokio::task::JoinSet::new();
    for person in 0..6 {
        let client = other.clone();
        people.spawn(async move {
            tokio::time::sleep(Duration::from_secs(person)).await;
            let asked = Instant::now();
            client.get::<Vec<u32>>("/v2/person", &[]).await.unwrap();
            asked.elapsed()
        });
    }
    let people = people.join_all().await;
    let waited = |wait: &Duration| people.iter().filter(|person| *person == wait).count();
    assert_eq!(waited(&Duration::ZERO), 2, "the tenth is there at once");
    assert!(
        people.iter().all(|wait| *wait < Duration::from_secs(61)),
        "and again in the next minute, whatever the sweeps have before them: {people:?}"
    );
    assert!(!sweeps.is_empty());
    sweeps.join_all().await;
    assert_eq!(most_within(&script.times(), 60), 20);
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<ClientEvent>>);

impl ClientObserver for Recorder {
    fn event(&self, event: &ClientEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_attempts_waits_pages_and_what_is_left() {
    let mut first = true;
    let script = with_token(move |path| {
        let status = if std::mem::take(&mut first) { 503 } else { 200 };
        let answer = http::Response::builder()
            .status(status)
            .header("x-ratelimit-remaining", "42");
        let body: &[u8] = match parameter(path, "after") {
            None => b"[{\"id\":1},{\"id\":\"x\"}]",
            Some(_) => b"[]",
        };
        Ok(answer.body(bytes::Bytes::from_static(body)).unwrap())
    });
    let recorder = Arc::new(Recorder::default());
    list(&script.builder().observer(recorder.clone()).build().unwrap())
        .await
        .unwrap();
    let events = recorder.0.lock().unwrap();
    let attempts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Attempt {
                operation,
                attempt,
                status,
                error,
                ..
            } => Some((*operation, *attempt, *status, *error)),
            _ => None,
        })
        .collect();
    assert_eq!(
        attempts,
        [
            ("oauth.token", 1, Some(200), None),
            ("organizations.list", 1, Some(503), Some(ErrorKind::Server)),
            ("organizations.list", 2, Some(200), None),
            ("organizations.list", 1, Some(200), None),
        ]
    );
    assert!(events.iter().any(|event| matches!(
        event,
        ClientEvent::Wait {
            reason: WaitReason::Backoff,
            ..
        }
    )));
    assert!(events.iter().any(|event| matches!(
        event,
        ClientEvent::Page {
            rows: 2,
            malformed: 1,
            so_far: 2,
            total: None,
            ..
        }
    )));
    assert!(events.contains(&ClientEvent::Remaining { requests: 42 }));
    assert!(events.contains(&ClientEvent::Token {
        valid_for: Duration::from_secs(3600)
    }));
}

/// The numbers that warnings name.
#[derive(Clone, Debug, Default)]
struct Warned(Arc<Mutex<Vec<u64>>>);

impl tracing::field::Visit for Warned {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "requests" {
            self.0.lock().unwrap().push(value);
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

impl tracing::Subscriber for Warned {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn fewer_than_a_hundred_requests_left_are_warned_of() {
    let mut left = ["101", "100", "99", "0", "none of a number"].into_iter();
    let script = with_token(move |_| {
        let answer =
            http::Response::builder().header("x-ratelimit-remaining", left.next().unwrap());
        Ok(answer.body(bytes::Bytes::from_static(b"[]")).unwrap())
    });
    let client = script.builder().build().unwrap();
    let warned = Warned::default();
    let _here = tracing::subscriber::set_default(warned.clone());
    for _ in 0..5 {
        list(&client).await.unwrap();
    }
    assert_eq!(*warned.0.lock().unwrap(), [99, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_a_timeout_of_one_attempt() {
    #[derive(Debug)]
    struct Slow;
    #[async_trait::async_trait]
    impl crate::Transport for Slow {
        async fn send(&self, _: http::Request<bytes::Bytes>) -> crate::scripted::Answer {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            answer(200, "[]")
        }
    }
    let client = Client::builder(
        crate::Region::Eu,
        crate::Credentials::client_credentials("slow", "secret"),
    )
    .transport(Arc::new(Slow))
    .retry(RetryPolicy::default().max_attempts(2))
    .timeout(Duration::from_secs(7))
    .build()
    .unwrap();
    let before = Instant::now();
    let error = client.authenticate().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 2));
    assert!(before.elapsed() < Duration::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn the_hatch_runs_through_the_same_pipeline() {
    let mut first = true;
    let script = with_token(move |_| {
        if std::mem::take(&mut first) {
            answer(500, "")
        } else {
            answer(200, r#"{"a":1}"#)
        }
    });
    let client = script.client();
    let value: serde_json::Value = client.get("/v2/tasks", &[("q", "a b&c")]).await.unwrap();
    assert_eq!(value["a"], 1);
    assert_eq!(script.asked(), ["/v2/tasks?q=a%20b%26c"; 2]);
    for path in [
        "v2/tasks",
        "/v2/../ws/oauth/token",
        "/v2/%2e%2E/ws/oauth/token",
        "/v2/tasks?x=1",
        "/v2/a b",
        "//evil.example/v2",
    ] {
        let asked = client.get::<serde_json::Value>(path, &[]).await;
        if path.starts_with("//") {
            // Below the base URL like any other path.
            assert_eq!(script.asked().len(), 2);
            continue;
        }
        assert_eq!(
            asked.unwrap_err().kind(),
            ErrorKind::InvalidRequest,
            "{path}"
        );
    }
    let error = client.get::<crate::models::Device>("/v2/x", &[]).await;
    assert!(error.is_ok(), "unknown fields are tolerated");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_a_day_says_how_long_and_until_when_and_is_not_slept() {
    for status in [429, 503] {
        let script = with_token(move |_| {
            Ok(http::Response::builder()
                .status(status)
                .header("retry-after", "86400")
                .body(bytes::Bytes::new())
                .unwrap())
        });
        let began = Instant::now();
        let error = list(&script.client()).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(1), "{status}");
        assert_eq!(script.asked().len(), 1, "{status}");
        let text = error.to_string();
        assert!(
            text.contains("NinjaOne asks to wait 24 h, until 20") && text.contains(" UTC"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_appears_in_any_text() {
    let script = Scripted::new(|_| {
        answer(
            401,
            r#"{"error":"invalid_client","error_description":"secret hunter2"}"#,
        )
    });
    let client = Client::builder(
        crate::Region::Eu,
        crate::Credentials::client_credentials("id-hunter2", "hunter2"),
    )
    .transport(Arc::clone(&script) as Arc<dyn crate::Transport>)
    .build()
    .unwrap();
    let error = list(&client).await.unwrap_err();
    let text = format!("{error} {error:?} {client:?} {:?}", client.organizations());
    assert!(!text.contains("hunter2"), "{text}");
}
