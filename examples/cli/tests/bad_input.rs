//! What goes wrong at the command line: one clear message each, a failing exit code, and everything as it was.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{fs, path::Path};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::simulated::{Person, Run, mixed};

/// A person who is connected and has mapped two organizations.
async fn connected() -> Person {
    let person = Person::of(mixed().build()).await;
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    person.does(&["map", "2", "5", "--create"]).await.text();
    person
}

/// The command fails with one message that says these words, and changes nothing.
async fn refused(person: &Person, args: &[&str], words: &[&str]) {
    let before = person.everything().await;
    let run = person.does(args).await;
    says(&run, words);
    assert_eq!(
        person.everything().await,
        before,
        "{args:?} changed something"
    );
}

fn says(run: &Run, words: &[&str]) {
    let message = run.message();
    for word in words {
        assert!(message.contains(word), "{word} is missing in {message}");
    }
    assert!(message.lines().count() <= 3, "{message}");
}

async fn execute(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_created_by_connect_alone() {
    let person = Person::of(mixed().build()).await;
    for command in [
        &["status"][..],
        &["organizations"],
        &["companies"],
        &["sync"],
        &["sweep"],
        &["signals"],
        &["tickets"],
        &["audit"],
        &["disconnect"],
        &["map", "2", "--create"],
        &["promote", "x"],
    ] {
        says(
            &person.does(command).await,
            &["no database at", "regentra connect"],
        );
        assert!(!person.db().exists(), "{command:?} made one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_written_is_named() {
    let person = Person::of(mixed().build()).await;
    let missing = person.folder.path().join("no/such/folder/a.db");
    let run = person
        .runs(&["--db", missing.to_str().unwrap(), "connect"])
        .await;
    says(&run, &["no/such/folder/a.db", "check the folder"]);
    let folder = person.folder.path().to_str().unwrap();
    for command in ["connect", "status"] {
        let run = person.runs(&["--db", folder, command]).await;
        says(&run, &[folder, "is a folder"]);
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing was made");
    let url = person.runs(&["--db", "mysql://host/db", "status"]).await;
    assert_eq!(url.code, Some(2));
    assert!(url.stderr.contains("name a file"), "{url:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_database_url_is_never_shown_whatever_is_wrong_with_the_url() {
    let mut person = Person::of(mixed().build()).await;
    for url in [
        "postgre://bob:hunter2@db/x",
        "mysql://bob:hunter2@db/x",
        "postgres:bob:hunter2@db/x",
        "POSTGRES:bob:hunter2@db/x",
        "postgresql:/bob:hunter2@db/x",
        "bob:hunter2@db/x",
        "sqlite::memory:",
        "",
    ] {
        person.variables = vec![("REGENTRA_DB", url.to_owned())];
        for run in [
            person.runs(&["connect"]).await,
            person.runs(&["status", "--db", url]).await,
        ] {
            if url.is_empty() && run.code == Some(1) {
                // An empty variable is as good as none.
                continue;
            }
            assert_eq!(run.code, Some(2), "{url}: {run:?}");
            says(&run, &["name a file", "postgres://"]);
            assert!(!run.stderr.contains("hunter2"), "{url}: {run:?}");
        }
    }
    assert_eq!(fs::read_dir(person.folder.path()).unwrap().count(), 0);
    // A scheme has no case.
    person.variables.clear();
    for url in [
        "Postgres://bob:hunter2@127.0.0.1:1/x",
        "POSTGRESQL://bob:hunter2@127.0.0.1:1/x",
    ] {
        let run = person.runs(&["status", "--db", url]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        says(&run, &["the store does not answer"]);
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_database_and_a_file_that_is_none_stay_as_they_were() {
    let person = Person::of(mixed().build()).await;
    execute(&person.db(), "CREATE TABLE invoices (id INTEGER)").await;
    let before = fs::read(person.db()).unwrap();
    for command in ["connect", "status", "sync"] {
        says(
            &person.does(&[command]).await,
            &["another program's database"],
        );
        assert_eq!(fs::read(person.db()).unwrap(), before);
    }
    fs::write(person.db(), "customers: Alder, Northwind\n".repeat(50)).unwrap();
    let before = fs::read(person.db()).unwrap();
    for command in ["connect", "status", "sync"] {
        says(&person.does(&[command]).await, &["not a SQLite database"]);
        assert_eq!(fs::read(person.db()).unwrap(), before);
    }
    assert!(!person.key().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_asks_for_a_newer_program() {
    let person = connected().await;
    execute(
        &person.db(),
        "INSERT INTO regentra_migration (version) VALUES (4000)",
    )
    .await;
    let before = fs::read(person.db()).unwrap();
    for command in ["connect", "status", "sync"] {
        says(
            &person.does(&[command]).await,
            &["schema version 4000", "newer program"],
        );
        assert_eq!(fs::read(person.db()).unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_company_or_organization_says_where_to_look() {
    let person = connected().await;
    let look = &["`nobody`", "regentra companies"][..];
    refused(&person, &["map", "8", "--company", "nobody"], look).await;
    refused(&person, &["promote", "Alder Dental", "nobody"], look).await;
    refused(&person, &["sync", "--company", "nobody"], look).await;
    refused(&person, &["signals", "--company", "nobody"], look).await;
    refused(&person, &["tickets", "--company", "nobody"], look).await;
    refused(&person, &["audit", "--company", "nobody"], look).await;
    let look = &["`424242`", "regentra organizations"][..];
    refused(&person, &["map", "8", "424242", "--create"], look).await;
    refused(
        &person,
        &["map", "8", "--suggested"],
        &["no company is suggested for Harbour Legal (8)"],
    )
    .await;
    refused(
        &person,
        &["signals", "--company", "Alder Dental"],
        &["not promoted"],
    )
    .await;
    refused(
        &person,
        &["audit", "--company", "Alder Dental"],
        &["not promoted"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_is_mapped_to_one_company_only() {
    let person = connected().await;
    let why = &[
        "Alder Dental (2) is mapped to Alder Dental already",
        "--unmap",
    ][..];
    refused(
        &person,
        &["map", "2", "--company", "Northwind Logistics"],
        why,
    )
    .await;
    refused(&person, &["map", "2", "--create", "A New Company"], why).await;
    let same = person
        .does(&["map", "2", "--company", "Alder Dental"])
        .await;
    assert!(same.text().contains("(as it was)"), "{same:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_client_of_the_same_id_needs_an_override_that_is_audited() {
    let person = connected().await;
    let other = "0192f0c1-0000-7000-8000-000000000002";
    refused(
        &person,
        &["--msp", other, "connect"],
        &["connected already", "override"],
    )
    .await;
    // What NinjaOne does not accept is not saved, tested or not.
    let gateway = format!("{}/gateway", person.server.url());
    let untested = ["connect", "--untested", "--region", &gateway];
    refused(&person, &untested, &["NinjaOne"]).await;
    let none = person.does(&["--msp", other, "status"]).await;
    assert!(
        none.text().contains("Nothing was ever connected"),
        "{none:?}"
    );
    person
        .does(&["--msp", other, "connect", "--allow-duplicate"])
        .await
        .text();
    let trail = person.does(&["--msp", other, "audit"]).await;
    assert!(trail.text().contains("NINJAONE_OVERRIDE_USED"), "{trail:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_work_are_not_saved() {
    let mut person = Person::of(mixed().build()).await;
    let right = std::mem::replace(&mut person.secret, "not-the-secret".to_owned());
    for command in ["test-connection", "connect"] {
        let run = person.does(&[command]).await;
        says(&run, &["secret"]);
        assert!(!run.stderr.contains("not-the-secret"));
    }
    let none = person.does(&["status"]).await;
    assert!(
        none.text().contains("Nothing was ever connected"),
        "{none:?}"
    );
    person.secret = right;
    person.id = "another-client".to_owned();
    says(&person.does(&["connect"]).await, &["client id", "region"]);
    person.id = String::new();
    person.secret = String::new();
    says(&person.does(&["connect"]).await, &["NINJAONE_CLIENT_ID"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_no_argument_and_a_region_is_a_region() {
    let person = Person::of(mixed().build()).await;
    let argument = person.does(&["connect", "--client-secret", "x"]).await;
    assert_eq!(argument.code, Some(2), "{argument:?}");
    let mut nowhere = Person::of(mixed().build()).await;
    nowhere.region = None;
    let missing = nowhere.does(&["connect"]).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("--region <REGION>"), "{missing:?}");
    let region = person.does(&["connect", "--region", "mars"]).await;
    assert_eq!(region.code, Some(2), "{region:?}");
    let plain = person
        .does(&["connect", "--region", "http://example.com"])
        .await;
    assert!(plain.message().contains("https"), "{plain:?}");
    assert!(!person.db().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_keys_are_missed_before_anything_is_sealed_under_others() {
    let person = connected().await;
    let keys = fs::read(person.key()).unwrap();
    fs::remove_file(person.key()).unwrap();
    for command in ["organizations", "sync", "sweep", "connect"] {
        refused(
            &person,
            &[command],
            &["keys of", "msp.db.key", "REGENTRA_KEY"],
        )
        .await;
        assert!(!person.key().exists(), "{command} made new keys");
    }
    // What needs no secret goes on, disconnect too; then nothing is sealed any more, and new keys may be made.
    person.does(&["status"]).await.text();
    person.does(&["disconnect"]).await.text();
    person.does(&["connect"]).await.text();
    assert_ne!(fs::read(person.key()).unwrap(), keys);
    person.does(&["organizations"]).await.text();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_and_broken_keys_have_errors_of_their_own() {
    let mut person = connected().await;
    let other = format!("{}==", "A".repeat(86));
    person.variables.push(("REGENTRA_KEY", other));
    let wrong = person.does(&["organizations"]).await;
    says(&wrong, &["sealed under key", "restore that key"]);
    person.variables = vec![("REGENTRA_KEY", "c2VjcmV0".to_owned())];
    let broken = person.does(&["organizations"]).await;
    says(&broken, &["REGENTRA_KEY", "64 random bytes"]);
    assert!(!broken.stderr.contains("c2VjcmV0"));
    person.variables.clear();
    person.does(&["organizations"]).await.text();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(person.key(), fs::Permissions::from_mode(0o640)).unwrap();
        says(&person.does(&["sync"]).await, &["chmod 600"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_needs_a_choice() {
    let person = connected().await;
    for args in [
        &["map", "8"][..],
        &["map", "--create"],
        &["map", "8", "--create", "X", "--ignore"],
    ] {
        let run = person.does(args).await;
        assert_eq!(run.code, Some(2), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_final() {
    let person = connected().await;
    person.does(&["promote", "Alder Dental"]).await.text();
    let elsewhere = [
        "promote",
        "Alder Dental",
        "--compliance-org",
        "0192f0c1-0000-7000-8000-00000000000a",
    ];
    refused(
        &person,
        &elsewhere,
        &["promoted to another compliance organization"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_had_enough_is_no_error() {
    let person = connected().await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regentra"));
    command
        .args([
            "--db",
            person.db().to_str().unwrap(),
            "organizations",
            "--known",
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
