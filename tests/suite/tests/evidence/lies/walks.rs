//! Walks through lists, reports and activities: whole or an error, never short.

use std::collections::BTreeSet;

use ninjaone_client::{
    ActivityId, Client, Completeness, DeviceId, Error, OrganizationId, Pager, RetryPolicy,
    activities::ActivitiesParams, devices::DevicesParams, organizations::OrganizationsParams,
    queries::VolumesParams,
};
use ninjaone_simulator::{
    Clock, CursorHabit, Fault, FaultRule, Malformed, Parameter, Tenant, front::in_process,
};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::lies::scene::{NOW, builder, client, run};

/// What is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// By id.
    Devices,
    /// By id, another endpoint.
    Organizations,
    /// By cursor.
    Volumes,
    /// Backwards.
    Activities,
}

const ALL: [What; 4] = [
    What::Devices,
    What::Organizations,
    What::Volumes,
    What::Activities,
];

fn tenant(what: What, rows: i64) -> Tenant {
    let rows = |row: fn(i64) -> Value| (1..=rows).map(row).collect::<Vec<_>>();
    let builder = Tenant::builder(NOW);
    match what {
        What::Devices => builder.devices(&rows(|id| json!({ "id": id, "organizationId": 1 }))),
        What::Organizations => builder.organizations(&rows(|id| json!({ "id": id, "name": "A" }))),
        What::Volumes => builder.volumes(&rows(|id| json!({ "deviceId": id, "name": "C:" }))),
        What::Activities => builder.activities(&rows(
            |id| json!({ "id": id, "activityTime": 1_795_000_000 + id, "statusCode": "COMPLETED" }),
        )),
    }
    .build()
}

/// A list as a client saw it to its end.
#[derive(Debug, PartialEq, Eq)]
struct WalkResult {
    ids: BTreeSet<i64>,
    /// Rows that were read more than once.
    doubled: usize,
    malformed: usize,
    requests: usize,
}

async fn read<T: DeserializeOwned + Send + 'static>(
    mut pager: Pager<T>,
    id_of: fn(&T) -> Option<i64>,
) -> Result<WalkResult, Error> {
    let (mut ids, mut malformed) = (Vec::new(), 0);
    while let Some(page) = pager.next_page().await? {
        ids.extend(page.rows.iter().filter_map(id_of));
        malformed += page.malformed.len();
    }
    assert!(pager.completeness().is_some_and(Completeness::is_complete));
    let once: BTreeSet<i64> = ids.iter().copied().collect();
    Ok(WalkResult {
        doubled: ids.len() - once.len(),
        ids: once,
        malformed,
        requests: 0,
    })
}

fn walk(
    what: What,
    rows: i64,
    faults: &[Fault],
    page_size: Option<u32>,
) -> Result<WalkResult, Error> {
    walk_by_rules(
        what,
        rows,
        faults.iter().cloned().map(Into::into),
        page_size,
    )
}

fn walk_by_rules(
    what: What,
    rows: i64,
    rules: impl IntoIterator<Item = FaultRule>,
    page_size: Option<u32>,
) -> Result<WalkResult, Error> {
    run(async {
        let mut tenant = tenant(what, rows);
        tenant.faults(rules);
        let front = in_process::serve_with(tenant, Clock::fixed(NOW));
        let seen = walk_with(&client(&front), what, page_size).await;
        let requests = front.tenant().requests().len();
        seen.map(|seen| WalkResult { requests, ..seen })
    })
}

async fn walk_with(
    client: &Client,
    what: What,
    page_size: Option<u32>,
) -> Result<WalkResult, Error> {
    match what {
        What::Devices => {
            let mut params = DevicesParams::default();
            if let Some(rows) = page_size {
                params = params.page_size(rows);
            }
            read(client.devices().detailed(params), |row| {
                row.id.map(DeviceId::get)
            })
            .await
        }
        What::Organizations => {
            let mut params = OrganizationsParams::default();
            if let Some(rows) = page_size {
                params = params.page_size(rows);
            }
            read(client.organizations().list(params), |row| {
                row.id.map(OrganizationId::get)
            })
            .await
        }
        What::Volumes => {
            let mut params = VolumesParams::default();
            if let Some(rows) = page_size {
                params = params.page_size(rows);
            }
            read(client.queries().volumes(params), |row| {
                row.device_id.map(DeviceId::get)
            })
            .await
        }
        What::Activities => {
            let mut params = ActivitiesParams::default();
            if let Some(rows) = page_size {
                params = params.page_size(rows.clamp(10, 1000));
            }
            read(client.activities().list(params), |row| {
                row.id.map(ActivityId::get)
            })
            .await
        }
    }
}

