//! `disk_encryption` (section 3).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fleet::{self, Device, Fleet};
use super::one_rule::{self, Answers, Plain, Signal, Verdicts, hold};
use super::reading::{self, Fields, Kind};
use super::tenant::Report;

/// Where a volume stands. Ordered as ties are broken: the later is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket {
    Out,
    Encrypted,
    Unmeasured,
    Suspended,
    InProgress,
    NotEncrypted,
}

const VOLUME: Fields = &[
    ("deviceId", Kind::Key),
    ("name", Kind::Text),
    ("driveLetter", Kind::Text),
    ("serialNumber", Kind::Text),
    ("label", Kind::Text),
    ("deviceType", Kind::Text),
    ("capacity", Kind::Whole),
    (
        "bitLockerStatus",
        Kind::Object(&[
            ("conversionStatus", Kind::Text),
            ("protectionStatus", Kind::Text),
        ]),
    ),
];

const GIB: i64 = 1 << 30;

pub(crate) fn evaluate(fleet: &Fleet, report: &Report) -> Value {
    let (rows, malformed) = fleet::rows(report, VOLUME);

    let mut in_scope: Vec<Bucket> = Vec::new();
    let (mut measured, mut unmeasured, mut out, mut fully_encrypted) = (0, 0, 0, 0);
    let mut unknown_class = false;
    for device in fleet.live() {
        let buckets = volumes(device, &Fleet::rows_of(device, &rows), fleet.now);
        if !buckets.is_empty() && buckets.iter().all(|bucket| *bucket == Bucket::Out) {
            out += 1;
            continue;
        }
        // A device without any volume row counts as one unmeasured volume.
        let buckets = if buckets.is_empty() {
            vec![Bucket::Unmeasured]
        } else {
            buckets
        };
        let here: Vec<Bucket> = buckets
            .into_iter()
            .filter(|bucket| *bucket != Bucket::Out)
            .collect();
        if here.iter().any(|bucket| *bucket != Bucket::Unmeasured) {
            measured += 1;
        } else {
            unmeasured += 1;
            unknown_class |= device.class == fleet::Class::Unknown;
        }
        if here.iter().all(|bucket| *bucket == Bucket::Encrypted) {
            fully_encrypted += 1;
        }
        in_scope.extend(here);
    }

    let count = |wanted: Bucket| in_scope.iter().filter(|bucket| **bucket == wanted).count();
    let (encrypted, not_measured) = (count(Bucket::Encrypted), count(Bucket::Unmeasured));
    let volumes_measured = in_scope.len() - not_measured;
    let scope = fleet.scope(measured, unmeasured, out);
    let verdicts = Verdicts {
        best: plain(encrypted + not_measured, in_scope.len()),
        worst: plain(encrypted, in_scope.len()),
        measured: (volumes_measured > 0).then(|| plain(encrypted, volumes_measured)),
    };
    let answers = Answers::of(&[report], malformed);

    let mut reasons = BTreeSet::new();
    one_rule::scope_reasons(&scope, &mut reasons);
    hold(&mut reasons, "unmeasured_volumes", not_measured > 0);
    hold(&mut reasons, "unknown_node_class", unknown_class);
    hold(
        &mut reasons,
        "below_threshold",
        verdicts
            .measured
            .is_some_and(|verdict| verdict != Plain::Pass),
    );

    Signal {
        name: "disk_encryption",
        controls: ["IC-024", "IC-052"],
        // Open: live devices without an in-scope volume beside stale ones. Then no device in scope is left but stale ones,
        // which is a dark fleet and not one to which encryption does not apply.
        status: if answers.all() {
            one_rule::decide(&scope, verdicts)
        } else {
            "unknown"
        },
        answers,
        reasons,
        metadata: json!({
            "scope": scope.json(),
            "volumes": {
                "in_scope": in_scope.len(),
                "encrypted": encrypted,
                "suspended": count(Bucket::Suspended),
                "in_progress": count(Bucket::InProgress),
                "not_encrypted": count(Bucket::NotEncrypted),
                "unmeasured": not_measured,
            },
            "encrypted_percent": percent(encrypted, volumes_measured),
            "devices_fully_encrypted": fully_encrypted,
        }),
    }
    .finish(fleet)
}

