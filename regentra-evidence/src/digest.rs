//! The keyed digest of the facts behind a verdict.
//!
//! An evidence record must not contain the facts themselves, which are a customer's inventory. It contains an HMAC-SHA-256 of them instead.
//! If the facts are produced again, a holder of the key can show that the verdict was made from these facts and no others. Without the key
//! the facts cannot be guessed from the digest. The facts are not kept, so the digest cannot be recomputed from stored data.
//!
//! The digest covers the deduplicated state that an evaluator judges, in key order: which devices are approved, in scope and stale, and the
//! joined rows of each volume, product, patch or activity. So the order, splitting and repetition of rows change neither the digest nor the
//! verdict.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::OffsetDateTime;

use crate::{fleet::count, guard::Guard, hash::Hash256, signal::SignalKind};

/// What a digest starts with: another layout of the facts would be another number.
const LAYOUT: &[u8] = b"regentra-evidence facts 2\n";

/// The name of a [`DigestKey`], which stands beside each digest, so that keys can be rotated.
///
/// One to 32 lower-case letters, digits and hyphens, such as `2026-11`, and nothing that [`Guard`] would refuse to publish.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// Names a key.
    ///
    /// # Errors
    ///
    /// [`DigestKeyError::Id`] for a text of another form.
    pub fn new(id: impl Into<String>) -> Result<Self, DigestKeyError> {
        let id = id.into();
        let allowed =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let plain = Guard::new().scan_text(&id).is_empty();
        if (1..=32).contains(&id.len()) && id.chars().all(allowed) && plain {
            Ok(Self(id))
        } else {
            Err(DigestKeyError::Id)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = DigestKeyError;

    fn try_from(id: String) -> Result<Self, DigestKeyError> {
        Self::new(id)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// What is wrong with a digest key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestKeyError {
    /// The key's name is of another form.
    #[error(
        "a key id is 1 to 32 lower-case letters, digits and hyphens, and does not look like a serial number"
    )]
    Id,
    /// The secret is too short to keep anybody from guessing.
    #[error("a digest key has at least 32 random bytes")]
    Secret,
}

/// The key of the facts digest. `Debug` prints its id alone, and it is wiped from memory when dropped.
#[derive(Clone)]
pub struct DigestKey {
    id: KeyId,
    mac: Hmac<Sha256>,
}

impl DigestKey {
    /// A key of at least 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`DigestKeyError::Secret`] for fewer.
    pub fn new(id: KeyId, secret: &[u8]) -> Result<Self, DigestKeyError> {
        if secret.len() < 32 {
            return Err(DigestKeyError::Secret);
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| DigestKeyError::Secret)?;
        Ok(Self { id, mac })
    }

    /// The key's name.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn hasher(&self, signal: SignalKind) -> FactsHasher {
        let mut facts = FactsHasher {
            key_id: self.id.clone(),
            mac: self.mac.clone(),
            waiting: Vec::with_capacity(AT_ONCE + 64),
        };
        facts.take(LAYOUT);
        facts.text(signal.as_str());
        facts
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DigestKey({})", self.id)
    }
}

/// HMAC-SHA-256 of the facts behind a verdict, and the name of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsDigest {
    /// Which key.
    pub key_id: KeyId,
    /// The digest.
    pub hmac_sha256: Hash256,
}

/// Takes facts in, each at a fixed width, every list after its length: no two states look alike.
pub(crate) struct FactsHasher {
    key_id: KeyId,
    mac: Hmac<Sha256>,
    waiting: Vec<u8>,
}

/// Facts are a few bytes each: they are hashed by so many at once.
const AT_ONCE: usize = 1 << 10;

impl FactsHasher {
    fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= AT_ONCE {
            self.mac.update(&self.waiting);
            self.waiting.clear();
        }
    }

    pub(crate) fn tag(&mut self, tag: u8) {
        self.take(&[tag]);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.tag(u8::from(flag));
    }

    /// Two flags in one byte: facts where `rare` does not hold have the digest they had before there was such a flag.
    pub(crate) fn flags(&mut self, common: bool, rare: bool) {
        self.tag(match (rare, common) {
            (false, false) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (true, true) => 3,
        });
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.take(&number.to_be_bytes());
    }

    pub(crate) fn wide(&mut self, number: u128) {
        self.take(&number.to_be_bytes());
    }

    /// A word of ours: never text of a customer.
    pub(crate) fn text(&mut self, text: &'static str) {
        self.number(count(text.len()));
        self.take(text.as_bytes());
    }

    pub(crate) fn time(&mut self, time: OffsetDateTime) {
        self.take(&time.unix_timestamp_nanos().to_be_bytes());
    }

    /// `None`, or what `some` takes in.
    pub(crate) fn option<T>(&mut self, option: Option<T>, some: impl FnOnce(&mut Self, T)) {
        self.flag(option.is_some());
        if let Some(value) = option {
            some(self, value);
        }
    }

    pub(crate) fn finish(mut self) -> FactsDigest {
        self.mac.update(&self.waiting);
        FactsDigest {
            key_id: self.key_id,
            hmac_sha256: Hash256::from_bytes(self.mac.finalize().into_bytes().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_plain_name_and_enough_bytes() {
        for id in ["k", "2026-11", "abcdefghijklmnopqrstuvwxyz-01234", "k-1"] {
            assert_eq!(KeyId::new(id).unwrap().as_str(), id);
        }
        for id in [
            "",
            "Key",
            "a_b",
            "a b",
            "abcdefghijklmnopqrstuvwxyz-012345",
            "schlüssel",
            "abc1234",
            "0123456789",
        ] {
            assert_eq!(KeyId::new(id), Err(DigestKeyError::Id), "{id}");
        }
        let id = KeyId::new("k").unwrap();
        assert_eq!(
            DigestKey::new(id.clone(), &[7; 31]).unwrap_err(),
            DigestKeyError::Secret
        );
        assert_eq!(DigestKey::new(id.clone(), &[7; 32]).unwrap().id(), &id);
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = DigestKey::new(
            KeyId::new("k").unwrap(),
            b"0123456789abcdef0123456789abcdef",
        );
        assert_eq!(format!("{:?}", key.unwrap()), "DigestKey(k)");
    }

    #[test]
    fn two_flags_are_one_byte() {
        let key = DigestKey::new(KeyId::new("k").unwrap(), &[7; 32]).unwrap();
        let digest = |write: &dyn Fn(&mut FactsHasher)| {
            let mut facts = key.hasher(SignalKind::PatchSla);
            write(&mut facts);
            facts.finish()
        };
        for (byte, common, rare) in [
            (0, false, false),
            (1, true, false),
            (2, false, true),
            (3, true, true),
        ] {
            assert_eq!(
                digest(&|facts| facts.flags(common, rare)),
                digest(&|facts| facts.tag(byte))
            );
        }
    }

    #[test]
    fn a_digest_reads_back() {
        let key = DigestKey::new(KeyId::new("k").unwrap(), &[7; 32]).unwrap();
        let digest = key.hasher(SignalKind::PatchSla).finish();
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<FactsDigest>(&json).unwrap(), digest);
    }
}
