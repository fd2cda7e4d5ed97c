//! Small fleets, for the tests of several files.

use std::sync::Arc;

use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    device::{DeviceClass, DeviceFact, DeviceKey},
    digest::{DigestKey, KeyId},
    fleet::Fleet,
    reason::Reason,
    rules::Rules,
    signal::Signal,
};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

/// A day before [`NOW`], or several.
pub(crate) fn days_ago(days: i64) -> OffsetDateTime {
    NOW - Duration::days(days)
}

/// An approved Windows workstation, online and in contact.
pub(crate) fn workstation(key: u64) -> DeviceFact {
    DeviceFact {
        device: DeviceKey::new(key),
        approved: true,
        class: DeviceClass::WindowsWorkstation,
        offline: Some(false),
        last_contact: Some(NOW),
    }
}

/// A device of this class, like [`workstation`] in everything else.
pub(crate) fn device(key: u64, class: DeviceClass) -> DeviceFact {
    DeviceFact {
        class,
        ..workstation(key)
    }
}

/// A workstation that has been silent for 31 days.
pub(crate) fn stale(key: u64) -> DeviceFact {
    DeviceFact {
        last_contact: Some(days_ago(31)),
        ..workstation(key)
    }
}

pub(crate) fn not_approved(key: u64) -> DeviceFact {
    DeviceFact {
        approved: false,
        ..workstation(key)
    }
}

pub(crate) fn fleet(devices: impl IntoIterator<Item = DeviceFact>) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(NOW);
    for device in devices {
        fleet.observe(device);
    }
    fleet.build()
}

/// Workstations with the keys 1 to `count`.
pub(crate) fn workstations(count: u64) -> Arc<Fleet> {
    fleet((1..=count).map(workstation))
}

/// Workstations with keys from 1: so many in contact, and after them so many that have been silent for forty days.
pub(crate) fn partly_silent(rules: Rules, live: u64, silent: u64) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(NOW).rules(rules);
    for key in 1..=live + silent {
        let last_contact = Some(if key > live { days_ago(40) } else { NOW });
        fleet.observe(DeviceFact {
            last_contact,
            ..workstation(key)
        });
    }
    fleet.build()
}

/// The reasons' codes, separated by spaces.
pub(crate) fn reasons(signal: &Signal) -> String {
    let codes: Vec<_> = signal
        .reasons
        .iter()
        .map(|reason| Reason::as_str(*reason))
        .collect();
    codes.join(" ")
}

/// Every choice of one to three of these, each as often as one likes, in one order.
pub(crate) fn up_to_three<T: Copy>(of: &[T]) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    for (first, one) in of.iter().enumerate() {
        all.push(vec![*one]);
        for (second, two) in of.iter().enumerate().skip(first) {
            all.push(vec![*one, *two]);
            all.extend(of.iter().skip(second).map(|three| vec![*one, *two, *three]));
        }
    }
    all
}

/// These rows with every choice of them changed, the empty one aside.
pub(crate) fn each_changed<T: Copy>(rows: &[T], change: impl Fn(T) -> T) -> Vec<Vec<T>> {
    (1_u32..1 << rows.len())
        .map(|mask| {
            let rows = rows.iter().enumerate();
            rows.map(|(index, row)| {
                if mask >> index & 1 == 1 {
                    change(*row)
                } else {
                    *row
                }
            })
            .collect()
        })
        .collect()
}

pub(crate) fn digest_key() -> DigestKey {
    DigestKey::new(KeyId::new("k").unwrap(), &[7; 32]).unwrap()
}
