//! Failed installations that were superseded (section 5): nothing is left that a person could install.

use serde_json::{Value, json};

use super::{
    PATCHES, Table,
    patch_attempts::{FAILED, MOOT},
    patch_sla::scanned,
    rows::{
        Change, DAY, HOUR, MICROSECOND, MINUTE, ago, device, failed, healthy, install, os_patch,
        software_patch,
    },
};

pub(crate) fn table(table: &mut Table) {
    rejected(table);
    later_success(table);
    answered_whole(table);
}

fn failure() -> Value {
    install(1, "os-1", "FAILED", 2 * DAY)
}

fn undated_failure() -> Value {
    failure().without("installedAt")
}

/// One failed installation beside these pending rows and attempts, in either kind.
fn case(table: &mut Table, name: &str, pending: &[Value], attempts: Vec<Value>, becomes: &str) {
    let software = |rows: &[Value]| -> Vec<Value> {
        let of_software = |row: &Value| {
            let severity = row["severity"].clone();
            row.clone().without("severity").with("impact", severity)
        };
        rows.iter().map(of_software).collect()
    };
    let counts = json!({
        "failed_installs": i64::from(becomes == FAILED), "failed_superseded": i64::from(becomes == MOOT),
    });
    let mut tenant = scanned();
    tenant.os_patches.rows.extend_from_slice(pending);
    tenant.os_patch_installs.rows.clone_from(&attempts);
    let status = if becomes == FAILED { "fail" } else { "warning" };
    let expected = json!({ "status": status, "complete": true, "metadata": { "os": counts } });
    table.case(name, PATCHES, tenant, expected);

    let mut tenant = scanned();
    tenant.software_patches.rows.extend(software(pending));
    tenant.software_patch_installs.rows = attempts;
    let expected = json!({ "status": status, "metadata": { "software": counts } });
    table.case(format!("{name}, software"), PATCHES, tenant, expected);
}

/// The pair is pending as `REJECTED`, by its newest row.
fn rejected(table: &mut Table) {
    let rejected = |severity: &str| os_patch(1, "os-1", severity).with("status", "REJECTED");
    let manual = |severity: &str| os_patch(1, "os-1", severity);
    let at = |row: Value, time: i64| row.with("timestamp", ago(time));
    let undated = |row: Value| row.without("timestamp");
    for (name, pending, becomes) in [
        ("rejected", vec![rejected("CRITICAL")], MOOT),
        ("rejected, low", vec![rejected("LOW")], MOOT),
        (
            "rejected, in small letters",
            vec![rejected("CRITICAL").with("status", "rejected")],
            MOOT,
        ),
        ("pending", vec![manual("CRITICAL")], FAILED),
        ("pending, low", vec![manual("LOW")], FAILED),
        (
            "rejected, then pending",
            vec![at(rejected("CRITICAL"), DAY), manual("CRITICAL")],
            FAILED,
        ),
        (
            "pending, then rejected",
            vec![at(manual("CRITICAL"), DAY), rejected("CRITICAL")],
            MOOT,
        ),
        (
            "pending and rejected at one time",
            vec![manual("CRITICAL"), rejected("CRITICAL")],
            FAILED,
        ),
        (
            "rejected, and pending at no time",
            vec![rejected("CRITICAL"), undated(manual("LOW"))],
            FAILED,
        ),
        (
            "rejected, and rejected at no time",
            vec![rejected("CRITICAL"), undated(rejected("CRITICAL"))],
            MOOT,
        ),
        (
            "pending, and rejected at no time",
            vec![manual("CRITICAL"), undated(rejected("CRITICAL"))],
            FAILED,
        ),
        (
            "rejected at no time",
            vec![undated(rejected("CRITICAL"))],
            MOOT,
        ),
        (
            "rejected long ago",
            vec![at(rejected("CRITICAL"), 90 * DAY)],
            MOOT,
        ),
        (
            "pending long ago, rejected before",
            vec![
                at(rejected("CRITICAL"), 91 * DAY),
                at(manual("CRITICAL"), 90 * DAY),
            ],
            FAILED,
        ),
        (
            "failed in the pending list, too",
            vec![manual("CRITICAL").with("status", "FAILED")],
            FAILED,
        ),
        (
            "another patch rejected",
            vec![os_patch(1, "os-2", "CRITICAL").with("status", "REJECTED")],
            FAILED,
        ),
        (
            "rejected on another device",
            vec![os_patch(2, "os-1", "CRITICAL").with("status", "REJECTED")],
            FAILED,
        ),
    ] {
        case(table, name, &pending, vec![failure()], becomes);
        let name = format!("{name}, the failure at no time");
        case(table, &name, &pending, vec![undated_failure()], becomes);
    }
}

