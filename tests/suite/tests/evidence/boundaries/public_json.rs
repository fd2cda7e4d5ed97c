//! The whole JSON of section 12, every field of every signal.

use serde_json::{Value, json};

use super::{
    ANTIVIRUS, BACKUP, DISK, INVENTORY, PATCHES, SIGNALS, Table,
    rows::{
        Change, DAY, activity, ago, bitlocker, customer, definitions, device, healthy, install,
        os_patch, product, software_patch, volume,
    },
};

pub(crate) fn table(table: &mut Table) {
    for (signal, metadata) in [
        (
            DISK,
            json!({
                "scope": { "approved": 5, "measured": 2, "unmeasured": 1, "stale": 1, "not_applicable": 1, "not_approved": 1 },
                "volumes": {
                    "in_scope": 7, "out_of_scope": 1, "encrypted": 2, "suspended": 1, "in_progress": 1, "not_encrypted": 1, "unmeasured": 2,
                },
                "encrypted_percent": 40.0, "devices_fully_encrypted": 1,
            }),
        ),
        (
            ANTIVIRUS,
            json!({
                "scope": { "approved": 5, "measured": 2, "unmeasured": 1, "stale": 1, "not_applicable": 1, "not_approved": 1 },
                "devices": { "on": 1, "off": 1, "unmeasured": 1 },
                "signatures": { "fresh": 1, "aged_7_to_30": 0, "over_30": 0, "age_not_reported": 0, "unmeasured": 0 },
                "vendors": { "sentinelone": 1 }, "age_basis": "status_only",
            }),
        ),
        (
            PATCHES,
            json!({
                "scope": { "approved": 5, "measured": 2, "unmeasured": 1, "stale": 1, "not_applicable": 1, "not_approved": 1 },
                "os": {
                    "devices_measured": 1, "missing_critical": 1, "missing_important": 2, "failed_installs": 1,
                    "failed_superseded": 0, "rejected": 1, "severity_unknown": 1,
                },
                "software": {
                    "devices_measured": 2, "missing_critical": 1, "missing_important": 0, "failed_installs": 1,
                    "failed_superseded": 0, "rejected": 0, "severity_unknown": 0,
                },
                "devices_with_missing": 2, "devices_with_failed": 2,
            }),
        ),
        (
            BACKUP,
            json!({
                "scope": { "approved": 5, "measured": 3, "unmeasured": 0, "stale": 1, "not_applicable": 1, "not_approved": 1 },
                "devices": {
                    "with_activity": 3, "with_success": 2, "without_success": 1, "warnings_only": 1,
                    "latest_run_failed": 1, "without_any_backup": 0,
                },
                "integrity_checks": { "passed": 1, "failed": 1 }, "restores_completed": 1, "window_days": 7,
            }),
        ),
        (
            INVENTORY,
            json!({
                "scope": { "approved": 5, "measured": 4, "unmeasured": 1, "stale": 0, "not_applicable": 0, "not_approved": 1 },
                "devices": { "approved": 5, "offline": 1, "stale": 1 },
                "by_family": {
                    "workstation": 2, "server": 2, "mobile": 0, "network": 1, "virtualization": 0, "other": 0,
                },
            }),
        ),
    ] {
        let (status, reasons, controls) = match signal {
            DISK => (
                "fail",
                vec![
                    "below_threshold",
                    "unmeasured_devices",
                    "unmeasured_volumes",
                ],
                ["IC-024", "IC-052"],
            ),
            ANTIVIRUS => (
                "fail",
                vec!["protection_off", "unmeasured_devices"],
                ["IC-013", "IC-051"],
            ),
            PATCHES => (
                "fail",
                vec![
                    "installs_failed",
                    "kind_below_half",
                    "patches_missing",
                    "patches_rejected",
                    "severity_unknown",
                    "unmeasured_devices",
                ],
                ["IC-038", "IC-053"],
            ),
            BACKUP => (
                "fail",
                vec!["backups_failing", "latest_runs_failing", "warnings_only"],
                ["IC-060", "IC-061"],
            ),
            _ => ("pass", vec!["unmeasured_devices"], ["IC-031", "IC-032"]),
        };
        let expected = json!({
            "signal": signal, "status": status, "complete": true, "reasons": reasons, "controls": controls,
            "collected_at": "2026-11-23T06:30:00Z", "expires_at": "2026-11-30T06:30:00Z", "metadata": metadata,
        });
        table.case("the whole signal", signal, mixed(), expected);
    }
    for signal in SIGNALS {
        let mut tenant = healthy(1);
        tenant.now = tenant
            .now
            .to_offset(time::UtcOffset::from_hms(2, 0, 0).expect("an offset"));
        let expected = json!({ "status": "pass", "collected_at": "2026-11-23T06:30:00Z", "expires_at": "2026-11-30T06:30:00Z" });
        table.case("times are UTC", signal, tenant, expected);
    }
}

