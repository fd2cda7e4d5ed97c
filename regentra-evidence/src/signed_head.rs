//! Signatures over the heads of chains, which detect what a chain alone cannot.
//!
//! A chain detects accidents. A person who can write to the database can recompute every hash, so a chain does not protect against its
//! administrator. A signed head does: the signing key is kept outside the database, the record names it
//! ([`EvidenceRecord::signing_key`](crate::EvidenceRecord::signing_key)), and [`verify_signatures`] finds a head that the key did not sign.
//! The holder of the signing key can still sign another history; only an external [anchor](crate::anchor) protects against that.
//!
//! Keys are Ed25519 (RFC 8032). The signed message is a text, so that other tools can verify it:
//!
//! ```text
//! regentra-evidence signed head 1
//! <key id>
//! <number of links>
//! <hash of the last one, in hexadecimal>
//! ```
//!
//! **A new key** is signed by the previous one ([`HeadSigner::endorse`]). A verifier that trusts the first key of a [`TrustedKeys`] trusts
//! the later ones because of these signatures.
//!
//! ```
//! use regentra_evidence::{ChainHead, HeadSigner, KeyId, SignalKind, TrustedKeys};
//!
//! let signer = HeadSigner::new(KeyId::new("sign-a")?, &[7; 32]); // 32 random bytes, kept by the host
//! let head = ChainHead::start("customer 42, mapping 7", SignalKind::PatchSla).append("{}".to_owned()).head();
//! let signature = signer.sign(head);
//!
//! let keys = TrustedKeys::new([signer.public_key()])?;
//! assert!(keys.verify(signer.id(), head, &signature));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{fmt, str::FromStr};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::OffsetDateTime;

use crate::{
    chain::{ChainHead, ChainLink},
    digest::KeyId,
    hash::Hash256,
};

/// Signs the heads of chains. It is wiped from memory when dropped, and `Debug` prints its id alone.
pub struct HeadSigner {
    id: KeyId,
    key: SigningKey,
}

impl HeadSigner {
    /// The signer of this secret key: 32 random bytes, kept apart from every other key and from the database.
    #[must_use]
    pub fn new(id: KeyId, secret: &[u8; 32]) -> Self {
        Self {
            id,
            key: SigningKey::from_bytes(secret),
        }
    }

    /// The key's name, which stands in every record that it signs.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key that verifies, as the first of its kind: without an endorsement, and without a time.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey {
            id: self.id.clone(),
            public_key: Hash256::from_bytes(self.key.verifying_key().to_bytes()),
            since: None,
            endorsement: None,
        }
    }

    /// Signs a head.
    #[must_use]
    pub fn sign(&self, head: ChainHead) -> HeadSignature {
        HeadSignature(
            self.key
                .sign(head_text(&self.id, head).as_bytes())
                .to_bytes(),
        )
    }

    /// Signs the key that follows this one.
    #[must_use]
    pub fn endorse(&self, next: PublicKey) -> PublicKey {
        let signature = self.key.sign(key_text(&next).as_bytes());
        PublicKey {
            endorsement: Some(Endorsement {
                by: self.id.clone(),
                signature: HeadSignature(signature.to_bytes()),
            }),
            ..next
        }
    }
}

impl fmt::Debug for HeadSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadSigner({})", self.id)
    }
}

/// What a signature of a head covers.
fn head_text(id: &KeyId, head: ChainHead) -> String {
    format!(
        "regentra-evidence signed head 1\n{id}\n{}\n{}",
        head.length, head.hash
    )
}

/// What the endorsement of a key covers.
fn key_text(key: &PublicKey) -> String {
    format!(
        "regentra-evidence next key 1\n{}\n{}",
        key.id, key.public_key
    )
}

/// An Ed25519 signature. Reads and writes as 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeadSignature([u8; 64]);

impl HeadSignature {
    /// The signature with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    fn verifies(&self, key: &Hash256, text: &str) -> bool {
        VerifyingKey::from_bytes(key.as_bytes()).is_ok_and(|key| {
            // The strict rules refuse weak keys, and the second form of a signature that RFC 8032 leaves open.
            key.verify_strict(text.as_bytes(), &Signature::from_bytes(&self.0))
                .is_ok()
        })
    }
}

impl fmt::Display for HeadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HeadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadSignature({self})")
    }
}

/// A text that is not 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signature is 128 lower-case hexadecimal digits")]
pub struct NotASignature;

impl FromStr for HeadSignature {
    type Err = NotASignature;

    fn from_str(text: &str) -> Result<Self, NotASignature> {
        let (halves, []) = text.as_bytes().as_chunks::<64>() else {
            return Err(NotASignature);
        };
        let [first, second] = halves else {
            return Err(NotASignature);
        };
        let half = |digits: &[u8; 64]| {
            let text = std::str::from_utf8(digits).map_err(|_| NotASignature)?;
            text.parse::<Hash256>().map_err(|_| NotASignature)
        };
        let mut bytes = [0; 64];
        let (left, right) = bytes.split_at_mut(32);
        left.copy_from_slice(half(first)?.as_bytes());
        right.copy_from_slice(half(second)?.as_bytes());
        Ok(Self(bytes))
    }
}

impl Serialize for HeadSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HeadSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// A key that verifies, as it is published: one line of JSON in a file of public keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its name.
    pub id: KeyId,
    /// Its 32 bytes.
    pub public_key: Hash256,
    /// From when on every record is signed: an unsigned record that was collected at that time or later is a fault. Of the
    /// first key of a list.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub since: Option<OffsetDateTime>,
    /// By which earlier key it was signed; `None` for the first key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsement: Option<Endorsement>,
}

