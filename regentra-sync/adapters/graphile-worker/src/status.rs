//! The content of the engine's queue.

use sqlx::{PgPool, Row as _};
use time::OffsetDateTime;

use crate::error::Result;

/// The maximum number of failed jobs in a status.
const NAMED: i64 = 20;

/// The content of the engine's queue. Jobs that are done are not counted; the store has their results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatus {
    /// Events that may begin now and wait for a slot, or for another event of their key.
    pub queued: u64,
    /// How many of these a person requested.
    pub requested: u64,
    /// Events that wait for their time: for their start, for another attempt, or for the request budget.
    pub waiting: u64,
    /// Events that run.
    pub running: u64,
    /// Jobs that are kept because they could not be read, or because handling them ended in a panic.
    pub failed: u64,
    /// The newest failed jobs.
    pub failures: Vec<FailedJob>,
    /// When the next event may begin. This is in the past while events are queued.
    pub next: Option<OffsetDateTime>,
    /// Workers that reported within the last five minutes: two for each process.
    pub workers: u64,
}

/// A job that is kept because it could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedJob {
    /// The engine's id of the job, for `reschedule_jobs` of the engine's schema.
    pub id: i64,
    /// What kind of job it is, such as `regentra_event`.
    pub task: String,
    /// Why.
    pub error: String,
    /// Since when.
    pub at: OffsetDateTime,
}

/// Reads the content of the engine's queue as the workers' role.
///
/// # Errors
/// As [`Builder::build`](crate::Builder::build).
pub async fn status(engine: &PgPool) -> Result<EngineStatus> {
    crate::schema::check(engine).await?;
    // If a newer job replaced a job while it ran, and its process died, the job is not a failure.
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

/// The error text without the text that the engine adds around it.
fn plain(error: &str) -> &str {
    let inner = |kind: &str| {
        let text = error.strip_prefix(kind)?;
        text.strip_prefix("(\"")?.strip_suffix("\")")
    };
    if inner("TaskPanic").is_some() {
        // The message of a panic may contain anything.
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
