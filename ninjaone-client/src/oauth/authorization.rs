//! The authorization code flow: the address for the administrator, and the callback from NinjaOne.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Scope, Scopes, credentials::validate_client_id, pkce};
use crate::{BaseUrl, Error, ErrorKind, pasted::trim_pasted};

/// The path that the administrator's browser is sent to. `/oauth/authorize` works too, but the token endpoint under `/oauth` disappeared
/// twice on one region in 2024.
const AUTHORIZE_PATH: &str = "/ws/oauth/authorize";

/// Begins the authorization code flow, with state and PKCE.
///
/// ```
/// use ninjaone_client::{Authorization, Region};
/// let (url, pending) = Authorization::new(Region::Eu, "client-id", "https://app.example/callback").begin()?;
/// // Store `pending` encrypted, send the administrator to `url`, and when the browser returns:
/// # let callback = format!("https://app.example/callback?code=c&state={}", url.query_pairs().find(|(name, _)| name == "state").unwrap().1);
/// let code = pending.read_callback(&callback)?;
/// // client.redeem(code).await? stores the refresh token.
/// # drop(code);
/// # Ok::<(), ninjaone_client::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "call begin()"]
pub struct Authorization {
    base: BaseUrl,
    client_id: String,
    redirect_uri: String,
    scopes: Scopes,
}

impl Authorization {
    /// Creates an authorization with the scopes `monitoring` and `offline_access`. The redirect URI must equal the registered one exactly,
    /// including a trailing slash.
    pub fn new(
        base: impl Into<BaseUrl>,
        client_id: impl Into<String>,
        redirect_uri: impl Into<String>,
    ) -> Self {
        Self {
            base: base.into(),
            client_id: trim_pasted(&client_id.into()).to_owned(),
            redirect_uri: redirect_uri.into(),
            scopes: Scopes::default().with(Scope::OfflineAccess),
        }
    }

    /// Sets the scopes. Request only scopes that the API client was granted: a single missing scope fails the whole request.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Returns the address to send the administrator to, and the state to keep until the browser returns.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when client id, redirect URI or scopes are invalid.
    pub fn begin(self) -> Result<(Url, PendingAuthorization), Error> {
        validate_client_id(&self.client_id)?;
        if self.scopes.is_empty() {
            return Err(Error::config(
                "no scope is asked for: monitoring is the least",
            ));
        }
        Url::parse(&self.redirect_uri).map_err(|_| {
            Error::config("the redirect URI is no address: write it as it is registered")
        })?;
        let pending = PendingAuthorization {
            state: pkce::random::<16>()?,
            verifier: pkce::random::<32>()?,
            redirect_uri: self.redirect_uri,
        };
        let mut url = Url::parse(&self.base.join(AUTHORIZE_PATH))
            .map_err(|_| Error::config("the base URL is no address"))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &pending.redirect_uri)
            .append_pair("scope", &self.scopes.to_string())
            .append_pair("state", pending.state.expose_secret())
            .append_pair("code_challenge", &pkce::challenge(&pending.verifier))
            .append_pair("code_challenge_method", "S256");
        Ok((url, pending))
    }
}

/// An authorization that has begun. Store it encrypted, bind it to the user who began it, use it once, and delete it after ten minutes.
#[derive(Clone)]
pub struct PendingAuthorization {
    state: SecretString,
    verifier: SecretString,
    redirect_uri: String,
}

impl PendingAuthorization {
    /// Restores an authorization from its stored parts.
    #[must_use]
    pub fn from_parts(
        state: SecretString,
        verifier: SecretString,
        redirect_uri: impl Into<String>,
    ) -> Self {
        Self {
            state,
            verifier,
            redirect_uri: redirect_uri.into(),
        }
    }

    /// The state, which the callback must contain.
    #[must_use]
    pub fn state(&self) -> &SecretString {
        &self.state
    }

    /// The PKCE verifier.
    #[must_use]
    pub fn verifier(&self) -> &SecretString {
        &self.verifier
    }

