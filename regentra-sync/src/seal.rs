//! Sealing: how secrets are kept at rest.
//!
//! XChaCha20-Poly1305 with a random nonce. The associated data binds the MSP, the region and the field, so that a sealed value
//! copied into another row, tenant or column does not open. The sealed form names its key, so that a key can be changed
//! without downtime: add the new key as the current one, keep the old one for opening, re-seal, then drop the old one.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac as _};
use regentra_evidence::DigestKey;
pub use regentra_evidence::KeyId;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    CredentialId, MspOrgId, credential::Fingerprint, region::RegionKey,
    signature_history::DeviceDigest,
};

const NONCE_BYTES: usize = 24;

/// A 256-bit key of the host. It is zeroised on drop, and nothing prints it.
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
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| SealError::NoRandomness)?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The bytes, for the host to keep in its own secret store.
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

/// Why something cannot be sealed or opened. Nothing of the value or the key is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The sealed value names a key that the keyring does not have.
    #[error(
        "the value is sealed under key `{0}`, which this host does not have: restore that key, or connect again"
    )]
    UnknownKey(KeyId),
    /// The sealed value is not what was sealed for this MSP, region and field.
    #[error(
        "the sealed value does not open for this organization and region: it was changed or moved; connect again"
    )]
    Refused,
    /// What is stored is not a sealed value at all.
    #[error("the stored value is not a sealed value; connect again")]
    Malformed,
    /// The system gave no random bytes.
    #[error("the system's source of randomness does not answer")]
    NoRandomness,
}

/// A sealed value: `1.<key id>.<base64 of nonce and ciphertext>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    /// The sealed value with this text, as a store kept it.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for stores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> Result<(KeyId, Vec<u8>), SealError> {
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

/// Which column a sealed value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The client id.
    ClientId,
    /// The client secret.
    ClientSecret,
    /// The refresh token.
    RefreshToken,
    /// A pending authorization.
    Authorization,
}

impl Field {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
            Self::RefreshToken => "refresh_token",
            Self::Authorization => "authorization",
        }
    }
}

/// The host's keys: the current one that seals, older ones that still open, and one that identifies.
///
/// The identity key makes fingerprints and keyed ids comparable over time, so it is never rotated with the others.
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

    /// Adds an older key that still opens what was sealed under it.
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

    /// Seals a secret for one MSP, region and field.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(
        &self,
        msp: MspOrgId,
        region: &RegionKey,
        field: Field,
        secret: &SecretString,
    ) -> Result<Sealed, SealError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let aad = associated_data(msp, region, field);
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &aad,
        };
        let ciphertext = self
            .cipher(&self.current)?
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Refused)?;
        let mut body = nonce.to_vec();
        body.extend_from_slice(&ciphertext);
        Ok(Sealed(format!(
            "1.{}.{}",
            self.current,
            URL_SAFE_NO_PAD.encode(body)
        )))
    }

    /// Opens what was sealed for this MSP, region and field.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`], [`SealError::Refused`], [`SealError::Malformed`].
    pub fn open(
        &self,
        msp: MspOrgId,
        region: &RegionKey,
        field: Field,
        sealed: &Sealed,
    ) -> Result<SecretString, SealError> {
        let (key, body) = sealed.parts()?;
        let (nonce, ciphertext) = body
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Malformed)?;
        let aad = associated_data(msp, region, field);
        let opened = self
            .cipher(&key)?
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: ciphertext,
                    aad: &aad,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| SealError::Refused)?;
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Malformed)?;
        Ok(SecretString::from(text))
    }

    fn cipher(&self, id: &KeyId) -> Result<XChaCha20Poly1305, SealError> {
        let key = self
            .keys
            .get(id)
            .ok_or_else(|| SealError::UnknownKey(id.clone()))?;
        Ok(XChaCha20Poly1305::new((&*key.derive("seal")).into()))
    }

    /// The key of the facts digests in evidence records, derived from the current key and named as it is.
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

    /// The keyed fingerprint of (host, client id).
    #[must_use]
    pub fn fingerprint(&self, host: &str, client_id: &SecretString) -> Fingerprint {
        let key = self.identity.derive("fingerprint");
        let parts = [host.as_bytes(), client_id.expose_secret().as_bytes()];
        Fingerprint::from_hex(crate::hex::encode(&hmac_sha256(&*key, &parts)))
    }

    /// What turns this credential's device ids into keyed ones.
    #[must_use]
    pub fn device_digester(&self, credential: CredentialId) -> DeviceDigester {
        let key = self.identity.derive("device");
        DeviceDigester {
            key: Zeroizing::new(hmac_sha256(&*key, &[credential.as_uuid().as_bytes()])),
        }
    }
}

/// Turns device ids of one credential into keyed ids.
pub struct DeviceDigester {
    key: Zeroizing<[u8; 32]>,
}

