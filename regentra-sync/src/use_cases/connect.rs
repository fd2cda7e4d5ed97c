use std::collections::BTreeMap;

use ninjaone_client::Lane;
use secrecy::SecretString;

use super::integration::{Integration, RACES, superseded};
use crate::{
    error::{Error, ErrorKind, Result},
    host::ORGANIZATION_CEILING,
    model::{
        Actor, AuditDetails, AuditRow, Credential, CredentialId, EventId, Field, Fingerprint,
        Generation, Grant, Mapping, MspOrgId, RegionKey, SealedSecrets, TenantView, Version,
        is_readable, is_same_name,
    },
    ninjaone::{Access, AccessGrant, Standing},
    store::{CommitOutcome, ConnectCommit, Precondition},
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
    /// NinjaOne has to accept the credentials: a client id is a connection's only once it authenticated, so that nobody can take
    /// one from its owner by naming it. What the client sees, [`test_connection`](Self::test_connection) says. One thing more is
    /// asked where there is another API client than before in a region with mapped organizations. Ids of organizations mean something only in their own NinjaOne tenant, so
    /// the new client has to see every mapped organization under its id and name: another tenant's organization of the same id
    /// would become evidence of the wrong customer.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address that is not allowed or an empty client id; [`ErrorKind::Conflict`] when the client
    /// id is connected elsewhere and that was not allowed, or when another client does not see the mapped organizations;
    /// [`ErrorKind::Ninjaone`] when NinjaOne does not accept the credentials, or cannot be asked; [`ErrorKind::Store`]. Nothing is saved then.
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
        let base_url = self.allowed(&region).await?;
        let client_id = trimmed(&client_id);
        if is_blank(&client_id) || is_blank(&client_secret) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "client id and client secret must both be given",
            ));
        }
        self.check_key(msp).await?;
        let keyring = self.keyring()?;
        let fingerprint = keyring.fingerprint(&base_url.limit_host(), &client_id);
        let stored = self
            .inner
            .store
            .credential(msp, CredentialId::of(msp, &region))
            .await?;
        let access = Access {
            base_url,
            fingerprint: fingerprint.clone(),
            client_id: client_id.clone(),
            grant: AccessGrant::ClientCredentials {
                client_secret: client_secret.clone(),
            },
            lane: Lane::Interactive,
            standing: Standing::Tried {
                log_ins: self.log_ins_of(msp)?,
            },
        };
        // Anybody can name a client id; only who has its secret may keep others from connecting it.
        self.inner.ninjaone.authenticate(&access).await?;
        if let Some(stored) = stored {
            self.sees_the_same_organizations(msp, &stored, &access)
                .await?;
        }
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
            view: TenantView::Unknown,
            secrets,
            allow_duplicate,
            actor,
            as_of: None,
        };
        self.save(msp, connection).await
    }

    /// Another API client than before has to see every mapped organization under its id and name.
    pub(super) async fn sees_the_same_organizations(
        &self,
        msp: MspOrgId,
        stored: &Credential,
        access: &Access,
    ) -> Result<()> {
        if stored.fingerprint == access.fingerprint {
            return Ok(());
        }
        let mappings = self.inner.store.mappings(msp, stored.id).await?;
        let mapped: Vec<_> = mappings
            .iter()
            .filter(|mapping| mapping.state.company().is_some())
            .collect();
        if mapped.is_empty() {
            return Ok(());
        }
        let list = self
            .inner
            .ninjaone
            .organizations(access, ORGANIZATION_CEILING)
            .await?
            .strip_nul();
        let names: BTreeMap<_, _> = list
            .organizations
            .iter()
            .map(|listed| (listed.id, listed.name.as_str()))
            .collect();
        let is_another = |mapping: &&&Mapping| match names.get(&mapping.external_org_id) {
            // A name that cannot be read is no proof that it is the same organization.
            Some(name) => !is_same_name(name, mapping.name.as_str()),
            // One that was gone already is no sign of another tenant, and neither is one that an incomplete list leaves out.
            None => mapping.missing_since.is_none() && list.is_complete(),
        };
        let others: Vec<_> = mapped.iter().filter(is_another).collect();
        let Some(first) = others.first() else {
            let is_seen = |mapping: &&Mapping| names.contains_key(&mapping.external_org_id);
            if list.is_complete() || mapped.iter().copied().any(|mapping| is_seen(&mapping)) {
                return Ok(());
            }
            // Nothing was seen that contradicts, and nothing that confirms.
            let message = "this is another API client than before, and its list of organizations is incomplete and shows none of the                            mapped ones, so it may be of another NinjaOne tenant: connect again when NinjaOne lists them all";
            return Err(Error::new(ErrorKind::Conflict, message));
        };
        let (mapped, others, first) = (mapped.len(), others.len(), first.external_org_id);
        Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "this is another API client than before, and it does not see {others} of the {mapped} mapped organizations \
                 (organization {first} for one) under their ids and names: it may be of another NinjaOne tenant, whose data would \
                 become another customer's. Give it access to all organizations, or un-map those that are no longer there, and \
                 connect again"
            ),
        ))
    }

    /// Writes a connection, whichever way it was got.
    pub(super) async fn save(&self, msp: MspOrgId, connection: NewConnection) -> Result<Connected> {
        let NewConnection {
            event,
            region,
            grant,
            fingerprint,
            view,
            secrets,
            allow_duplicate,
            actor,
            as_of,
        } = connection;
        let id = CredentialId::of(msp, &region);
        // Whether the override is needed, only the store knows; it is audited only if it is.
        let mut override_used = false;
        for _ in 0..RACES {
            let now = self.now();
            let stored = self.inner.store.credential(msp, id).await?;
            let expected = stored.as_ref().map(|stored| stored.generation);
            if as_of.is_some_and(|as_of| as_of != expected) {
                let message = "the region was disconnected, or connected anew, while this authorization was under way; begin \
                               again if it is still wanted";
                return Err(Error::new(ErrorKind::AuthorizationExpired, message));
            }
            let reconnected = stored.is_some();
            let details = AuditDetails::Connected {
                credential: id,
                region: region.clone(),
                grant,
                view,
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
                view,
                lost_organizations: 0,
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
                    self.inner.ninjaone.forget(id);
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
                CommitOutcome::Superseded(Precondition::Fingerprint) if allow_duplicate => {
                    override_used = true;
                }
                CommitOutcome::Superseded(Precondition::Fingerprint) => {
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
    pub(super) view: TenantView,
    pub(super) secrets: SealedSecrets,
    pub(super) allow_duplicate: bool,
    pub(super) actor: Actor,
    /// The generation of the region's credential before the work began, if it may not have changed since.
    #[expect(
        clippy::option_option,
        reason = "whether it matters, and whether there was one"
    )]
    pub(super) as_of: Option<Option<Generation>>,
}

/// A client id as it is sent: what surrounds it when it is pasted is no part of it, nor of its fingerprint.
pub(super) fn trimmed(client_id: &SecretString) -> SecretString {
    use secrecy::ExposeSecret as _;
    // A byte order mark is what Windows' editors put before a text.
    let is_around = |character: char| character.is_whitespace() || character == '\u{feff}';
    client_id.expose_secret().trim_matches(is_around).into()
}

pub(super) fn is_blank(secret: &SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    !is_readable(secret.expose_secret())
}
