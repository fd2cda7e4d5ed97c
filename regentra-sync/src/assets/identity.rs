//! When two assets of different sources are the same machine.
//!
//! Same company, and the same normalised serial number, else the same Entra device id, else the same host name; and only where
//! exactly one asset matches on each side. What is ambiguous at one of these is kept on both sides, and not tried again by a
//! weaker one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    AssetId,
    asset::{Asset, AssetContent},
    private::Private,
};

/// Serial numbers that manufacturers put in when they put in none, as they look when normalised.
const JUNK_SERIALS: &[&str] = &[
    "0",
    "123456789",
    "1234567890",
    "0123456789",
    "CHASSISSERIALNUMBER",
    "DEFAULT",
    "DEFAULTSTRING",
    "EMPTY",
    "INVALID",
    "NA",
    "N/A",
    "NONE",
    "NOTAPPLICABLE",
    "NOTAVAILABLE",
    "NOTSPECIFIED",
    "NULL",
    "O.E.M.",
    "OEM",
    "SERIALNUMBER",
    "SYSTEMSERIALNUMBER",
    "TOBEFILLEDBYO.E.M.",
    "TOBEFILLEDBYOEM",
    "UNKNOWN",
];

/// A serial number as it is compared: upper case, without white space. `None` for one that identifies nothing, such as
/// `To Be Filled By O.E.M.`, `0`, or the same character over and over.
#[must_use]
pub fn serial_key(serial: &str) -> Option<String> {
    let key: String = serial.split_whitespace().collect::<String>().to_uppercase();
    let first = key.chars().next()?;
    let is_one_character = key.chars().all(|character| character == first);
    (!is_one_character && !JUNK_SERIALS.contains(&key.as_str())).then_some(key)
}

/// An Entra device id as it is compared. `None` for the nil id.
#[must_use]
pub fn entra_key(id: &str) -> Option<String> {
    let key = id.trim().trim_matches(['{', '}']).to_lowercase();
    let is_nil = key
        .chars()
        .all(|character| character == '0' || character == '-');
    (!is_nil).then_some(key)
}

/// A host name as it is compared: without regard to case. `None` for names that machines have before they get one.
#[must_use]
pub fn host_key(name: &str) -> Option<String> {
    let key = name.trim().trim_end_matches('.').to_lowercase();
    (!key.is_empty() && key != "localhost" && key != "unknown").then_some(key)
}

type Key = fn(&AssetContent) -> Option<String>;

/// Strongest first.
const KEYS: [Key; 3] = [
    |content| serial_key(content.serial_number.as_ref().map(Private::as_str)?),
    |content| entra_key(content.entra_device_id.as_ref().map(Private::as_str)?),
    |content| host_key(content.host_name.as_ref().map(Private::as_str)?),
];

/// What matching two sides says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// From an asset of the lower side to the one of the higher side that is the same machine.
    pub pairs: BTreeMap<AssetId, AssetId>,
    /// Assets of both sides that match more than one of the other, or together with another of their own.
    pub ambiguous: BTreeSet<AssetId>,
}

/// Matches the assets of a lower source with those that are above it. All are of one company.
#[must_use]
pub fn match_assets(lower: &[&Asset], higher: &[&Asset]) -> Matches {
    let mut matches = Matches::default();
    let mut settled = BTreeSet::new();
    for key in KEYS {
        let (lower, higher) = (by_key(lower, key, &settled), by_key(higher, key, &settled));
        for (value, candidates) in lower {
            let Some(others) = higher.get(&value) else {
                continue;
            };
            if let ([one], [other]) = (candidates.as_slice(), others.as_slice()) {
                matches.pairs.insert(*one, *other);
            } else {
                matches.ambiguous.extend(candidates.iter().chain(others));
            }
            settled.extend(candidates.iter().chain(others));
        }
    }
    matches
}

fn by_key(
    assets: &[&Asset],
    key: Key,
    settled: &BTreeSet<AssetId>,
) -> BTreeMap<String, Vec<AssetId>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for asset in assets.iter().filter(|asset| !settled.contains(&asset.id)) {
        if let Some(value) = key(&asset.content) {
            by_key.entry(value).or_default().push(asset.id);
        }
    }
    by_key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_serial_numbers_identify_nothing() {
        for junk in [
            "0",
            "",
            "  ",
            "To Be Filled By O.E.M.",
            "to be filled by o.e.m.",
            "System Serial Number",
            "SystemSerialNumber",
            "Default string",
            "123456789",
            "............",
            "0000000",
            "None",
            "N/A",
        ] {
            assert_eq!(serial_key(junk), None, "{junk:?}");
        }
    }

    #[test]
    fn serial_numbers_are_compared_without_case_and_white_space() {
        assert_eq!(serial_key(" 5cg 0123 abc "), serial_key("5CG0123ABC"));
        assert_ne!(serial_key("5CG0123ABC"), serial_key("5CG0123ABD"));
        assert_eq!(
            serial_key("7149-6004-6720"),
            Some("7149-6004-6720".to_owned())
        );
    }

    #[test]
    fn nil_entra_ids_and_nameless_hosts_identify_nothing() {
        assert_eq!(entra_key("{00000000-0000-0000-0000-000000000000}"), None);
        assert_eq!(entra_key("{A1B2}"), entra_key("a1b2 "));
        assert_eq!(host_key("localhost"), None);
        assert_eq!(host_key("PC-1."), host_key("pc-1"));
    }
}
