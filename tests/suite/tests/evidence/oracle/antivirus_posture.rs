//! `antivirus_posture` (section 4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    fleet::{self, Fleet},
    one_rule::{self, Answers, Plain, Signal, Verdicts, hold},
    reading::{self, Collected, DAY},
    tenant::{Remembered, Report},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    On,
    Off,
    Unmeasured,
}

/// Of the best row that is on. Ordered: the earlier is the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Definitions {
    UpToDate,
    OutOfDate,
    Unknown,
}

#[derive(Default)]
struct Signatures {
    fresh: usize,
    aged_7_to_30: usize,
    over_30: usize,
    age_not_reported: usize,
    unmeasured: usize,
}

impl Signatures {
    /// Counts one device: its best definitions, and for how long they have been seen out of date.
    fn count(&mut self, definitions: Definitions, age: Option<i64>) {
        let count = match (definitions, age) {
            (Definitions::UpToDate, _) => &mut self.fresh,
            (Definitions::Unknown, _) => &mut self.unmeasured,
            (Definitions::OutOfDate, None) => &mut self.age_not_reported,
            (Definitions::OutOfDate, Some(age)) if age <= 7 * DAY => &mut self.fresh,
            (Definitions::OutOfDate, Some(age)) if age <= 30 * DAY => &mut self.aged_7_to_30,
            (Definitions::OutOfDate, Some(_)) => &mut self.over_30,
        };
        *count += 1;
    }

    /// The reasons that these counts give.
    fn reasons(&self, reasons: &mut BTreeSet<&'static str>) {
        hold(reasons, "signatures_aging", self.aged_7_to_30 > 0);
        hold(reasons, "signatures_over_30_days", self.over_30 > 0);
        hold(reasons, "age_not_reported", self.age_not_reported > 0);
        hold(reasons, "signatures_unmeasured", self.unmeasured > 0);
    }

    fn json(&self) -> Value {
        json!({
            "fresh": self.fresh,
            "aged_7_to_30": self.aged_7_to_30,
            "over_30": self.over_30,
            "age_not_reported": self.age_not_reported,
            "unmeasured": self.unmeasured,
        })
    }
}

pub(crate) fn evaluate(
    fleet: &Fleet,
    report: &Report,
    history: Option<&BTreeMap<i64, Remembered>>,
) -> Value {
    let (rows, malformed) = fleet::rows(report, fleet::without_device);

    let (mut on, mut off, mut unmeasured) = (0, 0, 0);
    let (mut unknown_class, mut undated) = (false, false);
    let mut signatures = Signatures::default();
    let mut vendors: BTreeMap<&str, usize> = BTreeMap::new();
    for device in fleet.live() {
        let rows = Fleet::rows_of(device, &rows);
        let left = left(&rows, fleet.now);
        undated |= made_unmeasured(&rows, fleet.now);
        let age = age(
            history.and_then(|history| history.get(&device.id)),
            fleet.now,
        );
        let protection = match protection(&left) {
            // Nothing good is shown of a device whose class cannot be read. Open: one that is on and whose signatures are over 30 days
            // old. That is bad, and fails.
            Protection::On if device.class_unreadable && !over_30(&left, age) => {
                Protection::Unmeasured
            }
            protection => protection,
        };
        match protection {
            Protection::Off => off += 1,
            Protection::Unmeasured => {
                unmeasured += 1;
                unknown_class |= device.class == fleet::Class::Unknown;
            }
            Protection::On => {
                on += 1;
                let (definitions, vendor) = best_row(&left);
                *vendors.entry(vendor).or_default() += 1;
                signatures.count(definitions, age);
            }
        }
    }

    let plain = |off: usize, fresh: usize, over_30: usize| {
        if off > 0 || over_30 > 0 {
            Plain::Fail
        } else if fresh == on + unmeasured {
            Plain::Pass
        } else {
            Plain::Warning
        }
    };
    let scope = fleet.scope(on + off, unmeasured);
    let verdicts = Verdicts {
        // Unmeasured devices as on and fresh, unmeasured signatures as fresh.
        best: plain(
            off,
            signatures.fresh + signatures.unmeasured + unmeasured,
            signatures.over_30,
        ),
        // Unmeasured devices as off, unmeasured signatures as the oldest.
        worst: plain(
            off + unmeasured,
            signatures.fresh,
            signatures.over_30 + signatures.unmeasured,
        ),
        measured: Some(plain(
            off,
            signatures.fresh + unmeasured,
            signatures.over_30,
        )),
    };
    let answers = Answers::of(&[report], malformed);

    let mut reasons = BTreeSet::new();
    one_rule::scope_reasons(&scope, &mut reasons);
    hold(&mut reasons, "undated_rows", undated);
    hold(&mut reasons, "unknown_node_class", unknown_class);
    hold(&mut reasons, "protection_off", off > 0);
    signatures.reasons(&mut reasons);

    Signal {
        name: "antivirus_posture",
        controls: ["IC-013", "IC-051"],
        status: if answers.all() {
            one_rule::decide(&scope, verdicts)
        } else {
            "unknown"
        },
        answers,
        reasons,
        metadata: json!({
            "scope": scope.json(),
            "devices": { "on": on, "off": off, "unmeasured": unmeasured },
            "signatures": signatures.json(),
            "vendors": vendors,
            "age_basis": if history.is_some() { "first_seen" } else { "status_only" },
        }),
    }
    .finish(fleet)
}

