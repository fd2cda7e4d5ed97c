//! `regentra run`, `diagnose` and `rotate-key`, as an operator uses them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use ninjaone_simulator::Fault;
use serde_json::Value;

use crate::simulated::{
    Person, mixed,
    running::{self, Running, promoted, signals},
};

#[tokio::test(flavor = "multi_thread")]
async fn it_syncs_and_sweeps_until_it_is_asked_to_stop() {
    let person = promoted(Person::of(mixed().build()).await).await;
    running::syncs_and_sweeps_until_it_is_asked_to_stop(&person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_by_hand_is_an_operators() {
    let person = promoted(Person::of(mixed().build()).await).await;
    person.does(&["sync"]).await.text();
    person.does(&["sweep"]).await.text();
    let companies = person.does(&["companies", "--json"]).await.rows();
    let company = companies[0]["id"].as_str().unwrap();
    let trail = person
        .does(&["audit", "--company", company, "--json"])
        .await
        .rows();
    let swept = trail
        .iter()
        .find(|row| row["action"] == "NINJAONE_SWEPT")
        .unwrap();
    assert!(swept["actor"]["operator"].is_string(), "{swept}");
    let trail = person
        .does(&["audit", "--json", "--limit", "100"])
        .await
        .rows();
    let synced = trail
        .iter()
        .find(|row| row["action"] == "NINJAONE_SYNCED")
        .unwrap();
    assert!(synced["actor"]["operator"].is_string(), "{synced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_does_what_is_due_and_ends() {
    let person = promoted(Person::of(mixed().build()).await).await;
    running::does_once_what_is_due_and_ends(&person).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_stops_at_once_and_the_next_start_finishes() {
    let person = promoted(Person::of(mixed().build()).await).await;
    let slow = Fault::Slow(Duration::from_mins(10)).on("/v2/queries/volumes");
    person.server.tenant().fault(slow);
    let running = Running::start(
        &person,
        &["--sync", "never", "--sweep", "2s", "--grace", "600"],
    );
    running.until(|line| line["told"] == "started");
    running.signal("-INT");
    running.until(|line| line["told"] == "stopping");
    running.signal("-INT");
    let (code, said) = tokio::task::block_in_place(|| running.end());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("stopped at once"), "{said}");
    assert_eq!(signals(&person).await.iter().sum::<usize>(), 0);

    person.server.tenant().clear_faults();
    let mut person = person;
    // Its lease of a minute has run out.
    person.now = "2026-11-23T06:35:00Z".to_owned();
    person.does(&["run", "--once"]).await.text();
    assert_eq!(signals(&person).await, [5, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_diagnose_say_what_is_wrong_and_what_to_do() {
    let mut person = promoted(Person::of(mixed().build()).await).await;
    let status = person.does(&["status", "--json"]).await.rows();
    let names = |found: &Value| -> Vec<String> {
        let found = found.as_array().unwrap().iter();
        found
            .map(|of| of["finding"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = ["pending_review", "not_promoted", "first_sweep_pending"];
    assert_eq!(names(&status[0]["diagnoses"]), expected);
    let said = person.does(&["diagnose"]).await;
    for words in [
        "dry run",
        "Promote the company",
        "6 others",
        "Map it to a company",
    ] {
        assert!(
            said.text().contains(words),
            "{words} is missing in {said:?}"
        );
    }
    let card = person.does(&["status"]).await;
    assert!(card.text().contains("What to know:"), "{card:?}");

    // Another key.
    person
        .variables
        .push(("REGENTRA_KEY", format!("{}A==", "B".repeat(85))));
    let found = person.does(&["diagnose", "--json"]).await.json();
    assert_eq!(names(&found)[0], "secrets_do_not_open");
    assert_eq!(found[0]["severity"], "blocking");
    assert!(found[0]["next_step"].as_str().unwrap().contains("key"));
    person.variables.clear();

    // A test says its own.
    person.id = "another-client".to_owned();
    let test = person.does(&["test-connection"]).await;
    assert_ne!(test.code, Some(0));
    assert!(test.stderr.contains("wrong_region_or_client"), "{test:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_opens_everything_and_the_old_one_nothing() {
    let person = promoted(Person::of(mixed().build()).await).await;
    let old = std::fs::read_to_string(person.key()).unwrap();
    let rotated = person.does(&["rotate-key"]).await;
    assert!(
        rotated
            .text()
            .contains("1 credential is sealed under the new key"),
        "{rotated:?}"
    );
    let new = std::fs::read_to_string(person.key()).unwrap();
    assert!(new != old && new.len() == old.len() && !rotated.text().contains(new.trim()));
    person.does(&["sync"]).await.text();
    let trail = person.does(&["audit", "--json"]).await.rows();
    assert!(
        trail
            .iter()
            .any(|row| row["action"] == "NINJAONE_KEY_ROTATED")
    );

    // Interrupted after the new key was written: everything opens, and the next call ends it.
    std::fs::write(person.key(), format!("{old}retired {new}")).unwrap();
    person.does(&["sync"]).await.text();
    person.does(&["rotate-key"]).await.text();
    assert_eq!(std::fs::read_to_string(person.key()).unwrap(), old);
    person.does(&["sync"]).await.text();
    std::fs::write(person.key(), new).unwrap();
    let refused = person.does(&["sync"]).await;
    assert!(refused.message().contains("key"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_keys_are_changed_by_two_variables() {
    let mut person = Person::of(mixed().build()).await;
    let old = format!("{}A==", "B".repeat(85));
    person.variables.push(("REGENTRA_KEY", old.clone()));
    person.does(&["connect"]).await.text();
    let new = person.does(&["rotate-key", "--print-new"]).await;
    let new = new.text().trim().to_owned();
    assert!(
        person
            .does(&["rotate-key"])
            .await
            .message()
            .contains("REGENTRA_KEY_RETIRED")
    );
    person.variables = vec![("REGENTRA_KEY", new.clone()), ("REGENTRA_KEY_RETIRED", old)];
    person.does(&["organizations"]).await.text();
    let rotated = person.does(&["rotate-key", "--json"]).await.json();
    assert_eq!(
        (&rotated["resealed"], &rotated["providers"]),
        (&1.into(), &1.into())
    );
    person.variables.pop();
    person.does(&["organizations"]).await.text();
    assert!(!person.key().exists());
    // Keys that do not go on with the old ones would make every fingerprint another.
    let stranger = format!("{}Q==", "C".repeat(85));
    person.variables = vec![("REGENTRA_KEY", stranger), ("REGENTRA_KEY_RETIRED", new)];
    let refused = person.does(&["organizations"]).await;
    assert!(refused.message().contains("--print-new"), "{refused:?}");
}
