//! The jobs in the engine's queue, and every statement about them.

use std::collections::BTreeMap;

use graphile_worker::WorkerContext;
use regentra_sync::schedule::{Event, PlanCursor, PlanKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, Row as _};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::error::{Error, ErrorKind, Result};

/// The engine's schema, beside the store's.
pub const SCHEMA: &str = "regentra_graphile_worker";

pub(crate) const TASK_PLAN: &str = "regentra_plan";
pub(crate) const TASK_EVENT: &str = "regentra_event";
/// A separate task, so that a slot can be reserved for it.
pub(crate) const TASK_REQUESTED: &str = "regentra_requested_event";

/// The smallest priority goes first.
const REQUESTED_PRIORITY: i16 = -10;
pub(crate) const PLAN_PRIORITY: i16 = -5;

/// An event to handle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) event: Event,
    /// The number of the attempt, from 1. The engine's own count is of deliveries and is not used.
    pub(crate) attempt: u32,
    /// The event's tick in microseconds since 1970, for the queue to compare.
    tick: i64,
}

/// A page of a tick to plan. Without a tick: the newest tick, from its first page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) kind: PlanKind,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub(crate) tick: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<PlanCursor>,
    /// The number of events of earlier pages: those to handle, and those that were done before.
    #[serde(default)]
    pub(crate) events: usize,
    #[serde(default)]
    pub(crate) done: usize,
    /// How often planning this page has failed.
    #[serde(default)]
    pub(crate) failures: u32,
    /// The field that the engine's cron adds.
    #[serde(default, rename = "_cron", skip_serializing)]
    pub(crate) cron: Option<Cron>,
}

/// When a cron job was due.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cron {
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) ts: OffsetDateTime,
}

impl Plan {
    pub(crate) const fn of(kind: PlanKind) -> Self {
        Self {
            kind,
            tick: None,
            from: None,
            events: 0,
            done: 0,
            failures: 0,
            cron: None,
        }
    }
}

pub(crate) fn plan_key(kind: PlanKind) -> String {
    format!("plan/{}", kind.as_str())
}

pub(crate) fn plan_queue(kind: PlanKind) -> String {
    plan_key(kind)
}

/// A job to put into the queue.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    task: &'static str,
    payload: Value,
    queue: String,
    key: String,
    priority: i16,
    /// When the job may run; `None` for now.
    pub(crate) run_at: Option<OffsetDateTime>,
    tick: i64,
}

impl Job {
    pub(crate) fn of_event(event: &Event, attempt: u32) -> Result<Self> {
        let (task, priority, run_at) = match event {
            Event::RequestedSync(_) => (TASK_REQUESTED, REQUESTED_PRIORITY, None),
            _ => (TASK_EVENT, 0, Some(event.starts_at())),
        };
        let tick = micros(event.scheduled_at());
        let work = Work {
            event: event.clone(),
            attempt,
            tick,
        };
        Ok(Self {
            task,
            payload: written(&work)?,
            queue: event.key().to_string(),
            key: event.subject().to_string(),
            priority,
            run_at,
            tick,
        })
    }

    /// The first page of the newest tick.
    pub(crate) fn plan(kind: PlanKind) -> Result<Self> {
        Self::of_plan(&Plan::of(kind), plan_key(kind), None)
    }

    /// The next page, or the same page later. It has a separate key, so that the first page of the next tick does not replace it.
    pub(crate) fn page(
        plan: &Plan,
        tick: OffsetDateTime,
        run_at: Option<OffsetDateTime>,
    ) -> Result<Self> {
        let key = format!("{}/{}", plan_key(plan.kind), tick.unix_timestamp());
        Self::of_plan(plan, key, run_at)
    }

    fn of_plan(plan: &Plan, key: String, run_at: Option<OffsetDateTime>) -> Result<Self> {
        Ok(Self {
            task: TASK_PLAN,
            payload: written(plan)?,
            queue: plan_queue(plan.kind),
            key,
            priority: PLAN_PRIORITY,
            run_at,
            tick: plan.tick.map_or(i64::MAX, micros),
        })
    }

    fn spec(&self) -> Result<Value> {
        let run_at = self.run_at.map(|at| at.format(&Rfc3339)).transpose();
        let run_at = run_at.map_err(|_| unwritable())?;
        // The engine never retries: each job has one attempt. If the event's verdict asks for another delivery, a new job is added.
        Ok(json!({
            "identifier": self.task, "payload": self.payload, "queue_name": self.queue, "run_at": run_at,
            "max_attempts": 1, "job_key": self.key, "priority": self.priority,
        }))
    }
}

fn written(payload: &impl Serialize) -> Result<Value> {
    serde_json::to_value(payload).map_err(|_| unwritable())
}

fn unwritable() -> Error {
    Error::new(ErrorKind::Failed, "an event could not be written")
}

fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// The time by the engine's clock, which is the database's. It decides what is due, whatever the machines' clocks show.
pub(crate) async fn now(pool: &PgPool) -> Result<OffsetDateTime> {
    Ok(sqlx::query_scalar("SELECT now()").fetch_one(pool).await?)
}