/// Three live devices (the third unmeasured), a stale one, a switch, and one not approved.
fn mixed() -> crate::oracle::tenant::Tenant {
    let mut tenant = customer(vec![
        device(1),
        device(2).with("nodeClass", "WINDOWS_SERVER"),
        device(3)
            .with("nodeClass", "LINUX_SERVER")
            .without("offline"),
        device(4)
            .with("lastContact", ago(31 * DAY))
            .with("offline", true),
        device(5).with("nodeClass", "NMS_SWITCH"),
        device(6).with("approvalStatus", "STAGED"),
    ]);
    let status = |row: Value, conversion: &str, protection: &str| {
        row.with("bitLockerStatus", bitlocker(conversion, protection))
    };
    tenant.volumes.rows = vec![
        volume(1, "C:"),
        volume(1, "E:").with("deviceType", "CD-ROM Disc"),
        volume(2, "C:"),
        status(volume(2, "D:"), "FULLY_ENCRYPTED", "UNPROTECTED"),
        status(volume(2, "E:"), "ENCRYPTION_PAUSED", "UNKNOWN"),
        status(volume(2, "F:"), "DECRYPTION_IN_PROGRESS", "UNPROTECTED"),
        volume(2, "G:").without("bitLockerStatus"),
        volume(3, "/").without("bitLockerStatus"),
        status(volume(4, "C:"), "FULLY_DECRYPTED", "UNPROTECTED"),
    ];
    tenant.antivirus.rows = vec![
        product(1, "Windows Defender").with("productState", "OFF"),
        product(1, "SentinelOne"),
        product(2, "Windows Defender").with("productState", "OFF"),
        product(4, "Windows Defender"),
        product(6, "Windows Defender"),
    ];
    tenant.os_patches.rows = vec![
        definitions(1),
        os_patch(1, "a", "CRITICAL"),
        os_patch(1, "b", "IMPORTANT"),
        os_patch(1, "c", "security"),
        os_patch(1, "d", "LOW"),
        os_patch(1, "e", "CRITICAL").with("status", "REJECTED"),
        os_patch(1, "f", "unknown"),
    ];
    tenant.os_patch_installs.rows = vec![
        install(1, "g", "FAILED", DAY),
        install(1, "h", "INSTALLED", DAY),
        install(4, "g", "FAILED", DAY),
    ];
    tenant.software_patches.rows = vec![
        software_patch(1, "x", "OPTIONAL"),
        software_patch(2, "y", "critical"),
    ];
    tenant.software_patch_installs.rows = vec![
        install(2, "z", "FAILED", DAY),
        install(2, "w", "INSTALLED", DAY),
    ];
    tenant.activities.rows = vec![
        activity(10, 1, "NINJA_BACKUP_BACKUPJOB_COMPLETED"),
        activity(11, 2, "NINJA_BACKUP_BACKUPJOB_FAILED"),
        activity(12, 3, "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING"),
        activity(13, 4, "NINJA_BACKUP_BACKUPJOB_FAILED"),
        activity(14, 1, "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED"),
        activity(15, 1, "NINJA_BACKUP_INTEGRITY_CHECK_FAILED"),
        activity(16, 5, "NINJA_BACKUP_RESTOREJOB_COMPLETED"),
    ];
    tenant
}
