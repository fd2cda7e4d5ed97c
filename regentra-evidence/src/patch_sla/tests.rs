use InstallOutcome::{Failed, Installed};
use time::Duration;

use super::*;
use crate::{
    device::{DeviceClass, DeviceFact},
    fixture::{
        NOW, days_ago, device, digest_key, each_changed, fleet, not_approved, partly_silent,
        reasons, stale, up_to_three, workstation, workstations,
    },
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
    }
}

fn installed(device: u64, patch: u128) -> AttemptFact {
    attempt(device, patch, Installed)
}

fn failed(device: u64, patch: u128) -> AttemptFact {
    attempt(device, patch, Failed)
}

/// A row that says nothing but that the device was scanned.
fn scan(device: u64, kind: PatchKind, collected_at: Option<OffsetDateTime>) -> PendingFact {
    PendingFact {
        kind,
        definition_update: true,
        collected_at,
        ..critical(device, 99)
    }
}

/// Rows that say nothing but that every device was scanned for both kinds.
fn scanned(fleet: &Arc<Fleet>) -> PatchSla {
    let mut patches = PatchSla::new(Arc::clone(fleet));
    for (device, _) in fleet.live_endpoints() {
        for kind in [PatchKind::Os, PatchKind::Software] {
            let _ = patches.observe_pending(scan(device.get(), kind, Some(NOW)));
        }
    }
    patches
}

/// The figures, of both kinds.
#[derive(Clone, Debug, PartialEq)]
struct Figures {
    scope: DeviceScope,
    os: PatchCounts,
    software: PatchCounts,
    devices_with_missing: u64,
    devices_with_failed: u64,
}

fn finished(signal: Signal) -> (Signal, Figures) {
    let Metadata::PatchSla(own) = signal.metadata else {
        panic!("{signal:?}")
    };
    let figures = Figures {
        scope: own.scope,
        os: own.os.unwrap(),
        software: own.software.unwrap(),
        devices_with_missing: own.devices_with_missing,
        devices_with_failed: own.devices_with_failed,
    };
    (signal, figures)
}

/// No patch counts.
fn no_patches() -> PatchCounts {
    PatchCounts {
        failed_superseded: Some(0),
        ..PatchCounts::default()
    }
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
fn judge(rows: &[Row]) -> (Signal, Figures) {
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
        // One rejected patch on the only device is more than a tenth of the devices.
        (PatchSeverity::Critical, true, [0, 0, 1, 0], Status::Warning),
        (
            PatchSeverity::Important,
            true,
            [0, 0, 1, 0],
            Status::Warning,
        ),
        (PatchSeverity::Unknown, true, [0, 0, 1, 0], Status::Warning),
        (PatchSeverity::Low, true, [0, 0, 0, 0], Status::Pass),
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
        // Another patch: each on its own.
        (&[failed(1, 1), later(installed(1, 2))], Status::Fail),
    ];
    for (facts, status) in table {
        // Pending besides, so that no other success makes a failure moot.
        let waits = Row::Pending(pending(1, 1, PatchSeverity::Low));
        let rows: Vec<_> = facts
            .iter()
            .copied()
            .map(Row::Attempt)
            .chain([waits])
            .collect();
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
        ..attempt(1, 1, outcome)
    };
    let ahead = Some(NOW + Duration::hours(1));
    // fact -> fate, whether the device is measured, whether the patch has failed
    let table = [
        (own(Some(days_ago(45)), Failed), RowFate::Used, true, true),
        (
            own(Some(days_ago(45) - nano), Failed),
            RowFate::Stale,
            false,
            false,
        ),
        (
            own(Some(days_ago(45)), Installed),
            RowFate::Used,
            true,
            false,
        ),
        (
            own(Some(days_ago(45) - nano), Installed),
            RowFate::Stale,
            false,
            false,
        ),
        // A failure without a time always counts, and measures nothing. A time far ahead is none.
        (own(None, Failed), RowFate::Unreadable, false, true),
        (own(ahead, Failed), RowFate::Unreadable, false, true),
        // A success without a time proves nothing.
        (own(None, Installed), RowFate::Unreadable, false, false),
        (own(ahead, Installed), RowFate::Unreadable, false, false),
        // A definition update is no attempt.
        (
            AttemptFact {
                definition_update: true,
                ..own(None, Failed)
            },
            RowFate::Unreadable,
            false,
            false,
        ),
        (
            AttemptFact {
                definition_update: true,
                ..own(Some(days_ago(45)), Failed)
            },
            RowFate::Used,
            true,
            false,
        ),
    ];
    for (fact, fate, measured, fails) in table {
        let mut patches = PatchSla::new(workstations(1));
        assert_eq!(patches.observe_attempt(fact), fate, "{fact:?}");
        let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(
            metadata.os.devices_measured,
            u64::from(measured),
            "{fact:?}"
        );
        assert_eq!(metadata.os.failed_installs, u64::from(fails), "{fact:?}");
        assert_eq!(signal.status == Status::Fail, fails, "{fact:?}");
    }
}

