//! `regentra run --engine graphile-worker`: what is queued reaches the engine's processes, and `status` shows what the engine holds.
#![cfg(unix)]

use regentra_harness::postgres::{self, OWNER, STORE, SUPERUSER, execute};

use crate::simulated::{
    Person, mixed,
    running::{Running, done, promoted},
};

const ENGINE: &str = "regentra_engine_cli";

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_does_what_is_queued_and_status_shows_what_it_holds() {
    let database = postgres::database().await;
    let mut superuser = database.connect(SUPERUSER).await;
    execute(&mut superuser, &format!("CREATE ROLE {ENGINE} LOGIN")).await;
    let mut person = Person::of(mixed().build()).await;
    let keys = ("REGENTRA_KEY", format!("{}A==", "B".repeat(85)));
    person.variables.push(keys);
    person.server_db = Some(database.url(STORE));
    let mut person = promoted(person).await;

    let queue = ["sync", "--organization", "2", "--queue"];
    let without = person.does(&queue).await;
    assert!(without.message().contains("REGENTRA_ENGINE_DB"));
    let engine = ("REGENTRA_ENGINE_DB", database.url(ENGINE));
    person.variables.push(engine);
    let not_migrated = person.does(&queue).await;
    assert!(not_migrated.message().contains("migrate as its owner"));
    person.server_db = Some(database.url(OWNER));
    let migrate = ["migrate", "--role", STORE, "--engine-role", ENGINE];
    person.does(&migrate).await.text();
    person.server_db = Some(database.url(STORE));

    assert!(person.does(&queue).await.text().contains("is queued"));
    let status = person.does(&["status", "--json"]).await.json();
    assert_eq!(status["engine"]["queued"], 1, "{status}");
    assert_eq!(status["engine"]["requested"], 1, "{status}");
    assert!(status["connections"].is_array());
    let shown = person.does(&["status"]).await;
    assert!(shown.text().contains("engine  0 running, 1 queued"));

    let run = [
        "--engine",
        "graphile-worker",
        "--sync",
        "never",
        "--sweep",
        "never",
    ];
    let once = [&["run", "--once"], &run[..2]].concat();
    assert!(person.does(&once).await.message().contains("--once"));
    let running = Running::start(&person, &run);
    tokio::task::block_in_place(|| running.until(done("asset_sync")));
    running.signal("-TERM");
    tokio::task::block_in_place(|| running.until(|line| line["told"] == "stopped"));
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    let status = person.does(&["status", "--json"]).await.json();
    assert_eq!(status["engine"]["queued"], 0, "{status}");
    assert_eq!(status["engine"]["failed"], 0, "{status}");
}
