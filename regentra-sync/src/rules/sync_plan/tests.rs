use std::collections::BTreeMap;

use proptest::prelude::*;
use time::{Duration, macros::datetime};
use uuid::Uuid;

use super::*;
use crate::model::{
    AssetContent, DeviceId, ExternalId, ListedDevice, MspOrgId, OrganizationId, RegionKey,
};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:15 UTC);

fn target() -> SyncTarget {
    let msp = MspOrgId::from_uuid(Uuid::from_u128(1));
    let credential = CredentialId::of(msp, &RegionKey::parse("us").unwrap());
    SyncTarget {
        credential,
        mapping: MappingId::of(credential, OrganizationId::new(7)),
        company: CompanyId::of_name(msp, "Alpha"),
        partial_view: false,
    }
}

fn device(id: i64) -> ListedDevice {
    ListedDevice {
        id: DeviceId::new(id),
        content: AssetContent {
            name: format!("PC-{id}").into(),
            ..AssetContent::default()
        },
        contact: LastContact::default(),
    }
}

fn list(ids: impl IntoIterator<Item = i64>) -> DeviceList {
    DeviceList {
        devices: ids.into_iter().map(device).collect(),
        ..DeviceList::default()
    }
}

/// Syncs a list over what the store holds, as the store would.
fn sync(stored: &mut BTreeMap<AssetId, Asset>, target: SyncTarget, list: &DeviceList) -> SyncPlan {
    let existing = stored.values().cloned().collect();
    let plan = sync_plan(target, list, existing, NOW);
    for write in &plan.writes {
        stored.insert(write.asset.id, write.asset.clone());
    }
    plan
}

fn with(devices: i64) -> BTreeMap<AssetId, Asset> {
    let mut stored = BTreeMap::new();
    sync(&mut stored, target(), &list(1..=devices));
    stored
}

fn active(stored: &BTreeMap<AssetId, Asset>) -> usize {
    let is_active = |asset: &&Asset| asset.status == AssetStatus::Active;
    stored.values().filter(is_active).count()
}

/// Every sentence of the rules of retirement: what the list is, of 20 assets, and what becomes of those it lacks.
#[test]
fn a_device_is_retired_only_after_a_complete_list() {
    struct Row {
        name: &'static str,
        spoil: fn(&mut DeviceList),
        partial_view: bool,
        listed: i64,
        retired: u64,
        held: u64,
        suspect: (bool, bool),
    }
    let row = |name, spoil, listed, retired, held| Row {
        name,
        spoil,
        partial_view: false,
        listed,
        retired,
        held,
        suspect: (false, false),
    };
    let whole: fn(&mut DeviceList) = |_| {};
    let rows = [
        row("complete, one is gone", whole, 19, 1, 0),
        row("complete, four are gone", whole, 16, 4, 0),
        row("truncated", |list| list.truncated = true, 19, 0, 1),
        row(
            "rows that did not decode",
            |list| list.malformed_rows = 1,
            19,
            0,
            1,
        ),
        row(
            "foreign rows are no reason",
            |list| list.foreign_rows = 9,
            19,
            1,
            0,
        ),
        row(
            "Entra ids unsure are no reason",
            |list| list.entra_device_ids_unsure = true,
            19,
            1,
            0,
        ),
        row(
            "truncated and empty",
            |list| list.truncated = true,
            0,
            0,
            20,
        ),
        Row {
            partial_view: true,
            ..row("a part of the tenant, one is gone", whole, 19, 0, 1)
        },
        Row {
            partial_view: true,
            ..row("a part of the tenant, all are gone", whole, 0, 0, 20)
        },
        Row {
            partial_view: true,
            ..row("a part of the tenant, many are gone", whole, 5, 0, 15)
        },
        Row {
            suspect: (true, false),
            ..row("empty", whole, 0, 0, 20)
        },
        Row {
            suspect: (false, true),
            ..row("shrunk: five of twenty, more than a fifth", whole, 15, 0, 5)
        },
    ];
    for row in rows {
        let mut stored = with(20);
        let mut list = list(1..=row.listed);
        (row.spoil)(&mut list);
        let target = SyncTarget {
            partial_view: row.partial_view,
            ..target()
        };
        let plan = sync(&mut stored, target, &list);
        assert_eq!(plan.counts.retired, row.retired, "{}", row.name);
        assert_eq!(plan.counts.held, row.held, "{}", row.name);
        assert_eq!(
            (plan.suspect_empty, plan.suspect_shrunk),
            row.suspect,
            "{}",
            row.name
        );
        assert_eq!(active(&stored) as u64, 20 - row.retired, "{}", row.name);
        assert_eq!(plan.counts.updated, 0, "{}", row.name);
    }
}

