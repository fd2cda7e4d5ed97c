#![doc = include_str!("../README.md")]

mod client;
mod error;
mod objects;
mod status;
mod worker;

pub use self::{
    client::Server,
    error::{Error, ErrorKind, Result},
    status::{EngineStatus, FailedInvocation},
    worker::{Builder, Restate},
};
