//! The fleets of the simulated tenant: repeatable, odd as live ones are, and with the facts their verdicts rest on.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use ninjaone_simulator::{Character, Preset, Report, Request, Tenant};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// Everything a tenant sends: of each report one page of a size.
fn answers(tenant: &mut Tenant, size: usize) -> Vec<bytes::Bytes> {
    let token = tenant.issue_token(NOW);
    let mut paths: Vec<String> = [
        "organizations",
        "organizations-detailed",
        "locations",
        "devices",
        "devices-detailed",
        "users",
        "activities",
    ]
    .map(|path| format!("/v2/{path}?pageSize=1000"))
    .into();
    paths.extend(
        Report::ALL
            .iter()
            .map(|report| format!("{}?pageSize={size}&include=bl", report.path())),
    );
    let mut all = Vec::new();
    for path in paths {
        let answer = tenant.answer(&Request::get(&path).bearer(&token), NOW);
        assert_eq!(answer.status, 200, "{path}");
        all.push(answer.body);
    }
    all
}

/// Every string in a value.
fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for preset in Preset::ALL {
        let mut first = Tenant::preset(preset, 42, 31, NOW);
        let mut second = Tenant::preset(preset, 42, 31, NOW);
        let mut other = Tenant::preset(preset, 43, 31, NOW);
        let once = answers(&mut first, 10);
        assert!(once == answers(&mut second, 10), "{preset}");
        assert!(once != answers(&mut other, 10), "{preset}");
        assert_eq!(first.client_id(), second.client_id());
        assert_ne!(first.client_secret(), other.client_secret());
    }
}

#[test]
fn a_larger_fleet_begins_with_the_smaller_one() {
    let small = Tenant::preset(Preset::Mixed, 9, 50, NOW);
    let large = Tenant::preset(Preset::Mixed, 9, 90, NOW);
    assert_eq!(small.devices(), &large.devices()[..50]);
}

/// The rows of an organization's approved devices.
fn rows_of<'a>(tenant: &'a Tenant, rows: &'a [Value], organization: &Value) -> Vec<&'a Value> {
    let own: BTreeSet<i64> = tenant
        .devices()
        .iter()
        .filter(|row| &row["organizationId"] == organization && row["approvalStatus"] == "APPROVED")
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    rows.iter()
        .filter(|row| row["deviceId"].as_i64().is_some_and(|id| own.contains(&id)))
        .collect()
}

fn seconds_ago(value: &Value) -> f64 {
    f64::from(u32::try_from(NOW.unix_timestamp()).unwrap()) - value.as_f64().unwrap()
}

const DAY: f64 = 86_400.0;

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of what each character rests on"
)]
fn a_preset_is_what_it_says_whatever_its_size() {
    for (preset, size) in [1_usize, 2, 5, 13, 40, 200]
        .into_iter()
        .flat_map(|size| Preset::ALL.map(|preset| (preset, size)))
    {
        let tenant = Tenant::preset(preset, 8, size, NOW);
        assert_eq!(tenant.devices().len(), size);
        assert_eq!(tenant.organizations().len(), preset.organizations());
        for (place, organization) in tenant.organizations().iter().enumerate() {
            let id = &organization["id"];
            let devices: Vec<_> = tenant
                .devices()
                .iter()
                .filter(|row| &row["organizationId"] == id)
                .collect();
            if devices.is_empty() {
                continue;
            }
            let at = format!("{preset} of {size}, organization {id}");
            let stale = |row: &Value| seconds_ago(&row["lastContact"]) > 30.0 * DAY;
            let approved: Vec<_> = devices
                .iter()
                .filter(|row| row["approvalStatus"] == "APPROVED")
                .collect();
            let offline = approved.iter().filter(|row| row["offline"] == true).count();
            let conversions: BTreeSet<&str> = rows_of(&tenant, tenant.volumes(), id)
                .into_iter()
                .filter(|row| {
                    row["label"] != "Recovery"
                        && row
                            .get("deviceType")
                            .is_none_or(|kind| kind == "Local Disk")
                })
                .map(|row| {
                    row["bitLockerStatus"]["conversionStatus"]
                        .as_str()
                        .unwrap_or("none")
                })
                .collect();
            let states: BTreeSet<&str> = rows_of(&tenant, tenant.antivirus_status(), id)
                .into_iter()
                .filter_map(|row| row["productState"].as_str())
                .collect();
            let backups: BTreeSet<&str> = rows_of(&tenant, tenant.activities(), id)
                .into_iter()
                .filter(|row| seconds_ago(&row["activityTime"]) < 7.0 * DAY)
                .filter_map(|row| row["statusCode"].as_str())
                .filter(|code| code.contains("BACKUPJOB"))
                .collect();
            match preset.character(place) {
                Character::Healthy => {
                    assert_eq!(conversions, BTreeSet::from(["FULLY_ENCRYPTED"]), "{at}");
                    assert!(
                        states.contains("ON")
                            && states.iter().all(|state| ["ON", "OFF"].contains(state)),
                        "{at}"
                    );
                    assert!(backups.contains("NINJA_BACKUP_BACKUPJOB_COMPLETED"), "{at}");
                    assert!(2 * offline < approved.len(), "{at}");
                }
                Character::Failing => {
                    assert!(
                        conversions.contains("FULLY_DECRYPTED") && states.contains("OFF"),
                        "{at}"
                    );
                    assert!(backups.contains("NINJA_BACKUP_BACKUPJOB_FAILED"), "{at}");
                    assert!(2 * offline >= approved.len(), "{at}");
                }
                Character::Warning => {
                    assert!(
                        conversions.contains("UNKNOWN") && !states.is_empty(),
                        "{at}"
                    );
                    assert!(
                        backups.contains("NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING"),
                        "{at}"
                    );
                    assert!(2 * offline >= approved.len(), "{at}");
                }
                Character::MacOnly => {
                    assert!(
                        devices
                            .iter()
                            .all(|row| row["nodeClass"].as_str().unwrap().starts_with("MAC")),
                        "{at}"
                    );
                    assert_eq!(conversions, BTreeSet::from(["none"]), "{at}");
                    assert!(
                        backups.is_empty() && states == BTreeSet::from(["ON"]),
                        "{at}"
                    );
                }
                Character::NetworkOnly => {
                    assert!(
                        conversions.is_empty() && states.is_empty() && backups.is_empty(),
                        "{at}"
                    );
                }
                Character::Dark => assert!(
                    devices
                        .iter()
                        .all(|row| stale(row) && row["offline"] == true),
                    "{at}"
                ),
                Character::Empty => panic!("{at} has devices"),
                Character::Troubled(_) => panic!("{at} is of a large fleet"),
            }
        }
    }
}

