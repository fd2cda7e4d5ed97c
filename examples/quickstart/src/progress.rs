//! What a person who waits sees, on standard error: how far work is, how many requests it took, what it waits for and why.

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ninjaone_client::{ClientEvent, ClientObserver, ErrorKind as Vendor, WaitReason};
use regentra_sync::{
    ErrorKind,
    host::{self, Clock as _, Progress, SystemClock},
    model::{NINJAONE_WINDOWS, RunKind},
};

use crate::{
    format::{count, number, wait},
    output,
};

/// Waits shorter than this are not worth a word.
pub const WORTH_SAYING: Duration = Duration::from_secs(2);
/// Where there is no terminal, a line that says how far it is comes at most this often.
const LINES_APART: Duration = Duration::from_secs(2);

const TICK: Duration = Duration::from_millis(120);

/// What a wait is for, in words.
#[must_use]
pub fn why(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Budget => "for the rate limit of this NinjaOne tenant",
        WaitReason::RetryAfter => "because NinjaOne asked for it",
        _ => "before trying again",
    }
}

/// When NinjaOne answers again, where it said so: a wait that is longer than a command waits ends the command, and the person
/// at it has to know for how long.
#[must_use]
pub fn when_to_try_again(error: &anyhow::Error) -> Option<String> {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let of_client = cause.downcast_ref::<ninjaone_client::Error>();
        let of_sync = cause.downcast_ref::<regentra_sync::Error>();
        match (
            of_client.map(ninjaone_client::Error::kind),
            of_sync.map(regentra_sync::Error::kind),
        ) {
            (Some(kind), _) | (None, Some(ErrorKind::Ninjaone(kind))) => Some(kind),
            _ => None,
        }
    };
    let asked = error.chain().filter_map(kind).find_map(|kind| match kind {
        Vendor::RateLimited { retry_after } => retry_after,
        _ => None,
    })?;
    let wait = wait(asked, SystemClock.now());
    Some(format!(
        "NinjaOne asks to wait {wait} before the next request: run it again then."
    ))
}

/// Says on standard error when the client waits, and for what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits;

impl ClientObserver for Waits {
    fn event(&self, event: &ClientEvent) {
        match event {
            ClientEvent::Wait {
                operation,
                reason,
                expected,
                ..
            } if *expected >= WORTH_SAYING => {
                let why = why(*reason);
                let wait = wait(*expected, SystemClock.now());
                output::note(format_args!("{operation}: waiting {wait} {why}"));
            }
            ClientEvent::Restart { operation, .. } => {
                output::note(format_args!(
                    "{operation}: the cursor expired, reading it again"
                ));
            }
            _ => {}
        }
    }
}

/// Shows how work of the integration goes on: a bar on a terminal, now and then a line elsewhere.
#[derive(Debug)]
pub struct Meter {
    is_terminal: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bar: Option<ProgressBar>,
    what: &'static str,
    subjects: usize,
    done: usize,
    failed: usize,
    requests: u64,
    waiting: Option<String>,
    last_line: Option<Instant>,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter that has nothing to show yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            state: Mutex::default(),
        }
    }

    /// Takes the bar away, so that what comes next stands alone. Called when work is over.
    pub fn clear(&self) {
        let mut state = self.state();
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        *state = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.clear();
    }
}

impl host::ProgressObserver for Meter {
    fn progress(&self, progress: &Progress) {
        let mut state = self.state();
        let is_worth_a_line = state.note(progress);
        if self.is_terminal {
            state.draw();
        } else if is_worth_a_line {
            state.last_line = Some(Instant::now());
            output::note(state.line());
        }
    }
}

