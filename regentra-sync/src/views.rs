//! Reading.

mod connection_test;
mod diagnosis;
mod setup_steps;

pub use self::{
    connection_test::ConnectionTest,
    diagnosis::{Diagnosis, Finding, FutureRows, Severity},
    setup_steps::{SetupStep, setup_steps},
};
