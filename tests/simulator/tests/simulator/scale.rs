//! Large fleets, whose rows are computed, and what a server makes of a filter by many organizations.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use ninjaone_simulator::{
    Answer, Fault, FaultRule, Half, Parameter, Preset, Report, Request, Tenant,
};
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// The reports that a sweep reads.
const REPORTS: [Report; 6] = [
    Report::AntivirusStatus,
    Report::OsPatchInstalls,
    Report::OsPatches,
    Report::SoftwarePatchInstalls,
    Report::SoftwarePatches,
    Report::Volumes,
];

struct Visit {
    tenant: Tenant,
    token: String,
}

impl Visit {
    fn of(mut tenant: Tenant) -> Self {
        let token = tenant.issue_token(NOW);
        Self { tenant, token }
    }

    fn to(organizations: usize, devices: usize) -> Self {
        let builder = Tenant::builder(NOW).preset(Preset::Scale, 11, devices);
        Self::of(builder.organization_count(organizations).build())
    }

    /// The same fleet, every row of which is made and kept.
    fn held(organizations: usize, devices: usize) -> Self {
        let mut visit = Self::to(organizations, devices);
        let activities = visit.tenant.activities().to_vec();
        visit.tenant.set_activities(&activities);
        visit
    }

    fn answer(&mut self, target: &str) -> Answer {
        self.tenant
            .answer(&Request::get(target).bearer(&self.token), NOW)
    }

