//! Page sizes that the client chooses: a page that fails is requested in smaller pages, and no list is truncated by this.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proptest::{
    prelude::{Just, any, prop_oneof},
    prop_assert, prop_assert_eq, proptest,
};
use serde_json::{Value, json};

use crate::{
    Client, ClientEvent, ClientObserver, Error, ErrorKind, RetryPolicy, TransportError,
    TransportErrorKind,
    activities::ActivitiesParams,
    custom_fields::CustomFieldDefinitionsParams,
    devices::DevicesParams,
    observer::PageSizeReason,
    queries::{AntivirusStatusParams, VolumesParams},
    scripted::{Answer, Scripted, answer, parameter, with_token},
};

/// How a server responds to a page for which this many rows were requested.
type Judge = dyn Fn(usize, usize) -> Option<Answer> + Send;

/// A server with a report, a list and a log of `rows` rows each. It judges each request by its number and the requested rows.
struct Server {
    rows: usize,
    /// The maximum rows of a page.
    cap: usize,
    ignores_size: bool,
    requests: usize,
    judge: Box<Judge>,
}

fn server(
    rows: usize,
    judge: impl Fn(usize, usize) -> Option<Answer> + Send + 'static,
) -> Arc<Scripted> {
    Server {
        rows,
        cap: usize::MAX,
        ignores_size: false,
        requests: 0,
        judge: Box::new(judge),
    }
    .script()
}

impl Server {
    fn script(mut self) -> Arc<Scripted> {
        with_token(move |path| self.answer(path))
    }

    fn answer(&mut self, path: &str) -> Answer {
        self.requests += 1;
        let asked: usize = parameter(path, "pageSize").unwrap().parse().unwrap();
        if let Some(answer) = (self.judge)(self.requests, asked) {
            return answer;
        }
        let size = if self.ignores_size {
            usize::MAX
        } else {
            asked.min(self.cap)
        };
        let place = |name| parameter(path, name).map(|place| place.parse::<usize>().unwrap());
        if path.contains("/queries/") {
            let begin = place("cursor").unwrap_or(0);
            let end = self.rows.min(begin.saturating_add(size));
            let rows: Vec<_> = (begin..end).map(|id| json!({"deviceId": id})).collect();
            let mut body = json!({"results": rows});
            if end < self.rows {
                body["cursor"] =
                    json!({"name": end.to_string(), "offset": begin, "count": self.rows});
            }
            return answer(200, body.to_string());
        }
        if path.contains("/activities") {
            let end = place("olderThan").map_or(self.rows, |id| id - 1);
            let ids = (1..=end).rev().take(size).map(|id| json!({"id": id}));
            return answer(
                200,
                json!({"activities": ids.collect::<Vec<_>>()}).to_string(),
            );
        }
        let begin = place("after").unwrap_or(0) + 1;
        let ids = (begin..=self.rows).take(size).map(|id| json!({"id": id}));
        answer(200, Value::Array(ids.collect()).to_string())
    }
}

