//! The one rule that decides (section 2), rule by rule.

use serde_json::{Value, json};

use super::{
    ANTIVIRUS, BACKUP, DISK, INVENTORY, PATCHES, SIGNALS, Table,
    rows::{
        Change, DAY, activity, ago, customer, device, failed, healthy, ids, install, not_available,
        os_patch, product, software_patch, volume,
    },
};
use crate::oracle::tenant::{Report, Tenant};

pub(crate) fn table(table: &mut Table) {
    for signal in SIGNALS {
        let expected = json!({ "status": "pass", "complete": true, "reasons": [] });
        table.case("one healthy device", signal, healthy(1), expected.clone());
        table.case("many healthy devices", signal, healthy(23), expected);
    }
    nothing_to_judge(table);
    failure_before_coverage(table);
    coverage(table);
    unmeasured_is_not_good(table);
    cut_and_malformed(table);
    rows_without_key(table);
    reports_that_did_not_answer(table);
}

/// Rules 1 and 2.
fn nothing_to_judge(table: &mut Table) {
    let none = customer(vec![]);
    let pending = customer(
        ids(2)
            .map(|id| device(id).with("approvalStatus", "PENDING"))
            .collect(),
    );
    for (name, tenant) in [("no device", none), ("no approved device", pending)] {
        for signal in SIGNALS {
            let status = if signal == INVENTORY {
                "warning"
            } else {
                "unknown"
            };
            let expected = json!({ "status": status, "complete": true, "reasons": ["no_devices"] });
            table.case(name, signal, tenant.clone(), expected);
        }
    }

    let switches = customer(
        ids(2)
            .map(|id| device(id).with("nodeClass", "NMS_SWITCH"))
            .collect(),
    );
    for signal in [DISK, ANTIVIRUS, PATCHES] {
        let expected = json!({ "status": "not_applicable", "complete": true, "reasons": [] });
        table.case("nothing in scope", signal, switches.clone(), expected);
    }
    let expected = json!({ "status": "unknown", "reasons": ["no_backup_activity"] });
    table.case("nothing but switches", BACKUP, switches.clone(), expected);
    table.case(
        "nothing but switches",
        INVENTORY,
        switches,
        json!({ "status": "pass", "reasons": [] }),
    );

    let mut dark = healthy(3);
    for row in &mut dark.devices.rows {
        *row = row.clone().with("lastContact", ago(31 * DAY));
    }
    for signal in [DISK, ANTIVIRUS, PATCHES] {
        let expected = json!({ "status": "unknown", "complete": true, "reasons": ["fleet_dark"] });
        table.case("all in scope stale", signal, dark.clone(), expected);
    }
    let expected = json!({ "status": "unknown", "reasons": ["fleet_dark", "no_backup_activity"] });
    table.case("all stale", BACKUP, dark.clone(), expected);
    table.case(
        "all stale",
        INVENTORY,
        dark.clone(),
        json!({ "status": "pass", "reasons": [] }),
    );

    // A switch that still answers does not light up the fleet, but it has no backup either.
    dark.devices
        .rows
        .push(device(4).with("nodeClass", "NMS_SWITCH"));
    for signal in [DISK, ANTIVIRUS, PATCHES] {
        let expected = json!({ "status": "unknown", "reasons": ["fleet_dark"] });
        table.case(
            "all in scope stale beside a switch",
            signal,
            dark.clone(),
            expected,
        );
    }
    let expected = json!({ "status": "unknown", "metadata": { "scope": { "stale": 3, "not_applicable": 1 } } });
    table.case("all stale but a switch", BACKUP, dark, expected);
}

