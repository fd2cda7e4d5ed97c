//! Processes that are killed hard, on a store that keeps its rows in a database: another process performs the operation
//! and dies in the middle of it. Nothing half is there, and the event delivered again ends where an undisturbed one does.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use regentra_sync::store::Result;

use crate::{
    other_process,
    proofs::{
        on_a_database::{StoryTemplate, is_made_good, next_place, on},
        story::{Operation, Story},
        undisturbed::Undisturbed,
        watched::{Call, Watch, Watched},
    },
};

/// At how many moments of a commit a process is killed.
const IN_A_COMMIT: u32 = 2;

const CHILD: &str = "REGENTRA_TEST_PERFORMS";
const ASKS: &str = "asks ";
const ANSWERED: &str = "answered";

/// Prints every call, before it is made and after.
#[derive(Debug)]
struct PrintsCalls;

#[async_trait]
impl Watch for PrintsCalls {
    async fn before(&self, call: &Call) -> Result<()> {
        println!("\n{ASKS}{}", call.name());
        Ok(())
    }

    async fn after(&self, _call: &Call) -> Result<()> {
        println!("\n{ANSWERED}");
        Ok(())
    }
}

/// In the other process: the operation, once. Says whether this is one.
pub async fn is_the_other_process<T: StoryTemplate>() -> bool {
    let Ok(told) = env::var(CHILD) else {
        return false;
    };
    let (name, place) = told.split_once('|').unwrap();
    let operations = Operation::ALL.into_iter();
    let mut named = operations.filter(|operation| format!("{operation:?}") == name);
    let operation = named.next().unwrap();
    let story = on::<T>(place).await;
    let watched = Watched {
        store: Arc::clone(&story.site.store),
        watch: Arc::new(PrintsCalls),
    };
    let process = story.process_over(operation, Arc::new(watched));
    story.perform(&process, operation).await.unwrap();
    true
}

