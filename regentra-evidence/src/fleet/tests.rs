use time::{Duration, macros::datetime};

use super::*;
use crate::fixture::{NOW, days_ago, device, fleet, not_approved, stale, workstation};

fn contact(key: u64, last_contact: Option<OffsetDateTime>) -> DeviceFact {
    DeviceFact {
        last_contact,
        ..workstation(key)
    }
}

fn is_stale(last_contact: Option<OffsetDateTime>) -> bool {
    fleet([contact(1, last_contact)]).approved[&DeviceKey::new(1)].stale
}

#[test]
fn exactly_thirty_days_of_silence_are_not_stale() {
    assert!(!is_stale(Some(NOW)));
    assert!(!is_stale(Some(days_ago(30))));
    assert!(is_stale(Some(days_ago(30) - Duration::NANOSECOND)));
}

#[test]
fn without_a_readable_contact_a_device_is_not_stale() {
    assert!(!is_stale(None));
    assert!(!is_stale(Some(OffsetDateTime::UNIX_EPOCH)));
    assert!(!is_stale(Some(datetime!(1969-12-31 00:00 UTC))));
    assert!(!is_stale(Some(NOW + Duration::minutes(5))));
    assert!(!is_stale(Some(datetime!(2036-11-23 06:30 UTC))));
}

#[test]
fn a_host_may_keep_silent_devices_in_the_verdict_for_longer() {
    let rules = Rules::default()
        .with_stale_after(Duration::days(60))
        .unwrap();
    let mut devices = Fleet::builder(NOW).rules(rules);
    devices.observe(contact(1, Some(days_ago(60))));
    devices.observe(contact(2, Some(days_ago(61))));
    let fleet = devices.build();
    assert_eq!(fleet.rules(), rules);
    assert!(!fleet.approved[&DeviceKey::new(1)].stale);
    assert!(fleet.approved[&DeviceKey::new(2)].stale);
}

#[test]
fn of_two_rows_of_a_device_the_newest_wins_and_at_a_tie_the_worse() {
    let newer = contact(1, Some(days_ago(1)));
    let older = DeviceFact {
        offline: Some(true),
        ..contact(1, Some(days_ago(2)))
    };
    let offline = DeviceFact {
        offline: Some(true),
        ..newer
    };
    let unsaid = DeviceFact {
        offline: None,
        ..newer
    };
    let pending = DeviceFact {
        approved: false,
        ..newer
    };
    for (winner, loser) in [
        (newer, older),
        (offline, newer),
        (offline, unsaid),
        (unsaid, newer),
        (newer, pending),
    ] {
        let expected = fleet([winner]);
        assert_eq!(fleet([winner, loser]), expected, "{winner:?} {loser:?}");
        assert_eq!(fleet([loser, winner]), expected, "{winner:?} {loser:?}");
    }
}

/// Which of two rows is newer nobody can tell where one says no time: it could be the one that says something bad.
#[test]
fn a_row_of_a_device_without_a_last_contact_ties_with_the_newest() {
    let newest = contact(1, Some(days_ago(1)));
    let future = Some(datetime!(2036-01-01 00:00 UTC));
    let pending = DeviceFact {
        approved: false,
        ..newest
    };
    let offline = |last_contact| DeviceFact {
        offline: Some(true),
        last_contact,
        ..newest
    };
    let undated = |fact| DeviceFact {
        last_contact: None,
        ..fact
    };
    let silent = contact(1, Some(days_ago(31)));
    for (rows, expected) in [
        // When such a device was last in contact is not known, whichever row counts.
        ([newest, offline(future)], offline(None)),
        ([newest, offline(None)], offline(None)),
        (
            [offline(newest.last_contact), undated(newest)],
            offline(None),
        ),
        ([pending, undated(newest)], undated(newest)),
        ([newest, undated(pending)], undated(newest)),
        // Of one that may have been in contact yesterday nobody can say that it is stale.
        ([silent, undated(newest)], undated(newest)),
        ([undated(newest), undated(offline(None))], offline(None)),
    ] {
        let expected = fleet([expected]);
        assert_eq!(fleet(rows), expected, "{rows:?}");
        assert_eq!(fleet([rows[1], rows[0]]), expected, "{rows:?}");
    }
}

