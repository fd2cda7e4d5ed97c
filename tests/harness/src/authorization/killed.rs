//! Processes that are killed hard while they rotate the refresh token.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::Child,
    time::Instant,
};

use regentra_sync::{
    ErrorKind, host::ManualClock, model::RegionKey, ninjaone_client::ErrorKind as Vendor,
};
use time::Duration;

use super::{NOW, Place, Process, Scene, msp, tenant};
use crate::other_process;

const CHILD: &str = "REGENTRA_TEST_ROTATES";

/// In the other process: it rotates the refresh token and lists the organizations. Says whether this is one.
pub async fn is_the_other_process() -> bool {
    let Ok(told) = env::var(CHILD) else {
        return false;
    };
    let (url, place) = told.split_once('|').unwrap();
    let region = RegionKey::parse(url).unwrap();
    let process = Process::over(place, region.clone(), ManualClock::at(NOW)).await;
    println!("\nready");
    process.discover(&region).await.unwrap();
    true
}

/// The other process, which is about to rotate. `test` is the name of a test that begins with [`is_the_other_process`].
pub fn rotates(test: &str, scene: &Scene) -> Child {
    let told = format!("{}|{}", scene.server.url(), scene.place.told());
    let mut child = other_process::start(test, CHILD, &told);
    let output = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::new(output).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")));
    child
}

/// An administrator has authorized, and the access tokens have ended. Organizations wait to be listed.
pub async fn begin(place: impl Place + 'static) -> Scene {
    let scene = Scene::on(Box::new(place), tenant(), false).await;
    scene.authorize(&scene.process().await).await;
    scene.server.tenant().revoke_tokens();
    scene
}

/// The process was killed. Whatever there is now, the event delivered again is handled; or, when NinjaOne's answer has died
/// with the process, that is said, and it is handled after the administrator has authorized again. Says whether he had to.
pub async fn is_made_good(scene: &Scene, undisturbed: &[(i64, String)], what: &str) -> bool {
    let process = scene.process().await;
    let stored = scene.rotations(&process, msp(1)).await;
    let sent = {
        let tenant = scene.server.tenant();
        let sent = tenant.requests_by_path().get("/ws/oauth/token").copied();
        sent.unwrap()
    };
    // One with the code; of the others each has spent the token before it.
    let is_lost = u32::try_from(sent - 1).unwrap() > stored;
    scene.server.tenant().revoke_tokens();
    // Longer than what the dead process held.
    scene.clock.advance(Duration::hours(1));
    let region = scene.region();
    let again = process.discover(&region).await;
    assert_eq!(again.is_err(), is_lost, "{what}: {again:?}");
    if let Err(error) = again {
        let authorize_again = ErrorKind::Ninjaone(Vendor::AuthorizeAgain);
        assert_eq!(error.kind(), authorize_again, "{what}: {error}");
        assert_eq!(scene.rotations(&process, msp(1)).await, stored, "{what}");
        assert!(scene.stored(&process, msp(1)).await.is_active, "{what}");
        scene.authorize(&process).await;
        process.discover(&region).await.unwrap();
    }
    let organizations = process.organizations(scene.credential(msp(1))).await;
    assert_eq!(organizations, undisturbed, "{what}");
    for _ in 0..2 {
        scene.server.tenant().revoke_tokens();
        scene.visible(&process, msp(1)).await.unwrap();
    }
    is_lost
}

/// Kills the process at so many points of the time it takes.
pub async fn at_any_time<P: Place + 'static>(test: &str, points: u32, place: impl AsyncFn() -> P) {
    if is_the_other_process().await {
        return;
    }
    let scene = begin(place().await).await;
    let mut undisturbed = rotates(test, &scene);
    let since = Instant::now();
    assert!(undisturbed.wait().unwrap().success());
    let takes = since.elapsed();
    let process = scene.process().await;
    let expected = process.organizations(scene.credential(msp(1))).await;
    assert_eq!(expected.len(), 2);

    let mut lost = 0;
    for point in 0..points {
        let scene = begin(place().await).await;
        let mut child = rotates(test, &scene);
        std::thread::sleep(takes * point / points);
        child.kill().unwrap();
        child.wait().unwrap();
        scene.place.is_left().await;
        let what = format!("killed at {point} of {points}");
        lost += u32::from(is_made_good(&scene, &expected, &what).await);
    }
    println!("{points} killed, {lost} authorized again; {takes:?} undisturbed");
    assert!(lost < points, "most moments lose nothing");
}
