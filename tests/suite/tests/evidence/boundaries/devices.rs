//! Devices (section 2): approval, classes, staleness, rows of others, a device listed twice.

use serde_json::{Value, json};

use super::{
    ANTIVIRUS, BACKUP, DISK, INVENTORY, PATCHES, Table,
    rows::{
        Change, DAY, HOUR, MICROSECOND, MINUTE, SECOND, ago, customer, device, healthy, ids,
        product,
    },
};

pub(crate) const NETWORK: [&str; 18] = [
    "NMS_SWITCH",
    "NMS_ROUTER",
    "NMS_FIREWALL",
    "NMS_PRIVATE_NETWORK_GATEWAY",
    "NMS_PRINTER",
    "NMS_SCANNER",
    "NMS_DIAL_MANAGER",
    "NMS_WAP",
    "NMS_IPSLA",
    "NMS_COMPUTER",
    "NMS_VM_HOST",
    "NMS_APPLIANCE",
    "NMS_OTHER",
    "NMS_SERVER",
    "NMS_PHONE",
    "NMS_VIRTUAL_MACHINE",
    "NMS_NETWORK_MANAGEMENT_AGENT",
    "NMS_SOMETHING_NEW",
];

pub(crate) fn table(table: &mut Table) {
    approval(table);
    classes(table);
    staleness(table);
    rows_of_others(table);
    listed_twice(table);
}

fn approval(table: &mut Table) {
    for status in ["approved", "Approved", "aPPROVED"] {
        let mut tenant = healthy(2);
        tenant.devices.rows[1] = device(2).with("approvalStatus", status);
        for signal in super::SIGNALS {
            let expected = json!({ "status": "pass", "metadata": { "scope": { "approved": 2 } } });
            table.case(
                format!("approval {status}"),
                signal,
                tenant.clone(),
                expected,
            );
        }
    }
    for status in [
        Some(json!("PENDING")),
        Some(json!("pending")),
        Some(json!("APPROVED_NOT")),
        Some(json!("")),
        Some(json!("STAGED")),
        Some(json!("DECOMMISSIONED")),
        Some(json!("SOMETHING_NEW")),
        Some(Value::Null),
        None,
    ] {
        let mut tenant = healthy(2);
        tenant.devices.rows[1] = match &status {
            Some(status) => device(2).with("approvalStatus", status.clone()),
            None => device(2).without("approvalStatus"),
        };
        // Whatever such a device has, it is not looked at.
        tenant.antivirus.rows[1] = product(2, "Windows Defender").with("productState", "OFF");
        for signal in super::SIGNALS {
            let scope = json!({ "approved": 1, "measured": 1, "not_approved": 1 });
            table.case(
                format!("approval {status:?}"),
                signal,
                tenant.clone(),
                json!({ "status": "pass", "metadata": { "scope": scope } }),
            );
        }
    }
}

