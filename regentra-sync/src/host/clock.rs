//! The clocks: the only place that reads the time of day.
//!
//! There are two kinds. A process has a [`Clock`], which decides what is due and stamps when a signal was collected. A store has a
//! [`StoreClock`], which stamps what processes compete for (leases, the request budget) and decides what lies in the future, so that
//! a process with a wrong clock does not decide for the others.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use time::{Duration, OffsetDateTime, UtcOffset};
use tokio::sync::watch;

/// Within this time, a sleep notices that the machine slept or that the clock was set.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Tells the time. Stores and rules take the time as an argument; a use case reads it here, several times in a long run.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, in UTC, in whole microseconds (the precision that every store keeps).
    fn now(&self) -> OffsetDateTime;

    /// Waits until this clock shows `at` or later, or was set back. The default reads the clock from time to time instead of relying on one
    /// long timer, which stops while a machine sleeps. A clock that does not run at the speed of real time must override it.
    async fn sleep_until(&self, at: OffsetDateTime) {
        let mut before = self.now();
        loop {
            let now = self.now();
            let left = at - now;
            // The clock was set back, so the caller has to plan again.
            if !left.is_positive() || now < before {
                return;
            }
            before = now;
            tokio::time::sleep(left.unsigned_abs().min(LOOK_AGAIN)).await;
        }
    }
}

#[async_trait]
impl Clock for Arc<dyn Clock> {
    fn now(&self) -> OffsetDateTime {
        (**self).now()
    }

    async fn sleep_until(&self, at: OffsetDateTime) {
        (**self).sleep_until(at).await;
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock adapter, the one place that reads the time of day"
    )]
    fn now(&self) -> OffsetDateTime {
        to_micros(OffsetDateTime::now_utc())
    }
}

/// A clock that moves only when it is set: for tests, demonstrations, and replaying a day. Clones share the time. A sleep lasts until the
/// clock is moved far enough, or back.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<watch::Sender<OffsetDateTime>>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: OffsetDateTime) -> Self {
        Self {
            now: Arc::new(watch::Sender::new(to_micros(now))),
        }
    }

    /// Moves the clock to `now`.
    pub fn set(&self, now: OffsetDateTime) {
        self.now.send_replace(to_micros(now));
    }

    /// Moves the clock by `by`.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = now.saturating_add(by));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.now.borrow()
    }

    async fn sleep_until(&self, at: OffsetDateTime) {
        let began = self.now();
        // The wait cannot end early: the sender lives as long as this clock.
        let mut now = self.now.subscribe();
        let _ = now.wait_for(|now| *now >= at || *now < began).await;
    }
}

/// The clock of a store. The store's constructor takes it as a value; it is never a setting in the database. It stamps leases, the request
/// budget and commits, and decides what lies in the future.
///
/// ```
/// use regentra_sync::{host::{ManualClock, StoreClock}, store::MemoryStore};
/// use time::macros::datetime;
/// let clock = ManualClock::at(datetime!(2026-11-23 06:30 UTC));
/// let store = MemoryStore::new().with_clock(StoreClock::of(clock.clone()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct StoreClock(Option<Arc<dyn Clock>>);

impl StoreClock {
    /// The clock of the server that keeps the rows: the database server's, which all processes share, or the machine's if the store is part
    /// of the process.
    #[must_use]
    pub const fn server() -> Self {
        Self(None)
    }

    /// The clock of the machine that the process runs on. With several machines, processes then compete by different clocks.
    #[must_use]
    pub fn machine() -> Self {
        Self::of(SystemClock)
    }

    /// A clock of the host's choice, such as a [`ManualClock`] in tests and demonstrations.
    #[must_use]
    pub fn of(clock: impl Clock) -> Self {
        Self(Some(Arc::new(clock)))
    }

    /// The time by this clock; `None` if the store must ask the database server.
    #[must_use]
    pub fn reading(&self) -> Option<OffsetDateTime> {
        self.0.as_ref().map(Clock::now)
    }

    /// The time by this clock, for a store that is part of the process, whose server is this machine.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.reading().unwrap_or_else(|| SystemClock.now())
    }
}

/// The same instant in UTC, in whole microseconds: the precision that every store keeps.
#[must_use]
pub fn to_micros(time: OffsetDateTime) -> OffsetDateTime {
    let time = time.to_offset(UtcOffset::UTC);
    time.replace_nanosecond(time.microsecond() * 1_000)
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Real;

    use time::macros::datetime;

    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_when_the_clock_is_set_back() {
        let clock = ManualClock::at(datetime!(2026-12-13 06:00 UTC));
        let sleeper = clock.clone();
        let sleep = sleeper.sleep_until(datetime!(2026-12-13 12:00 UTC));
        let set_back = async { clock.set(datetime!(2026-11-23 06:00 UTC)) };
        let both = futures_util::future::join(sleep, set_back);
        let soon = tokio::time::timeout(Real::from_secs(5), both).await;
        assert!(soon.is_ok(), "it sleeps for twenty days more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_whose_clock_is_set_back_is_noticed_within_half_a_minute() {
        let clock = Woken(ManualClock::at(datetime!(2026-12-13 06:00 UTC)));
        let began = tokio::time::Instant::now();
        let sleep = clock.sleep_until(datetime!(2026-12-13 12:00 UTC));
        let set_back = async {
            tokio::time::sleep(Real::from_secs(45)).await;
            clock.0.set(datetime!(2026-11-23 06:00 UTC));
        };
        futures_util::future::join(sleep, set_back).await;
        assert_eq!(began.elapsed(), Real::from_mins(1));
    }

    #[tokio::test]
    async fn who_sleeps_by_a_manual_clock_sleeps_until_it_is_moved_far_enough() {
        let clock = ManualClock::at(datetime!(2026-11-23 06:00 UTC));
        clock.sleep_until(clock.now()).await;
        let sleeper = clock.clone();
        let sleep = sleeper.sleep_until(datetime!(2026-11-23 06:30 UTC));
        let mut sleep = std::pin::pin!(sleep);
        for _ in 0..2 {
            clock.advance(Duration::minutes(14));
            let soon = tokio::time::timeout(Real::from_millis(5), sleep.as_mut());
            assert!(soon.await.is_err(), "{}", clock.now());
        }
        clock.advance(Duration::minutes(2));
        sleep.await;
    }

    /// A clock that jumps ahead, like the clock of a machine that slept.
    #[derive(Debug)]
    struct Woken(ManualClock);

    impl Clock for Woken {
        fn now(&self) -> OffsetDateTime {
            self.0.now()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_is_noticed_within_half_a_minute() {
        let clock = Woken(ManualClock::at(datetime!(2026-11-23 06:00 UTC)));
        let began = tokio::time::Instant::now();
        let sleep = clock.sleep_until(datetime!(2026-11-23 12:00 UTC));
        let woken = async {
            tokio::time::sleep(Real::from_secs(45)).await;
            clock.0.advance(Duration::hours(7));
        };
        futures_util::future::join(sleep, woken).await;
        assert_eq!(began.elapsed(), Real::from_mins(1));
    }
}
