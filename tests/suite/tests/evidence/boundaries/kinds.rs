//! Kinds of patches (section 5): the setting, kinds that measure few, and the tenth of rejected patches.

use serde_json::json;

use super::{
    PATCHES, SIGNALS, Table,
    rows::{
        Change, DAY, ago, customer, device, failed, healthy, ids, install, os_patch, software_patch,
    },
};
use crate::oracle::tenant::{Kinds, Tenant};

pub(crate) fn table(table: &mut Table) {
    not_in_use(table);
    below_half(table);
    tenth(table);
}

fn not_in_use(table: &mut Table) {
    for (kinds, used, unused, reports) in [
        (Kinds::OsOnly, "os", "software", [5, 6]),
        (Kinds::SoftwareOnly, "software", "os", [3, 4]),
    ] {
        let mut tenant = healthy(2);
        tenant.kinds = kinds;
        let expected = json!({
            "status": "pass", "complete": true, "reasons": ["kind_not_in_use"],
            "metadata": { used: { "devices_measured": 2 }, unused: null },
        });
        for signal in SIGNALS {
            let expected = if signal == PATCHES {
                expected.clone()
            } else {
                json!({ "status": "pass", "reasons": [] })
            };
            table.case(format!("{used} alone"), signal, tenant.clone(), expected);
        }
        // Whatever the other holds, and however it ended.
        let mut spoiled: Vec<(String, Tenant)> = Vec::new();
        for report in reports {
            let mut broken = tenant.clone();
            *broken.reports_mut()[report] = failed();
            spoiled.push((format!("report {report} failed"), broken));
            let mut lost = tenant.clone();
            lost.reports_mut()[report].rows.push(json!(17));
            spoiled.push((format!("a row of report {report} lost"), lost));
            let mut bad = tenant.clone();
            let rows = &mut bad.reports_mut()[report].rows;
            rows.push(install(1, "x", "FAILED", DAY));
            rows.extend((0..9).map(|id| os_patch(1, &format!("os-{id}"), "CRITICAL")));
            rows.extend((0..9).map(|id| software_patch(1, &format!("app-{id}"), "CRITICAL")));
            rows.push(os_patch(2, "r", "CRITICAL").with("status", "REJECTED"));
            spoiled.push((format!("bad rows in report {report}"), bad));
            let mut empty = tenant.clone();
            empty.reports_mut()[report].rows.clear();
            spoiled.push((format!("report {report} empty"), empty));
        }
        for (name, tenant) in spoiled {
            table.case(
                format!("{used} alone, {name}"),
                PATCHES,
                tenant,
                expected.clone(),
            );
        }
        // What the other measures does not measure a device.
        let mut alone = tenant;
        for index in 3..=6 {
            if !reports.contains(&index) {
                alone.reports_mut()[index].rows.clear();
            }
        }
        let expected = json!({
            "status": "unknown",
            "reasons": ["coverage_below_half", "kind_not_in_use", "no_patch_data", "unmeasured_devices"],
            "metadata": { "scope": { "measured": 0, "unmeasured": 2 }, unused: null },
        });
        table.case(format!("{used} alone, and empty"), PATCHES, alone, expected);
        let mut tenant = customer(vec![]);
        tenant.kinds = kinds;
        let expected = json!({ "status": "unknown", "reasons": ["kind_not_in_use", "no_devices"] });
        table.case(
            format!("{used} alone, no devices"),
            PATCHES,
            tenant,
            expected,
        );
    }
}

/// A kind that measures fewer than half of the live devices.
fn below_half(table: &mut Table) {
    for (live, measured, stale, status, reason) in [
        (1, 1, 0, "pass", None),
        (2, 1, 0, "pass", None),
        (3, 1, 0, "warning", Some("kind_below_half")),
        (3, 2, 0, "pass", None),
        (10, 5, 0, "pass", None),
        (10, 4, 0, "warning", Some("kind_below_half")),
        (11, 5, 0, "warning", Some("kind_below_half")),
        (11, 6, 0, "pass", None),
        // Software rows on 99 devices and OS rows on one.
        (99, 1, 0, "warning", Some("kind_below_half")),
        (10, 0, 0, "warning", Some("no_patch_data")),
        // Of the live ones.
        (10, 5, 3, "pass", None),
    ] {
        for (kind, other, reports) in [("os", "software", [3, 4]), ("software", "os", [5, 6])] {
            let mut tenant = healthy(live + stale);
            for row in tenant
                .devices
                .rows
                .iter_mut()
                .rev()
                .take(usize::try_from(stale).expect("a few"))
            {
                *row = row.clone().with("lastContact", ago(31 * DAY));
            }
            for report in reports {
                let rows = &mut tenant.reports_mut()[report].rows;
                rows.retain(|row| row["deviceId"].as_i64().is_some_and(|id| id <= measured));
            }
            let reasons: Vec<&str> = reason.into_iter().collect();
            let expected = json!({
                "status": status, "reasons": reasons,
                "metadata": {
                    "scope": { "measured": live, "stale": stale },
                    kind: { "devices_measured": measured }, other: { "devices_measured": live },
                },
            });
            let name = format!("{kind} measures {measured} of {live}, {stale} stale");
            table.case(name.clone(), PATCHES, tenant.clone(), expected);
            // A failure stays one.
            tenant.reports_mut()[reports[1]]
                .rows
                .push(install(1, "x", "FAILED", DAY));
            table.case(
                format!("{name}, one failed"),
                PATCHES,
                tenant,
                json!({ "status": "fail" }),
            );
        }
    }
    let mut tenant = healthy(10);
    tenant.kinds = Kinds::SoftwareOnly;
    tenant.os_patches.rows.truncate(1);
    tenant.os_patch_installs.rows.truncate(1);
    let expected = json!({ "status": "pass", "reasons": ["kind_not_in_use"] });
    table.case(
        "a kind below half that is not in use",
        PATCHES,
        tenant,
        expected,
    );
}

