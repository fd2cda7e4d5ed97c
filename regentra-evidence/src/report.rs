//! How a report ended: what an evaluator needs to know about a report besides its rows.

use crate::digest::FactsHasher;

/// How one report, or the reports of one kind, ended.
///
/// A report that failed, or that the tenant cannot have, is judged by no row at all, wherever it broke off: rows that are
/// missing could undo a failure (a later success, a second product) as well as a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ReportState {
    pub(crate) failed: bool,
    pub(crate) not_available: bool,
    pub(crate) malformed: bool,
}

impl ReportState {
    /// Every row arrived and decoded.
    pub const fn answered() -> Self {
        Self {
            failed: false,
            not_available: false,
            malformed: false,
        }
    }

    /// Answered to the end, with at least one row that was lost.
    pub const fn with_malformed_rows() -> Self {
        Self {
            failed: false,
            not_available: false,
            malformed: true,
        }
    }

    /// Failed, or broke off half-way.
    pub const fn failed() -> Self {
        Self {
            failed: true,
            not_available: false,
            malformed: false,
        }
    }

    /// The tenant cannot have this report: module not licensed, or permission missing.
    pub const fn not_available() -> Self {
        Self {
            failed: false,
            not_available: true,
            malformed: false,
        }
    }

    /// The state of two reports that one signal needs both of.
    pub const fn and(self, other: Self) -> Self {
        Self {
            failed: self.failed || other.failed,
            not_available: self.not_available || other.not_available,
            malformed: self.malformed || other.malformed,
        }
    }

    /// Whether every row arrived: what an absent row says can be relied on.
    pub(crate) const fn is_whole(self) -> bool {
        self.has_rows() && !self.malformed
    }

    /// Whether rows of this report may be judged.
    #[must_use]
    pub const fn has_rows(self) -> bool {
        !self.failed && !self.not_available
    }
}

impl ReportState {
    pub(crate) fn digest(self, facts: &mut FactsHasher) {
        facts.flag(self.failed);
        facts.flag(self.not_available);
        facts.flag(self.malformed);
    }
}

/// What became of one row that an evaluator was shown. Counted in the audit of a run, never in the signal.
///
/// A row that is too old or undated proves nothing good. It may hold the verdict back all the same: each evaluator says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum RowFate {
    /// The row is part of the state the signal is judged by.
    Used,
    /// The row is none of this signal's: its device is not approved, stale, or out of scope, or its kind is not in use.
    NotJudged,
    /// The row was collected, or what it says happened, too long ago.
    Stale,
    /// The row's time could not be read, or lies in the future.
    Unreadable,
    /// The row's device is not in the fleet.
    UnknownDevice,
}
