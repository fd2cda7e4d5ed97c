//! Reason codes: the closed vocabulary in which a signal gives the reasons for its verdict.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// A condition that holds for a signal, whatever its verdict.
        ///
        /// The variants stand in alphabetical order of their codes, so that a sorted set of reasons is sorted by code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+
        }

        impl Reason {
            /// Every reason, sorted by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code used in JSON, such as `coverage_below_half`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

reasons! {
    /// Antivirus: signatures are out of date on at least one device, and since when is not known.
    AgeNotReported = "age_not_reported",
    /// Backup: at least one device with activity has no success in the window.
    BackupsFailing = "backups_failing",
    /// Disk: among the measured volumes, too few are encrypted for a pass.
    BelowThreshold = "below_threshold",
    /// No device was measured, or fewer than half of the devices in scope, stale ones included.
    CoverageBelowHalf = "coverage_below_half",
    /// Backup: live workstations and servers without any backup activity. A pass may carry it.
    DevicesWithoutBackup = "devices_without_backup",
    /// Devices are in scope, and all of them are stale.
    FleetDark = "fleet_dark",
    /// Patches: at least one patch's latest installation failed.
    InstallsFailed = "installs_failed",
    /// Patches: at least one failed installation that a rejection or a later success made moot.
    InstallsSuperseded = "installs_superseded",
    /// Patches: one kind (OS or software) measures some of the live devices, and fewer than half.
    KindBelowHalf = "kind_below_half",
    /// Patches: a setting leaves a kind (OS or software) out.
    KindNotInUse = "kind_not_in_use",
    /// Backup: at least one device whose last run failed. A pass may carry it.
    LatestRunsFailing = "latest_runs_failing",
    /// Rows of the device list or of this signal's report were lost.
    MalformedRows = "malformed_rows",
    /// Inventory: half of the approved devices, or more, are offline.
    MostlyOffline = "mostly_offline",
    /// Backup: approved devices, none of them with backup activity in the window.
    NoBackupActivity = "no_backup_activity",
    /// No approved device at all.
    NoDevices = "no_devices",
    /// Patches: live devices, and a kind in use (OS or software) measures none of them.
    NoPatchData = "no_patch_data",
    /// The tenant cannot have the report: module not licensed, or permission missing.
    NotAvailable = "not_available",
    /// Patches: critical or important patches are missing.
    PatchesMissing = "patches_missing",
    /// Patches: at least one critical or important patch, or one of unknown severity, was rejected. A pass may carry it.
    PatchesRejected = "patches_rejected",
    /// Antivirus: at least one device is not protected.
    ProtectionOff = "protection_off",
    /// The report failed or broke off half-way.
    ReportFailed = "report_failed",
    /// Patches: at least one pending patch has a severity that could not be read.
    SeverityUnknown = "severity_unknown",
    /// Antivirus: signatures out of date for more than 7 and up to 30 days on at least one device.
    SignaturesAging = "signatures_aging",
    /// Antivirus: signatures out of date for more than 30 days on at least one device.
    SignaturesOver30Days = "signatures_over_30_days",
    /// Antivirus: at least one protected device does not say how fresh its signatures are.
    SignaturesUnmeasured = "signatures_unmeasured",
    /// The device list was cut at its ceiling.
    Truncated = "truncated",
    /// A row without a readable time, or one that is too old, decided about a volume, device or patch.
    UndatedRows = "undated_rows",
    /// An unmeasured live device has a node class that is not known.
    UnknownNodeClass = "unknown_node_class",
    /// At least one device in scope was not measured.
    UnmeasuredDevices = "unmeasured_devices",
    /// Disk: at least one volume in scope was not measured.
    UnmeasuredVolumes = "unmeasured_volumes",
    /// Backup: at least one device whose only successes carry warnings.
    WarningsOnly = "warnings_only",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn the_order_of_reasons_is_the_order_of_their_codes() {
        assert!(Reason::ALL.is_sorted());
        assert!(Reason::ALL.iter().map(|reason| reason.as_str()).is_sorted());
    }

    #[test]
    fn a_reason_reads_back_from_its_code() {
        for &reason in Reason::ALL {
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
        }
    }
}
