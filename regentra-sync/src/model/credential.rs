//! The NinjaOne credential of an MSP: one per region, sealed.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    hex_digest::hex_digest,
    id::{Version, counter, derive, opaque_id},
    region::RegionKey,
    tenant::MspOrgId,
};
use crate::seal::Sealed;

opaque_id! {
    /// One credential: one MSP in one NinjaOne region. Everything external is keyed by (credential, NinjaOne id).
    CredentialId
}

impl CredentialId {
    /// The credential of this MSP in this region. There is only one.
    #[must_use]
    pub fn of(msp: MspOrgId, region: &RegionKey) -> Self {
        Self(derive(
            "credential",
            &[msp.as_uuid().as_bytes(), region.as_str().as_bytes()],
        ))
    }
}

counter! {
    /// How often a credential was connected or disconnected. A run remembers the generation that it started under, and its commit is
    /// refused if the generation has changed since. So nothing is written after a disconnect.
    Generation
}

hex_digest! {
    /// A keyed fingerprint (HMAC-SHA-256, lower-case hex) of (host, client id). A store finds a client id that is connected twice by it,
    /// without knowing the client id. It is also the key of that NinjaOne tenant's request budget.
    Fingerprint
}

/// How access was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grant {
    /// Client credentials (an "API Services" application): the default.
    ClientCredentials,
    /// Authorization code with a refresh token that rotates.
    AuthorizationCode,
}

impl Grant {
    /// The name used in stores, such as `client_credentials`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
        }
    }

    /// The grant with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ClientCredentials, Self::AuthorizationCode]
            .into_iter()
            .find(|grant| grant.as_str() == name)
    }
}

/// How much of the NinjaOne tenant a connection sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TenantView {
    /// Not known: the connection uses client credentials, or NinjaOne did not say what the authorizing user sees.
    #[default]
    Unknown,
    /// The authorizing user sees every organization.
    Whole,
    /// The authorizing user sees only some organizations. A device or organization that such a connection does not list may still exist, so
    /// no asset is retired and no organization is reported as missing.
    Part,
}

impl TenantView {
    /// The name used in stores, such as `part`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Whole => "whole",
            Self::Part => "part",
        }
    }

    /// The view with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Unknown, Self::Whole, Self::Part]
            .into_iter()
            .find(|view| view.as_str() == name)
    }
}

/// The sealed columns of a credential; a disconnect empties all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The client id.
    pub client_id: Sealed,
    /// The client secret; a native application with PKCE has none.
    pub client_secret: Option<Sealed>,
    /// The refresh token of an authorization code grant.
    pub refresh_token: Option<Sealed>,
}

/// A credential as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Which credential.
    pub id: CredentialId,
    /// The NinjaOne region or host.
    pub region: RegionKey,
    /// How access was granted.
    pub grant: Grant,
    /// The sealed columns; `None` once disconnected.
    pub secrets: Option<SealedSecrets>,
    /// The keyed fingerprint of (host, client id).
    pub fingerprint: Fingerprint,
    /// How much of the tenant it sees, as found when it was connected.
    pub view: TenantView,
    /// Rows of the last listing of organizations that did not say which organization they are. Connecting sets it to 0; a
    /// discovery writes it.
    pub lost_organizations: u64,
    /// Whether runs may use it.
    pub is_active: bool,
    /// How often it was connected or disconnected.
    pub generation: Generation,
    /// How often the sealed columns were rewritten under this generation (token rotation, key rotation).
    pub secrets_version: Version,
    /// When it was last connected.
    pub connected_at: OffsetDateTime,
    /// When it was last disconnected; `None` while connected.
    pub disconnected_at: Option<OffsetDateTime>,
}

impl Credential {
    /// The guard for commits that rely on this credential: it is active and has this generation.
    #[must_use]
    pub const fn guard(&self) -> CredentialGuard {
        CredentialGuard {
            credential: self.id,
            generation: self.generation,
        }
    }
}

/// A guard in a commit: the commit is refused unless the credential is active and still has this generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialGuard {
    /// Which credential.
    pub credential: CredentialId,
    /// The generation the run started under.
    pub generation: Generation,
}
