//! The queue of `graphile_worker` as the adapter keeps it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use regentra_sync::{
    Integration, RequestSync,
    host::{Progress, ProgressObserver},
    model::{Actor, ComplianceOrgId, EventId, MappingId},
    schedule::Event,
};
use regentra_sync_graphile_worker::{Builder, EngineStatus, GraphileWorker};
use sqlx::PgPool;
use uuid::Uuid;

use crate::site::{Site, msp};

/// Sweeps of customers that there are none of, which are skipped when they are handled.
pub(crate) fn others_like(event: &Event, count: usize) -> Vec<Event> {
    let Event::EvidenceSweep(like) = event else {
        panic!("{event:?} is no sweep of one customer");
    };
    let id = |kind: u128, n: usize| Uuid::from_u128((kind << 64) | n as u128);
    let other = |n| {
        let mut sweep = like.clone();
        sweep.mapping_id = MappingId::from_uuid(id(0xaa, n));
        sweep.customer_compliance_org_id = ComplianceOrgId::from_uuid(id(0xbb, n));
        sweep.id = EventId::of_sweep(sweep.mapping_id, sweep.scheduled_at);
        sweep.starts_at = sweep.scheduled_at;
        Event::EvidenceSweep(sweep)
    };
    (0..count).map(other).collect()
}

/// Counts the events that begin.
#[derive(Debug, Default)]
struct StartCounter(AtomicUsize);