#[test]
fn without_a_last_contact_only_the_last_thirty_days_measure() {
    let rules = Rules::default()
        .with_stale_after(Duration::days(60))
        .unwrap();
    let mut devices = Fleet::builder(NOW).rules(rules);
    for (key, last_contact) in [
        (1, Some(NOW)),
        (2, None),
        (3, Some(days_ago(31))),
        (4, Some(days_ago(30))),
        // Listed twice, once without.
        (5, Some(NOW)),
        (5, None),
        (6, Some(days_ago(31))),
        (6, None),
    ] {
        devices.observe(contact(key, last_contact));
    }
    let fleet = devices.build();
    let nano = Duration::NANOSECOND;
    for (key, at, measures) in [
        (1, days_ago(44), true),
        (2, days_ago(30), true),
        (2, days_ago(30) - nano, false),
        (3, NOW, false),
        (4, days_ago(44), true),
        (5, days_ago(30), true),
        (5, days_ago(30) - nano, false),
        (6, days_ago(30), true),
        (6, days_ago(30) - nano, false),
        (9, NOW, false),
    ] {
        let own = fleet.measures(DeviceKey::new(key), at);
        assert_eq!(own, measures, "{key} {at}");
    }
}

#[test]
fn devices_that_are_not_approved_are_only_counted() {
    let fleet = fleet([workstation(1), not_approved(2), not_approved(3)]);
    assert_eq!(fleet.approved(), 1);
    assert_eq!(fleet.endpoint_scope(0).not_approved, 2);
    assert!(fleet.contains(DeviceKey::new(1)));
    assert!(fleet.contains(DeviceKey::new(2)));
    assert!(!fleet.contains(DeviceKey::new(4)));
}

#[test]
fn class_decides_before_staleness() {
    let switch = DeviceFact {
        last_contact: Some(days_ago(400)),
        ..device(1, DeviceClass::Network)
    };
    let fleet = fleet([switch, stale(2), workstation(3), workstation(4)]);
    assert_eq!(
        fleet.endpoint_scope(1),
        DeviceScope {
            approved: 4,
            measured: 1,
            unmeasured: 1,
            stale: 1,
            not_applicable: 1,
            not_approved: 0,
        }
    );
    let live: Vec<_> = fleet.live_endpoints().map(|(key, _)| key.get()).collect();
    assert_eq!(live, [3, 4]);
}

#[test]
fn workstations_servers_and_unknown_classes_are_in_scope_and_nothing_else() {
    use crate::device::DeviceFamily as Family;
    let table = [
        (DeviceClass::WindowsWorkstation, true, Family::Workstation),
        (DeviceClass::WindowsServer, true, Family::Server),
        (DeviceClass::Mac, true, Family::Workstation),
        (DeviceClass::MacServer, true, Family::Server),
        (DeviceClass::LinuxWorkstation, true, Family::Workstation),
        (DeviceClass::LinuxServer, true, Family::Server),
        (DeviceClass::Mobile, false, Family::Mobile),
        (DeviceClass::Network, false, Family::Network),
        (DeviceClass::Virtualization, false, Family::Virtualization),
        (DeviceClass::Other, false, Family::Other),
        (DeviceClass::Unknown, true, Family::Other),
    ];
    for (class, in_scope, family) in table {
        assert_eq!(class.is_endpoint(), in_scope, "{class:?}");
        assert_eq!(class.family(), family, "{class:?}");
        assert_eq!(
            fleet([device(1, class)]).live_endpoints().count() == 1,
            in_scope,
            "{class:?}"
        );
    }
}

#[test]
fn a_row_is_refused_with_the_reason_why() {
    let fleet = fleet([
        workstation(1),
        stale(2),
        not_approved(3),
        device(4, DeviceClass::Mobile),
    ]);
    let judged = DeviceStanding::is_live_endpoint;
    assert_eq!(fleet.refusal(DeviceKey::new(1), judged), None);
    for key in [2, 3, 4] {
        assert_eq!(
            fleet.refusal(DeviceKey::new(key), judged),
            Some(RowFate::NotJudged),
            "{key}"
        );
    }
    assert_eq!(
        fleet.refusal(DeviceKey::new(5), judged),
        Some(RowFate::UnknownDevice)
    );
}

