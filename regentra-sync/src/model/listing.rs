//! Lists that NinjaOne returns: the organizations of a tenant, and the devices of an organization.

use ninjaone_client::{DeviceId, OrganizationId};
use time::OffsetDateTime;

use super::{asset::AssetContent, sensitive::Sensitive};

/// The organizations of a tenant.
#[derive(Clone, Debug, Default)]
pub struct OrganizationList {
    /// The organizations.
    pub organizations: Vec<ListedOrganization>,
    /// The list was cut at the ceiling.
    pub truncated: bool,
    /// Rows that do not say which organization they are. Each counts as one more organization that the credentials see.
    pub malformed_rows: u64,
    /// Requests made.
    pub requests: u64,
}

impl OrganizationList {
    /// The list without NUL characters, which some stores cannot keep.
    pub(crate) fn strip_nul(mut self) -> Self {
        for organization in &mut self.organizations {
            organization.name.drop_nul();
        }
        self
    }

    /// How many organizations the credentials see: those with an id, and those whose row could not be read.
    #[must_use]
    pub fn visible(&self) -> u64 {
        self.organizations.len() as u64 + self.malformed_rows
    }

    /// Whether the list is complete: an organization that is not in it does not exist.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.truncated && self.malformed_rows == 0
    }
}

/// One organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOrganization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name; empty if it has no readable name.
    pub name: Sensitive,
}

/// The devices of one organization.
#[derive(Clone, Debug, Default)]
pub struct DeviceList {
    /// The approved devices, each once.
    pub devices: Vec<ListedDevice>,
    /// The list was cut at the ceiling.
    pub truncated: bool,
    /// Rows of other organizations, dropped.
    pub foreign_rows: u64,
    /// Rows that did not decode, or that name no organization.
    pub malformed_rows: u64,
    /// Not all Entra device ids could be read. An asset whose device has none in this list keeps its stored id.
    pub entra_device_ids_unsure: bool,
    /// Requests made.
    pub requests: u64,
}

impl DeviceList {
    /// The list without NUL characters, which some stores cannot keep.
    pub(crate) fn strip_nul(mut self) -> Self {
        for device in &mut self.devices {
            device.content.drop_nul();
        }
        self
    }

    /// Whether the list is complete: a device that is not in it is not in the organization.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.truncated && self.malformed_rows == 0
    }
}

/// One approved device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// NinjaOne's id of the device.
    pub id: DeviceId,
    /// The content of its asset.
    pub content: AssetContent,
    /// When it was seen.
    pub contact: LastContact,
}

/// When a device was seen. These times distinguish a machine that was set up again from its old record. They change from hour to hour and
/// are not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastContact {
    /// When NinjaOne created the device's record.
    pub created: Option<OffsetDateTime>,
    /// When it last made contact.
    pub last: Option<OffsetDateTime>,
    /// Whether it is offline; `None` if the list does not say.
    pub offline: Option<bool>,
}
