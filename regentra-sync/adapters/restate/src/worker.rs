use std::{
    fmt,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt as _;
use regentra_sync::{
    Integration, RequestSync,
    host::{Clock, SystemClock},
    model::MspOrgId,
    schedule::{Event, PlanKind},
};
use restate_sdk::{
    endpoint::{Endpoint, ServiceOptions},
    http_server::HttpServer,
    service::IntoServiceDefinition as _,
};
use tokio::{net::TcpListener, sync::oneshot};
use url::Url;

use crate::{
    client::Server,
    error::{Error, Result},
    objects::{Events, ROOM, Shared, TICK, TICKS, Tick, Ticks},
    status::EngineStatus,
};

const KINDS: [PlanKind; 2] = [PlanKind::AssetSync, PlanKind::EvidenceSweep];

/// How long the server remembers the idempotency keys of deliveries.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);
/// How long the server shows failed deliveries.
const SHOWN: Duration = Duration::from_hours(24);

/// The server's waits while a process does not answer, doubled each time, and the number of attempts. They take more than a day. After
/// that, the server gives up the event instead of pausing its key, and the next tick's event takes its place.
const AGAIN: (Duration, Duration, u64) =
    (Duration::from_millis(200), Duration::from_secs(10), 10_000);

/// The waits while the server does not answer at the start: the first, doubled each time up to the second.
const REGISTER_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Runs the events of an [`Integration`] that a Restate server delivers.
///
/// See the [crate's documentation](crate) for an example.
#[derive(Clone)]
pub struct Restate {
    shared: Shared,
    server: Server,
    endpoint: Endpoint,
    kinds: Vec<PlanKind>,
    listen: SocketAddr,
    advertise: Option<Url>,
    grace: Duration,
}

impl fmt::Debug for Restate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restate")
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Restate`].
#[derive(Clone)]
pub struct Builder {
    integration: Integration,
    server: Server,
    clock: Arc<dyn Clock>,
    kinds: Vec<PlanKind>,
    parallel: usize,
    per_connection: Option<usize>,
    listen: SocketAddr,
    advertise: Option<Url>,
    identity_key: Option<String>,
    grace: Duration,
    longest: Duration,
    start_within: Option<time::Duration>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

impl Builder {
    /// Which cadences this process starts. Default: both. A process handles every event that the server delivers to it.
    #[must_use]
    pub fn plans(mut self, kinds: impl IntoIterator<Item = PlanKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// How many events this process handles side by side, at least one. Default: 4. One more slot is reserved for people's requests.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.clamp(1, 10_000);
        self
    }

    /// How many planned events of one connection this process handles side by side, at least one. Default: half of all. A host with a
    /// single connection sets it to [`parallel`](Self::parallel).
    #[must_use]
    pub fn per_connection(mut self, events: usize) -> Self {
        self.per_connection = Some(events.clamp(1, 10_000));
        self
    }

    /// Where this process listens for the server. Default: `127.0.0.1:9080`. Any address other than loopback needs an
    /// [`identity_key`](Self::identity_key).
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The address by which the server reaches the processes: that of the balancer before them. Default: the address that this process
    /// listens on.
    #[must_use]
    pub fn advertise(mut self, uri: Url) -> Self {
        self.advertise = Some(uri);
        self
    }

    /// The server's public key, such as `publickeyv1_…`: requests that are not signed with its private key are refused. Default: none.
    #[must_use]
    pub fn identity_key(mut self, key: impl Into<String>) -> Self {
        self.identity_key = Some(key.into());
        self
    }

    /// How long running events have to end once the process is asked to stop; the server then delivers them to another process. Default: 15
    /// seconds, and up to ten more to close connections.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long the server waits for the end of an event. Default: five hours. It must be longer than the deadline of an event in the
    /// integration's policy, which is four hours by default.
    #[must_use]
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Spreads the starts of a tick over another length than the interval. With zero, all events start with the tick.
    #[must_use]
    pub fn start_within(mut self, length: time::Duration) -> Self {
        self.start_within = Some(length);
        self
    }

    /// The clock that decides which ticks are due. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the settings and the server.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the server does not answer;
    /// [`ErrorKind::Misconfigured`](crate::ErrorKind::Misconfigured) if it is too old, if the identity key is invalid, or if this process
    /// would listen beyond loopback without one.
    pub async fn build(self) -> Result<Restate> {
        if !self.listen.ip().is_loopback() && self.identity_key.is_none() {
            return Err(Error::misconfigured(
                "a process that listens beyond loopback needs the Restate server's identity key",
            ));
        }
        let half = (self.parallel / 2).max(1);
        let shared = Shared::new(
            self.integration,
            self.clock,
            self.parallel,
            self.per_connection.unwrap_or(half),
            self.start_within,
        );
        let cut = self.longest.saturating_add(ROOM * 2);
        let options = || {
            ServiceOptions::new()
                .inactivity_timeout(cut)
                .abort_timeout(cut)
                .idempotency_retention(REMEMBERED)
                .journal_retention(SHOWN)
                .retry_policy_initial_interval(AGAIN.0)
                .retry_policy_exponentiation_factor(2.0)
                .retry_policy_max_interval(AGAIN.1)
                .retry_policy_max_attempts(AGAIN.2)
                .retry_policy_kill_on_max_attempts()
        };
        let events = Events(shared.clone()).into_service_definition();
        let ticks = Ticks(shared.clone()).into_service_definition();
        let mut endpoint = Endpoint::builder()
            .bind(events.options(options()))
            .bind(ticks.options(options()));
        if let Some(key) = &self.identity_key {
            endpoint = endpoint.identity_key(key).map_err(|_| {
                Error::misconfigured("the identity key is no public key of a Restate server")
            })?;
        }
        self.server.check().await?;
        Ok(Restate {
            shared,
            server: self.server,
            endpoint: endpoint.build(),
            kinds: self.kinds,
            listen: self.listen,
            advertise: self.advertise,
            grace: self.grace,
        })
    }
}

impl Restate {
    /// Builds a worker over an integration and a server.
    #[must_use]
    pub fn builder(integration: Integration, server: Server) -> Builder {
        Builder {
            integration,
            server,
            clock: Arc::new(SystemClock),
            kinds: KINDS.to_vec(),
            parallel: 4,
            per_connection: None,
            listen: (Ipv4Addr::LOCALHOST, 9080).into(),
            advertise: None,
            identity_key: None,
            grace: Duration::from_secs(15),
            longest: Duration::from_hours(5),
            start_within: None,
        }
    }

    /// Listens, registers, starts the cadences, and handles events until `shutdown` is over. A server that goes away never ends it: the
    /// server continues when it is back. Call it once per process.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`](crate::ErrorKind::Misconfigured) if the address cannot be listened on, or if the server has another
    /// release registered at the same address.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let cannot = |_| Error::misconfigured("this process cannot listen on its address");
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let listens = listener.local_addr().map_err(cannot)?;
        let uri = match &self.advertise {
            Some(uri) => uri.clone(),
            None => Url::parse(&format!("http://{listens}"))
                .map_err(|_| Error::misconfigured("this process has no address"))?,
        };
        let (close, closed) = oneshot::channel::<()>();
        let serve = HttpServer::new(self.endpoint.clone()).serve_with_cancel(listener, closed);
        let work = async {
            let shutdown = shutdown.shared();
            let begun = tokio::select! {
                begun = self.begin(&uri) => begun,
                () = shutdown.clone() => Ok(()),
            };
            if begun.is_ok() {
                shutdown.await;
            }
            self.shared.stop();
            let idle = async {
                while !self.shared.is_idle() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            if tokio::time::timeout(self.grace, idle).await.is_err() {
                tracing::warn!("events are still running, and are delivered to another process");
            }
            drop(close);
            begun
        };
        let ((), begun) = tokio::join!(serve, work);
        begun
    }

    /// Registers the deployment and starts the cadences. Waits until the server answers.
    async fn begin(&self, uri: &Url) -> Result<()> {
        let mut wait = REGISTER_AGAIN.0;
        loop {
            let begun = async {
                self.server.register(uri).await?;
                for kind in &self.kinds {
                    self.look(*kind).await?;
                }
                Ok::<_, Error>(())
            };
            match begun.await {
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the engine is asked again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(REGISTER_AGAIN.1);
                }
                begun => return begun,
            }
        }
    }

    /// Requests that the newest tick be planned and the next one be scheduled, if they are not yet.
    async fn look(&self, kind: PlanKind) -> Result<()> {
        let target = (TICKS, kind.as_str(), TICK);
        self.server.send(target, &Tick::look(kind), None).await
    }

    /// Sends a person's request: see [`Server::request_sync`].
    ///
    /// # Errors
    /// As [`Server::request_sync`].
    pub async fn request_sync(&self, msp: MspOrgId, request: RequestSync) -> Result<Event> {
        let integration = self.shared.integration();
        self.server.request_sync(integration, msp, request).await
    }

    /// Sends events that a host planned itself: see [`Server::enqueue`].
    ///
    /// # Errors
    /// As [`Server::enqueue`].
    pub async fn enqueue(&self, events: &[Event]) -> Result<()> {
        self.server.enqueue(events).await
    }

    /// The events that the engine holds: see [`Server::status`].
    ///
    /// # Errors
    /// As [`Server::status`].
    pub async fn status(&self) -> Result<EngineStatus> {
        self.server.status().await
    }
}
