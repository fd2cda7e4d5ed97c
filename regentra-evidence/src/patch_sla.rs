//! Patch SLA: are critical and important patches installed, and do installations succeed?
//!
//! **Unit:** (device, kind, patch) on live devices, kind being the operating system or software. It is judged from pending
//! patches and from the install attempts of the last 45 days. Definition updates of Microsoft Defender count for nothing but
//! prove that a device was scanned.
//!
//! **Attempts:** the latest one of a patch wins, at equal times the failure. The time is the installation's own; without one
//! a failure counts at the row's time (without either: now) and a success before everything else, which is to say for nothing:
//! it beats no other attempt, clears no pending patch, and is no proof that the device was patched lately. Exactly 45 days old is in.
//!
//! **Pending:** a patch is missing if its severity counts and nobody rejected it. A rejected one is an accepted risk:
//! counted, not missing. A patch whose latest attempt is a dated success strictly newer than the pending row is nothing of
//! this. The same unit twice: the newest row wins, at a tie the worse.
//!
//! **Measured** is a device that has any row in any of the reports: a machine that is patched at all shows one within 45 days,
//! and an empty list is also what a missing permission looks like. A kind without a row for any live device was not seen: never
//! a pass.
//!
//! **Verdict:** none missing is a pass, 1 to 5 a warning, 6 or more a failure; a patch whose latest attempt failed is a
//! failure; a severity that could not be read holds the signal at warning. When the reports of one kind failed: fail if the
//! other kind shows it, else unknown.
//!
//! ```
//! use regentra_evidence::{
//!     AttemptFact, DeviceClass, DeviceFact, DeviceKey, Fleet, InstallOutcome, PatchKey, PatchKind, PatchSla, ReportState,
//!     RowFate, Status,
//! };
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let device = DeviceKey::new(1);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device,
//!     approved: true,
//!     class: DeviceClass::WindowsWorkstation,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//!
//! let mut patches = PatchSla::new(devices.build());
//! for kind in [PatchKind::Os, PatchKind::Software] {
//!     let fate = patches.observe_attempt(AttemptFact {
//!         device,
//!         kind,
//!         patch: PatchKey::new(7),
//!         definition_update: false,
//!         outcome: InstallOutcome::Installed,
//!         installed_at: Some(datetime!(2026-11-20 03:00 UTC)),
//!         collected_at: Some(now),
//!     });
//!     assert_eq!(fate, RowFate::Used);
//! }
//! let answered = ReportState::answered();
//! assert_eq!(patches.finish(answered, answered).status, Status::Pass);
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    device::{DeviceClass, DeviceKey},
    digest::{DigestKey, FactsDigest},
    fleet::{Fleet, OtherFleet, Scope, Standing, add_one, count},
    reason::Reason,
    report::{ReportState, RowFate},
    rules::{ATTEMPTS_WINDOW, Rules},
    signal::{Metadata, Signal, SignalKind, Status},
    time::{believable, is_older_than},
    verdict::{Grade, Grades, conclude, decide},
};

/// An opaque number that tells patches apart. It never appears in any output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchKey(u128);

impl PatchKey {
    /// Wraps a number that is unique among the patches of one kind.
    #[must_use]
    pub const fn new(key: u128) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for PatchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatchKey(..)")
    }
}

/// What a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatchKind {
    /// The operating system.
    Os,
    /// Other software.
    Software,
}

/// How severe a patch is, as far as the verdict cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchSeverity {
    /// Counts, and is shown apart.
    Critical,
    /// Counts. Security fixes of Mac and Linux lists are important.
    Important,
    /// Does not count.
    Low,
    /// Could not be read: never low, holds the signal at warning.
    Unknown,
}

/// What one row of a pending report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingFact {
    /// The device.
    pub device: DeviceKey,
    /// Operating system or software.
    pub kind: PatchKind,
    /// The patch.
    pub patch: PatchKey,
    /// A definition update of Microsoft Defender.
    pub definition_update: bool,
    /// How severe it is.
    pub severity: PatchSeverity,
    /// Somebody decided not to install it.
    pub rejected: bool,
    /// When the row was collected; `None` when absent or unreadable: the row is ignored.
    pub collected_at: Option<OffsetDateTime>,
}

