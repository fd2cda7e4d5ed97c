use super::integration::{Integration, RACES, superseded};
use crate::{
    error::{ErrorKind, Result},
    model::{Actor, AuditDetails, AuditRow, Credential, EventId, Field, MspOrgId, SealedSecrets},
    seal::Sealed,
    store::{CommitOutcome, SecretsCommit},
};

impl Integration {
    /// Seals every connected credential of an MSP again under the current key, where it is sealed under an older one. Runs go on
    /// meanwhile. Returns how many were sealed again; when that is 0 for every MSP, the older key can be dropped. An authorization
    /// that was begun under the older key, less than ten minutes ago, has to be begun again then.
    ///
    /// # Errors
    /// [`ErrorKind::Sealing`] when a value does not open, after the other credentials were sealed
    /// again; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.rotate_key", skip_all, fields(%msp))]
    pub async fn rotate_key(&self, msp: MspOrgId, actor: Actor) -> Result<usize> {
        let (mut resealed, mut does_not_open) = (0, None);
        for credential in self.inner.store.credentials(msp).await? {
            match self.reseal(msp, credential, actor).await {
                Ok(was_resealed) => resealed += usize::from(was_resealed),
                Err(error) if error.kind() == ErrorKind::Sealing => {
                    does_not_open = does_not_open.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        does_not_open.map_or(Ok(resealed), Err)
    }

    async fn reseal(
        &self,
        msp: MspOrgId,
        mut credential: Credential,
        actor: Actor,
    ) -> Result<bool> {
        let keyring = self.keyring()?;
        for _ in 0..RACES {
            let Some(secrets) = credential.secrets.as_ref().filter(|_| credential.is_active) else {
                return Ok(false);
            };
            let sealed = [
                Some(&secrets.client_id),
                secrets.client_secret.as_ref(),
                secrets.refresh_token.as_ref(),
            ];
            if sealed
                .into_iter()
                .flatten()
                .all(|sealed| keyring.is_current(sealed))
            {
                return Ok(false);
            }
            let again = |field, sealed: &Sealed| -> Result<Sealed> {
                let secret = keyring.open(msp, &credential.region, field, sealed)?;
                Ok(keyring.seal(msp, &credential.region, field, &secret)?)
            };
            let secrets = SealedSecrets {
                client_id: again(Field::ClientId, &secrets.client_id)?,
                client_secret: secrets
                    .client_secret
                    .as_ref()
                    .map(|s| again(Field::ClientSecret, s))
                    .transpose()?,
                refresh_token: secrets
                    .refresh_token
                    .as_ref()
                    .map(|s| again(Field::RefreshToken, s))
                    .transpose()?,
            };
            // Derived from what is rewritten, so that a rotation that is repeated after a crash is the same one.
            let state = format!(
                "{}/{}/{}",
                credential.id, credential.generation, credential.secrets_version
            );
            let event = EventId::of_request("rotate_key", &state);
            let details = AuditDetails::KeyRotated {
                credential: credential.id,
            };
            let commit = SecretsCommit {
                event,
                guard: credential.guard(),
                expected: credential.secrets_version,
                secrets,
                audit: vec![AuditRow::new(event, self.now(), actor, details)],
            };
            match self.inner.store.commit_secrets(msp, commit).await? {
                CommitOutcome::Committed => return Ok(true),
                CommitOutcome::AlreadyCommitted | CommitOutcome::Superseded(_) => {
                    match self.inner.store.credential(msp, credential.id).await? {
                        Some(stored) => credential = stored,
                        None => return Ok(false),
                    }
                }
            }
        }
        Err(superseded())
    }
}
