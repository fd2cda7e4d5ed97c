//! Undated and too old rows (sections 3 to 6): what each becomes beside what.

use serde_json::{Value, json};

use super::{
    ANTIVIRUS, BACKUP, DISK, PATCHES, Table,
    backup_activity::{CANCELLED, COMPLETED, FAILED, WITH_WARNING},
    patch_sla::{pending, scanned},
    rows::{
        Change, DAY, HOUR, MICROSECOND, activity, ago, bitlocker, customer, definitions, device,
        healthy, ids, install, os_patch, product, volume,
    },
};
use crate::oracle::tenant::Tenant;

pub(crate) fn table(table: &mut Table) {
    volumes(table);
    volumes_that_are_gone(table);
    products(table);
    pending_patches(table);
    pending_patches_twice(table);
    backups(table);
    unmeasured_backups(table);
    no_last_contact(table);
}

fn undated(row: Value) -> Value {
    row.without("timestamp")
}

fn too_old(row: Value) -> Value {
    row.with("timestamp", ago(30 * DAY + MICROSECOND))
}

/// A volume in a bucket: `N`ot encrypted, `I`n progress, `S`uspended, `U`nmeasured, `E`ncrypted, `O`ut.
fn of(bucket: char, name: &str) -> Value {
    let row = volume(1, name);
    match bucket {
        'N' => row.with(
            "bitLockerStatus",
            bitlocker("FULLY_DECRYPTED", "UNPROTECTED"),
        ),
        'I' => row.with(
            "bitLockerStatus",
            bitlocker("ENCRYPTION_PAUSED", "UNPROTECTED"),
        ),
        'S' => row.with(
            "bitLockerStatus",
            bitlocker("FULLY_ENCRYPTED", "UNPROTECTED"),
        ),
        'U' => row.without("bitLockerStatus"),
        'E' => row,
        _ => row.with("deviceType", "Removable Disk"),
    }
}

/// The volumes of a signal of which so many stand in each bucket.
fn standing(buckets: &str) -> Value {
    let count = |wanted: char| buckets.chars().filter(|bucket| *bucket == wanted).count();
    json!({
        "in_scope": buckets.len() - count('O'), "out_of_scope": count('O'), "encrypted": count('E'),
        "suspended": count('S'), "in_progress": count('I'), "not_encrypted": count('N'), "unmeasured": count('U'),
    })
}

fn disk_case(table: &mut Table, name: String, rows: Vec<Value>, buckets: &str, decided: bool) {
    let mut tenant = customer(vec![device(1)]);
    // A device without any in-scope volume counts as one unmeasured volume.
    let mut volumes = standing(buckets);
    if volumes["in_scope"] == 0 {
        volumes["in_scope"] = json!(1);
        volumes["unmeasured"] = json!(1);
    }
    let mut reasons = vec![];
    if volumes["in_scope"] != volumes["unmeasured"] && buckets.contains(['N', 'I', 'S']) {
        reasons.push("below_threshold");
    }
    if volumes["in_scope"] == volumes["unmeasured"] {
        reasons.extend(["coverage_below_half"]);
    }
    if decided {
        reasons.push("undated_rows");
    }
    if volumes["in_scope"] == volumes["unmeasured"] {
        reasons.push("unmeasured_devices");
    }
    if volumes["unmeasured"] != 0 {
        reasons.push("unmeasured_volumes");
    }
    tenant.volumes.rows = rows;
    let expected = json!({ "reasons": reasons, "metadata": { "volumes": volumes } });
    table.case(name, DISK, tenant, expected);
}

