//! Five verdicts from a tenant that lies: the same, or nothing better than the truth.

use ninjaone_simulator::{
    Burst, CursorHabit, Damage, Fault, FaultRule, Harm, Malformed, Parameter, Preset, Shape,
    Tenant, TenantBuilder,
};
use proptest::prelude::*;
use regentra_evidence::{Reason, SignalKind, Status};
use serde_json::{Value, json};

use crate::lies::scene::{Bad, DAY, LAST, NOW, Scene, Signals, ago, by_kind, small, statuses};

/// Fleets of several pages, one of every outcome.
fn fleets() -> Vec<(&'static str, Scene)> {
    [
        ("failing", Preset::Failing, 400, 1),
        ("warning", Preset::Mixed, 400, 1),
        ("healthy, one of three", Preset::Healthy, 300, 3),
    ]
    .map(|(name, preset, devices, organizations)| {
        let fleet = Tenant::builder(NOW)
            .preset(preset, 5, devices)
            .organization_count(organizations);
        (name, Scene::of(fleet.build()))
    })
    .into()
}

fn assert_unchanged(described: &str, disturbed: Option<Signals>, undisturbed: &Signals) {
    let disturbed = disturbed.unwrap_or_else(|| panic!("{described}: no device list"));
    for (kind, signal) in undisturbed {
        assert_eq!(&disturbed[kind], signal, "{described}");
    }
}

/// No signal that did not pass does.
fn assert_no_pass(described: &str, disturbed: Option<&Signals>, truth: &Signals) {
    let Some(disturbed) = disturbed else { return };
    for (kind, signal) in truth {
        let found = &disturbed[kind];
        assert!(
            signal.status == Status::Pass || found.status != Status::Pass,
            "{described}: {kind:?} is {:?} in truth and passes",
            signal.status
        );
    }
}

#[test]
fn the_small_fleet_passes_or_is_at_its_worst_in_every_signal() {
    let of = |bad| Scene::of(small(bad).build()).truth();
    assert_eq!(statuses(&of(Bad::Nothing)), [Status::Pass; 5]);
    for (kind, signal) in of(Bad::Everything) {
        let worst = match kind {
            SignalKind::DeviceInventory => Status::Warning,
            _ => Status::Fail,
        };
        assert_eq!(signal.status, worst, "{kind:?}: {:?}", signal.reasons);
    }
}

#[test]
fn a_server_that_caps_pages_at_any_size_changes_no_verdict() {
    for (name, scene) in fleets() {
        let truth = scene.truth();
        for cap in [7, 25, 100, 128, 256, 999] {
            let disturbed = scene.judged([Fault::PageCapped { rows: cap }.into()]);
            assert_unchanged(&format!("{name}, cap {cap}"), disturbed, &truth);
        }
    }
}

#[test]
fn any_cap_of_any_report_changes_no_verdict() {
    let fleets = fleets();
    let truths: Vec<Signals> = fleets.iter().map(|(_, scene)| scene.truth()).collect();
    let config = ProptestConfig {
        cases: 30,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(cap in 1_usize..2000, other in 1_usize..2000, which in 0_usize..3)| {
        let (name, scene) = &fleets[which];
        let caps = Fault::PagesCapped { rows: vec![cap, other] };
        let described = format!("{name}, caps {cap} and {other}");
        assert_unchanged(&described, scene.judged([caps.into()]), &truths[which]);
    });
}

#[test]
fn every_habit_of_a_server_changes_no_verdict() {
    for (name, scene) in fleets() {
        let truth = scene.truth();
        for fault in Fault::all_habits() {
            // A page of a row each is what the walks are tried with.
            if fault == (Fault::PageCapped { rows: 1 }) {
                continue;
            }
            let described = format!("{name}, {fault:?}");
            assert_unchanged(&described, scene.judged([fault.into()]), &truth);
        }
    }
}

#[test]
fn a_filter_that_is_ignored_costs_pages_not_truth() {
    let fleet = Tenant::builder(NOW)
        .preset(Preset::Mixed, 7, 600)
        .organization_count(3);
    let scene = Scene::of(fleet.build());
    let undisturbed = scene.collected([]).unwrap();
    for parameter in Parameter::ALL {
        let disturbed = scene.collected([Fault::Ignored(parameter).into()]).unwrap();
        assert_unchanged(
            &format!("{parameter:?} ignored"),
            Some(by_kind(&disturbed)),
            &by_kind(&undisturbed),
        );
        if parameter == Parameter::DeviceFilter {
            let foreign = disturbed.assessment.counts.foreign_rows;
            assert!(foreign > 100, "{foreign} rows of others were read");
            let (asked, before) = (
                disturbed.assessment.counts.requests,
                undisturbed.assessment.counts.requests,
            );
            assert!(asked > before, "{asked} and {before} requests");
        }
    }
}

