//! The second way in over real HTTP, on PostgreSQL: processes that are killed hard while they rotate the refresh token.

use std::time::Duration;

use regentra_harness::{
    authorization::{killed, msp},
    postgres::{self, SUPERUSER, execute},
    test_name,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again() {
    let test =
        test_name!(a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again);
    killed::at_any_time(test, 24, postgres::database).await;
}

/// A table that is locked holds the process up at its first write into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_hard_in_the_middle_of_writing_is_made_good_or_says_to_authorize_again() {
    let test = test_name!(
        a_process_killed_hard_in_the_middle_of_writing_is_made_good_or_says_to_authorize_again
    );
    if killed::is_the_other_process().await {
        return;
    }
    let scene = killed::begin(postgres::database().await).await;
    assert!(killed::rotates(test, &scene).wait().unwrap().success());
    let process = scene.process().await;
    let expected = process.organizations(scene.credential(msp(1))).await;

    // What is written before the token is sent, with the new one, and by the discovery itself.
    for (table, is_lost) in [
        ("leases", false),
        ("requests", false),
        ("events", true),
        ("credentials", true),
        ("mappings", false),
        ("msp_audit", false),
    ] {
        let database = postgres::database().await;
        let mut superuser = database.connect(SUPERUSER).await;
        let scene = killed::begin(database).await;
        let lock = format!("BEGIN; LOCK TABLE regentra_sync.{table} IN EXCLUSIVE MODE");
        execute(&mut superuser, &lock).await;
        let mut child = killed::rotates(test, &scene);
        while !scene.place.is_held_up().await {
            let ended = child.try_wait().unwrap();
            assert_eq!(ended, None, "{table}: nothing held it up");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        execute(&mut superuser, "ROLLBACK").await;
        scene.place.is_left().await;
        let was_lost = killed::is_made_good(&scene, &expected, table).await;
        assert_eq!(was_lost, is_lost, "{table}");
    }
}
