use InstallOutcome::{Failed, Installed};
use time::Duration;

use super::*;
use crate::fixture::{
    NOW, days_ago, device, digest_key, fleet, not_approved, partly_silent, reasons, stale,
    workstation, workstations,
};

const ANSWERED: ReportState = ReportState::answered();

fn pending(device: u64, patch: u128, severity: PatchSeverity) -> PendingFact {
    PendingFact {
        device: DeviceKey::new(device),
        kind: PatchKind::Os,
        patch: PatchKey::new(patch),
        definition_update: false,
        severity,
        rejected: false,
        collected_at: Some(days_ago(1)),
    }
}

fn critical(device: u64, patch: u128) -> PendingFact {
    pending(device, patch, PatchSeverity::Critical)
}

fn attempt(device: u64, patch: u128, outcome: InstallOutcome) -> AttemptFact {
    AttemptFact {
        device: DeviceKey::new(device),
        kind: PatchKind::Os,
        patch: PatchKey::new(patch),
        definition_update: false,
        outcome,
        installed_at: Some(days_ago(2)),
        collected_at: Some(days_ago(1)),
    }
}

fn installed(device: u64, patch: u128) -> AttemptFact {
    attempt(device, patch, Installed)
}

fn failed(device: u64, patch: u128) -> AttemptFact {
    attempt(device, patch, Failed)
}

/// Rows that say nothing but that every device was scanned for both kinds.
fn scanned(fleet: &Arc<Fleet>) -> PatchSla {
    let mut patches = PatchSla::new(Arc::clone(fleet));
    for (device, _) in fleet.live_endpoints() {
        for kind in [PatchKind::Os, PatchKind::Software] {
            let _ = patches.observe_scan(device, kind, Some(NOW));
        }
    }
    patches
}

fn finished(signal: Signal) -> (Signal, PatchSlaMetadata) {
    let Metadata::PatchSla(metadata) = signal.metadata else {
        panic!("{signal:?}")
    };
    (signal, metadata)
}

#[derive(Clone, Copy, Debug)]
enum Row {
    Pending(PendingFact),
    Attempt(AttemptFact),
}

fn observe(patches: &mut PatchSla, rows: &[Row]) {
    for row in rows {
        let _ = match *row {
            Row::Pending(fact) => patches.observe_pending(fact),
            Row::Attempt(fact) => patches.observe_attempt(fact),
        };
    }
}

/// One scanned device and these rows.
fn judge(rows: &[Row]) -> (Signal, PatchSlaMetadata) {
    let mut patches = scanned(&workstations(1));
    observe(&mut patches, rows);
    finished(patches.finish(ANSWERED, ANSWERED))
}

#[test]
fn up_to_five_missing_warn_and_six_fail() {
    let table = [
        (0, Status::Pass, ""),
        (1, Status::Warning, "patches_missing"),
        (5, Status::Warning, "patches_missing"),
        (6, Status::Fail, "patches_missing"),
        (60, Status::Fail, "patches_missing"),
    ];
    for (missing, status, codes) in table {
        for severity in [PatchSeverity::Critical, PatchSeverity::Important] {
            let rows: Vec<_> = (0..missing)
                .map(|patch| Row::Pending(pending(1, patch, severity)))
                .collect();
            let (signal, metadata) = judge(&rows);
            assert_eq!(
                (signal.status, reasons(&signal).as_str()),
                (status, codes),
                "{missing}"
            );
            let missing = u64::try_from(missing).unwrap();
            let expected = if severity == PatchSeverity::Critical {
                (missing, 0)
            } else {
                (0, missing)
            };
            assert_eq!(
                (metadata.os.missing_critical, metadata.os.missing_important),
                expected
            );
            assert_eq!(metadata.devices_with_missing, u64::from(missing > 0));
        }
    }
}

#[test]
fn missing_sums_both_kinds_and_all_devices() {
    let fleet = workstations(3);
    let mut patches = scanned(&fleet);
    for device in 1..=3 {
        let _ = patches.observe_pending(critical(device, 1));
        let _ = patches.observe_pending(PendingFact {
            kind: PatchKind::Software,
            severity: PatchSeverity::Important,
            ..critical(device, 1)
        });
    }
    let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
    assert_eq!(signal.status, Status::Fail);
    assert_eq!(metadata.os.missing_critical, 3);
    assert_eq!(metadata.software.missing_important, 3);
    assert_eq!(metadata.devices_with_missing, 3);
}

