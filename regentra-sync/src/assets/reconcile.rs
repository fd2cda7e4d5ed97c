//! Which assets of a company count: each machine once, from its highest source.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::match_assets;
use crate::{
    AssetId,
    asset::{Asset, AssetStatus, Source},
};

/// Sets the status of every asset of one company that is in its source: active, or superseded by the same machine of a higher
/// source. Assets that are gone from their source stay retired. Returns the assets that are ambiguous and were kept.
///
/// It looks at nothing but what is there now, so an asset that gave way to one that is gone comes back by itself.
pub fn reconcile(assets: &mut [Asset]) -> BTreeSet<AssetId> {
    let mut statuses = BTreeMap::new();
    let mut ambiguous = BTreeSet::new();
    {
        let is_present = |asset: &&Asset| asset.status != AssetStatus::Retired;
        let mut winners: Vec<&Asset> = Vec::new();
        for source in Source::ALL {
            let of_source: Vec<_> = assets
                .iter()
                .filter(|asset| asset.source == source)
                .filter(is_present)
                .collect();
            let matches = match_assets(&of_source, &winners);
            ambiguous.extend(&matches.ambiguous);
            for asset in of_source {
                let status = if let Some(winner) = matches.pairs.get(&asset.id) {
                    AssetStatus::Superseded { by: *winner }
                } else {
                    winners.push(asset);
                    AssetStatus::Active
                };
                statuses.insert(asset.id, status);
            }
        }
    }
    for asset in assets {
        if let Some(status) = statuses.get(&asset.id) {
            asset.status = *status;
        }
    }
    ambiguous
}
