//! What a client authenticates with.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{AuthorizationCode, RefreshToken, Scope, Scopes, TokenStore, form};
use crate::{
    Error,
    pasted::{is_invisible, is_quoted, trim_pasted},
};

/// What a client authenticates with.
///
/// Neither `Debug` nor any error contains a secret, and the memory of secrets is wiped on drop.
///
/// Pasted text often contains additional characters. Invisible characters that cannot be part of an id or a secret (line breaks, a byte
/// order mark, zero-width characters) are trimmed from both ends. Blanks and quotation marks around a secret may be part of it and are
/// kept: [`ClientBuilder::build`](crate::ClientBuilder::build) then returns an error that names them.
#[derive(Clone)]
pub struct Credentials {
    client_id: String,
    grant: TokenGrant,
}

/// The way to request tokens.
#[derive(Clone)]
pub(crate) enum TokenGrant {
    /// The API client acts on its own behalf.
    ClientCredentials {
        /// The client secret.
        client_secret: SecretString,
        /// The scopes to request.
        scopes: Scopes,
    },
    /// The API client acts for a user who authorized it.
    RefreshToken {
        /// The client secret of a confidential client; none for a public client.
        client_secret: Option<SecretString>,
        /// Where the refresh token is kept.
        store: Arc<dyn TokenStore>,
    },
}

impl Credentials {
    /// An API client of the type *API Services (machine-to-machine)*, with only the scope `monitoring`.
    #[must_use]
    pub fn client_credentials(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        Self {
            client_id: trim_pasted(&client_id.into()).to_owned(),
            grant: TokenGrant::ClientCredentials {
                client_secret: secret(client_secret.into()),
                scopes: Scopes::default(),
            },
        }
    }

    /// An API client that a user authorized (see [`Authorization`](super::Authorization)), with the refresh token in `store`. The user's
    /// authorization determined its scopes.
    ///
    /// A client of the type *Web* has a secret: add it with [`Self::client_secret`]. A public client (*Native*) has none.
    #[must_use]
    pub fn refresh_token(client_id: impl Into<String>, store: Arc<dyn TokenStore>) -> Self {
        Self {
            client_id: trim_pasted(&client_id.into()).to_owned(),
            grant: TokenGrant::RefreshToken {
                client_secret: None,
                store,
            },
        }
    }

    /// Sets the client secret.
    #[must_use]
    pub fn client_secret(mut self, client_secret: impl Into<String>) -> Self {
        let new = secret(client_secret.into());
        match &mut self.grant {
            TokenGrant::ClientCredentials { client_secret, .. } => *client_secret = new,
            TokenGrant::RefreshToken { client_secret, .. } => *client_secret = Some(new),
        }
        self
    }

    /// Sets the scopes to request instead of `monitoring`. Request only scopes that the API client was granted: a single missing scope
    /// fails the whole request.
    ///
    /// This has no effect on [`Self::refresh_token`], whose scopes the user granted.
    #[must_use]
    pub fn scopes(mut self, asked: Scopes) -> Self {
        if let TokenGrant::ClientCredentials { scopes, .. } = &mut self.grant {
            *scopes = asked;
        }
        self
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether each token request uses up its refresh token.
    pub(crate) fn rotates(&self) -> bool {
        matches!(self.grant, TokenGrant::RefreshToken { .. })
    }

    pub(crate) fn grant(&self) -> &TokenGrant {
        &self.grant
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        validate_client_id(&self.client_id)?;
        let (client_secret, scopes) = match &self.grant {
            TokenGrant::ClientCredentials {
                client_secret,
                scopes,
            } => (client_secret, scopes),
            TokenGrant::RefreshToken { client_secret, .. } => {
                return client_secret.as_ref().map_or(Ok(()), validate_secret);
            }
        };
        if scopes.is_empty() {
            return Err(Error::config(
                "no scope is asked for: monitoring is the least",
            ));
        }
        validate_secret(client_secret)?;
        if scopes.contains(Scope::OfflineAccess) {
            // The EU region was observed to refuse the whole request.
            return Err(Error::config(
                "offline_access has no meaning with client credentials: leave it out",
            ));
        }
        Ok(())
    }

    /// The body of a token request with client credentials.
    pub(crate) fn client_token_request(
        &self,
        client_secret: &SecretString,
        scopes: &Scopes,
    ) -> Zeroizing<String> {
        form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", client_secret.expose_secret()),
            ("scope", &scopes.to_string()),
        ])
    }

    /// The body of a token request with a refresh token.
    pub(crate) fn refresh_request(
        &self,
        client_secret: Option<&SecretString>,
        token: &RefreshToken,
    ) -> Zeroizing<String> {
        let mut pairs = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose_secret()),
            ("client_id", &*self.client_id),
        ];
        pairs.extend(client_secret.map(|secret| ("client_secret", secret.expose_secret())));
        form(&pairs)
    }

    /// The body of a token request with an authorization code.
    pub(crate) fn code_request(
        &self,
        client_secret: Option<&SecretString>,
        code: &AuthorizationCode,
    ) -> Zeroizing<String> {
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

/// Whether an id or a secret cannot contain the character. RFC 6749 allows blanks in both.
fn cannot_belong(character: char) -> bool {
    character != ' ' && is_invisible(character)
}

/// Wraps a secret, and trims characters that cannot be part of it from both ends.
fn secret(pasted: String) -> SecretString {
    let pasted = Zeroizing::new(pasted);
    SecretString::from(pasted.trim_matches(cannot_belong))
}

/// Refuses an invalid client id.
pub(super) fn validate_client_id(id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::config("the client id is empty"));
    }
    if is_quoted(id) {
        return Err(Error::config(
            "the client id stands in quotation marks: paste it without them",
        ));
    }
    if id.chars().any(cannot_belong) {
        return Err(Error::config(
            "the client id holds a character that cannot be seen: copy it again from NinjaOne",
        ));
    }
    Ok(())
}

