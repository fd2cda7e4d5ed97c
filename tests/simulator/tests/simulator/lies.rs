//! The simulated tenant lies in every way it says it can, and in no other.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use ninjaone_simulator::{
    Answer, Burst, CursorHabit, Damage, Fault, Harm, Malformed, OddName, Parameter, Preset, Report,
    Request, Shape, Tenant,
};
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

    fn with(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::to(120, faults)
    }

    fn to(devices: usize, faults: impl IntoIterator<Item = Fault>) -> Self {
        let mut visit = Self::of(Tenant::preset(Preset::Healthy, 3, devices, NOW));
        visit.tenant.faults(faults.into_iter().map(Into::into));
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

    fn text(&mut self, target: &str) -> String {
        String::from_utf8(self.answer(target).body.to_vec()).unwrap()
    }

    fn rows(&mut self, target: &str) -> Vec<Value> {
        let body = self.get(target);
        let held = ["results", "activities"]
            .into_iter()
            .find_map(|key| body.get(key));
        held.unwrap_or(&body).as_array().unwrap().clone()
    }

    /// Follows a report from cursor to cursor: of each page its cursor and its number of rows, down to an empty page or a page
    /// without cursor.
    fn walk(&mut self, query: &str) -> Vec<(Value, usize)> {
        let mut pages = Vec::new();
        let mut target = format!("/v2/queries/volumes?{query}");
        loop {
            let page = self.get(&target);
            let rows = page["results"].as_array().unwrap().len();
            let cursor = page["cursor"].clone();
            let name = cursor["name"].as_str().map(str::to_owned);
            pages.push((cursor, rows));
            match name {
                Some(name) if rows > 0 => {
                    target = format!("/v2/queries/volumes?{query}&cursor={name}");
                }
                _ => return pages,
            }
        }
    }
}

fn sizes(pages: &[(Value, usize)]) -> Vec<usize> {
    pages.iter().map(|(_, rows)| *rows).collect()
}

#[test]
fn pages_are_capped_at_any_number_of_lists_reports_and_activities() {
    for rows in [1, 7, 25, 99, 120] {
        let mut visit = Visit::with([Fault::PageCapped { rows }]);
        for path in [
            "/v2/devices?pageSize=1000",
            "/v2/devices-detailed?pageSize=1000",
            "/v2/queries/volumes?pageSize=1000",
            "/v2/activities?pageSize=1000",
        ] {
            assert_eq!(visit.rows(path).len(), rows, "{path}");
        }
        let organizations = visit.tenant.organizations().len();
        for path in ["/v2/organizations", "/v2/organizations-detailed"] {
            assert_eq!(visit.rows(path).len(), organizations.min(rows), "{path}");
        }
    }
}

#[test]
fn an_endpoint_is_capped_by_itself() {
    let mut visit = Visit::with([]);
    visit
        .tenant
        .fault(Fault::PageCapped { rows: 7 }.on("/v2/queries/volumes"));
    assert_eq!(visit.rows("/v2/queries/volumes?pageSize=1000").len(), 7);
    assert_eq!(visit.rows("/v2/devices?pageSize=1000").len(), 120);
}

#[test]
fn caps_change_from_page_to_page() {
    let mut visit = Visit::with([Fault::PagesCapped {
        rows: vec![5, 40, 1],
    }]);
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = visit.rows(&format!("/v2/devices?pageSize=1000&after={after}"));
        let Some(last) = page.last() else { break };
        after = last["id"].as_i64().unwrap();
        seen.push(page.len());
    }
    assert_eq!(seen.iter().sum::<usize>(), 120);
    assert_eq!(seen[..4], [5, 40, 1, 5]);
}

#[test]
fn the_place_of_a_page_can_be_ignored_and_everything_can_come_at_once() {
    let mut visit = Visit::with([Fault::PlaceIgnored, Fault::PageCapped { rows: 100 }]);
    for (list, place) in [("devices", "after"), ("activities", "olderThan")] {
        let first = visit.rows(&format!("/v2/{list}?pageSize=1000"));
        let id = first.last().unwrap()["id"].as_i64().unwrap();
        let second = visit.rows(&format!("/v2/{list}?pageSize=1000&{place}={id}"));
        assert_eq!((first.len(), first), (100, second), "{list}");
    }
    let mut visit = Visit::with([Fault::Everything]);
    assert_eq!(visit.rows("/v2/devices?pageSize=10").len(), 120);
    let all = visit.tenant.activities().len();
    assert_eq!(visit.rows("/v2/activities?pageSize=10").len(), all);
}

