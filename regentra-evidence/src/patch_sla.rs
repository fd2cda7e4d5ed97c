//! Patch SLA: are critical and important patches installed, and do installations succeed?
//!
//! **Unit:** (device, kind, patch) on live devices; the kind is operating system or software. A unit is judged from pending patches and
//! from the install attempts of the last 45 days. Definition updates of Microsoft Defender only prove that a device was scanned. A kind
//! that is not in use ([`KindsInUse`]) is left out.
//!
//! **Attempts:** the latest attempt of a patch wins, at equal times the failure. The time is that of the installation; exactly 45 days old
//! is in. A success without a time counts as older than everything else, so it has no effect: it beats no other attempt, clears no pending
//! patch, and does not prove that the device was patched recently. A failure without a time always counts, if the patch has no dated
//! attempt.
//!
//! **Superseded failures:** a patch whose latest attempt failed is *superseded* instead of failed, when the pending report of its kind
//! arrived whole and either the patch is pending as rejected (by its newest row; a row without a readable time that is not rejected undoes
//! it), or it is not pending and the device has a dated success of that kind, of any patch, later than the failure (of a failure without a
//! time: any dated success). A failure without a time beside a dated success as the patch's latest attempt is superseded too. Nothing is
//! left for a person to install, so this is a warning, not a failure. An empty pending list alone proves nothing.
//!
//! **Pending:** a patch is missing if its severity counts and it was not rejected, whatever the age of the row. A rejected patch is an
//! accepted risk: counted, not missing. A patch whose latest attempt is a dated success strictly newer than the pending row is neither. If
//! a unit has several rows, the newest wins, at a tie the worse one. A row without a readable time ties with the newest row that no success
//! has superseded, and no success supersedes it. A row whose type is present but cannot be read ([`PatchSla::observe_pending_in_doubt`])
//! may be a definition update: it hides no other row, and counts if no newer row hides it.
//!
//! **Measured** devices have a pending row of the last 30 days or a dated attempt in any of the reports: a machine that is patched at all
//! shows one within 45 days, while an empty list could also mean a missing permission. If a kind in use measures no live device, the signal
//! never passes; if it measures fewer than half of them, the signal is at best a warning. A device whose class cannot be read is never
//! measured.
//!
//! **Verdict:** none missing is a pass, 1 to 5 a warning, 6 or more a failure; a patch whose latest attempt failed is a failure; with a
//! severity that could not be read, or a superseded failure, the signal is at best a warning. The same holds if more than a tenth of the
//! devices have rejected patches. If the reports of one kind failed, the verdict is fail if the other kind shows a failure, otherwise
//! unknown.
//!
//! ```
//! use regentra_evidence::{
//!     AttemptFact, DeviceClass, DeviceFact, DeviceKey, Fleet, InstallOutcome, PatchKey, PatchKind, PatchSla, ReportState,
//!     RowFate, Status,
//! };
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let device = DeviceKey::new(1);
//! let mut devices = Fleet::builder(now);
//! devices.observe(DeviceFact {
//!     device,
//!     approved: true,
//!     class: DeviceClass::WindowsWorkstation,
//!     offline: Some(false),
//!     last_contact: Some(now),
//! });
//!
//! let mut patches = PatchSla::new(devices.build());
//! for kind in [PatchKind::Os, PatchKind::Software] {
//!     let fate = patches.observe_attempt(AttemptFact {
//!         device,
//!         kind,
//!         patch: PatchKey::new(7),
//!         definition_update: false,
//!         outcome: InstallOutcome::Installed,
//!         installed_at: Some(datetime!(2026-11-20 03:00 UTC)),
//!     });
//!     assert_eq!(fate, RowFate::Used);
//! }
//! let answered = ReportState::answered();
//! assert_eq!(patches.finish(answered, answered).status, Status::Pass);
//! ```

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    device::DeviceKey,
    digest::{DigestKey, FactsDigest, FactsHasher},
    fleet::{DeviceScope, DeviceStanding, Fleet, OtherFleet, RowTime, add_one, count},
    joined::{Join, Joined},
    reason::Reason,
    report::{ReportState, RowFate},
    rules::{ATTEMPTS_WINDOW, ROW_LIFETIME, Rules},
    signal::{Metadata, Signal, SignalKind, Status},
    time::{believable, is_older_than},
    verdict::{Grade, Grades, beyond_a_tenth, conclude, decide},
};

