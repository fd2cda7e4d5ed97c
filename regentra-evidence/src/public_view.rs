//! The public view of a signal: what a trust centre may show to anybody.
//!
//! Counts over a handful of devices say too much about each of them. Where fewer than five devices were measured the counts
//! are suppressed: all of them when the signal measured fewer, one kind's when that kind of patches did. The verdict, its
//! reasons and its times stay.
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
        if let (Metadata::PatchSla(own), Some(metadata)) = (&signal.metadata, &mut metadata) {
            for (kind, counts) in [("os", own.os), ("software", own.software)] {
                if counts.devices_measured < SMALLEST_SHOWN {
                    suppressed = true;
                    if let Some(counts) = metadata.get_mut(kind) {
                        *counts = Value::Null;
                    }
                }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        device::DeviceKey,
        device_inventory,
        fixture::{NOW, workstations},
        patch_sla::{PatchKind, PatchSla},
        report::ReportState,
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

    #[test]
    fn a_kind_of_patches_seen_on_a_few_devices_is_left_out_alone() {
        let judge = |os: u64, software: u64| {
            let mut patches = PatchSla::new(workstations(9));
            for (kind, devices) in [(PatchKind::Os, os), (PatchKind::Software, software)] {
                for device in 1..=devices {
                    let _ = patches.observe_scan(DeviceKey::new(device), kind, Some(NOW));
                }
            }
            PublicView::of(&patches.finish(ReportState::answered(), ReportState::answered()))
        };
        let view = judge(9, 4);
        assert!(view.suppressed);
        let metadata = view.metadata.unwrap();
        assert_eq!(metadata["os"]["devices_measured"], json!(9));
        assert_eq!(metadata["software"], Value::Null);
        let metadata = judge(4, 9).metadata.unwrap();
        assert_eq!(metadata["os"], Value::Null);
        assert_eq!(metadata["software"]["devices_measured"], json!(9));
        assert!(!judge(5, 5).suppressed);
        assert_eq!(judge(4, 4).metadata, None);
    }
}
