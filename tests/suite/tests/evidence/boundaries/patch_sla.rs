//! `patch_sla` (section 5).

use serde_json::{Value, json};

use super::{
    PATCHES, Table,
    rows::{
        Change, DAY, HOUR, MICROSECOND, ago, customer, definitions, device, failed, healthy,
        install, not_available, os_patch, software_patch,
    },
};
use crate::oracle::tenant::{Report, Tenant};

pub(crate) fn table(table: &mut Table) {
    severities(table);
    thresholds(table);
    pending_states(table);
    same_unit_twice(table);
    measured(table);
    kinds_apart(table);
}

/// One device, scanned in both kinds, with nothing missing.
pub(super) fn scanned() -> Tenant {
    let mut tenant = customer(vec![device(1)]);
    tenant.os_patches.rows = vec![definitions(1)];
    tenant.software_patches.rows = vec![software_patch(1, "app-0", "OPTIONAL")];
    tenant
}

pub(super) fn pending(rows: Vec<Value>) -> Tenant {
    let mut tenant = scanned();
    tenant.os_patches.rows.extend(rows);
    tenant
}

fn counts(critical: i64, important: i64, unknown: i64) -> Value {
    json!({ "missing_critical": critical, "missing_important": important, "severity_unknown": unknown })
}

fn severities(table: &mut Table) {
    let critical = ("warning", counts(1, 0, 0), vec!["patches_missing"]);
    let important = ("warning", counts(0, 1, 0), vec!["patches_missing"]);
    let unknown = ("warning", counts(0, 0, 1), vec!["severity_unknown"]);
    let nothing = ("pass", counts(0, 0, 0), vec![]);
    let mut cases: Vec<(Value, Value, _)> = Vec::new();
    for patch_type in [
        "SECURITY_UPDATES",
        "DRIVER_UPDATES",
        "UNKNOWN",
        "DEFINITION",
    ] {
        for (severity, expected) in [
            ("CRITICAL", &critical),
            ("critical", &critical),
            ("Critical", &critical),
            ("IMPORTANT", &important),
            ("important", &important),
            ("SECURITY", &important),
            ("security", &important),
            ("MODERATE", &nothing),
            ("LOW", &nothing),
            ("OPTIONAL", &nothing),
            ("optional", &nothing),
            ("RECOMMENDED", &nothing),
            ("recommended", &nothing),
            ("NONE", &nothing),
        ] {
            cases.push((json!(severity), json!(patch_type), expected));
        }
    }
    for severity in [
        json!("UNKNOWN"),
        json!("unknown"),
        json!("SEVERE"),
        json!(""),
        Value::Null,
    ] {
        for (patch_type, expected) in [
            (json!("SECURITY_UPDATES"), &important),
            (json!("CRITICAL_UPDATES"), &important),
            (json!("DRIVER_UPDATES"), &nothing),
            (json!("FEATURE_UPDATES"), &nothing),
            (json!("FEATURE_PACKS"), &nothing),
            (json!("SERVICE_PACKS"), &nothing),
            (json!("UPDATE_ROLLUPS"), &unknown),
            (json!("REGULAR_UPDATES"), &unknown),
            (json!("UNKNOWN"), &unknown),
            (json!("UNSPECIFIED"), &unknown),
            (json!("SOMETHING_NEW"), &unknown),
            (json!("PATCH"), &unknown),
            (json!("INSTALLER"), &unknown),
            (Value::Null, &unknown),
        ] {
            cases.push((severity.clone(), patch_type, expected));
        }
    }
    for (severity, patch_type, (status, counts, reasons)) in &cases {
        let mut os = scanned();
        os.os_patches.rows.push(
            os_patch(1, "os-1", "")
                .with("severity", severity.clone())
                .with("type", patch_type.clone()),
        );
        let mut software = scanned();
        software.software_patches.rows.push(
            software_patch(1, "app-1", "")
                .with("impact", severity.clone())
                .with("type", patch_type.clone()),
        );
        for (kind, tenant) in [("os", os), ("software", software)] {
            let expected =
                json!({ "status": status, "reasons": reasons, "metadata": { kind: counts } });
            table.case(
                format!("{kind} {severity} of type {patch_type}"),
                PATCHES,
                tenant,
                expected,
            );
        }
    }
    for (kind, field, tenant) in [
        (
            "os",
            "severity",
            pending(vec![
                os_patch(1, "os-1", "").without("severity").without("type"),
            ]),
        ),
        (
            "os",
            "severity only",
            pending(vec![
                os_patch(1, "os-1", "")
                    .without("severity")
                    .with("impact", "LOW"),
            ]),
        ),
    ] {
        let expected =
            json!({ "status": "warning", "metadata": { kind: { "severity_unknown": 1 } } });
        table.case(format!("{kind} without {field}"), PATCHES, tenant, expected);
    }

    // Definition updates count for nothing, whatever else they say.
    for status in ["MANUAL", "FAILED", "REJECTED", "INSTALLED"] {
        let row = definitions(1)
            .with("status", status)
            .with("severity", "CRITICAL")
            .with("installedAt", ago(DAY));
        let mut tenant = pending(vec![row.clone()]);
        tenant.os_patch_installs.rows.push(row);
        let expected = json!({
            "status": "pass", "reasons": [],
            "metadata": { "os": { "missing_critical": 0, "failed_installs": 0, "rejected": 0, "devices_measured": 1 } },
        });
        table.case(
            format!("definition updates {status}"),
            PATCHES,
            tenant,
            expected,
        );
    }
}