/// An opaque number that tells patches apart. It never appears in any output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchKey(u128);

impl PatchKey {
    /// Wraps a number that is unique among the patches of one kind.
    #[must_use]
    pub const fn new(key: u128) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for PatchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatchKey(..)")
    }
}

/// What a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatchKind {
    /// The operating system.
    Os,
    /// Other software.
    Software,
}

/// Which kinds of patches a customer uses the tenant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindsInUse {
    /// Both.
    #[default]
    Both,
    /// The operating system alone.
    Os,
    /// Other software alone.
    Software,
}

impl KindsInUse {
    /// Whether this kind is one of them.
    #[must_use]
    pub const fn contains(self, kind: PatchKind) -> bool {
        match self {
            Self::Both => true,
            Self::Os => matches!(kind, PatchKind::Os),
            Self::Software => matches!(kind, PatchKind::Software),
        }
    }
}

/// How the two reports of one kind ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindReports {
    /// What is pending.
    pub pending: ReportState,
    /// What was attempted.
    pub installs: ReportState,
}

impl From<ReportState> for KindReports {
    /// Both ended alike.
    fn from(both: ReportState) -> Self {
        Self {
            pending: both,
            installs: both,
        }
    }
}

impl KindReports {
    const fn state(self) -> ReportState {
        self.pending.and(self.installs)
    }
}

/// How severe a patch is, as far as the verdict cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchSeverity {
    /// Counts, and is shown apart.
    Critical,
    /// Counts. Security fixes of Mac and Linux lists are important.
    Important,
    /// Does not count.
    Low,
    /// Could not be read: never low, holds the signal at warning.
    Unknown,
}

/// What one row of a pending report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingFact {
    /// The device.
    pub device: DeviceKey,
    /// Operating system or software.
    pub kind: PatchKind,
    /// The patch.
    pub patch: PatchKey,
    /// A definition update of Microsoft Defender.
    pub definition_update: bool,
    /// How severe it is.
    pub severity: PatchSeverity,
    /// A technician decided not to install it.
    pub rejected: bool,
    /// When the row was collected; `None` when absent or unreadable: the row measures nothing, and counts all the same.
    pub collected_at: Option<OffsetDateTime>,
}

/// How an attempt to install ended. At equal times the failure wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstallOutcome {
    /// Installed.
    Installed,
    /// Failed.
    Failed,
}

/// What one row about an attempt to install says, whichever report it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptFact {
    /// The device.
    pub device: DeviceKey,
    /// Operating system or software.
    pub kind: PatchKind,
    /// The patch.
    pub patch: PatchKey,
    /// A definition update of Microsoft Defender.
    pub definition_update: bool,
    /// How it ended.
    pub outcome: InstallOutcome,
    /// When it was made; `None` when absent or unreadable.
    pub installed_at: Option<OffsetDateTime>,
}

/// What a pending row is to the verdict, from good to bad: at equal times the worse wins. The order is part of the facts digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    Nothing,
    Rejected,
    SeverityUnknown,
    MissingImportant,
    MissingCritical,
}

impl Pending {
    const fn of(fact: &PendingFact) -> Self {
        match (fact.severity, fact.rejected) {
            (PatchSeverity::Low, _) => Self::Nothing,
            (_, true) => Self::Rejected,
            (PatchSeverity::Critical, false) => Self::MissingCritical,
            (PatchSeverity::Important, false) => Self::MissingImportant,
            (PatchSeverity::Unknown, false) => Self::SeverityUnknown,
        }
    }
}

