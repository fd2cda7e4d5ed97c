//! One tenant's answer ends nobody's run: what broke it, fed to the client, with the memory measured.

#![expect(clippy::unwrap_used, reason = "a test, helpers included")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use ninjaone_client::{
    Client, ClientBuilder, Credentials, Error, ErrorKind, RateLimit, Region, Transport,
    TransportError, devices::DevicesParams, models::Device,
};
use peak_alloc::PeakAlloc;
use serde_json::Value;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;

#[derive(Debug)]
struct Answers {
    body: Bytes,
    asked: AtomicUsize,
}

#[async_trait]
impl Transport for Answers {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if request.uri().path().starts_with("/ws/") {
            let token = r#"{"access_token":"t","expires_in":3600}"#;
            return Ok(http::Response::new(Bytes::from_static(token.as_bytes())));
        }
        if request.uri().query().unwrap_or_default().contains("after=") {
            return Ok(http::Response::new(Bytes::from_static(b"[]")));
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(http::Response::new(self.body.clone()))
    }
}

fn answering(body: impl Into<Bytes>) -> (Arc<Answers>, ClientBuilder) {
    let answers = Arc::new(Answers {
        body: body.into(),
        asked: AtomicUsize::new(0),
    });
    let credentials = Credentials::client_credentials("fences", "secret");
    let builder = Client::builder(Region::Eu, credentials)
        .transport(answers.clone())
        .rate_limit(RateLimit::unlimited());
    (answers, builder)
}

async fn devices(client: &Client, page_size: u32) -> Result<usize, Error> {
    let pager = client
        .devices()
        .detailed(DevicesParams::default().page_size(page_size));
    pager
        .with_ceiling(1)
        .collect()
        .await
        .map(|read| read.rows.len())
}

/// An array of this element, as many times as fit into so many bytes.
fn array(element: &str, bytes: usize) -> String {
    let times = bytes / (element.len() + 1) - 1;
    format!("[{}{element}]", format!("{element},").repeat(times))
}