fn all(rows: i64) -> BTreeSet<i64> {
    (1..=rows).collect()
}

/// Whole, with every row once.
fn whole(described: &str, seen: Result<WalkResult, Error>, rows: i64) -> WalkResult {
    let seen = seen.unwrap_or_else(|error| panic!("{described}: {error}"));
    assert_eq!(
        seen.ids.len(),
        all(rows).len(),
        "{described}: rows are missing"
    );
    assert_eq!((seen.doubled, seen.malformed), (0, 0), "{described}");
    seen
}

/// Whole, or an error.
fn never_short(described: &str, seen: &Result<WalkResult, Error>, rows: i64) {
    if let Ok(seen) = seen {
        let found = seen.ids.len() + seen.malformed;
        assert!(
            found >= all(rows).len(),
            "{described}: {found} of {rows} rows, and called complete"
        );
    }
}

/// Sizes at which something changes: nothing, one, about a page of any usual size, several.
const SIZES: [i64; 9] = [0, 1, 99, 100, 101, 256, 1000, 1001, 1115];

/// As [`SIZES`], without those that a page of a row each would take a thousand requests for.
fn sizes(fault: &Fault) -> impl Iterator<Item = i64> {
    let most = match fault {
        Fault::PageCapped { rows } if *rows < 7 => 101,
        _ => i64::MAX,
    };
    SIZES.into_iter().filter(move |rows| *rows <= most)
}

#[test]
fn a_server_that_caps_pages_at_any_size_gives_every_row() {
    for what in ALL {
        for cap in [1, 7, 25, 50, 99, 100, 128, 250, 256, 500, 999, 1000] {
            let fault = Fault::PageCapped { rows: cap };
            for rows in sizes(&fault) {
                let described = format!("{rows} {what:?} in pages of {cap}");
                let seen = walk(what, rows, std::slice::from_ref(&fault), None);
                whole(&described, seen, rows);
            }
        }
    }
}

#[test]
fn a_list_of_20_000_devices_is_whole_under_every_cap() {
    for cap in [128, 256, 999] {
        let seen = walk(
            What::Devices,
            20_000,
            &[Fault::PageCapped { rows: cap }],
            None,
        );
        let seen = whole(&format!("cap {cap}"), seen, 20_000);
        // A page each, the token and the empty page at the end.
        assert!(
            seen.requests <= 20_000 / cap + 4,
            "{} requests",
            seen.requests
        );
    }
}

#[test]
fn caps_that_change_from_page_to_page_lose_no_row() {
    for what in ALL {
        for caps in [vec![1000, 128, 7], vec![7, 1000], vec![100, 50, 1, 999]] {
            for rows in SIZES {
                let described = format!("{rows} {what:?} in pages of {caps:?}");
                let fault = Fault::PagesCapped { rows: caps.clone() };
                whole(&described, walk(what, rows, &[fault], None), rows);
            }
        }
    }
}

#[test]
fn every_habit_of_a_server_alone_gives_every_row() {
    for fault in Fault::all_habits() {
        for what in ALL {
            // What the caps do to every size the test of caps says.
            if matches!(fault, Fault::PageCapped { .. }) {
                continue;
            }
            for rows in sizes(&fault) {
                let described = format!("{rows} {what:?}, {fault:?}");
                whole(
                    &described,
                    walk(what, rows, std::slice::from_ref(&fault), None),
                    rows,
                );
            }
        }
    }
}

#[test]
fn a_place_that_is_ignored_is_an_error_and_no_end() {
    for what in [What::Devices, What::Organizations, What::Activities] {
        for cap in [7, 100, 128, 1000] {
            let faults = [Fault::PlaceIgnored, Fault::PageCapped { rows: cap }];
            let seen = walk(what, 1_115, &faults, None);
            assert!(
                seen.is_err(),
                "{what:?} in pages of {cap}: the repeated page was the end"
            );
        }
        for rows in SIZES {
            never_short(
                &format!("{rows} {what:?}, place ignored"),
                &walk(what, rows, &[Fault::PlaceIgnored], None),
                rows,
            );
        }
    }
}

