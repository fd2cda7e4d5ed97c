#![doc = include_str!("../README.md")]

pub use ninjaone_client;
pub use regentra_evidence;

mod error;
mod hex;
pub mod host;
pub mod model;
pub mod ninjaone;
pub mod rules;
pub mod schedule;
mod scheduler;
pub mod seal;
pub mod store;
mod use_cases;
pub mod views;

pub use self::{
    error::{Error, ErrorKind, Result},
    scheduler::{Requests, Scheduler, Stopped},
    use_cases::*,
};
