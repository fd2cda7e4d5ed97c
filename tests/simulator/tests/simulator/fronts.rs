//! The same tenant behind each front gives the same bytes; and what a front is asked to break, it breaks.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use ninjaone_simulator::{
    Clock, ErrorShape, Fault, NotAvailable, Preset, Request, RetryAfter, Tenant, Trickle,
    front::{http, in_process, in_process::Broken, tcp, tcp::Framing},
};
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

fn tenant() -> (Tenant, String) {
    let mut tenant = Tenant::preset(Preset::Healthy, 2, 30, NOW);
    let token = tenant.issue_token(NOW);
    (tenant, token)
}

/// What came over a socket: status, lower-case head, body without chunk sizes, and whether it was whole.
#[derive(Debug)]
struct Heard {
    status: u16,
    head: String,
    body: Vec<u8>,
    whole: bool,
}

/// Says one request on a connection of its own and listens to the end.
async fn say(url: &str, request: &str) -> std::io::Result<Heard> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut rest = &bytes[end + 4..];
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    if let Some(length) = length {
        return Ok(Heard {
            status,
            head,
            body: rest.to_vec(),
            whole: rest.len() == length,
        });
    }
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(Heard {
                status,
                head,
                body,
                whole: false,
            });
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return Ok(Heard {
                status,
                head,
                body,
                whole: true,
            });
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
}

async fn get(url: &str, target: &str, token: &str) -> std::io::Result<Heard> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    say(url, &request).await
}

const DEVICES: &str = "/v2/devices-detailed?pageSize=1000&df=class%20%3D%20WINDOWS_WORKSTATION";

#[tokio::test]
async fn every_front_gives_the_same_bytes() {
    let (mut direct, token) = tenant();
    let expected = direct
        .answer(&Request::get(DEVICES).bearer(&token), NOW)
        .body;
    assert!(expected.len() > 20_000);
    let over_http = http::serve(tenant().0).await;
    let heard = get(&over_http.url(), DEVICES, &token).await.unwrap();
    assert_eq!((heard.status, heard.whole), (200, true));
    assert!(heard.body == expected && heard.head.contains("content-type: application/json"));
    for framing in [Framing::ContentLength, Framing::Chunked] {
        let over_tcp = tcp::serve_with(tenant().0, Clock::fixed(NOW), framing, 0)
            .await
            .unwrap();
        let heard = get(&over_tcp.url(), DEVICES, &token).await.unwrap();
        assert_eq!((heard.status, heard.whole), (200, true));
        assert!(
            heard.body == expected && heard.head.contains("date: mon, 23 nov 2026 06:30:00 gmt")
        );
        assert_eq!(
            heard.head.contains("transfer-encoding: chunked"),
            framing == Framing::Chunked
        );
    }
    let within = in_process::serve(tenant().0);
    let reply = within
        .send(&Request::get(DEVICES).bearer(&token))
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body.all().await.unwrap(), expected);
    assert_eq!(
        within.tenant().requests()[0].parameter("df"),
        Some("class = WINDOWS_WORKSTATION")
    );
}

#[tokio::test]
async fn the_token_endpoint_works_over_a_socket() {
    let (tenant, _) = tenant();
    let fields = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        tenant.client_id(),
        tenant.client_secret()
    );
    let request = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{fields}",
            fields.len()
        )
    };
    let front = tcp::serve(tenant).await.unwrap();
    assert_eq!(
        say(&front.url(), &request("/ws/oauth/token"))
            .await
            .unwrap()
            .status,
        200
    );
    let over_http = http::serve(self::tenant().0).await;
    assert_eq!(
        say(&over_http.url(), &request("/ws/oauth/token"))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(front.tenant().requests().len(), 1);
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let (tenant, token) = tenant();
    let front = tcp::serve(tenant).await.unwrap();
    let kept = format!(
        "GET /v2/organizations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let last = kept.replace("Host: x", "Host: x\r\nConnection: close");
    let mut stream = TcpStream::connect(front.url().trim_start_matches("http://"))
        .await
        .unwrap();
    stream
        .write_all(format!("{kept}{kept}{last}").as_bytes())
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
}

#[tokio::test]
async fn a_body_is_cut_in_mid_stream() {
    for framing in [Framing::ContentLength, Framing::Chunked] {
        let (mut tenant, token) = tenant();
        tenant.fault(Fault::CutBody { after: 1000 }.once());
        let front = tcp::serve_with(tenant, Clock::fixed(NOW), framing, 0)
            .await
            .unwrap();
        let cut = get(&front.url(), DEVICES, &token).await.unwrap();
        assert_eq!(
            (cut.status, cut.body.len(), cut.whole),
            (200, 1000, false),
            "{framing:?}"
        );
        assert!(get(&front.url(), DEVICES, &token).await.unwrap().whole);
    }
}

#[tokio::test]
async fn a_body_trickles() {
    let (mut tenant, token) = tenant();
    tenant.fault(Fault::Trickle(Trickle {
        bytes: 4096,
        pause: Duration::from_millis(5),
    }));
    tenant.fault(Fault::Slow(Duration::from_millis(50)));
    let front = tcp::serve(tenant).await.unwrap();
    let start = std::time::Instant::now();
    let heard = get(&front.url(), DEVICES, &token).await.unwrap();
    assert!(heard.whole);
    let pieces = u32::try_from(heard.body.len() / 4096).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50) + pieces * Duration::from_millis(5));
}

