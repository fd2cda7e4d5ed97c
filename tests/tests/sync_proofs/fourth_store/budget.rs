use async_trait::async_trait;
use regentra_sync::{
    budget::{BudgetUsage, Spend, Window},
    credential::Fingerprint,
    store::{Budget, Result},
};
use time::{Duration, OffsetDateTime};

use super::HashMapStore;

#[async_trait]
impl Budget for HashMapStore {
    async fn spend(
        &self,
        tenant: &Fingerprint,
        now: OffsetDateTime,
        windows: &[Window],
    ) -> Result<Spend> {
        let mut state = self.state();
        let spent = state.spent.entry(tenant.clone()).or_default();
        let longest = windows.iter().map(|window| window.length);
        let kept = longest.fold(Duration::HOUR, Duration::max);
        spent.retain(|started| *started > now - kept);
        spent.sort();
        // A full window has room again when the `limit`-th newest of its requests has left it.
        let full = windows.iter().filter_map(|window| {
            let within = spent.iter().filter(|at| **at > now - window.length);
            let Some(others) = (window.limit as usize).checked_sub(1) else {
                return Some(now + window.length);
            };
            within.rev().nth(others).map(|last| *last + window.length)
        });
        if let Some(retry_at) = full.max() {
            return Ok(Spend::Exhausted { retry_at });
        }
        spent.push(now);
        Ok(Spend::Granted)
    }

    async fn budget_usage(&self, tenant: &Fingerprint, now: OffsetDateTime) -> Result<BudgetUsage> {
        let state = self.state();
        let spent = state.spent.get(tenant).map(Vec::as_slice);
        let within = |length: Duration| {
            let within = spent.unwrap_or_default().iter();
            let within = within.filter(|at| **at > now - length && **at <= now);
            u32::try_from(within.count()).unwrap_or(u32::MAX)
        };
        Ok(BudgetUsage {
            last_minute: within(Duration::MINUTE),
            last_hour: within(Duration::HOUR),
        })
    }
}
