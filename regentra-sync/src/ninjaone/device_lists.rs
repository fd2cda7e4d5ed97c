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
        PartEnd, PartOutcome, PartReader, Spending, devices_of, lacks_many, left_over,
        read_by_halves,
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
    /// A row of the organization. Over the ceiling no further device is taken, and the list is truncated.
    pub(super) fn observe(&mut self, id: DeviceId, row: &Device, ceiling: usize) {
        if self.own.len() >= ceiling && !self.own.contains_key(&id) {
            self.list.truncated = true;
            return;
        }
        let listed = Listed::of(row);
        // It may be approved: it stays, and the list cannot say that others are gone.
        self.list.malformed_rows += u64::from(row.unreadable.contains(APPROVAL_STATUS));
        // A device that is listed twice is what its newest row says.
        let known = self.own.get(&id);
        if known.is_none_or(|known| known.rank() < listed.rank()) {
            self.own.insert(id, listed);
        }
    }

    /// Its Entra device id, if it is a device of this organization.
    fn identify(&mut self, device: DeviceId, entra_device_id: &str) {
        if let Some(listed) = self.own.get_mut(&device) {
            listed.content.entra_device_id = Some(Sensitive::new(entra_device_id));
        }
    }

    /// The ids that were read for this organization alone.
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

/// What a walk over the custom field of Entra device ids found.
pub(super) struct EntraDeviceIds {
    pub(super) ids: Vec<(DeviceId, String)>,
    pub(super) requests: u64,
    pub(super) malformed_rows: u64,
    /// Ids could not all be read: what is not said leaves a device with the id that it had.
    pub(super) unsure: bool,
}

/// Reads the custom field of Entra device ids. What is not said, because a row does not decode or the tenant does not give the
/// report, is unsure.
///
/// # Errors
/// Of the report.
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
            // Nobody can say whose such a row is, or what it says.
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
    /// Whether the list of organizations is honoured, as far as is known.
    habit: OrganizationListHabit,
    counts: GroupCounts,
}

