//! Organizations: the MSP's customers.

use serde::de::DeserializeOwned;

use super::{all, endpoint, group, methods, params};
use crate::{
    DeviceId, Error, LocationId, OrganizationId,
    models::{
        CustomFieldValues, Device, Location, LocationBackupUsage, Organization,
        OrganizationDetailed, User,
    },
    paging::{Pager, Walk},
    request::{Endpoint, Request},
};

group! {
    /// Organizations: the MSP's customers, with their locations, users and settings.
    Organizations, organizations
}

params! {
    /// Which organizations.
    OrganizationsParams = endpoint!("organizations.list" "/v2/organizations" ById);
    page_size 1000 in 1..=1000;
    {
        /// Resumes after this organization.
        after: OrganizationId = "after";
        /// Organization filter, in the vendor's undocumented syntax.
        filter: String = "of";
    }
}

const DETAILED: Endpoint = endpoint!("organizations.detailed" "/v2/organizations-detailed" ById);

params! {
    /// Which devices of an organization.
    OrganizationDevicesParams = endpoint!("organizations.devices" "/v2/organization/{id}/devices" ById);
    at (id: OrganizationId);
    page_size 1000 in 1..=1000;
    {
        /// Resumes after this device.
        after: DeviceId = "after";
    }
}

params! {
    /// Which end users of an organization.
    OrganizationEndUsersParams = endpoint!("organizations.end_users" "/v2/organization/{id}/end-users" Whole);
    at (id: OrganizationId);
    {}
    flags {
        /// Asks for the names of the users' roles.
        with_roles = "includeRoles" "true";
    }
}

params! {
    /// Which custom field values of a location.
    LocationCustomFieldsParams = endpoint!(
        "organizations.location_custom_fields" "/v2/organization/{id}/location/{locationId}/custom-fields" Single
    );
    at (id: OrganizationId, location: LocationId);
    {}
    flags {
        /// Asks for values that the location inherits, too.
        with_inheritance = "withInheritance" "true";
    }
}

methods! {
    Organizations {
        /// One organization with its locations, policies and settings.
        Single get(id: OrganizationId) -> OrganizationDetailed = "organizations.get" "/v2/organization/{id}";
        /// Custom field values of an organization.
        Single custom_fields(id: OrganizationId) -> CustomFieldValues
            = "organizations.custom_fields" "/v2/organization/{id}/custom-fields";
        /// Locations of an organization.
        Whole locations(id: OrganizationId) -> Location = "organizations.locations" "/v2/organization/{id}/locations";
        /// Sizes of the backups of each location of an organization.
        Whole backup_usage(id: OrganizationId) -> LocationBackupUsage
            = "organizations.backup_usage" "/v2/organization/{id}/locations/backup/usage";
        /// Sizes of the backups of one location.
        Single location_backup_usage(id: OrganizationId, location: LocationId) -> LocationBackupUsage
            = "organizations.location_backup_usage" "/v2/organization/{id}/locations/{locationId}/backup/usage";
    }
}

all! {
    PLAIN;
    OrganizationsParams::ENDPOINT,
    DETAILED,
    OrganizationDevicesParams::ENDPOINT,
    OrganizationEndUsersParams::ENDPOINT,
    LocationCustomFieldsParams::ENDPOINT,
}

impl OrganizationsParams {
    /// The request for the first page of the detailed list, without I/O.
    #[must_use]
    pub fn request_detailed(&self) -> Request {
        self.fill(Request::new(DETAILED))
    }

    fn walk<T: PartialEq + DeserializeOwned>(&self, id_of: fn(&T) -> Option<i64>) -> Walk<T> {
        Walk::by_id(self.after.map(OrganizationId::get), self.page_rows(), id_of)
    }
}

impl Organizations<'_> {
    /// All organizations, by id.
    pub fn list(self, params: OrganizationsParams) -> Pager<Organization> {
        self.0.pager(
            params.request(),
            params.walk(|row: &Organization| row.id.map(OrganizationId::get)),
        )
    }

    /// All organizations with locations, policies and settings, by id.
    pub fn detailed(self, params: OrganizationsParams) -> Pager<OrganizationDetailed> {
        let walk = params.walk(|row: &OrganizationDetailed| row.id.map(OrganizationId::get));
        self.0.pager(params.request_detailed(), walk)
    }

    /// Devices of one organization in short, by id.
    pub fn devices(self, id: OrganizationId, params: OrganizationDevicesParams) -> Pager<Device> {
        let after = params.after.map(DeviceId::get);
        let walk = Walk::by_id(after, params.page_rows(), |row: &Device| {
            row.id.map(DeviceId::get)
        });
        self.0.pager(params.request(id), walk)
    }

    /// End users of one organization.
    pub fn end_users(self, id: OrganizationId, params: OrganizationEndUsersParams) -> Pager<User> {
        self.0.pager(params.request(id), Walk::Whole)
    }

    /// Custom field values of one location.
    ///
    /// # Errors
    /// As every request: see [`ErrorKind`](crate::ErrorKind).
    pub async fn location_custom_fields(
        self,
        id: OrganizationId,
        location: LocationId,
        params: LocationCustomFieldsParams,
    ) -> Result<CustomFieldValues, Error> {
        self.0.single(&params.request(id, location)).await
    }
}
