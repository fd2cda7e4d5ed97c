//! What is logged at TRACE of every crate, where nothing of a customer's may be. A program of its own: the subscriber that the
//! authorizations are watched with is the process's, and all other tests would be slowed down by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

mod authorization;
mod canary_columns;
mod client;
