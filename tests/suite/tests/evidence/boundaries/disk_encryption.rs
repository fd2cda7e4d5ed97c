//! `disk_encryption` (section 3).

use serde_json::{Value, json};

use super::{
    DISK, Table,
    rows::{Change, DAY, GIB, HOUR, ago, bitlocker, customer, device, healthy, ids, volume},
};
use crate::oracle::tenant::Tenant;

const UNOPENABLE: &str = r"\\?\Volume{3f2b9c1e-0000-0000-0000-100000000000}\";

const BUCKETS: [&str; 5] = [
    "encrypted",
    "suspended",
    "in_progress",
    "not_encrypted",
    "unmeasured",
];

pub(crate) fn table(table: &mut Table) {
    thresholds(table);
    buckets(table);
    out_of_scope(table);
    same_volume_twice(table);
    macs(table);
}

/// What a volume of a bucket looks like.
fn status(bucket: &str) -> Value {
    match bucket {
        "encrypted" => bitlocker("FULLY_ENCRYPTED", "PROTECTED"),
        "suspended" => bitlocker("FULLY_ENCRYPTED", "UNPROTECTED"),
        "in_progress" => bitlocker("ENCRYPTION_IN_PROGRESS", "UNPROTECTED"),
        "not_encrypted" => bitlocker("FULLY_DECRYPTED", "UNPROTECTED"),
        "unmeasured" => Value::Null,
        other => panic!("no bucket {other}"),
    }
}

/// One device with so many volumes of each bucket.
fn volumes(counts: &[(&str, usize)]) -> Tenant {
    let mut tenant = customer(vec![device(1)]);
    for (bucket, count) in counts {
        for number in 0..*count {
            let row =
                volume(1, &format!("{bucket}-{number}")).with("bitLockerStatus", status(bucket));
            tenant.volumes.rows.push(row);
        }
    }
    tenant
}

