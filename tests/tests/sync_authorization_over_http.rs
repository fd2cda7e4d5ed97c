//! The second way in over real HTTP, on a database in a file: an administrator authorizes, processes rotate the refresh token.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where it fails, helpers included"
)]

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    time::Instant,
};

use ninjaone_simulator::{Preset, Request, Tenant, TenantBuilder, front};
use regentra_sync::{
    CredentialId, Error, ErrorKind, EventId, Integration, MspOrgId, Policy, RegionKey,
    audit::Actor,
    clock::ManualClock,
    credential::Credential,
    event::Event,
    integration::{
        Authorized, BeginAuthorization, Callback, Choice, Connect, Handled, PlanKind,
        RequestedAccess, SweepOutcome, SyncOutcome,
    },
    live::LiveNinjaOne,
    mapping::Mapping,
    ninjaone_client::{ErrorKind as Vendor, RetryPolicy, Scope},
    seal::{Field, KeyId, Keyring, MasterKey},
    store::Store,
};
use regentra_sync_sqlite::SqliteStore;
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use tracing_subscriber::fmt::MakeWriter;
use url::Url;
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
const REDIRECT: &str = "http://127.0.0.1/callback";

/// What this program logs at TRACE of every crate in it but the database: a subscriber is the process's.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_env_filter("trace,sqlx=off,ninjaone_simulator=off")
        .with_writer(log.clone())
        .with_ansi(false)
        .init();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A tenant whose API client may be authorized, and an MSP with a database.
struct Scene {
    server: front::tcp::Front,
    folder: TempDir,
    clock: ManualClock,
    client: (String, String),
    is_native: bool,
}

fn tenant() -> TenantBuilder {
    Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 12)
        .organization_count(2)
        .scopes(&["monitoring", "offline_access"])
}

fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number))
}

fn keyring() -> Keyring {
    let key = |byte| MasterKey::from_bytes([byte; 32]);
    Keyring::new(KeyId::new("one").unwrap(), key(1), key(2))
}

fn event(label: &str) -> EventId {
    EventId::of_request("test", label)
}

/// A process of the host: an integration over the same database, with clients and tokens of its own.
struct Process {
    integration: Integration,
    store: Arc<dyn Store>,
}

impl Process {
    async fn over(file: &Path, own: RegionKey, clock: ManualClock) -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::migrate(file).await.unwrap());
        let moment = std::time::Duration::from_millis(1);
        let retry = RetryPolicy::default().backoff(moment, moment);
        let integration = Integration::builder(Arc::clone(&store), keyring())
            .live(LiveNinjaOne::new().retry(retry))
            .clock(Arc::new(clock))
            .policy(Policy::default().allow_hosts(move |base| own.base_url().unwrap() == *base))
            .build();
        Self { integration, store }
    }

    async fn discover(&self, region: &RegionKey) -> Result<(), Error> {
        let (actor, event) = (Actor::Schedule, event("discover"));
        let discovered = self.integration.discover(msp(1), region, actor, event);
        discovered.await.map(drop)
    }

    /// What a discovery leaves behind.
    async fn organizations(&self, credential: CredentialId) -> Vec<(i64, String)> {
        let mappings = self.store.mappings(msp(1), credential).await.unwrap();
        let organization = |mapping: Mapping| {
            let state = format!("{:?} {:?}", mapping.name, mapping.state);
            (mapping.external_org_id.get(), state)
        };
        mappings.into_iter().map(organization).collect()
    }
}

impl Scene {
    async fn of(tenant: TenantBuilder, is_native: bool) -> Self {
        LazyLock::force(&LOG);
        let tenant = tenant.build();
        let client = (tenant.client_id().into(), tenant.client_secret().into());
        Self {
            server: front::tcp::serve(tenant).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(NOW),
            client,
            is_native,
        }
    }

    fn region(&self) -> RegionKey {
        RegionKey::parse(&self.server.url()).unwrap()
    }

    fn credential(&self, msp: MspOrgId) -> CredentialId {
        CredentialId::of(msp, &self.region())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("regentra.db")
    }

