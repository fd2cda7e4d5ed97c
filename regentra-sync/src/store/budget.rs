//! The request budget shared between processes.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Result;
use crate::{
    budget::{BudgetUsage, Spend, Window},
    credential::Fingerprint,
};

/// The request budgets of NinjaOne tenants, keyed by the fingerprint of (host, client id).
#[async_trait]
pub trait Budget: Debug + Send + Sync + 'static {
    /// Counts one request that starts at `now`, if in every window fewer than its limit started after `now - length`.
    ///
    /// Exact: of any number of calls at once, none lets a window overflow. Nothing is counted when the answer is
    /// [`Spend::Exhausted`]; its time is the earliest at which every window has room again. A window with a limit of 0 never
    /// has: for it that time is `now + length`. Requests older than an hour and than the longest window asked for may be
    /// forgotten.
    async fn spend(
        &self,
        tenant: &Fingerprint,
        now: OffsetDateTime,
        windows: &[Window],
    ) -> Result<Spend>;

    /// How many requests started within the last minute and hour before `now`.
    async fn budget_usage(&self, tenant: &Fingerprint, now: OffsetDateTime) -> Result<BudgetUsage>;
}
