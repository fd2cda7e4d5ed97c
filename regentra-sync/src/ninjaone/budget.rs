//! The request budget in the store, as the client draws from it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use ninjaone_client::{BudgetError, BudgetGrant, BudgetKey, Lane, RateLimit, SharedBudget};
use secrecy::SecretString;

use crate::{
    model::{Fingerprint, Spend, Window},
    seal::Keyring,
    store::Store,
};

/// Credentials that are tried.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// What log-ins spend until NinjaOne accepts the credentials.
    pub(super) log_ins: Fingerprint,
    /// NinjaOne gave a token for them: what follows is the tenant's.
    pub(super) accepted: Arc<AtomicBool>,
}

/// The budget in the store, as the client asks for it.
#[derive(Clone, Debug)]
pub(super) struct StoreBudget {
    pub(super) store: Arc<dyn Store>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) log_ins: Option<Trial>,
}

pub(super) fn windows_of(limit: &RateLimit, lane: Lane) -> Vec<Window> {
    let windows = limit.windows_of(lane).into_iter();
    windows
        .map(|(requests, length)| Window {
            limit: u32::try_from(requests).unwrap_or(u32::MAX),
            length: length.try_into().unwrap_or(time::Duration::MAX),
        })
        .collect()
}

/// The same, with room for so many requests in the longest of them: at most half of it, so that what is large begins at all.
pub(super) fn windows_with_room(limit: &RateLimit, lane: Lane, requests: u32) -> Vec<Window> {
    let mut windows = windows_of(limit, lane);
    let longest = windows.iter_mut().max_by_key(|window| window.length);
    if let Some(longest) = longest {
        let room = requests.clamp(1, (longest.limit / 2).max(1));
        longest.limit = longest.limit.saturating_sub(room - 1).max(1);
    }
    windows
}

#[async_trait]
impl SharedBudget for StoreBudget {
    async fn take(
        &self,
        key: &BudgetKey,
        limit: &RateLimit,
        lane: Lane,
    ) -> Result<BudgetGrant, BudgetError> {
        let tenant = match &self.log_ins {
            Some(trial) if !trial.accepted.load(Ordering::Relaxed) => trial.log_ins.clone(),
            _ => self
                .keyring
                .fingerprint(key.host(), &SecretString::from(key.client_id())),
        };
        let windows = windows_of(limit, lane);
        match self
            .store
            .spend(&tenant, &windows)
            .await
            .map_err(BudgetError::new)?
        {
            Spend::Granted => Ok(BudgetGrant::Granted),
            Spend::Exhausted { retry_after } => {
                // At least a moment, so that nobody asks in a circle.
                let wait = retry_after.max(time::Duration::milliseconds(10));
                Ok(BudgetGrant::Wait(wait.unsigned_abs()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NINJAONE_WINDOWS;

    #[test]
    fn the_clients_default_is_the_quota_that_the_views_show() {
        let limit = RateLimit::default();
        assert_eq!(windows_of(&limit, Lane::Interactive), NINJAONE_WINDOWS);
    }
}
