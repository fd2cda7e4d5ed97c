//! The engines that drive events over many processes, proven alike: workers are processes of their own, on the system's PostgreSQL, before
//! a simulated tenant.
//!
//! `.ci/engines` runs the long stories as well, one after the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

mod end_state;
mod queue;
mod refusals;
#[cfg(feature = "restate")]
mod restate;
mod site;
mod stories;
mod worker;
