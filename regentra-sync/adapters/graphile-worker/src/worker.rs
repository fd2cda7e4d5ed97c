use std::{fmt, future::Future, time::Duration};

use futures_util::{FutureExt as _, future::Shared as SharedFuture};
use graphile_worker::{Crontab, Worker, WorkerOptions, WorkerRecoveryConfig};
use regentra_sync::{
    Integration, RequestSync,
    model::MspOrgId,
    schedule::{Event, PlanKind},
};
use sqlx::PgPool;

use crate::{
    cron,
    error::{Error, ErrorKind, Result},
    jobs::{self, Job, SCHEMA},
    schema,
    status::{self, EngineStatus},
    tasks::{EventTask, PlanTask, RequestedTask, Shared},
};

const KINDS: [PlanKind; 2] = [PlanKind::AssetSync, PlanKind::EvidenceSweep];

/// The waits after a failure of the engine: the first, doubled each time up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Runs the events of an [`Integration`] as jobs of `graphile_worker`, together with any number of other processes.
///
/// See the [crate's documentation](crate) for an example.
#[derive(Clone)]
pub struct GraphileWorker {
    shared: Shared,
    kinds: Vec<PlanKind>,
    parallel: usize,
    poll: Duration,
    grace: Duration,
    dead_after: Duration,
}

impl fmt::Debug for GraphileWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphileWorker")
            .field("parallel", &self.parallel)
            .field("grace", &self.grace)
            .field("dead_after", &self.dead_after)
            .finish_non_exhaustive()
    }
}

/// Builds a [`GraphileWorker`].
#[derive(Clone, Debug)]
pub struct Builder {
    integration: Integration,
    engine: PgPool,
    kinds: Vec<PlanKind>,
    parallel: usize,
    per_connection: Option<usize>,
    poll: Duration,
    grace: Duration,
    dead_after: Duration,
    start_within: Option<time::Duration>,
}

impl Builder {
    /// The kinds of work that this process plans. Default: both. A process handles events of both kinds, whichever process planned them.
    #[must_use]
    pub fn plans(mut self, kinds: impl IntoIterator<Item = PlanKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// How many events this process handles side by side, at least one. Default: 4. One more slot is reserved for people's requests.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// How many planned events of one connection this process handles side by side, at least one. Default: half of all, so that no
    /// connection takes all slots. A host with a single connection sets it to [`parallel`](Self::parallel).
    #[must_use]
    pub fn per_connection(mut self, events: usize) -> Self {
        self.per_connection = Some(events.max(1));
        self
    }

    /// How often this process asks the engine for jobs that have become due. A new job that is due is noticed at once. Default: 250
    /// milliseconds; at least 10.
    #[must_use]
    pub fn poll(mut self, interval: Duration) -> Self {
        self.poll = interval.max(Duration::from_millis(10));
        self
    }

    /// How long running events have to end once the process is asked to stop. Events that do not end return to the queue, and another
    /// process handles them. Default: 25 seconds, less than the 30 that container engines allow.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long a process may be silent before others take over its jobs. Default: two minutes; at least a second. With a shorter time, a
    /// killed process is detected sooner. If a process was frozen for longer than this and continues, its lease is lost and its work is
    /// discarded.
    #[must_use]
    pub fn dead_after(mut self, silence: Duration) -> Self {
        self.dead_after = silence.max(Duration::from_secs(1));
        self
    }

    /// Spreads the starts of a tick over another length than the interval. With zero, all events start with the tick.
    #[must_use]
    pub fn start_within(mut self, length: time::Duration) -> Self {
        self.start_within = Some(length);
        self
    }

    /// Checks whether the engine can be used.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the database does not answer; [`ErrorKind::NotMigrated`] when the engine's schema is missing or
    /// older than this program; [`ErrorKind::Misconfigured`] when the schema is newer or belongs to another program; when the role may not
    /// use it, may change it, or may read the store's schema; or when a cadence is not a whole number of minutes.
    pub async fn build(self) -> Result<GraphileWorker> {
        for kind in &self.kinds {
            cron::crontab(*kind, self.integration.cadence(*kind))?;
        }
        schema::check(&self.engine).await?;
        let half = (self.parallel / 2).max(1);
        let per_connection = self.per_connection.unwrap_or(half);
        Ok(GraphileWorker {
            shared: Shared::new(
                self.integration,
                self.engine,
                per_connection,
                self.start_within,
            ),
            kinds: self.kinds,
            parallel: self.parallel,
            poll: self.poll,
            grace: self.grace,
            dead_after: self.dead_after,
        })
    }
}

impl GraphileWorker {
    /// Builds a worker over an integration and a pool of connections of the engine's role. The pool is for the engine alone, and has at
    /// least four connections more than events run side by side.
    #[must_use]
    pub fn builder(integration: Integration, engine: PgPool) -> Builder {
        Builder {
            integration,
            engine,
            kinds: KINDS.to_vec(),
            parallel: 4,
            per_connection: None,
            poll: Duration::from_millis(250),
            grace: Duration::from_secs(25),
            dead_after: Duration::from_mins(2),
            start_within: None,
        }
    }

