//! Which rows one asset sync of one organization changes.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::{identity::serial_key, reconcile::reconcile};
use crate::{
    model::{
        Asset, AssetId, AssetStatus, CompanyId, CredentialId, DeviceList, ExternalId, LastContact,
        MappingId, Sensitive, Source, SyncCounts, Version, is_ahead,
    },
    store::AssetWrite,
};

/// A list is suspiciously short only if at least this many assets are missing at once. Fewer are retired immediately.
const SUSPECT_SHRUNK_FROM: usize = 5;

/// A list is suspiciously short only if also more than one asset in this many is missing.
const SUSPECT_SHRUNK_ONE_IN: usize = 5;

/// The organization whose devices were listed.
#[derive(Clone, Copy, Debug)]
pub struct SyncTarget {
    /// The credential.
    pub credential: CredentialId,
    /// The mapping.
    pub mapping: MappingId,
    /// The company.
    pub company: CompanyId,
    /// The connection sees only a part of the tenant ([`TenantView::Part`](crate::model::TenantView::Part)). Assets that it does not list
    /// are held.
    pub partial_view: bool,
}

/// The changes of one sync.
#[derive(Clone, Debug, Default)]
pub struct SyncPlan {
    /// The rows to write; empty when nothing changed.
    pub writes: Vec<AssetWrite>,
    /// The counts of the sync.
    pub counts: SyncCounts,
    /// The list was complete and empty although assets exist. They are held.
    pub suspect_empty: bool,
    /// The list was complete, but more than a fifth of the assets, and at least five, were missing at once. They are held until the next
    /// complete list lacks them, too.
    pub suspect_shrunk: bool,
}

/// Plans one sync.
///
/// `existing` holds all assets of the target's company, all assets of the listed devices in any company, and all assets of those companies.
///
/// - A listed device is written if it is new, has changed, is listed again, or was in another organization until now.
/// - A device that is not listed is retired, but only after a complete list (not cut at its ceiling, and without a row that did not
///   decode), and only if the connection is not known to see only a part of the tenant. If the list is empty although assets exist, they
///   are held. If more than a fifth of the assets, and at least five, are missing at once, they are held, too, and marked
///   ([`Asset::missing_since`]); the next complete list that lacks them retires them. A device that moved to an organization whose list
///   cannot be read is retired, and the same row becomes active again with the first response that lists it.
/// - Then every affected company is reconciled: if a machine is in several sources, the asset of the highest source counts.
/// - An unchanged row is not written, unless its times lie in the future because a clock that ran ahead wrote it.
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
    for asset in after.values_mut() {
        drop_times_ahead(asset, now);
    }
    let mut companies = BTreeSet::from([target.company]);
    let mut counts = SyncCounts {
        listed: list.devices.len() as u64,
        foreign_rows: list.foreign_rows,
        malformed_rows: list.malformed_rows,
        ..SyncCounts::default()
    };
    let listed = take_listed(target, list, now, &mut after, &mut companies);
    for (id, duplicate_of) in possible_duplicates(&after, &listed) {
        counts.possible_duplicates += u64::from(duplicate_of.is_some());
        if let Some(asset) = after.get_mut(&id) {
            asset.possible_duplicate_of = duplicate_of;
        }
    }

    // The fifth is a share of the assets before this sync, so new devices do not compensate for missing ones.
    let is_ours = |asset: &Asset| {
        asset.source == Source::Ninjaone
            && asset.mapping == Some(target.mapping)
            && asset.status == AssetStatus::Active
    };
    let known = before.values().filter(|asset| is_ours(asset)).count();
    let unlisted: Vec<_> = after
        .values_mut()
        .filter(|asset| is_ours(asset) && !listed.contains_key(&asset.id))
        .collect();
    let may_retire = list.is_complete() && !target.partial_view;
    let suspect_empty = may_retire && list.devices.is_empty() && !unlisted.is_empty();
    let gone_at_once = unlisted
        .iter()
        .filter(|asset| asset.missing_since.is_none())
        .count();
    let suspect_shrunk = may_retire
        && !suspect_empty
        && gone_at_once >= SUSPECT_SHRUNK_FROM
        && gone_at_once * SUSPECT_SHRUNK_ONE_IN > known;
    for asset in unlisted {
        if !may_retire || suspect_empty {
            counts.held += 1;
        } else if suspect_shrunk && asset.missing_since.is_none() {
            counts.held += 1;
            asset.missing_since = Some(now);
        } else {
            asset.status = AssetStatus::Retired;
            asset.missing_since = None;
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
        suspect_shrunk,
    }
}

