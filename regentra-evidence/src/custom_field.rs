//! Facts that the vendor does not report and a custom field of the host does: one answer per device.

use std::collections::BTreeMap;

use crate::{device::DeviceKey, digest::FactsHasher, fleet::count};

/// What a custom field says. The reader of the field names the values that mean yes and those that mean no; any other value is
/// no answer at all, and what it was asked about stays unmeasured.
///
/// The order is from good to bad: of two answers for one device the worse counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustomAnswer {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// One device's answer. Reports of custom fields carry no collection time: an answer is as old as the device's last contact, and counts for
/// nothing where that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomFact {
    /// The device.
    pub device: DeviceKey,
    /// Its answer.
    pub answer: CustomAnswer,
}

/// The answers of all devices, joined: the worse of two counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct CustomAnswers(BTreeMap<DeviceKey, CustomAnswer>);

impl CustomAnswers {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn join(&mut self, fact: CustomFact) {
        self.0
            .entry(fact.device)
            .and_modify(|known| *known = (*known).max(fact.answer))
            .or_insert(fact.answer);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (device, answer) in other.0 {
            self.join(CustomFact { device, answer });
        }
    }

    pub(crate) fn get(&self, device: DeviceKey) -> Option<CustomAnswer> {
        self.0.get(&device).copied()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn digest(&self, facts: &mut FactsHasher) {
        facts.number(count(self.0.len()));
        for (device, answer) in &self.0 {
            facts.number(device.get());
            facts.tag(*answer as u8);
        }
    }
}