#[test]
fn an_empty_organization_stands_beside_a_healthy_one() {
    let tenant = Tenant::preset(Preset::Empty, 1, 6, NOW);
    let empty = &tenant.organizations()[0]["id"];
    assert!(
        tenant
            .devices()
            .iter()
            .all(|row| &row["organizationId"] != empty)
    );
}

/// What live rows are like, found in every fleet of some size.
#[test]
fn the_fleet_has_the_oddities_of_live_ones() {
    let tenant = Tenant::preset(Preset::Healthy, 4, 120, NOW);
    let devices = tenant.devices();
    let known: BTreeSet<i64> = devices
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    let some = |test: &dyn Fn(&Value) -> bool, rows: &[Value]| rows.iter().any(test);
    assert!(
        some(&|row| row.get("displayName").is_none(), devices),
        "absent fields"
    );
    assert!(
        some(&|row| row.get("displayName") == Some(&Value::Null), devices),
        "explicit nulls"
    );
    assert!(
        some(&|row| row.get("unheardOfField").is_some(), devices),
        "unknown fields"
    );
    assert!(
        some(&|row| row["nodeClass"] == "WINDOWS_CLOUD_PC", devices),
        "unknown classes"
    );
    assert!(some(&|row| row["approvalStatus"] != "APPROVED", devices));
    assert!(
        some(
            &|row| row["bitLockerStatus"]["lockStatus"] == "LOCKED_BY_POLICY",
            tenant.volumes()
        ),
        "unknown enum values"
    );
    assert!(some(
        &|row| row["type"] == "HOTPATCH_UPDATES",
        tenant.os_patches()
    ));
    let severities: BTreeSet<&str> = tenant
        .os_patch_installs()
        .iter()
        .filter_map(|row| row["severity"].as_str())
        .collect();
    assert!(
        severities.contains("CRITICAL") && severities.contains("security"),
        "both vocabularies: {severities:?}"
    );
    assert!(some(
        &|row| row["status"] == "INSTALLED" && row.get("installedAt").is_none(),
        tenant.os_patch_installs()
    ));
    assert!(
        some(
            &|row| row["installedAt"] == 1_285_000_000.0,
            tenant.os_patch_installs()
        ),
        "installed in 2010"
    );
    let mut products: BTreeMap<i64, usize> = BTreeMap::new();
    for row in tenant.antivirus_status() {
        *products
            .entry(row["deviceId"].as_i64().unwrap())
            .or_default() += 1;
    }
    assert!(
        products
            .iter()
            .any(|(id, count)| known.contains(id) && *count > 1),
        "several products a device"
    );
    for report in [
        tenant.volumes(),
        tenant.antivirus_status(),
        tenant.os_patches(),
        tenant.os_patch_installs(),
        tenant.software_patches(),
        tenant.software_patch_installs(),
    ] {
        assert!(
            some(
                &|row| !known.contains(&row["deviceId"].as_i64().unwrap()),
                report
            ),
            "rows of devices that are gone"
        );
        let distinct: BTreeSet<String> = report.iter().map(Value::to_string).collect();
        assert!(distinct.len() < report.len(), "the same row twice");
        assert!(report[0] != report[1], "and not beside each other");
    }
    assert!(
        some(&|row| row.get("deviceId").is_none(), tenant.activities()),
        "events of the console"
    );
    assert!(some(
        &|row| row["statusCode"] == "BITDEFENDER_THREAT_RESTORE_FROM_QUARANTINE",
        tenant.activities()
    ));
}

