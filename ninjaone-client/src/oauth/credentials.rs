//! What a client authenticates with.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::{AuthorizationCode, RefreshToken, Scope, Scopes, TokenStore, form};
use crate::Error;

/// What a client authenticates with.
///
/// Neither `Debug` nor any error shows a secret; the memory of secrets is wiped on drop.
#[derive(Clone)]
pub struct Credentials {
    client_id: String,
    grant: Grant,
}

/// How tokens are got.
#[derive(Clone)]
pub(crate) enum Grant {
    /// The API client stands for itself.
    ClientCredentials {
        /// Its secret.
        client_secret: SecretString,
        /// What is asked for.
        scopes: Scopes,
    },
    /// A user let the API client act for them.
    RefreshToken {
        /// The secret of a confidential client; public ones have none.
        client_secret: Option<SecretString>,
        /// Where the refresh token is kept.
        store: Arc<dyn TokenStore>,
    },
}

impl Credentials {
    /// An API client of the type *API Services (machine-to-machine)*, with the scope `monitoring` and no other.
    #[must_use]
    pub fn client_credentials(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        Self {
            client_id: client_id.into().trim().to_owned(),
            grant: Grant::ClientCredentials {
                client_secret: SecretString::from(client_secret.into()),
                scopes: Scopes::default(),
            },
        }
    }

    /// An API client that a user authorized (see [`Authorization`](super::Authorization)), by the refresh token in `store`.
    /// What it may do was decided then.
    ///
    /// A client of the type *Web* has a secret: add it with [`Self::client_secret`]. A public one (*Native*) has none.
    #[must_use]
    pub fn refresh_token(client_id: impl Into<String>, store: Arc<dyn TokenStore>) -> Self {
        Self {
            client_id: client_id.into().trim().to_owned(),
            grant: Grant::RefreshToken {
                client_secret: None,
                store,
            },
        }
    }

    /// Sets the client secret.
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        let secret = SecretString::from(secret.into());
        match &mut self.grant {
            Grant::ClientCredentials { client_secret, .. } => *client_secret = secret,
            Grant::RefreshToken { client_secret, .. } => *client_secret = Some(secret),
        }
        self
    }

    /// Asks for other scopes than `monitoring`. Ask for no more than needed: one that was not granted fails them all.
    ///
    /// Without effect on [`Self::refresh_token`], whose scopes were granted by the user.
    #[must_use]
    pub fn scopes(mut self, asked: Scopes) -> Self {
        if let Grant::ClientCredentials { scopes, .. } = &mut self.grant {
            *scopes = asked;
        }
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether getting a token spends what it is got with.
    pub(crate) fn rotates(&self) -> bool {
        matches!(self.grant, Grant::RefreshToken { .. })
    }

    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.client_id.is_empty() {
            return Err(Error::config("the client id is empty"));
        }
        let Grant::ClientCredentials {
            client_secret,
            scopes,
        } = &self.grant
        else {
            return Ok(());
        };
        if scopes.is_empty() {
            return Err(Error::config(
                "no scope is asked for: monitoring is the least",
            ));
        }
        if client_secret.expose_secret().trim().is_empty() {
            return Err(Error::config("the client secret is empty"));
        }
        if scopes.contains(Scope::OfflineAccess) {
            // Observed: the EU region refuses the whole request.
            return Err(Error::config(
                "offline_access has no meaning with client credentials: leave it out",
            ));
        }
        Ok(())
    }

    /// Body of a request for a token with client credentials.
    pub(crate) fn client_token_request(
        &self,
        client_secret: &SecretString,
        scopes: &Scopes,
    ) -> String {
        form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", client_secret.expose_secret()),
            ("scope", &scopes.to_string()),
        ])
    }

    /// Body of a request for a token with a refresh token.
    pub(crate) fn refresh_request(
        &self,
        client_secret: Option<&SecretString>,
        token: &RefreshToken,
    ) -> String {
        let mut pairs = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose_secret()),
            ("client_id", &*self.client_id),
        ];
        pairs.extend(client_secret.map(|secret| ("client_secret", secret.expose_secret())));
        form(&pairs)
    }

    /// Body of a request for a token with an authorization code.
    pub(crate) fn code_request(
        &self,
        client_secret: Option<&SecretString>,
        code: &AuthorizationCode,
    ) -> String {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code.code()),
            ("redirect_uri", code.redirect_uri()),
            ("code_verifier", code.verifier()),
            ("client_id", &*self.client_id),
        ];
        pairs.extend(client_secret.map(|secret| ("client_secret", secret.expose_secret())));
        form(&pairs)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_monitoring_is_asked_for() {
        let credentials = Credentials::client_credentials(" id ", "s&c=r t");
        let Grant::ClientCredentials {
            client_secret,
            scopes,
        } = credentials.grant()
        else {
            panic!("client credentials");
        };
        assert_eq!(
            credentials.client_token_request(client_secret, scopes),
            "grant_type=client_credentials&client_id=id&client_secret=s%26c%3Dr+t&scope=monitoring"
        );
    }

    #[test]
    fn what_cannot_work_is_refused_before_it_is_sent() {
        let ok = Credentials::client_credentials("id", "secret");
        ok.validate().unwrap();
        for wrong in [
            Credentials::client_credentials("", "secret"),
            Credentials::client_credentials("id", " "),
            ok.clone().scopes(Scopes::new([])),
            ok.clone()
                .scopes(Scopes::default().with(Scope::OfflineAccess)),
        ] {
            let error = wrong.validate().unwrap_err();
            assert!(!format!("{error} {error:?} {wrong:?}").contains("secret\""));
        }
        assert!(!format!("{ok:?}").contains("id\""));
    }
}
