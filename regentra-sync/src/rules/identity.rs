//! Decides when two assets of different sources are the same machine.
//!
//! Assets match only within a company. They are compared by serial number, then by Entra device id, then by host name. The first key for
//! which exactly one asset remains on each side decides. If several remain for a key, it decides nothing, and the next key is tried. If no
//! key decides, the assets of both sides are kept and listed with the reason ([`Ambiguity`]).
//!
//! A serial number that two assets of one source share identifies neither of them. As long as both are compared, it matches no other assets
//! either, because it does not belong to a single machine.
//!
//! A key that is absent, unreadable, or not an identifier matches nothing.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};

use crate::model::{Asset, AssetContent, AssetId, Sensitive, Source};

/// Text that a serial number never contains if it identifies a machine: the placeholders of manufacturers, in normalised form.
const JUNK_PARTS: [&str; 11] = [
    "OEM",
    "SERIALNUMB",
    "DEFAULTSTRING",
    "TOBEFILLED",
    "NOTSPECIFIED",
    "NOTAPPLICABLE",
    "NONE",
    "INVALID",
    "UNKNOWN",
    "NOTAVAILABLE",
    "ASSET1234",
];

/// Values that are placeholders as a whole, but may be a part of a real serial number.
const JUNK_WHOLE: [&str; 3] = ["DEFAULT", "EMPTY", "NULL"];

/// The shortest serial number that identifies a machine.
const SHORTEST_SERIAL: usize = 4;

/// A serial number shorter than this identifies a machine only if the host names do not contradict it.
const UNDOUBTED_SERIAL: usize = 7;

/// The number of characters that Windows keeps of a computer's name in its `NetBIOS` name.
const NETBIOS_NAME: usize = 15;

/// A serial number in the form in which serial numbers are compared: upper case, letters and digits only. `None` if it identifies nothing:
/// it is shorter than four characters, one repeated character (such as the nil UUID), an ascending or descending run, or a placeholder of
/// firmware, such as `To Be Filled By O.E.M.`.
#[must_use]
pub fn serial_key(serial: &str) -> Option<String> {
    let key: String = serial
        .chars()
        .flat_map(char::to_uppercase)
        .filter(|character| character.is_alphanumeric())
        .collect();
    let is_junk = key.chars().count() < SHORTEST_SERIAL
        || is_one_character(&key)
        || is_run(&key)
        || JUNK_PARTS.iter().any(|part| key.contains(part))
        || JUNK_WHOLE.contains(&key.as_str())
        || key.replace("VIRTUAL", "").is_empty();
    (!is_junk).then_some(key)
}

fn is_one_character(key: &str) -> bool {
    let mut characters = key.chars();
    let first = characters.next();
    characters.all(|character| Some(character) == first)
}

/// Whether the characters are an ascending or a descending run. After `9`, both `A` and `0` continue the run, because people type both.
fn is_run(key: &str) -> bool {
    let follows = |left: char, right: char| {
        let (left, right) = (left.to_digit(36), right.to_digit(36));
        match (left, right) {
            (Some(left), Some(right)) => left + 1 == right || (left, right) == (9, 0),
            _ => false,
        }
    };
    let pairs = || key.chars().zip(key.chars().skip(1));
    pairs().all(|(left, right)| follows(left, right))
        || pairs().all(|(left, right)| follows(right, left))
}

/// An Entra device id in the form in which ids are compared. `None` for the nil id.
#[must_use]
pub fn entra_key(id: &str) -> Option<String> {
    let key = id.trim().trim_matches(['{', '}']).to_lowercase();
    let is_nil = key
        .chars()
        .all(|character| character == '0' || character == '-');
    (!is_nil).then_some(key)
}

/// A host name in the form in which names are compared: case-folded. `None` for the default names of machines without a name.
#[must_use]
pub fn host_key(name: &str) -> Option<String> {
    let key = name.trim().trim_end_matches('.').to_lowercase();
    let is_none = matches!(first_label(&key), "" | "localhost" | "unknown");
    (!is_none).then_some(key)
}

fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

/// Whether two host names cannot belong to one machine. A name with its domain and the same name without it can belong to one machine, and
/// so can a name and its first fifteen letters.
fn contradict(one: &str, other: &str) -> bool {
    let (one, other) = (first_label(one), first_label(other));
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let is_cut = short.chars().count() == NETBIOS_NAME && long.starts_with(short);
    short != long && !is_cut
}

/// A key by which two assets are compared, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Serial,
    Entra,
    Host,
}

impl Key {
    const ALL: [Self; 3] = [Self::Serial, Self::Entra, Self::Host];

    fn of(self, content: &AssetContent) -> Option<String> {
        match self {
            Self::Serial => serial_key(content.serial_number.as_ref().map(Sensitive::as_str)?),
            Self::Entra => entra_key(content.entra_device_id.as_ref().map(Sensitive::as_str)?),
            Self::Host => host_key(content.host_name.as_ref().map(Sensitive::as_str)?),
        }
    }

    const fn shared(self) -> Ambiguity {
        match self {
            Self::Serial => Ambiguity::SerialNumberShared,
            Self::Entra => Ambiguity::EntraDeviceIdShared,
            Self::Host => Ambiguity::HostNameShared,
        }
    }
}

