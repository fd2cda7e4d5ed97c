//! The signal: one verdict about one aspect of one customer's fleet, with the aggregates behind it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};
use time::{Duration, OffsetDateTime};

use crate::{
    antivirus_posture::AntivirusPostureMetadata, backup_activity::BackupActivityMetadata,
    control::ControlId, device_inventory::DeviceInventoryMetadata,
    disk_encryption::DiskEncryptionMetadata, fleet::DeviceScope, patch_sla::PatchSlaMetadata,
    reason::Reason,
};

/// How long a signal may be relied on after it was collected: seven days. At `expires_at` exactly it is expired.
pub const SIGNAL_LIFETIME: Duration = Duration::days(7);

/// Which aspect of the fleet a signal is about.
///
/// The order is the order in which the five are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Are the fixed volumes of computers encrypted?
    DiskEncryption,
    /// Is every computer protected, with fresh signatures?
    AntivirusPosture,
    /// Are critical and important patches installed, and do installations succeed?
    PatchSla,
    /// Do the backups that run succeed?
    BackupActivity,
    /// Is the fleet known, and does it report?
    DeviceInventory,
}

impl SignalKind {
    /// All five, in the order in which they are printed.
    pub const ALL: [Self; 5] = [
        Self::DiskEncryption,
        Self::AntivirusPosture,
        Self::PatchSla,
        Self::BackupActivity,
        Self::DeviceInventory,
    ];

    /// The name used in JSON, stores and file names, such as `disk_encryption`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskEncryption => "disk_encryption",
            Self::AntivirusPosture => "antivirus_posture",
            Self::PatchSla => "patch_sla",
            Self::BackupActivity => "backup_activity",
            Self::DeviceInventory => "device_inventory",
        }
    }

    /// The internal controls that this signal is evidence for, sorted.
    #[must_use]
    pub const fn controls(self) -> [ControlId; 2] {
        match self {
            Self::DiskEncryption => [
                ControlId::EncryptionAtRest,
                ControlId::EndpointConfiguration,
            ],
            Self::AntivirusPosture => [ControlId::MaliciousSoftware, ControlId::EndpointProtection],
            Self::PatchSla => [
                ControlId::VulnerabilityManagement,
                ControlId::PatchManagement,
            ],
            Self::BackupActivity => [ControlId::DataBackup, ControlId::BackupTesting],
            Self::DeviceInventory => [ControlId::AssetInventory, ControlId::AssetClassification],
        }
    }
}

/// A word that names none of a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {what}: {allowed}")]
pub struct UnknownName {
    what: &'static str,
    allowed: &'static str,
}

impl std::str::FromStr for SignalKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or(UnknownName {
                what: "a signal",
                allowed: "disk_encryption, antivirus_posture, patch_sla, backup_activity, device_inventory",
            })
    }
}

impl std::fmt::Display for SignalKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The outcome of a signal.
///
/// `Pass`, `Warning` and `Fail` are judged outcomes. `Unknown` says that the signal could not be judged, and
/// `NotApplicable` that approved devices exist and none of them is in the signal's scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything in scope was measured (or could not change the verdict) and is good.
    Pass,
    /// Something is not as it should be, or too much is unmeasured for a pass.
    Warning,
    /// What was measured shows a failure, whatever is missing.
    Fail,
    /// Could not be judged; the reasons say why.
    Unknown,
    /// Approved devices exist, none of them in this signal's scope.
    NotApplicable,
}

impl std::str::FromStr for Status {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or(UnknownName {
                what: "a status",
                allowed: "pass, warning, fail, unknown, not_applicable",
            })
    }
}

impl Status {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Pass,
        Self::Warning,
        Self::Fail,
        Self::Unknown,
        Self::NotApplicable,
    ];

    /// The name used in JSON and stores, such as `not_applicable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warning => "warning",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// The conversion for a host that knows three states only: `Unknown` becomes `Warning`, and a signal that is
    /// `NotApplicable` has no row (`None`). What was not measured is never shown as a pass or a failure.
    #[must_use]
    pub const fn to_three_states(self) -> Option<Self> {
        match self {
            Self::Pass | Self::Warning | Self::Fail => Some(self),
            Self::Unknown => Some(Self::Warning),
            Self::NotApplicable => None,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The aggregates behind a verdict, one shape per signal: counts, buckets and percentages, never text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "signal", content = "metadata", rename_all = "snake_case")]