    fn get(&mut self, target: &str) -> Value {
        let answer = self.answer(target);
        assert_eq!(answer.status, 200, "{target}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Every row behind a target, page after page, as a client without any trick reads them.
    fn walk(&mut self, target: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        let mut next = target.to_owned();
        loop {
            let page = self.get(&next);
            let key = ["results", "activities"]
                .into_iter()
                .find(|key| page.get(key).is_some());
            let rows = key.map_or(&page, |key| &page[key]);
            let rows = rows.as_array().unwrap();
            let Some(last) = rows.last() else { return all };
            next = match (key, page["cursor"]["name"].as_str()) {
                (Some("results"), Some(name)) => format!("{target}&cursor={name}"),
                (Some("activities"), _) => format!("{target}&olderThan={}", last["id"]),
                (None, _) => format!("{target}&after={}", last["id"]),
                _ => String::new(),
            };
            all.extend(rows.iter().cloned());
            if next.is_empty() {
                return all;
            }
        }
    }
}

/// The paths that `org in` narrows.
fn paths() -> Vec<String> {
    ["/v2/devices", "/v2/devices-detailed", "/v2/activities"]
        .into_iter()
        .chain(REPORTS.map(Report::path))
        .map(str::to_owned)
        .collect()
}

/// Devices that rows are of, in their order.
fn devices(rows: &[Value]) -> Vec<i64> {
    let id = |row: &Value| row.get("deviceId").unwrap_or(&row["id"]).as_i64().unwrap();
    rows.iter().map(id).collect()
}

/// Device -> organization, as the list of devices says.
fn organizations(visit: &mut Visit) -> BTreeMap<i64, i64> {
    let rows = visit.walk("/v2/devices?pageSize=1000");
    let pair = |row: &Value| {
        (
            row["id"].as_i64().unwrap(),
            row["organizationId"].as_i64().unwrap(),
        )
    };
    rows.iter().map(pair).collect()
}

fn since(days: i64) -> i64 {
    NOW.unix_timestamp() - days * 86_400
}

/// What devices can be narrowed by.
const FILTERS: [&str; 14] = [
    "",
    "&df=org in (2, 5, 8)",
    "&df=org = 5",
    "&df=org in (8,2,2)",
    "&df=org in (2, 900, 5)",
    "&df=org in (901)",
    "&df=org in (2,5) AND class = WINDOWS_SERVER",
    "&df=org in (2,5,11) AND offline",
    "&df=org notin (5)",
    "&df=class in (WINDOWS_SERVER)",
    "&df=status = PENDING",
    "&df=loc in (10, 11, 14)",
    "&df=id in (400, 401, 402, 403, 404, 405)",
    "&df=created after 2024-01-01",
];

#[test]
fn a_computed_fleet_answers_byte_for_byte_as_the_same_rows_held_do() {
    for (count, size) in [(9, 70), (5, 3)] {
        let mut faults: Vec<Option<FaultRule>> = vec![None];
        faults.extend(
            [
                Fault::Halved(Half::Organizations),
                Fault::Halved(Half::Devices),
                Fault::MatchesNothing(Parameter::DeviceFilterIn),
                Fault::Ignored(Parameter::DeviceFilter),
                Fault::PageCapped { rows: 7 },
                Fault::DeviceMoves {
                    device: devices(Visit::to(count, size).tenant.devices())[1],
                    organization: 5,
                },
            ]
            .map(|fault| Some(fault.into())),
        );
        for fault in faults {
            let (mut computed, mut held) = (Visit::to(count, size), Visit::held(count, size));
            for visit in [&mut computed, &mut held] {
                visit.tenant.faults(fault.clone());
            }
            let mut same = |target: &str| {
                let (one, other) = (computed.answer(target), held.answer(target));
                assert_eq!(one.status, other.status, "{target} with {fault:?}");
                assert!(one.body == other.body, "{target} with {fault:?}");
                one.body
            };
            // Without a fault, every filter; with one, those by organizations.
            let filters = if fault.is_some() { 6 } else { FILTERS.len() };
            for filter in FILTERS
                .map(|filter| filter.replace(' ', "%20"))
                .into_iter()
                .take(filters)
            {
                for path in paths() {
                    for (size, parameters) in [(10, ""), (10_000, "&include=bl")] {
                        let target = format!("{path}?pageSize={size}{parameters}{filter}");
                        let first = same(&target);
                        let page: Value = serde_json::from_slice(&first).unwrap_or(Value::Null);
                        // The second page, by whatever says where it begins.
                        if let Some(name) = page["cursor"]["name"].as_str() {
                            same(&format!("{target}&cursor={name}"));
                        } else if let Some(rows) = page.as_array() {
                            let last = rows.last().map_or(Value::from(0), |row| row["id"].clone());
                            same(&format!("{target}&after={last}"));
                        }
                    }
                }
                for id in [
                    347_000_000,
                    347_000_001,
                    347_000_050,
                    347_000_100,
                    347_009_999,
                ] {
                    same(&format!(
                        "/v2/activities?pageSize=10&olderThan={id}{filter}"
                    ));
                    same(&format!(
                        "/v2/activities?pageSize=10&newerThan={id}{filter}"
                    ));
                }
                for day in [1, 3, 30, 46, 60] {
                    for path in ["os-patch-installs", "software-patch-installs"] {
                        let after = since(day);
                        same(&format!(
                            "/v2/queries/{path}?pageSize=10000&installedAfter={after}{filter}"
                        ));
                    }
                    let after = since(day);
                    same(&format!(
                        "/v2/activities?pageSize=1000&after={after}&status=NINJA_BACKUP_BACKUPJOB_FAILED{filter}"
                    ));
                }
                same(&format!(
                    "/v2/queries/os-patches?pageSize=100&status=approved{filter}"
                ));
                same(&format!(
                    "/v2/queries/antivirus-status?pageSize=100&ts={}{filter}",
                    since(0) - 30_000
                ));
            }
            for after in [-5, 0, 399, 400, 401, 402, 403, 500, 100_000, i64::MAX] {
                same(&format!("/v2/devices?pageSize=10&after={after}"));
            }
            for path in [
                "/v2/organizations?pageSize=1000",
                "/v2/locations?pageSize=1000",
                "/v2/queries/computer-systems?pageSize=1000",
                "/v2/queries/device-health?pageSize=1000&df=org%20=%205",
                "/v2/queries/custom-fields?pageSize=1000",
                "/v2/organization/5/devices?pageSize=1000",
                "/v2/alerts",
            ] {
                same(path);
            }
        }
    }
}

#[test]
fn a_device_of_a_large_fleet_has_as_many_rows_as_a_live_one() {
    let mut visit = Visit::to(5, 100);
    for (report, rows) in [
        (Report::OsPatches, 1_800),
        (Report::OsPatchInstalls, 2_200),
        (Report::SoftwarePatches, 300),
        (Report::SoftwarePatchInstalls, 500),
        (Report::Volumes, 200),
        (Report::AntivirusStatus, 120),
    ] {
        let after = since(46);
        let all = visit.walk(&format!(
            "{}?pageSize=1000&installedAfter={after}",
            report.path()
        ));
        assert_eq!(all.len(), rows, "{report:?}");
        let known = devices(&all).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(known.len(), 100, "{report:?}");
        // A row's key is its device and its patch: none of a device's patches is there twice.
        let keys: BTreeSet<String> = all
            .iter()
            .map(|row| {
                let name = ["id", "name", "productName"]
                    .into_iter()
                    .find_map(|key| row.get(key));
                format!("{} {}", row["deviceId"], name.unwrap())
            })
            .collect();
        assert_eq!(keys.len(), rows, "{report:?}");
    }
    let activities = visit.walk("/v2/activities?pageSize=50");
    assert_eq!(activities.len(), 15 * 8);
    let ids: Vec<i64> = activities
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|one, next| one > next), "newest first");
    let mut of_device: BTreeMap<i64, usize> = BTreeMap::new();
    for device in devices(&activities) {
        *of_device.entry(device).or_default() += 1;
    }
    assert_eq!(of_device.len(), 15);
    assert!(of_device.values().all(|runs| *runs == 8));
}