#[test]
fn a_failure_without_a_time_counts_for_a_patch_without_a_dated_attempt() {
    let timeless = AttemptFact {
        installed_at: None,
        ..failed(1, 1)
    };
    let long_ago = AttemptFact {
        installed_at: Some(days_ago(46)),
        ..installed(1, 1)
    };
    let timeless_success = AttemptFact {
        installed_at: None,
        ..installed(1, 1)
    };
    // beside the failure without a time -> failed, superseded
    for (beside, failures, superseded) in [
        (vec![], 1, 0),
        (vec![timeless_success], 1, 0),
        (vec![long_ago], 1, 0),
        (vec![failed(1, 1)], 1, 0),
        (vec![installed(1, 1)], 0, 1),
    ] {
        let mut rows: Vec<_> = beside.iter().copied().map(Row::Attempt).collect();
        rows.push(Row::Attempt(timeless));
        let (signal, metadata) = judge(&rows);
        assert_eq!(
            (metadata.os.failed_installs, metadata.os.failed_superseded),
            (failures, Some(superseded)),
            "{beside:?}"
        );
        let status = if failures > 0 {
            Status::Fail
        } else {
            Status::Warning
        };
        assert_eq!(signal.status, status, "{beside:?}");
    }
}

/// A security update of the 3rd fails; the cumulative update of the 10th holds it. Nothing is left to install, and yet the failure
/// stood for 45 days.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_failed_installation_made_moot_by_a_later_update() {
    let of = |at: OffsetDateTime, fact: AttemptFact| {
        Row::Attempt(AttemptFact {
            installed_at: Some(at),
            ..fact
        })
    };
    let failure = of(days_ago(20), failed(1, 1));
    let nano = Duration::NANOSECOND;
    let later = of(days_ago(20) + nano, installed(1, 2));
    let rejected = PendingFact {
        rejected: true,
        ..critical(1, 1)
    };
    let undated = |fact| {
        Row::Pending(PendingFact {
            collected_at: None,
            ..fact
        })
    };
    let waits = pending(1, 1, PatchSeverity::Low);
    let software = AttemptFact {
        kind: PatchKind::Software,
        ..installed(1, 2)
    };
    let update = AttemptFact {
        definition_update: true,
        ..installed(1, 2)
    };
    let timeless = AttemptFact {
        installed_at: None,
        ..installed(1, 2)
    };
    // rows beside the failure -> superseded
    let table = [
        (vec![], false),
        (vec![later], true),
        (vec![of(days_ago(20), installed(1, 2))], false),
        (vec![of(days_ago(20) - nano, installed(1, 2))], false),
        (vec![Row::Attempt(timeless)], false),
        (vec![of(days_ago(1), update)], false),
        (vec![of(days_ago(1), software)], false),
        // It is pending: there is something to install.
        (vec![later, Row::Pending(waits)], false),
        (vec![later, undated(waits)], false),
        // Rejected: nobody wants it installed.
        (vec![Row::Pending(rejected)], true),
        (vec![undated(rejected)], true),
        (
            vec![Row::Pending(PendingFact {
                severity: PatchSeverity::Low,
                ..rejected
            })],
            true,
        ),
        (vec![Row::Pending(rejected), undated(waits)], false),
        (vec![Row::Pending(rejected), Row::Pending(waits)], false),
        (
            vec![
                Row::Pending(rejected),
                Row::Pending(PendingFact {
                    collected_at: Some(NOW),
                    ..waits
                }),
            ],
            false,
        ),
        (
            vec![
                Row::Pending(waits),
                Row::Pending(PendingFact {
                    collected_at: Some(NOW),
                    ..rejected
                }),
            ],
            true,
        ),
    ];
    for (beside, superseded) in table {
        let rows: Vec<_> = beside.iter().copied().chain([failure]).collect();
        let (signal, metadata) = judge(&rows);
        assert_eq!(
            (
                metadata.os.failed_installs,
                metadata.os.failed_superseded,
                metadata.devices_with_failed
            ),
            if superseded {
                (0, Some(1), 0)
            } else {
                (1, Some(0), 1)
            },
            "{beside:?}"
        );
        assert_eq!(
            signal.reasons.contains(&Reason::InstallsSuperseded),
            superseded
        );
        let status = if superseded {
            Status::Warning
        } else {
            Status::Fail
        };
        assert_eq!(signal.status, status, "{beside:?}");
    }
    // A later success of another device is none of this one's.
    let mut patches = scanned(&workstations(2));
    observe(&mut patches, &[failure, of(NOW, installed(2, 2))]);
    assert_eq!(patches.finish(ANSWERED, ANSWERED).status, Status::Fail);
}

