//! Volume rows. `bitLockerStatus` is part of the row here and shown only to who asks with `include=bl`.

use serde_json::{Value, json};

use super::{Rows, UNHEARD_OF, machine::Machine};
use crate::{preset::Character, report::Report};

/// How a volume stands with BitLocker.
#[derive(Clone, Copy)]
struct BitLocker {
    conversion: &'static str,
    protection: &'static str,
    method: &'static str,
}

const ENCRYPTED: BitLocker = BitLocker {
    conversion: "FULLY_ENCRYPTED",
    protection: "PROTECTED",
    method: "XTS_AES_128",
};
const DECRYPTED: BitLocker = BitLocker {
    conversion: "FULLY_DECRYPTED",
    protection: "UNPROTECTED",
    method: "NONE",
};
const SUSPENDED: BitLocker = BitLocker {
    conversion: "FULLY_ENCRYPTED",
    protection: "UNPROTECTED",
    method: "XTS_AES_256",
};
const ENCRYPTING: BitLocker = BitLocker {
    conversion: "ENCRYPTION_IN_PROGRESS",
    protection: "UNPROTECTED",
    method: "AES_256",
};
const DECRYPTING: BitLocker = BitLocker {
    conversion: "DECRYPTION_IN_PROGRESS",
    protection: "UNPROTECTED",
    method: "AES_128",
};
const UNKNOWN: BitLocker = BitLocker {
    conversion: "UNKNOWN",
    protection: "UNKNOWN",
    method: "UNKNOWN",
};

struct Volume {
    name: String,
    letter: Option<&'static str>,
    label: &'static str,
    kind: Option<&'static str>,
    file_system: &'static str,
    capacity: u64,
    bitlocker: Option<BitLocker>,
}

/// Adds the rows of the report.
pub(super) fn add(rows: &mut Rows, machine: &Machine) {
    let mut dice = machine.dice(4);
    for (number, volume) in volumes(machine).into_iter().enumerate() {
        let mut row = common(&volume);
        let extra = json!({ "deviceId": machine.id, "timestamp": machine.collected });
        merge(&mut row, extra);
        if let Some(letter) = volume.letter {
            merge(
                &mut row,
                json!({ "driveLetter": letter, "serialNumber": dice.hex(8).to_uppercase() }),
            );
        }
        if let Some(state) = volume.bitlocker {
            // Words no list of the vendor has, in fields that decide nothing.
            let lock = if machine.every(8, 6) {
                "LOCKED_BY_POLICY"
            } else {
                "UNLOCKED"
            };
            let method = if machine.every(11, 7) && state.method != "NONE" {
                "XTS_AES_512"
            } else {
                state.method
            };
            let status = json!({
                "conversionStatus": state.conversion, "encryptionMethod": method, "protectionStatus": state.protection,
                "lockStatus": lock, "initializedForProtection": state.conversion == "FULLY_ENCRYPTED",
            });
            merge(&mut row, json!({ "bitLockerStatus": status }));
        } else if machine.every(3, 1) {
            merge(&mut row, json!({ "bitLockerStatus": null }));
        }
        if machine.every(19, 2) && number == 0 {
            merge(&mut row, json!({ UNHEARD_OF: true }));
        }
        rows.report(Report::Volumes, &row);
    }
}

/// The volumes as `devices-detailed` shows them: with `nodeId`, without drive letter and BitLocker.
pub(super) fn of_detail(machine: &Machine) -> Vec<Value> {
    let mut dice = machine.dice(4);
    let detail = |volume: &Volume| {
        let mut row = common(volume);
        merge(&mut row, json!({ "nodeId": machine.id }));
        if volume.letter.is_some() {
            merge(
                &mut row,
                json!({ "serialNumber": dice.hex(8).to_uppercase() }),
            );
        }
        row
    };
    volumes(machine).iter().map(detail).collect()
}

fn common(volume: &Volume) -> Value {
    let mut row = json!({
        "name": volume.name, "label": volume.label, "fileSystem": volume.file_system, "autoMount": false, "compressed": false,
        "capacity": volume.capacity, "freeSpace": volume.capacity / 3,
    });
    if let Some(kind) = volume.kind {
        merge(&mut row, json!({ "deviceType": kind }));
    }
    row
}

fn merge(row: &mut Value, more: Value) {
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
}

fn volumes(machine: &Machine) -> Vec<Volume> {
    let mut dice = machine.dice(5);
    let capacity = 128_000_000_000_u64 * u64::from(1 + dice.below(8));
    if machine.is_mac() {
        let kind = if machine.every(2, 0) {
            Some("Local Disk")
        } else {
            None
        };
        return vec![Volume {
            kind,
            ..plain("/", "Macintosh HD", "apfs", 494_384_795_648)
        }];
    }
    if machine.is_linux() {
        return vec![
            plain("/", "", "ext4", capacity),
            plain("/boot", "", "ext4", 2_040_373_248),
        ];
    }
    if !machine.is_windows() {
        return Vec::new();
    }
    // A class that nobody knows reports its disk, and nothing of BitLocker.
    if machine.class == "WINDOWS_CLOUD_PC" {
        return vec![lettered("C:", "", capacity, None)];
    }
    let mut volumes = vec![lettered("C:", "", capacity, Some(state(machine)))];
    if machine.is_server() {
        volumes.push(lettered("D:", "Data", 2 * capacity, Some(state(machine))));
    }
    if machine.character == Character::Warning && machine.every(6, 0) {
        volumes.push(lettered("F:", "Archive", capacity, Some(UNKNOWN)));
    }
    if machine.every(2, 0) {
        let name = format!("\\\\?\\Volume{{{}}}\\", dice.uuid());
        volumes.push(Volume {
            name,
            letter: None,
            ..lettered("", "Recovery", 734_003_200, Some(DECRYPTED))
        });
    }
    if machine.every(5, 0) {
        let stick = lettered("E:", "BACKUP STICK", 32_000_000_000, Some(DECRYPTED));
        volumes.push(Volume {
            kind: Some("Removable Disk"),
            ..stick
        });
    }
    if machine.every(7, 3) {
        volumes.push(Volume {
            kind: Some("Compact Disc"),
            ..lettered("G:", "", 0, None)
        });
    }
    volumes
}

fn state(machine: &Machine) -> BitLocker {
    if machine.character != Character::Failing || machine.place % 2 == 1 {
        return ENCRYPTED;
    }
    match machine.place % 16 {
        2 => SUSPENDED,
        6 => ENCRYPTING,
        10 => DECRYPTING,
        _ => DECRYPTED,
    }
}

fn plain(name: &str, label: &'static str, file_system: &'static str, capacity: u64) -> Volume {
    Volume {
        name: name.to_owned(),
        letter: None,
        label,
        kind: Some("Local Disk"),
        file_system,
        capacity,
        bitlocker: None,
    }
}

fn lettered(
    letter: &'static str,
    label: &'static str,
    capacity: u64,
    bitlocker: Option<BitLocker>,
) -> Volume {
    Volume {
        letter: Some(letter),
        bitlocker,
        ..plain(letter, label, "NTFS", capacity)
    }
}
