//! Lists, reports and the feed of the simulated tenant page as the vendor's do.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeSet, time::Duration};

use ninjaone_simulator::{Answer, Fault, Malformed, Preset, Report, Request, Tenant};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// A tenant and a token for it.
struct Visit {
    tenant: Tenant,
    token: String,
}

impl Visit {
    fn of(mut tenant: Tenant) -> Self {
        let token = tenant.issue_token(NOW);
        Self { tenant, token }
    }

    fn to(preset: Preset, devices: usize) -> Self {
        Self::of(Tenant::preset(preset, 3, devices, NOW))
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

    fn rows(&mut self, target: &str) -> Vec<Value> {
        self.get(target).as_array().unwrap().clone()
    }
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn lists_are_walked_by_the_largest_id() {
    let mut visit = Visit::to(Preset::Healthy, 250);
    for (list, size) in [
        ("devices-detailed", 90),
        ("devices", 7),
        ("locations", 4),
        ("organizations", 1),
    ] {
        let whole = ids(&visit.rows(&format!("/v2/{list}?pageSize=1000")));
        let mut walked: Vec<i64> = Vec::new();
        loop {
            let after = walked
                .last()
                .map_or_else(String::new, |id| format!("&after={id}"));
            let page = ids(&visit.rows(&format!("/api/v2/{list}?pageSize={size}{after}")));
            walked.extend(&page);
            if page.len() < size {
                break;
            }
        }
        assert_eq!(walked, whole, "{list}");
        assert!(whole.is_sorted_by(|a, b| a < b), "{list}");
    }
    assert_eq!(ids(&visit.rows("/v2/devices?pageSize=1000")).len(), 250);
}

#[test]
fn the_page_size_is_small_when_nobody_asks_for_one() {
    let mut visit = Visit::to(Preset::Healthy, 250);
    assert_eq!(visit.rows("/v2/devices").len(), 100);
    assert_eq!(
        visit.get("/v2/queries/volumes")["results"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
}

#[test]
fn unknown_parameters_are_ignored_and_give_the_whole_fleet() {
    let mut visit = Visit::to(Preset::Healthy, 60);
    let organization = visit.tenant.organizations()[0]["id"].as_i64().unwrap();
    for query in ["organizationId", "org", "nodeClass", "status"] {
        assert_eq!(
            visit
                .rows(&format!("/v2/devices?pageSize=1000&{query}={organization}"))
                .len(),
            60,
            "{query}"
        );
    }
    let feed = visit.get("/v2/activities?pageSize=1000&activityType=NINJA_BACKUP&statusCode=X");
    let types: BTreeSet<_> = feed["activities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["activityType"].to_string())
        .collect();
    assert!(types.len() > 3, "{types:?}");
}

#[test]
fn the_device_filter_selects_devices_and_report_rows() {
    let mut visit = Visit::to(Preset::Healthy, 60);
    let organization = visit.tenant.organizations()[1]["id"].as_i64().unwrap();
    let own = visit.rows(&format!(
        "/v2/devices?pageSize=1000&df=org%20%3D%20{organization}"
    ));
    assert_eq!(own.len(), 20);
    assert!(own.iter().all(|row| row["organizationId"] == organization));
    assert_eq!(
        own,
        visit.rows(&format!(
            "/v2/devices?pageSize=1000&df=org+in+({organization},999)"
        ))
    );
    assert_eq!(
        own,
        visit.rows(&format!(
            "/v2/organization/{organization}/devices?pageSize=1000"
        ))
    );
    let servers =
        visit.rows("/v2/devices?pageSize=1000&df=class%20%3D%20WINDOWS_SERVER%20AND%20online");
    assert!(
        !servers.is_empty()
            && servers
                .iter()
                .all(|row| row["nodeClass"] == "WINDOWS_SERVER" && row["offline"] == false)
    );
    let mut known: BTreeSet<_> = ids(&own).into_iter().collect();
    // Devices that are gone belong to nobody, and their rows turn up for everybody.
    known.extend([17, 23, 91]);
    let volumes = visit.get(&format!(
        "/v2/queries/volumes?pageSize=1000&df=org%20%3D%20{organization}"
    ));
    let seen: BTreeSet<_> = volumes["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["deviceId"].as_i64().unwrap())
        .collect();
    assert!(
        seen.is_subset(&known) && seen.contains(&17) && seen.len() > 10,
        "{seen:?}"
    );
    assert_eq!(
        visit.answer("/v2/devices?df=organization%20%3D%201").status,
        400
    );
}

#[test]
fn cursor_name_never_changes_and_the_offset_advances() {
    let mut visit = Visit::to(Preset::Healthy, 120);
    let count = visit.tenant.volumes().len();
    let mut target = "/v2/queries/volumes?include=bl&pageSize=50".to_owned();
    let (mut rows, mut names) = (Vec::new(), BTreeSet::new());
    while rows.len() < count {
        let page = visit.get(&target);
        assert_eq!(page["cursor"]["offset"], rows.len());
        assert_eq!(page["cursor"]["count"], count);
        let name = page["cursor"]["name"].as_str().unwrap().to_owned();
        target = format!("/v2/queries/volumes?include=bl&pageSize=50&cursor={name}");
        names.insert(name);
        rows.extend(page["results"].as_array().unwrap().clone());
    }
    assert_eq!(names.len(), 1);
    assert_eq!(rows, visit.tenant.volumes());
    let beyond = visit.get(&target);
    assert_eq!(
        (
            beyond["results"].as_array().unwrap().len(),
            &beyond["cursor"]["offset"]
        ),
        (0, &json!(count))
    );
}

#[test]
fn a_lost_answer_has_moved_the_cursor_all_the_same() {
    let mut visit = Visit::to(Preset::Healthy, 120);
    let first = visit.get("/v2/queries/volumes?pageSize=50");
    let next = format!(
        "/v2/queries/volumes?pageSize=50&cursor={}",
        first["cursor"]["name"].as_str().unwrap()
    );
    visit.tenant.fault(Fault::ConnectionReset.once());
    assert!(visit.answer(&next).delivery.reset);
    assert_eq!(visit.get(&next)["cursor"]["offset"], 100);
}

#[test]
fn a_report_of_one_page_has_no_cursor() {
    let mut visit = Visit::to(Preset::Healthy, 12);
    let page = visit.get("/v2/queries/antivirus-status?pageSize=1000");
    assert_eq!(
        page.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["results"]
    );
    let mut talkative = Visit::of(
        Tenant::builder(NOW)
            .preset(Preset::Healthy, 3, 12)
            .cursor_on_one_page()
            .build(),
    );
    assert_eq!(
        talkative.get("/v2/queries/antivirus-status?pageSize=1000")["cursor"]["offset"],
        0
    );
}

#[test]
fn a_cursor_expires_and_belongs_to_one_report() {
    let tenant = Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 120)
        .cursor_lifetime(Duration::from_mins(1))
        .build();
    let mut visit = Visit::of(tenant);
    let first = visit.get("/v2/queries/volumes?pageSize=50");
    let cursor = first["cursor"]["name"].as_str().unwrap().to_owned();
    assert_eq!(
        visit
            .answer(&format!("/v2/queries/os-patches?cursor={cursor}"))
            .status,
        400
    );
    assert_eq!(visit.tenant.open_cursors(), 1);
    let request = Request::get(&format!("/v2/queries/volumes?pageSize=50&cursor={cursor}"))
        .bearer(&visit.token);
    assert_eq!(
        visit
            .tenant
            .answer(&request, NOW + Duration::from_secs(59))
            .status,
        200
    );
    assert_eq!(
        visit
            .tenant
            .answer(&request, NOW + Duration::from_mins(1))
            .status,
        400
    );
}

#[test]
fn bitlocker_is_shown_to_who_asks_for_it() {
    let mut visit = Visit::to(Preset::Healthy, 12);
    let mut shown = |query: &str| {
        let page = visit.get(&format!("/v2/queries/volumes?pageSize=1000{query}"));
        page["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row.get("bitLockerStatus").is_some())
            .count()
    };
    assert_eq!(shown(""), 0);
    assert!(shown("&include=bl") > 12);
}

#[test]
fn parameters_of_single_reports_select_rows() {
    let mut visit = Visit::to(Preset::Healthy, 60);
    let mut all = |target: &str| visit.get(target)["results"].as_array().unwrap().clone();
    let attempts = all("/v2/queries/os-patch-installs?pageSize=10000");
    let failed = all("/v2/queries/os-patch-installs?pageSize=10000&status=failed");
    assert!(!failed.is_empty() && failed.iter().all(|row| row["status"] == "FAILED"));
    let since = (NOW - Duration::from_hours(45 * 24)).unix_timestamp();
    let recent = all(&format!(
        "/v2/queries/os-patch-installs?pageSize=10000&installedAfter={since}"
    ));
    assert!(recent.len() < attempts.len());
    assert!(
        recent.iter().any(|row| row.get("installedAt").is_none()),
        "rows without a time are not lost"
    );
    let same_by_day = all("/v2/queries/os-patch-installs?pageSize=10000&installedAfter=2026-10-09");
    assert!(recent.len().abs_diff(same_by_day.len()) < 5);
    let off = all("/v2/queries/antivirus-status?pageSize=10000&productState=OFF");
    assert!(!off.is_empty() && off.iter().all(|row| row["productState"] == "OFF"));
}

#[test]
fn activities_come_newest_first_and_are_walked_back_by_id() {
    let mut visit = Visit::to(Preset::Healthy, 60);
    let whole = ids(visit.tenant.activities());
    assert!(whole.is_sorted_by(|a, b| a > b));
    assert!(
        visit
            .tenant
            .activities()
            .is_sorted_by_key(|row| -row["activityTime"].as_f64().unwrap())
    );
    let mut walked: Vec<i64> = Vec::new();
    loop {
        let before = walked
            .last()
            .map_or_else(String::new, |id| format!("&olderThan={id}"));
        let page = visit.get(&format!("/v2/activities?pageSize=37{before}"));
        let page = ids(page["activities"].as_array().unwrap());
        if page.is_empty() {
            break;
        }
        walked.extend(page);
    }
    assert_eq!(walked, whole);
    assert_eq!(
        visit.get("/v2/activities")["activities"]
            .as_array()
            .unwrap()
            .len(),
        200
    );
    let newest = visit.get(&format!("/v2/activities?newerThan={}", whole[3]));
    assert_eq!(ids(newest["activities"].as_array().unwrap()), whole[..3]);
    assert_eq!(newest["lastActivityId"], whole[0]);
}

#[test]
fn activities_are_selected_by_type_code_time_and_device() {
    let mut visit = Visit::to(Preset::Healthy, 60);
    let device = visit.tenant.devices()[0]["id"].as_i64().unwrap();
    let mut of = |query: &str| {
        visit.get(&format!("/v2/{query}"))["activities"]
            .as_array()
            .unwrap()
            .clone()
    };
    let backups = of("activities?pageSize=1000&type=NINJA_BACKUP");
    assert!(
        !backups.is_empty()
            && backups
                .iter()
                .all(|row| row["activityType"] == "NINJA_BACKUP")
    );
    let codes = of("activities?pageSize=1000&status=in%20(SYSTEM_REBOOTED,%20USER_LOGGED_IN)");
    assert!(codes.iter().all(|row| {
        ["SYSTEM_REBOOTED", "USER_LOGGED_IN"].contains(&row["statusCode"].as_str().unwrap())
    }));
    let day = (NOW - Duration::from_hours(24)).unix_timestamp();
    assert!(
        of(&format!("activities?pageSize=1000&after={day}"))
            .iter()
            .all(|row| row["activityTime"].as_i64() != Some(0)
                && row["activityTime"].as_f64().unwrap() >= f64::from(i32::try_from(day).unwrap()))
    );
    let own = of(&format!(
        "device/{device}/activities?pageSize=1000&activityType=NINJA_BACKUP"
    ));
    assert!(
        !own.is_empty()
            && own
                .iter()
                .all(|row| row["deviceId"] == device && row["activityType"] == "NINJA_BACKUP")
    );
    let filtered = of(&format!("activities?pageSize=1000&df=id%20%3D%20{device}"));
    assert!(
        filtered.iter().all(|row| row["deviceId"] == device),
        "events of the console have no device"
    );
}

#[test]
fn rows_can_be_given_and_need_not_even_be_objects() {
    let tenant = Tenant::builder(NOW)
        .devices(&[
            json!({ "id": 9, "organizationId": 5, "nodeClass": "MAC" }),
            json!("row"),
            json!({ "id": 4, "organizationId": 2, "nodeClass": "MAC" }),
            json!({ "id": 5, "organizationId": 2, "nodeClass": "MAC" }),
        ])
        .volumes(&[
            json!({ "deviceId": 4, "name": "/" }),
            json!(7),
            json!({ "deviceId": 9, "name": "/" }),
        ])
        .build();
    let mut visit = Visit::of(tenant);
    assert_eq!(visit.rows("/v2/organizations").len(), 2);
    let devices = visit.rows("/v2/devices-detailed?pageSize=1&after=5");
    assert_eq!(
        devices,
        [
            json!({ "id": 9, "organizationId": 5, "nodeClass": "MAC" }),
            json!("row")
        ],
        "no page begins with a row without id"
    );
    let volumes = visit.get("/v2/queries/volumes?df=org%20%3D%202");
    assert_eq!(
        volumes["results"],
        json!([{ "deviceId": 4, "name": "/" }, 7])
    );
    visit.tenant.set_report(Report::Volumes, &[]);
    assert_eq!(visit.get("/v2/queries/volumes"), json!({ "results": [] }));
}

#[test]
fn a_device_that_moved_is_found_in_its_new_organization() {
    let mut visit = Visit::to(Preset::Healthy, 9);
    let (from, to) = (
        visit.tenant.organizations()[0]["id"].clone(),
        visit.tenant.organizations()[1]["id"].clone(),
    );
    let mut rows = visit.tenant.devices().to_vec();
    let moved = rows
        .iter_mut()
        .find(|row| row["organizationId"] == from)
        .unwrap();
    moved["organizationId"] = to.clone();
    let id = moved["id"].clone();
    assert!(
        visit
            .rows(&format!("/v2/devices?df=org%20%3D%20{from}"))
            .iter()
            .any(|row| row["id"] == id)
    );
    visit.tenant.set_devices(&rows);
    assert!(
        !visit
            .rows(&format!("/v2/devices?df=org%20%3D%20{from}"))
            .iter()
            .any(|row| row["id"] == id)
    );
    let volumes = visit.get(&format!(
        "/v2/queries/volumes?df=org%20%3D%20{to}&pageSize=1000"
    ));
    assert!(
        volumes["results"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["deviceId"] == id)
    );
}

#[test]
fn cursors_can_be_made_to_lie() {
    let mut visit = Visit::to(Preset::Healthy, 120);
    visit
        .tenant
        .fault(Fault::StalledCursor.on("/v2/queries/volumes"));
    let first = visit.get("/v2/queries/volumes?pageSize=50");
    let next = format!(
        "/v2/queries/volumes?pageSize=50&cursor={}",
        first["cursor"]["name"].as_str().unwrap()
    );
    let second = visit.get(&next);
    assert_eq!(second["cursor"]["offset"], 0);
    assert_eq!(second["results"], first["results"]);
    visit.tenant.clear_faults();
    visit.tenant.fault(Fault::CountTooLarge { by: 3 });
    let one_page = visit.get("/v2/queries/os-patches?pageSize=10000");
    assert_eq!(
        one_page["cursor"]["count"].as_u64().unwrap(),
        one_page["results"].as_array().unwrap().len() as u64 + 3
    );
    visit.tenant.clear_faults();
    visit.tenant.fault(Fault::CursorExpired);
    assert_eq!(visit.answer(&next).status, 400);
    visit.tenant.clear_faults();
    visit.tenant.fault(Fault::BareArray);
    assert!(
        visit
            .get("/v2/queries/volumes?pageSize=50")
            .as_array()
            .unwrap()
            .len()
            > 150,
        "a bare array is the whole report"
    );
}

#[test]
fn rows_can_be_broken() {
    let mut visit = Visit::to(Preset::Healthy, 12);
    visit
        .tenant
        .fault(Fault::MalformedRow(Malformed::WrongType).on("/v2/queries/volumes"));
    visit
        .tenant
        .fault(Fault::MalformedRow(Malformed::NotAnObject).on("/v2/devices*"));
    let volumes = visit.get("/v2/queries/volumes?pageSize=1000");
    assert_eq!(volumes["results"][0]["deviceId"], "seven");
    assert!(volumes["results"][1]["deviceId"].is_i64());
    let devices = visit.rows("/v2/devices-detailed");
    assert_eq!((devices[0].clone(), devices.len()), (json!("row"), 12));
}