/// Reads them.
///
/// # Errors
/// Of the checkpoint alone.
pub(super) async fn read_device_lists(
    client: &Client,
    request: DeviceListsRequest<'_>,
) -> Result<DeviceLists> {
    let organizations = request.organizations;
    let habit = request.organization_list.get(&Report::Devices).copied();
    let places = organizations.iter().enumerate();
    let mut lists = Lists {
        client,
        members: organizations.iter().map(|_| Member::Waiting).collect(),
        by_organization: places.map(|(place, (id, _))| (*id, place)).collect(),
        request,
        habit: habit.unwrap_or_default(),
        counts: GroupCounts::default(),
    };
    let mut spending = Spending {
        // As much as reading every organization alone.
        left: 2 * organizations.len() as u64 + 20,
        requests: 0,
        read_again: 0,
        failures: 0,
        checkpoint: request.checkpoint,
    };
    let everybody: Vec<_> = (0..organizations.len()).collect();
    let together = lists.habit.is_usable();
    read_by_halves(&mut lists, everybody, together, &mut spending).await?;
    if let Some(field) = request.entra_device_id_field {
        let listed = lists.listed();
        let mut reader = EntraField::new(&mut lists, field.as_str());
        read_by_halves(&mut reader, listed, together, &mut spending).await?;
        for (member, error) in reader.failed {
            lists.set(member, Member::Failed(error.into()));
        }
    }
    lists.counts.requests = spending.requests;
    lists.counts.read_again = spending.read_again;
    lists
        .counts
        .organization_list
        .insert(Report::Devices, lists.habit);
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

    fn number(&mut self, member: usize) -> Option<usize> {
        self.listing(member).map(|listing| listing.own.len())
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
                        self.habit = self.habit.max(OrganizationListHabit::Refused);
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
                // Alone, what follows need not be read.
                if listing.list.truncated && part.len() == 1 {
                    break 'walk None;
                }
            }
        };
        let requests = u64::from(pages.pages_so_far());
        let is_whole = end.is_some_and(Completeness::is_complete);
        if foreign > 0 && part.len() > 1 {
            self.habit = self.habit.max(OrganizationListHabit::Ignored);
        }
        self.counts.foreign_rows += foreign;
        let mut ended = PartEnd::new(requests, PartOutcome::Whole);
        if (lost > 0 || !is_whole) && part.len() > 1 {
            ended.outcome = PartOutcome::Lossy;
        }
        let is_unknown = self.habit == OrganizationListHabit::Unknown && part.len() > 1;
        // Nobody knows yet whether the list is honoured: whatever has no device is read alone, and the one that has most.
        let most = read.iter().filter(|(_, listing)| !listing.own.is_empty());
        let most = most.max_by_key(|(_, listing)| listing.own.len());
        let sample = most.map(|(member, _)| *member).filter(|_| is_unknown);
        for (member, mut listing) in read {
            listing.list.malformed_rows += lost;
            listing.list.foreign_rows = if part.len() == 1 { foreign } else { 0 };
            listing.list.requests = if part.len() == 1 { requests } else { 0 };
            listing.list.truncated |= !is_whole;
            let known = self
                .request
                .organizations
                .get(member)
                .map_or(0, |(_, known)| *known);
            // It has none, or lost many at once: alone it may have more.
            let own = listing.own.len() as u64;
            let is_short = lacks_many(own, known) || (own == 0 && is_unknown);
            if part.len() > 1 && (is_short || sample == Some(member)) {
                ended.look_again.push(member);
            }
            self.set(member, Member::Listed(Box::new(listing)));
        }
        if let ([member], [Some(before)]) = (part, before.as_slice())
            && let Some(has) = self.number(*member).filter(|_| is_whole)
        {
            // Alone it has more than among others: the list leaves some out.
            ended.leaves_out = has > *before;
            let habit = if ended.leaves_out {
                OrganizationListHabit::LeavesOut
            } else {
                OrganizationListHabit::Honoured
            };
            if has > 0 {
                self.habit = self.habit.max(habit);
            }
        }
        ended
    }

    /// A list that was to be looked at twice, and was not, retires nothing.
    fn give_up(&mut self, part: &[usize]) {
        for member in part {
            if let Some(Member::Listed(listing)) = self.members.get_mut(*member) {
                listing.list.truncated = true;
            }
        }
    }
}

/// The custom field of Entra device ids.
struct EntraField<'p, 'r> {
    lists: &'p mut Lists<'r>,
    field: &'p str,
    of_device: HashMap<DeviceId, usize>,
    failed: BTreeMap<usize, ninjaone_client::Error>,
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
        }
    }
}

#[async_trait]
impl PartReader for EntraField<'_, '_> {
    async fn read(&mut self, part: &[usize]) -> PartEnd {
        let filter = self.lists.filter(part);
        let read = match read_entra_device_ids(self.lists.client, filter, self.field).await {
            Ok(read) => read,
            Err(error) => {
                let kind = error.kind();
                self.failed
                    .extend(part.iter().map(|member| (*member, error.clone())));
                return PartEnd::new(1, PartOutcome::Failed(kind));
            }
        };
        for member in part {
            self.failed.remove(member);
            if let Some(listing) = self.lists.listing(*member) {
                // Read for many, a row that is lost may be anybody's.
                listing.list.entra_device_ids_unsure = read.unsure;
                if part.len() == 1 {
                    listing.list.malformed_rows += read.malformed_rows;
                    listing.list.requests += read.requests;
                }
            }
        }
        for (device, id) in &read.ids {
            let member = self.of_device.get(device);
            let member = member.filter(|member| part.binary_search(member).is_ok());
            if let Some(listing) = member.and_then(|member| self.lists.listing(*member)) {
                listing.identify(*device, id);
            }
        }
        let outcome = if read.malformed_rows > 0 {
            PartOutcome::Lossy
        } else {
            PartOutcome::Whole
        };
        PartEnd::new(read.requests.max(1), outcome)
    }

    fn give_up(&mut self, _part: &[usize]) {}
}
