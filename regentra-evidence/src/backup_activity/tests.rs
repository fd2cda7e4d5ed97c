use BackupEvent::{
    Cancelled, Failure, IntegrityFailed, IntegrityPassed, RestoreCompleted, Success,
    SuccessWithWarning,
};
use time::Duration;

use super::*;
use crate::{
    device::{DeviceClass, DeviceFact},
    fixture::{
        NOW, days_ago, device, digest_key, each_changed, fleet, not_approved, partly_silent,
        reasons, stale, up_to_three, workstation, workstations,
    },
    rules::Rules,
};

const ANSWERED: ReportState = ReportState::answered();

fn fact(device: u64, activity: i64, event: BackupEvent) -> BackupFact {
    BackupFact {
        device: DeviceKey::new(device),
        activity: ActivityKey::new(activity),
        event,
        at: Some(days_ago(1)),
    }
}

fn at(time: OffsetDateTime, fact: BackupFact) -> BackupFact {
    BackupFact {
        at: Some(time),
        ..fact
    }
}

fn evaluator(fleet: &Arc<Fleet>, facts: impl IntoIterator<Item = BackupFact>) -> BackupActivity {
    let mut backups = BackupActivity::new(Arc::clone(fleet));
    for fact in facts {
        let _ = backups.observe(fact);
    }
    backups
}

fn finished(signal: Signal) -> (Signal, BackupActivityMetadata) {
    let Metadata::BackupActivity(metadata) = signal.metadata else {
        panic!("{signal:?}")
    };
    (signal, metadata)
}

fn judge(
    fleet: &Arc<Fleet>,
    facts: impl IntoIterator<Item = BackupFact>,
) -> (Signal, BackupActivityMetadata) {
    finished(evaluator(fleet, facts).finish(ANSWERED))
}

/// `failing` of `all` devices without a success.
fn failing(failing: u64, all: u64) -> Vec<BackupFact> {
    (1..=all)
        .zip(1..)
        .map(|(device, activity)| {
            fact(
                device,
                activity,
                if device <= failing { Failure } else { Success },
            )
        })
        .collect()
}

#[test]
fn a_tenth_without_success_fails() {
    let table = [
        (0, 10, Status::Pass, ""),
        (1, 10, Status::Fail, "backups_failing latest_runs_failing"),
        (
            1,
            11,
            Status::Warning,
            "backups_failing latest_runs_failing",
        ),
        (2, 20, Status::Fail, "backups_failing latest_runs_failing"),
        (
            2,
            21,
            Status::Warning,
            "backups_failing latest_runs_failing",
        ),
        (1, 1, Status::Fail, "backups_failing latest_runs_failing"),
        (9, 10, Status::Fail, "backups_failing latest_runs_failing"),
    ];
    for (without, all, status, codes) in table {
        let (signal, metadata) = judge(&workstations(all), failing(without, all));
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{without} of {all}"
        );
        assert_eq!(metadata.devices.with_activity, all);
        assert_eq!(metadata.devices.without_success, without);
        assert_eq!(metadata.devices.with_success, all - without);
    }
}