/// What pending rows of one moment, or of none that is known, say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed {
    worst: Pending,
    /// Every one of them is rejected, whatever its severity.
    all_rejected: bool,
}

impl Listed {
    fn join(self, other: Self) -> Self {
        Self {
            worst: self.worst.max(other.worst),
            all_rejected: self.all_rejected && other.all_rejected,
        }
    }
}

/// The newest of two, joined where they are of the same moment.
fn newest(
    left: Option<(OffsetDateTime, Listed)>,
    right: Option<(OffsetDateTime, Listed)>,
) -> Option<(OffsetDateTime, Listed)> {
    match (left, right) {
        (Some((left_at, left)), Some((right_at, right))) => Some(match left_at.cmp(&right_at) {
            Ordering::Less => (right_at, right),
            Ordering::Equal => (left_at, left.join(right)),
            Ordering::Greater => (left_at, left),
        }),
        (left, right) => left.or(right),
    }
}

/// Rows in doubt, by time.
#[expect(
    clippy::box_collection,
    reason = "patches are kept by the hundred thousand, and almost none has any"
)]
#[derive(Clone, Debug, Default)]
struct InDoubt(Option<Box<BTreeMap<OffsetDateTime, Listed>>>);

impl InDoubt {
    fn of(at: OffsetDateTime, listed: Listed) -> Self {
        Self(Some(Box::new(BTreeMap::from([(at, listed)]))))
    }

    fn join(&mut self, other: Self) {
        let Some(rows) = other.0 else { return };
        let known = self.0.get_or_insert_default();
        for (at, listed) in *rows {
            known
                .entry(at)
                .and_modify(|known| *known = known.join(listed))
                .or_insert(listed);
        }
    }

    /// Leaves out those before `newest`.
    fn begin_at(&mut self, newest: OffsetDateTime) {
        if let Some(rows) = &mut self.0 {
            rows.retain(|at, _| *at >= newest);
        }
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |rows| rows.len())
    }

    fn iter(&self) -> impl Iterator<Item = (OffsetDateTime, Listed)> {
        let rows = self.0.iter().flat_map(|rows| rows.iter());
        rows.map(|(at, listed)| (*at, *listed))
    }
}

/// What the rows of one patch on one device say together: joins.
#[derive(Clone, Debug, Default)]
struct Patch {
    /// The newest pending rows with a time, too old ones included.
    dated: Option<(OffsetDateTime, Listed)>,
    /// Rows at least as new whose type cannot be read: they stand beside the newest, and hide nothing.
    in_doubt: InDoubt,
    /// Pending rows without a readable time.
    undated: Option<Listed>,
    /// The latest attempt with a time.
    latest: Option<(OffsetDateTime, InstallOutcome)>,
    /// A failure without a time.
    undated_failure: bool,
}

/// How the installation of a patch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installation {
    /// No failure, or one that a later success followed.
    Fine,
    /// The latest attempt failed; `at` is `None` where nobody knows when.
    Failed { at: Option<OffsetDateTime> },
    /// A failure without a time, beside a dated success.
    Superseded,
}

impl Join for Patch {
    fn join(&mut self, other: Self) {
        self.dated = newest(self.dated, other.dated);
        self.in_doubt.join(other.in_doubt);
        if let Some((newest, _)) = self.dated {
            self.in_doubt.begin_at(newest);
        }
        self.undated = match (self.undated, other.undated) {
            (Some(own), Some(other)) => Some(own.join(other)),
            (own, other) => own.or(other),
        };
        self.latest = self.latest.max(other.latest);
        self.undated_failure |= other.undated_failure;
    }
}

