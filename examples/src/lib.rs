//! What the hosts in this crate share: reading credentials and telling an operator what a verdict means.

pub mod credentials;
pub mod evidence;
pub mod host;
pub mod progress;
pub mod verdict;
