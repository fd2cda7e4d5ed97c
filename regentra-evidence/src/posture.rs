//! The posture of a company: the worst of its mappings, signal by signal.
//!
//! A company may have several organizations in the tenant, each with its own signals. The verdicts, from worst to best:
//!
//! 1. `fail`: one of them fails, whatever the others show;
//! 2. `unknown`: one of them could not be judged, has no signal, or has only an expired one. It is worse than `warning`, because it could
//!    be a failure; the [reasons](Posture::reasons) still include the warnings of the others;
//! 3. `warning`;
//! 4. `pass`;
//! 5. `not_applicable`: to all of them.
//!
//! ```
//! use regentra_evidence::{Fleet, SignalKind, Status, device_inventory, posture::posture};
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let inventory = device_inventory::finish(&Fleet::builder(now).build());
//!
//! let company = posture([vec![&inventory]], now);
//! let of = |kind| company.iter().find(|posture| posture.signal == kind);
//! assert_eq!(of(SignalKind::DeviceInventory).map(|posture| posture.status), Some(Status::Warning));
//! assert_eq!(of(SignalKind::PatchSla).map(|posture| posture.status), Some(Status::Unknown));
//! ```

use std::collections::BTreeSet;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    reason::Reason,
    signal::{Signal, SignalKind, Status},
};

/// One signal over all mappings of a company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Posture {
    /// Which signal this is.
    pub signal: SignalKind,
    /// The worst of the mappings.
    pub status: Status,
    /// Whether the answer behind every mapping's verdict was whole, and none is missing or expired.
    pub complete: bool,
    /// Every condition that holds for one of the mappings.
    pub reasons: BTreeSet<Reason>,
    /// How many mappings the company has.
    pub mappings: u64,
    /// How many of them have no signal that may be relied on: none at all, or an expired one.
    pub without_signal: u64,
    /// When the oldest of the signals was collected; `None` without any.
    #[serde(with = "time::serde::rfc3339::option")]
    pub collected_at: Option<OffsetDateTime>,
    /// When the first of the signals expires; `None` without any.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

impl Posture {
    const fn nothing(signal: SignalKind) -> Self {
        Self {
            signal,
            status: Status::NotApplicable,
            complete: true,
            reasons: BTreeSet::new(),
            mappings: 0,
            without_signal: 0,
            collected_at: None,
            expires_at: None,
        }
    }

    fn add(&mut self, signal: Option<&Signal>) {
        self.mappings = self.mappings.saturating_add(1);
        let Some(signal) = signal else {
            self.without_signal = self.without_signal.saturating_add(1);
            self.complete = false;
            self.worsen(Status::Unknown);
            return;
        };
        self.worsen(signal.status);
        self.complete &= signal.complete;
        self.reasons.extend(&signal.reasons);
        let earlier =
            |own: Option<OffsetDateTime>, other| Some(own.map_or(other, |own| own.min(other)));
        self.collected_at = earlier(self.collected_at, signal.collected_at);
        self.expires_at = earlier(self.expires_at, signal.expires_at);
    }

    fn worsen(&mut self, status: Status) {
        if badness(status) > badness(self.status) {
            self.status = status;
        }
    }
}

const fn badness(status: Status) -> u8 {
    match status {
        Status::NotApplicable => 0,
        Status::Pass => 1,
        Status::Warning => 2,
        Status::Unknown => 3,
        Status::Fail => 4,
    }
}

