//! The five signals, from rows as NinjaOne sends them: a second opinion, tables of every boundary, a tenant that lies, the presets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

mod agreement;
mod boundaries;
mod fleets;
mod lies;
mod minimise;
mod oracle;
mod over_http;
mod presets;
mod requests;
mod tables;
mod whole_way;
