//! Rows of the volumes report.

use ninjaone_client::models::{BitLockerStatus, Volume};
use regentra_evidence::{
    Conversion, Encryption, Protection, VolumeFact, VolumeKey, VolumeLabel, VolumeType,
};

use super::{Malformed, instant, opaque, present, row_device};

/// What one row of the volumes report says.
///
/// # Errors
///
/// [`Malformed`] for a row without a device.
pub fn volume(row: &Volume) -> Result<VolumeFact, Malformed> {
    Ok(VolumeFact {
        device: row_device(row.device_id)?,
        volume: volume_key(row),
        volume_type: row
            .device_type
            .as_ref()
            .map_or(VolumeType::Fixed, |word| volume_type(word.as_str())),
        label: row
            .label
            .as_deref()
            .map_or(VolumeLabel::Other, volume_label),
        // A negative size is no size.
        capacity: row.capacity.and_then(|bytes| u64::try_from(bytes).ok()),
        encryption: row.bit_locker_status.as_ref().map(encryption),
        collected_at: instant(row.timestamp),
    })
}

/// Tells the volumes of a device apart by name, else drive letter, else serial number.
fn volume_key(row: &Volume) -> VolumeKey {
    let identity = [
        ("name", &row.name),
        ("driveLetter", &row.drive_letter),
        ("serialNumber", &row.serial_number),
    ]
    .into_iter()
    .find_map(|(field, word)| Some([field, present(word.as_deref())?]));
    VolumeKey::new(match identity {
        Some(words) => opaque(words),
        // Without any of the three, two rows that differ in anything are two volumes: merging them could hide a bad one.
        None => opaque([
            "row",
            serde_json::to_string(row).unwrap_or_default().as_str(),
        ]),
    })
}

fn volume_type(word: &str) -> VolumeType {
    match word {
        "Removable Disk" | "Network Drive" | "Compact Disc" | "CD-ROM Disc" | "RAM Disk" => {
            VolumeType::NotFixed
        }
        _ => VolumeType::Fixed,
    }
}

fn volume_label(word: &str) -> VolumeLabel {
    const RESERVED: [&str; 5] = ["Recovery", "WinRE", "EFI", "ESP", "System Reserved"];
    if RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
    {
        VolumeLabel::Reserved
    } else {
        VolumeLabel::Other
    }
}

fn encryption(status: &BitLockerStatus) -> Encryption {
    Encryption {
        conversion: status
            .conversion_status
            .as_ref()
            .map_or(Conversion::Unknown, |word| conversion(word.as_str())),
        protection: status
            .protection_status
            .as_ref()
            .map_or(Protection::Unknown, |word| protection(word.as_str())),
    }
}

fn conversion(word: &str) -> Conversion {
    match word {
        "FULLY_ENCRYPTED" => Conversion::FullyEncrypted,
        "ENCRYPTION_IN_PROGRESS" | "ENCRYPTION_PAUSED" => Conversion::Encrypting,
        "FULLY_DECRYPTED" => Conversion::Decrypted,
        _ if word.starts_with("DECRYPTION_") => Conversion::Decrypted,
        _ => Conversion::Unknown,
    }
}

