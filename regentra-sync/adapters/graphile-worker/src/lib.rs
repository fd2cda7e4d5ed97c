#![doc = include_str!("../README.md")]

mod cron;
mod error;
mod jobs;
mod schema;
mod status;
mod tasks;
mod worker;

pub use self::{
    error::{Error, ErrorKind, Result},
    jobs::SCHEMA,
    schema::migrate,
    status::{EngineStatus, FailedJob, status},
    worker::{Builder, GraphileWorker, request_sync},
};
