//! Rows of the volumes report.
//!
//! | field that cannot be read | the volume is |
//! |---|---|
//! | `deviceId` | lost |
//! | `name`, or what stands in for an absent one | of nobody knows which: [`VolumeRow::observe`] |
//! | `driveLetter` | one that can be opened, and unmeasured at best |
//! | `deviceType`, `label`, `capacity` | in scope unless another field puts it out, and unmeasured at best |
//! | `bitLockerStatus` | unmeasured, and no custom field answers for it |
//! | its `conversionStatus`, `protectionStatus` | as if they were unknown |
//! | `timestamp` | undated |

use ninjaone_client::models::{BitLockerStatus, Volume};
use regentra_evidence::{
    Conversion, DiskEncryption, Encryption, Protection, RowFate, VolumeFact, VolumeKey,
    VolumeLabel, VolumeType,
};

use super::{Malformed, caseless, instant, opaque, present, row_device};

/// What one row of the volumes report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeRow {
    /// What it says.
    pub fact: VolumeFact,
    /// Whether the row says which of its device's volumes it is about: `false` where that is there and cannot be read.
    pub is_identified: bool,
    /// Whether every field that says if the volume is in scope is absent or read.
    pub is_scope_known: bool,
}

impl VolumeRow {
    /// Shows the row to the evaluator.
    pub fn observe(self, disk: &mut DiskEncryption) -> RowFate {
        if !self.is_identified {
            disk.observe_unidentified(self.fact)
        } else if !self.is_scope_known {
            disk.observe_in_doubt(self.fact)
        } else {
            disk.observe(self.fact)
        }
    }
}

/// Reads one row of the volumes report.
///
/// # Errors
///
/// [`Malformed`] for a row without a device.
pub fn volume(row: &Volume) -> Result<VolumeRow, Malformed> {
    Ok(VolumeRow {
        fact: fact(row)?,
        is_identified: is_identified(row),
        is_scope_known: is_scope_known(row),
    })
}

fn fact(row: &Volume) -> Result<VolumeFact, Malformed> {
    Ok(VolumeFact {
        device: row_device(row.device_id)?,
        volume: volume_key(row),
        volume_type: row
            .device_type
            .as_ref()
            .map_or(VolumeType::Fixed, |word| volume_type(word.as_str())),
        label: if is_unopenable(row) {
            VolumeLabel::Unopenable
        } else {
            row.label
                .as_deref()
                .map_or(VolumeLabel::Other, volume_label)
        },
        // A negative size is no size.
        capacity: row.capacity.and_then(|bytes| u64::try_from(bytes).ok()),
        encryption: match &row.bit_locker_status {
            Some(status) => Some(encryption(status)),
            // There is an answer, and nobody can read it: no other answers in its place.
            None => row
                .unreadable
                .contains("bitLockerStatus")
                .then_some(Encryption {
                    conversion: Conversion::Unknown,
                    protection: Protection::Unknown,
                }),
        },
        collected_at: instant(row.timestamp),
    })
}

