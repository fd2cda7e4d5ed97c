//! Antivirus posture: is every computer protected, with fresh signatures?
//!
//! **Unit:** devices, any-of. A device is *on* if any row of a real product says ON, even if another row of the same product says OFF:
//! Defender turns itself off beside a third-party product, and old registrations remain. It is *off* when it has rows, none is ON, and
//! every real product is off, snoozed or expired (or there is no real product). It is *unmeasured* when no row is left, or when none is ON
//! and a real or nameless product is in a state never seen before. A device whose class cannot be read may be out of scope. It is off if
//! its rows say so, on if its signatures are over 30 days old, and otherwise unmeasured.
//!
//! **Ignored** are rows without a readable time, rows older than 30 days, and rows more than 7 days older than the device's newest row. The
//! newest row is taken from all rows of the device; for this, a row without a readable time counts as of now. So an ON row of last month
//! does not count beside an OFF row of today. A row without a product name that says ON contradicts itself and is ignored; one that says
//! OFF is not a product.
//!
//! **Signatures** are counted for devices that are on, from the same rows as the protection: the best of up to date, out of date and
//! unknown among the device's ON rows. The vendor reports no signature date, and a row's time is when it was collected, never a signature
//! age. So up-to-date signatures are fresh. The age of out-of-date signatures is counted from the observed change from up to date to out of
//! date, which the host keeps ([`SignatureHistory`]; from now if the stored state is up to date): fresh up to 7 days, aged up to 30 days,
//! then over 30. Exactly 7 days is fresh, exactly 30 days is aged, measured in seconds, not whole days. If a device was out of date when it
//! was first seen, its age is not reported until it was seen up to date once. Without history no age is reported.
//!
//! **Custom fields:** for a device without any row, whatever the row's time (mostly servers), a custom field of the host may say whether it
//! is protected ([`AntivirusPosture::observe_custom_protection`]), and another whether its signatures are up to date
//! ([`AntivirusPosture::observe_custom_definitions`]). They never override a row. Such a device counts under the vendor `other`.
//!
//! **Verdict:** fail if any device is off or any signature is over 30 days old; pass if all are on and all are fresh; otherwise warning.
//! The common rule for unmeasured devices applies; its worst case takes an unmeasured device as off.
//!
//! **Limits:** the security centre the vendor reads exists on Windows workstations only; servers may report nothing, and a missing row does
//! not mean "no antivirus".
//!
//! ```
//! use regentra_evidence::{
//!     AntivirusPosture, Definitions, DeviceClass, DeviceFact, DeviceKey, Fleet, Product, ProductFact, ProtectionState,
//!     ReportState, RowFate, Status, Vendor,
//! };
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let device = DeviceKey::new(1);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device,
//!     approved: true,
//!     class: DeviceClass::WindowsWorkstation,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//!
//! let mut antivirus = AntivirusPosture::new(devices.build());
//! for (vendor, state) in [(Vendor::MicrosoftDefender, ProtectionState::Off), (Vendor::Sentinelone, ProtectionState::On)] {
//!     let fate = antivirus.observe(ProductFact {
//!         device,
//!         product: Product::Real(vendor),
//!         state,
//!         definitions: Definitions::UpToDate,
//!         collected_at: Some(now),
//!     });
//!     assert_eq!(fate, RowFate::Used);
//! }
//! assert_eq!(antivirus.finish(ReportState::answered(), None).status, Status::Pass);
//! ```

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    custom_field::{CustomAnswer, CustomAnswers, CustomFact},
    device::DeviceKey,
    digest::{DigestKey, FactsDigest, FactsHasher},
    fleet::{DeviceScope, DeviceStanding, Fleet, OtherFleet, RowTime, add_one, count},
    reason::Reason,
    report::{ReportState, RowFate},
    signal::{Metadata, Signal, SignalKind, Status},
    signature_history::SignatureHistory,
    time::{believable, is_older_than},
    vendor::Vendor,
    verdict::{Grade, Grades, conclude, decide},
};

/// What product a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// A product, by its maker.
    Real(Vendor),
    /// The row says that there is none.
    None,
    /// The row does not say what the product is.
    Nameless,
}