impl Patch {
    const fn installation(&self) -> Installation {
        match (self.latest, self.undated_failure) {
            (Some((at, InstallOutcome::Failed)), _) => Installation::Failed { at: Some(at) },
            (Some((_, InstallOutcome::Installed)), true) => Installation::Superseded,
            (None, true) => Installation::Failed { at: None },
            (_, false) => Installation::Fine,
        }
    }

    /// The newest pending rows with a time and those in doubt, unless a later success has outdone them.
    fn standing(&self) -> impl Iterator<Item = (OffsetDateTime, Listed)> {
        self.dated.into_iter().chain(self.in_doubt.iter()).filter(|(collected, _)| {
            !matches!(self.latest, Some((installed, InstallOutcome::Installed)) if installed > *collected)
        })
    }

    /// The pending rows that count; `None` where the patch is not pending.
    fn listed(&self) -> Option<Listed> {
        self.standing()
            .map(|(_, listed)| listed)
            .chain(self.undated)
            .reduce(Listed::join)
    }

    fn pending(&self) -> Pending {
        self.listed()
            .map_or(Pending::Nothing, |listed| listed.worst)
    }

    /// Whether a row that is undated, or too old, is what the patch counts by.
    fn is_by_undated(&self, is_too_old: impl Fn(OffsetDateTime) -> bool) -> bool {
        let pending = self.pending();
        let is_by = |listed: Listed| pending != Pending::Nothing && listed.worst == pending;
        self.undated.is_some_and(is_by)
            || self
                .standing()
                .any(|(at, listed)| is_too_old(at) && is_by(listed))
    }

    /// Whether the failure left nothing that a person could install. `success` is the latest dated one of the device and kind.
    fn is_moot(&self, failed_at: Option<OffsetDateTime>, success: Option<OffsetDateTime>) -> bool {
        match self.listed() {
            Some(listed) => listed.all_rejected,
            None => success.is_some_and(|success| failed_at.is_none_or(|failed| success > failed)),
        }
    }
}

/// Patches of one kind, over all live devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchCounts {
    /// Live devices with a pending row of the last 30 days or a dated attempt of this kind.
    pub devices_measured: u64,
    /// Critical patches missing.
    pub missing_critical: u64,
    /// Important patches missing.
    pub missing_important: u64,
    /// Patches whose latest installation failed, of any severity.
    pub failed_installs: u64,
    /// Patches whose latest installation failed, of any severity, where nothing is left to install. `None` in signals of the
    /// rules `2026-11`, which counted them as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_superseded: Option<u64>,
    /// Patches of critical, important or unknown severity that were rejected.
    pub rejected: u64,
    /// Pending patches whose severity could not be read.
    pub severity_unknown: u64,
}

impl PatchCounts {
    const fn missing(&self) -> u64 {
        self.missing_critical.saturating_add(self.missing_important)
    }
}

/// The aggregates behind the patch signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchSlaMetadata {
    /// Devices; measured means a pending row of the last 30 days or a dated attempt in any of the reports.
    pub scope: DeviceScope,
    /// Patches of the operating system; `None` where the kind is not in use.
    pub os: Option<PatchCounts>,
    /// Patches of other software; `None` where the kind is not in use.
    pub software: Option<PatchCounts>,
    /// Devices with at least one missing patch of either kind.
    pub devices_with_missing: u64,
    /// Devices with at least one patch whose latest installation failed.
    pub devices_with_failed: u64,
}

/// A patch of a device, and what its rows say.
type PatchRow = ((DeviceKey, PatchKind, PatchKey), Patch);

/// What the joined patches of one kind add up to.
#[derive(Debug, Default)]
struct Tally {
    counts: PatchCounts,
    failed_superseded: u64,
    with_missing: BTreeSet<DeviceKey>,
    with_failed: BTreeSet<DeviceKey>,
    with_rejected: BTreeSet<DeviceKey>,
    by_undated: bool,
}

