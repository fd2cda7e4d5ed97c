//! Detects times so far in the future that a clock must have been wrong.

use time::{Duration, OffsetDateTime};

/// How far a time may lie ahead of the store's clock, and still count as the present: clocks of well-kept machines differ by
/// less. What lies further ahead counts as not there.
pub const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// Whether a time lies so far ahead of the store's clock, which shows `now`, that it counts as not there.
#[must_use]
pub fn is_ahead(time: OffsetDateTime, now: OffsetDateTime) -> bool {
    time > now.saturating_add(CLOCK_TOLERANCE)
}

/// The time, or `now` where it lies so far ahead that it counts as not there: what is written once more is written so.
pub(crate) fn present(time: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    if is_ahead(time, now) { now } else { time }
}
