//! Where refresh tokens are kept.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

/// A refresh token: as good as a password for about a month.
#[derive(Clone)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// Wraps the text NinjaOne sent.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }

    /// The text, to be sealed and stored.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.expose_secret() == other.expose_secret()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// Keeps the refresh token of one connection between runs and processes.
///
/// NinjaOne rotates: every use of a refresh token spends it and brings the next one. Losing the next one means sending an
/// administrator through the authorization again.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// The token stored last, as of now: another process may have rotated it.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn load(&self) -> Result<Option<RefreshToken>, TokenStoreError>;

    /// Stores the next token in one atomic step. `spent` is the one it follows, none after an authorization.
    ///
    /// # Errors
    /// When the store cannot be written. The client keeps the token, does not use what came with it, and tries again at its
    /// next request.
    async fn store(
        &self,
        spent: Option<&RefreshToken>,
        next: &RefreshToken,
    ) -> Result<(), TokenStoreError>;
}

/// A [`TokenStore`] that failed.
#[derive(Debug)]
pub struct TokenStoreError(Box<dyn std::error::Error + Send + Sync>);

impl TokenStoreError {
    /// With its cause, whose texts must not contain the token.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for TokenStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token store failed")
    }
}

impl std::error::Error for TokenStoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// A store that forgets with the process: for tests, and for hosts that authorize at every start.
#[derive(Debug, Default)]
pub struct MemoryTokenStore(Mutex<Option<RefreshToken>>);

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds a token.
    #[must_use]
    pub fn holding(token: RefreshToken) -> Self {
        Self(Mutex::new(Some(token)))
    }
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn load(&self) -> Result<Option<RefreshToken>, TokenStoreError> {
        Ok(self.0.lock().await.clone())
    }

    async fn store(
        &self,
        _: Option<&RefreshToken>,
        next: &RefreshToken,
    ) -> Result<(), TokenStoreError> {
        *self.0.lock().await = Some(next.clone());
        Ok(())
    }
}
