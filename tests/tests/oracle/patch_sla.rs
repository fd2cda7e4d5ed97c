//! `patch_sla` (section 5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fleet::{self, Fleet};
use super::one_rule::{self, Answers, Plain, Signal, Verdicts, hold};
use super::reading::{self, DAY, Fields, Kind};
use super::tenant::{Report, Tenant};

// Open: a patch row without `id` names no unit. It is taken as a row that did not decode.
const OS_PATCH: Fields = &[
    ("deviceId", Kind::Key),
    ("id", Kind::TextKey),
    ("severity", Kind::Text),
    ("type", Kind::Text),
    ("status", Kind::Text),
];
const SOFTWARE_PATCH: Fields = &[
    ("deviceId", Kind::Key),
    ("id", Kind::TextKey),
    ("impact", Kind::Text),
    ("type", Kind::Text),
    ("status", Kind::Text),
];

/// How much a patch matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Critical,
    Important,
    DoesNotCount,
    Unknown,
}

/// What a pending row says of its unit. Ordered as ties are broken: the later is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Nothing,
    Rejected,
    SeverityUnknown,
    MissingImportant,
    MissingCritical,
}

/// One attempt to install. Ordered: the later is the later, and at one time the failure. An undated success stands before
/// everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    time: Option<i64>,
    failed: bool,
}

/// Device and patch.
type Unit<'a> = (i64, &'a str);

/// What the two reports of a kind say of the live devices.
#[derive(Default)]
struct Seen<'a> {
    /// Devices with any row.
    devices: BTreeSet<i64>,
    pending: BTreeMap<Unit<'a>, (i64, Standing)>,
    attempts: BTreeMap<Unit<'a>, Attempt>,
    malformed: bool,
}

/// The counts of one kind, and the devices behind them.
#[derive(Default)]
struct Counts {
    devices_measured: BTreeSet<i64>,
    missing_critical: usize,
    missing_important: usize,
    failed_installs: usize,
    rejected: usize,
    severity_unknown: usize,
    devices_with_missing: BTreeSet<i64>,
    devices_with_failed: BTreeSet<i64>,
}

pub(crate) fn evaluate(fleet: &Fleet, tenant: &Tenant) -> Value {
    let live: BTreeSet<i64> = fleet.live().map(|device| device.id).collect();
    let seen_os = Seen::of(
        &tenant.os_patches,
        &tenant.os_patch_installs,
        OS_PATCH,
        "severity",
        &live,
        fleet.now,
    );
    let seen_software = Seen::of(
        &tenant.software_patches,
        &tenant.software_patch_installs,
        SOFTWARE_PATCH,
        "impact",
        &live,
        fleet.now,
    );
    let malformed = seen_os.malformed || seen_software.malformed;
    let (os, software) = (seen_os.counts(), seen_software.counts());

    let measured: BTreeSet<i64> = os
        .devices_measured
        .union(&software.devices_measured)
        .copied()
        .collect();
    let unknown_class = fleet
        .live()
        .any(|device| device.class == fleet::Class::Unknown && !measured.contains(&device.id));
    let unmeasured = live.len() - measured.len();
    let scope = fleet.scope(measured.len(), unmeasured, 0);
    let no_data = !live.is_empty()
        && (os.devices_measured.is_empty() || software.devices_measured.is_empty());
    let missing = os.missing() + software.missing();
    let failed = os.failed_installs + software.failed_installs;
    let severity_unknown = os.severity_unknown + software.severity_unknown;

    let known = plain(missing, failed);
    let verdicts = Verdicts {
        best: known,
        // An unmeasured device, or a kind nobody reported, could miss any number.
        worst: if unmeasured > 0 || no_data {
            Plain::Fail
        } else {
            known.max(at_least_warning(severity_unknown))
        },
        measured: Some(known.max(at_least_warning(severity_unknown))),
    };
    let os_answers = Answers::of(
        &[&tenant.os_patches, &tenant.os_patch_installs],
        seen_os.malformed,
    );
    let software_answers = Answers::of(
        &[&tenant.software_patches, &tenant.software_patch_installs],
        seen_software.malformed,
    );
    let answers = Answers {
        failed: os_answers.failed || software_answers.failed,
        not_available: os_answers.not_available || software_answers.not_available,
        malformed,
    };
    // The kinds are judged apart when one did not answer: what the other shows, it shows. Open: whether that also holds for
    // a kind that is not available. A failure that was measured is not hidden by it.
    let shown = |answers: Answers, counts: &Counts| {
        answers.all() && plain(counts.missing(), counts.failed_installs) == Plain::Fail
    };
    let status = if answers.all() {
        one_rule::decide(&scope, verdicts)
    } else if shown(os_answers, &os) || shown(software_answers, &software) {
        "fail"
    } else {
        "unknown"
    };

    let mut reasons = BTreeSet::new();
    one_rule::scope_reasons(&scope, &mut reasons);
    hold(&mut reasons, "unknown_node_class", unknown_class);
    hold(&mut reasons, "patches_missing", missing > 0);
    hold(&mut reasons, "installs_failed", failed > 0);
    hold(&mut reasons, "severity_unknown", severity_unknown > 0);
    hold(&mut reasons, "no_patch_data", no_data);

    Signal {
        name: "patch_sla",
        controls: ["IC-038", "IC-053"],
        status,
        answers,
        reasons,
        metadata: json!({
            "scope": scope.json(),
            "os": os.json(),
            "software": software.json(),
            "devices_with_missing": os.devices_with_missing.union(&software.devices_with_missing).count(),
            "devices_with_failed": os.devices_with_failed.union(&software.devices_with_failed).count(),
        }),
    }
    .finish(fleet)
}

