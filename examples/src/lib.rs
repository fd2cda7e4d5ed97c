//! What the hosts in this crate are made of. One host, the command line: a database ([`database`]), the keys that seal the
//! credentials in it ([`keys`]), both put together ([`host`]), one file a command ([`command`]), and how it looks ([`table`],
//! [`wording`], [`verdict`], [`progress`]).

#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod anchors;
pub mod chains;
pub mod clock;
pub mod command;
pub mod credentials;
pub mod database;
pub mod hardening;
pub mod host;
pub mod keys;
pub mod output;
pub mod portal;
pub mod progress;
pub mod quickstart;
pub mod shown;
pub mod signing;
pub mod table;
pub mod verdict;
pub mod wording;
