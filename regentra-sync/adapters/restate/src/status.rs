//! The events that the engine holds.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    client::Server,
    error::{Error, ErrorKind, Result},
    objects::{KEYS, TICKS},
};

/// The events that the engine holds. Events that are done are not counted; the store has their results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatus {
    /// Events that wait for another event of their key.
    pub queued: u64,
    /// Events that wait for their time: for their start, for a slot, for another attempt, or for the request budget.
    pub waiting: u64,
    /// Events that run or wait in a process for a slot, or whose process died and whose delivery is tried again.
    pub running: u64,
    /// Events and plans that could not be read, or that ended in a panic. The server keeps them for a day.
    pub failed: u64,
    /// The newest of these, at most 20.
    pub failures: Vec<FailedInvocation>,
    /// When the next waiting event is delivered.
    pub next: Option<OffsetDateTime>,
    /// Cadences that wait for their next tick: two, once a worker has started.
    pub ticks: u64,
}

/// An event or plan that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedInvocation {
    /// The server's id of the invocation.
    pub id: String,
    /// Why.
    pub error: String,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    target_service_name: String,
    status: String,
    target_handler_name: String,
    scheduled_start_at: Option<String>,
    completion_failure: Option<String>,
}

pub(crate) async fn status(server: &Server) -> Result<EngineStatus> {
    let known = format!("SELECT name FROM sys_service WHERE name = '{KEYS}'");
    if server.query(&known).await?.is_empty() {
        return Err(Error::new(
            ErrorKind::NotRegistered,
            "the Restate server knows no workers of this program: start one, which registers itself",
        ));
    }
    let sql = format!(
        "SELECT id, target_service_name, target_handler_name, status, CAST(scheduled_start_at AS VARCHAR) AS scheduled_start_at, \
         completion_failure FROM sys_invocation WHERE target_service_name IN ('{KEYS}', '{TICKS}') \
         AND (status <> 'completed' OR completion_failure IS NOT NULL) ORDER BY modified_at DESC"
    );
    let mut status = EngineStatus::default();
    for row in server.query(&sql).await? {
        count(&mut status, row)?;
    }
    Ok(status)
}

fn count(status: &mut EngineStatus, row: Value) -> Result<()> {
    let row: Row = serde_json::from_value(row).map_err(|_| {
        Error::new(
            ErrorKind::Failed,
            "the Restate server lists its invocations in a form that this release cannot read",
        )
    })?;
    let is_event = row.target_service_name == KEYS;
    match row.status.as_str() {
        // This crate never pauses a key. An operator did, and an operator has to resume it.
        "completed" | "paused" => {
            status.failed += 1;
            if status.failures.len() < 20 {
                status.failures.push(FailedInvocation {
                    id: row.id,
                    error: row.completion_failure.unwrap_or(row.status),
                });
            }
        }
        "scheduled" if is_event => {
            status.waiting += 1;
            let at = row.scheduled_start_at.as_deref().and_then(instant);
            status.next = [status.next, at].into_iter().flatten().min();
        }
        "pending" if is_event => status.queued += 1,
        _ if is_event => status.running += 1,
        "scheduled" if row.target_handler_name == crate::objects::TICK => status.ticks += 1,
        _ => {}
    }
    Ok(())
}

/// A time as the server writes it, with or without an offset; it is UTC.
fn instant(text: &str) -> Option<OffsetDateTime> {
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    let text = text.replacen(' ', "T", 1);
    OffsetDateTime::parse(&text, rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), rfc3339))
        .ok()
}