fn validate_secret(secret: &SecretString) -> Result<(), Error> {
    let secret = secret.expose_secret();
    if secret.trim().is_empty() {
        return Err(Error::config("the client secret is empty"));
    }
    if is_quoted(secret) {
        return Err(Error::config(
            "the client secret stands in quotation marks: paste it without them",
        ));
    }
    if secret.starts_with(' ') || secret.ends_with(' ') {
        return Err(Error::config(
            "the client secret begins or ends with a blank: paste it without",
        ));
    }
    if secret.chars().any(cannot_belong) {
        return Err(Error::config(
            "the client secret holds a character that cannot be seen: copy it again from NinjaOne",
        ));
    }
    Ok(())
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
        let TokenGrant::ClientCredentials {
            client_secret,
            scopes,
        } = credentials.grant()
        else {
            panic!("client credentials");
        };
        assert_eq!(
            *credentials.client_token_request(client_secret, scopes),
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

    #[test]
    fn what_a_pasted_credential_brings_along_is_trimmed_or_refused_with_what_to_do() {
        let sent = |id: &str, secret: &str| {
            let credentials = Credentials::client_credentials(id, secret);
            credentials.validate().map(|()| match credentials.grant() {
                TokenGrant::ClientCredentials { client_secret, .. } => (
                    credentials.client_id().to_owned(),
                    client_secret.expose_secret().to_owned(),
                ),
                TokenGrant::RefreshToken { .. } => panic!("client credentials"),
            })
        };
        for (id, secret) in [
            ("\u{feff}id", "\u{feff}hunter2"),
            ("id\r\n", "hunter2\r\n"),
            (" id\u{200b}", "\u{200b}hunter2\u{2060}"),
            ("\tid\u{a0}", "\u{a0}hunter2\t"),
        ] {
            let (sent_id, sent_secret) = sent(id, secret).unwrap();
            assert_eq!((&*sent_id, &*sent_secret), ("id", "hunter2"), "{id:?}");
        }
        for (id, secret, about) in [
            ("\"id\"", "hunter2", "quotation marks"),
            ("\u{201c}id\u{201d}", "hunter2", "quotation marks"),
            ("i\u{200b}d", "hunter2", "the client id holds"),
            ("id", "\"hunter2\"", "quotation marks"),
            ("id", "\u{feff}'hunter2'\n", "quotation marks"),
            // A blank may be part of the secret, so it is neither sent nor silently removed.
            ("id", "hunter2 ", "begins or ends with a blank"),
            ("id", " hunter2", "begins or ends with a blank"),
            ("id", "h\u{200b}unter2", "the client secret holds"),
            ("id", "h\u{a0}unter2", "the client secret holds"),
            ("id", "\u{feff}\n", "empty"),
        ] {
            let error = sent(id, secret).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Config);
            assert!(error.to_string().contains(about), "{error}");
            assert!(!format!("{error} {error:?}").contains("unter2"));
        }
        // Quotation marks and blanks inside a secret may be correct.
        let (_, secret) = sent("id", "a'b \"c").unwrap();
        assert_eq!(secret, "a'b \"c");
        let store = Arc::new(super::super::MemoryTokenStore::default());
        let of_user = Credentials::refresh_token("id", store).client_secret("'hunter2'");
        assert!(of_user.validate().is_err());
    }
}
