use serde::Serialize;

use super::Views;
use crate::{
    error::{Error, ErrorKind, Result},
    model::{
        AppliedSettings, CompanyId, ConnectionSettings, CredentialId, MspOrgId, RegionKey,
        StoredFrameworks, StoredSettings, Version,
    },
};

/// The settings of one connection, and what is in force for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsOfConnection {
    /// Which credential.
    pub credential: CredentialId,
    /// What the connection settles for itself.
    pub own: ConnectionSettings,
    /// The version of these, for [`Configure::expected`](crate::Configure::expected).
    pub version: Version,
    /// What is in force: with the policy's settings where the connection has none. `None` where a later release stored a setting in a
    /// form that this one does not read; the connection is not worked on then.
    pub applied: Option<AppliedSettings>,
    /// The names of what is stored and not read: see [`ConnectionSettings::unread`].
    pub unread: Vec<String>,
}

impl Views {
    /// The settings of one connection, connected or not.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`] when the region was never connected; [`ErrorKind::Store`].
    pub async fn connection_settings(
        &self,
        msp: MspOrgId,
        region: &RegionKey,
    ) -> Result<SettingsOfConnection> {
        let credential = CredentialId::of(msp, region);
        let stored = self.store.connection_settings(msp, credential).await?;
        let StoredSettings { settings, version } = stored.ok_or_else(|| {
            let message = "this NinjaOne region was never connected: connect it first";
            Error::new(ErrorKind::NotConnected, message)
        })?;
        Ok(SettingsOfConnection {
            credential,
            version,
            applied: self.policy.apply(&settings).ok(),
            unread: settings.unread().map(str::to_owned).collect(),
            own: settings,
        })
    }

    /// The frameworks that a company has adopted, with the version for
    /// [`AdoptFrameworks::expected`](crate::AdoptFrameworks::expected).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such company; [`ErrorKind::Store`].
    pub async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<StoredFrameworks> {
        let stored = self.store.adopted_frameworks(msp, company).await?;
        stored.ok_or_else(|| {
            let message = "there is no such company: list the companies for their ids";
            Error::new(ErrorKind::NotFound, message)
        })
    }
}
