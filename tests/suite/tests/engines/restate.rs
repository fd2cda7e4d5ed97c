//! Restate as the engine: a real server, two worker processes, and a balancer before them.

use std::{
    env,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use regentra_sync::{
    Integration, RequestSync,
    model::{Actor, EventId},
    schedule::{Event, PlanKind},
};
use regentra_sync_restate::{EngineStatus, ErrorKind, Restate, Server};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::{
    queue::others_like,
    site::{Place, SILENCE, Site, msp},
    stories::{RunningStory, Stage, long},
    worker::{Engine, Worker},
};

pub(crate) const ORDERS: &str = "REGENTRA_TEST_RESTATE_WORKER";

/// How long a story may take.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Orders {
    ingress: String,
    admin: String,
    /// The balancer's address.
    advertise: Url,
    listen: SocketAddr,
}

fn server_program() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/restate");
    let program =
        folder.join("node_modules/@restatedev/restate-server-linux-x64/bin/restate-server");
    let is_there = program.is_file();
    assert!(
        is_there || env::var_os("CI").is_none(),
        "the Restate server is not installed, and CI does not skip its tests: run .ci/restate first"
    );
    if !is_there {
        // Not `eprintln!`, which the test runner holds back.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: the Restate server is not installed here, so its tests did not run (see .ci/restate)\n"
        );
    }
    is_there.then_some(program)
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// A Restate server in a folder of its own.
struct RestateServer {
    program: PathBuf,
    folder: TempDir,
    addresses: [SocketAddr; 3],
    child: Child,
}

impl RestateServer {
    async fn start() -> Option<Self> {
        let program = server_program()?;
        let folder = TempDir::new().unwrap();
        let addresses = [free_port(), free_port(), free_port()];
        let child = Self::spawn(&program, &folder, addresses);
        let server = Self {
            program,
            folder,
            addresses,
            child,
        };
        server.answers().await;
        Some(server)
    }

