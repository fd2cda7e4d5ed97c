use time::Duration;

use super::*;
use crate::{
    device::DeviceFact,
    fixture::{
        NOW, days_ago, device, digest_key, each_changed, fleet, not_approved, partly_silent,
        reasons, stale, up_to_three, workstation, workstations,
    },
};

const ANSWERED: ReportState = ReportState::answered();
const GIB: u64 = 1024 * 1024 * 1024;

fn encryption(conversion: Conversion, protection: Protection) -> Encryption {
    Encryption {
        conversion,
        protection,
    }
}

fn encrypted(device: u64, volume: u128) -> VolumeFact {
    VolumeFact {
        device: DeviceKey::new(device),
        volume: VolumeKey::new(volume),
        volume_type: VolumeType::Fixed,
        label: VolumeLabel::Other,
        capacity: Some(500 * GIB),
        encryption: Some(encryption(
            Conversion::FullyEncrypted,
            Protection::Protected,
        )),
        collected_at: Some(NOW),
    }
}

fn in_clear(device: u64, volume: u128) -> VolumeFact {
    VolumeFact {
        encryption: Some(encryption(Conversion::Decrypted, Protection::Unprotected)),
        ..encrypted(device, volume)
    }
}

fn unmeasured(device: u64, volume: u128) -> VolumeFact {
    VolumeFact {
        encryption: None,
        ..encrypted(device, volume)
    }
}

/// The vendor has an answer, and it says nothing.
fn unclear(device: u64, volume: u128) -> VolumeFact {
    VolumeFact {
        encryption: Some(encryption(Conversion::Unknown, Protection::Unknown)),
        ..encrypted(device, volume)
    }
}

fn removable(device: u64, volume: u128) -> VolumeFact {
    VolumeFact {
        volume_type: VolumeType::NotFixed,
        ..encrypted(device, volume)
    }
}

fn answer(device: u64, answer: CustomAnswer) -> CustomFact {
    CustomFact {
        device: DeviceKey::new(device),
        answer,
    }
}

fn evaluator(fleet: &Arc<Fleet>, facts: impl IntoIterator<Item = VolumeFact>) -> DiskEncryption {
    let mut disk = DiskEncryption::new(Arc::clone(fleet));
    for fact in facts {
        let _ = disk.observe(fact);
    }
    disk
}

fn judge(
    fleet: &Arc<Fleet>,
    facts: impl IntoIterator<Item = VolumeFact>,
) -> (Signal, DiskEncryptionMetadata) {
    finished(evaluator(fleet, facts).finish(ANSWERED))
}

fn finished(signal: Signal) -> (Signal, DiskEncryptionMetadata) {
    let Metadata::DiskEncryption(metadata) = signal.metadata else {
        panic!("{signal:?}")
    };
    (signal, metadata)
}

/// One device with `good` encrypted volumes, `bad` ones in clear, and `open` ones that are not measured.
fn shares(good: u128, bad: u128, open: u128) -> (Signal, DiskEncryptionMetadata) {
    let facts = (0..good)
        .map(|volume| encrypted(1, volume))
        .chain((0..bad).map(|volume| in_clear(1, 1000 + volume)))
        .chain((0..open).map(|volume| unmeasured(1, 2000 + volume)));
    judge(&workstations(1), facts)
}

#[test]
fn every_pair_of_conversion_and_protection_has_its_bucket() {
    use Conversion::{Decrypted, Encrypting, FullyEncrypted};
    use Protection::{Pending, Protected, Unprotected};
    use VolumeBucket::{Encrypted, InProgress, NotEncrypted, Suspended, Unmeasured};
    let table = [
        (FullyEncrypted, Protected, Encrypted),
        (FullyEncrypted, Unprotected, Suspended),
        (FullyEncrypted, Pending, Suspended),
        (FullyEncrypted, Protection::Unknown, Unmeasured),
        (Encrypting, Protected, InProgress),
        (Encrypting, Unprotected, InProgress),
        (Encrypting, Pending, InProgress),
        (Encrypting, Protection::Unknown, InProgress),
        (Decrypted, Protected, NotEncrypted),
        (Decrypted, Unprotected, NotEncrypted),
        (Decrypted, Pending, NotEncrypted),
        (Decrypted, Protection::Unknown, NotEncrypted),
        (Conversion::Unknown, Protected, Unmeasured),
        (Conversion::Unknown, Unprotected, NotEncrypted),
        (Conversion::Unknown, Pending, Unmeasured),
        (Conversion::Unknown, Protection::Unknown, Unmeasured),
    ];
    for (conversion, protection, expected) in table {
        let fact = VolumeFact {
            encryption: Some(encryption(conversion, protection)),
            ..encrypted(1, 1)
        };
        assert_eq!(
            fact.bucket(DeviceClass::WindowsWorkstation),
            expected,
            "{conversion:?} {protection:?}"
        );
        for class in [
            DeviceClass::Mac,
            DeviceClass::MacServer,
            DeviceClass::LinuxWorkstation,
            DeviceClass::LinuxServer,
        ] {
            assert_eq!(fact.bucket(class), Unmeasured, "{class:?}");
        }
        for class in [DeviceClass::WindowsServer, DeviceClass::Unknown] {
            assert_eq!(fact.bucket(class), expected, "{class:?}");
        }
    }
    assert_eq!(
        unmeasured(1, 1).bucket(DeviceClass::WindowsWorkstation),
        Unmeasured
    );
}

#[test]
fn what_is_not_a_fixed_volume_of_some_size_is_out() {
    let fact = encrypted(1, 1);
    let table = [
        (fact, false),
        (removable(1, 1), true),
        (
            VolumeFact {
                capacity: Some(0),
                ..fact
            },
            true,
        ),
        (
            VolumeFact {
                capacity: Some(1),
                ..fact
            },
            false,
        ),
        (
            VolumeFact {
                capacity: None,
                ..fact
            },
            false,
        ),
    ];
    for (fact, out) in table {
        assert_eq!(
            fact.bucket(DeviceClass::WindowsWorkstation) == VolumeBucket::Out,
            out,
            "{fact:?}"
        );
    }
}

