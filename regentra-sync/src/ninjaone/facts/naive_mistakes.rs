//! Known wrong ways to read the vendor's words. Each test compares the naive reading of a row with ours.
//!
//! Mistakes in judging the facts are in `regentra-evidence/tests/naive_mistakes`.

use ninjaone_client::models::{Activity, AntivirusStatus, Device, OsPatch, SoftwarePatch, Volume};
use regentra_evidence::{
    AttemptFact, BackupEvent, BackupFact, Definitions, DeviceClass, DeviceFact, InstallOutcome,
    PatchSeverity, PendingFact, Product, ProductFact, ProtectionState, Vendor, VolumeFact,
    disk_encryption::VolumeBucket,
};
use serde_json::{Value, json};
use time::macros::datetime;

use super::{
    antivirus_posture, backup_activity, device_inventory, disk_encryption,
    patch_sla::{self, PatchFacts, PatchReport},
};

fn decode<T: serde::de::DeserializeOwned>(row: &Value) -> T {
    serde_json::from_value(row.clone()).unwrap()
}

fn volume(row: &Value) -> VolumeFact {
    disk_encryption::volume(&decode::<Volume>(row))
        .unwrap()
        .fact
}

fn bucket(row: &Value) -> VolumeBucket {
    volume(row).bucket(DeviceClass::WindowsWorkstation)
}

fn product(row: &Value) -> ProductFact {
    antivirus_posture::product(&decode::<AntivirusStatus>(row)).unwrap()
}

fn device(row: &Value) -> DeviceFact {
    device_inventory::device(&decode::<Device>(row)).unwrap()
}

fn os_patch(row: &Value, report: PatchReport) -> PatchFacts {
    patch_sla::os_patch(&decode::<OsPatch>(row), report).unwrap()
}

fn pending(row: &Value) -> PendingFact {
    os_patch(row, PatchReport::Pending).pending.unwrap()
}

fn backup(row: &Value) -> Option<BackupFact> {
    backup_activity::backup(&decode::<Activity>(row)).unwrap()
}

