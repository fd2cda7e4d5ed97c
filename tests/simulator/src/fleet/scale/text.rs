//! The rows of a computed fleet as the wire has them, keys in alphabetical order: made from numbers alone, as quickly as they can
//! be sent.

use serde_json::{Value, json};

use super::{Scale, index};
use crate::{
    preset::{Character, Trouble},
    report::Report,
    seed::Dice,
};

/// What patches are called. The same patch has the same id on every device.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// Pending, and of no severity that counts.
    minor: Vec<Patch>,
    /// Pending, and missing.
    major: Vec<Patch>,
    installed: Vec<Patch>,
    software: Vec<Patch>,
}

#[derive(Debug)]
struct Patch {
    id: String,
    product: String,
    name: String,
    /// `"kbNumber":"KB5070001",`, or nothing.
    kb: String,
    severity: &'static str,
    kind: &'static str,
}

const MINOR: usize = 240;
const MAJOR: usize = 6;
const INSTALLED: usize = 400;
const SOFTWARE: usize = 120;

/// Severity and type of pending patches that do not count: most are drivers, as in live tenants.
const OF_MINOR: [(&str, &str); 10] = [
    ("OPTIONAL", "DRIVER_UPDATES"),
    ("OPTIONAL", "DRIVER_UPDATES"),
    ("optional", "DRIVER_UPDATES"),
    ("NONE", "DRIVER_UPDATES"),
    ("LOW", "DRIVER_UPDATES"),
    ("unknown", "DRIVER_UPDATES"),
    ("OPTIONAL", "DRIVER_UPDATES"),
    ("MODERATE", "UPDATE_ROLLUPS"),
    ("LOW", "UNSPECIFIED"),
    ("recommended", "FEATURE_UPDATES"),
];

/// The same of installs, most of which have no type.
const OF_INSTALLED: [(&str, &str); 10] = [
    ("CRITICAL", "UNKNOWN"),
    ("IMPORTANT", "UNKNOWN"),
    ("unknown", "UNKNOWN"),
    ("OPTIONAL", "UNKNOWN"),
    ("security", "UNSPECIFIED"),
    ("MODERATE", "UNKNOWN"),
    ("unknown", "UNSPECIFIED"),
    ("LOW", "UNKNOWN"),
    ("CRITICAL", "SECURITY_UPDATES"),
    ("unknown", "DEFINITION_UPDATES"),
];

const MAKERS: [&str; 8] = [
    "Intel Corporation - System",
    "Intel - Net",
    "HP Inc. - Firmware",
    "Dell, Inc. - Firmware",
    "Realtek Semiconductor Corp. - MEDIA",
    "Advanced Micro Devices, Inc. - Display",
    "Synaptics - Mouse",
    "Lenovo Ltd. - Firmware",
];

const PRODUCTS: [&str; 8] = [
    "Google Chrome",
    "Mozilla Firefox",
    "Zoom Workplace",
    "7-Zip",
    "Notepad++",
    "Microsoft Edge WebView2 Runtime",
    "VLC media player",
    "PuTTY",
];

impl Catalogue {
    pub(super) fn new(seed: u64) -> Self {
        let dice = |list: u64, number: usize| {
            let number = u64::try_from(number).unwrap_or(0);
            Dice::new(seed, (1 << 58) | (list << 32) | number)
        };
        let patch = |list: u64, number: usize, name: String, (severity, kind)| {
            let mut own = dice(list, number);
            let id = own.uuid();
            let kb = match kind {
                "DRIVER_UPDATES" | "PATCH" => String::new(),
                _ => format!(r#""kbNumber":"KB50{:05}","#, own.below(100_000)),
            };
            Patch {
                id,
                product: dice(9, number % PRODUCTS.len()).uuid(),
                name,
                kb,
                severity,
                kind,
            }
        };
        let month = |number: usize| number % 11 + 1;
        let minor = |number: usize| {
            let of = *pick(&OF_MINOR, number);
            let name = if of.1 == "DRIVER_UPDATES" {
                let maker = pick(&MAKERS, number / 3);
                format!("{maker} - 24{:02}.{number}.5.0", month(number))
            } else {
                let month = month(number);
                format!("2026-{month:02} Update for Windows 11 Version 23H2 ({number})")
            };
            patch(0, number, name, of)
        };
        let major = |number: usize| {
            let month = month(number + 4);
            let name = format!("2026-{month:02} Cumulative Update for Windows 11 Version 23H2");
            patch(1, number, name, ("CRITICAL", "SECURITY_UPDATES"))
        };
        let installed = |number: usize| {
            let month = month(number);
            let name = format!("2026-{month:02} Update for x64-based Systems ({number})");
            patch(2, number, name, *pick(&OF_INSTALLED, number))
        };
        let software = |number: usize| {
            let product = pick(&PRODUCTS, number);
            let name = format!("{product} {}.0.{}", 100 + number, number % 7);
            let impact = if number.is_multiple_of(3) {
                "RECOMMENDED"
            } else {
                "optional"
            };
            patch(3, number, name, (impact, "PATCH"))
        };
        Self {
            minor: (0..MINOR).map(minor).collect(),
            major: (0..MAJOR).map(major).collect(),
            installed: (0..INSTALLED).map(installed).collect(),
            software: (0..SOFTWARE).map(software).collect(),
        }
    }
}

/// One of a list, which goes round.
#[expect(
    clippy::indexing_slicing,
    reason = "the index is taken modulo the length, and no list here is empty"
)]
fn pick<T>(list: &[T], number: usize) -> &T {
    &list[number % list.len()]
}

