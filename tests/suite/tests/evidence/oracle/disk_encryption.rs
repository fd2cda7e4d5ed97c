//! `disk_encryption` (section 3).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    fleet::{self, Device, Fleet},
    one_rule::{self, Answers, Plain, Signal, Verdicts, hold},
    reading::{self, Collected, Field},
    tenant::Report,
};

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

const GIB: i64 = 1 << 30;

pub(crate) fn evaluate(fleet: &Fleet, report: &Report) -> Value {
    let (rows, malformed) = fleet::rows(report, fleet::without_device);

    let mut in_scope: Vec<Bucket> = Vec::new();
    let (mut measured, mut unmeasured, mut out_of_scope, mut fully_encrypted) = (0, 0, 0, 0);
    let (mut unknown_class, mut undated) = (false, false);
    for device in fleet.live() {
        let volumes = Volumes::of(device, &Fleet::rows_of(device, &rows), fleet.now);
        undated |= volumes.undated;
        let (out, mut here): (Vec<Bucket>, Vec<Bucket>) = volumes
            .buckets
            .into_iter()
            .partition(|bucket| *bucket == Bucket::Out);
        out_of_scope += out.len();
        if !here.is_empty() && here.iter().all(|bucket| *bucket == Bucket::Encrypted) {
            fully_encrypted += 1;
        }
        // Every computer has a fixed disk: a device without any in-scope volume counts as one unmeasured volume.
        if here.is_empty() {
            here.push(Bucket::Unmeasured);
        }
        if here.iter().any(|bucket| *bucket != Bucket::Unmeasured) {
            measured += 1;
        } else {
            unmeasured += 1;
            unknown_class |= device.class == fleet::Class::Unknown;
        }
        in_scope.extend(here);
    }

    let count = |wanted: Bucket| in_scope.iter().filter(|bucket| **bucket == wanted).count();
    let (encrypted, not_measured) = (count(Bucket::Encrypted), count(Bucket::Unmeasured));
    let volumes_measured = in_scope.len() - not_measured;
    let scope = fleet.scope(measured, unmeasured);
    let verdicts = Verdicts {
        best: plain(encrypted + not_measured, in_scope.len()),
        worst: plain(encrypted, in_scope.len()),
        measured: (volumes_measured > 0).then(|| plain(encrypted, volumes_measured)),
    };
    let answers = Answers::of(&[report], malformed);

    let mut reasons = BTreeSet::new();
    one_rule::scope_reasons(&scope, &mut reasons);
    hold(&mut reasons, "undated_rows", undated);
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
                "out_of_scope": out_of_scope,
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

/// The rows of one volume, by when they were collected.
#[derive(Default)]
struct Rows {
    /// When, where, and whether a field that decides it cannot be read.
    fresh: Vec<(i64, Bucket, bool)>,
    undated: Vec<Bucket>,
    too_old: bool,
}

impl Rows {
    /// The newest wins, a tie is decided by the worse.
    fn newest_fresh(&self) -> Option<Bucket> {
        self.fresh.iter().max().map(|(_, bucket, _)| *bucket)
    }

    /// Open: whether a volume counts as in scope beside which a too old one is gone, when its fresh row says that it is out, or may have
    /// said so and cannot be read, or when an undated one says so. It does not.
    fn surely_in_scope(&self) -> bool {
        self.fresh
            .iter()
            .max()
            .is_some_and(|(_, bucket, unreadable)| *bucket != Bucket::Out && !unreadable)
            && !self.undated.contains(&Bucket::Out)
    }
}

/// A device's volumes, each once, before scoping.
struct Volumes {
    buckets: Vec<Bucket>,
    /// An undated or too old row made one of them unmeasured.
    undated: bool,
}

impl Volumes {
    fn of(device: &Device, rows: &[&Value], now: i64) -> Self {
        let mut volumes: BTreeMap<(&str, String), Rows> = BTreeMap::new();
        let mut identity_unreadable = false;
        for row in rows {
            let identity = identity(row);
            identity_unreadable |= identity.0 == UNREADABLE;
            let volume = volumes.entry(identity).or_default();
            match reading::collected(row, now) {
                Collected::Fresh(time) => {
                    volume
                        .fresh
                        .push((time, bucket(device, row), unreadable(row)));
                }
                Collected::Undated => volume.undated.push(bucket(device, row)),
                Collected::TooOld(_) => volume.too_old = true,
            }
        }

        let (mut buckets, mut undated) = (Vec::new(), false);
        for (identity, volume) in &volumes {
            let another = volumes
                .iter()
                .any(|(other, rows)| other != identity && rows.surely_in_scope());
            let (bucket, decided) = stands(volume, another);
            undated |= decided;
            buckets.extend(bucket);
        }
        // Open: of which volume a row is whose identity is there and cannot be read. It could be of any of the device's, and so none of
        // them is shown encrypted. Taking it for a volume of its own would bring out an older row that it had replaced.
        if identity_unreadable {
            for bucket in &mut buckets {
                *bucket = at_best_unmeasured(*bucket);
            }
        }
        Self { buckets, undated }
    }
}

/// Where a volume stands, and whether an undated or too old row made it unmeasured. `another`: its device has a fresh row of
/// another volume in scope.
fn stands(volume: &Rows, another: bool) -> (Option<Bucket>, bool) {
    let worst_undated = volume.undated.iter().max().copied();
    if let Some(fresh) = volume.newest_fresh() {
        // Open: a too old row beside a fresh one of its own volume. The newest wins; that sentence comes first.
        let worse = volume.undated.iter().any(|undated| *undated > fresh);
        let out_beside = volume.undated.contains(&Bucket::Out) && fresh != Bucket::Out;
        return if worse || out_beside {
            (Some(Bucket::Unmeasured), true)
        } else {
            (Some(fresh), false)
        };
    }
    match worst_undated {
        // Out where its type, label or size says so. Beside a too old row, that makes its volume unmeasured.
        Some(Bucket::Out) if !volume.too_old => (Some(Bucket::Out), false),
        // A too old row is of a volume that is gone. Open: a too old row that is out by its type, label or size. The rules say so of
        // undated rows alone.
        None if another => (None, false),
        Some(_) | None => (Some(Bucket::Unmeasured), true),
    }
}

const UNREADABLE: &str = "unreadable";

/// `name`, else `driveLetter`, else `serialNumber`.
fn identity(row: &Value) -> (&'static str, String) {
    for field in ["name", "driveLetter", "serialNumber"] {
        match reading::text_field(row, field) {
            Field::Is(text) => return (field, text.to_owned()),
            Field::Unreadable => return (UNREADABLE, row.to_string()),
            Field::Absent => {}
        }
    }
    // Open: a volume with none of the three. Two different rows are two volumes: merging them could hide a bad one.
    ("row", row.to_string())
}

/// A good volume of which a field cannot be read is unmeasured; a bad one stays bad.
fn at_best_unmeasured(bucket: Bucket) -> Bucket {
    if bucket == Bucket::Encrypted {
        Bucket::Unmeasured
    } else {
        bucket
    }
}

fn bucket(device: &Device, row: &Value) -> Bucket {
    if is_out(row) {
        return Bucket::Out;
    }
    // Open: an encrypted volume of which another field cannot be read. Never better than before: it may have been out, so that
    // it would be one more that is encrypted.
    let bucket = encryption(device, row);
    if unreadable(row) || device.class_unreadable {
        at_best_unmeasured(bucket)
    } else {
        bucket
    }
}

/// A field that decides which volume it is, or whether it is in scope, is there and cannot be read.
fn unreadable(row: &Value) -> bool {
    let mut texts = ["name", "driveLetter", "label", "deviceType"].iter();
    texts.any(|field| reading::text_field(row, field) == Field::Unreadable)
        || reading::whole(row, "capacity") == Field::Unreadable
        || identity(row).0 == UNREADABLE
}

fn encryption(device: &Device, row: &Value) -> Bucket {
    // Open: a BitLocker object on a Mac or Linux volume. Those carry no encryption field, so it says nothing.
    if !device.bitlocker {
        return Bucket::Unmeasured;
    }
    let Some(bitlocker) = reading::object(row, "bitLockerStatus").value() else {
        return Bucket::Unmeasured;
    };
    let protection = reading::word(bitlocker, "protectionStatus");
    let protection = protection.as_deref();
    match reading::word(bitlocker, "conversionStatus").as_deref() {
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

/// Out of scope by its type, its size, or its label or name and its size.
fn is_out(row: &Value) -> bool {
    let device_type = reading::word(row, "deviceType");
    if matches!(
        device_type.as_deref(),
        Some("REMOVABLE DISK" | "NETWORK DRIVE" | "COMPACT DISC" | "CD-ROM DISC" | "RAM DISK")
    ) {
        return true;
    }
    // An absent or unreadable capacity never puts a volume out. Open: a size below nothing is none, and so not known to be small.
    let Some(capacity) = reading::whole(row, "capacity")
        .value()
        .filter(|bytes| *bytes >= 0)
    else {
        return false;
    };
    let label = reading::word(row, "label");
    let system = matches!(
        label.as_deref(),
        Some("RECOVERY" | "WINRE" | "EFI" | "ESP" | "SYSTEM RESERVED")
    );
    // A blank letter is an absent one, an unreadable one is there.
    let letterless = reading::text_field(row, "driveLetter") == Field::Absent;
    let unopenable = letterless
        && reading::word(row, "name").is_some_and(|name| name.starts_with(r"\\?\VOLUME{"));
    capacity == 0 || (system && capacity < 16 * GIB) || (unopenable && capacity < 32 * GIB)
}
