//! `backup_activity` (section 6).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    fleet::{self, Class, Device, Fleet},
    one_rule::{self, Answers, Plain, Scope, Signal, Verdicts, hold},
    reading::{self, DAY, Field},
    tenant::Report,
};

/// Ordered: the later is the worse, and from success on it is a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Restored,
    IntegrityPassed,
    IntegrityFailed,
    Success,
    SuccessWithWarning,
    /// Cancelled, or ended in a way that cannot be read: activity that is neither.
    Neither,
    Failure,
}

/// What is known of one activity.
#[derive(Clone, Copy, Debug)]
struct Activity {
    device: i64,
    id: i64,
    event: Event,
    /// None where it cannot be read.
    time: Option<i64>,
}

/// What the live devices' activities come to.
#[derive(Default)]
struct Counts {
    with_activity: usize,
    with_success: usize,
    warnings_only: usize,
    latest_run_failed: usize,
    /// Without activity, but with a run whose time cannot be read.
    unmeasured: usize,
    without_any_backup: usize,
    /// In scope, without activity, and nobody knows when it was last in contact.
    of_unknown_contact: usize,
    checks_passed: usize,
    checks_failed: usize,
    restores: usize,
    /// A failure whose time cannot be read.
    undated_failure: bool,
}

impl Counts {
    fn of(fleet: &Fleet, activities: &[Activity]) -> Self {
        let mut counts = Self::default();
        for device in fleet.approved.iter().filter(|device| !device.stale) {
            let of_device = activities.iter().filter(|of| of.device == device.id);
            counts.device(device, of_device, fleet.now);
        }
        counts
    }

    fn device<'a>(
        &mut self,
        device: &Device,
        activities: impl Iterator<Item = &'a Activity>,
        now: i64,
    ) {
        // By (time, id): the last of them is the latest.
        let mut runs: BTreeMap<(i64, i64), Event> = BTreeMap::new();
        let mut undated_run = false;
        for activity in activities {
            let time = match (activity.time, activity.event) {
                (Some(time), _) if now - time < 7 * DAY => time,
                // A failure whose time cannot be read counts as of now.
                (None, Event::Failure) => {
                    self.undated_failure = true;
                    now
                }
                // Another run counts for nothing, but leaves a trace. A check or a restore without a time is not counted.
                (None, event) => {
                    undated_run |= event >= Event::Success;
                    continue;
                }
                (Some(_), _) => continue,
            };
            match activity.event {
                Event::Restored => self.restores += 1,
                Event::IntegrityPassed => self.checks_passed += 1,
                Event::IntegrityFailed => self.checks_failed += 1,
                run => drop(runs.insert((time, activity.id), run)),
            }
        }

        let has = |wanted: Event| runs.values().any(|event| *event == wanted);
        let (success, warning) = (has(Event::Success), has(Event::SuccessWithWarning));
        if let Some((_, latest)) = runs.last_key_value() {
            self.with_activity += 1;
            self.with_success += usize::from(success || warning);
            self.warnings_only += usize::from(warning && !success);
            self.latest_run_failed += usize::from(*latest == Event::Failure);
        } else if undated_run {
            self.unmeasured += 1;
        } else {
            let computer = matches!(device.class, Class::Workstation | Class::Server);
            self.without_any_backup += usize::from(computer);
            self.of_unknown_contact += usize::from(device.in_scope() && !device.contact);
        }
    }
}

pub(crate) fn evaluate(fleet: &Fleet, report: &Report) -> Value {
    let (rows, malformed) = fleet::rows(report, lost);
    let activities = activities(&rows, fleet.now);
    let counts = Counts::of(fleet, &activities);
    let Counts {
        with_activity,
        with_success,
        warnings_only,
        unmeasured,
        ..
    } = counts;
    let without_success = with_activity - with_success;

    // Stale workstations, servers and devices of unknown class. Open: such a device without activity whose last contact cannot be read.
    // It may be stale, and a field that cannot be read is never better than before: it stays in rule 4.
    let silent = |device: &&Device| device.stale && device.in_scope();
    let stale = fleet.approved.iter().filter(silent).count() + counts.of_unknown_contact;
    let approved = fleet.approved.len();
    let scope = Scope {
        approved,
        measured: with_activity,
        unmeasured,
        stale,
        not_applicable: approved - with_activity - unmeasured - stale,
        not_approved: fleet.not_approved,
    };
    let plain = |without, all| plain(without, all, warnings_only);
    let all_stale = approved > 0 && fleet.approved.iter().all(|device| device.stale);
    let answers = Answers::of(&[report], malformed);
    let status = if !answers.all() || with_activity == 0 {
        // Also without a single approved device, and with stale ones only.
        "unknown"
    } else {
        one_rule::rules_3_to_6(
            &scope,
            Verdicts {
                best: plain(without_success, with_activity + unmeasured),
                // A device that is unmeasured is without success.
                worst: plain(without_success + unmeasured, with_activity + unmeasured),
                measured: Some(plain(without_success, with_activity)),
            },
        )
    };

    let mut reasons = BTreeSet::new();
    hold(&mut reasons, "no_devices", approved == 0);
    hold(&mut reasons, "fleet_dark", all_stale);
    hold(
        &mut reasons,
        "undated_rows",
        counts.undated_failure || unmeasured > 0,
    );
    hold(
        &mut reasons,
        "coverage_below_half",
        scope.in_scope() > 0 && !all_stale && scope.below_half(),
    );
    hold(&mut reasons, "unmeasured_devices", unmeasured > 0);
    hold(&mut reasons, "backups_failing", without_success > 0);
    hold(&mut reasons, "warnings_only", warnings_only > 0);
    hold(
        &mut reasons,
        "latest_runs_failing",
        counts.latest_run_failed > 0,
    );
    hold(
        &mut reasons,
        "devices_without_backup",
        counts.without_any_backup > 0,
    );
    hold(
        &mut reasons,
        "no_backup_activity",
        approved > 0 && with_activity == 0,
    );

    Signal {
        name: "backup_activity",
        controls: ["IC-060", "IC-061"],
        status,
        answers,
        reasons,
        metadata: json!({
            "scope": scope.json(),
            "devices": {
                "with_activity": with_activity,
                "with_success": with_success,
                "without_success": without_success,
                "warnings_only": warnings_only,
                "latest_run_failed": counts.latest_run_failed,
                "without_any_backup": counts.without_any_backup,
            },
            "integrity_checks": { "passed": counts.checks_passed, "failed": counts.checks_failed },
            "restores_completed": counts.restores,
            "window_days": 7,
        }),
    }
    .finish(fleet)
}

