//! Backup activity: do the backups that run succeed?
//!
//! **Unit:** approved devices of any class that have backup activity in the window `(now - 7 days, now]`; stale devices and
//! their activity stay out. Activity is a success, a success with warnings, a failure or a cancelled run. Integrity checks and
//! completed restores are counted and are no activity.
//!
//! **Verdict:** pass when every device with activity has a success (warnings count as success); fail when 10 % of them or more
//! have none (1 of 10 fails, 1 of 11 warns); warning when some have none, or when a device's only successes carry warnings.
//! No device with activity at all is unknown, never a pass; so is a fleet of which more devices are stale than have activity, as
//! nobody can tell which of the stale ones should have had any.
//!
//! **Limits:** `ShadowProtect` and `ImageManager` have no success code, so their silence proves nothing; and a device whose backups
//! stop silently leaves the denominator. `without_any_backup` shows what the denominator hides.
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
    digest::{DigestKey, FactsDigest},
    fleet::{Fleet, OtherFleet, Scope, add_one, count},
    reason::Reason,
    report::{ReportState, RowFate},
    rules::BACKUP_WINDOW,
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
    /// A backup was cancelled: activity, neither success nor failure.
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
    /// When it happened; `None` when absent or unreadable: the activity is ignored.
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
    /// Workstations and servers, not stale, without any activity: what the denominator hides.
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
    /// Devices; measured means with activity, not applicable means not stale and without any.
    pub scope: Scope,
    /// Devices by activity.
    pub devices: BackupDeviceCounts,
    /// Integrity checks.
    pub integrity_checks: IntegrityChecks,
    /// Restores completed.
    pub restores_completed: u64,
    /// Length of the window in days.
    pub window_days: u64,
}

/// What one activity came to, in the order by which two rows of the same activity are joined.
type Occurrence = (OffsetDateTime, BackupEvent, DeviceKey);

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
    activities: BTreeMap<ActivityKey, Occurrence>,
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

    /// Takes one activity. The same activity twice: the newest row wins, at a tie the worse.
    pub fn observe(&mut self, fact: BackupFact) -> RowFate {
        if let Some(fate) = self.fleet.refusal(fact.device, |standing| !standing.stale) {
            return fate;
        }
        let now = self.fleet.now();
        let Some(at) = believable(fact.at, now) else {
            return RowFate::Unreadable;
        };
        if now
            .checked_sub(BACKUP_WINDOW)
            .is_some_and(|start| at <= start)
        {
            return RowFate::Stale;
        }
        self.join(fact.activity, (at, fact.event, fact.device));
        RowFate::Used
    }

    /// Adds what another evaluator of the same fleet has seen.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other evaluator is of another fleet: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        self.fleet.same(&other.fleet)?;
        for (activity, occurrence) in other.activities {
            self.join(activity, occurrence);
        }
        Ok(())
    }

    fn join(&mut self, activity: ActivityKey, occurrence: Occurrence) {
        self.activities
            .entry(activity)
            .and_modify(|known| *known = (*known).max(occurrence))
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
        facts.number(count(self.activities.len()));
        for (ActivityKey(key), (at, event, device)) in &self.activities {
            facts.number(key.cast_unsigned());
            facts.time(*at);
            facts.tag(*event as u8);
            facts.number(device.get());
        }
        facts.finish()
    }

    fn judge(&self, report: ReportState) -> Signal {
        let mut integrity_checks = IntegrityChecks::default();
        let mut restores_completed = 0;
        let mut runs: BTreeMap<DeviceKey, Runs> = BTreeMap::new();
        for (activity, (at, event, device)) in &self.activities {
            match event {
                BackupEvent::RestoreCompleted => add_one(&mut restores_completed),
                BackupEvent::IntegrityPassed => add_one(&mut integrity_checks.passed),
                BackupEvent::IntegrityFailed => add_one(&mut integrity_checks.failed),
                BackupEvent::Success
                | BackupEvent::SuccessWithWarning
                | BackupEvent::Cancelled
                | BackupEvent::Failure => {}
            }
            if event.is_activity() {
                let runs = runs.entry(*device).or_default();
                runs.clean_success |= *event == BackupEvent::Success;
                runs.success_with_warning |= *event == BackupEvent::SuccessWithWarning;
                runs.latest = runs.latest.max(Some((*at, *activity, *event)));
            }
        }

        let mut devices = count_devices(runs.values());
        let mut scope = Scope {
            approved: self.fleet.approved(),
            measured: devices.with_activity,
            not_approved: count(self.fleet.not_approved.len()),
            ..Scope::default()
        };
        for (device, standing) in &self.fleet.approved {
            // Here a device without activity is in no denominator. Kept for longer it would leave the coverage, and make it look
            // better: so one that is silent by the promise's measure stays stale, whatever the host's threshold.
            if standing.stale || !standing.in_contact {
                add_one(&mut scope.stale);
            } else if !runs.contains_key(device) {
                add_one(&mut scope.not_applicable);
                if matches!(
                    standing.class.family(),
                    DeviceFamily::Workstation | DeviceFamily::Server
                ) {
                    add_one(&mut devices.without_any_backup);
                }
            }
        }

        let rules = self.fleet.rules();
        let mut reasons = BTreeSet::new();
        for (counter, reason) in [
            (devices.without_success, Reason::BackupsFailing),
            (devices.warnings_only, Reason::WarningsOnly),
        ] {
            if counter > 0 {
                reasons.insert(reason);
            }
        }
        let mut status = if scope.approved > 0 && devices.with_activity == 0 {
            reasons.insert(Reason::NoBackupActivity);
            if scope.stale == scope.approved {
                reasons.insert(Reason::FleetDark);
            } else if scope.stale > 0 {
                reasons.insert(Reason::CoverageBelowHalf);
            }
            Status::Unknown
        } else {
            let shown = grade(&devices, rules.backup_fail_percent);
            decide(
                &scope,
                Grades {
                    best: shown,
                    worst: shown,
                    measured: shown,
                },
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

/// The plain verdict.
const fn grade(devices: &BackupDeviceCounts, fail_percent: u64) -> Grade {
    let without = devices.without_success;
    if without > 0
        && without.saturating_mul(100) >= devices.with_activity.saturating_mul(fail_percent)
    {
        Grade::Fail
    } else if without > 0 || devices.warnings_only > 0 {
        Grade::Warning
    } else {
        Grade::Pass
    }
}

#[cfg(test)]
mod tests;
