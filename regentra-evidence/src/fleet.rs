//! The fleet: which devices are approved, in scope, stale and live. It is built once from the device list and shared by all five
//! evaluators.
//!
//! - *Approved* devices are judged; all others are only counted (`not_approved`).
//! - *In scope* for disk encryption, antivirus and patches are workstations, servers and devices of unknown class. The class decides first,
//!   then staleness: a phone that has been silent for a year is not applicable, not stale.
//! - *Stale* devices had their last contact more than 30 days before now (exactly 30 days is fresh). They are left out of the verdict and
//!   counted. A device without a readable last contact is not stale, and is measured only by rows, attempts and activities of the last 30
//!   days.
//! - *Live* devices are in scope and not stale.
//!
//! A row collected more than 30 days before now is *too old*; a row whose time cannot be read is *undated*. Neither proves anything good,
//! and neither removes its unit from the verdict; each evaluator says how it treats them. So unreadable times never lead to a pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    device::{DeviceClass, DeviceFact, DeviceKey},
    digest::FactsHasher,
    report::RowFate,
    rules::{ROW_LIFETIME, Rules},
    time::{believable, is_older_than},
};

/// How many devices a signal measured. `measured + unmeasured + stale + not_applicable == approved`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceScope {
    /// Approved devices.
    pub approved: u64,
    /// Devices that had at least one row to judge by.
    pub measured: u64,
    /// Devices in scope, not stale, that had none.
    pub unmeasured: u64,
    /// Devices in scope without contact for more than 30 days.
    pub stale: u64,
    /// Devices this signal does not apply to.
    pub not_applicable: u64,
    /// Devices that are not approved; they stand beside the approved ones.
    pub not_approved: u64,
}

/// What the fleet knows of one approved device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceStanding {
    pub(crate) class: DeviceClass,
    pub(crate) stale: bool,
    /// The last contact, where it is known, is recent enough for a row to count.
    pub(crate) in_contact: bool,
    /// When the device was last in contact is known.
    pub(crate) contact_known: bool,
    pub(crate) offline: Option<bool>,
}

impl DeviceStanding {
    /// As [`Fleet::measures`] says of the device.
    pub(crate) fn is_measured_at(self, at: OffsetDateTime, now: OffsetDateTime) -> bool {
        self.in_contact && (self.contact_known || !is_older_than(at, ROW_LIFETIME, now))
    }

    /// In scope of disk encryption, antivirus and patches, and not stale.
    pub(crate) const fn is_live_endpoint(self) -> bool {
        self.class.is_endpoint() && !self.stale
    }
}

/// Collects the rows of the device list; [`FleetBuilder::build`] makes the [`Fleet`] of them.
///
/// The same device twice: the newest last contact wins; at a tie approved before not approved, then offline before unsaid before
/// online, then a class in scope before one that is not. A row whose last contact is absent or unreadable ties with the newest, and
/// no contact of such a device is known, whichever of its rows counts. So any order, split and repetition of the rows gives the same fleet.
#[derive(Clone, Debug)]
pub struct FleetBuilder {
    now: OffsetDateTime,
    rules: Rules,
    devices: BTreeMap<DeviceKey, Rows>,
    truncated: bool,
    malformed: bool,
}

/// What the rows of one device say together: of each sort the one of the highest rank.
#[derive(Clone, Copy, Debug, Default)]
struct Rows {
    dated: Option<DeviceFact>,
    undated: Option<DeviceFact>,
}

impl Rows {
    fn join(&mut self, fact: DeviceFact) {
        let known = if fact.last_contact.is_some() {
            &mut self.dated
        } else {
            &mut self.undated
        };
        if known.is_none_or(|known| rank(&fact) > rank(&known)) {
            *known = Some(fact);
        }
    }

    /// The row that counts. One whose last contact cannot be read may be older than the newest or newer: it ties with it, and when
    /// the device was last in contact is not known.
    fn judged(self) -> Option<DeviceFact> {
        let (Some(dated), Some(undated)) = (self.dated, self.undated) else {
            return self.dated.or(self.undated);
        };
        let dated = DeviceFact {
            last_contact: None,
            ..dated
        };
        Some(if rank(&undated) > rank(&dated) {
            undated
        } else {
            dated
        })
    }
}

impl FleetBuilder {
    /// Judges by these rules instead of the promise's.
    #[must_use]
    pub const fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Takes one row of the device list.
    pub fn observe(&mut self, fact: DeviceFact) {
        let fact = DeviceFact {
            last_contact: believable(fact.last_contact, self.now),
            ..fact
        };
        self.devices.entry(fact.device).or_default().join(fact);
    }

    /// Says that the device list was cut at its ceiling: no signal can pass.
    pub const fn truncated(&mut self) {
        self.truncated = true;
    }

    /// Says that at least one row of the device list was lost, or does not say whether its device is approved: no signal can
    /// pass.
    pub const fn malformed_rows(&mut self) {
        self.malformed = true;
    }

