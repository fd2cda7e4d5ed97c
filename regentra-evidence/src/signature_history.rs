//! Since when antivirus signatures have been out of date.
//!
//! ```
//! use regentra_evidence::{
//!     AntivirusPosture, Definitions, DeviceClass, DeviceFact, DeviceKey, Fleet, Product, ProductFact, ProtectionState,
//!     ReportState, RowFate, SignatureHistory, Status, Vendor,
//! };
//! use time::{Duration, macros::datetime};
//!
//! let answered = ReportState::answered();
//! let mut history = SignatureHistory::default();
//! let mut sweep = |now, definitions| {
//!     let device = DeviceKey::new(1);
//!     let mut devices = Fleet::builder(now);
//!     devices.observe(DeviceFact {
//!         device,
//!         approved: true,
//!         class: DeviceClass::WindowsWorkstation,
//!         offline: Some(false),
//!         last_contact: Some(now),
//!     });
//!     let mut antivirus = AntivirusPosture::new(devices.build());
//!     let fate = antivirus.observe(ProductFact {
//!         device,
//!         product: Product::Real(Vendor::MicrosoftDefender),
//!         state: ProtectionState::On,
//!         definitions,
//!         collected_at: Some(now),
//!     });
//!     assert_eq!(fate, RowFate::Used);
//!     history.advance(&antivirus, answered);
//!     antivirus.finish(answered, Some(&history)).status
//! };
//! let first = datetime!(2026-11-23 06:30 UTC);
//! let (good, bad) = (Definitions::UpToDate, Definitions::OutOfDate);
//! assert_eq!(sweep(first, bad), Status::Warning); // out of date when first seen: nobody can tell for how long
//! assert_eq!(sweep(first + Duration::days(1), good), Status::Pass);
//! assert_eq!(sweep(first + Duration::days(2), bad), Status::Pass); // since now
//! assert_eq!(sweep(first + Duration::days(10), bad), Status::Warning);
//! assert_eq!(sweep(first + Duration::days(33), bad), Status::Fail);
//! ```

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::{antivirus_posture::AntivirusPosture, device::DeviceKey, report::ReportState};

/// What a host saw of a device's signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignaturesSeen {
    /// Up to date when they were last seen.
    UpToDate,
    /// Out of date. The time is the first out-of-date sighting after the last up-to-date one.
    OutOfDateSince(OffsetDateTime),
}

/// Since when each device's signatures have been seen out of date.
///
/// The vendor does not say it, so the host keeps it. The age runs from when a device that was seen up to date is seen out of date;
/// a device that was out of date when it was first seen has no age until it was seen up to date once: otherwise a connection
/// made anew would make old signatures fresh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureHistory {
    seen: BTreeMap<DeviceKey, SignaturesSeen>,
}

impl SignatureHistory {
    /// Takes in what one run saw. Devices that the run did not see, that are off, or whose product does not say, keep what is
    /// known about them.
    ///
    /// What is seen to change now ages from now, whether this is called before the evaluator finishes or after. A report that failed
    /// or that the tenant cannot have changes nothing: rows that are missing could say the opposite.
    pub fn advance(&mut self, antivirus: &AntivirusPosture, report: ReportState) {
        if !report.has_rows() {
            return;
        }
        for device in antivirus.up_to_date() {
            self.seen.insert(device, SignaturesSeen::UpToDate);
        }
        let now = antivirus.now();
        for device in antivirus.out_of_date() {
            if let Some(seen @ SignaturesSeen::UpToDate) = self.seen.get_mut(&device) {
                *seen = SignaturesSeen::OutOfDateSince(now);
            }
        }
    }

    /// Every device with what was seen of it, for a host to keep.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceKey, SignaturesSeen)> {
        self.seen.iter().map(|(device, seen)| (*device, *seen))
    }

    /// Since when a device that is seen out of date at `now` has been so: since now, where it was up to date when it was last seen.
    pub(crate) fn out_of_date_at(
        &self,
        device: DeviceKey,
        now: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        self.seen.get(&device).map(|seen| match seen {
            SignaturesSeen::OutOfDateSince(since) => *since,
            SignaturesSeen::UpToDate => now,
        })
    }

    /// Since when this device has been seen out of date; `None` for one that is up to date, or was never seen up to date.
    #[must_use]
    pub fn out_of_date_since(&self, device: DeviceKey) -> Option<OffsetDateTime> {
        match self.seen.get(&device) {
            Some(SignaturesSeen::OutOfDateSince(since)) => Some(*since),
            Some(SignaturesSeen::UpToDate) | None => None,
        }
    }
}

impl FromIterator<(DeviceKey, SignaturesSeen)> for SignatureHistory {
    fn from_iter<I: IntoIterator<Item = (DeviceKey, SignaturesSeen)>>(seen: I) -> Self {
        let mut history = Self::default();
        history.extend(seen);
        history
    }
}

impl FromIterator<(DeviceKey, OffsetDateTime)> for SignatureHistory {
    /// Devices that have been out of date since these times.
    fn from_iter<I: IntoIterator<Item = (DeviceKey, OffsetDateTime)>>(times: I) -> Self {
        times
            .into_iter()
            .map(|(device, since)| (device, SignaturesSeen::OutOfDateSince(since)))
            .collect()
    }
}

