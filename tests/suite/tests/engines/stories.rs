//! Faults, and the end of every story: it is the one of an undisturbed run.

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use regentra_harness::postgres::SUPERUSER;
use regentra_sync::{
    RequestSync,
    model::{Actor, EventId},
};
use regentra_sync_graphile_worker::{self as graphile, EngineStatus, GraphileWorker};
use sqlx::PgConnection;

use crate::{
    end_state::{EndState, assert_same, end_state},
    site::{SILENCE, Site, msp},
    worker::{Engine, Worker},
};

/// How long a story may take.
const PATIENCE: Duration = Duration::from_mins(15);

/// A site, and what an undisturbed tick of it leaves and costs.
pub(crate) struct Stage {
    site: Site,
    undisturbed: EndState,
    requests: usize,
}

impl Stage {
    pub(crate) async fn new(organizations: usize, customers: usize) -> Self {
        let site = Box::pin(Site::new(organizations, customers, organizations * 2)).await;
        let copy = site.copy().await;
        site.requests();
        let store = copy.place.store().await;
        let integration =
            copy.place
                .integration(Arc::new(store.clone()), time::Duration::ZERO, None);
        copy.sweep_all(&integration, copy.tick()).await;
        store.close().await;
        let requests = site.requests().len();
        let undisturbed = end_state(&copy, 2).await;
        Self {
            site,
            undisturbed,
            requests,
        }
    }

    /// The end of a story on a copy of the site: nothing is lost, nothing is doubled, and it is as if nothing had happened.
    pub(crate) async fn ends(&self, story: &RunningStory, what: &str) {
        story.is_quiet().await;
        let spent = self.site.requests().len();
        let more = i64::try_from(spent).unwrap() - i64::try_from(self.requests).unwrap();
        let engine = story.engine;
        println!("{engine:?}, {what}: {spent} requests, {more} more than undisturbed");
        assert_same(&self.undisturbed, &end_state(&story.site, 2).await, what);
        let mut superuser = story.site.database.connect(SUPERUSER).await;
        let events = i64::try_from(self.site.mappings.len()).unwrap();
        let (signals, records, swept): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM regentra_sync.signals), (SELECT count(*) FROM regentra_sync.evidence), \
             (SELECT count(*) FROM regentra_sync.customer_audit)",
        )
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        // Two ticks of five signals each.
        assert_eq!((signals, records), (10 * events, 10 * events), "{what}");
        assert!(swept >= 2 * events, "{what}: {swept} audit rows");
    }
}

/// A story under way.
pub(crate) struct RunningStory {
    pub(crate) site: Site,
    engine: Engine,
    began: Instant,
    superuser: PgConnection,
}

impl RunningStory {
    pub(crate) async fn begin(stage: &Stage, engine: Engine) -> Self {
        stage.site.requests();
        let site = stage.site.copy().await;
        let superuser = site.database.connect(SUPERUSER).await;
        Self {
            site,
            engine,
            began: Instant::now(),
            superuser,
        }
    }

    fn worker(&self) -> Worker {
        Worker::start(&self.site.place, self.engine, 0)
    }

    /// How many sweeps of this tick are committed.
    async fn swept(&mut self) -> i64 {
        let count = "SELECT count(DISTINCT mapping_id) FROM regentra_sync.signals \
                     WHERE collected_at > now() - interval '2 hours'";
        sqlx::query_scalar(count)
            .fetch_one(&mut self.superuser)
            .await
            .unwrap()
    }

