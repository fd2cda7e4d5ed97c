//! The pipeline over a scripted transport, in simulated time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::organizations::OrganizationsParams;
use crate::scripted::{Scripted, answer, token, with_token};
use crate::{
    BudgetError, BudgetKey, Client, ErrorKind, Event, Grant, Lane, Observer, RateLimit,
    RetryPolicy, SharedBudget, TransportError, TransportErrorKind, WaitReason,
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
    let script = with_token(|_| answer(200, r#"[{"id":1,"name":"A"}]"#));
    let client = script.client();
    assert_eq!(list(&client).await.unwrap(), 1);
    assert_eq!(list(&client.clone()).await.unwrap(), 1);
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
        let script =
            with_token(move |_| fault.take().unwrap_or_else(|| answer(200, r#"[{"id":1}]"#)));
        let before = Instant::now();
        assert_eq!(list(&script.client()).await.unwrap(), 1, "{described}");
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
        (ErrorKind::Server, 5, 5)
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
    ) -> Result<Grant, BudgetError> {
        if self.1 {
            return Err(BudgetError::new("the database is gone"));
        }
        assert_eq!((key.host(), key.client_id()), ("eu.ninjarmm.com", "id"));
        assert_eq!(limit.windows_of(lane).len(), 2);
        let mut taken = self.0.lock().unwrap();
        taken.push(lane);
        Ok(if taken.len().is_multiple_of(2) {
            Grant::Granted
        } else {
            Grant::Wait(Duration::from_secs(5))
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
        [Lane::Sweep; 4],
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

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_attempts_waits_pages_and_what_is_left() {
    let mut first = true;
    let script = with_token(move |_| {
        let status = if std::mem::take(&mut first) { 503 } else { 200 };
        let answer = http::Response::builder()
            .status(status)
            .header("x-ratelimit-remaining", "42");
        Ok(answer
            .body(bytes::Bytes::from_static(b"[{\"id\":1},{\"id\":\"x\"}]"))
            .unwrap())
    });
    let recorder = Arc::new(Recorder::default());
    list(&script.builder().observer(recorder.clone()).build().unwrap())
        .await
        .unwrap();
    let events = recorder.0.lock().unwrap();
    let attempts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Attempt {
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
        ]
    );
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Wait {
            reason: WaitReason::Backoff,
            ..
        }
    )));
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Page {
            rows: 2,
            malformed: 1,
            so_far: 2,
            total: None,
            ..
        }
    )));
    assert!(events.contains(&Event::Remaining { requests: 42 }));
    assert!(events.contains(&Event::Token {
        valid_for: Duration::from_secs(3600)
    }));
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