/// The pair is not pending, and its device has a later success of that kind.
fn later_success(table: &mut Table) {
    let success = |ago: i64| install(1, "os-9", "INSTALLED", ago);
    for (name, attempt, dated, undated) in [
        ("a later success", success(DAY), MOOT, MOOT),
        (
            "a success a microsecond later",
            success(2 * DAY - MICROSECOND),
            MOOT,
            MOOT,
        ),
        ("a success at that time", success(2 * DAY), FAILED, MOOT),
        (
            "a success a microsecond earlier",
            success(2 * DAY + MICROSECOND),
            FAILED,
            MOOT,
        ),
        ("a success 45 days ago", success(45 * DAY), FAILED, MOOT),
        (
            "a success before",
            success(45 * DAY + MICROSECOND),
            FAILED,
            FAILED,
        ),
        (
            "a success in five minutes",
            success(-5 * MINUTE),
            MOOT,
            MOOT,
        ),
        (
            "a success further ahead",
            success(-5 * MINUTE - MICROSECOND),
            FAILED,
            FAILED,
        ),
        (
            "a success at no time",
            success(DAY).without("installedAt"),
            FAILED,
            FAILED,
        ),
        (
            "a success of definition updates",
            success(DAY).with("type", "DEFINITION_UPDATES"),
            FAILED,
            FAILED,
        ),
        (
            "a success on another device",
            success(DAY).with("deviceId", 2),
            FAILED,
            FAILED,
        ),
        (
            "a later failure",
            install(1, "os-1", "FAILED", DAY),
            FAILED,
            FAILED,
        ),
        (
            "a success in small letters",
            success(DAY).with("status", "installed"),
            MOOT,
            MOOT,
        ),
    ] {
        let attempts = vec![failure(), attempt.clone()];
        case(table, name, &[], attempts, dated);
        let attempts = vec![undated_failure(), attempt.clone()];
        let name = format!("{name}, the failure at no time");
        case(table, &name, &[], attempts.clone(), undated);
        // What is pending can still be installed.
        for (pending, row) in [
            ("pending", os_patch(1, "os-1", "LOW")),
            (
                "pending long ago",
                os_patch(1, "os-1", "LOW").with("timestamp", ago(90 * DAY)),
            ),
            (
                "pending at no time",
                os_patch(1, "os-1", "LOW").without("timestamp"),
            ),
        ] {
            case(
                table,
                &format!("{name}, {pending}"),
                &[row],
                attempts.clone(),
                FAILED,
            );
        }
        // Definition updates are no pending patch, whatever their id.
        let row = os_patch(1, "os-1", "LOW").with("type", "DEFINITION_UPDATES");
        case(
            table,
            &format!("{name}, definition updates pending"),
            &[row],
            attempts,
            undated,
        );
    }
    // A success in the pending list is one, and is not pending.
    case(
        table,
        "a later success in the pending list",
        &[os_patch(1, "os-9", "CRITICAL")
            .with("status", "INSTALLED")
            .with("installedAt", ago(DAY))],
        vec![failure()],
        MOOT,
    );

    // Of that kind.
    let mut tenant = scanned();
    tenant.os_patch_installs.rows = vec![failure()];
    tenant.software_patch_installs.rows = vec![install(1, "app-9", "INSTALLED", DAY)];
    let expected = json!({ "status": "fail", "metadata": { "os": { "failed_superseded": 0 } } });
    table.case(
        "a later success of the other kind",
        PATCHES,
        tenant,
        expected,
    );

    // An empty pending list alone proves nothing.
    let mut tenant = scanned();
    tenant.os_patches.rows.clear();
    tenant.os_patch_installs.rows = vec![failure()];
    let expected = json!({ "status": "fail", "reasons": ["installs_failed"] });
    table.case("an empty pending list", PATCHES, tenant.clone(), expected);
    tenant
        .os_patch_installs
        .rows
        .push(install(1, "os-9", "INSTALLED", DAY));
    let expected = json!({ "status": "warning", "reasons": ["installs_superseded"] });
    table.case(
        "an empty pending list and a later success",
        PATCHES,
        tenant,
        expected,
    );

    // Each pair is its own.
    let mut tenant = healthy(2);
    tenant.os_patch_installs.rows = vec![
        install(1, "a", "FAILED", 3 * DAY),
        install(1, "b", "FAILED", HOUR),
        install(1, "c", "INSTALLED", DAY),
        install(2, "a", "FAILED", 3 * DAY),
    ];
    let expected = json!({
        "status": "fail", "reasons": ["installs_failed", "installs_superseded"],
        "metadata": { "os": { "failed_installs": 2, "failed_superseded": 1 }, "devices_with_failed": 2 },
    });
    table.case("one of three superseded", PATCHES, tenant, expected);
    // A superseded failure does not hide what is missing.
    let mut tenant = scanned();
    tenant.os_patch_installs.rows = vec![failure(), install(1, "os-9", "INSTALLED", DAY)];
    let missing = (0..6).map(|id| software_patch(1, &format!("new-{id}"), "CRITICAL"));
    tenant.software_patches.rows.extend(missing);
    let expected =
        json!({ "status": "fail", "reasons": ["installs_superseded", "patches_missing"] });
    table.case("superseded beside six missing", PATCHES, tenant, expected);
    // Rows of a stale device supersede nothing, and fail nothing.
    let mut tenant = healthy(2);
    tenant.devices.rows[1] = device(2).with("lastContact", ago(31 * DAY));
    tenant
        .os_patch_installs
        .rows
        .push(install(2, "a", "FAILED", 3 * DAY));
    let expected = json!({ "status": "pass", "reasons": [] });
    table.case("a failure of a stale device", PATCHES, tenant, expected);
}

