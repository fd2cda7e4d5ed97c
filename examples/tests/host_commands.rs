//! The command line host, as an operator or a script meets it: the whole story on a file, `--json` on every list, and one clear
//! message for bad input with a database that is as it was before.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use ninjaone_simulator::{Preset, Tenant, front};
use serde_json::Value;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// A tenant on loopback, and a folder for the host's files.
struct Scene {
    folder: TempDir,
    tenant: front::http::Front,
}

fn text(stream: &[u8]) -> &str {
    std::str::from_utf8(stream).unwrap()
}

impl Scene {
    #[expect(
        clippy::disallowed_methods,
        reason = "the host under test reads the machine's clock"
    )]
    async fn new() -> Self {
        let now = OffsetDateTime::now_utc() - Duration::minutes(1);
        let tenant = Tenant::builder(now)
            .preset(Preset::Failing, 7, 40)
            .organization_count(3)
            .build();
        Self {
            folder: tempfile::tempdir().unwrap(),
            tenant: front::http::serve(tenant).await,
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("regentra.db")
    }

    fn credentials(&self) -> (String, String) {
        let tenant = self.tenant.tenant();
        (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        )
    }

    async fn run_on(&self, database: &Path, secret: Option<&str>, args: &[&str]) -> Output {
        let (id, own_secret) = self.credentials();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regentra"));
        command
            .args(args)
            .arg("--db")
            .arg(database)
            .env("NINJAONE_CLIENT_ID", id)
            .env("NINJAONE_CLIENT_SECRET", secret.unwrap_or(&own_secret))
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    async fn run(&self, args: &[&str]) -> Output {
        self.run_on(&self.database(), None, args).await
    }

    /// What a command prints on standard output.
    async fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args).await;
        assert!(
            output.status.success(),
            "{args:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout).to_owned()
    }

    async fn json(&self, args: &[&str]) -> Value {
        let args: Vec<_> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&args).await).unwrap()
    }

    /// The one message of a command that fails.
    async fn message(&self, args: &[&str]) -> String {
        let output = self.run(args).await;
        one_message(&output)
    }

    async fn connect(&self) {
        let url = self.tenant.url();
        let said = self.ok(&["connect", "--base-url", &url]).await;
        assert!(
            said.contains("3 organizations are visible") && said.contains("Connected"),
            "{said}"
        );
    }

    /// Everything the lists say, to compare before and after.
    async fn everything(&self) -> Vec<Value> {
        let mut everything = Vec::new();
        for list in [
            &["organizations", "--offline"][..],
            &["companies"],
            &["signals"],
            &["tickets"],
            &["tickets", "--outbox"],
            &["audit"],
        ] {
            everything.push(self.json(list).await);
        }
        everything
    }
}

