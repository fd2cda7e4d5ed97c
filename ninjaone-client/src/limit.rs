//! Rate limits: exact sliding windows. Requests are counted per NinjaOne tenant, over all clients of the process.

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
