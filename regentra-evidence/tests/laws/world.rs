//! Devices, times and fleets that stand on, before and after every boundary.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    CustomAnswer, CustomFact, DeviceClass, DeviceFact, DeviceKey, DigestKey, Fleet, KeyId,
    ReportState, Rules,
};
use time::{Duration, OffsetDateTime, macros::datetime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);
pub(crate) const ANSWERED: ReportState = ReportState::answered();

pub(crate) fn digest_key() -> DigestKey {
    DigestKey::new(KeyId::new("k").unwrap(), &[7; 32]).unwrap()
}

/// Keys from a small range, so that rows meet.
pub(crate) fn device() -> impl Strategy<Value = DeviceKey> {
    (1_u64..9).prop_map(DeviceKey::new)
}

/// Times on, before and after every boundary.
pub(crate) fn moment() -> impl Strategy<Value = Option<OffsetDateTime>> {
    let nano = Duration::NANOSECOND;
    let ago = |days| NOW - Duration::days(days);
    select(vec![
        None,
        Some(NOW + Duration::hours(1)),
        Some(NOW + Duration::minutes(5)),
        Some(NOW),
        Some(NOW - nano),
        Some(ago(1)),
        Some(ago(3)),
        Some(ago(7)),
        Some(ago(7) - nano),
        Some(ago(20)),
        Some(ago(30)),
        Some(ago(30) - nano),
        Some(ago(44)),
        Some(ago(45) - nano),
        Some(ago(90)),
        Some(OffsetDateTime::UNIX_EPOCH),
    ])
}

/// Mostly recent times, so that most rows are used.
pub(crate) fn recent() -> impl Strategy<Value = Option<OffsetDateTime>> {
    prop_oneof![
        3 => (0_i64..4).prop_map(|days| Some(NOW - Duration::days(days))),
        1 => moment(),
    ]
}

pub(crate) fn device_fact() -> impl Strategy<Value = DeviceFact> {
    use DeviceClass::{
        LinuxServer, Mac, MacServer, Mobile, Network, Other, Unknown, Unreadable, Virtualization,
        WindowsServer, WindowsWorkstation,
    };
    let classes = prop_oneof![
        3 => Just(WindowsWorkstation),
        2 => select(vec![
            WindowsServer, Mac, MacServer, LinuxServer, Mobile, Network, Virtualization, Other, Unknown, Unreadable,
        ]),
    ];
    (
        device(),
        prop::bool::weighted(0.9),
        classes,
        any::<Option<bool>>(),
        recent(),
    )
        .prop_map(
            |(device, approved, class, offline, last_contact)| DeviceFact {
                device,
                approved,
                class,
                offline,
                last_contact,
            },
        )
}

/// A workstation in contact.
pub(crate) fn live(key: u64) -> DeviceFact {
    DeviceFact {
        device: DeviceKey::new(key),
        approved: true,
        class: DeviceClass::WindowsWorkstation,
        offline: Some(false),
        last_contact: Some(NOW),
    }
}

pub(crate) fn device_facts() -> impl Strategy<Value = Vec<DeviceFact>> {
    prop::collection::vec(device_fact(), 0..16)
}

/// Approved computers, many of them silent for longer than the promise keeps a device and not as long as a host may.
pub(crate) fn silent_fleet() -> impl Strategy<Value = Vec<DeviceFact>> {
    let contact = select(vec![0, 0, 0, 29, 30, 31, 40, 44, 46, 60, 90])
        .prop_map(|days| Some(NOW - Duration::days(days)));
    let fact = (device(), contact).prop_map(|(device, last_contact)| DeviceFact {
        device,
        approved: true,
        class: DeviceClass::WindowsWorkstation,
        offline: Some(false),
        last_contact,
    });
    prop::collection::vec(fact, 0..16)
}

pub(crate) fn fleet_by(rules: Rules, facts: &[DeviceFact]) -> Arc<Fleet> {
    let mut fleet = Fleet::builder(NOW).rules(rules);
    for fact in facts {
        fleet.observe(*fact);
    }
    fleet.build()
}

pub(crate) fn fleet(facts: &[DeviceFact]) -> Arc<Fleet> {
    fleet_by(Rules::default(), facts)
}

pub(crate) fn answer() -> impl Strategy<Value = CustomFact> {
    (device(), select(vec![CustomAnswer::Yes, CustomAnswer::No]))
        .prop_map(|(device, answer)| CustomFact { device, answer })
}

pub(crate) fn stricter() -> impl Strategy<Value = Rules> {
    (
        95_u64..=100,
        80_u64..=100,
        0_i64..=7,
        0_i64..=30,
        1_u64..=6,
        0_u64..=10,
        30_i64..=120,
    )
        .prop_map(|(pass, warning, fresh, fail, patches, backups, stale)| {
            Rules::default()
                .with_disk_pass_percent(pass)
                .and_then(|rules| rules.with_disk_warning_percent(warning))
                .and_then(|rules| rules.with_signatures_fresh_for(Duration::days(fresh)))
                .and_then(|rules| rules.with_signatures_fail_after(Duration::days(fail)))
                .and_then(|rules| rules.with_patches_fail_from(patches))
                .and_then(|rules| rules.with_backup_fail_percent(backups))
                .and_then(|rules| rules.with_stale_after(Duration::days(stale)))
                .unwrap()
        })
}
