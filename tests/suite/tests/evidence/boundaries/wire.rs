//! Fields of another type than ours (section 14): a lossless reading is taken, else the field is unreadable, and never better
//! than before. A row is lost only when it does not say which row it is.

use serde_json::{Value, json};

use super::{
    ANTIVIRUS, BACKUP, DISK, INVENTORY, PATCHES, SIGNALS, Table,
    backup_activity::COMPLETED,
    patch_sla::scanned,
    rows::{
        Change, DAY, GIB, HOUR, activity, ago, bitlocker, customer, device, healthy, install,
        os_patch, product, software_patch, volume,
    },
};
use crate::oracle::tenant::Tenant;

pub(crate) fn table(table: &mut Table) {
    lossless(table);
    beside_the_rules(table);
    devices(table);
    volumes(table);
    products(table);
    severities(table);
    patch_types(table);
    lost_patches(table);
    activities(table);
}

/// What no field of a signal can be read from.
fn wrong() -> [Value; 5] {
    [
        json!(true),
        json!(17.5),
        json!({}),
        json!([]),
        json!({ "a": 1 }),
    ]
}

fn lossless(table: &mut Table) {
    for number in [json!("1"), json!(1.0), json!(1e0)] {
        // A device's id, and the same device in every report.
        let mut tenant = healthy(1);
        for report in tenant.reports_mut() {
            for row in &mut report.rows {
                let field = if row.get("deviceId").is_some() {
                    "deviceId"
                } else {
                    "id"
                };
                row[field] = number.clone();
            }
        }
        for signal in SIGNALS {
            let expected = json!({
                "status": "pass", "complete": true, "reasons": [], "metadata": { "scope": { "measured": 1 } },
            });
            table.case(format!("device {number}"), signal, tenant.clone(), expected);
        }
    }
    for organization in [json!("7"), json!(7.0)] {
        let mut tenant = healthy(1);
        tenant.devices.rows[0] = device(1).with("organizationId", organization.clone());
        for signal in SIGNALS {
            let expected = json!({ "status": "pass", "complete": true, "reasons": [] });
            table.case(
                format!("organization {organization}"),
                signal,
                tenant.clone(),
                expected,
            );
        }
    }
    for (flag, offline) in [
        (json!("false"), false),
        (json!("true"), true),
        (json!(false), false),
        (json!(true), true),
    ] {
        let tenant = customer(vec![device(1).with("offline", flag.clone())]);
        let expected = json!({
            "complete": true,
            "metadata": { "scope": { "measured": 1 }, "devices": { "offline": i64::from(offline) } },
        });
        table.case(format!("flag {flag}"), INVENTORY, tenant, expected);
    }
    for (capacity, inside) in [
        (json!("17179869183"), false),
        (json!("17179869184"), true),
        (json!(17_179_869_183.0), false),
        (json!(17_179_869_184.0), true),
        (json!(16e9), false),
        (json!(18e9), true),
        (json!("0"), false),
        (json!(0.0), false),
    ] {
        let label = if capacity == json!("0") || capacity == json!(0.0) {
            "Data"
        } else {
            "Recovery"
        };
        let mut tenant = customer(vec![device(1)]);
        tenant.volumes.rows = vec![
            volume(1, "C:"),
            volume(1, "D:")
                .with("capacity", capacity.clone())
                .with("label", label),
        ];
        let expected = json!({
            "status": "pass", "complete": true,
            "metadata": { "volumes": { "in_scope": 1 + i64::from(inside), "out_of_scope": 1 - i64::from(inside) } },
        });
        table.case(format!("capacity {capacity}"), DISK, tenant, expected);
    }
    // The same activity, whatever its id is written as.
    let mut tenant = customer(vec![device(1)]);
    tenant.activities.rows = vec![
        activity(5, 1, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED"),
        activity(5, 1, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED").with("id", "5"),
        activity(5, 1, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED").with("id", 5.0),
    ];
    let expected = json!({ "complete": true, "metadata": { "integrity_checks": { "passed": 1 } } });
    table.case("one activity id in three forms", BACKUP, tenant, expected);
}

/// Damage to what no signal reads changes nothing.
fn beside_the_rules(table: &mut Table) {
    let expected = json!({ "status": "pass", "complete": true, "reasons": [] });
    for damage in [
        json!([null]),
        json!(17.5),
        json!({ "a": [] }),
        json!([null, "x", 3]),
    ] {
        let mut tenant = healthy(2);
        for report in tenant.reports_mut() {
            for row in &mut report.rows {
                for field in [
                    "macAddresses",
                    "ipAddresses",
                    "tags",
                    "systemName",
                    "fileSystem",
                    "version",
                    "title",
                    "kbNumber",
                    "activityType",
                    "locationId",
                ] {
                    row[field] = damage.clone();
                }
            }
        }
        for signal in SIGNALS {
            let name = format!("beside the rules {damage}");
            table.case(name, signal, tenant.clone(), expected.clone());
        }
    }
    // Half of a surrogate pair became U+FFFD.
    let mut tenant = healthy(1);
    tenant.volumes.rows[0] = volume(1, "Datei \u{FFFD}");
    tenant.antivirus.rows[0] = product(1, "Schild \u{FFFD}");
    for signal in [DISK, ANTIVIRUS] {
        table.case("half an emoji", signal, tenant.clone(), expected.clone());
    }
    // Ids compare as repaired.
    let mut tenant = scanned();
    tenant
        .os_patches
        .rows
        .push(os_patch(1, "x\u{FFFD}", "CRITICAL").with("timestamp", ago(DAY)));
    tenant.os_patch_installs.rows = vec![install(1, "x\u{FFFD}", "INSTALLED", HOUR)];
    table.case("half an emoji in a patch id", PATCHES, tenant, expected);
}

fn devices(table: &mut Table) {
    for damage in wrong() {
        for field in ["id", "organizationId"] {
            let mut tenant = healthy(2);
            tenant
                .devices
                .rows
                .push(device(3).with(field, damage.clone()));
            for signal in SIGNALS {
                let expected = json!({
                    "status": "warning", "complete": false, "reasons": ["malformed_rows"],
                    "metadata": { "scope": { "approved": 2 } },
                });
                table.case(
                    format!("{field} {damage}"),
                    signal,
                    tenant.clone(),
                    expected,
                );
            }
        }
        // Approved, and a lost row.
        let mut tenant = healthy(2);
        tenant.devices.rows[1] = device(2).with("approvalStatus", damage.clone());
        for signal in SIGNALS {
            let expected = json!({
                "status": "warning", "complete": false, "reasons": ["malformed_rows"],
                "metadata": { "scope": { "approved": 2, "measured": 2, "not_approved": 0 } },
            });
            table.case(
                format!("approval {damage}"),
                signal,
                tenant.clone(),
                expected,
            );
        }
        tenant.antivirus.rows[1] = product(2, "ESET").with("productState", "OFF");
        let expected = json!({ "status": "fail", "complete": false });
        table.case(
            format!("approval {damage}, off"),
            ANTIVIRUS,
            tenant,
            expected,
        );

        // Nothing good is shown of a device whose class cannot be read, and what is bad stays.
        let mut tenant = healthy(2);
        tenant.devices.rows[1] = device(2).with("nodeClass", damage.clone());
        for (signal, more) in [(DISK, "unmeasured_volumes"), (ANTIVIRUS, ""), (PATCHES, "")] {
            let mut reasons = vec!["unknown_node_class", "unmeasured_devices"];
            reasons.extend((!more.is_empty()).then_some(more));
            let expected = json!({
                "status": "warning", "complete": true, "reasons": reasons,
                "metadata": { "scope": { "measured": 1, "unmeasured": 1 } },
            });
            table.case(format!("class {damage}"), signal, tenant.clone(), expected);
        }
        // What was not applicable does not pass, once nobody can read that it is a switch.
        let mut switch = healthy(1);
        switch.devices.rows[0] = device(1).with("nodeClass", damage.clone());
        for signal in [DISK, ANTIVIRUS, PATCHES] {
            let expected =
                json!({ "status": "unknown", "metadata": { "scope": { "unmeasured": 1 } } });
            table.case(
                format!("alone, class {damage}"),
                signal,
                switch.clone(),
                expected,
            );
        }
        for signal in [BACKUP, INVENTORY] {
            let expected = json!({ "status": "pass", "metadata": { "scope": { "measured": 2 } } });
            table.case(format!("class {damage}"), signal, tenant.clone(), expected);
        }
        let mut bad = tenant.clone();
        bad.volumes.rows[1] = volume(2, "C:").with(
            "bitLockerStatus",
            bitlocker("FULLY_DECRYPTED", "UNPROTECTED"),
        );
        bad.antivirus.rows[1] = product(2, "ESET").with("productState", "OFF");
        bad.os_patch_installs
            .rows
            .push(install(2, "x", "FAILED", HOUR));
        for signal in [DISK, ANTIVIRUS, PATCHES] {
            table.case(
                format!("class {damage}, bad"),
                signal,
                bad.clone(),
                json!({ "status": "fail" }),
            );
        }

        // Unmeasured in the inventory, never stale by a contact that cannot be read.
        let tenant = customer(vec![
            device(1).with("offline", damage.clone()),
            device(2).with("lastContact", json!([])),
        ]);
        if damage != json!(true) {
            let expected = json!({
                "status": "warning", "complete": true, "reasons": ["unmeasured_devices"],
                "metadata": { "scope": { "measured": 1, "unmeasured": 1 }, "devices": { "stale": 0 } },
            });
            table.case(format!("offline {damage}"), INVENTORY, tenant, expected);
        }
    }
}

fn volumes(table: &mut Table) {
    let decrypted = || bitlocker("FULLY_DECRYPTED", "UNPROTECTED");
    let one = |row: Value| {
        let mut tenant = customer(vec![device(1)]);
        tenant.volumes.rows = vec![row];
        tenant
    };
    let unmeasured = json!({
        "status": "unknown", "complete": true, "metadata": { "volumes": { "in_scope": 1, "unmeasured": 1 } },
    });
    for damage in wrong() {
        // Which volume it is, and whether it is in scope: what is encrypted is unmeasured, what is bad stays bad.
        for field in ["name", "driveLetter", "label", "deviceType", "capacity"] {
            let row = volume(1, "C:").with(field, damage.clone());
            table.case(
                format!("{field} {damage}"),
                DISK,
                one(row.clone()),
                unmeasured.clone(),
            );
            let row = row.with("bitLockerStatus", decrypted());
            let expected = json!({ "status": "fail", "complete": true, "metadata": { "volumes": { "not_encrypted": 1 } } });
            table.case(format!("{field} {damage}, bad"), DISK, one(row), expected);
        }
        // What would have put it out does not.
        let small = volume(1, r"\\?\Volume{1}\")
            .without("driveLetter")
            .with("label", "EFI")
            .with("capacity", GIB);
        for (name, row, inside) in [
            ("label", small.clone().with("label", damage.clone()), false),
            (
                "letter",
                small.clone().with("driveLetter", damage.clone()),
                false,
            ),
            (
                "capacity",
                small.clone().with("capacity", damage.clone()),
                true,
            ),
            (
                "name and label",
                small.clone().with("name", damage.clone()).with("label", ""),
                true,
            ),
            (
                "letter, no label",
                small.with("driveLetter", damage.clone()).without("label"),
                true,
            ),
            (
                "type",
                volume(1, "E:").with("deviceType", damage.clone()),
                true,
            ),
        ] {
            let row = row.with("bitLockerStatus", decrypted());
            let expected = if inside {
                json!({ "status": "fail", "metadata": { "volumes": { "in_scope": 1, "out_of_scope": 0 } } })
            } else {
                // Out by the label, or because nobody can open it.
                json!({ "status": "unknown", "metadata": { "volumes": { "out_of_scope": 1 } } })
            };
            table.case(
                format!("small and bad, {name} {damage}"),
                DISK,
                one(row),
                expected,
            );
        }
        // A serial number is read only where it names the volume.
        let row = volume(1, "C:").with("serialNumber", damage.clone());
        table.case(
            format!("serial {damage}"),
            DISK,
            one(row.clone()),
            json!({ "status": "pass" }),
        );
        let row = row.without("name").without("driveLetter");
        table.case(
            format!("only a serial {damage}"),
            DISK,
            one(row),
            unmeasured.clone(),
        );

        // Encryption.
        let row = volume(1, "C:").with("bitLockerStatus", damage.clone());
        table.case(
            format!("BitLocker {damage}"),
            DISK,
            one(row),
            unmeasured.clone(),
        );
        for (status, bucket) in [
            (bitlocker(damage.clone(), "PROTECTED"), "unmeasured"),
            (bitlocker(damage.clone(), "UNPROTECTED"), "not_encrypted"),
            (bitlocker("FULLY_ENCRYPTED", damage.clone()), "unmeasured"),
            (
                bitlocker("FULLY_DECRYPTED", damage.clone()),
                "not_encrypted",
            ),
            (
                bitlocker("ENCRYPTION_IN_PROGRESS", damage.clone()),
                "in_progress",
            ),
            (bitlocker(damage.clone(), damage.clone()), "unmeasured"),
        ] {
            let expected = json!({ "complete": true, "metadata": { "volumes": { "in_scope": 1, bucket: 1 } } });
            let name = format!("BitLocker {status}");
            table.case(
                name,
                DISK,
                one(volume(1, "C:").with("bitLockerStatus", status)),
                expected,
            );
        }
    }
    // 18 of 19 are encrypted, and a volume that is out is not the one that is missing to 95 in 100, once it cannot be read what puts it
    // out.
    for (field, out) in [
        (
            "deviceType",
            volume(1, "X:").with("deviceType", "Removable Disk"),
        ),
        ("capacity", volume(1, "X:").with("capacity", 0)),
        (
            "label",
            volume(1, "X:").with("label", "EFI").with("capacity", GIB),
        ),
        (
            "driveLetter",
            volume(1, r"\\?\Volume{1}\")
                .with("driveLetter", "")
                .with("capacity", GIB),
        ),
    ] {
        let mut tenant = customer(vec![device(1)]);
        tenant.volumes.rows = (0..18)
            .map(|number| volume(1, &format!("{number}:")))
            .collect();
        tenant
            .volumes
            .rows
            .push(volume(1, "Z:").with("bitLockerStatus", decrypted()));
        for damage in [None, Some(json!([])), Some(json!(true))] {
            let mut tenant = tenant.clone();
            let name = format!("one volume short of a pass, {field} {damage:?}");
            tenant.volumes.rows.push(match damage {
                Some(damage) => out.clone().with(field, damage),
                None => out.clone(),
            });
            let expected =
                json!({ "status": "warning", "metadata": { "volumes": { "encrypted": 18 } } });
            table.case(name, DISK, tenant, expected);
        }
    }
    // A row that could be of any volume of its device shows none of them encrypted, and hides no bad one.
    let newer = volume(1, "C:")
        .with("name", 17.5)
        .with("driveLetter", Value::Null);
    let older = volume(1, "C:").with("timestamp", ago(2 * HOUR));
    for (name, rows, encrypted, bad) in [
        (
            "good beside good",
            vec![newer.clone(), older.clone(), volume(1, "D:")],
            0,
            0,
        ),
        (
            "good beside bad",
            vec![
                newer.clone(),
                older.clone().with("bitLockerStatus", decrypted()),
            ],
            0,
            1,
        ),
        (
            "bad beside good",
            vec![newer.with("bitLockerStatus", decrypted()), older],
            0,
            1,
        ),
    ] {
        let mut tenant = customer(vec![device(1)]);
        tenant.volumes.rows = rows;
        let expected =
            json!({ "metadata": { "volumes": { "encrypted": encrypted, "not_encrypted": bad } } });
        table.case(
            format!("of no known volume: {name}"),
            DISK,
            tenant,
            expected,
        );
    }
}

fn products(table: &mut Table) {
    for damage in wrong() {
        for (name, rows, status) in [
            (
                "name, on",
                vec![product(1, "ESET").with("productName", damage.clone())],
                "unknown",
            ),
            (
                "name, off",
                vec![
                    product(1, "ESET")
                        .with("productName", damage.clone())
                        .with("productState", "OFF"),
                ],
                "fail",
            ),
            (
                "name, on, beside one that is off",
                vec![
                    product(1, "ESET").with("productName", damage.clone()),
                    product(1, "Sophos").with("productState", "OFF"),
                ],
                "fail",
            ),
            (
                "name, never seen, beside one that is off",
                vec![
                    product(1, "ESET")
                        .with("productName", damage.clone())
                        .with("productState", "RESTARTING"),
                    product(1, "Sophos").with("productState", "OFF"),
                ],
                "unknown",
            ),
            (
                "state",
                vec![product(1, "ESET").with("productState", damage.clone())],
                "unknown",
            ),
            (
                "state, beside one that is off",
                vec![
                    product(1, "ESET").with("productState", damage.clone()),
                    product(1, "Sophos").with("productState", "OFF"),
                ],
                "unknown",
            ),
            (
                "state, beside one that is on",
                vec![
                    product(1, "ESET").with("productState", damage.clone()),
                    product(1, "Sophos"),
                ],
                "pass",
            ),
            (
                "state of no product",
                vec![product(1, "NONE").with("productState", damage.clone())],
                "fail",
            ),
            (
                "definitions",
                vec![product(1, "ESET").with("definitionStatus", damage.clone())],
                "warning",
            ),
            (
                "definitions, beside one up to date",
                vec![
                    product(1, "ESET").with("definitionStatus", damage.clone()),
                    product(1, "Sophos"),
                ],
                "pass",
            ),
        ] {
            let mut tenant = customer(vec![device(1)]);
            tenant.antivirus.rows = rows;
            let expected = json!({ "status": status, "complete": true });
            table.case(format!("{name} {damage}"), ANTIVIRUS, tenant, expected);
        }
    }
}

/// A severity that is there and cannot be read: unknown, unless the type makes it important.
fn severities(table: &mut Table) {
    for damage in wrong() {
        for (patch_type, standing) in [
            (json!("SECURITY_UPDATES"), "missing_important"),
            (json!("critical_updates"), "missing_important"),
            (json!("DRIVER_UPDATES"), "severity_unknown"),
            (json!("FEATURE_UPDATES"), "severity_unknown"),
            (json!("FEATURE_PACKS"), "severity_unknown"),
            (json!("SERVICE_PACKS"), "severity_unknown"),
            (json!("UPDATE_ROLLUPS"), "severity_unknown"),
            (Value::Null, "severity_unknown"),
            (damage.clone(), "severity_unknown"),
        ] {
            for (kind, field) in [("os", "severity"), ("software", "impact")] {
                let row = os_patch(1, "x", "LOW")
                    .with(field, damage.clone())
                    .with("type", patch_type.clone());
                for (status, becomes) in [("MANUAL", standing), ("REJECTED", "rejected")] {
                    let mut tenant = scanned();
                    let report = if kind == "os" { 3 } else { 5 };
                    tenant.reports_mut()[report]
                        .rows
                        .push(row.clone().with("status", status));
                    let mut counts = json!({
                        "missing_critical": 0, "missing_important": 0, "severity_unknown": 0, "rejected": 0,
                    });
                    counts[becomes] = json!(1);
                    let expected = json!({ "status": "warning", "complete": true, "metadata": { kind: counts } });
                    let name = format!("{kind} {status}, severity {damage}, type {patch_type}");
                    table.case(name, PATCHES, tenant, expected);
                }
            }
        }
    }
}

/// A type that cannot be read may be that of definition updates, which count for nothing: it settles and hides nothing.
fn patch_types(table: &mut Table) {
    for damage in wrong() {
        let with_type = |row: Value| row.with("type", damage.clone());
        let missing = os_patch(1, "x", "CRITICAL").with("timestamp", ago(DAY));
        for (name, pending, installs, status) in [
            (
                "a critical patch",
                vec![with_type(missing.clone())],
                vec![],
                "warning",
            ),
            (
                "a patch of no weight",
                vec![with_type(os_patch(1, "x", "LOW"))],
                vec![],
                "pass",
            ),
            (
                "a patch of no severity",
                vec![with_type(os_patch(1, "x", ""))],
                vec![],
                "warning",
            ),
            (
                "a newer row of no weight",
                vec![missing.clone(), with_type(os_patch(1, "x", "LOW"))],
                vec![],
                "warning",
            ),
            (
                "a later success",
                vec![missing.clone()],
                vec![with_type(install(1, "x", "INSTALLED", HOUR))],
                "warning",
            ),
            (
                "a failure",
                vec![],
                vec![with_type(install(1, "x", "FAILED", HOUR))],
                "fail",
            ),
            (
                "a success after a failure",
                vec![],
                vec![
                    install(1, "x", "FAILED", DAY),
                    with_type(install(1, "x", "INSTALLED", HOUR)),
                ],
                "fail",
            ),
            (
                "another success after a failure",
                vec![],
                vec![
                    install(1, "x", "FAILED", DAY),
                    with_type(install(1, "y", "INSTALLED", HOUR)),
                ],
                "fail",
            ),
        ] {
            let mut tenant = scanned();
            tenant.os_patches.rows.extend(pending);
            tenant.os_patch_installs.rows = installs;
            let expected = json!({ "status": status, "complete": true });
            table.case(
                format!("{name} of type {damage}"),
                PATCHES,
                tenant,
                expected,
            );
        }
        // It still shows that the device is scanned.
        let mut tenant = scanned();
        tenant.os_patches.rows.clear();
        tenant.os_patch_installs.rows = vec![with_type(install(1, "x", "INSTALLED", HOUR))];
        let expected = json!({ "status": "pass", "metadata": { "os": { "devices_measured": 1 } } });
        table.case(
            format!("measured by a success of type {damage}"),
            PATCHES,
            tenant,
            expected,
        );
    }
}

/// Lost: a patch row without patch id, an install row without a state, a pending state that cannot be read.
fn lost_patches(table: &mut Table) {
    let mut lost: Vec<(String, usize, Value)> = Vec::new();
    for (index, row) in [
        (3, os_patch(1, "x", "LOW")),
        (4, install(1, "x", "INSTALLED", DAY)),
        (5, software_patch(1, "x", "LOW")),
        (6, install(1, "x", "INSTALLED", DAY)),
    ] {
        for damage in wrong() {
            for field in ["deviceId", "id", "status"] {
                let name = format!("report {index}: {field} {damage}");
                lost.push((name, index, row.clone().with(field, damage.clone())));
            }
        }
        if index % 2 == 0 {
            for (name, row) in [
                ("without a state", row.clone().without("status")),
                ("of null state", row.clone().with("status", Value::Null)),
                ("of blank state", row.with("status", " ")),
            ] {
                lost.push((format!("report {index}: an install {name}"), index, row));
            }
        }
    }
    for (name, index, row) in lost {
        let mut tenant = healthy(2);
        tenant.reports_mut()[index].rows.push(row);
        let expected =
            json!({ "status": "warning", "complete": false, "reasons": ["malformed_rows"] });
        table.case(name, PATCHES, tenant, expected);
    }
    // A pending row without a state is none the less pending.
    for row in [
        os_patch(1, "x", "CRITICAL").without("status"),
        os_patch(1, "x", "CRITICAL").with("status", Value::Null),
        os_patch(1, "x", "CRITICAL").with("status", ""),
    ] {
        let mut tenant = scanned();
        let name = format!("pending without a state: {}", row["status"]);
        tenant.os_patches.rows.push(row);
        let expected =
            json!({ "status": "warning", "complete": true, "reasons": ["patches_missing"] });
        table.case(name, PATCHES, tenant, expected);
    }
}

fn activities(table: &mut Table) {
    let one = |rows: Vec<Value>| -> Tenant {
        let mut tenant = customer(vec![device(1)]);
        tenant.activities.rows = rows;
        tenant
    };
    for damage in wrong() {
        for field in ["id", "deviceId", "statusCode"] {
            let mut tenant = healthy(2);
            tenant
                .activities
                .rows
                .push(activity(9, 1, COMPLETED).with(field, damage.clone()));
            let expected =
                json!({ "status": "warning", "complete": false, "reasons": ["malformed_rows"] });
            table.case(
                format!("activity {field} {damage}"),
                BACKUP,
                tenant,
                expected,
            );
        }
        // A result that cannot be read makes a completed run activity that is neither.
        for (code, status, latest_failed) in [
            (COMPLETED, "fail", 0),
            ("CLOUDBERRY_BACKUPJOB_SUCCEEDED", "fail", 0),
            ("NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING", "fail", 0),
            ("NINJA_BACKUP_BACKUPJOB_CANCELLED", "fail", 0),
            ("SHADOWPROTECT_BACKUPJOB_ABORTED", "fail", 1),
            ("NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED", "unknown", 0),
            ("NINJA_BACKUP_RESTOREJOB_COMPLETED", "unknown", 0),
        ] {
            let row = activity(1, 1, code).with("activityResult", damage.clone());
            let expected = json!({
                "status": status, "complete": true,
                "metadata": {
                    "devices": { "with_success": 0, "warnings_only": 0, "latest_run_failed": latest_failed },
                    "integrity_checks": { "passed": 0 }, "restores_completed": 0,
                },
            });
            table.case(
                format!("{code}, result {damage}"),
                BACKUP,
                one(vec![row]),
                expected,
            );
        }
    }

    // The same id twice with different content: the failure.
    let success = || activity(1, 1, COMPLETED);
    let failure = || activity(1, 1, "NINJA_BACKUP_BACKUPJOB_FAILED");
    for (name, rows, status) in [
        ("the same", vec![success(), success()], "pass"),
        ("success and failure", vec![success(), failure()], "fail"),
        (
            "success, and failure before",
            vec![success(), failure().with("activityTime", ago(3 * DAY))],
            "fail",
        ),
        (
            "success, and a result of failure",
            vec![success(), success().with("activityResult", "FAILURE")],
            "fail",
        ),
        (
            "success, and failure at no time",
            vec![success(), failure().with("activityTime", 0)],
            "fail",
        ),
        (
            "success at no time, and failure",
            vec![success().with("activityTime", 0), failure()],
            "fail",
        ),
        (
            "success, and failure out of the window",
            vec![success(), failure().with("activityTime", ago(8 * DAY))],
            "fail",
        ),
        (
            "success at no time, and failure out of the window",
            vec![
                success().with("activityTime", 0),
                failure().with("activityTime", ago(8 * DAY)),
            ],
            "fail",
        ),
        (
            "success and failure out of the window",
            vec![
                success().with("activityTime", ago(8 * DAY)),
                failure().with("activityTime", ago(9 * DAY)),
            ],
            "unknown",
        ),
        (
            "success and warning",
            vec![
                success(),
                activity(1, 1, "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING"),
            ],
            "warning",
        ),
        (
            "success and cancelled",
            vec![
                success(),
                activity(1, 1, "NINJA_BACKUP_BACKUPJOB_CANCELLED"),
            ],
            "fail",
        ),
        (
            "success twice, once out of the window",
            vec![success(), success().with("activityTime", ago(8 * DAY))],
            "pass",
        ),
        (
            "success twice, once at no time",
            vec![success(), success().with("activityTime", 0)],
            "pass",
        ),
        (
            "failure and success beside another success",
            vec![success(), failure(), success().with("id", 2)],
            "pass",
        ),
    ] {
        for turned in [false, true] {
            let mut rows = rows.clone();
            if turned {
                rows.reverse();
            }
            let expected = json!({ "status": status, "complete": true });
            table.case(format!("one id: {name}"), BACKUP, one(rows), expected);
        }
    }
    // One of twelve servers backed up: shown, and a pass may carry it.
    let mut tenant = healthy(12);
    for row in &mut tenant.devices.rows {
        *row = row.clone().with("nodeClass", "WINDOWS_SERVER");
    }
    tenant.activities.rows.truncate(1);
    let expected = json!({
        "status": "pass", "reasons": ["devices_without_backup"], "metadata": { "devices": { "without_any_backup": 11 } },
    });
    table.case(
        "one of twelve servers backed up",
        BACKUP,
        tenant.clone(),
        expected,
    );
    // Stale workstations, servers and devices of unknown class count for rule 4, and no others.
    for (class, status) in [
        ("WINDOWS_SERVER", "unknown"),
        ("CHROME_OS", "unknown"),
        ("NMS_SWITCH", "pass"),
        ("VMWARE_VM_GUEST", "pass"),
        ("ANDROID", "pass"),
        ("MANAGED_DEVICE", "pass"),
    ] {
        let mut tenant = healthy(3);
        tenant.activities.rows.truncate(1);
        for row in tenant.devices.rows.iter_mut().skip(1) {
            *row = row
                .clone()
                .with("lastContact", ago(31 * DAY))
                .with("nodeClass", class);
        }
        let expected = json!({ "status": status });
        table.case(
            format!("one backed up, two stale {class}"),
            BACKUP,
            tenant,
            expected,
        );
    }
}
