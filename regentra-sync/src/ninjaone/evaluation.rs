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

/// What one organization's reports say, and what went wrong on the way.
#[derive(Debug)]
pub struct Evaluated {
    /// The five signals and everything a sweep commits of them.
    pub assessment: Assessment,
    /// What became of the rows of each report.
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

    /// A page of the list: rows that did not decode, and fields that did not.
    pub(super) fn page(&mut self, malformed: usize, repaired: &[RepairedField]) {
        self.tally.page(malformed, repaired);
    }

    /// A row of the list. Once there are more devices than the ceiling allows, no further one is taken ([`is_cut`](Self::is_cut)).
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
            // A device that does not say whose it is cannot be taken for this customer's.
            _ => self.tally.malformed(1),
        }
    }

    /// Whether the list has more devices than the ceiling allows: what follows need not be read.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The devices of the organization.
    pub(super) const fn own(&self) -> &BTreeSet<DeviceId> {
        &self.own
    }

    /// Rows of the answer that are lost: nobody can say that they are not of this customer.
    pub(super) const fn lost(&mut self, rows: u64) {
        self.tally.malformed(rows);
    }

    /// The list ended: the evaluation of its devices begins.
    pub(super) fn close(mut self, end: Option<Completeness>) -> CustomerEvaluation<'a> {
        let is_whole = !self.is_cut && end.is_some_and(Completeness::is_complete);
        if !is_whole {
            self.fleet.truncated();
        }
        if self.tally.malformed + self.tally.unsure > 0 {
            self.fleet.malformed_rows();
        }
        self.foreign.retain(|id| !self.own.contains(id));
        // Not of a list that may lack some, nor of an empty one: an organization whose devices are gone all at once is more likely
        // one that NinjaOne did not answer for.
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

/// A row of a report that is not the device list.
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
    /// The report it is a row of.
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

    /// Whether it is lost, because it does not say which row it is.
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

/// A row, and the customer whose device it is of.
#[derive(Clone, Copy)]
pub(super) struct OwnRow<'a> {
    pub(super) customer: ComplianceOrgId,
    pub(super) organization: OrganizationId,
    pub(super) row: ReportRow<'a>,
}

/// One customer's evaluation, from its devices to its five signals. It carries the id of whose it is, and what it yields carries it on.
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
    /// What is evaluated, and by which rules.
    pub(super) const fn request(&self) -> AssessmentRequest<'a> {
        self.request
    }

    /// A page of a report: rows that did not decode, and fields that did not.
    pub(super) fn page(&mut self, report: Report, malformed: usize, repaired: &[RepairedField]) {
        let tally = self.rows.entry(report).or_default();
        tally.page(malformed, repaired);
    }

    /// A report is read anew: what it said before is forgotten, apart from what its rows prove, which they prove once more.
    pub(super) fn begin_again(&mut self, report: Report) {
        self.rows.remove(&report);
        self.unlisted.remove(&report);
        self.states.remove(&report);
        self.outcomes.remove(&report);
        self.failures.remove(&report);
    }

    /// Rows of this customer's devices that a report has had so far.
    pub(super) fn own_rows(&self, report: Report) -> u64 {
        self.rows.get(&report).map_or(0, RowTally::own)
    }

    /// Whether a report was read, to whatever end.
    pub(super) fn has_ended(&self, report: Report) -> bool {
        self.outcomes.contains_key(&report)
    }

    /// Whether a report was answered whole: nothing holds back a pass that rests on it.
    pub(super) fn is_whole(&self, report: Report) -> bool {
        let is_lossless = self
            .rows
            .get(&report)
            .is_none_or(|rows| rows.malformed == 0);
        is_lossless && self.outcomes.get(&report) == Some(&ReportOutcome::Answered)
    }

    /// A report was read for many customers: in so many pages, of which so many rows are lost. Nobody can say whose those are.
    pub(super) fn among_others(&mut self, report: Report, pages: u64, lost: u64) {
        let tally = self.rows.entry(report).or_default();
        tally.pages += pages;
        tally.malformed(lost);
    }

    /// A row of an answer for this customer alone.
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

    /// A row of an answer for many customers, that was found to be of this customer's device. It takes no other: one that is of
    /// another customer, or of a device that its list does not show, is `None`.
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

    /// A report ended: how far it was read, or why it was not read to its end.
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
                // A report that only a person's token may read is one this connection cannot have. One that was refused after its
                // first page is there, and broke off.
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

    /// The five signals, and what went wrong on the way. A report that was never ended counts as failed.
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

    /// The state of a report, and of the custom fields' where they answer one of these questions.
    fn with_custom_fields(&self, report: Report, questions: &[Question]) -> ReportState {
        let state = self.state(report);
        let fields = self.request.custom_fields;
        if questions.iter().any(|question| fields.answers(*question)) {
            return state.and(self.state(Report::CustomFields));
        }
        state
    }

    /// The reports of one kind of patches; of a kind that is not in use none is asked for.
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

/// The signal of antivirus, and the devices whose signatures were seen out of date (`true`) or up to date (`false`).
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
        // A device without a time in the history was never seen up to date: nobody can tell how old its signatures are.
        let since = |id| ages.out_of_date_since(id);
        let out_of_date = sightings.iter().filter(|(_, out_of_date)| **out_of_date);
        out_of_date
            .filter_map(|(id, _)| Some((facts::device_key(*id), since(*id)?)))
            .collect::<SignatureHistory>()
    });
    let finished = antivirus.finish_with_digest(state, history.as_ref(), request.digest_key);
    (finished, sightings)
}

/// So many devices of others are remembered by their ids, those of other organizations and those that no list shows each. Rows of
/// more are counted like the others, and whose they are is not looked up: a server invents ids faster than memory holds them.
const MOST_OTHERS: usize = 100_000;

/// Devices that no list shows, with their rows in all reports.
fn unlisted(of_reports: BTreeMap<Report, BTreeMap<DeviceId, u64>>) -> BTreeMap<DeviceId, u64> {
    let mut all = BTreeMap::new();
    for (device, rows) in of_reports.into_values().flatten() {
        *all.entry(device).or_default() += rows;
    }
    all
}

/// Counts a row of a device that no list shows.
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
