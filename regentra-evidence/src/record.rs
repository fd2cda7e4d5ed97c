//! The evidence record: what an auditor reads, and what the chain covers.
//!
//! A record says which verdict was reached on what scope and when ([`Signal`]), by which rules and thresholds ([`RulesUsed`]),
//! on facts of which age ([`FactWindow`]), commits to the facts without showing them ([`FactsDigest`]), and names the key that signs the
//! chain after it, if there is one. It names no customer, no device and no person.
//!
//! The facts are not kept, so their digest cannot be recomputed from stored data. A holder of the digest key can compare it with facts that
//! are produced again.
//!
//! [`EvidenceRecord::canonical`] is its only text form: JSON by RFC 8785 (the JSON Canonicalization Scheme). It can be reproduced in any
//! language from the parsed record, even if a database changed the order of keys.
//!
//! ```
//! use regentra_evidence::{ChainHead, DigestKey, EvidenceRecord, Fleet, KeyId, Rules, SignalKind, device_inventory, verify_chain};
//! use time::macros::datetime;
//!
//! let key = DigestKey::new(KeyId::new("2026-11")?, &[7; 32])?; // 32 random bytes, kept by the host
//! let fleet = Fleet::builder(datetime!(2026-11-23 06:30 UTC)).build();
//! let (signal, facts) = device_inventory::finish_with_digest(&fleet, &key);
//!
//! let record = EvidenceRecord::new(signal, &Rules::default(), facts);
//! let start = ChainHead::start("customer 42, mapping 7", SignalKind::DeviceInventory);
//! let link = start.append(record.canonical()?);
//! assert_eq!(verify_chain(start, [&link], &[link.head()]), Ok(link.head()));
//! assert_eq!(EvidenceRecord::parse(&link.record)?, record);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::{Deserialize, Serialize};

use crate::{
    digest::{FactsDigest, KeyId},
    rules::{FactWindow, Rules, RulesUsed},
    signal::Signal,
};

/// The shape of the records written here. Records of version 1 have no [`EvidenceRecord::signing_key`]; they read and verify as
/// they did.
pub const RECORD_VERSION: u32 = 2;

/// One verdict, by which rules, on which facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// [`RECORD_VERSION`] at the time.
    pub record_version: u32,
    /// The verdict with its scope, completeness and times.
    pub signal: Signal,
    /// The rules and thresholds it was judged by.
    pub rules: RulesUsed,
    /// From when to when its facts may date.
    pub window: FactWindow,
    /// The keyed digest of its facts.
    pub facts: FactsDigest,
    /// The key that signs the chain's head after this record; absent when the host has no signing key. A signature that was
    /// taken away is missed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<KeyId>,
}

/// A record that could not be written or read. Its text is never part of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A time of the record lies outside the years that RFC 3339 can say.
    #[error("the record cannot be written: a time lies outside the years 0 to 9999")]
    Unwritable,
    /// The text is not an evidence record.
    #[error("the text is not an evidence record that this version can read")]
    Unreadable,
}

impl EvidenceRecord {
    /// The record of a verdict that was judged by `rules` from these facts.
    #[must_use]
    pub fn new(signal: Signal, rules: &Rules, facts: FactsDigest) -> Self {
        Self {
            record_version: RECORD_VERSION,
            rules: RulesUsed::from(rules),
            window: FactWindow::of(signal.kind(), signal.collected_at),
            signal,
            facts,
            signing_key: None,
        }
    }

    /// The same record, whose head `key` will sign.
    #[must_use]
    pub fn signed_by(mut self, key: KeyId) -> Self {
        self.signing_key = Some(key);
        self
    }

    /// The record as canonical JSON (RFC 8785): what the chain's hash covers, byte by byte.
    ///
    /// # Errors
    ///
    /// [`RecordError::Unwritable`] when a time cannot be written.
    pub fn canonical(&self) -> Result<String, RecordError> {
        serde_json_canonicalizer::to_string(self).map_err(|_| RecordError::Unwritable)
    }

    /// Reads a record from its canonical or any other JSON form.
    ///
    /// # Errors
    ///
    /// [`RecordError::Unreadable`] for anything else.
    pub fn parse(json: &str) -> Result<Self, RecordError> {
        serde_json::from_str(json).map_err(|_| RecordError::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device_inventory,
        fixture::{digest_key, workstations},
    };

    #[test]
    fn the_canonical_text_is_the_record_with_sorted_keys_and_nothing_between() {
        let fleet = workstations(3);
        let (signal, facts) = device_inventory::finish_with_digest(&fleet, &digest_key());
        let record = EvidenceRecord::new(signal, &fleet.rules(), facts);
        let text = record.canonical().unwrap();
        assert_eq!(EvidenceRecord::parse(&text), Ok(record));
        // A map of serde_json is sorted, and its text has no space between.
        let sorted: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text, sorted.to_string());
        assert!(text.starts_with(r#"{"facts":{"#), "{text}");
    }
}
