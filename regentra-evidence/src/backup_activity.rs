//! Backup activity: do the backups that run succeed?
//!
//! **Unit:** approved devices of any class that have backup activity in the window `(now - 7 days, now]`; stale devices and their activity
//! are left out. Activity is a success, a success with warnings, a failure or a cancelled run. Integrity checks and completed restores are
//! counted, but are not activity. If one activity is reported twice with different results, the worse counts.
//!
//! **Without a readable time** a failure counts as of now. A success, a warning or a cancelled run counts for nothing, but makes a device
//! without other activity unmeasured. An integrity check or a restore counts for nothing.
//!
//! **Verdict:** pass when every device with activity has a success (warnings count as success); fail when 10 % of them or more have none (1
//! of 10 fails, 1 of 11 warns); warning when some have none, or when a device's only successes carry warnings. In the worst case, an
//! unmeasured device is one without a success. If no device has activity, the verdict is unknown, never a pass. It is also unknown if fewer
//! devices have activity than are stale or unmeasured, because it is not known which of the stale devices should have had activity.
//!
//! **Scope:** a device with activity is measured. A workstation, a server or a device of unknown class counts as stale if it is stale, or
//! if it has no activity and its last contact is unknown. All other devices are not applicable.
//!
//! **Limits:** `ShadowProtect` and `ImageManager` have no success code, so their silence proves nothing; and a device whose backups stop
//! silently leaves the denominator. `without_any_backup` shows what the denominator hides, and is a reason that a pass may carry. So is a
//! device whose last run failed after a success in the window.
//!
//! ```
//! use regentra_evidence::{
//!     ActivityKey, BackupActivity, BackupEvent, BackupFact, DeviceClass, DeviceFact, DeviceKey, Fleet, ReportState, RowFate,
//!     Status,
//! };
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let device = DeviceKey::new(1);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device,
//!     approved: true,
//!     class: DeviceClass::WindowsServer,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//!
//! let mut backups = BackupActivity::new(devices.build());
//! let fate = backups.observe(BackupFact {
//!     device,
//!     activity: ActivityKey::new(1),
//!     event: BackupEvent::Success,
//!     at: Some(datetime!(2026-11-22 23:00 UTC)),
//! });
//! assert_eq!(fate, RowFate::Used);
//! assert_eq!(backups.finish(ReportState::answered()).status, Status::Pass);
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    device::{DeviceFamily, DeviceKey},
    digest::{DigestKey, FactsDigest, FactsHasher},
    fleet::{DeviceScope, Fleet, OtherFleet, add_one, count},
    reason::Reason,
    report::{ReportState, RowFate},
    rules::{BACKUP_WINDOW, Rules},
    signal::{Metadata, Signal, SignalKind, Status},
    time::believable,
    verdict::{Grade, Grades, conclude, decide},
};

/// The number of an activity: unique in a tenant, and higher for a later one. It never appears in any output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActivityKey(i64);

impl ActivityKey {
    /// Wraps an activity's number.
    #[must_use]
    pub const fn new(key: i64) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for ActivityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ActivityKey(..)")
    }
}

/// What an activity says about backups. The order is from good to bad, for two rows that contradict each other, and part of the
/// facts digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupEvent {
    /// A restore completed. No backup activity.
    RestoreCompleted,
    /// An integrity check passed. No backup activity.
    IntegrityPassed,
    /// An integrity check failed. No backup activity.
    IntegrityFailed,
    /// A backup succeeded.
    Success,
    /// A backup succeeded with warnings.
    SuccessWithWarning,
    /// A backup was cancelled, or its result cannot be read: activity, neither success nor failure.
    Cancelled,
    /// A backup failed.
    Failure,
}

impl BackupEvent {
    const fn is_activity(self) -> bool {
        matches!(
            self,
            Self::Success | Self::SuccessWithWarning | Self::Cancelled | Self::Failure
        )
    }
}

/// What one activity says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupFact {
    /// The device.
    pub device: DeviceKey,
    /// The activity: the same one twice counts once.
    pub activity: ActivityKey,
    /// What happened.
    pub event: BackupEvent,
    /// When it happened; `None` when absent or unreadable: the activity can only hold the verdict back.
    pub at: Option<OffsetDateTime>,
}

