//! The reports that a sweep asks NinjaOne for, and how each of them went.

use serde::{Deserialize, Serialize};

/// One of the reports that a sweep asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the reports' own")]
pub enum Report {
    Devices,
    Volumes,
    AntivirusStatus,
    OsPatches,
    OsPatchInstalls,
    SoftwarePatches,
    SoftwarePatchInstalls,
    Activities,
    CustomFields,
}

/// How one report went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportOutcome {
    /// It was read to its end.
    Answered,
    /// The tenant cannot have it: not licensed, or no permission. Counts as answered.
    NotAvailable,
    /// It failed or broke off.
    Failed,
}

impl ReportOutcome {
    /// Whether NinjaOne gave a definite answer: a time-out or a server error is none.
    #[must_use]
    pub const fn answered(self) -> bool {
        matches!(self, Self::Answered | Self::NotAvailable)
    }
}