#[test]
fn what_a_pending_row_is() {
    let fact = critical(1, 1);
    // severity, rejected -> critical, important, rejected, severity unknown; status
    let table = [
        (
            PatchSeverity::Critical,
            false,
            [1, 0, 0, 0],
            Status::Warning,
        ),
        (
            PatchSeverity::Important,
            false,
            [0, 1, 0, 0],
            Status::Warning,
        ),
        (PatchSeverity::Low, false, [0, 0, 0, 0], Status::Pass),
        (PatchSeverity::Unknown, false, [0, 0, 0, 1], Status::Warning),
        (PatchSeverity::Critical, true, [0, 0, 1, 0], Status::Pass),
        (PatchSeverity::Important, true, [0, 0, 1, 0], Status::Pass),
        (PatchSeverity::Low, true, [0, 0, 0, 0], Status::Pass),
        (PatchSeverity::Unknown, true, [0, 0, 0, 0], Status::Pass),
    ];
    for (severity, rejected, counts, status) in table {
        let fact = PendingFact {
            severity,
            rejected,
            ..fact
        };
        let (signal, metadata) = judge(&[Row::Pending(fact)]);
        let os = metadata.os;
        assert_eq!(
            [
                os.missing_critical,
                os.missing_important,
                os.rejected,
                os.severity_unknown
            ],
            counts,
            "{severity:?} {rejected}"
        );
        assert_eq!(signal.status, status, "{severity:?} {rejected}");
        assert_eq!(
            signal.reasons.contains(&Reason::SeverityUnknown),
            os.severity_unknown > 0
        );
        assert_eq!(
            metadata.devices_with_missing,
            os.missing_critical + os.missing_important
        );
    }
}

#[test]
fn of_two_pending_rows_the_newest_wins_and_at_a_tie_the_worse() {
    // From worse to better.
    let order = [
        critical(1, 1),
        pending(1, 1, PatchSeverity::Important),
        pending(1, 1, PatchSeverity::Unknown),
        PendingFact {
            rejected: true,
            ..critical(1, 1)
        },
        pending(1, 1, PatchSeverity::Low),
    ]
    .map(Row::Pending);
    for (index, worse) in order.iter().enumerate() {
        for better in &order[index..] {
            let expected = judge(&[*worse]);
            assert_eq!(judge(&[*worse, *better]), expected);
            assert_eq!(judge(&[*better, *worse]), expected);
            let Row::Pending(fact) = *better else {
                unreachable!()
            };
            let newer = Row::Pending(PendingFact {
                collected_at: Some(NOW),
                ..fact
            });
            let expected = judge(&[newer]);
            assert_eq!(judge(&[*worse, newer]), expected);
            assert_eq!(judge(&[newer, *worse]), expected);
        }
    }
}

#[test]
fn of_two_attempts_the_latest_wins_and_at_equal_times_the_failure() {
    let later = |fact: AttemptFact| AttemptFact {
        installed_at: Some(days_ago(1)),
        ..fact
    };
    let table: [(&[AttemptFact], Status); 6] = [
        (&[failed(1, 1)], Status::Fail),
        (&[installed(1, 1)], Status::Pass),
        (&[failed(1, 1), installed(1, 1)], Status::Fail),
        (&[failed(1, 1), later(installed(1, 1))], Status::Pass),
        (&[installed(1, 1), later(failed(1, 1))], Status::Fail),
        // Another patch, another device: each on its own.
        (&[failed(1, 1), later(installed(1, 2))], Status::Fail),
    ];
    for (facts, status) in table {
        let rows: Vec<_> = facts.iter().copied().map(Row::Attempt).collect();
        let (signal, metadata) = judge(&rows);
        assert_eq!(signal.status, status, "{facts:?}");
        let failures = u64::from(status == Status::Fail);
        assert_eq!(
            (metadata.os.failed_installs, metadata.devices_with_failed),
            (failures, failures)
        );
        assert_eq!(
            signal.reasons.contains(&Reason::InstallsFailed),
            failures > 0
        );
        let reversed: Vec<_> = rows.iter().rev().copied().collect();
        assert_eq!(judge(&reversed).0, signal, "{facts:?}");
    }
}

