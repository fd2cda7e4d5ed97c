//! Patch rows: what is pending, and what was tried in the last months.

use serde_json::{Value, json};

use super::{Present, Rows, UNHEARD_OF, machine::Machine};
use crate::{preset::Character, report::Report, seed::Dice};

/// A patch of an operating system: name, KB number, severity, type.
struct OsPatch(
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

const DEFINITIONS: OsPatch = OsPatch(
    "Security Intelligence Update for Microsoft Defender",
    Some("KB2267602"),
    Some("unknown"),
    "DEFINITION_UPDATES",
);
const CUMULATIVE: OsPatch = OsPatch(
    "2026-11 Cumulative Update for Windows 11",
    Some("KB5070311"),
    Some("CRITICAL"),
    "SECURITY_UPDATES",
);
const DOTNET: OsPatch = OsPatch(
    "2026-11 .NET Framework 4.8.1 Update",
    Some("KB5068864"),
    Some("IMPORTANT"),
    "SECURITY_UPDATES",
);
const DRIVER: OsPatch = OsPatch(
    "Intel - System - 2406.5.5.0",
    None,
    Some("OPTIONAL"),
    "DRIVER_UPDATES",
);
const FIRMWARE: OsPatch = OsPatch(
    "HP Inc. - Firmware - 1.17.0.0",
    None,
    None,
    "DRIVER_UPDATES",
);
const ASSISTANT: OsPatch = OsPatch(
    "Update for Windows Update Service components",
    Some("KB5001716"),
    Some("LOW"),
    "UNSPECIFIED",
);
const PREVIEW: OsPatch = OsPatch(
    "2026-10 Preview Update",
    Some("KB5067036"),
    Some("optional"),
    "HOTPATCH_UPDATES",
);
const ROLLUP: OsPatch = OsPatch(
    "2026-10 Security Monthly Rollup",
    Some("KB5066791"),
    Some("security"),
    "UNKNOWN",
);
const TOOL: OsPatch = OsPatch(
    "Windows Malicious Software Removal Tool",
    Some("KB890830"),
    Some("MODERATE"),
    "UPDATE_ROLLUPS",
);
const ODD: OsPatch = OsPatch(
    "Servicing stack",
    Some("KB5072000"),
    Some("unusual"),
    "UNKNOWN",
);
const MAC_UPDATE: OsPatch = OsPatch(
    "macOS Sequoia 15.2",
    None,
    Some("recommended"),
    "REGULAR_UPDATES",
);
const LINUX_PACKAGE: OsPatch = OsPatch(
    "tzdata 2026b-0ubuntu0.24.04",
    None,
    Some("optional"),
    "UNKNOWN",
);

/// A patch of other software: title and impact.
struct SoftwarePatch(&'static str, &'static str);

const BROWSER: SoftwarePatch = SoftwarePatch("Google Chrome 131.0.6778.86", "critical");
const READER: SoftwarePatch = SoftwarePatch("Adobe Acrobat Reader 24.004", "CRITICAL");
const ARCHIVER: SoftwarePatch = SoftwarePatch("7-Zip 24.09", "OPTIONAL");
const MEETINGS: SoftwarePatch = SoftwarePatch("Zoom Workplace 6.2.11", "RECOMMENDED");

/// Adds the rows of the device to all four reports.
pub(super) fn add(rows: &mut Rows, machine: &Machine) {
    if !machine.is_computer() {
        return;
    }
    let now = Present(machine.collected);
    let mut reports = Reports { rows, machine };
    reports.pending(now);
    reports.attempts(now);
    match machine.character {
        Character::Failing if machine.every(2, 0) => reports.failing(now),
        Character::Warning => reports.warning(),
        _ => {}
    }
}

struct Reports<'a> {
    rows: &'a mut Rows,
    machine: &'a Machine,
}

