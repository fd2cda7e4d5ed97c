//! `patch_sla` (section 5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    fleet::{self, Fleet},
    one_rule::{self, Answers, Plain, Signal, Verdicts, hold},
    reading::{self, Collected, DAY, Field},
    tenant::{Report, State, Tenant},
};

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

/// A row that is pending.
#[derive(Clone, Copy, Debug)]
struct Pending {
    collected: Collected,
    standing: Standing,
    rejected: bool,
    /// Its type is there and cannot be read, and may be one that counts for nothing.
    type_unreadable: bool,
}

/// When an attempt was made, and how it ended.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// `installedAt`; none where it cannot be read.
    time: Option<i64>,
    failed: bool,
}

/// The pending rows and the attempts of one device and patch.
#[derive(Default)]
struct Pair {
    pending: Vec<Pending>,
    attempts: Vec<Attempt>,
}

/// What became of a failed installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    None,
    Failed,
    Superseded,
}

/// What the two reports of a kind say of the live devices.
#[derive(Default)]
struct PatchRows<'a> {
    devices_measured: BTreeSet<i64>,
    pairs: BTreeMap<(i64, &'a str), Pair>,
    /// Dated successes within the 45 days, by device.
    successes: BTreeMap<i64, Vec<i64>>,
    /// The pending report was answered, and no row of it was lost.
    pending_whole: bool,
    malformed: bool,
}

/// The counts of one kind, and the devices behind them.
#[derive(Default)]
struct Counts {
    devices_measured: BTreeSet<i64>,
    missing_critical: usize,
    missing_important: usize,
    failed_installs: usize,
    failed_superseded: usize,
    rejected: usize,
    severity_unknown: usize,
    devices_with_missing: BTreeSet<i64>,
    devices_with_failed: BTreeSet<i64>,
    devices_with_rejected: BTreeSet<i64>,
    /// An undated or too old pending row decided a unit.
    undated: bool,
}

/// One kind in use.
struct Kind {
    counts: Counts,
    answers: Answers,
}

impl Kind {
    fn of(pending: &Report, installs: &Report, severity_field: &str, fleet: &Fleet) -> Self {
        let rows = PatchRows::of(pending, installs, severity_field, fleet);
        Self {
            answers: Answers::of(&[pending, installs], rows.malformed),
            counts: rows.counts(),
        }
    }

    fn os(tenant: &Tenant, fleet: &Fleet) -> Self {
        let (pending, installs) = (&tenant.os_patches, &tenant.os_patch_installs);
        Self::of(pending, installs, "severity", fleet)
    }

    fn software(tenant: &Tenant, fleet: &Fleet) -> Self {
        let (pending, installs) = (&tenant.software_patches, &tenant.software_patch_installs);
        Self::of(pending, installs, "impact", fleet)
    }

    /// A failure that this kind shows.
    fn fails(&self) -> bool {
        self.answers.all()
            && plain(self.counts.missing(), self.counts.failed_installs) == Plain::Fail
    }
}

