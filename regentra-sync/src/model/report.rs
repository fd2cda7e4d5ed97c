//! The reports that a sweep requests from NinjaOne, and the outcome of each.

use serde::{Deserialize, Serialize};

use super::error_kind::ErrorKind;

/// One of the reports that a sweep asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the reports' own")]
#[non_exhaustive]
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

impl Report {
    /// Every report.
    pub const ALL: [Self; 9] = [
        Self::Devices,
        Self::Volumes,
        Self::AntivirusStatus,
        Self::OsPatches,
        Self::OsPatchInstalls,
        Self::SoftwarePatches,
        Self::SoftwarePatchInstalls,
        Self::Activities,
        Self::CustomFields,
    ];

    /// The name in stores, lists and metrics, such as `os_patches`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Volumes => "volumes",
            Self::AntivirusStatus => "antivirus_status",
            Self::OsPatches => "os_patches",
            Self::OsPatchInstalls => "os_patch_installs",
            Self::SoftwarePatches => "software_patches",
            Self::SoftwarePatchInstalls => "software_patch_installs",
            Self::Activities => "activities",
            Self::CustomFields => "custom_fields",
        }
    }
}

/// How one report went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportOutcome {
    /// It was read to its end.
    Answered,
    /// The tenant cannot have it: not licensed, or no permission. Counts as answered.
    NotAvailable,
    /// It failed or broke off, and why.
    Failed(ErrorKind),
}

impl ReportOutcome {
    /// A report that failed or broke off with an error of this kind.
    #[must_use]
    pub const fn failed(error: ErrorKind) -> Self {
        Self::Failed(error.remembered())
    }

    /// Whether NinjaOne gave a definite answer: a time-out or a server error is none.
    #[must_use]
    pub const fn answered(self) -> bool {
        matches!(self, Self::Answered | Self::NotAvailable)
    }
}