#[test]
fn a_reserved_label_excuses_only_what_is_under_sixteen_gib() {
    for (capacity, out) in [
        (Some(1), true),
        (Some(16 * GIB - 1), true),
        (Some(16 * GIB), false),
        (None, false),
    ] {
        let fact = VolumeFact {
            label: VolumeLabel::Reserved,
            capacity,
            ..in_clear(1, 1)
        };
        assert_eq!(
            fact.bucket(DeviceClass::WindowsWorkstation) == VolumeBucket::Out,
            out,
            "{capacity:?}"
        );
    }
}

#[test]
fn the_thresholds_are_exact() {
    let table = [
        (95, 5, Status::Pass),
        (94, 6, Status::Warning),
        (80, 20, Status::Warning),
        (79, 21, Status::Fail),
        (189, 10, Status::Warning),
        (190, 10, Status::Pass),
        (1, 0, Status::Pass),
        (0, 1, Status::Fail),
        (199, 1, Status::Pass),
        (19, 1, Status::Pass),
        (4, 1, Status::Warning),
        (3, 1, Status::Fail),
    ];
    for (good, bad, status) in table {
        let (signal, _) = shares(good, bad, 0);
        assert_eq!(signal.status, status, "{good} of {}", good + bad);
        let expected = if status == Status::Pass {
            ""
        } else {
            "below_threshold"
        };
        assert_eq!(reasons(&signal), expected, "{good} of {}", good + bad);
    }
}

#[test]
fn unmeasured_volumes_hold_back_a_pass_and_hide_no_failure() {
    let table = [
        // good, bad, unmeasured: even if all the unmeasured were in clear, 95 %
        (95, 0, 5, Status::Pass, "unmeasured_volumes"),
        (94, 0, 6, Status::Warning, "unmeasured_volumes"),
        // of the measured ones all, some, too few
        (1, 0, 999, Status::Warning, "unmeasured_volumes"),
        (
            80,
            6,
            14,
            Status::Warning,
            "below_threshold unmeasured_volumes",
        ),
        (
            79,
            20,
            1,
            Status::Fail,
            "below_threshold unmeasured_volumes",
        ),
        // even if all the unmeasured were encrypted, 79 %
        (
            0,
            21,
            79,
            Status::Fail,
            "below_threshold unmeasured_volumes",
        ),
    ];
    for (good, bad, open, status, codes) in table {
        let (signal, metadata) = shares(good, bad, open);
        assert_eq!(signal.status, status, "{good} {bad} {open}");
        assert_eq!(reasons(&signal), codes, "{good} {bad} {open}");
        assert_eq!(
            u128::from(metadata.volumes.in_scope),
            good + bad + open,
            "{good} {bad} {open}"
        );
    }
}

#[test]
fn best_is_fail_whatever_is_missing() {
    // One of ten devices measured: all nine others encrypted would be 9 of 12.
    let facts = [in_clear(1, 1), in_clear(1, 2), in_clear(1, 3)];
    let (signal, metadata) = judge(&workstations(10), facts);
    assert_eq!(signal.status, Status::Fail);
    assert_eq!(
        reasons(&signal),
        "below_threshold coverage_below_half unmeasured_devices unmeasured_volumes"
    );
    assert_eq!(metadata.volumes.in_scope, 12);
    // Without the third volume it would be 9 of 11, 81 %: nobody can tell.
    let (signal, _) = judge(&workstations(10), facts.into_iter().take(2));
    assert_eq!(signal.status, Status::Unknown);
}

#[test]
fn fewer_than_half_of_the_devices_measured_is_unknown() {
    let good = |devices| (1..=devices).map(|device| encrypted(device, 1));
    for (measured, devices, status) in [
        (0, 1, Status::Unknown),
        (4, 9, Status::Unknown),
        (5, 10, Status::Warning),
        (95, 100, Status::Pass),
        (94, 100, Status::Warning),
    ] {
        let (signal, _) = judge(&workstations(devices), good(measured));
        assert_eq!(signal.status, status, "{measured} of {devices}");
    }
    // Stale devices count among those in scope.
    let devices = fleet((1..=2).map(workstation).chain((3..=5).map(stale)));
    let (signal, metadata) = judge(&devices, good(2));
    assert_eq!(signal.status, Status::Unknown);
    assert_eq!(reasons(&signal), "coverage_below_half");
    assert_eq!((metadata.scope.measured, metadata.scope.stale), (2, 3));
    let devices = fleet((1..=2).map(workstation).chain((3..=4).map(stale)));
    assert_eq!(judge(&devices, good(2)).0.status, Status::Pass);
}

#[test]
fn a_device_without_any_volume_row_is_one_unmeasured_volume() {
    let (signal, metadata) = judge(&workstations(2), [encrypted(1, 1)]);
    assert_eq!(signal.status, Status::Warning);
    assert_eq!(metadata.volumes.in_scope, 2);
    assert_eq!(metadata.volumes.unmeasured, 1);
    assert_eq!((metadata.scope.measured, metadata.scope.unmeasured), (1, 1));
}

/// Every computer has a fixed disk: one that reports none has a disk that nobody measured.
#[test]
fn a_laptop_that_reports_only_a_usb_stick() {
    let facts = [
        encrypted(1, 1),
        removable(2, 1),
        removable(2, 2),
        removable(3, 1),
    ];
    let (signal, metadata) = judge(&workstations(3), facts);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (
            Status::Unknown,
            "coverage_below_half unmeasured_devices unmeasured_volumes"
        )
    );
    let volumes = metadata.volumes;
    assert_eq!((volumes.in_scope, volumes.unmeasured), (3, 2));
    assert_eq!(volumes.out_of_scope, Some(3));
    assert_eq!(
        (
            metadata.scope.measured,
            metadata.scope.unmeasured,
            metadata.scope.not_applicable
        ),
        (1, 2, 0)
    );
    assert_eq!(metadata.devices_fully_encrypted, 1);
    // Two fleets that pass without it: nineteen of twenty would pass even if its disk were in clear, and of nineteen not.
    for (others, status) in [(19, Status::Pass), (18, Status::Warning)] {
        let facts = (2..2 + others).map(|device| encrypted(device, 1));
        let (signal, _) = judge(&workstations(1 + others), facts.chain([removable(1, 1)]));
        assert_eq!(signal.status, status, "{others}");
    }
    // A custom field answers for the disk that is not reported, where nothing of the device is.
    for (row, said, status) in [
        (
            VolumeFact {
                encryption: None,
                ..removable(1, 1)
            },
            CustomAnswer::Yes,
            Status::Pass,
        ),
        (
            VolumeFact {
                encryption: None,
                ..removable(1, 1)
            },
            CustomAnswer::No,
            Status::Fail,
        ),
        (removable(1, 1), CustomAnswer::Yes, Status::Unknown),
        (
            VolumeFact {
                collected_at: None,
                ..removable(1, 1)
            },
            CustomAnswer::Yes,
            Status::Unknown,
        ),
    ] {
        let mut disk = evaluator(&workstations(1), [row]);
        let _ = disk.observe_custom(answer(1, said));
        assert_eq!(disk.finish(ANSWERED).status, status, "{row:?} {said:?}");
    }
}