    /// Adds what another part of the same device list said.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other part is judged at another time or by other rules: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        if (self.now, self.rules) != (other.now, other.rules) {
            return Err(OtherFleet);
        }
        self.truncated |= other.truncated;
        self.malformed |= other.malformed;
        for rows in other.devices.into_values() {
            for fact in rows.dated.into_iter().chain(rows.undated) {
                self.observe(fact);
            }
        }
        Ok(())
    }

    /// The fleet.
    #[must_use]
    pub fn build(self) -> Arc<Fleet> {
        let mut approved = BTreeMap::new();
        let mut not_approved = BTreeSet::new();
        let (now, stale_after) = (self.now, self.rules.stale_after);
        for fact in self.devices.into_values().filter_map(Rows::judged) {
            if fact.approved {
                let silent_for = |age| {
                    fact.last_contact
                        .is_some_and(|contact| is_older_than(contact, age, now))
                };
                approved.insert(
                    fact.device,
                    DeviceStanding {
                        class: fact.class,
                        stale: silent_for(stale_after),
                        in_contact: !silent_for(ROW_LIFETIME),
                        contact_known: fact.last_contact.is_some(),
                        offline: fact.offline,
                    },
                );
            } else {
                not_approved.insert(fact.device);
            }
        }
        Arc::new(Fleet {
            now: self.now,
            rules: self.rules,
            approved,
            not_approved,
            truncated: self.truncated,
            malformed: self.malformed,
        })
    }
}

/// The total order by which the rows of one device are joined.
fn rank(fact: &DeviceFact) -> (Option<OffsetDateTime>, bool, u8, bool, DeviceClass) {
    let offline = match fact.offline {
        Some(true) => 2,
        None => 1,
        Some(false) => 0,
    };
    let in_scope = fact.class.is_endpoint();
    (
        fact.last_contact,
        fact.approved,
        offline,
        in_scope,
        fact.class,
    )
}

/// Two parts that do not belong to one fleet were to be merged: nothing was.
///
/// Otherwise one customer's rows would be judged as another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was seen of different fleets cannot be merged")]
pub struct OtherFleet;

/// The devices of one customer at one moment, shared by the five evaluators.
///
/// ```
/// use regentra_evidence::{DeviceClass, DeviceFact, DeviceKey, Fleet};
/// use time::macros::datetime;
///
/// let mut fleet = Fleet::builder(datetime!(2026-11-23 06:30 UTC));
/// fleet.observe(DeviceFact {
///     device: DeviceKey::new(1),
///     approved: true,
///     class: DeviceClass::WindowsServer,
///     offline: Some(false),
///     last_contact: Some(datetime!(2026-11-23 06:29 UTC)),
/// });
/// assert_eq!(fleet.build().approved(), 1);
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Fleet {
    pub(crate) now: OffsetDateTime,
    pub(crate) rules: Rules,
    pub(crate) approved: BTreeMap<DeviceKey, DeviceStanding>,
    pub(crate) not_approved: BTreeSet<DeviceKey>,
    pub(crate) truncated: bool,
    pub(crate) malformed: bool,
}

impl Fleet {
    /// Starts a fleet that is judged at `now`, to the microsecond, by the promise's rules.
    #[must_use]
    pub fn builder(now: OffsetDateTime) -> FleetBuilder {
        FleetBuilder {
            // Facts are no finer, and what is exactly 30 days old must not turn stale by a nanosecond.
            now: now.truncate_to_microsecond(),
            rules: Rules::default(),
            devices: BTreeMap::new(),
            truncated: false,
            malformed: false,
        }
    }

