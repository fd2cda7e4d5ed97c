//! The volumes report.

use serde_json::{Map, Value, json};

use super::{DAY, Maker, Temper};
use crate::boundaries::rows::GIB;

impl Maker {
    pub(super) fn bitlocker(&mut self, bad: bool) -> Value {
        const CONVERSIONS: &[Option<&str>] = &[
            Some("FULLY_ENCRYPTED"),
            Some("FULLY_ENCRYPTED"),
            Some("ENCRYPTION_IN_PROGRESS"),
            Some("ENCRYPTION_PAUSED"),
            Some("FULLY_DECRYPTED"),
            Some("FULLY_DECRYPTED"),
            Some("DECRYPTION_IN_PROGRESS"),
            Some("DECRYPTION_PAUSED"),
            Some("DECRYPTION_NEW"),
            Some("UNKNOWN"),
            Some("NEW"),
            Some(""),
            None,
        ];
        const PROTECTIONS: &[Option<&str>] = &[
            Some("PROTECTED"),
            Some("UNPROTECTED"),
            Some("UNPROTECTED"),
            Some("PENDING"),
            Some("UNKNOWN"),
            Some("NEW"),
            None,
        ];
        if !bad {
            return json!({ "conversionStatus": "FULLY_ENCRYPTED", "protectionStatus": "PROTECTED", "lockStatus": "UNLOCKED" });
        }
        let mut object = Map::new();
        for (field, choices) in [
            ("conversionStatus", CONVERSIONS),
            ("protectionStatus", PROTECTIONS),
        ] {
            match *self.dice.pick(choices) {
                Some(text) => drop(object.insert(field.into(), text.into())),
                None if self.dice.percent(50) => drop(object.insert(field.into(), Value::Null)),
                None => {}
            }
        }
        Value::Object(object)
    }

    pub(super) fn volumes(&mut self, device: i64, temper: Temper) -> Vec<Value> {
        const LABELS: &[&str] = &[
            "",
            "Data",
            "Recovery",
            "recovery",
            "WinRE",
            "EFI",
            "esp",
            "System Reserved",
            "SYSTEM RESERVED",
            "Recovery 2",
        ];
        const TYPES: &[&str] = &[
            "Local Disk",
            "Local Disk",
            "Local Disk",
            "Removable Disk",
            "removable disk",
            "Network Drive",
            "Compact Disc",
            "CD-ROM Disc",
            "RAM Disk",
            "Holographic Disk",
            "",
        ];
        const UNOPENABLE: &[&str] = &[
            "WINRETOOLS",
            "Image",
            "DELLSUPPORT",
            "Wiederherstellung",
            "EFI",
        ];
        const SIZES: &[i64] = &[
            0,
            1,
            GIB / 2,
            16 * GIB - 1,
            16 * GIB,
            16 * GIB + 1,
            32 * GIB - 1,
            32 * GIB,
            500 * GIB,
        ];

        let odd = if matches!(temper, Temper::Wild) {
            35
        } else {
            6
        };
        let mut rows = Vec::new();
        // A laptop that reports only a USB stick.
        if self.dice.percent(3) {
            let mut row = json!({
                "deviceId": device, "name": "E:", "driveLetter": "E:", "label": "STICK", "deviceType": "Removable Disk",
                "capacity": 32 * GIB, "bitLockerStatus": self.bitlocker(true),
            });
            self.stamp(&mut row, "timestamp", 30 * DAY);
            return vec![row];
        }
        // A vendor's partition that nobody can open.
        if self.dice.percent(10) {
            let mut row = json!({
                "deviceId": device, "name": format!(r"\\?\Volume{{{device}}}\"), "label": *self.dice.pick(UNOPENABLE),
                "deviceType": "Local Disk", "capacity": GIB, "bitLockerStatus": self.bitlocker(true),
            });
            match self.dice.below(8) {
                0 => row["driveLetter"] = json!(*self.dice.pick(&["", " ", "R:"])),
                1 => row["driveLetter"] = Value::Null,
                2 => row["capacity"] = json!(*self.dice.pick(SIZES)),
                3 => row["name"] = json!(format!(r"\\?\VOLUME{{{device}}}\")),
                _ => {}
            }
            self.stamp(&mut row, "timestamp", 30 * DAY);
            rows.push(row);
        }
        for number in 0..self.dice.between(1, 3) {
            let letter = *self.dice.pick(&["C:", "D:", "E:", "C:"]);
            let bad = temper.bad(&mut self.dice);
            let mut row = json!({
                "deviceId": device, "name": letter, "driveLetter": letter, "label": "", "deviceType": "Local Disk",
                "fileSystem": "NTFS", "capacity": 256 * GIB, "serialNumber": format!("A{number}"),
                "bitLockerStatus": self.bitlocker(bad),
            });
            if bad && self.dice.percent(25) {
                row.as_object_mut()
                    .expect("a row")
                    .remove("bitLockerStatus");
            } else if bad && self.dice.percent(5) {
                row["bitLockerStatus"] = Value::Null;
            }
            if self.dice.percent(odd) {
                match self.dice.below(3) {
                    0 => row["deviceType"] = json!(*self.dice.pick(TYPES)),
                    1 => row["capacity"] = json!(*self.dice.pick(SIZES)),
                    _ => {
                        row["label"] = json!(*self.dice.pick(LABELS));
                        row["capacity"] = json!(*self.dice.pick(SIZES));
                    }
                }
            }
            if self.dice.percent(odd) {
                let field = *self.dice.pick(&[
                    "deviceType",
                    "capacity",
                    "label",
                    "fileSystem",
                    "serialNumber",
                ]);
                if self.dice.percent(50) {
                    row[field] = Value::Null;
                } else {
                    row.as_object_mut().expect("a row").remove(field);
                }
            }
            // Volumes without a name go by their letter, and without that by their serial.
            if self.dice.percent(odd) {
                row.as_object_mut().expect("a row").remove("name");
                row["driveLetter"] = json!(*self.dice.pick(&["P:", "Q:"]));
                if self.dice.percent(50) {
                    row["driveLetter"] = Value::Null;
                    row["serialNumber"] = json!(*self.dice.pick(&["B1", "B2"]));
                }
            }
            self.stamp(&mut row, "timestamp", 30 * DAY);
            rows.push(row);
        }
        self.doubled(&mut rows, "timestamp", |maker, row| {
            match maker.dice.below(5) {
                0 => row["deviceType"] = json!("Removable Disk"),
                4 => row["label"] = json!("EFI"),
                1 => row["capacity"] = json!(0),
                _ => {
                    let bad = maker.dice.percent(70);
                    row["bitLockerStatus"] = maker.bitlocker(bad);
                }
            }
        });
        rows
    }
}
