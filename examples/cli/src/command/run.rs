//! `regentra run`: the schedule, until it is asked to stop.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use regentra_sync::{
    Scheduler, Stopped,
    host::{Clock, HostPolicy, Progress, ProgressObserver},
    schedule::{Cadence, EventOutcome, PlanKind, Retry},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

#[cfg(feature = "graphile-worker")]
use crate::engine;
use crate::{
    format::{clock, count, rfc3339},
    host::HostArgs,
    output,
    progress::{WORTH_SAYING, why},
};

/// A run that is started by a timer does not wait longer than this for what fails.
const ATTEMPTS_ONCE: u32 = 3;

/// When a kind of work is due.
#[derive(Clone, Copy, Debug)]
enum Due {
    At(Cadence),
    Never,
}

/// What drives the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// This process by itself.
    #[default]
    InProcess,
    /// Every process that is started so, together, by the engine in the PostgreSQL database that `REGENTRA_ENGINE_DB` names.
    #[cfg(feature = "graphile-worker")]
    GraphileWorker,
    /// Every process that is started so, together, by a Restate server: `REGENTRA_RESTATE_INGRESS` and `REGENTRA_RESTATE_ADMIN` name its
    /// addresses, loopback's by default.
    #[cfg(feature = "restate")]
    Restate,
}

/// Arguments of `regentra run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What drives the events.
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,

    /// Do what is due now and is not done yet, without spreading it over the interval, and end: for a timer of the system.
    #[arg(long)]
    once: bool,

    /// When asset syncs are due: an interval, and how long after midnight UTC it begins; or `never`.
    #[arg(long, value_name = "EVERY[+OFFSET]", default_value = "4h+15m", value_parser = due)]
    sync: Due,

    /// When evidence sweeps are due, likewise.
    #[arg(long, value_name = "EVERY[+OFFSET]", default_value = "6h+30m", value_parser = due)]
    sweep: Due,

    /// How many customers and regions are worked on side by side.
    #[arg(long, default_value_t = 4)]
    parallel: usize,

    /// How many seconds what runs has to come to its end, once it is asked to stop.
    #[arg(long, default_value_t = 25, value_name = "SECONDS")]
    grace: u32,
}

impl RunArgs {
    /// Refuses what an engine cannot do.
    fn check(&self, host: &HostArgs) -> anyhow::Result<()> {
        if self.engine == Engine::InProcess {
            return Ok(());
        }
        if self.once {
            bail!("--once does what is due in this process: leave --engine out");
        }
        if host.now.is_some() {
            bail!("an engine has its own clock: leave --now out, or --engine");
        }
        Ok(())
    }
}

/// Runs the schedule until SIGINT or SIGTERM, and lets what runs come to its end. The second signal stops at once.
///
/// # Errors
/// When the database or its keys cannot be opened; with `--once`, when something was not done.
pub async fn run(args: RunArgs, host: &HostArgs) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let (json, database) = (host.json, host.database()?);
    let journal = Arc::new(Journal::new(json, host.clock()));
    let policy = |mut policy: HostPolicy| {
        if let Due::At(cadence) = args.sync {
            policy = policy.asset_sync(cadence);
        }
        if let Due::At(cadence) = args.sweep {
            policy = policy.evidence_sweep(cadence);
        }
        policy
    };
    args.check(host)?;
    let host = host
        .open_with(Arc::<Journal>::clone(&journal), policy)
        .await?;
    let timetable = timetable(&args);
    #[cfg(feature = "graphile-worker")]
    let worker = if args.engine == Engine::GraphileWorker {
        let kinds = timetable.iter().map(|(kind, _)| *kind);
        let (integration, parallel) = (host.integration.clone(), args.parallel);
        Some(engine::worker(integration, kinds, parallel, args.grace).await?)
    } else {
        None
    };
    #[cfg(feature = "restate")]
    let restate = if args.engine == Engine::Restate {
        let kinds = timetable.iter().map(|(kind, _)| *kind);
        let (integration, parallel) = (host.integration.clone(), args.parallel);
        Some(crate::restate::worker(integration, kinds, parallel, args.grace).await?)
    } else {
        None
    };
    let mut scheduler = Scheduler::new(host.integration.clone())
        .timetable(timetable)
        .parallel(args.parallel)
        .grace(Duration::seconds(args.grace.into()));
    if args.once {
        scheduler = scheduler.retry(Retry::default().attempts(ATTEMPTS_ONCE));
    }
    let note = if args.once {
        "doing what is due"
    } else {
        "running; Ctrl-C or SIGTERM stops it"
    };
    journal.note(&format!("{database}: {note}"));

    let (tell, told) = tokio::sync::oneshot::channel();
    let told = async {
        // It is kept until the end: it ends only when it is stopped.
        let _ = told.await;
    };
    let watch = async {
        signals.next().await;
        let _ = tell.send(());
        signals.next().await;
    };
    let work = async {
        let stopped: anyhow::Result<_> = match args.engine {
            Engine::InProcess if args.once => Ok(Some(scheduler.run_due(told).await)),
            Engine::InProcess => Ok(Some(scheduler.run(told).await)),
            #[cfg(feature = "graphile-worker")]
            Engine::GraphileWorker => {
                if let Some(worker) = worker {
                    worker.run(told).await;
                }
                Ok(None)
            }
            #[cfg(feature = "restate")]
            Engine::Restate => match restate {
                Some(worker) => {
                    let ended = worker.run(told).await;
                    ended.map(|()| None).map_err(Into::into)
                }
                None => Ok(None),
            },
        };
        stopped
    };
    let stopped = tokio::select! {
        stopped = work => stopped?,
        () = watch => bail!("stopped at once; what was not done is done by the next start"),
    };
    let Some(stopped) = stopped else {
        let text = "stopped; other processes of the engine go on";
        journal.write("stopped", text, json!({}));
        return Ok(());
    };
    journal.end(stopped)?;
    if args.once && stopped.failed > 0 {
        let events = count(stopped.failed, "event", "events");
        bail!("{events} could not be done; `regentra status` says why");
    }
    Ok(())
}

