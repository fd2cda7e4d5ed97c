//! A second opinion agrees with ours on every one of a great many generated customers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    fleets::{self, unreadable},
    minimise, oracle,
    oracle::tenant::Tenant,
    whole_way,
};

/// More with `FLEETS=20000 cargo test ...`.
fn seeds() -> std::ops::Range<u64> {
    let fleets = std::env::var("FLEETS")
        .ok()
        .and_then(|fleets| fleets.parse().ok())
        .unwrap_or(1_500);
    0..fleets
}

/// How many fields that differ are made small and shown: more with `REPORTED=40`.
fn reported() -> usize {
    let reported = std::env::var("REPORTED").ok();
    reported
        .and_then(|fields| fields.parse().ok())
        .unwrap_or(12)
}

/// Signals of a tenant by name.
fn by_name(signals: &Value) -> BTreeMap<String, Value> {
    let signals = signals.as_array().cloned().unwrap_or_default();
    signals
        .into_iter()
        .map(|signal| {
            (
                signal
                    .get("signal")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                signal,
            )
        })
        .collect()
}

/// The generated customers are worth agreeing on: every outcome and every reason of every signal occurs, and often.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn generated_fleets_reach_every_outcome_and_every_reason() {
    let mut outcomes: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut reasons: BTreeMap<(String, String), usize> = BTreeMap::new();
    for seed in seeds() {
        for (name, signal) in by_name(&oracle::evaluate(&fleets::tenant(seed))) {
            let status = signal["status"].as_str().expect("a status").to_owned();
            *outcomes.entry((name.clone(), status)).or_default() += 1;
            for reason in signal["reasons"].as_array().expect("reasons") {
                *reasons
                    .entry((name.clone(), reason.as_str().expect("a code").to_owned()))
                    .or_default() += 1;
            }
        }
    }
    println!("{outcomes:#?}\n{reasons:#?}");
    let all = ["pass", "warning", "fail", "unknown", "not_applicable"];
    for (signal, reachable) in [
        ("disk_encryption", &all[..]),
        ("antivirus_posture", &all[..]),
        ("patch_sla", &all[..]),
        ("backup_activity", &all[..4]),
        ("device_inventory", &all[..2]),
    ] {
        for status in all {
            let seen = outcomes
                .get(&(signal.to_owned(), status.to_owned()))
                .copied()
                .unwrap_or(0);
            if reachable.contains(&status) {
                assert!(seen >= 50, "{signal} was {status} only {seen} times");
            } else {
                assert_eq!(seen, 0, "{signal} cannot be {status}");
            }
        }
    }
    let everywhere = [
        "no_devices",
        "unmeasured_devices",
        "truncated",
        "malformed_rows",
    ];
    let by_coverage = [
        "fleet_dark",
        "coverage_below_half",
        "report_failed",
        "not_available",
    ];
    for (signal, own) in [
        (
            "disk_encryption",
            &[
                "unmeasured_volumes",
                "undated_rows",
                "unknown_node_class",
                "below_threshold",
            ][..],
        ),
        (
            "antivirus_posture",
            &[
                "undated_rows",
                "unknown_node_class",
                "protection_off",
                "age_not_reported",
                "signatures_unmeasured",
                "signatures_aging",
                "signatures_over_30_days",
            ][..],
        ),
        (
            "patch_sla",
            &[
                "undated_rows",
                "unknown_node_class",
                "patches_missing",
                "installs_failed",
                "installs_superseded",
                "severity_unknown",
                "patches_rejected",
                "no_patch_data",
                "kind_below_half",
                "kind_not_in_use",
            ][..],
        ),
        (
            "backup_activity",
            &[
                "undated_rows",
                "backups_failing",
                "warnings_only",
                "latest_runs_failing",
                "devices_without_backup",
                "no_backup_activity",
            ][..],
        ),
        ("device_inventory", &["mostly_offline"][..]),
    ] {
        let inventory = signal == "device_inventory";
        let expected = everywhere
            .iter()
            .chain(by_coverage.iter().filter(|_| !inventory))
            .chain(own);
        for reason in expected {
            let seen = reasons
                .get(&(signal.to_owned(), (*reason).to_owned()))
                .copied()
                .unwrap_or(0);
            assert!(seen >= 10, "{signal} gave {reason} only {seen} times");
        }
    }
}

