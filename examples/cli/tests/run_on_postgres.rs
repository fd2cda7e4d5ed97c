//! `regentra run` on a PostgreSQL server: as on a file, and by several processes at once.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use ninjaone_simulator::Fault;
use regentra_harness::postgres::{self, Database, STORE, SUPERUSER};
use serde_json::Value;

use crate::simulated::{
    Person, mixed,
    running::{self, Running, done, promoted},
};

/// What NinjaOne allows within a minute, less the tenth that sweeps leave free.
const A_MINUTE: i64 = 180;

async fn person_on(database: &Database) -> Person {
    let mut person = Person::of(mixed().build()).await;
    person.server_db = Some(database.url(STORE));
    let keys = ("REGENTRA_KEY", format!("{}A==", "B".repeat(85)));
    person.variables.push(keys);
    person
}

#[tokio::test(flavor = "multi_thread")]
async fn it_syncs_and_sweeps_until_it_is_asked_to_stop() {
    let database = postgres::database().await;
    let person = promoted(person_on(&database).await).await;
    running::syncs_and_sweeps_until_it_is_asked_to_stop(&person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_does_what_is_due_and_ends() {
    let database = postgres::database().await;
    let person = promoted(person_on(&database).await).await;
    running::does_once_what_is_due_and_ends(&person).await;
}

/// The events that a process says it has done.
fn done_by(lines: &[Value]) -> BTreeSet<String> {
    let done = lines.iter().filter(|line| done("evidence_sweep")(line));
    done.map(|line| line["event"].as_str().unwrap().to_owned())
        .collect()
}

/// Two processes of one host, as behind a load balancer, which sweep so often that they run out of requests.
#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_each_sweep_once_and_share_one_budget() {
    let database = postgres::database().await;
    let mut person = person_on(&database).await;
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    let customers = ["map", "2", "5", "8", "11", "14", "17", "--create"];
    person.does(&customers).await.text();
    for company in person.does(&["companies", "--json"]).await.rows() {
        let id = company["id"].as_str().unwrap();
        person.does(&["promote", id]).await.text();
    }
    // One pass for all would leave the other process nothing to do.
    let alone = ["settings", "--sweep-strategy", "per_customer"];
    person.does(&alone).await.text();
    "2026-11-23T06:31:00Z".clone_into(&mut person.now);
    let requests = || -> usize {
        let tenant = person.server.tenant();
        // Those for a token are drawn from the budget, too.
        tenant.requests_by_path().into_values().sum()
    };
    let before = requests();

    // A token may be drawn from what sweeps leave free. Sweeps wait until both processes have theirs, so that
    // the fullest minute holds what sweeps may take and no request more.
    let tokens = || -> usize {
        let tenant = person.server.tenant();
        tenant.requests_by_path()["/ws/oauth/token"]
    };
    let tokens_before = tokens();
    let slow = Fault::Slow(Duration::from_secs(1));
    person.server.tenant().fault(slow);
    let args = ["--sync", "never", "--sweep", "2s", "--grace", "1"];
    let both = [(); 2].map(|()| Running::start(&person, &args));
    let told = tokio::task::block_in_place(|| {
        let started = Instant::now();
        while tokens() < tokens_before + both.len() {
            assert!(started.elapsed() < running::LIMIT, "not both have a token");
            std::thread::sleep(Duration::from_millis(10));
        }
        person.server.tenant().clear_faults();
        // Both do some of it, until both have to wait for the budget.
        let mut told = [(); 2].map(|()| Vec::new());
        for (running, told) in both.iter().zip(&mut told) {
            told.extend(running.until_all(done("evidence_sweep")));
        }
        for (running, told) in both.iter().zip(&mut told) {
            told.extend(running.until_all(|line| line["told"] == "waiting"));
        }
        for running in &both {
            running.signal("-TERM");
        }
        for (running, told) in both.into_iter().zip(&mut told) {
            told.extend(running.until_all(|line| line["told"] == "stopped"));
            let (code, said) = running.end();
            assert_eq!(code, Some(0), "{said}");
        }
        told
    });

    let [one, other] = told.map(|lines| done_by(&lines));
    let twice: Vec<_> = one.intersection(&other).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let mut superuser = database.connect(SUPERUSER).await;
    let swept: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT a.event_id::text, count(*), (SELECT count(*) FROM regentra_sync.signals s WHERE s.event_id = a.event_id) \
         FROM regentra_sync.customer_audit a WHERE a.action = 'NINJAONE_SWEPT' GROUP BY a.event_id",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    for (event, audited, signals) in &swept {
        assert_eq!((*audited, *signals), (1, 5), "{event}");
    }
    let swept: BTreeSet<_> = swept.into_iter().map(|(event, ..)| event).collect();
    assert!(swept.is_superset(&one) && swept.is_superset(&other));
    let gaps: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT max(sequence) - count(*) AS missing FROM regentra_sync.evidence \
         GROUP BY mapping_id, signal) chains WHERE missing <> 0",
    )
    .fetch_one(&mut superuser)
    .await
    .unwrap();
    assert_eq!(gaps, 0, "every chain is whole");

    let (drawn, in_a_minute): (i64, i64) = sqlx::query_as(
        "SELECT count(*), max(in_a_minute) FROM (SELECT count(*) OVER (ORDER BY started_at \
         RANGE BETWEEN CURRENT ROW AND interval '59.999 seconds' FOLLOWING) AS in_a_minute \
         FROM regentra_sync.requests WHERE started_at >= '2026-11-23T06:31:00Z') requests",
    )
    .fetch_one(&mut superuser)
    .await
    .unwrap();
    let made = i64::try_from(requests() - before).unwrap();
    assert_eq!(
        drawn, made,
        "every request of both is drawn from one budget"
    );
    assert_eq!(in_a_minute, A_MINUTE, "of {drawn}");
}
