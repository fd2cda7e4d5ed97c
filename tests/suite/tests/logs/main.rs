//! What is logged at TRACE of every crate, where nothing of a customer's may be. A program of its own: the subscriber that the
//! authorizations are watched with is the process's, and all other tests would be slowed down by it.

mod authorization;
mod canary_columns;
mod client;