fn refused() -> Answer {
    answer(400, r#"{"resultCode":"FAILURE"}"#)
}

fn timeout() -> Answer {
    Err(TransportError::new(TransportErrorKind::Timeout))
}

async fn volumes(client: &Client) -> Result<usize, Error> {
    let pager = client.queries().volumes(VolumesParams::default());
    Ok(pager.collect().await?.rows.len())
}

async fn devices(client: &Client) -> Result<usize, Error> {
    let pager = client.devices().list(DevicesParams::default());
    Ok(pager.collect().await?.rows.len())
}

async fn activities(client: &Client) -> Result<usize, Error> {
    let pager = client.activities().list(ActivitiesParams::default());
    Ok(pager.collect().await?.rows.len())
}

/// The requested page sizes, in order.
fn sizes(script: &Scripted) -> Vec<usize> {
    let asked = script.asked();
    let size = |path: &String| parameter(path, "pageSize").unwrap().parse().unwrap();
    asked.iter().map(size).collect()
}

/// Records page sizes.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<(&'static str, u32, u32, PageSizeReason)>>);

impl ClientObserver for Recorder {
    fn event(&self, event: &ClientEvent) {
        if let ClientEvent::PageSize {
            operation,
            from,
            to,
            reason,
        } = *event
        {
            let mut changes = self.0.lock().unwrap();
            changes.push((operation, from, to, reason));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reports_begin_at_5000_rows_a_page_and_lists_at_1000() {
    let script = server(20, |_, _| None);
    let client = script.client();
    volumes(&client).await.unwrap();
    devices(&client).await.unwrap();
    activities(&client).await.unwrap();
    assert_eq!(sizes(&script), [5_000, 19, 1_000, 1_000, 1_000, 1_000]);
    // The definitions of custom fields come in pages of up to 500 rows.
    let params = CustomFieldDefinitionsParams::default();
    let pager = client.custom_fields().list(params);
    assert!(pager.request().to_string().ends_with("pageSize=500"));
    // A ceiling applies to all operations. A ceiling above the limit of an endpoint changes nothing there.
    for (ceiling, expected) in [
        (2_000, [2_000, 1_000, 1_000]),
        (700, [700, 700, 700]),
        (0, [1, 1, 10]),
        (10_000, [5_000, 1_000, 1_000]),
        (u32::MAX, [5_000, 1_000, 1_000]),
    ] {
        let client = script.builder().largest_page(ceiling).build().unwrap();
        let queries = client.queries().volumes(VolumesParams::default());
        let list = client.devices().list(DevicesParams::default());
        let log = client.activities().list(ActivitiesParams::default());
        let asked = [queries.request(), list.request(), log.request()];
        assert_eq!(asked.map(crate::Request::asked_rows), expected.map(Some));
    }
}

#[tokio::test(start_paused = true)]
async fn a_size_that_is_refused_is_halved_until_it_is_taken_and_remembered() {
    let script = server(3_000, |_, asked| (asked > 2_000).then(refused));
    let observer = Arc::new(Recorder::default());
    let builder = script
        .builder()
        .observer(Arc::clone(&observer) as Arc<dyn ClientObserver>);
    let client = builder.build().unwrap();
    assert!(client.page_sizes().is_empty());
    assert_eq!(volumes(&client).await.unwrap(), 3_000);
    assert_eq!(sizes(&script), [5_000, 2_500, 1_250, 1_250, 1_250]);
    // Clones and other lanes know the size; other operations do not.
    assert_eq!(
        volumes(&client.in_lane(crate::Lane::Sweep)).await.unwrap(),
        3_000
    );
    assert_eq!(sizes(&script)[5..], [1_250, 1_250, 1_250]);
    assert_eq!(client.page_sizes()["queries.volumes"], 1_250);
    let changes = observer.0.lock().unwrap().clone();
    let change = ("queries.volumes", 5_000, 1_250, PageSizeReason::Refused);
    assert_eq!(changes, [change]);
    let pager = client
        .queries()
        .antivirus_status(AntivirusStatusParams::default());
    assert_eq!(pager.request().asked_rows(), Some(5_000));
    // Another process begins with the size that this one ended with.
    let builder = script.builder().page_sizes(client.page_sizes());
    let client = builder.build().unwrap();
    assert_eq!(volumes(&client).await.unwrap(), 3_000);
    assert_eq!(sizes(&script)[8..], [1_250, 1_250, 1_250]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_in_every_size_lowers_none() {
    let script = server(10, |_, _| Some(refused()));
    let client = script.client();
    for read in 1..=2 {
        let error = volumes(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(
            sizes(&script)[4 * (read - 1)..],
            [5_000, 2_500, 1_250, 1_000]
        );
    }
    // Lists are requested in a size that every endpoint accepts.
    assert_eq!(
        devices(&client).await.unwrap_err().kind(),
        ErrorKind::InvalidRequest
    );
    assert_eq!(sizes(&script)[8..], [1_000]);
    assert!(client.page_sizes().values().all(|rows| *rows >= 1_000));
    assert_eq!(client.page_sizes()["queries.volumes"], 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_too_large_for_the_server_is_asked_for_down_to_100_rows() {
    let script = server(250, |_, asked| (asked > 120).then(|| answer(413, "<html>")));
    let client = script.client();
    assert_eq!(devices(&client).await.unwrap(), 250);
    let expected = [1_000, 500, 250, 125, 100, 100, 100, 100];
    assert_eq!(sizes(&script), expected);
    assert_eq!(client.page_sizes()["devices.list"], 100);
    let script = server(250, |_, _| Some(answer(413, "")));
    let error = devices(&script.client()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(sizes(&script), [1_000, 500, 250, 125, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_page_larger_than_this_client_reads_is_asked_for_in_smaller_ones() {
    let script = server(2_000, |_, _| None);
    // A row takes twenty bytes.
    let client = script.builder().largest_answer(9_000).build().unwrap();
    assert_eq!(volumes(&client).await.unwrap(), 2_000);
    assert_eq!(client.page_sizes()["queries.volumes"], 312);
    let client = script.builder().largest_content(400 << 10).build().unwrap();
    assert_eq!(devices(&client).await.unwrap(), 2_000);
    assert!(client.page_sizes()["devices.list"] < 1_000);
    // A page that is too large in every size costs one request for each size, and lowers none.
    let script = with_token(|_| answer(200, format!("[{{\"id\":\"{}\"}}]", "1".repeat(20_000))));
    let client = script.builder().largest_answer(9_000).build().unwrap();
    let error = volumes(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(sizes(&script), [5_000, 2_500, 1_250, 625, 312, 156, 100]);
    assert_eq!(client.page_sizes()["queries.volumes"], 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_manage_large_pages_is_asked_for_smaller_ones() {
    for (fault, reason) in [
        (
            answer as fn(u16, &'static str) -> Answer,
            PageSizeReason::ServerFailed,
        ),
        (|_, _| timeout(), PageSizeReason::TimedOut),
        (
            |_, _| answer(200, r#"{"results":[{"de"#),
            PageSizeReason::BrokenOff,
        ),
        (
            |_, _| Err(TransportError::new(TransportErrorKind::Incomplete)),
            PageSizeReason::BrokenOff,
        ),
    ] {
        let script = server(3_000, move |_, asked| {
            (asked > 2_500).then(|| fault(504, "<html>"))
        });
        let observer = Arc::new(Recorder::default());
        let builder = script
            .builder()
            .observer(Arc::clone(&observer) as Arc<dyn ClientObserver>);
        let client = builder.build().unwrap();
        assert_eq!(volumes(&client).await.unwrap(), 3_000, "{reason:?}");
        let expected = [5_000, 5_000, 5_000, 5_000, 5_000, 2_500, 2_500];
        assert_eq!(sizes(&script), expected, "{reason:?}");
        let changes = observer.0.lock().unwrap().clone();
        assert_eq!(changes, [("queries.volumes", 5_000, 2_500, reason)]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_every_read_one_request_more_and_the_next_none() {
    let out = Arc::new(AtomicUsize::new(1));
    let outage = Arc::clone(&out);
    let script = server(12_000, move |_, _| {
        (outage.load(Ordering::Relaxed) == 1).then(|| answer(503, ""))
    });
    let client = script.client();
    for read in 1..=8 {
        let error = volumes(&client).await.unwrap_err();
        // The attempts of both sizes count as attempts of the page.
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 6));
        assert_eq!(script.asked().len(), 6 * read);
    }
    out.store(0, Ordering::Relaxed);
    assert_eq!(volumes(&client).await.unwrap(), 12_000);
    assert_eq!(sizes(&script)[48..], [5_000, 5_000, 5_000]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_manages_a_twentieth_of_the_rows_is_found_by_the_reads_together() {
    let script = server(600, |_, asked| (asked > 300).then(timeout));
    let client = script.client();
    let mut reads = 0;
    while volumes(&client).await.is_err() {
        reads += 1;
    }
    assert_eq!(reads, 4, "in pages of 2,500, 1,250, 625 and 312 rows");
    assert_eq!(client.page_sizes()["queries.volumes"], 156);
    let before = script.asked().len();
    assert_eq!(volumes(&client).await.unwrap(), 600);
    assert!(sizes(&script)[before..].iter().all(|size| *size == 156));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_wait_is_not_asked_at_once_for_less() {
    let script = server(10, |_, _| {
        Some(Ok(http::Response::builder()
            .status(503)
            .header("retry-after", "3000")
            .body(bytes::Bytes::new())
            .unwrap()))
    });
    let client = script.client();
    assert_eq!(
        volumes(&client).await.unwrap_err().kind(),
        ErrorKind::Server
    );
    assert_eq!(sizes(&script), [5_000]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_matter_of_size_is_not_asked_for_in_another() {
    for status in [302, 401, 403, 404, 409, 414, 429] {
        let script = server(10, move |_, _| Some(answer(status, "{}")));
        let client = script.builder().retry(RetryPolicy::none()).build().unwrap();
        assert!(volumes(&client).await.is_err());
        let asked = sizes(&script);
        assert!(
            asked.iter().all(|size| *size == 5_000),
            "{status}: {asked:?}"
        );
        assert!(asked.len() <= 2, "{status}");
    }
    let permission = r#"{"resultCode":"permission_denied"}"#;
    let script = server(10, move |_, _| Some(answer(500, permission)));
    assert!(volumes(&script.client()).await.is_err());
    assert_eq!(sizes(&script), [5_000]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_got_is_no_matter_of_size() {
    for (status, requests) in [(503, 5), (400, 1), (413, 1)] {
        let script = Scripted::new(move |_| answer(status, r#"{"error":"invalid_request"}"#));
        let error = volumes(&script.client()).await.unwrap_err();
        assert_eq!(
            (error.operation(), error.attempts()),
            ("oauth.token", requests)
        );
        assert_eq!(script.sent().len(), requests as usize, "{status}");
    }
}

/// A report has one page size: another size under the same cursor would skip rows.
#[tokio::test(start_paused = true)]
async fn a_later_page_of_a_report_is_never_asked_for_in_another_size() {
    for fault in [
        timeout as fn() -> Answer,
        || answer(500, ""),
        || answer(413, ""),
    ] {
        let failures = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&failures);
        let script = server(18_000, move |number, asked| {
            (number >= 3 && asked == 5_000).then(|| {
                counted.fetch_add(1, Ordering::Relaxed);
                fault()
            })
        });
        let client = script.client();
        assert!(volumes(&client).await.is_err());
        assert!(failures.load(Ordering::Relaxed) > 0);
        assert!(sizes(&script).iter().all(|size| *size == 5_000));
        // The next read uses smaller pages from the first page on.
        let before = script.asked().len();
        assert_eq!(volumes(&client).await.unwrap(), 18_000);
        assert!(sizes(&script)[before..].iter().all(|size| *size == 2_500));
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_page_of_a_list_goes_on_by_id_in_smaller_pages() {
    let script = server(3_000, |number, asked| {
        (number >= 2 && asked > 300).then(|| answer(413, ""))
    });
    let client = script.client();
    assert_eq!(devices(&client).await.unwrap(), 3_000);
    assert_eq!(sizes(&script)[..4], [1_000, 1_000, 500, 250]);
    assert_eq!(activities(&client).await.unwrap(), 3_000);
    assert_eq!(client.page_sizes()["devices.list"], 250);
}

#[tokio::test(start_paused = true)]
async fn an_expired_cursor_is_no_matter_of_size() {
    for status in [400, 404] {
        let script = server(12_000, move |number, _| {
            (number == 2).then(|| answer(status, r#"{"resultCode":"FAILURE"}"#))
        });
        let client = script.client();
        assert_eq!(volumes(&client).await.unwrap(), 12_000);
        assert!(sizes(&script).iter().all(|size| *size == 5_000));
        assert_eq!(client.page_sizes()["queries.volumes"], 5_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cuts_its_pages_at_1000_rows_has_not_failed() {
    let server = Server {
        rows: 2_345,
        cap: 1_000,
        ignores_size: false,
        requests: 0,
        judge: Box::new(|_, _| None),
    };
    let script = server.script();
    let client = script.client();
    for _ in 0..3 {
        assert_eq!(volumes(&client).await.unwrap(), 2_345);
    }
    assert!(sizes(&script).iter().all(|size| *size == 5_000));
    assert_eq!(sizes(&script).len(), 9);
}

/// A page may have ten times the requested rows. A size that the client lowered does not reduce this limit.
#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_page_size_is_read_in_whatever_size_is_asked_for() {
    let server = Server {
        rows: 4_000,
        cap: usize::MAX,
        ignores_size: true,
        requests: 0,
        judge: Box::new(|_, _| None),
    };
    let script = server.script();
    let learned = [("queries.volumes", 100), ("devices.list", 100)];
    let client = script.builder().page_sizes(learned).build().unwrap();
    assert_eq!(volumes(&client).await.unwrap(), 4_000);
    assert_eq!(devices(&client).await.unwrap(), 4_000);
    assert_eq!(sizes(&script)[0], 100);
    // A size that the caller sets does reduce the limit.
    let params = VolumesParams::default().page_size(100);
    let error = client
        .queries()
        .volumes(params)
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_page_size_of_the_callers_own_never_changes() {
    let script = server(10, |_, _| Some(refused()));
    let client = script.client();
    let params = VolumesParams::default().page_size(9_000);
    assert!(client.queries().volumes(params).collect().await.is_err());
    let params = DevicesParams::default().page_size(800);
    assert!(client.devices().list(params).collect().await.is_err());
    assert_eq!(sizes(&script), [9_000, 800]);
    assert!(client.page_sizes().is_empty());
    // Neither the client's ceiling nor sizes learned elsewhere change it.
    let script = server(20, |_, _| None);
    let builder = script.builder().largest_page(200);
    let client = builder
        .page_sizes([("queries.volumes", 150)])
        .build()
        .unwrap();
    let params = VolumesParams::default().page_size(9_000);
    let read = client.queries().volumes(params).collect().await.unwrap();
    assert_eq!(read.rows.len(), 20);
    assert_eq!(sizes(&script)[0], 9_000);
}

#[tokio::test(start_paused = true)]
async fn a_size_grows_again_slowly_and_what_failed_is_tried_again_after_a_day() {
    let script = server(30_000, |_, asked| (asked > 1_300).then(refused));
    let client = script.client();
    let size = |client: &Client| client.page_sizes()["queries.volumes"];
    assert_eq!(volumes(&client).await.unwrap(), 30_000);
    assert_eq!(size(&client), 1_250);
    // After twenty-four full pages, but 2,500 failed less than a day ago.
    assert_eq!(volumes(&client).await.unwrap(), 30_000);
    assert_eq!(size(&client), 1_250);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let before = script.asked().len();
    assert_eq!(volumes(&client).await.unwrap(), 30_000);
    assert!(sizes(&script)[before..].iter().all(|size| *size == 1_250));
    assert_eq!(size(&client), 2_500);
    let before = script.asked().len();
    assert_eq!(volumes(&client).await.unwrap(), 30_000);
    assert_eq!(sizes(&script)[before..before + 3], [2_500, 1_250, 1_250]);
    assert_eq!(size(&client), 1_250);
}

#[tokio::test(start_paused = true)]
async fn a_pager_that_was_dropped_while_it_asked_for_less_asks_for_it_again() {
    let script = server(3_000, |_, asked| (asked > 2_000).then(refused));
    let client = script
        .builder()
        .rate_limit(crate::RateLimit::default().windows([(3, Duration::from_secs(60))]))
        .build()
        .unwrap();
    let mut pager = client.queries().volumes(VolumesParams::default());
    // A token and two pages are requested. The third request waits for the budget, and its future is dropped.
    let soon = tokio::time::timeout(Duration::from_secs(5), pager.next_page());
    assert!(soon.await.is_err());
    assert_eq!(sizes(&script), [5_000, 2_500]);
    let mut rows = 0;
    while let Some(page) = pager.next_page().await.unwrap() {
        rows += page.rows.len();
    }
    assert_eq!(rows, 3_000);
    assert_eq!(sizes(&script)[2..], [1_250, 1_250, 1_250]);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Report,
    List,
    Log,
}

fn fault(kind: u8) -> Answer {
    match kind {
        0 => refused(),
        1 => answer(413, ""),
        2 => answer(502, ""),
        3 => timeout(),
        4 => answer(200, "[{"),
        _ => answer(200, format!("[\"{}\"]", "x".repeat(100_000))),
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    /// Pages fail above any size, and sometimes below: every list is complete or an error, and every page of a report has the size of its
    /// first page.
    #[test]
    fn whatever_fails_a_list_is_whole_or_an_error_and_a_report_keeps_its_size(
        what in prop_oneof![Just(What::Report), Just(What::List), Just(What::Log)],
        rows in 0_usize..4_000,
        works in prop_oneof![100_usize..1_000, 1_000_usize..6_000],
        cap in prop_oneof![Just(usize::MAX), 50_usize..3_000],
        kind in 0_u8..6,
        (also, every) in (0_u8..6, 2_usize..9),
        is_disturbed in any::<bool>(),
        ceiling in prop_oneof![Just(5_000_u32), 50_u32..10_000],
        reads in 1_usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let server = Server {
            rows,
            cap,
            ignores_size: false,
            requests: 0,
            judge: Box::new(move |number, asked| {
                let is_struck = is_disturbed && number % every == 0;
                (asked > works).then(|| fault(kind)).or_else(|| is_struck.then(|| fault(also)))
            }),
        };
        let script = server.script();
        let builder = script.builder().retry(RetryPolicy::none()).largest_page(ceiling);
        let client = builder.rate_limit(crate::RateLimit::unlimited()).largest_answer(90_000).build().unwrap();
        let mut read_whole = 0;
        for _ in 0..reads {
            let before = script.asked().len();
            let read = runtime.block_on(async {
                match what {
                    What::Report => volumes(&client).await,
                    What::List => devices(&client).await,
                    What::Log => activities(&client).await,
                }
            });
            if let Ok(read) = read {
                prop_assert_eq!(read, rows);
                read_whole += 1;
            }
            let asked = script.asked()[before..].to_vec();
            if what == What::Report {
                let mut size = None;
                for path in &asked {
                    let now = parameter(path, "pageSize");
                    // A first page. The pages after it keep its size.
                    if parameter(path, "cursor").is_none() {
                        size = now;
                    } else {
                        prop_assert_eq!(&now, &size, "{}", path);
                    }
                }
            }
            let most = u32::try_from(rows.max(5_000)).unwrap().min(ceiling.max(10));
            for size in client.page_sizes().values() {
                prop_assert!(*size <= most && *size >= 50.min(ceiling), "{}", size);
            }
        }
        // A failure that a smaller size avoids is avoided at once, unless several reads have to find the size together.
        let is_cured = works >= 1_000 || (kind != 0 && works >= 100);
        if is_cured && !is_disturbed && !(2..=4).contains(&kind) {
            prop_assert_eq!(read_whole, reads);
        }
    }
}
