//! `backup_activity` (section 6).

use serde_json::{Value, json};

use super::{
    BACKUP, Table,
    rows::{
        Change, DAY, HOUR, MICROSECOND, MINUTE, SECOND, activity, ago, customer, device, healthy,
        ids,
    },
};
use crate::oracle::tenant::Tenant;

pub(super) const COMPLETED: &str = "NINJA_BACKUP_BACKUPJOB_COMPLETED";
pub(super) const WITH_WARNING: &str = "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING";
pub(super) const FAILED: &str = "NINJA_BACKUP_BACKUPJOB_FAILED";
pub(super) const CANCELLED: &str = "NINJA_BACKUP_BACKUPJOB_CANCELLED";

const INSIDE: &str = "inside the window";
const OUTSIDE: &str = "outside";
const UNDATED: &str = "at no time that can be read";

pub(crate) fn table(table: &mut Table) {
    codes(table);
    window(table);
    thresholds(table);
    latest_run(table);
    beside_the_verdict(table);
}

fn with(rows: Vec<Value>) -> Tenant {
    let mut tenant = customer(vec![device(1)]);
    tenant.activities.rows = rows;
    tenant
}

/// What a single activity makes of a device.
fn single(activity: &str) -> (&'static str, Vec<&'static str>, Value) {
    let devices = |activity: i64, success: i64, warnings: i64, latest: i64| {
        json!({
            "with_activity": activity, "with_success": success, "without_success": activity - success,
            "warnings_only": warnings, "latest_run_failed": latest, "without_any_backup": 1 - activity,
        })
    };
    match activity {
        "success" => ("pass", vec![], devices(1, 1, 0, 0)),
        "warning" => ("warning", vec!["warnings_only"], devices(1, 1, 1, 0)),
        "failure" => (
            "fail",
            vec!["backups_failing", "latest_runs_failing"],
            devices(1, 0, 0, 1),
        ),
        "cancelled" => ("fail", vec!["backups_failing"], devices(1, 0, 0, 0)),
        "unmeasured" => (
            "unknown",
            vec![
                "coverage_below_half",
                "no_backup_activity",
                "undated_rows",
                "unmeasured_devices",
            ],
            devices(0, 0, 0, 0).with("without_any_backup", 0),
        ),
        _ => (
            "unknown",
            vec!["devices_without_backup", "no_backup_activity"],
            devices(0, 0, 0, 0),
        ),
    }
}

