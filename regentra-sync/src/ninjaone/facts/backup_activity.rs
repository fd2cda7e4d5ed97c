//! Rows of the activity log that are about backups.
//!
//! | field that cannot be read | the activity is |
//! |---|---|
//! | `id`, `statusCode` | lost, as one without it is; `deviceId` where it is about backups |
//! | `activityResult` | neither success nor failure, where its code says that it completed |
//! | `activityTime` | without a time |

use ninjaone_client::models::{Activity, ActivityResult, ActivityStatus};
use regentra_evidence::{ActivityKey, BackupEvent, BackupFact};

use super::{Malformed, caseless, instant, present, row_device};

/// Every status code of the vendor's document that says how a backup, an integrity check or a restore ended, and what it says.
/// `ShadowProtect` and `ImageManager` have no code for a success: their silence proves nothing.
const CODES: [(ActivityStatus, BackupEvent); 13] = [
    (
        ActivityStatus::NINJA_BACKUP_BACKUPJOB_COMPLETED,
        BackupEvent::Success,
    ),
    (
        ActivityStatus::CLOUDBERRY_BACKUPJOB_SUCCEEDED,
        BackupEvent::Success,
    ),
    (
        ActivityStatus::NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING,
        BackupEvent::SuccessWithWarning,
    ),
    (
        ActivityStatus::CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING,
        BackupEvent::SuccessWithWarning,
    ),
    (
        ActivityStatus::NINJA_BACKUP_BACKUPJOB_FAILED,
        BackupEvent::Failure,
    ),
    (
        ActivityStatus::CLOUDBERRY_BACKUPJOB_FAILED,
        BackupEvent::Failure,
    ),
    (
        ActivityStatus::SHADOWPROTECT_BACKUPJOB_FAILED,
        BackupEvent::Failure,
    ),
    (
        ActivityStatus::SHADOWPROTECT_BACKUPJOB_ABORTED,
        BackupEvent::Failure,
    ),
    (
        ActivityStatus::NINJA_BACKUP_BACKUPJOB_CANCELLED,
        BackupEvent::Cancelled,
    ),
    (
        ActivityStatus::NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED,
        BackupEvent::IntegrityPassed,
    ),
    (
        ActivityStatus::NINJA_BACKUP_INTEGRITY_CHECK_FAILED,
        BackupEvent::IntegrityFailed,
    ),
    (
        ActivityStatus::NINJA_BACKUP_RESTOREJOB_COMPLETED,
        BackupEvent::RestoreCompleted,
    ),
    (
        ActivityStatus::NINJA_BACKUP_IMAGE_RESTORE_COMPLETED,
        BackupEvent::RestoreCompleted,
    ),
];

/// The status codes to ask the activity log for. There is no activity type `BACKUP`, and a literal filter by one returns nothing.
#[must_use]
pub fn status_codes() -> Vec<ActivityStatus> {
    CODES.into_iter().map(|(code, _)| code).collect()
}

/// What one row of the activity log says about backups; `None` when it is about something else. Only the status code decides.
///
/// # Errors
///
/// [`Malformed`] for a row without a code or an id, and for a backup row without a device.
pub fn backup(row: &Activity) -> Result<Option<BackupFact>, Malformed> {
    let code = row.status_code.as_ref().map(ActivityStatus::as_str);
    let code = present(code).ok_or(Malformed {
        field: "statusCode",
    })?;
    let id = row.id.ok_or(Malformed { field: "id" })?;
    let Some(event) = event(code, outcome(row)) else {
        return Ok(None);
    };
    Ok(Some(BackupFact {
        device: row_device(row.device_id)?,
        activity: ActivityKey::new(id.get()),
        event,
        at: instant(row.activity_time),
    }))
}

/// What an activity says of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing that would take its code back.
    AsCoded,
    /// That it failed.
    Failed,
    /// Nobody can read it.
    Unclear,
}

fn outcome(row: &Activity) -> Outcome {
    match &row.activity_result {
        // The one word that takes a success back must not be missed for its case.
        Some(result) if caseless(result.as_str()) == ActivityResult::Failure.as_str() => {
            Outcome::Failed
        }
        None if row.unreadable.contains("activityResult") => Outcome::Unclear,
        _ => Outcome::AsCoded,
    }
}