#[test]
fn everything_at_once_is_everything_or_an_error() {
    for what in ALL {
        for rows in SIZES {
            let described = format!("{rows} {what:?} at once");
            never_short(
                &described,
                &walk(what, rows, &[Fault::Everything], None),
                rows,
            );
            let both = [Fault::Everything, Fault::PlaceIgnored];
            never_short(&described, &walk(what, rows, &both, None), rows);
        }
    }
}

#[test]
fn a_report_whose_count_is_the_rows_of_its_page_is_read_to_its_end() {
    let of_page = || Fault::Cursor(CursorHabit::CountOfPage);
    let seen = walk(What::Volumes, 20_000, &[of_page()], Some(1000));
    whole("20,000 rows in pages of 1,000", seen, 20_000);
    for other in [
        CursorHabit::OffsetAtEnd,
        CursorHabit::OffsetAbsent,
        CursorHabit::NameChanges,
        CursorHabit::AbsentOnLastPage,
        CursorHabit::PresentOnOnePage,
    ] {
        for cap in [100, 128, 999, 1000] {
            for rows in SIZES {
                let faults = [
                    of_page(),
                    Fault::Cursor(other),
                    Fault::PageCapped { rows: cap },
                ];
                let described = format!("{rows} rows, {faults:?}");
                whole(&described, walk(What::Volumes, rows, &faults, None), rows);
            }
        }
    }
}

#[test]
fn a_count_that_changes_from_page_to_page_never_shortens_a_report() {
    for by in [-2000, -7, -1, 1, 7, 2000] {
        for rows in [1001, 1115, 2500] {
            let fault = Fault::Cursor(CursorHabit::CountDrifts { by });
            let seen = walk(What::Volumes, rows, &[fault], None);
            never_short(&format!("{rows} rows, count drifts by {by}"), &seen, rows);
        }
    }
}

#[test]
fn a_count_that_is_neither_total_nor_of_the_page_never_shortens_a_report() {
    for habit in [CursorHabit::CountOfRequest, CursorHabit::CountOfRest] {
        for cap in [50, 100, 128, 500, 999, 1000] {
            for rows in SIZES.into_iter().chain([2500]) {
                let faults = [Fault::Cursor(habit), Fault::PageCapped { rows: cap }];
                let seen = walk(What::Volumes, rows, &faults, None);
                never_short(&format!("{rows} rows, {faults:?}"), &seen, rows);
            }
        }
    }
}

#[test]
fn a_report_without_a_word_of_its_end_is_whole_or_an_error() {
    for cap in [50, 100, 128, 999, 1000, 2000] {
        for rows in SIZES {
            let faults = [Fault::CursorMissing, Fault::PageCapped { rows: cap }];
            let seen = walk(What::Volumes, rows, &faults, None);
            never_short(&format!("{rows} rows in pages of {cap}"), &seen, rows);
        }
    }
}

#[test]
fn rows_sent_as_null_are_an_error_and_no_empty_list() {
    for what in ALL {
        for rows in [1, 100, 1115] {
            let seen = walk(what, rows, &[Fault::RowsNull], None);
            assert!(seen.is_err(), "{rows} {what:?}: {seen:?}");
            // In the middle of a walk.
            for cap in [100, 1000] {
                let rules = [
                    Fault::RowsNull.starting_at(2).once(),
                    Fault::PageCapped { rows: cap }.into(),
                ];
                let seen = walk_by_rules(what, 1115, rules, None);
                never_short(&format!("{what:?}, cap {cap}, null once"), &seen, 1115);
            }
        }
    }
}

#[test]
fn a_page_of_nothing_but_null_rows_ends_no_list() {
    for what in ALL {
        for cap in [1, 2, 100] {
            let faults = [
                Fault::MalformedRow(Malformed::Null),
                Fault::PageCapped { rows: cap },
            ];
            let seen = walk(what, 300, &faults, None);
            never_short(&format!("300 {what:?} in pages of {cap}"), &seen, 300);
        }
    }
}

#[test]
fn a_page_size_that_is_refused_ends_no_list() {
    for what in ALL {
        let seen = walk(what, 1115, &[Fault::Refused(Parameter::PageSize)], None);
        never_short(&format!("{what:?}"), &seen, 1115);
    }
}