fn codes(table: &mut Table) {
    // Each code as it is, and with `activityResult` `FAILURE`.
    let codes = [
        (COMPLETED, "success", "failure"),
        ("CLOUDBERRY_BACKUPJOB_SUCCEEDED", "success", "failure"),
        (WITH_WARNING, "warning", "failure"),
        (
            "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING",
            "warning",
            "failure",
        ),
        (FAILED, "failure", "failure"),
        ("CLOUDBERRY_BACKUPJOB_FAILED", "failure", "failure"),
        ("SHADOWPROTECT_BACKUPJOB_FAILED", "failure", "failure"),
        ("SHADOWPROTECT_BACKUPJOB_ABORTED", "failure", "failure"),
        (CANCELLED, "cancelled", "cancelled"),
        (
            "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
            "check passed",
            "check failed",
        ),
        (
            "NINJA_BACKUP_INTEGRITY_CHECK_FAILED",
            "check failed",
            "check failed",
        ),
        ("NINJA_BACKUP_RESTOREJOB_COMPLETED", "restored", "nothing"),
        (
            "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED",
            "restored",
            "nothing",
        ),
        // This list and nothing else.
        ("NINJA_BACKUP_BACKUPJOB_STARTED", "nothing", "nothing"),
        (
            "NINJA_BACKUP_BACKUPJOB_START_REQUESTED",
            "nothing",
            "nothing",
        ),
        ("NINJA_BACKUP_BACKUPJOB_IN_PROCESS", "nothing", "nothing"),
        ("NINJA_BACKUP_BACKUPJOB_PROCESSING", "nothing", "nothing"),
        (
            "NINJA_BACKUP_INTEGRITY_CHECK_CANCELLED",
            "nothing",
            "nothing",
        ),
        ("NINJA_BACKUP_UPSYNCJOB_COMPLETED", "nothing", "nothing"),
        ("NINJA_BACKUP_UPSYNCJOB_FAILED", "nothing", "nothing"),
        ("NINJA_BACKUP_RESTOREJOB_FAILED", "nothing", "nothing"),
        ("NINJA_BACKUP_IMAGE_RESTORE_FAILED", "nothing", "nothing"),
        ("NINJA_BACKUP_INSTALL_FAILED", "nothing", "nothing"),
        (
            "NINJA_BACKUP_BACKUPPLAN_CREATION_FAILED",
            "nothing",
            "nothing",
        ),
        (
            "NINJA_BACKUP_IMAGE_DOWNLOAD_COMPLETED",
            "nothing",
            "nothing",
        ),
        ("IMAGEMANAGER_VERIFICATION_FAILED", "nothing", "nothing"),
        ("IMAGEMANAGER_CONSOLIDATION_FAILED", "nothing", "nothing"),
        ("CLOUDBERRY_BACKUPJOB_STARTED", "nothing", "nothing"),
        ("CLOUDBERRY_BACKUPJOB_COMPLETED", "nothing", "nothing"),
        ("SHADOWPROTECT_BACKUPJOB_COMPLETED", "nothing", "nothing"),
        ("BACKUP", "nothing", "nothing"),
        ("COMPLETED", "nothing", "nothing"),
        // Without case.
        ("ninja_backup_backupjob_completed", "success", "failure"),
        ("CloudBerry_BackupJob_Failed", "failure", "failure"),
    ];
    for (code, plain, failed) in codes {
        for (result, becomes) in [
            (None, plain),
            (Some("SUCCESS"), plain),
            (Some("UNSUPPORTED"), plain),
            (Some("UNCOMPLETED"), plain),
            (Some("FAILURE"), failed),
            (Some("failure"), failed),
        ] {
            let mut row = activity(1, 1, code);
            if let Some(result) = result {
                row = row.with("activityResult", result);
            }
            let (status, reasons, devices) = single(becomes);
            let checks = json!({
                "passed": i64::from(becomes == "check passed"), "failed": i64::from(becomes == "check failed"),
            });
            let expected = json!({
                "status": status, "reasons": reasons,
                "metadata": {
                    "devices": devices, "integrity_checks": checks,
                    "restores_completed": i64::from(becomes == "restored"), "window_days": 7,
                },
            });
            table.case(
                format!("{code} with result {result:?}"),
                BACKUP,
                with(vec![row]),
                expected,
            );
        }
    }
    // There is no activity type `BACKUP`; the type is not looked at.
    let row = activity(1, 1, COMPLETED).without("activityType");
    table.case(
        "a success of no type",
        BACKUP,
        with(vec![row]),
        json!({ "status": "pass" }),
    );
    let row = activity(1, 1, COMPLETED)
        .without("statusCode")
        .with("activityType", "BACKUP");
    table.case(
        "a type BACKUP without a code",
        BACKUP,
        with(vec![row]),
        json!({ "status": "unknown" }),
    );
}

fn window(table: &mut Table) {
    for (name, time, place) in [
        ("now", Some(ago(0)), INSIDE),
        ("an hour ago", Some(ago(HOUR)), INSIDE),
        (
            "a microsecond less than 7 days ago",
            Some(ago(7 * DAY - MICROSECOND)),
            INSIDE,
        ),
        (
            "a second less than 7 days ago",
            Some(ago(7 * DAY - SECOND)),
            INSIDE,
        ),
        ("7 days ago to the microsecond", Some(ago(7 * DAY)), OUTSIDE),
        (
            "a microsecond more than 7 days ago",
            Some(ago(7 * DAY + MICROSECOND)),
            OUTSIDE,
        ),
        ("in five minutes", Some(ago(-5 * MINUTE)), INSIDE),
        (
            "a microsecond more than five minutes ahead",
            Some(ago(-5 * MINUTE - MICROSECOND)),
            UNDATED,
        ),
        ("at zero", Some(json!(0)), UNDATED),
        ("at null", Some(Value::Null), UNDATED),
        ("at a text", Some(json!("soon")), UNDATED),
        ("at no time", None, UNDATED),
    ] {
        for (code, plain, undated) in [
            (COMPLETED, "success", "unmeasured"),
            (WITH_WARNING, "warning", "unmeasured"),
            (CANCELLED, "cancelled", "unmeasured"),
            // A failure whose time cannot be read counts as of now.
            (FAILED, "failure", "failure"),
            (
                "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
                "check passed",
                "nothing",
            ),
            (
                "NINJA_BACKUP_INTEGRITY_CHECK_FAILED",
                "check failed",
                "nothing",
            ),
            ("NINJA_BACKUP_RESTOREJOB_COMPLETED", "restored", "nothing"),
        ] {
            let row = activity(1, 1, code);
            let row = match &time {
                Some(time) => row.with("activityTime", time.clone()),
                None => row.without("activityTime"),
            };
            let becomes = match place {
                INSIDE => plain,
                UNDATED => undated,
                _ => "nothing",
            };
            let (status, mut reasons, devices) = single(becomes);
            if place == UNDATED && becomes == "failure" {
                reasons.push("undated_rows");
            }
            let checks = json!({
                "passed": i64::from(becomes == "check passed"), "failed": i64::from(becomes == "check failed"),
            });
            let expected = json!({
                "status": status, "complete": true, "reasons": reasons,
                "metadata": {
                    "devices": devices, "scope": { "unmeasured": i64::from(becomes == "unmeasured") },
                    "integrity_checks": checks, "restores_completed": i64::from(becomes == "restored"),
                },
            });
            table.case(format!("{code} {name}"), BACKUP, with(vec![row]), expected);
        }
    }
}