fn thresholds(table: &mut Table) {
    for (os, software, status) in [
        (0, 0, "pass"),
        (1, 0, "warning"),
        (0, 1, "warning"),
        (5, 0, "warning"),
        (0, 5, "warning"),
        (3, 2, "warning"),
        (6, 0, "fail"),
        (0, 6, "fail"),
        (3, 3, "fail"),
        (5, 1, "fail"),
    ] {
        let mut tenant = scanned();
        for number in 0..os {
            let severity = if number % 2 == 0 {
                "CRITICAL"
            } else {
                "IMPORTANT"
            };
            tenant
                .os_patches
                .rows
                .push(os_patch(1, &format!("os-{number}"), severity));
        }
        for number in 0..software {
            tenant.software_patches.rows.push(software_patch(
                1,
                &format!("new-{number}"),
                "Critical",
            ));
        }
        let reasons = if os + software > 0 {
            vec!["patches_missing"]
        } else {
            vec![]
        };
        let expected = json!({
            "status": status, "reasons": reasons,
            "metadata": {
                "os": { "missing_critical": (os + 1) / 2, "missing_important": os / 2 },
                "software": { "missing_critical": software },
                "devices_with_missing": i64::from(os + software > 0),
            },
        });
        table.case(
            format!("{os} OS and {software} software patches missing"),
            PATCHES,
            tenant,
            expected,
        );
    }

    // The unit is (device, kind, id): one patch on two devices is two, one id in both kinds is two.
    let mut tenant = healthy(2);
    tenant
        .os_patches
        .rows
        .extend([os_patch(1, "x", "CRITICAL"), os_patch(2, "x", "CRITICAL")]);
    tenant
        .software_patches
        .rows
        .push(software_patch(1, "x", "CRITICAL"));
    let expected = json!({
        "status": "warning",
        "metadata": {
            "os": { "missing_critical": 2 }, "software": { "missing_critical": 1 }, "devices_with_missing": 2,
        },
    });
    table.case(
        "one id on two devices and in both kinds",
        PATCHES,
        tenant,
        expected,
    );

    // Severities unknown do not add up to a failure.
    let rows = (0..9)
        .map(|number| os_patch(1, &format!("os-{number}"), "unknown"))
        .collect();
    let expected = json!({ "status": "warning", "metadata": { "os": { "severity_unknown": 9 }, "devices_with_missing": 0 } });
    table.case("nine of unknown severity", PATCHES, pending(rows), expected);
    let mut rows: Vec<Value> = (0..5)
        .map(|number| os_patch(1, &format!("os-{number}"), "CRITICAL"))
        .collect();
    rows.push(os_patch(1, "os-9", "unknown"));
    let expected =
        json!({ "status": "warning", "reasons": ["patches_missing", "severity_unknown"] });
    table.case(
        "five missing and one of unknown severity",
        PATCHES,
        pending(rows),
        expected,
    );
}