/// Why assets that look like the same machine were all kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ambiguity {
    /// Several assets of one source have the same serial number: virtual desktops, clones, blades in a chassis.
    SerialNumberShared,
    /// The serial number is shorter than seven characters, and the host names contradict it.
    HostNamesContradict,
    /// Several assets of one side have the same Entra device id.
    EntraDeviceIdShared,
    /// Several assets of one side have the same host name.
    HostNameShared,
}

impl Ambiguity {
    /// A short, stable name, such as `serial_number_shared`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SerialNumberShared => "serial_number_shared",
            Self::HostNamesContradict => "host_names_contradict",
            Self::EntraDeviceIdShared => "entra_device_id_shared",
            Self::HostNameShared => "host_name_shared",
        }
    }

    /// The meaning, as part of a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SerialNumberShared => "several machines have its serial number",
            Self::HostNamesContradict => {
                "its short serial number matches a machine of another host name"
            }
            Self::EntraDeviceIdShared => "several machines have its Entra device id",
            Self::HostNameShared => "several machines have its host name",
        }
    }
}

/// The result of matching two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Maps an asset of the lower side to the asset of the higher side that is the same machine.
    pub pairs: BTreeMap<AssetId, AssetId>,
    /// Assets of both sides that look like an asset of the other side but were not matched. The reason is the strongest key that did not
    /// decide.
    pub ambiguous: BTreeMap<AssetId, Ambiguity>,
}

/// Serial numbers that several assets of one source have. They identify none of these assets.
#[derive(Clone, Debug, Default)]
pub struct SharedSerials(BTreeSet<(Source, String)>);

impl SharedSerials {
    /// The shared serial numbers among `assets`, which are all assets of one company that their sources list.
    pub fn of<A: Borrow<Asset>>(assets: impl IntoIterator<Item = A>) -> Self {
        let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
        for asset in assets {
            let asset = asset.borrow();
            if let Some(serial) = Key::Serial.of(&asset.content) {
                let serial = (asset.source, serial);
                if seen.contains(&serial) {
                    shared.insert(serial);
                } else {
                    seen.insert(serial);
                }
            }
        }
        Self(shared)
    }

    fn contains(&self, asset: &Asset, serial: &str) -> bool {
        self.0.contains(&(asset.source, serial.to_owned()))
    }
}

/// Matches the assets of a source with the assets of the sources of higher priority. All belong to one company. `shared` is computed from
/// all assets of that company.
#[must_use]
pub fn match_assets(lower: &[&Asset], higher: &[&Asset], shared: &SharedSerials) -> Matches {
    let mut matches = Matches::default();
    let (mut settled, mut groups) = (BTreeSet::new(), Vec::new());
    for key in Key::ALL {
        let lower = by_key(lower, key, &settled);
        let higher = by_key(higher, key, &settled);
        for (value, candidates) in lower {
            let Some(others) = higher.get(&value) else {
                continue;
            };
            let undecided = match (candidates.as_slice(), others.as_slice()) {
                ([one], [other]) => match why_not(key, &value, one, other, shared) {
                    None => {
                        matches.pairs.insert(one.id, other.id);
                        settled.extend([one.id, other.id]);
                        continue;
                    }
                    Some(why) => why,
                },
                _ => key.shared(),
            };
            groups.push((undecided, ids(&candidates), ids(others)));
        }
    }
    // A weaker key may have decided since. An asset is ambiguous only if it still has a candidate on the other side.
    for (undecided, lower, higher) in groups {
        let left = |ids: Vec<AssetId>| -> Vec<_> {
            let left = ids.into_iter().filter(|id| !settled.contains(id));
            left.collect()
        };
        let (lower, higher) = (left(lower), left(higher));
        if !lower.is_empty() && !higher.is_empty() {
            for asset in lower.into_iter().chain(higher) {
                matches.ambiguous.entry(asset).or_insert(undecided);
            }
        }
    }
    matches
}

fn ids(assets: &[&Asset]) -> Vec<AssetId> {
    assets.iter().map(|asset| asset.id).collect()
}

/// Why two assets, the only ones of their sides with this key, are not the same machine; `None` if they are.
fn why_not(
    key: Key,
    value: &str,
    one: &Asset,
    other: &Asset,
    shared: &SharedSerials,
) -> Option<Ambiguity> {
    if key != Key::Serial {
        return None;
    }
    if shared.contains(one, value) || shared.contains(other, value) {
        return Some(Ambiguity::SerialNumberShared);
    }
    let hosts = (Key::Host.of(&one.content), Key::Host.of(&other.content));
    let is_vetoed = value.chars().count() < UNDOUBTED_SERIAL
        && matches!(&hosts, (Some(one), Some(other)) if contradict(one, other));
    is_vetoed.then_some(Ambiguity::HostNamesContradict)
}

fn by_key<'a>(
    assets: &[&'a Asset],
    key: Key,
    settled: &BTreeSet<AssetId>,
) -> BTreeMap<String, Vec<&'a Asset>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for asset in assets.iter().filter(|asset| !settled.contains(&asset.id)) {
        if let Some(value) = key.of(&asset.content) {
            by_key.entry(value).or_default().push(*asset);
        }
    }
    by_key
}

#[cfg(test)]
mod tests;
