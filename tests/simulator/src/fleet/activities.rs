//! The activity feed of a fleet: collected out of order, numbered in order of time.

use serde_json::{Value, json};

use super::{Present, Rows, machine::Machine};
use crate::seed::Dice;

/// Everything that happened, not yet numbered.
#[derive(Debug, Default)]
pub(super) struct Feed(Vec<Event>);

#[derive(Debug)]
struct Event {
    at: f64,
    device: Option<i64>,
    kind: Kind,
    result: Option<&'static str>,
}

/// Activity type, status code, the words a person reads for both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(&'static str, &'static str, &'static str, &'static str);

pub(super) const BACKUP_STARTED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_BACKUPJOB_STARTED",
    "Backup job started",
    "Ninja Backup",
);
pub(super) const BACKUP_COMPLETED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_BACKUPJOB_COMPLETED",
    "Backup job completed",
    "Ninja Backup",
);
pub(super) const BACKUP_WARNING: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING",
    "Backup job completed with warning",
    "Ninja Backup",
);
pub(super) const BACKUP_FAILED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_BACKUPJOB_FAILED",
    "Backup job failed",
    "Ninja Backup",
);
pub(super) const BACKUP_CANCELLED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_BACKUPJOB_CANCELLED",
    "Backup job cancelled",
    "Ninja Backup",
);
pub(super) const INTEGRITY_COMPLETED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
    "Integrity check completed",
    "Ninja Backup",
);
pub(super) const INTEGRITY_FAILED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_INTEGRITY_CHECK_FAILED",
    "Integrity check failed",
    "Ninja Backup",
);
pub(super) const RESTORE_COMPLETED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_RESTOREJOB_COMPLETED",
    "Restore job completed",
    "Ninja Backup",
);
pub(super) const UPSYNC_FAILED: Kind = Kind(
    "NINJA_BACKUP",
    "NINJA_BACKUP_UPSYNCJOB_FAILED",
    "Upload failed",
    "Ninja Backup",
);
pub(super) const CLOUD_SUCCEEDED: Kind = Kind(
    "CLOUDBERRY_BACKUP",
    "CLOUDBERRY_BACKUPJOB_SUCCEEDED",
    "Backup succeeded",
    "Cloud Backup",
);
pub(super) const CLOUD_FAILED: Kind = Kind(
    "CLOUDBERRY_BACKUP",
    "CLOUDBERRY_BACKUPJOB_FAILED",
    "Backup failed",
    "Cloud Backup",
);
pub(super) const SHADOW_FAILED: Kind = Kind(
    "SHADOWPROTECT",
    "SHADOWPROTECT_BACKUPJOB_FAILED",
    "Backup failed",
    "ShadowProtect",
);

const REBOOTED: Kind = Kind("SYSTEM", "SYSTEM_REBOOTED", "Rebooted", "System");
const LOGGED_IN: Kind = Kind("SYSTEM", "USER_LOGGED_IN", "Logged in", "System");
const SCANNED: Kind = Kind(
    "PATCH_MANAGEMENT",
    "PATCH_MANAGEMENT_SCAN_COMPLETED",
    "Scan completed",
    "Patch Management",
);
const AUTOMATION: Kind = Kind("ACTIONSET", "COMPLETED", "Completed", "Action Set");
/// No backup was restored here: a file was taken out of quarantine.
const THREAT_RESTORED: Kind = Kind(
    "ANTIVIRUS",
    "BITDEFENDER_THREAT_RESTORE_FROM_QUARANTINE",
    "Threat restored",
    "Bitdefender",
);
/// Live tenants know codes that the vendor's document does not.
const UNKNOWN_CODE: Kind = Kind(
    "DIVISION",
    "DIVISION_RESTORE_POINT_MOVED",
    "Moved",
    "Division",
);
const CONSOLE_LOGIN: Kind = Kind(
    "SYSTEM",
    "APP_USER_LOGGED_IN",
    "Technician logged in",
    "System",
);

impl Feed {
    /// Something that happened on a device.
    pub(super) fn on(&mut self, device: i64, at: f64, kind: Kind, result: Option<&'static str>) {
        self.0.push(Event {
            at,
            device: Some(device),
            kind,
            result,
        });
    }

    /// A failed backup of a device that is gone.
    pub(super) fn backup_failed(&mut self, device: i64, at: f64) {
        self.on(device, at, BACKUP_FAILED, Some("FAILURE"));
    }

    /// What happens on every device now and then.
    pub(super) fn everyday(&mut self, machine: &Machine, now: Present) {
        let mut dice = machine.dice(8);
        let mut some_time = || {
            now.days_ago(f64::from(dice.below(20)) + dice.fraction())
                .min(machine.last_contact)
        };
        for (n, kind) in [
            (1, LOGGED_IN),
            (3, REBOOTED),
            (5, AUTOMATION),
            (11, UNKNOWN_CODE),
            (14, THREAT_RESTORED),
        ] {
            if machine.every(n, 0) {
                self.on(machine.id, some_time(), kind, None);
            }
        }
        if machine.is_computer() {
            self.on(machine.id, some_time(), SCANNED, Some("SUCCESS"));
        }
        if machine.place == 0 {
            self.0.push(Event {
                at: some_time(),
                device: None,
                kind: CONSOLE_LOGIN,
                result: None,
            });
        }
    }

    /// Numbers the events in order of time and adds them, newest first.
    pub(super) fn finish(mut self, rows: &mut Rows, seed: u64, now: Present) {
        self.0
            .sort_by(|a, b| a.at.total_cmp(&b.at).then(a.device.cmp(&b.device)));
        let mut id = 347_000_000_i64;
        let mut dice = Dice::new(seed, 0xFEED);
        let ids: Vec<i64> = self
            .0
            .iter()
            .map(|_| {
                id += 1 + i64::from(dice.below(9));
                id
            })
            .collect();
        for (event, id) in self.0.iter().zip(ids).rev() {
            let row = row(event, id, now);
            let row = rows.masked(&row).into_owned();
            rows.activities.push(&row);
        }
    }
}

fn row(event: &Event, id: i64, now: Present) -> Value {
    let Kind(activity, code, status, kind) = event.kind;
    let mut row = json!({
        "id": id, "activityTime": event.at.min(now.ago(0.0)), "activityType": activity, "statusCode": code, "status": status,
        "message": format!("{status}: activity {id}"), "type": kind,
    });
    if let Some(fields) = row.as_object_mut() {
        let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
        match event.device {
            Some(device) => put("deviceId", json!(device)),
            None => put("userId", json!(31)),
        }
        if let Some(result) = event.result {
            put("activityResult", json!(result));
        }
        match id % 5 {
            0 => put("severity", json!("NONE")),
            1 => put("priority", Value::Null),
            2 => put("sourceName", json!("Daily image backup")),
            _ => {}
        }
        if id % 9 == 4 {
            put(
                "data",
                json!({ "message": { "code": "activity", "params": { "start_date": 1_759_133_165_953_i64 } } }),
            );
        }
    }
    row
}
