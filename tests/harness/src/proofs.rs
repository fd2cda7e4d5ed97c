//! The sync's promises, proven over stores: a site, a story that happens there, and what a crash may leave of it.

pub mod killed;
pub mod on_a_database;
pub mod site;
pub mod snapshot;
pub mod story;
pub mod undisturbed;
pub mod watched;
