//! `backup_activity` (section 6).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fleet::{self, Class, Device, Fleet};
use super::one_rule::{self, Answers, Plain, Scope, Signal, Verdicts, hold};
use super::reading::{self, DAY, Fields, Kind};
use super::tenant::Report;

const ACTIVITY: Fields = &[
    ("id", Kind::Whole),
    ("deviceId", Kind::Whole),
    ("statusCode", Kind::Text),
    ("activityResult", Kind::Text),
];
// Open: an activity of no device, such as what the console logs of itself, and one without an `id`, which cannot be told
// from its repetition. Of a code that says nothing of backups neither is missed; of one that does, the row is useless.
const BACKUP: Fields = &[("id", Kind::Key), ("deviceId", Kind::Key)];

/// Ordered: the later is the worse, and from success on it is activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Restored,
    IntegrityPassed,
    IntegrityFailed,
    Success,
    SuccessWithWarning,
    Cancelled,
    Failure,
}

/// What the live devices' activities come to.
#[derive(Default)]
struct Counts {
    with_activity: usize,
    with_success: usize,
    warnings_only: usize,
    latest_run_failed: usize,
    /// Devices of any class without activity, and the workstations and servers among them.
    without_any: usize,
    without_any_backup: usize,
    checks_passed: usize,
    checks_failed: usize,
    restores: usize,
}

impl Counts {
    fn of(fleet: &Fleet, rows: &[&Value]) -> Self {
        let mut counts = Self::default();
        for device in fleet.approved.iter().filter(|device| !device.stale) {
            let events = events(device, rows, fleet.now);
            let all: Vec<Event> = events.values().copied().collect();
            let times = |wanted: Event| all.iter().filter(|event| **event == wanted).count();
            counts.checks_passed += times(Event::IntegrityPassed);
            counts.checks_failed += times(Event::IntegrityFailed);
            counts.restores += times(Event::Restored);

            let (success, warning) = (
                times(Event::Success) > 0,
                times(Event::SuccessWithWarning) > 0,
            );
            // The last of success, warning, failure and cancelled.
            let latest = events
                .values()
                .rev()
                .find(|event| **event >= Event::Success);
            if let Some(latest) = latest {
                counts.with_activity += 1;
                counts.with_success += usize::from(success || warning);
                counts.warnings_only += usize::from(warning && !success);
                counts.latest_run_failed += usize::from(*latest == Event::Failure);
            } else {
                let missed = matches!(device.class, Class::Workstation | Class::Server);
                counts.without_any += 1;
                counts.without_any_backup += usize::from(missed);
            }
        }
        counts
    }
}

pub(crate) fn evaluate(fleet: &Fleet, report: &Report) -> Value {
    let (rows, undecodable) = fleet::rows(report, ACTIVITY);
    let (rows, useless): (Vec<&Value>, Vec<&Value>) = rows
        .into_iter()
        .filter(|row| event(row).is_some())
        .partition(|row| reading::decodes(row, BACKUP));
    let malformed = undecodable || !useless.is_empty();
    let counts = Counts::of(fleet, &rows);
    let Counts {
        with_activity,
        with_success,
        warnings_only,
        ..
    } = counts;
    let without_success = with_activity - with_success;

    let scope = Scope {
        approved: fleet.approved.len(),
        measured: with_activity,
        unmeasured: 0,
        stale: fleet.approved.iter().filter(|device| device.stale).count(),
        not_applicable: counts.without_any,
        not_approved: fleet.not_approved,
    };
    let plain = if without_success > 0 && 10 * without_success >= with_activity {
        Plain::Fail
    } else if without_success > 0 || warnings_only > 0 {
        Plain::Warning
    } else {
        Plain::Pass
    };
    let all_stale = scope.stale == scope.approved && scope.approved > 0;
    let answers = Answers::of(&[report], malformed);
    let status = if !answers.all() || with_activity == 0 {
        // Also without a single approved device, and with stale ones only.
        "unknown"
    } else {
        // Open: whether coverage (rule 4) holds here too. It does: rules 1 and 2 bend and no other. Devices without any
        // activity are out of scope, so only stale ones can leave less than half.
        one_rule::rules_3_to_6(
            &scope,
            Verdicts {
                best: plain,
                worst: plain,
                measured: Some(plain),
            },
        )
    };

    let mut reasons = BTreeSet::new();
    hold(&mut reasons, "no_devices", scope.approved == 0);
    hold(&mut reasons, "fleet_dark", all_stale);
    hold(
        &mut reasons,
        "coverage_below_half",
        scope.in_scope() > 0 && !all_stale && scope.below_half(),
    );
    hold(&mut reasons, "backups_failing", without_success > 0);
    hold(&mut reasons, "warnings_only", warnings_only > 0);
    hold(
        &mut reasons,
        "no_backup_activity",
        scope.approved > 0 && with_activity == 0,
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

/// A device's activities that say something of backups, each once, by (time, id).
fn events(device: &Device, rows: &[&Value], now: i64) -> BTreeMap<(i64, i64), Event> {
    // Open: one id with two stories. The newest is the activity, on a tie the worse.
    let mut activities: BTreeMap<i64, (i64, Event)> = BTreeMap::new();
    for row in Fleet::rows_of(device, rows) {
        let time = reading::time(row, "activityTime", now).filter(|time| now - time < 7 * DAY);
        if let (Some(time), Some(event)) = (time, event(row)) {
            let activity = activities
                .entry(row["id"].as_i64().expect("a key"))
                .or_insert((time, event));
            *activity = (*activity).max((time, event));
        }
    }
    activities
        .into_iter()
        .map(|(id, (time, event))| ((time, id), event))
        .collect()
}

/// What a row says by its code, and by its result.
fn event(row: &Value) -> Option<Event> {
    let event = match reading::text(row, "statusCode")? {
        "NINJA_BACKUP_BACKUPJOB_COMPLETED" | "CLOUDBERRY_BACKUPJOB_SUCCEEDED" => Event::Success,
        "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING"
        | "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING" => Event::SuccessWithWarning,
        "NINJA_BACKUP_BACKUPJOB_FAILED"
        | "CLOUDBERRY_BACKUPJOB_FAILED"
        | "SHADOWPROTECT_BACKUPJOB_FAILED"
        | "SHADOWPROTECT_BACKUPJOB_ABORTED" => Event::Failure,
        "NINJA_BACKUP_BACKUPJOB_CANCELLED" => Event::Cancelled,
        "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED" => Event::IntegrityPassed,
        "NINJA_BACKUP_INTEGRITY_CHECK_FAILED" => Event::IntegrityFailed,
        "NINJA_BACKUP_RESTOREJOB_COMPLETED" | "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED" => {
            Event::Restored
        }
        _ => return None,
    };
    if reading::text(row, "activityResult") != Some("FAILURE") {
        return Some(event);
    }
    // Completed, and yet a failure; a failed restore is not counted.
    match event {
        Event::Success | Event::SuccessWithWarning | Event::Failure => Some(Event::Failure),
        Event::IntegrityPassed | Event::IntegrityFailed => Some(Event::IntegrityFailed),
        Event::Cancelled => Some(Event::Cancelled),
        Event::Restored => None,
    }
}
