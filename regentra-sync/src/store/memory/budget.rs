use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{MemoryStore, State};
use crate::{
    model::{BudgetUsage, Fingerprint, Spend, Window},
    store::{Budget, Result, effects},
};

impl State {
    fn started(&self, tenant: &Fingerprint) -> &[OffsetDateTime] {
        let started = self.budget.get(tenant);
        started.map(Vec::as_slice).unwrap_or_default()
    }
}

#[async_trait]
impl Budget for MemoryStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        self.with(|state| {
            let started = state.budget.entry(tenant.clone()).or_default();
            Ok(effects::spend(started, windows, self.clock.now()))
        })
        .await
    }

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        self.with(|state| {
            let wait = effects::budget_wait(state.started(tenant), windows, self.clock.now());
            Ok(wait.unwrap_or(Duration::ZERO))
        })
        .await
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        self.with(|state| {
            Ok(effects::budget_usage(
                state.started(tenant),
                self.clock.now(),
            ))
        })
        .await
    }
}
