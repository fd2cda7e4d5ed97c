//! Processes that are killed hard while they rotate the refresh token.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Instant,
};

use regentra_sync::{
    ErrorKind, RegionKey, clock::ManualClock, ninjaone_client::ErrorKind as Vendor,
};
use time::Duration;

use super::{NOW, Place, Process, Scene, msp, tenant};

const CHILD: &str = "REGENTRA_TEST_ROTATES";

/// Another process that rotates the refresh token and lists the organizations. It is about to.
fn rotates(test: &str, scene: &Scene) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(
            CHILD,
            format!("{}|{}", scene.server.url(), scene.place.told()),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::new(output).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")));
    child
}

/// Kills the process at so many points of the time it takes. `test` is the test that does nothing but this.
///
/// Whatever there is then, the event delivered again is handled; or, when NinjaOne's answer has died with the process, that is
/// said, and it is handled after the administrator has authorized again.
pub(crate) async fn at_any_time(
    test: &str,
    points: u32,
    database: impl AsyncFn() -> Box<dyn Place>,
) {
    if let Ok(told) = env::var(CHILD) {
        let (url, place) = told.split_once('|').unwrap();
        let region = RegionKey::parse(url).unwrap();
        let process = Process::over(place, region.clone(), ManualClock::at(NOW)).await;
        println!("\nready");
        process.discover(&region).await.unwrap();
        return;
    }
    let begin = async || {
        let scene = Scene::on(database().await, tenant(), false).await;
        scene.authorize(&scene.process().await).await;
        scene.server.tenant().revoke_tokens();
        scene
    };
    let scene = begin().await;
    let mut undisturbed = rotates(test, &scene);
    let since = Instant::now();
    assert!(undisturbed.wait().unwrap().success());
    let takes = since.elapsed();
    let process = scene.process().await;
    let expected = process.organizations(scene.credential(msp(1))).await;
    assert_eq!(expected.len(), 2);

    let mut ends = [0, 0];
    for point in 0..points {
        let scene = begin().await;
        let mut child = rotates(test, &scene);
        std::thread::sleep(takes * point / points);
        child.kill().unwrap();
        child.wait().unwrap();
        scene.place.is_left().await;

        let process = scene.process().await;
        let spent = scene.rotations(&process, msp(1)).await;
        scene.server.tenant().revoke_tokens();
        // Longer than what the dead process held.
        scene.clock.advance(Duration::hours(1));
        let region = scene.region();
        let again = process.discover(&region).await;
        ends[usize::from(again.is_err())] += 1;
        if let Err(error) = again {
            let authorize_again = ErrorKind::Ninjaone(Vendor::AuthorizeAgain);
            assert_eq!(error.kind(), authorize_again, "{point}: {error}");
            // NinjaOne has answered, and the answer died with the process.
            assert_eq!(scene.rotations(&process, msp(1)).await, spent, "{point}");
            assert!(scene.stored(&process, msp(1)).await.is_active, "{point}");
            scene.authorize(&process).await;
            process.discover(&region).await.unwrap();
        }
        let organizations = process.organizations(scene.credential(msp(1))).await;
        assert_eq!(organizations, expected, "{point}");
        scene.server.tenant().revoke_tokens();
        scene.visible(&process, msp(1)).await.unwrap();
    }
    let [made_good, authorized_again] = ends;
    println!("{made_good} made good, {authorized_again} authorized again; {takes:?} undisturbed");
    assert!(made_good > 0, "most moments lose nothing");
}
