//! Reports that say again, row by row, what the device list says: made when first asked for.

use serde_json::{Value, json};

use super::Present;
use crate::{report::Report, seed::Dice, table::Row};

/// The rows of a report for one device; none for a device the report does not cover.
pub(crate) fn rows(report: Report, device: &Row, seed: u64, now: Present) -> Vec<Value> {
    let row = device.value();
    let id = device.id;
    let mut dice = Dice::new(seed, (id.unsigned_abs() << 8) | 0x80);
    let collected = row.get("lastUpdate").cloned().unwrap_or(Value::Null);
    let agent = row.get("deviceType").and_then(Value::as_str) == Some("AgentDevice");
    let of = |part: &str| {
        let mut fields = row.get(part)?.as_object()?.clone();
        fields.insert("deviceId".to_owned(), json!(id));
        fields.insert("timestamp".to_owned(), collected.clone());
        Some(Value::Object(fields))
    };
    match report {
        Report::ComputerSystems if agent => of("system").into_iter().collect(),
        Report::OperatingSystems if agent => of("os").into_iter().collect(),
        Report::Processors if agent => {
            let processors = row.get("processors").and_then(Value::as_array).cloned().unwrap_or_default();
            processors.into_iter().map(|processor| with(processor, &[("deviceId", json!(id)), ("timestamp", collected.clone())])).collect()
        }
        Report::DeviceHealth => vec![health(&row, id)],
        Report::Disks if agent => vec![json!({
            "bytesPerSector": 512, "description": "Disk drive", "interfaceType": "SCSI", "manufacturer": "(Standard disk drives)",
            "mediaType": "Fixed hard disk media", "model": "SAMSUNG MZVL2512HCJQ", "name": "\\\\.\\PHYSICALDRIVE0", "partitionCount": 3,
            "serialNumber": dice.hex(16).to_uppercase(), "size": 512_105_932_800_u64, "smartCapable": true, "status": "OK",
            "deviceId": id, "timestamp": collected,
        })],
        Report::LoggedOnUsers if agent => vec![json!({
            "userName": row.get("lastLoggedInUser"), "logonTime": now.days_ago(f64::from(dice.below(20)) + dice.fraction()),
            "deviceId": id,
        })],
        Report::NetworkInterfaces if agent => vec![json!({
            "adapterName": "Intel(R) Ethernet Connection I219-LM", "defaultGateway": "10.10.0.1", "interfaceType": "ETHERNET",
            "dnsHostName": row.get("dnsName"), "dnsServers": "10.10.0.2", "interfaceIndex": "4", "interfaceName": "Ethernet",
            "ipAddress": row.get("ipAddresses"), "linkSpeed": "1000000000", "macAddress": row.get("macAddresses"), "mtu": "1500",
            "status": "UP", "subnetMask": "255.255.0.0", "deviceId": id,
        })],
        Report::Software if agent => ["Google Chrome", "Zoom Workplace", "7-Zip"]
            .into_iter()
            .map(|name| {
                json!({
                    "installDate": format!("2026-{:02}-{:02}", 1 + dice.below(10), 1 + dice.below(28)), "location": null, "name": name,
                    "publisher": name.split(' ').next(), "size": 104_857_600_u64 + u64::from(dice.below(1_000_000)),
                    "version": format!("{}.{}", 1 + dice.below(130), dice.below(10)), "productCode": format!("{{{}}}", dice.uuid()),
                    "deviceId": id, "timestamp": collected,
                })
            })
            .collect(),
        Report::WindowsServices if agent => [("wuauserv", "Windows Update", "RUNNING"), ("BDESVC", "BitLocker", "STOPPED")]
            .into_iter()
            .map(|(name, display, state)| {
                json!({
                    "name": name, "displayName": display, "description": format!("{display} service"), "startType": "DEMAND_START",
                    "userName": "LocalSystem", "state": state, "deviceId": id, "timestamp": collected,
                })
            })
            .collect(),
        Report::PolicyOverrides if id % 10 == 0 => vec![json!({ "overrides": ["patching.schedule"], "deviceId": id })],
        Report::RaidControllers if id % 40 == 1 => vec![json!({
            "backupBatteryStatus": "OK", "biosVersion": "7.10", "cacheSize": 2_147_483_648_u64, "controllerIndex": 0,
            "manufacturer": "DELL", "model": "PERC H755", "physicalDriveCount": 2, "systemHealthStatus": "OK", "virtualDriveCount": 1,
            "deviceId": id, "timestamp": collected,
        })],
        Report::RaidDrives if id % 40 == 1 => vec![json!({
            "controllerIndex": 0, "driveGroup": "0", "driveId": "32:0", "interfaceType": "SAS", "mediaType": "SSD",
            "model": "KPM6XRUG960G", "selfEncrypted": false, "serial": dice.hex(12).to_uppercase(), "size": 960_197_124_096_u64,
            "spun": true, "status": "Online", "deviceId": id, "timestamp": collected,
        })],
        Report::AntivirusThreats if id % 50 == 3 => vec![json!({
            "name": "EICAR-Test-File", "quarantineId": dice.uuid(), "status": "QUARANTINED", "type": "FILE",
            "threatId": 2_147_519_003_i64, "category": "Virus", "level": "Severe", "deviceId": id, "timestamp": collected,
        })],
        Report::BackupUsage => vec![usage(&row, id)],
        Report::ScopedCustomFields => vec![json!({
            "scope": "NODE", "entityId": id, "fields": { "assetTag": format!("AT-{id}"), "rack": null },
        })],
        Report::ScopedCustomFieldsDetailed => vec![json!({
            "scope": "NODE", "entityId": id,
            "fields": [{
                "name": "assetTag", "value": format!("AT-{id}"), "updated": collected, "updateTime": collected,
                "updatedBy": { "source": "API" },
            }],
        })],
        _ => Vec::new(),
    }
}

