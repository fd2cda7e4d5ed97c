//! One customer's evaluation, without the walks that feed it: its devices, the five evaluators, and the fate of every row.
//!
//! It takes rows in any order and from any number of walks. It checks the organization of every row again, because the vendor sometimes
//! ignores filters and returns the whole fleet. A row of another organization's device is *foreign*, a row of an unknown device an
//! *orphan*; both are dropped and counted, never judged. A report may be read again: the earlier reading is discarded, and duplicate rows
//! change nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ninjaone_client::{
    Completeness, DeviceId, Error, ErrorKind, OrganizationId, RepairedField,
    models::{
        Activity, AntivirusStatus, Device, DeviceCustomFields, OsPatch, SoftwarePatch, Volume,
    },
};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, DeviceKey, DiskEncryption, FactsDigest, Fleet, FleetBuilder,
    KindReports, PatchKind, PatchSla, ReportState, RowFate, Signal, SignatureHistory,
    device_inventory,
};

use super::{
    assessment::{Assessment, AssessmentRequest, Verdict},
    facts::{
        self, Malformed,
        custom_fields::{answer_antivirus, answer_disks},
        patch_sla::PatchReport,
    },
    row_tally::{RowTally, sweep_counts},
};
use crate::{
    error,
    host::DEVICE_CEILING,
    model::{ComplianceOrgId, CustomFields, Question, Report, ReportOutcome},
};

/// The result of one organization's reports, with the reports that failed.
#[derive(Debug)]
pub struct Evaluated {
    /// The five signals, and everything else that a sweep commits.
    pub assessment: Assessment,
    /// The fate of the rows of each report.
    pub rows: BTreeMap<Report, RowTally>,
    /// The reports that failed or are not available, and why.
    pub failures: BTreeMap<Report, Error>,
}

/// The devices of one customer, while its device list is read.
pub(super) struct DeviceRoll<'a> {
    request: AssessmentRequest<'a>,
    organization: OrganizationId,
    fleet: FleetBuilder,
    own: BTreeSet<DeviceId>,
    foreign: BTreeSet<DeviceId>,
    tally: RowTally,
    is_cut: bool,
}

impl<'a> DeviceRoll<'a> {
    /// No device yet.
    pub(super) fn new(request: AssessmentRequest<'a>) -> Self {
        Self {
            request,
            organization: request.organization,
            fleet: Fleet::builder(request.now).rules(*request.rules),
            own: BTreeSet::new(),
            foreign: BTreeSet::new(),
            tally: RowTally::default(),
            is_cut: false,
        }
    }

    /// Counts the rows and fields of a page of the list that did not decode.
    pub(super) fn page(&mut self, malformed: usize, repaired: &[RepairedField]) {
        self.tally.page(malformed, repaired);
    }

    /// Adds a row of the list. Beyond the ceiling, no further device is added ([`is_cut`](Self::is_cut)).
    pub(super) fn observe(&mut self, row: &Device) {
        let fact = facts::device_inventory::device(row);
        match (row.id, row.organization_id, fact) {
            (Some(id), Some(of), Ok(fact)) if of == self.organization => {
                if self.own.len() == DEVICE_CEILING && !self.own.contains(&id) {
                    self.is_cut = true;
                    return;
                }
                self.own.insert(id);
                if facts::device_inventory::is_approval_lost(row) {
                    self.tally.unsure += 1;
                }
                self.fleet.observe(fact);
                self.tally.count(RowFate::Used, false);
            }
            (Some(id), Some(_), Ok(_)) => {
                if self.foreign.len() < MOST_OTHERS {
                    self.foreign.insert(id);
                }
                self.tally.count(RowFate::UnknownDevice, true);
            }
            // A device without an organization cannot be taken for this customer's.
            _ => self.tally.malformed(1),
        }
    }

    /// Whether the list has more devices than the ceiling allows. Then the rest need not be read.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The devices of the organization.
    pub(super) const fn own(&self) -> &BTreeSet<DeviceId> {
        &self.own
    }

    /// Counts lost rows of the response. Any of them may belong to this customer.
    pub(super) const fn lost(&mut self, rows: u64) {
        self.tally.malformed(rows);
    }