/// How an attempt to install ended. At equal times the failure wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstallOutcome {
    /// Installed.
    Installed,
    /// Failed.
    Failed,
}

/// What one row about an attempt to install says, whichever report it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptFact {
    /// The device.
    pub device: DeviceKey,
    /// Operating system or software.
    pub kind: PatchKind,
    /// The patch.
    pub patch: PatchKey,
    /// A definition update of Microsoft Defender.
    pub definition_update: bool,
    /// How it ended.
    pub outcome: InstallOutcome,
    /// When it was made; `None` when absent or unreadable.
    pub installed_at: Option<OffsetDateTime>,
    /// When the row was collected; a failure without a time of its own counts then.
    pub collected_at: Option<OffsetDateTime>,
}

/// What a pending row is to the verdict, from good to bad: at equal times the worse wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    Nothing,
    Rejected,
    SeverityUnknown,
    MissingImportant,
    MissingCritical,
}

impl Pending {
    const fn of(fact: &PendingFact) -> Self {
        match (fact.severity, fact.rejected) {
            (PatchSeverity::Critical, false) => Self::MissingCritical,
            (PatchSeverity::Important, false) => Self::MissingImportant,
            (PatchSeverity::Unknown, false) => Self::SeverityUnknown,
            (PatchSeverity::Critical | PatchSeverity::Important, true) => Self::Rejected,
            // A rejected patch is never missing, so what its severity would be changes nothing.
            (PatchSeverity::Low, _) | (PatchSeverity::Unknown, true) => Self::Nothing,
        }
    }
}

/// What the rows of one patch on one device say together: two joins.
#[derive(Clone, Copy, Debug, Default)]
struct Patch {
    pending: Option<(OffsetDateTime, Pending)>,
    latest: Option<(OffsetDateTime, InstallOutcome)>,
}

impl Patch {
    fn join(&mut self, other: Self) {
        self.pending = self.pending.max(other.pending);
        self.latest = self.latest.max(other.latest);
    }

    fn failed(&self) -> bool {
        matches!(self.latest, Some((_, InstallOutcome::Failed)))
    }

    fn still_pending(&self) -> Pending {
        match (self.pending, self.latest) {
            (Some((collected, _)), Some((installed, InstallOutcome::Installed)))
                if installed > collected =>
            {
                Pending::Nothing
            }
            (Some((_, pending)), _) => pending,
            (None, _) => Pending::Nothing,
        }
    }
}

/// Patches of one kind, over all live devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchCounts {
    /// Devices with any row of this kind.
    pub devices_measured: u64,
    /// Critical patches missing.
    pub missing_critical: u64,
    /// Important patches missing.
    pub missing_important: u64,
    /// Patches whose latest installation failed, of any severity.
    pub failed_installs: u64,
    /// Critical and important patches that somebody decided not to install.
    pub rejected: u64,
    /// Pending patches whose severity could not be read.
    pub severity_unknown: u64,
}

impl PatchCounts {
    const fn missing(&self) -> u64 {
        self.missing_critical.saturating_add(self.missing_important)
    }
}

/// The aggregates behind the patch signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchSlaMetadata {
    /// Devices; measured means any row in any of the reports.
    pub scope: Scope,
    /// Patches of the operating system.
    pub os: PatchCounts,
    /// Patches of other software.
    pub software: PatchCounts,
    /// Devices with at least one missing patch of either kind.
    pub devices_with_missing: u64,
    /// Devices with at least one patch whose latest installation failed.
    pub devices_with_failed: u64,
}

/// What the joined patches add up to.
#[derive(Debug, Default)]
struct Tally {
    os: PatchCounts,
    software: PatchCounts,
    with_missing: BTreeSet<DeviceKey>,
    with_failed: BTreeSet<DeviceKey>,
}

/// Judges patches; see the [module](self) for the rule.
#[derive(Clone, Debug)]
pub struct PatchSla {
    fleet: Arc<Fleet>,
    patches: BTreeMap<(DeviceKey, PatchKind, PatchKey), Patch>,
    scanned: BTreeSet<(DeviceKey, PatchKind)>,
}

