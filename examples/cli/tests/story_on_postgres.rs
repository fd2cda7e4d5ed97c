//! The story by command line on a PostgreSQL server: the same commands, the same words.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use regentra_harness::postgres;

use crate::simulated::{Person, mixed};

fn keys() -> (&'static str, String) {
    ("REGENTRA_KEY", format!("{}A==", "B".repeat(85)))
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_migration_to_the_disconnect() {
    let database = postgres::bare_database().await;
    let mut person = Person::of(mixed().build()).await;

    person.server_db = Some(database.url(postgres::STORE));
    let unmigrated = person.does(&["connect"]).await;
    assert!(unmigrated.message().contains("migrate"), "{unmigrated:?}");
    person.server_db = Some(database.url(postgres::OWNER));
    let migrated = person.does(&["migrate", "--role", postgres::STORE]).await;
    assert!(
        migrated
            .text()
            .contains("the PostgreSQL database is up to date"),
        "{migrated:?}"
    );
    let owner = person.does(&["connect"]).await;
    assert!(owner.message().contains("owns"), "{owner:?}");

    person.server_db = Some(database.url(postgres::STORE));
    let without_keys = person.does(&["connect"]).await;
    assert!(
        without_keys.message().contains("set REGENTRA_KEY"),
        "{without_keys:?}"
    );
    person.variables.push(keys());
    let connected = person.does(&["connect"]).await;
    assert!(connected.text().contains("12 organizations visible"));
    assert!(
        connected
            .text()
            .contains("Database: the PostgreSQL database")
    );
    person.does(&["organizations"]).await.text();
    person.does(&["map", "5", "8", "--create"]).await.text();
    person.does(&["sync"]).await.text();
    let before = person.everything().await;
    let again = person.does(&["sync"]).await;
    assert!(again.text().contains("nothing has changed"), "{again:?}");
    assert_eq!(person.everything().await, before);

    person.does(&["promote", "Harbour Legal"]).await.text();
    person.now = "2026-11-23T06:31:00Z".to_owned();
    let first = person.does(&["sweep", "--json"]).await.rows();
    assert_eq!(first[0]["result"]["dry_run"], true);
    person.now = "2026-11-23T12:31:00Z".to_owned();
    let second = person.does(&["sweep"]).await;
    assert!(second.text().contains("4 tickets opened"), "{second:?}");
    let failing = person
        .does(&["signals", "--status", "fail", "--json"])
        .await
        .rows();
    assert_eq!(failing[0]["posture"].as_array().unwrap().len(), 4);
    let gone = person.does(&["disconnect"]).await;
    assert!(gone.text().contains("5 signals are left"), "{gone:?}");
    assert_eq!(
        std::fs::read_dir(person.folder.path()).unwrap().count(),
        0,
        "nothing is left in a file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_one_message_without_the_url() {
    let mut person = Person::of(mixed().build()).await;
    person.server_db = Some("postgres://store:hunter2@127.0.0.1:1/regentra".to_owned());
    let run = person.does(&["status"]).await;
    assert!(run.message().contains("does not answer"), "{run:?}");
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
    person.server_db = Some("postgres://store:hunter2@[".to_owned());
    let run = person.does(&["status"]).await;
    assert!(!run.message().contains("hunter2"), "{run:?}");
}
