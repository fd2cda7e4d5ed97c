//! What NinjaOne lists: the organizations of a tenant, and the devices of an organization.

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
    /// Rows that do not say which organization they are. Each is one more organization that the credentials see.
    pub malformed_rows: u64,
    /// Requests made.
    pub requests: u64,
}

impl OrganizationList {
    /// The list as stores can keep it.
    pub(crate) fn strip_nul(mut self) -> Self {
        for organization in &mut self.organizations {
            organization.name.drop_nul();
        }
        self
    }

    /// How many organizations the credentials see: those that are named by their id, and those whose row could not be read.
    #[must_use]
    pub fn visible(&self) -> u64 {
        self.organizations.len() as u64 + self.malformed_rows
    }

    /// Whether an organization that is not in the list does not exist.
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
    /// Its name; empty when it has none that can be read.
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
    /// Rows that did not decode, or do not say whose they are.
    pub malformed_rows: u64,
    /// Entra device ids could not all be read: a device without one keeps the one it had.
    pub entra_device_ids_unsure: bool,
    /// Requests made.
    pub requests: u64,
}

impl DeviceList {
    /// The list as stores can keep it.
    pub(crate) fn strip_nul(mut self) -> Self {
        for device in &mut self.devices {
            device.content.drop_nul();
        }
        self
    }

    /// Whether a device that is not in the list is not in the organization.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.truncated && self.malformed_rows == 0
    }
}

/// One approved device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// NinjaOne's id of it.
    pub id: DeviceId,
    /// What the asset says of it.
    pub content: AssetContent,
    /// When it was seen.
    pub contact: Contact,
}

/// When a device was seen: what tells a machine that was set up anew from its old record. Changes from hour to hour, and is not
/// stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// When NinjaOne first knew it.
    pub created: Option<OffsetDateTime>,
    /// When it last made contact.
    pub last: Option<OffsetDateTime>,
    /// Whether it is offline, where the list says so.
    pub offline: Option<bool>,
}
