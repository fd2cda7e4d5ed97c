//! Organizations: the MSP's customers.

use super::{endpoint, group, params};
use crate::OrganizationId;
use crate::models::{Organization, OrganizationDetailed};
use crate::paging::{Pager, Walk};
use crate::request::{Endpoint, Request};

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
    }
}

const DETAILED: Endpoint = endpoint!("organizations.detailed" "/v2/organizations-detailed" ById);

impl OrganizationsParams {
    /// The request for the first page of the detailed list, without I/O.
    #[must_use]
    pub fn request_detailed(&self) -> Request {
        self.fill(Request::new(DETAILED))
    }
}

impl Organizations<'_> {
    /// All organizations, by id.
    pub fn list(&self, params: OrganizationsParams) -> Pager<Organization> {
        let walk = Walk::by_id(
            params.after.map(OrganizationId::get),
            params.page_size,
            |row: &Organization| row.id.map(OrganizationId::get),
        );
        self.0.pager(params.request(), walk)
    }

    /// All organizations with locations, policies and settings, by id.
    pub fn detailed(&self, params: OrganizationsParams) -> Pager<OrganizationDetailed> {
        let walk = Walk::by_id(
            params.after.map(OrganizationId::get),
            params.page_size,
            |row: &OrganizationDetailed| row.id.map(OrganizationId::get),
        );
        self.0.pager(params.request_detailed(), walk)
    }
}
