//! Reading.

mod connection_test;
mod diagnosis;

pub use self::{
    connection_test::ConnectionTest,
    diagnosis::{Diagnosis, Finding, FutureRows, Severity},
};
