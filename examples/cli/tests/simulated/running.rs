//! `regentra run` as a process.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

use super::Person;

/// What does not come within this time never comes.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// `regentra run`, and the lines it writes.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<Value>,
}

impl Running {
    /// Starts it by the machine's own clock, which runs.
    pub(crate) fn start(person: &Person, args: &[&str]) -> Self {
        let file = person.db();
        let db = person.server_db.as_deref();
        let mut child = Command::new(env!("CARGO_BIN_EXE_regentra"))
            .args(["--db", db.unwrap_or(file.to_str().unwrap())])
            .args(["--now", &person.now])
            .args(["--json", "run"])
            .args(args)
            .env_clear()
            .env("HOME", person.folder.path())
            .env("RUST_LOG", "off")
            .envs(person.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let _ = tell.send(serde_json::from_str(&line.unwrap()).unwrap());
            }
        });
        Self { child, lines }
    }

    /// What it tells until this, which it has to.
    pub(crate) fn until_all(&self, is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(LIMIT);
            assert!(line.is_ok(), "never told: {seen:#?}");
            let line = line.unwrap();
            let is_last = is_wanted(&line);
            seen.push(line);
            if is_last {
                return seen;
            }
        }
    }

    /// The first line of this kind, which has to come.
    pub(crate) fn until(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_all(is_wanted).pop().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Its exit code, and what it said on standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

pub(crate) fn done(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |line| line["told"] == "finished" && line["kind"] == kind && line["end"] == "done"
}

/// How many signals each promoted organization has.
pub(crate) async fn signals(person: &Person) -> Vec<usize> {
    let standings = person.does(&["signals", "--json"]).await.rows();
    let mappings = standings
        .iter()
        .flat_map(|of| of["mappings"].as_array().unwrap());
    mappings
        .map(|of| of["signals"].as_array().unwrap().len())
        .collect()
}

/// The person maps three organizations and promotes two of them.
pub(crate) async fn promoted(mut person: Person) -> Person {
    person.does(&["connect"]).await.text();
    person.does(&["organizations"]).await.text();
    person
        .does(&["map", "2", "5", "8", "--create"])
        .await
        .text();
    let companies = person.does(&["companies", "--json"]).await.rows();
    for company in &companies[..2] {
        let id = company["id"].as_str().unwrap();
        person.does(&["promote", id]).await.text();
    }
    "2026-11-23T06:31:00Z".clone_into(&mut person.now);
    person
}

/// It syncs and sweeps, ends what runs when it is stopped, and what it did is whole.
pub(crate) async fn syncs_and_sweeps_until_it_is_asked_to_stop(person: &Person) {
    let running = Running::start(person, &["--sync", "3s", "--sweep", "3s+1s"]);
    let planned = running.until(|line| line["told"] == "planned");
    assert_eq!(planned["missed"], 0);
    let synced = tokio::task::block_in_place(|| {
        let synced = running.until(done("asset_sync"));
        running.until(done("evidence_sweep"));
        synced
    });
    assert!(synced["event"].is_string());
    running.signal("-TERM");
    let stopped = running.until(|line| line["told"] == "stopped");
    assert_eq!(stopped["dropped"], 0);
    assert!(stopped["done"].as_u64().unwrap() >= 2);
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");

    // What it did is whole, and what comes next goes on from it.
    let companies = person.does(&["companies", "--json"]).await.rows();
    let active = companies
        .iter()
        .map(|row| row["assets_active"].as_u64().unwrap());
    assert!(active.sum::<u64>() > 0);
    let swept = signals(person).await;
    assert!(
        swept.contains(&5) && swept.iter().all(|n| [0, 5].contains(n)),
        "{swept:?}"
    );
    let trail = person
        .does(&["audit", "--json", "--limit", "100"])
        .await
        .rows();
    let synced = trail
        .iter()
        .find(|row| row["action"] == "NINJAONE_SYNCED")
        .unwrap();
    assert_eq!(synced["actor"], "schedule");
    person.does(&["sync"]).await.text();
}

/// `--once` does what is due; once more finds it done, and changes nothing.
pub(crate) async fn does_once_what_is_due_and_ends(person: &Person) {
    let first = person.does(&["run", "--once"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stderr.contains("3 events done"), "{first:?}");
    assert_eq!(signals(person).await, [5, 5]);
    let before = person.everything().await;
    let again = person.does(&["run", "--once"]).await;
    assert!(again.stderr.contains("0 to do, 2 done before"), "{again:?}");
    assert_eq!(person.everything().await, before);
}
