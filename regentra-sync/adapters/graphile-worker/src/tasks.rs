//! What a worker does with a job.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use regentra_sync::{
    Integration,
    host::Progress,
    model::CredentialId,
    schedule::{Again, Event, EventOutcome, PlanPage},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{
    cron,
    error::Result,
    jobs::{self, Ended, Job, LeasedJob, Next, Plan, TASK_EVENT, TASK_PLAN, TASK_REQUESTED, Work},
};

/// How long a job waits if its connection already has its maximum of slots.
const NO_SLOT: Duration = Duration::from_secs(5);

/// The wait before the next call after the engine's database did not answer.
const DATABASE_AGAIN: Duration = Duration::from_secs(1);

/// The state that all jobs of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) integration: Integration,
    pub(crate) pool: PgPool,
    pub(crate) per_connection: usize,
    pub(crate) start_within: Option<time::Duration>,
    running: Arc<Mutex<BTreeMap<CredentialId, usize>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        integration: Integration,
        pool: PgPool,
        per_connection: usize,
        start_within: Option<time::Duration>,
    ) -> Self {
        Self {
            integration,
            pool,
            per_connection,
            start_within,
            running: Arc::default(),
        }
    }

    /// A slot for a connection; `None` if the connection already has its maximum.
    fn slot(&self, connection: CredentialId) -> Option<Slot> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = running.entry(connection).or_default();
        if *taken >= self.per_connection {
            return None;
        }
        *taken += 1;
        Some(Slot {
            running: Arc::clone(&self.running),
            connection,
        })
    }

    /// The time by the engine's clock. Waits until the database answers.
    async fn now(&self) -> OffsetDateTime {
        loop {
            match jobs::now(&self.pool).await {
                Ok(now) => return now,
                Err(error) => wait_for_database(&error).await,
            }
        }
    }

    /// Ends a job. Waits until the database answers; if the worker is asked to stop meanwhile, the engine returns the job to the queue.
    async fn end(&self, held: &LeasedJob, next: Result<Next>) -> Result<(), Refused> {
        let next = next.map_err(|error| Refused(error.to_string()))?;
        loop {
            match held.end(&self.pool, &next).await {
                Ok(Ended::Here) => return Ok(()),
                Ok(Ended::Elsewhere) => {
                    return Err(Refused(
                        "another process took this job over, because this one stood still for too long".to_owned(),
                    ));
                }
                Err(error) => wait_for_database(&error).await,
            }
        }
    }
}

async fn wait_for_database(error: &crate::Error) {
    tracing::warn!(%error, "the engine's database is asked again");
    tokio::time::sleep(DATABASE_AGAIN).await;
}

/// One of the slots that a connection may have.
struct Slot {
    running: Arc<Mutex<BTreeMap<CredentialId, usize>>>,
    connection: CredentialId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = running.get_mut(&self.connection) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                running.remove(&self.connection);
            }
        }
    }
}