/// 10 % or more without a success fail, some without or with warnings alone warn.
fn plain(without: usize, all: usize, warnings_only: usize) -> Plain {
    if without > 0 && 10 * without >= all {
        Plain::Fail
    } else if without > 0 || warnings_only > 0 {
        Plain::Warning
    } else {
        Plain::Pass
    }
}

/// Lost without an id or a code. Open: a blank code. It is none. Open: an activity of no device, such as what the console logs of itself.
/// It is missed only where its code says something of backups.
fn lost(row: &Value) -> bool {
    reading::whole(row, "id").value().is_none()
        || reading::text(row, "statusCode").is_none()
        || (code(row).is_some() && fleet::without_device(row))
}

/// The activities that say something of backups, each once. The same id twice with different content: the failure, else the
/// worse. Open: at which time, if that differs too. At the latest of all its rows that can be read and is in the window: a failure of last
/// week is no less one where a row says that it was today. A failure without a time is as of now, and so is one of which no row
/// has a time in the window and one cannot be read.
fn activities(rows: &[&Value], now: i64) -> Vec<Activity> {
    let mut told: BTreeMap<i64, Vec<Activity>> = BTreeMap::new();
    for row in rows {
        let (Some(id), Some(event), Some(device)) = (
            reading::whole(row, "id").value(),
            event(row),
            fleet::device_of(row),
        ) else {
            continue;
        };
        told.entry(id).or_default().push(Activity {
            device,
            id,
            event,
            time: reading::time(row, "activityTime", now),
        });
    }
    told.into_values()
        .filter_map(|rows| once(&rows, now))
        .collect()
}

/// What the rows of one activity come to.
fn once(rows: &[Activity], now: i64) -> Option<Activity> {
    let worst = rows.iter().max_by_key(|row| (row.event, row.device))?;
    let undated_failure = rows
        .iter()
        .any(|row| row.event == Event::Failure && row.time.is_none());
    let dated = rows.iter().filter_map(|row| row.time);
    let inside = dated.clone().filter(|time| now - time < 7 * DAY).max();
    let undated = rows.iter().any(|row| row.time.is_none());
    let is_known = !undated_failure && (inside.is_some() || !undated);
    let time = inside.or_else(|| dated.max()).filter(|_| is_known);
    Some(Activity { time, ..*worst })
}

/// What a row says by its code alone.
fn code(row: &Value) -> Option<Event> {
    Some(match reading::word(row, "statusCode")?.as_str() {
        "NINJA_BACKUP_BACKUPJOB_COMPLETED" | "CLOUDBERRY_BACKUPJOB_SUCCEEDED" => Event::Success,
        "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING"
        | "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING" => Event::SuccessWithWarning,
        "NINJA_BACKUP_BACKUPJOB_FAILED"
        | "CLOUDBERRY_BACKUPJOB_FAILED"
        | "SHADOWPROTECT_BACKUPJOB_FAILED"
        | "SHADOWPROTECT_BACKUPJOB_ABORTED" => Event::Failure,
        "NINJA_BACKUP_BACKUPJOB_CANCELLED" => Event::Neither,
        "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED" => Event::IntegrityPassed,
        "NINJA_BACKUP_INTEGRITY_CHECK_FAILED" => Event::IntegrityFailed,
        "NINJA_BACKUP_RESTOREJOB_COMPLETED" | "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED" => {
            Event::Restored
        }
        _ => return None,
    })
}

/// What a row says by its code, and by its result.
fn event(row: &Value) -> Option<Event> {
    let event = code(row)?;
    let failure = reading::word(row, "activityResult").as_deref() == Some("FAILURE");
    let unreadable = reading::text_field(row, "activityResult") == Field::Unreadable;
    match event {
        // Completed, and yet a failure; a failed restore is not counted.
        Event::Success | Event::SuccessWithWarning if failure => Some(Event::Failure),
        Event::IntegrityPassed if failure => Some(Event::IntegrityFailed),
        Event::Restored if failure => None,
        Event::Success | Event::SuccessWithWarning if unreadable => Some(Event::Neither),
        // Open: a check or a restore whose result cannot be read. It is not activity, and neither of what it could be.
        Event::IntegrityPassed | Event::Restored if unreadable => None,
        event => Some(event),
    }
}
