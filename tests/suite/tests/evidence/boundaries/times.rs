//! Time (section 10): one parser for every time.

use serde_json::{Value, json};

use super::{
    ANTIVIRUS, BACKUP, DISK, INVENTORY, PATCHES, Table,
    rows::{
        Change, DAY, HOUR, MICROSECOND, MINUTE, SECOND, activity, ago, customer, definitions,
        device, healthy, install, product, software_patch, volume,
    },
};

pub(crate) fn table(table: &mut Table) {
    forms(table);
    collection(table);
    rounding(table);
}

/// A last contact in every form a time comes in. A readable one of 2020 is stale; what cannot be read is not.
fn forms(table: &mut Table) {
    for (form, stale) in [
        (json!(1_600_000_000), true),
        (json!(1_600_000_000.953_166), true),
        (json!(1.6e9), true),
        (json!("1600000000"), true),
        (json!("1600000000.953166000"), true),
        (json!(1_600_000_000_953_i64), true),
        (json!(1_600_000_000_953.5), true),
        (json!("1600000000953"), true),
        (json!("2020-09-13T12:26:40Z"), true),
        (json!("2020-09-13T12:26:40.953166Z"), true),
        (json!("2020-09-13T14:26:40+02:00"), true),
        // From 1e11 on milliseconds (1973); below, seconds, and then of the year 5138.
        (json!(100_000_000_000_i64), true),
        (json!("100000000000"), true),
        (json!(99_999_999_999_i64), false),
        (json!("99999999999"), false),
        (json!(1), true),
        (json!(0.5), true),
        (json!(0), false),
        (json!(0.0), false),
        (json!("0"), false),
        (json!(-1), false),
        (json!(-1_600_000_000), false),
        (json!("-1600000000"), false),
        (json!("NaN"), false),
        (json!("inf"), false),
        (json!(1e300), false),
        (json!(""), false),
        (json!("yesterday"), false),
        (json!("2020-09-13"), false),
        (json!("2020-13-13T12:26:40Z"), false),
        (json!("1969-12-31T23:59:59Z"), false),
        (Value::Null, false),
    ] {
        let tenant = customer(vec![device(1).with("lastContact", form.clone())]);
        let expected = json!({ "complete": true, "metadata": { "devices": { "approved": 1, "stale": i64::from(stale) } } });
        table.case(format!("last contact {form}"), INVENTORY, tenant, expected);
    }
}

/// When a row was collected decides whether it speaks at all.
fn collection(table: &mut Table) {
    for (name, timestamp, speaks) in [
        ("an hour ago", Some(ago(HOUR)), true),
        ("30 days ago to the microsecond", Some(ago(30 * DAY)), true),
        (
            "a microsecond more than 30 days ago",
            Some(ago(30 * DAY + MICROSECOND)),
            false,
        ),
        (
            "a second more than 30 days ago",
            Some(ago(30 * DAY + SECOND)),
            false,
        ),
        ("in five minutes", Some(ago(-5 * MINUTE)), true),
        (
            "a microsecond more than five minutes ahead",
            Some(ago(-5 * MINUTE - MICROSECOND)),
            false,
        ),
        ("a day ahead", Some(ago(-DAY)), false),
        ("at zero", Some(json!(0)), false),
        ("at null", Some(Value::Null), false),
        ("at a text", Some(json!("today")), false),
        ("at no time", None, false),
    ] {
        let stamped = |row: Value| match &timestamp {
            Some(timestamp) => row.with("timestamp", timestamp.clone()),
            None => row.without("timestamp"),
        };
        let mut tenant = customer(vec![device(1)]);
        tenant.volumes.rows = vec![stamped(volume(1, "C:"))];
        tenant.antivirus.rows = vec![stamped(product(1, "Windows Defender"))];
        tenant.os_patches.rows = vec![stamped(definitions(1))];
        tenant.software_patches.rows = vec![stamped(software_patch(1, "app-0", "OPTIONAL"))];
        let measured = i64::from(speaks);
        for signal in [DISK, ANTIVIRUS, PATCHES] {
            let expected = json!({
                "status": if speaks { "pass" } else { "unknown" }, "complete": true,
                "metadata": { "scope": { "measured": measured, "unmeasured": 1 - measured } },
            });
            table.case(
                format!("a row collected {name}"),
                signal,
                tenant.clone(),
                expected,
            );
        }
        // Whatever the row says: an ignored one is no failure either.
        tenant.antivirus.rows = vec![stamped(
            product(1, "Windows Defender").with("productState", "OFF"),
        )];
        let expected = json!({ "status": if speaks { "fail" } else { "unknown" } });
        table.case(
            format!("a product off, collected {name}"),
            ANTIVIRUS,
            tenant.clone(),
            expected,
        );

        // An install that failed goes by its own time.
        let mut tenant = healthy(1);
        tenant.os_patch_installs.rows = vec![stamped(install(1, "os-1", "FAILED", DAY))];
        table.case(
            format!("a failed install collected {name}"),
            PATCHES,
            tenant,
            json!({ "status": "fail" }),
        );
    }

    // Activities have no time of collection.
    let mut tenant = healthy(1);
    tenant.activities.rows =
        vec![activity(1, 1, "CLOUDBERRY_BACKUPJOB_SUCCEEDED").with("timestamp", ago(90 * DAY))];
    table.case(
        "an activity goes by its own time",
        BACKUP,
        tenant,
        json!({ "status": "pass" }),
    );
}

/// Times are exact to the microsecond; what stands behind it is rounded before anything is compared.
fn rounding(table: &mut Table) {
    let border = ago(30 * DAY).as_f64().expect("a number");
    for (contact, stale) in [
        (json!(format!("{border:.9}")), false),
        ("2026-10-24T06:30:00.000000000Z".into(), false),
        ("2026-10-24T06:29:59.999999600Z".into(), false),
        ("2026-10-24T06:29:59.999999400Z".into(), true),
        ("2026-10-24T06:29:59.999999Z".into(), true),
        ("2026-10-24T08:30:00+02:00".into(), false),
        ("2026-10-24T08:29:59.999999+02:00".into(), true),
        ("2026-11-23T06:35:00.000000400Z".into(), false),
    ] {
        let tenant = customer(vec![device(1).with("lastContact", contact.clone())]);
        let expected = json!({ "metadata": { "devices": { "stale": i64::from(stale) } } });
        table.case(
            format!("last contact {contact}, rounded"),
            INVENTORY,
            tenant,
            expected,
        );
    }
}