#[tokio::test]
async fn a_connection_is_reset() {
    let (mut tenant, token) = tenant();
    tenant.fault(Fault::ConnectionReset.once());
    let front = tcp::serve(tenant).await.unwrap();
    let error = get(&front.url(), DEVICES, &token).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(
        front.tenant().requests().len(),
        1,
        "the request arrived all the same"
    );
    assert_eq!(
        get(&front.url(), DEVICES, &token).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn the_http_front_says_what_it_cannot_break() {
    let (mut tenant, token) = tenant();
    tenant.fault(Fault::CutBody { after: 10 });
    let front = http::serve(tenant).await;
    let heard = get(&front.url(), DEVICES, &token).await.unwrap();
    assert_eq!(heard.status, 501);
    assert!(
        String::from_utf8(heard.body)
            .unwrap()
            .contains("front::tcp")
    );
}

#[tokio::test(start_paused = true)]
async fn in_process_time_is_tokios() {
    let (mut tenant, token) = tenant();
    tenant.fault(Fault::Slow(Duration::from_secs(90)).once());
    tenant.fault(Fault::ConnectionReset.starting_at(2).once());
    tenant.fault(Fault::CutBody { after: 100 }.starting_at(3).once());
    tenant.fault(
        Fault::Trickle(Trickle {
            bytes: 100,
            pause: Duration::from_secs(1),
        })
        .starting_at(4)
        .once(),
    );
    let front = in_process::serve(tenant);
    let request = Request::get("/v2/organizations").bearer(&token);
    let start = tokio::time::Instant::now();
    assert_eq!(front.send(&request).await.unwrap().status, 200);
    assert_eq!(start.elapsed(), Duration::from_secs(90));
    assert_eq!(front.send(&request).await.unwrap_err(), Broken::Reset);
    assert_eq!(
        front
            .send(&request)
            .await
            .unwrap()
            .body
            .all()
            .await
            .unwrap_err(),
        Broken::Cut
    );
    let body = front
        .send(&request)
        .await
        .unwrap()
        .body
        .all()
        .await
        .unwrap();
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(90 + body.len().div_ceil(100) as u64)
    );
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(
        front.send(&request).await.unwrap().status,
        401,
        "the token has lived its hour"
    );
}

/// What each fault looks like to a client.
#[tokio::test]
async fn faults_look_as_the_vendor_was_seen_to_fail() {
    let (mut tenant, token) = tenant();
    let mut answer = |fault: Fault| {
        tenant.clear_faults();
        tenant.fault(fault);
        let answer = tenant.answer(&Request::get("/v2/queries/volumes").bearer(&token), NOW);
        let header = |name: &str| {
            answer
                .headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let (kind, after) = (
            header("content-type").unwrap_or_default(),
            header("retry-after"),
        );
        (
            answer.status,
            kind,
            after,
            String::from_utf8(answer.body.to_vec()).unwrap(),
        )
    };
    let json = "application/json".to_owned();
    let (status, _, after, body) = answer(Fault::TooManyRequests(RetryAfter::Seconds(7)));
    assert_eq!((status, after.as_deref()), (429, Some("7")));
    assert!(body.contains("rate_limit_exceeded"));
    let date = RetryAfter::HttpDate(Duration::from_secs(90));
    assert_eq!(
        answer(Fault::TooManyRequests(date)).2.as_deref(),
        Some("Mon, 23 Nov 2026 06:31:30 GMT")
    );
    assert_eq!(answer(Fault::TooManyRequests(RetryAfter::Missing)).2, None);
    let page = answer(Fault::ThrottlePage);
    assert_eq!((page.0, page.1.as_str()), (200, "text/html"));
    assert_eq!(
        page.3, "<html><body>Too many requests</body></html>\n",
        "samples/errors/throttle.200.html.txt"
    );
    assert_eq!(answer(Fault::ServiceUnavailable).0, 503);
    let (status, kind, _, body) = answer(Fault::WrongContentType);
    assert_eq!((status, kind.as_str()), (200, "text/plain"));
    assert!(body.starts_with("{\"results\":[") || body.starts_with("{\"cursor\":"));
    assert_eq!(answer(Fault::EmptyBody).3, "");
    let shapes = ErrorShape::ALL.map(|shape| answer(Fault::Error { status: 500, shape }));
    assert!(shapes.iter().all(|(status, ..)| *status == 500));
    let bodies: std::collections::BTreeSet<_> = shapes.iter().map(|(.., body)| body).collect();
    assert_eq!(bodies.len(), ErrorShape::ALL.len());
    for (how, status, word) in [
        (NotAvailable::Forbidden, 403, "permission_denied"),
        (NotAvailable::NotLicensed, 404, "licensed"),
        (NotAvailable::ServerError, 500, "permission_denied"),
        (
            NotAvailable::UserContext,
            403,
            "{\"resultCode\":\"user_context_required\"}",
        ),
    ] {
        let (found, kind, _, body) = answer(Fault::NotAvailable(how));
        assert_eq!((found, &kind), (status, &json));
        assert!(body.contains(word), "{body}");
    }
    let whole = |text: &str| text.matches("\"capacity\"").count();
    let org = "/v2/queries/volumes?pageSize=1000&df=org%20%3D%202";
    tenant.clear_faults();
    let mut volumes = |target: &str| {
        String::from_utf8(
            tenant
                .answer(&Request::get(target).bearer(&token), NOW)
                .body
                .to_vec(),
        )
        .unwrap()
    };
    let (own, all) = (
        whole(&volumes(org)),
        whole(&volumes("/v2/queries/volumes?pageSize=1000")),
    );
    assert!(own < all);
    tenant.fault(Fault::FiltersIgnored);
    let ignored = tenant.answer(&Request::get(org).bearer(&token), NOW);
    assert_eq!(
        whole(std::str::from_utf8(&ignored.body).unwrap()),
        all,
        "filter_ignored_returns_whole_fleet"
    );
}

/// A client that tries everything twice, reads volumes to the end, and begins again where an answer got lost.
#[tokio::test]
async fn every_survivable_fault_can_be_survived() {
    let (mut clean, token) = tenant();
    let count = clean.volumes().len();
    clean.faults(Fault::all_survivable());
    let rules = Fault::all_survivable().len();
    let front = tcp::serve(clean).await.unwrap();
    let mut token = token;
    let mut rows = 0;
    let mut cursor: Option<String> = None;
    let mut walks = 0;
    let mut requests = 0;
    while walks < 4 {
        requests += 1;
        assert!(
            requests < 200,
            "no end: {:#?}",
            front.tenant().fault_rules()
        );
        let next = cursor
            .as_ref()
            .map_or_else(String::new, |name| format!("&cursor={name}"));
        let heard = get(
            &front.url(),
            &format!("/v2/queries/volumes?pageSize=12{next}"),
            &token,
        )
        .await;
        let body = match heard {
            Ok(heard) if heard.status == 200 && heard.whole && heard.body.starts_with(b"{") => {
                heard.body
            }
            Ok(heard) if heard.status == 401 => {
                token = front.tenant().issue_token(NOW);
                continue;
            }
            Ok(heard) if heard.status == 400 || !heard.whole => {
                (rows, cursor) = (0, None);
                continue;
            }
            Ok(_) => continue,
            Err(_) => {
                (rows, cursor) = (0, None);
                continue;
            }
        };
        let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(page["cursor"]["offset"], rows);
        rows += page["results"].as_array().unwrap().len();
        cursor = page["cursor"]["name"].as_str().map(str::to_owned);
        if rows == count {
            walks += 1;
            (rows, cursor) = (0, None);
        }
    }
    let tenant = front.tenant();
    let idle: Vec<_> = tenant
        .fault_rules()
        .iter()
        .filter(|rule| rule.fired() == 0)
        .map(ninjaone_simulator::FaultRule::fault)
        .collect();
    assert_eq!(
        idle,
        [&Fault::BareArray],
        "of {rules} rules only the one of another report did not strike"
    );
}

#[tokio::test]
async fn the_program_prints_where_it_serves_and_for_whom() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_ninjaone-simulator"))
        .args([
            "--devices",
            "8",
            "--organizations",
            "2",
            "--seed",
            "3",
            "--preset",
            "healthy",
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut line = async || lines.next_line().await.unwrap().unwrap();
    let (url, id, secret) = (line().await, line().await, line().await);
    let fields = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let request = format!(
        "POST /ws/oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{fields}",
        fields.len()
    );
    let heard = say(&url, &request).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&heard.body).unwrap();
    let organizations = get(
        &url,
        "/v2/organizations",
        body["access_token"].as_str().unwrap(),
    )
    .await
    .unwrap();
    let organizations: Vec<serde_json::Value> =
        serde_json::from_slice(&organizations.body).unwrap();
    assert_eq!(organizations.len(), 2);

    let mut commands = program.stdin.take().unwrap();
    for counted in [r#"{"/v2/organizations":1,"/ws/oauth/token":1}"#, "{}"] {
        let targets = if counted == "{}" {
            "[]"
        } else {
            r#"["/v2/organizations?"]"#
        };
        commands
            .write_all(b"hello\ntargets\nrequests\n")
            .await
            .unwrap();
        assert_eq!(line().await, r#"{"error":"a line is requests or targets"}"#);
        assert_eq!(line().await, targets);
        assert_eq!(line().await, counted);
    }
    drop(commands);
    let again = get(&url, "/v2/organizations", "another token").await;
    assert_eq!(again.unwrap().status, 401, "it serves on");
}

#[tokio::test]
async fn the_program_ends_with_the_one_that_started_it_if_asked_to() {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_ninjaone-simulator"))
        .args(["--attached", "--devices", "2"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop(program.stdin.take());
    assert!(program.wait().await.unwrap().success());
}
