//! When work is due: cadences as data.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, macros::datetime};

/// The day that cadences count from. It is fixed, so every process plans the same times, also after a restart.
const FIRST_DAY: OffsetDateTime = datetime!(2024-01-01 00:00 UTC);

/// The times at which work is due: at a fixed interval, counted from midnight UTC of a fixed day. So an interval that does not divide a day
/// works, too, although no cron line can express it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cadence {
    /// The interval.
    pub every: Duration,
    /// How long after midnight of the fixed day the work is due for the first time.
    pub offset: Duration,
}

impl Cadence {
    /// Asset sync: every four hours, at a quarter past.
    pub const ASSET_SYNC: Self = Self {
        every: Duration::hours(4),
        offset: Duration::minutes(15),
    };
    /// Evidence sweep: every six hours, at half past.
    pub const EVIDENCE_SWEEP: Self = Self {
        every: Duration::hours(6),
        offset: Duration::minutes(30),
    };
    /// The cadence by which `SaaS Alerts` is read: every ten hours.
    pub const SAAS_ALERTS: Self = Self {
        every: Duration::hours(10),
        offset: Duration::ZERO,
    };

    /// The last due time at or before `now`.
    ///
    /// ```
    /// use regentra_sync::schedule::Cadence;
    /// use time::macros::datetime;
    /// let now = datetime!(2026-11-23 09:10 UTC);
    /// assert_eq!(Cadence::ASSET_SYNC.last(now), datetime!(2026-11-23 08:15 UTC));
    /// assert_eq!(Cadence::EVIDENCE_SWEEP.next(now), datetime!(2026-11-23 12:30 UTC));
    /// ```
    #[must_use]
    pub fn last(self, now: OffsetDateTime) -> OffsetDateTime {
        let every = self.every.max(Duration::SECOND).whole_nanoseconds();
        let passed = (now - FIRST_DAY).saturating_sub(self.offset);
        let passed = passed.whole_nanoseconds();
        let since = i64::try_from(passed.rem_euclid(every)).unwrap_or(0);
        now.saturating_sub(Duration::nanoseconds(since))
    }

    /// The first due time after `now`.
    #[must_use]
    pub fn next(self, now: OffsetDateTime) -> OffsetDateTime {
        self.last(now)
            .saturating_add(self.every.max(Duration::SECOND))
    }
}

/// When the work on `subject` starts, within `length` after `scheduled_at`. The starts are spread evenly over the subjects, and every
/// process computes the same start.
#[must_use]
pub(crate) fn spread(
    scheduled_at: OffsetDateTime,
    length: Duration,
    subject: uuid::Uuid,
) -> OffsetDateTime {
    // Ids are derived by SHA-1, so their last bytes are evenly distributed.
    let place = subject.as_u128() & 0xffff_ffff;
    let millis = u128::try_from(length.whole_milliseconds()).unwrap_or(0) * place / 0x1_0000_0000;
    scheduled_at.saturating_add(Duration::milliseconds(i64::try_from(millis).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any time of the calendar. Times at its two ends and near them are chosen as often as all others.
    fn any_time() -> impl Strategy<Value = OffsetDateTime> {
        let (first, last) = (-377_705_116_800_i64, 253_402_300_799_i64);
        let ends = prop::sample::select(vec![first, first + 1, last - 1, last]);
        let near = (0..200_000_i64, any::<bool>())
            .prop_map(move |(near, is_last)| if is_last { last - near } else { first + near });
        let seconds = prop_oneof![ends, near, first..=last];
        seconds.prop_map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap())
    }

    fn any_length() -> impl Strategy<Value = Duration> {
        let usual = prop::sample::select(vec![
            Duration::ZERO,
            Duration::SECOND,
            Duration::hours(6),
            Duration::MAX,
            Duration::MIN,
        ]);
        prop_oneof![usual, any::<i64>().prop_map(Duration::seconds)]
    }

    proptest! {
        #[test]
        fn no_time_of_the_calendar_panics(
            now in any_time(),
            every in any_length(),
            offset in any_length(),
            subject in any::<u128>(),
        ) {
            let cadence = Cadence { every, offset };
            let (last, next) = (cadence.last(now), cadence.next(now));
            prop_assert!(last <= now);
            prop_assert!(next >= last);
            let start = spread(last, every, uuid::Uuid::from_u128(subject));
            prop_assert!(start >= last || every.is_negative());
        }
    }

    #[test]
    fn ten_hours_do_not_restart_at_midnight() {
        let mut due = FIRST_DAY;
        for _ in 0..50 {
            let next = Cadence::SAAS_ALERTS.next(due);
            assert_eq!(next - due, Duration::hours(10));
            assert_eq!(Cadence::SAAS_ALERTS.last(next), next);
            assert_eq!(Cadence::SAAS_ALERTS.last(next - Duration::NANOSECOND), due);
            due = next;
        }
    }

    #[test]
    fn the_promise_runs_at_quarter_and_half_past() {
        let mut now = datetime!(2026-11-23 00:00 UTC);
        for hour in [0, 4, 8, 12, 16, 20] {
            now = Cadence::ASSET_SYNC.next(now);
            assert_eq!((now.hour(), now.minute()), (hour, 15));
        }
        let mut now = datetime!(2026-11-23 00:00 UTC);
        for hour in [0, 6, 12, 18] {
            now = Cadence::EVIDENCE_SWEEP.next(now);
            assert_eq!((now.hour(), now.minute()), (hour, 30));
        }
    }

    #[test]
    fn starts_are_spread_over_the_interval() {
        let at = datetime!(2026-11-23 06:30 UTC);
        let mut starts: Vec<_> = (0..1_000_u32)
            .map(|n| {
                spread(
                    at,
                    Duration::hours(6),
                    crate::model::derive("test", &[&n.to_be_bytes()]),
                )
            })
            .collect();
        starts.sort();
        assert!(
            starts
                .iter()
                .all(|start| *start >= at && *start < at + Duration::hours(6))
        );
        for (n, start) in starts.iter().enumerate() {
            let even = at + Duration::hours(6) * (f64::from(u32::try_from(n).unwrap()) / 1_000.0);
            assert!(
                (*start - even).abs() < Duration::minutes(25),
                "{n}: {start} is far from {even}"
            );
        }
    }
}
