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

/// The state in which a device's signatures were last observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// Up to date.
    UpToDate,
    /// Out of date, after they had been observed up to date.
    OutOfDate,
    /// Out of date, and never observed up to date, so their age is unknown.
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

    /// The state with this name.
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
    /// When the signatures were first observed in this state.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl SignatureRecord {
    /// The record after an observation at `now`: out of date (`true`) or up to date (`false`). `None` if the record does not change.
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

/// The signature records of a mapping, by device.
pub type SignatureRecords = BTreeMap<DeviceDigest, SignatureRecord>;

/// The changes that one sweep makes to the history of its mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureChanges {
    /// The records to write, which replace the stored records of these devices.
    pub changed: SignatureRecords,
    /// Devices that the organization no longer has.
    pub forgotten: Vec<DeviceDigest>,
}

impl SignatureChanges {
    /// The changes to `history`, given the devices that were observed out of date (`true`) or up to date (`false`) at `now`. A device that
    /// was not observed keeps its record.
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
    /// Reads `history` at `now`. `digester` computes the keyed ids of the credential's devices.
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

    /// Since when the signatures of this NinjaOne device, which are observed out of date now, have been out of date. If they were up to
    /// date at the last observation, this is now. `None` if it is unknown; then no age is reported.
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

    /// Whether the history has a record of a device that is not among these.
    #[must_use]
    pub fn knows_others_than(&self, listed: &BTreeSet<DeviceId>) -> bool {
        let listed = self.digests(listed);
        self.history.keys().any(|known| !listed.contains(known))
    }

    /// The changes that a sweep makes, given the devices that it observed out of date (`true`) or up to date (`false`), and the devices
    /// that the organization has. The records of all other devices are deleted. If `None` is given, because not all devices were listed, no
    /// record is deleted.
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

/// The record of a device. A record that a clock that ran ahead wrote is left out: a time in the future says nothing about the present age
/// of signatures.
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