#[test]
fn no_computer_is_not_applicable() {
    let phones = fleet([
        device(1, DeviceClass::Mobile),
        device(2, DeviceClass::Network),
    ]);
    let (signal, metadata) = judge(&phones, [encrypted(1, 1)]);
    assert_eq!(signal.status, Status::NotApplicable);
    assert_eq!(metadata.encrypted_percent, None);
    assert_eq!(reasons(&signal), "");
    assert_eq!(metadata.scope.not_applicable, 2);
}

/// Vendors' recovery partitions beside an encrypted C: carry any label in any language, and no letter.
#[test]
fn vendors_unopenable_partitions() {
    for (label, capacity, out) in [
        (VolumeLabel::Unopenable, Some(32 * GIB - 1), true),
        (VolumeLabel::Unopenable, Some(32 * GIB), false),
        (VolumeLabel::Unopenable, None, false),
        (VolumeLabel::Reserved, Some(16 * GIB - 1), true),
        (VolumeLabel::Reserved, Some(16 * GIB), false),
        (VolumeLabel::Reserved, None, false),
        (VolumeLabel::Other, Some(1), false),
        (VolumeLabel::Other, Some(0), true),
        (VolumeLabel::Other, None, false),
    ] {
        let partition = VolumeFact {
            label,
            capacity,
            ..in_clear(1, 2)
        };
        let (signal, metadata) = judge(&workstations(1), [encrypted(1, 1), partition]);
        let status = if out { Status::Pass } else { Status::Fail };
        assert_eq!(signal.status, status, "{label:?} {capacity:?}");
        assert_eq!(metadata.volumes.out_of_scope, Some(u64::from(out)));
    }
}

/// What becomes of each volume by the times of its rows.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn rows_that_are_undated_or_too_old_make_a_volume_unmeasured_and_never_good() {
    const UNDATED: Option<OffsetDateTime> = None;
    let old = Some(days_ago(31));
    let fresh = Some(days_ago(1));
    let of = |collected_at, fact: VolumeFact| VolumeFact {
        collected_at,
        ..fact
    };
    let (good, bad, open, out) = (
        encrypted(1, 1),
        in_clear(1, 1),
        unmeasured(1, 1),
        removable(1, 1),
    );
    let suspended = VolumeFact {
        encryption: Some(encryption(
            Conversion::FullyEncrypted,
            Protection::Unprotected,
        )),
        ..good
    };
    let other = of(fresh, encrypted(1, 2));
    // rows -> encrypted, suspended, in clear, unmeasured, out; reason undated_rows
    let table: Vec<(Vec<VolumeFact>, [u64; 5], bool)> = vec![
        // Beside a fresh row of the same volume: worse makes unmeasured, better or the same changes nothing.
        (
            vec![of(fresh, good), of(UNDATED, bad)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, good), of(UNDATED, suspended)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, good), of(UNDATED, open)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, good), of(UNDATED, good)],
            [1, 0, 0, 0, 0],
            false,
        ),
        (
            vec![of(fresh, bad), of(UNDATED, good)],
            [0, 0, 1, 0, 0],
            false,
        ),
        (
            vec![of(fresh, bad), of(UNDATED, bad)],
            [0, 0, 1, 0, 0],
            false,
        ),
        (
            vec![of(fresh, suspended), of(UNDATED, good)],
            [0, 1, 0, 0, 0],
            false,
        ),
        (
            vec![of(fresh, suspended), of(UNDATED, bad)],
            [0, 0, 0, 1, 0],
            true,
        ),
        // Out beside a row that is not out.
        (
            vec![of(fresh, good), of(UNDATED, out)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, bad), of(UNDATED, out)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, bad), of(UNDATED, out), of(UNDATED, good)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, out), of(UNDATED, bad)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(fresh, out), of(UNDATED, good)],
            [0, 0, 0, 1, 0],
            true,
        ),
        // Without a fresh row.
        (vec![of(UNDATED, good)], [0, 0, 0, 1, 0], true),
        (vec![of(UNDATED, bad)], [0, 0, 0, 1, 0], true),
        (
            vec![of(UNDATED, out), of(UNDATED, good)],
            [0, 0, 0, 1, 0],
            true,
        ),
        (vec![of(UNDATED, out), other], [1, 0, 0, 0, 1], false),
        (vec![of(UNDATED, good), other], [1, 0, 0, 1, 0], true),
        // Too old: gone, where another volume is there.
        (vec![of(old, bad), other], [1, 0, 0, 0, 0], false),
        (
            vec![of(old, bad), of(fresh, encrypted(2, 2))],
            [1, 0, 0, 1, 0],
            true,
        ),
        (vec![of(old, bad)], [0, 0, 0, 1, 0], true),
        (vec![of(old, good)], [0, 0, 0, 1, 0], true),
        (
            vec![of(old, bad), of(fresh, removable(1, 2))],
            [0, 0, 0, 1, 1],
            true,
        ),
        (
            vec![of(old, bad), of(UNDATED, encrypted(1, 2))],
            [0, 0, 0, 2, 0],
            true,
        ),
        (
            vec![of(old, bad), of(UNDATED, good), other],
            [1, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(old, bad), of(UNDATED, out), other],
            [1, 0, 0, 1, 0],
            true,
        ),
        (
            vec![of(old, out), of(UNDATED, out), other],
            [1, 0, 0, 1, 0],
            true,
        ),
        // The newest row decides where it is fresh.
        (vec![of(old, bad), of(fresh, good)], [1, 0, 0, 0, 0], false),
        (vec![of(old, good), of(fresh, bad)], [0, 0, 1, 0, 0], false),
        (vec![of(old, out), of(fresh, bad)], [0, 0, 1, 0, 0], false),
        // A volume that only a row without a time puts in scope shows of no other that it is gone.
        (
            vec![of(fresh, out), of(UNDATED, bad), of(old, in_clear(1, 2))],
            [0, 0, 0, 2, 0],
            true,
        ),
    ];
    for (rows, counts, undated) in table {
        let devices = rows.iter().map(|row| row.device.get()).max().unwrap();
        for rows in [rows.clone(), rows.iter().rev().copied().collect()] {
            let (signal, metadata) = judge(&workstations(devices), rows.iter().copied());
            let v = metadata.volumes;
            assert_eq!(
                [
                    v.encrypted,
                    v.suspended,
                    v.not_encrypted,
                    v.unmeasured,
                    v.out_of_scope.unwrap()
                ],
                counts,
                "{rows:?}"
            );
            assert_eq!(
                signal.reasons.contains(&Reason::UndatedRows),
                undated,
                "{rows:?}"
            );
        }
    }
}

