//! Antivirus rows: often several a device, because Windows keeps the registration of a product that stood down.

use serde_json::{Value, json};

use super::{Present, Rows, machine::Machine};
use crate::{preset::Character, report::Report};

const DEFENDER: (&str, &str) = ("Windows Defender", "4.18.24090.11");
const BITDEFENDER: (&str, &str) = ("Bitdefender Endpoint Security Tools", "7.9.9.381");
const SENTINEL: (&str, &str) = ("SentinelOne", "24.1.2.6");

/// Adds the rows of the device.
pub(super) fn add(rows: &mut Rows, machine: &Machine, now: Present) {
    let mut put = |(name, version): (&str, &str),
                   state: &str,
                   definitions: &str,
                   timestamp: f64| {
        let row = json!({
            "productName": name, "productState": state, "definitionStatus": definitions, "version": version, "deviceId": machine.id,
            "timestamp": timestamp,
        });
        rows.report(Report::AntivirusStatus, &row);
    };
    let current = if machine.every(4, 2) {
        "UP_TO_DATE"
    } else {
        "Up-to-Date"
    };
    let collected = machine.collected;
    if machine.is_mac() {
        put(SENTINEL, "ON", current, collected);
        return;
    }
    if machine.is_linux() {
        put(
            ("CrowdStrike Falcon Sensor", "7.18"),
            "ON",
            current,
            collected,
        );
        return;
    }
    if !machine.is_windows() || machine.class == "WINDOWS_CLOUD_PC" {
        return;
    }
    match machine.character {
        Character::Failing if machine.every(3, 0) => match machine.place % 9 {
            0 => put(DEFENDER, "OFF", "Out-of-Date", collected),
            3 => put(BITDEFENDER, "SNOOZED", current, collected),
            _ => {
                let row = json!({ "productName": "NONE", "deviceId": machine.id, "timestamp": collected });
                rows.report(Report::AntivirusStatus, &row);
            }
        },
        Character::Failing if machine.every(3, 1) => put(DEFENDER, "ON", "Out-of-Date", collected),
        Character::Warning if machine.every(7, 0) => put(DEFENDER, "ON", "Out-of-Date", collected),
        Character::Warning if machine.every(9, 8) => {
            put(SENTINEL, "HIBERNATING", current, collected);
        }
        Character::Warning if machine.every(7, 1) => {
            put(DEFENDER, "ON", current, collected);
            // Collected before the device was set up anew, and kept: too old to say anything.
            put(BITDEFENDER, "OFF", "Out-of-Date", now.days_ago(40.0));
        }
        _ if machine.every(3, 1) => {
            put(BITDEFENDER, "ON", current, collected);
            put(DEFENDER, "OFF", "Out-of-Date", collected);
        }
        _ if machine.every(13, 5) => {
            put(SENTINEL, "ON", current, collected);
            let leftover: Value = json!({ "productName": "NONE", "deviceId": machine.id, "timestamp": collected, "version": null });
            rows.report(Report::AntivirusStatus, &leftover);
        }
        _ => put(DEFENDER, "ON", current, collected),
    }
}
