//! The registry of limiters: all clients of a tenant in the process share one limiter.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use super::{BudgetKey, Limiter};

static LIMITERS: LazyLock<Mutex<HashMap<BudgetKey, Arc<Limiter>>>> = LazyLock::new(Mutex::default);

/// Returns the limiter of a tenant. It outlives its clients while its history is still relevant, so a process that builds a new client for
/// every job also stays within the limit.
pub(crate) fn limiter_of(key: &BudgetKey) -> Arc<Limiter> {
    let mut limiters = LIMITERS.lock().unwrap_or_else(PoisonError::into_inner);
    limiters.retain(|_, limiter| Arc::strong_count(limiter) > 1 || !limiter.is_idle());
    Arc::clone(limiters.entry(key.clone()).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_count_survives_its_clients_until_it_no_longer_matters() {
        let key = BudgetKey::new("registry.example", "a");
        let limit = crate::RateLimit::default();
        let lane = crate::Lane::Interactive;
        let _ = limiter_of(&key)
            .acquire(&limit, lane, tokio::time::Instant::now(), |_| {})
            .await
            .unwrap();
        let used = || {
            limiter_of(&key)
                .used(&limit)
                .windows
                .first()
                .copied()
                .unwrap()
                .0
        };
        assert_eq!(used(), 1);
        assert_eq!(
            limiter_of(&BudgetKey::new("registry.example", "b"))
                .used(&limit)
                .windows[0]
                .0,
            0
        );
        tokio::time::sleep(std::time::Duration::from_secs(3700)).await;
        assert_eq!(used(), 0);
    }
}
