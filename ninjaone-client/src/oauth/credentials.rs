//! What a client authenticates with.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{Scope, Scopes, form};
use crate::Error;

/// What a client authenticates with.
///
/// Neither `Debug` nor any error shows a secret; the memory of secrets is wiped on drop.
#[derive(Clone)]
pub struct Credentials {
    client_id: String,
    grant: Grant,
    scopes: Scopes,
}

/// How tokens are got.
#[derive(Clone)]
pub(crate) enum Grant {
    /// The API client stands for itself.
    ClientCredentials { client_secret: SecretString },
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
            },
            scopes: Scopes::default(),
        }
    }

    /// Asks for other scopes than `monitoring`. Ask for no more than needed: one that was not granted fails them all.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.client_id.is_empty() {
            return Err(Error::config("the client id is empty"));
        }
        if self.scopes.is_empty() {
            return Err(Error::config(
                "no scope is asked for: monitoring is the least",
            ));
        }
        match &self.grant {
            Grant::ClientCredentials { client_secret } => {
                if client_secret.expose_secret().trim().is_empty() {
                    return Err(Error::config("the client secret is empty"));
                }
                if self.scopes.contains(Scope::OfflineAccess) {
                    // Observed: the EU region refuses the whole request.
                    return Err(Error::config(
                        "offline_access has no meaning with client credentials: leave it out",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Body of the request for a token.
    pub(crate) fn token_request(&self) -> String {
        match &self.grant {
            Grant::ClientCredentials { client_secret } => form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &self.client_id),
                ("client_secret", client_secret.expose_secret()),
                ("scope", &self.scopes.to_string()),
            ]),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_monitoring_is_asked_for() {
        let body = Credentials::client_credentials(" id ", "s&c=r t").token_request();
        assert_eq!(
            body,
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