/// Whether a product protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionState {
    /// It does.
    On,
    /// It is off, snoozed or expired.
    Off,
    /// Absent, or a word never seen before.
    Unknown,
}

/// How fresh a product says its signatures are, from worst to best. The order is part of the facts digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Definitions {
    /// Absent, or a word never seen before.
    Unknown,
    /// Out of date; since when the vendor does not say.
    OutOfDate,
    /// Up to date.
    UpToDate,
}

/// What one row of the antivirus report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductFact {
    /// The device.
    pub device: DeviceKey,
    /// The product.
    pub product: Product,
    /// Whether it protects.
    pub state: ProtectionState,
    /// How fresh its signatures are.
    pub definitions: Definitions,
    /// When the row was collected, never a signature age; `None` when absent or unreadable: the row is left aside.
    pub collected_at: Option<OffsetDateTime>,
}

/// Where the ages of out-of-date signatures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeBasis {
    /// Nowhere: only the status is known.
    StatusOnly,
    /// From when the host first saw them out of date after they had been up to date.
    FirstSeen,
}

/// Devices by protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionCounts {
    /// Protected.
    pub on: u64,
    /// Not protected.
    pub off: u64,
    /// Could not be judged.
    pub unmeasured: u64,
}

/// Devices that are on, by the age of their signatures. The buckets add up to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureCounts {
    /// Up to date, or out of date for at most 7 days.
    pub fresh: u64,
    /// Out of date for more than 7 and at most 30 days.
    pub aged_7_to_30: u64,
    /// Out of date for more than 30 days.
    pub over_30: u64,
    /// Out of date, since when is not known.
    pub age_not_reported: u64,
    /// The product does not say.
    pub unmeasured: u64,
}

/// The aggregates behind the antivirus signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AntivirusPostureMetadata {
    /// Devices.
    pub scope: DeviceScope,
    /// Devices by protection.
    pub devices: ProtectionCounts,
    /// Devices that are on, by the age of their signatures.
    pub signatures: SignatureCounts,
    /// Devices that are on, by the vendor that protects them; vendors without any are left out.
    pub vendors: BTreeMap<Vendor, u64>,
    /// Where signature ages come from.
    pub age_basis: AgeBasis,
}

/// Rows more than so much older than the newest of their device are left aside.
const LINGERS_FOR: Duration = Duration::days(7);

/// What the rows of one device say together: a join, so that order, split and repetition change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Protection {
    /// The best ON row of a real product; at a tie the vendor that comes first in the alphabet.
    on: Option<(Definitions, Reverse<Vendor>)>,
    /// A real or nameless product is in a state never seen before.
    unknown_state: bool,
}

impl Protection {
    /// `None` for a row that contradicts itself.
    fn of(fact: &ProductFact) -> Option<Self> {
        let (on, unknown_state) = match (fact.product, fact.state) {
            (Product::Nameless, ProtectionState::On) => return None,
            (Product::Real(vendor), ProtectionState::On) => {
                (Some((fact.definitions, Reverse(vendor))), false)
            }
            (Product::Real(_) | Product::Nameless, ProtectionState::Unknown) => (None, true),
            (Product::Real(_) | Product::Nameless, ProtectionState::Off) | (Product::None, _) => {
                (None, false)
            }
        };
        Some(Self { on, unknown_state })
    }

    fn join(&mut self, other: Self) {
        self.on = self.on.max(other.on);
        self.unknown_state |= other.unknown_state;
    }
}

/// The rows of one device: what each moment says, as far as it may still count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sightings {
    /// The time of the newest row; of one without a readable time the moment of judgement.
    newest: OffsetDateTime,
    /// Fresh rows at most [`LINGERS_FOR`] older than the newest.
    fresh: BTreeMap<OffsetDateTime, Protection>,
    /// A row is undated or too old.
    undated: bool,
}

impl Sightings {
    fn join(&mut self, other: Self) {
        self.newest = self.newest.max(other.newest);
        self.undated |= other.undated;
        for (at, protection) in other.fresh {
            self.fresh.entry(at).or_default().join(protection);
        }
        let newest = self.newest;
        self.fresh
            .retain(|at, _| !is_older_than(*at, LINGERS_FOR, newest));
    }

