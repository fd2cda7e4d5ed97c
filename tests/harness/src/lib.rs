//! What the tests that cross crates are made of: a PostgreSQL server, a NinjaOne that follows a script, fleets of canaries, logs that are
//! kept, sites and the stories that happen there.
//!
//! Parts of tests, and no published interface: each panics where the test that uses it has to fail.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::return_self_not_must_use,
    reason = "read by the tests beside it alone"
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test panics where it fails, helpers included"
)]
#![allow(
    async_fn_in_trait,
    reason = "nothing here asks whether a future is Send"
)]

pub mod authorization;
pub mod canaries;
pub mod client;
pub mod history;
pub mod in_process;
pub mod keys;
pub mod log;
pub mod onboarding;
pub mod other_process;
pub mod plan;
pub mod postgres;
pub mod proofs;
pub mod regions;
pub mod release_before;
pub mod scripted;
pub mod suspension;

/// What has to live as long as a store.
pub type StoreGuard = Box<dyn std::any::Any>;

/// The name of a test of the module that asks, as the test runner knows it.
#[macro_export]
macro_rules! test_name {
    ($name:ident) => {{
        let path = concat!(module_path!(), "::", stringify!($name));
        path.split_once("::").unwrap().1
    }};
}