#[test]
fn another_seed_is_another_fleet() {
    let page = |seed| {
        let mut visit = Visit::of(Tenant::preset(Preset::Scale, seed, 100, NOW));
        visit.answer("/v2/queries/os-patches?pageSize=100").body
    };
    assert!(page(1) == page(1));
    assert!(page(1) != page(2));
}

#[test]
fn the_last_customer_of_5000_is_found_among_5_million_rows() {
    let mut visit = Visit::to(5_000, 100_000);
    let last = visit.tenant.organizations().last().unwrap()["id"].clone();
    let page = visit.get("/v2/queries/os-patch-installs?pageSize=10");
    assert_eq!(page["cursor"]["count"], 2_200_000);
    for report in REPORTS {
        let target = format!(
            "{}?pageSize=1000&df=org%20in%20(2,%20{last})",
            report.path()
        );
        let rows = visit.walk(&target);
        let of: BTreeSet<i64> = devices(&rows).into_iter().collect();
        assert_eq!(of.len(), 40, "{report:?}");
    }
    let rows = visit.walk(&format!(
        "/v2/devices-detailed?pageSize=15&df=org%20=%20{last}"
    ));
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| row["organizationId"] == last));
    let rows = visit.walk(&format!("/v2/activities?pageSize=10&df=org%20=%20{last}"));
    assert_eq!(rows.len(), 24);
}

#[test]
fn half_of_the_organizations_that_a_list_names_are_answered() {
    for mut visit in [Visit::to(6, 60), Visit::held(6, 60)] {
        let of = organizations(&mut visit);
        visit.tenant.fault(Fault::Halved(Half::Organizations));
        for path in paths() {
            let rows = visit.walk(&format!(
                "{path}?pageSize=1000&df=org%20in%20(2,%205,%208,%2011)"
            ));
            let found: BTreeSet<i64> = devices(&rows).iter().map(|device| of[device]).collect();
            assert_eq!(found, BTreeSet::from([2, 8]), "{path}");
            for single in ["org%20=%205", "org%20in%20(5)"] {
                let rows = visit.walk(&format!("{path}?pageSize=1000&df={single}"));
                let found: BTreeSet<i64> = devices(&rows).iter().map(|device| of[device]).collect();
                assert_eq!(found, BTreeSet::from([5]), "{path}: {single}");
            }
        }
    }
}

#[test]
fn half_of_the_devices_of_each_organization_are_answered() {
    for mut visit in [Visit::to(6, 60), Visit::held(6, 60)] {
        let of = organizations(&mut visit);
        let whole: BTreeMap<String, usize> = paths()
            .into_iter()
            .map(|path| {
                let rows = visit.walk(&format!("{path}?pageSize=1000&df=org%20in%20(2,%205)"));
                let found: BTreeSet<i64> = devices(&rows).into_iter().collect();
                (path, found.len())
            })
            .collect();
        visit.tenant.fault(Fault::Halved(Half::Devices));
        for path in paths() {
            let rows = visit.walk(&format!("{path}?pageSize=1000&df=org%20in%20(2,%205)"));
            let found: BTreeSet<i64> = devices(&rows).into_iter().collect();
            let organizations: BTreeSet<i64> = found.iter().map(|device| of[device]).collect();
            assert!(found.len() < whole[&path], "{path}");
            if path != "/v2/activities" {
                assert_eq!(found.len(), 10, "{path}");
                assert_eq!(organizations, BTreeSet::from([2, 5]), "{path}");
            }
            let rows = visit.walk(&format!("{path}?pageSize=1000&df=org%20=%202"));
            assert!(
                devices(&rows).iter().all(|device| of[device] == 2),
                "{path}"
            );
            assert!(
                !rows.is_empty(),
                "{path}: one organization is answered whole"
            );
        }
    }
}

#[test]
fn a_list_of_organizations_is_answered_with_nothing_with_everything_or_refused() {
    for mut visit in [Visit::to(6, 60), Visit::held(6, 60)] {
        for path in paths() {
            let list = format!("{path}?pageSize=10000&df=org%20in%20(2,%205)");
            let (right, all) = (
                visit.walk(&list),
                visit.walk(&format!("{path}?pageSize=10000")),
            );
            assert!(!right.is_empty() && right.len() < all.len(), "{path}");
            let parameter = Parameter::DeviceFilterIn;
            visit.tenant.fault(Fault::MatchesNothing(parameter));
            assert_eq!(visit.walk(&list).len(), 0, "{path}");
            assert!(
                !visit
                    .walk(&format!("{path}?pageSize=1000&df=org%20=%202"))
                    .is_empty()
            );
            visit.tenant.clear_faults();
            visit.tenant.fault(Fault::Ignored(parameter));
            assert_eq!(visit.walk(&list).len(), all.len(), "{path}");
            visit.tenant.clear_faults();
            visit.tenant.fault(Fault::Refused(parameter));
            assert_eq!(visit.answer(&list).status, 400, "{path}");
            visit.tenant.clear_faults();
        }
    }
}

