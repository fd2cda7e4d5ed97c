//! A tenant that lies, over real HTTP types: no list ends early, no verdict becomes better than the truth, and what can be
//! survived changes nothing but the number of requests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod assets;
mod fields;
mod scene;
mod verdicts;
mod walks;