    /// Plans ticks when they are due, and handles events, until `shutdown` is over. Then no new event begins, and running events have the
    /// [`grace`](Builder::grace) to end. Neither an unavailable database nor a NinjaOne tenant that does not answer ends it.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send + 'static) {
        let shutdown = shutdown.boxed().shared();
        let mut wait = AGAIN.0;
        while shutdown.peek().is_none() {
            let begun = tokio::time::Instant::now();
            match self.work(shutdown.clone()).boxed().await {
                Ok(()) => {}
                Err(error) => tracing::error!(%error, "the engine stopped, and is begun again"),
            }
            if begun.elapsed() > AGAIN.1 {
                wait = AGAIN.0;
            }
            tokio::select! {
                () = shutdown.clone() => {}
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(AGAIN.1),
            }
        }
    }

    /// Works until it is asked to stop, or the engine fails.
    async fn work(
        &self,
        shutdown: SharedFuture<impl Future<Output = ()> + Send + 'static>,
    ) -> Result<()> {
        schema::check(&self.shared.pool).await?;
        let mut crontabs = Vec::new();
        for kind in &self.kinds {
            crontabs.push(cron::crontab(
                *kind,
                self.shared.integration.cadence(*kind),
            )?);
            // Plans a tick that was missed, or was planned only in part.
            jobs::begin_plan(&self.shared.pool, *kind).await?;
        }
        let all = self.worker(shutdown.clone(), crontabs).boxed().await?;
        let kept = self
            .options(shutdown)
            .concurrency(1)
            .define_job::<RequestedTask>()
            .init()
            .boxed()
            .await
            .map_err(|_| failed())?;
        // If one of the two workers ends, the other one stops, too.
        let run = |worker: Worker, other: std::sync::Arc<tokio::sync::Notify>| async move {
            let stop = async {
                other.notified().await;
                worker.request_shutdown();
                std::future::pending::<()>().await;
            };
            let ended = tokio::select! {
                ended = worker.run() => ended,
                () = stop => Ok(()),
            };
            other.notify_one();
            ended.map_err(|error| {
                tracing::error!(%error, "a worker of the engine ended");
                failed()
            })
        };
        let other = std::sync::Arc::new(tokio::sync::Notify::new());
        let (all, kept) = tokio::join!(run(all, std::sync::Arc::clone(&other)), run(kept, other));
        all.and(kept)
    }

    async fn worker(
        &self,
        shutdown: SharedFuture<impl Future<Output = ()> + Send + 'static>,
        crontabs: Vec<Crontab>,
    ) -> Result<Worker> {
        self.options(shutdown)
            .concurrency(self.parallel)
            .define_job::<PlanTask>()
            .define_job::<EventTask>()
            .define_job::<RequestedTask>()
            .with_crons(crontabs)
            .init()
            .boxed()
            .await
            .map_err(|_| failed())
    }

    fn options(
        &self,
        shutdown: SharedFuture<impl Future<Output = ()> + Send + 'static>,
    ) -> WorkerOptions {
        // The interval is short enough that a process counts as alive even if a few heartbeats are lost.
        let beat = self.dead_after / 6;
        let recovery = WorkerRecoveryConfig::default()
            .heartbeat_interval(beat)
            .sweep_interval(self.dead_after / 4)
            .sweep_threshold(self.dead_after)
            .recovery_delay(Duration::ZERO);
        WorkerOptions::default()
            .pg_pool(self.shared.pool.clone())
            .schema(SCHEMA)
            .poll_interval(self.poll)
            .listen_os_shutdown_signals(false)
            .shutdown_signal(shutdown)
            .shutdown_grace_period(self.grace)
            .shutdown_interrupted_job_retry_delay(Duration::ZERO)
            .worker_recovery(recovery)
            .add_extension(self.shared.clone())
    }

    /// Queues an asset sync of one mapped organization that a person requests, ahead of the schedule. While a request for the same
    /// organization waits, this is the same event.
    ///
    /// # Errors
    /// As [`Integration::request_sync`], in [`ErrorKind::Integration`]; [`ErrorKind::Unavailable`].
    pub async fn request_sync(&self, msp: MspOrgId, request: RequestSync) -> Result<Event> {
        request_sync(&self.shared.integration, &self.shared.pool, msp, request).await
    }

    /// Queues an event that a host planned itself, in place of an older one of its subject; see the [crate's documentation](crate).
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], [`ErrorKind::Failed`].
    pub async fn enqueue(&self, events: &[Event]) -> Result<()> {
        let jobs = events.iter().map(|event| Job::of_event(event, 1));
        let jobs = jobs.collect::<Result<Vec<_>>>()?;
        let mut transaction = self.shared.pool.begin().await?;
        jobs::put(&mut transaction, &jobs).await?;
        Ok(transaction.commit().await?)
    }

    /// The content of the engine's queue.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub async fn status(&self) -> Result<EngineStatus> {
        status::status(&self.shared.pool).await
    }
}

/// Queues an asset sync from a process that runs no events: see [`GraphileWorker::request_sync`].
///
/// # Errors
/// As [`GraphileWorker::request_sync`] and [`Builder::build`].
pub async fn request_sync(
    integration: &Integration,
    engine: &PgPool,
    msp: MspOrgId,
    request: RequestSync,
) -> Result<Event> {
    schema::check(engine).await?;
    let event = integration.request_sync(msp, request).await?;
    let mut transaction = engine.begin().await?;
    jobs::put(&mut transaction, &[Job::of_event(&event, 1)?]).await?;
    transaction.commit().await?;
    Ok(event)
}

fn failed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the engine's database does not answer as it should",
    )
}
