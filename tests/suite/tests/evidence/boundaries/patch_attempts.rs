//! Attempts to install (section 5): which of them is the latest, what fails, what settles a pending patch.

use serde_json::{Value, json};

use super::{
    PATCHES, Table,
    patch_sla::{pending, scanned},
    rows::{Change, DAY, HOUR, MICROSECOND, MINUTE, SECOND, ago, healthy, install, os_patch},
};
use crate::oracle::tenant::Tenant;

pub(crate) fn table(table: &mut Table) {
    attempts(table);
    success_settles(table);
}

fn installs(rows: Vec<Value>) -> Tenant {
    let mut tenant = scanned();
    tenant.os_patch_installs.rows = rows;
    tenant
}

const FINE: &str = "fine";
pub(super) const FAILED: &str = "failed";
pub(super) const MOOT: &str = "superseded";

fn attempts(table: &mut Table) {
    let undated = |row: Value| row.without("installedAt");
    let failure = |ago: i64| install(1, "os-1", "FAILED", ago);
    let success = |ago: i64| install(1, "os-1", "INSTALLED", ago);
    let failed_at = |time: i64| undated(failure(0)).with("timestamp", ago(time));
    for (name, rows, becomes) in [
        ("a failure", vec![failure(DAY)], FAILED),
        ("a failure 45 days ago", vec![failure(45 * DAY)], FAILED),
        (
            "a failure a microsecond earlier",
            vec![failure(45 * DAY + MICROSECOND)],
            FINE,
        ),
        (
            "a failure a second earlier",
            vec![failure(45 * DAY + SECOND)],
            FINE,
        ),
        (
            "a failure in five minutes",
            vec![failure(-5 * MINUTE)],
            FAILED,
        ),
        ("a success", vec![success(DAY)], FINE),
        // The latest wins, and at one time the failure.
        (
            "failed, then installed",
            vec![failure(2 * DAY), success(DAY)],
            FINE,
        ),
        (
            "installed, then failed",
            vec![success(2 * DAY), failure(DAY)],
            FAILED,
        ),
        ("both at one time", vec![success(DAY), failure(DAY)], FAILED),
        (
            "installed a microsecond after",
            vec![success(DAY - MICROSECOND), failure(DAY)],
            FINE,
        ),
        (
            "failed, failed, installed",
            vec![failure(3 * DAY), failure(2 * DAY), success(DAY)],
            FINE,
        ),
        (
            "installed 45 days ago, failed before",
            vec![success(45 * DAY), failure(45 * DAY + MICROSECOND)],
            FINE,
        ),
        (
            "failed 45 days ago, installed before",
            vec![failure(45 * DAY), success(45 * DAY + MICROSECOND)],
            FAILED,
        ),
        (
            "both in the near future",
            vec![failure(-4 * MINUTE), success(-5 * MINUTE)],
            FAILED,
        ),
        // A failure without its own time always counts for a pair without a dated attempt.
        ("an undated failure", vec![failed_at(DAY)], FAILED),
        (
            "an undated failure, collected 45 days ago",
            vec![failed_at(45 * DAY)],
            FAILED,
        ),
        (
            "an undated failure, collected before",
            vec![failed_at(45 * DAY + MICROSECOND)],
            FAILED,
        ),
        (
            "an undated failure, collected years ago",
            vec![failed_at(3_000 * DAY)],
            FAILED,
        ),
        (
            "a failure at no time at all",
            vec![undated(failure(0)).without("timestamp")],
            FAILED,
        ),
        (
            "an undated failure and an undated success",
            vec![failed_at(2 * DAY), undated(success(0))],
            FAILED,
        ),
        (
            "an undated failure, installed more than 45 days ago",
            vec![failed_at(DAY), success(45 * DAY + MICROSECOND)],
            FAILED,
        ),
        (
            "an undated failure beside a dated one",
            vec![failed_at(DAY), failure(2 * DAY)],
            FAILED,
        ),
        (
            "an undated failure, failed and then installed",
            vec![failed_at(DAY), failure(3 * DAY), success(2 * DAY)],
            MOOT,
        ),
        // Where the pair's latest dated attempt is a success, it is superseded, whatever was collected when.
        (
            "an undated failure, installed since",
            vec![failed_at(2 * DAY), success(DAY)],
            MOOT,
        ),
        (
            "an undated failure, installed before it was collected",
            vec![failed_at(DAY), success(2 * DAY)],
            MOOT,
        ),
        (
            "an undated failure, installed 45 days ago",
            vec![failed_at(DAY), success(45 * DAY)],
            MOOT,
        ),
        (
            "a failure at no time at all, installed",
            vec![undated(failure(0)).without("timestamp"), success(0)],
            MOOT,
        ),
        (
            "a failure dated zero, installed",
            vec![failure(0).with("installedAt", 0), success(DAY)],
            MOOT,
        ),
        (
            "a failure dated a day ahead, installed",
            vec![failure(-DAY), success(DAY)],
            MOOT,
        ),
        // A success without its own time stands before everything else.
        (
            "an undated success, failed long ago",
            vec![undated(success(0)), failure(44 * DAY)],
            FAILED,
        ),
        ("an undated success alone", vec![undated(success(0))], FINE),
        (
            "a success dated a day ahead, failed before",
            vec![success(-DAY), failure(2 * DAY)],
            FAILED,
        ),
        (
            "a success dated by a text, failed before",
            vec![success(0).with("installedAt", "soon"), failure(2 * DAY)],
            FAILED,
        ),
        // Any severity.
        (
            "a failure of low severity",
            vec![failure(DAY).with("severity", "LOW")],
            FAILED,
        ),
        (
            "a failure of a driver",
            vec![failure(DAY).with("type", "DRIVER_UPDATES")],
            FAILED,
        ),
        (
            "a failure of definition updates",
            vec![failure(DAY).with("type", "DEFINITION_UPDATES")],
            FINE,
        ),
        // Another pair is another story.
        (
            "another patch installed at the same time",
            vec![failure(DAY), install(1, "os-2", "INSTALLED", DAY)],
            FAILED,
        ),
        (
            "another patch installed before",
            vec![failure(DAY), install(1, "os-2", "INSTALLED", 2 * DAY)],
            FAILED,
        ),
        // However it is spelled.
        (
            "a failure in small letters",
            vec![failure(DAY).with("status", "failed")],
            FAILED,
        ),
        (
            "a success in small letters",
            vec![failure(2 * DAY), success(DAY).with("status", "installed")],
            FINE,
        ),
    ] {
        let (status, reasons) = match becomes {
            FAILED => ("fail", vec!["installs_failed"]),
            MOOT => ("warning", vec!["installs_superseded"]),
            _ => ("pass", vec![]),
        };
        let (fails, moot) = (i64::from(becomes == FAILED), i64::from(becomes == MOOT));
        let counts = json!({ "failed_installs": fails, "failed_superseded": moot });
        let expected = json!({
            "status": status, "reasons": reasons, "metadata": { "os": counts, "devices_with_failed": fails },
        });
        table.case(name, PATCHES, installs(rows.clone()), expected);
        // Wherever they appear: the same in the software reports.
        let mut tenant = scanned();
        tenant.software_patch_installs.rows = rows;
        let expected = json!({
            "status": status,
            "metadata": { "software": counts, "os": { "failed_installs": 0, "failed_superseded": 0 } },
        });
        table.case(format!("{name}, software"), PATCHES, tenant, expected);
    }
    let mut tenant = pending(vec![success(DAY)]);
    tenant.os_patch_installs.rows = vec![failure(2 * DAY)];
    let expected = json!({ "status": "pass", "metadata": { "os": { "failed_installs": 0 } } });
    table.case("a success in the pending list", PATCHES, tenant, expected);
    let mut tenant = installs(vec![failure(2 * DAY)]);
    tenant.software_patch_installs.rows = vec![success(DAY)];
    table.case(
        "a success of the other kind",
        PATCHES,
        tenant,
        json!({ "status": "fail" }),
    );
    let mut tenant = healthy(2);
    tenant.os_patch_installs.rows.extend([
        install(1, "a", "FAILED", DAY),
        install(1, "b", "FAILED", DAY),
        install(2, "a", "FAILED", DAY),
    ]);
    let expected =
        json!({ "metadata": { "os": { "failed_installs": 3 }, "devices_with_failed": 2 } });
    table.case("three failures on two devices", PATCHES, tenant, expected);
}

