//! The one rule that decides (section 2), the reasons and the JSON around every signal (section 12).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    fleet::Fleet,
    reading::DAY,
    tenant::{Report, State},
};

/// The plain verdict on a set of units. Ordered: the later is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plain {
    Pass,
    Warning,
    Fail,
}

impl Plain {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warning => "warning",
            Self::Fail => "fail",
        }
    }
}

/// Approved devices by what became of them, and the others beside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) approved: usize,
    pub(crate) measured: usize,
    pub(crate) unmeasured: usize,
    pub(crate) stale: usize,
    pub(crate) not_applicable: usize,
    pub(crate) not_approved: usize,
}

impl Scope {
    /// Devices in scope, stale ones included.
    pub(crate) fn in_scope(&self) -> usize {
        self.measured + self.unmeasured + self.stale
    }

    /// Devices in scope, and every one of them stale.
    pub(crate) fn dark(&self) -> bool {
        self.stale > 0 && self.stale == self.in_scope()
    }

    /// Rule 4.
    pub(crate) fn below_half(&self) -> bool {
        self.measured == 0 || 2 * self.measured < self.in_scope()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.measured + self.unmeasured + self.stale + self.not_applicable,
            self.approved,
            "scope counts add up to the approved devices"
        );
        json!({
            "approved": self.approved,
            "measured": self.measured,
            "unmeasured": self.unmeasured,
            "stale": self.stale,
            "not_applicable": self.not_applicable,
            "not_approved": self.not_approved,
        })
    }
}

/// The plain verdict with everything unmeasured taken as good, as bad, and left out (`None`: nothing is left).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdicts {
    pub(crate) best: Plain,
    pub(crate) worst: Plain,
    pub(crate) measured: Option<Plain>,
}

/// Rules 1 to 6 for disk, antivirus and patches.
pub(crate) fn decide(scope: &Scope, verdicts: Verdicts) -> &'static str {
    if scope.approved == 0 {
        return "unknown";
    }
    if scope.in_scope() == 0 {
        return "not_applicable";
    }
    if scope.dark() {
        return "unknown";
    }
    rules_3_to_6(scope, verdicts)
}

/// Rules 3 to 6.
pub(crate) fn rules_3_to_6(scope: &Scope, verdicts: Verdicts) -> &'static str {
    if verdicts.best == Plain::Fail {
        return "fail";
    }
    if scope.below_half() {
        return "unknown";
    }
    if verdicts.worst == Plain::Pass {
        return "pass";
    }
    verdicts
        .measured
        .unwrap_or(Plain::Warning)
        .max(Plain::Warning)
        .word()
}

/// The reasons that disk, antivirus and patches share, from scope alone.
pub(crate) fn scope_reasons(scope: &Scope, reasons: &mut BTreeSet<&'static str>) {
    let no_devices = scope.approved == 0;
    hold(reasons, "no_devices", no_devices);
    hold(reasons, "fleet_dark", scope.dark());
    hold(
        reasons,
        "coverage_below_half",
        !no_devices && scope.in_scope() > 0 && !scope.dark() && scope.below_half(),
    );
    hold(reasons, "unmeasured_devices", scope.unmeasured > 0);
}

/// Adds a reason if its condition holds.
pub(crate) fn hold(reasons: &mut BTreeSet<&'static str>, code: &'static str, holds: bool) {
    if holds {
        reasons.insert(code);
    }
}

/// How a signal's reports ended, all of them together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) failed: bool,
    pub(crate) not_available: bool,
    /// A row of the signal's own reports was lost.
    pub(crate) malformed: bool,
}

impl Answers {
    pub(crate) fn of(reports: &[&Report], malformed: bool) -> Self {
        Self {
            failed: reports.iter().any(|report| report.state == State::Failed),
            not_available: reports
                .iter()
                .any(|report| report.state == State::NotAvailable),
            malformed,
        }
    }

    pub(crate) fn all(self) -> bool {
        !self.failed && !self.not_available
    }
}

/// One signal.
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    pub(crate) controls: [&'static str; 2],
    /// By rules 1 to 6, or what the signal makes of a report that did not answer.
    pub(crate) status: &'static str,
    pub(crate) answers: Answers,
    pub(crate) reasons: BTreeSet<&'static str>,
    pub(crate) metadata: Value,
}

impl Signal {
    /// Rule 7, and the JSON of section 12.
    pub(crate) fn finish(mut self, fleet: &Fleet) -> Value {
        let malformed = fleet.malformed || self.answers.malformed;
        hold(&mut self.reasons, "truncated", fleet.truncated);
        hold(&mut self.reasons, "malformed_rows", malformed);
        hold(&mut self.reasons, "report_failed", self.answers.failed);
        hold(
            &mut self.reasons,
            "not_available",
            self.answers.not_available,
        );

        let cut = fleet.truncated || malformed;
        let status = if cut && self.status == "pass" {
            "warning"
        } else {
            self.status
        };
        json!({
            "signal": self.name,
            "status": status,
            // Open: whether a failed report leaves a signal complete. It does not; one that is not available counts as
            // answered.
            "complete": !cut && !self.answers.failed,
            "reasons": self.reasons,
            "controls": self.controls,
            "collected_at": rfc3339(fleet.now),
            "expires_at": rfc3339(fleet.now + 7 * DAY),
            "metadata": self.metadata,
        })
    }
}

fn rfc3339(microseconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000)
        .expect("a time of this age of the world")
        .format(&Rfc3339)
        .expect("a time that can be written")
}
