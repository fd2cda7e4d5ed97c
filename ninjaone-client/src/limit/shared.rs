//! The request budget shared between processes.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use super::{Lane, RateLimit};

/// Whose budget it is: NinjaOne counts per tenant, which host and client id stand for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetKey {
    host: String,
    client_id: String,
}

impl BudgetKey {
    /// Of a host (see [`BaseUrl::limit_host`](crate::BaseUrl::limit_host)) and a client id.
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

    /// The client id. No secret, and yet nothing for logs: store a keyed digest of it.
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

/// A request budget that several processes draw from, typically kept in their database.
///
/// It is asked before every request, when the token is there and before the process's own limiter counts the request as sent.
/// It is never asked under an unlimited policy. A request whose caller goes away after it was granted stays counted and is not
/// sent: less than the limit, never more.
///
/// Within a process the limit is exact however slow the answer is. Between processes it is as exact as the answer is fast: a
/// request that was counted and learns of it ten seconds later is sent ten seconds later.
///
/// Between processes, people have for certain what sweeps leave free of every window ([`RateLimit::left_free`]): the sweeps of
/// all processes together never fill it. Beyond that share the first to ask goes first, because a budget does not know who
/// waits in another process; the queue that serves every person before any sweep is each process's own.
#[async_trait]
pub trait SharedBudget: fmt::Debug + Send + Sync + 'static {
    /// Takes one request from the budget, or says how long to wait.
    ///
    /// Counting and taking must be one atomic step, by one clock for all processes (the store's). The windows to keep are
    /// `limit.windows_of(lane)`, counted over the requests of both lanes.
    ///
    /// # Errors
    /// When the budget cannot be asked. Nothing is sent then.
    async fn take(
        &self,
        key: &BudgetKey,
        limit: &RateLimit,
        lane: Lane,
    ) -> Result<BudgetGrant, BudgetError>;
}

/// Answer of a [`SharedBudget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetGrant {
    /// One request was taken.
    Granted,
    /// Nothing was taken: ask again after this long.
    Wait(Duration),
}

/// A [`SharedBudget`] that cannot be asked.
#[derive(Debug)]
pub struct BudgetError(Box<dyn std::error::Error + Send + Sync>);

impl BudgetError {
    /// With its cause.
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