/// The posture of a company at `now`, in the order of [`SignalKind::ALL`], from the signals of each of its mappings.
///
/// Of several signals of one kind in a mapping the newest counts, of several that were collected at once the worst. A company without any mapping is unknown throughout.
#[must_use]
pub fn posture<'a, Mapping>(
    mappings: impl IntoIterator<Item = Mapping>,
    now: OffsetDateTime,
) -> [Posture; 5]
where
    Mapping: IntoIterator<Item = &'a Signal>,
{
    let mut postures = SignalKind::ALL.map(Posture::nothing);
    for mapping in mappings {
        let signals: Vec<&Signal> = mapping.into_iter().collect();
        for posture in &mut postures {
            let current = signals
                .iter()
                .filter(|signal| signal.kind() == posture.signal && !signal.is_expired(now))
                .max_by_key(|signal| {
                    let worse = (badness(signal.status), !signal.complete);
                    (signal.collected_at, worse)
                });
            posture.add(current.copied());
        }
    }
    for posture in &mut postures {
        if posture.mappings == 0 {
            posture.status = Status::Unknown;
            posture.complete = false;
        }
    }
    postures
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::{
        device_inventory,
        fixture::{NOW, workstations},
    };

    fn inventory(status: Status) -> Signal {
        Signal {
            status,
            ..device_inventory::finish(&workstations(1))
        }
    }

    fn of(signals: &[&Signal], now: OffsetDateTime) -> Posture {
        let [.., inventory] = posture(signals.iter().map(|signal| [*signal]), now);
        inventory
    }

    #[test]
    fn the_worst_of_the_mappings_counts() {
        let order = [
            Status::NotApplicable,
            Status::Pass,
            Status::Warning,
            Status::Unknown,
            Status::Fail,
        ];
        for (index, worse) in order.into_iter().enumerate() {
            for better in order.into_iter().take(index + 1) {
                let (worse, better) = (inventory(worse), inventory(better));
                assert_eq!(of(&[&worse, &better], NOW).status, worse.status);
                assert_eq!(of(&[&better, &worse], NOW).status, worse.status);
            }
        }
    }

    #[test]
    fn a_mapping_without_a_signal_is_unknown_and_not_good() {
        let pass = inventory(Status::Pass);
        let [disk, .., inventory] = posture([vec![&pass], vec![]], NOW);
        assert_eq!(inventory.status, Status::Unknown);
        assert_eq!((inventory.mappings, inventory.without_signal), (2, 1));
        assert!(!inventory.complete);
        assert_eq!(disk.status, Status::Unknown);
        assert_eq!((disk.mappings, disk.without_signal), (2, 2));
        assert_eq!(disk.collected_at, None);
    }

    #[test]
    fn an_expired_signal_is_none() {
        let pass = inventory(Status::Pass);
        let just_before = pass.expires_at - Duration::NANOSECOND;
        assert_eq!(of(&[&pass], just_before).status, Status::Pass);
        let expired = of(&[&pass], pass.expires_at);
        assert_eq!(expired.status, Status::Unknown);
        assert_eq!(expired.without_signal, 1);
    }

    #[test]
    fn a_company_without_mappings_is_unknown() {
        let nothing: [Vec<&Signal>; 0] = [];
        for (posture, kind) in posture(nothing, NOW).into_iter().zip(SignalKind::ALL) {
            assert_eq!(posture.signal, kind);
            assert_eq!(posture.status, Status::Unknown);
            assert!(!posture.complete);
        }
    }

    #[test]
    fn of_several_signals_of_a_mapping_the_newest_counts() {
        let fail = inventory(Status::Fail);
        let pass = Signal {
            collected_at: NOW + Duration::SECOND,
            ..inventory(Status::Pass)
        };
        for signals in [[&fail, &pass], [&pass, &fail]] {
            let [.., inventory] = posture([signals], NOW);
            assert_eq!(inventory.status, Status::Pass);
            assert_eq!(inventory.mappings, 1);
        }
    }

    #[test]
    fn of_two_signals_collected_at_once_the_worse_counts() {
        let (fail, pass) = (inventory(Status::Fail), inventory(Status::Pass));
        let partial = Signal {
            complete: false,
            ..inventory(Status::Pass)
        };
        for signals in [[&fail, &pass], [&pass, &fail]] {
            let [.., inventory] = posture([signals], NOW);
            assert_eq!(inventory.status, Status::Fail);
        }
        for signals in [[&partial, &pass], [&pass, &partial]] {
            let [.., inventory] = posture([signals], NOW);
            assert!(!inventory.complete);
        }
    }

    #[test]
    fn reasons_times_and_completeness_are_of_all_mappings() {
        let warning = Signal {
            reasons: BTreeSet::from([Reason::MostlyOffline]),
            ..inventory(Status::Warning)
        };
        let partial = Signal {
            complete: false,
            reasons: BTreeSet::from([Reason::Truncated]),
            collected_at: NOW - Duration::HOUR,
            expires_at: NOW + Duration::HOUR,
            ..inventory(Status::Warning)
        };
        for signals in [[&warning, &partial], [&partial, &warning]] {
            let posture = of(&signals, NOW);
            assert!(!posture.complete);
            assert_eq!(posture.without_signal, 0);
            assert_eq!(
                posture.reasons,
                BTreeSet::from([Reason::MostlyOffline, Reason::Truncated])
            );
            assert_eq!(posture.collected_at, Some(NOW - Duration::HOUR));
            assert_eq!(posture.expires_at, Some(NOW + Duration::HOUR));
        }
        assert!(of(&[&warning], NOW).complete);
        let json = serde_json::to_value(of(&[&warning], NOW)).unwrap();
        assert_eq!(json["collected_at"], "2026-11-23T06:30:00Z");
    }
}
