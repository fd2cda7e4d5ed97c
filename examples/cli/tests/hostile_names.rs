//! Names that move cursors, forge lines and turn text: no command prints such a character, and nothing vanishes for its name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use ninjaone_simulator::{Tenant, TenantBuilder};
use regentra_sync::model::is_invisible;
use serde_json::{Value, json};

use crate::simulated::{self, Person, Run, mixed};

const HOSTILE: [&str; 12] = [
    "\u{1b}[31mRed\u{1b}[0m",
    "Two\nlines",
    "Back\rwards\u{8}\u{8}",
    "Turned \u{202e}CLL",
    "Isolated \u{2066}x\u{2069}",
    "Zero\u{200b}width\u{200d}\u{feff}",
    "C1 \u{9b}31m and \u{85}",
    "Bell\u{7} and \u{7f}",
    "Tagged\u{e0041}\u{e0042}",
    "Soft\u{ad}hyphen\u{2060}",
    "Lines\u{2028}and\u{2029}paragraphs",
    "\u{1b}]0;title\u{7}\u{1b}[2J",
];

fn rows(rows: &[impl serde::Serialize]) -> Vec<Value> {
    rows.iter().map(|row| json!(row)).collect()
}

/// The mixed fleet, in which every organization and every device has a hostile name.
fn hostile() -> (TenantBuilder, Vec<Value>) {
    let plain = mixed().build();
    let mut organizations = rows(plain.organizations());
    let mut devices = rows(plain.devices());
    for (place, row) in organizations.iter_mut().enumerate() {
        row["name"] = json!(HOSTILE[place % HOSTILE.len()]);
    }
    for (place, row) in devices.iter_mut().enumerate() {
        for name in ["systemName", "displayName", "dnsName"] {
            row[name] = json!(format!("{place} {}", HOSTILE[place % HOSTILE.len()]));
        }
    }
    let builder = mixed().organizations(&organizations).devices(&devices);
    (builder, organizations)
}

