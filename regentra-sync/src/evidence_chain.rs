//! Evidence records and the public chain over them.
//!
//! Records of one (compliance organization, mapping, signal) form a chain: each hash covers the hash before it, so that a
//! changed, removed or reordered record shows, and the head stands in the audit row of the sweep, so that a tail that was
//! cut off shows too. Nothing secret goes into the chain: an auditor verifies it with SHA-256 alone.

use std::fmt;

use regentra_evidence::{Signal, SignalKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{ComplianceOrgId, EventId, MappingId};

/// A SHA-256 of the chain, written as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// What stands before the first record: 32 zero bytes.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for stores.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        crate::hex::decode(text)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::hex::encode(&self.0))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainHash({self})")
    }
}

impl Serialize for ChainHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text)
            .ok_or_else(|| serde::de::Error::custom("a chain hash is 64 hexadecimal digits"))
    }
}

/// The end of a chain: how many records it has and the hash of the last. A commit carries the head it continues and is
/// refused when the store's chain has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// How many records.
    pub length: u64,
    /// The hash of the last one.
    pub hash: ChainHash,
}

impl ChainHead {
    /// The head of a chain without a record.
    pub const EMPTY: Self = Self {
        length: 0,
        hash: ChainHash::GENESIS,
    };
}

/// One record of the chain, as a store keeps it: never changed, never deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The mapping it is about.
    pub mapping: MappingId,
    /// The signal it is about.
    pub signal: SignalKind,
    /// Its place in the chain; the first is 1.
    pub sequence: u64,
    /// The sweep that wrote it.
    pub event: EventId,
    /// The record itself as canonical JSON: what the hash covers.
    pub record: String,
    /// The hash of the record before it.
    pub previous: ChainHash,
    /// SHA-256 over `previous` and `record`.
    pub hash: ChainHash,
}

impl EvidenceRow {
    /// The chain's head before this record.
    #[must_use]
    pub const fn continues(&self) -> ChainHead {
        ChainHead {
            length: self.sequence.saturating_sub(1),
            hash: self.previous,
        }
    }

    /// The chain's head after this record.
    #[must_use]
    pub const fn head(&self) -> ChainHead {
        ChainHead {
            length: self.sequence,
            hash: self.hash,
        }
    }

    /// The next record of a chain that ends in `head`.
    ///
    /// # Errors
    /// When the signal does not serialise.
    pub fn append(
        head: ChainHead,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        signal: &Signal,
        facts: Option<&FactsDigest>,
    ) -> Result<Self, serde_json::Error> {
        let record = Record {
            compliance_org_id: customer,
            mapping_id: mapping,
            event_id: event,
            signal,
            facts,
        };
        let record = canonical_json(&serde_json::to_value(record)?);
        let hash = link(head.hash, &record);
        let (sequence, previous) = (head.length.saturating_add(1), head.hash);
        Ok(Self {
            mapping,
            signal: signal.kind(),
            sequence,
            event,
            record,
            previous,
            hash,
        })
    }
}

#[derive(Serialize)]
struct Record<'a> {
    compliance_org_id: ComplianceOrgId,
    mapping_id: MappingId,
    event_id: EventId,
    #[serde(flatten)]
    signal: &'a Signal,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a FactsDigest>,
}

/// A keyed digest (HMAC-SHA-256) over the facts that a verdict was made from, and the key's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsDigest {
    /// Which key.
    pub key_id: String,
    /// The digest, lower-case hex.
    pub hmac_sha256: String,
}

fn link(previous: ChainHash, record: &str) -> ChainHash {
    let mut hash = Sha256::new();
    hash.update(previous.0);
    hash.update(record.as_bytes());
    ChainHash(hash.finalize().into())
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// The record at this place is changed, or is not the one that stood there.
    Changed {
        /// The place.
        sequence: u64,
    },
    /// The record that belongs at this place is missing, or another stands there.
    Missing {
        /// The place.
        sequence: u64,
    },
    /// The chain ends before, or otherwise than, the anchored head says.
    HeadDiffers {
        /// How many records the chain has.
        length: u64,
    },
}

/// Verifies a whole chain, in order from its first record, against the head anchored in an audit row.
///
/// # Errors
/// The first fault found.
pub fn verify_chain(
    rows: &[EvidenceRow],
    anchored: Option<ChainHead>,
) -> Result<ChainHead, ChainFault> {
    let mut head = ChainHead::EMPTY;
    let mut at_anchor = anchored.is_none_or(|anchor| anchor == head);
    for row in rows {
        let sequence = head.length.saturating_add(1);
        if row.sequence != sequence {
            return Err(ChainFault::Missing { sequence });
        }
        if row.previous != head.hash || row.hash != link(head.hash, &row.record) {
            return Err(ChainFault::Changed { sequence });
        }
        head = row.head();
        at_anchor |= anchored == Some(head);
    }
    if at_anchor {
        Ok(head)
    } else {
        Err(ChainFault::HeadDiffers {
            length: head.length,
        })
    }
}

/// JSON with sorted keys and no white space, whatever features of `serde_json` a host has switched on.
fn canonical_json(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<_> = fields.iter().collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            let fields: Vec<_> = keys
                .into_iter()
                .map(|(key, value)| {
                    format!("{}:{}", Value::from(key.as_str()), canonical_json(value))
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!(
            "[{}]",
            items
                .iter()
                .map(canonical_json)
                .collect::<Vec<_>>()
                .join(",")
        ),
        other => other.to_string(),
    }
}