/// Devices by backup activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupDeviceCounts {
    /// Devices with activity in the window.
    pub with_activity: u64,
    /// Of them, devices with at least one success, warnings included.
    pub with_success: u64,
    /// Of them, devices without any success.
    pub without_success: u64,
    /// Of them, devices whose only successes carry warnings.
    pub warnings_only: u64,
    /// Of them, devices whose last run failed.
    pub latest_run_failed: u64,
    /// Workstations and servers, not stale, without any activity, not even one without a readable time: what the denominator hides.
    pub without_any_backup: u64,
}

/// Integrity checks in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrityChecks {
    /// Checks that passed.
    pub passed: u64,
    /// Checks that failed.
    pub failed: u64,
}

/// The aggregates behind the backup signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupActivityMetadata {
    /// Devices; measured means with activity, unmeasured with none but such as has no readable time, stale includes
    /// computers with neither whose last contact is not known, and not applicable is the rest.
    pub scope: DeviceScope,
    /// Devices by activity.
    pub devices: BackupDeviceCounts,
    /// Integrity checks.
    pub integrity_checks: IntegrityChecks,
    /// Restores completed.
    pub restores_completed: u64,
    /// Length of the window in days.
    pub window_days: u64,
}

/// What the rows of one activity of one device say together: joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Occurrence {
    /// The worst, whatever its time.
    worst: BackupEvent,
    /// The latest readable time in the window, of any row.
    at: Option<OffsetDateTime>,
    /// The time of a row cannot be read.
    undated: bool,
    /// That of a failure cannot.
    undated_failure: bool,
}

/// When an activity was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    At(OffsetDateTime),
    /// A failure whose time cannot be read counts as of now.
    AsOfNow,
    Unknown,
    /// Before the window.
    Over,
}

impl Occurrence {
    fn join(&mut self, other: Self) {
        self.worst = self.worst.max(other.worst);
        self.at = self.at.max(other.at);
        self.undated |= other.undated;
        self.undated_failure |= other.undated_failure;
    }

    fn when(&self) -> When {
        match (self.at, self.undated) {
            _ if self.undated_failure => When::AsOfNow,
            (Some(at), _) => When::At(at),
            (None, true) if self.worst == BackupEvent::Failure => When::AsOfNow,
            (None, true) => When::Unknown,
            (None, false) => When::Over,
        }
    }
}

/// What the activity of one device adds up to.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    clean_success: bool,
    success_with_warning: bool,
    latest: Option<(OffsetDateTime, ActivityKey, BackupEvent)>,
}

/// Judges backup activity; see the [module](self) for the rule.
#[derive(Clone, Debug)]
pub struct BackupActivity {
    fleet: Arc<Fleet>,
    /// An activity is of one device. Rows of one number that name several are kept apart, so that none of them loses its own.
    activities: BTreeMap<(ActivityKey, DeviceKey), Occurrence>,
}

