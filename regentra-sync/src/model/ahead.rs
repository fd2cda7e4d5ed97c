//! Detects times so far in the future that a clock must have been wrong.

use time::{Duration, OffsetDateTime};

/// How far ahead of the store's clock a time may lie without being ignored. The clocks of well-kept machines differ by less. A time further
/// ahead is ignored.
pub const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// Whether a time lies so far ahead of the store's clock, which shows `now`, that it is ignored.
#[must_use]
pub fn is_ahead(time: OffsetDateTime, now: OffsetDateTime) -> bool {
    time > now.saturating_add(CLOCK_TOLERANCE)
}

/// The time, or `now` if the time lies so far ahead that it is ignored. A row that is rewritten gets this time.
pub(crate) fn present(time: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    if is_ahead(time, now) { now } else { time }
}
