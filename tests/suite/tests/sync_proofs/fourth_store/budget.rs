use async_trait::async_trait;
use regentra_sync::{
    model::{BudgetUsage, Fingerprint, Spend, Window},
    store::{Budget, Result},
};
use time::{Duration, OffsetDateTime};

use super::HashMapStore;

/// How long until every window has room. What is stamped ahead started now.
fn wait(spent: &[OffsetDateTime], now: OffsetDateTime, windows: &[Window]) -> Option<Duration> {
    let mut spent: Vec<_> = spent.iter().map(|at| (*at).min(now)).collect();
    spent.sort();
    // A full window has room again when the `limit`-th newest of its requests has left it.
    let full = windows.iter().filter_map(|window| {
        let within = spent.iter().filter(|at| **at > now - window.length);
        let Some(others) = (window.limit as usize).checked_sub(1) else {
            return Some(now + window.length);
        };
        within.rev().nth(others).map(|last| *last + window.length)
    });
    full.max().map(|room_at| room_at - now)
}

#[async_trait]
impl Budget for HashMapStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        let mut state = self.state();
        let now = self.clock.now();
        let spent = state.spent.entry(tenant.clone()).or_default();
        let longest = windows.iter().map(|window| window.length);
        let kept = longest.fold(Duration::HOUR, Duration::max);
        spent.retain(|started| *started > now - kept);
        for at in spent.iter_mut() {
            *at = (*at).min(now);
        }
        if let Some(retry_after) = wait(spent, now, windows) {
            return Ok(Spend::Exhausted { retry_after });
        }
        spent.push(now);
        Ok(Spend::Granted)
    }

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        let state = self.state();
        let spent = state.spent.get(tenant).map(Vec::as_slice);
        let wait = wait(spent.unwrap_or_default(), self.clock.now(), windows);
        Ok(wait.unwrap_or(Duration::ZERO))
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        let (state, now) = (self.state(), self.clock.now());
        let spent = state.spent.get(tenant).map(Vec::as_slice);
        let since = |after: OffsetDateTime| {
            let since = spent.unwrap_or_default().iter().filter(|at| **at > after);
            u32::try_from(since.count()).unwrap_or(u32::MAX)
        };
        Ok(BudgetUsage {
            last_minute: since(now - Duration::MINUTE),
            last_hour: since(now - Duration::HOUR),
            ahead: since(now),
        })
    }
}