/// For how long signatures that are seen out of date now have been so. Where they were up to date when they were last seen, since now.
fn age(remembered: Option<&Remembered>, now: i64) -> Option<i64> {
    match remembered? {
        Remembered::UpToDate => Some(0),
        Remembered::OutOfDateSince(since) => {
            reading::believed(reading::microseconds(*since), now).map(|since| now - since)
        }
    }
}

/// Whether the signatures of a device that is on are out of date for more than 30 days.
fn over_30(left: &[&Value], age: Option<i64>) -> bool {
    best_row(left).0 == Definitions::OutOfDate && age.is_some_and(|age| age > 30 * DAY)
}

/// A row that names a product; `NONE` is no product.
fn real(row: &Value) -> bool {
    reading::word(row, "productName").is_some_and(|name| name != "NONE")
}

/// A row without the name of a product; one that cannot be read is taken as absent.
fn nameless(row: &Value) -> bool {
    reading::text(row, "productName").is_none()
}

fn state(row: &Value) -> String {
    reading::text(row, "productState")
        .map(reading::folded)
        .unwrap_or_default()
}

/// Off, snoozed or expired.
fn is_off(row: &Value) -> bool {
    ["off", "snoozed", "expired"].contains(&state(row).as_str())
}

/// What is left of a device's rows. Left aside are undated and too old rows, those more than seven days older than the newest, and
/// those that are on and name no product.
fn left<'a>(rows: &[&'a Value], now: i64) -> Vec<&'a Value> {
    // Over all the device's rows; an undated row counts as of now.
    let newest = rows
        .iter()
        .map(|row| match reading::collected(row, now) {
            Collected::Fresh(time) | Collected::TooOld(time) => time,
            Collected::Undated => now,
        })
        .max();
    let in_time = |row: &Value| match (reading::collected(row, now), newest) {
        (Collected::Fresh(time), Some(newest)) => newest - time <= 7 * DAY,
        _ => false,
    };
    rows.iter()
        .filter(|row| in_time(row))
        // State ON without a name contradicts itself and is ignored.
        .filter(|row| !(nameless(row) && state(row) == "on"))
        .copied()
        .collect()
}

