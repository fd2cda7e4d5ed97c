use regentra_evidence::{
    Conversion, DeviceClass, DeviceFact, DeviceKey, DiskEncryption, Encryption, Metadata, Percent,
    Protection, Reason, Signal, Status, VolumeFact, VolumeKey, VolumeLabel, VolumeType,
    disk_encryption::{DiskEncryptionMetadata, RESERVED_PARTITION_CEILING},
};
use time::Duration;

use crate::{ANSWERED, NOW, Naive, assert_ours, days_ago, fleet, naive, workstation, workstations};

fn volume(device: u64, volume: u128, conversion: Conversion, protection: Protection) -> VolumeFact {
    VolumeFact {
        device: DeviceKey::new(device),
        volume: VolumeKey::new(volume),
        volume_type: VolumeType::Fixed,
        label: VolumeLabel::Other,
        capacity: Some(500_000_000_000),
        encryption: Some(Encryption {
            conversion,
            protection,
        }),
        collected_at: Some(NOW),
    }
}

fn encrypted(device: u64, number: u128) -> VolumeFact {
    volume(
        device,
        number,
        Conversion::FullyEncrypted,
        Protection::Protected,
    )
}

fn in_clear(device: u64, number: u128) -> VolumeFact {
    volume(
        device,
        number,
        Conversion::Decrypted,
        Protection::Unprotected,
    )
}

/// `good` of `total` volumes of one device encrypted.
fn shares(good: u128, total: u128) -> Vec<VolumeFact> {
    (0..total)
        .map(|number| {
            if number < good {
                encrypted(1, number)
            } else {
                in_clear(1, number)
            }
        })
        .collect()
}

fn judge(devices: &[DeviceFact], facts: &[VolumeFact]) -> Signal {
    let mut disk = DiskEncryption::new(fleet(devices.iter().copied()));
    for fact in facts {
        let _ = disk.observe(*fact);
    }
    disk.finish(ANSWERED)
}

fn metadata(signal: &Signal) -> DiskEncryptionMetadata {
    match signal.metadata {
        Metadata::DiskEncryption(metadata) => metadata,
        _ => unreachable!(),
    }
}

/// The row says it: the volume is converted to cipher text.
fn is_converted(fact: &VolumeFact) -> bool {
    fact.encryption
        .is_some_and(|encryption| encryption.conversion == Conversion::FullyEncrypted)
}

#[test]
fn the_report_asked_for_without_bitlocker() {
    let facts: Vec<_> = (1..=10)
        .map(|device| VolumeFact {
            encryption: None,
            ..encrypted(device, 1)
        })
        .collect();
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Fail);
    let devices: Vec<_> = (1..=10).map(workstation).collect();
    assert_ours(
        &judge(&devices, &facts),
        Status::Unknown,
        [Reason::UnmeasuredVolumes],
    );
}

#[test]
fn a_mac_without_a_bitlocker_field_is_not_in_clear() {
    let mac = DeviceFact {
        class: DeviceClass::Mac,
        ..workstation(1)
    };
    let facts = [VolumeFact {
        encryption: None,
        ..encrypted(1, 1)
    }];
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Fail);
    assert_ours(
        &judge(&[mac], &facts),
        Status::Unknown,
        [Reason::UnmeasuredVolumes],
    );
}

#[test]
fn encrypted_with_the_key_in_clear() {
    let facts = [volume(
        1,
        1,
        Conversion::FullyEncrypted,
        Protection::Unprotected,
    )];
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Fail,
        [Reason::BelowThreshold],
    );
}

#[test]
fn encrypted_and_nobody_says_whether_it_is_protected() {
    let facts = [volume(
        1,
        1,
        Conversion::FullyEncrypted,
        Protection::Unknown,
    )];
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Unknown,
        [Reason::UnmeasuredVolumes],
    );
}

#[test]
fn nothing_but_the_system_drive_looked_at() {
    let facts = [encrypted(1, 1), in_clear(1, 2)];
    assert_eq!(naive(facts.first().is_some_and(is_converted)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Fail,
        [Reason::BelowThreshold],
    );
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "the mistake itself")]
fn one_hundred_and_ninety_nine_of_two_hundred_rounded_to_all() {
    let facts = shares(199, 200);
    let percent = (199_f64 / 200_f64 * 100.0).round();
    assert_eq!(naive(percent >= 100.0), Naive::Pass);
    let signal = judge(&[workstation(1)], &facts);
    assert_eq!(
        metadata(&signal).encrypted_percent.map(Percent::tenths),
        Some(995)
    );
    assert_eq!(metadata(&signal).devices_fully_encrypted, 0);

    // And the threshold itself: 94.97 % is not 95 %.
    let (good, total) = (189_u64, 199_u64);
    let percent = (good as f64 / total as f64 * 100.0).round();
    assert_eq!(naive(percent >= 95.0), Naive::Pass);
    let signal = judge(&[workstation(1)], &shares(good.into(), total.into()));
    assert_ours(&signal, Status::Warning, [Reason::BelowThreshold]);
}