    /// Waits until so much of a hundred of the tick is swept.
    pub(crate) async fn until(&mut self, percent: i64) {
        let wanted = i64::try_from(self.site.mappings.len()).unwrap() * percent / 100;
        loop {
            let swept = self.swept().await;
            if swept >= wanted {
                return;
            }
            assert!(
                self.began.elapsed() < PATIENCE,
                "{swept} of {wanted} were swept"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status(&self) -> EngineStatus {
        let pool = self.site.place.engine().await;
        let status = graphile::status(&pool).await.unwrap();
        pool.close().await;
        status
    }

    /// Waits until the engine holds nothing more.
    async fn is_quiet(&self) {
        // Another engine's own story waits for it.
        if self.engine != Engine::GraphileWorker {
            return;
        }
        loop {
            let status = self.status().await;
            assert_eq!(status.failed, 0, "{status:?}");
            if status.queued + status.waiting + status.running == 0 {
                return;
            }
            assert!(self.began.elapsed() < PATIENCE, "{status:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until every one of these has ended by itself, or is done.
    async fn until_done(&mut self, workers: &mut [Worker]) {
        self.until(100).await;
        for worker in workers {
            if self.engine == Engine::GraphileWorker {
                continue;
            }
            while !worker.has_ended() {
                assert!(self.began.elapsed() < PATIENCE, "a worker does not end");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One of two workers is killed hard in the middle.
async fn one_is_killed(stage: &Stage, engine: Engine) {
    let mut story = RunningStory::begin(stage, engine).await;
    let mut workers = [story.worker(), story.worker()];
    story.until(30).await;
    workers[0].kill();
    story.until_done(&mut workers[1..]).await;
    stage.ends(&story, "a worker killed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_sweeps_with_a_worker_killed_end_as_if_nothing_had_happened() {
    let stage = Stage::new(60, 12).await;
    for engine in [Engine::InProcess, Engine::GraphileWorker] {
        one_is_killed(&stage, engine).await;
    }
}

/// How many sweeps the long stories have, which run where they are asked for.
pub(crate) fn long() -> Option<usize> {
    let sweeps = env::var("REGENTRA_TEST_ENGINES").ok()?;
    Some(
        sweeps
            .parse()
            .expect("REGENTRA_TEST_ENGINES is a number of sweeps"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_sweeps_survive_every_fault() {
    let Some(sweeps) = long() else {
        return;
    };
    let stage = Stage::new(sweeps, sweeps / 10).await;
    println!("undisturbed: {} requests", stage.requests);
    for engine in [Engine::InProcess, Engine::GraphileWorker] {
        let mut story = RunningStory::begin(&stage, engine).await;
        let mut workers = [story.worker(), story.worker()];
        story.until_done(&mut workers).await;
        println!(
            "{engine:?}: {:.1} s for {sweeps} sweeps",
            story.began.elapsed().as_secs_f64()
        );
        stage.ends(&story, "two workers, undisturbed").await;

        one_is_killed(&stage, engine).await;
        both_are_killed(&stage, engine).await;
        one_stands_still(&stage, engine).await;
        clocks_are_apart(&stage, engine).await;
        the_database_goes_away(&stage, engine).await;
    }
    everything_is_sent_twice(&stage).await;
}

async fn both_are_killed(stage: &Stage, engine: Engine) {
    let mut story = RunningStory::begin(stage, engine).await;
    let mut workers = [story.worker(), story.worker()];
    for percent in [20, 50] {
        story.until(percent).await;
        for worker in &mut workers {
            worker.kill();
        }
        workers = [story.worker(), story.worker()];
    }
    story.until_done(&mut workers).await;
    stage
        .ends(&story, "both killed and started again, twice")
        .await;
}

async fn one_stands_still(stage: &Stage, engine: Engine) {
    let mut story = RunningStory::begin(stage, engine).await;
    let mut workers = [story.worker(), story.worker()];
    story.until(20).await;
    for _ in 0..2 {
        workers[0].freeze();
        tokio::time::sleep(SILENCE * 4).await;
        workers[0].wake();
        tokio::time::sleep(SILENCE).await;
    }
    story.until_done(&mut workers).await;
    stage
        .ends(&story, "frozen past lease and recovery, twice")
        .await;
}

async fn clocks_are_apart(stage: &Stage, engine: Engine) {
    let mut story = RunningStory::begin(stage, engine).await;
    let place = story.site.place.clone();
    let mut workers = [
        Worker::start(&place, engine, -10),
        Worker::start(&place, engine, 0),
    ];
    story.until_done(&mut workers).await;
    stage.ends(&story, "clocks ten minutes apart").await;
}

async fn the_database_goes_away(stage: &Stage, engine: Engine) {
    let mut story = RunningStory::begin(stage, engine).await;
    let mut workers = [story.worker(), story.worker()];
    for percent in [20, 50] {
        story.until(percent).await;
        story.site.database.restart_server(3);
        story.superuser = story.site.database.connect(SUPERUSER).await;
    }
    story.until_done(&mut workers).await;
    stage.ends(&story, "the database stopped hard, twice").await;
}

async fn everything_is_sent_twice(stage: &Stage) {
    let mut story = RunningStory::begin(stage, Engine::GraphileWorker).await;
    let pool = story.site.place.engine().await;
    let place = &story.site.place;
    let database = Arc::new(place.store().await);
    let integration = place.integration(database, time::Duration::ZERO, None);
    let sender = GraphileWorker::builder(integration.clone(), pool)
        .build()
        .await
        .unwrap();
    let events = story.site.plan_now(&integration).await;
    let mut workers = [story.worker(), story.worker()];
    sender.enqueue(&events).await.unwrap();
    story.until(50).await;
    sender.enqueue(&events).await.unwrap();
    story.until(100).await;
    sender.enqueue(&events).await.unwrap();
    story.until_done(&mut workers).await;
    stage
        .ends(&story, "everything sent again, three times")
        .await;
}

/// However many processes, all together keep the limit of the tenant, and still come to their end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_keep_the_budget_of_a_tenant_together() {
    const MOST: usize = 40;
    if long().is_none() {
        return;
    }
    let stage = Stage::new(60, 12).await;
    for engine in [Engine::InProcess, Engine::GraphileWorker] {
        let mut story = RunningStory::begin(&stage, engine).await;
        story.site.place.budget = Some(MOST);
        let mut workers = [story.worker(), story.worker()];
        story.until_done(&mut workers).await;
        story.is_quiet().await;
        let mut requests = stage.site.requests();
        requests.sort();
        let windows = requests.iter().enumerate().map(|(place, from)| {
            // A request is stamped when it is sent, and comes a moment later.
            let until = *from + time::Duration::milliseconds(9_500);
            requests[place..]
                .iter()
                .take_while(|at| **at < until)
                .count()
        });
        let most = windows.max().unwrap();
        println!(
            "{engine:?}: at most {most} of {MOST} requests in any ten seconds, of {}",
            requests.len()
        );
        assert!(
            most <= MOST,
            "{engine:?}: {most} requests within ten seconds"
        );
        assert_same(
            &stage.undisturbed,
            &end_state(&story.site, 2).await,
            "a budget",
        );
    }
}

/// What a person asked for begins within two seconds, however long the line is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requested_sync_begins_within_two_seconds_behind_a_long_line() {
    let queued = if long().is_some() { 5_000 } else { 1_000 };
    let site = Box::pin(Site::new(4, 2, 8)).await;
    let store = Arc::new(site.place.store().await);
    let integration = site.place.integration(store, time::Duration::ZERO, None);
    let engine = site.place.engine().await;
    let host = GraphileWorker::builder(integration.clone(), engine.clone());
    let host = host.build().await.unwrap();
    let planned = site.plan(&integration, site.tick()).await;
    host.enqueue(&crate::queue::others_like(&planned[0], queued))
        .await
        .unwrap();
    let worker = Worker::start(&site.place, Engine::GraphileWorker, 0);
    let began = Instant::now();
    while worker.finished() < 5 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut worst = Duration::ZERO;
    for n in 0..4 {
        let asked = Instant::now();
        let request = RequestSync {
            mapping: site.mappings[n].0,
            actor: Actor::Schedule,
            event: EventId::of_request("engines", &format!("sync {n}")),
        };
        let event = host.request_sync(msp(), request).await.unwrap();
        let begins = format!("started {}", event.id());
        let start = loop {
            let lines = worker.lines();
            let found = lines.iter().find(|(_, line)| line.starts_with(&begins));
            if let Some((at, _)) = found {
                break *at;
            }
            assert!(
                asked.elapsed() < Duration::from_secs(20),
                "it does not begin"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        worst = worst.max(start.saturating_duration_since(asked));
    }
    let left = host.status().await.unwrap();
    println!(
        "behind {} queued sweeps: {} ms at worst",
        left.queued,
        worst.as_millis()
    );
    assert!(left.queued > 0, "the line was over before: {left:?}");
    assert!(worst < Duration::from_secs(2), "{worst:?}");
    engine.close().await;
}