#[test]
fn an_attempt_counts_at_its_own_time() {
    let nano = Duration::NANOSECOND;
    let own = |installed_at, outcome| AttemptFact {
        installed_at,
        collected_at: Some(days_ago(3)),
        ..attempt(1, 1, outcome)
    };
    let table = [
        (own(Some(days_ago(45)), Failed), RowFate::Used),
        (own(Some(days_ago(45) - nano), Failed), RowFate::Stale),
        (own(Some(days_ago(45)), Installed), RowFate::Used),
        (own(Some(days_ago(45) - nano), Installed), RowFate::Stale),
        // A failure without a time of its own counts when its row was collected, or now.
        (own(None, Failed), RowFate::Used),
        (
            AttemptFact {
                collected_at: Some(days_ago(45)),
                ..own(None, Failed)
            },
            RowFate::Used,
        ),
        (
            AttemptFact {
                collected_at: Some(days_ago(46)),
                ..own(None, Failed)
            },
            RowFate::Stale,
        ),
        (
            AttemptFact {
                collected_at: None,
                ..own(None, Failed)
            },
            RowFate::Used,
        ),
        // A time far ahead is none.
        (own(Some(NOW + Duration::hours(1)), Failed), RowFate::Used),
        (
            own(Some(NOW + Duration::hours(1)), Installed),
            RowFate::Unreadable,
        ),
        // A success without a time proves nothing.
        (own(None, Installed), RowFate::Unreadable),
    ];
    for (fact, fate) in table {
        let mut patches = PatchSla::new(workstations(1));
        assert_eq!(patches.observe_attempt(fact), fate, "{fact:?}");
        let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        let used = u64::from(fate == RowFate::Used);
        assert_eq!(metadata.os.devices_measured, used, "{fact:?}");
        let failures = if fact.outcome == Failed { used } else { 0 };
        assert_eq!(metadata.os.failed_installs, failures, "{fact:?}");
        assert_eq!(signal.status == Status::Fail, failures > 0, "{fact:?}");
    }
}

#[test]
fn a_failure_without_any_time_is_the_latest() {
    let timeless = AttemptFact {
        installed_at: None,
        collected_at: None,
        ..failed(1, 1)
    };
    let success = AttemptFact {
        installed_at: Some(NOW - Duration::NANOSECOND),
        ..installed(1, 1)
    };
    let (signal, _) = judge(&[Row::Attempt(timeless), Row::Attempt(success)]);
    assert_eq!(signal.status, Status::Fail);
    // One with a collection time is not.
    let collected = AttemptFact {
        collected_at: Some(days_ago(1)),
        ..timeless
    };
    let (signal, _) = judge(&[Row::Attempt(collected), Row::Attempt(success)]);
    assert_eq!(signal.status, Status::Pass);
}

#[test]
fn only_a_strictly_newer_success_settles_a_pending_patch() {
    let collected = days_ago(1);
    let nano = Duration::NANOSECOND;
    // time of the attempt, outcome -> missing
    let table = [
        (Some(collected + nano), Installed, 0),
        (Some(collected), Installed, 1),
        (Some(collected - nano), Installed, 1),
        (None, Installed, 1),
        (Some(collected + nano), Failed, 1),
    ];
    for (installed_at, outcome, missing) in table {
        let attempt = AttemptFact {
            installed_at,
            ..attempt(1, 1, outcome)
        };
        let (_, metadata) = judge(&[Row::Pending(critical(1, 1)), Row::Attempt(attempt)]);
        assert_eq!(
            metadata.os.missing_critical, missing,
            "{installed_at:?} {outcome:?}"
        );
    }
    // It settles what was rejected or unclear too, and nothing of another patch, kind or device.
    let success = AttemptFact {
        installed_at: Some(NOW),
        ..installed(1, 1)
    };
    for fact in [
        PendingFact {
            rejected: true,
            ..critical(1, 1)
        },
        pending(1, 1, PatchSeverity::Unknown),
    ] {
        let (signal, metadata) = judge(&[Row::Pending(fact), Row::Attempt(success)]);
        assert_eq!(signal.status, Status::Pass);
        assert_eq!((metadata.os.rejected, metadata.os.severity_unknown), (0, 0));
    }
    for other in [
        AttemptFact {
            patch: PatchKey::new(2),
            ..success
        },
        AttemptFact {
            kind: PatchKind::Software,
            ..success
        },
        AttemptFact {
            device: DeviceKey::new(2),
            ..success
        },
    ] {
        let mut patches = scanned(&workstations(2));
        observe(
            &mut patches,
            &[Row::Pending(critical(1, 1)), Row::Attempt(other)],
        );
        let (_, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(metadata.os.missing_critical, 1, "{other:?}");
    }
}

#[test]
fn definition_updates_count_for_nothing_and_prove_a_scan() {
    let missing = PendingFact {
        definition_update: true,
        ..critical(1, 1)
    };
    let failure = AttemptFact {
        definition_update: true,
        ..failed(1, 2)
    };
    for row in [Row::Pending(missing), Row::Attempt(failure)] {
        let mut patches = PatchSla::new(workstations(1));
        observe(&mut patches, &[row]);
        let software = patches.observe_scan(DeviceKey::new(1), PatchKind::Software, Some(NOW));
        assert_eq!(software, RowFate::Used);
        let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Pass, ""),
            "{row:?}"
        );
        assert_eq!(
            metadata.os,
            PatchCounts {
                devices_measured: 1,
                ..PatchCounts::default()
            }
        );
    }
}