    /// The moment of judgement.
    #[must_use]
    pub const fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// The thresholds of judgement.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
    }

    /// How many devices are approved.
    #[must_use]
    pub fn approved(&self) -> u64 {
        count(self.approved.len())
    }

    /// Whether the device list names this device, approved or not.
    #[must_use]
    pub fn contains(&self, device: DeviceKey) -> bool {
        self.approved.contains_key(&device) || self.not_approved.contains(&device)
    }

    /// The class of an approved device.
    pub(crate) fn class(&self, device: DeviceKey) -> DeviceClass {
        self.approved
            .get(&device)
            .map_or(DeviceClass::Unknown, |standing| standing.class)
    }

    /// Refuses to merge what was seen of another fleet.
    pub(crate) fn same(self: &Arc<Self>, other: &Arc<Self>) -> Result<(), OtherFleet> {
        if Arc::ptr_eq(self, other) || self == other {
            Ok(())
        } else {
            Err(OtherFleet)
        }
    }

    /// The devices disk encryption, antivirus and patches are judged on: in scope and not stale.
    pub(crate) fn live_endpoints(&self) -> impl Iterator<Item = (DeviceKey, DeviceClass)> {
        self.approved
            .iter()
            .filter(|(_, standing)| standing.is_live_endpoint())
            .map(|(key, standing)| (*key, standing.class))
    }

    /// How many of those have been silent for longer than a row lives: none, but where a host keeps them in the verdict.
    pub(crate) fn silent_live_endpoints(&self) -> u64 {
        let is_silent =
            |standing: &&DeviceStanding| standing.is_live_endpoint() && !standing.in_contact;
        count(self.approved.values().filter(is_silent).count())
    }

    /// Why a row of a device that is judged only when `judged` says so is not used; `None` when it is.
    ///
    /// A row says nothing that happened after its device's last contact. So those of a device that a host keeps in the verdict
    /// for longer than a row lives are too old, whatever time they carry: the device can only hold a pass back.
    pub(crate) fn refusal(
        &self,
        device: DeviceKey,
        judged: impl FnOnce(DeviceStanding) -> bool,
    ) -> Option<RowFate> {
        match self.judged(device, judged) {
            Ok(standing) => (!standing.in_contact).then_some(RowFate::Stale),
            Err(fate) => Some(fate),
        }
    }

    /// What is known of a device that is judged when `judged` says so, or why a row of it is none of this signal's.
    pub(crate) fn judged(
        &self,
        device: DeviceKey,
        judged: impl FnOnce(DeviceStanding) -> bool,
    ) -> Result<DeviceStanding, RowFate> {
        match self.approved.get(&device) {
            Some(standing) if judged(*standing) => Ok(*standing),
            None if !self.not_approved.contains(&device) => Err(RowFate::UnknownDevice),
            _ => Err(RowFate::NotJudged),
        }
    }

    /// What becomes of a custom field's answer. It carries no time of its own: nobody wrote it after the device's last contact,
    /// so it is as old as that, and ignored like any row of that age. Of a device whose last contact is not known it is as good as
    /// undated: it may be years old, and measures nothing.
    pub(crate) fn answer_fate(&self, device: DeviceKey) -> RowFate {
        let is_undated = || {
            let standing = self.approved.get(&device);
            standing.is_some_and(|standing| !standing.contact_known)
        };
        match self.refusal(device, DeviceStanding::is_live_endpoint) {
            Some(fate) => fate,
            None if is_undated() => RowFate::Unreadable,
            None => RowFate::Used,
        }
    }

    /// What the time of a row that goes by its collection time is worth.
    pub(crate) fn row_time(&self, collected_at: Option<OffsetDateTime>) -> RowTime {
        match believable(collected_at, self.now) {
            None => RowTime::Undated,
            Some(time) if is_older_than(time, ROW_LIFETIME, self.now) => RowTime::TooOld(time),
            Some(time) => RowTime::Fresh(time),
        }
    }

    /// Whether something that happened to a device at this time, within its own window, measures the device.
    ///
    /// Where nobody knows when the device was last in contact, only the last 30 days do; of one that has been silent for longer
    /// than a row lives nothing does.
    pub(crate) fn measures(&self, device: DeviceKey, at: OffsetDateTime) -> bool {
        let standing = self.approved.get(&device);
        standing.is_some_and(|standing| standing.is_measured_at(at, self.now))
    }

    /// Takes in who is approved, of what class, stale and offline.
    pub(crate) fn digest(&self, facts: &mut FactsHasher) {
        facts.flag(self.truncated);
        facts.flag(self.malformed);
        facts.number(self.approved());
        for (device, standing) in &self.approved {
            facts.number(device.get());
            facts.tag(standing.class as u8);
            facts.flag(standing.stale);
            facts.flag(standing.in_contact);
            facts.flag(standing.contact_known);
            facts.option(standing.offline, FactsHasher::flag);
        }
        facts.number(count(self.not_approved.len()));
        for device in &self.not_approved {
            facts.number(device.get());
        }
    }

    /// Scope counts of a signal judged on endpoints, of which `measured` were measured.
    pub(crate) fn endpoint_scope(&self, measured: u64) -> DeviceScope {
        let mut scope = DeviceScope {
            approved: self.approved(),
            not_approved: count(self.not_approved.len()),
            measured,
            ..DeviceScope::default()
        };
        let mut live = 0_u64;
        for standing in self.approved.values() {
            if !standing.class.is_endpoint() {
                add_one(&mut scope.not_applicable);
            } else if standing.stale {
                add_one(&mut scope.stale);
            } else {
                add_one(&mut live);
            }
        }
        scope.unmeasured = live.saturating_sub(measured);
        scope
    }
}

/// What the time of a row is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowTime {
    /// At most 30 days old.
    Fresh(OffsetDateTime),
    /// Older.
    TooOld(OffsetDateTime),
    /// Absent, unreadable, or in the future.
    Undated,
}

impl RowTime {
    /// What is counted of the row.
    pub(crate) const fn fate(self) -> RowFate {
        match self {
            Self::Fresh(_) => RowFate::Used,
            Self::TooOld(_) => RowFate::Stale,
            Self::Undated => RowFate::Unreadable,
        }
    }
}

/// A length as a count.
pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Counts one more.
pub(crate) const fn add_one(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
mod tests;
