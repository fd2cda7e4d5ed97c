//! Rotation of a refresh token, struck at every step of a run: every call of the store and every request, before and after.
//!
//! A token is spent by being sent, and its successor must reach the store. The simulated tenant knows no mercy: a token that was
//! used once is dead.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use ninjaone_simulator::{Preset, Request, Tenant, front::in_process};
use regentra_harness::{
    authorization::begin_authorization, keys::rotating_keyring, suspension::run_to_suspension,
};
use regentra_sync::{
    Callback, CompleteAuthorization, Disconnect, Discover, Error, ErrorKind, Integration,
    TestSavedConnection,
    host::HostPolicy,
    model::{Credential, CredentialId, RegionKey},
    ninjaone::NinjaOneApi,
    ninjaone_client::{
        ErrorKind as Vendor, RateLimit, Transport, TransportError, TransportErrorKind,
    },
    store::{MemoryStore, Result, StoreError, StoreErrorKind},
};

use super::Successor;
use crate::{
    dice::Dice,
    site::{NOW, Site, operator, request},
    snapshot::{Snapshot, assert_same},
    story::ours,
    watched::{Call, Watch, Watched},
};

const REDIRECT: &str = "http://127.0.0.1/callback";
const AUTHORIZE_AGAIN: ErrorKind = ErrorKind::Ninjaone(Vendor::AuthorizeAgain);

/// What happens to a process on its way.
enum Disturbance {
    Nothing,
    /// From this step on it does nothing any more.
    Death(usize),
    /// The store fails at this step; after it did what it was asked to, when the step is the answer.
    Failure(usize),
    /// Something else happens at this step.
    Meanwhile(usize, Mutex<Option<BoxFuture<'static, ()>>>),
    /// Every step takes a while.
    Delays(Mutex<Dice>),
}

/// The steps of one process.
struct Steps {
    taken: Mutex<Vec<String>>,
    disturbance: Disturbance,
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}

impl Steps {
    fn with(disturbance: Disturbance) -> Arc<Self> {
        let taken = Mutex::default();
        Arc::new(Self { taken, disturbance })
    }

    fn taken(&self) -> MutexGuard<'_, Vec<String>> {
        self.taken.lock().unwrap()
    }

    /// Says whether it fails.
    async fn step(&self, name: String) -> bool {
        let number = {
            let mut taken = self.taken();
            taken.push(name);
            taken.len()
        };
        match &self.disturbance {
            Disturbance::Death(at) if number >= *at => std::future::pending().await,
            Disturbance::Failure(at) => return number == *at,
            Disturbance::Meanwhile(at, happens) if number == *at => {
                let happens = happens.lock().unwrap().take();
                happens.unwrap().await;
            }
            Disturbance::Delays(dice) => {
                let delay = Duration::from_millis(dice.lock().unwrap().below(50));
                tokio::time::sleep(delay).await;
            }
            _ => tokio::task::yield_now().await,
        }
        false
    }
}

#[async_trait]
impl Watch for Steps {
    async fn before(&self, call: &Call) -> Result<()> {
        self.store_step(format!("{} asked", call.name())).await
    }

    async fn after(&self, call: &Call) -> Result<()> {
        self.store_step(format!("{} answered", call.name())).await
    }
}

impl Steps {
    async fn store_step(&self, name: String) -> Result<()> {
        if self.step(name).await {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "cut off"));
        }
        Ok(())
    }
}

/// The way to the tenant, step by step.
#[derive(Debug)]
struct SteppedTransport {
    front: in_process::Front,
    steps: Arc<Steps>,
}

#[async_trait]
impl Transport for SteppedTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        let broken = || TransportError::new(TransportErrorKind::Incomplete);
        let path = request.uri().path().to_owned();
        let _ = self.steps.step(format!("{path} asked")).await;
        let answer = self.front.call(request).await.map_err(|_| broken())?;
        let _ = self.steps.step(format!("{path} answered")).await;
        Ok(answer)
    }
}

/// An MSP whose administrator authorized, and whose access tokens have ended. There are organizations that nobody listed yet.
struct Scene {
    front: in_process::Front,
    site: Site,
}

impl Scene {
    async fn begin() -> Arc<Self> {
        let scene = Self::new();
        scene.authorize().await;
        scene.front.tenant().revoke_tokens();
        Arc::new(scene)
    }