/// So many devices with a success, with a warning only and with a failure only.
fn fleet(good: i64, warned: i64, bad: i64) -> Tenant {
    let devices = good + warned + bad;
    let mut tenant = customer(ids(devices).map(device).collect());
    tenant.activities.rows = ids(devices)
        .map(|id| {
            activity(
                id,
                id,
                if id <= good {
                    COMPLETED
                } else if id <= good + warned {
                    WITH_WARNING
                } else {
                    FAILED
                },
            )
        })
        .collect();
    tenant
}

fn thresholds(table: &mut Table) {
    for (good, warned, bad, status) in [
        (1, 0, 0, "pass"),
        (25, 0, 0, "pass"),
        (9, 0, 1, "fail"),
        (10, 0, 1, "warning"),
        (18, 0, 2, "fail"),
        (19, 0, 2, "warning"),
        (0, 0, 1, "fail"),
        (1, 0, 1, "fail"),
        (99, 0, 10, "warning"),
        (90, 0, 10, "fail"),
        (1, 1, 0, "warning"),
        (0, 1, 0, "warning"),
        // Warnings count as success.
        (0, 10, 1, "warning"),
        (0, 9, 1, "fail"),
    ] {
        let expected = json!({
            "status": status,
            "metadata": { "devices": {
                "with_activity": good + warned + bad, "with_success": good + warned, "without_success": bad,
                "warnings_only": warned, "latest_run_failed": bad, "without_any_backup": 0,
            } },
        });
        table.case(
            format!("{good} good, {warned} warned, {bad} failed"),
            BACKUP,
            fleet(good, warned, bad),
            expected,
        );
    }
}