/// None missing is a pass, one to five a warning, six or more or any failed install a fail.
fn plain(missing: usize, failed: usize) -> Plain {
    match (missing, failed) {
        (_, 1..) | (6.., _) => Plain::Fail,
        (1..=5, _) => Plain::Warning,
        (0, _) => Plain::Pass,
    }
}

/// An unknown severity holds the signal at warning.
fn at_least_warning(severity_unknown: usize) -> Plain {
    if severity_unknown > 0 {
        Plain::Warning
    } else {
        Plain::Pass
    }
}

impl<'a> Seen<'a> {
    fn of(
        pending: &'a Report,
        installs: &'a Report,
        fields: Fields,
        severity_field: &str,
        live: &BTreeSet<i64>,
        now: i64,
    ) -> Self {
        let mut seen = Self::default();
        let judged = Answers::of(&[pending, installs], false).all();
        for (report, lists_pending) in [(pending, true), (installs, false)] {
            let (rows, malformed) = fleet::rows(report, fields);
            seen.malformed |= malformed;
            // Open: what a kind shows of which one report did not answer. Nothing: a success in the missing report could undo
            // a failure in the other.
            for row in rows.into_iter().filter(|_| judged) {
                let device = row["deviceId"].as_i64().expect("a key");
                if live.contains(&device) {
                    seen.row(device, row, lists_pending, severity_field, now);
                }
            }
        }
        seen
    }