#[test]
fn a_failure_is_superseded_only_where_the_pending_report_arrived_whole() {
    let lost = ReportState::with_malformed_rows();
    for (pending, installs, superseded) in [
        (ANSWERED, ANSWERED, 1),
        (ANSWERED, lost, 1),
        (lost, ANSWERED, 0),
        (lost, lost, 0),
    ] {
        let mut patches = scanned(&workstations(1));
        let later = AttemptFact {
            installed_at: Some(NOW),
            ..installed(1, 2)
        };
        observe(
            &mut patches,
            &[Row::Attempt(failed(1, 1)), Row::Attempt(later)],
        );
        let reports = KindReports { pending, installs };
        let (signal, metadata) = finished(patches.finish(reports, ANSWERED));
        assert_eq!(metadata.os.failed_superseded, Some(superseded));
        assert_eq!(metadata.os.failed_installs, 1 - superseded);
        assert_ne!(signal.status, Status::Pass);
    }
}

/// A failure without a time is superseded by any dated success of the device and kind.
#[test]
fn a_failure_without_a_time_is_superseded_by_any_dated_success() {
    let timeless = AttemptFact {
        installed_at: None,
        ..failed(1, 1)
    };
    let oldest = AttemptFact {
        installed_at: Some(days_ago(45)),
        ..installed(1, 2)
    };
    let (signal, metadata) = judge(&[Row::Attempt(timeless), Row::Attempt(oldest)]);
    assert_eq!(metadata.os.failed_superseded, Some(1));
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Warning, "installs_superseded")
    );
}

/// What the vendor lists as pending is pending, however old the row says it is.
#[test]
fn pending_rows_count_whatever_their_time_and_measure_only_when_fresh() {
    let nano = Duration::NANOSECOND;
    for (time, fate, measured) in [
        (Some(days_ago(30)), RowFate::Used, true),
        (Some(days_ago(30) - nano), RowFate::Stale, false),
        (None, RowFate::Unreadable, false),
        (Some(NOW + Duration::hours(1)), RowFate::Unreadable, false),
    ] {
        let mut patches = PatchSla::new(workstations(1));
        for patch in 0..6 {
            let fact = PendingFact {
                collected_at: time,
                ..critical(1, patch)
            };
            assert_eq!(patches.observe_pending(fact), fate, "{time:?}");
        }
        let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(signal.status, Status::Fail, "{time:?}");
        assert_eq!(metadata.os.missing_critical, 6);
        assert_eq!(metadata.os.devices_measured, u64::from(measured));
        assert_eq!(metadata.scope.measured, u64::from(measured));
        assert_eq!(signal.reasons.contains(&Reason::UndatedRows), !measured);
    }
}

