//! The trait through which the use cases reach NinjaOne.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use ninjaone_client::{AuthorizationCode, BaseUrl, Lane, RefreshToken, TokenStore};
use secrecy::SecretString;

use super::{
    assessment::{Assessment, AssessmentRequest},
    group::{DeviceLists, DeviceListsRequest, GroupAssessment, GroupCounts, GroupRequest},
};
use crate::{
    error::Result,
    model::{
        CredentialGuard, CredentialId, CustomFieldName, DeviceList, Fingerprint, OrganizationId,
        OrganizationList, TenantView,
    },
};

/// Opened credentials, and whom the requests are for.
#[derive(Clone, Debug)]
pub struct Access {
    /// The address.
    pub base_url: BaseUrl,
    /// The keyed fingerprint of (host, client id), which identifies the request budget to use.
    pub fingerprint: Fingerprint,
    /// The client id.
    pub client_id: SecretString,
    /// How access was granted, and what proves it.
    pub grant: AccessGrant,
    /// Whether a person waits for the result, or the schedule sends the requests.
    pub lane: Lane,
    /// Whether the credentials belong to a connection, or are only being tried.
    pub standing: Standing,
}

/// Whether credentials are a connection's, or are only tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// They are saved, and NinjaOne accepted them once. The client made for them and its token may be kept for the connection.
    Saved(CredentialGuard),
    /// They are being tried; nothing is kept for them. Any user can name any client id, so until NinjaOne accepts the credentials, log-ins
    /// spend the budget of the MSP that tries them, not the budget of the client id.
    Tried {
        /// The MSP's own budget.
        log_ins: Fingerprint,
    },
}

/// How access was granted, and what proves it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AccessGrant {
    /// The API client acts for itself.
    ClientCredentials {
        /// Its secret.
        client_secret: SecretString,
    },
    /// An administrator authorized the API client to act for them.
    AuthorizationCode {
        /// The secret of a web application; a native application has none.
        client_secret: Option<SecretString>,
        /// The authorized connection. Its tokens and its client are used for no other connection: not for another MSP's with the same
        /// client id, and not for the same connection after another authorization.
        connection: CredentialGuard,
        /// Stores its refresh token, which changes with every use.
        tokens: Arc<dyn TokenStore>,
    },
}

impl Access {
    /// The client secret; a native application has none.
    #[must_use]
    pub const fn client_secret(&self) -> Option<&SecretString> {
        match &self.grant {
            AccessGrant::ClientCredentials { client_secret } => Some(client_secret),
            AccessGrant::AuthorizationCode { client_secret, .. } => client_secret.as_ref(),
        }
    }
}

/// An authorization code, and the application it was issued to.
#[derive(Debug)]
pub struct Redemption {
    /// The address.
    pub base_url: BaseUrl,
    /// The client id.
    pub client_id: SecretString,
    /// The client secret; a native application has none.
    pub client_secret: Option<SecretString>,
    /// The code, with the PKCE verifier and the redirect URI that belong to it.
    pub code: AuthorizationCode,
    /// The budget that the redemption spends: the MSP's own.
    pub log_ins: Fingerprint,
}

/// The result of redeeming an authorization code.
#[derive(Debug)]
pub struct Redeemed {
    /// The first refresh token of the connection.
    pub token: RefreshToken,
    /// How much of the tenant the authorizing user can see.
    pub view: TenantView,
}

/// A request to list the devices of one organization.
#[derive(Clone, Copy, Debug)]
pub struct DeviceListRequest<'a> {
    /// The organization.
    pub organization: OrganizationId,
    /// The maximum number of devices. If there is one more, the list is truncated.
    pub ceiling: usize,
    /// The custom field that holds the Entra device id. If given, one more report is read.
    pub entra_device_id_field: Option<&'a CustomFieldName>,
}

/// NinjaOne, with the operations that the use cases need.
#[async_trait]
pub trait NinjaOne: Debug + Send + Sync + 'static {
    /// Authenticates, and does nothing else.
    async fn authenticate(&self, access: &Access) -> Result<()>;

    /// Redeems an authorization code for the first refresh token of a connection, then asks how much of the tenant the authorizing user can
    /// see. A code works once, for about a minute. If the second request fails, `redeem` still succeeds.
    async fn redeem(&self, redemption: Redemption) -> Result<Redeemed>;

    /// All organizations that the credentials see, up to `ceiling`.
    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList>;

    /// All approved devices of one organization, up to the ceiling. Drops and counts devices of other organizations.
    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList>;

    /// How long this many requests of this lane would wait for the budget of a connection: the time until the first request may start and
    /// all of them fit into the hour. Zero if no budget is known. An event that would wait long is not begun.
    async fn budget_wait(
        &self,
        _connection: CredentialId,
        _tenant: &Fingerprint,
        _lane: Lane,
        _requests: u32,
    ) -> Result<std::time::Duration> {
        Ok(std::time::Duration::ZERO)
    }

    /// Drops everything kept for a connection, its secrets included. Called when it is disconnected or connected again.
    fn forget(&self, _connection: CredentialId) {}

    /// Reads one organization's reports and judges them.
    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment>;

    /// Reads the reports of many organizations in one pass, and judges each organization by its own rows. An implementation without such a
    /// pass reads the organizations one by one.
    ///
    /// # Errors
    /// The errors of [`GroupRequest::checkpoint`]. The reason why a customer cannot be judged is that customer's entry in the result.
    async fn assess_group(
        &self,
        access: &Access,
        request: GroupRequest<'_>,
    ) -> Result<GroupAssessment> {
        let mut counts = GroupCounts::default();
        let mut assessments = Vec::with_capacity(request.members.len());
        for member in request.members {
            request.checkpoint.check().await?;
            let assessment = self.assess(access, member.request).await;
            let requests = assessment.as_ref().map_or(0, |of| of.counts.requests);
            counts.requests += requests;
            assessments.push(assessment);
        }
        Ok(GroupAssessment {
            assessments,
            counts,
        })
    }

    /// The approved devices of many organizations, in one pass. Otherwise like [`devices`](Self::devices).
    ///
    /// # Errors
    /// The errors of [`DeviceListsRequest::checkpoint`]. The reason why an organization has no list is beside its id in the result.
    async fn device_lists(
        &self,
        access: &Access,
        request: DeviceListsRequest<'_>,
    ) -> Result<DeviceLists> {
        let mut counts = GroupCounts::default();
        let mut lists = BTreeMap::new();
        for (organization, _) in request.organizations {
            request.checkpoint.check().await?;
            let list = DeviceListRequest {
                organization: *organization,
                ceiling: request.ceiling,
                entra_device_id_field: request.entra_device_id_field,
            };
            let list = self.devices(access, list).await;
            counts.requests += list.as_ref().map_or(0, |list| list.requests);
            lists.insert(*organization, list);
        }
        Ok(DeviceLists { lists, counts })
    }
}