// Memory is measured for the whole process: this is one test, and those beside it are small.
#[tokio::test(flavor = "current_thread")]
async fn large_answers_of_any_kind_stay_within_bounds_and_hold_nobody_up() {
    let wide = |field: &str, element: &str| {
        format!(r#"[{{"id":1,"{field}":{}}}]"#, array(element, 24 * MIB))
    };
    for (what, body, limit) in [
        ("rows", array("{}", 63 * MIB), "10000 rows"),
        ("odd rows", array(r#"{"id":"1"}"#, 24 * MIB), "10000 rows"),
        ("no rows", array("0", 24 * MIB), "10000 rows"),
        ("a list of models", wide("volumes", "{}"), "67108864 bytes"),
        (
            "a list of odd elements",
            wide("macAddresses", "null"),
            "67108864 bytes",
        ),
        (
            "a list where a flag should be",
            wide("offline", "0"),
            "67108864 bytes",
        ),
        (
            "a free-form value",
            format!(
                r#"[{{"id":1,"userData":{{"a":{}}}}}]"#,
                array("[]", 24 * MIB)
            ),
            "67108864 bytes",
        ),
        (
            "elements beside a long text",
            format!(
                r#"[{{"id":1,"systemName":"{}","macAddresses":{}}}]"#,
                "name".repeat(9 * MIB),
                array(r#""""#, 3 * MIB)
            ),
            "67108864 bytes",
        ),
        (
            "long texts",
            array(
                &format!(r#"{{"id":1,"systemName":"{}"}}"#, "n".repeat(60_000)),
                60 * MIB,
            ),
            "",
        ),
        (
            "deep nesting",
            format!(
                r#"[{{"id":1,"userData":{}0{}}}]"#,
                r#"{"a":"#.repeat(2 * MIB),
                "}".repeat(2 * MIB)
            ),
            "",
        ),
    ] {
        let (answers, builder) = answering(body);
        let client = builder.build().unwrap();
        let ticks = Arc::new(AtomicUsize::new(0));
        let ticking = tokio::spawn({
            let ticks = Arc::clone(&ticks);
            async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    ticks.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        tokio::task::yield_now().await;
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let began = Instant::now();
        let read = devices(&client, 1000).await;
        let took = began.elapsed();
        let peak = MEMORY.peak_usage().saturating_sub(before);
        ticking.abort();
        // Beside the body, which the transport holds: what is decoded, and as much again for a moment while a list grows.
        assert!(peak < 160 * MIB, "{what}: {} MiB", peak / MIB);
        // Others of this thread went on meanwhile.
        if took > Duration::from_millis(50) {
            assert!(ticks.load(Ordering::Relaxed) > 2, "{what}: {took:?}");
        }
        assert_eq!(
            answers.asked.load(Ordering::Relaxed),
            1,
            "{what} is asked for once"
        );
        if limit.is_empty() {
            assert_eq!(read.unwrap(), 1, "{what}");
            continue;
        }
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{what}: {error}");
        assert!(!error.is_retryable());
        let text = error.to_string();
        assert!(
            text.starts_with("devices.detailed: ") && text.contains(limit),
            "{what}: {text}"
        );
    }
    other_kinds_of_large_answers().await;
}

async fn other_kinds_of_large_answers() {
    // A letter that is no Unicode becomes one of three bytes, in a copy of the body and in the text that is read from it.
    let mut body = br#"[{"id":1,"systemName":""#.to_vec();
    body.resize(24 * MIB, 0xff);
    body.extend(br#""}]"#);
    let client = answering(body).1.build().unwrap();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let error = devices(&client, 1000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(MEMORY.peak_usage().saturating_sub(before) < 64 * MIB);
    drop(client);

    // The same of a type of the caller's own, of one object, and of what cannot be nested any deeper.
    let client = answering(array("0", 63 * MIB)).1.build().unwrap();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let error = client.get::<Value>("/v2/tasks", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(MEMORY.peak_usage().saturating_sub(before) < 16 * MIB);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let client = answering(deep).1.build().unwrap();
    let error = client.get::<Value>("/v2/tasks", &[]).await.unwrap_err();
    assert!(error.to_string().contains("128 levels"), "{error}");
}

#[tokio::test]
async fn the_limits_are_settings_and_hold_for_any_transport() {
    let body = array(r#"{"id":1}"#, 32 << 10);
    let (_, builder) = answering(body.clone());
    let client = builder.largest_answer(1000).build().unwrap();
    let error = devices(&client, 1000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.to_string().contains("1000 bytes"), "{error}");
    let (_, builder) = answering(body.clone());
    let client = builder.largest_content(MIB).build().unwrap();
    let error = devices(&client, 1000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.to_string().contains("1048576 bytes"), "{error}");
    let client = answering(body).1.build().unwrap();
    assert_eq!(devices(&client, 1000).await.unwrap(), 1);
}

#[tokio::test]
async fn a_byte_order_mark_before_any_body_is_skipped() {
    let marked = |body: &str| format!("\u{feff}{body}");
    let (_, builder) = answering(marked(r#"[{"id":1}]"#));
    assert_eq!(devices(&builder.build().unwrap(), 1000).await.unwrap(), 1);
    let (_, builder) = answering(marked(r#"{"id":7}"#));
    let device: Device = builder
        .build()
        .unwrap()
        .get("/v2/device/7", &[])
        .await
        .unwrap();
    assert_eq!(device.id.map(ninjaone_client::DeviceId::get), Some(7));
    let (_, builder) = answering(marked(
        r#"{"resultCode":"FAILURE","errorMessage":"permission_denied"}"#,
    ));
    let error = builder
        .build()
        .unwrap()
        .get::<Device>("/v2/device/7", &[])
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Forbidden);
}
