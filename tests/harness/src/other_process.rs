//! Other processes, to be killed: each is the program of the tests once more.

use std::{
    env,
    process::{Child, Command, Stdio},
};

/// The other process, whose output is read. It runs one test, which finds in `variable` what the process does instead.
pub fn start(test: &str, variable: &str, told: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, told)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
