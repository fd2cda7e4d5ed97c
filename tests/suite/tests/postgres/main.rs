//! Everything on PostgreSQL. A program of its own: it starts a server, and where there is none it ends and says so.
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
mod conformance;
mod crashes;
mod dictionary;
mod histories;
mod interruptions;
mod races;
mod release_before;
mod setup;
mod tenancy;
mod two_regions;