    /// Nothing is connected yet.
    fn new() -> Self {
        let tenant = Tenant::builder(NOW)
            .preset(Preset::Healthy, 3, 4)
            .organization_count(2)
            .scopes(&["monitoring", "offline_access"])
            .build();
        let mut site = Site::new(|clock| Arc::new(MemoryStore::new().with_clock(clock)), ());
        site.tenants.msps = vec![ours()];
        let front = in_process::serve(tenant);
        Self { front, site }
    }

    fn region(&self) -> RegionKey {
        RegionKey::parse(&self.front.url()).unwrap()
    }

    fn process(&self, steps: &Arc<Steps>) -> Integration {
        self.process_with(steps, false)
    }

    fn process_with(&self, steps: &Arc<Steps>, rotated: bool) -> Integration {
        let store = Watched {
            store: Arc::clone(&self.site.store),
            watch: Arc::<Steps>::clone(steps),
        };
        let network = SteppedTransport {
            front: self.front.clone(),
            steps: Arc::clone(steps),
        };
        let (store, keyring) = (Arc::new(store), Arc::new(rotating_keyring(rotated)));
        let live = NinjaOneApi::new()
            .rate_limit(RateLimit::unlimited())
            .transport(Arc::new(network))
            .shared_budget(Arc::<Watched>::clone(&store), Arc::clone(&keyring));
        Integration::builder(store, keyring, Arc::new(live))
            .clock(Arc::new(self.site.clock.clone()))
            .policy(HostPolicy::default().allow_hosts(|_| true))
            .build()
    }

    /// A process to which nothing happens.
    fn another(&self) -> Integration {
        self.process(&Steps::with(Disturbance::Nothing))
    }