/// After `samples/real/queries.device-health.json`.
fn health(device: &Value, id: i64) -> Value {
    let status = match id % 7 {
        0 => "NEEDS_ATTENTION",
        1 => "UNHEALTHY",
        2 => "UNKNOWN",
        _ => "HEALTHY",
    };
    let mut row = json!({
        "activeThreatsCount": 0, "quarantinedThreatsCount": 0, "blockedThreatsCount": 0, "failedOSPatchesCount": 0,
        "pendingOSPatchesCount": id % 4, "alertCount": 0, "activeJobCount": 0, "failedSoftwarePatchesCount": 0,
        "pendingSoftwarePatchesCount": id % 3, "productsInstallationStatuses": {}, "parentOffline": false, "healthStatus": status,
        "installationIssuesCount": 0, "deviceId": id,
    });
    if let Some(fields) = row.as_object_mut() {
        if let Some(offline) = device.get("offline") {
            fields.insert("offline".to_owned(), offline.clone());
        }
        if status == "NEEDS_ATTENTION" {
            fields.insert("pendingRebootReason".to_owned(), json!("WINDOWS_PM"));
        }
    }
    row
}

/// Every device has a row, those without any backup one of zeros.
fn usage(device: &Value, id: i64) -> Value {
    let size = if id % 4 == 0 { 40_802_189_312_u64 } else { 0 };
    let row = super::devices::summary(device);
    let usage = json!({
        "revisionsCurrentSize": size, "revisionsPreviousSize": 0, "revisionsDeletedSize": 0, "localFileFolderSize": 0,
        "localImageSize": 0, "localImageV2Size": 0, "cloudFileFolderSize": 0, "cloudImageSize": size, "cloudImageV2Size": 0,
        "cloudNetworkShareSize": 0, "revisionsTotalSize": size, "cloudTotalSize": size, "localTotalSize": 0,
    });
    with(row, &[("references", json!({ "backupUsage": usage }))])
}

fn with(mut row: Value, fields: &[(&str, Value)]) -> Value {
    if let Some(object) = row.as_object_mut() {
        object.extend(
            fields
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        );
    }
    row
}