#[test]
fn an_empty_list_is_no_proof() {
    let (signal, metadata) = finished(PatchSla::new(workstations(1)).finish(ANSWERED, ANSWERED));
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (
            Status::Unknown,
            "coverage_below_half no_patch_data unmeasured_devices"
        )
    );
    assert_eq!(metadata.scope.unmeasured, 1);
}

#[test]
fn a_kind_that_was_never_seen_is_never_a_pass() {
    for (seen, unseen) in [
        (PatchKind::Os, PatchKind::Software),
        (PatchKind::Software, PatchKind::Os),
    ] {
        let mut patches = PatchSla::new(workstations(1));
        let _ = patches.observe_scan(DeviceKey::new(1), seen, Some(NOW));
        let (signal, metadata) = finished(patches.clone().finish(ANSWERED, ANSWERED));
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Warning, "no_patch_data")
        );
        assert_eq!(metadata.scope.measured, 1);
        let _ = patches.observe_scan(DeviceKey::new(1), unseen, Some(NOW));
        let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Pass, "")
        );
        assert_eq!(
            (
                metadata.os.devices_measured,
                metadata.software.devices_measured
            ),
            (1, 1)
        );
    }
}

#[test]
fn a_device_without_any_row_holds_the_pass_back() {
    let mut patches = scanned(&workstations(1));
    patches.fleet = workstations(2);
    let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Warning, "unmeasured_devices")
    );
    assert_eq!((metadata.scope.measured, metadata.scope.unmeasured), (1, 1));
}

#[test]
fn who_is_not_there_not_awake_not_in_scope() {
    let table = [
        (fleet([not_approved(1)]), Status::Unknown, "no_devices"),
        (fleet([stale(1)]), Status::Unknown, "fleet_dark"),
        (
            fleet([device(1, DeviceClass::Mobile)]),
            Status::NotApplicable,
            "",
        ),
        (
            fleet([device(1, DeviceClass::Unknown)]),
            Status::Unknown,
            "coverage_below_half no_patch_data unknown_node_class unmeasured_devices",
        ),
    ];
    for (fleet, status, codes) in table {
        let signal = PatchSla::new(fleet).finish(ANSWERED, ANSWERED);
        assert_eq!((signal.status, reasons(&signal).as_str()), (status, codes));
    }
    let known_by_its_rows = scanned(&fleet([device(1, DeviceClass::Unknown)]));
    let signal = known_by_its_rows.finish(ANSWERED, ANSWERED);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Pass, "")
    );
}

#[test]
fn rows_that_are_not_used_say_why() {
    let devices = fleet([
        workstation(1),
        stale(2),
        not_approved(3),
        device(4, DeviceClass::Network),
    ]);
    let mut patches = PatchSla::new(devices);
    for (key, fate) in [
        (1, RowFate::Used),
        (2, RowFate::NotJudged),
        (3, RowFate::NotJudged),
        (4, RowFate::NotJudged),
        (5, RowFate::UnknownDevice),
    ] {
        assert_eq!(patches.observe_pending(critical(key, 1)), fate, "{key}");
        assert_eq!(patches.observe_attempt(failed(key, 1)), fate, "{key}");
        let scan = patches.observe_scan(DeviceKey::new(key), PatchKind::Os, Some(NOW));
        assert_eq!(scan, fate, "{key}");
    }
    for (time, fate) in [
        (Some(days_ago(30)), RowFate::Used),
        (Some(days_ago(31)), RowFate::Stale),
        (Some(NOW + Duration::hours(1)), RowFate::Unreadable),
        (None, RowFate::Unreadable),
    ] {
        let fact = PendingFact {
            collected_at: time,
            ..critical(1, 1)
        };
        let mut patches = PatchSla::new(workstations(1));
        assert_eq!(patches.observe_pending(fact), fate, "{time:?}");
        assert_eq!(
            patches.scanned.len(),
            usize::from(fate == RowFate::Used),
            "{time:?}"
        );
        let mut patches = PatchSla::new(workstations(1));
        let scan = patches.observe_scan(DeviceKey::new(1), PatchKind::Os, time);
        assert_eq!(scan, fate, "{time:?}");
        assert_eq!(
            patches.scanned.len(),
            usize::from(fate == RowFate::Used),
            "{time:?}"
        );
    }
}