fn word<'a>(row: &'a Value, field: &str) -> &'a str {
    row.pointer(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[test]
fn a_report_asked_for_without_bitlocker_taken_for_disks_in_clear() {
    let row = json!({"deviceId": 1, "name": "C:", "deviceType": "Local Disk"});
    let naive = word(&row, "/bitLockerStatus/conversionStatus") != "FULLY_ENCRYPTED";
    assert!(naive, "the naive reading says: not encrypted");
    assert_eq!(bucket(&row), VolumeBucket::Unmeasured);
}

#[test]
fn a_disk_that_is_being_decrypted_taken_for_one_in_progress() {
    for status in ["DECRYPTION_IN_PROGRESS", "DECRYPTION_PAUSED"] {
        let row = json!({"deviceId": 1, "bitLockerStatus": {"conversionStatus": status}});
        let conversion = word(&row, "/bitLockerStatus/conversionStatus");
        let naive = conversion.ends_with("_IN_PROGRESS") || conversion.ends_with("_PAUSED");
        assert!(naive, "the naive reading says: on its way to encrypted");
        assert_eq!(bucket(&row), VolumeBucket::NotEncrypted, "{status}");
    }
}

#[test]
fn a_disk_with_its_key_in_clear_taken_for_encrypted() {
    let row = json!({"deviceId": 1, "bitLockerStatus": {
        "conversionStatus": "FULLY_ENCRYPTED", "protectionStatus": "UNPROTECTED"}});
    let naive = word(&row, "/bitLockerStatus/conversionStatus") == "FULLY_ENCRYPTED";
    assert!(naive, "the naive reading says: encrypted");
    assert_eq!(bucket(&row), VolumeBucket::Suspended);
}

#[test]
fn a_conversion_that_nobody_knows_with_a_key_in_clear_left_unmeasured() {
    let row = json!({"deviceId": 1, "bitLockerStatus": {
        "conversionStatus": "UNKNOWN", "protectionStatus": "UNPROTECTED"}});
    let naive = word(&row, "/bitLockerStatus/conversionStatus") == "UNKNOWN";
    assert!(naive, "the naive reading says: nobody can tell");
    assert_eq!(bucket(&row), VolumeBucket::NotEncrypted);
}

#[test]
fn two_volumes_of_one_device_taken_for_one() {
    // `driveLetter` is absent for mounted volumes: keyed by it alone they collapse.
    let rows = [
        json!({"deviceId": 1, "name": "C:", "driveLetter": "C:"}),
        json!({"deviceId": 1, "name": "D:\\data"}),
        json!({"deviceId": 1, "name": "E:\\data"}),
    ];
    let naive = word(&rows[1], "/driveLetter") == word(&rows[2], "/driveLetter");
    assert!(naive, "the naive reading says: the same volume");
    assert_ne!(volume(&rows[1]).volume, volume(&rows[2]).volume);
}

#[test]
fn bitdefender_taken_for_defender() {
    let row = json!({"deviceId": 1, "productName": "Bitdefender Endpoint Security Tools"});
    let naive = word(&row, "/productName")
        .to_lowercase()
        .contains("defender");
    assert!(naive, "the naive reading says: Microsoft Defender");
    assert_eq!(product(&row).product, Product::Real(Vendor::Bitdefender));
}

#[test]
fn the_name_none_taken_for_a_product() {
    let row = json!({"deviceId": 1, "productName": "NONE"});
    let naive = !word(&row, "/productName").is_empty();
    assert!(naive, "the naive reading says: there is a product");
    assert_eq!(product(&row).product, Product::None);
}

#[test]
fn whatever_is_not_off_taken_for_on() {
    for (state, expected) in [
        ("SNOOZED", ProtectionState::Off),
        ("EXPIRED", ProtectionState::Off),
        ("DISABLED_BY_POLICY", ProtectionState::Unknown),
    ] {
        let row = json!({"deviceId": 1, "productName": "x", "productState": state});
        let naive = word(&row, "/productState") != "OFF";
        assert!(naive, "the naive reading says: on");
        assert_eq!(product(&row).state, expected, "{state}");
    }
}

#[test]
fn signatures_that_are_not_up_to_date_found_to_be_up_to_date() {
    let row = json!({"deviceId": 1, "definitionStatus": "Not up to date"});
    let naive = word(&row, "/definitionStatus")
        .to_lowercase()
        .contains("up to date");
    assert!(naive, "the naive reading says: up to date");
    assert_eq!(product(&row).definitions, Definitions::Unknown);
}

#[test]
fn another_spelling_of_up_to_date_not_recognised() {
    for spelling in ["Up-to-Date", "UP_TO_DATE", "up to date", "UPTODATE"] {
        let row = json!({"deviceId": 1, "definitionStatus": spelling});
        assert_eq!(
            product(&row).definitions,
            Definitions::UpToDate,
            "{spelling}"
        );
    }
    let naive = "UP_TO_DATE" == "Up-to-Date";
    assert!(!naive, "the naive reading knows one spelling");
}

#[test]
fn only_the_word_that_the_console_shows_taken_for_pending() {
    // What the console calls Pending the API calls MANUAL.
    for status in ["MANUAL", "APPROVED", "DELAYED"] {
        let row = json!({"deviceId": 1, "id": "a", "status": status, "severity": "CRITICAL"});
        let naive = word(&row, "/status") != "PENDING";
        assert!(naive, "the naive reading says: nothing is pending");
        assert!(!pending(&row).rejected, "{status}");
    }
}

#[test]
fn a_failure_in_the_list_of_what_is_pending_overlooked() {
    let row = json!({"deviceId": 1, "id": "a", "status": "FAILED", "severity": "LOW"});
    let naive = word(&row, "/severity") == "LOW";
    assert!(naive, "the naive reading says: a patch that does not count");
    let attempt = os_patch(&row, PatchReport::Pending).attempt;
    assert_eq!(
        attempt.map(|AttemptFact { outcome, .. }| outcome),
        Some(InstallOutcome::Failed)
    );
}

#[test]
fn security_fixes_of_macs_and_linux_not_recognised() {
    for severity in ["security", "critical"] {
        let row = json!({"deviceId": 1, "id": "a", "severity": severity});
        let naive = !["CRITICAL", "IMPORTANT"].contains(&word(&row, "/severity"));
        assert!(naive, "the naive reading says: does not count");
        assert_ne!(pending(&row).severity, PatchSeverity::Low, "{severity}");
    }
}

#[test]
fn a_patch_without_severity_taken_for_one_that_does_not_count() {
    let row = json!({"deviceId": 1, "id": "a", "status": "MANUAL", "type": "UPDATE_ROLLUPS"});
    let naive = !["CRITICAL", "IMPORTANT"].contains(&word(&row, "/severity"));
    assert!(naive, "the naive reading says: does not count");
    assert_eq!(pending(&row).severity, PatchSeverity::Unknown);
    let row = json!({"deviceId": 1, "id": "a", "status": "MANUAL", "type": "SECURITY_UPDATES"});
    assert_eq!(pending(&row).severity, PatchSeverity::Important);
}

#[test]
fn drivers_that_drown_the_list() {
    // About seven in ten pending patches are drivers without a severity.
    let row = json!({"deviceId": 1, "id": "a", "severity": "unknown", "type": "DRIVER_UPDATES"});
    let naive = word(&row, "/severity") == "unknown";
    assert!(naive, "the naive reading says: its severity is unknown");
    assert_eq!(pending(&row).severity, PatchSeverity::Low);
}

#[test]
fn a_patch_known_by_its_product() {
    // Two patches of one product on one device are two.
    let rows = [
        json!({"deviceId": 1, "id": "a", "productIdentifier": "firefox"}),
        json!({"deviceId": 1, "id": "b", "productIdentifier": "firefox"}),
    ];
    let naive = word(&rows[0], "/productIdentifier") == word(&rows[1], "/productIdentifier");
    assert!(naive, "the naive reading says: the same patch");
    let key = |row: &Value| {
        let facts = patch_sla::software_patch(&decode::<SoftwarePatch>(row), PatchReport::Pending);
        facts.unwrap().pending.unwrap().patch
    };
    assert_ne!(key(&rows[0]), key(&rows[1]));
}

#[test]
fn backups_looked_for_under_a_type_that_does_not_exist() {
    let row = json!({"id": 1, "deviceId": 1, "activityType": "NINJA_BACKUP",
        "statusCode": "NINJA_BACKUP_BACKUPJOB_COMPLETED"});
    let naive = word(&row, "/activityType") != "BACKUP";
    assert!(naive, "the naive reading says: no backup");
    assert_eq!(
        backup(&row).map(|fact| fact.event),
        Some(BackupEvent::Success)
    );
}

#[test]
fn a_completed_job_that_failed_taken_for_a_success() {
    for result in ["FAILURE", "failure"] {
        let row = json!({"id": 1, "deviceId": 1, "activityResult": result,
            "statusCode": "NINJA_BACKUP_BACKUPJOB_COMPLETED"});
        let naive = word(&row, "/statusCode").ends_with("_COMPLETED");
        assert!(naive, "the naive reading says: a success");
        assert_eq!(
            backup(&row).map(|fact| fact.event),
            Some(BackupEvent::Failure),
            "{result}"
        );
    }
}

#[test]
fn whatever_completes_about_backups_taken_for_a_backup() {
    for (code, expected) in [
        ("NINJA_BACKUP_UPSYNCJOB_COMPLETED", None),
        ("NINJA_BACKUP_IMAGE_DOWNLOAD_COMPLETED", None),
        ("NINJA_BACKUP_IMAGE_MOUNT_COMPLETED", None),
        (
            "NINJA_BACKUP_RESTOREJOB_COMPLETED",
            Some(BackupEvent::RestoreCompleted),
        ),
        (
            "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
            Some(BackupEvent::IntegrityPassed),
        ),
    ] {
        let row = json!({"id": 1, "deviceId": 1, "statusCode": code});
        let naive = code.contains("BACKUP") && code.ends_with("_COMPLETED");
        assert!(naive, "the naive reading says: a successful backup");
        assert_eq!(backup(&row).map(|fact| fact.event), expected, "{code}");
    }
}

#[test]
fn restored_threats_and_documents_taken_for_restores() {
    for code in ["SENTINEL_ONE_THREAT_RESTORE_COMPLETED", "DOCUMENT_RESTORED"] {
        let row = json!({"id": 1, "deviceId": 1, "statusCode": code});
        let naive = code.contains("RESTORE");
        assert!(naive, "the naive reading says: a restore");
        assert_eq!(backup(&row), None, "{code}");
    }
}

#[test]
fn a_monitored_switch_or_printer_taken_for_a_server() {
    for class in ["NMS_SERVER", "NMS_COMPUTER", "NMS_VIRTUAL_MACHINE"] {
        let row = json!({"id": 1, "approvalStatus": "APPROVED", "nodeClass": class});
        let naive = ["SERVER", "COMPUTER", "MACHINE"]
            .iter()
            .any(|word| class.contains(word));
        assert!(naive, "the naive reading says: a computer to protect");
        assert_eq!(device(&row).class, DeviceClass::Network, "{class}");
    }
}

#[test]
fn a_device_that_is_not_gone_taken_for_approved() {
    for status in ["PENDING", "STAGED", "SOMETHING_NEW"] {
        let row = json!({"id": 1, "approvalStatus": status});
        let naive = word(&row, "/approvalStatus") != "DECOMMISSIONED";
        assert!(naive, "the naive reading says: in use");
        assert!(!device(&row).approved, "{status}");
    }
    assert!(!device(&json!({"id": 1})).approved);
}

#[test]
fn seconds_taken_for_milliseconds_and_the_other_way_round() {
    let expected = Some(datetime!(2025-09-29 08:06:05.953166 UTC));
    let row = json!({"id": 1, "lastContact": 1_759_133_165.953_166});
    assert_eq!(device(&row).last_contact, expected);
    // Read as milliseconds the same number lies in January 1970: stale for half a century.
    let naive = std::time::Duration::from_millis(1_759_133_165).as_secs() / 86_400;
    assert_eq!(naive, 20);
    let row = json!({"id": 1, "lastContact": 1_759_133_165_953_i64});
    assert_eq!(
        device(&row).last_contact,
        Some(datetime!(2025-09-29 08:06:05.953 UTC))
    );
}

#[test]
fn a_time_of_zero_taken_for_the_year_1970() {
    for time in [json!(0), json!("0"), json!(-1), json!(null), json!("soon")] {
        let row = json!({"id": 1, "lastContact": time});
        assert_eq!(device(&row).last_contact, None, "{time}");
    }
}
