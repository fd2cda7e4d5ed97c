//! `antivirus_posture` (section 4).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::Duration;

use super::{
    ANTIVIRUS, Table,
    rows::{
        Change, DAY, HOUR, MICROSECOND, MINUTE, NOW, SECOND, ago, customer, device, healthy, ids,
        product,
    },
};
use crate::oracle::tenant::{Remembered, Tenant};

pub(crate) fn table(table: &mut Table) {
    protection(table);
    signatures(table);
    history(table);
    vendors(table);
}

/// One device with these rows.
fn with(rows: Vec<Value>) -> Tenant {
    let mut tenant = customer(vec![device(1)]);
    tenant.antivirus.rows = rows;
    tenant
}

fn protection(table: &mut Table) {
    let row = |name: &str, state: &str| product(1, name).with("productState", state);
    let (on, off, unmeasured) = ("pass", "fail", "unknown");
    let mut cases: Vec<(String, Vec<Value>, &str)> = Vec::new();
    for state in ["ON", "on", "On", "O_N", "o-n"] {
        cases.push((
            format!("state {state:?}"),
            vec![row("Windows Defender", state)],
            on,
        ));
    }
    for state in [
        "OFF", "off", "Off", "SNOOZED", "Snoozed", "EXPIRED", "expired", "ex-pired", "SNOOZED ",
    ] {
        cases.push((
            format!("state {state:?}"),
            vec![row("Windows Defender", state)],
            off,
        ));
        cases.push((
            format!("state {state:?} beside another that is on"),
            vec![row("Windows Defender", state), row("Sophos Endpoint", "ON")],
            on,
        ));
        cases.push((
            format!("state {state:?} beside the same product on"),
            vec![
                row("Windows Defender", state),
                row("Windows Defender", "ON"),
            ],
            on,
        ));
        cases.push((
            format!("state {state:?} beside a state never seen"),
            vec![
                row("Windows Defender", state),
                row("Sophos Endpoint", "RESTARTING"),
            ],
            unmeasured,
        ));
    }
    for state in ["RESTARTING", "UNKNOWN", "", "ONLINE", "OFFLINE", "NOT_ON"] {
        cases.push((
            format!("state {state:?}"),
            vec![row("Windows Defender", state)],
            unmeasured,
        ));
        cases.push((
            format!("state {state:?} beside one that is on"),
            vec![row("Windows Defender", state), row("Sophos Endpoint", "ON")],
            on,
        ));
    }
    cases.push((
        "state null".into(),
        vec![product(1, "ESET").with("productState", Value::Null)],
        unmeasured,
    ));
    cases.push((
        "state absent".into(),
        vec![product(1, "ESET").without("productState")],
        unmeasured,
    ));
    cases.push(("no row".into(), vec![], unmeasured));

    // `NONE` is no product, whatever its state: rows exist, none of them real.
    for name in ["NONE", "none", "None"] {
        for state in ["ON", "OFF", "SNOOZED", "RESTARTING", ""] {
            cases.push((
                format!("product {name:?} {state}"),
                vec![row(name, state)],
                off,
            ));
            cases.push((
                format!("product {name:?} {state} beside one that is on"),
                vec![row(name, state), row("Windows Defender", "ON")],
                on,
            ));
            cases.push((
                format!("product {name:?} {state} beside one that is off"),
                vec![row(name, state), row("Windows Defender", "OFF")],
                off,
            ));
            cases.push((
                format!("product {name:?} {state} beside a state never seen"),
                vec![row(name, state), row("Windows Defender", "RESTARTING")],
                unmeasured,
            ));
        }
    }
    cases.push((
        "product NONE with nothing else, as the vendor sends it".into(),
        vec![json!({ "productName": "NONE", "deviceId": 1, "timestamp": ago(DAY) })],
        off,
    ));
    // Without a name, OFF is no product, ON contradicts itself and is ignored, and a state never seen is unmeasured.
    for name in [Some(json!("")), Some(json!(" ")), Some(Value::Null), None] {
        let nameless = |state: &str| match &name {
            Some(name) => row("x", state).with("productName", name.clone()),
            None => row("x", state).without("productName"),
        };
        for (state, alone, beside_off) in [
            ("ON", unmeasured, off),
            ("on", unmeasured, off),
            ("OFF", off, off),
            ("off", off, off),
            ("RESTARTING", unmeasured, unmeasured),
        ] {
            cases.push((
                format!("product {name:?} {state}"),
                vec![nameless(state)],
                alone,
            ));
            cases.push((
                format!("product {name:?} {state} beside one that is on"),
                vec![nameless(state), row("Windows Defender", "ON")],
                on,
            ));
            cases.push((
                format!("product {name:?} {state} beside one that is off"),
                vec![nameless(state), row("Windows Defender", "OFF")],
                beside_off,
            ));
            cases.push((
                format!("product {name:?} {state} beside NONE"),
                vec![nameless(state), row("NONE", "OFF")],
                beside_off,
            ));
            cases.push((
                format!("product {name:?} {state} beside a state never seen"),
                vec![nameless(state), row("Windows Defender", "RESTARTING")],
                unmeasured,
            ));
        }
    }

    // Rows more than seven days older than the device's newest are left aside.
    let at = |name: &str, state: &str, time: i64| row(name, state).with("timestamp", ago(time));
    for (name, rows, status) in [
        (
            "on 7 days before the newest, which is off",
            vec![at("ESET", "ON", DAY + 7 * DAY), at("Sophos", "OFF", DAY)],
            on,
        ),
        (
            "on a microsecond earlier",
            vec![
                at("ESET", "ON", DAY + 7 * DAY + MICROSECOND),
                at("Sophos", "OFF", DAY),
            ],
            off,
        ),
        (
            "on a month before today's off",
            vec![at("ESET", "ON", 29 * DAY), at("ESET", "OFF", HOUR)],
            off,
        ),
        (
            "off a month before today's on",
            vec![at("ESET", "OFF", 29 * DAY), at("ESET", "ON", HOUR)],
            on,
        ),
        (
            "on 20 days ago and nothing newer",
            vec![at("ESET", "ON", 20 * DAY)],
            on,
        ),
        (
            "on, off and never seen, all 20 to 26 days ago",
            vec![
                at("ESET", "ON", 26 * DAY),
                at("Sophos", "OFF", 21 * DAY),
                at("Avast", "RESTARTING", 20 * DAY),
            ],
            on,
        ),
        // Over all its rows, nameless ones included.
        (
            "on 8 days before a nameless row that is off",
            vec![
                at("ESET", "ON", 9 * DAY),
                at("x", "OFF", DAY).without("productName"),
            ],
            off,
        ),
        (
            "on 8 days before a nameless row that is on",
            vec![
                at("ESET", "ON", 9 * DAY),
                at("x", "ON", DAY).without("productName"),
            ],
            unmeasured,
        ),
        (
            "on 8 days before NONE",
            vec![at("ESET", "ON", 9 * DAY), at("NONE", "OFF", DAY)],
            off,
        ),
        (
            "on 8 days before a state never seen",
            vec![at("ESET", "ON", 9 * DAY), at("ESET", "RESTARTING", DAY)],
            unmeasured,
        ),
        (
            "a state never seen 8 days before off",
            vec![at("ESET", "RESTARTING", 9 * DAY), at("ESET", "OFF", DAY)],
            off,
        ),
        (
            "on 30 days ago, off 23 days ago",
            vec![at("ESET", "ON", 30 * DAY), at("ESET", "OFF", 23 * DAY)],
            on,
        ),
        (
            "on more than 30 days ago, off 25 days ago",
            vec![
                at("ESET", "ON", 30 * DAY + MICROSECOND),
                at("ESET", "OFF", 25 * DAY),
            ],
            off,
        ),
        (
            "on more than 30 days ago, off now",
            vec![
                at("ESET", "ON", 30 * DAY + MICROSECOND),
                at("ESET", "OFF", 0),
            ],
            off,
        ),
        (
            "off in the near future, on 7 days ago",
            vec![at("ESET", "OFF", -5 * MINUTE), at("Avast", "ON", 7 * DAY)],
            on,
        ),
    ] {
        cases.push((name.into(), rows, status));
    }

    for (name, rows, status) in cases {
        let counts = json!({
            "on": i64::from(status == on), "off": i64::from(status == off), "unmeasured": i64::from(status == unmeasured),
        });
        let expected = json!({
            "status": status, "complete": true,
            "metadata": { "devices": counts, "scope": { "unmeasured": i64::from(status == unmeasured) } },
        });
        table.case(name, ANTIVIRUS, with(rows), expected);
    }

    let mut tenant = healthy(20);
    tenant.antivirus.rows[7] = product(8, "Windows Defender").with("productState", "OFF");
    let expected = json!({ "status": "fail", "reasons": ["protection_off"], "metadata": { "devices": { "on": 19, "off": 1 } } });
    table.case("one of twenty off", ANTIVIRUS, tenant, expected);
}