#[test]
fn a_severity_that_cannot_be_read_holds_the_signal_at_warning() {
    let rows: Vec<_> = (0..100)
        .map(|patch| Row::Pending(pending(1, patch, PatchSeverity::Unknown)))
        .collect();
    let (signal, metadata) = judge(&rows);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Warning, "severity_unknown")
    );
    assert_eq!(metadata.os.severity_unknown, 100);
    assert_eq!(metadata.devices_with_missing, 0);
}

#[test]
fn when_one_kind_failed_the_other_may_still_show_a_failure() {
    let software = |fact: AttemptFact| AttemptFact {
        kind: PatchKind::Software,
        ..fact
    };
    let down = [
        (ReportState::failed(), Reason::ReportFailed, false),
        (ReportState::not_available(), Reason::NotAvailable, true),
    ];
    for (report, code, complete) in down {
        // What the failed kind's rows say counts for nothing, in either direction.
        let mut patches = scanned(&workstations(1));
        observe(&mut patches, &[Row::Attempt(failed(1, 1))]);
        let (signal, metadata) = finished(patches.clone().finish(report, ANSWERED));
        assert_eq!(signal.status, Status::Unknown);
        assert!(signal.reasons.contains(&code));
        assert!(signal.reasons.contains(&Reason::NoPatchData));
        assert!(!signal.reasons.contains(&Reason::InstallsFailed));
        assert_eq!(signal.complete, complete);
        assert_eq!(metadata.os, PatchCounts::default());
        assert_eq!(metadata.devices_with_failed, 0);

        // The other kind's failure stands.
        let (signal, _) = finished(patches.finish(ANSWERED, report));
        assert_eq!(signal.status, Status::Fail);
        assert!(signal.reasons.contains(&code));
        let mut patches = scanned(&workstations(1));
        observe(&mut patches, &[Row::Attempt(software(failed(1, 1)))]);
        assert_eq!(
            patches.clone().finish(report, ANSWERED).status,
            Status::Fail
        );
        assert_eq!(
            patches.clone().finish(ANSWERED, report).status,
            Status::Unknown
        );
        assert_eq!(patches.finish(report, report).status, Status::Unknown);
    }
}

#[test]
fn malformed_rows_of_either_kind_hold_the_pass_back() {
    let broken = ReportState::with_malformed_rows();
    for (os, software) in [(broken, ANSWERED), (ANSWERED, broken)] {
        let signal = scanned(&workstations(1)).finish(os, software);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Warning, "malformed_rows")
        );
        assert!(!signal.complete);
    }
}

#[test]
fn evaluators_of_one_fleet_merge_and_others_do_not() {
    let devices = workstations(2);
    let mut first = PatchSla::new(Arc::clone(&devices));
    observe(&mut first, &[Row::Pending(critical(1, 1))]);
    let mut second = PatchSla::new(Arc::clone(&devices));
    let success = AttemptFact {
        installed_at: Some(NOW),
        ..installed(1, 1)
    };
    observe(
        &mut second,
        &[Row::Attempt(success), Row::Attempt(failed(2, 2))],
    );
    first.merge(second).unwrap();
    let (_, metadata) = finished(first.clone().finish(ANSWERED, ANSWERED));
    assert_eq!(
        (metadata.os.missing_critical, metadata.os.failed_installs),
        (0, 1)
    );
    assert_eq!(metadata.os.devices_measured, 2);

    let before = first.clone().finish(ANSWERED, ANSWERED);
    assert_eq!(first.merge(scanned(&workstations(3))), Err(OtherFleet));
    assert_eq!(first.finish(ANSWERED, ANSWERED), before);
}

