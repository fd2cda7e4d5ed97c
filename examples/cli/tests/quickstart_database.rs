//! The quickstart leaves a database, and `regentra` goes on with it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, process::Command};

/// Where the story is played: in a process of its own, because it writes on standard output.
const CHILD: &str = "REGENTRA_TEST_PLAYS_IN";

#[tokio::test(flavor = "multi_thread")]
async fn regentra_looks_around_in_the_database_that_the_quickstart_leaves() {
    if let Some(folder) = env::var_os(CHILD) {
        quickstart::story::play(folder.as_ref()).await.unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "regentra_looks_around_in_the_database_that_the_quickstart_leaves";
    let played = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("quickstart_database::{test}"),
            "--nocapture",
        ])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    assert!(played.status.success(), "{played:?}");
    let page = String::from_utf8(played.stdout).unwrap();
    let database = page
        .lines()
        .find_map(|line| line.strip_prefix("Database: "))
        .unwrap();
    let regentra = |args: &[&str]| {
        let mut regentra = Command::new(env!("CARGO_BIN_EXE_regentra"));
        regentra.args(["--db", database]).args(args);
        regentra.output().unwrap()
    };
    let next = regentra(&["signals", "--status", "fail"]);
    assert!(next.status.success());
    let next = String::from_utf8(next.stdout).unwrap();
    assert!(
        next.contains("Harbour Legal") && next.contains("FAIL"),
        "{next}"
    );
    // It finds the keys where it looks for them: what the quickstart left is no database without.
    for command in [&["audit", "--limit", "20"][..], &["status"]] {
        let next = regentra(command);
        let errors = String::from_utf8(next.stderr).unwrap();
        assert!(next.status.success() && errors.is_empty(), "{errors}");
    }
}