/// The other process, which performs an operation once.
pub struct Other {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Other {
    /// `test` is the name of a test that begins with [`is_the_other_process`].
    pub fn performs(test: &str, operation: Operation, place: &str) -> Self {
        let mut child = other_process::start(test, CHILD, &format!("{operation:?}|{place}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = output.lines().map_while(std::result::Result::ok);
        let told = lines.filter(|line| line.starts_with(ASKS) || line == ANSWERED);
        Self {
            child,
            lines: Box::new(told),
        }
    }

    /// Nothing happens to it: its calls, and how long each took.
    pub fn ends_by_itself(mut self) -> Vec<(String, Duration)> {
        let mut calls: Vec<(String, Duration)> = Vec::new();
        let mut since = Instant::now();
        for line in self.lines.by_ref() {
            if let Some(name) = line.strip_prefix(ASKS) {
                calls.push((name.to_owned(), Duration::ZERO));
                since = Instant::now();
            } else if let Some((_, took)) = calls.last_mut() {
                *took = since.elapsed();
            }
        }
        assert!(self.child.wait().unwrap().success(), "it failed");
        calls
    }

    /// Waits until it makes its n-th call, or was answered it, or has ended.
    fn until_call(&mut self, number: usize, is_answered: bool) {
        let lines = self.lines.by_ref();
        let mut told = lines.filter(|line| (line == ANSWERED) == is_answered);
        told.nth(number - 1);
    }

    /// Whether it has done the operation.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none_or(|end| end.success()), "it failed");
        ended.is_some()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The runs of an operation that were killed: how many had written nothing, and how many something.
pub struct KilledRuns {
    operation: Operation,
    undisturbed: Undisturbed,
    nothing: u32,
    something: u32,
}

impl KilledRuns {
    pub async fn of(operation: Operation) -> Self {
        Self {
            operation,
            undisturbed: Undisturbed::run(operation).await,
            nothing: 0,
            something: 0,
        }
    }

    /// Nothing half is there, and the event delivered again is handled.
    pub async fn is_whole_and_made_good(&mut self, story: &Story, what: &str) {
        let seen = story.site.snapshot().await;
        self.undisturbed.assert_whole(&seen, what);
        if self.undisturbed.has_begun(&seen) {
            self.something += 1;
        } else {
            self.nothing += 1;
        }
        is_made_good(story, self.operation, &self.undisturbed, what).await;
    }

    /// Some were killed before they had written anything, and some after.
    pub fn are_both(&self) {
        let (operation, nothing, something) = (self.operation, self.nothing, self.something);
        println!("{operation:?}: {nothing} had written nothing, {something} something");
        assert!(nothing > 0 && something > 0, "{operation:?}");
    }
}

/// When a process is killed that makes this call: so long after it began, or as soon as it is answered.
fn moments(call: &str, took: Duration) -> Vec<Option<Duration>> {
    if !call.starts_with("commit_") {
        return vec![Some(took / 2)];
    }
    let within = (0..IN_A_COMMIT).map(|n| Some(took * (2 * n + 1) / (2 * IN_A_COMMIT)));
    within.chain([None]).collect()
}

/// Kills the process in every call that an undisturbed one makes, at one moment or another of as long as it took there.
pub async fn in_every_call<T: StoryTemplate>(test: &str) {
    let template = T::new().await;
    for operation in Operation::PROMISED {
        let mut killed_runs = KilledRuns::of(operation).await;
        let copy = template.copy().await;
        let calls = Other::performs(test, operation, &T::place(&copy)).ends_by_itself();
        assert!(calls.len() > 1, "{operation:?} calls the store");
        let mut next = 1;
        for (number, (name, took)) in (1..).zip(calls) {
            // Each commit, and some of the calls between them.
            if number < next && !name.starts_with("commit_") {
                continue;
            }
            next = next.max(next_place(number));
            for moment in moments(&name, took) {
                let copy = template.copy().await;
                let place = T::place(&copy);
                let mut process = Other::performs(test, operation, &place);
                process.until_call(number, moment.is_none());
                std::thread::sleep(moment.unwrap_or_default());
                process.kill();
                T::is_left(&copy).await;
                let what = format!("{operation:?} killed in call {number}, {name}: {moment:?}");
                let story = on::<T>(&place).await;
                killed_runs.is_whole_and_made_good(&story, &what).await;
            }
        }
        killed_runs.are_both();
    }
}

/// A database that can hold a process up in the middle of what it writes.
pub trait HoldsUp: StoryTemplate {
    /// What holds it up, until it is released.
    type Hold;

    /// The tables that an operation has changed in a copy.
    async fn written(&self, copy: &Self::Copy) -> Vec<String>;

    /// A process that writes into a table stops at the first row.
    async fn hold_up(copy: &Self::Copy, table: &str) -> Self::Hold;

    async fn is_held_up(copy: &Self::Copy) -> bool;

    async fn release(hold: Self::Hold);
}

/// Kills the process at its first write into each table that an undisturbed one writes into, in the middle of its transaction.
pub async fn at_first_writes<T: HoldsUp>(test: &str, operations: &[Operation]) {
    let template = T::new().await;
    for &operation in operations {
        let mut killed_runs = KilledRuns::of(operation).await;
        let copy = template.copy().await;
        Other::performs(test, operation, &T::place(&copy)).ends_by_itself();
        T::is_left(&copy).await;
        let written = template.written(&copy).await;
        assert!(written.len() > 1, "{operation:?} writes into {written:?}");
        for table in &written {
            let what = format!("{operation:?} killed at its first write into {table}");
            let copy = template.copy().await;
            let hold = T::hold_up(&copy, table).await;
            let mut process = Other::performs(test, operation, &T::place(&copy));
            while !T::is_held_up(&copy).await {
                assert!(!process.has_ended(), "{what}: nothing held it up");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            process.kill();
            T::release(hold).await;
            T::is_left(&copy).await;
            let story = on::<T>(&T::place(&copy)).await;
            killed_runs.is_whole_and_made_good(&story, &what).await;
        }
        println!("{operation:?}: killed at {written:?}");
    }
}

/// Whether a variable asks for what every change cannot wait for.
pub(super) fn is_everything_asked_for() -> bool {
    env::var_os("REGENTRA_TEST_ALL_OPERATIONS").is_some()
}

/// Those that the promise names; where everything is asked for, all of them.
pub fn operations() -> &'static [Operation] {
    if is_everything_asked_for() {
        &Operation::ALL
    } else {
        &Operation::PROMISED
    }
}

#[macro_export]
macro_rules! killed {
    ($template:ty) => {
        #[tokio::test]
        async fn a_process_killed_hard_in_any_call_is_made_good() {
            use $crate::proofs::killed::{in_every_call, is_the_other_process};
            if !is_the_other_process::<$template>().await {
                let test = $crate::test_name!(a_process_killed_hard_in_any_call_is_made_good);
                in_every_call::<$template>(test).await;
            }
        }
    };
}
pub use crate::killed;

#[macro_export]
macro_rules! killed_at_first_writes {
    ($template:ty, $operations:expr) => {
        #[tokio::test]
        async fn a_process_killed_hard_at_its_first_write_into_any_table_is_made_good() {
            use $crate::proofs::killed::{at_first_writes, is_the_other_process};
            if !is_the_other_process::<$template>().await {
                let test = $crate::test_name!(
                    a_process_killed_hard_at_its_first_write_into_any_table_is_made_good
                );
                at_first_writes::<$template>(test, $operations).await;
            }
        }
    };
}
pub use crate::killed_at_first_writes;
