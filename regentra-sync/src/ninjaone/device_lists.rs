//! The device lists of many organizations in one pass, as asset sync needs them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use ninjaone_client::{
    Client, Completeness, DeviceFilter, DeviceId, ErrorKind as Vendor, OrganizationId,
    models::Device, queries::CustomFieldsParams,
};

use super::{
    facts::asset::{self, APPROVAL_STATUS, Listed},
    group::{DeviceLists, DeviceListsRequest, GroupCounts},
    halves::{
        LOOKED_AT, MOST_OF_NO_LIST, PartEnd, PartOutcome, PartReader, Spending, devices_of,
        lacks_many, largest, left_over, read_by_halves, spread_over,
    },
    reading,
    reports::detailed_devices,
};
use crate::{
    error::{Error, Result},
    model::{DeviceList, ListedDevice, OrganizationListHabit, Report, Sensitive},
};

/// The devices of one organization, while they are read.
#[derive(Default)]
pub(super) struct Listing {
    own: BTreeMap<DeviceId, Listed>,
    pub(super) list: DeviceList,
}

impl Listing {
    /// Adds a row of the organization. Beyond the ceiling, no further device is added, and the list is truncated.
    pub(super) fn observe(&mut self, id: DeviceId, row: &Device, ceiling: usize) {
        if self.own.len() >= ceiling && !self.own.contains_key(&id) {
            self.list.truncated = true;
            return;
        }
        let listed = Listed::of(row);
        // The device may be approved, so it is kept, and the list counts as incomplete.
        self.list.malformed_rows += u64::from(row.unreadable.contains(APPROVAL_STATUS));
        // If a device is listed twice, its newest row counts.
        let known = self.own.get(&id);
        if known.is_none_or(|known| known.rank() < listed.rank()) {
            self.own.insert(id, listed);
        }
    }

    /// The number of approved devices.
    fn approved(&self) -> u64 {
        let approved = self.own.values().filter(|listed| listed.approved);
        approved.count() as u64
    }

    /// Whether this is an approved device of the organization.
    fn has_approved(&self, device: DeviceId) -> bool {
        self.own.get(&device).is_some_and(|listed| listed.approved)
    }

    /// Sets a device's Entra device id, if the device belongs to this organization.
    fn identify(&mut self, device: DeviceId, entra_device_id: &str) {
        if let Some(listed) = self.own.get_mut(&device) {
            listed.content.entra_device_id = Some(Sensitive::new(entra_device_id));
        }
    }

    /// Sets the ids that were read for this organization alone.
    pub(super) fn identify_all(&mut self, read: EntraDeviceIds) {
        self.list.requests += read.requests;
        self.list.malformed_rows += read.malformed_rows;
        self.list.entra_device_ids_unsure |= read.unsure;
        for (device, id) in read.ids {
            self.identify(device, &id);
        }
    }

    pub(super) fn finish(mut self) -> DeviceList {
        let approved = self.own.into_iter().filter(|(_, listed)| listed.approved);
        self.list.devices = approved
            .map(|(id, listed)| ListedDevice {
                id,
                content: listed.content,
                contact: listed.contact,
            })
            .collect();
        self.list
    }
}

/// The result of a walk over the custom field of Entra device ids.
pub(super) struct EntraDeviceIds {
    pub(super) ids: Vec<(DeviceId, String)>,
    pub(super) requests: u64,
    pub(super) malformed_rows: u64,
    /// Not all ids could be read. A device without an id in this result keeps its stored id.
    pub(super) unsure: bool,
}

/// Reads the custom field of Entra device ids. If a row does not decode, or the tenant does not provide the report, the result is unsure.
///
/// # Errors
/// The errors of the report.
pub(super) async fn read_entra_device_ids(
    client: &Client,
    filter: DeviceFilter,
    field: &str,
) -> std::result::Result<EntraDeviceIds, ninjaone_client::Error> {
    let params = CustomFieldsParams::default().filter(filter).fields([field]);
    let mut pages = client.queries().custom_fields(params);
    reading::note(&pages);
    let mut read = EntraDeviceIds {
        ids: Vec::new(),
        requests: 0,
        malformed_rows: 0,
        unsure: false,
    };
    loop {
        let page = match pages.next_page().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(read),
            Err(error) if error.kind() == Vendor::NotAvailable => {
                read.unsure = true;
                return Ok(read);
            }
            Err(error) => return Err(error),
        };
        read.requests += 1;
        read.malformed_rows += page.malformed.len() as u64;
        read.unsure |= !page.malformed.is_empty();
        for row in &page.rows {
            // A row without a device id cannot be assigned to a device.
            let Some(id) = row.device_id else {
                read.malformed_rows += 1;
                read.unsure = true;
                continue;
            };
            read.unsure |= row.unreadable.contains("fields");
            let value = row.fields.as_ref().and_then(|fields| fields.get(field));
            let text = value.and_then(asset::custom_field_text);
            if let Some(text) = text.filter(|text| asset::is_an_id(text)) {
                read.ids.push((id, text.to_owned()));
            }
        }
    }
}

