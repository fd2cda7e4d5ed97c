//! `regentra evidence` as a person or a script meets them: what stands on which stream, the exit code, one clear message for
//! bad input, and nothing of the customer's in any of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::process::Output;

use ninjaone_simulator::{Fault, Malformed, Preset, Tenant, TenantBuilder, front};
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const SIGNALS: [&str; 5] = [
    "disk_encryption",
    "antivirus_posture",
    "patch_sla",
    "backup_activity",
    "device_inventory",
];

/// Runs a program of this crate with these credentials in its environment, and no other variable of ours.
async fn run(program: &'static str, id: &str, secret: &str, args: &[&str], log: &str) -> Output {
    let mut command = std::process::Command::new(program);
    command
        .args(args)
        .env("NINJAONE_CLIENT_ID", id)
        .env("NINJAONE_CLIENT_SECRET", secret)
        .env("RUST_LOG", log)
        .stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn regentra(id: &str, secret: &str, args: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_regentra"), id, secret, args, "off").await
}

fn text(stream: &[u8]) -> &str {
    std::str::from_utf8(stream).unwrap()
}

/// The one message of a run that failed.
fn message(output: &Output) -> &str {
    assert!(!output.status.success());
    assert_eq!(
        text(&output.stdout),
        "",
        "nothing but signals belongs on standard output"
    );
    let message = text(&output.stderr);
    assert_eq!(message.matches("error:").count(), 1, "{message}");
    message
}

fn tenant() -> TenantBuilder {
    Tenant::builder(NOW).preset(Preset::Mixed, 3, 120)
}

/// A tenant behind a raw socket, and what to call it with.
struct Simulated {
    server: front::tcp::Front,
    id: String,
    secret: String,
    organization: String,
}

impl Simulated {
    async fn start(tenant: Tenant) -> Self {
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let organization = tenant.organizations()[0]["id"].to_string();
        Self {
            server: front::tcp::serve(tenant).await.unwrap(),
            id,
            secret,
            organization,
        }
    }

    async fn evidence(&self, more: &[&str]) -> Output {
        let url = self.server.url();
        let mut args = vec![
            "evidence",
            "--base-url",
            &url,
            "--now",
            "2026-11-23T06:30:00Z",
            "--org",
            &self.organization,
        ];
        args.extend(more);
        regentra(&self.id, &self.secret, &args).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_five_signals_on_standard_output_and_nothing_else() {
    let simulated = Simulated::start(tenant().build()).await;
    let output = simulated.evidence(&["--json"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let signals: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = signals
        .iter()
        .map(|signal| signal["signal"].as_str().unwrap())
        .collect();
    assert_eq!(names, SIGNALS);
    for signal in &signals {
        assert_eq!(signal["collected_at"], "2026-11-23T06:30:00Z");
        assert_eq!(signal["expires_at"], "2026-11-30T06:30:00Z");
    }
    let again = simulated.evidence(&["--json"]).await;
    assert_eq!(again.stdout, output.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_verdict_numbers_reason_and_what_was_not_measured() {
    let simulated = Simulated::start(tenant().build()).await;
    let output = simulated.evidence(&[]).await;
    assert!(output.status.success());
    let page = text(&output.stdout);
    for words in [
        "WARNING  Disk encryption",
        "measured volumes encrypted",
        "why:",
        "[unmeasured_volumes]",
        "not measured:",
        "IC-024",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_fails_is_an_unknown_verdict_and_not_a_failed_run() {
    let mut failing = tenant().build();
    failing.fault(Fault::CutBody { after: 40 }.on("/v2/queries/volumes"));
    let output = Simulated::start(failing).await.evidence(&["--json"]).await;
    assert!(output.status.success());
    let signals: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(signals[0]["status"], "unknown");
    assert_eq!(signals[1]["status"], "warning");
    assert!(
        text(&output.stderr).contains("report queries/volumes failed"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_decode_are_said() {
    let mut failing = tenant().build();
    failing.fault(Fault::MalformedRow(Malformed::WrongType).on("/v2/queries/volumes"));
    let output = Simulated::start(failing).await.evidence(&["--json"]).await;
    assert!(output.status.success());
    assert!(
        text(&output.stderr).contains("1 row that did not decode"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_one_clear_message() {
    let simulated = Simulated::start(tenant().build()).await;
    let url = simulated.server.url();
    let output = regentra(
        &simulated.id,
        "not-the-secret",
        &["evidence", "--base-url", &url, "--org", "1"],
    )
    .await;
    let message = message(&output);
    assert!(message.contains("secret"), "{message}");
    assert!(!message.contains("not-the-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_region_looks_like_an_unknown_client_and_the_message_says_both() {
    let simulated = Simulated::start(tenant().build()).await;
    let url = simulated.server.url();
    let output = regentra(
        "another-client",
        &simulated.secret,
        &["evidence", "--base-url", &url, "--org", "1"],
    )
    .await;
    let message = message(&output);
    assert!(
        message.contains("region") && message.contains("client"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_organization_is_named_with_those_that_are_visible() {
    let simulated = Simulated::start(tenant().build()).await;
    let url = simulated.server.url();
    let args = ["evidence", "--base-url", &url, "--org", "424242"];
    let output = regentra(&simulated.id, &simulated.secret, &args).await;
    let message = message(&output);
    assert!(
        message.contains("424242") && message.contains(&simulated.organization),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_list_that_breaks_off_is_one_clear_message() {
    let mut failing = tenant().build();
    failing.fault(Fault::CutBody { after: 200 }.on("/v2/devices-detailed"));
    let simulated = Simulated::start(failing).await;
    let output = simulated.evidence(&["--json"]).await;
    let message = message(&output);
    assert!(message.contains("devices of organization"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_to_a_remote_host_is_refused() {
    let output = regentra(
        "id",
        "secret",
        &["evidence", "--base-url", "http://example.com", "--org", "1"],
    )
    .await;
    assert!(message(&output).contains("https"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_the_message_says_where_to_get_them() {
    let output = regentra("", "", &["evidence", "--region", "eu", "--org", "1"]).await;
    assert!(message(&output).contains("NINJAONE_CLIENT_ID"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_region_nothing_is_sent_anywhere() {
    let output = regentra("id", "secret", &["evidence", "--org", "1"]).await;
    assert_eq!(output.status.code(), Some(2));
    let message = message(&output);
    assert!(message.contains("--region"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_read_from_standard_input() {
    use std::io::Write as _;
    let simulated = Simulated::start(tenant().build()).await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regentra"));
    command
        .args([
            "evidence",
            "--json",
            "--base-url",
            &simulated.server.url(),
            "--org",
            &simulated.organization,
        ])
        .env_remove("NINJAONE_CLIENT_ID")
        .env_remove("NINJAONE_CLIENT_SECRET")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let lines = format!("{}\n{}\n", simulated.id, simulated.secret);
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_needs_nothing() {
    let output = regentra("", "", &["evidence", "--demo", "7", "--json"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        serde_json::from_slice::<Vec<Value>>(&output.stdout)
            .unwrap()
            .len(),
        5
    );
}

/// Every string of the fleet is a canary; a log at TRACE of everything must not hold one, nor the secret, nor a token.
#[tokio::test(flavor = "multi_thread")]
async fn no_canary_reaches_output_error_or_log() {
    let mut faulty = tenant().canaries().build();
    let canaries = faulty.canaries();
    assert!(canaries.len() > 100, "{}", canaries.len());
    faulty.faults(Fault::all_survivable());
    faulty.fault(Fault::MalformedRow(Malformed::WrongType).on("/v2/queries/os-patches"));
    faulty.fault(Fault::ThrottlePage.on("/v2/queries/software-patches"));
    let simulated = Simulated::start(faulty).await;
    let url = simulated.server.url();
    for json in [true, false] {
        let mut args = vec![
            "evidence",
            "--base-url",
            &url,
            "--now",
            "2026-11-23T06:30:00Z",
            "--org",
            &simulated.organization,
        ];
        if json {
            args.push("--json");
        }
        let output = run(
            env!("CARGO_BIN_EXE_regentra"),
            &simulated.id,
            &simulated.secret,
            &args,
            "trace",
        )
        .await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(stderr.contains("TRACE"), "the log is not switched on");
        for secret in canaries.iter().chain([&simulated.secret]) {
            assert!(
                !stdout.contains(secret.as_str()),
                "{secret} on standard output"
            );
            assert!(
                !stderr.contains(secret.as_str()),
                "{secret} on standard error"
            );
        }
        assert!(!stderr.contains("Bearer "), "a token is in the log");
    }
}
