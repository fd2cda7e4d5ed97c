use std::collections::VecDeque;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::MemoryStore;
use crate::{
    model::{BudgetUsage, Fingerprint, Spend, Window},
    store::{Budget, Result},
};

/// How long until every window has room; `None` when it has. The requests are in the order of their times, none of them ahead.
fn wait(
    started: &VecDeque<OffsetDateTime>,
    now: OffsetDateTime,
    windows: &[Window],
) -> Option<Duration> {
    // When the request that has to leave the window first does so.
    let room = windows.iter().filter_map(|window| {
        let after = now.saturating_sub(window.length);
        let within = started
            .len()
            .saturating_sub(started.partition_point(|at| *at <= after));
        let limit = window.limit as usize;
        let blocks = (within >= limit).then(|| started.get(started.len().saturating_sub(limit)))?;
        Some(blocks.unwrap_or(&now).saturating_add(window.length))
    });
    room.max().map(|room| room - now)
}

/// The requests, those ahead of the clock as if they had started now.
fn by_now(started: &VecDeque<OffsetDateTime>, now: OffsetDateTime) -> VecDeque<OffsetDateTime> {
    started.iter().map(|at| (*at).min(now)).collect()
}

#[async_trait]
impl Budget for MemoryStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        self.with(|state| {
            let now = self.clock.now();
            let started = state.budget.entry(tenant.clone()).or_default();
            for at in started.iter_mut().rev().take_while(|at| **at > now) {
                *at = now;
            }
            if let Some(retry_after) = wait(started, now, windows) {
                return Ok(Spend::Exhausted { retry_after });
            }
            started.push_back(now);
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

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        self.with(|state| {
            let now = self.clock.now();
            let started = state.budget.get(tenant);
            let started = started
                .map(|started| by_now(started, now))
                .unwrap_or_default();
            Ok(wait(&started, now, windows).unwrap_or(Duration::ZERO))
        })
        .await
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        self.with(|state| {
            let now = self.clock.now();
            let count = |is: &dyn Fn(OffsetDateTime) -> bool| {
                let started = state.budget.get(tenant).into_iter().flatten();
                u32::try_from(started.filter(|at| is(**at)).count()).unwrap_or(u32::MAX)
            };
            let within = |length| {
                let after = now.saturating_sub(length);
                count(&|at| at > after)
            };
            Ok(BudgetUsage {
                last_minute: within(Duration::minutes(1)),
                last_hour: within(Duration::hours(1)),
                ahead: count(&|at| at > now),
            })
        })
        .await
    }
}