    async fn process(&self) -> Process {
        Process::over(&self.file(), self.region(), self.clock.clone()).await
    }

    fn beginning(&self) -> BeginAuthorization {
        let (id, secret) = &self.client;
        BeginAuthorization {
            region: self.region(),
            client_id: id.as_str().into(),
            client_secret: (!self.is_native).then(|| secret.as_str().into()),
            redirect_uri: REDIRECT.to_owned(),
            access: RequestedAccess::default(),
            allow_duplicate: false,
        }
    }

    /// An administrator opens an address, says yes, and is sent to another one.
    fn consented(&self, address: &str) -> String {
        let url = Url::parse(address).unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let answer = self.server.tenant().answer(&Request::get(&target), NOW);
        let mut headers = answer.headers.into_iter();
        let location = headers.find(|(name, _)| name.eq_ignore_ascii_case("location"));
        location.map_or_else(String::new, |(_, address)| address)
    }

    async fn authorize_as(
        &self,
        process: &Process,
        msp: MspOrgId,
        request: BeginAuthorization,
    ) -> Result<Authorized, Error> {
        let begun = process.integration.begin_authorization(msp, request);
        let address = self.consented(&begun.await.unwrap().url);
        assert!(address.starts_with(REDIRECT), "{address}");
        let callback = Callback::read(&address);
        let completed = process
            .integration
            .complete_authorization(msp, callback, Actor::Schedule);
        completed.await
    }

    async fn authorize(&self, process: &Process) -> Authorized {
        let authorized = self.authorize_as(process, msp(1), self.beginning());
        authorized.await.unwrap()
    }

    async fn stored(&self, process: &Process, msp: MspOrgId) -> Credential {
        let stored = process.store.credential(msp, self.credential(msp));
        stored.await.unwrap().unwrap()
    }

    async fn refresh_token(&self, process: &Process, msp: MspOrgId) -> SecretString {
        let secrets = self.stored(process, msp).await.secrets.unwrap();
        let (region, sealed) = (self.region(), secrets.refresh_token.unwrap());
        let opened = keyring().open(msp, &region, Field::RefreshToken, &sealed);
        opened.unwrap()
    }

    async fn rotations(&self, process: &Process, msp: MspOrgId) -> u32 {
        self.stored(process, msp).await.secrets_version.as_u32() - 1
    }

    async fn visible(&self, process: &Process, msp: MspOrgId) -> Result<u64, Error> {
        let region = self.region();
        let tested = process
            .integration
            .test_saved_connection(msp, &region, Actor::Schedule);
        Ok(tested.await?.organizations_visible)
    }

