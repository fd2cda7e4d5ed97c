//! Where a front takes the time from.

use std::{fmt, sync::Arc, time::Instant};

use time::OffsetDateTime;

/// A source of the present for a [`front`](crate::front).
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// A clock read from a function.
    pub fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands still.
    #[must_use]
    pub fn fixed(now: OffsetDateTime) -> Self {
        Self::new(move || now)
    }

    /// A clock that starts at a time and runs as real time does.
    #[must_use]
    pub fn running(from: OffsetDateTime) -> Self {
        let start = Instant::now();
        Self::new(move || from + start.elapsed())
    }

    /// A clock that starts at a time and runs with tokio's time, which a test may pause and advance.
    #[must_use]
    pub fn running_with_tokio(from: OffsetDateTime) -> Self {
        let start = tokio::time::Instant::now();
        Self::new(move || from + start.elapsed())
    }

    /// The wall clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the simulator's one clock adapter"
    )]
    pub fn wall() -> Self {
        Self::new(OffsetDateTime::now_utc)
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