fn pending_states(table: &mut Table) {
    for status in [
        json!("MANUAL"),
        json!("APPROVED"),
        json!("DELAYED"),
        json!("PENDING"),
        json!("SOMETHING_NEW"),
        json!(""),
        Value::Null,
    ] {
        for (severity, field) in [
            ("CRITICAL", "missing_critical"),
            ("SECURITY", "missing_important"),
        ] {
            let row = os_patch(1, "os-1", severity).with("status", status.clone());
            let expected = json!({
                "status": "warning", "reasons": ["patches_missing"],
                "metadata": { "os": { field: 1, "failed_installs": 0, "rejected": 0 } },
            });
            table.case(
                format!("pending {severity} {status}"),
                PATCHES,
                pending(vec![row]),
                expected,
            );
        }
        let row = os_patch(1, "os-1", "LOW").with("status", status.clone());
        table.case(
            format!("pending LOW {status}"),
            PATCHES,
            pending(vec![row]),
            json!({ "status": "pass" }),
        );
    }
    let row = os_patch(1, "os-1", "CRITICAL").without("status");
    table.case(
        "pending without a state",
        PATCHES,
        pending(vec![row]),
        json!({ "status": "warning" }),
    );

    for (severity, rejected) in [
        ("CRITICAL", 1),
        ("IMPORTANT", 1),
        ("SECURITY", 1),
        ("LOW", 0),
        ("unknown", 1),
        ("", 1),
    ] {
        for (kind, mut tenant) in [("os", scanned()), ("software", scanned())] {
            for status in ["REJECTED", "rejected"] {
                if kind == "os" {
                    tenant.os_patches.rows.truncate(1);
                    tenant
                        .os_patches
                        .rows
                        .push(os_patch(1, "os-1", severity).with("status", status));
                } else {
                    tenant.software_patches.rows.truncate(1);
                    tenant
                        .software_patches
                        .rows
                        .push(software_patch(1, "app-1", severity).with("status", status));
                }
                // The one device there is has a rejected patch: that is all of them.
                let expected = json!({
                    "status": if rejected == 1 { "warning" } else { "pass" },
                    "reasons": if rejected == 1 { vec!["patches_rejected"] } else { vec![] },
                    "metadata": {
                        kind: {
                            "rejected": rejected, "missing_critical": 0, "missing_important": 0, "severity_unknown": 0,
                        },
                        "devices_with_missing": 0,
                    },
                });
                table.case(
                    format!("{status} {kind} {severity:?}"),
                    PATCHES,
                    tenant.clone(),
                    expected,
                );
            }
        }
    }

    // A failure in the pending list is both: an attempt that failed, and a patch that is missing.
    let row = os_patch(1, "os-1", "CRITICAL").with("status", "FAILED");
    let expected = json!({
        "status": "fail", "reasons": ["installs_failed", "patches_missing"],
        "metadata": {
            "os": { "missing_critical": 1, "failed_installs": 1 }, "devices_with_missing": 1, "devices_with_failed": 1,
        },
    });
    table.case(
        "pending CRITICAL FAILED",
        PATCHES,
        pending(vec![row]),
        expected,
    );
    let row = os_patch(1, "os-1", "LOW").with("status", "FAILED");
    let expected = json!({ "status": "fail", "reasons": ["installs_failed"] });
    table.case("pending LOW FAILED", PATCHES, pending(vec![row]), expected);
    let row = os_patch(1, "os-1", "CRITICAL")
        .with("status", "FAILED")
        .with("installedAt", ago(46 * DAY));
    let expected = json!({ "status": "warning", "reasons": ["patches_missing"] });
    table.case(
        "pending CRITICAL FAILED long ago",
        PATCHES,
        pending(vec![row]),
        expected,
    );
    let row = os_patch(1, "os-1", "CRITICAL")
        .with("status", "FAILED")
        .with("timestamp", ago(31 * DAY));
    let expected = json!({ "status": "fail", "reasons": ["installs_failed", "patches_missing", "undated_rows"] });
    table.case(
        "pending CRITICAL FAILED, collected long ago",
        PATCHES,
        pending(vec![row]),
        expected,
    );
    let row = os_patch(1, "os-1", "CRITICAL")
        .with("status", "FAILED")
        .without("timestamp");
    let expected = json!({ "status": "fail", "reasons": ["installs_failed", "patches_missing", "undated_rows"] });
    table.case(
        "pending CRITICAL FAILED at no time",
        PATCHES,
        pending(vec![row]),
        expected,
    );
}

