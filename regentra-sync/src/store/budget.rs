//! The request budget shared between processes.

use std::fmt::Debug;

use async_trait::async_trait;
use time::Duration;

use super::error::Result;
use crate::model::{BudgetUsage, Fingerprint, Spend, Window};

/// The request budgets of NinjaOne tenants, keyed by the fingerprint of (host, client id).
#[async_trait]
pub trait Budget: Debug + Send + Sync + 'static {
    /// Counts one request that starts now by the store's clock, if in every window fewer than its limit started within the
    /// window's length until now.
    ///
    /// Exact: of any number of calls at once, none lets a window overflow. Nothing is counted when the answer is
    /// [`Spend::Exhausted`]. A window with a limit of 0 never has room: for it the time until then is its length. Requests older
    /// than an hour and than the longest window asked for may be forgotten.
    ///
    /// A request that is stamped with a time ahead of the store's clock counts as started now, and is stamped so, whatever the
    /// answer: its clock ran ahead, and the request was made all the same.
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend>;

    /// How long until every window has room; zero when it has. Nothing is counted.
    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration>;

    /// How many requests started within the last minute and hour by the store's clock. Those that are stamped ahead of it count
    /// as started now.
    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage>;
}
