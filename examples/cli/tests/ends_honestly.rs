//! How a run ends is what became of it: its exit code and its summary say who was left out, and nobody who does not listen makes it
//! fail.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::process::{Command, Stdio};

use regentra_sync::{
    host::{ManualClock, StoreClock},
    model::{ComplianceOrgId, LeaseKey, MspOrgId, WorkerId},
    store::Runs as _,
};
use regentra_sync_sqlite::SqliteStore;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    simulated::{Person, Run, mixed},
    story::MSP,
};

/// A person with two promoted customers, and the compliance organizations of both.
async fn promoted() -> (Person, Vec<ComplianceOrgId>) {
    let mut person = Person::of(mixed().build()).await;
    person.variables.push(("REGENTRA_MSP", MSP.to_owned()));
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    person.does(&["map", "5", "8", "--create"]).await.text();
    person
        .does(&["promote", "Harbour Legal", "Northwind Logistics"])
        .await
        .text();
    "2026-11-23T06:31:00Z".clone_into(&mut person.now);
    let companies = person.does(&["companies", "--json"]).await.rows();
    let ids = companies
        .iter()
        .map(|row| row["compliance_org"].as_str().unwrap().parse().unwrap());
    let ids = ids.collect();
    (person, ids)
}

/// Another process is at work on this customer, or was killed in the middle of it.
async fn another_worker_takes(person: &Person, customer: ComplianceOrgId) {
    let now = OffsetDateTime::parse(&person.now, &Rfc3339).unwrap();
    let clock = StoreClock::of(ManualClock::at(now));
    let store = SqliteStore::open(person.db())
        .await
        .unwrap()
        .with_clock(clock);
    let msp: MspOrgId = MSP.parse().unwrap();
    let key = LeaseKey::EvidenceSweep(customer);
    let lease = store
        .take_lease(msp, key, WorkerId::new(now), Duration::minutes(10))
        .await
        .unwrap();
    assert!(lease.is_some());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_was_not_swept_is_not_counted_as_swept() {
    let (person, customers) = promoted().await;
    another_worker_takes(&person, customers[0]).await;
    let run = person.does(&["sweep"]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("1 of 2 organizations swept"), "{run:?}");
    assert!(run.stdout.contains("another run works on"), "{run:?}");
    assert!(
        run.stderr.contains("1 of 2 organizations was not swept"),
        "{run:?}"
    );

    // Once more: one is done already, and the other waits still. That is no sweep that is done.
    for json in [false, true] {
        let mut args = vec!["sweep"];
        args.extend(json.then_some("--json"));
        let run = person.does(&args).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(!run.stdout.contains("is done already, for"), "{run:?}");
        assert_eq!(run.stdout.contains(r#""outcome": "busy""#), json, "{run:?}");
    }
}

/// Runs it with a standard error that nobody reads.
async fn with_nobody_at_standard_error(person: &Person, args: &[&str], log: &str) -> Run {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_regentra"));
    command
        .args(["--db", person.db().to_str().unwrap(), "--now", &person.now])
        .args(args)
        .env_clear()
        .env("HOME", person.folder.path())
        .env("NINJAONE_CLIENT_ID", &person.id)
        .env("NINJAONE_CLIENT_SECRET", &person.secret)
        .env("NINJAONE_REGION", person.region.as_deref().unwrap())
        .env("RUST_LOG", log)
        .envs(person.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stderr(writer);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    output.await.unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_error_that_nobody_reads_ends_nothing() {
    let (person, _) = promoted().await;
    for log in ["off", "trace"] {
        let asked = with_nobody_at_standard_error(&person, &["connect"], log).await;
        asked.text();
        let asked = with_nobody_at_standard_error(&person, &["organizations"], log).await;
        assert!(asked.text().contains("12 organizations"), "{asked:?}");
        person.does(&["map", "2", "--create"]).await.text();
        let synced = with_nobody_at_standard_error(&person, &["sync"], log).await;
        assert!(synced.text().contains("organizations, "), "{synced:?}");
        let once = with_nobody_at_standard_error(&person, &["run", "--once"], log).await;
        once.text();
        let demo = ["evidence", "--demo"];
        with_nobody_at_standard_error(&person, &demo, log)
            .await
            .text();
        // What fails says so by its exit code, and that is 1 and no panic's.
        let failed = with_nobody_at_standard_error(&person, &["promote", "nobody"], log).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_says_so_and_answers_as_shells_expect() {
    // A server that listens and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let regentra = Command::new(env!("CARGO_BIN_EXE_regentra"))
        .args(["evidence", "--org", "1", "--region", &address])
        .env("NINJAONE_CLIENT_ID", "id")
        .env("NINJAONE_CLIENT_SECRET", "secret")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _called = silent.accept().await.unwrap();
    let id = regentra.id().to_string();
    let interrupt = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(interrupt.success());
    let ended = tokio::task::spawn_blocking(|| regentra.wait_with_output().unwrap());
    let ended = ended.await.unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("interrupted"), "{said}");
}