#[test]
fn stricter_thresholds_hold_the_verdict_back() {
    let judge = |missing: u128, fail_from| {
        let rules = Rules::default().with_patches_fail_from(fail_from).unwrap();
        let mut devices = Fleet::builder(NOW).rules(rules);
        devices.observe(workstation(1));
        let mut patches = scanned(&devices.build());
        for patch in 0..missing {
            let _ = patches.observe_pending(critical(1, patch));
        }
        patches.finish(ANSWERED, ANSWERED).status
    };
    assert_eq!(judge(2, 6), Status::Warning);
    assert_eq!(judge(2, 3), Status::Warning);
    assert_eq!(judge(3, 3), Status::Fail);
    assert_eq!(judge(1, 1), Status::Fail);
    assert_eq!(judge(0, 1), Status::Pass);
}

#[test]
fn the_digest_covers_every_fact_the_verdict_reads() {
    let key = digest_key();
    let devices = workstations(2);
    let digest = |rows: &[Row], scans: &[(u64, PatchKind)], os, software| {
        let mut patches = PatchSla::new(Arc::clone(&devices));
        observe(&mut patches, rows);
        for (device, kind) in scans {
            let _ = patches.observe_scan(DeviceKey::new(*device), *kind, Some(NOW));
        }
        let (signal, digest) = patches.clone().finish_with_digest(os, software, &key);
        assert_eq!(signal, patches.finish(os, software));
        digest.hmac_sha256.to_string()
    };
    let (a, b) = (Row::Pending(critical(1, 1)), Row::Attempt(installed(2, 2)));
    let scans = [(1, PatchKind::Software)];
    let expected = digest(&[a, b], &scans, ANSWERED, ANSWERED);
    assert_eq!(
        digest(&[b, a, b], &[scans[0], scans[0]], ANSWERED, ANSWERED),
        expected
    );

    let broken = ReportState::with_malformed_rows();
    let waiting = |fact| digest(&[Row::Pending(fact), b], &scans, ANSWERED, ANSWERED);
    let attempt = |fact| digest(&[a, Row::Attempt(fact)], &scans, ANSWERED, ANSWERED);
    let others = [
        waiting(critical(2, 1)),
        waiting(critical(1, 3)),
        waiting(PendingFact {
            kind: PatchKind::Software,
            ..critical(1, 1)
        }),
        waiting(PendingFact {
            collected_at: Some(NOW),
            ..critical(1, 1)
        }),
        waiting(PendingFact {
            rejected: true,
            ..critical(1, 1)
        }),
        waiting(pending(1, 1, PatchSeverity::Important)),
        waiting(pending(1, 1, PatchSeverity::Low)),
        attempt(failed(2, 2)),
        attempt(AttemptFact {
            installed_at: Some(NOW),
            ..installed(2, 2)
        }),
        digest(&[a], &scans, ANSWERED, ANSWERED),
        digest(&[a, b], &[], ANSWERED, ANSWERED),
        digest(&[a, b], &[(2, PatchKind::Software)], ANSWERED, ANSWERED),
        digest(&[a, b], &scans, broken, ANSWERED),
        digest(&[a, b], &scans, ANSWERED, broken),
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
fn a_patch_is_not_traceable_through_debug_output() {
    assert_eq!(format!("{:?}", PatchKey::new(4711)), "PatchKey(..)");
}

/// A device that has been silent for forty days and installed something before: kept for longer it is unmeasured, and its old
/// attempts prove nothing.
#[test]
fn an_old_attempt_of_a_silent_device_measures_nothing_however_long_the_device_is_kept() {
    let judge_by = |rules: Rules| {
        let mut patches = PatchSla::new(partly_silent(rules, 10, 11));
        let mut silent = Vec::new();
        for key in 1..=21 {
            for kind in [PatchKind::Os, PatchKind::Software] {
                let fate = patches.observe_attempt(AttemptFact {
                    kind,
                    installed_at: Some(days_ago(41)),
                    ..installed(key, 1)
                });
                if key > 10 {
                    silent.push(fate);
                }
            }
        }
        (finished(patches.finish(ANSWERED, ANSWERED)), silent)
    };
    let ((signal, metadata), fates) = judge_by(Rules::default());
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Unknown, "coverage_below_half")
    );
    assert_eq!(metadata.scope.stale, 11);
    assert!(fates.iter().all(|fate| *fate == RowFate::NotJudged));

    let kept = Rules::default()
        .with_stale_after(Duration::days(60))
        .unwrap();
    let ((signal, metadata), fates) = judge_by(kept);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Unknown, "coverage_below_half unmeasured_devices")
    );
    assert_eq!(
        (metadata.scope.measured, metadata.scope.unmeasured),
        (10, 11)
    );
    assert!(fates.iter().all(|fate| *fate == RowFate::Stale));
}