    /// Ends the list, and begins the evaluation of its devices.
    pub(super) fn close(mut self, end: Option<Completeness>) -> CustomerEvaluation<'a> {
        let is_whole = !self.is_cut && end.is_some_and(Completeness::is_complete);
        if !is_whole {
            self.fleet.truncated();
        }
        if self.tally.malformed + self.tally.unsure > 0 {
            self.fleet.malformed_rows();
        }
        self.foreign.retain(|id| !self.own.contains(id));
        // The devices are not known from a list that may lack some, nor from an empty one: if all devices of an organization are gone at
        // once, NinjaOne more likely did not answer for it.
        let is_known = is_whole && self.tally.malformed == 0 && !self.own.is_empty();
        let listed = is_known.then(|| self.own.iter().copied().collect());
        let fleet = self.fleet.build();
        CustomerEvaluation {
            request: self.request,
            foreign: self.foreign,
            listed,
            unlisted: BTreeMap::new(),
            rows: BTreeMap::from([(Report::Devices, self.tally)]),
            states: BTreeMap::new(),
            outcomes: BTreeMap::from([(Report::Devices, ReportOutcome::Answered)]),
            failures: BTreeMap::new(),
            disk: DiskEncryption::new(Arc::clone(&fleet)),
            antivirus: AntivirusPosture::new(Arc::clone(&fleet)),
            patches: PatchSla::new(Arc::clone(&fleet)).kinds_in_use(self.request.kinds_in_use),
            backups: BackupActivity::new(Arc::clone(&fleet)),
            fleet,
        }
    }
}

