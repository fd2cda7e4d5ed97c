//! Rows to start from, as the wire sends them: all well, an hour old. A case changes the one field it is about.

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use crate::oracle::tenant::{Report, State, Tenant};

pub(crate) const ORGANIZATION: i64 = 7;
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:30:00 UTC);

/// Durations are microseconds.
pub(crate) const MICROSECOND: i64 = 1;
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) const GIB: i64 = 1 << 30;

/// So long before now (negative: after), as the vendor writes times: seconds with decimals.
pub(crate) fn ago(microseconds: i64) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of this century fit a double"
    )]
    Value::from((NOW.unix_timestamp() * SECOND - microseconds) as f64 / 1e6)
}

pub(crate) fn device(id: i64) -> Value {
    json!({
        "id": id, "organizationId": ORGANIZATION, "nodeClass": "WINDOWS_WORKSTATION", "approvalStatus": "APPROVED",
        "offline": false, "lastContact": ago(HOUR), "systemName": format!("PC-{id}"),
    })
}

pub(crate) fn volume(device: i64, name: &str) -> Value {
    json!({
        "deviceId": device, "name": name, "driveLetter": name, "label": "", "deviceType": "Local Disk",
        "fileSystem": "NTFS", "capacity": 256 * GIB, "serialNumber": "3EEA25BE", "timestamp": ago(HOUR),
        "bitLockerStatus": { "conversionStatus": "FULLY_ENCRYPTED", "protectionStatus": "PROTECTED" },
    })
}

pub(crate) fn bitlocker(conversion: impl Into<Value>, protection: impl Into<Value>) -> Value {
    json!({ "conversionStatus": conversion.into(), "protectionStatus": protection.into() })
}

pub(crate) fn product(device: i64, name: &str) -> Value {
    json!({
        "deviceId": device, "productName": name, "productState": "ON", "definitionStatus": "Up-to-Date",
        "version": "4.18.24090.11", "timestamp": ago(HOUR),
    })
}

/// A patch that waits on a device.
pub(crate) fn os_patch(device: i64, id: &str, severity: &str) -> Value {
    json!({
        "deviceId": device, "id": id, "name": "Update", "kbNumber": "KB5040442", "severity": severity,
        "status": "MANUAL", "type": "UPDATE_ROLLUPS", "timestamp": ago(HOUR),
    })
}

pub(crate) fn software_patch(device: i64, id: &str, impact: &str) -> Value {
    json!({
        "deviceId": device, "id": id, "title": "Browser 99", "impact": impact, "status": "MANUAL", "type": "PATCH",
        "timestamp": ago(HOUR),
    })
}

/// An attempt to install, either kind.
pub(crate) fn install(device: i64, id: &str, status: &str, installed_ago: i64) -> Value {
    json!({
        "deviceId": device, "id": id, "status": status, "type": "UNKNOWN", "installedAt": ago(installed_ago),
        "timestamp": ago(HOUR),
    })
}

/// The row by which a device shows that it is scanned, and nothing else.
pub(crate) fn definitions(device: i64) -> Value {
    json!({
        "deviceId": device, "id": "definitions", "severity": "NONE", "status": "MANUAL",
        "type": "DEFINITION_UPDATES", "timestamp": ago(HOUR),
    })
}

pub(crate) fn activity(id: i64, device: i64, code: &str) -> Value {
    json!({ "id": id, "deviceId": device, "activityType": "NINJA_BACKUP", "statusCode": code, "activityTime": ago(DAY) })
}

/// A row with one field changed or left out.
pub(crate) trait Change {
    fn with(self, field: &str, value: impl Into<Value>) -> Self;
    fn without(self, field: &str) -> Self;
}

impl Change for Value {
    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self[field] = value.into();
        self
    }

    fn without(mut self, field: &str) -> Self {
        self.as_object_mut()
            .expect("a row is an object")
            .remove(field);
        self
    }
}

pub(crate) fn failed() -> Report {
    Report {
        state: State::Failed,
        ..Report::default()
    }
}

pub(crate) fn not_available() -> Report {
    Report {
        state: State::NotAvailable,
        ..Report::default()
    }
}

/// A customer with these devices and no report rows.
pub(crate) fn customer(devices: Vec<Value>) -> Tenant {
    let mut tenant = Tenant::empty(ORGANIZATION, NOW);
    tenant.devices.rows = devices;
    tenant
}

/// The ids of so many devices.
pub(crate) fn ids(devices: i64) -> std::ops::RangeInclusive<i64> {
    1..=devices
}

/// So many devices, every one measured good in every signal.
pub(crate) fn healthy(devices: i64) -> Tenant {
    let mut tenant = customer(ids(devices).map(device).collect());
    tenant.volumes.rows = ids(devices).map(|id| volume(id, "C:")).collect();
    tenant.antivirus.rows = ids(devices)
        .map(|id| product(id, "Windows Defender"))
        .collect();
    tenant.os_patches.rows = ids(devices).map(definitions).collect();
    tenant.os_patch_installs.rows = ids(devices)
        .map(|id| install(id, "os-1", "INSTALLED", DAY))
        .collect();
    tenant.software_patches.rows = ids(devices)
        .map(|id| software_patch(id, "app-0", "OPTIONAL"))
        .collect();
    tenant.software_patch_installs.rows = ids(devices)
        .map(|id| install(id, "app-1", "INSTALLED", DAY))
        .collect();
    tenant.activities.rows = ids(devices)
        .map(|id| activity(id, id, "NINJA_BACKUP_BACKUPJOB_COMPLETED"))
        .collect();
    tenant
}
