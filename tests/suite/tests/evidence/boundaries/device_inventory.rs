//! `device_inventory` (section 7).

use serde_json::{Value, json};

use super::{
    INVENTORY, Table,
    rows::{Change, DAY, ago, customer, device, ids},
};

pub(crate) fn table(table: &mut Table) {
    for (approved, offline, unmeasured, status, mostly) in [
        (1, 0, 0, "pass", false),
        (1, 1, 0, "warning", true),
        (1, 0, 1, "warning", false),
        (2, 1, 0, "warning", true),
        (2, 0, 1, "warning", false),
        (3, 1, 0, "pass", false),
        (3, 0, 1, "pass", false),
        (3, 1, 1, "warning", false),
        (3, 2, 0, "warning", true),
        (10, 4, 0, "pass", false),
        (10, 5, 0, "warning", true),
        (10, 4, 1, "warning", false),
        (10, 2, 2, "pass", false),
        (11, 5, 0, "pass", false),
        (11, 5, 1, "warning", false),
        (11, 6, 0, "warning", true),
        (4, 0, 4, "warning", false),
    ] {
        let row = |id: i64| {
            if id <= offline {
                device(id).with("offline", true)
            } else if id <= offline + unmeasured {
                device(id).without("offline")
            } else {
                device(id)
            }
        };
        let mut reasons = vec![];
        if mostly {
            reasons.push("mostly_offline");
        }
        if unmeasured > 0 {
            reasons.push("unmeasured_devices");
        }
        let expected = json!({
            "status": status, "complete": true, "reasons": reasons,
            "metadata": {
                "scope": {
                    "approved": approved, "measured": approved - unmeasured, "unmeasured": unmeasured, "stale": 0,
                    "not_applicable": 0, "not_approved": 0,
                },
                "devices": { "approved": approved, "offline": offline, "stale": 0 },
            },
        });
        let name = format!("{offline} of {approved} offline, {unmeasured} without the flag");
        table.case(
            name,
            INVENTORY,
            customer(ids(approved).map(row).collect()),
            expected,
        );
    }

    let tenant = customer(vec![
        device(1).with("offline", Value::Null),
        device(2),
        device(3),
    ]);
    let expected = json!({ "metadata": { "scope": { "measured": 2, "unmeasured": 1 } } });
    table.case("a null flag", INVENTORY, tenant, expected);

    // Stale devices count as they report.
    let stale = |id: i64, offline: bool| {
        device(id)
            .with("lastContact", ago(31 * DAY))
            .with("offline", offline)
    };
    let tenant = customer(vec![stale(1, true), stale(2, true), device(3)]);
    let expected = json!({
        "status": "warning", "reasons": ["mostly_offline"], "metadata": { "devices": { "offline": 2, "stale": 2 } },
    });
    table.case("stale and offline", INVENTORY, tenant, expected);
    let tenant = customer(vec![stale(1, false), stale(2, false), stale(3, true)]);
    let expected = json!({ "status": "pass", "reasons": [], "metadata": { "devices": { "offline": 1, "stale": 3 } } });
    table.case("stale and online", INVENTORY, tenant, expected);
    let tenant = customer(vec![
        device(1)
            .with("offline", true)
            .with("approvalStatus", "PENDING"),
        device(2),
    ]);
    let expected =
        json!({ "status": "pass", "metadata": { "devices": { "approved": 1, "offline": 0 } } });
    table.case("offline and not approved", INVENTORY, tenant, expected);
}