/// The reason says by which row a patch counts.
#[test]
fn undated_rows_is_a_reason_where_such_a_row_is_what_counts() {
    use PatchSeverity::{Critical, Important, Low, Unknown};
    let fresh = pending(1, 1, Important);
    let with = |collected_at, severity, rejected| PendingFact {
        severity,
        rejected,
        collected_at,
        ..fresh
    };
    let old = Some(days_ago(31));
    let newer_success = AttemptFact {
        installed_at: Some(NOW),
        ..installed(1, 1)
    };
    let table = [
        (vec![fresh], false, false),
        (vec![with(None, Important, false)], false, true),
        (vec![with(None, Low, false)], false, false),
        (vec![with(None, Unknown, false)], false, true),
        (vec![with(None, Critical, true)], false, true),
        (vec![with(old, Important, false)], false, true),
        (vec![with(old, Low, false)], false, false),
        // A tie with the fresh row: it counts by the worse of them, or by both.
        (vec![fresh, with(None, Critical, false)], false, true),
        (vec![fresh, with(None, Important, false)], false, true),
        (vec![fresh, with(None, Critical, true)], false, false),
        (vec![fresh, with(old, Critical, false)], false, false),
        // A later success outdoes what has a time, and nothing else.
        (vec![fresh, with(None, Important, false)], true, true),
        (vec![with(old, Important, false)], true, false),
        (vec![fresh], true, false),
    ];
    for (rows, installed, undated) in table {
        let mut all: Vec<_> = rows.iter().copied().map(Row::Pending).collect();
        if installed {
            all.push(Row::Attempt(newer_success));
        }
        let (signal, _) = judge(&all);
        assert_eq!(
            signal.reasons.contains(&Reason::UndatedRows),
            undated,
            "{rows:?} {installed}"
        );
    }
}

/// Of two rows of a patch one says rejected and one says critical: without their times nobody can tell which is newer.
#[test]
fn a_row_without_a_time_ties_with_the_newest() {
    let rejected = PendingFact {
        rejected: true,
        collected_at: Some(NOW),
        ..critical(1, 1)
    };
    for (waiting, critical, rejections) in [
        (critical(1, 1), 0, 1),
        (
            PendingFact {
                collected_at: None,
                ..critical(1, 1)
            },
            1,
            0,
        ),
    ] {
        let (_, metadata) = judge(&[Row::Pending(rejected), Row::Pending(waiting)]);
        assert_eq!(
            (metadata.os.missing_critical, metadata.os.rejected),
            (critical, rejections)
        );
    }
    // And no success outdoes it.
    let timeless = PendingFact {
        collected_at: None,
        ..critical(1, 1)
    };
    let success = AttemptFact {
        installed_at: Some(NOW),
        ..installed(1, 1)
    };
    let (_, metadata) = judge(&[
        Row::Pending(critical(1, 1)),
        Row::Pending(PendingFact {
            severity: PatchSeverity::Important,
            ..timeless
        }),
        Row::Attempt(success),
    ]);
    assert_eq!(
        (metadata.os.missing_critical, metadata.os.missing_important),
        (0, 1)
    );
}

/// Fifty critical patches rejected, on a tenth of the devices or on more.
#[test]
fn fifty_rejected_critical_patches() {
    let judge = |devices: u64, rejecting: u64, stale_ones: u64| {
        let all = (1..=devices)
            .map(workstation)
            .chain((100..100 + stale_ones).map(stale))
            .chain([device(999, DeviceClass::Mobile)]);
        let fleet = fleet(all);
        let mut patches = scanned(&fleet);
        for key in 1..=rejecting {
            for patch in 0..50 {
                let _ = patches.observe_pending(PendingFact {
                    rejected: true,
                    ..critical(key, patch)
                });
            }
        }
        finished(patches.finish(ANSWERED, ANSWERED))
    };
    // devices, of them with rejected patches, stale ones beside them
    for (devices, rejecting, stale_ones, status) in [
        (10, 0, 0, Status::Pass),
        (10, 1, 0, Status::Pass),
        (9, 1, 0, Status::Warning),
        (10, 2, 0, Status::Warning),
        (20, 2, 0, Status::Pass),
        (19, 2, 1, Status::Pass),
        (19, 2, 0, Status::Warning),
        (1, 1, 0, Status::Warning),
    ] {
        let (signal, metadata) = judge(devices, rejecting, stale_ones);
        assert_eq!(signal.status, status, "{rejecting} of {devices}");
        assert_eq!(metadata.os.rejected, rejecting * 50);
        assert_eq!(
            signal.reasons.contains(&Reason::PatchesRejected),
            rejecting > 0
        );
    }
}

/// A device that rejected a patch of each kind counts once toward the tenth.
#[test]
fn a_device_counts_once_toward_the_tenth() {
    let fleet = workstations(10);
    let mut patches = scanned(&fleet);
    for kind in [PatchKind::Os, PatchKind::Software] {
        let _ = patches.observe_pending(PendingFact {
            kind,
            rejected: true,
            ..critical(1, 1)
        });
    }
    assert_eq!(patches.finish(ANSWERED, ANSWERED).status, Status::Pass);
}