const FRESH: &str = "fresh";
const UNREPORTED: &str = "age_not_reported";
const UNMEASURED: &str = "unmeasured";

fn signatures(table: &mut Table) {
    let row = |name: &str, state: &str, definitions: &str| {
        product(1, name)
            .with("productState", state)
            .with("definitionStatus", definitions)
    };
    let mut cases: Vec<(String, Vec<Value>, &str)> = Vec::new();
    for definitions in [
        "Up-to-Date",
        "UP_TO_DATE",
        "up to date",
        "UpToDate",
        "up_to-date",
    ] {
        cases.push((
            definitions.into(),
            vec![row("ESET", "ON", definitions)],
            FRESH,
        ));
    }
    for definitions in ["Out-of-Date", "OUT_OF_DATE", "out of date", "OutOfDate"] {
        cases.push((
            definitions.into(),
            vec![row("ESET", "ON", definitions)],
            UNREPORTED,
        ));
    }
    for definitions in ["Unknown", "UNKNOWN", "", "Fine", "Not up to date"] {
        cases.push((
            definitions.into(),
            vec![row("ESET", "ON", definitions)],
            UNMEASURED,
        ));
    }
    cases.push((
        "null".into(),
        vec![product(1, "ESET").with("definitionStatus", Value::Null)],
        UNMEASURED,
    ));
    cases.push((
        "absent".into(),
        vec![product(1, "ESET").without("definitionStatus")],
        UNMEASURED,
    ));

    // The best of the rows that are on, and of those alone.
    for (best, name, rows) in [
        (
            FRESH,
            "out and up",
            vec![
                row("ESET", "ON", "Out-of-Date"),
                row("Sophos", "ON", "Up-to-Date"),
            ],
        ),
        (
            FRESH,
            "unknown and up",
            vec![
                row("ESET", "ON", "Unknown"),
                row("Sophos", "ON", "Up-to-Date"),
            ],
        ),
        (
            UNREPORTED,
            "unknown and out",
            vec![
                row("ESET", "ON", "Unknown"),
                row("Sophos", "ON", "Out-of-Date"),
            ],
        ),
        (
            UNREPORTED,
            "out, and up but off",
            vec![
                row("ESET", "ON", "Out-of-Date"),
                row("Sophos", "OFF", "Up-to-Date"),
            ],
        ),
        (
            UNMEASURED,
            "unknown, and up but off",
            vec![row("ESET", "ON", "?"), row("Sophos", "OFF", "Up-to-Date")],
        ),
        (
            UNREPORTED,
            "out, and up of no product",
            vec![
                row("ESET", "ON", "Out-of-Date"),
                row("NONE", "ON", "Up-to-Date"),
            ],
        ),
        (
            UNREPORTED,
            "out, and up but never seen",
            vec![
                row("ESET", "ON", "Out-of-Date"),
                row("Sophos", "?", "Up-to-Date"),
            ],
        ),
    ] {
        cases.push((name.into(), rows, best));
    }

    for (name, rows, bucket) in cases {
        let mut counts = json!({ "fresh": 0, "aged_7_to_30": 0, "over_30": 0, "age_not_reported": 0, "unmeasured": 0 });
        counts[bucket] = json!(1);
        let reasons = match bucket {
            UNREPORTED => vec!["age_not_reported"],
            UNMEASURED => vec!["signatures_unmeasured"],
            _ => vec![],
        };
        let expected = json!({
            "status": if bucket == FRESH { "pass" } else { "warning" }, "reasons": reasons,
            "metadata": {
                "scope": { "measured": 1, "unmeasured": 0 }, "devices": { "on": 1 }, "signatures": counts,
                "age_basis": "status_only",
            },
        });
        table.case(
            format!("definitions {name:?}"),
            ANTIVIRUS,
            with(rows),
            expected,
        );
    }

    // Signatures count over devices that are on.
    let expected = json!({
        "status": "fail", "reasons": ["protection_off"],
        "metadata": { "signatures": { "fresh": 0, "age_not_reported": 0, "unmeasured": 0 }, "vendors": {} },
    });
    table.case(
        "definitions of a device that is off",
        ANTIVIRUS,
        with(vec![row("ESET", "OFF", "Out-of-Date")]),
        expected,
    );
    // The time of collection is never a signature age.
    let old = row("ESET", "ON", "Up-to-Date").with("timestamp", ago(29 * DAY));
    table.case(
        "up to date, collected 29 days ago",
        ANTIVIRUS,
        with(vec![old]),
        json!({ "status": "pass" }),
    );
}