fn protection(left: &[&Value]) -> Protection {
    let on = left.iter().any(|row| real(row) && state(row) == "on");
    // Open: a row without a name whose state is snoozed or expired, and one without a state. The first is like OFF no product, the
    // second is a state never seen.
    let never_seen = |row: &&Value| (real(row) || nameless(row)) && !is_off(row);
    if left.is_empty() {
        Protection::Unmeasured
    } else if on {
        Protection::On
    } else if left.iter().any(never_seen) {
        Protection::Unmeasured
    } else {
        Protection::Off
    }
}

/// Whether an undated or too old row made a device unmeasured: no row was left and it had such rows, or its undated rows, which count as
/// of now, put aside what would have measured it. Open: what "made" means where other rows, too, left it unmeasured.
fn made_unmeasured(rows: &[&Value], now: i64) -> bool {
    let left_now = left(rows, now);
    if protection(&left_now) != Protection::Unmeasured {
        return false;
    }
    let dated: Vec<&Value> = rows
        .iter()
        .filter(|row| reading::collected(row, now) != Collected::Undated)
        .copied()
        .collect();
    let not_fresh = |row: &&Value| !matches!(reading::collected(row, now), Collected::Fresh(_));
    (left_now.is_empty() && rows.iter().any(not_fresh))
        || protection(&left(&dated, now)) != Protection::Unmeasured
}

/// Among the rows that are on: the best definitions, and whose they are (ties: the first vendor in the alphabet).
fn best_row(rows: &[&Value]) -> (Definitions, &'static str) {
    rows.iter()
        .filter(|row| real(row) && state(row) == "on")
        .map(|row| {
            (
                definitions(row),
                vendor(reading::text(row, "productName").unwrap_or_default()),
            )
        })
        .min()
        .expect("a device that is on has a row that is on")
}

fn definitions(row: &Value) -> Definitions {
    match reading::text(row, "definitionStatus")
        .map(reading::folded)
        .as_deref()
    {
        Some("uptodate") => Definitions::UpToDate,
        Some("outofdate") => Definitions::OutOfDate,
        _ => Definitions::Unknown,
    }
}

/// Open: the rules name the vendors, not the product names. A vendor is known by a word its products carry.
fn vendor(product: &str) -> &'static str {
    const KNOWN_BY: &[(&str, &[&str])] = &[
        ("microsoft_defender", &["defender"]),
        (
            "sentinelone",
            &["sentinelone", "sentinel one", "sentinel agent"],
        ),
        ("crowdstrike", &["crowdstrike"]),
        ("bitdefender", &["bitdefender"]),
        ("sophos", &["sophos"]),
        ("eset", &["eset"]),
        ("webroot", &["webroot"]),
        ("trend_micro", &["trend micro", "trendmicro"]),
        ("malwarebytes", &["malwarebytes"]),
        ("trellix", &["trellix"]),
        ("symantec", &["symantec"]),
        ("kaspersky", &["kaspersky"]),
        ("cylance", &["cylance"]),
        ("carbon_black", &["carbon black"]),
        ("huntress", &["huntress"]),
        ("norton", &["norton"]),
        ("avast", &["avast"]),
        ("avg", &["avg"]),
        ("withsecure", &["withsecure"]),
        ("watchguard", &["watchguard"]),
        ("cisco", &["cisco"]),
        ("palo_alto", &["palo alto", "cortex xdr"]),
        ("fortinet", &["fortinet", "forticlient"]),
        ("deep_instinct", &["deep instinct"]),
        ("apple_xprotect", &["xprotect"]),
        ("clamav", &["clamav"]),
    ];
    // Words start after a blank: "Bitdefender" is not a defender, "Reset Shield" not from ESET.
    let words: String = product
        .chars()
        .map(|c| {
            if c.is_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                ' '
            }
        })
        .collect();
    let words = format!(" {words}");
    KNOWN_BY
        .iter()
        .find(|(_, names)| names.iter().any(|name| words.contains(&format!(" {name}"))))
        .map_or("other", |(vendor, _)| vendor)
}
