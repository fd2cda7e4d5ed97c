//! The common rule that decides every signal with a scope.
//!
//! Let `best`, `worst` and `measured` be the plain verdict with everything unmeasured in scope taken as good, taken as bad,
//! and left out:
//!
//! 1. nothing approved at all: unknown (`no_devices`);
//! 2. nothing in scope: not applicable; all in scope stale: unknown (`fleet_dark`);
//! 3. `best` is fail: fail, shown by what was measured, whatever is missing;
//! 4. no device measured, or fewer than half of the devices in scope, stale ones included: unknown (`coverage_below_half`);
//! 5. `worst` is pass: pass;
//! 6. else the worse of `measured` and warning;
//! 7. a truncated device list or lost rows: the result above, incomplete, and never pass; a report that failed, or that
//!    the tenant cannot have: unknown.
//!
//! **The tenth:** if the risk was accepted rather than fixed on more than a tenth of the devices that the signal applies to, the signal is
//! at best a warning, however good the rest is.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::{
    fleet::{DeviceScope, Fleet},
    reason::Reason,
    report::ReportState,
    signal::{Metadata, SIGNAL_LIFETIME, Signal, Status},
};

/// A judged outcome, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    Pass,
    Warning,
    Fail,
}

impl From<Grade> for Status {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Pass => Self::Pass,
            Grade::Warning => Self::Warning,
            Grade::Fail => Self::Fail,
        }
    }
}

/// The plain verdict under the three readings of what was not measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grades {
    /// Everything unmeasured in scope taken as good.
    pub(crate) best: Grade,
    /// Everything unmeasured in scope taken as bad.
    pub(crate) worst: Grade,
    /// Everything unmeasured left out.
    pub(crate) measured: Grade,
}

impl Grades {
    /// The same, and no pass.
    pub(crate) fn at_best_warning(self) -> Self {
        Self {
            best: self.best.max(Grade::Warning),
            worst: self.worst.max(Grade::Warning),
            measured: self.measured.max(Grade::Warning),
        }
    }
}

/// Whether accepted risks weigh too much for a pass: they are of more than a tenth of the devices that the signal applies to.
///
/// `accepted` counts each device once, whatever was accepted about it.
pub(crate) const fn beyond_a_tenth(scope: &DeviceScope, accepted: u64) -> bool {
    let applicable = scope.approved.saturating_sub(scope.not_applicable);
    accepted.saturating_mul(10) > applicable
}

/// Rules 1 to 6, with the reasons that belong to them.
pub(crate) fn decide(
    scope: &DeviceScope,
    grades: Grades,
    reasons: &mut BTreeSet<Reason>,
) -> Status {
    if scope.unmeasured > 0 {
        reasons.insert(Reason::UnmeasuredDevices);
    }
    let live = scope.measured.saturating_add(scope.unmeasured);
    let in_scope = live.saturating_add(scope.stale);
    if scope.approved == 0 {
        reasons.insert(Reason::NoDevices);
        return Status::Unknown;
    }
    if in_scope == 0 {
        return Status::NotApplicable;
    }
    if live == 0 {
        reasons.insert(Reason::FleetDark);
        return Status::Unknown;
    }
    let covered = scope.measured > 0 && scope.measured.saturating_mul(2) >= in_scope;
    if !covered {
        reasons.insert(Reason::CoverageBelowHalf);
    }
    if grades.best == Grade::Fail {
        Status::Fail
    } else if !covered {
        Status::Unknown
    } else if grades.worst == Grade::Pass {
        Status::Pass
    } else {
        grades.measured.max(Grade::Warning).into()
    }
}

/// Rule 7 for the device list and rows that were lost, and the finished signal.
pub(crate) fn conclude(
    fleet: &Fleet,
    report: ReportState,
    status: Status,
    mut reasons: BTreeSet<Reason>,
    metadata: Metadata,
) -> Signal {
    let malformed = report.malformed || fleet.malformed;
    for (holds, reason) in [
        (fleet.truncated, Reason::Truncated),
        (malformed, Reason::MalformedRows),
        (report.failed, Reason::ReportFailed),
        (report.not_available, Reason::NotAvailable),
    ] {
        if holds {
            reasons.insert(reason);
        }
    }
    let partial = fleet.truncated || malformed;
    Signal {
        status: if partial && status == Status::Pass {
            Status::Warning
        } else {
            status
        },
        complete: !partial && !report.failed,
        reasons,
        controls: metadata.kind().controls().to_vec(),
        collected_at: utc(fleet.now()),
        expires_at: utc(fleet
            .now()
            .checked_add(SIGNAL_LIFETIME)
            .unwrap_or(fleet.now())),
        metadata,
    }
}

fn utc(time: OffsetDateTime) -> OffsetDateTime {
    time.to_offset(time::UtcOffset::UTC)
}

#[cfg(test)]
mod tests;