/// What a code says, and what its result makes of it. A completed run whose result is `FAILURE` has failed.
fn event(code: &str, outcome: Outcome) -> Option<BackupEvent> {
    let code = caseless(code);
    let (_, event) = CODES.into_iter().find(|(own, _)| own.as_str() == code)?;
    match (event, outcome) {
        (_, Outcome::AsCoded)
        | (
            BackupEvent::Failure | BackupEvent::IntegrityFailed | BackupEvent::Cancelled,
            Outcome::Failed | Outcome::Unclear,
        ) => Some(event),
        (BackupEvent::Success | BackupEvent::SuccessWithWarning, Outcome::Failed) => {
            Some(BackupEvent::Failure)
        }
        (BackupEvent::Success | BackupEvent::SuccessWithWarning, Outcome::Unclear) => {
            Some(BackupEvent::Cancelled)
        }
        (BackupEvent::IntegrityPassed, Outcome::Failed) => Some(BackupEvent::IntegrityFailed),
        // A failed restore is not counted, and neither is a check or restore of which nobody knows how it ended.
        (BackupEvent::RestoreCompleted, Outcome::Failed | Outcome::Unclear)
        | (BackupEvent::IntegrityPassed, Outcome::Unclear) => None,
    }
}

#[cfg(test)]
mod tests {
    use ninjaone_client::Unreadable;
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
            (
                "ninja_backup_backupjob_completed",
                Some(Success),
                Some(Failure),
            ),
        ];
        for (code, plain, with_failure) in table {
            assert_eq!(event(code, Outcome::AsCoded), plain, "{code}");
            assert_eq!(event(code, Outcome::Failed), with_failure, "{code}");
            // A result that cannot be read takes back what is good, and nothing else.
            let unclear = match plain {
                Some(Success | SuccessWithWarning) => Some(Cancelled),
                Some(IntegrityPassed | RestoreCompleted) => None,
                other => other,
            };
            assert_eq!(event(code, Outcome::Unclear), unclear, "{code}");
        }
        let asked: Vec<_> = status_codes();
        let counted: Vec<_> = table
            .iter()
            .filter(|(code, plain, _)| plain.is_some() && *code == code.to_uppercase())
            .map(|(code, ..)| ActivityStatus::from(*code))
            .collect();
        assert_eq!(asked, counted);
    }

    #[test]
    fn results_are_read_as_they_are_or_not_at_all() {
        let code = "NINJA_BACKUP_BACKUPJOB_COMPLETED";
        for (result, unreadable, expected) in [
            (json!("SUCCESS"), "status", BackupEvent::Success),
            (json!(null), "status", BackupEvent::Success),
            (json!(" failure "), "status", BackupEvent::Failure),
            (json!(null), "activityResult", BackupEvent::Cancelled),
            (json!("SUCCESS"), "activityResult", BackupEvent::Success),
        ] {
            let json =
                json!({"id": 1, "deviceId": 1, "statusCode": code, "activityResult": result});
            let row = Activity {
                unreadable: Unreadable::of([unreadable]),
                ..serde_json::from_value(json).unwrap()
            };
            let event = backup(&row).unwrap().unwrap().event;
            assert_eq!(event, expected, "{result} {unreadable}");
        }
    }

    #[test]
    fn an_activity_without_id_or_code_and_a_backup_without_device_are_lost() {
        let read = |json| backup(&serde_json::from_value(json).unwrap());
        let code = "NINJA_BACKUP_BACKUPJOB_COMPLETED";
        let lost = |field| Err(Malformed { field });
        assert_eq!(read(json!({"id": 1, "statusCode": code})), lost("deviceId"));
        assert_eq!(read(json!({"deviceId": 1, "statusCode": code})), lost("id"));
        assert_eq!(read(json!({"statusCode": "USER_LOGGED_IN"})), lost("id"));
        for blank in [json!(null), json!(""), json!(" ")] {
            let row = json!({"id": 1, "deviceId": 1, "statusCode": blank});
            assert_eq!(read(row), lost("statusCode"));
        }
        let other = json!({"id": 1, "statusCode": "USER_LOGGED_IN"});
        assert_eq!(read(other), Ok(None));
    }
}
