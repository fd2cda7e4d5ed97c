//! Processes that work, and what is done to them.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};

use regentra_harness::test_name;
use regentra_sync::{
    Scheduler,
    host::{Progress, ProgressObserver},
    schedule::PlanKind,
};
use regentra_sync_graphile_worker::GraphileWorker;
use serde::{Deserialize, Serialize};

use crate::site::{Place, SILENCE};

const CHILD: &str = "REGENTRA_TEST_WORKER";

/// Which engine drives the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Engine {
    InProcess,
    GraphileWorker,
    #[cfg(feature = "restate")]
    Restate,
}

#[derive(Serialize, Deserialize)]
struct Orders {
    place: Place,
    engine: Engine,
    /// How wrong its clock is.
    skew: i64,
}

/// Prints the start and the end of each event.
#[derive(Debug)]
struct PrintsEvents;

impl ProgressObserver for PrintsEvents {
    fn progress(&self, progress: &Progress) {
        match progress {
            Progress::EventStarted { event, attempt, .. } => {
                println!("\nstarted {event} {attempt}");
            }
            Progress::EventFinished { event, outcome, .. } => {
                println!("\nfinished {event} {}", outcome.as_str());
            }
            _ => {}
        }
    }
}

/// In the other process: works until its input ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_process() {
    let Ok(orders) = env::var(CHILD) else {
        // The test runner starts it as well, and there is nothing to do.
        return;
    };
    let Orders {
        place,
        engine,
        skew,
    } = serde_json::from_str(&orders).unwrap();
    let stopped = tokio::task::spawn_blocking(|| {
        let _ = std::io::stdin().read(&mut [0]);
    });
    let skew = time::Duration::minutes(skew);
    let store = place.store().await;
    let integration = place.integration(Arc::new(store), skew, Some(Arc::new(PrintsEvents)));
    match engine {
        Engine::InProcess => {
            let scheduler = Scheduler::new(integration)
                .timetable([(PlanKind::EvidenceSweep, place.cadence())])
                .per_connection(4);
            scheduler.run_due(async move { drop(stopped.await) }).await;
        }
        Engine::GraphileWorker => {
            let worker = GraphileWorker::builder(integration, place.engine().await)
                .plans([PlanKind::EvidenceSweep])
                .per_connection(4)
                .poll(std::time::Duration::from_millis(50))
                .dead_after(SILENCE)
                .start_within(time::Duration::ZERO);
            let worker = worker.build().await.unwrap();
            println!("\nready");
            worker.run(async move { drop(stopped.await) }).await;
        }
        #[cfg(feature = "restate")]
        Engine::Restate => {
            crate::restate::work(integration, async move { drop(stopped.await) }).await;
        }
    }
    // A thread that reads is not waited for.
    std::process::exit(0);
}

/// A line that a worker wrote, and when it came.
pub(crate) type Line = (Instant, String);

/// A process that works.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Worker {
    pub(crate) fn start(place: &Place, engine: Engine, skew: i64) -> Self {
        Self::start_with(place, engine, skew, None)
    }

    /// With orders of the engine's own, by a variable of the environment.
    pub(crate) fn start_with(
        place: &Place,
        engine: Engine,
        skew: i64,
        more: Option<(&str, String)>,
    ) -> Self {
        let orders = Orders {
            place: place.clone(),
            engine,
            skew,
        };
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test_name!(a_worker_process), "--nocapture"])
            .env(CHILD, serde_json::to_string(&orders).unwrap())
            .envs(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (output, told) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                told.lock().unwrap().push((Instant::now(), line));
            }
        });
        Self { child, lines }
    }

    /// Kills it hard.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it wrote so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// How many events it has finished.
    pub(crate) fn finished(&self) -> usize {
        let lines = self.lines.lock().unwrap();
        let finished = lines
            .iter()
            .filter(|(_, line)| line.starts_with("finished"));
        finished.count()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // By its own id alone, and only if it has not ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