/// When its kind's pending report was answered whole.
fn answered_whole(table: &mut Table) {
    let mut superseded = scanned();
    superseded.os_patch_installs.rows = vec![failure(), install(1, "os-9", "INSTALLED", DAY)];
    let lost = os_patch(1, "os-7", "LOW").without("id");
    for (name, report, status, moot) in [
        ("pending OS", 3, "fail", 0),
        ("OS installs", 4, "warning", 1),
        ("pending software", 5, "warning", 1),
        ("software installs", 6, "warning", 1),
    ] {
        let mut tenant = superseded.clone();
        tenant.reports_mut()[report].rows.push(lost.clone());
        let expected = json!({
            "status": status, "complete": false, "metadata": { "os": { "failed_superseded": moot } },
        });
        table.case(format!("a row of {name} lost"), PATCHES, tenant, expected);
    }
    let mut tenant = superseded.clone();
    tenant.os_patches = failed();
    let expected = json!({ "status": "unknown", "metadata": { "os": { "failed_superseded": 0 } } });
    table.case("the pending report failed", PATCHES, tenant, expected);
    let mut tenant = superseded;
    tenant.software_patches = failed();
    let expected = json!({ "status": "unknown", "metadata": { "os": { "failed_superseded": 1 } } });
    table.case(
        "the other kind's pending report failed",
        PATCHES,
        tenant,
        expected,
    );
    // A failure without a time of a pair that was installed is superseded by that alone.
    let mut tenant = scanned();
    tenant.os_patches.rows.push(lost);
    tenant.os_patch_installs.rows = vec![undated_failure(), install(1, "os-1", "INSTALLED", DAY)];
    let expected = json!({ "status": "warning", "metadata": { "os": { "failed_superseded": 1 } } });
    table.case(
        "a pending row lost, the pair installed",
        PATCHES,
        tenant,
        expected,
    );
}