/// One organization of the pass.
enum Member {
    Waiting,
    Listed(Box<Listing>),
    Failed(Error),
}

/// The pass.
struct Lists<'r> {
    client: &'r Client,
    request: DeviceListsRequest<'r>,
    members: Vec<Member>,
    by_organization: HashMap<OrganizationId, usize>,
    /// Whether each report honours lists of organizations, as far as known.
    habits: BTreeMap<Report, OrganizationListHabit>,
    counts: GroupCounts,
}

/// Reads the device lists of the request.
///
/// # Errors
/// Only the errors of the checkpoint.
pub(super) async fn read_device_lists(
    client: &Client,
    request: DeviceListsRequest<'_>,
) -> Result<DeviceLists> {
    let organizations = request.organizations;
    let places = organizations.iter().enumerate();
    let mut lists = Lists {
        client,
        members: organizations.iter().map(|_| Member::Waiting).collect(),
        by_organization: places.map(|(place, (id, _))| (*id, place)).collect(),
        request,
        habits: request.organization_list.clone(),
        counts: GroupCounts::default(),
    };
    let mut spending = Spending {
        // About the cost of reading every organization alone.
        left: 2 * organizations.len() as u64 + 20,
        requests: 0,
        read_again: 0,
        failures: 0,
        checkpoint: request.checkpoint,
    };
    let everybody: Vec<_> = (0..organizations.len()).collect();
    let together = lists.habit(Report::Devices).is_usable();
    read_by_halves(&mut lists, everybody, together, &mut spending).await?;
    if let Some(field) = request.entra_device_id_field {
        let listed = lists.listed();
        // If the device list does not honour a list of organizations, no other report is trusted to honour one.
        let mut reader = EntraField::new(&mut lists, field.as_str());
        let together = reader.may_list();
        read_by_halves(&mut reader, listed, together, &mut spending).await?;
        for (member, error) in reader.failed {
            lists.set(member, Member::Failed(error.into()));
        }
    }
    lists.counts.requests = spending.requests;
    lists.counts.read_again = spending.read_again;
    lists.counts.organization_list = lists.habits;
    let finished = lists.members.into_iter().map(|member| match member {
        Member::Listed(listing) => Ok(listing.finish()),
        Member::Failed(error) => Err(error),
        Member::Waiting => Err(left_over()),
    });
    let of = request.organizations.iter().map(|(of, _)| *of);
    Ok(DeviceLists {
        lists: of.zip(finished).collect(),
        counts: lists.counts,
    })
}

impl Lists<'_> {
    fn filter(&self, part: &[usize]) -> DeviceFilter {
        let all = self.request.organizations;
        let organizations = part.iter().filter_map(|of| all.get(*of));
        let organizations: Vec<_> = organizations.map(|(id, _)| *id).collect();
        devices_of(&organizations)
    }

    fn habit(&self, report: Report) -> OrganizationListHabit {
        self.habits.get(&report).copied().unwrap_or_default()
    }

    /// Remembers how a report answered for a list of organizations. A worse habit replaces a better one, never the reverse.
    fn learn(&mut self, report: Report, habit: OrganizationListHabit) {
        let known = self.habits.entry(report).or_default();
        *known = (*known).max(habit);
    }

    /// Compares the rows that an organization has alone with the rows that it had in the group. If it had fewer in the group, the list
    /// leaves rows out.
    fn compare(&mut self, report: Report, among_others: u64, alone: u64) -> bool {
        let leaves_out = alone > among_others;
        if leaves_out {
            self.learn(report, OrganizationListHabit::LeavesOut);
        } else if alone > 0 {
            // An organization without rows does not show whether the list leaves out rows.
            self.learn(report, OrganizationListHabit::Honoured);
        }
        leaves_out
    }

    /// How many rows the last sync of an organization had.
    fn rows_before(&self, member: usize, report: Report) -> u64 {
        let of = self.request.organizations.get(member);
        let before = of.and_then(|(_, before)| before.as_ref());
        let rows = before.and_then(|rows| rows.get(&report));
        rows.copied().unwrap_or(0)
    }

    fn listed(&self) -> Vec<usize> {
        let members = self.members.iter().enumerate();
        let listed = members.filter(|(_, member)| matches!(member, Member::Listed(_)));
        listed.map(|(place, _)| place).collect()
    }

    fn listing(&mut self, member: usize) -> Option<&mut Listing> {
        match self.members.get_mut(member) {
            Some(Member::Listed(listing)) => Some(listing),
            _ => None,
        }
    }

    fn set(&mut self, member: usize, to: Member) {
        if let Some(place) = self.members.get_mut(member) {
            *place = to;
        }
    }

    /// The number of an organization's devices that become assets.
    fn number(&mut self, member: usize) -> Option<u64> {
        self.listing(member).map(|listing| listing.approved())
    }
}

