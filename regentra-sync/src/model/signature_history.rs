//! Since when antivirus signatures have been out of date.
//!
//! NinjaOne reports only *whether* a device's signatures are out of date. Their age is counted from the observed change: from the first
//! out-of-date observation after an up-to-date one. So the MSP's side keeps, per mapping, a keyed device id, the last observed state, and
//! its start; nothing else.
//!
//! If a device is out of date when it is first observed, the age is unknown until the device has been up to date once: after a connection,
//! a mapping or a move, months-old signatures must not count as fresh. A sweep that does not observe a device's signatures (the device is
//! off, its state is unknown, a report failed) neither starts nor resets an age. A device's history is deleted when neither the
//! organization nor its assets contain the device; a disconnect or an un-mapping deletes the whole history.

use std::collections::{BTreeMap, BTreeSet};

use ninjaone_client::DeviceId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ahead::is_ahead, hex_digest::hex_digest, keyed::DeviceDigester};

hex_digest! {
    /// A device as the signature history knows it: HMAC-SHA-256 of (credential, device id), lower-case hex.
    DeviceDigest
}

/// What a device's signatures were last seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// Up to date.
    UpToDate,
    /// Out of date, and up to date at the sighting before.
    OutOfDate,
    /// Out of date, and never seen up to date: their age is not known.
    OutOfDateAtFirst,
}

impl SignatureState {
    /// The name used in stores, such as `out_of_date`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up_to_date",
            Self::OutOfDate => "out_of_date",
            Self::OutOfDateAtFirst => "out_of_date_at_first",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::UpToDate, Self::OutOfDate, Self::OutOfDateAtFirst]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// The state of a device's signatures, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignatureRecord {
    /// The state.
    pub state: SignatureState,
    /// When they were first seen in it.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl SignatureRecord {
    /// The record after a sighting at `now`: out of date (`true`) or up to date (`false`). `None` when it stays as it is.
    fn after(known: Option<Self>, out_of_date: bool, now: OffsetDateTime) -> Option<Self> {
        use SignatureState::{OutOfDate, OutOfDateAtFirst, UpToDate};
        let state = match (known.map(|known| known.state), out_of_date) {
            (Some(UpToDate), false) | (Some(OutOfDate | OutOfDateAtFirst), true) => return None,
            (None | Some(OutOfDate | OutOfDateAtFirst), false) => UpToDate,
            (Some(UpToDate), true) => OutOfDate,
            (None, true) => OutOfDateAtFirst,
        };
        Some(Self { state, since: now })
    }
}

/// What is known of the signatures of each device of a mapping.
pub type SignatureRecords = BTreeMap<DeviceDigest, SignatureRecord>;

/// What one sweep changes in the history of its mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureChanges {
    /// The records to write, in the place of what is known of these devices.
    pub changed: SignatureRecords,
    /// Devices that the organization has no more.
    pub forgotten: Vec<DeviceDigest>,
}

impl SignatureChanges {
    /// What changes in `history`, given which devices were seen out of date (`true`) or up to date (`false`) at `now`. A
    /// device that was not seen keeps what is known about it.
    #[must_use]
    pub fn between(
        history: &SignatureRecords,
        sightings: impl IntoIterator<Item = (DeviceDigest, bool)>,
        now: OffsetDateTime,
    ) -> Self {
        let mut changes = Self::default();
        for (device, out_of_date) in sightings {
            let known = known(history, &device, now);
            if let Some(record) = SignatureRecord::after(known, out_of_date, now) {
                changes.changed.insert(device, record);
            }
        }
        changes
    }
}

/// Answers since when a device's signatures have been out of date, from the history of its mapping.
#[derive(Debug)]
pub struct SignatureAges {
    history: SignatureRecords,
    digester: DeviceDigester,
    now: OffsetDateTime,
}

impl SignatureAges {
    /// Reads `history` at `now` through the keyed ids of its credential.
    #[must_use]
    pub const fn new(
        history: SignatureRecords,
        digester: DeviceDigester,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            history,
            digester,
            now,
        }
    }

    /// Since when this NinjaOne device, whose signatures are seen out of date now, has had them out of date: now, if it was up to
    /// date when it was last seen. `None` when that is not known: then no age is reported.
    #[must_use]
    pub fn out_of_date_since(&self, device: DeviceId) -> Option<OffsetDateTime> {
        if self.history.is_empty() {
            return None;
        }
        let known = known(&self.history, &self.digester.digest(device), self.now)?;
        match known.state {
            SignatureState::UpToDate => Some(self.now),
            SignatureState::OutOfDate => Some(known.since),
            SignatureState::OutOfDateAtFirst => None,
        }
    }

    /// Whether something is known of a device that is not among these.
    #[must_use]
    pub fn knows_others_than(&self, listed: &BTreeSet<DeviceId>) -> bool {
        let listed = self.digests(listed);
        self.history.keys().any(|known| !listed.contains(known))
    }

    /// What a sweep changes, given which devices it saw out of date (`true`) or up to date (`false`), and which devices the
    /// organization has: what is known of any other is forgotten. `None` when they were not all listed: then nothing is.
    #[must_use]
    pub fn changes(
        &self,
        sightings: &BTreeMap<DeviceId, bool>,
        listed: Option<&BTreeSet<DeviceId>>,
    ) -> SignatureChanges {
        let seen = sightings
            .iter()
            .map(|(device, out_of_date)| (self.digester.digest(*device), *out_of_date));
        let mut changes = SignatureChanges::between(&self.history, seen, self.now);
        if let Some(listed) = listed.filter(|_| !self.history.is_empty()) {
            let listed = self.digests(listed.iter().chain(sightings.keys()));
            let gone = self.history.keys().filter(|known| !listed.contains(known));
            changes.forgotten.extend(gone.cloned());
        }
        changes
    }

    fn digests<'a>(
        &self,
        devices: impl IntoIterator<Item = &'a DeviceId>,
    ) -> BTreeSet<DeviceDigest> {
        devices
            .into_iter()
            .map(|device| self.digester.digest(*device))
            .collect()
    }
}

/// What is known of a device, unless a clock that ran ahead wrote it: what will be in twenty days says nothing about how old
/// signatures are now.
fn known(
    history: &SignatureRecords,
    device: &DeviceDigest,
    now: OffsetDateTime,
) -> Option<SignatureRecord> {
    let known = history.get(device).copied();
    known.filter(|known| !is_ahead(known.since, now))
}

#[cfg(test)]
mod tests;