#[test]
fn a_count_means_what_its_habit_says() {
    let total = Tenant::preset(Preset::Healthy, 3, 120, NOW).volumes().len();
    let counts = |habit: Option<CursorHabit>| -> Vec<Value> {
        let mut visit = Visit::with(habit.map(Fault::Cursor));
        let pages = visit.walk("pageSize=50");
        assert_eq!(sizes(&pages).iter().sum::<usize>(), total, "{habit:?}");
        assert_eq!(pages.last().unwrap().1, 0, "an empty page ends it");
        pages
            .iter()
            .map(|(cursor, _)| cursor["count"].clone())
            .collect()
    };
    assert!(counts(None).iter().all(|count| *count == total));
    let of_page = counts(Some(CursorHabit::CountOfPage));
    assert_eq!(of_page[0], 50);
    assert_eq!(*of_page.last().unwrap(), 0);
    assert!(
        counts(Some(CursorHabit::CountAbsent))
            .iter()
            .all(Value::is_null)
    );
    assert!(
        counts(Some(CursorHabit::CountOfRequest))
            .iter()
            .all(|count| *count == 50)
    );
    let rest = counts(Some(CursorHabit::CountOfRest));
    assert_eq!((&rest[0], &rest[1]), (&json!(total), &json!(total - 50)));
    let growing = counts(Some(CursorHabit::CountDrifts { by: 2 }));
    assert_eq!(
        (&growing[0], &growing[2]),
        (&json!(total), &json!(total + 4))
    );
    let shrinking = counts(Some(CursorHabit::CountDrifts { by: -1000 }));
    assert_eq!(shrinking[1], 0, "a count is never negative");
}

#[test]
fn an_offset_is_where_the_page_begins_or_ends_or_absent() {
    let offsets = |habit| -> Vec<Value> {
        let mut visit = Visit::with([Fault::Cursor(habit)]);
        let pages = visit.walk("pageSize=50");
        pages
            .iter()
            .map(|(cursor, _)| cursor["offset"].clone())
            .collect()
    };
    assert_eq!(offsets(CursorHabit::CountAbsent)[..3], [0, 50, 100]);
    assert_eq!(offsets(CursorHabit::OffsetAtEnd)[..3], [50, 100, 150]);
    assert!(
        offsets(CursorHabit::OffsetAbsent)
            .iter()
            .all(Value::is_null)
    );
}

#[test]
fn the_name_of_a_cursor_may_change_and_the_one_before_is_gone() {
    let mut visit = Visit::with([Fault::Cursor(CursorHabit::NameChanges)]);
    let pages = visit.walk("pageSize=50");
    let names: BTreeSet<_> = pages
        .iter()
        .map(|(cursor, _)| cursor["name"].to_string())
        .collect();
    assert_eq!(names.len(), pages.len());
    let first = pages[0].0["name"].as_str().unwrap();
    let again = format!("/v2/queries/volumes?pageSize=50&cursor={first}");
    assert_eq!(visit.answer(&again).status, 400);
}

#[test]
fn the_last_page_may_have_no_cursor_and_a_single_one_may_have_one() {
    let mut visit = Visit::with([Fault::Cursor(CursorHabit::AbsentOnLastPage)]);
    let pages = visit.walk("pageSize=50");
    let (last, before) = pages.split_last().unwrap();
    assert!(last.0.is_null() && last.1 > 0);
    assert!(
        before
            .iter()
            .all(|(cursor, rows)| cursor.is_object() && *rows == 50)
    );
    let mut visit = Visit::with([Fault::Cursor(CursorHabit::PresentOnOnePage)]);
    let pages = visit.walk("pageSize=10000");
    assert_eq!(pages.len(), 2, "and an empty page follows");
    assert_eq!(pages[0].0["count"], pages[0].1);
}