/// Rule 3.
fn failure_before_coverage(table: &mut Table) {
    let mut off = customer(ids(10).map(device).collect());
    off.antivirus.rows = vec![product(1, "Windows Defender").with("productState", "OFF")];
    let expected = json!({
        "status": "fail", "reasons": ["coverage_below_half", "protection_off", "unmeasured_devices"],
    });
    table.case(
        "one of ten measured, and off",
        ANTIVIRUS,
        off.clone(),
        expected,
    );
    off.devices.rows[1] = device(2).with("lastContact", ago(31 * DAY));
    table.case(
        "one of ten measured, and off, beside a stale one",
        ANTIVIRUS,
        off,
        json!({ "status": "fail" }),
    );

    // 79 of 100 with everything unmeasured taken as good.
    let mut bare = customer(ids(100).map(device).collect());
    bare.volumes.rows = (1..=21)
        .map(|id| volume(id, "C:").with("bitLockerStatus", decrypted()))
        .collect();
    let expected = json!({
        "status": "fail",
        "reasons": ["below_threshold", "coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
    });
    table.case(
        "21 of 100 devices measured, and bare",
        DISK,
        bare.clone(),
        expected,
    );
    bare.volumes.rows.pop();
    table.case(
        "20 of 100 devices measured, and bare",
        DISK,
        bare,
        json!({ "status": "unknown" }),
    );

    let mut failing = customer(ids(10).map(device).collect());
    failing.os_patch_installs.rows = vec![install(1, "os-1", "FAILED", DAY)];
    let expected = json!({
        "status": "fail",
        "reasons": [
            "coverage_below_half", "installs_failed", "kind_below_half", "no_patch_data", "unmeasured_devices",
        ],
    });
    table.case(
        "one of ten measured, its install failed",
        PATCHES,
        failing,
        expected,
    );
}

/// Rule 4.
fn coverage(table: &mut Table) {
    for (devices, measured, stale, covered) in [
        (1, 1, 0, true),
        (2, 1, 0, true),
        (3, 1, 0, false),
        (3, 2, 0, true),
        (10, 5, 0, true),
        (10, 4, 0, false),
        (11, 5, 0, false),
        // Stale ones included.
        (4, 2, 2, true),
        (5, 2, 3, false),
        (4, 1, 2, false),
        (10, 5, 3, true),
        (10, 4, 3, false),
        (5, 0, 2, false),
    ] {
        let mut tenant = healthy(devices);
        for row in tenant
            .devices
            .rows
            .iter_mut()
            .take(usize::try_from(stale).expect("a few"))
        {
            *row = row.clone().with("lastContact", ago(31 * DAY));
        }
        // The live ones measured come last.
        for report in tenant.reports_mut().into_iter().skip(1) {
            report.rows.retain(|row| {
                row["deviceId"]
                    .as_i64()
                    .is_some_and(|id| id > devices - measured)
            });
        }
        let unmeasured = devices - measured - stale;
        let name = format!("{measured} of {devices} measured, {stale} stale");
        for signal in [DISK, ANTIVIRUS, PATCHES] {
            let status = match (covered, unmeasured) {
                (false, _) => "unknown",
                (true, 0) => "pass",
                (true, _) => "warning",
            };
            let mut reasons = vec![];
            if !covered {
                reasons.push("coverage_below_half");
            }
            if signal == PATCHES && measured == 0 {
                reasons.push("no_patch_data");
            }
            // Each kind measures the same devices; of the live ones that may be half where of all in scope it is less.
            if signal == PATCHES && measured > 0 && 2 * measured < devices - stale {
                reasons.push("kind_below_half");
            }
            if unmeasured > 0 {
                reasons.push("unmeasured_devices");
            }
            if signal == DISK && unmeasured > 0 {
                reasons.push("unmeasured_volumes");
            }
            let scope = json!({ "approved": devices, "measured": measured, "unmeasured": unmeasured, "stale": stale });
            let expected =
                json!({ "status": status, "reasons": reasons, "metadata": { "scope": scope } });
            table.case(name.clone(), signal, tenant.clone(), expected);
        }
    }

    // To backups a live device without activity is not applicable, so that only stale ones count against coverage.
    for (active, idle, stale, status) in [
        (1, 9, 0, "pass"),
        (2, 0, 2, "pass"),
        (2, 0, 3, "unknown"),
        (2, 9, 3, "unknown"),
        (2, 9, 2, "pass"),
    ] {
        let mut tenant = healthy(active + idle + stale);
        tenant
            .activities
            .rows
            .retain(|row| row["deviceId"].as_i64().is_some_and(|id| id <= active));
        for row in tenant
            .devices
            .rows
            .iter_mut()
            .skip(usize::try_from(active + idle).expect("a few"))
        {
            *row = row.clone().with("lastContact", ago(31 * DAY));
        }
        let mut reasons = vec![];
        if status == "unknown" {
            reasons.push("coverage_below_half");
        }
        if idle > 0 {
            reasons.push("devices_without_backup");
        }
        let expected = json!({
            "status": status, "reasons": reasons,
            "metadata": { "scope": { "measured": active, "unmeasured": 0, "stale": stale, "not_applicable": idle } },
        });
        table.case(
            format!("{active} with activity, {idle} without, {stale} stale"),
            BACKUP,
            tenant,
            expected,
        );
    }
    let mut failing = healthy(3);
    failing.activities.rows = vec![activity(1, 1, "NINJA_BACKUP_BACKUPJOB_FAILED")];
    for row in failing.devices.rows.iter_mut().skip(1) {
        *row = row.clone().with("lastContact", ago(31 * DAY));
    }
    let expected = json!({
        "status": "fail", "reasons": ["backups_failing", "coverage_below_half", "latest_runs_failing"],
    });
    table.case(
        "a failing backup beside two stale devices",
        BACKUP,
        failing,
        expected,
    );
}

/// Rules 5 and 6.
fn unmeasured_is_not_good(table: &mut Table) {
    let mut tenant = healthy(20);
    for report in tenant.reports_mut().into_iter().skip(1) {
        report
            .rows
            .retain(|row| row["deviceId"].as_i64() != Some(20));
    }
    // 19 of 20 volumes is a pass even if the last were bare; a device without protection would be a failure.
    let expected =
        json!({ "status": "pass", "reasons": ["unmeasured_devices", "unmeasured_volumes"] });
    table.case("19 of 20 measured", DISK, tenant.clone(), expected);
    for signal in [ANTIVIRUS, PATCHES] {
        let expected = json!({ "status": "warning", "reasons": ["unmeasured_devices"] });
        table.case("19 of 20 measured", signal, tenant.clone(), expected);
    }
    tenant.devices.rows[18] = device(19).with("lastContact", ago(31 * DAY));
    let expected =
        json!({ "status": "warning", "reasons": ["unmeasured_devices", "unmeasured_volumes"] });
    table.case(
        "18 of 19 measured beside a stale one",
        DISK,
        tenant,
        expected,
    );
}

/// Rule 7: the device list cut, rows that did not decode.
fn cut_and_malformed(table: &mut Table) {
    let mut cut = healthy(2);
    cut.truncated = true;
    let mut counted = healthy(2);
    counted.devices.malformed = 1;
    let mut tenants = vec![
        ("the list cut", cut, "truncated"),
        ("a device counted", counted, "malformed_rows"),
    ];
    for (name, row) in [
        ("a device that is no object", json!("device")),
        ("a device without id", device(3).without("id")),
        ("a device with null id", device(3).with("id", Value::Null)),
        ("a device with a text for id", device(3).with("id", "three")),
        (
            "a device without organization",
            device(3).without("organizationId"),
        ),
        (
            "a device with null organization",
            device(3).with("organizationId", Value::Null),
        ),
    ] {
        let mut tenant = healthy(2);
        tenant.devices.rows.push(row);
        tenants.push((name, tenant, "malformed_rows"));
    }
    for (name, tenant, reason) in &tenants {
        for signal in SIGNALS {
            let expected = json!({
                "status": "warning", "complete": false, "reasons": [reason],
                "metadata": { "scope": { "approved": 2, "measured": 2 } },
            });
            table.case(
                format!("{name}: never a pass"),
                signal,
                tenant.clone(),
                expected,
            );
        }
    }

    // Whatever else it is, it stays, incomplete.
    let switch = device(1).with("nodeClass", "NMS_SWITCH");
    for (reason, change) in [
        (
            "truncated",
            (|tenant| tenant.truncated = true) as fn(&mut Tenant),
        ),
        ("malformed_rows", |tenant| tenant.devices.malformed = 3),
    ] {
        let mut tenant = healthy(2);
        tenant.antivirus.rows[0] = product(1, "Windows Defender").with("productState", "OFF");
        change(&mut tenant);
        let mut reasons = [reason, "protection_off"];
        reasons.sort_unstable();
        let expected = json!({ "status": "fail", "complete": false, "reasons": reasons });
        table.case(
            format!("{reason}: a failure stays"),
            ANTIVIRUS,
            tenant,
            expected,
        );

        let mut tenant = customer(vec![switch.clone()]);
        change(&mut tenant);
        let expected =
            json!({ "status": "not_applicable", "complete": false, "reasons": [reason] });
        table.case(
            format!("{reason}: not applicable stays"),
            ANTIVIRUS,
            tenant,
            expected,
        );

        let mut tenant = customer(vec![]);
        change(&mut tenant);
        let mut reasons = [reason, "no_devices"];
        reasons.sort_unstable();
        let expected = json!({ "status": "unknown", "complete": false, "reasons": reasons });
        table.case(
            format!("{reason}: unknown stays"),
            ANTIVIRUS,
            tenant,
            expected,
        );
    }

    // A row of a report spoils its own signal.
    for (signal, index) in SIGNALED_REPORTS {
        let row = healthy(1).reports()[index].1.rows[0].clone();
        for (name, row) in [
            ("no object", json!(17)),
            ("without device", row.clone().without("deviceId")),
            ("of null device", row.clone().with("deviceId", Value::Null)),
            ("with a text for device", row.with("deviceId", "one")),
        ] {
            let mut tenant = healthy(2);
            tenant.reports_mut()[index].rows.push(row);
            own_signal_only(
                table,
                &format!("report {index}: a row {name}"),
                signal,
                &tenant,
                "malformed_rows",
            );
        }
        let mut tenant = healthy(2);
        tenant.reports_mut()[index].malformed = 2;
        own_signal_only(
            table,
            &format!("report {index}: two rows counted"),
            signal,
            &tenant,
            "malformed_rows",
        );
    }
}

/// A row without its key is of no use: two of them could be one or two.
fn rows_without_key(table: &mut Table) {
    for (index, row) in [
        (3, os_patch(1, "x", "LOW").without("kbNumber")),
        (4, install(1, "x", "INSTALLED", DAY)),
        (5, software_patch(1, "x", "LOW")),
        (6, install(1, "x", "INSTALLED", DAY)),
    ] {
        for (name, row) in [
            ("without id", row.clone().without("id")),
            ("of null id", row.clone().with("id", Value::Null)),
            ("of blank id", row.with("id", "")),
        ] {
            let mut tenant = healthy(2);
            tenant.reports_mut()[index].rows.push(row);
            own_signal_only(
                table,
                &format!("report {index}: a patch {name}"),
                PATCHES,
                &tenant,
                "malformed_rows",
            );
        }
    }
    for code in ["CLOUDBERRY_BACKUPJOB_SUCCEEDED", "APP_USER_LOGGED_IN"] {
        for (name, row) in [
            ("without id", activity(9, 1, code).without("id")),
            ("of null id", activity(9, 1, code).with("id", Value::Null)),
            ("without code", activity(9, 1, code).without("statusCode")),
            (
                "of null code",
                activity(9, 1, code).with("statusCode", Value::Null),
            ),
            (
                "of blank code",
                activity(9, 1, code).with("statusCode", " "),
            ),
        ] {
            let mut tenant = healthy(2);
            tenant.activities.rows.push(row);
            let name = format!("an activity {name}, once {code}");
            own_signal_only(table, &name, BACKUP, &tenant, "malformed_rows");
        }
    }
    let mut tenant = healthy(2);
    tenant
        .activities
        .rows
        .push(activity(9, 1, "CLOUDBERRY_BACKUPJOB_SUCCEEDED").without("deviceId"));
    own_signal_only(
        table,
        "a backup without deviceId",
        BACKUP,
        &tenant,
        "malformed_rows",
    );
    // What the console logs of itself is about no device, and no backup.
    tenant.activities.rows.pop();
    tenant
        .activities
        .rows
        .push(activity(9, 1, "APP_USER_LOGGED_IN").without("deviceId"));
    let expected = json!({ "status": "pass", "complete": true, "reasons": [] });
    table.case(
        "another activity without deviceId",
        BACKUP,
        tenant,
        expected,
    );
}

const SIGNALED_REPORTS: [(&str, usize); 7] = [
    (DISK, 1),
    (ANTIVIRUS, 2),
    (PATCHES, 3),
    (PATCHES, 4),
    (PATCHES, 5),
    (PATCHES, 6),
    (BACKUP, 7),
];

fn own_signal_only(
    table: &mut Table,
    name: &str,
    own: &'static str,
    tenant: &Tenant,
    reason: &str,
) {
    for signal in SIGNALS {
        let expected = if signal == own {
            json!({ "status": "warning", "complete": false, "reasons": [reason] })
        } else {
            json!({ "status": "pass", "complete": true, "reasons": [] })
        };
        table.case(name, signal, tenant.clone(), expected);
    }
}

/// Rule 7: reports that failed, and those the tenant cannot have.
fn reports_that_did_not_answer(table: &mut Table) {
    for (report, reason) in [
        (failed as fn() -> Report, "report_failed"),
        (not_available, "not_available"),
    ] {
        for (own, index) in SIGNALED_REPORTS {
            let mut tenant = healthy(2);
            *tenant.reports_mut()[index] = report();
            for signal in SIGNALS {
                let mut expected = json!({ "status": "pass", "complete": true, "reasons": [] });
                if signal == own {
                    let mut reasons = match own {
                        // A kind with a report missing is not judged at all; every device shows itself in the other.
                        PATCHES => vec!["no_patch_data"],
                        BACKUP => vec!["devices_without_backup", "no_backup_activity"],
                        ANTIVIRUS => vec!["coverage_below_half", "unmeasured_devices"],
                        _ => vec![
                            "coverage_below_half",
                            "unmeasured_devices",
                            "unmeasured_volumes",
                        ],
                    };
                    reasons.push(reason);
                    reasons.sort_unstable();
                    expected = json!({ "status": "unknown", "reasons": reasons, "complete": reason == "not_available" });
                }
                table.case(
                    format!("report {index}: {reason}"),
                    signal,
                    tenant.clone(),
                    expected,
                );
            }
            let mut tenant = customer(vec![]);
            *tenant.reports_mut()[index] = report();
            let mut reasons = ["no_devices", reason];
            reasons.sort_unstable();
            let expected = json!({ "status": "unknown", "reasons": reasons });
            table.case(
                format!("report {index}: {reason}, no devices"),
                own,
                tenant,
                expected,
            );
        }
    }
}

fn decrypted() -> Value {
    super::rows::bitlocker("FULLY_DECRYPTED", "UNPROTECTED")
}
