//! Rows of the activity log that are about backups.

use ninjaone_client::models::{Activity, ActivityResult};
use regentra_evidence::{ActivityKey, BackupEvent, BackupFact};

use super::{Malformed, instant, row_device};

/// What one row of the activity log says about backups; `None` when it is about something else.
///
/// Only the status code decides. There is no activity type `BACKUP`, and a literal filter by one returns nothing.
/// `ShadowProtect` and `ImageManager` have no code for a success: their silence proves nothing.
///
/// # Errors
///
/// [`Malformed`] for a backup row without an id or a device.
pub fn backup(row: &Activity) -> Result<Option<BackupFact>, Malformed> {
    // The one word that takes a success back must not be missed for its case.
    let failed = row.activity_result.as_ref().is_some_and(|result| {
        result
            .as_str()
            .eq_ignore_ascii_case(ActivityResult::Failure.as_str())
    });
    let Some(event) = row
        .status_code
        .as_ref()
        .and_then(|code| event(code.as_str(), failed))
    else {
        return Ok(None);
    };
    Ok(Some(BackupFact {
        device: row_device(row.device_id)?,
        activity: ActivityKey::new(row.id.ok_or(Malformed { field: "id" })?.get()),
        event,
        at: instant(row.activity_time),
    }))
}

/// The status codes of the vendor's document that say how a backup, an integrity check or a restore ended. A completed run whose
/// result is `FAILURE` has failed.
fn event(code: &str, failed: bool) -> Option<BackupEvent> {
    let event = match code {
        "NINJA_BACKUP_BACKUPJOB_COMPLETED" | "CLOUDBERRY_BACKUPJOB_SUCCEEDED" => {
            BackupEvent::Success
        }
        "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING"
        | "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING" => BackupEvent::SuccessWithWarning,
        "NINJA_BACKUP_BACKUPJOB_FAILED"
        | "CLOUDBERRY_BACKUPJOB_FAILED"
        | "SHADOWPROTECT_BACKUPJOB_FAILED"
        | "SHADOWPROTECT_BACKUPJOB_ABORTED" => BackupEvent::Failure,
        "NINJA_BACKUP_BACKUPJOB_CANCELLED" => BackupEvent::Cancelled,
        "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED" => BackupEvent::IntegrityPassed,
        "NINJA_BACKUP_INTEGRITY_CHECK_FAILED" => BackupEvent::IntegrityFailed,
        "NINJA_BACKUP_RESTOREJOB_COMPLETED" | "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED" => {
            BackupEvent::RestoreCompleted
        }
        _ => return None,
    };
    if !failed {
        return Some(event);
    }
    match event {
        BackupEvent::Success | BackupEvent::SuccessWithWarning | BackupEvent::Failure => {
            Some(BackupEvent::Failure)
        }
        BackupEvent::IntegrityPassed | BackupEvent::IntegrityFailed => {
            Some(BackupEvent::IntegrityFailed)
        }
        BackupEvent::Cancelled => Some(BackupEvent::Cancelled),
        // A failed restore is not counted.
        BackupEvent::RestoreCompleted => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_that_counts_and_nothing_else() {
        use BackupEvent::{
            Cancelled, Failure, IntegrityFailed, IntegrityPassed, RestoreCompleted, Success,
            SuccessWithWarning,
        };
        // code -> without a result, with the result FAILURE
        let table = [
            (
                "NINJA_BACKUP_BACKUPJOB_COMPLETED",
                Some(Success),
                Some(Failure),
            ),
            (
                "CLOUDBERRY_BACKUPJOB_SUCCEEDED",
                Some(Success),
                Some(Failure),
            ),
            (
                "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING",
                Some(SuccessWithWarning),
                Some(Failure),
            ),
            (
                "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING",
                Some(SuccessWithWarning),
                Some(Failure),
            ),
            (
                "NINJA_BACKUP_BACKUPJOB_FAILED",
                Some(Failure),
                Some(Failure),
            ),
            ("CLOUDBERRY_BACKUPJOB_FAILED", Some(Failure), Some(Failure)),
            (
                "SHADOWPROTECT_BACKUPJOB_FAILED",
                Some(Failure),
                Some(Failure),
            ),
            (
                "SHADOWPROTECT_BACKUPJOB_ABORTED",
                Some(Failure),
                Some(Failure),
            ),
            (
                "NINJA_BACKUP_BACKUPJOB_CANCELLED",
                Some(Cancelled),
                Some(Cancelled),
            ),
            (
                "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
                Some(IntegrityPassed),
                Some(IntegrityFailed),
            ),
            (
                "NINJA_BACKUP_INTEGRITY_CHECK_FAILED",
                Some(IntegrityFailed),
                Some(IntegrityFailed),
            ),
            (
                "NINJA_BACKUP_RESTOREJOB_COMPLETED",
                Some(RestoreCompleted),
                None,
            ),
            (
                "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED",
                Some(RestoreCompleted),
                None,
            ),
            ("NINJA_BACKUP_RESTOREJOB_FAILED", None, None),
            ("NINJA_BACKUP_BACKUPJOB_STARTED", None, None),
            ("NINJA_BACKUP_UPSYNCJOB_COMPLETED", None, None),
            ("IMAGEMANAGER_VERIFICATION_FAILED", None, None),
            ("NINJA_BACKUP_INTEGRITY_CHECK_CANCELLED", None, None),
            ("WEBROOT_THREAT_RESTORE_COMPLETED", None, None),
            ("BACKUP", None, None),
            ("ninja_backup_backupjob_completed", None, None),
        ];
        for (code, plain, with_failure) in table {
            assert_eq!(event(code, false), plain, "{code}");
            assert_eq!(event(code, true), with_failure, "{code}");
        }
    }

    #[test]
    fn a_backup_row_that_cannot_be_attributed_is_malformed() {
        let read = |json| backup(&serde_json::from_value(json).unwrap());
        let code = "NINJA_BACKUP_BACKUPJOB_COMPLETED";
        assert_eq!(
            read(json!({"id": 1, "statusCode": code})),
            Err(Malformed { field: "deviceId" })
        );
        assert_eq!(
            read(json!({"deviceId": 1, "statusCode": code})),
            Err(Malformed { field: "id" })
        );
        assert_eq!(read(json!({"statusCode": "USER_LOGGED_IN"})), Ok(None));
        assert_eq!(read(json!({"activityType": "BACKUP"})), Ok(None));
    }
}