#[test]
fn rows_may_be_null_and_a_row_may_be_null() {
    let mut visit = Visit::with([Fault::RowsNull]);
    assert_eq!(visit.text("/v2/devices"), "null");
    assert_eq!(
        visit.text("/v2/queries/os-patches?pageSize=10000"),
        r#"{"results":null}"#
    );
    assert!(
        visit
            .text("/v2/activities")
            .contains(r#""activities":null"#)
    );
    let mut visit = Visit::with([Fault::MalformedRow(Malformed::Null)]);
    let rows = visit.rows("/v2/devices?pageSize=1000");
    assert_eq!((&rows[0], rows.len()), (&Value::Null, 120));
}

#[test]
fn each_parameter_is_ignored_and_refused_by_itself() {
    let since = NOW.unix_timestamp() - 86_400;
    let organization =
        Tenant::preset(Preset::Healthy, 3, 120, NOW).organizations()[0]["id"].clone();
    let old = NOW.unix_timestamp() - 15 * 3600;
    let table = [
        (
            Parameter::DeviceFilter,
            format!("/v2/devices?pageSize=1000&df=org%20%3D%20{organization}"),
        ),
        (
            Parameter::DeviceFilterEqual,
            format!("/v2/devices?pageSize=1000&df=org%20%3D%20{organization}"),
        ),
        (
            Parameter::DeviceFilterIn,
            format!("/v2/devices?pageSize=1000&df=org%20in%20({organization})"),
        ),
        (
            Parameter::Status,
            "/v2/activities?pageSize=1000&status=SYSTEM_REBOOTED".to_owned(),
        ),
        (
            Parameter::Type,
            "/v2/activities?pageSize=1000&type=NINJA_BACKUP".to_owned(),
        ),
        (
            Parameter::Before,
            format!("/v2/activities?pageSize=1000&before={since}"),
        ),
        (
            Parameter::After,
            format!("/v2/activities?pageSize=1000&after={since}"),
        ),
        (
            Parameter::Monitored,
            format!("/v2/queries/antivirus-status?pageSize=10000&ts={old}"),
        ),
        (
            Parameter::InstalledAfter,
            format!("/v2/queries/os-patch-installs?pageSize=10000&installedAfter={since}"),
        ),
        (Parameter::PageSize, "/v2/devices?pageSize=7".to_owned()),
    ];
    assert_eq!(table.len(), Parameter::ALL.len());
    for (parameter, target) in &table {
        let honoured = Visit::to(30, []).rows(target).len();
        for ignored in Parameter::ALL {
            // Its own row of the table shows it.
            if ignored == Parameter::PageSize && *parameter != ignored {
                continue;
            }
            let found = Visit::to(30, [Fault::Ignored(ignored)]).rows(target).len();
            let is_it = ignored == *parameter
                || matches!(
                    (ignored, parameter),
                    (
                        Parameter::DeviceFilter,
                        Parameter::DeviceFilterEqual | Parameter::DeviceFilterIn
                    ) | (Parameter::DeviceFilterEqual, Parameter::DeviceFilter)
                );
            assert_eq!(
                found > honoured,
                is_it,
                "{ignored:?} at {target}: {found} and {honoured}"
            );
        }
        let refused = Visit::to(30, [Fault::Refused(*parameter)]).answer(target);
        assert_eq!(refused.status, 400, "{parameter:?}");
        let bare = target.split('?').next().unwrap();
        let without = Visit::to(30, [Fault::Refused(*parameter)]).answer(bare);
        assert_eq!(without.status, 200, "{parameter:?}");
    }
}

#[test]
fn pages_of_too_many_rows_fail_and_others_do_not() {
    for status in [400, 413, 504] {
        for path in ["/v2/devices", "/v2/queries/volumes", "/v2/activities"] {
            for (size, expected) in [(50, 200), (51, status), (10_000, status)] {
                let fault = Fault::PageTooLarge { most: 50, status };
                let answer = Visit::to(30, [fault]).answer(&format!("{path}?pageSize={size}"));
                assert_eq!(answer.status, expected, "{path} {size}");
            }
        }
    }
}

#[test]
fn the_date_of_activities_is_not_the_place_of_lists() {
    let target = "/v2/devices?pageSize=1000&after=410";
    let honoured = Visit::with([]).rows(target);
    let mut visit = Visit::with([
        Fault::Ignored(Parameter::After),
        Fault::Refused(Parameter::After),
    ]);
    assert_eq!(visit.rows(target), honoured);
}

#[test]
fn any_field_of_any_endpoint_is_damaged_and_no_other() {
    for path in [
        "/v2/organizations",
        "/v2/devices-detailed?pageSize=1000",
        "/v2/queries/volumes?include=bl&pageSize=1000",
        "/v2/queries/software-patch-installs?pageSize=1000",
        "/v2/activities?pageSize=1000",
        "/v2/users",
        "/v2/organization/2",
    ] {
        let whole = Visit::to(9, []).get(path);
        let row = match &whole {
            Value::Array(rows) => rows[0].clone(),
            one => ["results", "activities"]
                .into_iter()
                .find_map(|key| one.get(key))
                .map_or(one.clone(), |rows| rows[0].clone()),
        };
        let fields = Damage::fields(&row);
        assert!(fields.len() > 2, "{path}");
        for field in fields {
            let damage = Damage::to(&field, Harm::Raw("\"@@\"".to_owned())).of_row(0);
            let text = Visit::to(9, [Fault::Damaged(damage)]).text(path);
            assert_eq!(text.matches("\"@@\"").count(), 1, "{path} {field}");
        }
    }
}

#[test]
fn what_no_value_can_hold_is_sent_as_it_is() {
    let damages = [
        Damage::to("name", Harm::HalfSurrogate).of_device(17),
        Damage::to("capacity", Harm::AsExponent),
        Damage::to("label", Harm::KeyTwice),
        Damage::to("timestamp", Harm::NotANumber).of_every(2),
    ];
    let mut visit = Visit::with(damages.map(Fault::Damaged));
    let text = visit.text("/v2/queries/volumes?pageSize=10000");
    assert!(text.contains(r#""name":"C:\ud83d""#), "{text}");
    assert!(text.contains(r#""capacity":2.55e11"#));
    assert!(text.contains(r#""label":{},"label":"""#));
    let rows = visit.tenant.volumes().len();
    assert_eq!(
        text.matches(r#""timestamp":"NaN""#).count(),
        rows.div_ceil(2)
    );
    let mut visit = Visit::with([Fault::ByteOrderMark]);
    assert_eq!(visit.answer("/v2/devices").body[..4], *b"\xEF\xBB\xBF[");
}

#[test]
fn damage_is_done_on_the_way_and_filters_see_what_the_server_holds() {
    let target = "/v2/queries/antivirus-status?pageSize=10000&productState=OFF";
    let honoured = Visit::with([]).rows(target).len();
    let damage = Damage::to("productState", Harm::Absent);
    let rows = Visit::with([Fault::Damaged(damage)]).rows(target);
    assert_eq!(rows.len(), honoured);
    assert!(rows.iter().all(|row| row.get("productState").is_none()));
}

#[test]
fn the_same_lies_are_the_same_bytes() {
    for fault in Fault::all_habits() {
        let bytes = || {
            let mut visit = Visit::with([
                fault.clone(),
                Fault::Damaged(Damage::to("name", Harm::HalfSurrogate)),
            ]);
            [
                "/v2/devices",
                "/v2/queries/volumes?pageSize=30",
                "/v2/activities?pageSize=30",
            ]
            .map(|path| visit.answer(path).body)
        };
        assert_eq!(bytes(), bytes(), "{fault:?}");
    }
}

#[test]
fn a_burst_has_the_newest_ids_and_old_times() {
    let plain = Tenant::preset(Preset::Healthy, 3, 60, NOW);
    let newest = plain.activities()[0]["id"].as_i64().unwrap();
    let device = plain.devices()[0]["id"].as_i64().unwrap();
    let burst = Burst::of(device, 1_500);
    let tenant = Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 60)
        .burst(burst)
        .build();
    let (top, below) = tenant.activities().split_at(1_500);
    assert_eq!(below, plain.activities());
    let week = f64::from(u32::try_from(NOW.unix_timestamp() - 7 * 86_400).unwrap());
    for row in top {
        assert_eq!(row["deviceId"], device);
        assert!(row["id"].as_i64().unwrap() > newest);
        assert!(row["activityTime"].as_f64().unwrap() < week);
    }
    assert!(top.is_sorted_by_key(|row| -row["activityTime"].as_f64().unwrap()));
    let codes: BTreeSet<_> = top
        .iter()
        .map(|row| row["statusCode"].to_string())
        .collect();
    assert_eq!(codes.len(), 3);
}

/// How many rows a report has more in a healthy fleet with a shape, by report.
fn more(shape: Shape) -> BTreeMap<&'static str, usize> {
    let plain = Tenant::preset(Preset::Healthy, 3, 60, NOW);
    let shaped = Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 60)
        .shape(shape)
        .build();
    [
        ("volumes", Report::Volumes),
        ("antivirus", Report::AntivirusStatus),
        ("pending", Report::OsPatches),
        ("installs", Report::OsPatchInstalls),
    ]
    .into_iter()
    .map(|(name, report)| {
        (
            name,
            shaped
                .report(report)
                .len()
                .saturating_sub(plain.report(report).len()),
        )
    })
    .filter(|(_, more)| *more > 0)
    .collect()
}

#[test]
fn a_shape_adds_what_it_says() {
    let names = |shape| more(shape).into_keys().collect::<Vec<_>>();
    assert_eq!(names(Shape::UnopenablePartitions), ["volumes"]);
    assert_eq!(names(Shape::NamelessProducts), ["antivirus"]);
    assert_eq!(names(Shape::SupersededFailures), ["installs"]);
    assert_eq!(names(Shape::RejectedFailures), ["installs", "pending"]);
    for shape in [Shape::JunkSerials, Shape::OneSerial, Shape::UsbOnlyLaptops] {
        assert!(more(shape).is_empty(), "{shape:?}");
    }
}

#[test]
fn serial_numbers_are_junk_or_shared_and_laptops_have_sticks_alone() {
    let of = |shape| {
        Tenant::builder(NOW)
            .preset(Preset::Healthy, 3, 60)
            .shape(shape)
            .build()
    };
    let serials = |tenant: &Tenant| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for row in tenant.devices() {
            if let Some(serial) = row["system"]["biosSerialNumber"].as_str() {
                *counts.entry(serial.to_owned()).or_default() += 1;
            }
        }
        counts
    };
    let junk = serials(&of(Shape::JunkSerials));
    assert!(
        junk.keys()
            .all(|serial| Shape::JUNK.contains(&serial.as_str()))
    );
    assert!(junk.len() > 10);
    let shared = serials(&of(Shape::OneSerial));
    assert_eq!(
        shared.values().filter(|count| **count > 5).count(),
        3,
        "{shared:?}"
    );
    let sticks = of(Shape::UsbOnlyLaptops);
    let mut kinds: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for row in sticks.volumes() {
        let kind = row["deviceType"].as_str().unwrap_or("");
        kinds
            .entry(row["deviceId"].as_i64().unwrap())
            .or_default()
            .insert(kind);
    }
    let alone = BTreeSet::from(["Removable Disk"]);
    assert!(kinds.values().filter(|kinds| **kinds == alone).count() > 5);
}

#[test]
fn organizations_after_the_first_have_odd_names() {
    let tenant = Tenant::builder(NOW)
        .preset(Preset::Healthy, 3, 60)
        .organization_count(15)
        .odd_names(&OddName::ALL)
        .build();
    let rows = tenant.organizations();
    let first = rows[0]["name"].as_str().unwrap();
    for (row, odd) in rows[1..].iter().zip(OddName::ALL) {
        assert_eq!(row.get("name").cloned(), odd.of(first), "{odd:?}");
        assert!(row["id"].is_i64());
        let readable = row["name"]
            .as_str()
            .is_some_and(|name| !name.trim().is_empty());
        assert_eq!(readable, odd.is_readable(), "{odd:?}");
    }
}
