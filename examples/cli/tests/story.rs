//! The whole story by command line, from the first test of a connection to the reconnect after a disconnect.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use regentra_sync::{
    model::{Asset, AssetStatus, MspOrgId},
    store::{AssetFilter, Assets as _},
};
use regentra_sync_sqlite::SqliteStore;
use serde_json::Value;

use crate::simulated::{Person, mixed};

pub(crate) const MSP: &str = "0192f0c1-0000-7000-8000-000000000001";

async fn assets(person: &Person) -> Vec<Asset> {
    let store = SqliteStore::open(person.db()).await.unwrap();
    let msp: MspOrgId = MSP.parse().unwrap();
    let assets = store.assets(msp, AssetFilter::All).await.unwrap();
    store.close().await;
    assets
}

fn states(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a story is one piece")]
async fn from_the_first_test_to_the_reconnect() {
    let mut person = Person::of(mixed().build()).await;
    person.variables.push(("REGENTRA_MSP", MSP.to_owned()));

    // A test leaves nothing behind.
    let tested = person.does(&["test-connection"]).await;
    assert!(
        tested.text().contains("12 organizations visible"),
        "{tested:?}"
    );
    assert_eq!(std::fs::read_dir(person.folder.path()).unwrap().count(), 0);

    // Connect makes the database and the keys, both for their owner alone.
    let connected = person.does(&["connect"]).await;
    for words in [
        "is connected",
        "12 organizations visible",
        "msp.db.key is new",
        "regentra organizations",
    ] {
        assert!(
            connected.text().contains(words),
            "{words} is missing in {connected:?}"
        );
    }
    #[cfg(unix)]
    for file in [person.db(), person.key()] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }

    // Discovery lists everything as pending, and a second one writes nothing.
    let discovered = person.does(&["organizations", "--json"]).await.rows();
    assert_eq!(states(&discovered), ["pending_review"; 12]);
    let before = person.everything().await;
    let again = person.does(&["organizations"]).await;
    assert!(
        again.text().contains("12 organizations: nothing new"),
        "{again:?}"
    );
    assert_eq!(person.everything().await, before);

    // A company that the portal has is suggested, whatever the case of its name.
    person
        .does(&["companies", "--add", " alder DENTAL "])
        .await
        .text();
    let suggested = person.does(&["organizations", "--json"]).await.rows();
    assert_eq!(suggested[0]["suggestion"]["name"], "alder DENTAL");
    person.does(&["map", "2", "--suggested"]).await.text();
    person
        .does(&["map", "5", "8", "11", "--create"])
        .await
        .text();
    let named = person
        .does(&["map", "29", "--company", "northwind logistics"])
        .await;
    assert!(
        named
            .text()
            .contains("Summit Legal (29) is mapped to Northwind Logistics."),
        "{named:?}"
    );
    person
        .does(&["map", "14", "--create", "Willow Group"])
        .await
        .text();
    person
        .does(&["map", "Orchard Foods", "--ignore"])
        .await
        .text();
    let mapped = person
        .does(&["organizations", "--known", "--json"])
        .await
        .rows();
    assert_eq!(
        states(&mapped)
            .iter()
            .filter(|state| **state == "mapped")
            .count(),
        6
    );
    assert_eq!(
        states(&mapped)
            .iter()
            .filter(|state| **state == "ignored")
            .count(),
        1
    );
    assert_eq!(mapped[4]["company"]["name"], "Willow Group");

    // A second sync writes no row.
    let synced = person.does(&["sync", "--json"]).await.rows();
    assert_eq!(synced.len(), 6);
    let created: u64 = synced
        .iter()
        .map(|row| row["result"]["counts"]["created"].as_u64().unwrap())
        .sum();
    let written = assets(&person).await;
    assert_eq!(u64::try_from(written.len()).unwrap(), created);
    assert!(created > 40, "{created}");
    let before = person.everything().await;
    let again = person.does(&["sync"]).await;
    assert!(again.text().contains("nothing has changed"), "{again:?}");
    assert!(
        again.text().contains("of 1,500 in the last hour"),
        "{again:?}"
    );
    assert!(
        again.stderr.contains("6 of 6 organizations done"),
        "{}",
        again.stderr
    );
    assert_eq!(assets(&person).await, written);
    assert_eq!(person.everything().await, before);
    // Nor does any decision that is made once more.
    person
        .does(&["map", "5", "8", "11", "--create"])
        .await
        .text();
    person.does(&["map", "32", "--ignore"]).await.text();
    assert_eq!(person.everything().await, before);
    let one = person
        .does(&["sync", "--company", "Northwind Logistics", "--json"])
        .await
        .rows();
    assert_eq!(one.len(), 2, "both of its organizations, and no other");
    // Asked for again within the minute, an organization is not asked for again.
    let spent = person.server.tenant().requests().len();
    let again = person.does(&["sync", "--organization", "5"]).await;
    assert!(again.text().contains("within the last minute"), "{again:?}");
    assert_eq!(person.server.tenant().requests().len(), spent);
    let unmapped = person.does(&["sync", "--organization", "32"]).await;
    assert!(unmapped.stderr.contains("map it first"), "{unmapped:?}");

    // Nobody is promoted, nobody is swept.
    let nobody = person.does(&["sweep"]).await;
    assert!(nobody.text().contains("nothing to sweep"), "{nobody:?}");
    person
        .does(&[
            "promote",
            "Harbour Legal",
            "Northwind Logistics",
            "Copper Foods",
        ])
        .await
        .text();
    let again = person
        .does(&["promote", "Harbour Legal", "--json"])
        .await
        .rows();
    assert_eq!(again[0]["changed"], false);

    // The first sweep is a dry run.
    person.now = "2026-11-23T06:31:00Z".to_owned();
    let first = person.does(&["sweep", "--json"]).await.rows();
    assert_eq!(first.len(), 4);
    for swept in &first {
        assert_eq!(swept["result"]["dry_run"], true);
        assert_eq!(swept["result"]["signals"].as_array().unwrap().len(), 5);
        assert_eq!(swept["scheduled_at"], "2026-11-23T06:30:00Z");
    }
    assert!(person.does(&["tickets", "--json"]).await.rows().is_empty());
    let before = person.everything().await;
    let again = person.does(&["sweep"]).await;
    assert!(again.text().contains("is done already"), "{again:?}");
    assert_eq!(person.everything().await, before);

    // The second opens tickets for the customer that fails, and for nobody else.
    person.now = "2026-11-23T12:31:00Z".to_owned();
    let second = person.does(&["sweep"]).await;
    assert!(second.text().contains("4 tickets opened"), "{second:?}");
    let tickets = person.does(&["tickets", "--json"]).await.rows();
    assert_eq!(tickets.len(), 4);
    assert!(
        tickets
            .iter()
            .all(|ticket| ticket["company_name"] == "Harbour Legal" && ticket["state"] == "open")
    );
    person.now = "2026-11-23T12:32:00Z".to_owned();
    let outbox = person.does(&["tickets", "--outbox", "--json"]).await.rows();
    assert_eq!(outbox.len(), 4);

    // How they stand: five signals each, the worst of two organizations for the one that has two.
    let signals = person.does(&["signals", "--json"]).await.rows();
    assert_eq!(signals.len(), 3);
    for standing in &signals {
        assert_eq!(standing["posture"].as_array().unwrap().len(), 5);
    }
    let failing = person
        .does(&["signals", "--status", "fail", "--json"])
        .await
        .rows();
    assert_eq!(failing.len(), 1);
    assert_eq!(failing[0]["company"]["name"], "Harbour Legal");
    let page = person
        .does(&["signals", "--company", "Harbour Legal"])
        .await;
    for words in [
        "Disk encryption",
        "FAIL",
        "devices unprotected",
        "computers without any",
    ] {
        assert!(
            page.text().contains(words),
            "{words} is missing in {page:?}"
        );
    }

    // The card and the trails.
    let status = person.does(&["status", "--json"]).await.rows();
    assert_eq!(status[0]["connected"], true);
    assert_eq!(status[0]["organizations"]["mapped"], 6);
    assert_eq!(status[0]["next_evidence_sweep"], "2026-11-23T18:30:00Z");
    let card = person.does(&["status"]).await;
    for words in [
        "6 mapped, 5 pending review, 1 ignored",
        "4 with signals and tickets",
        "requests",
        "Next:",
    ] {
        assert!(
            card.text().contains(words),
            "{words} is missing in {card:?}"
        );
    }
    let trail = person
        .does(&["audit", "--json", "--limit", "100"])
        .await
        .rows();
    let actions: Vec<_> = trail
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    for action in [
        "NINJAONE_TESTED",
        "NINJAONE_CONNECTED",
        "NINJAONE_DISCOVERED",
        "NINJAONE_MAPPED",
        "NINJAONE_IGNORED",
        "NINJAONE_PROMOTED",
        "NINJAONE_SYNCED",
    ] {
        assert!(
            actions.contains(&action),
            "{action} is missing in {actions:?}"
        );
    }
    let own = person.does(&["audit", "--company", "Harbour Legal"]).await;
    assert_eq!(own.text().matches("NINJAONE_SWEPT").count(), 2, "{own:?}");

    // Disconnect retires the assets and leaves the signals.
    let gone = person.does(&["disconnect"]).await;
    assert!(
        gone.text()
            .contains(&format!("{created} assets are retired")),
        "{gone:?}"
    );
    assert!(
        gone.text().contains("3 promoted customers are informed"),
        "{gone:?}"
    );
    assert!(gone.text().contains("20 signals are left"), "{gone:?}");
    assert!(
        gone.text().contains("4 open tickets get a note"),
        "{gone:?}"
    );
    assert!(
        person
            .does(&["sync"])
            .await
            .message()
            .contains("regentra connect")
    );
    assert_eq!(person.does(&["signals", "--json"]).await.rows(), signals);
    let companies = person.does(&["companies", "--json"]).await.rows();
    assert!(companies.iter().all(|row| row["assets_active"] == 0));

    // The same region again resumes: mappings, dry run over, assets back.
    person.now = "2026-11-23T18:31:00Z".to_owned();
    let back = person.does(&["connect", "--json"]).await.json();
    assert_eq!(back["reconnected"], true);
    let after = person.does(&["organizations", "--json"]).await.rows();
    assert_eq!(states(&after), states(&mapped));
    person.does(&["sync"]).await.text();
    let companies = person.does(&["companies", "--json"]).await.rows();
    let active: u64 = companies
        .iter()
        .map(|row| row["assets_active"].as_u64().unwrap())
        .sum();
    assert_eq!(active, created);
    let third = person.does(&["sweep", "--json"]).await.rows();
    assert!(
        third
            .iter()
            .all(|swept| swept["result"]["dry_run"] == false),
        "{third:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unmapping_retires_the_assets_and_all_pending_decides_the_rest() {
    let person = Person::of(mixed().build()).await;
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    person
        .does(&["map", "--all-pending", "--create"])
        .await
        .text();
    let rows = person
        .does(&["organizations", "--known", "--json"])
        .await
        .rows();
    assert_eq!(states(&rows), ["mapped"; 12]);
    person
        .does(&["sync", "--company", "Harbour Legal"])
        .await
        .text();
    let harbour = |rows: Vec<Value>| {
        rows.into_iter()
            .find(|row| row["name"] == "Harbour Legal")
            .unwrap()
    };
    let before = harbour(person.does(&["companies", "--json"]).await.rows());
    let unmapped = person.does(&["map", "8", "--unmap"]).await;
    assert!(
        unmapped
            .text()
            .contains("Harbour Legal (8) is pending review."),
        "{unmapped:?}"
    );
    let after = harbour(person.does(&["companies", "--json"]).await.rows());
    assert_eq!(after["assets_active"], 0);
    assert_eq!(after["assets_retired"], before["assets_active"]);
    assert_eq!(after["organizations"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_database_is_in_the_users_data_directory() {
    let person = Person::of(mixed().build()).await;
    person.runs(&["connect"]).await.text();
    let path = person
        .folder
        .path()
        .join(".local/share/regentra/regentra.db");
    assert!(path.exists() || cfg!(not(target_os = "linux")));
    let status = person.runs(&["status", "--json"]).await.rows();
    assert_eq!(status.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_come_from_the_environment_and_then_no_file_is_made() {
    let mut person = Person::of(mixed().build()).await;
    let key = format!("{}A==", "B".repeat(85));
    person.variables.push(("REGENTRA_KEY", key));
    let connected = person.does(&["connect"]).await;
    assert!(!connected.text().contains("Keys:"), "{connected:?}");
    assert!(!person.key().exists());
    person.does(&["organizations"]).await.text();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_cannot_be_read_fails_the_run_and_keeps_no_other_from_being_synced() {
    use ninjaone_simulator::{ErrorShape, Fault};
    let mut tenant = mixed().build();
    let organization_8 = Fault::Error {
        status: 403,
        shape: ErrorShape::ResultCode,
    };
    tenant.fault(
        organization_8
            .on("/v2/devices-detailed")
            .whose_query_contains("org = 8"),
    );
    let person = Person::of(tenant).await;
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    person.does(&["map", "5", "8", "--create"]).await.text();
    let run = person.does(&["sync"]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stdout.contains("Northwind Logistics (5)") && run.stdout.contains("failed:"),
        "{run:?}"
    );
    assert!(
        run.stderr
            .contains("1 of 2 organizations could not be synced"),
        "{run:?}"
    );
    let companies = person.does(&["companies", "--json"]).await.rows();
    let active: Vec<_> = companies
        .iter()
        .map(|row| row["assets_active"].as_u64().unwrap())
        .collect();
    assert!(active[0] == 0 && active[1] > 0, "{active:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_retires_assets_says_so() {
    let person = Person::of(mixed().build()).await;
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    person.does(&["map", "8", "--create"]).await.text();
    person.does(&["promote", "Harbour Legal"]).await.text();
    person.does(&["sync"]).await.text();
    let ignored = person.does(&["map", "8", "--ignore"]).await;
    let active = assets(&person)
        .await
        .iter()
        .filter(|asset| asset.status == AssetStatus::Active)
        .count();
    assert_eq!(active, 0);
    assert!(
        ignored
            .text()
            .contains("assets are retired; the rows are kept"),
        "{ignored:?}"
    );
    let again = person.does(&["map", "8", "--ignore"]).await;
    assert!(!again.text().contains("retired"), "{again:?}");

    let companies = person.does(&["companies"]).await;
    assert!(
        companies.text().contains("promoted, no organization"),
        "{companies:?}"
    );
    let companies = person.does(&["companies", "--json"]).await.rows();
    assert_eq!(companies[0]["evidence"], "no_organization");
}
