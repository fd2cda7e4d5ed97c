//! Known wrong ways to judge a fleet, one test each: what the naive rule says, and what ours says of the same facts.
//!
//! The naive rules are not made up. Each is how some tool, script or dashboard has judged a fleet. Mistakes about the vendor's
//! words stand beside the code that reads them, in `regentra_sync::ninjaone::facts`.

mod antivirus_posture;
mod backup_activity;
mod disk_encryption;
mod fleet;
mod patch_sla;

use std::sync::Arc;

use regentra_evidence::{
    DeviceClass, DeviceFact, DeviceKey, Fleet, Reason, ReportState, Signal, Status,
};
use time::{Duration, OffsetDateTime, macros::datetime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
pub(crate) const ANSWERED: ReportState = ReportState::answered();

/// What a naive rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naive {
    Pass,
    Fail,
}

/// A naive rule of one condition.
pub(crate) const fn naive(passes: bool) -> Naive {
    if passes { Naive::Pass } else { Naive::Fail }
}

pub(crate) fn days_ago(days: i64) -> OffsetDateTime {
    NOW - Duration::days(days)
}

pub(crate) fn workstation(key: u64) -> DeviceFact {
    DeviceFact {
        device: DeviceKey::new(key),
        approved: true,
        class: DeviceClass::WindowsWorkstation,
        offline: Some(false),
        last_contact: Some(NOW),
    }
}

pub(crate) fn fleet(devices: impl IntoIterator<Item = DeviceFact>) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(NOW);
    for device in devices {
        fleet.observe(device);
    }
    fleet.build()
}

pub(crate) fn workstations(count: u64) -> Arc<Fleet> {
    fleet((1..=count).map(workstation))
}

#[track_caller]
pub(crate) fn assert_ours(signal: &Signal, status: Status, because: impl AsRef<[Reason]>) {
    assert_eq!(signal.status, status, "{signal:?}");
    for reason in because.as_ref() {
        assert!(signal.reasons.contains(reason), "{reason}: {signal:?}");
    }
}