#[test]
fn a_filter_that_is_refused_never_makes_a_pass() {
    for (name, scene) in fleets() {
        let truth = scene.truth();
        for parameter in Parameter::ALL {
            let disturbed = scene.judged([Fault::Refused(parameter).into()]);
            let described = format!("{name}, {parameter:?} refused");
            assert_no_pass(&described, disturbed.as_ref(), &truth);
        }
    }
}

/// The small fleet under a burst; a cap makes pages of old rows as long as a page may be.
fn under_a_burst(bad: Bad, activities: u32, codes: Option<&[&str]>) -> TenantBuilder {
    let burst = Burst::of(101, activities);
    small(bad).burst(match codes {
        Some(codes) => burst.codes(codes),
        None => burst,
    })
}

#[test]
fn a_burst_of_old_activities_hides_no_failure() {
    let codes: [Option<&[&str]>; 3] = [
        None,
        Some(&["NINJA_BACKUP_BACKUPJOB_COMPLETED"]),
        Some(&["SYSTEM_REBOOTED"]),
    ];
    let rules = |faults: &[Fault]| {
        faults
            .iter()
            .cloned()
            .map(Into::into)
            .collect::<Vec<FaultRule>>()
    };
    for bad in [Bad::Nothing, Bad::Everything] {
        let truth = Scene::of(small(bad).build()).truth();
        for activities in [1, 999, 1000, 1001, 2500, 5000] {
            for codes in codes {
                let scene = Scene::of(under_a_burst(bad, activities, codes).build());
                let described = format!("{bad:?} under {activities} of {codes:?}");
                // What is asked for is honoured: nothing changes.
                assert_unchanged(&described, scene.judged([]), &truth);
                for cap in [100, 128] {
                    let capped = Fault::PageCapped { rows: cap };
                    assert_unchanged(&described, scene.judged([capped.into()]), &truth);
                }
                // What is asked for is ignored: the truth, or less, and never a pass that hides a failure.
                let (after, status) = (
                    Fault::Ignored(Parameter::After),
                    Fault::Ignored(Parameter::Status),
                );
                for ignored in [
                    vec![after.clone()],
                    vec![status.clone()],
                    vec![after, status],
                    vec![Fault::FiltersIgnored],
                    vec![Fault::FiltersIgnored, Fault::PageCapped { rows: 128 }],
                ] {
                    let found = scene.judged(rules(&ignored));
                    let described = format!("{described}, {ignored:?}");
                    assert_no_pass(&described, found.as_ref(), &truth);
                    let backup = &found.unwrap()[&SignalKind::BackupActivity];
                    let is_truth = backup == &truth[&SignalKind::BackupActivity];
                    assert!(is_truth || !backup.complete, "{described}: {backup:?}");
                }
            }
        }
    }
}

#[test]
fn rows_sent_as_null_never_make_a_pass() {
    let scene = Scene::of(small(Bad::Everything).build());
    let truth = scene.truth();
    for path in PATHS {
        let found = scene.judged([Fault::RowsNull.on(path)]);
        assert_no_pass(&format!("null at {path}"), found.as_ref(), &truth);
    }
}

#[test]
fn a_null_among_the_rows_never_makes_a_pass() {
    for bad in [Bad::Nothing, Bad::Everything] {
        let scene = Scene::of(small(bad).build());
        for path in PATHS {
            let damage = Damage::to("", Harm::Null);
            for rows in [
                damage.clone().of_row(3),
                damage.clone().of_every(2),
                damage.clone(),
            ] {
                let found = scene.judged([Fault::Damaged(rows.clone()).on(path)]);
                // Without devices nothing is judged.
                let Some(found) = found else { continue };
                // Rows are lost, or nothing is left to walk by.
                let lost: Vec<_> = found
                    .iter()
                    .filter(|(_, signal)| {
                        let reasons = &signal.reasons;
                        reasons.contains(&Reason::MalformedRows)
                            || reasons.contains(&Reason::ReportFailed)
                    })
                    .collect();
                assert!(
                    !lost.is_empty(),
                    "{bad:?}, {rows:?} at {path}: no signal says so"
                );
                for (kind, signal) in lost {
                    let described = format!("{bad:?}, {rows:?} at {path}, {kind:?}");
                    assert_ne!(signal.status, Status::Pass, "{described}");
                    assert!(!signal.complete, "{described}");
                }
            }
        }
    }
}

