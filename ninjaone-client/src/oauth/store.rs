//! Storage of refresh tokens.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

/// A refresh token. For about a month it is equivalent to a password.
#[derive(Clone)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// Wraps a refresh token from NinjaOne.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }

    /// The token as text. Encrypt it before you store it.
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
/// NinjaOne rotates refresh tokens: every use invalidates the token and returns the next one. If the next one is lost, an administrator
/// must authorize again.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// Loads the token that was stored last. It must read the store each time, because another process may have rotated the token.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn load(&self) -> Result<Option<RefreshToken>, TokenStoreError>;

    /// Stores the next token in one atomic step. `spent` is the token that it replaces; `None` after an authorization.
    ///
    /// # Errors
    /// When the store cannot be written. The client then keeps the new token in memory, does not use the access token that came with it,
    /// and tries to store it again at its next request.
    async fn store(
        &self,
        spent: Option<&RefreshToken>,
        next: &RefreshToken,
    ) -> Result<(), TokenStoreError>;
}

/// The error of a [`TokenStore`].
#[derive(Debug)]
pub struct TokenStoreError(Box<dyn std::error::Error + Send + Sync>);

impl TokenStoreError {
    /// Creates an error with its source. The texts of the source must not contain the token.
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

/// A store in memory, for tests and for hosts that authorize at every start. Its content is lost when the process ends.
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