fn same_unit_twice(table: &mut Table) {
    // From worst to best.
    let order = [
        "missing_critical",
        "missing_important",
        "severity_unknown",
        "rejected",
        "nothing",
    ];
    let of = |standing: &str| match standing {
        "missing_critical" => os_patch(1, "os-1", "CRITICAL"),
        "missing_important" => os_patch(1, "os-1", "SECURITY"),
        "severity_unknown" => os_patch(1, "os-1", "unknown"),
        "rejected" => os_patch(1, "os-1", "CRITICAL").with("status", "REJECTED"),
        _ => os_patch(1, "os-1", "OPTIONAL"),
    };
    for (worse, first) in order.iter().enumerate() {
        for second in order.iter().skip(worse) {
            let earlier = |standing: &str| of(standing).with("timestamp", ago(2 * HOUR));
            for (name, rows, winner) in [
                ("tied", vec![of(first), of(second)], first),
                ("tied, turned", vec![of(second), of(first)], first),
                ("the worse newer", vec![of(first), earlier(second)], first),
                ("the worse older", vec![earlier(first), of(second)], second),
            ] {
                let mut counts = json!({
                    "missing_critical": 0, "missing_important": 0, "severity_unknown": 0, "rejected": 0,
                });
                if *winner != "nothing" {
                    counts[*winner] = json!(1);
                }
                let expected = json!({ "metadata": { "os": counts } });
                table.case(
                    format!("{first} and {second}, {name}"),
                    PATCHES,
                    pending(rows),
                    expected,
                );
            }
        }
    }
}

fn measured(table: &mut Table) {
    let mut shown: Vec<(String, Tenant, i64)> = Vec::new();
    for (name, row, measured) in [
        ("pending definition updates", definitions(1), 1),
        (
            "a pending patch of no weight",
            os_patch(1, "os-1", "LOW"),
            1,
        ),
        (
            "a pending patch collected 30 days ago",
            os_patch(1, "os-1", "LOW").with("timestamp", ago(30 * DAY)),
            1,
        ),
        (
            "a pending patch collected before",
            os_patch(1, "os-1", "LOW").with("timestamp", ago(30 * DAY + MICROSECOND)),
            0,
        ),
    ] {
        let mut tenant = customer(vec![device(1)]);
        tenant.os_patches.rows = vec![row];
        shown.push((name.into(), tenant, measured));
    }
    for (name, row, measured) in [
        ("an install", install(1, "os-1", "INSTALLED", DAY), 1),
        (
            "an install 45 days ago",
            install(1, "os-1", "INSTALLED", 45 * DAY),
            1,
        ),
        (
            "an install before",
            install(1, "os-1", "INSTALLED", 45 * DAY + MICROSECOND),
            0,
        ),
        (
            "an install of definition updates",
            install(1, "d", "INSTALLED", DAY).with("type", "DEFINITION_UPDATES"),
            1,
        ),
        // An undated success could be of any age.
        (
            "an undated install",
            install(1, "os-1", "INSTALLED", DAY).without("installedAt"),
            0,
        ),
        (
            "a failed install before",
            install(1, "definitions", "FAILED", 45 * DAY + MICROSECOND)
                .with("type", "DEFINITION_UPDATES"),
            0,
        ),
        (
            "an install row of a state never seen",
            install(1, "os-1", "CANCELLED", DAY).with("severity", "CRITICAL"),
            0,
        ),
        (
            "an install row that is pending",
            install(1, "os-1", "MANUAL", DAY).with("severity", "CRITICAL"),
            0,
        ),
        (
            "a failed install of definition updates",
            install(1, "d", "FAILED", DAY).with("type", "DEFINITION_UPDATES"),
            1,
        ),
        (
            "an install collected long ago",
            install(1, "os-1", "INSTALLED", DAY).with("timestamp", ago(44 * DAY)),
            1,
        ),
    ] {
        let mut tenant = customer(vec![device(1)]);
        tenant.os_patch_installs.rows = vec![row];
        shown.push((name.into(), tenant, measured));
    }
    shown.push(("no row at all".into(), customer(vec![device(1)]), 0));
    for (name, tenant, measured) in shown {
        // Software was never seen, which alone keeps it from passing.
        let mut reasons = vec!["no_patch_data"];
        if measured == 0 {
            reasons = vec!["coverage_below_half", "no_patch_data", "unmeasured_devices"];
        }
        let expected = json!({
            "status": if measured == 1 { "warning" } else { "unknown" }, "reasons": reasons,
            "metadata": {
                "scope": { "measured": measured, "unmeasured": 1 - measured },
                "os": { "devices_measured": measured }, "software": { "devices_measured": 0 },
            },
        });
        table.case(format!("measured by {name}"), PATCHES, tenant, expected);
    }

    // A device shows itself in one kind, another in the other: both kinds were seen, both devices measured.
    let mut tenant = customer(vec![device(1), device(2)]);
    tenant.os_patches.rows = vec![definitions(1)];
    tenant.software_patches.rows = vec![software_patch(2, "app-0", "OPTIONAL")];
    let expected = json!({
        "status": "pass", "reasons": [],
        "metadata": {
            "scope": { "measured": 2 }, "os": { "devices_measured": 1 }, "software": { "devices_measured": 1 },
        },
    });
    table.case("each device in one kind", PATCHES, tenant.clone(), expected);
    // Rows of a stale device show nothing of its kind.
    tenant.devices.rows[1] = device(2).with("lastContact", ago(31 * DAY));
    let expected = json!({ "status": "warning", "reasons": ["no_patch_data"] });
    table.case(
        "software seen on a stale device only",
        PATCHES,
        tenant,
        expected,
    );
}

