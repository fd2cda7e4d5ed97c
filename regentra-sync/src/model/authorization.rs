//! A pending authorization, which waits for the administrator to return.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::{hex_digest::hex_digest, region::RegionKey};
use crate::seal::Sealed;

/// How long an authorization may take, from beginning to completion. At exactly this age it has expired.
pub const AUTHORIZATION_LIFETIME: Duration = Duration::minutes(10);

hex_digest! {
    /// SHA-256 of the `state` parameter, lower-case hex. A store finds the pending authorization by it and does not keep the state itself.
    StateDigest
}

impl StateDigest {
    /// The digest of a `state`.
    #[must_use]
    pub fn of(state: &SecretString) -> Self {
        Self::from_bytes(Sha256::digest(state.expose_secret().as_bytes()).into())
    }
}

/// One pending authorization: single-use, bound to its MSP, valid for ten minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAuthorization {
    /// The digest of the `state` that NinjaOne returns.
    pub state: StateDigest,
    /// Where the administrator was sent.
    pub region: RegionKey,
    /// State, PKCE verifier, redirect URI, client id and client secret, sealed together.
    pub sealed: Sealed,
    /// From this time on, it has expired.
    pub expires_at: OffsetDateTime,
}