#[test]
fn a_list_is_shrunk_when_more_than_a_fifth_and_at_least_five_are_gone() {
    for (of, gone, is_shrunk) in [
        (4, 3, false),
        (5, 4, false),
        (24, 5, true),
        (25, 5, false),
        (26, 5, false),
        (25, 6, true),
        (100, 20, false),
        (100, 21, true),
        (10_000, 2_000, false),
        (10_000, 2_001, true),
    ] {
        let plan = sync(&mut with(of), target(), &list(1..=of - gone));
        assert_eq!(plan.suspect_shrunk, is_shrunk, "{gone} of {of}");
        let gone = gone.cast_unsigned();
        let expected = if is_shrunk { (0, gone) } else { (gone, 0) };
        assert_eq!(
            (plan.counts.retired, plan.counts.held),
            expected,
            "{gone} of {of}"
        );
    }
}

#[test]
fn new_devices_do_not_make_up_for_those_that_are_gone() {
    let mut stored = with(20);
    let plan = sync(&mut stored, target(), &list((1..=15).chain(100..200)));
    assert!(plan.suspect_shrunk);
    assert_eq!((plan.counts.created, plan.counts.held), (100, 5));
}

#[test]
fn what_a_shrunk_list_lacks_is_retired_when_the_next_complete_list_says_the_same() {
    let mut stored = with(20);
    assert!(sync(&mut stored, target(), &list(1..=10)).suspect_shrunk);
    assert_eq!(active(&stored), 20);
    // What is not complete says nothing.
    let mut truncated = list(1..=10);
    truncated.truncated = true;
    let plan = sync(&mut stored, target(), &truncated);
    assert_eq!((plan.counts.retired, plan.writes.len()), (0, 0));
    let plan = sync(&mut stored, target(), &list(1..=10));
    assert_eq!((plan.counts.retired, plan.suspect_shrunk), (10, false));
    assert_eq!(active(&stored), 10);
    assert!(stored.values().all(|asset| asset.missing_since.is_none()));
    // And a third time nothing is written.
    assert_eq!(sync(&mut stored, target(), &list(1..=10)).writes.len(), 0);
}

#[test]
fn a_device_that_is_listed_again_after_a_shrunk_list_has_to_be_gone_twice_again() {
    let mut stored = with(20);
    assert!(sync(&mut stored, target(), &list(1..=10)).suspect_shrunk);
    let plan = sync(&mut stored, target(), &list(1..=20));
    assert_eq!((plan.counts.retired, plan.counts.held), (0, 0));
    assert!(stored.values().all(|asset| asset.missing_since.is_none()));
    assert!(sync(&mut stored, target(), &list(1..=10)).suspect_shrunk);
    assert_eq!(active(&stored), 20);
}

#[test]
fn a_second_shrinking_holds_what_is_newly_gone_and_retires_what_was_gone_before() {
    let mut stored = with(40);
    assert!(sync(&mut stored, target(), &list(1..=30)).suspect_shrunk);
    let plan = sync(&mut stored, target(), &list(1..=20));
    assert_eq!((plan.counts.retired, plan.counts.held), (10, 10));
    assert!(plan.suspect_shrunk);
}

fn machine(id: i64, serial: &str, contact: LastContact) -> ListedDevice {
    let mut device = device(id);
    device.content.serial_number = Some(serial.into());
    device.contact = contact;
    device
}

#[test]
fn a_machine_that_was_set_up_anew_is_shown_as_a_possible_duplicate_and_not_merged() {
    let contact = |created: i64, last: i64, offline| LastContact {
        created: Some(NOW + Duration::days(created)),
        last: Some(NOW + Duration::days(last)),
        offline: Some(offline),
    };
    let unknown = LastContact::default();
    let new = contact(-10, 0, false);
    let rows = [
        (
            "offline, and never seen after the new one appeared",
            contact(-900, -11, true),
            new,
            true,
        ),
        (
            "last seen at the moment it appeared",
            contact(-900, -10, true),
            new,
            true,
        ),
        ("seen afterwards", contact(-900, -9, true), new, false),
        ("online", contact(-900, -11, false), new, false),
        (
            "not known whether it is offline",
            LastContact {
                offline: None,
                ..contact(-900, -11, true)
            },
            new,
            false,
        ),
        (
            "never seen",
            LastContact {
                last: None,
                ..contact(-900, -11, true)
            },
            new,
            false,
        ),
        (
            "not known when the new one appeared",
            contact(-900, -11, true),
            unknown,
            false,
        ),
    ];
    for (name, old, new, is_duplicate) in rows {
        let list = DeviceList {
            devices: vec![machine(1, "5CG-0001", old), machine(2, "5cg0001", new)],
            ..DeviceList::default()
        };
        let mut stored = BTreeMap::new();
        let plan = sync(&mut stored, target(), &list);
        assert_eq!(
            plan.counts.possible_duplicates,
            u64::from(is_duplicate),
            "{name}"
        );
        let [old, new] =
            [1, 2].map(|id| AssetId::of_device(target().credential, DeviceId::new(id)));
        assert_eq!(
            stored[&old].possible_duplicate_of,
            is_duplicate.then_some(new),
            "{name}"
        );
        assert_eq!(stored[&new].possible_duplicate_of, None, "{name}");
        assert_eq!(active(&stored), 2, "never merged");
        assert_eq!(
            sync(&mut stored, target(), &list).writes.len(),
            0,
            "{name}: and not written again"
        );
        // It ends with what it says.
        let list = self::list([1, 2]);
        sync(&mut stored, target(), &list);
        assert_eq!(stored[&old].possible_duplicate_of, None, "{name}");
    }
    let junk = DeviceList {
        devices: vec![
            machine(1, "None", contact(-900, -11, true)),
            machine(2, "None", new),
        ],
        ..DeviceList::default()
    };
    assert_eq!(
        sync(&mut BTreeMap::new(), target(), &junk)
            .counts
            .possible_duplicates,
        0
    );
}

