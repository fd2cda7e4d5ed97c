//! The keys of a host.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use regentra_evidence::{DigestKey, KeyId};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use zeroize::Zeroizing;

use super::{
    SealError, Sealed,
    digest::{hmac_sha256, with_lengths},
};

const NONCE_BYTES: usize = 24;

/// A 256-bit key of the host. It is zeroised on drop and never printed.
pub struct MasterKey(SecretBox<[u8; 32]>);

impl MasterKey {
    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// A new random key.
    ///
    /// # Errors
    /// When the system provides no random bytes.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| SealError::NoRandomness)?;
        Ok(Self::from_bytes(*bytes))
    }

    /// Parses a key from text: 32 bytes in base64, with or without padding. Surrounding white space is ignored.
    ///
    /// # Errors
    /// [`SealError::NoKey`] for a text that is not base64, or not of 32 bytes.
    pub fn from_base64(text: impl Into<SecretString>) -> Result<Self, SealError> {
        let text = text.into();
        let text = text.expose_secret().trim().trim_end_matches('=');
        // The buffer is larger than a key, so that a text that is too long still decodes and its length is checked.
        let mut bytes = Zeroizing::new([0_u8; 48]);
        let length = STANDARD_NO_PAD.decode_slice(text, bytes.as_mut());
        let length = length.map_err(|_| SealError::NoKey)?;
        let key = bytes.get(..length).and_then(|key| key.try_into().ok());
        key.map(Self::from_bytes).ok_or(SealError::NoKey)
    }

    /// The bytes, for the host's own secret store.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// A key for one purpose, derived from this one.
    fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hmac_sha256(
            self.expose(),
            &[b"regentra-sync", purpose.as_bytes()],
        ))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// Identifies an identity key without revealing it: 32 hexadecimal digits. A store keeps the value of the key that its connections were
/// made under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCheck(String);

impl KeyCheck {
    /// The value as a store kept it.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The value, for stores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The host's keys: the current sealing key, older keys that still open values, and the identity key.
///
/// The identity key makes fingerprints and keyed ids comparable over time, so it is not rotated with the others.
#[derive(Debug)]
pub struct Keyring {
    current: KeyId,
    keys: BTreeMap<KeyId, MasterKey>,
    identity: MasterKey,
}

impl Keyring {
    /// A keyring that seals under `key`.
    #[must_use]
    pub fn new(id: KeyId, key: MasterKey, identity: MasterKey) -> Self {
        Self {
            current: id.clone(),
            keys: BTreeMap::from([(id, key)]),
            identity,
        }
    }

    /// A keyring from keys as text, as secret stores hold them: 32 bytes each in base64, with or without padding.
    ///
    /// ```
    /// use regentra_sync::seal::{KeyId, Keyring};
    /// let (sealing, identity) = ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA");
    /// let keyring = Keyring::from_base64(KeyId::new("2026-11")?, sealing, identity)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SealError::NoKey`] for a text that is not base64, or not of 32 bytes.
    pub fn from_base64(
        id: KeyId,
        key: impl Into<SecretString>,
        identity: impl Into<SecretString>,
    ) -> Result<Self, SealError> {
        let key = MasterKey::from_base64(key)?;
        Ok(Self::new(id, key, MasterKey::from_base64(identity)?))
    }

    /// The check value of the identity key.
    #[must_use]
    pub fn key_check(&self) -> KeyCheck {
        let digest = self.digest("key check", &[]);
        let (check, _) = digest.split_at(16);
        KeyCheck(crate::hex::encode(check))
    }

    /// Adds an older key, which still opens the values sealed under it.
    #[must_use]
    pub fn with_retired(mut self, id: KeyId, key: MasterKey) -> Self {
        self.keys.entry(id).or_insert(key);
        self
    }

    /// The key that seals.
    #[must_use]
    pub const fn current(&self) -> &KeyId {
        &self.current
    }

    /// Whether the value is sealed under the current key.
    #[must_use]
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.parts().is_ok_and(|(key, _)| key == self.current)
    }

    /// Seals a secret and binds it to a purpose. It opens only for the same purpose.
    pub(crate) fn seal_for(
        &self,
        bound_to: &[&[u8]],
        secret: &SecretString,
    ) -> Result<Sealed, SealError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &with_lengths(bound_to),
        };
        let ciphertext = self
            .cipher(&self.current)?
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Refused)?;
        let mut body = nonce.to_vec();
        body.extend_from_slice(&ciphertext);
        Ok(Sealed::new(&self.current, &body))
    }

    /// Opens a value that was sealed for the same purpose.
    pub(crate) fn open_for(
        &self,
        bound_to: &[&[u8]],
        sealed: &Sealed,
    ) -> Result<SecretString, SealError> {
        let (key, body) = sealed.parts()?;
        let (nonce, ciphertext) = body
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Malformed)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &with_lengths(bound_to),
        };
        let opened = self
            .cipher(&key)?
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Refused)?;
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Malformed)?;
        Ok(SecretString::from(text))
    }

    /// A keyed digest under the identity key, for one purpose.
    pub(crate) fn digest(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        hmac_sha256(&*self.identity.derive(purpose), parts)
    }

    fn cipher(&self, id: &KeyId) -> Result<XChaCha20Poly1305, SealError> {
        let key = self
            .keys
            .get(id)
            .ok_or_else(|| SealError::UnknownKey(id.clone()))?;
        Ok(XChaCha20Poly1305::new((&*key.derive("seal")).into()))
    }

    /// The key of the facts digests in evidence records. It is derived from the current key and has the same name.
    ///
    /// # Panics
    /// Never: the derived key has the length that a digest key needs.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the current key is among the keys, and a derived key has 32 bytes"
    )]
    pub fn digest_key(&self) -> DigestKey {
        let key = self
            .keys
            .get(&self.current)
            .expect("the current key is among the keys")
            .derive("facts");
        DigestKey::new(self.current.clone(), &*key).expect("a derived key has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn ring(identity: u8) -> Keyring {
        let key = MasterKey::from_bytes([1; 32]);
        let identity = MasterKey::from_bytes([identity; 32]);
        Keyring::new(KeyId::new("one").unwrap(), key, identity)
    }

    #[test]
    fn a_key_is_32_bytes_of_base64_and_nothing_else() {
        let text = STANDARD.encode([7; 32]);
        let unpadded = text.trim_end_matches('=');
        for good in [&text, unpadded, &format!(" {text}\n")] {
            let key = MasterKey::from_base64(good.to_owned()).unwrap();
            assert_eq!(key.expose(), &[7; 32]);
        }
        let long = STANDARD.encode([7; 33]);
        let longer = STANDARD.encode([7; 64]);
        for bad in ["", "c2VjcmV0", "not base64!", &long, &longer, &text[..42]] {
            let error = MasterKey::from_base64(bad.to_owned()).unwrap_err();
            assert_eq!(error, SealError::NoKey, "{bad}");
        }
    }

    #[test]
    fn the_check_value_tells_identity_keys_apart_and_not_sealing_keys() {
        let other = Keyring::new(
            KeyId::new("two").unwrap(),
            MasterKey::from_bytes([2; 32]),
            MasterKey::from_bytes([9; 32]),
        );
        assert_eq!(ring(9).key_check(), other.key_check());
        assert_ne!(ring(9).key_check(), ring(8).key_check());
        assert_eq!(ring(9).key_check().as_str().len(), 32);
    }
}
