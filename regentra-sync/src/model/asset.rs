//! PSA assets: the machines of a company, from any source.

use std::fmt;

use ninjaone_client::DeviceId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    ahead::present,
    company::CompanyId,
    credential::CredentialId,
    id::{Version, derive, opaque_id},
    mapping::MappingId,
    sensitive::{Sensitive, drop_nul},
};

opaque_id! {
    /// One asset row.
    AssetId
}

impl AssetId {
    /// The asset of this NinjaOne device. A device has only one, whichever organization it is in.
    #[must_use]
    pub fn of_device(credential: CredentialId, device: DeviceId) -> Self {
        let device = device.to_string();
        Self(derive(
            "asset",
            &[credential.as_uuid().as_bytes(), device.as_bytes()],
        ))
    }
}

/// Where an asset was found. The order is the priority: for a device found in several sources, the first one's asset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// NinjaOne.
    Ninjaone,
    /// Level.
    Level,
    /// Microsoft Intune.
    Intune,
    /// Microsoft Entra.
    Entra,
}

impl Source {
    /// All sources, highest priority first.
    pub const ALL: [Self; 4] = [Self::Ninjaone, Self::Level, Self::Intune, Self::Entra];

    /// The name used in the `external_source` column, such as `ninjaone`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ninjaone => "ninjaone",
            Self::Level => "level",
            Self::Intune => "intune",
            Self::Entra => "entra",
        }
    }

    /// The source with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// Whether an asset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum AssetStatus {
    /// The source lists the asset, and no source of higher priority has the same machine.
    Active,
    /// The source lists the asset, but a source of higher priority has the same machine. Stored as `RETIRED` with a link.
    Superseded {
        /// The asset that counts instead.
        by: AssetId,
    },
    /// The source no longer lists the asset. The row is kept.
    Retired,
}

impl AssetStatus {
    /// The name in the `status` column: `ACTIVE` or `RETIRED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Superseded { .. } | Self::Retired => "RETIRED",
        }
    }

    /// The asset that supersedes this one.
    #[must_use]
    pub const fn superseded_by(self) -> Option<AssetId> {
        match self {
            Self::Superseded { by } => Some(by),
            Self::Active | Self::Retired => None,
        }
    }
}

/// Facts about the machine itself. None of them changes from hour to hour, so a second sync of an unchanged fleet writes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetContent {
    /// The name to show.
    pub name: Sensitive,
    /// The host name, for matching.
    pub host_name: Option<Sensitive>,
    /// The serial number as the source reports it. [`crate::rules::serial_key`] says how it is compared.
    pub serial_number: Option<Sensitive>,
    /// The Entra device id, if the source knows it.
    pub entra_device_id: Option<Sensitive>,
    /// The class of the device, as the source names it, such as `WINDOWS_SERVER`.
    pub class: Option<String>,
    /// The manufacturer.
    pub manufacturer: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The operating system.
    pub operating_system: Option<String>,
}

impl AssetContent {
    /// Removes NUL characters, which some stores cannot keep.
    pub(crate) fn drop_nul(&mut self) {
        let Self {
            name,
            host_name,
            serial_number,
            entra_device_id,
            class,
            manufacturer,
            model,
            operating_system,
        } = self;
        name.drop_nul();
        for text in [host_name, serial_number, entra_device_id]
            .into_iter()
            .flatten()
        {
            text.drop_nul();
        }
        for text in [class, manufacturer, model, operating_system]
            .into_iter()
            .flatten()
        {
            drop_nul(text);
        }
    }
}

/// A machine's id in its source. It is displayed and serialised as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExternalId {
    /// An id of NinjaOne.
    Device(DeviceId),
    /// An id of another source.
    Other(String),
}

impl ExternalId {
    /// Reads what [`Display`](fmt::Display) wrote. `None` for a NinjaOne id of any other form: the row is damaged.
    #[must_use]
    pub fn read(source: Source, text: String) -> Option<Self> {
        if source != Source::Ninjaone {
            return Some(Self::Other(text));
        }
        let device: DeviceId = text.parse().ok()?;
        (device.to_string() == text).then_some(Self::Device(device))
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => device.fmt(f),
            Self::Other(id) => f.write_str(id),
        }
    }
}

impl Serialize for ExternalId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One asset row of an MSP, bound to a company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asset {
    /// Which asset.
    pub id: AssetId,
    /// The company it belongs to.
    pub company: CompanyId,
    /// Where it was found (`external_source`).
    pub source: Source,
    /// The credential, for a NinjaOne asset.
    pub credential: Option<CredentialId>,
    /// The mapping through which the sync found it, for a NinjaOne asset.
    pub mapping: Option<MappingId>,
    /// The machine's id in its source.
    pub external_id: ExternalId,
    /// Whether it counts.
    #[serde(flatten)]
    pub status: AssetStatus,
    /// What is known about the machine.
    #[serde(flatten)]
    pub content: AssetContent,
    /// While the asset is held: the time of the first complete list of its source that lacked it. See
    /// [`sync_plan`](crate::rules::sync_plan).
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub missing_since: Option<OffsetDateTime>,
    /// The newer asset of the same source that is probably this machine after it was set up again: both have the same serial number, and
    /// this one is offline and was never seen after the other appeared. The two are shown as possible duplicates, and never merged.
    #[serde(default)]
    pub possible_duplicate_of: Option<AssetId>,
    /// How often the row was written.
    pub version: Version,
    /// When the row was first written.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the row was last written.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Asset {
    /// The NinjaOne device that this asset is; `None` for an asset of another source.
    #[must_use]
    pub const fn device(&self) -> Option<DeviceId> {
        match (self.source, &self.external_id) {
            (Source::Ninjaone, ExternalId::Device(device)) => Some(*device),
            _ => None,
        }
    }
}

/// Reactivates assets whose superseding asset was retired. Of those that the same asset superseded, the one of the highest source (then the
/// smallest id) is active again and supersedes the others. Stores call this function where a commit's contract retires assets. Each row's
/// version grows by one and its `updated_at` becomes `at`. Other times of the row that lie ahead become `at`, too.
#[must_use]
pub fn reactivate_superseded(superseded: Vec<Asset>, at: OffsetDateTime) -> Vec<Asset> {
    let mut superseding = std::collections::BTreeMap::new();
    for asset in &superseded {
        if let Some(gone) = asset.status.superseded_by() {
            let rank = (asset.source, asset.id);
            superseding
                .entry(gone)
                .and_modify(|best| *best = rank.min(*best))
                .or_insert(rank);
        }
    }
    let reactivate = |mut asset: Asset| {
        if let Some((_, superseding_id)) = asset
            .status
            .superseded_by()
            .and_then(|gone| superseding.get(&gone))
        {
            let status = AssetStatus::Superseded {
                by: *superseding_id,
            };
            asset.status = if *superseding_id == asset.id {
                AssetStatus::Active
            } else {
                status
            };
            asset.version = asset.version.next();
            asset.updated_at = at;
            // If a clock that ran ahead wrote the row, its times are corrected now.
            asset.created_at = present(asset.created_at, at);
            asset.missing_since = asset.missing_since.map(|since| present(since, at));
        }
        asset
    };
    superseded.into_iter().map(reactivate).collect()
}
