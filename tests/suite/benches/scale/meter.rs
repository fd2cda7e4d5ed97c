//! What a step takes: time, processor time of this process and of the database's, statements, memory.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cpu_time::ProcessTime;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::filter_fn,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use crate::stores::Database;

/// Statements since the last step, by their first words.
static STATEMENTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Counts what sqlx says that it ran: every statement, except those that begin a transaction, which it does not mention.
pub(crate) fn count_statements() {
    let of_sqlx = filter_fn(|metadata| metadata.target() == "sqlx::query");
    tracing_subscriber::registry()
        .with(Counter.with_filter(of_sqlx))
        .init();
}

struct Counter;

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Summary(String);
        impl Visit for Summary {
            fn record_str(&mut self, field: &Field, value: &str) {
                if field.name() == "summary" {
                    value.clone_into(&mut self.0);
                }
            }
            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        }
        let mut summary = Summary(String::new());
        event.record(&mut summary);
        // The end of a transaction is counted on neither store: SQLite's is not mentioned.
        if summary.0 != "COMMIT" && summary.0 != "ROLLBACK" {
            let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
            *statements.entry(summary.0).or_default() += 1;
        }
    }
}

pub(crate) struct Meter<'a> {
    database: &'a Database,
    name_statements: bool,
    customers: usize,
    statements: AtomicU64,
}

impl<'a> Meter<'a> {
    pub(crate) const HEAD: &'static str = "\
| step | rows | seconds | rows/s | CPU s | CPU s, server | statements | per customer | peak MiB |\n\
|---|--:|--:|--:|--:|--:|--:|--:|--:|";

    pub(crate) const fn new(
        database: &'a Database,
        customers: usize,
        name_statements: bool,
    ) -> Self {
        Self {
            database,
            name_statements,
            customers,
            statements: AtomicU64::new(0),
        }
    }

    /// Statements of the last step.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Does a step that is about so many rows, and prints what it took.
    pub(crate) async fn measure<T>(
        &self,
        name: &str,
        rows: usize,
        step: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        STATEMENTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        // Linux forgets the peak so far.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let server = self.database.server_time();
        let (processor, start) = (ProcessTime::now(), Instant::now());
        let done = step.await?;
        let (seconds, processor) = (start.elapsed(), processor.elapsed());
        let server = server
            .zip(self.database.server_time())
            .map(|(before, after)| after.saturating_sub(before));
        let statements =
            std::mem::take(&mut *STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner));
        let count: u64 = statements.values().sum();
        self.statements.store(count, Ordering::Relaxed);
        println!(
            "| {name} | {rows} | {:.2} | {:.0} | {:.2} | {} | {count} | {:.1} | {} |",
            seconds.as_secs_f64(),
            float(rows as u64) / seconds.as_secs_f64(),
            processor.as_secs_f64(),
            server.map_or_else(
                || "-".to_owned(),
                |server| format!("{:.2}", server.as_secs_f64())
            ),
            float(count) / float(self.customers as u64),
            peak_mebibytes().map_or_else(|| "-".to_owned(), |peak| format!("{peak:.0}")),
        );
        if self.name_statements {
            for (summary, count) in statements {
                println!("  {count:>7} {summary}");
            }
        }
        Ok(done)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read by people")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// Peak resident memory of this process since the step began; `None` where there is no Linux to say so.
fn peak_mebibytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(float(kibibytes) / 1024.0)
}

/// The fields of `/proc/<id>/stat` after the name, which may hold anything: state, parent, and from the 12th on user and system
/// time, its own and that of children that ended.
fn stat(process: &str) -> Option<Vec<u64>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields = stat.rsplit(')').next()?.split_whitespace();
    Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
}

/// The process that started this one.
pub(crate) fn parent_of(process: i32) -> Option<u64> {
    stat(&process.to_string())?.get(1).copied()
}

/// Processor time of a process and of all its children, those that ended included; `None` where there is no Linux to say so.
pub(crate) fn family_time(parent: u64) -> Option<Duration> {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        let Some(fields) = id.parse::<u64>().ok().and_then(|_| stat(&id)) else {
            continue;
        };
        let time = |places: std::ops::Range<usize>| {
            fields
                .get(places)
                .map_or(0, |times| times.iter().sum::<u64>())
        };
        if id.parse() == Ok(parent) {
            ticks += time(11..15);
        } else if fields.get(1) == Some(&parent) {
            ticks += time(11..13);
        }
    }
    // Linux counts these in hundredths of a second on every machine.
    Some(Duration::from_millis(ticks * 10))
}
