//! The four patch reports.

use serde_json::{Value, json};

use super::{DAY, HOUR, MICROSECOND, Maker};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Os,
    Software,
}

#[derive(Clone, Copy)]
pub(super) enum PatchTemper {
    Clean,
    /// One to five missing.
    Few,
    /// About the border of five and six.
    Several,
    Failing,
    /// Failed installations with something that supersedes them, or nearly.
    Moot,
    /// Rejected patches on about a tenth of the devices.
    Rejecting,
    Wild,
    Sparse,
    None,
}

impl Maker {
    pub(super) fn patch_temper(&mut self) -> PatchTemper {
        self.dice.weigh(&[
            (36, PatchTemper::Clean),
            (14, PatchTemper::Few),
            (10, PatchTemper::Several),
            (8, PatchTemper::Failing),
            (8, PatchTemper::Moot),
            (8, PatchTemper::Rejecting),
            (18, PatchTemper::Wild),
            (10, PatchTemper::Sparse),
            (4, PatchTemper::None),
        ])
    }

    /// Pending patches and attempts of one kind.
    pub(super) fn patches(
        &mut self,
        ids: &[i64],
        temper: PatchTemper,
        kind: Kind,
    ) -> (Vec<Value>, Vec<Value>) {
        let (mut pending, mut installs) = (Vec::new(), Vec::new());
        for id in ids {
            match temper {
                PatchTemper::None => continue,
                PatchTemper::Sparse if self.dice.percent(60) => continue,
                _ => {}
            }
            // How a device shows that it is scanned.
            match self.dice.below(4) {
                0 => pending.push(self.patch(
                    *id,
                    "definitions",
                    kind,
                    "NONE",
                    "MANUAL",
                    "DEFINITION_UPDATES",
                )),
                1 => pending.push(self.patch(
                    *id,
                    "low",
                    kind,
                    "OPTIONAL",
                    "MANUAL",
                    "DRIVER_UPDATES",
                )),
                2 => {
                    let row = self.attempt(*id, "done", kind, "INSTALLED");
                    installs.push(row);
                }
                _ => {
                    pending.push(self.patch(*id, "low", kind, "low", "APPROVED", "UNKNOWN"));
                    let row = self.attempt(*id, "definitions", kind, "INSTALLED");
                    installs.push(row);
                }
            }
            if matches!(temper, PatchTemper::Failing) && self.dice.percent(30) {
                let row = self.attempt(*id, "one", kind, "FAILED");
                installs.push(row);
            }
            if matches!(temper, PatchTemper::Moot) && self.dice.percent(40) {
                self.moot(*id, kind, &mut pending, &mut installs);
            }
            if matches!(temper, PatchTemper::Rejecting) && self.dice.percent(10) {
                let severity = *self.dice.pick(&["CRITICAL", "security", "unknown", "LOW"]);
                let status = *self.dice.pick(&["REJECTED", "REJECTED", "rejected"]);
                let row = self.patch(*id, "rejected", kind, severity, status, "UNKNOWN");
                pending.push(row);
            }
            if matches!(temper, PatchTemper::Wild) {
                for _ in 0..self.dice.between(0, 3) {
                    let row = self.wild_patch(*id, kind);
                    pending.push(row);
                }
                for _ in 0..self.dice.between(0, 2) {
                    let row = self.wild_attempt(*id, kind);
                    installs.push(row);
                }
            }
        }
        let missing = match temper {
            PatchTemper::Few => self.dice.between(1, 5),
            PatchTemper::Several => self.dice.between(4, 7),
            _ => 0,
        };
        for number in 0..missing {
            if let Some(id) = (!ids.is_empty()).then(|| *self.dice.pick(ids)) {
                let severity = *self
                    .dice
                    .pick(&["CRITICAL", "critical", "IMPORTANT", "security"]);
                let row = self.patch(
                    id,
                    &format!("missing-{number}"),
                    kind,
                    severity,
                    "MANUAL",
                    "SECURITY_UPDATES",
                );
                if self.dice.percent(15) {
                    let row = self.attempt(id, &format!("missing-{number}"), kind, "INSTALLED");
                    installs.push(row);
                }
                pending.push(row);
            }
        }
        self.doubled(&mut pending, "timestamp", |maker, row| {
            match maker.dice.below(3) {
                0 => row["status"] = json!(*maker.dice.pick(&["REJECTED", "APPROVED", "MANUAL"])),
                1 => {
                    row["severity"] =
                        json!(
                            *maker
                                .dice
                                .pick(&["CRITICAL", "IMPORTANT", "LOW", "unknown"])
                        );
                }
                _ => {
                    row["impact"] =
                        json!(*maker.dice.pick(&["CRITICAL", "RECOMMENDED", "OPTIONAL"]));
                }
            }
        });
        self.doubled(&mut installs, "installedAt", |maker, row| {
            row["status"] = json!(*maker.dice.pick(&["INSTALLED", "FAILED"]));
        });
        (pending, installs)
    }

