//! The engine that several processes share: `graphile_worker` in the database that `REGENTRA_ENGINE_DB` names.

use std::{env, fmt::Write as _, time::Duration};

use anyhow::{Context as _, bail};
use regentra_sync::{Integration, schedule::PlanKind};
use regentra_sync_graphile_worker::{self as graphile, EngineStatus, GraphileWorker};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgPoolOptions};
use time::OffsetDateTime;

use crate::format::{ago, count, minute, number, rfc3339};

const VARIABLE: &str = "REGENTRA_ENGINE_DB";

/// Connections beside those of the events: two listen, one beats, one is spare.
const BESIDE: usize = 4;

fn pool(events: usize) -> anyhow::Result<Option<PgPool>> {
    let Some(url) = env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let most = u32::try_from(events + BESIDE).unwrap_or(u32::MAX);
    let pool = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(10));
    // What is wrong with it is not said, because it may hold a password.
    let pool = url.to_str().and_then(|url| pool.connect_lazy(url).ok());
    Ok(Some(pool.with_context(|| {
        format!("{VARIABLE} is not a postgres:// URL")
    })?))
}

/// The engine's database.
///
/// # Errors
/// When none is named.
pub(crate) fn connect() -> anyhow::Result<PgPool> {
    match pool(1)? {
        Some(pool) => Ok(pool),
        None => bail!("{VARIABLE} does not name the engine's database, as the role of its workers"),
    }
}

/// A process of the engine.
///
/// # Errors
/// When the engine cannot be used.
pub(crate) async fn worker(
    integration: Integration,
    kinds: impl IntoIterator<Item = PlanKind>,
    parallel: usize,
    grace: u32,
) -> anyhow::Result<GraphileWorker> {
    let Some(pool) = pool(parallel)? else {
        bail!("{VARIABLE} does not name the engine's database, as the role of its workers");
    };
    let worker = GraphileWorker::builder(integration, pool)
        .plans(kinds)
        .parallel(parallel)
        .grace(Duration::from_secs(grace.into()));
    Ok(worker.build().await?)
}

/// What the engine holds; `None` where none is named.
///
/// # Errors
/// When it cannot be asked.
pub(crate) async fn status() -> anyhow::Result<Option<EngineStatus>> {
    match pool(1)? {
        None => Ok(None),
        Some(pool) => Ok(Some(graphile::status(&pool).await?)),
    }
}

/// The same as JSON.
pub(crate) fn row(status: &EngineStatus) -> Value {
    let failures = status.failures.iter().map(
        |job| json!({ "id": job.id, "task": job.task, "error": job.error, "at": rfc3339(job.at) }),
    );
    json!({
        "queued": status.queued, "requested": status.requested, "waiting": status.waiting, "running": status.running,
        "failed": status.failed, "failures": failures.collect::<Vec<_>>(), "next": status.next.map(rfc3339),
        "workers": status.workers,
    })
}

/// The same for people.
pub(crate) fn summary(status: &EngineStatus, now: OffsetDateTime) -> String {
    let mut text = format!(
        "engine  {} running, {} queued, {} waiting; {}\n",
        number(status.running),
        number(status.queued),
        number(status.waiting),
        count(status.workers, "worker", "workers"),
    );
    if let Some(next) = status.next.filter(|next| *next > now) {
        let _ = writeln!(text, "  next            {}", minute(next));
    }
    if status.failed > 0 {
        let failed = count(status.failed, "job", "jobs");
        let _ = writeln!(text, "  failed          {failed}, kept; the newest:");
    }
    for job in &status.failures {
        let (id, since) = (job.id, ago(job.at, now));
        let _ = writeln!(text, "    {id} {since}: {}", job.error);
    }
    text.push('\n');
    text
}