/// Why a job cannot be done. The engine keeps the job as failed, with this text. The engine writes what `Debug` prints.
pub(crate) struct Refused(String);

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares a job of the engine. The payload is read as it is, so one that cannot be read is refused here, not by the engine.
macro_rules! task {
    ($(#[$doc:meta])* $name:ident, $identifier:expr, $run:path) => {
        $(#[$doc])*
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(Value);

        impl TaskHandler for $name {
            const IDENTIFIER: &'static str = $identifier;

            async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
                let held = LeasedJob::of(&context);
                let Some(shared) = context.get_ext::<Shared>() else {
                    return Err(Refused("this worker has no integration".to_owned()));
                };
                $run(shared, &held, self.0).await
            }
        }
    };
}

task!(
    /// A page of a plan.
    PlanTask, TASK_PLAN, plan
);
task!(
    /// A planned event.
    EventTask, TASK_EVENT, handle
);
task!(
    /// An event that a person requested.
    RequestedTask, TASK_REQUESTED, handle
);

/// Reads the event of a job. If it cannot be read, the error contains no value of it.
fn work(payload: Value) -> Result<Work, Refused> {
    let version = payload.pointer("/event/version").and_then(Value::as_u64);
    serde_json::from_value(payload).map_err(|_| {
        let newest = u64::from(Event::VERSION);
        Refused(match version {
            Some(version) if version > newest => format!(
                "an event of version {version}, and this release reads up to {newest}: handle it with the release that wrote it"
            ),
            _ => "this is no event that this release can read: it is kept, and nothing was done".to_owned(),
        })
    })
}

async fn handle(shared: &Shared, held: &LeasedJob, payload: Value) -> Result<(), Refused> {
    let Work { event, attempt, .. } = work(payload)?;
    let integration = &shared.integration;
    let is_requested = matches!(event, Event::RequestedSync(_));
    let slot = shared.slot(event.credential());
    if slot.is_none() && !is_requested {
        let now = shared.now().await;
        // The event's id determines a moment within ten seconds, so that the jobs do not all return at once.
        let apart = u64::from(event.id().as_uuid().as_fields().1 % 10_000);
        let at = jobs::after(now, NO_SLOT + Duration::from_millis(apart));
        return shared.end(held, again(&event, attempt, at)).await;
    }
    integration.report_progress(&Progress::EventStarted {
        kind: event.kind(),
        event: event.id(),
        attempt,
    });
    let end = integration.handle(&event, attempt).await;
    drop(slot);
    // A deferred event was not begun, so this does not count as an attempt.
    let attempts = u32::from(end.outcome != EventOutcome::Deferred);
    let retry_at = match end.again {
        Again::Never => None,
        Again::Now => Some(shared.now().await),
        Again::After(wait) => Some(jobs::after(shared.now().await, wait)),
    };
    let next = match retry_at {
        None => Ok(Next::default()),
        Some(at) => again(&event, attempt.saturating_add(attempts), at),
    };
    shared.end(held, next).await?;
    integration.report_progress(&Progress::EventFinished {
        kind: event.kind(),
        event: event.id(),
        outcome: end.outcome,
        retry_at,
    });
    Ok(())
}

/// The same event at another time, as a new job, so that it blocks no other event of its key until then.
fn again(event: &Event, attempt: u32, at: OffsetDateTime) -> Result<Next> {
    let mut job = Job::of_event(event, attempt)?;
    job.run_at = Some(at);
    Ok(Next {
        job: Some(job),
        ..Next::default()
    })
}

async fn plan(shared: &Shared, held: &LeasedJob, payload: Value) -> Result<(), Refused> {
    let plan: Plan = serde_json::from_value(payload).map_err(|_| {
        Refused(
            "this is no plan that this release can read: it is kept, and nothing was done"
                .to_owned(),
        )
    })?;
    let cadence = shared.integration.cadence(plan.kind);
    let now = shared.now().await;
    let newest = cadence.last(now);
    let is_over = match (plan.tick, &plan.cron) {
        // The next tick is due and is planned separately.
        (Some(tick), _) => tick != newest,
        (None, Some(cron)) => !cron::is_due(cadence, cron.ts),
        (None, None) => false,
    };
    if is_over {
        return shared.end(held, Ok(Next::default())).await;
    }
    let next = match page(shared, &plan, newest).await {
        Ok((page, done)) => {
            let events = plan.events + page.events.len();
            let done = plan.done + done;
            if page.next.is_none() {
                let (kind, scheduled_at) = (plan.kind, newest);
                tracing::info!(kind = kind.as_str(), %scheduled_at, events, done, "planned");
                shared.integration.report_progress(&Progress::Planned {
                    kind,
                    scheduled_at,
                    events,
                    done,
                    missed: 0,
                });
            }
            planned(&plan, newest, &page, events, done)
        }
        Err(error) => {
            let failures = plan.failures.saturating_add(1);
            let wait = shared.integration.plan_wait(failures);
            let retry_at = jobs::after(now, wait);
            tracing::error!(kind = plan.kind.as_str(), %error, "could not be planned");
            shared.integration.report_progress(&Progress::NotPlanned {
                kind: plan.kind,
                error: error.kind().as_str(),
                retry_at,
            });
            let again = Plan {
                tick: Some(newest),
                failures,
                ..plan
            };
            Job::page(&again, newest, Some(retry_at)).map(|job| Next {
                job: Some(job),
                ..Next::default()
            })
        }
    };
    shared.end(held, next).await
}

/// The events of a page of a tick that are not done yet, and the number of those that are done.
async fn page(
    shared: &Shared,
    plan: &Plan,
    tick: OffsetDateTime,
) -> regentra_sync::Result<(PlanPage, usize)> {
    let mut page = shared.integration.plan(plan.kind, tick, plan.from).await?;
    if let Some(length) = shared.start_within {
        for event in &mut page.events {
            event.start_within(length);
        }
    }
    let planned = page.events.len();
    page.events = shared.integration.outstanding(page.events).await?;
    let done = planned - page.events.len();
    Ok((page, done))
}

fn planned(
    plan: &Plan,
    tick: OffsetDateTime,
    page: &PlanPage,
    events: usize,
    done: usize,
) -> Result<Next> {
    let jobs = page.events.iter().map(|event| Job::of_event(event, 1));
    let rest = page.next.map(|from| Plan {
        tick: Some(tick),
        from: Some(from),
        events,
        done,
        ..Plan::of(plan.kind)
    });
    let rest = rest.map(|rest| Job::page(&rest, tick, None)).transpose()?;
    Ok(Next {
        events: jobs.collect::<Result<_>>()?,
        job: rest,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_by_name_and_without_its_values() {
        let id = "8e3d52f4-7a0c-5b6e-9f21-6d1cc05e27ab";
        let tick = "2026-11-30T06:30:00Z";
        let event = json!({
            "version": 1, "kind": "asset_sync", "id": id, "msp_org_id": id, "region": "eu", "scheduled_at": tick,
            "starts_at": tick,
        });
        let of = |event: &Value| json!({"event": event, "attempt": 1, "tick": 0});
        assert!(work(of(&event)).is_ok());
        let mut later = event.clone();
        later["version"] = json!(Event::VERSION + 1);
        let mut unknown = event.clone();
        unknown["kind"] = json!("canary");
        let mut without = event;
        without.as_object_mut().unwrap().remove("id");
        for (payload, says) in [
            (of(&later), "this release reads up to 2"),
            (of(&unknown), "no event that this release can read"),
            (of(&without), "no event that this release can read"),
            (json!({"event": "canary"}), "no event"),
            (json!("canary"), "no event"),
            (json!(null), "no event"),
            (json!(["canary"]), "no event"),
        ] {
            let Err(refused) = work(payload) else {
                panic!("it was read");
            };
            let refused = format!("{refused:?}");
            assert!(refused.contains(says), "{refused}");
            assert!(!refused.contains("canary"), "{refused}");
        }
    }
}
