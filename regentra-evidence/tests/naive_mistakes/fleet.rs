use regentra_evidence::{
    ActivityKey, AntivirusPosture, BackupActivity, BackupEvent, BackupFact, Conversion,
    Definitions, DeviceClass, DeviceFact, DeviceKey, DiskEncryption, Encryption, Fleet, PatchKey,
    PatchKind, PatchSeverity, PatchSla, PendingFact, Product, ProductFact, Protection,
    ProtectionState, Reason, Signal, Status, Vendor, VolumeFact, VolumeKey, VolumeLabel,
    VolumeType, device_inventory,
};

use crate::{ANSWERED, NOW, Naive, assert_ours, days_ago, fleet, naive, workstation};

/// The antivirus signal of devices that are all on, of those that are given.
fn protected(devices: &[DeviceFact], on: std::ops::RangeInclusive<u64>) -> Signal {
    let mut antivirus = AntivirusPosture::new(fleet(devices.iter().copied()));
    for key in on {
        let _ = antivirus.observe(ProductFact {
            device: DeviceKey::new(key),
            product: Product::Real(Vendor::MicrosoftDefender),
            state: ProtectionState::On,
            definitions: Definitions::UpToDate,
            collected_at: Some(NOW),
        });
    }
    antivirus.finish(ANSWERED, None)
}

#[test]
fn devices_long_gone_left_out_until_none_is_left() {
    let silent = |key| DeviceFact {
        last_contact: Some(days_ago(60)),
        ..workstation(key)
    };
    let devices: Vec<_> = (1..=10).map(silent).collect();
    let seen_lately = |fact: &&DeviceFact| fact.last_contact > Some(days_ago(30));
    // Of those that are left, every one is fine.
    assert_eq!(
        naive(devices.iter().filter(seen_lately).all(|_| false)),
        Naive::Pass
    );
    assert_ours(
        &protected(&devices, 1..=10),
        Status::Unknown,
        [Reason::FleetDark],
    );
    // Nor may a few that are awake speak for the many that are not.
    let devices: Vec<_> = (1..=2)
        .map(workstation)
        .chain((3..=10).map(silent))
        .collect();
    assert_ours(
        &protected(&devices, 1..=2),
        Status::Unknown,
        [Reason::CoverageBelowHalf],
    );
}

#[test]
fn a_device_without_last_contact_taken_for_long_gone() {
    let devices = [DeviceFact {
        last_contact: None,
        ..workstation(1)
    }];
    let seen_lately = |fact: &DeviceFact| fact.last_contact > Some(days_ago(30));
    assert_eq!(naive(devices.iter().any(seen_lately)), Naive::Fail);
    assert_ours(&protected(&devices, 1..=1), Status::Pass, []);
}

#[test]
fn the_record_of_a_virtual_machine_taken_for_an_unprotected_computer() {
    let record = DeviceFact {
        class: DeviceClass::Virtualization,
        ..workstation(2)
    };
    let devices = [workstation(1), record];
    assert_eq!(naive(devices.len() == 1), Naive::Fail);
    assert_ours(&protected(&devices, 1..=1), Status::Pass, []);
}

#[test]
fn a_class_nobody_knows_silently_dropped() {
    let devices = [
        workstation(1),
        DeviceFact {
            class: DeviceClass::Unknown,
            ..workstation(2)
        },
    ];
    let known = devices
        .iter()
        .filter(|fact| fact.class != DeviceClass::Unknown);
    assert_eq!(naive(known.count() == 1), Naive::Pass);
    assert_ours(
        &protected(&devices, 1..=1),
        Status::Warning,
        [Reason::UnknownNodeClass],
    );
}

#[test]
fn a_device_that_waits_for_approval_counted() {
    let pending = DeviceFact {
        approved: false,
        ..workstation(2)
    };
    let devices = [workstation(1), pending];
    assert_eq!(naive(devices.len() == 1), Naive::Fail);
    let signal = protected(&devices, 1..=1);
    assert_ours(&signal, Status::Pass, []);
    assert_eq!(signal.metadata.scope().not_approved, 1);
}

#[test]
fn the_first_page_taken_for_the_whole_list() {
    let mut devices = Fleet::builder(NOW);
    devices.observe(workstation(1));
    devices.truncated();
    let fleet = devices.build();
    assert_eq!(naive(fleet.approved() > 0), Naive::Pass);
    let signal = device_inventory::finish(&fleet);
    assert_ours(&signal, Status::Warning, [Reason::Truncated]);
    assert!(!signal.complete);
}