#[test]
fn pages_that_a_server_does_not_manage_are_read_in_smaller_ones() {
    for what in ALL {
        // What is refused (400) is refused above 1,000 rows, which every tenant takes.
        for (most, status) in [
            (1_000, 400),
            (2_000, 400),
            (128, 413),
            (999, 413),
            (2_500, 413),
        ] {
            for rows in SIZES.into_iter().chain([6_001]) {
                for habit in [CursorHabit::CountOfPage, CursorHabit::NameChanges] {
                    let faults = [Fault::PageTooLarge { most, status }, Fault::Cursor(habit)];
                    let described = format!("{rows} {what:?}, {faults:?}");
                    run(async {
                        let mut tenant = tenant(what, rows);
                        tenant.faults(faults.map(FaultRule::from));
                        let front = in_process::serve_with(tenant, Clock::fixed(NOW));
                        let client = builder(&front).build().unwrap();
                        for _ in 0..2 {
                            whole(&described, walk_with(&client, what, None).await, rows);
                        }
                    });
                }
            }
        }
    }
}

#[test]
fn what_a_server_does_not_manage_is_found_by_the_reads_together() {
    for what in ALL {
        for most in [100, 128, 999] {
            run(async {
                let mut tenant = tenant(what, 1_115);
                tenant.fault(Fault::PageTooLarge { most, status: 504 });
                let front = in_process::serve_with(tenant, Clock::fixed(NOW));
                let retry = RetryPolicy::none();
                let client = builder(&front).retry(retry).build().unwrap();
                let mut reads = 1;
                let seen = loop {
                    match walk_with(&client, what, None).await {
                        Ok(seen) => break seen,
                        Err(error) => assert!(error.is_retryable() && reads < 7, "{error}"),
                    }
                    reads += 1;
                };
                whole(&format!("{what:?} above {most}"), Ok(seen), 1_115);
                let next = walk_with(&client, what, None).await;
                whole(&format!("{what:?} above {most}, once more"), next, 1_115);
            });
        }
    }
}

/// A way of writing cursors, or a few together.
fn habits() -> impl Strategy<Value = Vec<Fault>> {
    let one = proptest::sample::select(vec![
        Fault::Cursor(CursorHabit::CountOfPage),
        Fault::Cursor(CursorHabit::CountAbsent),
        Fault::Cursor(CursorHabit::OffsetAtEnd),
        Fault::Cursor(CursorHabit::OffsetAbsent),
        Fault::Cursor(CursorHabit::NameChanges),
        Fault::Cursor(CursorHabit::AbsentOnLastPage),
        Fault::Cursor(CursorHabit::PresentOnOnePage),
        Fault::CountMissing,
        Fault::Ignored(Parameter::PageSize),
    ]);
    proptest::collection::vec(one, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cap_any_number_of_rows_and_any_habit_give_every_row(
        what in proptest::sample::select(ALL.to_vec()),
        cap in 1_usize..2000,
        other in 1_usize..2000,
        rows in 0_i64..3000,
        size in 10_u32..=1000,
        habits in habits(),
    ) {
        // A page of a row each is asked for thousands of times: fewer rows tell as much.
        let rows = rows.min(i64::try_from(cap.min(other)).unwrap() * 200);
        let mut faults = habits;
        faults.push(Fault::PagesCapped { rows: vec![cap, other] });
        let described = format!("{rows} {what:?} asked for by {size}, {faults:?}");
        whole(&described, walk(what, rows, &faults, Some(size)), rows);
    }

    #[test]
    fn any_lie_about_the_end_is_survived_or_an_error(
        what in proptest::sample::select(ALL.to_vec()),
        cap in 1_usize..2000,
        rows in 0_i64..3000,
        lie in proptest::sample::select(vec![
            Fault::PlaceIgnored, Fault::Everything, Fault::CursorMissing, Fault::RowsNull, Fault::BareArray,
            Fault::StalledCursor, Fault::CountTooLarge { by: 1 }, Fault::Cursor(CursorHabit::CountDrifts { by: 1 }),
            Fault::Cursor(CursorHabit::CountDrifts { by: -1 }), Fault::MalformedRow(Malformed::Null),
        ]),
        from in 1_u64..4,
        every in 1_u64..3,
        habits in habits(),
    ) {
        let rows = rows.min(i64::try_from(cap).unwrap() * 200);
        let rules = habits.iter().cloned().map(FaultRule::from).chain([
            Fault::PageCapped { rows: cap }.into(),
            lie.clone().starting_at(from).every(every),
        ]);
        let seen = walk_by_rules(what, rows, rules.collect::<Vec<_>>(), None);
        never_short(&format!("{rows} {what:?} in pages of {cap}, {lie:?} from {from} every {every}, {habits:?}"), &seen, rows);
    }
}