impl State {
    /// Whether it is worth a line where there is no terminal.
    fn note(&mut self, progress: &Progress) -> bool {
        let is_due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINES_APART);
        match progress {
            Progress::Started { kind, subjects } => {
                self.what = what(*kind);
                (self.subjects, self.done, self.failed) = (*subjects, 0, 0);
                *subjects > 0
            }
            Progress::Done { succeeded, .. } => {
                self.done += 1;
                self.failed += usize::from(!succeeded);
                is_due || self.done == self.subjects
            }
            Progress::Request { .. } => {
                self.requests += 1;
                self.waiting = None;
                false
            }
            Progress::Waiting { reason, expected } => {
                let is_new = self.waiting.is_none();
                if *expected >= WORTH_SAYING {
                    let why = why(*reason);
                    let wait = wait(*expected, SystemClock.now());
                    self.waiting = Some(format!("waiting {wait} {why}"));
                }
                self.waiting.is_some() && is_new && is_due
            }
            _ => false,
        }
    }

    fn line(&self) -> String {
        let name = self.name();
        let far = if self.subjects > 0 {
            let subjects = count(self.subjects as u64, "organization", "organizations");
            format!(": {} of {subjects} done", number(self.done as u64))
        } else {
            String::new()
        };
        format!("{name}{far}{}", self.tail())
    }

    /// The text beside the bar.
    fn tail(&self) -> String {
        let failed = (self.failed > 0).then(|| format!("{} failed", number(self.failed as u64)));
        let requests = (self.requests > 0).then(|| {
            let [minute, hour] = NINJAONE_WINDOWS.map(|window| number(window.limit.into()));
            let requests = count(self.requests, "request", "requests");
            format!("{requests} (of {minute} a minute, {hour} an hour)")
        });
        let parts = [failed, requests, self.waiting.clone()];
        parts
            .into_iter()
            .flatten()
            .map(|part| format!(", {part}"))
            .collect::<Vec<_>>()
            .concat()
    }

    const fn name(&self) -> &'static str {
        if self.what.is_empty() {
            "asking NinjaOne"
        } else {
            self.what
        }
    }

    fn draw(&mut self) {
        let (prefix, message) = (self.name(), self.tail());
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
            bar
        });
        let template = if self.subjects > 0 {
            "{spinner:.cyan} {prefix} [{bar:24.cyan}] {pos} of {len} organizations{msg}"
        } else {
            "{spinner:.cyan} {prefix}{msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_length(self.subjects as u64);
        bar.set_position(self.done as u64);
        bar.set_prefix(prefix);
        bar.set_message(message);
    }
}

const fn what(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Discovery => "organizations",
        RunKind::AssetSync => "asset sync",
        RunKind::EvidenceSweep => "evidence sweep",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_many_requests_and_what_it_waits_for() {
        let mut state = State::default();
        assert!(state.note(&Progress::Started {
            kind: RunKind::AssetSync,
            subjects: 12
        }));
        for _ in 0..3 {
            state.note(&Progress::Request {
                operation: "devices.detailed",
            });
        }
        state.note(&Progress::Waiting {
            reason: WaitReason::Budget,
            expected: Duration::from_secs(31),
        });
        assert_eq!(
            state.line(),
            "asset sync: 0 of 12 organizations done, 3 requests (of 200 a minute, 1,500 an hour), waiting 31 s for the rate \
             limit of this NinjaOne tenant"
        );
        state.note(&Progress::Request {
            operation: "devices.detailed",
        });
        assert!(!state.line().contains("waiting"));
    }

    #[test]
    fn short_waits_are_not_worth_a_word() {
        let mut state = State::default();
        assert!(!state.note(&Progress::Waiting {
            reason: WaitReason::Backoff,
            expected: Duration::from_millis(300)
        }));
    }

    #[test]
    fn a_retry_after_of_a_day_is_said_with_its_end() {
        let of = |retry_after| {
            let kind = ErrorKind::Ninjaone(Vendor::RateLimited { retry_after });
            let error = regentra_sync::Error::new(kind, "too many requests");
            when_to_try_again(&anyhow::Error::new(error).context("while syncing"))
        };
        let said = of(Some(Duration::from_hours(24))).unwrap();
        assert!(said.contains("24 hours, until "), "{said}");
        assert!(said.contains(" UTC,"), "{said}");
        assert_eq!(of(None), None);
        assert_eq!(when_to_try_again(&anyhow::anyhow!("other")), None);
    }
}