/// The tenant scans software everywhere and the operating system of one device.
#[test]
fn software_rows_on_99_devices_and_os_rows_on_one() {
    // devices with OS rows -> status, reasons
    for (os, status, codes) in [
        (0, Status::Warning, "no_patch_data"),
        (1, Status::Warning, "kind_below_half"),
        (49, Status::Warning, "kind_below_half"),
        (50, Status::Pass, ""),
        (100, Status::Pass, ""),
    ] {
        let mut patches = PatchSla::new(workstations(100));
        for key in 1..=100 {
            let _ = patches.observe_pending(scan(key, PatchKind::Software, Some(NOW)));
            if key <= os {
                let _ = patches.observe_pending(scan(key, PatchKind::Os, Some(NOW)));
            }
        }
        let (signal, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!((signal.status, reasons(&signal).as_str()), (status, codes));
        assert_eq!(metadata.os.devices_measured, os);
    }
}

#[test]
fn a_kind_that_is_not_in_use_is_left_out() {
    for (kinds, in_use, left_out) in [
        (KindsInUse::Os, PatchKind::Os, PatchKind::Software),
        (KindsInUse::Software, PatchKind::Software, PatchKind::Os),
    ] {
        assert!(kinds.contains(in_use) && !kinds.contains(left_out));
        let mut patches = PatchSla::new(workstations(1)).kinds_in_use(kinds);
        assert_eq!(
            patches.observe_pending(scan(1, in_use, Some(NOW))),
            RowFate::Used
        );
        let bad = AttemptFact {
            kind: left_out,
            ..failed(1, 1)
        };
        assert_eq!(patches.observe_attempt(bad), RowFate::NotJudged);
        for patch in 0..9 {
            let missing = PendingFact {
                kind: left_out,
                ..critical(1, patch)
            };
            assert_eq!(patches.observe_pending(missing), RowFate::NotJudged);
        }
        // Nor does it matter how its reports ended.
        let failed = ReportState::failed();
        let (os, software) = match left_out {
            PatchKind::Os => (failed, ANSWERED),
            PatchKind::Software => (ANSWERED, failed),
        };
        let signal = patches.finish(os, software);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Pass, "kind_not_in_use")
        );
        let json = serde_json::to_value(&signal).unwrap();
        let (shown, null) = match left_out {
            PatchKind::Os => ("software", "os"),
            PatchKind::Software => ("os", "software"),
        };
        assert!(json["metadata"][null].is_null());
        assert_eq!(json["metadata"][shown]["devices_measured"], 1);
    }
    assert_eq!(KindsInUse::default(), KindsInUse::Both);
    let mut both = PatchSla::new(workstations(1));
    let os = PatchSla::new(Arc::clone(&both.fleet)).kinds_in_use(KindsInUse::Os);
    assert_eq!(both.merge(os), Err(OtherFleet));
}