/// A row may say that the vendor has an answer, and not when it was given: no custom field takes its place.
#[test]
fn a_custom_field_overrides_no_row_without_a_time() {
    let of = |collected_at, fact: VolumeFact| VolumeFact {
        collected_at,
        ..fact
    };
    let old = Some(days_ago(31));
    let silent_stick = VolumeFact {
        encryption: None,
        ..removable(1, 1)
    };
    for (rows, status, undated) in [
        (vec![of(None, in_clear(1, 1))], Status::Unknown, true),
        (vec![of(old, in_clear(1, 1))], Status::Unknown, true),
        (
            vec![of(None, in_clear(1, 1)), unmeasured(1, 1)],
            Status::Unknown,
            true,
        ),
        (
            vec![of(None, unmeasured(1, 1)), encrypted(1, 1)],
            Status::Unknown,
            true,
        ),
        (
            vec![of(old, in_clear(1, 1)), of(None, unmeasured(1, 1))],
            Status::Unknown,
            true,
        ),
        // As bad as the fresh row, and not as silent.
        (
            vec![of(None, unclear(1, 1)), unmeasured(1, 1)],
            Status::Unknown,
            false,
        ),
        (
            vec![
                of(
                    None,
                    VolumeFact {
                        volume_type: VolumeType::NotFixed,
                        ..unclear(1, 1)
                    },
                ),
                VolumeFact {
                    encryption: None,
                    ..removable(1, 1)
                },
            ],
            Status::Unknown,
            false,
        ),
        // Rows that do not agree on whether there is a volume to answer for.
        (
            vec![of(None, silent_stick), unmeasured(1, 1)],
            Status::Unknown,
            true,
        ),
        (
            vec![of(None, unmeasured(1, 1)), silent_stick],
            Status::Unknown,
            true,
        ),
        (
            vec![of(None, unmeasured(1, 1)), of(None, silent_stick)],
            Status::Unknown,
            true,
        ),
        (
            vec![of(old, unmeasured(1, 1)), of(None, silent_stick)],
            Status::Unknown,
            true,
        ),
        (vec![of(None, unmeasured(1, 1))], Status::Pass, false),
        (vec![of(old, unmeasured(1, 1))], Status::Pass, false),
    ] {
        let mut disk = evaluator(&workstations(1), rows.iter().copied());
        let _ = disk.observe_custom(answer(1, CustomAnswer::Yes));
        let signal = disk.finish(ANSWERED);
        assert_eq!(signal.status, status, "{rows:?}");
        assert_eq!(signal.reasons.contains(&Reason::UndatedRows), undated);
    }
}

/// A row of which nobody can tell which volume it is about may say the opposite of any of them.
#[test]
fn a_row_that_does_not_say_which_volume_it_is_about_makes_nothing_encrypted() {
    let judge = |unidentified: VolumeFact| {
        let mut disk = evaluator(
            &workstations(2),
            [encrypted(1, 1), in_clear(1, 2), encrypted(2, 1)],
        );
        assert_eq!(disk.observe_unidentified(unidentified), RowFate::Used);
        finished(disk.finish(ANSWERED)).1.volumes
    };
    let counts = |v: VolumeCounts| [v.encrypted, v.not_encrypted, v.unmeasured, v.in_scope];
    assert_eq!(counts(judge(encrypted(1, 9))), [1, 1, 2, 4]);
    assert_eq!(counts(judge(in_clear(1, 9))), [1, 2, 1, 4]);
    let out = judge(removable(1, 9));
    assert_eq!(counts(out), [1, 1, 1, 3]);
    assert_eq!(out.out_of_scope, Some(1));
    // Nor does a custom field.
    let mut disk = DiskEncryption::new(workstations(1));
    let _ = disk.observe_unidentified(unmeasured(1, 9));
    let _ = disk.observe_custom(answer(1, CustomAnswer::Yes));
    assert_eq!(disk.finish(ANSWERED).status, Status::Unknown);
}

#[test]
fn nobody_there_and_nobody_awake() {
    let (signal, _) = judge(&fleet([not_approved(1)]), [encrypted(1, 1)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Unknown, "no_devices")
    );
    let (signal, metadata) = judge(&fleet([stale(1)]), [encrypted(1, 1)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Unknown, "fleet_dark")
    );
    assert_eq!(metadata.volumes, VolumeCounts::none());
}

#[test]
fn of_two_rows_of_a_volume_the_newest_wins_and_at_a_tie_the_worse() {
    let suspended = VolumeFact {
        encryption: Some(encryption(
            Conversion::FullyEncrypted,
            Protection::Unprotected,
        )),
        ..encrypted(1, 1)
    };
    let in_progress = VolumeFact {
        encryption: Some(encryption(Conversion::Encrypting, Protection::Unprotected)),
        ..encrypted(1, 1)
    };
    // From worse to better.
    let order = [
        in_clear(1, 1),
        in_progress,
        suspended,
        unmeasured(1, 1),
        encrypted(1, 1),
        removable(1, 1),
    ];
    for (index, worse) in order.iter().enumerate() {
        for better in &order[index..] {
            let expected = judge(&workstations(1), [*worse]);
            assert_eq!(judge(&workstations(1), [*worse, *better]), expected);
            assert_eq!(judge(&workstations(1), [*better, *worse]), expected);

            let newer = VolumeFact {
                collected_at: Some(NOW),
                ..*better
            };
            let outdated = VolumeFact {
                collected_at: Some(NOW - Duration::NANOSECOND),
                ..*worse
            };
            let expected = judge(&workstations(1), [newer]);
            assert_eq!(judge(&workstations(1), [outdated, newer]), expected);
            assert_eq!(judge(&workstations(1), [newer, outdated]), expected);
        }
    }
}

