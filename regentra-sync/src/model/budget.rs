//! The request budget of one NinjaOne tenant, shared by every process of a host through the store.

use serde::{Deserialize, Serialize};
use time::Duration;

/// How many requests may start within any span of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The most requests that may start within `length`.
    pub limit: u32,
    /// The length of the span.
    pub length: Duration,
}

/// The budget is low once this share of the hour's requests is used, in percent.
pub(crate) const BUDGET_LOW_PERCENT: u64 = 90;

/// NinjaOne's quota for one tenant: 200 requests in any 60 seconds and 1,500 in any hour.
pub const NINJAONE_WINDOWS: [Window; 2] = [
    Window {
        limit: 200,
        length: Duration::minutes(1),
    },
    Window {
        limit: 1_500,
        length: Duration::hours(1),
    },
];

/// Whether one request may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// The request may start; it is counted.
    Granted,
    /// Some window is full; nothing is counted.
    Exhausted {
        /// How long until every window has room again, unless another request takes the room first.
        retry_after: Duration,
    },
}

/// How much of a budget is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetUsage {
    /// Requests started within the last minute.
    pub last_minute: u32,
    /// Requests started within the last hour.
    pub last_hour: u32,
    /// How many of them are stamped with a time ahead of the store's clock. They count as started now. When the next request starts, their
    /// time is corrected.
    #[serde(default)]
    pub ahead: u32,
}