    fn row(
        &mut self,
        device: i64,
        row: &'a Value,
        lists_pending: bool,
        severity_field: &str,
        now: i64,
    ) {
        let unit = (device, reading::text(row, "id").expect("a key"));
        // Open: whether states and types, too, come in any case. A failure is one however it is spelled.
        let status = reading::word(row, "status");
        let status = status.as_deref();
        let definitions = reading::word(row, "type").as_deref() == Some("DEFINITION_UPDATES");
        let collected = reading::collected(row, now);

        if let Some(attempt) = attempt(row, status, now) {
            // An undated success counts before everything else, and so before the 45 days within which an attempt shows that
            // the device is patched at all.
            if attempt.time.is_some() {
                self.devices.insert(device);
            }
            if !definitions {
                let latest = self.attempts.entry(unit).or_insert(attempt);
                *latest = (*latest).max(attempt);
            }
        }
        let attempted = matches!(status, Some("INSTALLED" | "FAILED"));
        // A pending row that says `FAILED` is both: an attempt at its own time, and pending as long as its row is fresh.
        if let Some(collected) = collected
            && (!attempted || (lists_pending && status == Some("FAILED")))
        {
            self.devices.insert(device);
            // Open: a state other than these two among the install attempts, and `INSTALLED` among the pending ones. Only
            // the pending reports say what is pending, and an installed patch is an attempt and nothing else.
            if lists_pending && !definitions {
                let standing = standing(row, status, severity_field);
                let newest = self.pending.entry(unit).or_insert((collected, standing));
                *newest = (*newest).max((collected, standing));
            }
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts {
            devices_measured: self.devices.clone(),
            ..Counts::default()
        };
        for (unit, (collected, standing)) in &self.pending {
            // A dated success strictly newer than the pending row settles it.
            let settled = self.attempts.get(unit).is_some_and(|latest| {
                !latest.failed && latest.time.is_some_and(|time| time > *collected)
            });
            if settled {
                continue;
            }
            match standing {
                Standing::MissingCritical => counts.missing_critical += 1,
                Standing::MissingImportant => counts.missing_important += 1,
                Standing::SeverityUnknown => counts.severity_unknown += 1,
                Standing::Rejected => counts.rejected += 1,
                Standing::Nothing => {}
            }
            if matches!(
                standing,
                Standing::MissingCritical | Standing::MissingImportant
            ) {
                counts.devices_with_missing.insert(unit.0);
            }
        }
        for (unit, _) in self.attempts.iter().filter(|(_, latest)| latest.failed) {
            counts.failed_installs += 1;
            counts.devices_with_failed.insert(unit.0);
        }
        counts
    }
}

impl Counts {
    fn missing(&self) -> usize {
        self.missing_critical + self.missing_important
    }

    fn json(&self) -> Value {
        json!({
            "devices_measured": self.devices_measured.len(),
            "missing_critical": self.missing_critical,
            "missing_important": self.missing_important,
            "failed_installs": self.failed_installs,
            "rejected": self.rejected,
            "severity_unknown": self.severity_unknown,
        })
    }
}

/// An attempt of the last 45 days, exactly 45 included.
fn attempt(row: &Value, status: Option<&str>, now: i64) -> Option<Attempt> {
    let failed = match status {
        Some("FAILED") => true,
        Some("INSTALLED") => false,
        _ => return None,
    };
    let time = match reading::time(row, "installedAt", now) {
        Some(time) => Some(time),
        None if failed => Some(reading::time(row, "timestamp", now).unwrap_or(now)),
        None => None,
    };
    time.is_none_or(|time| now - time <= 45 * DAY)
        .then_some(Attempt { time, failed })
}

fn standing(row: &Value, status: Option<&str>, severity_field: &str) -> Standing {
    let severity = severity(row, severity_field);
    if status == Some("REJECTED") {
        // An accepted risk, and no worse for being of unknown severity.
        return if matches!(severity, Severity::Critical | Severity::Important) {
            Standing::Rejected
        } else {
            Standing::Nothing
        };
    }
    match severity {
        Severity::Critical => Standing::MissingCritical,
        Severity::Important => Standing::MissingImportant,
        Severity::Unknown => Standing::SeverityUnknown,
        Severity::DoesNotCount => Standing::Nothing,
    }
}

fn severity(row: &Value, field: &str) -> Severity {
    match reading::word(row, field).as_deref() {
        Some("CRITICAL") => Severity::Critical,
        Some("IMPORTANT" | "SECURITY") => Severity::Important,
        Some("MODERATE" | "LOW" | "OPTIONAL" | "RECOMMENDED" | "NONE") => Severity::DoesNotCount,
        _ => match reading::word(row, "type").as_deref() {
            Some("SECURITY_UPDATES" | "CRITICAL_UPDATES") => Severity::Important,
            Some("DRIVER_UPDATES" | "FEATURE_UPDATES" | "FEATURE_PACKS" | "SERVICE_PACKS") => {
                Severity::DoesNotCount
            }
            _ => Severity::Unknown,
        },
    }
}
