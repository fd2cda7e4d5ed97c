//! What the evaluator is given: rows as they came, how each report ended, and the time.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

/// How asking for a report ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Every page came.
    Answered,
    /// It failed, or broke off half-way: whatever rows had come count for nothing.
    Failed,
    /// The tenant cannot have it: module not licensed, permission missing.
    NotAvailable,
}

/// One report: its rows as the wire sends them.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) state: State,
    pub(crate) rows: Vec<Value>,
    /// Rows that came and were lost, besides those among `rows` that are.
    pub(crate) malformed: usize,
}

impl Report {
    pub(crate) fn answered(rows: Vec<Value>) -> Self {
        Self {
            state: State::Answered,
            rows,
            malformed: 0,
        }
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::answered(Vec::new())
    }
}

/// What the host remembers of a device's signatures (section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// Up to date when they were last seen.
    UpToDate,
    /// Out of date since then, when they had been up to date.
    OutOfDateSince(OffsetDateTime),
}

/// The kinds of patches in use (section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    Both,
    OsOnly,
    SoftwareOnly,
}

impl Kinds {
    pub(crate) fn os(self) -> bool {
        self != Self::SoftwareOnly
    }

    pub(crate) fn software(self) -> bool {
        self != Self::OsOnly
    }
}

/// Everything one customer's evaluation needs.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    /// The customer's NinjaOne organization.
    pub(crate) organization: i64,
    pub(crate) now: OffsetDateTime,
    /// The device list. It always answered: without it there is no evaluation at all.
    pub(crate) devices: Report,
    /// The device list was cut at its ceiling.
    pub(crate) truncated: bool,
    pub(crate) volumes: Report,
    pub(crate) antivirus: Report,
    pub(crate) os_patches: Report,
    pub(crate) os_patch_installs: Report,
    pub(crate) software_patches: Report,
    pub(crate) software_patch_installs: Report,
    pub(crate) activities: Report,
    /// The kinds of patches in use, a setting of the connection.
    pub(crate) kinds: Kinds,
    /// What earlier sweeps saw of each device's signatures, if the host keeps that history. A device that is out of date and not in it was
    /// so when it was first seen.
    pub(crate) signature_history: Option<BTreeMap<i64, Remembered>>,
}

impl Tenant {
    /// A customer without a single row.
    pub(crate) fn empty(organization: i64, now: OffsetDateTime) -> Self {
        Self {
            organization,
            now,
            devices: Report::default(),
            truncated: false,
            volumes: Report::default(),
            antivirus: Report::default(),
            os_patches: Report::default(),
            os_patch_installs: Report::default(),
            software_patches: Report::default(),
            software_patch_installs: Report::default(),
            activities: Report::default(),
            kinds: Kinds::Both,
            signature_history: None,
        }
    }

    /// The device list and the seven reports, with their names.
    pub(crate) fn reports(&self) -> [(&'static str, &Report); 8] {
        [
            ("devices", &self.devices),
            ("volumes", &self.volumes),
            ("antivirus", &self.antivirus),
            ("os_patches", &self.os_patches),
            ("os_patch_installs", &self.os_patch_installs),
            ("software_patches", &self.software_patches),
            ("software_patch_installs", &self.software_patch_installs),
            ("activities", &self.activities),
        ]
    }

    /// The device list and the seven reports, to change.
    pub(crate) fn reports_mut(&mut self) -> [&mut Report; 8] {
        [
            &mut self.devices,
            &mut self.volumes,
            &mut self.antivirus,
            &mut self.os_patches,
            &mut self.os_patch_installs,
            &mut self.software_patches,
            &mut self.software_patch_installs,
            &mut self.activities,
        ]
    }
}