/// One volume with a fresh and an undated row.
fn volumes(table: &mut Table) {
    // What the volume is; `*` after it: because of the undated row. Undated:
    //            N     I     S     U     E     O
    let beside = [
        ('N', ["N", "N", "N", "N", "N", "U*"]),
        ('I', ["U*", "I", "I", "I", "I", "U*"]),
        ('S', ["U*", "U*", "S", "S", "S", "U*"]),
        ('U', ["U*", "U*", "U*", "U", "U", "U*"]),
        ('E', ["U*", "U*", "U*", "U*", "E", "U*"]),
        ('O', ["U*", "U*", "U*", "U*", "U*", "O"]),
    ];
    let buckets = ['N', 'I', 'S', 'U', 'E', 'O'];
    for (fresh, row) in beside {
        for (without_time, becomes) in buckets.into_iter().zip(row) {
            let rows = vec![of(fresh, "C:"), undated(of(without_time, "C:"))];
            let (bucket, decided) = (becomes.trim_end_matches('*'), becomes.ends_with('*'));
            let name = format!("fresh {fresh}, undated {without_time}");
            disk_case(table, name.clone(), rows.clone(), bucket, decided);
            // A too old row changes nothing beside a fresh one of its volume, nor does another volume.
            for more in ['N', 'E', 'O'] {
                let mut rows = rows.clone();
                rows.extend([too_old(of(more, "C:")), of('E', "D:")]);
                disk_case(
                    table,
                    format!("{name}, too old {more}, beside another"),
                    rows,
                    &format!("{bucket}E"),
                    decided,
                );
            }
        }
    }
    // No fresh row beside it: unmeasured, and out where the row says so.
    for without_time in buckets {
        let (bucket, decided) = if without_time == 'O' {
            ("O", false)
        } else {
            ("U", true)
        };
        let row = undated(of(without_time, "C:"));
        disk_case(
            table,
            format!("undated {without_time}"),
            vec![row.clone()],
            bucket,
            decided,
        );
        disk_case(
            table,
            format!("undated {without_time}, beside another"),
            vec![row.clone(), of('E', "D:")],
            &format!("{bucket}E"),
            decided,
        );
        for more in buckets {
            let rows = vec![row.clone(), too_old(of(more, "C:")), of('E', "D:")];
            let name = format!("undated {without_time}, too old {more}, beside another");
            disk_case(table, name, rows, "UE", true);
        }
    }
    let rows = vec![undated(of('O', "C:")), undated(of('E', "C:"))];
    disk_case(table, "undated out and encrypted".into(), rows, "U", true);
    // Of several, the worse makes it unmeasured.
    let rows = vec![
        of('E', "C:"),
        undated(of('E', "C:")),
        undated(of('N', "C:")),
    ];
    disk_case(table, "fresh E, undated E and N".into(), rows, "U", true);
    // Out by its label and size, or because nobody can open it.
    for row in [
        of('N', "C:")
            .with("label", "EFI")
            .with("capacity", 1_000_000),
        of('N', r"\\?\Volume{1}\")
            .without("driveLetter")
            .with("capacity", 1_000_000),
        of('N', "C:").with("capacity", 0),
    ] {
        disk_case(
            table,
            format!("undated and out: {row}"),
            vec![undated(row), of('E', "D:")],
            "OE",
            false,
        );
    }
}

/// A too old row is of a volume that is gone, where its device has a fresh row of another in-scope volume.
fn volumes_that_are_gone(table: &mut Table) {
    for old in ['N', 'I', 'S', 'U', 'E', 'O'] {
        let row = too_old(of(old, "C:"));
        for (name, others, buckets, decided) in [
            ("alone", vec![], "U", true),
            ("beside E", vec![of('E', "D:")], "E", false),
            ("beside N", vec![of('N', "D:")], "N", false),
            ("beside U", vec![of('U', "D:")], "U", false),
            // Not in scope, not fresh.
            ("beside out", vec![of('O', "D:")], "UO", true),
            ("beside undated", vec![undated(of('E', "D:"))], "UU", true),
            ("beside too old", vec![too_old(of('E', "D:"))], "UU", true),
            (
                "beside too old and fresh",
                vec![too_old(of('E', "D:")), of('E', "E:")],
                "E",
                false,
            ),
        ] {
            let mut rows = vec![row.clone()];
            rows.extend(others);
            disk_case(
                table,
                format!("too old {old} {name}"),
                rows,
                buckets,
                decided,
            );
        }
    }
    // Another volume of another device does not help.
    let mut tenant = healthy(2);
    tenant.volumes.rows[0] = too_old(volume(1, "C:"));
    let expected = json!({
        "status": "warning", "reasons": ["undated_rows", "unmeasured_devices", "unmeasured_volumes"],
        "metadata": { "volumes": { "in_scope": 2, "encrypted": 1, "unmeasured": 1 } },
    });
    table.case("too old beside another device", DISK, tenant, expected);
}

fn products(table: &mut Table) {
    let row = |name: &str, state: &str| product(1, name).with("productState", state);
    let at = |name: &str, state: &str, time: i64| row(name, state).with("timestamp", ago(time));
    let (on, off, unmeasured) = ("on", "off", "unmeasured");
    let mut cases: Vec<(String, Vec<Value>, &str, bool)> = Vec::new();
    for state in ["ON", "OFF", "RESTARTING"] {
        for name in ["ESET", "NONE", ""] {
            // Left aside: no row left.
            let rows = vec![undated(row(name, state))];
            cases.push((format!("undated {name:?} {state}"), rows, unmeasured, true));
            let rows = vec![too_old(row(name, state))];
            cases.push((format!("too old {name:?} {state}"), rows, unmeasured, true));
            for aside in [undated(row(name, state)), too_old(row(name, state))] {
                let time = if aside.get("timestamp").is_some() {
                    "too old"
                } else {
                    "undated"
                };
                for (fresh, becomes) in [("ON", on), ("OFF", off), ("RESTARTING", unmeasured)] {
                    cases.push((
                        format!("fresh {fresh}, {time} {name:?} {state}"),
                        vec![row("Sophos", fresh), aside.clone()],
                        becomes,
                        false,
                    ));
                }
                cases.push((
                    format!("fresh NONE, {time} {name:?} {state}"),
                    vec![row("NONE", "OFF"), aside],
                    off,
                    false,
                ));
            }
            // An undated row counts as of now, and what is more than seven days older is left aside.
            for (fresh, becomes) in [("ON", on), ("OFF", off)] {
                let rows = vec![at("Sophos", fresh, 7 * DAY), undated(row(name, state))];
                let label = format!("{fresh} 7 days ago, undated {name:?} {state}");
                cases.push((label, rows, becomes, false));
                let rows = vec![
                    at("Sophos", fresh, 7 * DAY + MICROSECOND),
                    undated(row(name, state)),
                ];
                let label = format!("{fresh} before, undated {name:?} {state}");
                cases.push((label, rows, unmeasured, true));
                // A too old row does not.
                let rows = vec![at("Sophos", fresh, 29 * DAY), too_old(row(name, state))];
                let label = format!("{fresh} 29 days ago, too old {name:?} {state}");
                cases.push((label, rows, becomes, false));
            }
        }
    }
    cases.push((
        "undated ON and OFF".into(),
        vec![undated(row("ESET", "ON")), undated(row("Sophos", "OFF"))],
        unmeasured,
        true,
    ));
    cases.push((
        "undated and too old".into(),
        vec![undated(row("ESET", "ON")), too_old(row("Sophos", "ON"))],
        unmeasured,
        true,
    ));
    for (name, rows, becomes, decided) in cases {
        let mut tenant = customer(vec![device(1)]);
        tenant.antivirus.rows = rows;
        let reasons = match (becomes, decided) {
            ("on", _) => vec![],
            ("off", _) => vec!["protection_off"],
            (_, true) => vec!["coverage_below_half", "undated_rows", "unmeasured_devices"],
            (_, false) => vec!["coverage_below_half", "unmeasured_devices"],
        };
        let counts = json!({
            "on": i64::from(becomes == on), "off": i64::from(becomes == off),
            "unmeasured": i64::from(becomes == unmeasured),
        });
        let expected =
            json!({ "complete": true, "reasons": reasons, "metadata": { "devices": counts } });
        table.case(name, ANTIVIRUS, tenant, expected);
    }
    let mut tenant = healthy(20);
    tenant.antivirus.rows[3] = undated(product(4, "ESET").with("productState", "OFF"));
    let expected =
        json!({ "status": "warning", "reasons": ["undated_rows", "unmeasured_devices"] });
    table.case("one of twenty undated", ANTIVIRUS, tenant, expected);
}

const STANDINGS: [(&str, &str, &str); 5] = [
    ("CRITICAL", "MANUAL", "missing_critical"),
    ("IMPORTANT", "MANUAL", "missing_important"),
    ("unknown", "MANUAL", "severity_unknown"),
    ("CRITICAL", "REJECTED", "rejected"),
    ("LOW", "MANUAL", "nothing"),
];

fn patch_of(standing: &str) -> Value {
    let (severity, status, _) = STANDINGS
        .into_iter()
        .find(|(_, _, name)| *name == standing)
        .expect("a standing");
    os_patch(1, "os-1", severity).with("status", status)
}

fn reason_of(standing: &str) -> Option<&'static str> {
    match standing {
        "missing_critical" | "missing_important" => Some("patches_missing"),
        "severity_unknown" => Some("severity_unknown"),
        "rejected" => Some("patches_rejected"),
        _ => None,
    }
}

