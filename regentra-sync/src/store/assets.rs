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
    CredentialId, EventId, Lease, MappingGuard, MappingId, MspOrgId, SettingsGuard, Source,
    Version, is_ahead,
};

/// The assets of an MSP, from every source.
#[async_trait]
pub trait Assets: Debug + Send + Sync + 'static {
    /// The assets that match, whatever their status, ordered by id. A filter that the store does not know is an error of kind
    /// [`Other`](super::StoreErrorKind::Other), never an empty list.
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>>;

    /// A page of the assets that match, ordered by id. A short page is the last one.
    async fn assets_page(&self, msp: MspOrgId, page: AssetPage) -> Result<Vec<Asset>>;

    /// Writes assets.
    ///
    /// Guards, each only if it is given: the credential is active and of that generation, else [`Guard::Credential`]; the
    /// settings of the connection are of that version, else [`Guard::Settings`]; the mapping is mapped and has that version, else [`Guard::Mapping`]; the lease is held by that worker under that fence (one
    /// that is expired and that nobody took since is held still), else [`Guard::Lease`]. And for every row: the stored version is `expected` (`None`: there is no row); and
    /// once all rows are written, none of them is superseded by an asset that is not an active one of this MSP, and no asset is
    /// superseded by one of them that is not active: a machine that another commit wrote about meanwhile would be counted nowhere. Else
    /// [`Guard::Asset`]. (A host that retires an asset of its own writes with it what
    /// [`reactivate_superseded`](crate::model::reactivate_superseded) answers for the assets that it superseded.)
    ///
    /// Refuses, once the guards hold, a row behind the stored one with [`AssetWrite::check_order`].
    ///
    /// Writes: every row whole, the audit rows on the MSP's trail.
    ///
    /// [`Guard::Credential`]: super::Guard::Credential
    /// [`Guard::Settings`]: super::Guard::Settings
    /// [`Guard::Mapping`]: super::Guard::Mapping
    /// [`Guard::Lease`]: super::Guard::Lease
    /// [`Guard::Asset`]: super::Guard::Asset
    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome>;
}

/// Which assets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssetFilter {
    /// All of the MSP.
    All,
    /// Of one company.
    Company(CompanyId),
    /// Last seen through one mapping.
    Mapping(MappingId),
    /// These devices of one credential, in whatever company.
    Devices {
        /// The credential.
        credential: CredentialId,
        /// NinjaOne's ids of the devices.
        devices: Vec<String>,
    },
}

/// Which part of an MSP's assets: those for which everything that is given holds. A store answers every field; it ignores none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetPage {
    /// Of this company.
    pub company: Option<CompanyId>,
    /// Found in this source.
    pub source: Option<Source>,
    /// Only those that count: neither retired nor superseded.
    pub active_only: bool,
    /// Only those that come after this one: the last one of the page before.
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

/// Everything that one sync of one mapping writes; also what a host's own sources write through.
#[derive(Clone, Debug)]
pub struct AssetCommit {
    /// The run.
    pub event: EventId,
    /// The credential has to be connected still. `None` for a source that has none.
    pub credential: Option<CredentialGuard>,
    /// The settings that the devices were read by have to be in force still.
    pub settings: Option<SettingsGuard>,
    /// The mapping has to be as it was.
    pub mapping: Option<MappingGuard>,
    /// The lease has to be held still.
    pub lease: Option<Lease>,
    /// The rows.
    pub writes: Vec<AssetWrite>,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// One row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetWrite {
    /// The row as it shall be.
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

    /// The row is not written behind the stored one, which was last written at `stored`: the process that wrote that one, or this
    /// one, has a wrong clock, and it cannot be told which. A time of `stored` that lies ahead of the store's clock, which shows
    /// `now`, counts as not there.
    ///
    /// # Errors
    /// [`StoreErrorKind::Clock`] when it is more than [`CLOCK_TOLERANCE`] behind.
    pub fn check_order(&self, stored: OffsetDateTime, now: OffsetDateTime) -> Result<()> {
        let is_behind = self.asset.updated_at.saturating_add(CLOCK_TOLERANCE) < stored;
        if is_behind && !is_ahead(stored, now) {
            let text = "the clock of this process is more than five minutes behind what is written already";
            return Err(StoreError::new(StoreErrorKind::Clock, text));
        }
        Ok(())
    }
}
