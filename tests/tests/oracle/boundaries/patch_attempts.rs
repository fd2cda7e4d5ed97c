//! Attempts to install (section 5): which of them is the latest, what fails, what settles a pending patch.

use serde_json::{Value, json};

use super::patch_sla::{pending, scanned};
use super::rows::{
    Change, DAY, HOUR, MICROSECOND, MINUTE, SECOND, ago, healthy, install, os_patch,
};
use super::{PATCHES, Table};
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

fn attempts(table: &mut Table) {
    let undated = |row: Value| row.without("installedAt");
    let failure = |ago: i64| install(1, "os-1", "FAILED", ago);
    let success = |ago: i64| install(1, "os-1", "INSTALLED", ago);
    let failed_at = |time: i64| undated(failure(0)).with("timestamp", ago(time));
    for (name, rows, fails) in [
        ("a failure", vec![failure(DAY)], true),
        ("a failure 45 days ago", vec![failure(45 * DAY)], true),
        (
            "a failure a microsecond earlier",
            vec![failure(45 * DAY + MICROSECOND)],
            false,
        ),
        (
            "a failure a second earlier",
            vec![failure(45 * DAY + SECOND)],
            false,
        ),
        (
            "a failure in five minutes",
            vec![failure(-5 * MINUTE)],
            true,
        ),
        ("a success", vec![success(DAY)], false),
        // The latest wins, and at one time the failure.
        (
            "failed, then installed",
            vec![failure(2 * DAY), success(DAY)],
            false,
        ),
        (
            "installed, then failed",
            vec![success(2 * DAY), failure(DAY)],
            true,
        ),
        ("both at one time", vec![success(DAY), failure(DAY)], true),
        (
            "installed a microsecond after",
            vec![success(DAY - MICROSECOND), failure(DAY)],
            false,
        ),
        (
            "failed, failed, installed",
            vec![failure(3 * DAY), failure(2 * DAY), success(DAY)],
            false,
        ),
        (
            "installed 45 days ago, failed before",
            vec![success(45 * DAY), failure(45 * DAY + MICROSECOND)],
            false,
        ),
        (
            "failed 45 days ago, installed before",
            vec![failure(45 * DAY), success(45 * DAY + MICROSECOND)],
            true,
        ),
        (
            "both in the near future",
            vec![failure(-4 * MINUTE), success(-5 * MINUTE)],
            true,
        ),
        // Without its own time a failure counts when it was collected, and without that, now.
        ("an undated failure", vec![failed_at(DAY)], true),
        (
            "an undated failure, installed since",
            vec![failed_at(2 * DAY), success(DAY)],
            false,
        ),
        (
            "an undated failure, installed before",
            vec![failed_at(DAY), success(2 * DAY)],
            true,
        ),
        (
            "an undated failure, collected 45 days ago",
            vec![failed_at(45 * DAY)],
            true,
        ),
        (
            "an undated failure, collected before",
            vec![failed_at(45 * DAY + MICROSECOND)],
            false,
        ),
        (
            "a failure at no time at all",
            vec![undated(failure(0)).without("timestamp"), success(0)],
            true,
        ),
        (
            "a failure dated zero",
            vec![
                failure(0)
                    .with("installedAt", 0)
                    .with("timestamp", ago(2 * DAY)),
                success(DAY),
            ],
            false,
        ),
        (
            "a failure dated a day ahead",
            vec![failure(-DAY).with("timestamp", ago(2 * DAY)), success(DAY)],
            false,
        ),
        // A success without its own time stands before everything else.
        (
            "an undated success, failed long ago",
            vec![undated(success(0)), failure(44 * DAY)],
            true,
        ),
        ("an undated success alone", vec![undated(success(0))], false),
        (
            "a success dated a day ahead, failed before",
            vec![success(-DAY), failure(2 * DAY)],
            true,
        ),
        (
            "a success dated by a text, failed before",
            vec![success(0).with("installedAt", "soon"), failure(2 * DAY)],
            true,
        ),
        // Any severity.
        (
            "a failure of low severity",
            vec![failure(DAY).with("severity", "LOW")],
            true,
        ),
        (
            "a failure of a driver",
            vec![failure(DAY).with("type", "DRIVER_UPDATES")],
            true,
        ),
        (
            "a failure of definition updates",
            vec![failure(DAY).with("type", "DEFINITION_UPDATES")],
            false,
        ),
        // Another pair is another story.
        (
            "another patch installed",
            vec![failure(2 * DAY), install(1, "os-2", "INSTALLED", DAY)],
            true,
        ),
        // However it is spelled.
        (
            "a failure in small letters",
            vec![failure(DAY).with("status", "failed")],
            true,
        ),
        (
            "a success in small letters",
            vec![failure(2 * DAY), success(DAY).with("status", "installed")],
            false,
        ),
    ] {
        let expected = json!({
            "status": if fails { "fail" } else { "pass" },
            "reasons": if fails { vec!["installs_failed"] } else { vec![] },
            "metadata": { "os": { "failed_installs": i64::from(fails) }, "devices_with_failed": i64::from(fails) },
        });
        table.case(name, PATCHES, installs(rows.clone()), expected);
        // Wherever they appear: the same in the software reports, and a success in the pending list.
        let mut tenant = scanned();
        tenant.software_patch_installs.rows = rows;
        let expected = json!({
            "status": if fails { "fail" } else { "pass" },
            "metadata": { "software": { "failed_installs": i64::from(fails) }, "os": { "failed_installs": 0 } },
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