/// Puts events into the queue.
///
/// At most one event per subject waits. A waiting event of an older tick is replaced, and the newer event keeps its place in the queue;
/// otherwise the end of a long queue would be left out in every tick. If an event of the same tick or a newer one is already there
/// (waiting, running or failed), nothing changes, so planning a tick again is harmless. Requests of people for the same organization are
/// one event as long as it waits.
pub(crate) async fn put(connection: &mut PgConnection, jobs: &[Job]) -> Result<()> {
    let mut jobs: BTreeMap<String, Job> = jobs
        .iter()
        .map(|job| (job.key.clone(), job.clone()))
        .collect();
    let keys: Vec<_> = jobs.keys().cloned().collect();
    let there = sqlx::query(
        "SELECT key, is_available, run_at, payload->>'tick' AS tick \
         FROM regentra_graphile_worker._private_jobs WHERE key = ANY($1)",
    )
    .bind(&keys)
    .fetch_all(&mut *connection)
    .await?;
    for row in &there {
        let key: String = row.try_get("key")?;
        let is_available: bool = row.try_get("is_available")?;
        let run_at: OffsetDateTime = row.try_get("run_at")?;
        let tick: Option<String> = row.try_get("tick")?;
        let tick: Option<i64> = tick.and_then(|tick| tick.parse().ok());
        let Some(job) = jobs.get_mut(&key) else {
            continue;
        };
        let stays = if job.task == TASK_REQUESTED {
            is_available || tick == Some(job.tick)
        } else {
            tick.is_some_and(|tick| tick >= job.tick)
        };
        if stays {
            jobs.remove(&key);
        } else if is_available {
            job.run_at = job.run_at.map(|at| at.min(run_at));
        }
    }
    add(connection, jobs.values()).await
}

async fn add(
    connection: &mut PgConnection,
    jobs: impl ExactSizeIterator<Item = &Job>,
) -> Result<()> {
    if jobs.len() == 0 {
        return Ok(());
    }
    let specs = jobs.map(Job::spec).collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "SELECT count(*) FROM regentra_graphile_worker.add_jobs(array( \
         SELECT json_populate_recordset(null::regentra_graphile_worker.job_spec, $1::json)), false)",
    )
    .bind(Value::Array(specs))
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a job unless there is already one with its key.
pub(crate) async fn put_unless_there(connection: &mut PgConnection, job: &Job) -> Result<()> {
    sqlx::query(
        "SELECT (regentra_graphile_worker.add_job(identifier => $1, payload => $2::json, queue_name => $3, run_at => $4, \
         max_attempts => 1, job_key => $5, priority => $6, job_key_mode => 'unsafe_dedupe')).id",
    )
    .bind(job.task)
    .bind(&job.payload)
    .bind(&job.queue)
    .bind(job.run_at)
    .bind(&job.key)
    .bind(i32::from(job.priority))
    .execute(connection)
    .await?;
    Ok(())
}

/// Begins to plan the newest tick of a kind. If several processes call this at the same time, it is planned once.
pub(crate) async fn begin_plan(pool: &PgPool, kind: PlanKind) -> Result<()> {
    let mut connection = pool.acquire().await?;
    add(&mut connection, [Job::plan(kind)?].iter()).await
}

/// A job that this process holds.
#[derive(Clone, Debug)]
pub(crate) struct LeasedJob {
    id: i64,
    worker: String,
}

/// What happened to a job that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It left the queue.
    Here,
    /// Another process holds it now, because this one was frozen for too long. Nothing was changed.
    Elsewhere,
}

/// What follows a job that ended.
#[derive(Debug, Default)]
pub(crate) struct Next {
    /// The events of a page that was planned.
    pub(crate) events: Vec<Job>,
    /// The same job again, or the next page, unless there is already a newer one.
    pub(crate) job: Option<Job>,
}

impl LeasedJob {
    pub(crate) fn of(context: &WorkerContext) -> Self {
        Self {
            id: *context.job().id(),
            worker: context.worker_id().to_owned(),
        }
    }

    /// Ends the job and adds what follows it, both or neither, if this process still holds the job.
    ///
    /// When the engine ends a job, it deletes the job by its id alone, even if another process holds it by now, and leaves that process's
    /// key locked. So this statement deletes a job of this process, with its lock, before the engine ends it. A lost job is reported as
    /// failed, which the engine writes only if the worker still holds the job.
    pub(crate) async fn end(&self, pool: &PgPool, next: &Next) -> Result<Ended> {
        let mut transaction = pool.begin().await?;
        let deleted = sqlx::query("DELETE FROM regentra_graphile_worker._private_jobs WHERE id = $1 AND locked_by = $2 RETURNING job_queue_id")
        .bind(self.id)
        .bind(&self.worker)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(deleted) = deleted else {
            return Ok(Ended::Elsewhere);
        };
        let queue: Option<i32> = deleted.try_get("job_queue_id")?;
        sqlx::query("UPDATE regentra_graphile_worker._private_job_queues SET locked_by = NULL, locked_at = NULL \
         WHERE id = $1 AND locked_by = $2")
        .bind(queue)
        .bind(&self.worker)
        .execute(&mut *transaction)
        .await?;
        put(&mut transaction, &next.events).await?;
        if let Some(job) = &next.job {
            put_unless_there(&mut transaction, job).await?;
        }
        transaction.commit().await?;
        Ok(Ended::Here)
    }
}

/// The time after a wait, limited to the end of the calendar.
pub(crate) fn after(now: OffsetDateTime, wait: std::time::Duration) -> OffsetDateTime {
    // A database's calendar is longer than this one.
    now.saturating_add(Duration::try_from(wait).unwrap_or(Duration::MAX))
}
