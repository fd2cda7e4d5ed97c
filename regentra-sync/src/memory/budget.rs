use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::MemoryStore;
use crate::{
    budget::{BudgetUsage, Spend, Window},
    credential::Fingerprint,
    store::{Budget, Result},
};

#[async_trait]
impl Budget for MemoryStore {
    async fn spend(
        &self,
        tenant: &Fingerprint,
        now: OffsetDateTime,
        windows: &[Window],
    ) -> Result<Spend> {
        self.with(|state| {
            let started = state.budget.entry(tenant.clone()).or_default();
            // When the request that has to leave the window first does so.
            let room = windows.iter().filter_map(|window| {
                let after = now.saturating_sub(window.length);
                let within = started
                    .len()
                    .saturating_sub(started.partition_point(|at| *at <= after));
                let limit = window.limit as usize;
                let blocks =
                    (within >= limit).then(|| started.get(started.len().saturating_sub(limit)))?;
                Some(blocks.unwrap_or(&now).saturating_add(window.length))
            });
            if let Some(retry_at) = room.max() {
                return Ok(Spend::Exhausted { retry_at });
            }
            let place = started.partition_point(|at| *at <= now);
            started.insert(place, now);
            let forgotten = now.saturating_sub(
                windows
                    .iter()
                    .map(|w| w.length)
                    .fold(Duration::hours(1), Duration::max),
            );
            while started.front().is_some_and(|at| *at <= forgotten) {
                started.pop_front();
            }
            Ok(Spend::Granted)
        })
        .await
    }

    async fn budget_usage(&self, tenant: &Fingerprint, now: OffsetDateTime) -> Result<BudgetUsage> {
        self.with(|state| {
            let within = |length: Duration| {
                let after = now.saturating_sub(length);
                let started = state.budget.get(tenant);
                let count = started.map_or(0, |started| {
                    started
                        .iter()
                        .filter(|at| **at > after && **at <= now)
                        .count()
                });
                u32::try_from(count).unwrap_or(u32::MAX)
            };
            Ok(BudgetUsage {
                last_minute: within(Duration::minutes(1)),
                last_hour: within(Duration::hours(1)),
            })
        })
        .await
    }
}