#[test]
fn any_few_lies_at_once_never_make_a_pass() {
    let scenes = [Bad::Nothing, Bad::Everything].map(|bad| Scene::of(small(bad).build()));
    let truths = scenes.each_ref().map(Scene::truth);
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let lies = proptest::collection::vec((lie(), 0..PATHS.len(), 1_u64..3, 1_u64..3), 1..4);
    proptest!(config, |(lies in lies)| {
        for (scene, truth) in scenes.iter().zip(&truths) {
            let faults = lies.iter().map(|(lie, path, from, every)| {
                lie.clone().on(PATHS[*path]).starting_at(*from).every(*every)
            });
            let found = scene.judged(faults);
            assert_no_pass(&format!("{lies:?}"), found.as_ref(), truth);
        }
    });
}

/// Any lie that does not say something else that could as well be true.
fn lie() -> impl Strategy<Value = Fault> {
    let fields = [
        "id",
        "deviceId",
        "organizationId",
        "nodeClass",
        "timestamp",
        "installedAt",
        "activityTime",
        "lastContact",
        "offline",
        "bitLockerStatus",
        "capacity",
        "label",
        "driveLetter",
        "productName",
        "productState",
        "severity",
        "status",
        "statusCode",
    ];
    let harms = [
        Harm::Object,
        Harm::List,
        Harm::Wrapped,
        Harm::KeyTwice,
        Harm::KeyTwiceThenOdd,
        Harm::AsText,
        Harm::AsDecimal,
        Harm::AsExponent,
        Harm::NotANumber,
    ];
    let damage = (
        proptest::sample::select(fields.to_vec()),
        proptest::sample::select(harms.to_vec()),
        proptest::option::of(0_usize..4),
    )
        .prop_map(|(field, harm, row)| {
            let damage = Damage::to(field, harm);
            Fault::Damaged(match row {
                Some(row) => damage.of_row(row),
                None => damage,
            })
        });
    let others = Fault::all_fatal()
        .into_iter()
        .chain(Fault::all_habits())
        .chain([
            Fault::PlaceIgnored,
            Fault::Everything,
            Fault::RowsNull,
            Fault::CursorMissing,
            Fault::MalformedRow(Malformed::Null),
            Fault::Cursor(CursorHabit::CountDrifts { by: -1 }),
        ])
        .chain(Parameter::ALL.map(Fault::Refused))
        .collect::<Vec<_>>();
    prop_oneof![damage, proptest::sample::select(others)]
}

/// The list of devices that a sweep reads.
pub(crate) const DEVICES: &str = "/v2/devices-detailed";

/// The endpoints that a sweep reads.
pub(crate) const PATHS: [&str; 8] = [
    DEVICES,
    "/v2/queries/volumes",
    "/v2/queries/antivirus-status",
    "/v2/queries/os-patches",
    "/v2/queries/os-patch-installs",
    "/v2/queries/software-patches",
    "/v2/queries/software-patch-installs",
    "/v2/activities",
];

#[test]
fn a_count_of_the_page_beside_rows_that_follow_hides_no_failure() {
    // The one bad row is the last of a report of many pages.
    let mut rows: Vec<Value> = (0..2_000)
        .map(|nth| {
            json!({
                "deviceId": 101 + nth % 3, "id": format!("os-{nth}"), "name": "Update", "severity": "CRITICAL", "status": "INSTALLED",
                "type": "SECURITY_UPDATES", "timestamp": ago(DAY), "installedAt": ago(5 * DAY),
            })
        })
        .collect();
    rows.push(json!({
        "deviceId": LAST, "id": "os-bad", "name": "Update", "severity": "CRITICAL", "status": "FAILED", "type": "SECURITY_UPDATES",
        "timestamp": ago(DAY), "installedAt": ago(DAY),
    }));
    let scene = Scene::of(small(Bad::Nothing).os_patch_installs(&rows).build());
    let truth = scene.truth();
    assert_eq!(truth[&SignalKind::PatchSla].status, Status::Fail);
    for cap in [50, 128, 999, 1000, 10_000] {
        for habit in [CursorHabit::CountOfPage, CursorHabit::CountAbsent] {
            let faults = [Fault::Cursor(habit), Fault::PageCapped { rows: cap }];
            let described = format!("{faults:?}");
            let disturbed = scene.judged(faults.map(Into::into));
            assert_unchanged(&described, disturbed, &truth);
        }
    }
}

