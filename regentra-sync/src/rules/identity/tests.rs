use proptest::{collection::vec, option, prelude::*, sample::select};
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::{
    model::{AssetStatus, CompanyId, ExternalId, Version},
    rules::{ambiguities, reconcile},
};

fn asset(number: u128, source: Source, content: AssetContent) -> Asset {
    Asset {
        id: AssetId::from_uuid(Uuid::from_u128(number)),
        company: CompanyId::from_uuid(Uuid::from_u128(1)),
        source,
        credential: None,
        mapping: None,
        external_id: ExternalId::Other(number.to_string()),
        status: AssetStatus::Active,
        content,
        missing_since: None,
        possible_duplicate_of: None,
        version: Version::FIRST,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn content(serial: Option<&str>, entra: Option<&str>, host: Option<&str>) -> AssetContent {
    AssetContent {
        serial_number: serial.map(Into::into),
        entra_device_id: entra.map(Into::into),
        host_name: host.map(Into::into),
        ..AssetContent::default()
    }
}

/// A source, a serial number and a host name.
type Row = (Source, &'static str, &'static str);

fn assets(rows: &[Row]) -> Vec<Asset> {
    let given = |text: &'static str| (!text.is_empty()).then_some(text);
    rows.iter()
        .zip(1..)
        .map(|((source, serial, host), number)| {
            asset(number, *source, content(given(serial), None, given(host)))
        })
        .collect()
}

/// How many machines there are, and why assets are ambiguous, by their place.
fn machines(rows: &[Row]) -> (usize, Vec<(u128, Ambiguity)>) {
    let mut assets = assets(rows);
    let ambiguous = reconcile(&mut assets);
    assert_eq!(ambiguous, ambiguities(&assets), "as it is stored");
    let active = assets
        .iter()
        .filter(|asset| asset.status == AssetStatus::Active);
    let ambiguous = ambiguous.into_iter();
    (
        active.count(),
        ambiguous
            .map(|(id, why)| (id.as_uuid().as_u128(), why))
            .collect(),
    )
}

#[test]
fn junk_serial_numbers_identify_nothing() {
    let words = [
        "To be filled by O.E.M",
        "To Be Filled By O.E.M.",
        "to be filled",
        "O.E.M.",
        "SystemSerialNumb",
        "System Serial Number",
        "Chassis Serial Number",
        "Default string",
        "DEFAULT",
        "Not Specified",
        "Not Applicable",
        "Not Available",
        "None",
        "None Provided",
        "INVALID",
        "Unknown",
        "unknown serial",
        "Asset-1234567890",
        "VIRTUAL",
        "Virtual virtual",
        "Empty",
        "null",
    ];
    let too_short = ["", "  ", "0", "N/A", "ABC", "a-1-2", "...."];
    let one_character = [
        "0000",
        "0000000",
        "............",
        "XXXXXXXX",
        "1111-1111",
        "-1-1-1-1",
    ];
    let runs = [
        "0123456789ABCDEF",
        "123456789",
        "1234567890",
        "0123456789",
        "1234",
        "abcdef",
        "987654321",
        "FEDCBA9876543210",
        "01-23-45-67-89",
    ];
    let nil = [
        "00000000-0000-0000-0000-000000000000",
        "{00000000000000000000000000000000}",
    ];
    let all = [&words[..], &too_short, &one_character, &runs, &nil];
    for junk in all.into_iter().flatten() {
        assert_eq!(serial_key(junk), None, "{junk:?}");
    }
}

#[test]
fn what_only_looks_like_junk_identifies_a_machine() {
    for (serial, key) in [
        ("5CG0123ABC", "5CG0123ABC"),
        ("7149-6004-6720", "714960046720"),
        ("VMware-56 4d ab 12", "VMWARE564DAB12"),
        ("1235", "1235"),
        ("1222", "1222"),
        ("VIRTUAL7", "VIRTUAL7"),
        ("NULL0001", "NULL0001"),
        ("DEFAULT-7F3A", "DEFAULT7F3A"),
    ] {
        assert_eq!(serial_key(serial).as_deref(), Some(key), "{serial:?}");
    }
}

#[test]
fn serial_numbers_are_compared_without_case_and_what_is_no_letter_or_digit() {
    for same in [
        " 5cg 0123 abc ",
        "5CG-0123-ABC",
        "5cg.0123_abc\u{200b}",
        "5CG0123ABC\t",
    ] {
        assert_eq!(serial_key(same), serial_key("5CG0123ABC"), "{same:?}");
    }
    assert_ne!(serial_key("5CG0123ABC"), serial_key("5CG0123ABD"));
}

#[test]
fn nil_entra_ids_and_nameless_hosts_identify_nothing() {
    assert_eq!(entra_key("{00000000-0000-0000-0000-000000000000}"), None);
    assert_eq!(entra_key(""), None);
    assert_eq!(entra_key("{A1B2}"), entra_key("a1b2 "));
    for none in [
        "",
        " ",
        ".",
        "localhost",
        "LOCALHOST.localdomain",
        "unknown",
    ] {
        assert_eq!(host_key(none), None, "{none:?}");
    }
    assert_eq!(host_key("PC-1."), host_key("pc-1"));
}

#[test]
fn syncing_three_virtual_desktops_with_one_serial_counts_three_machines() {
    use Source::{Intune, Ninjaone};
    let (count, ambiguous) = machines(&[
        (Ninjaone, "VMW-0042-77", "VD-1"),
        (Ninjaone, "VMW-0042-77", "VD-2"),
        (Ninjaone, "VMW-0042-77", "VD-3"),
        (Intune, "VMW-0042-77", "vd-1"),
        (Intune, "VMW-0042-77", "vd-2"),
        (Intune, "VMW-0042-77", "vd-3"),
    ]);
    assert_eq!((count, ambiguous), (3, vec![]));
}

#[test]
fn machines_with_the_firmwares_placeholder_for_a_serial_number_stay_two() {
    use Source::{Intune, Ninjaone};
    for junk in [
        "To be filled by O.E.M",
        "SystemSerialNumb",
        "Asset-1234567890",
        "None Provided",
    ] {
        let (count, ambiguous) = machines(&[(Ninjaone, junk, "PC-1"), (Intune, junk, "PC-2")]);
        assert_eq!((count, ambiguous), (2, vec![]), "{junk}");
    }
}

#[test]
fn clones_with_one_serial_are_paired_by_no_other_sources_serial_however_few_it_lists() {
    use Ambiguity::SerialNumberShared;
    use Source::{Intune, Level, Ninjaone};
    // The lower source knows one of the two clones, under a name of its own.
    let (count, ambiguous) = machines(&[
        (Ninjaone, "CLONE-77", "VD-1"),
        (Ninjaone, "CLONE-77", "VD-2"),
        (Intune, "CLONE-77", ""),
    ]);
    assert_eq!(count, 3);
    let all = |numbers: &[u128]| {
        numbers
            .iter()
            .map(|n| (*n, SerialNumberShared))
            .collect::<Vec<_>>()
    };
    assert_eq!(ambiguous, all(&[1, 2, 3]));
    // One of the clones is superseded by a machine of another serial number; the other's is no identifier for all that.
    let (count, ambiguous) = machines(&[
        (Ninjaone, "OTHER-88", "VD-1"),
        (Level, "CLONE-77", "VD-1"),
        (Level, "CLONE-77", "VD-2"),
        (Intune, "CLONE-77", "VD-9"),
    ]);
    assert_eq!((count, ambiguous), (3, all(&[3, 4])));
}

#[test]
fn host_names_that_contradict_veto_a_short_serial_number_only() {
    use Ambiguity::HostNamesContradict;
    use Source::{Intune, Ninjaone};
    let both = vec![(1, HostNamesContradict), (2, HostNamesContradict)];
    for (serial, one, other, expected) in [
        ("A1B2C3", "PC-1", "PC-2", (2, both)),
        ("A1B2C3D", "PC-1", "PC-2", (1, vec![])),
        // They say the same, or nothing.
        ("A1B2C3", "PC-1", "pc-1.corp.example", (1, vec![])),
        ("A1B2C3", "PC-1", "", (1, vec![])),
        ("A1B2C3", "PC-1", "localhost", (1, vec![])),
        (
            "A1B2C3",
            "VERY-LONG-COMPUTER",
            "VERY-LONG-COMPU",
            (1, vec![]),
        ),
    ] {
        let rows = [(Ninjaone, serial, one), (Intune, serial, other)];
        assert_eq!(machines(&rows), expected, "{serial} {one} {other}");
    }
}

#[test]
fn absent_identity_fields_never_match() {
    use Source::{Entra, Intune, Ninjaone};
    assert_eq!(
        machines(&[(Ninjaone, "", ""), (Intune, "", ""), (Entra, "", "")]),
        (3, vec![])
    );
}

#[test]
fn a_host_name_that_two_machines_of_one_source_have_decides_nothing() {
    use Ambiguity::HostNameShared;
    use Source::{Intune, Ninjaone};
    let (count, ambiguous) = machines(&[
        (Ninjaone, "", "DESKTOP-1"),
        (Intune, "", "desktop-1"),
        (Intune, "", "DESKTOP-1"),
    ]);
    let all = [1, 2, 3].map(|number| (number, HostNameShared)).to_vec();
    assert_eq!((count, ambiguous), (3, all));
    // What a stronger key decided is no candidate any more.
    let rows = [
        (Ninjaone, "5CG0001", "DESKTOP-1"),
        (Ninjaone, "", "DESKTOP-1"),
        (Intune, "5CG0001", "DESKTOP-1"),
        (Intune, "", "DESKTOP-1"),
    ];
    assert_eq!(machines(&rows), (2, vec![]));
}

/// Few values, so that they meet.
fn fleet() -> impl Strategy<Value = Vec<Asset>> {
    let serials = ["SN-00001", "SN-00002", "A1B2", "None", "0000", "VMW-7777"];
    let row = (
        select(Source::ALL.to_vec()),
        option::of(select(serials.to_vec())),
        option::of(select(vec![
            "e1",
            "e2",
            "{00000000-0000-0000-0000-000000000000}",
        ])),
        option::of(select(vec!["pc-1", "PC-1", "pc-2", "pc-3", "localhost"])),
    );
    vec(row, 0..9).prop_map(|rows| {
        rows.into_iter()
            .zip(1..)
            .map(|((source, serial, entra, host), number)| {
                asset(number, source, content(serial, entra, host))
            })
            .collect()
    })
}

fn reconciled(
    mut assets: Vec<Asset>,
) -> (BTreeMap<AssetId, AssetStatus>, BTreeMap<AssetId, Ambiguity>) {
    let ambiguous = reconcile(&mut assets);
    let statuses = assets.into_iter().map(|asset| (asset.id, asset.status));
    (statuses.collect(), ambiguous)
}

proptest! {
    #[test]
    fn the_order_of_assets_decides_nothing((fleet, shuffled) in fleet().prop_flat_map(|fleet| {
        (Just(fleet.clone()), Just(fleet).prop_shuffle())
    })) {
        prop_assert_eq!(reconciled(fleet), reconciled(shuffled));
    }

    #[test]
    fn matching_is_symmetric(fleet in fleet()) {
        let shared = SharedSerials::of(&fleet);
        let (lower, higher): (Vec<_>, Vec<_>) =
            fleet.iter().partition(|asset| asset.source >= Source::Intune);
        let one = match_assets(&lower, &higher, &shared);
        let other = match_assets(&higher, &lower, &shared);
        let turned: BTreeMap<_, _> = other.pairs.into_iter().map(|(a, b)| (b, a)).collect();
        prop_assert_eq!(one.pairs, turned);
        prop_assert_eq!(one.ambiguous, other.ambiguous);
    }

    #[test]
    fn two_devices_of_one_source_are_never_merged(fleet in fleet()) {
        let sources: BTreeMap<_, _> = fleet.iter().map(|asset| (asset.id, asset.source)).collect();
        let (statuses, ambiguous) = reconciled(fleet);
        let mut of_winner: BTreeSet<(AssetId, Source)> = BTreeSet::new();
        for (asset, status) in &statuses {
            if let Some(winner) = status.superseded_by() {
                prop_assert!(sources[&winner] < sources[asset], "a higher source wins");
                prop_assert_eq!(statuses[&winner], AssetStatus::Active);
                prop_assert!(of_winner.insert((winner, sources[asset])), "two of one source");
                prop_assert!(!ambiguous.contains_key(asset), "matched, and called ambiguous");
            }
        }
    }

    #[test]
    fn removing_what_identifies_nothing_changes_nothing(fleet in fleet()) {
        let mut without = fleet.clone();
        for asset in &mut without {
            let content = &mut asset.content;
            content.serial_number.take_if(|serial| serial_key(serial.as_str()).is_none());
            content.entra_device_id.take_if(|id| entra_key(id.as_str()).is_none());
            content.host_name.take_if(|host| host_key(host.as_str()).is_none());
        }
        prop_assert_eq!(reconciled(fleet), reconciled(without));
    }

    #[test]
    fn a_shared_serial_number_never_matches_by_itself(fleet in fleet()) {
        let shared = SharedSerials::of(&fleet);
        let mut without = fleet.clone();
        for asset in &mut without {
            let is_shared = serial_key(asset.content.serial_number.as_ref().map_or("", Sensitive::as_str))
                .is_some_and(|serial| shared.contains(asset, &serial));
            if is_shared {
                asset.content.serial_number = None;
            }
        }
        // Nor does it become a reason to match others: it says that the number is not one machine's.
        let winners = |fleet| {
            let statuses = reconciled(fleet).0.into_values();
            statuses.filter(|status| *status == AssetStatus::Active).count()
        };
        prop_assert!(winners(fleet) >= winners(without));
    }

    #[test]
    fn reconciling_what_was_reconciled_changes_nothing(fleet in fleet()) {
        let mut once = fleet;
        reconcile(&mut once);
        let mut twice = once.clone();
        reconcile(&mut twice);
        prop_assert_eq!(once, twice);
    }
}
