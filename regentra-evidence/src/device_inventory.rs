//! Device inventory: is the fleet known, and does it report?
//!
//! **Verdict:** pass if there is at least one approved device and fewer than half of the approved devices are offline, even if every device
//! without an offline flag were offline; otherwise warning; never fail. Stale devices count with the state that they report.
//!
//! ```
//! use regentra_evidence::{DeviceClass, DeviceFact, DeviceKey, Fleet, Status, device_inventory};
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device: DeviceKey::new(1),
//!     approved: true,
//!     class: DeviceClass::Network,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//! assert_eq!(device_inventory::finish(&devices.build()).status, Status::Pass);
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    device::DeviceFamily,
    digest::{DigestKey, FactsDigest},
    fleet::{DeviceScope, Fleet, add_one, count},
    reason::Reason,
    report::ReportState,
    signal::{Metadata, Signal, SignalKind, Status},
    verdict::conclude,
};

/// Approved devices by how they report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryCounts {
    /// Approved devices.
    pub approved: u64,
    /// Devices that are offline.
    pub offline: u64,
    /// Devices of any class without contact for more than 30 days.
    pub stale: u64,
}

/// Approved devices by family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyCounts {
    /// Windows, Mac and Linux workstations.
    pub workstation: u64,
    /// Windows, Mac and Linux servers.
    pub server: u64,
    /// Phones and tablets.
    pub mobile: u64,
    /// Devices known through network monitoring.
    pub network: u64,
    /// Hypervisor hosts and guests.
    pub virtualization: u64,
    /// Everything else.
    pub other: u64,
}

/// The aggregates behind the inventory signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInventoryMetadata {
    /// Devices; measured means that the offline flag was there. Nothing is stale or not applicable here.
    pub scope: DeviceScope,
    /// Devices by how they report.
    pub devices: InventoryCounts,
    /// Devices by family.
    pub by_family: FamilyCounts,
}

/// The signal, and the keyed digest of the facts it was judged from.
#[must_use]
pub fn finish_with_digest(fleet: &Fleet, key: &DigestKey) -> (Signal, FactsDigest) {
    let mut facts = key.hasher(SignalKind::DeviceInventory);
    fleet.digest(&mut facts);
    (finish(fleet), facts.finish())
}

/// The signal. It needs the device list alone.
#[must_use]
pub fn finish(fleet: &Fleet) -> Signal {
    let mut scope = DeviceScope {
        approved: fleet.approved(),
        not_approved: count(fleet.not_approved.len()),
        ..DeviceScope::default()
    };
    let mut devices = InventoryCounts {
        approved: fleet.approved(),
        ..InventoryCounts::default()
    };
    let mut by_family = FamilyCounts::default();
    for standing in fleet.approved.values() {
        match standing.offline {
            Some(offline) => {
                add_one(&mut scope.measured);
                if offline {
                    add_one(&mut devices.offline);
                }
            }
            None => add_one(&mut scope.unmeasured),
        }
        if standing.stale {
            add_one(&mut devices.stale);
        }
        add_one(match standing.class.family() {
            DeviceFamily::Workstation => &mut by_family.workstation,
            DeviceFamily::Server => &mut by_family.server,
            DeviceFamily::Mobile => &mut by_family.mobile,
            DeviceFamily::Network => &mut by_family.network,
            DeviceFamily::Virtualization => &mut by_family.virtualization,
            DeviceFamily::Other => &mut by_family.other,
        });
    }

    let fewer_than_half = |offline: u64| offline.saturating_mul(2) < scope.approved;
    let mut reasons = BTreeSet::new();
    for (holds, reason) in [
        (scope.approved == 0, Reason::NoDevices),
        (scope.unmeasured > 0, Reason::UnmeasuredDevices),
        (
            scope.approved > 0 && !fewer_than_half(devices.offline),
            Reason::MostlyOffline,
        ),
    ] {
        if holds {
            reasons.insert(reason);
        }
    }
    // Of no devices fewer than half are never offline, so an empty fleet does not pass.
    let passes = fewer_than_half(devices.offline.saturating_add(scope.unmeasured));
    let status = if passes {
        Status::Pass
    } else {
        Status::Warning
    };
    let metadata = DeviceInventoryMetadata {
        scope,
        devices,
        by_family,
    };
    conclude(
        fleet,
        ReportState::answered(),
        status,
        reasons,
        Metadata::DeviceInventory(metadata),
    )
}

#[cfg(test)]
mod tests;
