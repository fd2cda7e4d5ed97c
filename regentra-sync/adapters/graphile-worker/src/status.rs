//! What the engine holds.

use sqlx::{PgPool, Row as _};
use time::OffsetDateTime;

use crate::error::Result;

/// Failed jobs that a status names.
const NAMED: i64 = 20;

/// What the engine holds. Jobs that are done are not in it: what came of them is in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatus {
    /// Events that may begin now and wait for a slot, or for another event of their key.
    pub queued: u64,
    /// Of these, events that a person asked for.
    pub requested: u64,
    /// Events that wait for their time: for their start, for another attempt, for the request budget.
    pub waiting: u64,
    /// Events that run.
    pub running: u64,
    /// Jobs that are kept because they could not be read, or because handling them ended in a panic.
    pub failed: u64,
    /// The newest of these.
    pub failures: Vec<FailedJob>,
    /// When the next event may begin; in the past, while events are queued.
    pub next: Option<OffsetDateTime>,
    /// Workers that have been heard of within the last five minutes: two of each process.
    pub workers: u64,
}

/// A job that is kept because it could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedJob {
    /// The engine's number of the job: `reschedule_jobs` of the engine's schema takes it.
    pub id: i64,
    /// What kind of job it is, such as `regentra_event`.
    pub task: String,
    /// Why.
    pub error: String,
    /// Since when.
    pub at: OffsetDateTime,
}

/// What the engine holds, read by the workers' role.
///
/// # Errors
/// As [`Builder::build`](crate::Builder::build).
pub async fn status(engine: &PgPool) -> Result<EngineStatus> {
    crate::schema::check(engine).await?;
    // A job that a newer one replaced while it ran, and whose process died, is no failure.
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE e AND is_available AND run_at <= now()) AS queued, \
         count(*) FILTER (WHERE e AND is_available AND run_at <= now() AND identifier = 'regentra_requested_event') AS requested, \
         count(*) FILTER (WHERE e AND is_available AND run_at > now()) AS waiting, \
         count(*) FILTER (WHERE e AND locked_at IS NOT NULL) AS running, \
         count(*) FILTER (WHERE is_failed) AS failed, \
         min(run_at) FILTER (WHERE e AND is_available) AS next, \
         (SELECT count(*) FROM regentra_graphile_worker._private_workers w \
          WHERE w.last_heartbeat_at > now() - interval '5 minutes') AS workers \
         FROM (SELECT j.*, t.identifier, t.identifier <> 'regentra_plan' AS e, \
          j.locked_at IS NULL AND j.attempts >= j.max_attempts AND NOT EXISTS \
          (SELECT FROM regentra_graphile_worker._private_job_retirements r WHERE r.id = j.id AND j.last_error LIKE 'Job recovered%') \
          AND j.last_error IS NOT NULL AS is_failed \
          FROM regentra_graphile_worker._private_jobs j JOIN regentra_graphile_worker._private_tasks t ON t.id = j.task_id \
          WHERE t.identifier LIKE 'regentra\\_%') jobs",
    )
    .fetch_one(engine)
    .await?;
    let count = |column| {
        let count: i64 = row.try_get(column)?;
        Ok::<_, sqlx::Error>(u64::try_from(count).unwrap_or(0))
    };
    let failures = sqlx::query(
        "SELECT j.id, t.identifier, j.last_error, j.updated_at FROM regentra_graphile_worker._private_jobs j \
         JOIN regentra_graphile_worker._private_tasks t ON t.id = j.task_id \
         WHERE t.identifier LIKE 'regentra\\_%' AND j.locked_at IS NULL AND j.attempts >= j.max_attempts \
         AND j.last_error IS NOT NULL AND NOT EXISTS \
         (SELECT FROM regentra_graphile_worker._private_job_retirements r WHERE r.id = j.id AND j.last_error LIKE 'Job recovered%') \
         ORDER BY j.updated_at DESC, j.id DESC LIMIT $1",
    )
    .bind(NAMED)
    .fetch_all(engine)
    .await?;
    let failures = failures.iter().map(|row| {
        let error: String = row.try_get("last_error")?;
        Ok::<_, sqlx::Error>(FailedJob {
            id: row.try_get("id")?,
            task: row.try_get("identifier")?,
            error: plain(&error).to_owned(),
            at: row.try_get("updated_at")?,
        })
    });
    Ok(EngineStatus {
        queued: count("queued")?,
        requested: count("requested")?,
        waiting: count("waiting")?,
        running: count("running")?,
        failed: count("failed")?,
        failures: failures.collect::<Result<_, _>>()?,
        next: row.try_get("next")?,
        workers: count("workers")?,
    })
}

/// The engine's text of an error without what the engine puts around it.
fn plain(error: &str) -> &str {
    let inner = |kind: &str| {
        let text = error.strip_prefix(kind)?;
        text.strip_prefix("(\"")?.strip_suffix("\")")
    };
    if inner("TaskPanic").is_some() {
        // What a panic says may hold anything.
        return "handling it ended in a panic: the log of the process says where";
    }
    inner("TaskError").unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_shown_without_what_the_engine_puts_around_it() {
        for (written, shown) in [
            ("TaskError(\"no event\")", "no event"),
            (
                "TaskPanic(\"canary\")",
                "handling it ended in a panic: the log of the process says where",
            ),
            ("Manually marked as failed", "Manually marked as failed"),
        ] {
            assert_eq!(plain(written), shown);
        }
    }
}