#[async_trait]
impl PartReader for Lists<'_> {
    async fn read(&mut self, part: &[usize]) -> PartEnd {
        let ceiling = self.request.ceiling;
        let before: Vec<_> = part.iter().map(|member| self.number(*member)).collect();
        let mut pages = detailed_devices(self.client, self.filter(part));
        let mut read: BTreeMap<usize, Listing> = part
            .iter()
            .map(|member| (*member, Listing::default()))
            .collect();
        let (mut lost, mut foreign) = (0, 0);
        let end = 'walk: loop {
            let page = match pages.next_page().await {
                Ok(Some(page)) => page,
                Ok(None) => break pages.completeness(),
                Err(error) => {
                    let kind = error.kind();
                    for member in part {
                        self.set(*member, Member::Failed(error.clone().into()));
                    }
                    if kind == Vendor::InvalidRequest && part.len() > 1 {
                        self.learn(Report::Devices, OrganizationListHabit::Refused);
                    }
                    return PartEnd::new(
                        u64::from(pages.pages_so_far()) + 1,
                        PartOutcome::Failed(kind),
                    );
                }
            };
            lost += page.malformed.len() as u64;
            for row in &page.rows {
                let (Some(id), Some(organization)) = (row.id, row.organization_id) else {
                    lost += 1;
                    continue;
                };
                let member = self.by_organization.get(&organization);
                let listing = member.and_then(|member| read.get_mut(member));
                let Some(listing) = listing else {
                    foreign += 1;
                    continue;
                };
                listing.observe(id, row, ceiling);
                // If the organization is read alone, the rest of a truncated list need not be read.
                if listing.list.truncated && part.len() == 1 {
                    break 'walk None;
                }
            }
        };
        let requests = u64::from(pages.pages_so_far());
        let is_whole = end.is_some_and(Completeness::is_complete);
        if foreign > 0 && part.len() > 1 {
            self.learn(Report::Devices, OrganizationListHabit::Ignored);
        }
        self.counts.foreign_rows += foreign;
        let mut ended = PartEnd::new(requests, PartOutcome::Whole);
        if (lost > 0 || !is_whole) && part.len() > 1 {
            ended.outcome = PartOutcome::Lossy;
        }
        let is_unknown =
            self.habit(Report::Devices) != OrganizationListHabit::Honoured && part.len() > 1;
        // As long as it is unknown whether the list is honoured, organizations without a device are read alone, and so is the one with the
        // most devices.
        let most = read.iter().filter(|(_, listing)| !listing.own.is_empty());
        let most = most.max_by_key(|(_, listing)| listing.own.len());
        let sample = most.map(|(member, _)| *member).filter(|_| is_unknown);
        for (member, mut listing) in read {
            listing.list.malformed_rows += lost;
            listing.list.foreign_rows = if part.len() == 1 { foreign } else { 0 };
            listing.list.requests = if part.len() == 1 { requests } else { 0 };
            listing.list.truncated |= !is_whole;
            // It has no device, or fewer than before. Devices that are not listed are retired, so the organization is read alone first: it
            // may have more then.
            let own = listing.approved();
            let is_short =
                own < self.rows_before(member, Report::Devices) || (own == 0 && is_unknown);
            if part.len() > 1 && (is_short || sample == Some(member)) {
                ended.look_again.push(member);
            }
            self.set(member, Member::Listed(Box::new(listing)));
        }
        if let ([member], [Some(before)]) = (part, before.as_slice())
            && let Some(has) = self.number(*member).filter(|_| is_whole)
        {
            ended.leaves_out = self.compare(Report::Devices, *before, has);
        }
        ended
    }

    fn may_list(&self) -> bool {
        self.habit(Report::Devices).is_usable()
    }

    /// A list that had to be read again, and was not, retires nothing.
    fn give_up(&mut self, part: &[usize]) {
        for member in part {
            if let Some(Member::Listed(listing)) = self.members.get_mut(*member) {
                listing.list.truncated = true;
            }
        }
    }
}

