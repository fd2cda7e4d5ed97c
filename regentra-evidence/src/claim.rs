//! The claims that a passing signal supports, in words that claim no more.
//!
//! A claim can only be made from a signal that passes, is complete, and has not expired. The crosswalk supplies the wording: a direct row
//! *evidences* its requirement; any other row *supports* it and states its limit.
//!
//! ```
//! use regentra_evidence::{Claim, DeviceClass, DeviceFact, DeviceKey, Fleet, Framework, device_inventory};
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device: DeviceKey::new(1),
//!     approved: true,
//!     class: DeviceClass::WindowsServer,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//! let inventory = device_inventory::finish(&devices.build());
//!
//! let claims = Claim::all_of(&inventory, &[Framework::NistCsf], now);
//! assert_eq!(
//!     claims[1].to_string(),
//!     "IC-031 Asset Inventory (device_inventory: pass) supports in part NIST CSF 2.0 ID.AM-08: Managing assets over their life. \
//!      Limit: Shows a part of what the requirement asks for."
//! );
//! assert!(Claim::all_of(&inventory, &[Framework::NistCsf], inventory.expires_at).is_empty());
//! ```

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    crosswalk::{self, Link},
    framework::Framework,
    signal::{Signal, SignalKind, Status},
};

/// One requirement that a passing signal speaks to. `Display` is the whole claim in a sentence, with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    signal: SignalKind,
    #[serde(flatten)]
    link: &'static Link,
    #[serde(with = "time::serde::rfc3339")]
    collected_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl Claim {
    /// What may be claimed from `signal` at `now` within these frameworks; nothing unless it passes and is not expired.
    #[must_use]
    pub fn all_of(signal: &Signal, frameworks: &[Framework], now: OffsetDateTime) -> Vec<Self> {
        if signal.status != Status::Pass || !signal.complete || signal.is_expired(now) {
            return Vec::new();
        }
        crosswalk::of_signal(signal.kind(), frameworks)
            .into_iter()
            .map(|link| Self {
                signal: signal.kind(),
                link,
                collected_at: signal.collected_at,
                expires_at: signal.expires_at,
            })
            .collect()
    }

    /// The signal that passes.
    #[must_use]
    pub const fn signal(&self) -> SignalKind {
        self.signal
    }

    /// The row of the crosswalk.
    #[must_use]
    pub const fn link(&self) -> &'static Link {
        self.link
    }

    /// When the facts were collected.
    #[must_use]
    pub const fn collected_at(&self) -> OffsetDateTime {
        self.collected_at
    }

    /// From this instant on nothing may be claimed any more.
    #[must_use]
    pub const fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let link = self.link;
        write!(
            f,
            "{} {} ({}: pass) {} {} {}: {}.",
            link.control(),
            link.control().name(),
            self.signal,
            link.strength().verb(),
            link.framework(),
            link.requirement(),
            link.topic(),
        )?;
        match link.limit() {
            Some(limit) => write!(f, " Limit: {limit}."),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::{
        crosswalk::Strength,
        device_inventory,
        fixture::{NOW, workstations},
    };

    fn inventory() -> Signal {
        device_inventory::finish(&workstations(1))
    }

    #[test]
    fn only_a_complete_pass_that_is_not_expired_claims_anything() {
        let pass = inventory();
        let just_before = pass.expires_at - Duration::NANOSECOND;
        assert_eq!(
            Claim::all_of(&pass, Framework::ALL, just_before).len(),
            crosswalk::of_signal(SignalKind::DeviceInventory, Framework::ALL).len()
        );
        assert!(Claim::all_of(&pass, Framework::ALL, pass.expires_at).is_empty());
        assert!(Claim::all_of(&pass, &[], NOW).is_empty());
        for status in [
            Status::Warning,
            Status::Fail,
            Status::Unknown,
            Status::NotApplicable,
        ] {
            let signal = Signal {
                status,
                ..inventory()
            };
            assert!(
                Claim::all_of(&signal, Framework::ALL, NOW).is_empty(),
                "{status}"
            );
        }
        let partial = Signal {
            complete: false,
            ..inventory()
        };
        assert!(Claim::all_of(&partial, Framework::ALL, NOW).is_empty());
    }

    #[test]
    fn a_claim_says_no_more_than_its_row() {
        for claim in Claim::all_of(&inventory(), Framework::ALL, NOW) {
            let (text, link) = (claim.to_string(), claim.link());
            assert!(text.contains(link.requirement()), "{text}");
            assert_eq!(
                text.contains(" evidences "),
                link.strength() == Strength::Direct,
                "{text}"
            );
            assert_eq!(text.contains("Limit: "), link.limit().is_some(), "{text}");
            assert_eq!(claim.signal(), SignalKind::DeviceInventory);
            assert_eq!(
                (claim.collected_at(), claim.expires_at()),
                (NOW, NOW + Duration::days(7))
            );
        }
    }

    #[test]
    fn a_direct_claim_in_words_and_as_json() {
        let claims = Claim::all_of(&inventory(), &[Framework::NistCsf], NOW);
        assert_eq!(
            claims[0].to_string(),
            "IC-031 Asset Inventory (device_inventory: pass) evidences NIST CSF 2.0 ID.AM-01: Inventory of hardware."
        );
        assert_eq!(
            serde_json::to_string(&claims[0]).unwrap(),
            r#"{"signal":"device_inventory","control":"IC-031","framework":"nist_csf","requirement":"ID.AM-01","topic":"Inventory of hardware","strength":"direct","limit":null,"collected_at":"2026-11-23T06:30:00Z","expires_at":"2026-11-30T06:30:00Z"}"#
        );
    }
}