fn kinds_apart(table: &mut Table) {
    let missing = |count: usize| {
        let mut tenant = healthy(1);
        tenant
            .os_patches
            .rows
            .extend((0..count).map(|number| os_patch(1, &format!("new-{number}"), "CRITICAL")));
        tenant
            .software_patches
            .rows
            .extend((0..3).map(|number| software_patch(1, &format!("new-{number}"), "CRITICAL")));
        tenant
    };
    let mut failing = healthy(1);
    failing
        .os_patch_installs
        .rows
        .push(install(1, "os-2", "FAILED", DAY));
    for (reason, report) in [
        ("report_failed", failed as fn() -> Report),
        ("not_available", not_available),
    ] {
        for (name, tenant, lost, status) in [
            ("nothing shown", healthy(1), 5, "unknown"),
            ("nothing shown", healthy(1), 6, "unknown"),
            ("six shown", missing(6), 5, "fail"),
            ("six shown", missing(6), 6, "fail"),
            // Three and three would fail together; what is left of the broken kind does not count.
            ("three shown", missing(3), 5, "unknown"),
            (
                "three shown, three more in the broken kind",
                missing(3),
                6,
                "unknown",
            ),
            ("a failed install shown", failing.clone(), 5, "fail"),
            (
                "a failed install in the broken kind",
                failing.clone(),
                3,
                "unknown",
            ),
            ("six in the broken kind", missing(6), 4, "unknown"),
        ] {
            let mut tenant = tenant;
            *tenant.reports_mut()[lost] = report();
            let expected = json!({ "status": status, "complete": reason == "not_available" });
            table.case(
                format!("report {lost} {reason}, {name}"),
                PATCHES,
                tenant,
                expected,
            );
        }
        let mut tenant = failing.clone();
        *tenant.reports_mut()[3] = report();
        *tenant.reports_mut()[6] = report();
        table.case(
            format!("a report of each kind {reason}"),
            PATCHES,
            tenant,
            json!({ "status": "unknown" }),
        );
    }
    let mut tenant = missing(6);
    tenant.software_patches = failed();
    tenant.software_patch_installs = not_available();
    let expected = json!({
        "status": "fail", "complete": false,
        "reasons": ["no_patch_data", "not_available", "patches_missing", "report_failed"],
    });
    table.case(
        "one software report failed, the other not available",
        PATCHES,
        tenant,
        expected,
    );
}
