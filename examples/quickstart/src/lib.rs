//! The whole story on a simulated tenant ([`story`]), on SQLite. And what the command line shares with it, because this package is
//! the one that has to compile soon: the credentials, keys, and how all of it looks on a terminal.

#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod credentials;
pub mod format;
pub mod hardening;
pub mod key;
pub mod output;
pub mod progress;
pub mod shown;
pub mod story;
pub mod table;
pub mod verdict;

use uuid::Uuid;

/// The provider in a database of one.
pub const MSP: Uuid = Uuid::from_u128(0x6d73_7000_0000_4000_8000_0000_0000_0001);
/// The person at the command line; the audit trail tells it from the schedule.
pub const OPERATOR: Uuid = Uuid::from_u128(0x6f70_6572_6174_4000_8000_0000_0000_0001);