#[test]
fn each_path_makes_of_a_list_of_organizations_what_it_will() {
    let faults = [
        Fault::Ignored(Parameter::DeviceFilterIn),
        Fault::Refused(Parameter::DeviceFilterIn),
        Fault::MatchesNothing(Parameter::DeviceFilterIn),
        Fault::Halved(Half::Organizations),
        Fault::Halved(Half::Devices),
    ];
    for fault in faults {
        for struck in paths() {
            let mut visit = Visit::to(6, 60);
            let mut bodies = BTreeMap::new();
            for path in paths() {
                let target = format!("{path}?pageSize=10000&df=org%20in%20(2,%205)");
                bodies.insert(path, (visit.answer(&target).body, target));
            }
            visit.tenant.fault(fault.clone().on(&struck));
            for (path, (body, target)) in bodies {
                let is_same = visit.answer(&target).body == body;
                assert_eq!(is_same, path != struck, "{fault:?} on {struck}: {path}");
            }
        }
    }
}

#[test]
fn a_device_moves_after_so_many_requests_and_its_rows_with_it() {
    for mut visit in [Visit::to(6, 60), Visit::held(6, 60)] {
        let of = organizations(&mut visit);
        let (device, _) = of
            .iter()
            .find(|(_, organization)| **organization == 5)
            .unwrap();
        visit.tenant.fault(
            Fault::DeviceMoves {
                device: *device,
                organization: 11,
            }
            .starting_at(3)
            .once(),
        );
        let lists = |visit: &mut Visit, organization: i64| {
            let target = format!("/v2/devices?pageSize=1000&df=org%20in%20({organization})");
            devices(visit.get(&target).as_array().unwrap()).contains(device)
        };
        assert!(lists(&mut visit, 5));
        assert!(!lists(&mut visit, 11));
        // The third request.
        assert!(!lists(&mut visit, 5));
        assert!(lists(&mut visit, 11));
        for path in paths() {
            let mut in_organization = |organization: i64| {
                let rows = visit.walk(&format!("{path}?pageSize=1000&df=org%20=%20{organization}"));
                devices(&rows).contains(device)
            };
            assert!(!in_organization(5), "{path}");
            // Whether a device was backed up is its own affair.
            assert!(in_organization(11) || path == "/v2/activities", "{path}");
        }
        let row = visit.get(&format!("/v2/device/{device}"));
        assert_eq!(row["organizationId"], 11);
    }
}

#[test]
fn a_report_that_was_begun_goes_on_with_the_rows_it_began_with_when_a_device_moves() {
    for mut visit in [Visit::to(3, 30), Visit::held(3, 30)] {
        let target = "/v2/queries/volumes?pageSize=6&df=org%20in%20(2,%205)";
        let whole = visit.walk(target);
        let device = *devices(&whole).last().unwrap();
        visit.tenant.fault(
            Fault::DeviceMoves {
                device,
                organization: 8,
            }
            .on("/v2/queries/volumes")
            .starting_at(2)
            .once(),
        );
        assert_eq!(visit.walk(target), whole);
        assert_eq!(visit.walk(target).len(), whole.len() - 2);
        assert!(!visit.tenant.move_device(device, 8), "it is there already");
        assert!(!visit.tenant.move_device(7, 8), "there is no such device");
    }
}

#[test]
fn a_long_list_of_organizations_is_refused_by_its_length() {
    for status in [414, 431] {
        let mut visit = Visit::to(50, 50);
        let bytes = 120;
        visit
            .tenant
            .fault(Fault::TooLong { bytes, status }.on("/v2/queries/*"));
        let target = |ids: usize| {
            let ids: Vec<String> = (0..ids).map(|place| (2 + 3 * place).to_string()).collect();
            format!(
                "/v2/queries/volumes?pageSize=1000&df=org%20in%20({})",
                ids.join(",")
            )
        };
        let longest = (1..50)
            .take_while(|ids| target(*ids).len() <= bytes)
            .last()
            .unwrap();
        assert_eq!(visit.answer(&target(longest)).status, 200);
        let refusal = visit.answer(&target(longest + 1));
        assert_eq!(refusal.status, status);
        assert!(refusal.body.starts_with(b"<html>"));
        let devices = target(50).replace("queries/volumes", "devices");
        assert_eq!(visit.answer(&devices).status, 200, "another path takes it");
    }
}
