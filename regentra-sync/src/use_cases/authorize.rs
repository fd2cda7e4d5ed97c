use std::{fmt, sync::Arc};

use ninjaone_client::{
    Authorization as Flow, ErrorKind as Vendor, Lane, MemoryTokenStore,
    PendingAuthorization as Pending, Scope, Scopes, TokenStore as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    connect::{Connected, NewConnection, is_blank, trimmed},
    integration::Integration,
};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{
        AUTHORIZATION_LIFETIME, Actor, EventId, Field, Grant, MspOrgId, RegionKey, SealedSecrets,
        StateDigest, StoredAuthorization, TenantView,
    },
    ninjaone::{Access, AccessGrant, Redeemed, Redemption, Standing},
    seal::SealError,
    views::ConnectionTest,
};

/// What an administrator is asked to allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestedAccess {
    /// Reading, and staying connected: `monitoring` and `offline_access`. It is all that this crate needs.
    #[default]
    Monitoring,
    /// Explicitly more than that, for what else the host does with the same client.
    MonitoringAnd(Vec<Scope>),
}

impl RequestedAccess {
    fn scopes(self) -> Scopes {
        let least = Scopes::default().with(Scope::OfflineAccess);
        match self {
            Self::Monitoring => least,
            Self::MonitoringAnd(more) => more.into_iter().fold(least, Scopes::with),
        }
    }
}

/// An authorization to begin.
#[derive(Debug)]
pub struct BeginAuthorization {
    /// The region, or the address of a branded host.
    pub region: RegionKey,
    /// The client id of an API client of the type *Web* or *Native* whose grants are authorization code and refresh token.
    pub client_id: SecretString,
    /// The client secret of a *Web* client; a *Native* one has none.
    pub client_secret: Option<SecretString>,
    /// Where NinjaOne sends the administrator's browser afterwards: registered with the API client, and the same to the letter.
    pub redirect_uri: String,
    /// What to ask for.
    pub access: RequestedAccess,
    /// Goes on although the client id is connected elsewhere. Every event and every ticket is made twice then; the override is
    /// audited.
    pub allow_duplicate: bool,
}

/// An authorization that was begun.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationLink {
    /// Where to send the administrator. With it one can take part in the authorization: show it to the administrator, and never log it.
    pub url: String,
    /// From this time on it is void.
    pub expires_at: OffsetDateTime,
}

impl fmt::Debug for AuthorizationLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationLink")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What the administrator's browser returned with.
#[derive(Clone)]
pub struct Callback {
    state: SecretString,
    query: SecretString,
}

impl Callback {
    /// From the address that the browser returned to, or the query of it. What else there is, such as a refusal, is in there too.
    #[must_use]
    pub fn read(address: &str) -> Self {
        let address = address.trim();
        let query = address
            .split_once('?')
            .map_or(address, |(_, query)| query)
            .split('#')
            .next()
            .unwrap_or_default();
        let state = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == "state")
            .last();
        Self {
            state: state.map_or_else(SecretString::default, |(_, state)| {
                state.into_owned().into()
            }),
            query: query.into(),
        }
    }

    /// From the parameters `state` and `code`.
    #[must_use]
    pub fn new(state: &str, code: &str) -> Self {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("state", state), ("code", code)])
            .finish();
        Self {
            state: state.into(),
            query: query.into(),
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}

/// A connection that an administrator authorized. It is saved, whatever the test says.
#[derive(Debug)]
pub struct Authorized {
    /// The connection.
    pub connected: Connected,
    /// How much of the tenant the user who authorized it sees. With a part of it, nothing that a list lacks is retired or called
    /// gone: have an administrator authorize it who sees every organization.
    pub view: TenantView,
    /// What the connection sees, by its own refresh token: zero organizations is a success with a warning. An error, such as a
    /// role that may not read, is one to put right in NinjaOne.
    pub test: Result<ConnectionTest>,
}

/// What is sealed between begin and complete.
#[derive(Serialize, Deserialize)]
struct SealedAuthorization {
    state: String,
    verifier: String,
    redirect_uri: String,
    client_id: String,
    client_secret: Option<String>,
    allow_duplicate: bool,
}

