//! The Restate server that several processes share. Its addresses are loopback's unless the environment names others.

use std::{env, fmt::Write as _, time::Duration};

use anyhow::Context as _;
use regentra_sync::{Integration, schedule::PlanKind};
use regentra_sync_restate::{EngineStatus, Restate, Server};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::format::{count, minute, number, rfc3339};

const INGRESS: &str = "REGENTRA_RESTATE_INGRESS";
const ADMIN: &str = "REGENTRA_RESTATE_ADMIN";
const LISTEN: &str = "REGENTRA_RESTATE_LISTEN";
const ADVERTISE: &str = "REGENTRA_RESTATE_ADVERTISE";
const IDENTITY_KEY: &str = "REGENTRA_RESTATE_IDENTITY_KEY";

/// The server.
///
/// # Errors
/// When an address is no URL.
pub(crate) fn server() -> anyhow::Result<Server> {
    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let ingress = or(INGRESS, "http://127.0.0.1:8080");
    let admin = or(ADMIN, "http://127.0.0.1:9070");
    Ok(Server::new(&ingress, &admin)?)
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
) -> anyhow::Result<Restate> {
    let mut worker = Restate::builder(integration, server()?)
        .plans(kinds)
        .parallel(parallel)
        .grace(Duration::from_secs(grace.into()));
    if let Ok(listen) = env::var(LISTEN) {
        let listen = listen.parse();
        worker = worker.listen(listen.with_context(|| format!("{LISTEN} is no address"))?);
    }
    if let Ok(advertise) = env::var(ADVERTISE) {
        let advertise = advertise.parse();
        worker = worker.advertise(advertise.with_context(|| format!("{ADVERTISE} is no URL"))?);
    }
    if let Ok(key) = env::var(IDENTITY_KEY) {
        worker = worker.identity_key(key);
    }
    Ok(worker.build().await?)
}

/// What the engine holds; `None` unless the environment names its admin address.
///
/// # Errors
/// When it cannot be asked.
pub(crate) async fn status() -> anyhow::Result<Option<EngineStatus>> {
    if env::var_os(ADMIN).is_none() {
        return Ok(None);
    }
    Ok(Some(server()?.status().await?))
}

/// The same as JSON.
pub(crate) fn row(status: &EngineStatus) -> Value {
    let failures = status.failures.iter();
    let failures = failures.map(|one| json!({ "id": one.id, "error": one.error }));
    json!({
        "queued": status.queued, "waiting": status.waiting, "running": status.running, "failed": status.failed,
        "failures": failures.collect::<Vec<_>>(), "next": status.next.map(rfc3339), "ticks": status.ticks,
    })
}

/// The same for people.
pub(crate) fn summary(status: &EngineStatus, now: OffsetDateTime) -> String {
    let mut text = format!(
        "engine  {} running, {} queued, {} waiting; {}\n",
        number(status.running),
        number(status.queued),
        number(status.waiting),
        count(status.ticks, "cadence", "cadences"),
    );
    if let Some(next) = status.next.filter(|next| *next > now) {
        let _ = writeln!(text, "  next            {}", minute(next));
    }
    if status.failed > 0 {
        let failed = count(status.failed, "event", "events");
        let _ = writeln!(
            text,
            "  failed          {failed}, shown for a day; the newest:"
        );
    }
    for one in &status.failures {
        let _ = writeln!(text, "    {}: {}", one.id, one.error);
    }
    text.push('\n');
    text
}