/// Devices with a rejected patch that are more than a tenth of all but the not applicable, or all of them.
fn tenth(table: &mut Table) {
    let rejected =
        |id: i64, patch: &str| os_patch(id, patch, "CRITICAL").with("status", "REJECTED");
    let of = |devices: i64, with_rejected: i64| {
        let mut tenant = healthy(devices);
        tenant
            .os_patches
            .rows
            .extend(ids(with_rejected).map(|id| rejected(id, "r")));
        tenant
    };
    for (devices, with_rejected, status) in [
        (1, 1, "warning"),
        (9, 1, "warning"),
        (10, 1, "pass"),
        (11, 1, "pass"),
        (19, 2, "warning"),
        (20, 2, "pass"),
        (20, 3, "warning"),
        (29, 3, "warning"),
        (30, 3, "pass"),
        (5, 5, "warning"),
        (2, 1, "warning"),
    ] {
        let expected = json!({
            "status": status, "reasons": ["patches_rejected"], "metadata": { "os": { "rejected": with_rejected } },
        });
        let name = format!("rejected on {with_rejected} of {devices}");
        table.case(name, PATCHES, of(devices, with_rejected), expected);
    }
    // Devices count, not patches.
    let mut tenant = of(10, 1);
    tenant
        .os_patches
        .rows
        .extend((0..49).map(|patch| rejected(1, &format!("r-{patch}"))));
    tenant
        .software_patches
        .rows
        .push(software_patch(1, "s", "CRITICAL").with("status", "REJECTED"));
    let expected = json!({ "status": "pass", "metadata": { "os": { "rejected": 50 }, "software": { "rejected": 1 } } });
    table.case(
        "fifty-one rejected on one of ten",
        PATCHES,
        tenant.clone(),
        expected,
    );
    tenant
        .software_patches
        .rows
        .push(software_patch(2, "s", "CRITICAL").with("status", "REJECTED"));
    table.case(
        "rejected on a second of ten",
        PATCHES,
        tenant,
        json!({ "status": "warning" }),
    );
    // All but the not applicable: stale ones count, switches do not.
    let mut tenant = of(10, 1);
    tenant.devices.rows[9] = device(10).with("lastContact", ago(31 * DAY));
    table.case(
        "rejected on one of nine, one stale",
        PATCHES,
        tenant.clone(),
        json!({ "status": "pass" }),
    );
    tenant.devices.rows[9] = device(10).with("nodeClass", "NMS_SWITCH");
    table.case(
        "rejected on one of nine, and a switch",
        PATCHES,
        tenant.clone(),
        json!({ "status": "warning" }),
    );
    tenant.devices.rows[9] = device(10).with("approvalStatus", "PENDING");
    table.case(
        "rejected on one of nine, one not approved",
        PATCHES,
        tenant,
        json!({ "status": "warning" }),
    );
    // What does not count, or was installed, is not rejected; a stale device has nothing.
    let mut tenant = healthy(2);
    tenant
        .os_patches
        .rows
        .push(os_patch(1, "r", "LOW").with("status", "REJECTED"));
    tenant.os_patches.rows.push(rejected(2, "s"));
    tenant
        .os_patch_installs
        .rows
        .push(install(2, "s", "INSTALLED", 0));
    table.case(
        "rejected of no weight, and installed",
        PATCHES,
        tenant,
        json!({ "status": "pass", "reasons": [] }),
    );
    let mut tenant = of(3, 1);
    tenant.devices.rows[0] = device(1).with("lastContact", ago(31 * DAY));
    table.case(
        "rejected on a stale device",
        PATCHES,
        tenant,
        json!({ "status": "pass", "reasons": [] }),
    );
    // Held at warning, no better and no worse.
    let mut tenant = of(5, 5);
    tenant
        .os_patch_installs
        .rows
        .push(install(1, "x", "FAILED", 0));
    table.case(
        "rejected beside a failure",
        PATCHES,
        tenant,
        json!({ "status": "fail" }),
    );
}
