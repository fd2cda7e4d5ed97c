//! Sealed values.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use regentra_evidence::KeyId;

/// Why a value cannot be sealed or opened. It contains no part of the value or the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The sealed value names a key that the keyring does not have.
    #[error(
        "the value is sealed under key `{0}`, which this host does not have: restore that key, or connect again"
    )]
    UnknownKey(KeyId),
    /// The value was not sealed for this MSP, region and field.
    #[error(
        "the sealed value does not open for this organization and region: it was changed or moved; connect again"
    )]
    Refused,
    /// The stored text is not a sealed value.
    #[error("the stored value is not a sealed value; connect again")]
    Malformed,
    /// A text is not a key.
    #[error("a key is 32 random bytes in base64, and this text is not")]
    NoKey,
    /// The active connections were made under another identity key.
    #[error(
        "the identity key of this host is not the one that the store's connections were made under: restore that key; if it is lost, \
         disconnect all of them first"
    )]
    OtherIdentity,
    /// The system provided no random bytes.
    #[error("the system's source of randomness does not answer")]
    NoRandomness,
}

/// A sealed value: `1.<key id>.<base64 of nonce and ciphertext>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    pub(super) fn new(key: &KeyId, body: &[u8]) -> Self {
        Self(format!("1.{key}.{}", URL_SAFE_NO_PAD.encode(body)))
    }

    /// The sealed value from its text, as a store kept it.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for stores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parts(&self) -> Result<(KeyId, Vec<u8>), SealError> {
        let mut parts = self.0.splitn(3, '.');
        let (Some("1"), Some(key), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::Malformed);
        };
        let body = URL_SAFE_NO_PAD
            .decode(body)
            .map_err(|_| SealError::Malformed)?;
        Ok((KeyId::new(key).map_err(|_| SealError::Malformed)?, body))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}