    /// What is left of the rows says; `None` where none is left.
    fn protection(&self) -> Option<Protection> {
        self.fresh.values().copied().reduce(|mut left, right| {
            left.join(right);
            left
        })
    }
}

/// What is known of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeviceState {
    /// Rows, or a custom field.
    Protection(Protection),
    /// It has rows, and none is left. `undated`: one is undated or too old.
    NoRowLeft { undated: bool },
    /// It has no rows.
    Nothing,
}

/// Judges antivirus posture; see the [module](self) for the rule.
#[derive(Clone, Debug)]
pub struct AntivirusPosture {
    fleet: Arc<Fleet>,
    devices: BTreeMap<DeviceKey, Sightings>,
    custom_protection: CustomAnswers,
    custom_definitions: CustomAnswers,
}

impl AntivirusPosture {
    /// Starts with no row.
    #[must_use]
    pub const fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            devices: BTreeMap::new(),
            custom_protection: CustomAnswers::new(),
            custom_definitions: CustomAnswers::new(),
        }
    }

    /// Takes one row of the antivirus report.
    pub fn observe(&mut self, fact: ProductFact) -> RowFate {
        if let Some(fate) = self
            .fleet
            .refusal(fact.device, DeviceStanding::is_live_endpoint)
        {
            return fate;
        }
        let time = self.fleet.row_time(fact.collected_at);
        let mut sightings = Sightings {
            newest: self.fleet.now(),
            fresh: BTreeMap::new(),
            undated: true,
        };
        match time {
            RowTime::Fresh(at) => {
                sightings.newest = at;
                sightings.undated = false;
                sightings
                    .fresh
                    .extend(Protection::of(&fact).map(|protection| (at, protection)));
            }
            RowTime::TooOld(at) => sightings.newest = at,
            RowTime::Undated => {}
        }
        self.join(fact.device, sightings);
        time.fate()
    }

    fn join(&mut self, device: DeviceKey, sightings: Sightings) {
        match self.devices.entry(device) {
            Entry::Occupied(mut known) => known.get_mut().join(sightings),
            Entry::Vacant(place) => {
                place.insert(sightings);
            }
        }
    }

    /// Takes one device's answer of a custom field to "is it protected?".
    ///
    /// It counts for a device without any row in the report. Of two answers *no* counts. When the report of the custom fields
    /// failed, the state of this signal's reports says so: [`ReportState::and`].
    pub fn observe_custom_protection(&mut self, fact: CustomFact) -> RowFate {
        self.observe_custom(fact, |evaluator| &mut evaluator.custom_protection)
    }

    /// Takes one device's answer of a custom field to "are its signatures up to date?".
    ///
    /// It counts for a device that is protected by the answer of a custom field. Of two answers *no* counts.
    pub fn observe_custom_definitions(&mut self, fact: CustomFact) -> RowFate {
        self.observe_custom(fact, |evaluator| &mut evaluator.custom_definitions)
    }

    fn observe_custom(
        &mut self,
        fact: CustomFact,
        answers: impl FnOnce(&mut Self) -> &mut CustomAnswers,
    ) -> RowFate {
        let fate = self.fleet.answer_fate(fact.device);
        if fate == RowFate::Used {
            answers(self).join(fact);
        }
        fate
    }

    /// Adds what another evaluator of the same fleet has seen.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other evaluator is of another fleet: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        self.fleet.same(&other.fleet)?;
        for (device, sightings) in other.devices {
            self.join(device, sightings);
        }
        self.custom_protection.merge(other.custom_protection);
        self.custom_definitions.merge(other.custom_definitions);
        Ok(())
    }

    /// The moment of judgement.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.fleet.now()
    }

    /// Devices that are on and whose signatures are out of date: what a host puts into its [`SignatureHistory`].
    pub fn out_of_date(&self) -> impl Iterator<Item = DeviceKey> {
        self.with_definitions(Definitions::OutOfDate)
    }

    /// Devices that are on and whose signatures are up to date: what a host notes in its [`SignatureHistory`]. Devices whose class
    /// cannot be read are none: what is good of them shows nothing.
    pub fn up_to_date(&self) -> impl Iterator<Item = DeviceKey> {
        let good = self.with_definitions(Definitions::UpToDate);
        good.filter(|device| self.fleet.class(*device).shows_good())
    }

    fn with_definitions(&self, wanted: Definitions) -> impl Iterator<Item = DeviceKey> {
        self.fleet
            .live_endpoints()
            .map(|(device, _)| device)
            .filter(move |device| {
                matches!(
                    self.known(*device),
                    DeviceState::Protection(Protection { on: Some((definitions, _)), .. }) if definitions == wanted
                )
            })
    }

    /// Since when a device that is out of date now has been so, as far as that is known and can be believed.
    fn out_of_date_since(
        &self,
        device: DeviceKey,
        history: Option<&SignatureHistory>,
    ) -> Option<OffsetDateTime> {
        let now = self.fleet.now();
        believable(history?.out_of_date_at(device, now), now)
    }

    /// What is known of a device: its rows, or, without any, what custom fields answer.
    fn known(&self, device: DeviceKey) -> DeviceState {
        if let Some(sightings) = self.devices.get(&device) {
            return sightings.protection().map_or(
                DeviceState::NoRowLeft {
                    undated: sightings.undated,
                },
                DeviceState::Protection,
            );
        }
        let definitions = match self.custom_definitions.get(device) {
            Some(CustomAnswer::Yes) => Definitions::UpToDate,
            Some(CustomAnswer::No) => Definitions::OutOfDate,
            None => Definitions::Unknown,
        };
        self.custom_protection
            .get(device)
            .map_or(DeviceState::Nothing, |answer| {
                DeviceState::Protection(Protection {
                    on: (answer == CustomAnswer::Yes)
                        .then_some((definitions, Reverse(Vendor::Other))),
                    unknown_state: false,
                })
            })
    }

    /// The signal. Without `history` the age of out-of-date signatures is not reported.
    #[must_use]
    pub fn finish(mut self, report: ReportState, history: Option<&SignatureHistory>) -> Signal {
        self.forget_unusable(report);
        self.judge(report, history)
    }

    /// The signal, and the keyed digest of the facts it was judged from.
    #[must_use]
    pub fn finish_with_digest(
        mut self,
        report: ReportState,
        history: Option<&SignatureHistory>,
        key: &DigestKey,
    ) -> (Signal, FactsDigest) {
        self.forget_unusable(report);
        (
            self.judge(report, history),
            self.digest(report, history, key),
        )
    }

    fn forget_unusable(&mut self, report: ReportState) {
        if !report.has_rows() {
            self.devices.clear();
            self.custom_protection.clear();
            self.custom_definitions.clear();
        }
    }

    fn digest(
        &self,
        report: ReportState,
        history: Option<&SignatureHistory>,
        key: &DigestKey,
    ) -> FactsDigest {
        let mut facts = key.hasher(SignalKind::AntivirusPosture);
        self.fleet.digest(&mut facts);
        report.digest(&mut facts);
        facts.number(count(self.devices.len()));
        for (device, sightings) in &self.devices {
            facts.number(device.get());
            facts.time(sightings.newest);
            facts.flag(sightings.undated);
            facts.number(count(sightings.fresh.len()));
            for (at, protection) in &sightings.fresh {
                facts.time(*at);
                facts.option(protection.on, |facts, (definitions, Reverse(vendor))| {
                    facts.tag(definitions as u8);
                    facts.text(vendor.as_str());
                });
                facts.flag(protection.unknown_state);
            }
        }
        self.custom_protection.digest(&mut facts);
        self.custom_definitions.digest(&mut facts);
        // Of the history only what the verdict reads.
        facts.option(history, |facts, history| {
            for device in self.out_of_date() {
                facts.number(device.get());
                let since = history.out_of_date_at(device, self.fleet.now());
                facts.option(since, FactsHasher::time);
            }
        });
        facts.finish()
    }

    fn judge(&self, report: ReportState, history: Option<&SignatureHistory>) -> Signal {
        let mut devices = ProtectionCounts::default();
        let mut signatures = SignatureCounts::default();
        let mut vendors = BTreeMap::new();
        let mut reasons = BTreeSet::new();
        for (device, class) in self.fleet.live_endpoints() {
            match self.known(device) {
                DeviceState::Protection(Protection {
                    on: Some((definitions, Reverse(vendor))),
                    ..
                }) if class.shows_good() || self.is_over_30(device, definitions, history) => {
                    add_one(&mut devices.on);
                    add_one(vendors.entry(vendor).or_default());
                    let since = self.out_of_date_since(device, history);
                    self.count_signature(definitions, since, &mut signatures);
                }
                DeviceState::Protection(Protection {
                    on: None,
                    unknown_state: false,
                }) => add_one(&mut devices.off),
                unmeasured => {
                    add_one(&mut devices.unmeasured);
                    if unmeasured == (DeviceState::NoRowLeft { undated: true }) {
                        reasons.insert(Reason::UndatedRows);
                    }
                    if class.is_unknown() {
                        reasons.insert(Reason::UnknownNodeClass);
                    }
                }
            }
        }

        let scope = self
            .fleet
            .endpoint_scope(devices.on.saturating_add(devices.off));
        for (counter, reason) in [
            (devices.off, Reason::ProtectionOff),
            (signatures.aged_7_to_30, Reason::SignaturesAging),
            (signatures.over_30, Reason::SignaturesOver30Days),
            (signatures.age_not_reported, Reason::AgeNotReported),
            (signatures.unmeasured, Reason::SignaturesUnmeasured),
        ] {
            if counter > 0 {
                reasons.insert(reason);
            }
        }
        let measured = if devices.off > 0 || signatures.over_30 > 0 {
            Grade::Fail
        } else if signatures.aged_7_to_30 > 0 || signatures.age_not_reported > 0 {
            Grade::Warning
        } else {
            Grade::Pass
        };
        let worst = if devices.unmeasured > 0 || signatures.unmeasured > 0 {
            Grade::Fail
        } else {
            measured
        };
        // A device or a signature that is unmeasured and taken as good adds nothing to what was measured.
        let mut status = decide(
            &scope,
            Grades {
                best: measured,
                worst,
                measured,
            },
            &mut reasons,
        );
        if !report.has_rows() {
            status = Status::Unknown;
        }
        let metadata = AntivirusPostureMetadata {
            scope,
            devices,
            signatures,
            vendors,
            age_basis: if history.is_some() {
                AgeBasis::FirstSeen
            } else {
                AgeBasis::StatusOnly
            },
        };
        conclude(
            &self.fleet,
            report,
            status,
            reasons,
            Metadata::AntivirusPosture(metadata),
        )
    }

    /// Whether its signatures are so old that the device fails.
    fn is_over_30(
        &self,
        device: DeviceKey,
        definitions: Definitions,
        history: Option<&SignatureHistory>,
    ) -> bool {
        let fail_after = self.fleet.rules().signatures_fail_after;
        let since = self.out_of_date_since(device, history);
        definitions == Definitions::OutOfDate
            && since.is_some_and(|since| is_older_than(since, fail_after, self.fleet.now()))
    }

    fn count_signature(
        &self,
        definitions: Definitions,
        since: Option<OffsetDateTime>,
        signatures: &mut SignatureCounts,
    ) {
        let (now, rules) = (self.fleet.now(), self.fleet.rules());
        let counter = match (definitions, since) {
            (Definitions::Unknown, _) => &mut signatures.unmeasured,
            (Definitions::OutOfDate, None) => &mut signatures.age_not_reported,
            (Definitions::OutOfDate, Some(since))
                if is_older_than(since, rules.signatures_fail_after, now) =>
            {
                &mut signatures.over_30
            }
            (Definitions::OutOfDate, Some(since))
                if is_older_than(since, rules.signatures_fresh_for, now) =>
            {
                &mut signatures.aged_7_to_30
            }
            (Definitions::UpToDate, _) | (Definitions::OutOfDate, Some(_)) => &mut signatures.fresh,
        };
        add_one(counter);
    }
}

#[cfg(test)]
mod tests;
