//! Decides which assets of a company are active: each machine once, from its highest-ranked source.

use std::collections::BTreeMap;

use super::identity::{Ambiguity, SharedSerials, match_assets};
use crate::model::{Asset, AssetId, AssetStatus, Source};

/// Sets the status of every asset of one company that its source lists: active, or superseded by the asset of a higher source that is the
/// same machine. Retired assets stay retired. Returns the ambiguous assets, which are kept, each with the reason.
///
/// The result depends only on the present assets, so an asset becomes active again once its superseding asset is retired.
pub fn reconcile(assets: &mut [Asset]) -> BTreeMap<AssetId, Ambiguity> {
    let Reconciled {
        statuses,
        ambiguous,
    } = reconciled(assets);
    for asset in assets {
        if let Some(status) = statuses.get(&asset.id) {
            asset.status = *status;
        }
    }
    ambiguous
}

/// The ambiguous assets of one company, which are all kept, each with the reason. Reads the assets as they are stored, and changes none.
#[must_use]
pub fn ambiguities(assets: &[Asset]) -> BTreeMap<AssetId, Ambiguity> {
    reconciled(assets).ambiguous
}

struct Reconciled {
    statuses: BTreeMap<AssetId, AssetStatus>,
    ambiguous: BTreeMap<AssetId, Ambiguity>,
}

fn reconciled(assets: &[Asset]) -> Reconciled {
    let is_present = |asset: &&Asset| asset.status != AssetStatus::Retired;
    let shared = SharedSerials::of(assets.iter().filter(is_present));
    let mut statuses = BTreeMap::new();
    let mut ambiguous: BTreeMap<AssetId, Ambiguity> = BTreeMap::new();
    let mut superseding: Vec<&Asset> = Vec::new();
    for source in Source::ALL {
        let of_source: Vec<_> = assets
            .iter()
            .filter(|asset| asset.source == source)
            .filter(is_present)
            .collect();
        let matches = match_assets(&of_source, &superseding, &shared);
        for (asset, why) in matches.ambiguous {
            ambiguous.entry(asset).or_insert(why);
        }
        for asset in of_source {
            let status = if let Some(by) = matches.pairs.get(&asset.id) {
                AssetStatus::Superseded { by: *by }
            } else {
                superseding.push(asset);
                AssetStatus::Active
            };
            statuses.insert(asset.id, status);
        }
    }
    Reconciled {
        statuses,
        ambiguous,
    }
}
