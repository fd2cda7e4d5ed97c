//! The request budget shared between processes.

use std::fmt::Debug;

use async_trait::async_trait;
use time::Duration;

use super::error::Result;
use crate::model::{BudgetUsage, Fingerprint, Spend, Window};

/// The request budgets of NinjaOne tenants, keyed by the fingerprint of (host, client id).
#[async_trait]
pub trait Budget: Debug + Send + Sync + 'static {
    /// Counts one request that starts now by the store's clock, if every window has room: fewer requests than the window's limit started
    /// within its length before now.
    ///
    /// The count is exact: no number of concurrent calls makes a window overflow. [`Spend::Exhausted`] counts nothing. A window with a
    /// limit of 0 never has room; the wait reported for it is its length. The store may delete requests that are older than
    /// [`budget_kept`](super::effects::budget_kept): both an hour and the longest window given.
    ///
    /// A stored request whose time lies ahead of the store's clock counts as started now: the clock that stamped it ran ahead, but the
    /// request was made. The store replaces its time by now, whatever the call returns. [`effects::spend`](super::effects::spend) does all
    /// this.
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend>;

    /// How long until every window has room ([`effects::budget_wait`](super::effects::budget_wait)); zero if every window has room now.
    /// Counts nothing.
    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration>;

    /// How many requests started within the last minute and within the last hour, by the store's clock. Requests whose time lies ahead of
    /// it count as started now. [`effects::budget_usage`](super::effects::budget_usage) counts them.
    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage>;
}