#[test]
fn what_runs_of_one_device_add_up_to() {
    // events in the order of their time -> status, success, warnings only, latest failed
    let table: [(&[BackupEvent], Status, u64, u64, u64); 10] = [
        (&[Success], Status::Pass, 1, 0, 0),
        (&[SuccessWithWarning], Status::Warning, 1, 1, 0),
        (&[SuccessWithWarning, Success], Status::Pass, 1, 0, 0),
        (&[Success, SuccessWithWarning], Status::Pass, 1, 0, 0),
        (&[Success, Failure], Status::Pass, 1, 0, 1),
        (&[Failure, Success], Status::Pass, 1, 0, 0),
        (&[Cancelled], Status::Fail, 0, 0, 0),
        (&[Failure, Cancelled], Status::Fail, 0, 0, 0),
        (&[Failure], Status::Fail, 0, 0, 1),
        (&[SuccessWithWarning, Failure], Status::Warning, 1, 1, 1),
    ];
    for (events, status, success, warnings_only, latest_failed) in table {
        let facts = events
            .iter()
            .zip(1..)
            .map(|(event, index)| at(days_ago(2) + Duration::hours(index), fact(1, index, *event)));
        let (signal, metadata) = judge(&workstations(1), facts);
        assert_eq!(signal.status, status, "{events:?}");
        assert_eq!(metadata.devices.with_success, success, "{events:?}");
        assert_eq!(metadata.devices.without_success, 1 - success, "{events:?}");
        assert_eq!(metadata.devices.warnings_only, warnings_only, "{events:?}");
        assert_eq!(
            metadata.devices.latest_run_failed, latest_failed,
            "{events:?}"
        );
        assert_eq!(
            signal.reasons.contains(&Reason::LatestRunsFailing),
            latest_failed > 0,
            "{events:?}"
        );
        assert_eq!(
            signal.reasons.contains(&Reason::WarningsOnly),
            warnings_only > 0,
            "{events:?}"
        );
    }
}

#[test]
fn of_two_runs_at_the_same_time_the_higher_id_is_the_later() {
    let (_, metadata) = judge(&workstations(1), [fact(1, 1, Success), fact(1, 2, Failure)]);
    assert_eq!(metadata.devices.latest_run_failed, 1);
    let (_, metadata) = judge(&workstations(1), [fact(1, 2, Success), fact(1, 1, Failure)]);
    assert_eq!(metadata.devices.latest_run_failed, 0);
}

#[test]
fn checks_and_restores_are_counted_and_are_no_activity() {
    let facts = [
        fact(1, 1, IntegrityPassed),
        fact(1, 2, IntegrityPassed),
        fact(1, 3, IntegrityFailed),
        fact(1, 4, RestoreCompleted),
    ];
    let (signal, metadata) = judge(&workstations(1), facts);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Unknown, "devices_without_backup no_backup_activity")
    );
    assert_eq!(
        metadata.integrity_checks,
        IntegrityChecks {
            passed: 2,
            failed: 1
        }
    );
    assert_eq!(metadata.restores_completed, 1);
    assert_eq!(metadata.devices.with_activity, 0);
    // Nor do they make a last run.
    let later = at(NOW, fact(1, 9, IntegrityFailed));
    let (_, metadata) = judge(&workstations(1), [fact(1, 1, Success), later]);
    assert_eq!(metadata.devices.latest_run_failed, 0);
}

#[test]
fn the_window_is_open_at_its_start() {
    let start = days_ago(7);
    let table = [
        (start, RowFate::Stale),
        (start + Duration::NANOSECOND, RowFate::Used),
        (NOW, RowFate::Used),
        (NOW + Duration::minutes(5), RowFate::Used),
        (
            NOW + Duration::minutes(5) + Duration::NANOSECOND,
            RowFate::Unreadable,
        ),
        (OffsetDateTime::UNIX_EPOCH, RowFate::Unreadable),
    ];
    for (time, fate) in table {
        let mut backups = BackupActivity::new(workstations(1));
        assert_eq!(
            backups.observe(at(time, fact(1, 1, Success))),
            fate,
            "{time}"
        );
        assert_eq!(
            backups.finish(ANSWERED).status == Status::Pass,
            fate == RowFate::Used,
            "{time}"
        );
    }
    let mut backups = BackupActivity::new(workstations(1));
    let unsaid = BackupFact {
        at: None,
        ..fact(1, 1, Success)
    };
    assert_eq!(backups.observe(unsaid), RowFate::Unreadable);
}