#[test]
fn rows_that_are_not_used_say_why() {
    let devices = fleet([
        workstation(1),
        stale(2),
        not_approved(3),
        device(4, DeviceClass::Network),
    ]);
    let mut disk = DiskEncryption::new(devices);
    let at = |collected_at| VolumeFact {
        collected_at,
        ..encrypted(1, 1)
    };
    let table = [
        (encrypted(1, 1), RowFate::Used),
        (encrypted(2, 1), RowFate::NotJudged),
        (encrypted(3, 1), RowFate::NotJudged),
        (encrypted(4, 1), RowFate::NotJudged),
        (encrypted(5, 1), RowFate::UnknownDevice),
        (at(Some(days_ago(30))), RowFate::Used),
        (at(Some(days_ago(31))), RowFate::Stale),
        (at(Some(NOW + Duration::hours(1))), RowFate::Unreadable),
        (at(None), RowFate::Unreadable),
    ];
    for (fact, fate) in table {
        assert_eq!(disk.observe(fact), fate, "{fact:?}");
    }
}

#[test]
fn old_rows_leave_a_volume_unmeasured() {
    let old = VolumeFact {
        collected_at: Some(days_ago(31)),
        ..encrypted(1, 1)
    };
    let (signal, metadata) = judge(&workstations(1), [old]);
    assert_eq!(signal.status, Status::Unknown);
    assert_eq!(metadata.volumes.unmeasured, 1);
}

#[test]
fn percentages_are_of_the_measured_volumes_and_floored() {
    let (_, metadata) = shares(199, 1, 50);
    assert_eq!(metadata.encrypted_percent.unwrap().tenths(), 995);
    let (_, metadata) = shares(1999, 1, 0);
    assert_eq!(metadata.encrypted_percent.unwrap().tenths(), 999);
    let (_, metadata) = shares(0, 0, 3);
    assert_eq!(metadata.encrypted_percent, None);
}

#[test]
fn fully_encrypted_devices_have_nothing_but_encrypted_volumes() {
    let facts = [
        encrypted(1, 1),
        encrypted(1, 2),
        removable(1, 3),
        encrypted(2, 1),
        in_clear(2, 2),
        encrypted(3, 1),
        unmeasured(3, 2),
    ];
    let (_, metadata) = judge(&workstations(4), facts);
    assert_eq!(metadata.devices_fully_encrypted, 1);
    assert_eq!(metadata.scope.measured, 3);
}