/// Epoch seconds as the vendor writes them, with nine decimals.
fn time(seconds: f64) -> String {
    format!("{seconds:.6}000")
}

fn installed_at(seconds: f64) -> String {
    format!(r#""installedAt":{},"#, time(seconds))
}

impl Scale {
    /// A row of a report.
    pub(crate) fn text(&self, report: Report, row: u32, bitlocker: bool) -> String {
        let (device, number) = Self::of_row(report, row);
        match report {
            Report::OsPatches => self.os_patch(device, number),
            Report::OsPatchInstalls => self.os_attempt(device, number),
            Report::SoftwarePatches => self.software_patch(device, number),
            Report::SoftwarePatchInstalls => self.software_attempt(device, number),
            Report::AntivirusStatus => self.product(device, number),
            _ => self.volume(device, number, bitlocker),
        }
    }

    /// Whether a device is one of those that its organization's trouble strikes.
    fn has(&self, device: u32, trouble: Trouble) -> bool {
        self.place(device).is_multiple_of(3)
            && match self.character(device) {
                Character::Failing => true,
                Character::Troubled(own) => own == trouble,
                _ => false,
            }
    }

    /// Dice for one row of a device.
    fn dice(&self, device: u32, kind: u64, number: u32) -> Dice {
        let purpose = (1 << 60) | (kind << 52) | (u64::from(device) << 8) | u64::from(number);
        Dice::new(self.seed, purpose)
    }

    /// One of 18 different patches: the first six are critical where some are missing.
    fn pending(&self, device: u32, number: u32) -> &Patch {
        let number = index(number);
        if number < MAJOR && self.has(device, Trouble::MissingPatches) {
            return pick(&self.catalogue.major, number);
        }
        let start = index(self.dice(device, 1, 0).below(1_000));
        pick(&self.catalogue.minor, start + 13 * number)
    }

    fn os_patch(&self, device: u32, number: u32) -> String {
        let status = if number.is_multiple_of(4) {
            "APPROVED"
        } else {
            "MANUAL"
        };
        self.os_row(device, self.pending(device, number), status, "")
    }

    fn os_attempt(&self, device: u32, number: u32) -> String {
        let mut dice = self.dice(device, 2, number);
        if number == 0 && self.has(device, Trouble::FailedInstalls) {
            let at = installed_at(self.now.days_ago(0.4 + dice.fraction() / 10.0));
            // What could not be installed is still pending.
            return self.os_row(device, self.pending(device, 17), "FAILED", &at);
        }
        let start = index(self.dice(device, 3, 0).below(1_000));
        let patch = pick(&self.catalogue.installed, start + 17 * index(number));
        let days = f64::from(1 + dice.below(43)) + dice.fraction();
        // About one success in a hundred has no time.
        let at = match dice.below(100) {
            0 => String::new(),
            _ => installed_at(self.now.days_ago(days)),
        };
        self.os_row(device, patch, "INSTALLED", &at)
    }

    fn os_row(&self, device: u32, patch: &Patch, status: &str, installed_at: &str) -> String {
        let Patch {
            id,
            name,
            kb,
            severity,
            kind,
            ..
        } = patch;
        format!(
            r#"{{"deviceId":{},"id":"{id}",{installed_at}{kb}"name":"{name}","severity":"{severity}","status":"{status}","timestamp":{},"type":"{kind}"}}"#,
            self.id(device),
            time(self.collected(device)),
        )
    }

    fn software_patch(&self, device: u32, number: u32) -> String {
        let start = index(self.dice(device, 4, 0).below(1_000));
        let patch = pick(&self.catalogue.software, start + 7 * index(number));
        let status = if number == 0 { "APPROVED" } else { "MANUAL" };
        self.software_row(device, patch, status, "")
    }

    fn software_attempt(&self, device: u32, number: u32) -> String {
        let start = index(self.dice(device, 4, 0).below(1_000));
        let mut dice = self.dice(device, 5, number);
        // What was installed is not what is pending.
        let patch = pick(&self.catalogue.software, start + 60 + 7 * index(number));
        let days = f64::from(1 + dice.below(43)) + dice.fraction();
        let at = installed_at(self.now.days_ago(days));
        self.software_row(device, patch, "INSTALLED", &at)
    }

    fn software_row(&self, device: u32, patch: &Patch, status: &str, installed_at: &str) -> String {
        let Patch {
            id,
            product,
            name,
            severity,
            kind,
            ..
        } = patch;
        format!(
            r#"{{"deviceId":{},"id":"{id}","impact":"{severity}",{installed_at}"productIdentifier":"{product}","status":"{status}","timestamp":{},"title":"{name}","type":"{kind}"}}"#,
            self.id(device),
            time(self.collected(device)),
        )
    }

    fn product(&self, device: u32, number: u32) -> String {
        let is_protected = number == 0 && !self.has(device, Trouble::Antivirus);
        let has_second = device % 5 == 4;
        let (name, version) = match (number, has_second, device % 3) {
            (0, true, _) => ("Bitdefender Endpoint Security Tools", "7.9.9.381"),
            (0, false, 0) => ("SentinelOne", "24.1.2.6"),
            _ => ("Windows Defender", "4.18.24090.11"),
        };
        let (definitions, state) = if is_protected {
            ("Up-to-Date", "ON")
        } else {
            ("Out-of-Date", "OFF")
        };
        format!(
            r#"{{"definitionStatus":"{definitions}","deviceId":{},"productName":"{name}","productState":"{state}","timestamp":{},"version":"{version}"}}"#,
            self.id(device),
            time(self.collected(device)),
        )
    }

    /// Letter, label, bytes and serial number of one of a device's volumes.
    fn disk(&self, device: u32, number: u32) -> (&'static str, &'static str, u64, String) {
        let mut dice = self.dice(device, 7, number);
        let capacity = 128_000_000_000 * u64::from(1 + dice.below(8));
        let serial = dice.hex(8).to_uppercase();
        let (letter, label) = if number == 0 {
            ("C:", "")
        } else {
            ("D:", "Data")
        };
        (letter, label, capacity, serial)
    }

    fn volume(&self, device: u32, number: u32, bitlocker: bool) -> String {
        const ENCRYPTED: &str = r#""bitLockerStatus":{"conversionStatus":"FULLY_ENCRYPTED","encryptionMethod":"XTS_AES_128","initializedForProtection":true,"lockStatus":"UNLOCKED","protectionStatus":"PROTECTED"},"#;
        const DECRYPTED: &str = r#""bitLockerStatus":{"conversionStatus":"FULLY_DECRYPTED","encryptionMethod":"NONE","initializedForProtection":false,"lockStatus":"UNLOCKED","protectionStatus":"UNPROTECTED"},"#;
        let (letter, label, capacity, serial) = self.disk(device, number);
        let encryption = match (bitlocker, self.has(device, Trouble::Disks)) {
            (false, _) => "",
            (true, false) => ENCRYPTED,
            (true, true) => DECRYPTED,
        };
        format!(
            r#"{{"autoMount":false,{encryption}"capacity":{capacity},"compressed":false,"deviceId":{},"deviceType":"Local Disk","driveLetter":"{letter}","fileSystem":"NTFS","freeSpace":{},"label":"{label}","name":"{letter}","serialNumber":"{serial}","timestamp":{}}}"#,
            self.id(device),
            capacity / 3,
            time(self.collected(device)),
        )
    }

    /// The volumes as `devices-detailed` shows them: with `nodeId`, without drive letter and BitLocker.
    pub(super) fn volumes_of_detail(&self, device: u32) -> Value {
        let detail = |number| {
            let (letter, label, capacity, serial) = self.disk(device, number);
            json!({
                "name": letter, "label": label, "fileSystem": "NTFS", "autoMount": false, "compressed": false,
                "capacity": capacity, "freeSpace": capacity / 3, "deviceType": "Local Disk", "serialNumber": serial,
                "nodeId": self.id(device),
            })
        };
        (0..2).map(detail).collect()
    }

    /// An activity: the end of a backup run.
    pub(crate) fn activity(&self, activity: u32) -> String {
        let all = self.backups().max(1);
        let (day, device) = (activity / all, Self::backed_up(activity % all));
        let id = self.activity_id(activity);
        let mut dice = self.dice(device, 8, day);
        let hours = f64::from(1 + dice.below(5)) + dice.fraction();
        let at = self.now.ago(f64::from(day) * 86_400.0 + hours * 3_600.0);
        let fails = matches!(
            self.character(device),
            Character::Failing | Character::Troubled(Trouble::Backups)
        );
        let (result, code, words) = if fails {
            (
                "FAILURE",
                "NINJA_BACKUP_BACKUPJOB_FAILED",
                "Backup job failed",
            )
        } else {
            (
                "SUCCESS",
                "NINJA_BACKUP_BACKUPJOB_COMPLETED",
                "Backup job completed",
            )
        };
        format!(
            r#"{{"activityResult":"{result}","activityTime":{},"activityType":"NINJA_BACKUP","deviceId":{},"id":{id},"message":"{words}: activity {id}","status":"{words}","statusCode":"{code}","type":"Ninja Backup"}}"#,
            time(at),
            self.id(device),
        )
    }
}
