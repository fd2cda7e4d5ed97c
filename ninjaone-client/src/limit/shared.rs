//! The request budget shared between processes.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use super::{Lane, RateLimit};

/// Identifies a budget. NinjaOne counts requests per tenant; host and client id identify the tenant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetKey {
    host: String,
    client_id: String,
}

impl BudgetKey {
    /// The key for a host (see [`BaseUrl::limit_host`](crate::BaseUrl::limit_host)) and a client id.
    #[must_use]
    pub fn new(host: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            client_id: client_id.into(),
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The client id. It is not a secret, but must not be logged; store a keyed digest of it.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }
}

impl fmt::Debug for BudgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetKey")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A request budget that several processes share, typically kept in their database.
///
/// The client calls it before every request: after it has a token, and before the process's own limiter counts the request as sent. It does
/// not call it under an unlimited policy. If the caller drops a request after it was granted, the request stays counted but is not sent, so
/// the limit is never exceeded.
///
/// Within a process the limit is exact, however slow the budget answers. Between processes a slow answer makes it less exact: if the answer
/// arrives ten seconds after the budget counted the request, the request is sent ten seconds after it was counted.
///
/// Between processes, people's requests are guaranteed the share of every window that sweeps leave free ([`RateLimit::left_free`]): the
/// sweeps of all processes together never use it. Beyond that share requests are served in the order in which they ask, because a budget
/// does not know who waits in another process. The queue that serves people before sweeps is local to each process.
#[async_trait]
pub trait SharedBudget: fmt::Debug + Send + Sync + 'static {
    /// Takes one request from the budget, or returns how long to wait.
    ///
    /// Counting and taking must be one atomic step, by one clock for all processes (the store's). The windows to apply are
    /// `limit.windows_of(lane)`; they count the requests of both lanes.
    ///
    /// # Errors
    /// When the budget cannot be reached. The client then sends nothing.
    async fn take(
        &self,
        key: &BudgetKey,
        limit: &RateLimit,
        lane: Lane,
    ) -> Result<BudgetGrant, BudgetError>;
}

/// The answer of a [`SharedBudget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetGrant {
    /// One request was taken.
    Granted,
    /// Nothing was taken. Ask again after this time.
    Wait(Duration),
}

/// The error of a [`SharedBudget`] that cannot be reached.
#[derive(Debug)]
pub struct BudgetError(Box<dyn std::error::Error + Send + Sync>);

impl BudgetError {
    /// An error with its source.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shared request budget could not be asked")
    }
}

impl std::error::Error for BudgetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
