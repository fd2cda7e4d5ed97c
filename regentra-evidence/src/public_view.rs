//! The public view of a signal: what a trust centre may publish.
//!
//! It contains the verdict, its age, the rule in words, and the measured share of the fleet as a band. It contains no count, no vendor and
//! no reason: reasons name what was counted, and a suppressed count could be computed from the views of two days.
//!
//! ```
//! use regentra_evidence::{Fleet, PublicView, device_inventory};
//! use time::macros::datetime;
//!
//! let fleet = Fleet::builder(datetime!(2026-11-23 06:30 UTC)).build();
//! let view = PublicView::of(&device_inventory::finish(&fleet));
//! assert_eq!(view.coverage, None);
//! assert!(view.rule.starts_with("Fewer than half"));
//! ```

use serde::Serialize;
use time::OffsetDateTime;

use crate::signal::{Metadata, Signal, SignalKind, Status};

/// How much of what a signal is asked about was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Coverage {
    /// Fewer than half of the devices.
    #[serde(rename = "below_half")]
    BelowHalf,
    /// Half or more, and at most 90 percent.
    #[serde(rename = "up_to_90_percent")]
    UpTo90Percent,
    /// More than 90 percent.
    #[serde(rename = "above_90_percent")]
    Above90Percent,
}

impl Coverage {
    /// The band of `measured` among `all`; `None` of none.
    const fn of(measured: u64, all: u64) -> Option<Self> {
        if all == 0 {
            None
        } else if measured.saturating_mul(2) < all {
            Some(Self::BelowHalf)
        } else if measured.saturating_mul(10) <= all.saturating_mul(9) {
            Some(Self::UpTo90Percent)
        } else {
            Some(Self::Above90Percent)
        }
    }
}

/// What may be shown of a signal to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PublicView {
    /// Which signal this is.
    pub signal: SignalKind,
    /// The outcome.
    pub status: Status,
    /// What the signal asks for, in words.
    pub rule: &'static str,
    /// How much was measured, of the live and stale devices in scope; of backups: devices with activity, of these and those
    /// without any backup. `None` where there is no such device.
    pub coverage: Option<Coverage>,
    /// When the facts were collected.
    #[serde(with = "time::serde::rfc3339")]
    pub collected_at: OffsetDateTime,
    /// From this instant on the signal is expired.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl PublicView {
    /// The public view of this signal.
    #[must_use]
    pub const fn of(signal: &Signal) -> Self {
        let scope = signal.metadata.scope();
        let in_scope = scope
            .measured
            .saturating_add(scope.unmeasured)
            .saturating_add(scope.stale);
        let all = match &signal.metadata {
            Metadata::BackupActivity(own) => {
                in_scope.saturating_add(own.devices.without_any_backup)
            }
            Metadata::DiskEncryption(_)
            | Metadata::AntivirusPosture(_)
            | Metadata::PatchSla(_)
            | Metadata::DeviceInventory(_) => in_scope,
        };
        Self {
            signal: signal.kind(),
            status: signal.status,
            rule: rule(signal.kind()),
            coverage: Coverage::of(scope.measured, all),
            collected_at: signal.collected_at,
            expires_at: signal.expires_at,
        }
    }
}

/// What a pass of this signal says. The thresholds are the promise's: a host can only be stricter.
const fn rule(signal: SignalKind) -> &'static str {
    match signal {
        SignalKind::DiskEncryption => {
            "At least 95 % of the fixed volumes of computers are encrypted, with their keys protected."
        }
        SignalKind::AntivirusPosture => {
            "Every computer is protected against malicious software, with signatures at most 7 days out of date."
        }
        SignalKind::PatchSla => {
            "No critical or important patch is missing, and no installation has failed."
        }
        SignalKind::BackupActivity => {
            "Every device that runs backups has had a successful one within 7 days."
        }
        SignalKind::DeviceInventory => "Fewer than half of the devices are offline.",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        backup_activity::{ActivityKey, BackupActivity, BackupEvent, BackupFact},
        device::{DeviceClass, DeviceKey},
        device_inventory,
        fixture::{NOW, device, fleet, stale, workstation, workstations},
        guard::Guard,
        reason::Reason,
        report::ReportState,
    };

    #[test]
    fn coverage_is_a_band() {
        use Coverage::{Above90Percent, BelowHalf, UpTo90Percent};
        for (measured, all, expected) in [
            (0, 0, None),
            (0, 1, Some(BelowHalf)),
            (49, 100, Some(BelowHalf)),
            (50, 100, Some(UpTo90Percent)),
            (90, 100, Some(UpTo90Percent)),
            (91, 100, Some(Above90Percent)),
            (100, 100, Some(Above90Percent)),
            (9, 10, Some(UpTo90Percent)),
            (1, 2, Some(UpTo90Percent)),
        ] {
            assert_eq!(Coverage::of(measured, all), expected, "{measured} of {all}");
        }
    }

    #[test]
    fn the_view_to_the_byte() {
        assert_eq!(
            serde_json::to_value(PublicView::of(&device_inventory::finish(&workstations(9))))
                .unwrap(),
            json!({"signal": "device_inventory", "status": "pass", "rule": "Fewer than half of the devices are offline.",
                "coverage": "above_90_percent", "collected_at": "2026-11-23T06:30:00Z", "expires_at": "2026-11-30T06:30:00Z"})
        );
    }

    /// One of twelve servers is backed up: the signal passes, and the view says how little that is.
    #[test]
    fn devices_without_any_backup_are_part_of_the_coverage() {
        let phone = device(99, DeviceClass::Mobile);
        for (others, expected) in [
            (vec![], Coverage::Above90Percent),
            (vec![phone], Coverage::Above90Percent),
            (vec![workstation(2)], Coverage::UpTo90Percent),
            (vec![stale(2)], Coverage::UpTo90Percent),
            (vec![workstation(2), stale(3)], Coverage::BelowHalf),
        ] {
            let mut backups =
                BackupActivity::new(fleet([workstation(1)].into_iter().chain(others)));
            let _ = backups.observe(BackupFact {
                device: DeviceKey::new(1),
                activity: ActivityKey::new(1),
                event: BackupEvent::Success,
                at: Some(NOW),
            });
            let view = PublicView::of(&backups.finish(ReportState::answered()));
            assert_eq!(view.coverage, Some(expected));
        }
    }

    #[test]
    fn every_rule_says_something_and_nothing_of_a_customer() {
        for kind in SignalKind::ALL {
            assert!(rule(kind).ends_with('.'), "{kind}");
            assert!(Guard::new().scan_text(rule(kind)).is_empty(), "{kind}");
        }
    }

    proptest! {
        /// Two fleets of the same verdict and band look the same, whatever they count.
        #[test]
        fn nothing_that_is_counted_can_be_computed_from_the_view(
            (one, other) in (1..99_u64, 1..99_u64),
            offline in any::<bool>(),
        ) {
            let view = |count: u64| {
                let mut signal = device_inventory::finish(&workstations(count));
                if offline {
                    signal.reasons.insert(Reason::MostlyOffline);
                }
                PublicView::of(&signal)
            };
            prop_assert_eq!(view(one), view(other));
        }
    }
}