#[test]
fn an_empty_tenant_taken_for_a_clean_one() {
    let nobody: [DeviceFact; 0] = [];
    assert_eq!(
        naive(nobody.iter().all(|fact| fact.offline == Some(false))),
        Naive::Pass
    );
    assert_ours(
        &protected(&nobody, 1..=1),
        Status::Unknown,
        [Reason::NoDevices],
    );
    let signal = DiskEncryption::new(fleet(nobody)).finish(ANSWERED);
    assert_ours(&signal, Status::Unknown, [Reason::NoDevices]);
    assert_ours(
        &device_inventory::finish(&fleet(nobody)),
        Status::Warning,
        [Reason::NoDevices],
    );
}

#[test]
fn a_device_that_does_not_say_taken_for_online() {
    let devices = [DeviceFact {
        offline: None,
        ..workstation(1)
    }];
    assert_eq!(
        naive(!devices.iter().any(|fact| fact.offline == Some(true))),
        Naive::Pass
    );
    let signal = device_inventory::finish(&fleet(devices));
    assert_ours(&signal, Status::Warning, [Reason::UnmeasuredDevices]);
}

#[test]
fn half_of_the_fleet_offline_rounded_away() {
    let devices = [
        workstation(1),
        DeviceFact {
            offline: Some(true),
            ..workstation(2)
        },
    ];
    let offline = devices
        .iter()
        .filter(|fact| fact.offline == Some(true))
        .count();
    assert_eq!(naive(offline <= devices.len() / 2), Naive::Pass);
    assert_ours(
        &device_inventory::finish(&fleet(devices)),
        Status::Warning,
        [Reason::MostlyOffline],
    );
}

/// Ten devices with one bad row of each report, and nobody can read when those were collected.
#[test]
fn ten_devices_whose_bad_rows_lacked_a_time() {
    let devices: Vec<_> = (1..=10).map(workstation).collect();
    let all = || fleet(devices.iter().copied());
    let mut disk = DiskEncryption::new(all());
    let mut antivirus = AntivirusPosture::new(all());
    let mut patches = PatchSla::new(all());
    let mut backups = BackupActivity::new(all());
    for key in 1..=10 {
        let device = DeviceKey::new(key);
        // Beside good rows of yesterday, so that everything is measured.
        for (bad, time) in [(false, Some(days_ago(1))), (true, None)] {
            let _ = disk.observe(VolumeFact {
                device,
                volume: VolumeKey::new(1),
                volume_type: VolumeType::Fixed,
                label: VolumeLabel::Other,
                capacity: None,
                encryption: Some(Encryption {
                    conversion: if bad {
                        Conversion::Decrypted
                    } else {
                        Conversion::FullyEncrypted
                    },
                    protection: Protection::Protected,
                }),
                collected_at: time,
            });
            // The only row of its device: beside an ON row an OFF row says nothing.
            if bad {
                let _ = antivirus.observe(ProductFact {
                    device,
                    product: Product::Real(Vendor::MicrosoftDefender),
                    state: ProtectionState::Off,
                    definitions: Definitions::UpToDate,
                    collected_at: time,
                });
            }
            for kind in [PatchKind::Os, PatchKind::Software] {
                let _ = patches.observe_pending(PendingFact {
                    device,
                    kind,
                    patch: PatchKey::new(1),
                    definition_update: false,
                    severity: if bad {
                        PatchSeverity::Critical
                    } else {
                        PatchSeverity::Low
                    },
                    rejected: false,
                    collected_at: time,
                });
            }
            // No success that would outweigh it.
            if bad {
                let _ = backups.observe(BackupFact {
                    device,
                    activity: ActivityKey::new(key.cast_signed()),
                    event: BackupEvent::Failure,
                    at: time,
                });
            }
        }
    }
    let signals = [
        (disk.finish(ANSWERED), Status::Unknown),
        (antivirus.finish(ANSWERED, None), Status::Unknown),
        (patches.finish(ANSWERED, ANSWERED), Status::Fail),
        (backups.finish(ANSWERED), Status::Fail),
    ];
    // Rows without a time are left out, so nothing bad is left.
    assert_eq!(naive(true), Naive::Pass);
    for (signal, status) in signals {
        assert_ours(&signal, status, [Reason::UndatedRows]);
    }
}