/// What has to hold of any evaluator, here of the second opinion: a law it broke would make agreement worthless.
#[test]
fn the_second_opinion_keeps_the_laws() {
    for seed in seeds() {
        let tenant = fleets::tenant(seed);
        let signals = oracle::evaluate(&tenant);

        // Order and repetition change nothing.
        let mut turned = tenant.clone();
        for report in turned.reports_mut() {
            report.rows.reverse();
            report.rows.extend(report.rows.clone());
        }
        assert_eq!(oracle::evaluate(&turned), signals, "seed {seed}");

        for (name, signal) in by_name(&signals) {
            let scope = &signal["metadata"]["scope"];
            let count = |field: &str| scope[field].as_u64().expect("a count");
            let parts =
                count("measured") + count("unmeasured") + count("stale") + count("not_applicable");
            assert_eq!(parts, count("approved"), "seed {seed}, {name}");
            if signal["status"] == "pass" {
                assert_eq!(signal["complete"], true, "seed {seed}, {name}");
                assert!(count("measured") > 0, "seed {seed}, {name}");
            }
        }
    }
}

/// Law of section 2: making the time of any volume, antivirus, pending, attempt or activity row unreadable never leads to a pass.
#[test]
fn making_a_time_unreadable_never_leads_to_a_pass() {
    let times = |report: usize| -> &[&str] {
        if report == 0 {
            &[]
        } else {
            unreadable::time_fields(report)
        }
    };
    let unreadable = [
        Value::Null,
        "soon".into(),
        0.into(),
        99_999_999_999_i64.into(),
    ];
    damage_never_leads_to_a_pass(times, &unreadable);
}

/// Section 14: a field that was taken as absent and that a signal reads is never better than before.
#[test]
fn making_a_field_unreadable_never_leads_to_a_pass() {
    let unreadable = [json!([]), json!({ "a": 1 }), json!(17.5)];
    damage_never_leads_to_a_pass(unreadable::read_fields, &unreadable);
}

/// Puts each of some values into some fields of every generated tenant, one at a time.
fn damage_never_leads_to_a_pass(
    fields: impl Fn(usize) -> &'static [&'static str],
    values: &[Value],
) {
    let verdicts = |tenant: &Tenant| -> BTreeMap<String, bool> {
        let passes = |signal: Value| signal.get("status").is_some_and(|status| status == "pass");
        by_name(&oracle::evaluate(tenant))
            .into_iter()
            .map(|(name, signal)| (name, passes(signal)))
            .collect()
    };
    let mut tried = 0;
    for seed in seeds() {
        let tenant = fleets::tenant(seed);
        let before = verdicts(&tenant);
        if before.values().all(|passes| *passes) {
            continue;
        }
        let mut places: Vec<(usize, usize, &str)> = Vec::new();
        for (index, (_, report)) in tenant.reports().into_iter().enumerate() {
            for row in 0..report.rows.len() {
                places.extend(fields(index).iter().map(|field| (index, row, *field)));
            }
        }
        // Another report in every tenant, so that those of few rows have their share, and another few places of it.
        let mut reports: Vec<usize> = places.iter().map(|(index, ..)| *index).collect();
        reports.dedup();
        let turn = usize::try_from(seed).unwrap_or_default();
        let Some(report) = reports.get(turn % reports.len().max(1)) else {
            continue;
        };
        places.retain(|(index, ..)| index == report);
        let step = (places.len() / 8).max(1);
        let first = turn / 8 % step;
        let chosen = places.into_iter().skip(first).step_by(step);
        for ((index, row, path), damage) in chosen.zip(values.iter().cycle()) {
            let mut damaged = tenant.clone();
            // A device listed twice is the business of the device list, which gives every id once.
            let devices = &tenant.devices.rows;
            let id = devices.get(row).map(|row| row.get("id"));
            let of_id = devices.iter().filter(|row| Some(row.get("id")) == id);
            if index == 0 && of_id.count() > 1 {
                continue;
            }
            let mut reports = damaged.reports_mut();
            let row_of = reports
                .get_mut(index)
                .and_then(|report| report.rows.get_mut(row));
            let Some(field) = row_of.and_then(|row| unreadable::field(row, path)) else {
                continue;
            };
            *field = damage.clone();
            tried += 1;
            for (name, passes) in verdicts(&damaged) {
                assert!(
                    !passes || before.get(&name) == Some(&true),
                    "seed {seed}: {name} passes once {path} of row {row} of report {index} is {damage}\n{}",
                    minimise::describe(&damaged)
                );
            }
        }
    }
    println!("{tried} fields damaged");
    assert!(tried > 5_000, "only {tried} fields were damaged");
}