#[test]
fn approved_devices_of_any_class_count_and_stale_ones_stay_out() {
    let devices = fleet([
        device(1, DeviceClass::Virtualization),
        device(2, DeviceClass::Unknown),
        stale(3),
        not_approved(4),
    ]);
    let mut backups = BackupActivity::new(Arc::clone(&devices));
    for (key, fate) in [
        (1, RowFate::Used),
        (2, RowFate::Used),
        (3, RowFate::NotJudged),
        (4, RowFate::NotJudged),
        (5, RowFate::UnknownDevice),
    ] {
        let fact = fact(key, i64::try_from(key).unwrap(), Success);
        assert_eq!(backups.observe(fact), fate, "{key}");
    }
    let (signal, metadata) = finished(backups.finish(ANSWERED));
    assert_eq!(signal.status, Status::Pass);
    assert_eq!(
        metadata.scope,
        DeviceScope {
            approved: 3,
            measured: 2,
            unmeasured: 0,
            stale: 1,
            not_applicable: 0,
            not_approved: 1,
        }
    );
}

/// Only a computer that is silent might have run a backup; a phone would have had none anyway.
#[test]
fn stale_are_computers_and_classes_that_are_not_known() {
    for (class, is_stale) in [
        (DeviceClass::WindowsWorkstation, true),
        (DeviceClass::LinuxServer, true),
        (DeviceClass::Unknown, true),
        (DeviceClass::Mobile, false),
        (DeviceClass::Network, false),
        (DeviceClass::Virtualization, false),
        (DeviceClass::Other, false),
    ] {
        let silent = DeviceFact { class, ..stale(2) };
        let (signal, metadata) = judge(&fleet([workstation(1), silent]), [fact(1, 1, Success)]);
        assert_eq!(signal.status, Status::Pass, "{class:?}");
        let expected = if is_stale { (1, 0) } else { (0, 1) };
        assert_eq!(
            (metadata.scope.stale, metadata.scope.not_applicable),
            expected,
            "{class:?}"
        );
        // All approved devices stale: the fleet is dark, whatever it consists of.
        let (signal, _) = judge(&fleet([silent]), []);
        assert_eq!(
            reasons(&signal),
            "fleet_dark no_backup_activity",
            "{class:?}"
        );
    }
}

/// What an activity without a readable time is worth, beside others of its device.
#[test]
fn an_activity_without_a_time_holds_back_and_proves_nothing() {
    type Case = (Vec<BackupFact>, Status, [u64; 4], bool);
    let undated = |activity, event| BackupFact {
        at: None,
        ..fact(1, activity, event)
    };
    // rows -> status, with activity, without success, unmeasured, latest failed, undated_rows
    let table: Vec<Case> = vec![
        (vec![undated(1, Failure)], Status::Fail, [1, 1, 0, 1], true),
        (
            vec![undated(1, Success)],
            Status::Unknown,
            [0, 0, 1, 0],
            true,
        ),
        (
            vec![undated(1, SuccessWithWarning)],
            Status::Unknown,
            [0, 0, 1, 0],
            true,
        ),
        (
            vec![undated(1, Cancelled)],
            Status::Unknown,
            [0, 0, 1, 0],
            true,
        ),
        (
            vec![undated(1, IntegrityPassed)],
            Status::Unknown,
            [0, 0, 0, 0],
            false,
        ),
        (
            vec![undated(1, IntegrityFailed)],
            Status::Unknown,
            [0, 0, 0, 0],
            false,
        ),
        (
            vec![undated(1, RestoreCompleted)],
            Status::Unknown,
            [0, 0, 0, 0],
            false,
        ),
        (
            vec![undated(1, Success), fact(1, 2, Success)],
            Status::Pass,
            [1, 0, 0, 0],
            false,
        ),
        (
            vec![undated(1, Success), fact(1, 2, Failure)],
            Status::Fail,
            [1, 1, 0, 1],
            false,
        ),
        (
            vec![undated(1, Success), fact(1, 2, SuccessWithWarning)],
            Status::Warning,
            [1, 0, 0, 0],
            false,
        ),
        // The failure is of now: the last run.
        (
            vec![undated(1, Failure), fact(1, 2, Success)],
            Status::Pass,
            [1, 0, 0, 1],
            true,
        ),
        (
            vec![undated(1, Failure), undated(2, Success)],
            Status::Fail,
            [1, 1, 0, 1],
            true,
        ),
    ];
    for (rows, status, counts, reason) in table {
        let (signal, metadata) = judge(&workstations(1), rows.iter().copied());
        let d = metadata.devices;
        assert_eq!(
            [
                d.with_activity,
                d.without_success,
                metadata.scope.unmeasured,
                d.latest_run_failed
            ],
            counts,
            "{rows:?}"
        );
        assert_eq!(signal.status, status, "{rows:?}");
        assert_eq!(
            signal.reasons.contains(&Reason::UndatedRows),
            reason,
            "{rows:?}"
        );
        assert_eq!(metadata.integrity_checks, IntegrityChecks::default());
        assert_eq!(metadata.restores_completed, 0);
        // A device with either is none without any backup.
        let without = u64::from(metadata.scope.measured + metadata.scope.unmeasured == 0);
        assert_eq!(d.without_any_backup, without, "{rows:?}");
    }
}