fn patch_case(table: &mut Table, name: String, tenant: Tenant, standing: &str, decided: bool) {
    let mut counts = json!({
        "missing_critical": 0, "missing_important": 0, "severity_unknown": 0, "rejected": 0,
        "failed_installs": 0, "failed_superseded": 0,
    });
    let mut reasons: Vec<&str> = reason_of(standing).into_iter().collect();
    if standing != "nothing" {
        counts[standing] = json!(1);
    }
    if decided {
        reasons.push("undated_rows");
    }
    reasons.sort_unstable();
    let expected = json!({
        "status": if standing == "nothing" { "pass" } else { "warning" }, "reasons": reasons,
        "metadata": { "os": counts },
    });
    table.case(name, PATCHES, tenant, expected);
}

/// Pending rows count whatever their `timestamp` says; too old and undated ones measure nothing.
fn pending_patches(table: &mut Table) {
    type Stamp = fn(Value) -> Value;
    let fresh: Stamp = |row| row;
    for (severity, status, standing) in STANDINGS {
        for (time, stamp) in [
            ("fresh", fresh),
            ("undated", undated as Stamp),
            ("too old", too_old as Stamp),
        ] {
            let decided = time != "fresh" && standing != "nothing";
            let row = stamp(os_patch(1, "os-1", severity).with("status", status));
            let tenant = pending(vec![row.clone()]);
            let name = format!("{time} {standing}");
            patch_case(table, name.clone(), tenant, standing, decided);

            let mut tenant = scanned();
            tenant.os_patches.rows = vec![row.clone()];
            let measured = i64::from(time == "fresh");
            let expected = json!({ "metadata": { "os": { "devices_measured": measured } } });
            table.case(format!("measured by {name}"), PATCHES, tenant, expected);

            // A dated success strictly newer settles a dated row, and no undated one.
            for (success, installed) in [
                ("installed since", HOUR / 2),
                ("installed before", 40 * DAY),
            ] {
                let mut tenant = pending(vec![row.clone()]);
                tenant.os_patch_installs.rows = vec![install(1, "os-1", "INSTALLED", installed)];
                let settled = time != "undated" && installed < DAY;
                patch_case(
                    table,
                    format!("{name}, {success}"),
                    tenant,
                    if settled { "nothing" } else { standing },
                    decided && !settled,
                );
            }
            // An undated success settles nothing.
            let mut tenant = pending(vec![row]);
            tenant.os_patch_installs.rows =
                vec![install(1, "os-1", "INSTALLED", 0).without("installedAt")];
            patch_case(
                table,
                format!("{name}, installed at no time that can be read"),
                tenant,
                standing,
                decided,
            );
        }
    }
    let mut tenant = pending(vec![too_old(patch_of("missing_critical"))]);
    tenant.os_patch_installs.rows = vec![install(1, "os-1", "INSTALLED", 30 * DAY + MICROSECOND)];
    patch_case(
        table,
        "too old missing, installed at that very time".into(),
        tenant,
        "missing_critical",
        true,
    );
}