#[test]
fn times_are_sent_with_nine_decimals() {
    let mut tenant = Tenant::preset(Preset::Healthy, 4, 12, NOW);
    let text = String::from_utf8(answers(&mut tenant, 1000).concat()).unwrap();
    let mut seen = 0;
    for key in [
        "\"lastContact\":",
        "\"timestamp\":",
        "\"activityTime\":",
        "\"installedAt\":",
        "\"created\":",
    ] {
        for (at, _) in text.match_indices(key) {
            let number: String = text[at + key.len()..]
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let (whole, fraction) = number.split_once('.').unwrap();
            assert_eq!((whole.len(), fraction.len()), (10, 9), "{key}{number}");
            seen += 1;
        }
    }
    assert!(seen > 100);
}

#[test]
fn a_detailed_device_is_as_large_as_a_live_one() {
    let mut tenant = Tenant::preset(Preset::Healthy, 4, 1000, NOW);
    let token = tenant.issue_token(NOW);
    let answer = tenant.answer(
        &Request::get("/v2/devices-detailed?pageSize=1000").bearer(&token),
        NOW,
    );
    let each = answer.body.len() / 1000;
    assert!((1_700..2_100).contains(&each), "{each} bytes each");
}

#[test]
fn in_a_canary_fleet_no_text_of_the_plain_one_is_left() {
    let build = |canaries: bool| {
        let builder = Tenant::builder(NOW).preset(Preset::Mixed, 6, 60);
        if canaries {
            builder.canaries().build()
        } else {
            builder.build()
        }
    };
    let (plain, mut canary) = (build(false), build(true));
    assert!(plain.canaries().is_empty());
    let mut sent = BTreeSet::new();
    for answer in answers(&mut canary, 10_000) {
        strings(&serde_json::from_slice(&answer).unwrap(), &mut sent);
    }
    let mut free = BTreeSet::new();
    for device in plain.devices() {
        for text in [
            &device["systemName"],
            &device["dnsName"],
            &device["uid"],
            &device["publicIP"],
            &device["lastLoggedInUser"],
            &device["displayName"],
            &device["system"]["serialNumber"],
            &device["os"]["name"],
        ] {
            free.extend(text.as_str().map(str::to_owned));
        }
        for list in ["ipAddresses", "macAddresses"] {
            free.extend(
                device[list]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
        }
    }
    for row in plain.volumes() {
        free.extend(
            [&row["serialNumber"]]
                .into_iter()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
    }
    for (rows, keys) in [
        (plain.organizations(), vec!["name"]),
        (plain.users(), vec!["firstName", "lastName", "email"]),
        (plain.os_patches(), vec!["name", "kbNumber"]),
        (plain.software_patches(), vec!["title"]),
        (plain.antivirus_status(), vec!["productName"]),
        (plain.activities(), vec!["message"]),
    ] {
        for (row, key) in rows
            .iter()
            .flat_map(|row| keys.iter().map(move |key| (row, key)))
        {
            free.extend(row[*key].as_str().map(str::to_owned));
        }
    }
    free.remove("NONE");
    assert!(free.len() > 400);
    free.insert("C:".to_owned());
    let left: Vec<_> = free.intersection(&sent).collect();
    assert!(left.is_empty(), "{left:?}");
    let canaries: BTreeSet<String> = canary.canaries().into_iter().collect();
    assert!(
        canaries.len() > 400 && canaries.is_subset(&sent),
        "each canary is somewhere in the answers"
    );
    let same = |rows: &[Value]| {
        rows.iter()
            .map(|row| (row["deviceId"].clone(), row["status"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        same(plain.os_patches()),
        same(canary.os_patches()),
        "what decides stays"
    );
}

#[test]
fn rows_that_are_given_become_canaries_too() {
    let tenant = Tenant::builder(NOW)
        .canaries()
        .devices(&[
            json!({ "id": 5, "organizationId": 2, "systemName": "PAYROLL-01", "nodeClass": "MAC" }),
        ])
        .build();
    let name = tenant.devices()[0]["systemName"].as_str().unwrap();
    assert!(name != "PAYROLL-01" && tenant.canaries().contains(&name.to_owned()));
    assert_eq!(tenant.devices()[0]["nodeClass"], "MAC");
}

#[test]
fn presets_are_named_on_the_command_line() {
    for preset in Preset::ALL {
        assert_eq!(preset.to_string().parse(), Ok(preset));
    }
    assert!(
        "sunny"
            .parse::<Preset>()
            .unwrap_err()
            .to_string()
            .contains("mac-only")
    );
}
