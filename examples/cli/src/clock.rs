//! A clock that starts at a chosen time and then runs as real time does.

use std::time::Instant;

use regentra_sync::host::{Clock, to_micros};
use time::OffsetDateTime;

/// Tells the time as if it had been `from` when it was made.
#[derive(Clone, Copy, Debug)]
pub struct RunningFrom {
    from: OffsetDateTime,
    since: Instant,
}

impl RunningFrom {
    /// A clock that shows `from` now.
    #[must_use]
    pub fn new(from: OffsetDateTime) -> Self {
        Self {
            from,
            since: Instant::now(),
        }
    }
}

impl Clock for RunningFrom {
    fn now(&self) -> OffsetDateTime {
        let elapsed = time::Duration::try_from(self.since.elapsed());
        let elapsed = elapsed.unwrap_or(time::Duration::MAX);
        // At the end of the calendar it stands.
        to_micros(self.from.saturating_add(elapsed))
    }
}