fn history(table: &mut Table) {
    for (age, bucket, status, reason) in [
        (0, "fresh", "pass", None),
        (7 * DAY, "fresh", "pass", None),
        (
            7 * DAY + MICROSECOND,
            "aged_7_to_30",
            "warning",
            Some("signatures_aging"),
        ),
        (
            7 * DAY + SECOND,
            "aged_7_to_30",
            "warning",
            Some("signatures_aging"),
        ),
        (
            30 * DAY,
            "aged_7_to_30",
            "warning",
            Some("signatures_aging"),
        ),
        (
            30 * DAY + MICROSECOND,
            "over_30",
            "fail",
            Some("signatures_over_30_days"),
        ),
        (
            30 * DAY + SECOND,
            "over_30",
            "fail",
            Some("signatures_over_30_days"),
        ),
    ] {
        for (definitions, counts) in [("Out-of-Date", true), ("Up-to-Date", false)] {
            let mut tenant = with(vec![
                product(1, "ESET").with("definitionStatus", definitions),
            ]);
            let since = NOW - Duration::microseconds(age);
            tenant.signature_history =
                Some(BTreeMap::from([(1, Remembered::OutOfDateSince(since))]));
            let expected = if counts {
                let reasons: Vec<&str> = reason.into_iter().collect();
                json!({ "status": status, "reasons": reasons, "metadata": { "signatures": { bucket: 1 }, "age_basis": "first_seen" } })
            } else {
                json!({ "status": "pass", "metadata": { "signatures": { "fresh": 1 }, "age_basis": "first_seen" } })
            };
            table.case(
                format!("{definitions}, first seen out of date {age} us ago"),
                ANTIVIRUS,
                tenant,
                expected,
            );
        }
    }
    for (ahead, bucket) in [
        (5 * MINUTE, "fresh"),
        (5 * MINUTE + MICROSECOND, "age_not_reported"),
    ] {
        let mut tenant = with(vec![
            product(1, "ESET").with("definitionStatus", "Out-of-Date"),
        ]);
        let since = NOW + Duration::microseconds(ahead);
        tenant.signature_history = Some(BTreeMap::from([(1, Remembered::OutOfDateSince(since))]));
        let expected = json!({ "metadata": { "signatures": { bucket: 1 } } });
        table.case(
            format!("first seen out of date {ahead} us ahead"),
            ANTIVIRUS,
            tenant,
            expected,
        );
    }
    // Up to date when it was last seen: since = the first out-of-date sighting, which is this one.
    for (definitions, status) in [
        ("Out-of-Date", "pass"),
        ("Up-to-Date", "pass"),
        ("Unknown", "warning"),
    ] {
        let mut tenant = with(vec![
            product(1, "ESET").with("definitionStatus", definitions),
        ]);
        tenant.signature_history = Some(BTreeMap::from([(1, Remembered::UpToDate)]));
        let fresh = i32::from(status == "pass");
        let expected = json!({
            "status": status, "metadata": { "signatures": { "fresh": fresh, "age_not_reported": 0 }, "age_basis": "first_seen" },
        });
        table.case(
            format!("{definitions}, up to date when last seen"),
            ANTIVIRUS,
            tenant,
            expected,
        );
    }
    // A device whose class cannot be read: its old signatures fail, its young ones show nothing.
    for (days, status) in [(8, "unknown"), (30, "unknown"), (31, "fail")] {
        let mut tenant = with(vec![
            product(1, "ESET").with("definitionStatus", "Out-of-Date"),
        ]);
        tenant.devices.rows[0] = tenant.devices.rows[0].clone().with("nodeClass", 17.5);
        let since = NOW - Duration::days(days);
        tenant.signature_history = Some(BTreeMap::from([(1, Remembered::OutOfDateSince(since))]));
        table.case(
            format!("out of date for {days} days, of a class that cannot be read"),
            ANTIVIRUS,
            tenant,
            json!({ "status": status }),
        );
    }
    let mut tenant = with(vec![
        product(1, "ESET").with("definitionStatus", "Out-of-Date"),
    ]);
    tenant.signature_history = Some(BTreeMap::new());
    let expected = json!({
        "status": "warning", "reasons": ["age_not_reported"],
        "metadata": { "signatures": { "age_not_reported": 1 }, "age_basis": "first_seen" },
    });
    table.case(
        "out of date, not in the history",
        ANTIVIRUS,
        tenant,
        expected,
    );
}