/// An authorization that returns from NinjaOne.
#[derive(Clone, Debug)]
pub struct CompleteAuthorization {
    /// The address that the administrator's browser returned to.
    pub callback: Callback,
    /// Who asks.
    pub actor: Actor,
}

impl Integration {
    /// Begins the second way in: returns the address to send the administrator to, who lets the API client act for them. What
    /// returns goes to [`complete_authorization`](Self::complete_authorization), once, within ten minutes, by the same MSP.
    ///
    /// Nothing is connected yet. A region may have several authorizations under way; each that is completed connects it. What
    /// is under way lies sealed in the store until it is completed, the region is disconnected, or, expired, until another one
    /// of the MSP is begun or completed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address that is not allowed, an empty client id, or a redirect URI that is no address;
    /// [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.begin_authorization", skip_all, fields(%msp, region = %request.region))]
    pub async fn begin_authorization(
        &self,
        msp: MspOrgId,
        request: BeginAuthorization,
    ) -> Result<AuthorizationLink> {
        let BeginAuthorization {
            region,
            client_id,
            client_secret,
            redirect_uri,
            access,
            allow_duplicate,
        } = request;
        let base_url = self.allowed(&region).await?;
        self.check_key(msp).await?;
        let client_id = trimmed(&client_id);
        let redirect_uri = redirect_uri.trim().to_owned();
        let flow = Flow::new(base_url, client_id.expose_secret(), &redirect_uri);
        let (url, pending) = flow
            .scopes(access.scopes())
            .begin()
            .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()).caused_by(error))?;
        // An empty field of a form is a client without a secret.
        let client_secret = client_secret.filter(|secret| !is_blank(secret));
        let begun = SealedAuthorization {
            state: pending.state().expose_secret().to_owned(),
            verifier: pending.verifier().expose_secret().to_owned(),
            redirect_uri,
            client_id: client_id.expose_secret().to_owned(),
            client_secret: client_secret.map(|secret| secret.expose_secret().to_owned()),
            allow_duplicate,
        };
        let text = serde_json::to_string(&begun).map(SecretString::from);
        let text = text.map_err(|_| Error::new(ErrorKind::Internal, "text is always JSON"))?;
        let keyring = self.keyring()?;
        let sealed = keyring.seal(msp, &region, Field::Authorization, &text)?;
        let now = self.now();
        let expires_at = now.saturating_add(AUTHORIZATION_LIFETIME);
        let pending = StoredAuthorization {
            state: StateDigest::of(pending.state()),
            region,
            sealed,
            expires_at,
        };
        self.inner
            .store
            .begin_authorization(msp, pending, now)
            .await?;
        Ok(AuthorizationLink {
            url: url.into(),
            expires_at,
        })
    }

    /// Completes an authorization: redeems the code, saves the connection with its refresh token, sealed, and tries it. The same
    /// region again is a reconnect, whichever way it was connected before: the same mappings.
    ///
    /// Whatever comes of it, the authorization is spent: what goes wrong, goes wrong before anything is saved, and is begun
    /// again. After it is saved, [`test_saved_connection`](Self::test_saved_connection) tries it again.
    ///
    /// # Errors
    /// [`ErrorKind::AuthorizationExpired`] when the state is unknown, expired, used, another MSP's, or void since its region was
    /// disconnected (it does not tell which), when the administrator declined, and when NinjaOne does not take the code; [`ErrorKind::Conflict`] when the client id is connected
    /// elsewhere and that was not allowed, or when it does not see the mapped organizations, as [`connect`](Self::connect)
    /// says; [`ErrorKind::Ninjaone`] when the code cannot be redeemed for another reason;
    /// [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.complete_authorization", skip_all, fields(%msp))]
    pub async fn complete_authorization(
        &self,
        msp: MspOrgId,
        request: CompleteAuthorization,
    ) -> Result<Authorized> {
        let CompleteAuthorization { callback, actor } = request;
        let digest = StateDigest::of(&callback.state);
        let store = &self.inner.store;
        // Read before the authorization is taken: a disconnect from now on voids it, under way or not.
        let before = store.credentials(msp).await?;
        let pending = store.take_authorization(msp, &digest, self.now()).await?;
        let pending = pending.ok_or_else(|| {
            let message = "this authorization is not under way: it was completed, took longer than ten minutes, was never \
                           begun here, or its region was disconnected meanwhile; begin again";
            Error::new(ErrorKind::AuthorizationExpired, message)
        })?;
        let region = pending.region;
        let base_url = self.allowed(&region).await?;
        self.check_key(msp).await?;
        let keyring = self.keyring()?;
        let opened = keyring.open(msp, &region, Field::Authorization, &pending.sealed);
        let opened = opened.map_err(|error| match error {
            // It was begun under a key that was dropped meanwhile.
            SealError::UnknownKey { .. } => authorization_expired(error),
            _ => error.into(),
        })?;
        let begun: SealedAuthorization =
            serde_json::from_str(opened.expose_secret()).map_err(|_| SealError::Malformed)?;
        let flow = Pending::from_parts(
            begun.state.into(),
            begun.verifier.into(),
            begun.redirect_uri,
        );
        let code = flow
            .read_callback(callback.query.expose_secret())
            .map_err(refused)?;
        let client_id = SecretString::from(begun.client_id);
        let client_secret = begun.client_secret.map(SecretString::from);
        let fingerprint = keyring.fingerprint(&base_url.limit_host(), &client_id);
        let stored = before.into_iter().find(|stored| stored.region == region);
        let redemption = Redemption {
            base_url: base_url.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            code,
            log_ins: self.log_ins_of(msp)?,
        };
        let redeemed = self.inner.ninjaone.redeem(redemption).await;
        let Redeemed { token, view } = redeemed.map_err(not_redeemed)?;
        let tokens = Arc::new(MemoryTokenStore::holding(token));
        if let Some(stored) = &stored {
            let access = Access {
                base_url,
                fingerprint: fingerprint.clone(),
                client_id: client_id.clone(),
                grant: AccessGrant::AuthorizationCode {
                    client_secret: client_secret.clone(),
                    connection: stored.guard(),
                    tokens: Arc::<MemoryTokenStore>::clone(&tokens),
                },
                lane: Lane::Interactive,
                standing: Standing::Tried {
                    log_ins: self.log_ins_of(msp)?,
                },
            };
            self.sees_the_same_organizations(msp, stored, &access)
                .await?;
        }
        let token = tokens.load().await.ok().flatten();
        let token = token.ok_or_else(|| Error::new(ErrorKind::Internal, "the token is kept"))?;
        let token = Zeroizing::new(token.expose_secret().to_owned());

        let seal = |field, secret: &SecretString| keyring.seal(msp, &region, field, secret);
        let secrets = SealedSecrets {
            client_id: seal(Field::ClientId, &client_id)?,
            client_secret: client_secret
                .map(|secret| seal(Field::ClientSecret, &secret))
                .transpose()?,
            refresh_token: Some(seal(Field::RefreshToken, &token.as_str().into())?),
        };
        let connection = NewConnection {
            event: EventId::of_request("authorize", digest.as_str()),
            region: region.clone(),
            grant: Grant::AuthorizationCode,
            fingerprint,
            view,
            secrets,
            allow_duplicate: begun.allow_duplicate,
            actor,
            as_of: Some(stored.map(|stored| stored.generation)),
        };
        // Saved before it is tried: the code is spent, and what came for it is kept nowhere else.
        let connected = self.save(msp, connection).await?;
        let test = self
            .test_saved_connection(
                msp,
                crate::TestSavedConnection {
                    region: region.clone(),
                    actor,
                },
            )
            .await;
        Ok(Authorized {
            connected,
            view,
            test,
        })
    }
}

/// What the browser returned with is no code. Where a running connection is authorized again, one under way is begun again.
fn refused(error: ninjaone_client::Error) -> Error {
    if error.kind() != Vendor::AuthorizeAgain {
        return error.into();
    }
    Error::new(ErrorKind::AuthorizationExpired, error.to_string()).caused_by(error)
}

fn authorization_expired(error: SealError) -> Error {
    let message = "this authorization was sealed under a key that is no longer used: begin again";
    Error::new(ErrorKind::AuthorizationExpired, message).caused_by(error)
}

fn not_redeemed(error: Error) -> Error {
    if error.kind() != ErrorKind::Ninjaone(Vendor::AuthorizeAgain) {
        return error;
    }
    let message =
        "NinjaOne does not take the code, which is good once and for about a minute: begin again";
    Error::new(ErrorKind::AuthorizationExpired, message).caused_by(error)
}