/// The same unit twice: an undated row ties with the newest that no success has outdone.
fn pending_patches_twice(table: &mut Table) {
    let order = [
        "missing_critical",
        "missing_important",
        "severity_unknown",
        "rejected",
        "nothing",
    ];
    for (worse, first) in order.into_iter().enumerate() {
        for (other, second) in order.into_iter().enumerate() {
            // Fresh and undated: the worse. The undated row decided where it says the same as the outcome.
            let winner = order[worse.min(other)];
            let decided = winner == second && winner != "nothing";
            let rows = vec![patch_of(first), undated(patch_of(second))];
            let name = format!("fresh {first}, undated {second}");
            patch_case(table, name.clone(), pending(rows.clone()), winner, decided);
            // The fresh one outdone by a success: the undated one is not.
            let mut tenant = pending(rows);
            tenant.os_patch_installs.rows = vec![install(1, "os-1", "INSTALLED", HOUR / 2)];
            patch_case(
                table,
                format!("{name}, installed since"),
                tenant,
                second,
                second != "nothing",
            );
            // A too old row is older than a fresh one.
            let rows = vec![patch_of(first), too_old(patch_of(second))];
            patch_case(
                table,
                format!("fresh {first}, too old {second}"),
                pending(rows),
                first,
                false,
            );
            // Both without a time, or both too old at one time.
            for stamp in [undated as fn(Value) -> Value, too_old] {
                let rows = vec![stamp(patch_of(first)), stamp(patch_of(second))];
                let name = format!("twice not fresh: {first}, {second}, {}", rows[0]);
                patch_case(table, name, pending(rows), winner, winner != "nothing");
            }
            // Of the dated rows the newest ties, not the older one.
            let before = patch_of("missing_critical").with("timestamp", ago(2 * HOUR));
            let rows = vec![before, patch_of(first), undated(patch_of(second))];
            let name = format!("fresh {first} newer than a missing one, undated {second}");
            patch_case(table, name, pending(rows), winner, decided);
        }
    }
    // Definition updates count for nothing, and no time of theirs does.
    for stamp in [undated as fn(Value) -> Value, too_old] {
        let mut tenant = scanned();
        tenant
            .os_patches
            .rows
            .push(stamp(definitions(1)).with("severity", "CRITICAL"));
        let name = format!("definition updates: {}", stamp(definitions(1)));
        patch_case(table, name, tenant, "nothing", false);
    }
}

