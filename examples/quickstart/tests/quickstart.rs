//! The quickstart, as a person runs it who has just cloned the project.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

#[test]
fn it_plays_the_whole_story_and_leaves_a_database_to_look_around_in() {
    let temporary = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .env_clear()
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    let (page, errors) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{errors}");
    // A story that uses up a minute's requests waits for the next one.
    // Unoptimised, it takes a few seconds more.
    let longest = 45;
    assert!(
        start.elapsed() < Duration::from_secs(longest),
        "{:?}",
        start.elapsed()
    );
    for words in [
        "12 organizations visible",
        "12 organizations: 12 new",
        "is not synced",
        "pending review",
        "nothing has changed",
        "of 1,500 in the last hour",
        "not promoted: assets only",
        "dry run",
        "4 tickets opened",
        "FAIL",
        "no backup run seen",
        "Not measured",
        "stale device",
        "is disconnected",
        "assets are retired",
        "Database:",
        "signals --status fail",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
    assert!(
        errors.contains("evidence sweep: 5 of 5 organizations done"),
        "{errors}"
    );

    // What `regentra` makes of it, the tests of the command line show.
    let database = page
        .lines()
        .find_map(|line| line.strip_prefix("Database: "))
        .unwrap();
    assert!(Path::new(database).exists(), "{database}");
}