impl BackupActivity {
    /// Starts with no activity.
    #[must_use]
    pub const fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            activities: BTreeMap::new(),
        }
    }

    /// Takes one activity. The same activity twice: the worse row wins, also one from before the window, at the latest time in the
    /// window that a row has. Rows of one activity that name several devices are each of their own device, and each as bad as the worst
    /// of them.
    pub fn observe(&mut self, fact: BackupFact) -> RowFate {
        if let Some(fate) = self.fleet.refusal(fact.device, |standing| !standing.stale) {
            return fate;
        }
        let now = self.fleet.now();
        let time = believable(fact.at, now);
        let is_over = |at: OffsetDateTime| {
            now.checked_sub(BACKUP_WINDOW)
                .is_some_and(|start| at <= start)
        };
        let undated = time.is_none();
        let occurrence = Occurrence {
            worst: fact.event,
            at: time.filter(|at| !is_over(*at)),
            undated,
            undated_failure: undated && fact.event == BackupEvent::Failure,
        };
        self.join((fact.activity, fact.device), occurrence);
        match (occurrence.at, undated) {
            (Some(_), _) => RowFate::Used,
            (None, true) => RowFate::Unreadable,
            (None, false) => RowFate::Stale,
        }
    }

    /// Adds what another evaluator of the same fleet has seen.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other evaluator is of another fleet: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        self.fleet.same(&other.fleet)?;
        for (key, occurrence) in other.activities {
            self.join(key, occurrence);
        }
        Ok(())
    }

    fn join(&mut self, key: (ActivityKey, DeviceKey), occurrence: Occurrence) {
        self.activities
            .entry(key)
            .and_modify(|known| known.join(occurrence))
            .or_insert(occurrence);
    }

    /// The signal.
    #[must_use]
    pub fn finish(mut self, report: ReportState) -> Signal {
        self.forget_unusable(report);
        self.judge(report)
    }

    /// The signal, and the keyed digest of the facts it was judged from.
    #[must_use]
    pub fn finish_with_digest(
        mut self,
        report: ReportState,
        key: &DigestKey,
    ) -> (Signal, FactsDigest) {
        self.forget_unusable(report);
        (self.judge(report), self.digest(report, key))
    }

    fn forget_unusable(&mut self, report: ReportState) {
        if !report.has_rows() {
            self.activities.clear();
        }
    }

    fn digest(&self, report: ReportState, key: &DigestKey) -> FactsDigest {
        let mut facts = key.hasher(SignalKind::BackupActivity);
        self.fleet.digest(&mut facts);
        report.digest(&mut facts);
        let is_over = |occurrence: &Occurrence| occurrence.when() == When::Over;
        let counted = || self.told().filter(|(_, own)| !is_over(own));
        facts.number(count(counted().count()));
        for ((ActivityKey(key), device), occurrence) in counted() {
            facts.number(key.cast_unsigned());
            facts.option(occurrence.at, FactsHasher::time);
            facts.flags(occurrence.undated, occurrence.undated_failure);
            facts.tag(occurrence.worst as u8);
            facts.number(device.get());
        }
        facts.finish()
    }

    /// Counts the devices without any activity, and says whether all approved devices are stale.
    fn count_unseen(
        &self,
        seen: impl Fn(&DeviceKey) -> bool,
        scope: &mut DeviceScope,
        devices: &mut BackupDeviceCounts,
    ) -> bool {
        let mut all_stale = true;
        for (device, standing) in &self.fleet.approved {
            // Here a device without activity is in no denominator. Kept for longer it would leave the coverage, and make it look
            // better: so one that is silent by the promise's measure stays stale, whatever the host's threshold.
            let stale = standing.stale || !standing.in_contact;
            all_stale &= stale;
            if seen(device) {
                continue;
            }
            // Of one whose last contact nobody knows, nobody can tell whether it should have had any either.
            if (stale || !standing.contact_known) && standing.class.is_endpoint() {
                add_one(&mut scope.stale);
            } else {
                add_one(&mut scope.not_applicable);
            }
            let is_computer = matches!(
                standing.class.family(),
                DeviceFamily::Workstation | DeviceFamily::Server
            );
            if is_computer && !stale {
                add_one(&mut devices.without_any_backup);
            }
        }
        all_stale
    }

    /// What each activity came to on each device that its rows name: the worst run of any of its rows, on all of them.
    fn told(&self) -> impl Iterator<Item = ((ActivityKey, DeviceKey), Occurrence)> {
        let mut worst: BTreeMap<ActivityKey, BackupEvent> = BTreeMap::new();
        for ((activity, _), occurrence) in &self.activities {
            let known = worst.entry(*activity).or_insert(occurrence.worst);
            *known = occurrence.worst.max(*known);
        }
        self.activities.iter().map(move |(key, occurrence)| {
            let mut occurrence = *occurrence;
            // A check or a restore says nothing of a run, and is none for one.
            if occurrence.worst.is_activity()
                && let Some(worst) = worst.get(&key.0)
            {
                occurrence.worst = *worst;
            }
            (*key, occurrence)
        })
    }

    fn judge(&self, report: ReportState) -> Signal {
        let mut integrity_checks = IntegrityChecks::default();
        let mut restores_completed = 0;
        let mut runs: BTreeMap<DeviceKey, Runs> = BTreeMap::new();
        let mut undated = BTreeSet::new();
        let mut reasons = BTreeSet::new();
        for ((activity, device), occurrence) in self.told() {
            let event = occurrence.worst;
            let at = match occurrence.when() {
                When::At(at) => at,
                When::AsOfNow => {
                    reasons.insert(Reason::UndatedRows);
                    self.fleet.now()
                }
                When::Unknown if event.is_activity() => {
                    undated.insert(device);
                    continue;
                }
                When::Unknown | When::Over => continue,
            };
            match event {
                BackupEvent::RestoreCompleted => add_one(&mut restores_completed),
                BackupEvent::IntegrityPassed => add_one(&mut integrity_checks.passed),
                BackupEvent::IntegrityFailed => add_one(&mut integrity_checks.failed),
                BackupEvent::Success
                | BackupEvent::SuccessWithWarning
                | BackupEvent::Cancelled
                | BackupEvent::Failure => {
                    let runs = runs.entry(device).or_default();
                    runs.clean_success |= event == BackupEvent::Success;
                    runs.success_with_warning |= event == BackupEvent::SuccessWithWarning;
                    runs.latest = runs.latest.max(Some((at, activity, event)));
                }
            }
        }
        undated.retain(|device| !runs.contains_key(device));
        if !undated.is_empty() {
            reasons.insert(Reason::UndatedRows);
        }

        let mut devices = count_devices(runs.values());
        let mut scope = DeviceScope {
            approved: self.fleet.approved(),
            measured: devices.with_activity,
            unmeasured: count(undated.len()),
            not_approved: count(self.fleet.not_approved.len()),
            ..DeviceScope::default()
        };
        let seen = |device: &DeviceKey| runs.contains_key(device) || undated.contains(device);
        let all_stale = self.count_unseen(seen, &mut scope, &mut devices);

        for (counter, reason) in [
            (devices.without_success, Reason::BackupsFailing),
            (devices.warnings_only, Reason::WarningsOnly),
            (devices.latest_run_failed, Reason::LatestRunsFailing),
            (devices.without_any_backup, Reason::DevicesWithoutBackup),
        ] {
            if counter > 0 {
                reasons.insert(reason);
            }
        }
        let mut status = if scope.approved > 0 && devices.with_activity == 0 {
            reasons.insert(Reason::NoBackupActivity);
            if scope.unmeasured > 0 {
                reasons.insert(Reason::UnmeasuredDevices);
            }
            if all_stale {
                reasons.insert(Reason::FleetDark);
            } else if scope.stale > 0 || scope.unmeasured > 0 {
                reasons.insert(Reason::CoverageBelowHalf);
            }
            Status::Unknown
        } else {
            decide(
                &scope,
                grades(&devices, scope.unmeasured, &self.fleet.rules()),
                &mut reasons,
            )
        };
        if !report.has_rows() {
            status = Status::Unknown;
        }
        let metadata = BackupActivityMetadata {
            scope,
            devices,
            integrity_checks,
            restores_completed,
            window_days: BACKUP_WINDOW.whole_days().unsigned_abs(),
        };
        conclude(
            &self.fleet,
            report,
            status,
            reasons,
            Metadata::BackupActivity(metadata),
        )
    }
}