/// A row of a report other than the device list.
#[derive(Clone, Copy)]
pub(super) enum ReportRow<'a> {
    Volume(&'a Volume),
    Antivirus(&'a AntivirusStatus),
    OsPatch(PatchReport, &'a OsPatch),
    SoftwarePatch(PatchReport, &'a SoftwarePatch),
    Activity(&'a Activity),
    CustomFields(&'a DeviceCustomFields),
}

impl ReportRow<'_> {
    /// The report that the row belongs to.
    pub(super) const fn report(self) -> Report {
        match self {
            Self::Volume(_) => Report::Volumes,
            Self::Antivirus(_) => Report::AntivirusStatus,
            Self::OsPatch(PatchReport::Pending, _) => Report::OsPatches,
            Self::OsPatch(PatchReport::Installs, _) => Report::OsPatchInstalls,
            Self::SoftwarePatch(PatchReport::Pending, _) => Report::SoftwarePatches,
            Self::SoftwarePatch(PatchReport::Installs, _) => Report::SoftwarePatchInstalls,
            Self::Activity(_) => Report::Activities,
            Self::CustomFields(_) => Report::CustomFields,
        }
    }

    /// Whether the row is lost, because it lacks its identity.
    pub(super) fn is_lost(self, fields: &CustomFields) -> bool {
        match self {
            Self::Volume(row) => facts::disk_encryption::volume(row).is_err(),
            Self::Antivirus(row) => facts::antivirus_posture::product(row).is_err(),
            Self::OsPatch(half, row) => facts::patch_sla::os_patch(row, half).is_err(),
            Self::SoftwarePatch(half, row) => facts::patch_sla::software_patch(row, half).is_err(),
            Self::Activity(row) => facts::backup_activity::backup(row).is_err(),
            Self::CustomFields(row) => fields.read(row).is_err(),
        }
    }

    pub(super) const fn device(self) -> Option<DeviceId> {
        match self {
            Self::Volume(row) => row.device_id,
            Self::Antivirus(row) => row.device_id,
            Self::OsPatch(_, row) => row.device_id,
            Self::SoftwarePatch(_, row) => row.device_id,
            Self::Activity(row) => row.device_id,
            Self::CustomFields(row) => row.device_id,
        }
    }
}

/// A row, with the customer that owns its device.
#[derive(Clone, Copy)]
pub(super) struct OwnRow<'a> {
    pub(super) customer: ComplianceOrgId,
    pub(super) organization: OrganizationId,
    pub(super) row: ReportRow<'a>,
}

/// One customer's evaluation, from its devices to its five signals. It carries the customer's id and passes it on to its results.
pub(super) struct CustomerEvaluation<'a> {
    request: AssessmentRequest<'a>,
    fleet: Arc<Fleet>,
    foreign: BTreeSet<DeviceId>,
    listed: Option<BTreeSet<DeviceId>>,
    unlisted: BTreeMap<Report, BTreeMap<DeviceId, u64>>,
    rows: BTreeMap<Report, RowTally>,
    states: BTreeMap<Report, ReportState>,
    outcomes: BTreeMap<Report, ReportOutcome>,
    failures: BTreeMap<Report, Error>,
    disk: DiskEncryption,
    antivirus: AntivirusPosture,
    patches: PatchSla,
    backups: BackupActivity,
}

impl<'a> CustomerEvaluation<'a> {
    /// The request: what is evaluated, and by which rules.
    pub(super) const fn request(&self) -> AssessmentRequest<'a> {
        self.request
    }

    /// Counts the rows and fields of a page of a report that did not decode.
    pub(super) fn page(&mut self, report: Report, malformed: usize, repaired: &[RepairedField]) {
        let tally = self.rows.entry(report).or_default();
        tally.page(malformed, repaired);
    }

    /// Prepares for reading a report again: its counts and its outcome are discarded. The facts of its rows stay, because the same rows
    /// give the same facts again.
    pub(super) fn forget_report(&mut self, report: Report) {
        self.rows.remove(&report);
        self.unlisted.remove(&report);
        self.states.remove(&report);
        self.outcomes.remove(&report);
        self.failures.remove(&report);
    }

    /// The number of rows of this customer's devices in a report so far.
    pub(super) fn own_rows(&self, report: Report) -> u64 {
        self.rows.get(&report).map_or(0, RowTally::own)
    }

    /// Whether reading a report has ended, with any outcome.
    pub(super) fn has_ended(&self, report: Report) -> bool {
        self.outcomes.contains_key(&report)
    }

    /// Whether a report was read completely and without loss, so that a signal that depends on it may pass.
    pub(super) fn is_whole(&self, report: Report) -> bool {
        let is_lossless = self
            .rows
            .get(&report)
            .is_none_or(|rows| rows.malformed == 0);
        is_lossless && self.outcomes.get(&report) == Some(&ReportOutcome::Answered)
    }

    /// Records that a report was read for many customers, with its number of pages and of lost rows. A lost row may belong to any of the
    /// customers.
    pub(super) fn among_others(&mut self, report: Report, pages: u64, lost: u64) {
        let tally = self.rows.entry(report).or_default();
        tally.pages += pages;
        tally.malformed(lost);
    }

    /// Evaluates a row of a response for this customer alone.
    pub(super) fn observe(&mut self, row: ReportRow<'_>) {
        let fate = self.judge(row);
        let device = row.device();
        let report = row.report();
        let is_foreign = device.is_some_and(|id| self.foreign.contains(&id));
        let tally = self.rows.entry(report).or_default();
        match fate {
            Ok(fate) => {
                tally.count(fate, is_foreign);
                if let (Some(id), RowFate::UnknownDevice, false) = (device, fate, is_foreign) {
                    count_unlisted(&mut self.unlisted, report, id);
                }
            }
            Err(Malformed { .. }) => tally.malformed(1),
        }
    }

    /// Evaluates a row of a response for many customers that was assigned to this customer. Returns `None`, and evaluates nothing, if the
    /// row belongs to another customer or to a device that this customer's list lacks.
    pub(super) fn observe_own(&mut self, row: OwnRow<'_>) -> Option<Result<(), Malformed>> {
        if row.customer != self.request.customer || row.organization != self.request.organization {
            return None;
        }
        Some(match self.judge(row.row) {
            Ok(RowFate::UnknownDevice) => return None,
            Ok(fate) => {
                let tally = self.rows.entry(row.row.report()).or_default();
                tally.count(fate, false);
                Ok(())
            }
            Err(lost) => Err(lost),
        })
    }

    fn judge(&mut self, row: ReportRow<'_>) -> Result<RowFate, Malformed> {
        Ok(match row {
            ReportRow::Volume(row) => facts::disk_encryption::volume(row)?.observe(&mut self.disk),
            ReportRow::Antivirus(row) => {
                let fact = facts::antivirus_posture::product(row)?;
                self.antivirus.observe(fact)
            }
            ReportRow::OsPatch(half, row) => {
                facts::patch_sla::os_patch(row, half)?.observe(&mut self.patches)
            }
            ReportRow::SoftwarePatch(half, row) => {
                facts::patch_sla::software_patch(row, half)?.observe(&mut self.patches)
            }
            ReportRow::Activity(row) => match facts::backup_activity::backup(row)? {
                Some(fact) => self.backups.observe(fact),
                None => RowFate::NotJudged,
            },
            ReportRow::CustomFields(row) => {
                let answers = self.request.custom_fields.read(row)?;
                let Some(device) = row.device_id.map(facts::device_key) else {
                    return Ok(RowFate::NotJudged);
                };
                if !self.fleet.contains(device) {
                    return Ok(RowFate::UnknownDevice);
                }
                answer_disks(&answers, &mut self.disk);
                answer_antivirus(&answers, &mut self.antivirus);
                if answers.is_empty() {
                    RowFate::NotJudged
                } else {
                    RowFate::Used
                }
            }
        })
    }

    /// Records the end of a report: how far it was read, or why it failed.
    pub(super) fn end(&mut self, report: Report, end: Result<Option<Completeness>, Error>) {
        let tally = self.rows.entry(report).or_default();
        let (outcome, state) = match end {
            Ok(Some(Completeness::Complete)) if tally.malformed > 0 => {
                (ReportOutcome::Answered, ReportState::with_malformed_rows())
            }
            Ok(Some(Completeness::Complete)) => (ReportOutcome::Answered, ReportState::answered()),
            Ok(_) => {
                tracing::warn!(?report, "a report was not read to its end");
                let cut = ReportOutcome::failed(error::ErrorKind::Ninjaone(ErrorKind::Truncated));
                (cut, ReportState::failed())
            }
            Err(error) => {
                tracing::warn!(?report, %error, "a report did not answer");
                // If only a person's token may read a report, it is not available to this connection. If it was refused after its first
                // page, it is available, but ended early.
                let is_refused = matches!(
                    error.kind(),
                    ErrorKind::NotAvailable | ErrorKind::UserContextRequired
                );
                let not_available = is_refused && tally.pages == 0;
                let kind = error::Error::from(error.clone()).kind();
                self.failures.insert(report, error);
                if not_available {
                    (ReportOutcome::NotAvailable, ReportState::not_available())
                } else {
                    (ReportOutcome::failed(kind), ReportState::failed())
                }
            }
        };
        self.outcomes.insert(report, outcome);
        self.states.insert(report, state);
    }

    /// The five signals, with the reports that failed. A report whose end was never recorded counts as failed.
    pub(super) fn finish(self) -> Evaluated {
        let request = self.request;
        let key = request.digest_key;
        let inventory = device_inventory::finish_with_digest(&self.fleet, key);
        let disk_state = self.with_custom_fields(Report::Volumes, &[Question::DiskEncrypted]);
        let antivirus_state = self.with_custom_fields(
            Report::AntivirusStatus,
            &[Question::AntivirusOn, Question::SignaturesUpToDate],
        );
        let os = self.of_kind(PatchKind::Os, Report::OsPatches, Report::OsPatchInstalls);
        let software = self.of_kind(
            PatchKind::Software,
            Report::SoftwarePatches,
            Report::SoftwarePatchInstalls,
        );
        let backup_state = self.state(Report::Activities);
        let is_answered = |report| self.outcomes.get(report) == Some(&ReportOutcome::Answered);
        let answered = self.rows.iter().filter(|(report, _)| is_answered(*report));
        let answered = answered
            .map(|(report, tally)| (*report, tally.own()))
            .collect();

        let disk = self.disk.finish_with_digest(disk_state, key);
        let (antivirus, signatures_out_of_date) =
            finish_antivirus(self.antivirus, antivirus_state, request);
        let patches = self.patches.finish_with_digest(os, software, key);
        let backups = self.backups.finish_with_digest(backup_state, key);
        Evaluated {
            assessment: Assessment {
                customer: request.customer,
                organization: request.organization,
                verdicts: [disk, antivirus, patches, backups, inventory]
                    .into_iter()
                    .map(|(signal, facts)| Verdict { signal, facts })
                    .collect(),
                reports: self.outcomes,
                counts: sweep_counts(&self.rows),
                signatures_out_of_date,
                listed_devices: self.listed,
                unlisted_devices: unlisted(self.unlisted),
                rows: answered,
            },
            rows: self.rows,
            failures: self.failures,
        }
    }

    fn state(&self, report: Report) -> ReportState {
        let state = self.states.get(&report).copied();
        state.unwrap_or_else(ReportState::failed)
    }

    /// The state of a report, combined with the state of the custom fields if they answer one of these questions.
    fn with_custom_fields(&self, report: Report, questions: &[Question]) -> ReportState {
        let state = self.state(report);
        let fields = self.request.custom_fields;
        if questions.iter().any(|question| fields.answers(*question)) {
            return state.and(self.state(Report::CustomFields));
        }
        state
    }

    /// The reports of one kind of patches. For a kind that is not in use, no report is requested.
    fn of_kind(&self, kind: PatchKind, pending: Report, installs: Report) -> KindReports {
        if !self.request.kinds_in_use.contains(kind) {
            return KindReports::default();
        }
        KindReports {
            pending: self.state(pending),
            installs: self.state(installs),
        }
    }
}

/// The signal of antivirus, and the devices whose signatures were observed out of date (`true`) or up to date (`false`).
fn finish_antivirus(
    antivirus: AntivirusPosture,
    state: ReportState,
    request: AssessmentRequest<'_>,
) -> ((Signal, FactsDigest), BTreeMap<DeviceId, bool>) {
    let mut sightings = BTreeMap::new();
    if state.has_rows() {
        let id = |device: DeviceKey| DeviceId::new(device.get().cast_signed());
        sightings.extend(antivirus.out_of_date().map(|device| (id(device), true)));
        sightings.extend(antivirus.up_to_date().map(|device| (id(device), false)));
    }
    let history = request.signature_ages.map(|ages| {
        // A device without a time in the history was never observed up to date, so the age of its signatures is unknown.
        let since = |id| ages.out_of_date_since(id);
        let out_of_date = sightings.iter().filter(|(_, out_of_date)| **out_of_date);
        out_of_date
            .filter_map(|(id, _)| Some((facts::device_key(*id), since(*id)?)))
            .collect::<SignatureHistory>()
    });
    let finished = antivirus.finish_with_digest(state, history.as_ref(), request.digest_key);
    (finished, sightings)
}

/// At most this many ids are remembered of devices of other organizations, and likewise of devices that no list contains. Rows of further
/// devices are counted without their ids. Without this limit, a server that invents ids could exhaust the memory.
const MOST_OTHERS: usize = 100_000;

/// Devices that no list contains, with the number of their rows in all reports.
fn unlisted(of_reports: BTreeMap<Report, BTreeMap<DeviceId, u64>>) -> BTreeMap<DeviceId, u64> {
    let mut all = BTreeMap::new();
    for (device, rows) in of_reports.into_values().flatten() {
        *all.entry(device).or_default() += rows;
    }
    all
}

/// Counts a row of a device that no list contains.
fn count_unlisted(
    unlisted: &mut BTreeMap<Report, BTreeMap<DeviceId, u64>>,
    report: Report,
    device: DeviceId,
) {
    let remembered: usize = unlisted.values().map(BTreeMap::len).sum();
    let of_report = unlisted.entry(report).or_default();
    if let Some(rows) = of_report.get_mut(&device) {
        *rows += 1;
    } else if remembered < MOST_OTHERS {
        of_report.insert(device, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_server_invents_are_remembered_up_to_a_number() {
        let mut unlisted = BTreeMap::new();
        for id in 0..2 * MOST_OTHERS {
            let id = DeviceId::new(i64::try_from(id).unwrap());
            count_unlisted(&mut unlisted, Report::Volumes, id);
        }
        count_unlisted(&mut unlisted, Report::Volumes, DeviceId::new(7));
        count_unlisted(&mut unlisted, Report::OsPatches, DeviceId::new(7));
        let all = super::unlisted(unlisted);
        assert_eq!(all.len(), MOST_OTHERS);
        assert_eq!(all.get(&DeviceId::new(7)), Some(&2));
    }
}
