//! The rules of asset sync, without I/O: which machine is which, and which rows change.

pub mod identity;
pub mod reconcile;
pub mod sync_plan;