/// An unmeasured device has no success in the worst reading, and one in the best.
#[test]
fn unmeasured_devices_hold_the_pass_back_and_hide_no_failure() {
    let undated = |device: u64| BackupFact {
        at: None,
        ..fact(device, 1000 + device.cast_signed(), Success)
    };
    // without success, all with activity, unmeasured -> status
    for (without, all, unmeasured, status, codes) in [
        (0, 10, 1, Status::Warning, "undated_rows unmeasured_devices"),
        (
            1,
            11,
            1,
            Status::Warning,
            "backups_failing latest_runs_failing undated_rows unmeasured_devices",
        ),
        // Twelve devices, two of them failing: a sixth in any reading.
        (
            2,
            10,
            2,
            Status::Fail,
            "backups_failing latest_runs_failing undated_rows unmeasured_devices",
        ),
        (
            0,
            2,
            3,
            Status::Unknown,
            "coverage_below_half undated_rows unmeasured_devices",
        ),
        (
            0,
            0,
            1,
            Status::Unknown,
            "coverage_below_half no_backup_activity undated_rows unmeasured_devices",
        ),
    ] {
        let rows = failing(without, all)
            .into_iter()
            .chain((all + 1..=all + unmeasured).map(undated));
        let (signal, metadata) = judge(&workstations(all + unmeasured), rows);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{without} {all} {unmeasured}"
        );
        assert_eq!(metadata.scope.unmeasured, unmeasured);
    }
}

/// Eleven of twelve servers are in no denominator: the pass says so.
#[test]
fn one_of_twelve_servers_backed_up() {
    let servers = fleet((1..=12).map(|key| device(key, DeviceClass::WindowsServer)));
    let (signal, metadata) = judge(&servers, [fact(1, 1, Success)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Pass, "devices_without_backup")
    );
    assert_eq!(metadata.devices.without_any_backup, 11);
    let (signal, _) = judge(
        &servers,
        (1..=12)
            .zip(1..)
            .map(|(device, id)| fact(device, id, Success)),
    );
    assert_eq!(reasons(&signal), "");
}

#[test]
fn what_the_denominator_hides_is_shown() {
    let devices = fleet([
        workstation(1),
        workstation(2),
        device(3, DeviceClass::LinuxServer),
        device(4, DeviceClass::Mobile),
        device(5, DeviceClass::Unknown),
        device(6, DeviceClass::Network),
        stale(7),
    ]);
    let (signal, metadata) = judge(&devices, [fact(1, 1, Success)]);
    assert_eq!(signal.status, Status::Pass);
    assert_eq!(metadata.devices.without_any_backup, 2);
    assert_eq!(metadata.scope.not_applicable, 5);
    assert_eq!(metadata.window_days, 7);
}

