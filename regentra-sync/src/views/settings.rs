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
    /// The settings of the connection itself.
    pub own: ConnectionSettings,
    /// The version of its settings, for [`Configure::expected`](crate::Configure::expected).
    pub version: Version,
    /// The settings in force: the connection's, and the policy's for those that the connection leaves out. `None` if a later release stored
    /// a setting in a form that this release does not read; the connection is then neither synced nor swept.
    pub applied: Option<AppliedSettings>,
    /// The names of stored settings that this release does not read: see [`ConnectionSettings::unread`].
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