fn classes(table: &mut Table) {
    let mut families = vec![
        ("WINDOWS_WORKSTATION", "workstation", true),
        ("MAC", "workstation", true),
        ("LINUX_WORKSTATION", "workstation", true),
        ("WINDOWS_SERVER", "server", true),
        ("MAC_SERVER", "server", true),
        ("LINUX_SERVER", "server", true),
        ("ANDROID", "mobile", false),
        ("APPLE_IOS", "mobile", false),
        ("APPLE_IPADOS", "mobile", false),
        ("VMWARE_VM_HOST", "virtualization", false),
        ("VMWARE_VM_GUEST", "virtualization", false),
        ("HYPERV_VMM_HOST", "virtualization", false),
        ("HYPERV_VMM_GUEST", "virtualization", false),
        ("CLOUD_MONITOR_TARGET", "other", false),
        ("MANAGED_DEVICE", "other", false),
        ("UNMANAGED_DEVICE", "other", false),
        // Not classes at all, and so in scope.
        ("LINUX", "other", true),
        ("NMS", "other", true),
        ("WINDOWS_EMBEDDED", "other", true),
        ("CHROME_OS", "other", true),
    ];
    families.extend(NETWORK.map(|class| (class, "network", false)));
    // Enums and prefixes compare without case.
    families.extend([
        ("windows_server", "server", true),
        ("Linux_Workstation", "workstation", true),
        ("mac", "workstation", true),
        ("nms_switch", "network", false),
        ("Nms_Something_New", "network", false),
        ("vmware_vm_guest", "virtualization", false),
        ("HyperV_Something_New", "virtualization", false),
        ("apple_ios", "mobile", false),
        ("unmanaged_device", "other", false),
    ]);
    for (class, family, in_scope) in families {
        let mut tenant = healthy(1);
        tenant.devices.rows[0] = device(1).with("nodeClass", class);
        let scope = if in_scope {
            json!({ "measured": 1, "unmeasured": 0, "not_applicable": 0 })
        } else {
            json!({ "measured": 0, "unmeasured": 0, "not_applicable": 1 })
        };
        let status = if in_scope { "pass" } else { "not_applicable" };
        for signal in [ANTIVIRUS, PATCHES] {
            let expected =
                json!({ "status": status, "reasons": [], "metadata": { "scope": scope } });
            table.case(format!("class {class}"), signal, tenant.clone(), expected);
        }
        if !in_scope {
            let expected =
                json!({ "status": status, "reasons": [], "metadata": { "scope": scope } });
            table.case(format!("class {class}"), DISK, tenant.clone(), expected);
        }
        let mut by_family = json!({ "workstation": 0, "server": 0, "mobile": 0, "network": 0, "virtualization": 0, "other": 0 });
        by_family[family] = json!(1);
        let expected = json!({ "status": "pass", "metadata": { "by_family": by_family } });
        table.case(
            format!("class {class}"),
            INVENTORY,
            tenant.clone(),
            expected,
        );

        // Backups are judged on any class; only workstations and servers are missed without any.
        let expected = json!({ "status": "pass", "metadata": { "scope": { "measured": 1, "not_applicable": 0 } } });
        table.case(
            format!("class {class} with a backup"),
            BACKUP,
            tenant,
            expected,
        );
        let missed = i64::from(family == "workstation" || family == "server");
        let expected = json!({
            "status": "unknown",
            "metadata": { "scope": { "not_applicable": 1 }, "devices": { "without_any_backup": missed } },
        });
        let tenant = customer(vec![device(1).with("nodeClass", class)]);
        table.case(
            format!("class {class} without a backup"),
            BACKUP,
            tenant,
            expected,
        );
    }

    // A class we do not know is named as soon as it is not measured.
    for (name, row) in [
        ("never seen", device(1).with("nodeClass", "CHROME_OS")),
        ("null", device(1).with("nodeClass", Value::Null)),
        ("absent", device(1).without("nodeClass")),
    ] {
        for signal in [DISK, ANTIVIRUS, PATCHES] {
            let mut reasons = vec![
                "coverage_below_half",
                "unknown_node_class",
                "unmeasured_devices",
            ];
            match signal {
                DISK => reasons.push("unmeasured_volumes"),
                PATCHES => reasons.push("no_patch_data"),
                _ => {}
            }
            reasons.sort_unstable();
            let expected = json!({
                "status": "unknown", "reasons": reasons, "metadata": { "scope": { "unmeasured": 1 } },
            });
            table.case(
                format!("class {name}"),
                signal,
                customer(vec![row.clone()]),
                expected,
            );
        }
    }
    let mut tenant = customer(vec![
        device(1)
            .with("nodeClass", "CHROME_OS")
            .with("lastContact", ago(31 * DAY)),
    ]);
    for signal in [DISK, ANTIVIRUS, PATCHES] {
        let expected = json!({ "status": "unknown", "reasons": ["fleet_dark"] });
        table.case("class never seen, stale", signal, tenant.clone(), expected);
    }
    tenant.devices.rows.push(device(2));
}