#[test]
fn what_is_not_known_left_out_of_the_share() {
    // One device answers, ninety-nine do not.
    let facts = [encrypted(1, 1)];
    let converted = facts.iter().filter(|fact| is_converted(fact)).count();
    assert_eq!(naive(converted == facts.len()), Naive::Pass);
    let devices: Vec<_> = (1..=100).map(workstation).collect();
    assert_ours(
        &judge(&devices, &facts),
        Status::Unknown,
        [Reason::CoverageBelowHalf],
    );
}

#[test]
fn the_recovery_partition_counted_as_a_disk_in_clear() {
    let recovery = VolumeFact {
        label: VolumeLabel::Reserved,
        capacity: Some(600_000_000),
        ..in_clear(1, 2)
    };
    let facts = [encrypted(1, 1), recovery];
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Fail);
    assert_ours(&judge(&[workstation(1)], &facts), Status::Pass, []);
}

#[test]
fn a_data_disk_labelled_recovery_excused() {
    let labelled = VolumeFact {
        label: VolumeLabel::Reserved,
        capacity: Some(RESERVED_PARTITION_CEILING),
        ..in_clear(1, 2)
    };
    let facts = [encrypted(1, 1), labelled];
    let counts = |fact: &&VolumeFact| fact.label != VolumeLabel::Reserved;
    assert_eq!(
        naive(facts.iter().filter(counts).all(is_converted)),
        Naive::Pass
    );
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Fail,
        [Reason::BelowThreshold],
    );
}

#[test]
fn a_usb_stick_counted_as_a_disk_in_clear() {
    let stick = VolumeFact {
        volume_type: VolumeType::NotFixed,
        ..in_clear(1, 2)
    };
    let facts = [encrypted(1, 1), stick];
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Fail);
    assert_ours(&judge(&[workstation(1)], &facts), Status::Pass, []);
}

#[test]
fn the_row_that_arrived_last_taken_for_the_newest() {
    let before = VolumeFact {
        collected_at: Some(days_ago(3)),
        ..encrypted(1, 1)
    };
    let facts = [in_clear(1, 1), before];
    assert_eq!(naive(facts.last().is_some_and(is_converted)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Fail,
        [Reason::BelowThreshold],
    );
}

#[test]
fn a_page_that_came_twice_counted_twice() {
    let mut facts = shares(94, 100);
    let again: Vec<_> = facts.iter().copied().filter(is_converted).collect();
    facts.extend(again);
    let converted = facts.iter().filter(|fact| is_converted(fact)).count();
    assert_eq!(naive(converted * 100 >= facts.len() * 95), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Warning,
        [Reason::BelowThreshold],
    );
}

#[test]
fn a_date_in_the_future_taken_for_fresh() {
    let facts = [VolumeFact {
        collected_at: Some(NOW + Duration::days(900)),
        ..encrypted(1, 1)
    }];
    let fresh = |fact: &VolumeFact| {
        fact.collected_at
            .is_some_and(|at| NOW - at <= Duration::days(30))
    };
    assert_eq!(naive(facts.iter().all(fresh)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts),
        Status::Unknown,
        [Reason::UnmeasuredVolumes],
    );
}

#[test]
fn a_device_without_rows_that_leaves_no_trace() {
    let facts = [encrypted(1, 1)];
    assert_eq!(naive(facts.iter().all(is_converted)), Naive::Pass);
    let mut disk = DiskEncryption::new(workstations(2));
    let _ = disk.observe(facts[0]);
    assert_ours(
        &disk.finish(ANSWERED),
        Status::Warning,
        [Reason::UnmeasuredDevices],
    );
}

#[test]
fn a_laptop_that_reports_only_a_usb_stick() {
    let stick = VolumeFact {
        volume_type: VolumeType::NotFixed,
        ..in_clear(1, 1)
    };
    let fixed = |fact: &&VolumeFact| fact.volume_type == VolumeType::Fixed;
    assert_eq!(
        naive([stick].iter().filter(fixed).count() == 0),
        Naive::Pass
    );
    assert_ours(
        &judge(&[workstation(1)], &[stick]),
        Status::Unknown,
        [Reason::UnmeasuredVolumes, Reason::CoverageBelowHalf],
    );
}

#[test]
fn vendors_unopenable_partitions_taken_for_disks_in_clear() {
    let partition = VolumeFact {
        label: VolumeLabel::Unopenable,
        capacity: Some(1_000_000_000),
        ..in_clear(1, 2)
    };
    let facts = [encrypted(1, 1), partition];
    let share = facts
        .iter()
        .filter(|fact| fact.encryption == encrypted(1, 1).encryption);
    assert_eq!(naive(share.count() * 100 >= facts.len() * 95), Naive::Fail);
    assert_ours(&judge(&[workstation(1)], &facts), Status::Pass, []);
}
