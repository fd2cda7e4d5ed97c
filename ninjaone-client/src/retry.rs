//! Decides when a request is sent again. The decision is pure, so that a table of cases can test it.

use std::time::Duration;

/// How often and for how long a request is tried. Only reads and token requests are retried.
///
/// Defaults: 5 attempts within 5 minutes. The waits between them double from half a second up to 30 seconds, with jitter, and are never
/// shorter than a `Retry-After`. Time spent waiting for the rate limit does not count.
///
/// If the client chose the page size and all attempts for a page failed, the page may be requested once more in half the size: see
/// [`ClientBuilder::largest_page`](crate::ClientBuilder::largest_page).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    longest: Duration,
    deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            base: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            deadline: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// Sends every request once, for hosts that have their own retries.
    #[must_use]
    pub fn none() -> Self {
        Self::default().max_attempts(1)
    }

    /// Sets how often a request may be sent. Zero counts as one.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the wait after the first failure. It doubles after every further failure, up to `longest`.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.base = first;
        self.longest = longest.max(first);
        self
    }

    /// Sets the longest time that all attempts and the waits between them may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Decides what to do after attempt number `attempt` (from 1) has failed, `elapsed` after the first attempt began.
    ///
    /// `jitter` is between 0 and 1 and varies the wait between half and all of the backoff. The wait is never shorter than a `Retry-After`.
    pub(crate) fn decide(
        self,
        outcome: Outcome,
        attempt: u32,
        elapsed: Duration,
        jitter: f64,
    ) -> RetryDecision {
        let Outcome::Again { retry_after } = outcome else {
            return RetryDecision::Stop;
        };
        if attempt >= self.max_attempts {
            return RetryDecision::Stop;
        }
        let doubled = self
            .base
            .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        let own = doubled
            .min(self.longest)
            .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        let wait = own.max(retry_after.unwrap_or_default());
        if elapsed.saturating_add(wait) > self.deadline {
            return RetryDecision::Stop;
        }
        RetryDecision::After(wait)
    }
}

/// How an attempt failed, as far as the decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Another attempt would fail too.
    Final,
    /// Another attempt may succeed, but not before `retry_after` if the server sent it.
    Again {
        /// The wait that the server asked for.
        retry_after: Option<Duration>,
    },
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Give up.
    Stop,
    /// Wait, then send again.
    After(Duration),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AGAIN: Outcome = Outcome::Again { retry_after: None };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_table() {
        let policy = RetryPolicy::default();
        let asked = |secs| Outcome::Again {
            retry_after: Some(seconds(secs)),
        };
        for (outcome, attempt, elapsed, decision) in [
            (Outcome::Final, 1, 0, RetryDecision::Stop),
            (
                AGAIN,
                1,
                0,
                RetryDecision::After(Duration::from_millis(500)),
            ),
            (AGAIN, 2, 1, RetryDecision::After(seconds(1))),
            (AGAIN, 4, 1, RetryDecision::After(seconds(4))),
            (AGAIN, 5, 1, RetryDecision::Stop),
            (asked(60), 1, 0, RetryDecision::After(seconds(60))),
            (asked(0), 3, 0, RetryDecision::After(seconds(2))),
            (asked(60), 1, 240, RetryDecision::After(seconds(60))),
            (asked(61), 1, 240, RetryDecision::Stop),
            (asked(u64::MAX), 1, 0, RetryDecision::Stop),
        ] {
            assert_eq!(
                policy.decide(outcome, attempt, seconds(elapsed), 1.0),
                decision,
                "{outcome:?} {attempt} {elapsed}"
            );
        }
        assert_eq!(
            RetryPolicy::none().decide(AGAIN, 1, Duration::ZERO, 0.5),
            RetryDecision::Stop
        );
    }

    proptest! {
        #[test]
        fn never_before_retry_after_and_never_past_the_deadline(
            retry_after in proptest::option::of(0_u64..10_000),
            attempt in 1_u32..100, elapsed in 0_u64..1000, jitter in any::<f64>(), deadline in 0_u64..1000,
        ) {
            let policy = RetryPolicy::default().max_attempts(50).deadline(seconds(deadline));
            let outcome = Outcome::Again { retry_after: retry_after.map(seconds) };
            if let RetryDecision::After(wait) = policy.decide(outcome, attempt, seconds(elapsed), jitter) {
                prop_assert!(wait >= seconds(retry_after.unwrap_or(0)));
                prop_assert!(seconds(elapsed) + wait <= seconds(deadline));
                prop_assert!(attempt < 50);
            }
        }
    }
}
