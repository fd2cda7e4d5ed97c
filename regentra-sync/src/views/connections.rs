use serde::Serialize;
use time::OffsetDateTime;

use super::Views;
use crate::{
    error::Result,
    model::{Credential, CredentialId, Grant, MspOrgId, RegionKey, TenantView},
};

/// One connection of an MSP, as it is stored, but without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// Which credential.
    pub credential: CredentialId,
    /// Where.
    pub region: RegionKey,
    /// How access was granted.
    pub grant: Grant,
    /// How much of the tenant the connection sees, if that is known.
    pub view: TenantView,
    /// Whether it is connected.
    pub connected: bool,
    /// When it was last connected.
    #[serde(with = "time::serde::rfc3339")]
    pub connected_at: OffsetDateTime,
    /// When it was disconnected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disconnected_at: Option<OffsetDateTime>,
    /// Rows of the last list of organizations that do not say which organization they are.
    pub lost_organizations: u64,
}

impl From<Credential> for Connection {
    fn from(credential: Credential) -> Self {
        Self {
            credential: credential.id,
            region: credential.region,
            grant: credential.grant,
            view: credential.view,
            connected: credential.is_active,
            connected_at: credential.connected_at,
            disconnected_at: credential.disconnected_at,
            lost_organizations: credential.lost_organizations,
        }
    }
}

impl Views {
    /// The connections of an MSP, connected or not, ordered by region.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn connections(&self, msp: MspOrgId) -> Result<Vec<Connection>> {
        let credentials = self.store.credentials(msp).await?;
        Ok(credentials.into_iter().map(Connection::from).collect())
    }
}
