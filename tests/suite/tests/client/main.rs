//! The client against the simulated tenant, and beside another one's OAuth.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

mod examples;
mod oauth_oracle;
mod over_http;
mod pairs_of_faults;