    /// Every file of the database.
    fn files(&self) -> Vec<u8> {
        let files = fs::read_dir(self.folder.path()).unwrap();
        files
            .flat_map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect()
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn an_administrator_authorizes_and_everything_runs() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let begun = process
        .integration
        .begin_authorization(msp(1), scene.beginning());
    let address = scene.consented(&begun.await.unwrap().url);
    let callback = Callback::read(&address);
    let authorized = process
        .integration
        .complete_authorization(msp(1), callback, Actor::Schedule);
    let authorized = authorized.await.unwrap();
    assert_eq!(authorized.test.unwrap().organizations_visible, 2);

    let (integration, region) = (&process.integration, scene.region());
    let discovery = integration.discover(msp(1), &region, Actor::Schedule, event("discover"));
    assert_eq!(discovery.await.unwrap().listed, 2);
    let credential = scene.credential(msp(1));
    for (number, mapping) in process
        .store
        .mappings(msp(1), credential)
        .await
        .unwrap()
        .into_iter()
        .enumerate()
    {
        let label = format!("map {number}");
        let choice = Choice::CreateNew;
        let mapped = integration.map(msp(1), mapping.id, choice, Actor::Schedule, event(&label));
        let company = mapped.await.unwrap().mapping.state.company().unwrap();
        let customer = Uuid::from_u128(100 + number as u128);
        let customer = regentra_sync::ComplianceOrgId::from_uuid(customer);
        let event = event(&format!("promote {number}"));
        let promoted = integration.promote(msp(1), company, customer, Actor::Schedule, event);
        promoted.await.unwrap();
    }
    // Tokens die while it works.
    scene.server.tenant().revoke_tokens();
    for kind in [PlanKind::AssetSync, PlanKind::EvidenceSweep] {
        for event in integration.plan(kind, NOW).await.unwrap() {
            match (&event, integration.handle(&event, 1).await.unwrap()) {
                (Event::AssetSync(_), Handled::AssetSync(synced)) => {
                    let whole = |outcome| matches!(outcome, Ok(SyncOutcome::Synced { .. }));
                    assert!(synced.len() == 2 && synced.into_iter().all(|s| whole(s.outcome)));
                }
                (Event::EvidenceSweep(_), Handled::EvidenceSweep(swept)) => {
                    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // One with the code, one when the connection was tried, one after its tokens had died.
    let tokens = scene.server.tenant().requests_by_path()["/ws/oauth/token"];
    assert_eq!((tokens, scene.rotations(&process, msp(1)).await), (3, 2));

    let files = scene.files();
    let refresh_token = scene.refresh_token(&process, msp(1)).await;
    let parameters = Url::parse(&address).unwrap();
    let mut secrets: Vec<String> = parameters
        .query_pairs()
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(secrets.len(), 2, "a code and a state");
    secrets.push(refresh_token.expose_secret().to_owned());
    secrets.extend([scene.client.0.clone(), scene.client.1.clone()]);
    for secret in secrets {
        assert!(!contains(&files, &secret), "{secret} is stored as it is");
    }
    assert!(
        contains(&files, "authorization_code"),
        "these are the files"
    );
}

#[tokio::test]
async fn processes_share_one_refresh_token_and_none_is_lost() {
    let scene = Scene::of(tenant(), false).await;
    let (one, other) = (scene.process().await, scene.process().await);
    scene.authorize(&one).await;
    for round in 0..3 {
        for process in [&one, &other] {
            scene.server.tenant().revoke_tokens();
            let visible = scene.visible(process, msp(1)).await;
            assert_eq!(visible.unwrap(), 2, "round {round}");
        }
    }
    // Both at once: one is refused, because the other was faster, and finds what the other stored.
    for round in 0..5 {
        scene.server.tenant().revoke_tokens();
        let (a, b) = tokio::join!(scene.visible(&one, msp(1)), scene.visible(&other, msp(1)));
        assert_eq!((a.unwrap(), b.unwrap()), (2, 2), "round {round}");
    }
    let rotations = scene.rotations(&one, msp(1)).await;
    assert_eq!(
        rotations,
        1 + 6 + 10,
        "each took its own, one after the other"
    );
}

#[tokio::test]
async fn a_dead_refresh_token_says_authorize_again_and_authorizing_resumes() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    scene.authorize(&process).await;
    let (region, before) = (scene.region(), scene.stored(&process, msp(1)).await);
    scene.server.tenant().revoke_tokens();
    scene.server.tenant().revoke_refresh_tokens();
    let integration = &process.integration;
    let discovered = integration.discover(msp(1), &region, Actor::Schedule, event("dead"));
    let error = discovered.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::AuthorizeAgain));
    assert!(error.to_string().contains("authorize again"), "{error}");
    let card = integration
        .connection_status(msp(1))
        .await
        .unwrap()
        .remove(0);
    assert!(card.connected && card.authorize_again);
    assert_eq!(scene.stored(&process, msp(1)).await, before);

    scene.clock.advance(Duration::minutes(1));
    let authorized = scene.authorize(&process).await;
    assert!(authorized.connected.reconnected);
    assert_eq!(authorized.test.unwrap().organizations_visible, 2);
    let discovered = integration.discover(msp(1), &region, Actor::Schedule, event("alive"));
    assert_eq!(discovered.await.unwrap().listed, 2);
    let card = integration
        .connection_status(msp(1))
        .await
        .unwrap()
        .remove(0);
    assert!(!card.authorize_again);
}

#[tokio::test]
async fn a_native_application_proves_itself_by_pkce_alone() {
    let scene = Scene::of(tenant().public_client(), true).await;
    let process = scene.process().await;
    scene.authorize(&process).await;
    scene.server.tenant().revoke_tokens();
    assert_eq!(scene.visible(&process, msp(1)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_whoever_began() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let begin = async || {
        let begun = process
            .integration
            .begin_authorization(msp(1), scene.beginning());
        let address = scene.consented(&begun.await.unwrap().url);
        let url = Url::parse(&address).unwrap();
        let of = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.unwrap().1.into_owned()
        };
        (of("state"), of("code"))
    };
    let ((state, _), (other_state, code)) = (begin().await, begin().await);
    // The verifier of one authorization does not go with the code of another; and then that code is spent.
    for state in [state, other_state] {
        let callback = Callback::new(&state, &code);
        let completed =
            process
                .integration
                .complete_authorization(msp(1), callback, Actor::Schedule);
        let error = completed.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BeginAgain, "{error}");
        assert!(!format!("{error} {error:?}").contains(&code));
    }
    assert_eq!(process.store.credentials(msp(1)).await.unwrap(), Vec::new());
    scene.authorize(&process).await;
}

#[tokio::test]
async fn what_ninjaone_refuses_is_said() {
    // The API client was not granted what keeps a connection alive: the browser stays with NinjaOne, and nothing comes back.
    let scene = Scene::of(tenant().scopes(&["monitoring", "management"]), false).await;
    let process = scene.process().await;
    let begun = process
        .integration
        .begin_authorization(msp(1), scene.beginning());
    let address = scene.consented(&begun.await.unwrap().url);
    assert!(
        address.contains("/ws/oauth/error?error=invalid_scope"),
        "{address}"
    );

    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let wrong = BeginAuthorization {
        client_secret: Some("wrong".into()),
        ..scene.beginning()
    };
    let error = scene
        .authorize_as(&process, msp(1), wrong)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ninjaone(Vendor::Unauthenticated));
    let more = BeginAuthorization {
        access: RequestedAccess::MonitoringAnd(vec![Scope::Control]),
        ..scene.beginning()
    };
    let begun = process.integration.begin_authorization(msp(1), more);
    let address = scene.consented(&begun.await.unwrap().url);
    assert!(address.contains("error=invalid_scope"), "{address}");
    assert_eq!(process.store.credentials(msp(1)).await.unwrap(), Vec::new());
}

/// Two administrators may see different organizations: a client of one never answers for the other.
#[tokio::test]
async fn connections_of_one_client_id_never_share_their_tokens() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    for number in [1, 2] {
        let request = BeginAuthorization {
            allow_duplicate: true,
            ..scene.beginning()
        };
        let authorized = scene.authorize_as(&process, msp(number), request);
        authorized.await.unwrap().test.unwrap();
    }
    scene.server.tenant().revoke_tokens();
    scene.visible(&process, msp(1)).await.unwrap();
    let rotations = (
        scene.rotations(&process, msp(1)).await,
        scene.rotations(&process, msp(2)).await,
    );
    assert_eq!(rotations, (2, 1), "only its own refresh token was used");
    scene.visible(&process, msp(2)).await.unwrap();
    let rotations = (
        scene.rotations(&process, msp(1)).await,
        scene.rotations(&process, msp(2)).await,
    );
    assert_eq!(rotations, (2, 2));
}

