#![doc = include_str!("../README.md")]

mod id;
pub mod models;
mod open_enum;
mod timestamp;

pub use id::*;
pub use timestamp::Timestamp;