/// Devices by what their runs add up to; `without_any_backup` is left to the caller, who knows the fleet.
fn count_devices<'a>(all: impl ExactSizeIterator<Item = &'a Runs>) -> BackupDeviceCounts {
    let mut devices = BackupDeviceCounts {
        with_activity: count(all.len()),
        ..BackupDeviceCounts::default()
    };
    for runs in all {
        if runs.clean_success || runs.success_with_warning {
            add_one(&mut devices.with_success);
        } else {
            add_one(&mut devices.without_success);
        }
        if runs.success_with_warning && !runs.clean_success {
            add_one(&mut devices.warnings_only);
        }
        if matches!(runs.latest, Some((_, _, BackupEvent::Failure))) {
            add_one(&mut devices.latest_run_failed);
        }
    }
    devices
}

/// The plain verdicts; devices that are unmeasured have a success in the best reading and none in the worst.
fn grades(devices: &BackupDeviceCounts, unmeasured: u64, rules: &Rules) -> Grades {
    let of = |without: u64, all: u64| {
        if without > 0
            && without.saturating_mul(100) >= all.saturating_mul(rules.backup_fail_percent)
        {
            Grade::Fail
        } else if without > 0 || devices.warnings_only > 0 {
            Grade::Warning
        } else {
            Grade::Pass
        }
    };
    let (without, measured) = (devices.without_success, devices.with_activity);
    let all = measured.saturating_add(unmeasured);
    Grades {
        best: of(without, all),
        worst: of(without.saturating_add(unmeasured), all),
        measured: of(without, measured),
    }
}

#[cfg(test)]
mod tests;
