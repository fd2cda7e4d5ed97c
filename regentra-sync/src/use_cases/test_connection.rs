use ninjaone_client::{ErrorKind as Vendor, Lane, Region};
use secrecy::SecretString;

use super::{connect::trimmed, integration::Integration};
use crate::{
    error::{Error, ErrorKind, Result},
    host::ORGANIZATION_CEILING,
    model::{
        Actor, AuditDetails, AuditRow, CredentialId, EventId, MspOrgId, OrganizationList, RegionKey,
    },
    ninjaone::{Access, AccessGrant, Standing},
    views::ConnectionTest,
};

/// Credentials that are not saved yet.
#[derive(Debug)]
pub struct TestConnection {
    /// The region, or the address of a branded host.
    pub region: RegionKey,
    /// The client id.
    pub client_id: SecretString,
    /// The client secret.
    pub client_secret: SecretString,
    /// Whether to ask the other regions, when the client id is unknown in this one. Each is sent the client id and secret, so
    /// a person asks for this.
    pub try_other_regions: bool,
    /// Who asks.
    pub actor: Actor,
}

fn wrong_region(region: &RegionKey, access: &Access, found: Option<Region>, error: Error) -> Error {
    let host = access.base_url.host();
    let message = match found {
        Some(other) => {
            let other_host = other.host();
            format!(
                "{host} does not know this client id, but region {other} ({other_host}) does: connect that region"
            )
        }
        None => format!(
            "{host} does not know this client id: either the client id is wrong, or region {region} is (the region is part of \
             the address you sign in at, and {host} serves {region})"
        ),
    };
    Error::new(error.kind(), message).caused_by(error)
}

/// A saved connection that is tried.
#[derive(Clone, Debug)]
pub struct TestSavedConnection {
    /// The region.
    pub region: RegionKey,
    /// Who asks.
    pub actor: Actor,
}

impl Integration {
    /// Tries credentials before they are saved: authenticates, and counts the organizations that they see. Seeing none is a
    /// success with a warning.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address that is not allowed; [`ErrorKind::Ninjaone`] with what is wrong. A wrong region
    /// looks like an unknown client, so that error says both.
    #[tracing::instrument(name = "regentra.test_connection", skip_all, fields(%msp, region = %request.region))]
    pub async fn test_connection(
        &self,
        msp: MspOrgId,
        request: TestConnection,
    ) -> Result<ConnectionTest> {
        let base_url = self.allowed(&request.region).await?;
        let client_id = trimmed(&request.client_id);
        self.check_key(msp).await?;
        let keyring = self.keyring()?;
        let fingerprint = keyring.fingerprint(&base_url.limit_host(), &client_id);
        let access = Access {
            base_url,
            fingerprint,
            client_id,
            grant: AccessGrant::ClientCredentials {
                client_secret: request.client_secret,
            },
            lane: Lane::Interactive,
            standing: Standing::Tried {
                log_ins: self.log_ins_of(msp)?,
            },
        };
        match self
            .ask(msp, &request.region, &access, request.actor)
            .await?
        {
            Ok(list) => Ok(list.into()),
            Err(error) if error.kind() == ErrorKind::Ninjaone(Vendor::WrongRegionOrClient) => {
                let found = if request.try_other_regions {
                    self.region_of(&access).await
                } else {
                    None
                };
                Err(wrong_region(&request.region, &access, found, error))
            }
            Err(error) => Err(error),
        }
    }

    /// Tries the saved credentials of a region, whichever way in they are of: authenticates, and counts the organizations that
    /// they see.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`]; [`ErrorKind::Sealing`]; [`ErrorKind::Ninjaone`] with what is wrong, such as
    /// `AuthorizeAgain`; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.test_saved_connection", skip_all, fields(%msp, region = %request.region))]
    pub async fn test_saved_connection(
        &self,
        msp: MspOrgId,
        request: TestSavedConnection,
    ) -> Result<ConnectionTest> {
        let TestSavedConnection { region, actor } = request;
        let credential = self.connected(msp, CredentialId::of(msp, &region)).await?;
        let access = self.open(msp, &credential, Lane::Interactive).await?;
        let listed = self.ask(msp, &region, &access, actor).await?;
        listed.map(ConnectionTest::from)
    }

    /// Lists the organizations, and writes the attempt into the audit trail.
    async fn ask(
        &self,
        msp: MspOrgId,
        region: &RegionKey,
        access: &Access,
        actor: Actor,
    ) -> Result<Result<OrganizationList>> {
        let listed = self
            .inner
            .ninjaone
            .organizations(access, ORGANIZATION_CEILING)
            .await;
        let visible = listed.as_ref().ok().map(OrganizationList::visible);
        let unreadable_rows = listed.as_ref().map_or(0, |list| list.malformed_rows);
        let now = self.now();
        let event = EventId::new(now);
        let details = AuditDetails::Tested {
            region: region.clone(),
            organizations_visible: visible,
            unreadable_rows,
        };
        let row = AuditRow::new(event, now, actor, details);
        let _ = self.inner.store.commit_audit(msp, event, vec![row]).await?;
        Ok(listed)
    }

    /// The region that knows the client, if another one does.
    async fn region_of(&self, access: &Access) -> Option<Region> {
        for region in Region::ALL {
            if access.base_url.region() == Some(region) {
                continue;
            }
            let elsewhere = Access {
                base_url: region.into(),
                ..access.clone()
            };
            if self.inner.ninjaone.authenticate(&elsewhere).await.is_ok() {
                return Some(region);
            }
        }
        None
    }
}
