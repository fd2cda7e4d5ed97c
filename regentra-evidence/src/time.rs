//! What a time in a fact means at the moment of evaluation.

use time::{Duration, OffsetDateTime};

/// How far a device's clock may run ahead: a time up to five minutes in the future is accepted as now.
pub const FUTURE_TOLERANCE: Duration = Duration::minutes(5);

/// The time a fact carries, as far as it can be believed at `now`.
///
/// Up to [`FUTURE_TOLERANCE`] ahead is taken as `now`. A time further ahead, absent, or not after 1970-01-01T00:00:00Z is
/// unreadable (`None`): never "fresh".
#[must_use]
pub fn believable(time: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let time = time.filter(|time| *time > OffsetDateTime::UNIX_EPOCH)?;
    if time <= now {
        return Some(time);
    }
    let latest = now.checked_add(FUTURE_TOLERANCE).unwrap_or(now);
    (time <= latest).then_some(now)
}

/// Whether `time` lies more than `age` before `now`; exactly `age` before it does not.
pub(crate) fn is_older_than(time: OffsetDateTime, age: Duration, now: OffsetDateTime) -> bool {
    now.checked_sub(age).is_some_and(|limit| time < limit)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

    #[test]
    fn times_are_believed_up_to_five_minutes_ahead() {
        let table = [
            (None, None),
            (Some(OffsetDateTime::UNIX_EPOCH), None),
            (Some(datetime!(1969-12-31 23:59:59 UTC)), None),
            (
                Some(datetime!(1970-01-01 00:00:01 UTC)),
                Some(datetime!(1970-01-01 00:00:01 UTC)),
            ),
            (Some(NOW), Some(NOW)),
            (Some(datetime!(2026-11-23 06:30:00.000001 UTC)), Some(NOW)),
            (Some(datetime!(2026-11-23 06:35 UTC)), Some(NOW)),
            (Some(datetime!(2026-11-23 06:35:00.000001 UTC)), None),
        ];
        for (time, expected) in table {
            assert_eq!(believable(time, NOW), expected, "{time:?}");
        }
    }

    #[test]
    fn exactly_the_age_is_not_older() {
        let age = Duration::days(30);
        assert!(!is_older_than(NOW - age, age, NOW));
        assert!(is_older_than(NOW - age - Duration::MICROSECOND, age, NOW));
        assert!(!is_older_than(NOW, age, NOW));
    }
}