fn protection(word: &str) -> Protection {
    match word {
        "PROTECTED" => Protection::Protected,
        "UNPROTECTED" => Protection::Unprotected,
        "PENDING" => Protection::Pending,
        _ => Protection::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use regentra_evidence::DeviceClass;
    use regentra_evidence::disk_encryption::{RESERVED_PARTITION_CEILING, VolumeBucket};
    use serde_json::json;

    use super::*;

    fn read(mut json: serde_json::Value) -> VolumeFact {
        json["deviceId"] = json!(1);
        volume(&serde_json::from_value(json).unwrap()).unwrap()
    }

    #[test]
    fn every_pair_of_conversion_and_protection_has_its_bucket() {
        use VolumeBucket::{Encrypted, InProgress, NotEncrypted, Suspended, Unmeasured};
        let conversions = [
            Some("FULLY_ENCRYPTED"),
            Some("ENCRYPTION_IN_PROGRESS"),
            Some("ENCRYPTION_PAUSED"),
            Some("FULLY_DECRYPTED"),
            Some("DECRYPTION_IN_PROGRESS"),
            Some("DECRYPTION_PAUSED"),
            Some("UNKNOWN"),
            Some("HALF_ENCRYPTED"),
            None,
        ];
        let protections = [
            (
                Some("PROTECTED"),
                [Encrypted, InProgress, NotEncrypted, Unmeasured],
            ),
            (
                Some("UNPROTECTED"),
                [Suspended, InProgress, NotEncrypted, NotEncrypted],
            ),
            (
                Some("PENDING"),
                [Suspended, InProgress, NotEncrypted, Unmeasured],
            ),
            (
                Some("UNKNOWN"),
                [Unmeasured, InProgress, NotEncrypted, Unmeasured],
            ),
            (
                Some("MAYBE"),
                [Unmeasured, InProgress, NotEncrypted, Unmeasured],
            ),
            (None, [Unmeasured, InProgress, NotEncrypted, Unmeasured]),
        ];
        for (protection, expected) in protections {
            for conversion in conversions {
                let expected = match conversion {
                    Some("FULLY_ENCRYPTED") => expected[0],
                    Some("ENCRYPTION_IN_PROGRESS" | "ENCRYPTION_PAUSED") => expected[1],
                    Some("FULLY_DECRYPTED" | "DECRYPTION_IN_PROGRESS" | "DECRYPTION_PAUSED") => {
                        expected[2]
                    }
                    _ => expected[3],
                };
                let status =
                    json!({"conversionStatus": conversion, "protectionStatus": protection});
                let fact = read(json!({"name": "C:", "bitLockerStatus": status}));
                assert_eq!(
                    fact.bucket(DeviceClass::WindowsWorkstation),
                    expected,
                    "{conversion:?} {protection:?}"
                );
            }
        }
        assert_eq!(
            read(json!({"name": "C:"})).bucket(DeviceClass::WindowsWorkstation),
            Unmeasured
        );
        assert_eq!(
            read(json!({"name": "C:", "bitLockerStatus": null}))
                .bucket(DeviceClass::WindowsWorkstation),
            Unmeasured
        );
    }

    #[test]
    fn only_fixed_volumes_of_some_size_are_in_scope() {
        let ceiling = RESERVED_PARTITION_CEILING;
        let table = [
            (json!({"deviceType": "Local Disk", "capacity": 1}), false),
            (json!({"deviceType": "Removable Disk"}), true),
            (json!({"deviceType": "Network Drive"}), true),
            (json!({"deviceType": "Compact Disc"}), true),
            (json!({"deviceType": "CD-ROM Disc"}), true),
            (json!({"deviceType": "RAM Disk"}), true),
            (json!({"deviceType": "Holographic Disk"}), false),
            (json!({}), false),
            (json!({"capacity": 0}), true),
            (json!({"capacity": -1}), false),
            (json!({"label": "recovery", "capacity": ceiling - 1}), true),
            (json!({"label": "WINRE", "capacity": ceiling - 1}), true),
            (json!({"label": "efi", "capacity": ceiling - 1}), true),
            (json!({"label": "ESP", "capacity": ceiling - 1}), true),
            (
                json!({"label": "System reserved", "capacity": ceiling - 1}),
                true,
            ),
            (json!({"label": "Recovery", "capacity": ceiling}), false),
            (json!({"label": "Recovery"}), false),
            (json!({"label": "Recovery of data", "capacity": 5}), false),
        ];
        for (row, out) in table {
            assert_eq!(
                read(row.clone()).bucket(DeviceClass::WindowsWorkstation) == VolumeBucket::Out,
                out,
                "{row}"
            );
        }
    }

    #[test]
    fn a_volume_is_known_by_name_then_letter_then_serial_number() {
        let by_name = read(json!({"name": "C:", "driveLetter": "D:", "serialNumber": "1"})).volume;
        assert_eq!(
            by_name,
            read(json!({"name": "C:", "serialNumber": "2"})).volume
        );
        assert_ne!(
            by_name,
            read(json!({"name": "D:", "serialNumber": "1"})).volume
        );
        let by_letter = read(json!({"name": " ", "driveLetter": "D:", "serialNumber": "1"})).volume;
        assert_eq!(
            by_letter,
            read(json!({"driveLetter": "D:", "serialNumber": "2"})).volume
        );
        let by_serial = read(json!({"serialNumber": "1"})).volume;
        assert_eq!(
            by_serial,
            read(json!({"serialNumber": "1", "label": "x"})).volume
        );
        assert_ne!(by_serial, read(json!({"serialNumber": "2"})).volume);
        assert_ne!(
            read(json!({"capacity": 1})).volume,
            read(json!({"capacity": 2})).volume
        );
    }

    #[test]
    fn a_volume_without_device_is_malformed() {
        let row = serde_json::from_value(json!({"name": "C:"})).unwrap();
        assert_eq!(volume(&row), Err(Malformed { field: "deviceId" }));
    }
}
