//! The activity log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DAY, Maker, TEMPERS};

impl Maker {
    pub(super) fn activities(&mut self, ids: &[i64]) -> Vec<Value> {
        const GOOD: &[&str] = &[
            "NINJA_BACKUP_BACKUPJOB_COMPLETED",
            "CLOUDBERRY_BACKUPJOB_SUCCEEDED",
        ];
        const WARNED: &[&str] = &[
            "NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING",
            "CLOUDBERRY_BACKUPJOB_COMPLETED_WITH_WARNING",
        ];
        const BAD: &[&str] = &[
            "NINJA_BACKUP_BACKUPJOB_FAILED",
            "CLOUDBERRY_BACKUPJOB_FAILED",
            "SHADOWPROTECT_BACKUPJOB_FAILED",
            "SHADOWPROTECT_BACKUPJOB_ABORTED",
            "NINJA_BACKUP_BACKUPJOB_CANCELLED",
        ];
        const BESIDE: &[&str] = &[
            "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
            "NINJA_BACKUP_INTEGRITY_CHECK_FAILED",
            "NINJA_BACKUP_RESTOREJOB_COMPLETED",
            "NINJA_BACKUP_IMAGE_RESTORE_COMPLETED",
            "NINJA_BACKUP_RESTOREJOB_FAILED",
            "NINJA_BACKUP_BACKUPJOB_STARTED",
            "NINJA_BACKUP_UPSYNCJOB_COMPLETED",
            "NINJA_BACKUP_INSTALL_FAILED",
            "IMAGEMANAGER_VERIFICATION_FAILED",
            "BACKUP",
            "START_REQUESTED",
        ];
        let temper = self.dice.weigh(&TEMPERS);
        let all = self.dice.percent(60);
        let mut rows = Vec::new();
        for device in ids {
            if !temper.speaks(&mut self.dice) || !(all || self.dice.percent(60)) {
                continue;
            }
            let devices_bad = temper.bad(&mut self.dice);
            for _ in 0..self.dice.between(1, 3) {
                let code = match (devices_bad, self.dice.below(10)) {
                    (_, 0..=1) => *self.dice.pick(BESIDE),
                    (true, 2..=5) => *self.dice.pick(BAD),
                    (true, 6..=7) => *self.dice.pick(WARNED),
                    _ => *self.dice.pick(GOOD),
                };
                let mut row = json!({
                    "id": self.dice.between(1, 1_000_000), "deviceId": device, "activityType": "NINJA_BACKUP",
                    "statusCode": code, "status": "Done",
                });
                if self.dice.percent(if devices_bad { 30 } else { 5 }) {
                    let result =
                        *self
                            .dice
                            .pick(&["SUCCESS", "UNSUPPORTED", "UNCOMPLETED", "FAILURE", ""]);
                    let result = if result == "FAILURE" && !devices_bad {
                        "SUCCESS"
                    } else {
                        result
                    };
                    row["activityResult"] = json!(result);
                }
                if self.dice.percent(1) {
                    row[*self
                        .dice
                        .pick(&["statusCode", "activityResult", "activityType"])] = Value::Null;
                }
                self.stamp(&mut row, "activityTime", 7 * DAY);
                rows.push(row);
            }
        }
        // At the same time with another id: the higher one is the later.
        if self.doubles {
            for row in rows.clone() {
                if self.dice.percent(20) {
                    let mut again = row;
                    again["id"] = json!(self.dice.between(1, 1_000_000));
                    again["statusCode"] = json!(*self.dice.pick(BAD));
                    rows.push(again);
                }
            }
        }
        // A laptop back from leave uploads what it did before.
        if let (true, false) = (self.dice.percent(8), ids.is_empty()) {
            let device = *self.dice.pick(ids);
            let burst = self.dice.between(20, 60);
            for number in 0..burst {
                let code = *self.dice.pick(GOOD);
                let mut row = json!({
                    "id": 2_000_000 + number, "deviceId": device, "activityType": "NINJA_BACKUP", "statusCode": code,
                });
                let ago = self.dice.between(8, 40) * DAY;
                row["activityTime"] = self.written(ago);
                rows.push(row);
            }
        }
        // An id is one activity: drawn twice, the first stays.
        let mut seen = BTreeSet::new();
        rows.retain(|row| seen.insert(row["id"].as_i64()));
        // The same id twice with different content.
        if self.doubles {
            for row in rows.clone() {
                if self.dice.percent(4) {
                    let mut again = row;
                    if self.dice.percent(50) {
                        again["statusCode"] = json!(*self.dice.pick(BAD));
                    } else {
                        again["activityResult"] = json!("FAILURE");
                    }
                    rows.push(again);
                }
            }
        }
        rows
    }
}
