//! Rate limits: exact sliding windows, counted per NinjaOne tenant and shared by all clients of the process.

mod limiter;
mod policy;
mod registry;
mod shared;
mod window;

pub(crate) use limiter::Permit;
pub use limiter::{BudgetUse, Limiter};
pub use policy::{Lane, RateLimit};
pub(crate) use registry::limiter_of;
pub use shared::{BudgetError, BudgetGrant, BudgetKey, SharedBudget};