/// Reads the custom field of Entra device ids.
struct EntraField<'p, 'r> {
    lists: &'p mut Lists<'r>,
    field: &'p str,
    of_device: HashMap<DeviceId, usize>,
    failed: BTreeMap<usize, ninjaone_client::Error>,
    /// Organizations that were read together, with the number of ids that they had then.
    looks: BTreeMap<usize, u64>,
}

impl<'p, 'r> EntraField<'p, 'r> {
    fn new(lists: &'p mut Lists<'r>, field: &'p str) -> Self {
        let mut of_device = HashMap::new();
        for (place, member) in lists.members.iter().enumerate() {
            if let Member::Listed(listing) = member {
                of_device.extend(listing.own.keys().map(|device| (*device, place)));
            }
        }
        Self {
            lists,
            field,
            of_device,
            failed: BTreeMap::new(),
            looks: BTreeMap::new(),
        }
    }

    /// The organizations that are read again, alone: those that lost their ids, or many of them, and a few others, as long as the report is
    /// not known to honour a list of organizations.
    fn doubtful(&mut self, ids: &BTreeMap<usize, u64>) -> Vec<usize> {
        let (mut doubtful, mut without) = (Vec::new(), Vec::new());
        for (member, number) in ids {
            let before = self.lists.rows_before(*member, Report::CustomFields);
            if lacks_many(*number, before) {
                doubtful.push(*member);
            } else if *number == 0 && self.lists.number(*member).is_some_and(|own| own > 0) {
                without.push(*member);
            }
        }
        if self.lists.habit(Report::CustomFields) != OrganizationListHabit::Honoured {
            doubtful.extend(spread_over(&without, LOOKED_AT));
            let with: Vec<_> = ids
                .keys()
                .copied()
                .filter(|of| ids.get(of) > Some(&0))
                .collect();
            doubtful.extend(largest(&with, ids));
        }
        doubtful
    }
}

#[async_trait]
impl PartReader for EntraField<'_, '_> {
    async fn read(&mut self, part: &[usize]) -> PartEnd {
        let filter = self.lists.filter(part);
        let is_alone = part.len() == 1;
        let read = match read_entra_device_ids(self.lists.client, filter, self.field).await {
            Ok(read) => read,
            Err(error) => {
                let kind = error.kind();
                self.failed
                    .extend(part.iter().map(|member| (*member, error.clone())));
                if kind == Vendor::InvalidRequest && !is_alone {
                    let refused = OrganizationListHabit::Refused;
                    self.lists.learn(Report::CustomFields, refused);
                }
                return PartEnd::new(1, PartOutcome::Failed(kind));
            }
        };
        for member in part {
            self.failed.remove(member);
            if let Some(listing) = self.lists.listing(*member) {
                // If many organizations are read at once, a lost row may belong to any of them.
                listing.list.entra_device_ids_unsure = read.unsure;
                if is_alone {
                    listing.list.malformed_rows += read.malformed_rows;
                    listing.list.requests += read.requests;
                }
            }
        }
        let mut ids: BTreeMap<_, _> = part.iter().map(|member| (*member, 0)).collect();
        let mut foreign = 0_u64;
        for (device, id) in &read.ids {
            let member = self.of_device.get(device);
            let Some((member, number)) =
                member.and_then(|member| Some((*member, ids.get_mut(member)?)))
            else {
                foreign += 1;
                continue;
            };
            if let Some(listing) = self.lists.listing(member) {
                *number += u64::from(listing.has_approved(*device));
                listing.identify(*device, id);
            }
        }
        let requests = read.requests.max(1);
        if read.malformed_rows > 0 {
            return PartEnd::new(requests, PartOutcome::Lossy);
        }
        let mut ended = PartEnd::new(requests, PartOutcome::Whole);
        if let ([member], true) = (part, !read.unsure) {
            let has = ids.get(member).copied().unwrap_or(0);
            if let Some(before) = self.looks.remove(member) {
                ended.leaves_out = self.lists.compare(Report::CustomFields, before, has);
            }
        } else if !is_alone && !read.unsure {
            let own: u64 = ids.values().sum();
            // Some devices that no list contains are usual.
            if foreign > own && foreign > MOST_OF_NO_LIST {
                self.lists
                    .learn(Report::CustomFields, OrganizationListHabit::Ignored);
            }
            ended.look_again = self.doubtful(&ids);
            self.looks.extend(ids);
        }
        ended
    }

    fn may_list(&self) -> bool {
        self.lists.habit(Report::Devices).is_usable()
            && self.lists.habit(Report::CustomFields).is_usable()
    }

    /// If a result had to be read again, and was not, devices without an id in it keep their stored id.
    fn give_up(&mut self, part: &[usize]) {
        for member in part {
            if let Some(listing) = self.lists.listing(*member) {
                listing.list.entra_device_ids_unsure = true;
            }
        }
    }
}