/// What is kept of the client in memory belongs to one connection.
#[tokio::test]
async fn a_reconnect_by_the_other_way_leaves_nothing_of_the_first_in_use() {
    let scene = Scene::of(tenant(), false).await;
    let (one, other) = (scene.process().await, scene.process().await);
    scene.authorize(&one).await;
    assert_eq!(scene.visible(&other, msp(1)).await.unwrap(), 2);
    let (id, secret) = &scene.client;
    let connect = Connect {
        event: event("client credentials"),
        region: scene.region(),
        client_id: id.as_str().into(),
        client_secret: secret.as_str().into(),
        allow_duplicate: false,
        actor: Actor::Schedule,
    };
    one.integration.connect(msp(1), connect).await.unwrap();
    scene.server.tenant().revoke_tokens();
    scene.server.tenant().revoke_refresh_tokens();
    for process in [&one, &other] {
        assert_eq!(scene.visible(process, msp(1)).await.unwrap(), 2);
    }
    assert_eq!(scene.rotations(&one, msp(1)).await, 0);
}

/// Errors and their `Debug` included.
#[tokio::test]
async fn no_secret_of_an_authorization_is_logged_or_said() {
    let scene = Scene::of(tenant(), false).await;
    let process = scene.process().await;
    let begun = process
        .integration
        .begin_authorization(msp(1), scene.beginning());
    let begun = begun.await.unwrap();
    let mut said = vec![format!("{begun:?}")];
    let address = scene.consented(&begun.url);
    let mut secrets: Vec<String> = [begun.url.as_str(), address.as_str()]
        .iter()
        .flat_map(|address| {
            let url = Url::parse(address).unwrap();
            let pairs = url.query_pairs().into_owned();
            let is_secret = |name: &str| ["state", "code", "client_id"].contains(&name);
            let secrets: Vec<_> = pairs.filter(|(name, _)| is_secret(name)).collect();
            secrets.into_iter().map(|(_, value)| value)
        })
        .collect();
    secrets.push(scene.client.1.clone());
    for _ in 0..2 {
        let callback = Callback::read(&address);
        said.push(format!("{callback:?}"));
        let completed =
            process
                .integration
                .complete_authorization(msp(1), callback, Actor::Schedule);
        match completed.await {
            Ok(authorized) => said.push(format!("{authorized:?}")),
            Err(error) => said.push(format!("{error} {error:?}")),
        }
        let token = scene.refresh_token(&process, msp(1)).await;
        secrets.push(token.expose_secret().to_owned());
    }
    scene.server.tenant().revoke_tokens();
    scene.visible(&process, msp(1)).await.unwrap();
    let token = scene.refresh_token(&process, msp(1)).await;
    secrets.push(token.expose_secret().to_owned());
    scene.server.tenant().revoke_tokens();
    scene.server.tenant().revoke_refresh_tokens();
    let error = scene.visible(&process, msp(1)).await.unwrap_err();
    let stored = scene.stored(&process, msp(1)).await;
    said.push(format!("{error} {error:?} {stored:?}"));
    let said = said.concat();
    let log = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    for span in ["regentra.complete_authorization", "oauth.token"] {
        assert!(log.contains(span), "{span} in {log:.2000}");
    }
    assert!(secrets.len() > 7, "{}", secrets.len());
    for secret in secrets {
        assert!(!log.contains(&secret), "logged: {secret}");
        assert!(!said.contains(&secret), "said: {secret}");
    }
}