/// Times that a clock that ran ahead stamped are ignored: the row is written with the present time instead.
fn drop_times_ahead(asset: &mut Asset, now: OffsetDateTime) {
    for time in [&mut asset.created_at, &mut asset.updated_at] {
        if is_ahead(*time, now) {
            *time = now;
        }
    }
    asset.missing_since = asset.missing_since.filter(|since| !is_ahead(*since, now));
}

/// Adds the listed devices to `assets`, and the companies that they are or were in to `companies`, which are reconciled later. Returns the
/// listed assets, each with the times at which its device was seen.
fn take_listed(
    target: SyncTarget,
    list: &DeviceList,
    now: OffsetDateTime,
    assets: &mut BTreeMap<AssetId, Asset>,
    companies: &mut BTreeSet<CompanyId>,
) -> BTreeMap<AssetId, LastContact> {
    let mut listed = BTreeMap::new();
    for device in &list.devices {
        let id = AssetId::of_device(target.credential, device.id);
        listed.insert(id, device.contact);
        let asset = assets.entry(id).or_insert_with(|| Asset {
            id,
            company: target.company,
            source: Source::Ninjaone,
            credential: Some(target.credential),
            mapping: Some(target.mapping),
            external_id: ExternalId::Device(device.id),
            status: AssetStatus::Active,
            content: device.content.clone(),
            missing_since: None,
            possible_duplicate_of: None,
            version: Version::default(),
            created_at: now,
            updated_at: now,
        });
        companies.insert(asset.company);
        asset.company = target.company;
        asset.mapping = Some(target.mapping);
        asset.status = AssetStatus::Active;
        asset.missing_since = None;
        let mut content = device.content.clone();
        if list.entra_device_ids_unsure && content.entra_device_id.is_none() {
            content
                .entra_device_id
                .clone_from(&asset.content.entra_device_id);
        }
        asset.content = content;
    }
    listed
}

/// For every listed device that is offline, the newest record with the same serial number, if it appeared after this device was last seen.
/// Without a time on either side, there is no duplicate.
fn possible_duplicates(
    assets: &BTreeMap<AssetId, Asset>,
    listed: &BTreeMap<AssetId, LastContact>,
) -> Vec<(AssetId, Option<AssetId>)> {
    let serial = |id: &AssetId| {
        let content = &assets.get(id)?.content;
        serial_key(content.serial_number.as_ref().map(Sensitive::as_str)?)
    };
    let mut newest: BTreeMap<String, (OffsetDateTime, AssetId)> = BTreeMap::new();
    for (id, contact) in listed {
        if let (Some(serial), Some(created)) = (serial(id), contact.created) {
            let record = (created, *id);
            newest
                .entry(serial)
                .and_modify(|known| *known = record.max(*known))
                .or_insert(record);
        }
    }
    let duplicate_of = |id: &AssetId, contact: &LastContact| {
        let (created, newer) = *newest.get(&serial(id)?)?;
        let is_gone = contact.offline == Some(true) && contact.last? <= created;
        (newer != *id && is_gone).then_some(newer)
    };
    listed
        .iter()
        .map(|(id, contact)| (*id, duplicate_of(id, contact)))
        .collect()
}

fn count(counts: &mut SyncCounts, was: Option<&Asset>, is: &Asset) {
    let counter = match was {
        None => &mut counts.created,
        // A row of which only marks or times changed (held, possible duplicate, corrected times) is not counted here.
        Some(was)
            if was.status == is.status
                && was.content == is.content
                && was.mapping == is.mapping =>
        {
            return;
        }
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

#[cfg(test)]
mod tests;
