//! Backup runs: as activities, and as the jobs that `/v2/backup/jobs` lists.

use serde_json::{Value, json};

use super::{
    Present, Rows,
    activities::{
        BACKUP_CANCELLED, BACKUP_COMPLETED, BACKUP_FAILED, BACKUP_STARTED, BACKUP_WARNING,
        CLOUD_FAILED, CLOUD_SUCCEEDED, Feed, INTEGRITY_COMPLETED, INTEGRITY_FAILED,
        RESTORE_COMPLETED, SHADOW_FAILED, UPSYNC_FAILED,
    },
    machine::Machine,
};
use crate::{preset::Character, report::Report};

/// Adds the runs of a fortnight, if the device is backed up.
pub(super) fn add(rows: &mut Rows, feed: &mut Feed, machine: &Machine) {
    let now = Present(machine.last_contact);
    let backed_up = machine.is_windows() && (machine.every(4, 0) || machine.is_server());
    if !backed_up || machine.approval != "APPROVED" {
        return;
    }
    let failing = machine.character == Character::Failing && machine.every(4, 0);
    let cloud = machine.every(8, 4);
    let mut dice = machine.dice(9);
    let hour = 2.0 + f64::from(dice.below(4)) + dice.fraction();
    for day in 0..14_u32 {
        let start = now.ago(f64::from(day) * 86_400.0 + hour * 3_600.0);
        let end = now.ago(f64::from(day) * 86_400.0 + hour * 3_600.0 - 1_200.0);
        // Beyond the week all was well everywhere.
        let recent = day < 8;
        let (kind, result) = match (recent && failing, machine.place % 12) {
            (true, 0) => (BACKUP_FAILED, Some("FAILURE")),
            (true, 4) => (SHADOW_FAILED, None),
            (true, _) if cloud => (CLOUD_FAILED, Some("FAILURE")),
            // Completed is not the same as succeeded.
            (true, _) => (BACKUP_COMPLETED, Some("FAILURE")),
            _ if recent && machine.character == Character::Warning && machine.place == 0 => {
                (BACKUP_WARNING, Some("SUCCESS"))
            }
            _ if machine.every(16, 8) && day == 0 => (BACKUP_CANCELLED, None),
            _ if machine.every(20, 0) && day == 3 => (BACKUP_FAILED, Some("FAILURE")),
            _ if cloud => (CLOUD_SUCCEEDED, Some("SUCCESS")),
            _ => (BACKUP_COMPLETED, Some("SUCCESS")),
        };
        feed.on(machine.id, start, BACKUP_STARTED, None);
        feed.on(machine.id, end, kind, result);
        if day == 1 {
            feed.on(
                machine.id,
                end,
                if failing {
                    INTEGRITY_FAILED
                } else {
                    INTEGRITY_COMPLETED
                },
                None,
            );
            feed.on(machine.id, end, UPSYNC_FAILED, Some("FAILURE"));
        }
        if day == 2 && machine.every(12, 0) {
            feed.on(machine.id, end, RESTORE_COMPLETED, Some("SUCCESS"));
        }
        if day < 2 {
            let status = if recent && failing {
                "FAILED"
            } else {
                "COMPLETED"
            };
            rows.report(
                Report::BackupJobs,
                &job(machine, &dice.uuid(), start, end, status),
            );
        }
    }
    if machine.every(8, 0) {
        let (start, end) = (now.days_ago(1.0), now.days_ago(0.9));
        rows.report(
            Report::BackupIntegrityCheckJobs,
            &job(machine, &dice.uuid(), start, end, "COMPLETED"),
        );
    }
}

fn job(machine: &Machine, id: &str, start: f64, end: f64, status: &str) -> Value {
    json!({
        "jobId": id, "jobStartTime": start, "jobEndTime": end, "jobStatus": status, "destination": "CLOUD", "planGuid": id,
        "planName": "Daily image", "planType": "IMAGE", "totalActualStorageBytes": 81_604_378_624_u64,
        "totalStoredBytes": 40_802_189_312_u64, "filesUploaded": 12, "organizationId": machine.organization,
        "locationId": machine.location, "deviceId": machine.id,
        "upsyncJob": { "startTime": start, "endTime": end, "status": "COMPLETED", "filesUploaded": 12, "bytesUploaded": 1_048_576 },
    })
}
