//! What the command line is made of: a database ([`database`]), the keys that seal the credentials in it ([`keys`]), both put together
//! ([`host`]), one file a command ([`command`]). How it looks it shares with the quickstart ([`table`], [`format`](mod@format), [`verdict`],
//! [`progress`]).

#![deny(clippy::print_stderr, clippy::print_stdout)]

pub use quickstart::{
    credentials, format, hardening, key, output, progress, shown, table, verdict,
};

pub mod anchors;
pub mod chains;
pub mod clock;
pub mod command;
pub mod database;
#[cfg(feature = "graphile-worker")]
pub(crate) mod engine;
pub mod host;
pub mod keys;
pub mod portal;
#[cfg(feature = "restate")]
pub(crate) mod restate;
pub mod signing;