pub(crate) fn evaluate(fleet: &Fleet, tenant: &Tenant) -> Value {
    let live: BTreeSet<i64> = fleet.live().map(|device| device.id).collect();
    // A kind that is not in use is left out: neither its rows nor how its reports ended count.
    let os = tenant.kinds.os().then(|| Kind::os(tenant, fleet));
    let software = (tenant.kinds.software()).then(|| Kind::software(tenant, fleet));
    let kinds: Vec<&Kind> = os.iter().chain(&software).collect();

    let devices = |of: fn(&Counts) -> &BTreeSet<i64>| -> BTreeSet<i64> {
        kinds
            .iter()
            .flat_map(|kind| of(&kind.counts))
            .copied()
            .collect()
    };
    let sum =
        |of: fn(&Counts) -> usize| -> usize { kinds.iter().map(|kind| of(&kind.counts)).sum() };
    let measured = devices(|counts| &counts.devices_measured);
    let with_rejected = devices(|counts| &counts.devices_with_rejected).len();
    let missing = sum(Counts::missing);
    let failed = sum(|counts| counts.failed_installs);
    let superseded = sum(|counts| counts.failed_superseded);
    let rejected = sum(|counts| counts.rejected);
    let severity_unknown = sum(|counts| counts.severity_unknown);

    let unmeasured = live.len() - measured.len();
    let scope = fleet.scope(measured.len(), unmeasured);
    let devices_of = |kind: &&&Kind| kind.counts.devices_measured.len();
    let no_data = !live.is_empty() && kinds.iter().any(|kind| devices_of(&kind) == 0);
    let below_half = kinds
        .iter()
        .any(|kind| devices_of(&kind) > 0 && 2 * devices_of(&kind) < live.len());
    // The tenth: devices with a rejected patch are more than a tenth of all but the not applicable, or all of them.
    let in_scope = scope.in_scope();
    let over_a_tenth =
        with_rejected > 0 && (10 * with_rejected > in_scope || with_rejected == in_scope);

    let known = plain(missing, failed);
    let held = severity_unknown > 0 || superseded > 0 || below_half || over_a_tenth;
    let held = known.max(if held { Plain::Warning } else { Plain::Pass });
    let verdicts = Verdicts {
        best: known,
        // An unmeasured device, or a kind that measures none, could miss any number.
        worst: if unmeasured > 0 || no_data {
            Plain::Fail
        } else {
            held
        },
        measured: Some(held),
    };
    let answers = Answers {
        failed: kinds.iter().any(|kind| kind.answers.failed),
        not_available: kinds.iter().any(|kind| kind.answers.not_available),
        malformed: kinds.iter().any(|kind| kind.answers.malformed),
    };
    // The kinds are judged apart when one did not answer: what the other shows, it shows. Open: whether that also holds for
    // a kind that is not available. A failure that was measured is not hidden by it.
    let status = if answers.all() {
        one_rule::decide(&scope, verdicts)
    } else if kinds.iter().any(|kind| kind.fails()) {
        "fail"
    } else {
        "unknown"
    };

    let unknown_class = fleet
        .live()
        .any(|device| device.class == fleet::Class::Unknown && !measured.contains(&device.id));
    let mut reasons = BTreeSet::new();
    one_rule::scope_reasons(&scope, &mut reasons);
    hold(
        &mut reasons,
        "undated_rows",
        kinds.iter().any(|kind| kind.counts.undated),
    );
    hold(&mut reasons, "unknown_node_class", unknown_class);
    hold(&mut reasons, "patches_missing", missing > 0);
    hold(&mut reasons, "installs_failed", failed > 0);
    hold(&mut reasons, "installs_superseded", superseded > 0);
    hold(&mut reasons, "severity_unknown", severity_unknown > 0);
    hold(&mut reasons, "patches_rejected", rejected > 0);
    hold(&mut reasons, "no_patch_data", no_data);
    hold(&mut reasons, "kind_below_half", below_half);
    hold(&mut reasons, "kind_not_in_use", kinds.len() < 2);

    // Open: how the counts of a kind that is not in use are null. The kind is null.
    let json_of = |kind: &Option<Kind>| kind.as_ref().map(|kind| kind.counts.json());
    Signal {
        name: "patch_sla",
        controls: ["IC-038", "IC-053"],
        status,
        answers,
        reasons,
        metadata: json!({
            "scope": scope.json(),
            "os": json_of(&os),
            "software": json_of(&software),
            "devices_with_missing": devices(|counts| &counts.devices_with_missing).len(),
            "devices_with_failed": devices(|counts| &counts.devices_with_failed).len(),
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

/// A patch row without a patch id is lost.
fn without_patch(row: &Value) -> bool {
    fleet::without_device(row) || reading::text(row, "id").is_none()
}

/// A pending row whose state is there and cannot be read is lost.
fn lost_pending(row: &Value) -> bool {
    without_patch(row) || reading::text_field(row, "status") == Field::Unreadable
}

/// An install row without a state is lost, and one whose state cannot be read. Open: a blank state. It is none.
fn lost_install(row: &Value) -> bool {
    without_patch(row) || reading::text(row, "status").is_none()
}

impl<'a> PatchRows<'a> {
    fn of(pending: &'a Report, installs: &'a Report, severity_field: &str, fleet: &Fleet) -> Self {
        let (pending_rows, lost_pending) = fleet::rows(pending, lost_pending);
        let (install_rows, lost_installs) = fleet::rows(installs, lost_install);
        let mut rows = Self {
            // Open: whether a report of which rows were lost was answered whole. It was not: the pair may be pending in one of them.
            pending_whole: pending.state == State::Answered && !lost_pending,
            malformed: lost_pending || lost_installs,
            ..Self::default()
        };
        // Open: what a kind shows of which one report did not answer. Nothing: a success in the missing report could undo a failure in
        // the other.
        if !Answers::of(&[pending, installs], false).all() {
            return rows;
        }
        for device in fleet.live() {
            // No last contact: measured only by what is of the last 30 days.
            let window = if device.contact { 45 * DAY } else { 30 * DAY };
            for row in Fleet::rows_of(device, &pending_rows) {
                rows.add(device.id, row, Some(severity_field), window, fleet.now);
            }
            for row in Fleet::rows_of(device, &install_rows) {
                rows.add(device.id, row, None, window, fleet.now);
            }
            // Of a device whose class cannot be read nothing good is shown.
            if device.class_unreadable {
                rows.devices_measured.remove(&device.id);
            }
        }
        rows
    }

    /// Takes a row of a pending report, whose severities stand in a field, or of an install report.
    fn add(
        &mut self,
        device: i64,
        row: &'a Value,
        severity_field: Option<&str>,
        measuring_window: i64,
        now: i64,
    ) {
        let patch = reading::text(row, "id").expect("a row with a patch id");
        let status = reading::word(row, "status");
        let status = status.as_deref();
        let definitions = reading::word(row, "type").as_deref() == Some("DEFINITION_UPDATES");
        let type_unreadable = reading::text_field(row, "type") == Field::Unreadable;

        // Attempts are rows FAILED and INSTALLED, wherever they appear.
        if let Some(failed) = match status {
            Some("FAILED") => Some(true),
            Some("INSTALLED") => Some(false),
            _ => None,
        } {
            let time = reading::time(row, "installedAt", now);
            let attempt = Attempt { time, failed };
            let in_window = time.is_none_or(|time| now - time <= 45 * DAY);
            // Definition updates, too, prove that a device was scanned.
            if time.is_some_and(|time| now - time <= measuring_window) {
                self.devices_measured.insert(device);
            }
            // Open: a success whose type is there and cannot be read. It may be one of definition updates, and settles nothing.
            let counts = !definitions && (failed || !type_unreadable);
            if in_window && counts {
                self.pairs
                    .entry((device, patch))
                    .or_default()
                    .attempts
                    .push(attempt);
                if let (Some(time), false) = (time, failed) {
                    self.successes.entry(device).or_default().push(time);
                }
            }
        }

        // An install row in another state is neither attempt nor measurement; INSTALLED in a pending report is an attempt, and not
        // pending. FAILED is both.
        let Some(severity_field) = severity_field.filter(|_| status != Some("INSTALLED")) else {
            return;
        };
        let collected = reading::collected(row, now);
        if let Collected::Fresh(_) = collected {
            self.devices_measured.insert(device);
        }
        if !definitions {
            let rejected = status == Some("REJECTED");
            let pending = Pending {
                collected,
                standing: standing(severity(row, severity_field), rejected),
                rejected,
                type_unreadable,
            };
            self.pairs
                .entry((device, patch))
                .or_default()
                .pending
                .push(pending);
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts {
            devices_measured: self.devices_measured.clone(),
            ..Counts::default()
        };
        for ((device, _), pair) in &self.pairs {
            let (standing, undated) = pair.standing();
            counts.undated |= undated;
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
                counts.devices_with_missing.insert(*device);
            }
            if standing == Standing::Rejected {
                counts.devices_with_rejected.insert(*device);
            }
            let successes = self.successes.get(device).map_or(&[][..], Vec::as_slice);
            match pair.failure(self.pending_whole, successes) {
                Failure::Failed => {
                    counts.failed_installs += 1;
                    counts.devices_with_failed.insert(*device);
                }
                Failure::Superseded => counts.failed_superseded += 1,
                Failure::None => {}
            }
        }
        counts
    }
}

impl Pair {
    /// The latest dated attempt; at equal times the failure. Its time, and whether it failed.
    fn latest_dated(&self) -> Option<(i64, bool)> {
        self.attempts
            .iter()
            .filter_map(|attempt| attempt.time.map(|time| (time, attempt.failed)))
            .max()
    }

    fn undated_failure(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.failed && attempt.time.is_none())
    }

    /// What the pair is by its pending rows, and whether an undated or too old one of them counts.
    fn standing(&self) -> (Standing, bool) {
        // A dated success strictly newer than a row settles it. An undated row is not outdone.
        let settled = |time: i64| {
            self.latest_dated()
                .is_some_and(|(latest, failed)| !failed && latest > time)
        };
        let standing_time = |row: &Pending| match row.collected {
            Collected::Fresh(time) | Collected::TooOld(time) if settled(time) => None,
            Collected::Fresh(time) | Collected::TooOld(time) => Some(Some(time)),
            Collected::Undated => Some(None),
        };
        // Open: a row whose type is there and cannot be read. It may be of definition updates, which count for nothing: it hides no
        // other row, however new it is.
        let newest = self
            .pending
            .iter()
            .filter(|row| !row.type_unreadable)
            .filter_map(|row| standing_time(row).flatten())
            .max();
        // The newest, and those that tie with it.
        let counting: Vec<&Pending> = self
            .pending
            .iter()
            .filter(|row| match standing_time(row) {
                None => false,
                Some(None) => true,
                Some(time) if row.type_unreadable => time >= newest,
                Some(time) => time == newest,
            })
            .collect();
        let standing = counting
            .iter()
            .map(|row| row.standing)
            .max()
            .unwrap_or(Standing::Nothing);
        let undated = standing != Standing::Nothing
            && counting.iter().any(|row| {
                row.standing == standing && !matches!(row.collected, Collected::Fresh(_))
            });
        (standing, undated)
    }

    fn failure(&self, pending_whole: bool, successes: &[i64]) -> Failure {
        let failed_at = match self.latest_dated() {
            Some((time, true)) => Some(time),
            // A failure without a time counts only for pairs without a dated attempt; where the latest of these is a success, it is
            // superseded.
            Some((_, false)) if self.undated_failure() => return Failure::Superseded,
            // A success without a time comes before everything else.
            None if self.undated_failure() => None,
            Some((_, false)) | None => return Failure::None,
        };
        let later_success = successes
            .iter()
            .any(|success| failed_at.is_none_or(|failed_at| *success > failed_at));
        let moot = self.pending.is_empty() && later_success;
        if pending_whole && (self.pending_as_rejected() || moot) {
            Failure::Superseded
        } else {
            Failure::Failed
        }
    }

    /// Pending as `REJECTED` by its newest row; an undated row that is not `REJECTED` undoes it. Open: rows that tie as the newest, one
    /// of them not rejected. It undoes it, too.
    fn pending_as_rejected(&self) -> bool {
        let time = |row: &Pending| match row.collected {
            Collected::Fresh(time) | Collected::TooOld(time) => Some(time),
            Collected::Undated => None,
        };
        let newest = self
            .pending
            .iter()
            .filter(|row| !row.type_unreadable)
            .filter_map(time)
            .max();
        let mut counting = self
            .pending
            .iter()
            .filter(|row| time(row).is_none() || time(row) >= newest)
            .peekable();
        counting.peek().is_some() && counting.all(|row| row.rejected && !row.type_unreadable)
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
            "failed_superseded": self.failed_superseded,
            "rejected": self.rejected,
            "severity_unknown": self.severity_unknown,
        })
    }
}

fn standing(severity: Severity, rejected: bool) -> Standing {
    match (severity, rejected) {
        (Severity::DoesNotCount, _) => Standing::Nothing,
        // An accepted risk, also of unknown severity.
        (_, true) => Standing::Rejected,
        (Severity::Critical, false) => Standing::MissingCritical,
        (Severity::Important, false) => Standing::MissingImportant,
        (Severity::Unknown, false) => Standing::SeverityUnknown,
    }
}

fn severity(row: &Value, field: &str) -> Severity {
    let by_type = match reading::word(row, "type").as_deref() {
        Some("SECURITY_UPDATES" | "CRITICAL_UPDATES") => Severity::Important,
        Some("DRIVER_UPDATES" | "FEATURE_UPDATES" | "FEATURE_PACKS" | "SERVICE_PACKS") => {
            Severity::DoesNotCount
        }
        _ => Severity::Unknown,
    };
    match reading::word(row, field).as_deref() {
        Some("CRITICAL") => Severity::Critical,
        Some("IMPORTANT" | "SECURITY") => Severity::Important,
        Some("MODERATE" | "LOW" | "OPTIONAL" | "RECOMMENDED" | "NONE") => Severity::DoesNotCount,
        // A severity that is there and cannot be read is unknown, unless the type makes it important.
        None if reading::text_field(row, field) == Field::Unreadable
            && by_type == Severity::DoesNotCount =>
        {
            Severity::Unknown
        }
        _ => by_type,
    }
}