pub enum Metadata {
    /// See [`crate::disk_encryption`].
    DiskEncryption(DiskEncryptionMetadata),
    /// See [`crate::antivirus_posture`].
    AntivirusPosture(AntivirusPostureMetadata),
    /// See [`crate::patch_sla`].
    PatchSla(PatchSlaMetadata),
    /// See [`crate::backup_activity`].
    BackupActivity(BackupActivityMetadata),
    /// See [`crate::device_inventory`].
    DeviceInventory(DeviceInventoryMetadata),
}

impl Metadata {
    /// Which signal these aggregates belong to.
    #[must_use]
    pub const fn kind(&self) -> SignalKind {
        match self {
            Self::DiskEncryption(_) => SignalKind::DiskEncryption,
            Self::AntivirusPosture(_) => SignalKind::AntivirusPosture,
            Self::PatchSla(_) => SignalKind::PatchSla,
            Self::BackupActivity(_) => SignalKind::BackupActivity,
            Self::DeviceInventory(_) => SignalKind::DeviceInventory,
        }
    }

    /// How many devices were measured, and how many were not and why.
    #[must_use]
    pub const fn scope(&self) -> DeviceScope {
        match self {
            Self::DiskEncryption(m) => m.scope,
            Self::AntivirusPosture(m) => m.scope,
            Self::PatchSla(m) => m.scope,
            Self::BackupActivity(m) => m.scope,
            Self::DeviceInventory(m) => m.scope,
        }
    }
}

/// One verdict with its reasons, its time and the aggregates behind it.
///
/// Serialises to the public JSON contract: `signal`, `status`, `complete`, `reasons` (sorted by code), `controls`,
/// `collected_at` and `expires_at` (RFC 3339, UTC) and `metadata`; it reads back what it wrote.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Signal {
    /// The outcome.
    pub status: Status,
    /// `false` when the answer behind the verdict was partial: a truncated device list, rows that did not decode, or a
    /// report that failed. Such a signal is never a pass.
    pub complete: bool,
    /// Every condition that holds, whatever the verdict; a pass may carry some.
    pub reasons: BTreeSet<Reason>,
    /// The internal controls this signal is evidence for.
    pub controls: Vec<ControlId>,
    /// When the facts were collected.
    #[serde(with = "time::serde::rfc3339")]
    pub collected_at: OffsetDateTime,
    /// From this instant on the signal is expired.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// The aggregates.
    #[serde(flatten)]
    pub metadata: Metadata,
}

impl Signal {
    /// Which signal this is.
    #[must_use]
    pub const fn kind(&self) -> SignalKind {
        self.metadata.kind()
    }

    /// Whether the signal may no longer be relied on at `now`; at `expires_at` exactly it may not.
    #[must_use]
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires_at <= now
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(transparent)]
        struct Rfc3339(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

        let mut out = serializer.serialize_struct("Signal", 8)?;
        out.serialize_field("signal", &self.kind())?;
        out.serialize_field("status", &self.status)?;
        out.serialize_field("complete", &self.complete)?;
        out.serialize_field("reasons", &self.reasons)?;
        out.serialize_field("controls", &self.controls)?;
        out.serialize_field("collected_at", &Rfc3339(self.collected_at))?;
        out.serialize_field("expires_at", &Rfc3339(self.expires_at))?;
        match &self.metadata {
            Metadata::DiskEncryption(m) => out.serialize_field("metadata", m)?,
            Metadata::AntivirusPosture(m) => out.serialize_field("metadata", m)?,
            Metadata::PatchSla(m) => out.serialize_field("metadata", m)?,
            Metadata::BackupActivity(m) => out.serialize_field("metadata", m)?,
            Metadata::DeviceInventory(m) => out.serialize_field("metadata", m)?,
        }
        out.end()
    }
}

#[cfg(test)]
mod tests;
