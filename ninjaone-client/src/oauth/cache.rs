//! One token for all clones of a client. It is fetched once, even if many requests need it at the same time.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use tokio::{sync::Mutex, time::Instant};

use super::{Token, TokenAnswer};
use crate::Error;

/// The current token of one (host, client id).
#[derive(Default)]
pub(crate) struct TokenCache {
    current: RwLock<Option<Arc<Token>>>,
    /// Locked while a token is fetched. A caller that waited for the lock finds the result.
    renewal: Mutex<Renewal>,
    failures: AtomicU64,
}

#[derive(Default)]
struct Renewal {
    tokens: u64,
    last_failure: Option<Error>,
}

impl TokenCache {
    /// Returns the current token, or fetches one with `fetch`. All callers at the same time share one call of `fetch`, whether it succeeds
    /// or fails.
    ///
    /// If the future of the fetching caller is dropped, the next waiting caller fetches.
    pub(crate) async fn get<F: Future<Output = Result<TokenAnswer, Error>>>(
        &self,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Token>, Error> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let failures_before = self.failures.load(Ordering::Acquire);
        let mut renewal = self.renewal.lock().await;
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        // If the fetch failed while this caller waited, the failure applies to this caller too.
        if self.failures.load(Ordering::Acquire) > failures_before
            && let Some(failure) = renewal.last_failure.clone()
        {
            return Err(failure);
        }
        match fetch().await {
            Ok(answer) => Ok(self.install(&mut renewal, answer)),
            Err(error) => {
                renewal.last_failure = Some(error.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Stores a token that was received in another way.
    pub(crate) async fn put(&self, answer: TokenAnswer) {
        let mut renewal = self.renewal.lock().await;
        self.install(&mut renewal, answer);
    }

    fn install(&self, renewal: &mut Renewal, answer: TokenAnswer) -> Arc<Token> {
        renewal.tokens += 1;
        renewal.last_failure = None;
        let lifetime = answer.lifetime();
        let token = Arc::new(Token::new(
            answer.access_token,
            lifetime,
            renewal.tokens,
            Instant::now(),
        ));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&token));
        token
    }

    /// Forgets a token that was refused, unless it has been replaced since.
    pub(crate) fn refused(&self, generation: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current
            .as_ref()
            .is_some_and(|token| token.generation == generation)
        {
            *current = None;
        }
    }

    /// The current token, unless it is about to expire.
    pub(crate) fn fresh(&self) -> Option<Arc<Token>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .filter(|token| token.is_fresh(Instant::now()))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, time::Duration};

    use super::*;
    use crate::ErrorKind;

    fn answer(lifetime: u64) -> TokenAnswer {
        TokenAnswer::read(format!(r#"{{"access_token":"t","expires_in":{lifetime}}}"#).as_bytes())
            .unwrap()
    }

    /// Requests a token from many tasks at once. Returns how many fetches were made, and how many tasks got a token.
    async fn ask(cache: &Arc<TokenCache>, result: Result<(), ErrorKind>) -> (usize, usize) {
        let fetched = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (cache, fetched) = (Arc::clone(cache), Arc::clone(&fetched));
            tasks.spawn(async move {
                let got = cache.get(|| async {
                    fetched.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    result
                        .map(|()| answer(3600))
                        .map_err(|kind| Error::new(kind, "no"))
                });
                got.await.is_ok()
            });
        }
        let succeeded = tasks.join_all().await.into_iter().filter(|ok| *ok).count();
        (fetched.load(Ordering::Relaxed), succeeded)
    }

    #[tokio::test(start_paused = true)]
    async fn one_renewal_for_all_who_ask() {
        let cache = Arc::new(TokenCache::default());
        assert_eq!(ask(&cache, Ok(())).await, (1, 20));
        assert_eq!(ask(&cache, Ok(())).await, (0, 20));
        tokio::time::sleep(Duration::from_secs(3541)).await;
        assert_eq!(ask(&cache, Ok(())).await, (1, 20), "renewed a minute early");
    }

    #[tokio::test(start_paused = true)]
    async fn one_failure_for_all_who_ask_and_a_new_try_for_who_comes_later() {
        let cache = Arc::new(TokenCache::default());
        assert_eq!(ask(&cache, Err(ErrorKind::Unauthenticated)).await, (1, 0));
        assert_eq!(ask(&cache, Ok(())).await, (1, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_renewal_is_taken_over() {
        let cache = Arc::new(TokenCache::default());
        let slow = cache.get(|| async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Ok(answer(3600))
        });
        assert!(
            tokio::time::timeout(Duration::from_secs(1), slow)
                .await
                .is_err()
        );
        assert_eq!(ask(&cache, Ok(())).await, (1, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_refused_token_is_forgotten() {
        let cache = Arc::new(TokenCache::default());
        let first = cache.get(|| async { Ok(answer(3600)) }).await.unwrap();
        cache.refused(first.generation);
        let second = cache.get(|| async { Ok(answer(3600)) }).await.unwrap();
        cache.refused(first.generation);
        assert_eq!(ask(&cache, Ok(())).await, (0, 20));
        assert_ne!(first.generation, second.generation);
    }
}
