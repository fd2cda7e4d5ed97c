use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::Views;
use crate::{
    error::Result,
    model::{Asset, AssetId, AssetStatus, CompanyId, MspOrgId},
    rules::{Ambiguity, ambiguities},
    store::AssetFilter,
};

/// An asset that a person should look at, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssetDoubt {
    /// The asset.
    #[serde(flatten)]
    pub asset: Asset,
    /// Why.
    pub doubt: Doubt,
}

/// Why a person should look at an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Doubt {
    /// It looks like an asset of another source, and no key decides whether they are the same machine. Both are kept, and both count.
    Ambiguous {
        /// Which key did not decide.
        reason: Ambiguity,
    },
    /// It is probably the old record of a machine that was set up again. Both records are kept, and both count.
    PossibleDuplicate {
        /// The newer record.
        of: AssetId,
    },
    /// Its source no longer lists it. It is held, because too many assets were missing at once.
    Held {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
}

impl Doubt {
    /// The meaning, as part of a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ambiguous { reason } => reason.meaning(),
            Self::PossibleDuplicate { .. } => {
                "probably an old record of a machine that was set up anew"
            }
            Self::Held { .. } => "no longer listed, and held because many were gone at once",
        }
    }
}

/// How many assets a person should look at, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DoubtCounts {
    /// Assets that look like other assets, all of which are kept.
    pub ambiguous: u64,
    /// Assets that are probably old records of machines that were set up again.
    pub possible_duplicates: u64,
    /// Assets that are no longer listed and are held.
    pub held: u64,
}

impl DoubtCounts {
    /// Counts these doubts.
    pub fn of<'a>(doubts: impl IntoIterator<Item = &'a AssetDoubt>) -> Self {
        let mut counts = Self::default();
        for doubt in doubts {
            let counter = match doubt.doubt {
                Doubt::Ambiguous { .. } => &mut counts.ambiguous,
                Doubt::PossibleDuplicate { .. } => &mut counts.possible_duplicates,
                Doubt::Held { .. } => &mut counts.held,
            };
            *counter += 1;
        }
        counts
    }
}

impl Views {
    /// The assets that a person should look at, of one company or of all, ordered by company and asset. An asset with several reasons is
    /// listed once for each.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.asset_doubts", skip_all, fields(%msp))]
    pub async fn asset_doubts(
        &self,
        msp: MspOrgId,
        company: Option<CompanyId>,
    ) -> Result<Vec<AssetDoubt>> {
        let filter = company.map_or(AssetFilter::All, AssetFilter::Company);
        let mut of_company: BTreeMap<CompanyId, Vec<Asset>> = BTreeMap::new();
        for asset in self.store.assets(msp, filter).await? {
            if asset.status != AssetStatus::Retired {
                of_company.entry(asset.company).or_default().push(asset);
            }
        }
        let mut doubts = Vec::new();
        for assets in of_company.into_values() {
            let ambiguous = ambiguities(&assets);
            for asset in assets {
                let reasons = [
                    ambiguous
                        .get(&asset.id)
                        .map(|reason| Doubt::Ambiguous { reason: *reason }),
                    asset
                        .possible_duplicate_of
                        .map(|of| Doubt::PossibleDuplicate { of }),
                    asset.missing_since.map(|since| Doubt::Held { since }),
                ];
                doubts.extend(reasons.into_iter().flatten().map(|doubt| AssetDoubt {
                    asset: asset.clone(),
                    doubt,
                }));
            }
        }
        Ok(doubts)
    }
}