const CHILD: &str = "REGENTRA_TEST_ROTATES";
const KILLED: &str =
    "a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again";

/// Another process that rotates the refresh token and lists the organizations. It is about to.
fn rotates(scene: &Scene) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", KILLED, "--nocapture"])
        .env(
            CHILD,
            format!("{}|{}", scene.server.url(), scene.file().display()),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::new(output).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")));
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again() {
    if let Ok(told) = env::var(CHILD) {
        let (url, file) = told.split_once('|').unwrap();
        let region = RegionKey::parse(url).unwrap();
        let process = Process::over(Path::new(file), region.clone(), ManualClock::at(NOW)).await;
        println!("\nready");
        process.discover(&region).await.unwrap();
        return;
    }
    let begin = async || {
        let scene = Scene::of(tenant(), false).await;
        scene.authorize(&scene.process().await).await;
        scene.server.tenant().revoke_tokens();
        scene
    };
    let scene = begin().await;
    let mut undisturbed = rotates(&scene);
    let since = Instant::now();
    assert!(undisturbed.wait().unwrap().success());
    let takes = since.elapsed();
    let process = scene.process().await;
    let expected = process.organizations(scene.credential(msp(1))).await;
    assert_eq!(expected.len(), 2);

    let mut ends = [0, 0];
    for point in 0..40 {
        let scene = begin().await;
        let mut child = rotates(&scene);
        std::thread::sleep(takes * point / 40);
        child.kill().unwrap();
        child.wait().unwrap();

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
