//! PSA assets.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{
    commit::CommitOutcome,
    error::{Result, StoreError, StoreErrorKind},
};
use crate::model::{
    Asset, AssetId, AssetStatus, AuditRow, CLOCK_TOLERANCE, CompanyId, CredentialGuard,
    CredentialId, DeviceId, EventId, Lease, MappingGuard, MappingId, MspOrgId, SettingsGuard,
    Source, Version, is_ahead,
};

/// The assets of an MSP, from every source.
#[async_trait]
pub trait Assets: Debug + Send + Sync + 'static {
    /// The assets that match, whatever their status, ordered by id. A filter that the store does not know returns an error of kind
    /// [`Other`](super::StoreErrorKind::Other), never an empty list.
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>>;

    /// A page of the assets that match, ordered by id. A short page is the last one.
    async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>>;

    /// Writes assets.
    ///
    /// Guards, each checked only if the commit carries it: the credential is active and has the given generation, else
    /// [`Precondition::Credential`]; the settings of the connection have the given version, else [`Precondition::Settings`]; the mapping is
    /// mapped and has the given version, else [`Precondition::Mapping`]; the given worker holds the lease under the given fence (a lease
    /// that expired is still held until another run takes it), else [`Precondition::Lease`]. Two conditions are always checked, for every
    /// row, else [`Precondition::Asset`]. First, the stored version is `expected` (`None`: there is no row). Second, once all rows are
    /// written, every superseded asset that the commit concerns is superseded by an active asset of this MSP
    /// ([`superseding_assets_are_active`](super::effects::superseding_assets_are_active)). Without the second condition, a machine that
    /// another commit wrote meanwhile could be counted nowhere. (A host that retires an asset of another source also writes the assets that
    /// this asset superseded, as [`reactivate_superseded`](crate::model::reactivate_superseded) returns them.)
    ///
    /// If the preconditions hold, refuses a row whose time is behind the stored row's with [`AssetWrite::check_order`].
    ///
    /// Writes: every row as a whole; the audit rows on the MSP's trail.
    ///
    /// [`Precondition::Credential`]: super::Precondition::Credential
    /// [`Precondition::Settings`]: super::Precondition::Settings
    /// [`Precondition::Mapping`]: super::Precondition::Mapping
    /// [`Precondition::Lease`]: super::Precondition::Lease
    /// [`Precondition::Asset`]: super::Precondition::Asset
    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome>;
}

/// Selects assets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssetFilter {
    /// All assets of the MSP.
    All,
    /// Those of one company.
    Company(CompanyId),
    /// Those last seen through one mapping.
    Mapping(MappingId),
    /// The assets of these devices of one credential, in any company.
    Devices {
        /// The credential.
        credential: CredentialId,
        /// The devices.
        devices: Vec<DeviceId>,
    },
}

impl AssetFilter {
    /// Whether it selects the asset.
    #[must_use]
    pub fn matches(&self, asset: &Asset) -> bool {
        match self {
            Self::All => true,
            Self::Company(company) => asset.company == *company,
            Self::Mapping(mapping) => asset.mapping == Some(*mapping),
            Self::Devices {
                credential,
                devices,
            } => {
                asset.credential == Some(*credential)
                    && asset
                        .device()
                        .is_some_and(|device| devices.contains(&device))
            }
        }
    }
}

/// Selects a page of an MSP's assets: those that meet every condition given. A store honours every field and ignores none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetPage {
    /// Of this company.
    pub company: Option<CompanyId>,
    /// Found in this source.
    pub source: Option<Source>,
    /// Only active assets: neither retired nor superseded.
    pub active_only: bool,
    /// Only assets with an id after this one: the last one of the previous page.
    pub after: Option<AssetId>,
    /// At most this many.
    pub limit: u32,
}

impl AssetPage {
    /// The first `limit` of all.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self {
            company: None,
            source: None,
            active_only: false,
            after: None,
            limit,
        }
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub const fn next(self, last: &Asset) -> Self {
        Self {
            after: Some(last.id),
            ..self
        }
    }

    /// Whether this asset matches.
    #[must_use]
    pub fn matches(&self, asset: &Asset) -> bool {
        self.company.is_none_or(|company| asset.company == company)
            && self.source.is_none_or(|source| asset.source == source)
            && (!self.active_only || asset.status == AssetStatus::Active)
            && self.after.is_none_or(|after| asset.id > after)
    }
}

/// Everything that one sync of one mapping writes. A host also uses it to write assets of other sources.
#[derive(Clone, Debug)]
pub struct AssetCommit {
    /// The run.
    pub event: EventId,
    /// The credential that must still be connected. `None` for a source that has none.
    pub credential: Option<CredentialGuard>,
    /// The settings that the devices were read by, which must still be in force.
    pub settings: Option<SettingsGuard>,
    /// The mapping, which must be unchanged.
    pub mapping: Option<MappingGuard>,
    /// The lease, which must still be held.
    pub lease: Option<Lease>,
    /// The rows.
    pub writes: Vec<AssetWrite>,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// One row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetWrite {
    /// The new row.
    pub asset: Asset,
    /// The version that was read; `None` when there was no row.
    pub expected: Option<Version>,
}

impl AssetWrite {
    /// The asset this write is about.
    #[must_use]
    pub const fn id(&self) -> AssetId {
        self.asset.id
    }

    /// Checks that this row's time is not behind `stored`, the time at which the stored row was last written. If it is, the clock of one of
    /// the two writing processes is wrong, and nothing shows which. A `stored` that lies ahead of the store's clock, which shows `now`, is
    /// ignored.
    ///
    /// # Errors
    /// [`StoreErrorKind::Clock`] when the row is more than [`CLOCK_TOLERANCE`] behind.
    pub fn check_order(&self, stored: OffsetDateTime, now: OffsetDateTime) -> Result<()> {
        let is_behind = self.asset.updated_at.saturating_add(CLOCK_TOLERANCE) < stored;
        if is_behind && !is_ahead(stored, now) {
            let text = "the clock of this process is more than five minutes behind what is written already";
            return Err(StoreError::new(StoreErrorKind::Clock, text));
        }
        Ok(())
    }
}
