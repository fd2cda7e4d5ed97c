//! An authorization that was begun and waits for the administrator to come back.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::region::RegionKey;
use crate::seal::Sealed;

/// How long an authorization may take, from begin to complete. At exactly this age it is void.
pub const AUTHORIZATION_LIFETIME: Duration = Duration::minutes(10);

/// SHA-256 of the `state` parameter, lower-case hex: what finds the pending authorization without storing the state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateDigest(String);

impl StateDigest {
    /// The digest of a `state`.
    #[must_use]
    pub fn of(state: &SecretString) -> Self {
        let digest: [u8; 32] = Sha256::digest(state.expose_secret().as_bytes()).into();
        Self(crate::hex::encode(&digest))
    }

    /// The digest with this text, as a store kept it.
    #[must_use]
    pub fn from_hex(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for stores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateDigest(..)")
    }
}

/// One authorization under way: single-use, bound to its MSP, valid for ten minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingAuthorization {
    /// Finds it by the `state` that comes back.
    pub state: StateDigest,
    /// Where the administrator was sent.
    pub region: RegionKey,
    /// State, PKCE verifier, redirect URI, client id and client secret, sealed together.
    pub sealed: Sealed,
    /// From this time on it is void.
    pub expires_at: OffsetDateTime,
}
