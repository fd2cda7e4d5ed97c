//! The internal controls for which the signals are evidence.

use serde::{Deserialize, Serialize};

use crate::signal::SignalKind;

/// One of the ten internal controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ControlId {
    /// IC-013 Protection from Malicious Software.
    #[serde(rename = "IC-013")]
    MaliciousSoftware,
    /// IC-024 Encryption at Rest.
    #[serde(rename = "IC-024")]
    EncryptionAtRest,
    /// IC-031 Asset Inventory.
    #[serde(rename = "IC-031")]
    AssetInventory,
    /// IC-032 Asset Classification.
    #[serde(rename = "IC-032")]
    AssetClassification,
    /// IC-038 Vulnerability Management.
    #[serde(rename = "IC-038")]
    VulnerabilityManagement,
    /// IC-051 Endpoint Protection.
    #[serde(rename = "IC-051")]
    EndpointProtection,
    /// IC-052 Endpoint Configuration.
    #[serde(rename = "IC-052")]
    EndpointConfiguration,
    /// IC-053 Patch Management.
    #[serde(rename = "IC-053")]
    PatchManagement,
    /// IC-060 Data Backup.
    #[serde(rename = "IC-060")]
    DataBackup,
    /// IC-061 Backup Testing.
    #[serde(rename = "IC-061")]
    BackupTesting,
}

impl ControlId {
    /// All ten, sorted.
    pub const ALL: [Self; 10] = [
        Self::MaliciousSoftware,
        Self::EncryptionAtRest,
        Self::AssetInventory,
        Self::AssetClassification,
        Self::VulnerabilityManagement,
        Self::EndpointProtection,
        Self::EndpointConfiguration,
        Self::PatchManagement,
        Self::DataBackup,
        Self::BackupTesting,
    ];

    /// The identifier, such as `IC-024`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaliciousSoftware => "IC-013",
            Self::EncryptionAtRest => "IC-024",
            Self::AssetInventory => "IC-031",
            Self::AssetClassification => "IC-032",
            Self::VulnerabilityManagement => "IC-038",
            Self::EndpointProtection => "IC-051",
            Self::EndpointConfiguration => "IC-052",
            Self::PatchManagement => "IC-053",
            Self::DataBackup => "IC-060",
            Self::BackupTesting => "IC-061",
        }
    }

    /// The control's name, such as `Encryption at Rest`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaliciousSoftware => "Protection from Malicious Software",
            Self::EncryptionAtRest => "Encryption at Rest",
            Self::AssetInventory => "Asset Inventory",
            Self::AssetClassification => "Asset Classification",
            Self::VulnerabilityManagement => "Vulnerability Management",
            Self::EndpointProtection => "Endpoint Protection",
            Self::EndpointConfiguration => "Endpoint Configuration",
            Self::PatchManagement => "Patch Management",
            Self::DataBackup => "Data Backup",
            Self::BackupTesting => "Backup Testing",
        }
    }
}

impl ControlId {
    /// The signal that is evidence for this control.
    #[must_use]
    pub const fn signal(self) -> SignalKind {
        match self {
            Self::EncryptionAtRest | Self::EndpointConfiguration => SignalKind::DiskEncryption,
            Self::MaliciousSoftware | Self::EndpointProtection => SignalKind::AntivirusPosture,
            Self::VulnerabilityManagement | Self::PatchManagement => SignalKind::PatchSla,
            Self::DataBackup | Self::BackupTesting => SignalKind::BackupActivity,
            Self::AssetInventory | Self::AssetClassification => SignalKind::DeviceInventory,
        }
    }
}

/// An id that names none of the ten controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the ten internal controls, such as IC-024")]
pub struct UnknownControl;

impl std::str::FromStr for ControlId {
    type Err = UnknownControl;

    fn from_str(id: &str) -> Result<Self, UnknownControl> {
        Self::ALL
            .into_iter()
            .find(|control| control.as_str() == id)
            .ok_or(UnknownControl)
    }
}

impl std::fmt::Display for ControlId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_are_sorted() {
        assert!(ControlId::ALL.is_sorted());
        assert!(ControlId::ALL.map(ControlId::as_str).is_sorted());
        for control in ControlId::ALL {
            assert_eq!(control.as_str().parse(), Ok(control));
            assert_eq!(control.to_string(), control.as_str());
            assert_eq!(serde_json::to_value(control).unwrap(), control.as_str());
            assert!(!control.name().is_empty());
        }
        assert_eq!("IC-025".parse::<ControlId>(), Err(UnknownControl));
    }

    #[test]
    fn controls_and_signals_agree() {
        for signal in SignalKind::ALL {
            for control in signal.controls() {
                assert_eq!(control.signal(), signal, "{control}");
            }
        }
    }
}