fn one_message(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(text(&output.stdout), "");
    let message = text(&output.stderr);
    assert_eq!(message.matches("error:").count(), 1, "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message.to_owned()
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|row| row["external_org_id"].to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told whole")]
async fn the_whole_story_from_the_command_line() {
    let scene = Scene::new().await;
    let url = scene.tenant.url();
    let test = scene.json(&["test-connection", "--base-url", &url]).await;
    assert_eq!(test["organizations_visible"], 3);
    scene.connect().await;

    let organizations = scene.json(&["organizations"]).await;
    assert!(
        organizations
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["state"] == "pending_review")
    );
    let ids = ids(&organizations);
    scene.ok(&["map", &ids[0], "--create-new"]).await;
    let name = organizations[1]["name"].as_str().unwrap();
    scene
        .ok(&["companies", "--add", &name.to_uppercase()])
        .await;
    let listed = scene.json(&["organizations"]).await;
    assert_eq!(
        listed[1]["suggestion_name"],
        name.to_uppercase(),
        "{listed}"
    );
    scene.ok(&["map", &ids[1], "--suggested"]).await;
    scene.ok(&["map", &ids[2], "--dont-sync"]).await;
    let decided: Vec<_> = scene
        .json(&["organizations"])
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(decided, ["mapped", "mapped", "ignored"]);

    let synced = scene.json(&["sync"]).await;
    assert_eq!(synced.as_array().unwrap().len(), 2);
    assert!(synced[0]["counts"]["created"].as_u64().unwrap() > 0);
    let again = scene.json(&["sync"]).await;
    assert!(
        again
            .as_array()
            .unwrap()
            .iter()
            .all(|sync| sync["changed"] == false),
        "{again}"
    );
    let companies = scene.json(&["companies"]).await;
    assert!(companies[0]["active_assets"]["ninjaone"].as_u64().unwrap() > 0);

    scene.ok(&["promote", name]).await;
    let first = scene.json(&["sweep"]).await;
    assert_eq!(
        (&first[0]["dry_run"], &first[0]["tickets_opened"]),
        (&Value::from(true), &Value::from(0))
    );
    let second = scene.json(&["sweep"]).await;
    assert_eq!(second[0]["dry_run"], false);
    let opened = second[0]["tickets_opened"].as_u64().unwrap();
    assert!(opened > 0);
    let signals = scene.json(&["signals", "--company", name]).await;
    assert_eq!(
        signals[0]["mappings"][0]["signals"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        scene.json(&["tickets"]).await.as_array().unwrap().len() as u64,
        opened
    );
    assert_eq!(
        scene
            .json(&["tickets", "--outbox"])
            .await
            .as_array()
            .unwrap()
            .len() as u64,
        opened
    );
    let trail = scene.json(&["audit", "--company", name]).await;
    assert!(
        trail
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["action"] == "NINJAONE_SWEPT")
    );
    let status = scene.json(&["status"]).await;
    assert_eq!(
        (
            &status[0]["connected"],
            &status[0]["organizations"]["mapped"]
        ),
        (&Value::from(true), &Value::from(2))
    );
    assert!(
        status[0]["budget"]["last_hour"].as_u64().unwrap() > 10,
        "every process draws from one budget: {status}"
    );
    for page in [
        &["status"][..],
        &["companies"],
        &["signals"],
        &["tickets"],
        &["audit"],
        &["organizations", "--offline"],
    ] {
        assert!(scene.ok(page).await.len() > 20, "{page:?}");
    }

    scene.ok(&["disconnect"]).await;
    let status = scene.json(&["status"]).await;
    assert_eq!(status[0]["connected"], false);
    let companies = scene.json(&["companies"]).await;
    assert!(
        companies
            .as_array()
            .unwrap()
            .iter()
            .all(|company| company["active_assets"].as_object().unwrap().is_empty())
    );
    let trail = scene.json(&["audit", "--company", name]).await;
    assert_eq!(trail[0]["action"], "NINJAONE_DISCONNECTED");
    scene.ok(&["connect", "--base-url", &url]).await;
    let third = scene.json(&["sweep"]).await;
    assert_eq!(third[0]["dry_run"], false, "a reconnect resumes");
}

#[tokio::test(flavor = "multi_thread")]
async fn rerunning_anything_changes_nothing() {
    let scene = Scene::new().await;
    scene.connect().await;
    let ids = ids(&scene.json(&["organizations"]).await);
    scene.ok(&["map", &ids[0], "--create-new"]).await;
    scene.ok(&["sync"]).await;
    let company = scene.json(&["companies"]).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.ok(&["promote", &company]).await;
    let before = scene.everything().await;
    scene.ok(&["organizations"]).await;
    scene.ok(&["map", &ids[0], "--create-new"]).await;
    scene.ok(&["sync"]).await;
    scene.ok(&["sync", "--company", &company]).await;
    scene.ok(&["promote", &company]).await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_connected_yet() {
    let scene = Scene::new().await;
    let message = scene.message(&["status"]).await;
    assert!(
        message.contains("there is no database at") && message.contains("regentra connect"),
        "{message}"
    );
    assert!(!scene.database().exists());
    scene.ok(&["companies"]).await;
    let message = scene.message(&["sync"]).await;
    assert!(
        message.contains("no NinjaOne region is connected"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_work_are_not_saved() {
    let scene = Scene::new().await;
    let url = scene.tenant.url();
    let output = scene
        .run_on(
            &scene.database(),
            Some("wrong"),
            &["connect", "--base-url", &url],
        )
        .await;
    let message = one_message(&output);
    assert!(!message.contains("wrong\""), "{message}");
    assert_eq!(scene.json(&["status"]).await, Value::Array(vec![]));
    let message = scene.message(&["connect"]).await;
    assert!(
        message.contains("--region us, us2, eu, ca, oc or fed"),
        "{message}"
    );
    let message = scene.message(&["connect", "--region", "mars"]).await;
    assert!(message.contains("unknown region"), "{message}");
    let message = scene
        .message(&["connect", "--base-url", "http://intranet.example"])
        .await;
    assert!(message.contains("plain http"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_is_refused_and_stays_as_it_was() {
    let scene = Scene::new().await;
    let folder = scene.folder.path();
    let notes = folder.join("notes.txt");
    std::fs::write(&notes, "not a database ".repeat(100)).unwrap();
    let before = std::fs::read(&notes).unwrap();
    let message = one_message(&scene.run_on(&notes, None, &["status"]).await);
    assert!(message.contains("is not a SQLite database"), "{message}");
    assert_eq!(std::fs::read(&notes).unwrap(), before);
    let nowhere = folder.join("no").join("such").join("folder.db");
    let url = scene.tenant.url();
    let message = one_message(
        &scene
            .run_on(&nowhere, None, &["connect", "--base-url", &url])
            .await,
    );
    assert!(
        message.contains("cannot be opened for writing"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_company_or_organization_is_said_as_such() {
    let scene = Scene::new().await;
    scene.connect().await;
    let ids = ids(&scene.json(&["organizations"]).await);
    let before = scene.everything().await;
    for args in [
        &["promote", "Nobody"][..],
        &["sync", "--company", "Nobody"],
        &["signals", "--company", "Nobody"],
        &["map", &ids[0], "--company", "Nobody"],
    ] {
        let message = scene.message(args).await;
        assert!(
            message.contains("there is no company `Nobody`"),
            "{message}"
        );
    }
    let message = scene.message(&["map", "4711", "--create-new"]).await;
    assert!(
        message.contains("there is no organization 4711"),
        "{message}"
    );
    assert_eq!(scene.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn mapping_one_organization_twice_is_a_conflict() {
    let scene = Scene::new().await;
    scene.connect().await;
    let ids = ids(&scene.json(&["organizations"]).await);
    scene.ok(&["map", &ids[0], "--create-new"]).await;
    scene.ok(&["companies", "--add", "Other"]).await;
    let before = scene.everything().await;
    let message = scene.message(&["map", &ids[0], "--company", "Other"]).await;
    assert!(message.contains("un-map it first"), "{message}");
    assert_eq!(scene.everything().await, before);
    let signals = scene.message(&["signals", "--company", "Other"]).await;
    assert!(signals.contains("assets only"), "{signals}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_client_of_the_same_id_is_a_conflict() {
    let scene = Scene::new().await;
    scene.connect().await;
    let before = scene.everything().await;
    // The same host by another name: 127.0.0.1 and localhost are told apart, a path is not.
    let url = format!("{}/gateway", scene.tenant.url());
    let message = scene
        .message(&["connect", "--untested", "--base-url", &url])
        .await;
    assert!(message.contains("connected already"), "{message}");
    assert_eq!(scene.everything().await, before);
    scene
        .ok(&[
            "connect",
            "--untested",
            "--allow-duplicate",
            "--base-url",
            &url,
        ])
        .await;
    let audit = scene.json(&["audit"]).await;
    assert!(
        audit
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["action"] == "NINJAONE_OVERRIDE_USED")
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn secrets_lie_sealed_and_the_key_file_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new().await;
    scene.connect().await;
    let (id, secret) = scene.credentials();
    let keys = scene.folder.path().join("regentra.keys");
    assert_eq!(
        std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for file in std::fs::read_dir(scene.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for needle in [&id, &secret] {
            assert!(
                !bytes
                    .windows(needle.len())
                    .any(|window| window == needle.as_bytes())
            );
        }
    }
    std::fs::remove_file(&keys).unwrap();
    let message = scene.message(&["organizations"]).await;
    assert!(message.contains("connect again"), "{message}");
}