    async fn authorize(&self) {
        let process = self.another();
        let callback = self.consent(&process).await;
        let completed = process.complete_authorization(
            ours(),
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        completed.await.unwrap().test.unwrap();
    }

    /// An authorization is begun, and the administrator says yes.
    async fn consent(&self, process: &Integration) -> Callback {
        let request = {
            let tenant = self.front.tenant();
            let (id, secret) = (tenant.client_id(), tenant.client_secret());
            begin_authorization(self.region(), id, Some(secret), REDIRECT)
        };
        let begun = process.begin_authorization(ours(), request).await.unwrap();
        let consented = begun.url.strip_prefix(&self.front.url()).unwrap();
        let reply = self.front.send(&Request::get(consented)).await.unwrap();
        let mut headers = reply.headers.iter();
        let (_, address) = headers.find(|(name, _)| name == "location").unwrap();
        Callback::read(address)
    }

    async fn discover(&self, process: &Integration) -> std::result::Result<(), Error> {
        let (region, event) = (self.region(), request("discover"));
        let discovered = process.discover(
            ours(),
            Discover {
                region: region.clone(),
                actor: operator(),
                event,
            },
        );
        discovered.await.map(drop)
    }

    async fn disconnect(&self) {
        let (process, region) = (self.another(), self.region());
        let event = request("disconnect");
        let disconnected = process.disconnect(
            ours(),
            Disconnect {
                region: region.clone(),
                actor: operator(),
                event,
            },
        );
        assert!(disconnected.await.unwrap().changed);
    }

    async fn credential(&self) -> Credential {
        let id = CredentialId::of(ours(), &self.region());
        let stored = self.site.store.credential(ours(), id).await;
        stored.unwrap().unwrap()
    }

    /// What the discovery left behind.
    async fn written(&self) -> Vec<String> {
        let snapshot = self.site.snapshot().await;
        let rows = ["mapping", "audit", "run"].map(|kind| format!("msp {} {kind}", ours()));
        let rows = rows.iter().flat_map(|kind| snapshot.rows(kind));
        // Authorizing is said anew each time.
        let is_ours = |row: &&str| !row.contains("_CONNECTED") && !row.contains("_TESTED");
        rows.filter(is_ours).map(str::to_owned).collect()
    }

    /// Whether a new process gets along with what is stored.
    async fn is_alive(&self) -> bool {
        self.front.tenant().revoke_tokens();
        let (process, region) = (self.another(), self.region());
        let tested = process.test_saved_connection(
            ours(),
            TestSavedConnection {
                region: region.clone(),
                actor: operator(),
            },
        );
        match tested.await {
            Ok(_) => true,
            Err(error) if error.kind() == AUTHORIZE_AGAIN => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn token_requests(&self) -> usize {
        let tenant = self.front.tenant();
        let requests = tenant.requests_by_path();
        requests.get("/ws/oauth/token").copied().unwrap_or_default()
    }
}

/// What a run that nothing happens to leaves behind, and its steps.
async fn undisturbed() -> (Vec<String>, Vec<String>) {
    let scene = Scene::begin().await;
    let steps = Steps::with(Disturbance::Nothing);
    let before = scene.token_requests();
    scene.discover(&scene.process(&steps)).await.unwrap();
    assert_eq!(scene.token_requests(), before + 1);
    let written = scene.written().await;
    assert!(scene.is_alive().await);
    let taken = steps.taken().clone();
    for name in ["commit_secrets asked", "/ws/oauth/token answered"] {
        assert!(taken.iter().any(|step| step == name), "{taken:?}");
    }
    (written, taken)
}

/// The future is dropped, the process lives: the renewal goes on to its end, and nobody has to authorize again.
#[tokio::test(start_paused = true)]
async fn dropped_at_every_suspension() {
    let (expected, _) = undisturbed().await;
    for successor in [Successor::Same, Successor::Another] {
        let mut suspension = 0;
        loop {
            suspension += 1;
            let what = format!("dropped at suspension {suspension}, {successor:?}");
            let scene = Scene::begin().await;
            let process = scene.process(&Steps::with(Disturbance::Nothing));
            let done = {
                let run = pin!(scene.discover(&process));
                run_to_suspension(run, suspension).await
            };
            let another = scene.another();
            let process = match successor {
                Successor::Same => &process,
                Successor::Another => {
                    scene.site.expire_leases().await;
                    &another
                }
            };
            let again = scene.discover(process).await;
            assert!(again.is_ok(), "{what}: {again:?}");
            assert_eq!(scene.written().await, expected, "{what}");
            assert!(scene.is_alive().await, "{what}");
            if done.is_some() {
                break;
            }
        }
        assert!(suspension > 10, "there are steps to be struck");
    }
}

/// The process dies. Between NinjaOne's answer and the write nothing can be saved: the old token is dead and the new one lost.
/// Then it is said, the connection stays, nothing else changes, and authorizing again resumes.
#[tokio::test(start_paused = true)]
async fn a_process_that_dies_loses_the_token_only_between_the_answer_and_the_write() {
    let (expected, steps) = undisturbed().await;
    let mut lost = Vec::new();
    for (at, name) in (1..).zip(&steps) {
        let what = format!("died at step {at}, {name}");
        let scene = Scene::begin().await;
        let before = (scene.credential().await, scene.written().await);
        let process = scene.process(&Steps::with(Disturbance::Death(at)));
        let run = tokio::time::timeout(Duration::from_secs(1), scene.discover(&process));
        assert!(run.await.is_err(), "{what}");
        drop(process);
        scene.site.expire_leases().await;
        let another = scene.another();
        if let Err(error) = scene.discover(&another).await {
            assert_eq!(error.kind(), AUTHORIZE_AGAIN, "{what}");
            lost.push(name.as_str());
            assert_eq!(scene.credential().await, before.0, "{what}");
            let mut written = scene.written().await;
            written.retain(|row| !row.contains("authorize_again"));
            assert_eq!(written, before.1, "{what}: and one run that says why");
            scene.authorize().await;
            scene.discover(&another).await.unwrap();
        }
        assert_eq!(scene.written().await, expected, "{what}");
        assert!(scene.is_alive().await, "{what}");
    }
    let between = [
        "/ws/oauth/token answered",
        "credential asked",
        "credential answered",
        "commit_secrets asked",
    ];
    assert_eq!(lost, between);
}

/// The store fails, the process lives: it keeps the new token until it is stored. Another process cannot know it before.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_any_call_loses_no_token() {
    let (expected, steps) = undisturbed().await;
    let mut kept_in_memory = Vec::new();
    for (at, name) in (1..).zip(&steps) {
        for another_first in [false, true] {
            let what = format!("failed at step {at}, {name}");
            let scene = Scene::begin().await;
            let process = scene.process(&Steps::with(Disturbance::Failure(at)));
            let done = scene.discover(&process).await;
            if let Err(error) = &done {
                let unavailable = ErrorKind::Store(StoreErrorKind::Unavailable);
                assert!(
                    [unavailable, ErrorKind::Ninjaone(Vendor::Budget)].contains(&error.kind()),
                    "{what}: {error:?}"
                );
                assert!(error.is_retryable(), "{what}");
            }
            if another_first {
                scene.site.expire_leases().await;
                if let Err(error) = scene.discover(&scene.another()).await {
                    assert_eq!(error.kind(), AUTHORIZE_AGAIN, "{what}");
                    kept_in_memory.push(name.as_str());
                }
                scene.site.expire_leases().await;
            }
            let again = scene.discover(&process).await;
            assert!(again.is_ok(), "{what}: {again:?}");
            assert_eq!(scene.written().await, expected, "{what}");
            assert!(scene.is_alive().await, "{what}");
        }
    }
    let until_it_is_stored = [
        "credential asked",
        "credential answered",
        "commit_secrets asked",
    ];
    assert_eq!(kept_in_memory, until_it_is_stored);
}

/// One of the two is too late with a token that the other has spent, and finds what the other stored.
#[tokio::test(start_paused = true)]
async fn two_processes_rotate_at_once() {
    let (expected, _) = undisturbed().await;
    let mut too_late = 0;
    for seed in 0..48 {
        let scene = Scene::begin().await;
        let delayed = |seed| {
            let dice = Mutex::new(Dice::new(seed));
            scene.process(&Steps::with(Disturbance::Delays(dice)))
        };
        let (one, other) = (delayed(seed), delayed(seed + 1_000));
        let (before, region) = (scene.token_requests(), scene.region());
        let (discovered, tested) = tokio::join!(
            scene.discover(&one),
            other.test_saved_connection(
                ours(),
                TestSavedConnection {
                    region: region.clone(),
                    actor: operator()
                }
            )
        );
        assert!(discovered.is_ok(), "seed {seed}: {discovered:?}");
        assert!(tested.is_ok(), "seed {seed}: {tested:?}");
        let requests = scene.token_requests() - before;
        assert!((2..=3).contains(&requests), "seed {seed}: {requests}");
        too_late += requests - 2;
        assert_eq!(scene.written().await, expected, "seed {seed}");
        assert!(scene.is_alive().await, "seed {seed}");
    }
    assert!(too_late > 5, "they do meet: {too_late}");
}

/// Something happens at every step of a run after it has read the credential. The run writes nothing afterwards.
async fn nothing_is_written_after(
    happens: impl Fn(Arc<Scene>) -> BoxFuture<'static, ()>,
) -> Vec<(Arc<Scene>, Option<ErrorKind>)> {
    let (_, steps) = undisturbed().await;
    let read = steps.iter().position(|name| name == "credential answered");
    let mut ended = Vec::new();
    for (at, name) in (1..).zip(&steps).skip(read.unwrap()) {
        let scene = Scene::begin().await;
        let found: Arc<Mutex<Option<Snapshot>>> = Arc::default();
        let meanwhile = {
            let (happens, scene) = (happens(Arc::clone(&scene)), Arc::clone(&scene));
            let found = Arc::clone(&found);
            async move {
                happens.await;
                let now = scene.site.snapshot().await.without_runs();
                found.lock().unwrap().replace(now);
            }
        };
        let meanwhile = Mutex::new(Some(Box::pin(meanwhile) as BoxFuture<'static, ()>));
        let process = scene.process(&Steps::with(Disturbance::Meanwhile(at, meanwhile)));
        let done = scene.discover(&process).await;
        let now = scene.site.snapshot().await.without_runs();
        let found = found.lock().unwrap().take().unwrap();
        assert_same(&now, &found, format!("step {at}, {name}"));
        ended.push((scene, done.err().map(|error| error.kind())));
    }
    ended
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_in_the_middle_fences_the_rotation() {
    let ended = nothing_is_written_after(|scene| Box::pin(async move { scene.disconnect().await }));
    let mut fenced = 0;
    for (scene, kind) in ended.await {
        let credential = scene.credential().await;
        assert!(!credential.is_active && credential.secrets.is_none());
        match kind {
            Some(ErrorKind::NotConnected) => fenced += 1,
            // It had its token already, or was at its end.
            Some(ErrorKind::Superseded) | None => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(fenced > 4, "{fenced}");
}

#[tokio::test(start_paused = true)]
async fn a_new_authorization_in_the_middle_is_not_overwritten_by_the_old_one() {
    let ended = nothing_is_written_after(|scene| {
        Box::pin(async move {
            scene.disconnect().await;
            scene.authorize().await;
        })
    });
    let mut fenced = 0;
    for (scene, kind) in ended.await {
        assert!(
            scene.is_alive().await,
            "the new token is the one that is stored"
        );
        fenced += usize::from(kind == Some(ErrorKind::NotConnected));
    }
    assert!(fenced > 4, "{fenced}");
}

/// Both rewrite the sealed columns: neither loses what the other wrote.
#[tokio::test(start_paused = true)]
async fn a_key_rotation_in_the_middle_loses_no_token() {
    let (expected, steps) = undisturbed().await;
    for (at, name) in (1..).zip(&steps) {
        let what = format!("step {at}, {name}");
        let scene = Scene::begin().await;
        let rotates = {
            let scene = Arc::clone(&scene);
            async move {
                let process = scene.process_with(&Steps::with(Disturbance::Nothing), true);
                assert_eq!(process.rotate_key(ours(), operator()).await.unwrap(), 1);
            }
        };
        let rotates = Mutex::new(Some(Box::pin(rotates) as BoxFuture<'static, ()>));
        let steps = Steps::with(Disturbance::Meanwhile(at, rotates));
        let process = scene.process_with(&steps, true);
        scene.discover(&process).await.unwrap();
        let mut written = scene.written().await;
        written.retain(|row| !row.contains("KEY_ROTATED"));
        assert_eq!(written, expected, "{what}");
        let secrets = scene.credential().await.secrets.unwrap();
        let sealed = [
            Some(&secrets.client_id),
            secrets.client_secret.as_ref(),
            secrets.refresh_token.as_ref(),
        ];
        let keyring = rotating_keyring(true);
        for sealed in sealed {
            assert!(keyring.is_current(sealed.unwrap()), "{what}");
        }
        let (process, region) = (
            scene.process_with(&Steps::with(Disturbance::Nothing), true),
            scene.region(),
        );
        scene.front.tenant().revoke_tokens();
        let tested = process.test_saved_connection(
            ours(),
            TestSavedConnection {
                region: region.clone(),
                actor: operator(),
            },
        );
        tested.await.unwrap();
    }
}

/// Completing an authorization, cut off anywhere: the region is connected whole or not at all, and what was begun is spent as soon as
/// it was taken.
#[tokio::test(start_paused = true)]
async fn an_authorization_that_is_cut_off_is_begun_again_and_nothing_is_half_written() {
    let (mut not_connected, mut connected, mut suspension) = (0, 0, 0);
    loop {
        suspension += 1;
        let what = format!("dropped at suspension {suspension}");
        let scene = Scene::new();
        let process = scene.another();
        let callback = scene.consent(&process).await;
        let completing = process.complete_authorization(
            ours(),
            CompleteAuthorization {
                callback: callback.clone(),
                actor: operator(),
            },
        );
        let done = run_to_suspension(pin!(completing), suspension).await;
        let stored = scene.site.store.credentials(ours()).await.unwrap();
        let said = scene.site.snapshot().await;
        let said = said
            .rows(" audit ")
            .filter(|row| row.contains("_CONNECTED"));
        assert_eq!(said.count(), stored.len(), "{what}");
        if stored.is_empty() {
            not_connected += 1;
        } else {
            connected += 1;
            assert!(scene.is_alive().await, "{what}");
        }
        let again = process.complete_authorization(
            ours(),
            CompleteAuthorization {
                callback,
                actor: operator(),
            },
        );
        match again.await {
            // It had not been taken yet.
            Ok(_) => assert!(stored.is_empty(), "{what}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AuthorizationExpired, "{what}"),
        }
        scene.authorize().await;
        assert!(scene.is_alive().await, "{what}");
        if done.is_some() {
            break;
        }
    }
    assert!(
        not_connected > 2 && connected > 2,
        "{not_connected} {connected}"
    );
}
