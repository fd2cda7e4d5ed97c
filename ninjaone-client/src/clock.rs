//! The one place that reads the wall clock; everything else takes the time as an argument or uses tokio's clock.

use time::OffsetDateTime;

/// The time of day, needed for a `Retry-After` date of an answer that carries no `Date`, and to say until when a wait lasts.
#[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