    /// A failed installation, and what a person did about it.
    fn moot(
        &mut self,
        device: i64,
        kind: Kind,
        pending: &mut Vec<Value>,
        installs: &mut Vec<Value>,
    ) {
        let mut failure = self.attempt(device, "old", kind, "FAILED");
        failure["installedAt"] = self.written(2 * DAY);
        if self.dice.percent(20) {
            failure
                .as_object_mut()
                .expect("a row")
                .remove("installedAt");
        }
        installs.push(failure);
        let (id, status) = match self.dice.below(6) {
            // A later success, of this patch or of another; or of definition updates, which is none.
            0..=2 => {
                let id = *self.dice.pick(&["new", "new", "new", "old", "definitions"]);
                let mut success = self.attempt(device, id, kind, "INSTALLED");
                let ago = *self.dice.pick(&[
                    DAY,
                    HOUR,
                    2 * DAY - MICROSECOND,
                    2 * DAY,
                    2 * DAY + MICROSECOND,
                    44 * DAY,
                ]);
                success["installedAt"] = self.written(ago);
                installs.push(success);
                if self.dice.percent(80) {
                    return;
                }
                ("old", *self.dice.pick(&["MANUAL", "REJECTED", "INSTALLED"]))
            }
            3 | 4 => ("old", "REJECTED"),
            _ => ("old", "MANUAL"),
        };
        let severity = *self.dice.pick(&["LOW", "CRITICAL"]);
        let row = self.patch(device, id, kind, severity, status, "UNKNOWN");
        pending.push(row);
    }

    pub(super) fn patch(
        &mut self,
        device: i64,
        id: &str,
        kind: Kind,
        severity: &str,
        status: &str,
        patch_type: &str,
    ) -> Value {
        let mut row = json!({ "deviceId": device, "id": id, "status": status, "type": patch_type });
        match kind {
            Kind::Os => {
                row["severity"] = json!(severity);
                row["kbNumber"] = json!("KB5040442");
            }
            Kind::Software => {
                row["impact"] = json!(severity);
                row["title"] = json!("Browser 99");
            }
        }
        self.stamp(&mut row, "timestamp", 30 * DAY);
        row
    }

    pub(super) fn wild_patch(&mut self, device: i64, kind: Kind) -> Value {
        const SEVERITIES: &[&str] = &[
            "CRITICAL",
            "critical",
            "IMPORTANT",
            "SECURITY",
            "security",
            "MODERATE",
            "LOW",
            "OPTIONAL",
            "optional",
            "RECOMMENDED",
            "recommended",
            "NONE",
            "unknown",
            "SEVERE",
            "",
        ];
        const STATES: &[&str] = &[
            "MANUAL",
            "APPROVED",
            "DELAYED",
            "PENDING",
            "FAILED",
            "REJECTED",
            "REJECTED",
            "rejected",
            "failed",
            "NEW",
            "",
            "INSTALLED",
        ];
        const TYPES: &[&str] = &[
            "SECURITY_UPDATES",
            "CRITICAL_UPDATES",
            "DRIVER_UPDATES",
            "FEATURE_UPDATES",
            "FEATURE_PACKS",
            "SERVICE_PACKS",
            "UPDATE_ROLLUPS",
            "REGULAR_UPDATES",
            "UNKNOWN",
            "UNSPECIFIED",
            "PATCH",
            "INSTALLER",
            "NEW",
        ];
        let id = *self.dice.pick(&["one", "two", "three", "four"]);
        let (severity, status, patch_type) = (
            *self.dice.pick(SEVERITIES),
            *self.dice.pick(STATES),
            *self.dice.pick(TYPES),
        );
        let mut row = self.patch(device, id, kind, severity, status, patch_type);
        if self.dice.percent(15) {
            let field = *self.dice.pick(&["severity", "impact", "status", "type"]);
            if self.dice.percent(50) {
                row[field] = Value::Null;
            } else {
                row.as_object_mut().expect("a row").remove(field);
            }
        }
        if matches!(status, "FAILED" | "failed" | "INSTALLED") && self.dice.percent(50) {
            self.date(&mut row);
        }
        row
    }

    pub(super) fn attempt(&mut self, device: i64, id: &str, kind: Kind, status: &str) -> Value {
        let patch_type = if id == "definitions" {
            "DEFINITION_UPDATES"
        } else {
            "UNKNOWN"
        };
        let mut row = self.patch(device, id, kind, "OPTIONAL", status, patch_type);
        self.date(&mut row);
        row
    }

    pub(super) fn wild_attempt(&mut self, device: i64, kind: Kind) -> Value {
        let id = *self.dice.pick(&["one", "two", "three", "four"]);
        let status = *self
            .dice
            .pick(&["INSTALLED", "INSTALLED", "installed", "FAILED", "Failed"]);
        let mut row = self.attempt(device, id, kind, status);
        if self.dice.percent(3) {
            row["status"] = self
                .dice
                .pick(&[json!("CANCELLED"), json!("MANUAL"), Value::Null])
                .clone();
        }
        row
    }

    /// When an attempt was made: at about 45 days, or at the times of other rows, so that ties are common.
    pub(super) fn date(&mut self, row: &mut Value) {
        self.stamp(row, "installedAt", 45 * DAY);
        if self.dice.percent(30) {
            row["installedAt"] = row["timestamp"].clone();
        } else if self.dice.percent(5) {
            row.as_object_mut().expect("a row").remove("installedAt");
        }
    }
}