    /// The redirect URI.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Reads the callback: the whole address that the browser returned to, or only its query.
    ///
    /// # Errors
    /// [`ErrorKind::AuthorizeAgain`] when the state belongs to another authorization, the administrator declined, or there is no code;
    /// [`ErrorKind::ScopeNotGranted`] when a scope was refused.
    pub fn read_callback(self, callback: &str) -> Result<AuthorizationCode, Error> {
        let query = callback
            .split_once('?')
            .map_or(callback, |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let (mut code, mut state, mut refusal) = (None, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "code" => code = Some(SecretString::from(value.into_owned())),
                "state" => state = Some(SecretString::from(value.into_owned())),
                "error" => refusal = Some(value.into_owned()),
                _ => {}
            }
        }
        let again = |reason: &'static str| {
            Error::new(ErrorKind::AuthorizeAgain, reason).of("oauth.callback")
        };
        let ours = self.state.expose_secret().as_bytes();
        if !state.is_some_and(|state| same(state.expose_secret().as_bytes(), ours)) {
            return Err(again(
                "the answer does not belong to this authorization (its state differs): begin again",
            ));
        }
        match refusal.as_deref() {
            None => {}
            Some("invalid_scope") => {
                let reason = "the API client was not granted a scope that was asked for: grant it in NinjaOne, or ask for fewer";
                return Err(Error::new(ErrorKind::ScopeNotGranted, reason).of("oauth.callback"));
            }
            Some("access_denied") => {
                return Err(again(
                    "the administrator declined: begin again to ask once more",
                ));
            }
            Some(_) => {
                return Err(again(
                    "NinjaOne refused the authorization: check the API client's redirect URI and grants",
                ));
            }
        }
        let code = code
            .filter(|code| !code.expose_secret().is_empty())
            .ok_or_else(|| again("the answer holds no code: begin again"))?;
        Ok(AuthorizationCode {
            code,
            pending: self,
        })
    }
}

/// An authorization code. Redeem it with [`Client::redeem`](crate::Client::redeem) once, within about a minute.
#[derive(Clone)]
pub struct AuthorizationCode {
    code: SecretString,
    pending: PendingAuthorization,
}

impl AuthorizationCode {
    pub(crate) fn code(&self) -> &str {
        self.code.expose_secret()
    }

    pub(crate) fn verifier(&self) -> &str {
        self.pending.verifier.expose_secret()
    }

    pub(crate) fn redirect_uri(&self) -> &str {
        &self.pending.redirect_uri
    }
}

/// Compares in constant time, so that the duration does not show how many bytes are equal.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .fold(0, |differs, (one, other)| differs | (one ^ other))
            == 0
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Region;

    fn begin() -> (Url, PendingAuthorization) {
        Authorization::new(Region::Oc, "id", "https://app.example/cb/")
            .begin()
            .unwrap()
    }

    #[test]
    fn the_administrator_is_sent_to_the_region_with_state_and_challenge() {
        let (url, pending) = begin();
        let state = pending.state().expose_secret();
        let challenge = pkce::challenge(pending.verifier());
        assert_eq!(
            url.as_str(),
            format!(
                "https://oc.ninjarmm.com/ws/oauth/authorize?response_type=code&client_id=id\
                 &redirect_uri=https%3A%2F%2Fapp.example%2Fcb%2F&scope=monitoring+offline_access&state={state}\
                 &code_challenge={challenge}&code_challenge_method=S256"
            )
        );
    }

    #[test]
    fn callbacks() {
        let (_, pending) = begin();
        let state = pending.state().expose_secret().to_owned();
        let read = |callback: String| pending.clone().read_callback(&callback);
        assert_eq!(
            read(format!(
                "https://app.example/cb/?code=a%2Bb&state={state}#x"
            ))
            .unwrap()
            .code(),
            "a+b"
        );
        assert_eq!(read(format!("state={state}&code=c")).unwrap().code(), "c");
        for (callback, kind) in [
            (format!("code=c&state={state}x"), ErrorKind::AuthorizeAgain),
            ("code=c".to_owned(), ErrorKind::AuthorizeAgain),
            (format!("state={state}"), ErrorKind::AuthorizeAgain),
            (
                format!("error=access_denied&state={state}"),
                ErrorKind::AuthorizeAgain,
            ),
            (
                format!("error=invalid_scope&error_description=jane&state={state}"),
                ErrorKind::ScopeNotGranted,
            ),
            (String::new(), ErrorKind::AuthorizeAgain),
        ] {
            let error = read(callback.clone()).unwrap_err();
            assert_eq!(error.kind(), kind, "{callback}");
            assert!(!format!("{error} {error:?}").contains("jane"));
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert!(
            Authorization::new(Region::Us, "", "https://a.example")
                .begin()
                .is_err()
        );
        assert!(
            Authorization::new(Region::Us, "id", "not an address")
                .begin()
                .is_err()
        );
        assert!(
            Authorization::new(Region::Us, "id", "https://a.example")
                .scopes(Scopes::new([]))
                .begin()
                .is_err()
        );
    }
}