fn backups(table: &mut Table) {
    let at = |id: i64, code: &str| activity(id, 1, code);
    let undated = |id: i64, code: &str| activity(id, 1, code).with("activityTime", 0);
    for (name, rows, status, reasons) in [
        (
            "an undated success beside a failure",
            vec![undated(1, COMPLETED), at(2, FAILED)],
            "fail",
            vec!["backups_failing", "latest_runs_failing"],
        ),
        (
            "an undated success beside a success",
            vec![undated(2, COMPLETED), at(1, COMPLETED)],
            "pass",
            vec![],
        ),
        (
            "an undated success beside a warning",
            vec![undated(2, COMPLETED), at(1, WITH_WARNING)],
            "warning",
            vec!["warnings_only"],
        ),
        (
            "an undated warning beside a success",
            vec![undated(2, WITH_WARNING), at(1, COMPLETED)],
            "pass",
            vec![],
        ),
        (
            "an undated cancelled run beside a failure",
            vec![undated(2, CANCELLED), at(1, FAILED)],
            "fail",
            vec!["backups_failing", "latest_runs_failing"],
        ),
        (
            "an undated failure beside a success",
            vec![undated(1, FAILED), at(2, COMPLETED)],
            "pass",
            vec!["latest_runs_failing", "undated_rows"],
        ),
        (
            "an undated failure beside an undated success",
            vec![undated(1, FAILED), undated(2, COMPLETED)],
            "fail",
            vec!["backups_failing", "latest_runs_failing", "undated_rows"],
        ),
        (
            "an undated failure beside a cancelled run",
            vec![undated(1, FAILED), at(2, CANCELLED)],
            "fail",
            vec!["backups_failing", "latest_runs_failing", "undated_rows"],
        ),
        (
            "an undated failure of lower id than a success of now",
            vec![
                undated(1, FAILED),
                at(2, COMPLETED).with("activityTime", ago(0)),
            ],
            "pass",
            vec!["undated_rows"],
        ),
        (
            "an undated success beside a success of last month",
            vec![
                undated(1, COMPLETED),
                at(2, COMPLETED).with("activityTime", ago(30 * DAY)),
            ],
            "unknown",
            vec![
                "coverage_below_half",
                "no_backup_activity",
                "undated_rows",
                "unmeasured_devices",
            ],
        ),
        (
            "an undated success beside a restore",
            vec![
                undated(1, COMPLETED),
                at(2, "NINJA_BACKUP_RESTOREJOB_COMPLETED"),
            ],
            "unknown",
            vec![
                "coverage_below_half",
                "no_backup_activity",
                "undated_rows",
                "unmeasured_devices",
            ],
        ),
    ] {
        let mut tenant = customer(vec![device(1)]);
        tenant.activities.rows = rows;
        let expected = json!({ "status": status, "complete": true, "reasons": reasons });
        table.case(name, BACKUP, tenant, expected);
    }

    // Of a stale device nothing counts.
    let mut tenant = healthy(2);
    tenant.devices.rows[1] = device(2).with("lastContact", ago(31 * DAY));
    tenant.activities.rows[1] = activity(2, 2, FAILED).with("activityTime", 0);
    let expected = json!({ "status": "pass", "reasons": [] });
    table.case(
        "an undated failure of a stale device",
        BACKUP,
        tenant,
        expected,
    );
}