#[test]
fn no_activity_is_never_a_pass() {
    let table = [
        (fleet([]), "no_devices"),
        (fleet([not_approved(1)]), "no_devices"),
        (workstations(2), "devices_without_backup no_backup_activity"),
        (
            fleet([device(1, DeviceClass::Network)]),
            "no_backup_activity",
        ),
        (fleet([stale(1), stale(2)]), "fleet_dark no_backup_activity"),
        (
            fleet([stale(1), workstation(2)]),
            "coverage_below_half devices_without_backup no_backup_activity",
        ),
    ];
    for (fleet, codes) in table {
        let (signal, metadata) = judge(&fleet, [fact(1, 1, IntegrityPassed)]);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Unknown, codes)
        );
        assert_eq!(metadata.devices.with_activity, 0);
    }
}

#[test]
fn more_stale_devices_than_devices_with_activity_is_unknown() {
    let devices = |stale_ones: u64| {
        fleet(
            (1..=2)
                .map(workstation)
                .chain((10..10 + stale_ones).map(stale)),
        )
    };
    let good = || [fact(1, 1, Success), fact(2, 2, Success)];
    assert_eq!(judge(&devices(2), good()).0.status, Status::Pass);
    let (signal, _) = judge(&devices(3), good());
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Unknown, "coverage_below_half")
    );
    // What is shown to fail fails, whatever is missing.
    let bad = [fact(1, 1, Failure), fact(2, 2, Success)];
    let (signal, _) = judge(&devices(3), bad);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (
            Status::Fail,
            "backups_failing coverage_below_half latest_runs_failing"
        )
    );
}

#[test]
fn the_same_activity_twice_counts_once() {
    let facts = [fact(1, 1, IntegrityPassed), fact(1, 1, IntegrityPassed)];
    assert_eq!(judge(&workstations(1), facts).1.integrity_checks.passed, 1);
    // Two rows that contradict each other: the worse, whichever is newer, in either order.
    let order = [
        Failure,
        Cancelled,
        SuccessWithWarning,
        Success,
        IntegrityFailed,
        IntegrityPassed,
        RestoreCompleted,
    ];
    for (index, worse) in order.into_iter().enumerate() {
        for better in order.into_iter().skip(index + 1) {
            let (worse, better) = (fact(1, 1, worse), fact(1, 1, better));
            let expected = judge(&workstations(1), [worse]);
            for better in [better, at(NOW, better), at(days_ago(3), better)] {
                assert_eq!(judge(&workstations(1), [worse, better]), expected);
                assert_eq!(judge(&workstations(1), [better, worse]), expected);
            }
        }
    }
    // Of two that say the same the later.
    let (early, late) = (fact(1, 1, Failure), at(NOW, fact(1, 1, Failure)));
    let run = |rows: [BackupFact; 2]| {
        let between = at(days_ago(1) + Duration::HOUR, fact(1, 2, Success));
        judge(&workstations(1), rows.into_iter().chain([between])).1
    };
    for rows in [[early, late], [late, early]] {
        assert_eq!(run(rows).devices.latest_run_failed, 1);
    }
    assert_eq!(run([early, early]).devices.latest_run_failed, 0);
}

#[test]
fn a_report_that_failed_judges_nothing_by_its_rows() {
    for (report, code, complete) in [
        (ReportState::failed(), Reason::ReportFailed, false),
        (ReportState::not_available(), Reason::NotAvailable, true),
    ] {
        let (signal, metadata) =
            finished(evaluator(&workstations(1), [fact(1, 1, Failure)]).finish(report));
        assert_eq!(signal.status, Status::Unknown);
        assert!(signal.reasons.contains(&code));
        assert_eq!(signal.complete, complete);
        assert_eq!(metadata.devices.with_activity, 0);
    }
}

