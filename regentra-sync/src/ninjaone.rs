//! What the use cases need of NinjaOne, as a trait: the live one asks the API ([`LiveNinjaOne`]), a test scripts it, and another
//! way to get at the data, such as one pass over the whole tenant's reports, is another implementation.
//!
//! [`LiveNinjaOne`]: crate::live::LiveNinjaOne

use std::{collections::BTreeSet, fmt::Debug};

use async_trait::async_trait;
use ninjaone_client::{BaseUrl, Lane};
use secrecy::SecretString;

use crate::{
    assessment::{Assessment, AssessmentRequest},
    asset::AssetContent,
    credential::Fingerprint,
    error::Result,
    mapping::ExternalOrgId,
    private::Private,
};

/// Opened credentials, and for whom the requests are.
#[derive(Clone, Debug)]
pub struct Access {
    /// The address.
    pub base_url: BaseUrl,
    /// The keyed fingerprint of (host, client id): whose request budget is used.
    pub fingerprint: Fingerprint,
    /// The client id.
    pub client_id: SecretString,
    /// The client secret.
    pub client_secret: SecretString,
    /// Whether somebody waits.
    pub lane: Lane,
}

/// NinjaOne, as far as the use cases need it.
#[async_trait]
pub trait NinjaOne: Debug + Send + Sync + 'static {
    /// Authenticates, and nothing else.
    async fn authenticate(&self, access: &Access) -> Result<()>;

    /// All organizations that the credentials see, up to `ceiling`.
    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList>;

    /// All approved devices of one organization, up to `ceiling`. Devices of other organizations are dropped and counted.
    async fn devices(
        &self,
        access: &Access,
        organization: ExternalOrgId,
        ceiling: usize,
    ) -> Result<DeviceList>;

    /// Pulls one organization's reports and judges them. `known_elsewhere` are NinjaOne ids of devices that the host knows in
    /// other organizations.
    async fn assess(
        &self,
        access: &Access,
        request: AssessmentRequest<'_>,
        known_elsewhere: &BTreeSet<i64>,
    ) -> Result<Assessment>;
}

/// The organizations of a tenant.
#[derive(Clone, Debug, Default)]
pub struct OrganizationList {
    /// The organizations.
    pub organizations: Vec<ListedOrganization>,
    /// The list was cut at the ceiling.
    pub truncated: bool,
    /// Rows that did not decode.
    pub malformed_rows: u64,
    /// Requests made.
    pub requests: u64,
}

impl OrganizationList {
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
    pub id: ExternalOrgId,
    /// Its name.
    pub name: Private,
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
    /// Requests made.
    pub requests: u64,
}

impl DeviceList {
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
    pub id: i64,
    /// What the asset says of it.
    pub content: AssetContent,
}
