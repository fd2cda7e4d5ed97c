//! `regentra setup`: what an administrator has to do, before there is any database.

use crate::simulated::{Person, mixed};

#[tokio::test]
async fn the_steps_are_shown_for_both_ways_in_and_no_database_is_made() {
    let person = Person::of(mixed().build()).await;
    let own = person.runs(&["setup", "--region", "eu"]).await;
    assert!(
        own.text()
            .starts_with("1. Sign in to NinjaOne at https://eu.ninjarmm.com as"),
        "{own:?}"
    );
    assert!(
        own.text().contains("\n     Scopes: Monitoring\n"),
        "{own:?}"
    );

    let uri = "https://portal.example/callback";
    let args = [
        "--json",
        "setup",
        "--region",
        "us",
        "--authorize",
        "--redirect-uri",
        uri,
    ];
    let steps = person.runs(&args).await.rows();
    let redirects = steps.iter().filter_map(|step| step["values"].as_array());
    let pair = serde_json::json!(["Redirect URIs", uri]);
    assert!(redirects.flatten().any(|value| *value == pair), "{steps:?}");

    assert!(!person.db().exists());
}