/// Where nobody knows when a device was last in contact, an attempt of six weeks ago is no proof that it is patched.
#[test]
fn a_device_without_a_last_contact_is_measured_by_the_last_thirty_days() {
    let nano = Duration::NANOSECOND;
    let silent = DeviceFact {
        last_contact: None,
        ..workstation(1)
    };
    for (contact, at, measured) in [
        (silent, days_ago(30), true),
        (silent, days_ago(30) - nano, false),
        (workstation(1), days_ago(45), true),
    ] {
        let mut patches = PatchSla::new(fleet([contact]));
        for outcome in [Installed, Failed] {
            let fate = patches.observe_attempt(AttemptFact {
                installed_at: Some(at),
                ..attempt(1, 1, outcome)
            });
            assert_eq!(fate, RowFate::Used);
        }
        let (_, metadata) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(metadata.scope.measured, u64::from(measured));
        // What failed has failed.
        assert_eq!(metadata.os.failed_installs, 1);
    }
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
        let software = patches.observe_pending(scan(1, PatchKind::Software, Some(NOW)));
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
                ..no_patches()
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
        let _ = patches.observe_pending(scan(1, seen, Some(NOW)));
        let (signal, metadata) = finished(patches.clone().finish(ANSWERED, ANSWERED));
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Warning, "no_patch_data")
        );
        assert_eq!(metadata.scope.measured, 1);
        let _ = patches.observe_pending(scan(1, unseen, Some(NOW)));
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
        let scan = patches.observe_pending(scan(key, PatchKind::Os, Some(NOW)));
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
            patches.measured.len(),
            usize::from(fate == RowFate::Used),
            "{time:?}"
        );
        let mut patches = PatchSla::new(workstations(1));
        let scan = patches.observe_pending(scan(1, PatchKind::Os, time));
        assert_eq!(scan, fate, "{time:?}");
        assert_eq!(
            patches.measured.len(),
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
        assert_eq!(metadata.os, no_patches());
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
            let _ = patches.observe_pending(scan(*device, *kind, Some(NOW)));
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
        waiting(PendingFact {
            collected_at: None,
            ..critical(1, 1)
        }),
        waiting(PendingFact {
            collected_at: None,
            rejected: true,
            ..critical(1, 1)
        }),
        waiting(PendingFact {
            rejected: true,
            ..pending(1, 1, PatchSeverity::Low)
        }),
        attempt(failed(2, 2)),
        attempt(AttemptFact {
            installed_at: None,
            ..failed(2, 2)
        }),
        digest(
            &[a, b, Row::Attempt(installed(1, 1))],
            &scans,
            ANSWERED,
            ANSWERED,
        ),
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
        (
            Status::Unknown,
            "coverage_below_half kind_below_half unmeasured_devices"
        )
    );
    assert_eq!(
        (metadata.scope.measured, metadata.scope.unmeasured),
        (10, 11)
    );
    assert!(fates.iter().all(|fate| *fate == RowFate::Used));
    assert_eq!(metadata.os.devices_measured, 10);
}

/// A switch whose class was damaged is no computer that is patched, and what a computer misses it misses.
#[test]
fn of_a_device_whose_class_cannot_be_read_only_what_is_bad_counts() {
    let alone = fleet([device(1, DeviceClass::Unreadable)]);
    let signal = scanned(&alone).finish(ANSWERED, ANSWERED);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (
            Status::Unknown,
            "coverage_below_half no_patch_data unknown_node_class unmeasured_devices"
        )
    );
    let mut patches = scanned(&alone);
    observe(&mut patches, &[Row::Attempt(failed(1, 1))]);
    assert_eq!(patches.finish(ANSWERED, ANSWERED).status, Status::Fail);
    let pair = fleet([workstation(1), device(2, DeviceClass::Unreadable)]);
    assert_eq!(
        scanned(&pair).finish(ANSWERED, ANSWERED).status,
        Status::Warning
    );
}

/// A newer row of a definition update, whose type was damaged, would hide an older critical one of the same id.
#[test]
fn a_row_whose_type_cannot_be_read_hides_no_other() {
    let at = |time: OffsetDateTime, fact| PendingFact {
        collected_at: Some(time),
        ..fact
    };
    let low = pending(1, 1, PatchSeverity::Low);
    let rejected = PendingFact {
        rejected: true,
        ..critical(1, 1)
    };
    let undated = PendingFact {
        collected_at: None,
        ..low
    };
    let (older, newer) = (days_ago(3), days_ago(1));
    // rows in doubt, other rows -> status, reasons
    for (doubtful, plain, status, codes) in [
        (vec![at(newer, low)], vec![], Status::Pass, ""),
        (
            vec![at(newer, low)],
            vec![at(older, critical(1, 1))],
            Status::Warning,
            "patches_missing",
        ),
        (
            vec![at(newer, rejected)],
            vec![at(older, critical(1, 1))],
            Status::Warning,
            "patches_missing",
        ),
        (
            vec![undated],
            vec![at(older, critical(1, 1))],
            Status::Warning,
            "patches_missing",
        ),
        // One that is bad counts, until a newer row that can be read hides it.
        (
            vec![at(newer, critical(1, 1))],
            vec![at(older, low)],
            Status::Warning,
            "patches_missing",
        ),
        (
            vec![at(newer, critical(1, 1))],
            vec![at(newer, low)],
            Status::Warning,
            "patches_missing",
        ),
        (
            vec![at(older, critical(1, 1))],
            vec![at(newer, low)],
            Status::Pass,
            "",
        ),
        (
            vec![at(newer, low), at(older, critical(1, 1))],
            vec![],
            Status::Warning,
            "patches_missing",
        ),
        (
            vec![at(newer, low), at(older, critical(1, 1))],
            vec![at(days_ago(4), low)],
            Status::Warning,
            "patches_missing",
        ),
    ] {
        for turned in [false, true] {
            let mut patches = scanned(&workstations(1));
            let mut all: Vec<_> = doubtful.iter().map(|fact| (*fact, true)).collect();
            all.extend(plain.iter().map(|fact| (*fact, false)));
            if turned {
                all.reverse();
            }
            for (fact, in_doubt) in all {
                let _ = if in_doubt {
                    patches.observe_pending_in_doubt(fact)
                } else {
                    patches.observe_pending(fact)
                };
            }
            let signal = patches.finish(ANSWERED, ANSWERED);
            assert_eq!(
                (signal.status, reasons(&signal).as_str()),
                (status, codes),
                "{doubtful:?} {plain:?}"
            );
        }
    }
}