#[test]
fn evaluators_of_one_fleet_merge_and_others_do_not() {
    let devices = workstations(2);
    let mut first = evaluator(&devices, [fact(1, 1, Success)]);
    first
        .merge(evaluator(&devices, [fact(2, 2, Failure)]))
        .unwrap();
    let (signal, metadata) = finished(first.clone().finish(ANSWERED));
    assert_eq!(signal.status, Status::Fail);
    assert_eq!(metadata.devices.with_activity, 2);
    let before = first.clone().finish(ANSWERED);
    let foreign = evaluator(&workstations(3), [fact(1, 9, Failure)]);
    assert_eq!(first.merge(foreign), Err(OtherFleet));
    assert_eq!(first.finish(ANSWERED), before);
}

#[test]
fn stricter_thresholds_hold_the_verdict_back() {
    let judge_with = |percent, failing_devices| {
        let rules = Rules::default().with_backup_fail_percent(percent).unwrap();
        let mut devices = Fleet::builder(NOW).rules(rules);
        for key in 1..=100 {
            devices.observe(workstation(key));
        }
        judge(&devices.build(), failing(failing_devices, 100))
            .0
            .status
    };
    let judge = |percent| judge_with(percent, 5);
    assert_eq!(judge(10), Status::Warning);
    assert_eq!(judge(6), Status::Warning);
    assert_eq!(judge(5), Status::Fail);
    assert_eq!(judge(0), Status::Fail);
    assert_eq!(judge_with(0, 0), Status::Pass, "nothing failed");
}

#[test]
fn the_digest_covers_every_fact_the_verdict_reads() {
    let key = digest_key();
    let devices = workstations(2);
    let digest = |facts: &[BackupFact], report| {
        let backups = evaluator(&devices, facts.iter().copied());
        let (signal, digest) = backups.clone().finish_with_digest(report, &key);
        assert_eq!(signal, backups.finish(report));
        digest.hmac_sha256.to_string()
    };
    let base = [fact(1, 1, Success), fact(2, 2, Failure)];
    let expected = digest(&base, ANSWERED);
    assert_eq!(digest(&[base[1], base[0], base[1]], ANSWERED), expected);
    let others = [
        digest(&base[..1], ANSWERED),
        digest(&[fact(2, 1, Success), base[1]], ANSWERED),
        digest(&[fact(1, 3, Success), base[1]], ANSWERED),
        digest(&[fact(1, -1, Success), base[1]], ANSWERED),
        digest(&[fact(1, 1, Cancelled), base[1]], ANSWERED),
        digest(&[at(NOW, base[0]), base[1]], ANSWERED),
        digest(
            &[
                BackupFact {
                    at: None,
                    ..base[0]
                },
                base[1],
            ],
            ANSWERED,
        ),
        digest(
            &[
                base[0],
                BackupFact {
                    at: None,
                    ..base[1]
                },
            ],
            ANSWERED,
        ),
        digest(&[base[0], at(NOW, base[1])], ANSWERED),
        digest(&base, ReportState::with_malformed_rows()),
        digest(&base, ReportState::failed()),
    ];
    let mut all: BTreeSet<_> = others.iter().cloned().collect();
    all.insert(expected);
    assert_eq!(
        all.len(),
        others.len() + 1,
        "two different states share a digest"
    );
}

#[test]
fn an_activity_is_not_traceable_through_debug_output() {
    assert_eq!(format!("{:?}", ActivityKey::new(4711)), "ActivityKey(..)");
}

/// Ten devices back up, eleven have been silent for forty days: to keep the silent ones for longer must not hide them.
#[test]
fn silent_devices_that_are_kept_for_longer_still_count_against_coverage() {
    let judge_by = |rules: Rules| judge(&partly_silent(rules, 10, 11), failing(0, 10));
    let kept = Rules::default()
        .with_stale_after(Duration::days(60))
        .unwrap();
    for rules in [Rules::default(), kept] {
        let (signal, metadata) = judge_by(rules);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Unknown, "coverage_below_half"),
            "{rules:?}"
        );
        assert_eq!(metadata.scope.stale, 11);
        assert_eq!(metadata.devices.without_any_backup, 0);
    }
}

