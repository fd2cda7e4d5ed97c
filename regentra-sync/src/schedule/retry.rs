//! When an event that failed is delivered again: one rule for the scheduler and for every engine.

use std::time::Duration as Wait;

use ninjaone_client::ErrorKind as Vendor;
use time::{Duration, OffsetDateTime};

use super::{
    cadence::spread,
    event::Event,
    outcome::{Again, EventEnd, EventOutcome},
};
use crate::model::error_kind::ErrorKind;

/// How long an event waits after an attempt that did not succeed, and how often it is handled.
///
/// - An event that failed and may succeed later waits `first`, then twice as long each time, at most `longest`, and at least as long as
///   NinjaOne asked for. A part of up to a quarter is added to every wait, a different one for each event, so that events that failed
///   together are not retried together.
/// - The wait of a busy event is at most half a lease, because the process that works on the subject may have died.
/// - An event that was superseded for the first time is handled again at once.
/// - No event is handled again once the next tick of its kind is due, because that tick's event takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    pub(crate) attempts: u32,
}

impl Default for Retry {
    /// Waits from 30 seconds to half an hour, and as many attempts as there is time for before the next tick.
    fn default() -> Self {
        Self {
            first: Duration::seconds(30),
            longest: Duration::minutes(30),
            attempts: u32::MAX,
        }
    }
}

/// An attempt that has ended, from which the verdict is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) event: &'a Event,
    /// Counts from 1.
    pub(crate) number: u32,
    /// The time now.
    pub(crate) now: OffsetDateTime,
    /// When the next tick of its kind is due.
    pub(crate) until: OffsetDateTime,
    /// How long a lease holds without being renewed.
    pub(crate) lease: Duration,
}

impl Retry {
    /// Sets the waits: `first`, then twice as long each time, at most `longest`.
    #[must_use]
    pub fn waits(mut self, first: Duration, longest: Duration) -> Self {
        (self.first, self.longest) = (first.max(Duration::MILLISECOND), longest);
        self
    }

    /// Sets how often an event is handled before it is given up; at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The wait after this number of attempts.
    pub(crate) fn wait(self, attempt: u32) -> Duration {
        let doubled = 2_i32.saturating_pow(attempt.saturating_sub(1).min(30));
        self.first
            .checked_mul(doubled)
            .map_or(self.longest, |wait| wait.min(self.longest))
    }

    /// The verdict on an attempt with this outcome. `is_retryable` says whether another attempt may end differently.
    pub(crate) fn verdict(
        self,
        attempt: Attempt<'_>,
        outcome: EventOutcome,
        is_retryable: bool,
    ) -> EventEnd {
        let again = if is_retryable {
            self.again(attempt, outcome)
        } else {
            Again::Never
        };
        let outcome = match outcome {
            EventOutcome::Failed { error } => EventOutcome::Failed {
                error: error.remembered(),
            },
            other => other,
        };
        EventEnd { outcome, again }
    }

    fn again(self, attempt: Attempt<'_>, outcome: EventOutcome) -> Again {
        let Attempt {
            event, number, now, ..
        } = attempt;
        // A tick in the future was planned before the clock was set back.
        if number >= self.attempts || event.scheduled_at() > now || now >= attempt.until {
            return Again::Never;
        }
        let wait = match outcome {
            EventOutcome::Superseded if number == 1 => return Again::Now,
            EventOutcome::Busy => self.wait(number).min(attempt.lease / 2),
            EventOutcome::Failed {
                error: ErrorKind::Ninjaone(Vendor::RateLimited { retry_after }),
            } => {
                let asked = retry_after.unwrap_or(Wait::ZERO);
                let asked = Duration::try_from(asked).unwrap_or(Duration::MAX);
                self.wait(number).max(asked)
            }
            _ => self.wait(number),
        };
        let at = spread(now.saturating_add(wait), wait / 4, event.id().as_uuid());
        if at >= attempt.until {
            return Again::Never;
        }
        Again::After(Wait::try_from(at - now).unwrap_or(Wait::ZERO))
    }

