//! Cadences as the engine's cron lines.

use graphile_worker::{CronJobKeyMode, Crontab, CrontabFill, CrontabTimer, CrontabValue};
use regentra_sync::schedule::{Cadence, PlanKind};
use time::{Duration, OffsetDateTime};

use crate::{
    error::{Error, Result},
    jobs::{PLAN_PRIORITY, Plan, TASK_PLAN, plan_key, plan_queue},
};

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// The cron line that plans the ticks of a cadence.
///
/// If a cron line can express the cadence, the line has a back-fill of one interval, and each job replaces the previous one, so of the
/// missed ticks the newest is planned. A cadence that no cron line can express, such as ten hours, is checked every minute.
pub(crate) fn crontab(kind: PlanKind, cadence: Cadence) -> Result<Crontab> {
    let (every, offset) = (minutes(cadence.every), minutes(cadence.offset));
    let (Some(every @ 1..), Some(offset)) = (every, offset) else {
        return Err(Error::misconfigured(
            "the engine plans by the minute: a cadence is a whole number of minutes, and so is its offset",
        ));
    };
    let timer = timer(every, offset);
    let is_exact = timer.is_some();
    let mut crontab = Crontab::new(timer.unwrap_or_default(), TASK_PLAN);
    crontab.payload = serde_json::to_value(Plan::of(kind)).ok();
    let options = &mut crontab.options;
    options.id = Some(plan_key(kind));
    options.max = Some(1);
    options.queue = Some(plan_queue(kind));
    options.priority = Some(PLAN_PRIORITY);
    if is_exact {
        options.job_key = Some(plan_key(kind));
        options.job_key_mode = Some(CronJobKeyMode::Replace);
        let interval = u32::try_from(every).unwrap_or(u32::MAX);
        options.fill = Some(CrontabFill::minutes(interval));
    }
    Ok(crontab)
}

/// Whether a tick is due in the minute of a cron job.
pub(crate) fn is_due(cadence: Cadence, minute: OffsetDateTime) -> bool {
    minute - cadence.last(minute) < Duration::MINUTE
}

fn minutes(length: Duration) -> Option<i64> {
    let whole = Duration::minutes(length.whole_minutes());
    (length == whole).then(|| length.whole_minutes())
}

/// The minutes and hours at which the cadence is due, if they are the same every day.
fn timer(every: i64, offset: i64) -> Option<CrontabTimer> {
    let value = |n: i64| u32::try_from(n).ok().map(CrontabValue::Number);
    if every < 60 && 60 % every == 0 {
        let minutes = (0..60 / every).map(|n| value(offset.rem_euclid(every) + n * every));
        return Some(CrontabTimer {
            minutes: minutes.collect::<Option<_>>()?,
            ..CrontabTimer::default()
        });
    }
    if every % 60 == 0 && DAY % every == 0 {
        let first = offset.rem_euclid(every);
        let hours = (0..DAY / every).map(|n| value((first + n * every) / 60));
        return Some(CrontabTimer {
            minutes: vec![value(first % 60)?],
            hours: hours.collect::<Option<_>>()?,
            ..CrontabTimer::default()
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use time::macros::datetime;

    use super::*;
    use crate::error::ErrorKind;

    fn cadence(every: i64, offset: i64) -> Cadence {
        Cadence {
            every: Duration::minutes(every),
            offset: Duration::minutes(offset),
        }
    }

    #[test]
    fn a_cron_line_is_due_when_its_cadence_is_and_at_no_other_minute() {
        let (mut exact, mut every_minute) = (0, 0);
        let cadences = [
            Cadence::ASSET_SYNC,
            Cadence::EVIDENCE_SWEEP,
            Cadence::SAAS_ALERTS,
        ];
        let lengths = [1, 5, 7, 30, 45, 60, 90, 120, 240, 360, 600, 1_440, 2_880];
        let others = lengths.map(|every| [0, 15, 59, 61, 1_500].map(|at| cadence(every, at)));
        for cadence in cadences.into_iter().chain(others.into_iter().flatten()) {
            let line = crontab(PlanKind::EvidenceSweep, cadence).unwrap();
            let is_exact = line.options.job_key.is_some();
            *(if is_exact {
                &mut exact
            } else {
                &mut every_minute
            }) += 1;
            for n in 0..3 * DAY {
                let minute = datetime!(2026-11-29 00:00 UTC) + Duration::minutes(n);
                let expected = cadence.last(minute) == minute;
                let naive = DateTime::from_timestamp(minute.unix_timestamp(), 0)
                    .unwrap()
                    .naive_utc();
                let fires = line.should_run_at(&naive);
                assert!(fires || !expected, "{cadence:?} at {minute}");
                if is_exact {
                    assert_eq!(fires, expected, "{cadence:?} at {minute}");
                }
                assert_eq!(is_due(cadence, minute), expected, "{cadence:?} at {minute}");
            }
        }
        assert!(exact > 30 && every_minute > 10, "{exact}, {every_minute}");
    }

    #[test]
    fn the_promises_cadences_have_a_line_of_their_own_with_back_fill_of_one_interval() {
        for (cadence, hours) in [(Cadence::ASSET_SYNC, 4), (Cadence::EVIDENCE_SWEEP, 6)] {
            let line = crontab(PlanKind::AssetSync, cadence).unwrap();
            let fill = line.options.fill.unwrap();
            assert_eq!(fill.to_secs(), hours * 3_600);
            assert_eq!(line.options.job_key_mode, Some(CronJobKeyMode::Replace));
        }
    }

    #[test]
    fn a_cadence_of_seconds_is_refused_by_name() {
        for (every, offset) in [(90, 0), (0, 0), (-60, 0), (3_600, 30)] {
            let cadence = Cadence {
                every: Duration::seconds(every),
                offset: Duration::seconds(offset),
            };
            let error = crontab(PlanKind::AssetSync, cadence).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured);
            assert!(error.to_string().contains("whole number of minutes"));
        }
    }
}