#[test]
fn a_success_settles_a_row_whose_type_cannot_be_read_and_such_a_row_makes_no_failure_moot() {
    let in_doubt = |fact, attempt| {
        let mut patches = scanned(&workstations(1));
        let _ = patches.observe_pending_in_doubt(fact);
        let _ = patches.observe_attempt(attempt);
        let signal = patches.finish(ANSWERED, ANSWERED);
        (signal.status, reasons(&signal))
    };
    let older = PendingFact {
        collected_at: Some(days_ago(3)),
        ..critical(1, 1)
    };
    let (pass, none) = in_doubt(older, installed(1, 1));
    assert_eq!((pass, none.as_str()), (Status::Pass, ""));
    let rejected = PendingFact {
        rejected: true,
        ..older
    };
    let (fail, codes) = in_doubt(rejected, failed(1, 1));
    assert_eq!(
        (fail, codes.as_str()),
        (Status::Fail, "installs_failed patches_rejected")
    );
}

/// One row says that it was in contact today, the other does not say when: an attempt of 40 days ago is no sign of life.
#[test]
fn a_device_listed_twice_and_once_without_contact_is_measured_by_thirty_days() {
    let silent = DeviceFact {
        last_contact: None,
        ..workstation(1)
    };
    for (days, measured) in [(30, 1), (31, 0), (40, 0)] {
        let mut patches = PatchSla::new(fleet([workstation(1), silent]));
        let _ = patches.observe_attempt(AttemptFact {
            installed_at: Some(days_ago(days)),
            ..installed(1, 1)
        });
        let (_, figures) = finished(patches.finish(ANSWERED, ANSWERED));
        assert_eq!(figures.scope.measured, measured, "{days}");
    }
}

/// Every choice of up to three rows, and every choice of them with its time made unreadable: without chance.
#[test]
fn no_patch_row_whose_time_is_lost_makes_a_pass() {
    let mut choices = Vec::new();
    for patch in 1..=2 {
        let rejected = PendingFact {
            rejected: true,
            ..critical(1, patch)
        };
        for row in [
            critical(1, patch),
            rejected,
            pending(1, patch, PatchSeverity::Low),
        ] {
            choices.extend([0, 10, 31].map(|days| {
                Row::Pending(PendingFact {
                    collected_at: Some(days_ago(days)),
                    ..row
                })
            }));
        }
        for row in [installed(1, patch), failed(1, patch)] {
            choices.extend([5, 20, 46].map(|days| {
                Row::Attempt(AttemptFact {
                    installed_at: Some(days_ago(days)),
                    ..row
                })
            }));
        }
    }
    let undated = |row| match row {
        Row::Pending(fact) => Row::Pending(PendingFact {
            collected_at: None,
            ..fact
        }),
        Row::Attempt(fact) => Row::Attempt(AttemptFact {
            installed_at: None,
            ..fact
        }),
    };
    // Ten devices, so that one that rejects is no more than a tenth; the first is seen by the rows alone.
    let fleet = workstations(10);
    let mut others = PatchSla::new(Arc::clone(&fleet)).kinds_in_use(KindsInUse::Os);
    for key in 2..=10 {
        let _ = others.observe_pending(scan(key, PatchKind::Os, Some(NOW)));
    }
    let status = |rows: &[Row]| {
        let mut patches = others.clone();
        observe(&mut patches, rows);
        patches.finish(ANSWERED, ANSWERED).status
    };
    for rows in up_to_three(&choices) {
        if status(&rows) == Status::Pass {
            continue;
        }
        for damaged in each_changed(&rows, undated) {
            assert_ne!(status(&damaged), Status::Pass, "{rows:?} {damaged:?}");
        }
    }
}