/// The signature of an earlier key over a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// The earlier key.
    pub by: KeyId,
    /// Its signature over `regentra-evidence next key 1`, the later key's id and its bytes in hexadecimal, one a line.
    pub signature: HeadSignature,
}

/// What is wrong with a list of public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// Nothing to verify with.
    #[error("the list of public keys is empty")]
    Empty,
    /// Two keys have one name.
    #[error("two public keys are named {0}")]
    Repeated(KeyId),
    /// A key after the first is not signed by one before it.
    #[error("the public key {0} is not signed by a key before it")]
    NotEndorsed(KeyId),
}

/// Public keys of which the first is trusted, and every later one is signed by one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// The keys in order. The first is trusted as it is: it has to come from outside what it verifies.
    ///
    /// # Errors
    ///
    /// The first [`KeyFault`].
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, KeyFault> {
        let mut keys = keys.into_iter();
        let mut trusted = Self(vec![keys.next().ok_or(KeyFault::Empty)?]);
        for key in keys {
            trusted.add(key)?;
        }
        Ok(trusted)
    }

    /// Adds a key that one of these has signed. One that is among them already changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyFault::Repeated`], [`KeyFault::NotEndorsed`].
    pub fn add(&mut self, key: PublicKey) -> Result<(), KeyFault> {
        if let Some(known) = self.get(&key.id) {
            return if known.public_key == key.public_key {
                Ok(())
            } else {
                Err(KeyFault::Repeated(key.id))
            };
        }
        let is_endorsed = key.endorsement.as_ref().is_some_and(|endorsement| {
            self.get(&endorsement.by).is_some_and(|by| {
                endorsement
                    .signature
                    .verifies(&by.public_key, &key_text(&key))
            })
        });
        if !is_endorsed {
            return Err(KeyFault::NotEndorsed(key.id));
        }
        self.0.push(key);
        Ok(())
    }

    /// The keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Whether this key is among them and has signed this head.
    #[must_use]
    pub fn verify(&self, id: &KeyId, head: ChainHead, signature: &HeadSignature) -> bool {
        self.get(id)
            .is_some_and(|key| signature.verifies(&key.public_key, &head_text(id, head)))
    }

    fn get(&self, id: &KeyId) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.id == *id)
    }

    /// From when on every record is signed.
    fn since(&self) -> Option<OffsetDateTime> {
        self.0.first()?.since
    }
}

/// A link, and the signature of the head that it makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedLink {
    /// The link.
    #[serde(flatten)]
    pub link: ChainLink,
    /// The signature; `None` when the host that wrote it had no signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<HeadSignature>,
}

/// The first thing that is wrong with the signatures of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// A record without a signature follows a signed one, names a signing key, or was collected when every record was signed.
    #[error("record {sequence} is not signed and has to be")]
    Unsigned {
        /// Its place.
        sequence: u64,
    },
    /// The record is signed, or names a key, that is not among the trusted ones.
    #[error("record {sequence} is signed by a key that is not trusted")]
    UnknownKey {
        /// Its place.
        sequence: u64,
    },
    /// The signature is not the named key's over this head.
    #[error("the signature of record {sequence} does not verify")]
    Invalid {
        /// Its place.
        sequence: u64,
    },
}

/// What the signatures of a chain cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SignedRecords {
    /// The first signed record; `None` when none is. A signed head covers every record before it, too.
    pub first: Option<u64>,
    /// How many records carry a signature.
    pub signed: u64,
    /// How many do not.
    pub unsigned: u64,
}

/// What decides about a record's signature. Read from every version of a record, past and to come.
#[derive(Deserialize)]
struct Signing {
    #[serde(default)]
    signing_key: Option<KeyId>,
    signal: Collected,
}

#[derive(Deserialize)]
struct Collected {
    #[serde(with = "time::serde::rfc3339")]
    collected_at: OffsetDateTime,
}

/// When a record was collected, read from every version of a record.
pub(crate) fn collected_at(record: &str) -> Option<OffsetDateTime> {
    let read: Signing = serde_json::from_str(record).ok()?;
    Some(read.signal.collected_at)
}

/// Verifies the signatures of links, in order. Whether the links fit each other is
/// [`verify_chain`](crate::verify_chain)'s to say.
///
/// Without keys no signature is verified; it is still a fault when a record is unsigned that follows a signed one or names a key.
///
/// # Errors
///
/// The first [`SignatureFault`].
pub fn verify_signatures<'a>(
    links: impl IntoIterator<Item = &'a SignedLink>,
    keys: Option<&TrustedKeys>,
) -> Result<SignedRecords, SignatureFault> {
    let mut found = SignedRecords::default();
    for SignedLink { link, signature } in links {
        let sequence = link.sequence;
        let read: Option<Signing> = serde_json::from_str(&link.record).ok();
        let named = read.as_ref().and_then(|read| read.signing_key.as_ref());
        let Some(signature) = signature else {
            // A record that cannot be read counts as collected late: what is unreadable is never in order.
            let since = keys.and_then(TrustedKeys::since);
            let is_late = since.is_some_and(|since| {
                read.as_ref()
                    .is_none_or(|read| read.signal.collected_at >= since)
            });
            if named.is_some() || found.first.is_some() || is_late {
                return Err(SignatureFault::Unsigned { sequence });
            }
            found.unsigned = found.unsigned.saturating_add(1);
            continue;
        };
        let Some(named) = named else {
            return Err(SignatureFault::Invalid { sequence });
        };
        if let Some(keys) = keys {
            if keys.get(named).is_none() {
                return Err(SignatureFault::UnknownKey { sequence });
            }
            if !keys.verify(named, link.head(), signature) {
                return Err(SignatureFault::Invalid { sequence });
            }
        }
        found.first = found.first.or(Some(sequence));
        found.signed = found.signed.saturating_add(1);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