#[test]
fn a_class_we_do_not_know_is_in_scope_and_measured_by_its_rows() {
    let devices = fleet([workstation(1), device(2, DeviceClass::Unknown)]);
    let (signal, metadata) = judge(&devices, [encrypted(1, 1)]);
    assert_eq!(signal.status, Status::Warning);
    assert_eq!(
        reasons(&signal),
        "unknown_node_class unmeasured_devices unmeasured_volumes"
    );
    assert_eq!(metadata.scope.unmeasured, 1);
    let (signal, _) = judge(&devices, [encrypted(1, 1), encrypted(2, 1)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Pass, "")
    );
    let (signal, _) = judge(&devices, [encrypted(1, 1), unmeasured(2, 1)]);
    assert!(signal.reasons.contains(&Reason::UnknownNodeClass));
    let (signal, _) = judge(&devices, [encrypted(1, 1), removable(2, 1)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (
            Status::Warning,
            "unknown_node_class unmeasured_devices unmeasured_volumes"
        )
    );
}

#[test]
fn a_report_that_failed_judges_nothing_by_its_rows() {
    let facts = || (1..=100).map(|volume| in_clear(1, volume));
    for (report, code, complete) in [
        (ReportState::failed(), Reason::ReportFailed, false),
        (ReportState::not_available(), Reason::NotAvailable, true),
    ] {
        let mut disk = evaluator(&workstations(1), facts());
        let _ = disk.observe_custom(answer(1, CustomAnswer::No));
        let (signal, metadata) = finished(disk.finish(report));
        assert_eq!(signal.status, Status::Unknown);
        assert!(signal.reasons.contains(&code));
        assert_eq!(signal.complete, complete);
        assert_eq!(metadata.volumes.unmeasured, 1);
        assert_eq!(metadata.encrypted_percent, None);
    }
    let phones = fleet([device(1, DeviceClass::Mobile)]);
    let signal = DiskEncryption::new(phones).finish(ReportState::failed());
    assert_eq!(signal.status, Status::Unknown);
}

#[test]
fn a_custom_field_answers_where_the_vendor_cannot() {
    let macs = fleet([
        device(1, DeviceClass::Mac),
        device(2, DeviceClass::LinuxServer),
    ]);
    let judge = |answers: &[CustomFact]| {
        let mut disk = evaluator(&macs, [unmeasured(1, 1), unmeasured(1, 2)]);
        for fact in answers {
            assert_eq!(disk.observe_custom(*fact), RowFate::Used);
        }
        finished(disk.finish(ANSWERED))
    };
    let (yes, no) = (CustomAnswer::Yes, CustomAnswer::No);
    assert_eq!(judge(&[]).0.status, Status::Unknown);
    let (signal, metadata) = judge(&[answer(1, yes), answer(2, yes)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Pass, "")
    );
    assert_eq!(metadata.volumes.encrypted, 3);
    assert_eq!(metadata.devices_fully_encrypted, 2);
    let (signal, metadata) = judge(&[answer(1, no), answer(2, yes)]);
    assert_eq!(signal.status, Status::Fail);
    assert_eq!(metadata.volumes.not_encrypted, 2);
    // Of two answers the worse counts, in either order.
    assert_eq!(
        judge(&[answer(1, no), answer(1, yes)]),
        judge(&[answer(1, yes), answer(1, no)])
    );
    assert_eq!(
        judge(&[answer(1, no), answer(1, yes)]),
        judge(&[answer(1, no)])
    );
}

#[test]
fn a_custom_field_never_overrides_what_the_vendor_reports() {
    let silent = VolumeFact {
        encryption: Some(encryption(Conversion::Unknown, Protection::Unknown)),
        ..encrypted(1, 1)
    };
    for (fact, said) in [
        (in_clear(1, 1), CustomAnswer::Yes),
        (silent, CustomAnswer::Yes),
        (silent, CustomAnswer::No),
        (encrypted(1, 1), CustomAnswer::No),
        (removable(1, 1), CustomAnswer::No),
    ] {
        let mut disk = evaluator(&workstations(1), [fact]);
        let _ = disk.observe_custom(answer(1, said));
        assert_eq!(
            finished(disk.finish(ANSWERED)),
            judge(&workstations(1), [fact])
        );
    }
    // At the same time a row with an encryption field and one without: the field stands.
    for facts in [[silent, unmeasured(1, 1)], [unmeasured(1, 1), silent]] {
        let mut disk = evaluator(&workstations(1), facts);
        let _ = disk.observe_custom(answer(1, CustomAnswer::Yes));
        assert_eq!(disk.finish(ANSWERED).status, Status::Unknown);
    }
}

#[test]
fn a_meaningless_bitlocker_field_on_a_mac_keeps_no_custom_field_from_answering() {
    let mac = fleet([device(1, DeviceClass::Mac)]);
    let mut disk = evaluator(&mac, [in_clear(1, 1)]);
    let _ = disk.observe_custom(answer(1, CustomAnswer::Yes));
    assert_eq!(disk.finish(ANSWERED).status, Status::Pass);
}

#[test]
fn answers_for_devices_that_are_not_judged_are_refused() {
    let devices = fleet([workstation(1), stale(2), not_approved(3)]);
    let mut disk = DiskEncryption::new(devices);
    for (key, fate) in [
        (1, RowFate::Used),
        (2, RowFate::NotJudged),
        (3, RowFate::NotJudged),
        (4, RowFate::UnknownDevice),
    ] {
        assert_eq!(
            disk.observe_custom(answer(key, CustomAnswer::Yes)),
            fate,
            "{key}"
        );
    }
}

#[test]
fn evaluators_of_one_fleet_merge_and_others_do_not() {
    let devices = workstations(2);
    let mut first = evaluator(&devices, [encrypted(1, 1)]);
    let mut second = evaluator(&devices, [in_clear(1, 1)]);
    let _ = second.observe_custom(answer(2, CustomAnswer::Yes));
    first.merge(second).unwrap();
    let (signal, metadata) = finished(first.clone().finish(ANSWERED));
    assert_eq!(signal.status, Status::Fail);
    assert_eq!(
        (metadata.volumes.not_encrypted, metadata.volumes.encrypted),
        (1, 1)
    );

    // The same devices again are the same fleet; others are not.
    assert!(first.merge(DiskEncryption::new(workstations(2))).is_ok());
    let before = first.clone().finish(ANSWERED);
    let foreign = evaluator(&workstations(3), [in_clear(1, 9)]);
    assert_eq!(first.merge(foreign), Err(OtherFleet));
    assert_eq!(first.finish(ANSWERED), before);
}

#[test]
fn stricter_thresholds_hold_the_verdict_back() {
    let judge = |rules: Rules| {
        let mut devices = Fleet::builder(NOW).rules(rules);
        devices.observe(workstation(1));
        let facts = (0..96)
            .map(|volume| encrypted(1, volume))
            .chain((96..100).map(|volume| in_clear(1, volume)));
        evaluator(&devices.build(), facts).finish(ANSWERED).status
    };
    let rules = Rules::default();
    assert_eq!(judge(rules), Status::Pass);
    assert_eq!(
        judge(rules.with_disk_pass_percent(96).unwrap()),
        Status::Pass
    );
    assert_eq!(
        judge(rules.with_disk_pass_percent(97).unwrap()),
        Status::Warning
    );
    let strictest = rules
        .with_disk_pass_percent(97)
        .and_then(|rules| rules.with_disk_warning_percent(97))
        .unwrap();
    assert_eq!(judge(strictest), Status::Fail);
}

fn digest(
    fleet: &Arc<Fleet>,
    facts: &[VolumeFact],
    answers: &[CustomFact],
    report: ReportState,
) -> String {
    let mut disk = evaluator(fleet, facts.iter().copied());
    for fact in answers {
        let _ = disk.observe_custom(*fact);
    }
    let (_, digest) = disk.finish_with_digest(report, &digest_key());
    digest.hmac_sha256.to_string()
}

#[test]
fn the_digest_covers_the_fleet() {
    let fleets = [
        fleet([workstation(1), workstation(2), not_approved(3)]),
        fleet([workstation(1), workstation(2)]),
        fleet([workstation(1), workstation(2), not_approved(4)]),
        fleet([
            workstation(1),
            device(2, DeviceClass::WindowsServer),
            not_approved(3),
        ]),
        fleet([
            workstation(1),
            workstation(2),
            workstation(4),
            not_approved(3),
        ]),
        fleet([workstation(1), workstation(2), stale(4), not_approved(3)]),
        fleet([
            DeviceFact {
                offline: None,
                ..workstation(1)
            },
            workstation(2),
            not_approved(3),
        ]),
        fleet([
            DeviceFact {
                offline: Some(true),
                ..workstation(1)
            },
            workstation(2),
            not_approved(3),
        ]),
    ];
    let all: BTreeSet<_> = fleets
        .iter()
        .map(|fleet| digest(fleet, &[encrypted(1, 1)], &[], ANSWERED))
        .collect();
    assert_eq!(
        all.len(),
        fleets.len(),
        "two different fleets share a digest"
    );
}

/// Facts of which every part was changed once: each change has to show in the digest, and nothing else may.
#[test]
fn the_digest_covers_every_fact_the_verdict_reads() {
    let devices = workstations(2);
    let base = [encrypted(1, 1), in_clear(2, 2)];
    let yes = [answer(1, CustomAnswer::Yes)];
    let expected = digest(&devices, &base, &yes, ANSWERED);
    let repeated = [base[1], base[0], base[1]];
    assert_eq!(
        digest(&devices, &repeated, &[yes[0], yes[0]], ANSWERED),
        expected
    );

    let first = |fact| digest(&devices, &[fact, in_clear(2, 2)], &yes, ANSWERED);
    let others = [
        first(in_clear(2, 2)),
        first(VolumeFact {
            collected_at: Some(days_ago(1)),
            ..encrypted(1, 1)
        }),
        first(encrypted(1, 2)),
        first(in_clear(1, 1)),
        first(encrypted(2, 1)),
        first(removable(1, 1)),
        first(VolumeFact {
            encryption: None,
            ..removable(1, 1)
        }),
        digest(&devices, &base, &[], ANSWERED),
        digest(&devices, &base, &[answer(1, CustomAnswer::No)], ANSWERED),
        digest(&devices, &base, &[answer(2, CustomAnswer::Yes)], ANSWERED),
        digest(&devices, &base, &yes, ReportState::with_malformed_rows()),
        digest(&devices, &base, &yes, ReportState::failed()),
        digest(&devices, &base, &yes, ReportState::not_available()),
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
fn the_digest_belongs_to_the_signal_and_the_key() {
    let key = digest_key();
    let disk = evaluator(&workstations(1), [encrypted(1, 1)]);
    let (signal, digest) = disk.clone().finish_with_digest(ANSWERED, &key);
    assert_eq!(signal, disk.clone().finish(ANSWERED));
    assert_eq!(&digest.key_id, key.id());
    let other = DigestKey::new(key.id().clone(), &[8; 32]).unwrap();
    assert_ne!(disk.finish_with_digest(ANSWERED, &other).1, digest);
}

#[test]
fn a_volume_cannot_be_traced_through_a_log() {
    assert_eq!(format!("{:?}", VolumeKey::new(4711)), "VolumeKey(..)");
}

/// Three of four volumes are encrypted, which fails. Silent devices that are kept for longer must not turn that into "unknown" by
/// being taken as good.
#[test]
fn silent_devices_that_are_kept_for_longer_hide_no_failure() {
    let judge_by = |rules: Rules| {
        let facts = [
            encrypted(1, 1),
            encrypted(2, 1),
            encrypted(3, 1),
            in_clear(4, 1),
            // Said of a device that has been silent for longer than a row lives.
            encrypted(5, 1),
        ];
        judge(&partly_silent(rules, 4, 5), facts)
    };
    let kept = Rules::default()
        .with_stale_after(Duration::days(60))
        .unwrap();
    for (rules, stale, unmeasured) in [(Rules::default(), 5, 0), (kept, 0, 5)] {
        let (signal, metadata) = judge_by(rules);
        assert_eq!(signal.status, Status::Fail, "{rules:?}");
        assert_eq!(
            (
                metadata.scope.measured,
                metadata.scope.stale,
                metadata.scope.unmeasured
            ),
            (4, stale, unmeasured)
        );
    }
}

/// Eighteen encrypted volumes, one in clear, and one that is out: 94.7 %. Taken as encrypted it would be 95 %.
#[test]
fn a_volume_that_may_be_out_is_never_encrypted() {
    let others = || {
        (0..18)
            .map(|volume| encrypted(1, volume))
            .chain([in_clear(1, 18)])
    };
    let (before, metadata) = judge(&workstations(1), others().chain([removable(1, 19)]));
    assert_eq!(before.status, Status::Warning);
    assert_eq!(metadata.volumes.out_of_scope, Some(1));

    let zero = |fact| VolumeFact {
        capacity: Some(0),
        ..fact
    };
    let at = |collected_at, fact| VolumeFact {
        collected_at,
        ..fact
    };
    let (yesterday, undated) = (Some(days_ago(1)), None);
    // rows in doubt, rows that are not -> encrypted, in clear, unmeasured, out
    for (doubtful, plain, expected) in [
        (vec![encrypted(1, 19)], vec![], [18, 1, 1, 0]),
        (vec![unmeasured(1, 19)], vec![], [18, 1, 1, 0]),
        (vec![in_clear(1, 19)], vec![], [18, 2, 0, 0]),
        // Another field puts it out.
        (vec![zero(encrypted(1, 19))], vec![], [18, 1, 0, 1]),
        (vec![removable(1, 19)], vec![], [18, 1, 0, 1]),
        // The newest row wins; at a tie the worse.
        (
            vec![at(yesterday, encrypted(1, 19))],
            vec![encrypted(1, 19)],
            [19, 1, 0, 0],
        ),
        (
            vec![encrypted(1, 19)],
            vec![at(yesterday, in_clear(1, 19))],
            [18, 1, 1, 0],
        ),
        (
            vec![encrypted(1, 19)],
            vec![encrypted(1, 19)],
            [18, 1, 1, 0],
        ),
        (
            vec![at(undated, encrypted(1, 19))],
            vec![encrypted(1, 19)],
            [18, 1, 1, 0],
        ),
        (vec![at(undated, encrypted(1, 19))], vec![], [18, 1, 1, 0]),
    ] {
        let mut disk = evaluator(&workstations(1), others().chain(plain.clone()));
        for fact in &doubtful {
            let _ = disk.observe_in_doubt(*fact);
        }
        let (signal, metadata) = finished(disk.finish(ANSWERED));
        let v = metadata.volumes;
        let counts = [
            v.encrypted,
            v.not_encrypted,
            v.unmeasured,
            v.out_of_scope.unwrap(),
        ];
        assert_eq!(counts, expected, "{doubtful:?} {plain:?}");
        assert_eq!(
            signal.status == Status::Pass,
            expected[0] == 19,
            "{doubtful:?} {plain:?}"
        );
    }
}

/// Of three volumes that are not reported any more, a row in doubt about a fourth would make all but one vanish.
#[test]
fn a_volume_that_may_be_out_shows_of_no_other_that_it_is_gone() {
    let old = |fact| VolumeFact {
        collected_at: Some(days_ago(31)),
        ..fact
    };
    for (fourth, in_doubt, expected) in [
        (encrypted(1, 4), false, [1, 0]),
        (encrypted(1, 4), true, [0, 4]),
        (in_clear(1, 4), true, [0, 3]),
    ] {
        let mut disk = evaluator(
            &workstations(1),
            (1..4).map(|volume| old(encrypted(1, volume))),
        );
        let _ = if in_doubt {
            disk.observe_in_doubt(fourth)
        } else {
            disk.observe(fourth)
        };
        let (_, metadata) = finished(disk.finish(ANSWERED));
        let v = metadata.volumes;
        assert_eq!(
            [v.encrypted, v.unmeasured],
            expected,
            "{fourth:?} {in_doubt}"
        );
    }
}

#[test]
fn a_custom_field_says_of_a_volume_that_may_be_out_only_what_is_bad() {
    for collected_at in [Some(NOW), Some(days_ago(31)), None] {
        for (said, expected) in [
            (CustomAnswer::Yes, [0, 0, 1]),
            (CustomAnswer::No, [0, 1, 0]),
        ] {
            let mut disk = evaluator(&workstations(1), []);
            let _ = disk.observe_in_doubt(VolumeFact {
                collected_at,
                ..unmeasured(1, 1)
            });
            let _ = disk.observe_custom(answer(1, said));
            let (_, metadata) = finished(disk.finish(ANSWERED));
            let v = metadata.volumes;
            assert_eq!(
                [v.encrypted, v.not_encrypted, v.unmeasured],
                expected,
                "{collected_at:?} {said:?}"
            );
        }
    }
}

/// A switch whose class was damaged is no computer that is encrypted, and a computer in clear stays one.
#[test]
fn of_a_device_whose_class_cannot_be_read_only_what_is_bad_counts() {
    let alone = fleet([device(1, DeviceClass::Unreadable)]);
    let (signal, metadata) = judge(&alone, [encrypted(1, 1)]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (
            Status::Unknown,
            "coverage_below_half unknown_node_class unmeasured_devices unmeasured_volumes"
        )
    );
    assert_eq!((metadata.scope.measured, metadata.scope.unmeasured), (0, 1));
    assert_eq!(judge(&alone, [in_clear(1, 1)]).0.status, Status::Fail);
    let pair = fleet([workstation(1), device(2, DeviceClass::Unreadable)]);
    assert_eq!(
        judge(&pair, [encrypted(1, 1), encrypted(2, 1)]).0.status,
        Status::Warning
    );
    for rows in [vec![], vec![unmeasured(1, 1)]] {
        for (said, status) in [
            (CustomAnswer::Yes, Status::Unknown),
            (CustomAnswer::No, Status::Fail),
        ] {
            let mut disk = evaluator(&alone, rows.clone());
            let _ = disk.observe_custom(answer(1, said));
            assert_eq!(disk.finish(ANSWERED).status, status, "{rows:?} {said:?}");
        }
    }
}

/// The second volume has become a USB stick, or was one: nothing shows that the first, silent for a month, is gone.
#[test]
fn a_volume_that_may_be_out_shows_not_that_another_is_gone() {
    let undated = |fact| VolumeFact {
        collected_at: None,
        ..fact
    };
    let gone = VolumeFact {
        collected_at: Some(days_ago(31)),
        ..in_clear(1, 1)
    };
    // rows of the second volume -> unmeasured volumes
    for (rows, unmeasured_volumes) in [
        (vec![encrypted(1, 2)], 0),
        (vec![encrypted(1, 2), undated(in_clear(1, 2))], 1),
        (vec![encrypted(1, 2), undated(removable(1, 2))], 2),
        (vec![removable(1, 2), undated(encrypted(1, 2))], 2),
        (vec![removable(1, 2)], 1),
    ] {
        let facts = rows.iter().copied().chain([gone]);
        let (_, metadata) = judge(&workstations(1), facts);
        assert_eq!(metadata.volumes.unmeasured, unmeasured_volumes, "{rows:?}");
    }
}

/// Every choice of up to three rows, and every choice of them with its time made unreadable: without chance.
#[test]
fn no_volume_row_whose_time_is_lost_makes_a_pass() {
    let mut choices = Vec::new();
    for volume in 1..=2 {
        let rows = [
            encrypted(1, volume),
            in_clear(1, volume),
            unmeasured(1, volume),
            unclear(1, volume),
        ];
        // A volume that is out is unmeasured where its row is too old, and out where it is undated: of no more than two ages here.
        let out = [
            removable(1, volume),
            VolumeFact {
                encryption: None,
                ..removable(1, volume)
            },
        ];
        for (rows, ages) in [(&rows[..], &[0, 2, 31][..]), (&out[..], &[0, 2][..])] {
            for row in rows {
                choices.extend(ages.iter().map(|days| VolumeFact {
                    collected_at: Some(days_ago(*days)),
                    ..*row
                }));
            }
        }
    }
    let fleet = workstations(2);
    let undated = |row| VolumeFact {
        collected_at: None,
        ..row
    };
    // Beside 19 encrypted volumes one that is not still passes, and two do not.
    for (others, answered) in [
        (1, None),
        (19, None),
        (1, Some(CustomAnswer::Yes)),
        (19, Some(CustomAnswer::Yes)),
    ] {
        let base = evaluator(&fleet, (1..=others).map(|volume| encrypted(2, volume)));
        let status = |rows: &[VolumeFact]| {
            let mut disk = base.clone();
            for row in rows {
                let _ = disk.observe(*row);
            }
            if let Some(said) = answered {
                let _ = disk.observe_custom(answer(1, said));
            }
            disk.finish(ANSWERED).status
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
}

/// A Mac that nobody has heard of for years, whose last contact cannot be read: its answer may be as old.
#[test]
fn a_custom_field_of_a_device_without_a_last_contact_measures_nothing() {
    let silent = |last_contact| {
        let mac = |key| DeviceFact {
            last_contact,
            ..device(key, DeviceClass::Mac)
        };
        fleet([device(1, DeviceClass::Mac), mac(2), mac(3)])
    };
    for last_contact in [Some(days_ago(900)), None, Some(NOW + Duration::DAY)] {
        let mut disk = evaluator(&silent(last_contact), []);
        for key in 1..=3 {
            let _ = disk.observe_custom(answer(key, CustomAnswer::Yes));
        }
        let (signal, metadata) = finished(disk.finish(ANSWERED));
        assert_eq!(signal.status, Status::Unknown, "{last_contact:?}");
        assert_eq!(metadata.scope.measured, 1);
    }
}