/// A success that a device reports after forty days of silence proves no more when the device is kept for longer.
#[test]
fn activity_of_a_silent_device_counts_for_nothing_however_long_it_is_kept() {
    let kept = Rules::default()
        .with_stale_after(Duration::days(60))
        .unwrap();
    let mut devices = Fleet::builder(NOW).rules(kept);
    devices.observe(DeviceFact {
        last_contact: Some(days_ago(40)),
        ..workstation(1)
    });
    let mut backups = BackupActivity::new(devices.build());
    assert_eq!(backups.observe(fact(1, 1, Success)), RowFate::Stale);
    let (signal, metadata) = finished(backups.finish(ANSWERED));
    assert_eq!(signal.status, Status::Unknown);
    assert_eq!((metadata.scope.measured, metadata.scope.stale), (0, 1));
}

/// One activity that two rows tell differently: which of them is true nobody can tell, and when it was neither.
#[test]
fn of_one_activity_the_worse_row_counts_at_the_latest_time_in_the_window() {
    let row = |event, time: Option<OffsetDateTime>| BackupFact {
        at: time,
        ..fact(1, 1, event)
    };
    let (yesterday, gone, undated) = (Some(days_ago(1)), Some(days_ago(8)), None);
    // The other device passes, so that one that leaves the denominator would make a pass.
    let table = [
        (
            [row(Success, yesterday), row(Failure, gone)],
            Status::Fail,
            "backups_failing latest_runs_failing",
        ),
        (
            [row(Success, undated), row(Failure, gone)],
            Status::Fail,
            "backups_failing latest_runs_failing undated_rows",
        ),
        (
            [row(Success, yesterday), row(Failure, undated)],
            Status::Fail,
            "backups_failing latest_runs_failing undated_rows",
        ),
        (
            [row(Success, undated), row(Failure, yesterday)],
            Status::Fail,
            "backups_failing latest_runs_failing",
        ),
        (
            [row(Success, yesterday), row(Cancelled, gone)],
            Status::Fail,
            "backups_failing",
        ),
        (
            [row(Success, yesterday), row(SuccessWithWarning, gone)],
            Status::Warning,
            "warnings_only",
        ),
        (
            [row(Success, undated), row(Cancelled, gone)],
            Status::Warning,
            "undated_rows unmeasured_devices",
        ),
        (
            [row(Success, yesterday), row(Success, gone)],
            Status::Pass,
            "",
        ),
        (
            [row(Success, gone), row(Failure, gone)],
            Status::Pass,
            "devices_without_backup",
        ),
    ];
    for (rows, status, codes) in table {
        for rows in [rows, [rows[1], rows[0]]] {
            let (signal, _) = judge(
                &workstations(2),
                rows.into_iter().chain([fact(2, 2, Success)]),
            );
            assert_eq!(
                (signal.status, reasons(&signal).as_str()),
                (status, codes),
                "{rows:?}"
            );
        }
    }
    let checks = [
        row(IntegrityPassed, yesterday),
        row(IntegrityFailed, undated),
    ];
    let (_, metadata) = judge(&workstations(1), checks);
    assert_eq!(
        metadata.integrity_checks,
        IntegrityChecks {
            passed: 0,
            failed: 1
        }
    );
}

