//! Which rows one asset sync of one organization changes.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::reconcile::reconcile;
use crate::{
    AssetId, CompanyId, CredentialId, MappingId,
    asset::{Asset, AssetStatus, Source},
    audit::SyncCounts,
    id::Version,
    ninjaone::DeviceList,
    store::AssetWrite,
};

/// Whose devices were listed.
#[derive(Clone, Copy, Debug)]
pub struct SyncTarget {
    /// With which credential.
    pub credential: CredentialId,
    /// Through which mapping.
    pub mapping: MappingId,
    /// For which company.
    pub company: CompanyId,
}

/// What one sync changes.
#[derive(Clone, Debug, Default)]
pub struct SyncPlan {
    /// The rows to write; empty when nothing changed.
    pub writes: Vec<AssetWrite>,
    /// What was counted.
    pub counts: SyncCounts,
    /// The list was complete and empty while assets exist: they are held.
    pub suspect_empty: bool,
}

/// Plans one sync.
///
/// `existing` are all assets of the target's company, all assets of the listed devices wherever they are, and all assets of the
/// companies those are in.
///
/// - A listed device that is new, changed, back, or in another organization until now is written.
/// - A device that is not listed is retired, but only after a complete list, and never when the list is empty while assets
///   exist. One that moved to an organization that does not answer is retired once, and the same row is active again with the
///   first answer that lists it.
/// - Then every company touched is reconciled: of a machine in several sources the highest counts.
/// - A row that comes out as it was is not written.
#[must_use]
pub fn sync_plan(
    target: SyncTarget,
    list: &DeviceList,
    existing: Vec<Asset>,
    now: OffsetDateTime,
) -> SyncPlan {
    let before: BTreeMap<AssetId, Asset> = existing
        .into_iter()
        .map(|asset| (asset.id, asset))
        .collect();
    let mut after = before.clone();
    let mut companies = BTreeSet::from([target.company]);
    let mut listed = BTreeSet::new();
    let mut counts = SyncCounts {
        listed: list.devices.len() as u64,
        foreign_rows: list.foreign_rows,
        malformed_rows: list.malformed_rows,
        ..SyncCounts::default()
    };
    for device in &list.devices {
        let external_id = device.id.to_string();
        let id = AssetId::of_device(target.credential, &external_id);
        listed.insert(id);
        let asset = after.entry(id).or_insert_with(|| Asset {
            id,
            company: target.company,
            source: Source::Ninjaone,
            credential: Some(target.credential),
            mapping: Some(target.mapping),
            external_id,
            status: AssetStatus::Active,
            content: device.content.clone(),
            version: Version::default(),
            created_at: now,
            updated_at: now,
        });
        companies.insert(asset.company);
        asset.company = target.company;
        asset.mapping = Some(target.mapping);
        asset.status = AssetStatus::Active;
        let mut content = device.content.clone();
        if list.entra_device_ids_unsure && content.entra_device_id.is_none() {
            content
                .entra_device_id
                .clone_from(&asset.content.entra_device_id);
        }
        if asset.content.hash() != content.hash() {
            asset.content = content;
        }
    }

    let is_ours = |asset: &&mut Asset| {
        asset.source == Source::Ninjaone
            && asset.mapping == Some(target.mapping)
            && asset.status == AssetStatus::Active
    };
    let unlisted: Vec<_> = after
        .values_mut()
        .filter(is_ours)
        .filter(|asset| !listed.contains(&asset.id))
        .collect();
    let suspect_empty = list.is_complete() && list.devices.is_empty() && !unlisted.is_empty();
    if list.is_complete() && !suspect_empty {
        for asset in unlisted {
            asset.status = AssetStatus::Retired;
        }
    }

    for company in companies {
        let mut of_company: Vec<_> = after
            .values()
            .filter(|asset| asset.company == company)
            .cloned()
            .collect();
        counts.ambiguous += reconcile(&mut of_company).len() as u64;
        after.extend(of_company.into_iter().map(|asset| (asset.id, asset)));
    }

    let mut writes = Vec::new();
    for (id, mut asset) in after {
        let was = before.get(&id);
        if was == Some(&asset) {
            continue;
        }
        count(&mut counts, was, &asset);
        asset.version = was.map_or(Version::FIRST, |was| was.version.next());
        asset.updated_at = now;
        writes.push(AssetWrite {
            asset,
            expected: was.map(|was| was.version),
        });
    }
    SyncPlan {
        writes,
        counts,
        suspect_empty,
    }
}

fn count(counts: &mut SyncCounts, was: Option<&Asset>, is: &Asset) {
    let counter = match was {
        None => &mut counts.created,
        Some(was) if was.source != Source::Ninjaone => match is.status {
            AssetStatus::Superseded { .. } => &mut counts.superseded,
            AssetStatus::Active | AssetStatus::Retired => &mut counts.restored,
        },
        Some(was) if was.mapping != is.mapping => &mut counts.moved,
        Some(_) if is.status == AssetStatus::Retired => &mut counts.retired,
        Some(_) => &mut counts.updated,
    };
    *counter += 1;
}