impl DeviceDigester {
    /// The keyed id of this NinjaOne device.
    #[must_use]
    pub fn digest(&self, device: i64) -> DeviceDigest {
        DeviceDigest::from_hex(crate::hex::encode(&hmac_sha256(
            &*self.key,
            &[&device.to_be_bytes()],
        )))
    }
}

impl fmt::Debug for DeviceDigester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceDigester(..)")
    }
}

fn associated_data(msp: MspOrgId, region: &RegionKey, field: Field) -> Vec<u8> {
    let mut data = Vec::with_capacity(64);
    for part in [
        msp.as_uuid().as_bytes().as_slice(),
        region.as_str().as_bytes(),
        field.as_str().as_bytes(),
    ] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    fn ring(id: &str, byte: u8) -> Keyring {
        Keyring::new(KeyId::new(id).unwrap(), key(byte), key(9))
    }

    fn msp(n: u128) -> MspOrgId {
        MspOrgId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_msp_region_and_field() {
        let ring = ring("a", 1);
        let us = RegionKey::from_stored("us");
        let sealed = ring
            .seal(msp(1), &us, Field::ClientSecret, &"hunter2".into())
            .unwrap();
        assert_eq!(
            ring.open(msp(1), &us, Field::ClientSecret, &sealed)
                .unwrap()
                .expose_secret(),
            "hunter2"
        );
        for (msp, region, field) in [
            (msp(2), us.clone(), Field::ClientSecret),
            (msp(1), RegionKey::from_stored("eu"), Field::ClientSecret),
            (msp(1), us.clone(), Field::ClientId),
        ] {
            assert_eq!(
                ring.open(msp, &region, field, &sealed).unwrap_err(),
                SealError::Refused
            );
        }
    }

    #[test]
    fn a_changed_value_does_not_open() {
        let ring = ring("a", 1);
        let us = RegionKey::from_stored("us");
        let sealed = ring
            .seal(msp(1), &us, Field::ClientId, &"id".into())
            .unwrap();
        let mut bytes = sealed.as_str().to_owned().into_bytes();
        *bytes.last_mut().unwrap() = if bytes.last() == Some(&b'A') {
            b'B'
        } else {
            b'A'
        };
        for text in [
            String::from_utf8(bytes).unwrap(),
            "1.a.".into(),
            "nonsense".into(),
            "2.a.AAAA".into(),
        ] {
            assert!(
                ring.open(msp(1), &us, Field::ClientId, &Sealed::from_stored(text))
                    .is_err()
            );
        }
    }

    #[test]
    fn a_rotated_key_still_opens_what_the_old_one_sealed() {
        let us = RegionKey::from_stored("us");
        let old = ring("old", 1)
            .seal(msp(1), &us, Field::ClientId, &"id".into())
            .unwrap();
        let rotated = ring("new", 2).with_retired(KeyId::new("old").unwrap(), key(1));
        assert!(!rotated.is_current(&old));
        assert_eq!(
            rotated
                .open(msp(1), &us, Field::ClientId, &old)
                .unwrap()
                .expose_secret(),
            "id"
        );
        let new = rotated
            .seal(msp(1), &us, Field::ClientId, &"id".into())
            .unwrap();
        assert!(rotated.is_current(&new));
        let without = ring("new", 2);
        assert!(matches!(
            without.open(msp(1), &us, Field::ClientId, &old),
            Err(SealError::UnknownKey(_))
        ));
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        let ring = ring("a", 1);
        let us = RegionKey::from_stored("us");
        let seal = || {
            ring.seal(msp(1), &us, Field::ClientId, &"id".into())
                .unwrap()
        };
        assert_ne!(seal(), seal());
    }

    #[test]
    fn fingerprints_tell_hosts_and_clients_apart_and_survive_rotation() {
        let a = ring("a", 1);
        let id = SecretString::from("client");
        assert_eq!(
            a.fingerprint("app", &id),
            ring("b", 2).fingerprint("app", &id)
        );
        assert_ne!(a.fingerprint("app", &id), a.fingerprint("eu", &id));
        assert_ne!(
            a.fingerprint("app", &id),
            a.fingerprint("app", &"other".into())
        );
        assert!(!a.fingerprint("app", &id).as_str().contains("client"));
    }

    #[test]
    fn nothing_prints_a_key_or_a_sealed_value() {
        let ring = ring("a", 7);
        let sealed = ring
            .seal(
                msp(1),
                &RegionKey::from_stored("us"),
                Field::ClientId,
                &"id".into(),
            )
            .unwrap();
        let printed = format!("{ring:?} {sealed:?}");
        assert!(
            !printed.contains("7, 7") && !printed.contains(sealed.as_str()),
            "{printed}"
        );
    }
}
