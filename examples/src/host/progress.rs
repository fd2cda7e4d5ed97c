//! How long work goes on, on standard error: customers done, requests spent, and what is waited for and why.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use regentra_sync::{
    budget::NINJAONE_WINDOWS,
    ninjaone_client::WaitReason,
    progress::{Observer, Progress},
    run::RunKind,
};

/// Waits shorter than this are not worth a word.
const WORTH_SAYING: Duration = Duration::from_secs(2);

/// Shows progress on standard error: a bar on a terminal, and a line for each wait elsewhere.
#[derive(Debug, Default)]
pub struct Shown {
    bar: Mutex<Option<ProgressBar>>,
    requests: AtomicU64,
}

impl Shown {
    /// Requests made so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        if let Some(bar) = self
            .bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            bar.finish_and_clear();
        }
    }

    fn with_bar(&self, show: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            show(bar);
        }
    }

    fn spent(&self) -> String {
        let [minute, hour] = NINJAONE_WINDOWS;
        format!(
            "{} requests (limit {} a minute, {} an hour)",
            self.requests(),
            minute.limit,
            hour.limit
        )
    }
}

impl Observer for Shown {
    fn progress(&self, progress: &Progress) {
        match progress {
            Progress::Started { kind, subjects } => {
                let what = if *kind == RunKind::EvidenceSweep {
                    "sweeping"
                } else {
                    "syncing"
                };
                let style =
                    ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len} customers, {msg}");
                let bar = ProgressBar::new(*subjects as u64)
                    .with_prefix(what)
                    .with_message(self.spent());
                let bar = match style {
                    Ok(style) => bar.with_style(style),
                    Err(_) => bar,
                };
                *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
            }
            Progress::Done { .. } => self.with_bar(|bar| bar.inc(1)),
            Progress::Request { .. } => {
                self.requests.fetch_add(1, Ordering::Relaxed);
                let spent = self.spent();
                self.with_bar(|bar| bar.set_message(spent));
            }
            Progress::Waiting { reason, expected } if *expected >= WORTH_SAYING => {
                let why = match reason {
                    WaitReason::Budget => "for the rate limit of this NinjaOne tenant",
                    WaitReason::RetryAfter => "because NinjaOne asked for it",
                    _ => "before trying again",
                };
                let waiting = format!("waiting {} s {why}", expected.as_secs());
                let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
                match &*bar {
                    Some(bar) if !bar.is_hidden() => {
                        bar.set_message(format!("{}, {waiting}", self.spent()));
                    }
                    _ => eprintln!("{waiting}"),
                }
            }
            _ => {}
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.finish();
    }
}
