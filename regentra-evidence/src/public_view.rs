//! The public view of a signal: what a trust centre may show to anybody.
//!
//! Counts over a handful of devices say too much about each of them. Where fewer than five devices were measured the counts
//! are suppressed: all of them when the signal measured fewer; those of patches, of both kinds and over both, when either kind
//! did, because what is shown of the one and of the whole gives the other away; and vendors and signatures when one to four
//! devices are protected. The verdict, its reasons and its times stay.
//!
//! ```
//! use regentra_evidence::{Fleet, PublicView, device_inventory};
//! use time::macros::datetime;
//!
//! let fleet = Fleet::builder(datetime!(2026-11-23 06:30 UTC)).build();
//! let view = PublicView::of(&device_inventory::finish(&fleet));
//! assert!(view.suppressed);
//! assert_eq!(view.metadata, None);
//! ```

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    control::ControlId,
    reason::Reason,
    signal::{Metadata, Signal, SignalKind, Status},
};

/// Counts are shown only where at least this many devices were measured.
pub const SMALLEST_SHOWN: u64 = 5;

/// A signal without the counts that would say too much about single devices.
///
/// Serialises like a [`Signal`], with `suppressed` beside the rest; what is suppressed is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicView {
    /// Which signal this is.
    pub signal: SignalKind,
    /// The outcome.
    pub status: Status,
    /// Whether the answer behind the verdict was whole.
    pub complete: bool,
    /// Every condition that holds.
    pub reasons: BTreeSet<Reason>,
    /// The internal controls this signal is evidence for.
    pub controls: Vec<ControlId>,
    /// When the facts were collected.
    #[serde(with = "time::serde::rfc3339")]
    pub collected_at: OffsetDateTime,
    /// From this instant on the signal is expired.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Whether any count is left out.
    pub suppressed: bool,
    /// The aggregates as the signal prints them, with `null` for what is left out; `None` when everything is.
    pub metadata: Option<Value>,
}

impl PublicView {
    /// The public view of this signal.
    #[must_use]
    pub fn of(signal: &Signal) -> Self {
        let shown = signal.metadata.scope().measured >= SMALLEST_SHOWN;
        let mut metadata = shown
            .then(|| serde_json::to_value(&signal.metadata).ok())
            .flatten()
            .and_then(|mut tagged| tagged.get_mut("metadata").map(Value::take));
        let mut suppressed = metadata.is_none();
        for field in too_small(&signal.metadata) {
            if let Some(counts) = metadata.as_mut().and_then(|all| all.get_mut(field)) {
                suppressed = true;
                *counts = Value::Null;
            }
        }
        Self {
            signal: signal.kind(),
            status: signal.status,
            complete: signal.complete,
            reasons: signal.reasons.clone(),
            controls: signal.controls.clone(),
            collected_at: signal.collected_at,
            expires_at: signal.expires_at,
            suppressed,
            metadata,
        }
    }
}

