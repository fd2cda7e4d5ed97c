//! Connecting by letting an administrator authorize, at the command line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
};

use ninjaone_simulator::Request;

use crate::simulated::{NOW, Person, Run, mixed};

const REDIRECT: &str = "http://127.0.0.1:8765/back";

async fn person() -> Person {
    let tenant = mixed()
        .scopes(&["monitoring", "offline_access"])
        .redirect_uri(REDIRECT);
    Person::of(tenant.build()).await
}

/// Runs `regentra authorize`; what is pasted is made from the address it shows.
async fn authorizes(person: &Person, args: &[&str], paste: fn(&Person, &str) -> String) -> Run {
    let (db, region) = (person.db(), person.server.url());
    let mut command = Command::new(env!("CARGO_BIN_EXE_regentra"));
    command
        .args([
            "--now",
            &person.now,
            "--db",
            db.to_str().unwrap(),
            "authorize",
        ])
        .args(["--redirect-uri", REDIRECT])
        .args(args)
        .env_clear()
        .env("HOME", person.folder.path())
        .env("NINJAONE_CLIENT_ID", &person.id)
        .env("NINJAONE_CLIENT_SECRET", &person.secret)
        .env("NINJAONE_REGION", region)
        .env("RUST_LOG", person.log)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (shown, seen) = tokio::sync::oneshot::channel::<String>();
    let (said, to_paste) = std::sync::mpsc::channel::<String>();
    let runs = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut text, mut address) = (String::new(), None);
        while address.is_none() {
            let mut line = String::new();
            assert_ne!(
                stderr.read_line(&mut line).unwrap(),
                0,
                "it ended early: {text}"
            );
            address = line.starts_with("http").then(|| line.trim().to_owned());
            text += &line;
        }
        shown.send(address.unwrap()).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", to_paste.recv().unwrap()).unwrap();
        drop(stdin);
        stderr.read_to_string(&mut text).unwrap();
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: text,
        }
    });
    let address = seen.await.unwrap();
    said.send(paste(person, &address)).unwrap();
    runs.await.unwrap()
}

/// Where the browser of an administrator who says yes ends.
fn consent(person: &Person, address: &str) -> String {
    let target = address.strip_prefix(&person.server.url()).unwrap();
    let answer = person.server.tenant().answer(&Request::get(target), NOW);
    let mut headers = answer.headers.into_iter();
    headers.find(|(name, _)| name == "location").unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_authorizes_and_the_day_goes_on() {
    let person = person().await;
    let run = authorizes(&person, &[], consent).await;
    assert!(
        run.text()
            .contains("is connected: 12 organizations visible"),
        "{run:?}"
    );
    assert!(run.stderr.contains("before 05:55 UTC"), "{run:?}");
    assert!(
        run.stderr.contains("scope=monitoring+offline_access&"),
        "{run:?}"
    );
    for secret in [&person.secret, "\"code\""] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret));
    }

    person.does(&["organizations"]).await.text();
    person.does(&["map", "2", "--create"]).await.text();
    person.server.tenant().revoke_tokens();
    let synced = person.does(&["sync"]).await;
    assert!(synced.text().contains("devices"), "{synced:?}");
    let audit = person.does(&["audit"]).await;
    assert!(
        audit.text().contains("authorized by an administrator"),
        "{audit:?}"
    );
    let card = person.does(&["status", "--json"]).await.rows();
    assert_eq!(card[0]["grant"], "authorization_code");
    assert_eq!(card[0]["authorize_again"], false);

    // The refresh token was revoked: one clear message, and authorizing again resumes.
    person.server.tenant().revoke_tokens();
    person.server.tenant().revoke_refresh_tokens();
    let run = person.does(&["organizations"]).await;
    assert!(run.message().contains("authorize again"), "{run:?}");
    let status = person.does(&["status"]).await;
    assert!(
        status.text().contains("regentra authorize --region"),
        "{status:?}"
    );
    let run = authorizes(&person, &["--json"], consent).await;
    assert_eq!(run.json()["reconnected"], true);
    assert_eq!(run.json()["organizations_visible"], 12);
    let synced = person.does(&["sync"]).await;
    synced.text();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_connects_nothing() {
    let person = person().await;
    let declined = |person: &Person, address: &str| {
        let consented = consent(person, address);
        let state = consented.split("state=").nth(1).unwrap();
        format!("{REDIRECT}?error=access_denied&state={state}")
    };
    for (paste, words) in [
        (declined as fn(&Person, &str) -> String, "declined"),
        (|_, _| String::new(), "no address was pasted"),
        (
            |_, address| address.replace("state=", "state=x"),
            "begin again",
        ),
    ] {
        let run = authorizes(&person, &[], paste).await;
        assert!(run.message().contains(words), "{run:?}");
        let status = person.does(&["status"]).await;
        assert!(
            status.text().contains("Nothing was ever connected"),
            "{status:?}"
        );
    }
    let refused = authorizes(&person, &["--also", "control"], |person, address| {
        consent(person, address)
    });
    let run = refused.await;
    assert!(
        run.stderr
            .contains("scope=monitoring+control+offline_access"),
        "{run:?}"
    );
    assert!(run.message().contains("begin again"), "{run:?}");
}
