//! What the use cases need of NinjaOne.

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

/// Opened credentials, and for whom the requests are.
#[derive(Clone, Debug)]
pub struct Access {
    /// The address.
    pub base_url: BaseUrl,
    /// The keyed fingerprint of (host, client id): whose request budget is used.
    pub fingerprint: Fingerprint,
    /// The client id.
    pub client_id: SecretString,
    /// How access was granted, and what proves it.
    pub grant: AccessGrant,
    /// Whether a person waits for the answer, or the schedule asks.
    pub lane: Lane,
    /// Whether the credentials are a connection's, or are only tried.
    pub standing: Standing,
}

/// Whether credentials are a connection's, or are only tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// They are saved, and NinjaOne accepted them once: what is got for them (a client, its token) may be kept for the connection.
    Saved(CredentialGuard),
    /// They are tried: nothing is kept. Anybody can name a client id, so until NinjaOne accepts them, log-ins spend the budget of
    /// the MSP that tries, and not the one of the client id.
    Tried {
        /// The MSP's own budget.
        log_ins: Fingerprint,
    },
}

/// How access was granted, and what proves it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AccessGrant {
    /// The API client stands for itself.
    ClientCredentials {
        /// Its secret.
        client_secret: SecretString,
    },
    /// An administrator let the API client act for them.
    AuthorizationCode {
        /// The secret of a web application; a native one has none.
        client_secret: Option<SecretString>,
        /// The connection that was authorized. What was got for it (tokens, a client) serves no other: not another MSP's with
        /// the same client id, and not the same one authorized anew.
        connection: CredentialGuard,
        /// Keeps its refresh token, which changes with every use.
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

/// An authorization code, and the application it was given to.
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
    /// The budget that it spends: the MSP's own.
    pub log_ins: Fingerprint,
}

/// What an authorization code was good for.
#[derive(Debug)]
pub struct Redeemed {
    /// The first refresh token of the connection.
    pub token: RefreshToken,
    /// How much of the tenant the user who granted the code sees.
    pub view: TenantView,
}

/// Which devices to list, and what to read of them.
#[derive(Clone, Copy, Debug)]
pub struct DeviceListRequest<'a> {
    /// Of which organization.
    pub organization: OrganizationId,
    /// The most devices. One more makes the list truncated.
    pub ceiling: usize,
    /// The custom field that holds the Entra device id, for which one more report is read.
    pub entra_device_id_field: Option<&'a CustomFieldName>,
}

/// NinjaOne, as far as the use cases need it.
#[async_trait]
pub trait NinjaOne: Debug + Send + Sync + 'static {
    /// Authenticates, and nothing else.
    async fn authenticate(&self, access: &Access) -> Result<()>;

    /// Redeems an authorization code for the first refresh token of a connection, and asks how much of the tenant the user who
    /// granted it sees. A code is good once, for about a minute; that the second question has no answer is no error.
    async fn redeem(&self, redemption: Redemption) -> Result<Redeemed>;

    /// All organizations that the credentials see, up to `ceiling`.
    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList>;

    /// All approved devices of one organization, up to the ceiling. Devices of other organizations are dropped and counted.
    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList>;

    /// How long so many requests of this lane would wait for the budget of a connection, the first one and all of them within the
    /// hour; zero where nothing is known of one. An event that would wait long is not begun.
    async fn budget_wait(
        &self,
        _connection: CredentialId,
        _tenant: &Fingerprint,
        _lane: Lane,
        _requests: u32,
    ) -> Result<std::time::Duration> {
        Ok(std::time::Duration::ZERO)
    }

    /// The connection was disconnected or connected anew: what is kept for it is dropped, its secrets with it.
    fn forget(&self, _connection: CredentialId) {}

    /// Pulls one organization's reports and judges them.
    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment>;

    /// Pulls the reports of many organizations in one pass, and judges each by its own rows. One that cannot reads them one by one.
    ///
    /// # Errors
    /// Of [`GroupRequest::checkpoint`]; what a customer cannot be judged for stands in its place in the answer.
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

    /// The approved devices of many organizations, in one pass; otherwise as [`devices`](Self::devices).
    ///
    /// # Errors
    /// Of [`DeviceListsRequest::checkpoint`]; why there is no list of an organization is beside its id in the answer.
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