/// What tells the volumes of a device apart, the first that is there.
const fn identities(row: &Volume) -> [(&'static str, &Option<String>); 3] {
    [
        ("name", &row.name),
        ("driveLetter", &row.drive_letter),
        ("serialNumber", &row.serial_number),
    ]
}

/// Whether nothing that would tell the volume apart is unreadable before one that does.
fn is_identified(row: &Volume) -> bool {
    identities(row)
        .into_iter()
        .take_while(|(_, word)| present(word.as_deref()).is_none())
        .all(|(field, _)| !row.unreadable.contains(field))
}

/// Whether nothing that could put the volume out is there and unreadable. A word that was read stands, whatever came before it.
fn is_scope_known(row: &Volume) -> bool {
    [
        ("name", row.name.is_none()),
        ("driveLetter", row.drive_letter.is_none()),
        ("label", row.label.is_none()),
        ("deviceType", row.device_type.is_none()),
        ("capacity", row.capacity.is_none()),
    ]
    .into_iter()
    .all(|(field, is_absent)| !(is_absent && row.unreadable.contains(field)))
}

/// Whether nobody can open the volume: Windows knows it by its id alone, and it has no letter. A letter that cannot be read is one.
fn is_unopenable(row: &Volume) -> bool {
    const BY_ID: &str = r"\\?\VOLUME{";
    let name = row.name.as_deref().unwrap_or_default();
    caseless(name).starts_with(BY_ID)
        && present(row.drive_letter.as_deref()).is_none()
        && !row.unreadable.contains("driveLetter")
}

/// Tells the volumes of a device apart by name, else drive letter, else serial number.
fn volume_key(row: &Volume) -> VolumeKey {
    let identity = identities(row)
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
    match caseless(word).as_ref() {
        "REMOVABLE DISK" | "NETWORK DRIVE" | "COMPACT DISC" | "CD-ROM DISC" | "RAM DISK" => {
            VolumeType::NotFixed
        }
        _ => VolumeType::Fixed,
    }
}

fn volume_label(word: &str) -> VolumeLabel {
    const RESERVED: [&str; 5] = ["RECOVERY", "WINRE", "EFI", "ESP", "SYSTEM RESERVED"];
    if RESERVED.contains(&caseless(word).as_ref()) {
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
    match caseless(word).as_ref() {
        "FULLY_ENCRYPTED" => Conversion::FullyEncrypted,
        "ENCRYPTION_IN_PROGRESS" | "ENCRYPTION_PAUSED" => Conversion::Encrypting,
        "FULLY_DECRYPTED" => Conversion::Decrypted,
        word if word.starts_with("DECRYPTION_") => Conversion::Decrypted,
        _ => Conversion::Unknown,
    }
}

fn protection(word: &str) -> Protection {
    match caseless(word).as_ref() {
        "PROTECTED" => Protection::Protected,
        "UNPROTECTED" => Protection::Unprotected,
        "PENDING" => Protection::Pending,
        _ => Protection::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use ninjaone_client::Unreadable;
    use regentra_evidence::{
        DeviceClass,
        disk_encryption::{
            RESERVED_PARTITION_CEILING,
            VolumeBucket::{self, Unmeasured},
        },
    };
    use serde_json::json;

    use super::*;

    fn read(mut json: serde_json::Value) -> VolumeFact {
        json["deviceId"] = json!(1);
        volume(&serde_json::from_value(json).unwrap()).unwrap().fact
    }

    #[test]
    fn every_pair_of_conversion_and_protection_has_its_bucket() {
        use VolumeBucket::{Encrypted, InProgress, NotEncrypted, Suspended};
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
            (json!({"deviceType": "removable disk"}), true),
            (json!({"deviceType": "REMOVABLE DISK "}), true),
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

    /// A volume that has no name but its id, and no letter, is one that nobody can open, up to 32 GiB.
    #[test]
    fn vendors_unopenable_partitions() {
        use regentra_evidence::disk_encryption::UNOPENABLE_PARTITION_CEILING as CEILING;
        let id = r"\\?\Volume{0c2a4a8e-0000-4000-8000-00000000000a}\";
        let table = [
            (json!({"name": id, "capacity": CEILING - 1}), true),
            (
                json!({"name": id.to_lowercase(), "capacity": CEILING - 1}),
                true,
            ),
            (json!({"name": id, "driveLetter": "", "capacity": 5}), true),
            (
                json!({"name": id, "driveLetter": "  ", "capacity": 5}),
                true,
            ),
            (
                json!({"name": id, "driveLetter": null, "capacity": 5}),
                true,
            ),
            (
                json!({"name": id, "label": "Wiederherstellung", "capacity": 5}),
                true,
            ),
            (
                json!({"name": id, "driveLetter": "D:", "capacity": 5}),
                false,
            ),
            (json!({"name": id, "capacity": CEILING}), false),
            (json!({"name": id}), false),
            (
                json!({"name": id, "label": "Recovery", "capacity": CEILING}),
                false,
            ),
            (json!({"name": "WINRETOOLS", "capacity": 5}), false),
            (json!({"name": "C:", "capacity": 5}), false),
            (json!({"label": id, "capacity": 5}), false),
        ];
        for (row, out) in table {
            assert_eq!(
                read(row.clone()).bucket(DeviceClass::WindowsWorkstation) == VolumeBucket::Out,
                out,
                "{row}"
            );
        }
    }

    /// What was there and could not be read never puts a volume out, and is never an answer.
    #[test]
    fn a_field_that_cannot_be_read_is_never_better() {
        use regentra_evidence::disk_encryption::VolumeBucket::{InProgress, NotEncrypted, Out};
        let row = |mut json: serde_json::Value, field| {
            json["deviceId"] = json!(1);
            Volume {
                unreadable: Unreadable::of([field]),
                ..serde_json::from_value(json).unwrap()
            }
        };
        let id = r"\\?\Volume{0c2a4a8e-0000-4000-8000-00000000000a}\";
        let table = [
            (
                row(json!({"name": id, "capacity": 5}), "driveLetter"),
                Unmeasured,
            ),
            (row(json!({"name": id, "capacity": 5}), "label"), Out),
            (row(json!({"name": id}), "capacity"), Unmeasured),
            (row(json!({"name": "C:"}), "bitLockerStatus"), Unmeasured),
            (
                row(
                    json!({"name": "C:", "bitLockerStatus": {"protectionStatus": "UNPROTECTED"}}),
                    "bitLockerStatus.conversionStatus",
                ),
                NotEncrypted,
            ),
            (
                row(
                    json!({"name": "C:", "bitLockerStatus": {"conversionStatus": "FULLY_ENCRYPTED"}}),
                    "bitLockerStatus.protectionStatus",
                ),
                Unmeasured,
            ),
            (
                row(
                    json!({"name": "C:", "bitLockerStatus": {"conversionStatus": "ENCRYPTION_PAUSED"}}),
                    "bitLockerStatus.protectionStatus",
                ),
                InProgress,
            ),
        ];
        for (row, bucket) in table {
            let fact = volume(&row).unwrap().fact;
            assert_eq!(fact.bucket(DeviceClass::WindowsServer), bucket);
        }
        let unread = volume(&row(json!({"name": "C:"}), "bitLockerStatus")).unwrap();
        assert!(unread.fact.encryption.is_some());
        let absent = volume(&row(json!({"name": "C:"}), "label")).unwrap();
        assert!(absent.fact.encryption.is_none());
        // Whether its volume is in scope.
        for field in ["name", "driveLetter", "label", "deviceType", "capacity"] {
            let own = volume(&row(json!({}), field)).unwrap();
            assert!(!own.is_scope_known, "{field}");
            let read = json!({"name": "C:", "driveLetter": "C:", "label": "x", "deviceType": "x", "capacity": 5});
            assert!(volume(&row(read, field)).unwrap().is_scope_known, "{field}");
        }
        for field in ["serialNumber", "fileSystem", "bitLockerStatus"] {
            assert!(
                volume(&row(json!({}), field)).unwrap().is_scope_known,
                "{field}"
            );
        }
        // Which volume it is about.
        for (json, field, identified) in [
            (json!({"driveLetter": "C:"}), "name", false),
            (json!({"name": "C:"}), "name", true),
            (json!({"name": "C:"}), "driveLetter", true),
            (json!({"name": " "}), "driveLetter", false),
            (json!({"driveLetter": "C:"}), "serialNumber", true),
            (json!({}), "serialNumber", false),
            (json!({"serialNumber": "1"}), "driveLetter", false),
            (json!({}), "label", true),
        ] {
            let own = volume(&row(json.clone(), field)).unwrap();
            assert_eq!(own.is_identified, identified, "{json} {field}");
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