fn staleness(table: &mut Table) {
    for (name, contact, stale) in [
        ("an hour ago", Some(ago(HOUR)), false),
        ("30 days ago to the microsecond", Some(ago(30 * DAY)), false),
        (
            "a microsecond less than 30 days ago",
            Some(ago(30 * DAY - MICROSECOND)),
            false,
        ),
        (
            "a microsecond more than 30 days ago",
            Some(ago(30 * DAY + MICROSECOND)),
            true,
        ),
        (
            "a second more than 30 days ago",
            Some(ago(30 * DAY + SECOND)),
            true,
        ),
        ("years ago", Some(ago(3_000 * DAY)), true),
        ("now", Some(ago(0)), false),
        ("in five minutes", Some(ago(-5 * MINUTE)), false),
        (
            "in more than five minutes",
            Some(ago(-5 * MINUTE - MICROSECOND)),
            false,
        ),
        ("in years", Some(ago(-3_000 * DAY)), false),
        ("null", Some(Value::Null), false),
        ("zero", Some(json!(0)), false),
        ("negative", Some(json!(-1_700_000_000)), false),
        ("text", Some(json!("yesterday")), false),
        ("absent", None, false),
    ] {
        let mut tenant = healthy(2);
        tenant.devices.rows[1] = match contact {
            Some(contact) => device(2).with("lastContact", contact),
            None => device(2).without("lastContact"),
        };
        let scope = if stale {
            json!({ "measured": 1, "stale": 1 })
        } else {
            json!({ "measured": 2, "stale": 0 })
        };
        for signal in [DISK, ANTIVIRUS, PATCHES, BACKUP] {
            let expected =
                json!({ "status": "pass", "reasons": [], "metadata": { "scope": scope } });
            table.case(
                format!("last contact {name}"),
                signal,
                tenant.clone(),
                expected,
            );
        }
        // The inventory counts stale devices as they report.
        let expected = json!({
            "status": "pass",
            "metadata": { "scope": { "measured": 2, "stale": 0 }, "devices": { "stale": i64::from(stale) } },
        });
        table.case(format!("last contact {name}"), INVENTORY, tenant, expected);
    }

    // Class first, then staleness.
    let mut tenant = healthy(2);
    tenant.devices.rows[1] = device(2)
        .with("nodeClass", "NMS_SWITCH")
        .with("lastContact", ago(31 * DAY));
    for signal in [DISK, ANTIVIRUS, PATCHES] {
        let expected = json!({
            "status": "pass", "metadata": { "scope": { "measured": 1, "stale": 0, "not_applicable": 1 } },
        });
        table.case(
            "a stale switch is not applicable",
            signal,
            tenant.clone(),
            expected,
        );
    }
    // To backups stale are workstations, servers and devices of unknown class; the rest is not applicable.
    let expected = json!({
        "status": "pass", "metadata": { "scope": { "measured": 1, "stale": 0, "not_applicable": 1 } },
    });
    table.case("a stale switch is not applicable", BACKUP, tenant, expected);

    // What a stale device says is left out, good or bad.
    let mut tenant = healthy(2);
    tenant.devices.rows[1] = device(2).with("lastContact", ago(31 * DAY));
    tenant.antivirus.rows[1] = product(2, "Windows Defender").with("productState", "OFF");
    let expected = json!({ "status": "pass", "metadata": { "devices": { "on": 1, "off": 0 } } });
    table.case("a stale device that was off", ANTIVIRUS, tenant, expected);
}