impl PatchSla {
    /// Starts with no row.
    #[must_use]
    pub const fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            patches: BTreeMap::new(),
            scanned: BTreeSet::new(),
        }
    }

    /// Takes one row of a pending report.
    pub fn observe_pending(&mut self, fact: PendingFact) -> RowFate {
        if let Some(fate) = self.fleet.refusal(fact.device, Standing::is_live_endpoint) {
            return fate;
        }
        let time = match self.fleet.collection_time(fact.collected_at) {
            Ok(time) => time,
            Err(fate) => return fate,
        };
        self.scanned.insert((fact.device, fact.kind));
        if !fact.definition_update {
            let patch = Patch {
                pending: Some((time, Pending::of(&fact))),
                latest: None,
            };
            self.join((fact.device, fact.kind, fact.patch), patch);
        }
        RowFate::Used
    }

    /// Takes one row about an attempt to install. Attempts go by their own time, not by when the row was collected.
    pub fn observe_attempt(&mut self, fact: AttemptFact) -> RowFate {
        if let Some(fate) = self.fleet.refusal(fact.device, Standing::is_live_endpoint) {
            return fate;
        }
        let now = self.fleet.now();
        let time = match (believable(fact.installed_at, now), fact.outcome) {
            (Some(time), _) => time,
            (None, InstallOutcome::Failed) => believable(fact.collected_at, now).unwrap_or(now),
            (None, InstallOutcome::Installed) => return RowFate::Unreadable,
        };
        if is_older_than(time, ATTEMPTS_WINDOW, now) {
            return RowFate::Stale;
        }
        self.scanned.insert((fact.device, fact.kind));
        if !fact.definition_update {
            let patch = Patch {
                pending: None,
                latest: Some((time, fact.outcome)),
            };
            self.join((fact.device, fact.kind, fact.patch), patch);
        }
        RowFate::Used
    }

    /// Takes a row that says nothing but that the device was scanned for patches of this kind.
    ///
    /// `collected_at` is when the row was collected; `None` when absent or unreadable: the row is ignored.
    pub fn observe_scan(
        &mut self,
        device: DeviceKey,
        kind: PatchKind,
        collected_at: Option<OffsetDateTime>,
    ) -> RowFate {
        if let Some(fate) = self.fleet.refusal(device, Standing::is_live_endpoint) {
            return fate;
        }
        match self.fleet.collection_time(collected_at) {
            Ok(_) => {
                self.scanned.insert((device, kind));
                RowFate::Used
            }
            Err(fate) => fate,
        }
    }

    /// Adds what another evaluator of the same fleet has seen.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other evaluator is of another fleet: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        self.fleet.same(&other.fleet)?;
        self.scanned.extend(other.scanned);
        for (key, patch) in other.patches {
            self.join(key, patch);
        }
        Ok(())
    }

    fn join(&mut self, key: (DeviceKey, PatchKind, PatchKey), patch: Patch) {
        self.patches.entry(key).or_default().join(patch);
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for ((device, kind, _), patch) in &self.patches {
            let counts = match kind {
                PatchKind::Os => &mut tally.os,
                PatchKind::Software => &mut tally.software,
            };
            match patch.still_pending() {
                Pending::Nothing => {}
                Pending::Rejected => add_one(&mut counts.rejected),
                Pending::SeverityUnknown => add_one(&mut counts.severity_unknown),
                Pending::MissingImportant => {
                    add_one(&mut counts.missing_important);
                    tally.with_missing.insert(*device);
                }
                Pending::MissingCritical => {
                    add_one(&mut counts.missing_critical);
                    tally.with_missing.insert(*device);
                }
            }
            if patch.failed() {
                add_one(&mut counts.failed_installs);
                tally.with_failed.insert(*device);
            }
        }
        tally
    }

    /// The signal. Each kind has two reports, pending patches and install attempts: see [`ReportState::and`].
    #[must_use]
    pub fn finish(mut self, os: ReportState, software: ReportState) -> Signal {
        self.forget_unusable(os, software);
        self.judge(os, software)
    }

    /// The signal, and the keyed digest of the facts it was judged from.
    #[must_use]
    pub fn finish_with_digest(
        mut self,
        os: ReportState,
        software: ReportState,
        key: &DigestKey,
    ) -> (Signal, FactsDigest) {
        self.forget_unusable(os, software);
        (self.judge(os, software), self.digest(os, software, key))
    }

    fn forget_unusable(&mut self, os: ReportState, software: ReportState) {
        let has_rows = |kind: PatchKind| match kind {
            PatchKind::Os => os.has_rows(),
            PatchKind::Software => software.has_rows(),
        };
        self.patches.retain(|(_, kind, _), _| has_rows(*kind));
        self.scanned.retain(|(_, kind)| has_rows(*kind));
    }

    fn digest(&self, os: ReportState, software: ReportState, key: &DigestKey) -> FactsDigest {
        let mut facts = key.hasher(SignalKind::PatchSla);
        self.fleet.digest(&mut facts);
        os.digest(&mut facts);
        software.digest(&mut facts);
        facts.number(count(self.patches.len()));
        for ((device, kind, PatchKey(key)), patch) in &self.patches {
            facts.number(device.get());
            facts.tag(*kind as u8);
            facts.wide(*key);
            facts.option(patch.pending, |facts, (time, pending)| {
                facts.time(time);
                facts.tag(pending as u8);
            });
            facts.option(patch.latest, |facts, (time, outcome)| {
                facts.time(time);
                facts.tag(outcome as u8);
            });
        }
        facts.number(count(self.scanned.len()));
        for (device, kind) in &self.scanned {
            facts.number(device.get());
            facts.tag(*kind as u8);
        }
        facts.finish()
    }

    fn judge(&self, os: ReportState, software: ReportState) -> Signal {
        let Tally {
            os: mut os_counts,
            software: mut software_counts,
            with_missing,
            with_failed,
        } = self.tally();

        let mut reasons = BTreeSet::new();
        let mut live = 0_u64;
        let mut measured = 0_u64;
        for (device, class) in self.fleet.live_endpoints() {
            add_one(&mut live);
            let scanned_os = self.scanned.contains(&(device, PatchKind::Os));
            let scanned_software = self.scanned.contains(&(device, PatchKind::Software));
            if scanned_os {
                add_one(&mut os_counts.devices_measured);
            }
            if scanned_software {
                add_one(&mut software_counts.devices_measured);
            }
            if scanned_os || scanned_software {
                add_one(&mut measured);
            } else if class == DeviceClass::Unknown {
                reasons.insert(Reason::UnknownNodeClass);
            }
        }

        let missing = os_counts
            .missing()
            .saturating_add(software_counts.missing());
        let failed = os_counts
            .failed_installs
            .saturating_add(software_counts.failed_installs);
        let severity_unknown = os_counts
            .severity_unknown
            .saturating_add(software_counts.severity_unknown);
        let kind_unseen =
            live > 0 && (os_counts.devices_measured == 0 || software_counts.devices_measured == 0);
        for (holds, reason) in [
            (missing > 0, Reason::PatchesMissing),
            (failed > 0, Reason::InstallsFailed),
            (severity_unknown > 0, Reason::SeverityUnknown),
            (kind_unseen, Reason::NoPatchData),
        ] {
            if holds {
                reasons.insert(reason);
            }
        }

        let scope = self.fleet.endpoint_scope(measured, 0);
        let shown = grade(missing, failed, severity_unknown, &self.fleet.rules());
        let worst = if scope.unmeasured > 0 || kind_unseen {
            Grade::Fail
        } else {
            shown
        };
        let mut status = decide(
            &scope,
            Grades {
                best: shown,
                worst,
                measured: shown,
            },
            &mut reasons,
        );
        let report = os.and(software);
        // The kinds are judged apart: what one kind's rows show to be a failure stands without the other's.
        if !report.has_rows() && status != Status::Fail {
            status = Status::Unknown;
        }
        let metadata = PatchSlaMetadata {
            scope,
            os: os_counts,
            software: software_counts,
            devices_with_missing: count(with_missing.len()),
            devices_with_failed: count(with_failed.len()),
        };
        conclude(
            &self.fleet,
            report,
            status,
            reasons,
            Metadata::PatchSla(metadata),
        )
    }
}

/// The plain verdict.
const fn grade(missing: u64, failed: u64, severity_unknown: u64, rules: &Rules) -> Grade {
    if failed > 0 || missing >= rules.patches_fail_from {
        Grade::Fail
    } else if missing > 0 || severity_unknown > 0 {
        Grade::Warning
    } else {
        Grade::Pass
    }
}

#[cfg(test)]
mod tests;
