//! Processor time and memory of this process, as Linux tells them.

use std::{collections::BTreeMap, fs, time::Duration};

use cpu_time::ProcessTime;

/// Processor time so far: of the process, and of each of SQLite's threads.
pub(crate) struct Spent {
    process: ProcessTime,
    store: BTreeMap<String, Duration>,
}

impl Spent {
    pub(crate) fn now() -> Self {
        Self {
            process: ProcessTime::now(),
            store: of_store(),
        }
    }

    /// Seconds since then: of the process, and of SQLite's threads within it. What a thread that has ended did is lost to the
    /// latter.
    pub(crate) fn since(&self) -> (f64, f64) {
        let process = self.process.elapsed();
        let store: Duration = of_store()
            .into_iter()
            .map(|(thread, time)| {
                let before = self.store.get(&thread).copied().unwrap_or_default();
                time.saturating_sub(before)
            })
            .sum();
        (process.as_secs_f64(), store.as_secs_f64())
    }
}

/// Thread -> processor time, of the threads in which sqlx runs SQLite.
fn of_store() -> BTreeMap<String, Duration> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let mut times = BTreeMap::new();
    for thread in threads.flatten() {
        let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if !read("comm").starts_with("sqlx-sqlite") {
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