fn latest_run(table: &mut Table) {
    let at = |id: i64, code: &str, time: i64| activity(id, 1, code).with("activityTime", ago(time));
    for (name, rows, status, warnings_only, failed) in [
        (
            "success, then failure",
            vec![at(1, COMPLETED, 2 * DAY), at(2, FAILED, DAY)],
            "pass",
            0,
            1,
        ),
        (
            "failure, then success",
            vec![at(1, FAILED, 2 * DAY), at(2, COMPLETED, DAY)],
            "pass",
            0,
            0,
        ),
        (
            "failure, then warning",
            vec![at(1, FAILED, 2 * DAY), at(2, WITH_WARNING, DAY)],
            "warning",
            1,
            0,
        ),
        (
            "failure, then cancelled",
            vec![at(1, FAILED, 2 * DAY), at(2, CANCELLED, DAY)],
            "fail",
            0,
            0,
        ),
        (
            "success and warning",
            vec![at(1, COMPLETED, 2 * DAY), at(2, WITH_WARNING, DAY)],
            "pass",
            0,
            0,
        ),
        (
            "success, then cancelled",
            vec![at(1, COMPLETED, 2 * DAY), at(2, CANCELLED, DAY)],
            "pass",
            0,
            0,
        ),
        (
            "tied, the failure of higher id",
            vec![at(1, COMPLETED, DAY), at(2, FAILED, DAY)],
            "pass",
            0,
            1,
        ),
        (
            "tied, the success of higher id",
            vec![at(2, COMPLETED, DAY), at(1, FAILED, DAY)],
            "pass",
            0,
            0,
        ),
        (
            "the higher id earlier",
            vec![at(9, FAILED, 2 * DAY), at(2, COMPLETED, DAY)],
            "pass",
            0,
            0,
        ),
        (
            "tied in the near future",
            vec![at(1, FAILED, -5 * MINUTE), at(2, COMPLETED, 0)],
            "pass",
            0,
            0,
        ),
        (
            "a later check and restore",
            vec![
                at(1, FAILED, 2 * DAY),
                at(2, COMPLETED, 3 * DAY),
                at(3, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED", DAY),
                at(4, "NINJA_BACKUP_RESTOREJOB_COMPLETED", DAY),
            ],
            "pass",
            0,
            1,
        ),
        (
            "a later start",
            vec![
                at(1, FAILED, DAY),
                at(2, "NINJA_BACKUP_BACKUPJOB_STARTED", HOUR),
            ],
            "fail",
            0,
            1,
        ),
        (
            "completed, and yet a failure",
            vec![
                at(1, COMPLETED, 2 * DAY),
                at(2, COMPLETED, DAY).with("activityResult", "FAILURE"),
            ],
            "pass",
            0,
            1,
        ),
        (
            "a success out of the window",
            vec![at(1, COMPLETED, 8 * DAY), at(2, FAILED, DAY)],
            "fail",
            0,
            1,
        ),
    ] {
        for turned in [false, true] {
            let mut rows = rows.clone();
            if turned {
                rows.reverse();
            }
            let expected = json!({
                "status": status,
                "metadata": { "devices": {
                    "with_activity": 1, "warnings_only": warnings_only, "latest_run_failed": failed,
                } },
            });
            table.case(name, BACKUP, with(rows), expected);
        }
    }
}

fn beside_the_verdict(table: &mut Table) {
    // Checks and restores are counted once each, however often their rows come.
    let check = activity(1, 1, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED");
    let rows = vec![
        check.clone(),
        check.clone(),
        check.with("id", 2),
        activity(3, 1, "NINJA_BACKUP_INTEGRITY_CHECK_FAILED"),
        activity(4, 1, "NINJA_BACKUP_RESTOREJOB_COMPLETED"),
        activity(4, 1, "NINJA_BACKUP_RESTOREJOB_COMPLETED"),
        activity(5, 1, "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED"),
        activity(6, 1, COMPLETED),
    ];
    let expected = json!({
        "status": "pass",
        "metadata": { "integrity_checks": { "passed": 2, "failed": 1 }, "restores_completed": 2 },
    });
    table.case("checks and restores", BACKUP, with(rows), expected);

    // Stale devices and what they did stay out, whatever it was.
    let mut tenant = healthy(3);
    tenant.devices.rows[2] = device(3).with("lastContact", ago(31 * DAY));
    tenant.activities.rows[2] = activity(3, 3, FAILED);
    tenant
        .activities
        .rows
        .push(activity(4, 3, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED"));
    tenant
        .activities
        .rows
        .push(activity(5, 3, "NINJA_BACKUP_RESTOREJOB_COMPLETED"));
    let expected = json!({
        "status": "pass", "reasons": [],
        "metadata": {
            "scope": { "measured": 2, "stale": 1, "not_applicable": 0 },
            "devices": { "with_activity": 2, "without_any_backup": 0 },
            "integrity_checks": { "passed": 0 }, "restores_completed": 0,
        },
    });
    table.case(
        "a failing backup of a stale device",
        BACKUP,
        tenant,
        expected,
    );

    // The coverage that the denominator hides.
    let mut tenant = healthy(5);
    tenant.activities.rows.truncate(1);
    tenant.devices.rows[3] = device(4).with("nodeClass", "NMS_SWITCH");
    tenant.devices.rows[4] = device(5).with("nodeClass", "WINDOWS_SERVER");
    let expected = json!({
        "status": "pass", "reasons": ["devices_without_backup"],
        "metadata": { "scope": { "measured": 1, "not_applicable": 4 }, "devices": { "without_any_backup": 3 } },
    });
    table.case("four of five without any", BACKUP, tenant, expected);

    // A device that is not approved has no backups either.
    let mut tenant = healthy(2);
    tenant.devices.rows[1] = device(2).with("approvalStatus", "PENDING");
    tenant.activities.rows[1] = activity(2, 2, FAILED);
    table.case(
        "a failing backup of a pending device",
        BACKUP,
        tenant,
        json!({ "status": "pass" }),
    );
}