/// The fields of a signal's counts that are over too few devices, though the signal is not.
fn too_small(metadata: &Metadata) -> &'static [&'static str] {
    match metadata {
        Metadata::PatchSla(own) => {
            let measured = [own.os, own.software].map(|kind| kind.devices_measured);
            if measured.into_iter().any(|devices| devices < SMALLEST_SHOWN) {
                &[
                    "os",
                    "software",
                    "devices_with_missing",
                    "devices_with_failed",
                ]
            } else {
                &[]
            }
        }
        Metadata::AntivirusPosture(own) if (1..SMALLEST_SHOWN).contains(&own.devices.on) => {
            &["signatures", "vendors"]
        }
        Metadata::AntivirusPosture(_)
        | Metadata::DiskEncryption(_)
        | Metadata::BackupActivity(_)
        | Metadata::DeviceInventory(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        antivirus_posture::{AntivirusPosture, Definitions, Product, ProductFact, ProtectionState},
        device::DeviceKey,
        device_inventory,
        fixture::{NOW, workstations},
        patch_sla::{PatchCounts, PatchKey, PatchKind, PatchSeverity, PatchSla, PendingFact},
        report::ReportState,
        vendor::Vendor,
    };

    #[test]
    fn fewer_than_five_measured_devices_show_no_count() {
        for (devices, suppressed) in [(0, true), (1, true), (4, true), (5, false), (6, false)] {
            let signal = device_inventory::finish(&workstations(devices));
            let view = PublicView::of(&signal);
            assert_eq!(view.suppressed, suppressed, "{devices}");
            assert_eq!(view.metadata.is_none(), suppressed, "{devices}");
            let mut expected = serde_json::to_value(&signal).unwrap();
            expected["suppressed"] = json!(suppressed);
            if suppressed {
                expected["metadata"] = Value::Null;
            }
            assert_eq!(serde_json::to_value(&view).unwrap(), expected);
        }
    }

    fn judge(os: u64, software: u64, missing: &[(PatchKind, u64)]) -> Signal {
        let mut patches = PatchSla::new(workstations(9));
        for (kind, devices) in [(PatchKind::Os, os), (PatchKind::Software, software)] {
            for device in 1..=devices {
                let _ = patches.observe_scan(DeviceKey::new(device), kind, Some(NOW));
            }
        }
        for (kind, device) in missing {
            let _ = patches.observe_pending(PendingFact {
                device: DeviceKey::new(*device),
                kind: *kind,
                patch: PatchKey::new(1),
                definition_update: false,
                severity: PatchSeverity::Critical,
                rejected: false,
                collected_at: Some(NOW),
            });
        }
        patches.finish(ReportState::answered(), ReportState::answered())
    }

    /// The software shows no missing patch, so that the devices with a missing one would all be of the hidden kind.
    #[test]
    fn counts_over_both_kinds_do_not_give_away_the_hidden_one() {
        let view = PublicView::of(&judge(4, 9, &[(PatchKind::Os, 1), (PatchKind::Os, 2)]));
        let metadata = view.metadata.unwrap();
        assert_eq!(metadata["devices_with_missing"], Value::Null);
        assert_eq!(metadata["devices_with_failed"], Value::Null);
    }

    #[test]
    fn kinds_of_patches_are_shown_together_or_not_at_all() {
        for (os, software, shown) in [(9, 4, false), (4, 9, false), (0, 9, false), (5, 5, true)] {
            let signal = judge(os, software, &[]);
            let view = PublicView::of(&signal);
            assert_eq!(view.suppressed, !shown, "{os} {software}");
            let metadata = view.metadata.unwrap();
            let whole = serde_json::to_value(&signal).unwrap()["metadata"].take();
            assert_eq!(metadata["scope"], whole["scope"]);
            for field in [
                "os",
                "software",
                "devices_with_missing",
                "devices_with_failed",
            ] {
                let expected = if shown {
                    whole[field].clone()
                } else {
                    Value::Null
                };
                assert_eq!(metadata[field], expected, "{field}: {os} {software}");
            }
        }
        assert_eq!(PublicView::of(&judge(4, 4, &[])).metadata, None);
    }

    /// Ten devices are measured and one is protected: its vendor and the age of its signatures would be shown as they are.
    #[test]
    fn what_few_protected_devices_have_is_left_out() {
        for (on, shown) in [(0, true), (1, false), (4, false), (5, true), (10, true)] {
            let mut antivirus = AntivirusPosture::new(workstations(10));
            for device in 1..=10 {
                let _ = antivirus.observe(ProductFact {
                    device: DeviceKey::new(device),
                    product: Product::Real(Vendor::Sentinelone),
                    state: if device <= on {
                        ProtectionState::On
                    } else {
                        ProtectionState::Off
                    },
                    definitions: Definitions::UpToDate,
                    collected_at: Some(NOW),
                });
            }
            let signal = antivirus.finish(ReportState::answered(), None);
            let view = PublicView::of(&signal);
            assert_eq!(view.suppressed, !shown, "{on}");
            let metadata = view.metadata.unwrap();
            let whole = serde_json::to_value(&signal).unwrap()["metadata"].take();
            for field in ["signatures", "vendors"] {
                let expected = if shown {
                    whole[field].clone()
                } else {
                    Value::Null
                };
                assert_eq!(metadata[field], expected, "{field}: {on}");
            }
            for field in ["scope", "devices", "age_basis"] {
                assert_eq!(metadata[field], whole[field], "{field}: {on}");
            }
        }
    }

    fn counts() -> impl Strategy<Value = PatchCounts> {
        (0..12_u64, 0..9_u64, 0..9_u64, 0..9_u64, 0..9_u64, 0..9_u64).prop_map(
            |(devices_measured, critical, important, failed, rejected, unknown)| PatchCounts {
                devices_measured,
                missing_critical: critical,
                missing_important: important,
                failed_installs: failed,
                rejected,
                severity_unknown: unknown,
            },
        )
    }

    proptest! {
        /// Whatever a kind that is seen on fewer than five devices counts, the view is the same: nobody can compute any of it.
        #[test]
        fn nothing_of_a_small_kind_can_be_computed_from_the_view(
            large in counts(),
            one in counts(),
            other in counts(),
            unions in prop::array::uniform4(0..9_u64),
            (few, as_few) in (0..SMALLEST_SHOWN, 0..SMALLEST_SHOWN),
            os_is_small in any::<bool>(),
        ) {
            let mut signal = judge(9, 9, &[]);
            let mut view_of = |small: PatchCounts, devices_measured, with_missing, with_failed| {
                let small = PatchCounts { devices_measured, ..small };
                let Metadata::PatchSla(own) = &mut signal.metadata else { unreachable!() };
                (own.os, own.software) = if os_is_small { (small, large) } else { (large, small) };
                (own.devices_with_missing, own.devices_with_failed) = (with_missing, with_failed);
                PublicView::of(&signal)
            };
            let [missing, failed, as_missing, as_failed] = unions;
            prop_assert_eq!(view_of(one, few, missing, failed), view_of(other, as_few, as_missing, as_failed));
        }
    }
}
