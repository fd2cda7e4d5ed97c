//! The command line, as a person or a script meets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

mod authorize;
mod bad_input;
mod ends_honestly;
mod evidence_and_sweep;
mod evidence_command;
mod evidence_records;
mod hostile_names;
mod insiders;
mod no_canary;
mod quickstart_database;
mod run;
mod settings;
mod setup;
mod simulated;
mod story;
