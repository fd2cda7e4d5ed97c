//! Processor time and memory of this process, as Linux tells them.

use std::{collections::BTreeMap, fs, time::Duration};

use cpu_time::ProcessTime;

/// Processor time so far: of the process, and of each thread of SQLite and of the runtime.
pub(crate) struct CpuSnapshot {
    process: ProcessTime,
    store: BTreeMap<String, Duration>,
    runtime: BTreeMap<String, Duration>,
}

/// Seconds of processor time.
pub(crate) struct Seconds {
    pub(crate) process: f64,
    /// Of that, SQLite's threads.
    pub(crate) store: f64,
    /// Of that, the runtime's threads. The tick itself is in the main one, so that those do little but what connections need.
    pub(crate) connections: f64,
}

impl CpuSnapshot {
    pub(crate) fn now() -> Self {
        Self {
            process: ProcessTime::now(),
            store: of_threads(STORE),
            runtime: of_threads(RUNTIME),
        }
    }

    /// Since then. What a thread that has ended did is lost to all but the process.
    pub(crate) fn since(&self) -> Seconds {
        let process = self.process.elapsed();
        let since = |before: &BTreeMap<String, Duration>, name| {
            let threads = of_threads(name).into_iter();
            let spent = threads.map(|(thread, time)| {
                let before = before.get(&thread).copied().unwrap_or_default();
                time.saturating_sub(before)
            });
            spent.sum::<Duration>().as_secs_f64()
        };
        Seconds {
            process: process.as_secs_f64(),
            store: since(&self.store, STORE),
            connections: since(&self.runtime, RUNTIME),
        }
    }
}

/// How the threads are named in which sqlx runs SQLite.
const STORE: &str = "sqlx-sqlite";

/// How those of the runtime are named.
const RUNTIME: &str = "tokio";

/// Thread -> processor time, of the threads with such a name.
fn of_threads(name: &str) -> BTreeMap<String, Duration> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let mut times = BTreeMap::new();
    for thread in threads.flatten() {
        let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if !read("comm").starts_with(name) {
            continue;
        }
        let nanoseconds = read("schedstat");
        let nanoseconds = nanoseconds.split_whitespace().next();
        let time = nanoseconds.and_then(|time| time.parse().ok()).unwrap_or(0);
        let id = thread.file_name().to_string_lossy().into_owned();
        times.insert(id, Duration::from_nanos(time));
    }
    times
}

/// From now on the peak of resident memory is that of now.
pub(crate) fn forget_peak() {
    // Where there is no Linux to forget it, there is none to tell it either.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Resident memory now, in MiB; 0 where there is no Linux to tell it.
pub(crate) fn resident() -> f64 {
    mebibytes("VmRSS:")
}

/// The most resident memory since the peak was forgotten, in MiB.
pub(crate) fn peak() -> f64 {
    mebibytes("VmHWM:")
}

fn mebibytes(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes
        .and_then(|number| number.parse().ok())
        .unwrap_or(0.0);
    kibibytes / 1024.0
}