proptest! {
    /// Whatever lists follow each other: an asset is retired only by a complete list that lacks it, and what one lacks in a crowd
    /// only by the second such list.
    #[test]
    fn nothing_is_retired_that_the_last_complete_list_contains(
        lists in proptest::collection::vec((proptest::collection::btree_set(1_i64..30, 0..30), 0..4), 1..8)
    ) {
        let mut stored = with(29);
        for (ids, spoilt) in lists {
            let mut list = list(ids.iter().copied());
            list.truncated = spoilt == 1;
            list.malformed_rows = u64::from(spoilt == 2);
            let target = SyncTarget { partial_view: spoilt == 3, ..target() };
            let before = stored.clone();
            let plan = sync(&mut stored, target, &list);
            for id in &ids {
                let id = AssetId::of_device(target.credential, DeviceId::new(*id));
                prop_assert_eq!(stored[&id].status, AssetStatus::Active);
                prop_assert_eq!(stored[&id].missing_since, None);
            }
            if spoilt != 0 || ids.is_empty() {
                prop_assert_eq!(plan.counts.retired, 0);
            }
            let retired: Vec<_> = before
                .values()
                .filter(|was| was.status == AssetStatus::Active && stored[&was.id].status == AssetStatus::Retired)
                .collect();
            let at_once = retired.iter().filter(|was| was.missing_since.is_none()).count();
            let known = active(&before);
            prop_assert!(at_once < 5 || at_once * 5 <= known, "{} of {} at once", at_once, known);
        }
    }
}

/// What a source says of a machine: a serial number and a host name out of a few, so that machines are found in several sources.
fn any_machine() -> impl Strategy<Value = (u8, u8)> {
    (0_u8..4, 0_u8..4)
}

fn content_of((serial, host): (u8, u8)) -> AssetContent {
    AssetContent {
        serial_number: Some(format!("PF3K7Q{serial}").into()),
        host_name: Some(format!("LAP-{host}").into()),
        ..AssetContent::default()
    }
}

proptest! {
    /// Entra runs at the full hour and NinjaOne a quarter past: whatever a lower source writes afterwards, and however often, the
    /// same assets count as before.
    #[test]
    fn syncing_a_lower_source_after_the_winner_brings_nothing_back(
        lower in proptest::collection::vec((1_usize..4, any_machine()), 0..6),
        ninjaone in proptest::collection::vec(any_machine(), 0..6),
        again in 1_usize..4,
    ) {
        let target = target();
        let mut stored = BTreeMap::new();
        for (number, (source, machine)) in (0_u128..).zip(&lower) {
            let id = AssetId::from_uuid(Uuid::from_u128(number));
            let asset = Asset {
                id,
                company: target.company,
                source: Source::ALL[*source],
                credential: None,
                mapping: None,
                external_id: ExternalId::Other(number.to_string()),
                status: AssetStatus::Active,
                content: content_of(*machine),
                missing_since: None,
                possible_duplicate_of: None,
                version: Version::FIRST,
                created_at: NOW,
                updated_at: NOW,
            };
            stored.insert(id, asset);
        }
        let devices = (1_i64..).zip(&ninjaone).map(|(id, machine)| ListedDevice {
            content: content_of(*machine),
            ..device(id)
        });
        let devices = devices.collect();
        sync(&mut stored, target, &DeviceList { devices, ..DeviceList::default() });
        let after_the_winner = stored.clone();

        for _ in 0..again {
            // A source that knows nothing of the others writes all it has as active, and reconciles its company's assets.
            let mut assets: Vec<_> = stored.values().cloned().collect();
            for asset in &mut assets {
                if asset.source != Source::Ninjaone {
                    asset.status = AssetStatus::Active;
                }
            }
            reconcile(&mut assets);
            stored = assets.into_iter().map(|asset| (asset.id, asset)).collect();
            prop_assert_eq!(&stored, &after_the_winner);
        }
    }
}