/// The kinds of work that are due at all.
fn timetable(args: &RunArgs) -> Vec<(PlanKind, Cadence)> {
    let lines = [
        (PlanKind::AssetSync, args.sync),
        (PlanKind::EvidenceSweep, args.sweep),
    ];
    let due = lines.into_iter().filter_map(|(kind, due)| match due {
        Due::At(cadence) => Some((kind, cadence)),
        Due::Never => None,
    });
    due.collect()
}

/// Reads `4h+15m`, `10h`, `90s` or `never`.
fn due(text: &str) -> Result<Due, String> {
    if text == "never" {
        return Ok(Due::Never);
    }
    let (every, offset) = text.split_once('+').unwrap_or((text, "0s"));
    let length = |text: &str| length(text).ok_or("not an interval like 6h, 6h+30m, 90s, or never");
    let (every, offset) = (length(every)?, length(offset)?);
    if every < Duration::SECOND {
        return Err("an interval is at least a second".to_owned());
    }
    Ok(Due::At(Cadence { every, offset }))
}

fn length(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i32 = number.parse().ok().filter(|number| *number >= 0)?;
    let unit = match unit {
        "s" => Duration::SECOND,
        "m" => Duration::MINUTE,
        "h" => Duration::HOUR,
        "d" => Duration::DAY,
        _ => return None,
    };
    unit.checked_mul(number)
}

/// What asks a process to stop.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "as on other systems")]
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Writes progress: a line for people on standard error, or a line of JSON on standard output. No name is in it.
#[derive(Debug)]
struct Journal {
    json: bool,
    clock: Arc<dyn Clock>,
    waits_until: Mutex<Option<OffsetDateTime>>,
}

impl Journal {
    fn new(json: bool, clock: Arc<dyn Clock>) -> Self {
        let waits_until = Mutex::default();
        Self {
            json,
            clock,
            waits_until,
        }
    }

    fn note(&self, text: &str) {
        output::note(format_args!("{} {text}", clock(self.clock.now())));
    }

    fn write(&self, told: &str, text: &str, mut particulars: Value) {
        if !self.json {
            return self.note(text);
        }
        if let Value::Object(particulars) = &mut particulars {
            particulars.insert("at".to_owned(), rfc3339(self.clock.now()).into());
            particulars.insert("told".to_owned(), told.into());
        }
        // A reader that went away is no reason to stop the schedule.
        let _ = output::line(particulars.to_string());
    }

    fn end(&self, stopped: Stopped) -> anyhow::Result<()> {
        let Stopped {
            done,
            skipped,
            failed,
            dropped,
            left,
        } = stopped;
        if self.json {
            let row = json!({
                "told": "stopped", "at": rfc3339(self.clock.now()), "done": done, "skipped": skipped,
                "failed": failed, "dropped": dropped, "left": left,
            });
            return output::line(row.to_string());
        }
        let events = count(done, "event", "events");
        let mut text = format!("stopped: {events} done, {failed} failed, {skipped} skipped");
        if dropped > 0 {
            let _ = write!(text, ", {dropped} dropped");
        }
        if left > 0 {
            let _ = write!(text, "; {left} are left to the next start");
        }
        self.note(&text);
        Ok(())
    }
}

const fn words(kind: PlanKind) -> &'static str {
    match kind {
        PlanKind::AssetSync => "asset sync",
        PlanKind::EvidenceSweep => "evidence sweep",
        other => other.as_str(),
    }
}

