//! A tenant that lies, over real HTTP types: no list ends early, no verdict becomes better than the truth, and what can be
//! survived changes nothing but the number of requests.

mod assets;
mod fields;
pub(crate) mod scene;
mod verdicts;
mod walks;