impl Reports<'_> {
    /// What is pending everywhere, and decides nothing.
    fn pending(&mut self, now: Present) {
        let machine = self.machine;
        let collected = machine.collected;
        if machine.is_mac() {
            self.os_pending(&MAC_UPDATE, "MANUAL", collected);
        } else if machine.is_linux() {
            self.os_pending(&LINUX_PACKAGE, "APPROVED", collected);
        } else {
            self.os_pending(&DEFINITIONS, "MANUAL", collected);
            self.os_pending(
                if machine.every(2, 0) {
                    &DRIVER
                } else {
                    &FIRMWARE
                },
                "MANUAL",
                collected,
            );
            if machine.every(3, 2) {
                self.os_pending(&ASSISTANT, "APPROVED", collected);
            }
            if machine.every(4, 3) {
                self.os_pending(&PREVIEW, "DELAYED", collected);
            }
            // Accepted risk, which is not the same as missing; more than a tenth of the devices with such is a warning.
            let rejected = match machine.character {
                Character::Healthy => machine.every(40, 12),
                _ => machine.every(5, 2),
            };
            if rejected {
                self.os_pending(&ROLLUP, "REJECTED", collected);
            }
            // Listed as pending three days ago and installed since.
            if machine.every(9, 2) {
                self.os_pending(&DOTNET, "APPROVED", now.days_ago(3.0));
                self.os_attempt(&DOTNET, "INSTALLED", Some(now.days_ago(1.0)), collected);
            }
        }
        self.software_pending(&MEETINGS, "MANUAL", collected);
        if machine.every(3, 0) {
            self.software_pending(&ARCHIVER, "APPROVED", collected);
        }
    }

    /// What was tried, with every oddity that does not make it a failure.
    fn attempts(&mut self, now: Present) {
        let machine = self.machine;
        let collected = machine.collected;
        let mut dice = machine.dice(6);
        let some_days = |dice: &mut Dice, from: u32, span: u32| {
            now.days_ago(f64::from(from + dice.below(span)) + dice.fraction())
        };
        if machine.is_windows() {
            self.os_attempt(
                &TOOL,
                "INSTALLED",
                Some(some_days(&mut dice, 1, 43)),
                collected,
            );
            match machine.place % 12 {
                // About one success in a hundred has no time, and one said 2010.
                5 => self.os_attempt(&ROLLUP, "INSTALLED", None, collected),
                6 => self.os_attempt(&ASSISTANT, "INSTALLED", Some(1_285_000_000.0), collected),
                _ => self.os_attempt(
                    &CUMULATIVE,
                    "INSTALLED",
                    Some(some_days(&mut dice, 2, 30)),
                    collected,
                ),
            }
            if machine.every(6, 3) {
                self.os_attempt(
                    &DRIVER,
                    "FAILED",
                    Some(some_days(&mut dice, 60, 30)),
                    collected,
                );
            }
            if machine.every(7, 4) {
                self.os_attempt(&DOTNET, "FAILED", Some(now.days_ago(10.0)), collected);
                self.os_attempt(&DOTNET, "INSTALLED", Some(now.days_ago(9.5)), collected);
            }
        } else if machine.is_mac() {
            self.os_attempt(
                &MAC_UPDATE,
                "INSTALLED",
                Some(some_days(&mut dice, 20, 20)),
                collected,
            );
        }
        self.software_attempt(
            &BROWSER,
            "INSTALLED",
            Some(some_days(&mut dice, 1, 40)),
            collected,
        );
    }

    fn failing(&mut self, now: Present) {
        let machine = self.machine;
        for patch in [&ROLLUP, &DOTNET] {
            self.os_pending(patch, "MANUAL", machine.collected);
        }
        self.software_pending(&READER, "APPROVED", machine.collected);
        if machine.every(4, 0) {
            self.os_attempt(
                &ROLLUP,
                "FAILED",
                Some(now.days_ago(2.0)),
                machine.collected,
            );
        } else {
            self.software_attempt(&READER, "FAILED", None, machine.collected);
        }
    }

    fn warning(&mut self) {
        let collected = self.machine.collected;
        match self.machine.place {
            0 => self.os_pending(&ROLLUP, "MANUAL", collected),
            3 => self.software_pending(&READER, "MANUAL", collected),
            place if place % 10 == 1 => self.os_pending(&ODD, "MANUAL", collected),
            _ => {}
        }
    }

    fn os_pending(&mut self, patch: &OsPatch, status: &str, timestamp: f64) {
        let row = self.os_row(patch, status, timestamp);
        self.rows.report(Report::OsPatches, &row);
    }

    fn os_attempt(
        &mut self,
        patch: &OsPatch,
        status: &str,
        installed: Option<f64>,
        timestamp: f64,
    ) {
        let mut row = self.os_row(patch, status, timestamp);
        if let (Some(fields), Some(at)) = (row.as_object_mut(), installed) {
            fields.insert("installedAt".to_owned(), json!(at));
        }
        self.rows.report(Report::OsPatchInstalls, &row);
    }

    fn os_row(
        &self,
        OsPatch(name, kb, severity, kind): &OsPatch,
        status: &str,
        timestamp: f64,
    ) -> Value {
        let mut row = json!({
            "id": id(name), "name": name, "status": status, "type": kind, "deviceId": self.machine.id, "timestamp": timestamp,
        });
        if let Some(fields) = row.as_object_mut() {
            if let Some(kb) = kb {
                fields.insert("kbNumber".to_owned(), json!(kb));
            }
            if let Some(severity) = severity {
                fields.insert("severity".to_owned(), json!(severity));
            }
            if self.machine.every(29, 3) {
                fields.insert(UNHEARD_OF.to_owned(), json!(["a", 1]));
            }
        }
        row
    }

    fn software_pending(&mut self, patch: &SoftwarePatch, status: &str, timestamp: f64) {
        let row = self.software_row(patch, status, timestamp);
        self.rows.report(Report::SoftwarePatches, &row);
    }

    fn software_attempt(
        &mut self,
        patch: &SoftwarePatch,
        status: &str,
        installed: Option<f64>,
        timestamp: f64,
    ) {
        let mut row = self.software_row(patch, status, timestamp);
        if let (Some(fields), Some(at)) = (row.as_object_mut(), installed) {
            fields.insert("installedAt".to_owned(), json!(at));
        }
        self.rows.report(Report::SoftwarePatchInstalls, &row);
    }

    fn software_row(
        &self,
        SoftwarePatch(title, impact): &SoftwarePatch,
        status: &str,
        timestamp: f64,
    ) -> Value {
        let product = title.split(' ').next().unwrap_or(title);
        let kind = if self.machine.every(3, 1) {
            "INSTALLER"
        } else {
            "PATCH"
        };
        json!({
            "id": id(title), "productIdentifier": id(product), "title": title, "impact": impact, "status": status, "type": kind,
            "deviceId": self.machine.id, "timestamp": timestamp,
        })
    }
}

/// The id of a patch: the same for every device and every tenant.
fn id(name: &str) -> String {
    Dice::new(
        name.bytes().fold(7_u64, |sum, byte| {
            u64::wrapping_mul(sum, 31).wrapping_add(u64::from(byte))
        }),
        5,
    )
    .uuid()
}