/// A device with an undated run and no other is unmeasured: in `worst` without success.
fn unmeasured_backups(table: &mut Table) {
    for (good, failed, unmeasured, status) in [
        (10, 0, 1, "warning"),
        (9, 0, 1, "warning"),
        (1, 0, 1, "warning"),
        // Rule 4.
        (1, 0, 2, "unknown"),
        (2, 0, 3, "unknown"),
        // Best: 1 of 11. Measured: 1 of 10.
        (9, 1, 1, "fail"),
        // Measured: 1 of 11, and with the unmeasured one 2 of 12.
        (10, 1, 1, "warning"),
        // Best: 1 of 10.
        (8, 1, 1, "fail"),
        (0, 1, 9, "fail"),
        (0, 1, 10, "unknown"),
        (0, 0, 3, "unknown"),
    ] {
        let devices = good + failed + unmeasured;
        let mut tenant = customer(ids(devices).map(device).collect());
        tenant.activities.rows = ids(devices)
            .map(|id| {
                if id <= good {
                    activity(id, id, COMPLETED)
                } else if id <= good + failed {
                    activity(id, id, FAILED)
                } else {
                    activity(id, id, COMPLETED).without("activityTime")
                }
            })
            .collect();
        let expected = json!({
            "status": status,
            "metadata": {
                "scope": { "measured": good + failed, "unmeasured": unmeasured, "stale": 0, "not_applicable": 0 },
                "devices": {
                    "with_activity": good + failed, "with_success": good, "without_success": failed,
                    "without_any_backup": 0,
                },
            },
        });
        let name = format!("{good} good, {failed} failed, {unmeasured} undated");
        table.case(name, BACKUP, tenant, expected);
    }
}

/// No last contact, or one that cannot be read: measured only by rows, attempts and activities of the last 30 days.
fn no_last_contact(table: &mut Table) {
    for (contact, known) in [
        (Some(ago(HOUR)), true),
        (Some(ago(30 * DAY)), true),
        (None, false),
        (Some(Value::Null), false),
        (Some(json!("yesterday")), false),
        (Some(ago(-DAY)), false),
    ] {
        for (age, measured) in [
            (30 * DAY, true),
            (30 * DAY + MICROSECOND, known),
            (45 * DAY, known),
            (45 * DAY + MICROSECOND, false),
        ] {
            for status in ["INSTALLED", "FAILED"] {
                let row = match &contact {
                    Some(contact) => device(1).with("lastContact", contact.clone()),
                    None => device(1).without("lastContact"),
                };
                let mut tenant = customer(vec![row]);
                tenant.os_patch_installs.rows = vec![install(1, "os-1", status, age)];
                // What it says of the installation stands in any case.
                let failed = i64::from(status == "FAILED" && age <= 45 * DAY);
                let measured = i64::from(measured);
                let expected = json!({
                    "metadata": {
                        "scope": { "measured": measured, "unmeasured": 1 - measured, "stale": 0 },
                        "os": { "devices_measured": measured, "failed_installs": failed },
                    },
                });
                let name = format!("contact {contact:?}, {status} {age} us ago");
                table.case(name, PATCHES, tenant, expected);
            }
        }
    }
}
