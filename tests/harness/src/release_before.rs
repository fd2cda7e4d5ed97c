//! What the release before wrote, and what has to be there after migrating it: the same on every store.
//!
//! How the fixtures were made stands beside them, in `fixtures/release_before/README.md`.

pub mod answers;
pub mod kept;
mod names;
pub mod rows;
pub mod shown;
pub mod story;