/// Pass from 95 in 100, warning from 80 in 100, fail below.
fn plain(good: usize, total: usize) -> Plain {
    if 100 * good >= 95 * total {
        Plain::Pass
    } else if 100 * good >= 80 * total {
        Plain::Warning
    } else {
        Plain::Fail
    }
}

/// Of measured volumes, floored to one decimal; null when nothing was measured.
fn percent(encrypted: usize, measured: usize) -> Value {
    if measured == 0 {
        return Value::Null;
    }
    let tenths = u32::try_from(1_000 * encrypted / measured).expect("at most a thousand tenths");
    json!(f64::from(tenths) / 10.0)
}

/// A device's volumes, each once: the newest row wins, on a tie the worse, and only then is scope looked at.
fn volumes(device: &Device, rows: &[&Value], now: i64) -> Vec<Bucket> {
    let mut newest: BTreeMap<(&str, String), (i64, Bucket)> = BTreeMap::new();
    for row in rows {
        let Some(collected) = reading::collected(row, now) else {
            continue;
        };
        let entry = newest
            .entry(identity(row))
            .or_insert((collected, Bucket::Out));
        *entry = (*entry).max((collected, bucket(device, row)));
    }
    newest.into_values().map(|(_, bucket)| bucket).collect()
}

/// `name`, else `driveLetter`, else `serialNumber`.
fn identity(row: &Value) -> (&'static str, String) {
    for field in ["name", "driveLetter", "serialNumber"] {
        if let Some(text) = reading::text(row, field) {
            return (field, text.to_owned());
        }
    }
    // Open: a volume with none of the three. Two different rows are two volumes: merging them could hide a bad one.
    ("row", row.to_string())
}

fn bucket(device: &Device, row: &Value) -> Bucket {
    if !in_scope(row) {
        return Bucket::Out;
    }
    // Open: a BitLocker object on a Mac or Linux volume. Those carry no encryption field, so it says nothing.
    if !device.bitlocker {
        return Bucket::Unmeasured;
    }
    let Some(bitlocker) = row
        .get("bitLockerStatus")
        .filter(|object| object.is_object())
    else {
        return Bucket::Unmeasured;
    };
    let protection = reading::text(bitlocker, "protectionStatus");
    match reading::text(bitlocker, "conversionStatus") {
        Some("FULLY_ENCRYPTED") => match protection {
            Some("PROTECTED") => Bucket::Encrypted,
            Some("UNPROTECTED" | "PENDING") => Bucket::Suspended,
            _ => Bucket::Unmeasured,
        },
        Some("ENCRYPTION_IN_PROGRESS" | "ENCRYPTION_PAUSED") => Bucket::InProgress,
        Some("FULLY_DECRYPTED") => Bucket::NotEncrypted,
        Some(status) if status.starts_with("DECRYPTION_") => Bucket::NotEncrypted,
        _ if protection == Some("UNPROTECTED") => Bucket::NotEncrypted,
        _ => Bucket::Unmeasured,
    }
}

fn in_scope(row: &Value) -> bool {
    let device_type = reading::text(row, "deviceType");
    let foreign = matches!(
        device_type,
        Some("Removable Disk" | "Network Drive" | "Compact Disc" | "CD-ROM Disc" | "RAM Disk")
    );
    // A size below nothing is none, and so not known to be small.
    let capacity = row
        .get("capacity")
        .and_then(Value::as_i64)
        .filter(|bytes| *bytes >= 0);
    let label = reading::text(row, "label").map(str::to_lowercase);
    let system = matches!(
        label.as_deref(),
        Some("recovery" | "winre" | "efi" | "esp" | "system reserved")
    );
    let small = capacity.is_some_and(|bytes| bytes < 16 * GIB);
    !foreign && capacity != Some(0) && !(system && small)
}