fn assert_harmless(run: &Run, command: &[&str]) {
    for (text, stream) in [(&run.stdout, "out"), (&run.stderr, "err")] {
        let bad = text.chars().find(|c| is_invisible(*c) && *c != '\n');
        assert_eq!(
            bad, None,
            "{command:?} prints it on standard {stream}: {text:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_prints_what_a_terminal_obeys() {
    let (builder, organizations) = hostile();
    let ids: Vec<String> = organizations
        .iter()
        .map(|row| row["id"].to_string())
        .collect();
    let mut person = Person::of(builder.build()).await;
    let unknown = "\u{1b}[2Jnobody\u{202e}\u{200b}";
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["test-connection"],
        vec!["connect"],
        vec!["organizations"],
        vec!["organizations", "--suggest"],
        vec!["map", "--all-pending", "--suggested"],
        vec!["map", "--all-pending", "--create", "--preview"],
        vec!["map", &ids[1], "--company", unknown],
        vec!["map", unknown, "--create"],
        vec!["map", &ids[0], "--create", HOSTILE[0]],
        vec!["map", &ids[2], "--ignore"],
        vec!["map", "--all-pending", "--create"],
        vec!["map", &ids[1], "--create"],
        vec!["companies", "--add", HOSTILE[3]],
        vec!["sync"],
        vec!["sync", "--company", HOSTILE[0]],
        vec!["sync", "--company", unknown],
        vec!["companies"],
        vec!["assets"],
        vec!["assets", "--company", HOSTILE[0]],
        vec!["audit", "--company", HOSTILE[1]],
        vec!["records", HOSTILE[1]],
        vec!["promote", HOSTILE[0]],
        vec!["promote", unknown],
        vec!["sweep"],
        vec!["signals"],
        vec!["tickets"],
        vec!["tickets", "--outbox"],
        vec!["records", HOSTILE[0]],
        vec!["audit", "--limit", "200"],
        vec!["audit", "--company", HOSTILE[0]],
        vec!["diagnose"],
        vec!["diagnose", "--company", HOSTILE[0]],
        vec!["status"],
        vec!["evidence", "--org", &ids[0]],
        vec!["evidence", "--org", "999999"],
        vec!["disconnect"],
        vec!["status"],
    ];
    let shows_names = [
        "organizations",
        "companies",
        "assets",
        "sync",
        "status",
        "audit",
        "diagnose",
        "signals",
    ];
    person.now = "2026-11-23T06:31:00Z".to_owned();
    let mut shown = 0;
    for command in &mut commands {
        for json in [false, true] {
            let mut args = command.clone();
            if json {
                args.push("--json");
            }
            let run = person.does(&args).await;
            assert_harmless(&run, &args);
            if json && run.code == Some(0) {
                let _: Value = serde_json::from_str(&run.stdout).unwrap();
            }
            shown +=
                usize::from(!json && shows_names.contains(&args[0]) && run.stdout.contains("\\u{"));
        }
    }
    assert!(shown >= 6, "names are shown, and shown to be odd: {shown}");
    // A program gets the whole text.
    let known = person
        .does(&["organizations", "--known", "--json"])
        .await
        .rows();
    let names: Vec<_> = known
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    for (place, row) in organizations.iter().enumerate() {
        let name = row["name"].as_str().unwrap();
        assert!(names.contains(&name), "{place}: {name:?}");
    }
}

/// Three organizations, of which one has no name, one shows none, and one is a customer; and a row that is nobody's.
fn nameless(with_lost: bool) -> Tenant {
    let mut organizations = vec![
        json!({"id": 5, "name": "Alpha"}),
        json!({"id": 7}),
        json!({"id": 8, "name": "\u{200b}"}),
    ];
    if with_lost {
        organizations.push(json!({"name": "No id"}));
    }
    Tenant::builder(simulated::NOW)
        .organizations(&organizations)
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations_without_a_readable_name_never_vanish() {
    let person = Person::of(nameless(false)).await;
    for command in ["test-connection", "connect"] {
        let run = person.does(&[command]).await;
        assert!(
            run.text()
                .contains("3 organizations visible, 2 without a readable name"),
            "{run:?}"
        );
    }
    let listed = person.does(&["organizations"]).await;
    for words in [
        "NinjaOne lists 3 organizations: 3 new and 2 without a readable name.",
        "no readable name",
        "map it by its id",
    ] {
        assert!(listed.text().contains(words), "{words}: {listed:?}");
    }
    let audit = person.does(&["audit"]).await;
    assert!(
        audit.text().contains("2 without a readable name"),
        "{audit:?}"
    );
    let found = person.does(&["diagnose"]).await;
    assert!(
        found
            .text()
            .contains("no readable name in NinjaOne. [no readable name (7), no readable name (8)]"),
        "{found:?}"
    );
    let card = person.does(&["status"]).await;
    assert!(
        card.text().contains("2 without a readable name"),
        "{card:?}"
    );
    // The bulk goes on, says what is left, and ends non-zero.
    let bulk = person.does(&["map", "--all-pending", "--create"]).await;
    assert_eq!(bulk.code, Some(1), "{bulk:?}");
    assert!(
        bulk.stdout
            .contains("Alpha (5) is mapped to the new company Alpha."),
        "{bulk:?}"
    );
    for words in [
        "2 of 3 organizations are left pending review",
        "no readable name (7): it has no readable name",
    ] {
        assert!(bulk.stderr.contains(words), "{words}: {bulk:?}");
    }
    let states = person
        .does(&["organizations", "--known", "--json"])
        .await
        .rows();
    let pending: Vec<_> = states
        .iter()
        .filter(|row| row["state"] == "pending_review")
        .map(|row| row["id"].as_i64())
        .collect();
    assert_eq!(pending, [Some(7), Some(8)]);
    let mapped = person.does(&["map", "7", "--create", "Seventh"]).await;
    assert!(
        mapped
            .text()
            .contains("no readable name (7) is mapped to Seventh"),
        "{mapped:?}"
    );
    let evidence = person.does(&["evidence", "--org", "7"]).await;
    assert!(!evidence.stderr.contains("not visible"), "{evidence:?}");
    assert!(
        evidence.text().contains("NinjaOne organization 7"),
        "{evidence:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_could_not_be_read_are_said_beside_every_count_of_organizations() {
    let person = Person::of(nameless(true)).await;
    let lost = "3 organizations, and 1 row that could not be read";
    for command in [
        ["test-connection"],
        ["connect"],
        ["organizations"],
        ["audit"],
    ] {
        let run = person.does(&command).await;
        assert!(run.text().contains(lost), "{command:?}: {run:?}");
    }
    let known = person.does(&["organizations", "--known"]).await;
    assert!(known.text().contains(lost), "{known:?}");
    let found = person.does(&["diagnose"]).await;
    assert!(
        found
            .text()
            .contains("1 row of NinjaOne's list of organizations could not be read"),
        "{found:?}"
    );
    let card = person.does(&["status"]).await;
    assert!(
        card.text().contains("and 1 row that could not be read"),
        "{card:?}"
    );
    let evidence = person.does(&["evidence", "--org", "9"]).await;
    let message = evidence.message();
    assert!(
        message.contains("is not among those that could be read") && message.contains(lost),
        "{message}"
    );
    assert!(!message.contains("not visible"), "{message}");
    let map = person.does(&["map", "9", "--create"]).await;
    assert!(map.message().contains("could not be read"), "{map:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customers_of_one_name_never_become_one_company_in_bulk() {
    let organizations = [
        json!({"id": 1, "name": "Fisch GmbH"}),
        json!({"id": 2, "name": "fisch\u{a0}gmbh\u{200b}"}),
        json!({"id": 3, "name": "Beta"}),
    ];
    let tenant = Tenant::builder(simulated::NOW)
        .organizations(&organizations)
        .build();
    let person = Person::of(tenant).await;
    for command in ["connect", "organizations"] {
        person.does(&[command]).await.text();
    }
    let shown = person
        .does(&["map", "--all-pending", "--create", "--preview"])
        .await;
    for words in [
        "mapped to the new company Beta",
        "another pending organization has the same name",
        "Nothing was changed",
    ] {
        assert!(shown.text().contains(words), "{words}: {shown:?}");
    }
    assert_eq!(person.does(&["companies", "--json"]).await.rows().len(), 0);
    let bulk = person
        .does(&["map", "--all-pending", "--create", "--json"])
        .await;
    assert_eq!(bulk.code, Some(1), "{bulk:?}");
    let rows: Vec<Value> = serde_json::from_str(&bulk.stdout).unwrap();
    let left: Vec<_> = rows
        .iter()
        .filter(|row| row["left"] == "same_name_as_another")
        .map(|row| row["id"].as_i64())
        .collect();
    assert_eq!(left, [Some(1), Some(2)]);
    assert_eq!(person.does(&["companies", "--json"]).await.rows().len(), 1);
    // The exact ones are shown before they are applied.
    person.does(&["map", "3", "--unmap"]).await.text();
    let shown = person.does(&["map", "--all-pending", "--suggested"]).await;
    for words in [
        "mapped to Beta",
        "exactly the same name",
        "add `--yes` to do it",
    ] {
        assert!(shown.text().contains(words), "{words}: {shown:?}");
    }
    let applied = person
        .does(&["map", "--all-pending", "--suggested", "--yes"])
        .await;
    assert_eq!(applied.code, Some(1), "two are left");
    assert!(
        applied.stdout.contains("Beta (3) is mapped to Beta."),
        "{applied:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_and_quotes_around_pasted_credentials_are_no_part_of_them() {
    let mut person = Person::of(nameless(false)).await;
    person.id = format!("\u{feff}\"{}\"", person.id);
    person.secret = format!(" '{}'\u{feff}", person.secret);
    let run = person.does(&["test-connection"]).await;
    assert!(run.text().contains("accepts the credentials"), "{run:?}");
}