fn vendors(table: &mut Table) {
    for (product_name, vendor) in [
        ("Windows Defender", "microsoft_defender"),
        ("Microsoft Defender Antivirus", "microsoft_defender"),
        ("windows defender", "microsoft_defender"),
        ("SentinelOne", "sentinelone"),
        ("Sentinel Agent", "sentinelone"),
        ("CrowdStrike Falcon Sensor", "crowdstrike"),
        ("Bitdefender Endpoint Security Tools", "bitdefender"),
        ("Sophos Endpoint Agent", "sophos"),
        ("ESET Endpoint Antivirus", "eset"),
        ("Webroot SecureAnywhere", "webroot"),
        ("Trend Micro Apex One Security Agent", "trend_micro"),
        ("Malwarebytes Endpoint Agent", "malwarebytes"),
        ("Trellix Endpoint Security", "trellix"),
        ("Symantec Endpoint Protection", "symantec"),
        ("Kaspersky Endpoint Security", "kaspersky"),
        ("CylancePROTECT", "cylance"),
        ("VMware Carbon Black Cloud", "carbon_black"),
        ("Huntress Agent", "huntress"),
        ("Norton 360", "norton"),
        ("Avast Business Antivirus", "avast"),
        ("AVG AntiVirus Business Edition", "avg"),
        ("WithSecure Elements", "withsecure"),
        ("WatchGuard EPDR", "watchguard"),
        ("Cisco Secure Endpoint", "cisco"),
        ("Palo Alto Networks Cortex XDR", "palo_alto"),
        ("FortiClient", "fortinet"),
        ("Deep Instinct", "deep_instinct"),
        ("XProtect", "apple_xprotect"),
        ("ClamAV", "clamav"),
        ("Acme Shield", "other"),
    ] {
        let expected = json!({ "status": "pass", "metadata": { "vendors": { vendor: 1 } } });
        table.case(
            format!("product {product_name:?}"),
            ANTIVIRUS,
            with(vec![product(1, product_name)]),
            expected,
        );
    }

    let row =
        |name: &str, definitions: &str| product(1, name).with("definitionStatus", definitions);
    for (name, rows, vendor) in [
        (
            "the better definitions",
            vec![row("ESET", "Out-of-Date"), row("Sophos", "Up-to-Date")],
            "sophos",
        ),
        (
            "tied, in the alphabet",
            vec![row("Sophos", "Up-to-Date"), row("ESET", "Up-to-Date")],
            "eset",
        ),
        (
            "tied with other",
            vec![
                row("Acme Shield", "Up-to-Date"),
                row("Sophos", "Up-to-Date"),
            ],
            "other",
        ),
        (
            "tied before other",
            vec![row("Acme Shield", "Up-to-Date"), row("ESET", "Up-to-Date")],
            "eset",
        ),
        (
            "one that is off",
            vec![
                row("ESET", "Up-to-Date").with("productState", "OFF"),
                row("Sophos", "Unknown"),
            ],
            "sophos",
        ),
    ] {
        let expected = json!({ "metadata": { "vendors": { vendor: 1 }, "devices": { "on": 1 } } });
        table.case(format!("vendor: {name}"), ANTIVIRUS, with(rows), expected);
    }
    let mut tenant = customer(ids(3).map(device).collect());
    tenant.antivirus.rows = vec![
        product(1, "ESET"),
        product(2, "ESET NOD32"),
        product(3, "Sophos"),
    ];
    let expected = json!({ "metadata": { "vendors": { "eset": 2, "sophos": 1 } } });
    table.case("vendors are counted by device", ANTIVIRUS, tenant, expected);
}
