use super::integration::Integration;
use crate::{
    error::Result,
    model::{CompanyId, Credential, Field, MspOrgId},
    views::{Acting, Card, Diagnosis},
};

impl Integration {
    /// What keeps this MSP's integration, or one company of it, from doing what is expected: what
    /// [`Views::diagnose`](crate::views::Views::diagnose) finds, and besides whether the saved credentials open with these keys
    /// and whether evidence waits for this host's sink of anchors. Nothing is asked of NinjaOne and nothing is written.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is no such company;
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn diagnose(
        &self,
        msp: MspOrgId,
        company: Option<CompanyId>,
    ) -> Result<Vec<Diagnosis>> {
        let opens = |credential: &Credential| self.opens(msp, credential);
        let acting = self.acting(&opens);
        self.views().diagnose_as(msp, company, acting).await
    }

    /// How the connections of an MSP stand, and what [`diagnose`](Self::diagnose) finds, from what was stored at one moment.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub async fn card(&self, msp: MspOrgId) -> Result<Card> {
        let opens = |credential: &Credential| self.opens(msp, credential);
        self.views().card_as(msp, self.acting(&opens)).await
    }

    fn acting<'a>(&self, opens: &'a (dyn Fn(&Credential) -> bool + Sync)) -> Acting<'a> {
        Acting {
            opens: Some(opens),
            anchors: self.inner.anchor_sink.is_some(),
        }
    }

    fn opens(&self, msp: MspOrgId, credential: &Credential) -> bool {
        let (Some(secrets), Ok(keyring)) = (&credential.secrets, self.keyring()) else {
            return false;
        };
        let sealed = [
            (Field::ClientId, Some(&secrets.client_id)),
            (Field::ClientSecret, secrets.client_secret.as_ref()),
            (Field::RefreshToken, secrets.refresh_token.as_ref()),
        ];
        let opens = |field, sealed| keyring.open(msp, &credential.region, field, sealed).is_ok();
        sealed
            .into_iter()
            .all(|(field, sealed)| sealed.is_none_or(|sealed| opens(field, sealed)))
    }
}