    /// The end of an event that was not begun, because its connection's request budget has no room for `wait`. Up to a minute is added, a
    /// different time for each event, so that the events of one connection are not delivered together.
    pub(crate) fn deferred(event: &Event, wait: Wait) -> EventEnd {
        let apart = spread(
            OffsetDateTime::UNIX_EPOCH,
            Duration::minutes(1),
            event.id().as_uuid(),
        );
        let apart = Wait::try_from(apart - OffsetDateTime::UNIX_EPOCH).unwrap_or(Wait::ZERO);
        EventEnd {
            outcome: EventOutcome::Deferred,
            again: Again::After(wait.saturating_add(apart)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;
    use crate::{
        model::{CredentialId, EventId, MspOrgId, RegionKey},
        schedule::{Cadence, SyncEvent},
    };

    const TICK: OffsetDateTime = datetime!(2026-11-23 04:15 UTC);
    const FAILED: EventOutcome = EventOutcome::Failed {
        error: ErrorKind::Ninjaone(Vendor::Timeout),
    };

    fn event(n: u128) -> Event {
        let msp = MspOrgId::from_uuid(uuid::Uuid::from_u128(n));
        let region = RegionKey::from_stored("us");
        let credential = CredentialId::of(msp, &region);
        Event::AssetSync(SyncEvent {
            id: EventId::of_sync(credential, TICK),
            msp_org_id: msp,
            region,
            scheduled_at: TICK,
            starts_at: TICK,
        })
    }

    /// The verdict on the attempt of this number, made at this time.
    fn again(
        retry: Retry,
        of: &Event,
        number: u32,
        now: OffsetDateTime,
        outcome: EventOutcome,
    ) -> Again {
        let attempt = Attempt {
            event: of,
            number,
            now,
            until: Cadence::ASSET_SYNC.next(TICK),
            lease: Duration::minutes(5),
        };
        retry.verdict(attempt, outcome, true).again
    }

    #[test]
    fn waits_double_up_to_the_longest_and_never_overflow() {
        let retry = Retry::default();
        let seconds: Vec<_> = (1..=9).map(|n| retry.wait(n).whole_seconds()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800]);
        assert_eq!(retry.wait(u32::MAX), Duration::minutes(30));
        let endless = Retry::default().waits(Duration::MAX, Duration::MAX);
        assert_eq!(endless.wait(9), Duration::MAX);
    }

    #[test]
    fn events_that_failed_together_are_retried_apart_and_before_the_next_tick() {
        let retry = Retry::default();
        let next = Cadence::ASSET_SYNC.next(TICK);
        let waits: BTreeSet<_> = (0..20)
            .filter_map(|n| match again(retry, &event(n), 1, TICK, FAILED) {
                Again::After(wait) => Some(wait),
                Again::Now | Again::Never => None,
            })
            .collect();
        assert_eq!(waits.len(), 20);
        for wait in waits {
            assert!(wait >= Wait::from_secs(30) && wait < Wait::from_secs(38));
        }
        let late = next - Duration::seconds(20);
        assert_eq!(again(retry, &event(1), 1, late, FAILED), Again::Never);
        assert_eq!(again(retry, &event(1), 1, next, FAILED), Again::Never);
    }

    #[test]
    fn attempts_are_counted_where_the_host_says_so() {
        let retry = Retry::default().attempts(3);
        assert_ne!(again(retry, &event(1), 2, TICK, FAILED), Again::Never);
        assert_eq!(again(retry, &event(1), 3, TICK, FAILED), Again::Never);
    }

    #[test]
    fn each_outcome_has_its_wait() {
        let (retry, event) = (Retry::default(), event(1));
        let of = |number, outcome| match again(retry, &event, number, TICK, outcome) {
            Again::After(wait) => Some(wait.as_secs()),
            Again::Now => Some(0),
            Again::Never => None,
        };
        let asked = |seconds| EventOutcome::Failed {
            error: ErrorKind::Ninjaone(Vendor::RateLimited {
                retry_after: Some(Wait::from_secs(seconds)),
            }),
        };
        // An event waits up to a quarter longer.
        let apart = |least: u64| least..=least + least / 4;
        assert!(apart(30).contains(&of(1, FAILED).unwrap()));
        assert!(apart(1_800).contains(&of(9, FAILED).unwrap()));
        // Half a lease.
        assert!(apart(150).contains(&of(9, EventOutcome::Busy).unwrap()));
        assert_eq!(of(1, EventOutcome::Superseded), Some(0));
        assert!(apart(60).contains(&of(2, EventOutcome::Superseded).unwrap()));
        assert!(apart(600).contains(&of(1, asked(600)).unwrap()));
        assert!(apart(30).contains(&of(1, asked(5)).unwrap()));
        assert_eq!(of(1, asked(86_400)), None, "the next tick is due before");
        assert_eq!(of(1, asked(u64::MAX)), None);
    }

    #[test]
    fn what_cannot_come_right_or_was_planned_ahead_is_not_handled_again() {
        let event = event(1);
        let attempt = Attempt {
            event: &event,
            number: 1,
            now: TICK,
            until: TICK + Duration::HOUR,
            lease: Duration::minutes(5),
        };
        let retry = Retry::default();
        assert_eq!(retry.verdict(attempt, FAILED, false).again, Again::Never);
        let now = TICK - Duration::SECOND;
        let ahead = Attempt { now, ..attempt };
        assert_eq!(retry.verdict(ahead, FAILED, true).again, Again::Never);
    }

    #[test]
    fn what_waits_for_the_budget_is_delivered_when_there_is_room_each_in_its_own_moment() {
        let wait = Wait::from_mins(7);
        let ends: BTreeSet<_> = (0..20)
            .map(|n| match Retry::deferred(&event(n), wait) {
                EventEnd {
                    outcome: EventOutcome::Deferred,
                    again: Again::After(after),
                } => after,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ends.len(), 20);
        assert!(
            ends.iter()
                .all(|after| (wait..wait + Wait::from_mins(1)).contains(after))
        );
        let end = Retry::deferred(&event(1), Wait::MAX);
        assert_eq!(end.again, Again::After(Wait::MAX));
    }

    #[test]
    fn an_end_is_read_as_it_was_written() {
        let waits = [
            Again::Never,
            Again::Now,
            Again::After(Wait::from_millis(31_250)),
        ];
        let outcomes = [
            EventOutcome::Done,
            EventOutcome::DoneBefore,
            EventOutcome::Skipped,
            EventOutcome::Busy,
            EventOutcome::Superseded,
            EventOutcome::Deferred,
            FAILED,
        ];
        for (outcome, again) in outcomes
            .into_iter()
            .flat_map(|of| waits.map(|again| (of, again)))
        {
            let end = EventEnd { outcome, again };
            let written = serde_json::to_string(&end).unwrap();
            assert!(written.contains(outcome.as_str()), "{written}");
            assert_eq!(serde_json::from_str::<EventEnd>(&written).unwrap(), end);
        }
        let failed = EventEnd {
            outcome: FAILED,
            again: Again::Never,
        };
        assert_eq!(
            serde_json::to_string(&failed).unwrap(),
            r#"{"outcome":"failed","error":"ninjaone.timeout","again":"never"}"#
        );
    }
}
