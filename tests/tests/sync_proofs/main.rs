//! The sync's promises, proven over stores: every law on a store written from the documentation, crashes, tenancies, and random
//! histories against a small model.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test panics where it fails, helpers included"
)]
#![allow(missing_docs, reason = "a test's name says what it shows")]

mod crashes;
mod dice;
mod fourth_store;
#[allow(dead_code, reason = "on PostgreSQL a process is held up by locks, too")]
mod killed;
mod on_a_database;
mod on_sqlite;
#[path = "../sync/scripted.rs"]
#[allow(dead_code, reason = "the use cases' own tests script more of it")]
mod scripted;
mod simulated;
mod site;
mod snapshot;
mod story;
mod tenancy;
mod undisturbed;
mod watched;
