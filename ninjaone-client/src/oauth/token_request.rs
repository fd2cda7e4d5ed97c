//! Requests tokens: the grants, over the same pipeline as all requests.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use crate::{
    Client, Error, ErrorKind,
    oauth::{AuthorizationCode, RefreshToken, TokenAnswer, TokenGrant, TokenStore},
    response::RequestKind,
};

/// The waits before the store is read again after a refusal. Another process may have used the same refresh token, and be about to store
/// the next one.
const LOOK_AGAIN: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(2),
];

impl Client {
    /// Redeems an authorization code: stores the refresh token and keeps the access token.
    ///
    /// The client must have been built with [`Credentials::refresh_token`](crate::Credentials::refresh_token).
    ///
    /// # Errors
    /// [`AuthorizeAgain`](ErrorKind::AuthorizeAgain) when the code has been used or is too old,
    /// [`ScopeNotGranted`](ErrorKind::ScopeNotGranted) when the response has no refresh token, [`TokenStore`](ErrorKind::TokenStore) when
    /// the refresh token could not be stored (the client keeps it and stores it at the next request), and the errors of every request.
    pub async fn redeem(&self, code: AuthorizationCode) -> Result<(), Error> {
        let credentials = &self.inner.credentials;
        let TokenGrant::RefreshToken {
            client_secret,
            store,
        } = credentials.grant()
        else {
            return Err(Error::config(
                "only a client built with Credentials::refresh_token can redeem a code",
            ));
        };
        let form = credentials.code_request(client_secret.as_ref(), &code);
        let answer = self.ask_for_token(RequestKind::UserToken, form).await?;
        if answer.refresh_token.is_none() {
            return Err(Error::new(
                ErrorKind::ScopeNotGranted,
                "no refresh token came: the API client must allow the refresh token grant, and offline_access be asked for",
            )
            .of("oauth.token"));
        }
        if let Some(answer) = self.settled(store, None, answer).await? {
            self.inner.tokens.put(answer).await;
        }
        Ok(())
    }

    /// Requests a new token, by the grant of the credentials.
    pub(crate) async fn new_token(&self) -> Result<TokenAnswer, Error> {
        let credentials = &self.inner.credentials;
        match credentials.grant() {
            TokenGrant::ClientCredentials {
                client_secret,
                scopes,
            } => {
                self.ask_for_token(
                    RequestKind::ClientToken,
                    credentials.client_token_request(client_secret, scopes),
                )
                .await
            }
            TokenGrant::RefreshToken {
                client_secret,
                store,
            } => self.refresh(client_secret.as_ref(), store).await,
        }
    }