#[test]
fn shapes_change_a_healthy_verdict_as_their_table_says() {
    let healthy = |shape: Option<Shape>| {
        let fleet = Tenant::builder(NOW)
            .preset(Preset::Healthy, 5, 90)
            .organization_count(1);
        let fleet = match shape {
            Some(shape) => fleet.shape(shape),
            None => fleet,
        };
        Scene::of(fleet.build()).truth()
    };
    let plain = healthy(None);
    assert_eq!(statuses(&plain), [Status::Pass; 5]);
    for shape in Shape::ALL {
        let shaped = healthy(Some(shape));
        for (kind, signal) in &shaped {
            let expected = match (shape, kind) {
                (Shape::SupersededFailures | Shape::RejectedFailures, SignalKind::PatchSla)
                | (Shape::UsbOnlyLaptops, SignalKind::DiskEncryption) => Status::Warning,
                _ => Status::Pass,
            };
            assert_eq!(
                signal.status, expected,
                "{shape:?}, {kind:?}: {:?}",
                signal.reasons
            );
        }
    }
}

#[test]
fn a_shape_over_a_failing_fleet_never_makes_a_pass() {
    let truth = Scene::of(small(Bad::Everything).build()).truth();
    for shape in Shape::ALL {
        let found = Scene::of(small(Bad::Everything).shape(shape).build()).truth();
        assert_no_pass(&format!("{shape:?}"), Some(&found), &truth);
        // Partitions, nameless products and serial numbers take nothing back.
        if !matches!(shape, Shape::SupersededFailures | Shape::UsbOnlyLaptops) {
            assert_eq!(statuses(&found), statuses(&truth), "{shape:?}");
        }
    }
}

/// Ways in which a time says nothing.
const TIMELESS: [Harm; 9] = [
    Harm::Absent,
    Harm::Null,
    Harm::Zero,
    Harm::Negative,
    Harm::NotANumber,
    Harm::FarFuture,
    Harm::Object,
    Harm::List,
    Harm::Word,
];

/// The times of a report's rows.
const TIMES: [(&str, &[&str]); 8] = [
    (DEVICES, &["lastContact", "created"]),
    ("/v2/queries/volumes", &["timestamp"]),
    ("/v2/queries/antivirus-status", &["timestamp"]),
    ("/v2/queries/os-patches", &["timestamp"]),
    (
        "/v2/queries/os-patch-installs",
        &["timestamp", "installedAt"],
    ),
    ("/v2/queries/software-patches", &["timestamp"]),
    (
        "/v2/queries/software-patch-installs",
        &["timestamp", "installedAt"],
    ),
    ("/v2/activities", &["activityTime"]),
];

#[test]
fn times_that_cannot_be_read_never_lead_to_a_pass() {
    let scene = Scene::of(small(Bad::Everything).build());
    let truth = scene.truth();
    for harm in TIMELESS {
        // Of one row, of every other row, of all: of one report, and of all reports at once.
        for rows in [
            |damage: Damage| damage.of_device(LAST),
            |damage: Damage| damage.of_every(2),
            |damage: Damage| damage,
        ] {
            let of = |path: &str, fields: &[&str]| {
                let damaged = |field: &&str| Fault::Damaged(rows(Damage::to(field, harm.clone())));
                fields
                    .iter()
                    .map(|field| damaged(field).on(path))
                    .collect::<Vec<_>>()
            };
            for (path, fields) in TIMES {
                let found = scene.judged(of(path, fields));
                assert_no_pass(&format!("{harm:?} at {path}"), found.as_ref(), &truth);
            }
            let everywhere = TIMES
                .into_iter()
                .flat_map(|(path, fields)| of(path, fields));
            let found = scene.judged(everywhere);
            assert_no_pass(&format!("{harm:?} everywhere"), found.as_ref(), &truth);
        }
    }
}