fn thresholds(table: &mut Table) {
    for (encrypted, bare, verdict, percent) in [
        (95, 5, "pass", 95.0),
        (94, 6, "warning", 94.0),
        (80, 20, "warning", 80.0),
        (79, 21, "fail", 79.0),
        (189, 10, "warning", 94.9),
        (190, 10, "pass", 95.0),
        (159, 40, "fail", 79.8),
        (160, 40, "warning", 80.0),
        (19, 1, "pass", 95.0),
        (18, 1, "warning", 94.7),
        (4, 1, "warning", 80.0),
        (3, 1, "fail", 75.0),
        (2, 1, "fail", 66.6),
        (1, 2, "fail", 33.3),
        (199, 1, "pass", 99.5),
        (399, 1, "pass", 99.7),
        (1_999, 1, "pass", 99.9),
        (1, 0, "pass", 100.0),
        (0, 1, "fail", 0.0),
        (0, 30, "fail", 0.0),
    ] {
        let total = encrypted + bare;
        for bad in ["not_encrypted", "suspended", "in_progress"] {
            let tenant = volumes(&[("encrypted", encrypted), (bad, bare)]);
            let reasons = if verdict == "pass" {
                vec![]
            } else {
                vec!["below_threshold"]
            };
            let expected = json!({
                "status": verdict, "reasons": reasons,
                "metadata": { "volumes": { "in_scope": total, "encrypted": encrypted }, "encrypted_percent": percent },
            });
            table.case(
                format!("{encrypted} of {total}, the rest {bad}"),
                DISK,
                tenant,
                expected,
            );
        }
    }

    // Unmeasured volumes: best, worst, measured.
    for (encrypted, bare, unmeasured, verdict, below) in [
        (95, 0, 5, "pass", false),
        (94, 0, 6, "warning", false),
        (50, 0, 50, "warning", false),
        (1, 0, 99, "warning", false),
        (95, 1, 4, "pass", false),
        (94, 5, 1, "warning", true),
        (93, 4, 3, "warning", false),
        // Best is 80 in 100, measured less: rule 3 does not fail it, rule 6 does.
        (79, 20, 1, "fail", true),
        (79, 21, 1, "fail", true),
        (78, 21, 10, "fail", true),
        (76, 19, 5, "warning", true),
        (75, 19, 6, "fail", true),
        (0, 1, 99, "fail", true),
    ] {
        let tenant = volumes(&[
            ("encrypted", encrypted),
            ("not_encrypted", bare),
            ("unmeasured", unmeasured),
        ]);
        let mut reasons = vec!["unmeasured_volumes"];
        if below {
            reasons.insert(0, "below_threshold");
        }
        let expected = json!({
            "status": verdict, "reasons": reasons, "complete": true,
            "metadata": {
                "scope": { "measured": 1, "unmeasured": 0 },
                "volumes": { "encrypted": encrypted, "not_encrypted": bare, "unmeasured": unmeasured },
                "devices_fully_encrypted": 0,
            },
        });
        table.case(
            format!("{encrypted} encrypted, {bare} bare, {unmeasured} unmeasured"),
            DISK,
            tenant,
            expected,
        );
    }

    let expected = json!({
        "status": "unknown", "reasons": ["coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
        "metadata": {
            "scope": { "measured": 0, "unmeasured": 1 }, "volumes": { "in_scope": 3, "unmeasured": 3 },
            "encrypted_percent": null,
        },
    });
    table.case(
        "nothing measured",
        DISK,
        volumes(&[("unmeasured", 3)]),
        expected,
    );
    let expected = json!({
        "status": "unknown", "reasons": ["coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
        "metadata": { "volumes": { "in_scope": 1, "unmeasured": 1 }, "encrypted_percent": null },
    });
    table.case(
        "a device without any row is one unmeasured volume",
        DISK,
        customer(vec![device(1)]),
        expected,
    );
    let mut tenant = customer(vec![device(1)]);
    tenant.volumes.rows = ["C:", "D:"]
        .map(|name| volume(1, name).with("timestamp", ago(31 * DAY)))
        .to_vec();
    let expected = json!({ "status": "unknown", "metadata": { "volumes": { "in_scope": 2, "unmeasured": 2 } } });
    table.case(
        "a device with too old rows only has that many unmeasured volumes",
        DISK,
        tenant,
        expected,
    );
}

fn buckets(table: &mut Table) {
    let conversions = [
        json!("FULLY_ENCRYPTED"),
        json!("ENCRYPTION_IN_PROGRESS"),
        json!("ENCRYPTION_PAUSED"),
        json!("FULLY_DECRYPTED"),
        json!("DECRYPTION_IN_PROGRESS"),
        json!("DECRYPTION_PAUSED"),
        json!("DECRYPTION_SOMETHING_NEW"),
        json!("UNKNOWN"),
        json!("SOMETHING_NEW"),
        json!(""),
        Value::Null,
    ];
    let protections = [
        json!("PROTECTED"),
        json!("UNPROTECTED"),
        json!("PENDING"),
        json!("UNKNOWN"),
        json!("SOMETHING_NEW"),
        Value::Null,
    ];
    for conversion in &conversions {
        for protection in &protections {
            let bucket = match (
                conversion.as_str().unwrap_or("absent"),
                protection.as_str().unwrap_or("absent"),
            ) {
                ("FULLY_ENCRYPTED", "PROTECTED") => "encrypted",
                ("FULLY_ENCRYPTED", "UNPROTECTED" | "PENDING") => "suspended",
                ("FULLY_ENCRYPTED", _) => "unmeasured",
                ("ENCRYPTION_IN_PROGRESS" | "ENCRYPTION_PAUSED", _) => "in_progress",
                (
                    "FULLY_DECRYPTED"
                    | "DECRYPTION_IN_PROGRESS"
                    | "DECRYPTION_PAUSED"
                    | "DECRYPTION_SOMETHING_NEW",
                    _,
                )
                | (_, "UNPROTECTED") => "not_encrypted",
                _ => "unmeasured",
            };
            bucket_case(
                table,
                bitlocker(conversion.clone(), protection.clone()),
                bucket,
            );
        }
    }
    for (conversion, protection, bucket) in [
        ("fully_encrypted", "protected", "encrypted"),
        ("Fully_Encrypted", "Unprotected", "suspended"),
        ("encryption_paused", "unknown", "in_progress"),
        ("decryption_something_new", "protected", "not_encrypted"),
        ("unknown", "unprotected", "not_encrypted"),
    ] {
        bucket_case(table, bitlocker(conversion, protection), bucket);
    }
    bucket_case(table, json!({}), "unmeasured");
    bucket_case(
        table,
        json!({ "protectionStatus": "UNPROTECTED" }),
        "not_encrypted",
    );
    bucket_case(
        table,
        json!({ "protectionStatus": "PROTECTED" }),
        "unmeasured",
    );
    bucket_case(
        table,
        json!({ "conversionStatus": "FULLY_ENCRYPTED" }),
        "unmeasured",
    );
    bucket_case(
        table,
        json!({ "lockStatus": "UNLOCKED", "encryptionMethod": "XTS_AES_128" }),
        "unmeasured",
    );
    bucket_case(table, Value::Null, "unmeasured");
    let mut tenant = healthy(1);
    tenant.volumes.rows[0] = volume(1, "C:").without("bitLockerStatus");
    let expected = json!({ "status": "unknown", "metadata": { "volumes": { "unmeasured": 1 } } });
    table.case("no BitLocker object", DISK, tenant, expected);
}

fn bucket_case(table: &mut Table, bitlocker: Value, bucket: &str) {
    let mut tenant = customer(vec![device(1)]);
    let name = format!("BitLocker {bitlocker}");
    tenant.volumes.rows = vec![volume(1, "C:").with("bitLockerStatus", bitlocker)];
    let counts: Value = BUCKETS
        .map(|name| (name.to_owned(), Value::from(i64::from(name == bucket))))
        .into_iter()
        .collect();
    let verdict = match bucket {
        "encrypted" => "pass",
        "unmeasured" => "unknown",
        _ => "fail",
    };
    let fully = i64::from(bucket == "encrypted");
    let expected = json!({ "status": verdict, "metadata": { "volumes": counts, "devices_fully_encrypted": fully } });
    table.case(name, DISK, tenant, expected);
}

fn out_of_scope(table: &mut Table) {
    let mut scopes: Vec<(String, Value, bool)> = Vec::new();
    let bare = || volume(1, "C:").with("bitLockerStatus", status("not_encrypted"));
    for (device_type, inside) in [
        ("Removable Disk", false),
        ("Network Drive", false),
        ("Compact Disc", false),
        ("CD-ROM Disc", false),
        ("RAM Disk", false),
        ("removable disk", false),
        ("REMOVABLE DISK", false),
        ("network drive", false),
        ("cd-rom disc", false),
        ("Local Disk", true),
        ("Something New", true),
        ("", true),
    ] {
        scopes.push((
            format!("device type {device_type:?}"),
            bare().with("deviceType", device_type),
            inside,
        ));
    }
    scopes.push((
        "device type null".into(),
        bare().with("deviceType", Value::Null),
        true,
    ));
    scopes.push((
        "device type absent".into(),
        bare().without("deviceType"),
        true,
    ));
    scopes.push(("capacity zero".into(), bare().with("capacity", 0), false));
    scopes.push(("capacity one".into(), bare().with("capacity", 1), true));
    let row = bare().with("capacity", -1).with("label", "Recovery");
    scopes.push(("capacity below nothing, label Recovery".into(), row, true));
    scopes.push((
        "capacity null".into(),
        bare().with("capacity", Value::Null),
        true,
    ));
    scopes.push(("capacity absent".into(), bare().without("capacity"), true));
    for label in [
        "Recovery",
        "WinRE",
        "EFI",
        "ESP",
        "System Reserved",
        "recovery",
        "WINRE",
        "Efi",
        "esp",
        "SYSTEM RESERVED",
    ] {
        for (size, capacity, inside) in [
            ("under 16 GiB", Some(16 * GIB - 1), false),
            ("of 512 MiB", Some(GIB / 2), false),
            ("of 16 GiB", Some(16 * GIB), true),
            ("over 16 GiB", Some(16 * GIB + 1), true),
            ("of unknown size", None, true),
        ] {
            let row = bare().with("label", label);
            let row = match capacity {
                Some(capacity) => row.with("capacity", capacity),
                None => row.without("capacity"),
            };
            scopes.push((format!("label {label} {size}"), row, inside));
        }
    }
    // A volume that nobody can open carries any label.
    for (name, letter, capacity, inside) in [
        (UNOPENABLE, None, Some(32 * GIB - 1), false),
        (UNOPENABLE, None, Some(GIB), false),
        (UNOPENABLE, None, Some(32 * GIB), true),
        (UNOPENABLE, None, Some(32 * GIB + 1), true),
        (UNOPENABLE, None, None, true),
        (UNOPENABLE, Some(""), Some(GIB), false),
        (UNOPENABLE, Some(" "), Some(32 * GIB - 1), false),
        (UNOPENABLE, Some("E:"), Some(GIB), true),
        (&UNOPENABLE.to_lowercase(), None, Some(GIB), false),
        (&UNOPENABLE.to_uppercase(), None, Some(GIB), false),
        (&format!("X{UNOPENABLE}"), None, Some(GIB), true),
        (r"\\?\Volume", None, Some(GIB), true),
        ("Volume{3f2b}", None, Some(GIB), true),
        ("E:", None, Some(GIB), true),
    ] {
        for label in ["WINRETOOLS", "Image", "Wiederherstellung", ""] {
            let mut row = bare().with("name", name).with("label", label);
            row = match letter {
                Some(letter) => row.with("driveLetter", letter),
                None => row.without("driveLetter"),
            };
            row = match capacity {
                Some(capacity) => row.with("capacity", capacity),
                None => row.without("capacity"),
            };
            let name =
                format!("name {name:?}, letter {letter:?}, {capacity:?} bytes, label {label:?}");
            scopes.push((name, row, inside));
        }
    }
    let row = bare()
        .with("name", UNOPENABLE)
        .with("driveLetter", Value::Null)
        .with("capacity", GIB);
    scopes.push(("a volume nobody can open, letter null".into(), row, false));
    let row = bare()
        .without("driveLetter")
        .without("name")
        .with("capacity", GIB);
    scopes.push(("neither name nor letter".into(), row, true));
    for label in ["Recovery Drive", "My EFI", "Data", "SYSTEM", ""] {
        let row = bare().with("label", label).with("capacity", GIB);
        scopes.push((format!("label {label:?} and small"), row, true));
    }
    scopes.push((
        "label null and small".into(),
        bare().with("label", Value::Null).with("capacity", GIB),
        true,
    ));

    for (name, row, inside) in scopes {
        let mut tenant = customer(vec![device(1)]);
        tenant.volumes.rows = vec![row.clone()];
        let expected = if inside {
            json!({ "status": "fail", "metadata": { "scope": { "measured": 1 }, "volumes": { "in_scope": 1 } } })
        } else {
            // Every computer has a fixed disk.
            json!({
                "status": "unknown", "reasons": ["coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
                "metadata": {
                    "scope": { "measured": 0, "unmeasured": 1, "not_applicable": 0 },
                    "volumes": { "in_scope": 1, "out_of_scope": 1, "not_encrypted": 0, "unmeasured": 1 },
                    "encrypted_percent": null, "devices_fully_encrypted": 0,
                },
            })
        };
        table.case(name.clone(), DISK, tenant.clone(), expected);

        // Beside a good volume.
        tenant.volumes.rows.push(volume(1, "D:"));
        let expected = json!({
            "status": if inside { "fail" } else { "pass" },
            "metadata": {
                "scope": { "measured": 1 }, "devices_fully_encrypted": i64::from(!inside),
                "volumes": { "in_scope": 1 + i64::from(inside), "out_of_scope": i64::from(!inside) },
            },
        });
        table.case(
            format!("{name}, beside a good volume"),
            DISK,
            tenant,
            expected,
        );
    }

    // A laptop that reports only a USB stick is unmeasured, and counts for rule 4.
    let mut tenant = healthy(4);
    for row in tenant.volumes.rows.iter_mut().skip(1) {
        *row = row.clone().with("deviceType", "Removable Disk");
    }
    let expected = json!({
        "status": "unknown", "reasons": ["coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
        "metadata": {
            "scope": { "measured": 1, "unmeasured": 3, "not_applicable": 0 },
            "volumes": { "in_scope": 4, "out_of_scope": 3, "encrypted": 1, "unmeasured": 3 },
        },
    });
    table.case(
        "three of four devices have removable disks only",
        DISK,
        tenant.clone(),
        expected,
    );
    tenant.devices.rows[0] = device(1).with("lastContact", ago(31 * DAY));
    let expected = json!({
        "status": "unknown", "reasons": ["coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
        "metadata": {
            "scope": { "stale": 1, "unmeasured": 3, "not_applicable": 0 },
            "volumes": { "in_scope": 3, "out_of_scope": 3, "unmeasured": 3 },
        },
    });
    table.case(
        "removable disks only, beside a stale device",
        DISK,
        tenant,
        expected,
    );
}

fn same_volume_twice(table: &mut Table) {
    // From worst to best; `out` is the least.
    let order = [
        "not_encrypted",
        "in_progress",
        "suspended",
        "unmeasured",
        "encrypted",
        "out",
    ];
    let of = |bucket: &str, name: &str| match bucket {
        "out" => volume(1, name)
            .with("deviceType", "Removable Disk")
            .with("bitLockerStatus", status("not_encrypted")),
        bucket => volume(1, name).with("bitLockerStatus", status(bucket)),
    };
    for (worse, first) in order.iter().enumerate() {
        for second in order.iter().skip(worse) {
            for (name, rows, winner) in [
                ("tied", [of(first, "C:"), of(second, "C:")], first),
                ("tied, turned", [of(second, "C:"), of(first, "C:")], first),
                (
                    "the worse newer",
                    [
                        of(first, "C:"),
                        of(second, "C:").with("timestamp", ago(2 * HOUR)),
                    ],
                    first,
                ),
                (
                    "the worse older",
                    [
                        of(first, "C:").with("timestamp", ago(2 * HOUR)),
                        of(second, "C:"),
                    ],
                    second,
                ),
            ] {
                let mut tenant = customer(vec![device(1)]);
                tenant.volumes.rows = rows.to_vec();
                // A second volume, so that the device never goes out of scope.
                tenant.volumes.rows.push(volume(1, "D:"));
                let mut counts = json!({
                    "in_scope": 2 - i64::from(*winner == "out"),
                    "encrypted": 1, "suspended": 0, "in_progress": 0, "not_encrypted": 0, "unmeasured": 0,
                });
                if *winner != "out" {
                    counts[*winner] = json!(1 + i64::from(*winner == "encrypted"));
                }
                let expected = json!({ "metadata": { "volumes": counts } });
                table.case(
                    format!("{first} and {second}, {name}"),
                    DISK,
                    tenant,
                    expected,
                );
            }
        }
    }

    let nameless = volume(1, "C:").without("name").with("driveLetter", "E:");
    let serial_only = nameless
        .clone()
        .without("driveLetter")
        .with("serialNumber", "A1");
    for (name, rows, in_scope) in [
        ("two names", [volume(1, "C:"), volume(1, "D:")], 2),
        (
            "one name, two serials",
            [volume(1, "C:"), volume(1, "C:").with("serialNumber", "B2")],
            1,
        ),
        (
            "one name, two letters",
            [volume(1, "C:"), volume(1, "C:").with("driveLetter", "X:")],
            1,
        ),
        (
            "no names, one letter",
            [
                nameless.clone(),
                nameless.clone().with("serialNumber", "B2"),
            ],
            1,
        ),
        (
            "no names, two letters",
            [nameless.clone(), nameless.clone().with("driveLetter", "F:")],
            2,
        ),
        (
            "null names, two letters",
            [
                nameless.clone().with("name", Value::Null),
                nameless.with("driveLetter", "F:"),
            ],
            2,
        ),
        (
            "one serial",
            [
                serial_only.clone(),
                serial_only.clone().with("capacity", 64 * GIB),
            ],
            1,
        ),
        (
            "two serials",
            [serial_only.clone(), serial_only.with("serialNumber", "B2")],
            2,
        ),
        (
            "one name on two devices",
            [volume(1, "C:"), volume(2, "C:")],
            2,
        ),
    ] {
        let mut tenant = customer(ids(2).map(device).collect());
        tenant
            .devices
            .rows
            .truncate(if name.ends_with("devices") { 2 } else { 1 });
        tenant.volumes.rows = rows.to_vec();
        let expected =
            json!({ "status": "pass", "metadata": { "volumes": { "in_scope": in_scope } } });
        table.case(name, DISK, tenant, expected);
    }

    // A row within five minutes of the future is of now, and so ties with one of now.
    let mut tenant = customer(vec![device(1)]);
    tenant.volumes.rows = vec![
        volume(1, "C:").with("timestamp", ago(-HOUR / 12)),
        volume(1, "C:")
            .with("timestamp", ago(0))
            .with("bitLockerStatus", status("not_encrypted")),
    ];
    table.case(
        "a row of the near future ties with one of now",
        DISK,
        tenant,
        json!({ "status": "fail" }),
    );
}

/// No encryption field in the API: unmeasured, never "not encrypted".
fn macs(table: &mut Table) {
    for class in ["MAC", "MAC_SERVER", "LINUX_WORKSTATION", "LINUX_SERVER"] {
        let mut tenant = customer(vec![device(1).with("nodeClass", class)]);
        tenant.volumes.rows = vec![
            volume(1, "/")
                .without("bitLockerStatus")
                .with("fileSystem", "apfs"),
        ];
        let expected = json!({
            "status": "unknown", "reasons": ["coverage_below_half", "unmeasured_devices", "unmeasured_volumes"],
            "metadata": { "volumes": { "unmeasured": 1, "not_encrypted": 0 } },
        });
        table.case(class, DISK, tenant.clone(), expected.clone());
        // A BitLocker object there is none of theirs, whatever it says.
        for (conversion, protection) in [
            ("FULLY_ENCRYPTED", "PROTECTED"),
            ("FULLY_DECRYPTED", "UNPROTECTED"),
            ("UNKNOWN", "UNPROTECTED"),
        ] {
            tenant.volumes.rows =
                vec![volume(1, "/").with("bitLockerStatus", bitlocker(conversion, protection))];
            let name = format!("{class} with a BitLocker object, {conversion} and {protection}");
            table.case(name, DISK, tenant.clone(), expected.clone());
        }
        tenant.volumes.rows = vec![volume(1, "/").with("deviceType", "Removable Disk")];
        let expected = json!({ "status": "unknown", "metadata": { "volumes": { "in_scope": 1, "out_of_scope": 1 } } });
        table.case(
            format!("{class} with a removable disk"),
            DISK,
            tenant,
            expected,
        );
    }
}
