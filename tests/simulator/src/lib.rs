#![doc = include_str!("../README.md")]

mod activities;
mod answer;
mod builder;
mod canary;
mod clock;
mod endpoints;
mod fault;
mod filter;
mod fleet;
pub mod front;
mod list;
mod numbers;
mod oauth;
mod preset;
pub mod program;
mod quota;
mod report;
mod request;
mod seed;
mod shape;
mod table;
mod tenant;
mod wire;

pub use answer::{Answer, Delivery, ErrorShape, Trickle};
pub use builder::TenantBuilder;
pub use clock::Clock;
pub use fault::{
    CursorHabit, Damage, Fault, FaultRule, Half, Harm, Malformed, NotAvailable, Parameter,
    RetryAfter,
};
pub use preset::{Character, Preset, Trouble, UnknownPreset};
pub use report::Report;
pub use request::Request;
pub use shape::{Burst, OddName, Shape};
pub use tenant::{LoggedRequest, Tenant};