/// Nobody can tell which of two devices an activity is of that names both: neither loses what the other gains.
#[test]
fn an_activity_that_names_two_devices_is_of_both_and_on_both_as_bad_as_its_worst_row() {
    let undated = |row| BackupFact { at: None, ..row };
    // rows -> with activity, without success, unmeasured, latest run failed
    for (rows, expected) in [
        ([fact(1, 1, Success), fact(2, 1, Success)], [2, 0, 0, 0]),
        ([fact(1, 1, Success), fact(2, 1, Failure)], [2, 2, 0, 2]),
        ([fact(1, 1, Failure), fact(2, 1, Success)], [2, 2, 0, 2]),
        ([fact(1, 1, Success), fact(2, 1, Cancelled)], [2, 2, 0, 0]),
        (
            [fact(1, 1, Cancelled), fact(2, 1, IntegrityPassed)],
            [1, 1, 0, 0],
        ),
        (
            [fact(1, 1, Success), undated(fact(2, 1, Success))],
            [1, 0, 1, 0],
        ),
        (
            [fact(1, 1, Failure), undated(fact(2, 1, Success))],
            [2, 2, 0, 2],
        ),
        (
            [fact(1, 1, Success), undated(fact(2, 1, Failure))],
            [2, 2, 0, 2],
        ),
    ] {
        for rows in [rows, [rows[1], rows[0]]] {
            let (signal, metadata) = judge(&workstations(2), rows);
            let own = metadata.devices;
            let scope = metadata.scope;
            let counts = [
                own.with_activity,
                own.without_success,
                scope.unmeasured,
                own.latest_run_failed,
            ];
            assert_eq!(counts, expected, "{signal:?}");
        }
    }
}

/// Two of three computers are silent, and of one of them the contact is lost: it may be no less silent than before.
#[test]
fn a_computer_without_activity_whose_contact_is_not_known_stays_in_the_coverage() {
    let silent = |key, last_contact| DeviceFact {
        last_contact,
        ..workstation(key)
    };
    let gone = Some(days_ago(31));
    let phone = DeviceFact {
        class: DeviceClass::Mobile,
        ..silent(4, None)
    };
    // The contact of the second computer, what is counted as stale, whether it passes, without any backup
    for (contact, stale, status, without) in [
        (gone, 2, Status::Unknown, 0),
        (None, 2, Status::Unknown, 1),
        (Some(NOW), 1, Status::Pass, 1),
    ] {
        let devices = [workstation(1), silent(2, contact), silent(3, gone), phone];
        let (signal, metadata) = judge(&fleet(devices), [fact(1, 1, Success)]);
        assert_eq!(signal.status, status, "{contact:?}");
        assert_eq!(metadata.scope.stale, stale, "{contact:?}");
        assert_eq!(metadata.devices.without_any_backup, without, "{contact:?}");
    }
}

/// A completed run whose result cannot be read is neither: on the other device too, which would have failed with it.
#[test]
fn a_run_of_which_nobody_knows_how_it_ended_leaves_no_success_of_its_number_on_another_device() {
    let others = [
        fact(1, 1, Success),
        fact(2, 1, SuccessWithWarning),
        fact(2, 2, Success),
        fact(3, 3, Success),
    ];
    for event in [Failure, Cancelled] {
        let rows = others.into_iter().chain([fact(1, 2, event)]);
        let (signal, metadata) = judge(&workstations(3), rows);
        assert_eq!(signal.status, Status::Warning, "{event:?}");
        assert_eq!(metadata.devices.warnings_only, 2, "{event:?}");
    }
}

/// Every choice of up to three rows, and every choice of them with its time made unreadable: without chance.
#[test]
fn no_activity_whose_time_is_lost_makes_a_pass() {
    let mut choices = Vec::new();
    for (device, activity) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        for event in [Success, Cancelled, Failure, IntegrityPassed] {
            choices.extend([0, 3, 8].map(|days| at(days_ago(days), fact(device, activity, event))));
        }
    }
    let fleet = workstations(2);
    let undated = |row| BackupFact { at: None, ..row };
    let status = |rows: &[BackupFact]| judge(&fleet, rows.iter().copied()).0.status;
    for rows in up_to_three(&choices) {
        if status(&rows) == Status::Pass {
            continue;
        }
        for damaged in each_changed(&rows, undated) {
            assert_ne!(status(&damaged), Status::Pass, "{rows:?} {damaged:?}");
        }
    }
}