impl Extend<(DeviceKey, SignaturesSeen)> for SignatureHistory {
    /// Of two for one device the worse counts: out of date, and the earlier time.
    fn extend<I: IntoIterator<Item = (DeviceKey, SignaturesSeen)>>(&mut self, seen: I) {
        for (device, seen) in seen {
            self.seen
                .entry(device)
                .and_modify(|known| *known = worse(*known, seen))
                .or_insert(seen);
        }
    }
}

fn worse(left: SignaturesSeen, right: SignaturesSeen) -> SignaturesSeen {
    use SignaturesSeen::{OutOfDateSince, UpToDate};
    match (left, right) {
        (OutOfDateSince(left), OutOfDateSince(right)) => OutOfDateSince(left.min(right)),
        (OutOfDateSince(since), UpToDate) | (UpToDate, OutOfDateSince(since)) => {
            OutOfDateSince(since)
        }
        (UpToDate, UpToDate) => UpToDate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        antivirus_posture::{Definitions, Product, ProductFact, ProtectionState},
        fixture::{NOW, days_ago, workstations},
        vendor::Vendor,
    };

    fn seen(rows: &[(u64, Definitions)]) -> AntivirusPosture {
        let mut antivirus = AntivirusPosture::new(workstations(9));
        for (device, definitions) in rows {
            let _ = antivirus.observe(ProductFact {
                device: DeviceKey::new(*device),
                product: Product::Real(Vendor::MicrosoftDefender),
                state: ProtectionState::On,
                definitions: *definitions,
                collected_at: Some(NOW),
            });
        }
        antivirus
    }

    fn history(times: &[(u64, OffsetDateTime)]) -> SignatureHistory {
        times
            .iter()
            .map(|(device, time)| (DeviceKey::new(*device), *time))
            .collect()
    }

    #[test]
    fn the_age_runs_from_the_change_and_ends_when_up_to_date() {
        use SignaturesSeen::{OutOfDateSince, UpToDate};
        let mut kept: SignatureHistory = [
            (1, OutOfDateSince(days_ago(9))),
            (2, OutOfDateSince(days_ago(9))),
            (3, OutOfDateSince(days_ago(9))),
            (4, OutOfDateSince(days_ago(9))),
            (7, UpToDate),
            (8, UpToDate),
        ]
        .map(|(device, seen)| (DeviceKey::new(device), seen))
        .into_iter()
        .collect();
        let run = seen(&[
            (1, Definitions::OutOfDate),
            (2, Definitions::UpToDate),
            (3, Definitions::Unknown),
            (5, Definitions::OutOfDate),
            (6, Definitions::UpToDate),
            (7, Definitions::OutOfDate),
            (8, Definitions::Unknown),
        ]);
        kept.advance(&run, ReportState::answered());
        // Device 4 was not seen, devices 3 and 8 did not say: what is known about them stays. Device 5 was never up to date.
        let expected: SignatureHistory = [
            (1, OutOfDateSince(days_ago(9))),
            (2, UpToDate),
            (3, OutOfDateSince(days_ago(9))),
            (4, OutOfDateSince(days_ago(9))),
            (6, UpToDate),
            (7, OutOfDateSince(NOW)),
            (8, UpToDate),
        ]
        .map(|(device, seen)| (DeviceKey::new(device), seen))
        .into_iter()
        .collect();
        assert_eq!(kept, expected);
        assert_eq!(kept.iter().collect::<SignatureHistory>(), kept);
        for (device, since) in [(1, Some(days_ago(9))), (2, None), (5, None), (7, Some(NOW))] {
            assert_eq!(kept.out_of_date_since(DeviceKey::new(device)), since);
        }
        // The same run again changes nothing.
        kept.advance(&run, ReportState::answered());
        assert_eq!(kept, expected);
    }

    /// A connection made anew, or a device that was moved, begins without history.
    #[test]
    fn month_old_signatures_are_not_fresh_for_being_forgotten() {
        let mut kept = SignatureHistory::default();
        let run = seen(&[(1, Definitions::OutOfDate)]);
        for _ in 0..2 {
            kept.advance(&run, ReportState::answered());
            assert_eq!(kept.out_of_date_since(DeviceKey::new(1)), None);
        }
    }

    #[test]
    fn a_report_that_failed_changes_nothing() {
        let run = seen(&[(1, Definitions::UpToDate), (2, Definitions::OutOfDate)]);
        for report in [ReportState::failed(), ReportState::not_available()] {
            let mut kept = history(&[(1, days_ago(9))]);
            kept.advance(&run, report);
            assert_eq!(kept, history(&[(1, days_ago(9))]));
        }
        let mut kept = history(&[(1, days_ago(9))]);
        kept.advance(&run, ReportState::with_malformed_rows());
        assert_eq!(kept.out_of_date_since(DeviceKey::new(1)), None);
    }

    #[test]
    fn of_two_the_worse_is_kept() {
        use SignaturesSeen::{OutOfDateSince, UpToDate};
        let early = OutOfDateSince(days_ago(9));
        for (pair, expected) in [
            ([early, OutOfDateSince(days_ago(3))], Some(days_ago(9))),
            ([early, UpToDate], Some(days_ago(9))),
            ([UpToDate, UpToDate], None),
        ] {
            for [left, right] in [pair, [pair[1], pair[0]]] {
                let history: SignatureHistory = [left, right]
                    .map(|seen| (DeviceKey::new(1), seen))
                    .into_iter()
                    .collect();
                assert_eq!(history.out_of_date_since(DeviceKey::new(1)), expected);
                assert_eq!(history.out_of_date_since(DeviceKey::new(2)), None);
            }
        }
    }
}
