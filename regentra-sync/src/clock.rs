//! The clock: the one place that reads the time of day.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime, UtcOffset};

/// Tells the time. Stores and rules take the time as an argument; a use case reads it here, several times in a long run.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, in UTC, to the microsecond (what every store keeps).
    fn now(&self) -> OffsetDateTime;
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

/// A clock that moves only when it is told to: for tests, demonstrations, and replaying a day. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<Mutex<OffsetDateTime>>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: OffsetDateTime) -> Self {
        Self {
            now: Arc::new(Mutex::new(to_micros(now))),
        }
    }

    /// Moves the clock to `now`.
    pub fn set(&self, now: OffsetDateTime) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = to_micros(now);
    }

    /// Moves the clock by `by`.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same instant in UTC with nothing finer than a microsecond: the precision that every store keeps.
#[must_use]
pub fn to_micros(time: OffsetDateTime) -> OffsetDateTime {
    let time = time.to_offset(UtcOffset::UTC);
    time.replace_nanosecond(time.microsecond() * 1_000)
        .unwrap_or(time)
}