    fn spawn(program: &PathBuf, folder: &TempDir, addresses: [SocketAddr; 3]) -> Child {
        let [node, ingress, admin] = addresses.map(|address| address.to_string());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        Command::new(program)
            .args(["--no-logo", "--node-name", "one", "--base-dir"])
            .arg(folder.path().join("data"))
            .env("RESTATE_LISTEN_MODE", "tcp")
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .env("RESTATE_BIND_ADDRESS", node)
            .env("RESTATE_INGRESS__BIND_ADDRESS", ingress)
            .env("RESTATE_ADMIN__BIND_ADDRESS", admin)
            .env("RESTATE_DEFAULT_NUM_PARTITIONS", "4")
            .env("RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE", "256MB")
            // Several connections, so that the balancer has something to distribute.
            .env(
                "RESTATE_WORKER__INVOKER__HTTP2_STREAMS_PER_CONNECTION_LIMIT",
                "4",
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn server(&self) -> Server {
        let [_, ingress, admin] = self.addresses;
        Server::new(&format!("http://{ingress}"), &format!("http://{admin}")).unwrap()
    }

    async fn answers(&self) {
        let began = Instant::now();
        while let Err(error) = self.server().check().await {
            assert!(began.elapsed() < Duration::from_mins(1), "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after it was killed, on what it had written.
    async fn start_again(&mut self) {
        self.child = Self::spawn(&self.program, &self.folder, self.addresses);
        self.answers().await;
    }

    /// Waits until the engine holds no event.
    async fn is_quiet(&self) -> EngineStatus {
        let began = Instant::now();
        loop {
            let status = self.server().status().await.unwrap();
            if status.queued + status.waiting + status.running == 0 {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{status:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for RestateServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Distributes connections over the processes that listen.
async fn balancer(workers: Vec<SocketAddr>) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (workers, next) = (workers.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                for _ in 0..workers.len() {
                    let turn = next.fetch_add(1, Ordering::Relaxed) % workers.len();
                    if let Ok(mut worker) = TcpStream::connect(workers[turn]).await {
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut worker).await;
                        return;
                    }
                }
            });
        }
    });
    Url::parse(&format!("http://{address}")).unwrap()
}

/// In the other process.
pub(crate) async fn work(integration: Integration, stopped: impl Future<Output = ()> + Send) {
    let orders: Orders = serde_json::from_str(&env::var(ORDERS).unwrap()).unwrap();
    let server = Server::new(&orders.ingress, &orders.admin).unwrap();
    let worker = Restate::builder(integration, server)
        .plans([PlanKind::EvidenceSweep])
        .per_connection(4)
        .start_within(time::Duration::ZERO)
        .listen(orders.listen)
        .advertise(orders.advertise);
    let worker = worker.build().await.unwrap();
    println!("\nready");
    worker.run(stopped).await.unwrap();
}

async fn two_workers(server: &RestateServer, place: &Place) -> [Worker; 2] {
    let listen = [free_port(), free_port()];
    let advertise = balancer(listen.to_vec()).await;
    let [_, ingress, admin] = server.addresses;
    listen.map(|listen| {
        let orders = Orders {
            ingress: format!("http://{ingress}"),
            admin: format!("http://{admin}"),
            advertise: advertise.clone(),
            listen,
        };
        let orders = serde_json::to_string(&orders).unwrap();
        Worker::start_with(place, Engine::Restate, 0, Some((ORDERS, orders)))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_sweeps_by_restate_with_a_worker_frozen_one_killed_and_then_the_server_end_as_if_nothing_had_happened()
 {
    let Some(mut server) = RestateServer::start().await else {
        return;
    };
    let stage = Stage::new(60, 12).await;
    let mut story = RunningStory::begin(&stage, Engine::Restate).await;
    let mut workers = two_workers(&server, &story.site.place).await;
    story.until(30).await;
    let finished = [workers[0].finished(), workers[1].finished()];
    assert!(finished.iter().all(|n| *n > 0), "{finished:?}");
    // Frozen until its leases are over; what it had begun is in vain.
    workers[1].freeze();
    tokio::time::sleep(SILENCE * 2).await;
    workers[1].wake();
    workers[0].kill();
    story.until(60).await;
    server.kill();
    server.start_again().await;
    story.until(100).await;
    let status = server.is_quiet().await;
    assert_eq!((status.failed, status.ticks), (0, 1), "{status:?}");
    stage
        .ends(&story, "a worker frozen, one killed, and the server")
        .await;

    // Sent twice, it is delivered once or writes nothing.
    let store = Arc::new(story.site.place.store().await);
    let integration = story
        .site
        .place
        .integration(store, time::Duration::ZERO, None);
    let events = story.site.plan_now(&integration).await;
    server.server().enqueue(&events).await.unwrap();
    server.is_quiet().await;
    stage.ends(&story, "everything sent again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_restate_a_requested_sync_begins_within_two_seconds_and_what_cannot_be_read_is_named() {
    let Some(server) = RestateServer::start().await else {
        return;
    };
    let site = Site::new(4, 2, 8).await;
    let store = Arc::new(site.place.store().await);
    let integration = site.place.integration(store, time::Duration::ZERO, None);
    // No worker has registered yet.
    for error in [
        server.server().status().await.unwrap_err(),
        server
            .server()
            .enqueue(&site.plan_now(&integration).await)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotRegistered, "{error}");
    }
    let workers = two_workers(&server, &site.place).await;
    let began = Instant::now();
    while server.server().status().await.is_err() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // The ingress lets anything in.
    let [_, ingress, _] = server.addresses;
    let http = reqwest::Client::new();
    let events = site.plan_now(&integration).await;
    let later = r#"{"attempt":1,"delivery":1,"event":{"version":99,"kind":"evidence_sweep"}}"#;
    let key = events[0].key().to_string().replace('/', "%2F");
    for (object, key, handler, body) in [
        ("RegentraEvents", key.as_str(), "handle", later),
        ("RegentraEvents", key.as_str(), "handle", "[\"canary\"]"),
        ("RegentraTicks", "canary", "page", "{}"),
    ] {
        let url = format!("http://{ingress}/{object}/{key}/{handler}/send");
        let request = http.post(url).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    // A long line while nothing goes on, and then a person.
    let line = if long().is_some() { 5_000 } else { 400 };
    let idle = server.server();
    workers.iter().for_each(Worker::freeze);
    idle.enqueue(&others_like(&events[0], line)).await.unwrap();
    workers.iter().for_each(Worker::wake);
    // All slots are taken, and the line stands.
    let woken = Instant::now();
    while idle.status().await.unwrap().waiting < line as u64 / 2 {
        assert!(woken.elapsed() < PATIENCE, "the line was no line");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("Restate: the line stood after {:?}", woken.elapsed());
    let request = RequestSync {
        mapping: site.mappings[0].0,
        actor: Actor::Schedule,
        event: EventId::of_request("engines", "restate"),
    };
    let asked = Instant::now();
    let requested = idle
        .request_sync(&integration, msp(), request)
        .await
        .unwrap();
    let held = idle.status().await.unwrap();
    let started = format!("started {} 1", Event::id(&requested));
    let waited = loop {
        let lines = workers.iter().flat_map(Worker::lines);
        if let Some((at, _)) = lines.into_iter().find(|(_, line)| *line == started) {
            break at - asked;
        }
        assert!(asked.elapsed() < PATIENCE, "it never began");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    println!(
        "Restate: a request began within {waited:?}, in a line of {}",
        held.queued + held.waiting + held.running
    );
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    let others = held.queued + held.waiting + held.running;
    assert!(others > line as u64 / 2, "the line was no line: {held:?}");
    let still = idle.status().await.unwrap();
    let still = still.queued + still.waiting + still.running;
    assert!(still > line as u64 / 4, "{still} are left");

    let status = server.is_quiet().await;
    let errors: Vec<_> = status.failures.iter().map(|one| &one.error).collect();
    let says = |text: &str| errors.iter().filter(|error| error.contains(text)).count();
    assert_eq!(status.failed, 3, "{errors:?}");
    assert_eq!(says("version 99, and this release reads up to 2"), 1);
    assert_eq!(says("no event that this release can read"), 1);
    assert_eq!(says("no plan that this release can read"), 1);
    assert_eq!(says("canary"), 0, "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restate_server_that_is_not_there_or_is_another_program_is_one_clear_error() {
    let nowhere = format!("http://{}", free_port());
    let server = Server::new(&nowhere, &nowhere).unwrap();
    let error = server.status().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), "the Restate server does not answer");
    assert!(error.is_retryable());

    let other = wiremock::MockServer::start().await;
    let version = |text: &str| {
        let body = serde_json::json!({"version": text});
        wiremock::Mock::given(wiremock::matchers::path("/version"))
            .respond_with(wiremock::ResponseTemplate::new(200).set_body_json(body))
            .up_to_n_times(1)
    };
    for (text, kind) in [
        ("1.7.11", ErrorKind::Misconfigured),
        ("1.6.20", ErrorKind::Misconfigured),
        ("canary", ErrorKind::Failed),
    ] {
        other.register(version(text)).await;
        let server = Server::new(&nowhere, &other.uri()).unwrap();
        let error = server.check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(!format!("{error:?}").contains("canary"));
    }
    for version_that_will_do in ["1.7.12", "1.8.0-rc.1", "2.0.0"] {
        other.register(version(version_that_will_do)).await;
        let server = Server::new(&nowhere, &other.uri()).unwrap();
        server.check().await.unwrap();
    }
    let error = Server::new("localhost:8080", &nowhere).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}