fn success_settles(table: &mut Table) {
    let success = |ago: i64| install(1, "os-1", "INSTALLED", ago);
    let failure = |ago: i64| install(1, "os-1", "FAILED", ago);
    for (name, attempts, missing, fails) in [
        (
            "installed a microsecond later",
            vec![success(DAY - MICROSECOND)],
            0,
            false,
        ),
        ("installed at that very time", vec![success(DAY)], 1, false),
        (
            "installed before",
            vec![success(DAY + MICROSECOND)],
            1,
            false,
        ),
        (
            "installed at no known time",
            vec![success(0).without("installedAt")],
            1,
            false,
        ),
        ("installed a day ahead", vec![success(-DAY)], 1, false),
        (
            "installed in five minutes",
            vec![success(-5 * MINUTE)],
            0,
            false,
        ),
        ("failed later", vec![failure(HOUR)], 1, true),
        (
            "installed later, then failed",
            vec![success(2 * HOUR), failure(HOUR)],
            1,
            true,
        ),
        (
            "failed later, then installed",
            vec![failure(2 * HOUR), success(HOUR)],
            0,
            false,
        ),
        (
            "installed and failed at one time",
            vec![failure(HOUR), success(HOUR)],
            1,
            true,
        ),
        (
            "another patch installed later",
            vec![install(1, "os-2", "INSTALLED", HOUR)],
            1,
            false,
        ),
        (
            "installed later on another device",
            vec![install(2, "os-1", "INSTALLED", HOUR)],
            1,
            false,
        ),
    ] {
        let status = match (missing, fails) {
            (_, true) => "fail",
            (0, _) => "pass",
            _ => "warning",
        };
        let mut tenant = healthy(2);
        tenant.os_patch_installs.rows.clone_from(&attempts);
        tenant
            .os_patches
            .rows
            .push(os_patch(1, "os-1", "CRITICAL").with("timestamp", ago(DAY)));
        let expected =
            json!({ "status": status, "metadata": { "os": { "missing_critical": missing } } });
        table.case(
            format!("missing, {name}"),
            PATCHES,
            tenant.clone(),
            expected,
        );

        // The same for one that was rejected or of unknown severity.
        tenant.os_patches.rows.pop();
        let rejected = os_patch(1, "os-1", "CRITICAL")
            .with("timestamp", ago(DAY))
            .with("status", "REJECTED");
        tenant.os_patches.rows.push(rejected);
        let expected =
            json!({ "metadata": { "os": { "rejected": missing, "missing_critical": 0 } } });
        table.case(
            format!("rejected, {name}"),
            PATCHES,
            tenant.clone(),
            expected,
        );
        tenant.os_patches.rows.pop();
        tenant
            .os_patches
            .rows
            .push(os_patch(1, "os-1", "unknown").with("timestamp", ago(DAY)));
        let expected = json!({ "metadata": { "os": { "severity_unknown": missing } } });
        table.case(
            format!("of unknown severity, {name}"),
            PATCHES,
            tenant,
            expected,
        );
    }
    let mut tenant = pending(vec![
        os_patch(1, "x", "CRITICAL").with("timestamp", ago(DAY)),
    ]);
    tenant.software_patch_installs.rows = vec![install(1, "x", "INSTALLED", HOUR)];
    let expected = json!({ "status": "warning", "metadata": { "os": { "missing_critical": 1 } } });
    table.case(
        "missing, installed later in the other kind",
        PATCHES,
        tenant,
        expected,
    );
}