fn rows_of_others(table: &mut Table) {
    let mut foreign = healthy(1);
    foreign
        .devices
        .rows
        .push(device(2).with("organizationId", 8));
    let mut orphaned = healthy(1);
    orphaned
        .devices
        .rows
        .push(device(3).with("organizationId", 8));
    for tenant in [&mut foreign, &mut orphaned] {
        let other = healthy(2);
        tenant
            .volumes
            .rows
            .push(other.volumes.rows[1].clone().without("bitLockerStatus"));
        tenant
            .antivirus
            .rows
            .push(other.antivirus.rows[1].clone().with("productState", "OFF"));
        tenant.os_patch_installs.rows.push(
            other.os_patch_installs.rows[1]
                .clone()
                .with("status", "FAILED"),
        );
        tenant.activities.rows.push(
            other.activities.rows[1]
                .clone()
                .with("statusCode", "CLOUDBERRY_BACKUPJOB_FAILED"),
        );
    }
    // Nobody doubts whose the device is: what its row says else, readable or not, is another customer's.
    let mut unsure = foreign.clone();
    unsure.devices.rows[1] = device(2)
        .with("organizationId", 8)
        .with("approvalStatus", true);
    for (name, tenant) in [
        ("another organization", foreign),
        (
            "another organization that does not say what is approved",
            unsure,
        ),
        ("no device at all", orphaned),
    ] {
        for signal in super::SIGNALS {
            let expected = json!({
                "status": "pass", "complete": true, "reasons": [],
                "metadata": { "scope": { "approved": 1, "measured": 1, "not_approved": 0 } },
            });
            table.case(format!("rows of {name}"), signal, tenant.clone(), expected);
        }
    }
}

fn listed_twice(table: &mut Table) {
    let newer = device(1).with("lastContact", ago(HOUR));
    let older = device(1).with("lastContact", ago(2 * HOUR));
    let unreadable = device(1).with("lastContact", "yesterday");
    for (name, rows, offline, not_approved) in [
        ("the same row", [newer.clone(), newer.clone()], 0, 0),
        (
            "the newer offline",
            [newer.clone().with("offline", true), older.clone()],
            1,
            0,
        ),
        (
            "the older offline",
            [newer.clone(), older.clone().with("offline", true)],
            0,
            0,
        ),
        (
            "tied, one offline",
            [newer.clone(), newer.clone().with("offline", true)],
            1,
            0,
        ),
        (
            "tied, one without the flag",
            [newer.clone(), newer.clone().without("offline")],
            0,
            0,
        ),
        (
            "tied, offline and without",
            [
                newer.clone().with("offline", true),
                newer.clone().without("offline"),
            ],
            1,
            0,
        ),
        (
            "unreadable and offline",
            [newer.clone(), unreadable.clone().with("offline", true)],
            1,
            0,
        ),
        (
            "unreadable both, one offline",
            [unreadable.clone(), unreadable.clone().with("offline", true)],
            1,
            0,
        ),
        (
            "the newer pending",
            [
                newer.clone().with("approvalStatus", "PENDING"),
                older.clone(),
            ],
            0,
            1,
        ),
        (
            "the older pending",
            [newer.clone(), older.with("approvalStatus", "PENDING")],
            0,
            0,
        ),
        (
            "tied, one pending",
            [
                newer.clone(),
                newer.clone().with("approvalStatus", "PENDING"),
            ],
            0,
            0,
        ),
        (
            "tied, one pending and offline",
            [
                newer.clone(),
                newer
                    .clone()
                    .with("approvalStatus", "PENDING")
                    .with("offline", true),
            ],
            0,
            0,
        ),
    ] {
        for rows in [rows.clone(), [rows[1].clone(), rows[0].clone()]] {
            let expected = json!({ "metadata": {
                "scope": { "approved": 1 - not_approved, "not_approved": not_approved },
                "devices": { "offline": offline },
            } });
            table.case(
                format!("listed twice, {name}"),
                INVENTORY,
                customer(rows.to_vec()),
                expected,
            );
        }
    }
    let rows = [newer.clone(), newer.without("offline")];
    for rows in [rows.to_vec(), rows.iter().rev().cloned().collect()] {
        let expected = json!({ "metadata": { "scope": { "measured": 0, "unmeasured": 1 } } });
        table.case(
            "listed twice, tied, one without the flag",
            INVENTORY,
            customer(rows),
            expected,
        );
    }

    let mut tenant = healthy(3);
    tenant.devices.rows.extend(ids(3).map(device));
    for signal in super::SIGNALS {
        let expected = json!({ "status": "pass", "metadata": { "scope": { "approved": 3 } } });
        table.case(
            "every device listed twice",
            signal,
            tenant.clone(),
            expected,
        );
    }
}