impl ProgressObserver for Journal {
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of progress")]
    fn progress(&self, progress: &Progress) {
        match progress {
            Progress::Planned {
                kind,
                scheduled_at,
                events,
                done,
                missed,
            } => {
                let mut text = format!(
                    "{} of {}: {events} to do",
                    words(*kind),
                    clock(*scheduled_at)
                );
                if *done > 0 {
                    let _ = write!(text, ", {done} done before");
                }
                if *missed > 0 {
                    let _ = write!(text, " ({missed} before it were missed)");
                }
                let particulars = json!({
                    "kind": kind, "scheduled_at": rfc3339(*scheduled_at), "events": events, "done": done,
                    "missed": missed,
                });
                self.write("planned", &text, particulars);
            }
            Progress::NotPlanned {
                kind,
                error,
                retry_at,
            } => {
                let again = clock(*retry_at);
                let text = format!(
                    "{} could not be planned ({error}); again at {again}",
                    words(*kind)
                );
                let particulars =
                    json!({ "kind": kind, "error": error, "retry_at": rfc3339(*retry_at) });
                self.write("not_planned", &text, particulars);
            }
            Progress::EventStarted {
                kind,
                event,
                attempt,
            } => {
                let again = match attempt {
                    1 => String::new(),
                    n => format!(", attempt {n}"),
                };
                let text = format!("{} {event} begins{again}", words(*kind));
                let particulars = json!({ "kind": kind, "event": event, "attempt": attempt });
                self.write("started", &text, particulars);
            }
            Progress::EventFinished {
                kind,
                event,
                outcome,
                retry_at,
            } => {
                let how = match outcome {
                    EventOutcome::Done => "is done".to_owned(),
                    EventOutcome::DoneBefore => "was done already".to_owned(),
                    EventOutcome::Skipped => "has nothing to do any more".to_owned(),
                    EventOutcome::Deferred => "waits until the request budget has room".to_owned(),
                    EventOutcome::Busy => "is worked on elsewhere".to_owned(),
                    EventOutcome::Failed { error } => format!("failed ({error})"),
                    _ => "changed meanwhile".to_owned(),
                };
                let again =
                    retry_at.map_or_else(String::new, |at| format!("; again at {}", clock(at)));
                let text = format!("{} {event} {how}{again}", words(*kind));
                let error = match outcome {
                    EventOutcome::Failed { error } => Some(error),
                    _ => None,
                };
                let particulars = json!({
                    "kind": kind, "event": event, "end": outcome.as_str(), "error": error,
                    "retry_at": retry_at.map(rfc3339),
                });
                self.write("finished", &text, particulars);
            }
            Progress::Idle { until, waiting } => {
                let events = count(*waiting as u64, "event waits", "events wait");
                let text = format!("nothing to do until {}; {events}", clock(*until));
                let particulars = json!({ "until": rfc3339(*until), "waiting": waiting });
                self.write("idle", &text, particulars);
            }
            Progress::Stopping { running, until } => {
                let events = count(*running as u64, "event", "events");
                let text = format!(
                    "stopping: {events} may come to their end until {}; once more stops at once",
                    clock(*until)
                );
                let particulars = json!({ "running": running, "until": rfc3339(*until) });
                self.write("stopping", &text, particulars);
            }
            Progress::Waiting { reason, expected } if *expected >= WORTH_SAYING => {
                let now = self.clock.now();
                let mut waits_until = self
                    .waits_until
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                // Of several that wait for the same, one says so.
                if waits_until.is_none_or(|until| until <= now) {
                    *waits_until =
                        now.checked_add(Duration::try_from(*expected).unwrap_or(Duration::MAX));
                    let seconds = expected.as_secs();
                    let text = format!("waiting {seconds} s {}", why(*reason));
                    self.write(
                        "waiting",
                        &text,
                        json!({ "seconds": seconds, "why": why(*reason) }),
                    );
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cadence_is_an_interval_and_an_offset() {
        let read = |text| match due(text) {
            Ok(Due::At(cadence)) => Some(cadence),
            _ => None,
        };
        assert_eq!(read("4h+15m"), Some(Cadence::ASSET_SYNC));
        assert_eq!(read("6h+30m"), Some(Cadence::EVIDENCE_SWEEP));
        assert_eq!(read("10h"), Some(Cadence::SAAS_ALERTS));
        assert!(matches!(due("never"), Ok(Due::Never)));
        for text in [
            "",
            "h",
            "4",
            "4x",
            "-4h",
            "4h+",
            "0s",
            "4h+15",
            "é",
            "99999999999d",
        ] {
            assert!(due(text).is_err(), "{text}");
        }
    }
}
