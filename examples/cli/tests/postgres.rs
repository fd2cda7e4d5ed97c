//! The command line on a PostgreSQL server. A program of its own: it starts the server, and where there is none it ends and says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

#[cfg(feature = "graphile-worker")]
mod engine_on_postgres;
mod run_on_postgres;
mod simulated;
mod story_on_postgres;
