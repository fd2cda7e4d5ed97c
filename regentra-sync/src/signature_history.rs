//! Since when antivirus signatures have been out of date.
//!
//! NinjaOne says only *whether* a device's signatures are out of date. Their age runs from when we first saw it, so the MSP's
//! side keeps, per mapping, a keyed device id and that time, and nothing else. A device that leaves its organization is
//! forgotten, and a disconnect purges it all.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::seal::DeviceDigester;

/// A device as the signature history knows it: HMAC-SHA-256 of (credential, device id), lower-case hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceDigest(String);

impl DeviceDigest {
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

impl fmt::Debug for DeviceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceDigest(..)")
    }
}

/// When each device of a mapping was first seen with signatures out of date.
pub type SignatureHistory = BTreeMap<DeviceDigest, OffsetDateTime>;

/// What one sweep changes in the history of its mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureChanges {
    /// Devices seen out of date for the first time.
    pub first_seen: SignatureHistory,
    /// Devices seen up to date again, and devices that the organization has no more.
    pub cleared: Vec<DeviceDigest>,
}

impl SignatureChanges {
    /// What changes in `history`, given which devices were seen out of date (`true`) or up to date (`false`) at `now`. A
    /// device that was not seen keeps what is known about it.
    #[must_use]
    pub fn between(
        history: &SignatureHistory,
        sightings: impl IntoIterator<Item = (DeviceDigest, bool)>,
        now: OffsetDateTime,
    ) -> Self {
        let mut changes = Self::default();
        for (device, out_of_date) in sightings {
            match (out_of_date, history.contains_key(&device)) {
                (true, false) => {
                    changes.first_seen.insert(device, now);
                }
                (false, true) => changes.cleared.push(device),
                (true, true) | (false, false) => {}
            }
        }
        changes
    }
}

/// Answers since when a device's signatures have been out of date, from the history of its mapping.
#[derive(Debug)]
pub struct SignatureAges {
    history: SignatureHistory,
    digester: DeviceDigester,
}

impl SignatureAges {
    /// Reads `history` through the keyed ids of its credential.
    #[must_use]
    pub const fn new(history: SignatureHistory, digester: DeviceDigester) -> Self {
        Self { history, digester }
    }

    /// When this NinjaOne device was first seen out of date; `None` without history.
    #[must_use]
    pub fn out_of_date_since(&self, device: i64) -> Option<OffsetDateTime> {
        if self.history.is_empty() {
            None
        } else {
            self.history.get(&self.digester.digest(device)).copied()
        }
    }

    /// What a sweep at `now` changes, given which devices it saw out of date (`true`) or up to date (`false`), and which
    /// devices the organization has: what is known of any other is forgotten. `None` when they were not all listed: then
    /// nothing is.
    #[must_use]
    pub fn changes(
        &self,
        sightings: &BTreeMap<i64, bool>,
        listed: Option<&BTreeSet<i64>>,
        now: OffsetDateTime,
    ) -> SignatureChanges {
        let seen = sightings
            .iter()
            .map(|(device, out_of_date)| (self.digester.digest(*device), *out_of_date));
        let mut changes = SignatureChanges::between(&self.history, seen, now);
        if let Some(listed) = listed.filter(|_| !self.history.is_empty()) {
            let listed: BTreeSet<_> = listed
                .iter()
                .chain(sightings.keys())
                .map(|device| self.digester.digest(*device))
                .collect();
            let gone = self.history.keys().filter(|known| !listed.contains(known));
            changes.cleared.extend(gone.cloned());
        }
        changes
    }
}
