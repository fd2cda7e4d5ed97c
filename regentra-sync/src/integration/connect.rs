use secrecy::SecretString;

use super::{Integration, RACES, superseded};
use crate::{
    CredentialId, EventId, Generation, MspOrgId,
    audit::{Actor, AuditDetails, AuditRow},
    credential::{Credential, Fingerprint, Grant, SealedSecrets},
    error::{Error, ErrorKind, Result},
    id::Version,
    region::RegionKey,
    seal::Field,
    store::{CommitOutcome, ConnectCommit, Guard},
};

/// Credentials to save.
#[derive(Debug)]
pub struct Connect {
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
    /// The region, or the address of a branded host.
    pub region: RegionKey,
    /// The client id.
    pub client_id: SecretString,
    /// The client secret.
    pub client_secret: SecretString,
    /// Goes on although the client id is connected elsewhere. Every event and every ticket is made twice then; the override is
    /// audited.
    pub allow_duplicate: bool,
    /// Who asks.
    pub actor: Actor,
}

/// Credentials that were saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Which credential.
    pub credential: CredentialId,
    /// The region had been connected before: its mappings are as they were, and the next tick resumes.
    pub reconnected: bool,
}

impl Integration {
    /// Saves credentials, sealed. The same region again is a reconnect: the new secret, the same mappings.
    ///
    /// It does not ask NinjaOne; [`test_connection`](Self::test_connection) does.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address that is not allowed or an empty client id; [`ErrorKind::Conflict`] when the client
    /// id is connected elsewhere and that was not allowed; [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.connect", skip_all, fields(%msp, region = %request.region))]
    pub async fn connect(&self, msp: MspOrgId, request: Connect) -> Result<Connected> {
        let Connect {
            event,
            region,
            client_id,
            client_secret,
            allow_duplicate,
            actor,
        } = request;
        let base_url = self.allowed(&region)?;
        let client_id = trimmed(&client_id);
        if is_blank(&client_id) || is_blank(&client_secret) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "client id and client secret must both be given",
            ));
        }
        let keyring = &self.inner.keyring;
        let fingerprint = keyring.fingerprint(&base_url.limit_host(), &client_id);
        let secrets = SealedSecrets {
            client_id: keyring.seal(msp, &region, Field::ClientId, &client_id)?,
            client_secret: Some(keyring.seal(msp, &region, Field::ClientSecret, &client_secret)?),
            refresh_token: None,
        };
        let connection = NewConnection {
            event,
            region,
            grant: Grant::ClientCredentials,
            fingerprint,
            secrets,
            allow_duplicate,
            actor,
        };
        self.save(msp, connection).await
    }

    /// Writes a connection, whichever way it was got.
    pub(super) async fn save(&self, msp: MspOrgId, connection: NewConnection) -> Result<Connected> {
        let NewConnection {
            event,
            region,
            grant,
            fingerprint,
            secrets,
            allow_duplicate,
            actor,
        } = connection;
        let id = CredentialId::of(msp, &region);
        // Whether the override is needed, only the store knows; it is audited only if it is.
        let mut override_used = false;
        for _ in 0..RACES {
            let now = self.now();
            let stored = self.inner.store.credential(msp, id).await?;
            let expected = stored.as_ref().map(|stored| stored.generation);
            let reconnected = stored.is_some();
            let details = AuditDetails::Connected {
                credential: id,
                region: region.clone(),
                grant,
                reconnected,
            };
            let mut audit = vec![AuditRow::new(event, now, actor, details)];
            if override_used {
                audit.push(AuditRow::new(
                    event,
                    now,
                    actor,
                    AuditDetails::OverrideUsed { credential: id },
                ));
            }
            let credential = Credential {
                id,
                region: region.clone(),
                grant,
                secrets: Some(secrets.clone()),
                fingerprint: fingerprint.clone(),
                is_active: true,
                generation: expected.map_or(Generation::FIRST, Generation::next),
                secrets_version: Version::FIRST,
                connected_at: now,
                disconnected_at: None,
            };
            let commit = ConnectCommit {
                event,
                credential,
                expected,
                allow_duplicate: override_used,
                audit,
            };
            match self.inner.store.commit_connect(msp, commit).await? {
                CommitOutcome::Committed => {
                    tracing::info!(credential = %id, reconnected, "connected");
                    return Ok(Connected {
                        credential: id,
                        reconnected,
                    });
                }
                CommitOutcome::AlreadyCommitted => {
                    // What this event wrote is what was read now, unless the region was connected again since.
                    return Ok(Connected {
                        credential: id,
                        reconnected: expected.is_some_and(|stored| stored > Generation::FIRST),
                    });
                }
                CommitOutcome::Superseded(Guard::Fingerprint) if allow_duplicate => {
                    override_used = true;
                }
                CommitOutcome::Superseded(Guard::Fingerprint) => {
                    let message = "this client id is connected already, here or by another organization; a second connection \
                                   would make every event and every ticket twice. Disconnect the other one, create a client \
                                   of its own in NinjaOne, or ask for the override";
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                CommitOutcome::Superseded(_) => {}
            }
        }
        Err(superseded())
    }
}

/// A connection to write.
pub(super) struct NewConnection {
    pub(super) event: EventId,
    pub(super) region: RegionKey,
    pub(super) grant: Grant,
    pub(super) fingerprint: Fingerprint,
    pub(super) secrets: SealedSecrets,
    pub(super) allow_duplicate: bool,
    pub(super) actor: Actor,
}

/// A client id as it is sent: what surrounds it when it is pasted is no part of it, nor of its fingerprint.
pub(super) fn trimmed(client_id: &SecretString) -> SecretString {
    use secrecy::ExposeSecret as _;
    client_id.expose_secret().trim().into()
}

pub(super) fn is_blank(secret: &SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    secret.expose_secret().trim().is_empty()
}