    async fn refresh(
        &self,
        client_secret: Option<&SecretString>,
        store: &Arc<dyn TokenStore>,
    ) -> Result<TokenAnswer, Error> {
        if let Some(answer) = self.inner.rotation.settle(store).await? {
            return Ok(answer);
        }
        let mut token = load(store).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::AuthorizeAgain,
                "no refresh token is stored: authorize first",
            )
            .of("oauth.token")
        })?;
        loop {
            let form = self
                .inner
                .credentials
                .refresh_request(client_secret, &token);
            let refused = match self.ask_for_token(RequestKind::UserToken, form).await {
                Ok(answer) => match self.settled(store, Some(token), answer).await? {
                    Some(answer) => return Ok(answer),
                    None => {
                        return Err(Error::new(
                            ErrorKind::TokenStore,
                            "the token was lost on its way to the store",
                        ));
                    }
                },
                Err(error) if error.kind() == ErrorKind::AuthorizeAgain => error,
                Err(error) => return Err(error),
            };
            // Before it fails, checks whether another process has rotated the token in the meantime.
            token = self
                .rotated_by_another(store, &token)
                .await?
                .ok_or(refused)?;
        }
    }

    /// Stores the refresh token of a response, if it has a new one, and then returns the response.
    async fn settled(
        &self,
        store: &Arc<dyn TokenStore>,
        spent: Option<RefreshToken>,
        answer: TokenAnswer,
    ) -> Result<Option<TokenAnswer>, Error> {
        match self.inner.rotation.accept(spent, answer) {
            Some(answer) => Ok(Some(answer)),
            None => self.inner.rotation.settle(store).await,
        }
    }

    async fn rotated_by_another(
        &self,
        store: &Arc<dyn TokenStore>,
        used: &RefreshToken,
    ) -> Result<Option<RefreshToken>, Error> {
        for wait in LOOK_AGAIN {
            tokio::time::sleep(wait).await;
            if let Some(stored) = load(store).await?
                && !stored.is(used)
            {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }
}

async fn load(store: &Arc<dyn TokenStore>) -> Result<Option<RefreshToken>, Error> {
    store.load().await.map_err(|error| {
        Error::new(
            ErrorKind::TokenStore,
            "the stored refresh token could not be read",
        )
        .of("oauth.token")
        .caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        Authorization, Credentials, MemoryTokenStore, Region, TokenStoreError,
        organizations::OrganizationsParams,
        scripted::{Answer, Scripted, answer},
    };

    /// A tenant that accepts one refresh token at a time.
    fn tenant(good: &Arc<Mutex<u32>>) -> Arc<Bodies> {
        Arc::new(Bodies {
            good: Arc::clone(good),
            seen: Mutex::default(),
        })
    }

    #[derive(Debug)]
    struct Bodies {
        good: Arc<Mutex<u32>>,
        seen: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl crate::Transport for Bodies {
        async fn send(&self, request: http::Request<bytes::Bytes>) -> Answer {
            if request.uri().path() != "/ws/oauth/token" {
                return answer(200, "[]");
            }
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            let form: std::collections::HashMap<_, _> =
                url::form_urlencoded::parse(body.as_bytes())
                    .into_owned()
                    .collect();
            self.seen.lock().unwrap().push(body);
            let mut good = self.good.lock().unwrap();
            let is_good = match form["grant_type"].as_str() {
                "refresh_token" => form["refresh_token"] == format!("r{good}"),
                _ => form["code"] == "c",
            };
            if !is_good {
                return answer(400, r#"{"error":"invalid_token"}"#);
            }
            *good += 1;
            answer(
                200,
                format!(
                    r#"{{"access_token":"a{good}","expires_in":3600,"refresh_token":"r{good}"}}"#
                ),
            )
        }
    }

    fn client(transport: Arc<dyn crate::Transport>, store: Arc<dyn TokenStore>) -> Client {
        Client::builder(
            Region::Eu,
            Credentials::refresh_token("user-client", store).client_secret("s"),
        )
        .transport(transport)
        .limiter(Arc::new(crate::Limiter::new()))
        .build()
        .unwrap()
    }

    async fn list(client: &Client) -> Result<usize, Error> {
        Ok(client
            .organizations()
            .list(OrganizationsParams::default())
            .collect()
            .await?
            .rows
            .len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_redeemed_and_refresh_tokens_rotate() {
        let good = Arc::new(Mutex::new(0));
        let (tenant, store) = (tenant(&good), Arc::new(MemoryTokenStore::new()));
        let client = client(tenant.clone(), store.clone());
        assert_eq!(
            list(&client).await.unwrap_err().kind(),
            ErrorKind::AuthorizeAgain
        );
        let (url, pending) =
            Authorization::new(Region::Eu, "user-client", "https://app.example/cb")
                .begin()
                .unwrap();
        let state = url
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned();
        let verifier = secrecy::ExposeSecret::expose_secret(pending.verifier()).to_owned();
        client
            .redeem(
                pending
                    .read_callback(&format!("code=c&state={state}"))
                    .unwrap(),
            )
            .await
            .unwrap();
        list(&client).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        list(&client).await.unwrap();
        assert_eq!(store.load().await.unwrap().unwrap().expose_secret(), "r2");
        assert_eq!(
            *tenant.seen.lock().unwrap(),
            [
                format!(
                    "grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fapp.example%2Fcb\
                     &code_verifier={verifier}&client_id=user-client&client_secret=s"
                ),
                "grant_type=refresh_token&refresh_token=r1&client_id=user-client&client_secret=s"
                    .to_owned(),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_refresh_token_says_authorize_again() {
        for word in ["invalid_token", "expired_token", "invalid_grant"] {
            let script = Scripted::new(move |_| answer(400, format!(r#"{{"error":"{word}"}}"#)));
            let store = MemoryTokenStore::holding(RefreshToken::new("dead"));
            let error = list(&client(script.clone(), Arc::new(store)))
                .await
                .unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::AuthorizeAgain, Some(word))
            );
            assert!(
                error.to_string().contains("authorize again") && !error.is_retryable(),
                "{error}"
            );
            assert_eq!(script.sent().len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_another_process_rotated_is_read_again() {
        let good = Arc::new(Mutex::new(7));
        let store = Arc::new(MemoryTokenStore::holding(RefreshToken::new("r6")));
        let client = client(tenant(&good), store.clone());
        let asking = tokio::spawn(async move { list(&client).await });
        // The other process received r7 for r6 and stores it late.
        tokio::time::sleep(Duration::from_secs(1)).await;
        store.store(None, &RefreshToken::new("r7")).await.unwrap();
        asking.await.unwrap().unwrap();
        assert_eq!(store.load().await.unwrap().unwrap().expose_secret(), "r8");
    }

    /// Responds after a second, so that the future can be dropped before.
    #[derive(Debug)]
    struct Slow(Arc<Bodies>);

    #[async_trait]
    impl crate::Transport for Slow {
        async fn send(&self, request: http::Request<bytes::Bytes>) -> Answer {
            let answer = self.0.send(request).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            answer
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_dropped_does_not_lose_the_next_refresh_token() {
        let good = Arc::new(Mutex::new(1));
        let store = Arc::new(MemoryTokenStore::holding(RefreshToken::new("r1")));
        let tenant = tenant(&good);
        let client = client(Arc::new(Slow(tenant.clone())), store.clone());
        let moment = Duration::from_millis(500);
        assert!(tokio::time::timeout(moment, list(&client)).await.is_err());
        list(&client).await.unwrap();
        assert_eq!(store.load().await.unwrap().unwrap().expose_secret(), "r2");
        assert_eq!(tenant.seen.lock().unwrap().len(), 1, "renewed once");
    }

    #[derive(Debug, Default)]
    struct Flaky {
        store: MemoryTokenStore,
        broken: AtomicBool,
        stores: AtomicU32,
    }

    #[async_trait]
    impl TokenStore for Flaky {
        async fn load(&self) -> Result<Option<RefreshToken>, TokenStoreError> {
            self.store.load().await
        }

        async fn store(
            &self,
            spent: Option<&RefreshToken>,
            next: &RefreshToken,
        ) -> Result<(), TokenStoreError> {
            self.stores.fetch_add(1, Ordering::Relaxed);
            if self.broken.load(Ordering::Relaxed) {
                return Err(TokenStoreError::new("disk full"));
            }
            self.store.store(spent, next).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refresh_token_that_cannot_be_stored_is_not_lost() {
        let good = Arc::new(Mutex::new(1));
        let store = Arc::new(Flaky {
            store: MemoryTokenStore::holding(RefreshToken::new("r1")),
            ..Flaky::default()
        });
        store.broken.store(true, Ordering::Relaxed);
        let tenant = tenant(&good);
        let client = client(tenant.clone(), store.clone());
        for _ in 0..2 {
            let error = list(&client).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (ErrorKind::TokenStore, true)
            );
        }
        store.broken.store(false, Ordering::Relaxed);
        list(&client).await.unwrap();
        assert_eq!(store.load().await.unwrap().unwrap().expose_secret(), "r2");
        assert_eq!(
            (
                tenant.seen.lock().unwrap().len(),
                store.stores.load(Ordering::Relaxed)
            ),
            (1, 3)
        );
    }
}