#[test]
fn a_row_of_exactly_thirty_days_counts() {
    let fleet = fleet([]);
    let nano = Duration::NANOSECOND;
    let table = [
        (Some(NOW), RowTime::Fresh(NOW)),
        (Some(days_ago(30)), RowTime::Fresh(days_ago(30))),
        (
            Some(days_ago(30) - nano),
            RowTime::TooOld(days_ago(30) - nano),
        ),
        (Some(NOW + Duration::minutes(5)), RowTime::Fresh(NOW)),
        (Some(NOW + Duration::minutes(5) + nano), RowTime::Undated),
        (Some(OffsetDateTime::UNIX_EPOCH), RowTime::Undated),
        (None, RowTime::Undated),
    ];
    for (time, expected) in table {
        assert_eq!(fleet.row_time(time), expected, "{time:?}");
    }
    for (time, fate) in [
        (RowTime::Fresh(NOW), RowFate::Used),
        (RowTime::TooOld(NOW), RowFate::Stale),
        (RowTime::Undated, RowFate::Unreadable),
    ] {
        assert_eq!(time.fate(), fate);
    }
}

/// The age at which a row is ignored is no threshold: kept in the verdict for longer, a device is not judged by older rows.
#[test]
fn a_longer_patience_with_devices_believes_no_older_rows() {
    let rules = Rules::default()
        .with_stale_after(Duration::days(90))
        .unwrap();
    let fleet = Fleet::builder(NOW).rules(rules).build();
    assert_eq!(
        fleet.row_time(Some(days_ago(31))),
        RowTime::TooOld(days_ago(31))
    );
}

#[test]
fn a_custom_fields_answer_is_as_old_as_the_last_contact() {
    let rules = Rules::default()
        .with_stale_after(Duration::days(90))
        .unwrap();
    let mut devices = Fleet::builder(NOW).rules(rules);
    for (key, last_contact) in [
        (1, Some(days_ago(30))),
        (2, Some(days_ago(31))),
        (3, Some(days_ago(91))),
        (4, None),
    ] {
        devices.observe(contact(key, last_contact));
    }
    let fleet = devices.build();
    for (key, fate) in [
        (1, RowFate::Used),
        (2, RowFate::Stale),
        (3, RowFate::NotJudged),
        (4, RowFate::Unreadable),
        (5, RowFate::UnknownDevice),
    ] {
        assert_eq!(fleet.answer_fate(DeviceKey::new(key)), fate, "{key}");
    }
}

#[test]
fn parts_of_one_device_list_add_up() {
    let whole = fleet([workstation(1), stale(2), not_approved(3)]);
    let mut first = Fleet::builder(NOW);
    first.observe(not_approved(3));
    let mut second = Fleet::builder(NOW);
    second.observe(stale(2));
    second.observe(workstation(1));
    first.merge(second).unwrap();
    assert_eq!(first.build(), whole);

    for flag in [FleetBuilder::truncated, FleetBuilder::malformed_rows] {
        let mut first = Fleet::builder(NOW);
        let mut second = Fleet::builder(NOW);
        flag(&mut second);
        first.merge(second.clone()).unwrap();
        assert_eq!(first.build(), second.build());
        let mut second = Fleet::builder(NOW);
        flag(&mut second);
        second.merge(Fleet::builder(NOW)).unwrap();
        let fleet = second.build();
        assert!(fleet.truncated || fleet.malformed);
    }
}

#[test]
fn parts_judged_otherwise_do_not_merge() {
    let mut devices = Fleet::builder(NOW);
    assert_eq!(devices.merge(Fleet::builder(days_ago(1))), Err(OtherFleet));
    let strict = Rules::default().with_patches_fail_from(1).unwrap();
    assert_eq!(
        devices.merge(Fleet::builder(NOW).rules(strict)),
        Err(OtherFleet)
    );
}

#[test]
fn a_device_is_not_traceable_through_debug_output() {
    let fleet = fleet([workstation(4711)]);
    assert!(!format!("{fleet:?}").contains("4711"));
}

#[test]
fn a_class_in_scope_is_not_lost_to_another_row_of_the_same_moment() {
    let as_class = |class| DeviceFact {
        class,
        ..workstation(1)
    };
    for other in [
        DeviceClass::Network,
        DeviceClass::Mobile,
        DeviceClass::Other,
    ] {
        let rows = [as_class(DeviceClass::WindowsWorkstation), as_class(other)];
        assert_eq!(fleet(rows).live_endpoints().count(), 1, "{other:?}");
        let [first, second] = rows;
        assert_eq!(
            fleet([second, first]).live_endpoints().count(),
            1,
            "{other:?}"
        );
    }
}

#[test]
fn what_is_exactly_thirty_days_old_is_not_made_stale_by_nanoseconds() {
    let mut devices = Fleet::builder(NOW + Duration::nanoseconds(999));
    devices.observe(contact(1, Some(days_ago(30))));
    assert_eq!(devices.build().live_endpoints().count(), 1);
}
