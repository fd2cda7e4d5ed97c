//! An authorization that was begun and waits for the administrator to come back.

use std::fmt;

use time::OffsetDateTime;

use crate::{region::RegionKey, seal::Sealed};

/// SHA-256 of the `state` parameter, lower-case hex: what finds the pending authorization without storing the state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateDigest(String);

impl StateDigest {
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
    /// Client id, client secret, PKCE verifier and redirect URI, sealed together.
    pub sealed: Sealed,
    /// From this time on it is void.
    pub expires_at: OffsetDateTime,
}
