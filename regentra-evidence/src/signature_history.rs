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
//! let mut sweep = |now| {
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
//!         definitions: Definitions::OutOfDate,
//!         collected_at: Some(now),
//!     });
//!     assert_eq!(fate, RowFate::Used);
//!     history.advance(&antivirus, answered);
//!     antivirus.finish(answered, Some(&history)).status
//! };
//! let first = datetime!(2026-11-23 06:30 UTC);
//! assert_eq!(sweep(first), Status::Pass); // seen for the first time: nobody can tell for how long
//! assert_eq!(sweep(first + Duration::days(8)), Status::Warning);
//! assert_eq!(sweep(first + Duration::days(31)), Status::Fail);
//! ```

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::{antivirus_posture::AntivirusPosture, device::DeviceKey, report::ReportState};

/// Since when each device's signatures have been seen out of date.
///
/// The vendor does not say it, so the host keeps it: a device enters when a run first sees it out of date, and leaves when it is
/// up to date again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureHistory {
    first_seen: BTreeMap<DeviceKey, OffsetDateTime>,
}

impl SignatureHistory {
    /// Takes in what one run saw: devices that are on and out of date enter with the time of the run, unless they stand there
    /// already, and devices that are up to date leave. Devices that the run did not see keep what is known about them.
    ///
    /// Call it before the evaluator finishes, so that what is seen for the first time now ages from now. A report that failed
    /// or that the tenant cannot have changes nothing: rows that are missing could say the opposite.
    pub fn advance(&mut self, antivirus: &AntivirusPosture, report: ReportState) {
        if !report.has_rows() {
            return;
        }
        for device in antivirus.up_to_date() {
            self.first_seen.remove(&device);
        }
        let now = antivirus.now();
        for device in antivirus.out_of_date() {
            self.first_seen.entry(device).or_insert(now);
        }
    }

    /// Every device with the time since when it has been seen out of date, for a host to keep.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceKey, OffsetDateTime)> {
        self.first_seen
            .iter()
            .map(|(device, time)| (*device, *time))
    }

    /// Since when this device has been seen out of date.
    #[must_use]
    pub fn first_seen(&self, device: DeviceKey) -> Option<OffsetDateTime> {
        self.first_seen.get(&device).copied()
    }
}

impl FromIterator<(DeviceKey, OffsetDateTime)> for SignatureHistory {
    /// Of two times for one device the earlier counts.
    fn from_iter<I: IntoIterator<Item = (DeviceKey, OffsetDateTime)>>(times: I) -> Self {
        let mut history = Self::default();
        history.extend(times);
        history
    }
}

impl Extend<(DeviceKey, OffsetDateTime)> for SignatureHistory {
    fn extend<I: IntoIterator<Item = (DeviceKey, OffsetDateTime)>>(&mut self, times: I) {
        for (device, time) in times {
            self.first_seen
                .entry(device)
                .and_modify(|known| *known = time.min(*known))
                .or_insert(time);
        }
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
    fn the_first_sighting_is_kept_and_cleared_when_up_to_date() {
        let known = [
            (1, days_ago(9)),
            (2, days_ago(9)),
            (3, days_ago(9)),
            (4, days_ago(9)),
        ];
        let run = seen(&[
            (1, Definitions::OutOfDate),
            (2, Definitions::UpToDate),
            (3, Definitions::Unknown),
            (5, Definitions::OutOfDate),
            (6, Definitions::UpToDate),
        ]);
        let mut kept = history(&known);
        kept.advance(&run, ReportState::answered());
        // Device 4 was not seen, device 3 did not say: what is known about them stays.
        let expected = history(&[
            (1, days_ago(9)),
            (3, days_ago(9)),
            (4, days_ago(9)),
            (5, NOW),
        ]);
        assert_eq!(kept, expected);
        assert_eq!(kept.iter().collect::<SignatureHistory>(), kept);
        // The same run again changes nothing.
        kept.advance(&run, ReportState::answered());
        assert_eq!(kept, expected);
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
        assert_eq!(kept, history(&[(2, NOW)]));
    }

    #[test]
    fn of_two_times_the_earlier_is_kept() {
        for times in [[days_ago(9), days_ago(3)], [days_ago(3), days_ago(9)]] {
            let history = history(&times.map(|time| (1, time)));
            assert_eq!(history.first_seen(DeviceKey::new(1)), Some(days_ago(9)));
            assert_eq!(history.first_seen(DeviceKey::new(2)), None);
        }
    }
}
