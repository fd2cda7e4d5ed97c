//! Every string of the fleet is a canary: of all that the commands print and log at TRACE, only organizations' and companies'
//! names may be one, and those not in the log.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use crate::simulated::{Person, mixed};

/// Whether the text holds the canary itself, and not a longer one that begins with it.
fn holds(text: &str, canary: &str) -> bool {
    text.match_indices(canary).any(|(at, _)| {
        let rest = &text[at + canary.len()..];
        !rest.starts_with(|next: char| next.is_ascii_alphanumeric())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn only_names_of_customers_are_printed_and_not_even_those_are_logged() {
    let tenant = mixed().canaries().build();
    let names: BTreeSet<String> = tenant
        .organizations()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    let canaries = tenant.canaries();
    assert!(names.len() == 12 && canaries.len() > 300);
    let mut person = Person::of(tenant).await;
    person.log = "trace";

    let mut story: Vec<(&str, Vec<&str>)> = Vec::new();
    for command in [
        "test-connection",
        "connect",
        "organizations",
        "map 2 5 8 11 14 17 --create",
        "map 32 --ignore",
        "sync",
        "companies",
    ] {
        story.push(("2026-11-23T05:45:00Z", command.split(' ').collect()));
    }
    for at in [
        "2026-11-23T06:31:00Z",
        "2026-11-23T12:31:00Z",
        "2026-11-23T18:31:00Z",
    ] {
        story.push((at, vec!["sweep"]));
    }
    for command in [
        "status",
        "organizations --known",
        "signals",
        "signals --status fail",
        "tickets",
        "tickets --outbox",
        "audit --limit 200",
        "sync",
        "disconnect",
        "sync",
        "status",
    ] {
        story.push(("2026-11-23T18:40:00Z", command.split(' ').collect()));
    }

    let (mut printed_names, mut logged) = (BTreeSet::new(), 0);
    for (place, (at, command)) in story.iter().enumerate() {
        person.now = (*at).to_owned();
        if place == 7 {
            promote_everybody(&person).await;
        }
        // The first of the two does the work: now the one, now the other.
        let first = place % 2 == 1;
        for json in [first, !first] {
            let mut args = command.clone();
            if json {
                args.push("--json");
            }
            let run = person.does(&args).await;
            let is_over = command[0] == "disconnect" || place + 2 == story.len();
            assert!(
                run.code == Some(0) || is_over,
                "{command:?}: {}",
                run.stderr
            );
            logged += usize::from(run.stderr.contains("TRACE"));
            for canary in canaries.iter().chain([&person.secret]) {
                if names.contains(canary) {
                    if holds(&run.stdout, canary) {
                        printed_names.insert(canary.clone());
                    }
                } else {
                    assert!(
                        !holds(&run.stdout, canary),
                        "{canary} is printed by {command:?}"
                    );
                }
                assert!(
                    !holds(&run.stderr, canary),
                    "{canary} is logged by {command:?}"
                );
            }
            assert!(
                !run.stderr.contains("Bearer "),
                "a token is logged by {command:?}"
            );
        }
    }
    assert_eq!(printed_names, names, "an operator must see names");

    assert!(logged >= 10, "the log is switched on");

    // At rest the secret is sealed, and nowhere in the file.
    for file in std::fs::read_dir(person.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let secret = person.secret.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

async fn promote_everybody(person: &Person) {
    let companies = person.does(&["companies", "--json"]).await.rows();
    for company in companies {
        person
            .does(&["promote", company["id"].as_str().unwrap()])
            .await
            .text();
    }
}