/// Judges patches; see the [module](self) for the rule.
#[derive(Clone, Debug)]
pub struct PatchSla {
    fleet: Arc<Fleet>,
    kinds: KindsInUse,
    patches: Joined<(DeviceKey, PatchKind, PatchKey), Patch>,
    /// The latest dated success of each device and kind, of any patch.
    successes: BTreeMap<(DeviceKey, PatchKind), OffsetDateTime>,
    measured: BTreeSet<(DeviceKey, PatchKind)>,
    /// What the device of the row before is to this signal: rows come device by device.
    last: Option<(DeviceKey, Result<DeviceStanding, RowFate>)>,
}

impl PatchSla {
    /// Starts with no row, and both kinds in use.
    #[must_use]
    pub const fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            kinds: KindsInUse::Both,
            patches: Joined::new(),
            successes: BTreeMap::new(),
            measured: BTreeSet::new(),
            last: None,
        }
    }

    /// Leaves out the kinds that are not in use: call it before the first row. Rows of such a kind are not judged.
    #[must_use]
    pub const fn kinds_in_use(mut self, kinds: KindsInUse) -> Self {
        self.kinds = kinds;
        self
    }

    /// What is known of the device of a row that is judged, or why it is not.
    fn judged(&mut self, device: DeviceKey, kind: PatchKind) -> Result<DeviceStanding, RowFate> {
        let known = self.last.filter(|(last, _)| *last == device);
        let standing = match known {
            Some((_, standing)) => standing,
            None => self.fleet.judged(device, DeviceStanding::is_live_endpoint),
        };
        self.last = Some((device, standing));
        if standing.is_ok() && !self.kinds.contains(kind) {
            return Err(RowFate::NotJudged);
        }
        standing
    }

    /// Takes one row of a pending report: what is listed there is pending now, whatever the time of the row.
    pub fn observe_pending(&mut self, fact: PendingFact) -> RowFate {
        self.observe_listed(fact, false)
    }

    /// Takes one row of a pending report whose type is there and cannot be read. It may be of a definition update, so it hides no other
    /// row of its patch, makes no failure moot, and counts where it is bad.
    pub fn observe_pending_in_doubt(&mut self, fact: PendingFact) -> RowFate {
        self.observe_listed(fact, true)
    }

    fn observe_listed(&mut self, fact: PendingFact, in_doubt: bool) -> RowFate {
        let standing = match self.judged(fact.device, fact.kind) {
            Ok(standing) => standing,
            Err(fate) => return fate,
        };
        let time = self.fleet.row_time(fact.collected_at);
        if let RowTime::Fresh(at) = time {
            self.measure(fact.device, standing, fact.kind, at);
        }
        if !fact.definition_update {
            let listed = Listed {
                worst: Pending::of(&fact),
                all_rejected: fact.rejected && !in_doubt,
            };
            let mut patch = Patch::default();
            match time {
                RowTime::Fresh(at) | RowTime::TooOld(at) if in_doubt => {
                    patch.in_doubt = InDoubt::of(at, listed);
                }
                RowTime::Fresh(at) | RowTime::TooOld(at) => patch.dated = Some((at, listed)),
                RowTime::Undated => patch.undated = Some(listed),
            }
            self.patches
                .join((fact.device, fact.kind, fact.patch), patch);
        }
        time.fate()
    }

    /// Takes one row about an attempt to install. Attempts go by their own time, not by when the row was collected.
    pub fn observe_attempt(&mut self, fact: AttemptFact) -> RowFate {
        let standing = match self.judged(fact.device, fact.kind) {
            Ok(standing) => standing,
            Err(fate) => return fate,
        };
        let now = self.fleet.now();
        let key = (fact.device, fact.kind, fact.patch);
        let Some(at) = believable(fact.installed_at, now) else {
            if fact.outcome == InstallOutcome::Failed && !fact.definition_update {
                let patch = Patch {
                    undated_failure: true,
                    ..Patch::default()
                };
                self.patches.join(key, patch);
            }
            return RowFate::Unreadable;
        };
        if is_older_than(at, ATTEMPTS_WINDOW, now) {
            return RowFate::Stale;
        }
        self.measure(fact.device, standing, fact.kind, at);
        if !fact.definition_update {
            let patch = Patch {
                latest: Some((at, fact.outcome)),
                ..Patch::default()
            };
            self.patches.join(key, patch);
            if fact.outcome == InstallOutcome::Installed {
                self.succeed((fact.device, fact.kind), at);
            }
        }
        RowFate::Used
    }

    fn measure(
        &mut self,
        device: DeviceKey,
        standing: DeviceStanding,
        kind: PatchKind,
        at: OffsetDateTime,
    ) {
        if standing.is_measured_at(at, self.fleet.now()) && standing.class.shows_good() {
            self.measured.insert((device, kind));
        }
    }

    fn succeed(&mut self, key: (DeviceKey, PatchKind), at: OffsetDateTime) {
        let latest = self.successes.entry(key).or_insert(at);
        *latest = at.max(*latest);
    }

    /// Adds what another evaluator of the same fleet has seen.
    ///
    /// # Errors
    ///
    /// [`OtherFleet`] when the other evaluator is of another fleet, or of other kinds in use: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtherFleet> {
        self.fleet.same(&other.fleet)?;
        if self.kinds != other.kinds {
            return Err(OtherFleet);
        }
        self.measured.extend(other.measured);
        for (key, at) in other.successes {
            self.succeed(key, at);
        }
        self.patches.merge(other.patches);
        Ok(())
    }

    fn tally(&self, kind: PatchKind, pending: ReportState, patches: &[PatchRow]) -> Tally {
        let now = self.fleet.now();
        let is_too_old = |at| is_older_than(at, ROW_LIFETIME, now);
        let mut tally = Tally::default();
        let own = patches.iter().filter(|((_, of, _), _)| *of == kind);
        for ((device, _, _), patch) in own {
            let counts = &mut tally.counts;
            match patch.pending() {
                Pending::Nothing => {}
                Pending::Rejected => {
                    add_one(&mut counts.rejected);
                    tally.with_rejected.insert(*device);
                }
                Pending::SeverityUnknown => add_one(&mut counts.severity_unknown),
                Pending::MissingImportant => {
                    add_one(&mut counts.missing_important);
                    tally.with_missing.insert(*device);
                }
                Pending::MissingCritical => {
                    add_one(&mut counts.missing_critical);
                    tally.with_missing.insert(*device);
                }
            }
            // What is too old for a device that is kept beyond its silence is every row, whatever its time.
            let silent = !self.fleet.measures(*device, now);
            tally.by_undated |= patch.is_by_undated(|at| silent || is_too_old(at));
            let success = self.successes.get(&(*device, kind)).copied();
            match patch.installation() {
                Installation::Fine => {}
                Installation::Failed { at }
                    if !(pending.is_whole() && patch.is_moot(at, success)) =>
                {
                    add_one(&mut counts.failed_installs);
                    tally.with_failed.insert(*device);
                }
                Installation::Failed { .. } | Installation::Superseded => {
                    add_one(&mut tally.failed_superseded);
                }
            }
        }
        for (_, of) in &self.measured {
            if *of == kind {
                add_one(&mut tally.counts.devices_measured);
            }
        }
        tally.counts.failed_superseded = Some(tally.failed_superseded);
        tally
    }

    /// The signal. Each kind has two reports, pending patches and install attempts; those of a kind that is not in use do not
    /// matter.
    #[must_use]
    pub fn finish(
        mut self,
        os: impl Into<KindReports>,
        software: impl Into<KindReports>,
    ) -> Signal {
        let (os, software) = (os.into(), software.into());
        let patches = self.usable(os, software);
        self.judge(os, software, &patches)
    }

    /// The signal, and the keyed digest of the facts it was judged from.
    #[must_use]
    pub fn finish_with_digest(
        mut self,
        os: impl Into<KindReports>,
        software: impl Into<KindReports>,
        key: &DigestKey,
    ) -> (Signal, FactsDigest) {
        let (os, software) = (os.into(), software.into());
        let patches = self.usable(os, software);
        let signal = self.judge(os, software, &patches);
        (signal, self.digest(os, software, &patches, key))
    }

    /// Forgets what a kind's rows said whose reports failed; the patches of the rest, in order.
    fn usable(&mut self, os: KindReports, software: KindReports) -> Vec<PatchRow> {
        let has_rows = |kind: PatchKind| match kind {
            PatchKind::Os => os.state().has_rows(),
            PatchKind::Software => software.state().has_rows(),
        };
        self.successes.retain(|(_, kind), _| has_rows(*kind));
        self.measured.retain(|(_, kind)| has_rows(*kind));
        let patches = std::mem::replace(&mut self.patches, Joined::new());
        patches.finish(|(_, kind, _)| has_rows(*kind))
    }

    fn digest(
        &self,
        os: KindReports,
        software: KindReports,
        patches: &[PatchRow],
        key: &DigestKey,
    ) -> FactsDigest {
        let mut facts = key.hasher(SignalKind::PatchSla);
        self.fleet.digest(&mut facts);
        facts.tag(self.kinds as u8);
        for reports in [os, software] {
            reports.pending.digest(&mut facts);
            reports.installs.digest(&mut facts);
        }
        facts.number(count(patches.len()));
        for ((device, kind, PatchKey(key)), patch) in patches {
            facts.number(device.get());
            facts.tag(*kind as u8);
            facts.wide(*key);
            let listed = |facts: &mut FactsHasher, listed: Listed| {
                facts.tag(listed.worst as u8);
                facts.flag(listed.all_rejected);
            };
            facts.option(patch.dated, |facts, (time, rows)| {
                facts.time(time);
                listed(facts, rows);
            });
            facts.option(patch.undated, listed);
            facts.option(patch.latest, |facts, (time, outcome)| {
                facts.time(time);
                facts.tag(outcome as u8);
            });
            let has_doubt = patch.in_doubt.len() > 0;
            facts.flags(patch.undated_failure, has_doubt);
            if has_doubt {
                facts.number(count(patch.in_doubt.len()));
            }
            for (time, rows) in patch.in_doubt.iter() {
                facts.time(time);
                listed(&mut facts, rows);
            }
        }
        facts.number(count(self.successes.len()));
        for ((device, kind), at) in &self.successes {
            facts.number(device.get());
            facts.tag(*kind as u8);
            facts.time(*at);
        }
        facts.number(count(self.measured.len()));
        for (device, kind) in &self.measured {
            facts.number(device.get());
            facts.tag(*kind as u8);
        }
        facts.finish()
    }

    /// How many devices are live, and how many of them are measured.
    fn count_live(&self, reasons: &mut BTreeSet<Reason>) -> (u64, u64) {
        let (mut live, mut measured) = (0_u64, 0_u64);
        for (device, class) in self.fleet.live_endpoints() {
            add_one(&mut live);
            let is_measured = [PatchKind::Os, PatchKind::Software]
                .into_iter()
                .any(|kind| self.measured.contains(&(device, kind)));
            if is_measured {
                add_one(&mut measured);
            } else if class.is_unknown() {
                reasons.insert(Reason::UnknownNodeClass);
            }
        }
        (live, measured)
    }

    fn judge(&self, os: KindReports, software: KindReports, patches: &[PatchRow]) -> Signal {
        let in_use: Vec<(PatchKind, KindReports)> =
            [(PatchKind::Os, os), (PatchKind::Software, software)]
                .into_iter()
                .filter(|(kind, _)| self.kinds.contains(*kind))
                .collect();
        let tallies: BTreeMap<PatchKind, Tally> = in_use
            .iter()
            .map(|(kind, reports)| (*kind, self.tally(*kind, reports.pending, patches)))
            .collect();
        let report = in_use
            .iter()
            .fold(ReportState::answered(), |all, (_, reports)| {
                all.and(reports.state())
            });

        let mut reasons = BTreeSet::new();
        let (live, measured) = self.count_live(&mut reasons);
        let sum = |of: fn(&Tally) -> u64| {
            tallies
                .values()
                .fold(0_u64, |sum, tally| sum.saturating_add(of(tally)))
        };
        let devices = |of: fn(&Tally) -> &BTreeSet<DeviceKey>| {
            let all: BTreeSet<DeviceKey> = tallies.values().flat_map(of).copied().collect();
            count(all.len())
        };
        let shown = RowTotals {
            missing: sum(|tally| tally.counts.missing()),
            failed: sum(|tally| tally.counts.failed_installs),
            superseded: sum(|tally| tally.failed_superseded),
            severity_unknown: sum(|tally| tally.counts.severity_unknown),
        };
        let any_kind = |is: fn(u64, u64) -> bool| {
            live > 0
                && tallies
                    .values()
                    .any(|tally| is(tally.counts.devices_measured, live))
        };
        let kind_unseen = any_kind(|measured, _| measured == 0);
        let kind_below_half =
            any_kind(|measured, live| measured > 0 && measured.saturating_mul(2) < live);
        for (holds, reason) in [
            (shown.missing > 0, Reason::PatchesMissing),
            (shown.failed > 0, Reason::InstallsFailed),
            (shown.superseded > 0, Reason::InstallsSuperseded),
            (shown.severity_unknown > 0, Reason::SeverityUnknown),
            (
                sum(|tally| tally.counts.rejected) > 0,
                Reason::PatchesRejected,
            ),
            (kind_unseen, Reason::NoPatchData),
            (kind_below_half, Reason::KindBelowHalf),
            (self.kinds != KindsInUse::Both, Reason::KindNotInUse),
            (
                tallies.values().any(|tally| tally.by_undated),
                Reason::UndatedRows,
            ),
        ] {
            if holds {
                reasons.insert(reason);
            }
        }

        let scope = self.fleet.endpoint_scope(measured);
        let plain = shown.grade(&self.fleet.rules());
        let mut grades = Grades {
            best: plain,
            worst: if scope.unmeasured > 0 || kind_unseen {
                Grade::Fail
            } else {
                plain
            },
            measured: plain,
        };
        if kind_below_half || beyond_a_tenth(&scope, devices(|tally| &tally.with_rejected)) {
            grades = grades.at_best_warning();
        }
        let mut status = decide(&scope, grades, &mut reasons);
        // The kinds are judged apart: what one kind's rows show to be a failure stands without the other's.
        if !report.has_rows() && status != Status::Fail {
            status = Status::Unknown;
        }
        let counts = |kind| tallies.get(&kind).map(|tally: &Tally| tally.counts);
        let metadata = PatchSlaMetadata {
            scope,
            os: counts(PatchKind::Os),
            software: counts(PatchKind::Software),
            devices_with_missing: devices(|tally| &tally.with_missing),
            devices_with_failed: devices(|tally| &tally.with_failed),
        };
        conclude(
            &self.fleet,
            report,
            status,
            reasons,
            Metadata::PatchSla(metadata),
        )
    }
}

/// What the rows show, over the kinds in use.
#[derive(Clone, Copy, Debug)]
struct RowTotals {
    missing: u64,
    failed: u64,
    superseded: u64,
    severity_unknown: u64,
}

impl RowTotals {
    /// The plain verdict.
    const fn grade(&self, rules: &Rules) -> Grade {
        if self.failed > 0 || self.missing >= rules.patches_fail_from {
            Grade::Fail
        } else if self.missing > 0 || self.superseded > 0 || self.severity_unknown > 0 {
            Grade::Warning
        } else {
            Grade::Pass
        }
    }
}

#[cfg(test)]
mod tests;