impl ProgressObserver for StartCounter {
    fn progress(&self, progress: &Progress) {
        if matches!(progress, Progress::EventStarted { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Desk {
    site: Site,
    integration: Integration,
    engine: PgPool,
    starts: Arc<StartCounter>,
}

impl Desk {
    async fn new() -> Self {
        let site = Box::pin(Site::new(4, 2, 8)).await;
        let starts = Arc::new(StartCounter::default());
        let observer: Arc<dyn ProgressObserver> = Arc::<StartCounter>::clone(&starts);
        let store = Arc::new(site.place.store().await);
        let integration = site
            .place
            .integration(store, time::Duration::ZERO, Some(observer));
        let engine = site.place.engine().await;
        Self {
            site,
            integration,
            engine,
            starts,
        }
    }

    fn builder(&self) -> Builder {
        GraphileWorker::builder(self.integration.clone(), self.engine.clone())
            .poll(std::time::Duration::from_millis(20))
            .per_connection(8)
            .start_within(time::Duration::ZERO)
    }

    async fn idle(&self) -> GraphileWorker {
        self.builder().build().await.unwrap()
    }

    /// Runs a worker until the status is as it should be.
    async fn work_until(
        &self,
        builder: Builder,
        is_so: impl Fn(&EngineStatus) -> bool,
    ) -> EngineStatus {
        let worker = builder.build().await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let runs = worker.clone();
        let running =
            tokio::spawn(async move { runs.run(async move { drop(stopped.await) }).await });
        let began = std::time::Instant::now();
        let status = loop {
            let status = worker.status().await.unwrap();
            if is_so(&status) {
                break status;
            }
            assert!(began.elapsed().as_secs() < 60, "{status:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        drop(stop);
        running.await.unwrap();
        status
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.engine).await.unwrap();
    }

    async fn count(&self, which: &'static str) -> i64 {
        sqlx::query_scalar(which)
            .fetch_one(&self.engine)
            .await
            .unwrap()
    }
}

const JOBS: &str = "SELECT count(*) FROM regentra_graphile_worker._private_jobs";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_put_in_twice_waits_once_and_a_newer_tick_takes_its_place_in_the_line() {
    let desk = Desk::new().await;
    let idle = desk.idle().await;
    let tick = desk.site.tick();
    let before = tick - time::Duration::hours(12);
    let events = desk.site.plan(&desk.integration, before).await;
    for _ in 0..2 {
        idle.enqueue(&events).await.unwrap();
    }
    assert_eq!(desk.count(JOBS).await, 4);
    let line = "SELECT string_agg(key, ' ' ORDER BY run_at, key) FROM regentra_graphile_worker._private_jobs";
    let line_before: String = sqlx::query_scalar(line)
        .fetch_one(&desk.engine)
        .await
        .unwrap();

    let newer = desk.site.plan(&desk.integration, tick).await;
    idle.enqueue(&newer).await.unwrap();
    // An older one takes no newer one's place.
    idle.enqueue(&events).await.unwrap();
    assert_eq!(desk.count(JOBS).await, 4);
    let of_tick = "SELECT count(*) FROM regentra_graphile_worker._private_jobs \
                   WHERE (payload->'event'->>'scheduled_at')::timestamptz > now() - interval '2 hours' \
                   AND run_at < now()";
    assert_eq!(desk.count(of_tick).await, 4);
    let line_after: String = sqlx::query_scalar(line)
        .fetch_one(&desk.engine)
        .await
        .unwrap();
    assert_eq!(line_before, line_after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_asks_for_twice_is_one_event_and_goes_ahead() {
    let desk = Desk::new().await;
    let idle = desk.idle().await;
    for n in 0..3 {
        let request = RequestSync {
            mapping: desk.site.mappings[0].0,
            actor: Actor::Schedule,
            event: EventId::of_request("engines", &format!("again {n}")),
        };
        idle.request_sync(msp(), request).await.unwrap();
    }
    let status = idle.status().await.unwrap();
    assert_eq!((status.queued, status.requested), (1, 1), "{status:?}");
    let is_over = |status: &EngineStatus| status.queued + status.running + status.waiting == 0;
    desk.work_until(desk.builder().plans([]), is_over).await;
    assert_eq!(desk.starts.0.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_starts_plans_the_newest_tick_alone_and_another_start_adds_nothing() {
    let desk = Desk::new().await;
    let is_over = |status: &EngineStatus| status.queued + status.running + status.waiting == 0;
    let swept = || desk.starts.0.load(Ordering::Relaxed);
    desk.work_until(desk.builder(), |status| is_over(status) && swept() >= 5)
        .await;
    // Four sweeps of the newest tick, and one sync of the connection.
    assert_eq!(swept(), 5);
    // Another start plans the same tick, and finds that all of it is done.
    let began = std::time::Instant::now();
    desk.work_until(desk.builder(), |_| began.elapsed().as_secs() >= 2)
        .await;
    assert_eq!(desk.count(JOBS).await, 0);
    assert_eq!(swept(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_cannot_be_read_are_kept_and_named_and_the_others_go_on() {
    let desk = Desk::new().await;
    let idle = desk.idle().await;
    let events = desk.site.plan_now(&desk.integration).await;
    idle.enqueue(&events[..1]).await.unwrap();
    // A later version, an unknown kind, no event, and no object at all; the engine's own door lets anything in.
    desk.execute(
        "SELECT regentra_graphile_worker.add_job('regentra_event', json_build_object('tick', 1, 'attempt', 1, 'event', \
         json_build_object('version', 99, 'kind', 'evidence_sweep')), max_attempts => 1); \
         SELECT regentra_graphile_worker.add_job('regentra_event', json_build_object('tick', 1, 'attempt', 1, 'event', \
         json_build_object('version', 1, 'kind', 'canary')), max_attempts => 1); \
         SELECT regentra_graphile_worker.add_job('regentra_requested_event', '{}', max_attempts => 1); \
         SELECT regentra_graphile_worker.add_job('regentra_plan', '[\"canary\"]', max_attempts => 1)",
    )
    .await;
    let status = desk
        .work_until(desk.builder().plans([]), |status| {
            status.failed == 4 && status.queued + status.running == 0
        })
        .await;
    assert_eq!(
        desk.starts.0.load(Ordering::Relaxed),
        1,
        "the event that can be read"
    );
    let errors: Vec<_> = status
        .failures
        .iter()
        .map(|job| job.error.clone())
        .collect();
    let says = |text: &str| errors.iter().filter(|error| error.contains(text)).count();
    assert_eq!(
        says("an event of version 99, and this release reads up to 2"),
        1,
        "{errors:?}"
    );
    assert_eq!(says("no event that this release can read"), 2, "{errors:?}");
    assert_eq!(says("no plan that this release can read"), 1, "{errors:?}");
    assert_eq!(says("canary"), 0, "{errors:?}");
    // Kept as they were written.
    assert_eq!(desk.count(JOBS).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_another_process_took_over_is_not_ended_by_the_one_that_lost_it() {
    let desk = Desk::new().await;
    let idle = desk.idle().await;
    let events = desk.site.plan_now(&desk.integration).await;
    idle.enqueue(&events[..1]).await.unwrap();
    let worker = desk.builder().plans([]).build().await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runs = worker.clone();
    let running = tokio::spawn(async move { runs.run(async move { drop(stopped.await) }).await });
    // While it runs, it belongs to another worker all at once.
    let began = std::time::Instant::now();
    loop {
        let taken = sqlx::query(
            "WITH j AS (UPDATE regentra_graphile_worker._private_jobs SET locked_by = 'another' \
             WHERE locked_by IS NOT NULL AND locked_by <> 'another' RETURNING job_queue_id) \
             UPDATE regentra_graphile_worker._private_job_queues q SET locked_by = 'another' FROM j WHERE q.id = j.job_queue_id",
        )
        .execute(&desk.engine)
        .await
        .unwrap();
        if taken.rows_affected() > 0 {
            break;
        }
        assert!(began.elapsed().as_secs() < 30, "it never ran");
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    drop(stop);
    running.await.unwrap();
    let kept = "SELECT count(*) FROM regentra_graphile_worker._private_jobs j \
                JOIN regentra_graphile_worker._private_job_queues q ON q.id = j.job_queue_id \
                WHERE j.locked_by = 'another' AND q.locked_by = 'another' AND j.last_error IS NULL";
    assert_eq!(desk.count(kept).await, 1);
}