/// The smallest tenant is found, and is one on which the thing still happens.
#[test]
fn a_tenant_is_made_small() {
    let off = |tenant: &Tenant| {
        by_name(&oracle::evaluate(tenant))["antivirus_posture"]["status"] == "fail"
    };
    let tenant = seeds()
        .map(fleets::tenant)
        .find(|tenant| off(tenant) && tenant.devices.rows.len() > 5)
        .expect("one that fails");
    let smallest = minimise::minimise(&tenant, off);
    assert!(off(&smallest), "{}", minimise::describe(&smallest));
    assert_eq!(
        smallest.devices.rows.len(),
        1,
        "{}",
        minimise::describe(&smallest)
    );
    assert_eq!(
        smallest.antivirus.rows.len(),
        1,
        "{}",
        minimise::describe(&smallest)
    );
    assert_eq!(
        smallest.volumes.rows.len(),
        0,
        "{}",
        minimise::describe(&smallest)
    );
}

/// Both say the same of every customer; where they do not, the smallest customer that shows it is printed.
#[test]
fn the_second_opinion_agrees_with_ours() {
    agree(seeds(), Tenant::clone, oracle::ours::ours);
}

/// The same, the whole way: rows served over HTTP's types, paged, collected and judged.
#[test]
fn the_second_opinion_agrees_with_the_whole_way() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    agree(seeds().step_by(3), whole_way::as_served, |tenant| {
        runtime.block_on(whole_way::ours(tenant))
    });
}

fn agree(
    seeds: impl Iterator<Item = u64>,
    served: impl Fn(&Tenant) -> Tenant,
    ours: impl Fn(&Tenant) -> Value,
) {
    let differ = |tenant: &Tenant| {
        let tenant = served(tenant);
        match ours(&tenant) {
            Value::Null => BTreeMap::new(),
            found => differences(&oracle::evaluate(&tenant), &found),
        }
    };
    let mut kinds: BTreeMap<String, (usize, Tenant)> = BTreeMap::new();
    for tenant in seeds.map(fleets::tenant) {
        // One example of each field that differs is enough.
        for field in differ(&tenant).into_keys() {
            kinds
                .entry(field)
                .and_modify(|(count, _)| *count += 1)
                .or_insert((1, tenant.clone()));
        }
    }
    let report: Vec<String> = kinds
        .iter()
        .take(reported())
        .map(|(field, (count, tenant))| {
            let smallest = minimise::minimise(tenant, |tenant| differ(tenant).contains_key(field));
            let (expected, found) = differ(&smallest).remove(field).unwrap_or_default();
            format!(
                "{field} differs {count} times: the second opinion says {expected}, ours {found}, of\n{}",
                minimise::describe(&smallest)
            )
        })
        .collect();
    assert!(
        report.is_empty(),
        "{} fields differ:\n\n{}",
        kinds.len(),
        report.join("\n\n")
    );
}

/// Where two answers differ: signal and field, what the one says and what the other.
fn differences(expected: &Value, found: &Value) -> BTreeMap<String, (Value, Value)> {
    fn walk(
        expected: &Value,
        found: &Value,
        path: &str,
        differences: &mut BTreeMap<String, (Value, Value)>,
    ) {
        match (expected, found) {
            (Value::Object(expected), Value::Object(found)) => {
                for field in expected.keys().chain(found.keys()) {
                    let of = |object: &serde_json::Map<String, Value>| {
                        object.get(field).cloned().unwrap_or(Value::Null)
                    };
                    walk(
                        &of(expected),
                        &of(found),
                        &format!("{path}/{field}"),
                        differences,
                    );
                }
            }
            _ if expected == found => {}
            _ => drop(differences.insert(path.to_owned(), (expected.clone(), found.clone()))),
        }
    }
    let mut differences = BTreeMap::new();
    let (expected, found) = (by_name(expected), by_name(found));
    for name in expected.keys().chain(found.keys()) {
        let of =
            |signals: &BTreeMap<String, Value>| signals.get(name).cloned().unwrap_or(Value::Null);
        walk(&of(&expected), &of(&found), name, &mut differences);
    }
    differences
}
