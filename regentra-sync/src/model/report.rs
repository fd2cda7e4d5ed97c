//! The reports that a sweep requests from NinjaOne, and the outcome of each.

use serde::{Deserialize, Serialize};

use super::error_kind::ErrorKind;

/// One of the reports that a sweep requests.
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

/// The outcome of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportOutcome {
    /// It was read to its end.
    Answered,
    /// The tenant does not provide it: it is not licensed, or there is no permission. This counts as answered.
    NotAvailable,
    /// It failed or ended early, with an error of this kind.
    Failed(ErrorKind),
}

impl ReportOutcome {
    /// The outcome of a report that failed or ended early with an error of this kind.
    #[must_use]
    pub const fn failed(error: ErrorKind) -> Self {
        Self::Failed(error.remembered())
    }

    /// Whether NinjaOne gave a definite answer. A time-out or a server error is not one.
    #[must_use]
    pub const fn answered(self) -> bool {
        matches!(self, Self::Answered | Self::NotAvailable)
    }
}
