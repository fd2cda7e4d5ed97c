use super::*;
use crate::{
    device::{DeviceClass, DeviceFact},
    fixture::{device, digest_key, fleet, not_approved, reasons, stale, workstation, workstations},
};

fn with_flag(key: u64, offline: Option<bool>) -> DeviceFact {
    DeviceFact {
        offline,
        ..workstation(key)
    }
}

fn judge(devices: impl IntoIterator<Item = DeviceFact>) -> (Signal, DeviceInventoryMetadata) {
    let signal = finish(&fleet(devices));
    let Metadata::DeviceInventory(metadata) = signal.metadata else {
        panic!("{signal:?}")
    };
    (signal, metadata)
}

/// So many devices online, offline, and without a flag.
fn shares(online: u64, offline: u64, unsaid: u64) -> (Signal, DeviceInventoryMetadata) {
    judge(
        (0..online)
            .map(|key| with_flag(key, Some(false)))
            .chain((0..offline).map(|key| with_flag(1000 + key, Some(true))))
            .chain((0..unsaid).map(|key| with_flag(2000 + key, None))),
    )
}

#[test]
fn fewer_than_half_offline_passes() {
    let table = [
        (1, 0, 0, Status::Pass, ""),
        (2, 1, 0, Status::Pass, ""),
        (1, 1, 0, Status::Warning, "mostly_offline"),
        (0, 1, 0, Status::Warning, "mostly_offline"),
        (51, 49, 0, Status::Pass, ""),
        (50, 50, 0, Status::Warning, "mostly_offline"),
        // Also if every device without a flag were offline.
        (2, 0, 1, Status::Pass, "unmeasured_devices"),
        (1, 0, 1, Status::Warning, "unmeasured_devices"),
        (5, 3, 1, Status::Pass, "unmeasured_devices"),
        (5, 3, 2, Status::Warning, "unmeasured_devices"),
        (0, 0, 1, Status::Warning, "unmeasured_devices"),
        (
            2,
            3,
            1,
            Status::Warning,
            "mostly_offline unmeasured_devices",
        ),
        (0, 0, 0, Status::Warning, "no_devices"),
    ];
    for (online, offline, unsaid, status, codes) in table {
        let (signal, metadata) = shares(online, offline, unsaid);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{online} {offline} {unsaid}"
        );
        assert_eq!(metadata.devices.approved, online + offline + unsaid);
        assert_eq!(metadata.devices.offline, offline);
        assert_eq!(
            (metadata.scope.measured, metadata.scope.unmeasured),
            (online + offline, unsaid)
        );
    }
}

#[test]
fn stale_devices_count_as_they_report_and_nothing_is_out_of_scope() {
    let (signal, metadata) = judge([
        stale(1),
        stale(2),
        device(3, DeviceClass::Network),
        not_approved(4),
    ]);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Pass, "")
    );
    assert_eq!(metadata.devices.stale, 2);
    assert_eq!(
        metadata.scope,
        DeviceScope {
            approved: 3,
            measured: 3,
            unmeasured: 0,
            stale: 0,
            not_applicable: 0,
            not_approved: 1,
        }
    );
}

#[test]
fn families_add_up_to_the_approved_devices() {
    let classes = [
        (DeviceClass::WindowsWorkstation, 1),
        (DeviceClass::Mac, 1),
        (DeviceClass::LinuxWorkstation, 1),
        (DeviceClass::WindowsServer, 1),
        (DeviceClass::MacServer, 1),
        (DeviceClass::Mobile, 3),
        (DeviceClass::Network, 4),
        (DeviceClass::Virtualization, 5),
        (DeviceClass::Other, 3),
        (DeviceClass::Unknown, 3),
    ];
    let devices = classes
        .into_iter()
        .flat_map(|(class, count)| std::iter::repeat_n(class, count))
        .zip(1..)
        .map(|(class, key)| device(key, class));
    let (_, metadata) = judge(devices.chain([not_approved(99)]));
    assert_eq!(
        metadata.by_family,
        FamilyCounts {
            workstation: 3,
            server: 2,
            mobile: 3,
            network: 4,
            virtualization: 5,
            other: 6,
        }
    );
}

#[test]
fn a_device_list_that_was_cut_or_broken_never_passes() {
    for (truncated, malformed, codes) in [
        (true, false, "truncated"),
        (false, true, "malformed_rows"),
        (true, true, "malformed_rows truncated"),
    ] {
        let mut devices = Fleet::builder(crate::fixture::NOW);
        devices.observe(workstation(1));
        if truncated {
            devices.truncated();
        }
        if malformed {
            devices.malformed_rows();
        }
        let signal = finish(&devices.build());
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (Status::Warning, codes)
        );
        assert!(!signal.complete);
    }
}

#[test]
fn the_digest_is_of_the_device_list() {
    let key = digest_key();
    let digest = |fleet: &Fleet| {
        let (signal, digest) = finish_with_digest(fleet, &key);
        assert_eq!(signal, finish(fleet));
        digest
    };
    let expected = digest(&workstations(2));
    assert_eq!(
        digest(&fleet([workstation(2), workstation(1), workstation(2)])),
        expected
    );
    assert_ne!(digest(&workstations(3)), expected);
    assert_ne!(
        digest(&fleet([workstation(1), with_flag(2, Some(true))])),
        expected
    );
    let mut truncated = Fleet::builder(crate::fixture::NOW);
    truncated.observe(workstation(1));
    truncated.observe(workstation(2));
    let mut malformed = truncated.clone();
    truncated.truncated();
    malformed.malformed_rows();
    let (truncated, malformed) = (digest(&truncated.build()), digest(&malformed.build()));
    assert_ne!(truncated, expected);
    assert_ne!(malformed, expected);
    assert_ne!(malformed, truncated);
}
