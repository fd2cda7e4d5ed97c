//! Pulls one organization's reports and judges them: wire rows become facts, facts become five signals.
//!
//! Eight walks (nine where the host names custom fields), one after the other, each a page at a time: the device list, which says who belongs to the organization, and then
//! the reports, whose rows are joined to those devices. The vendor ignores filters at times and answers with the whole fleet, so
//! every row is checked again here: a device of another organization is *foreign*, one that is known nowhere an *orphan*; both
//! are dropped and counted, never judged. Activities are asked for by status code and date, and rows of other codes and dates are
//! none of the signal's.
//!
//! A report that fails, or ends before its end, makes its own signal unknown and leaves the others alone. Without the device list nothing can be judged:
//! that is the one error of [`read_reports`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ninjaone_client::{
    Client, Completeness, DeviceFilter, DeviceId, Error, ErrorKind, OrganizationId, Pager,
    RepairedField,
    activities::ActivitiesParams,
    devices::DevicesParams,
    models::{OsPatch, SoftwarePatch},
    queries::{
        AntivirusStatusParams, CustomFieldsParams, OsPatchInstallsParams, OsPatchesParams,
        SoftwarePatchInstallsParams, SoftwarePatchesParams, VolumesParams,
    },
};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, CustomFact, DeviceKey, DiskEncryption, FactsDigest, Fleet,
    KindReports, PatchKind, PatchSla, ReportState, RowFate, Signal, SignatureHistory,
    device_inventory,
};
use time::Duration;

use super::assessment::{Assessment, AssessmentRequest, Verdict};
use crate::{
    host::DEVICE_CEILING,
    model::{Question, RepairedRows, Report, ReportOutcome, SweepCounts},
    ninjaone::facts::{
        self, Malformed,
        custom_fields::{answer_antivirus, answer_disks},
        patch_sla::PatchReport,
    },
};

/// How far back install attempts are asked for: the 45 days that count, and a day for what the vendor makes of time zones.
const ATTEMPTS_ASKED_FOR: Duration = Duration::days(46);

/// How far back activities are asked for: the 7 days that count, and a day for what the vendor makes of time zones.
const ACTIVITIES_ASKED_FOR: Duration = Duration::days(8);

/// What one organization's reports say, and what went wrong on the way.
#[derive(Debug)]
pub struct Collected {
    /// The five signals and everything a sweep commits of them.
    pub assessment: Assessment,
    /// What became of the rows of each report.
    pub rows: BTreeMap<Report, RowTally>,
    /// The reports that failed or are not available, and why.
    pub failures: BTreeMap<Report, Error>,
}

/// What became of the rows of one report. What they became adds up to `rows`; `repaired` and `unsure` are of rows that are counted
/// besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowTally {
    /// Rows in the answer.
    pub rows: u64,
    /// Pages in the answer: requests made, retries not counted.
    pub pages: u64,
    /// Rows that are part of the verdict.
    pub used: u64,
    /// Rows of devices that the signal does not judge: not approved, stale, out of its scope; and activities about other things.
    pub not_judged: u64,
    /// Rows that are too old: they can only hold a verdict back.
    pub stale: u64,
    /// Rows whose time cannot be read: they can only hold a verdict back.
    pub unreadable: u64,
    /// Rows of devices of another organization, dropped.
    pub foreign: u64,
    /// Rows of devices known nowhere, dropped.
    pub orphan: u64,
    /// Rows that are lost: they do not say which row they are.
    pub malformed: u64,
    /// Devices whose approval cannot be read. Each is judged like an approved one, and holds every pass back like a lost row.
    pub unsure: u64,
    /// Fields that rows carried in another form than expected, by name: in how many rows they were read all the same, and in how
    /// many they were not.
    pub repaired: BTreeMap<String, RepairedRows>,
}

impl RowTally {
    const fn count(&mut self, fate: RowFate, is_foreign: bool) {
        let counter = match fate {
            RowFate::Used => &mut self.used,
            RowFate::NotJudged => &mut self.not_judged,
            RowFate::Stale => &mut self.stale,
            RowFate::Unreadable => &mut self.unreadable,
            RowFate::UnknownDevice if is_foreign => &mut self.foreign,
            RowFate::UnknownDevice => &mut self.orphan,
        };
        *counter += 1;
        self.rows += 1;
    }

    fn page(&mut self, malformed: usize, repaired: &[RepairedField]) {
        self.pages += 1;
        self.malformed(malformed as u64);
        for field in repaired {
            self.repair(&field.field, field.lost, field.rows);
        }
    }

    fn repair(&mut self, field: &str, lost: bool, rows: usize) {
        let own = self.repaired.entry(field.to_owned()).or_default();
        let counter = if lost { &mut own.lost } else { &mut own.read };
        *counter += rows as u64;
    }

    const fn malformed(&mut self, rows: u64) {
        self.malformed += rows;
        self.rows += rows;
    }
}

/// Pulls the reports of one organization through `client` and judges them at `request.now`.
///
/// Rows of devices that the device list shows in other organizations are counted as foreign, those of devices it does not show at
/// all as orphans; [`Assessment::unlisted_devices`] names the latter for whoever knows more devices.
///
/// # Errors
///
/// When the device list could not be read to its end. Any other report that fails is named in [`Collected::failures`].
#[tracing::instrument(level = "debug", skip_all, fields(organization = %request.organization))]
pub async fn read_reports(
    client: &Client,
    request: AssessmentRequest<'_>,
) -> Result<Collected, Error> {
    let organization = OrganizationId::new(request.organization.get());
    let devices = device_list(client, organization, &request).await?;
    let listed_devices = devices.listed();
    let mut run = Run {
        client,
        request,
        filter: DeviceFilter::organization(organization),
        fleet: devices.fleet,
        foreign: devices.foreign,
        unlisted: BTreeMap::new(),
        rows: BTreeMap::from([(Report::Devices, devices.tally)]),
        outcomes: BTreeMap::from([(Report::Devices, ReportOutcome::Answered)]),
        failures: BTreeMap::new(),
    };

    let custom = run.custom_fields().await;
    let disk = run.disk_encryption(&custom).await;
    let (antivirus, signatures_out_of_date) = run.antivirus_posture(&custom).await;
    let patches = run.patch_sla().await;
    let backups = run.backup_activity().await;
    let inventory = device_inventory::finish_with_digest(&run.fleet, request.digest_key);

    let counts = sweep_counts(&run.rows);
    Ok(Collected {
        assessment: Assessment {
            verdicts: [disk, antivirus, patches, backups, inventory]
                .into_iter()
                .map(|(signal, facts)| Verdict { signal, facts })
                .collect(),
            reports: run.outcomes,
            counts,
            signatures_out_of_date,
            listed_devices,
            unlisted_devices: run.unlisted,
        },
        rows: run.rows,
        failures: run.failures,
    })
}

/// What a sweep's audit says of the rows of all reports.
fn sweep_counts(rows: &BTreeMap<Report, RowTally>) -> SweepCounts {
    let mut counts = SweepCounts::default();
    for (report, tally) in rows {
        counts.foreign_rows += tally.foreign;
        counts.orphan_rows += tally.orphan;
        counts.malformed_rows += tally.malformed + tally.unsure;
        counts.stale_rows += tally.stale;
        counts.undated_rows += tally.unreadable;
        counts.requests += tally.pages;
        if !tally.repaired.is_empty() {
            counts.repaired.insert(*report, tally.repaired.clone());
        }
    }
    counts
}

/// The devices of one organization.
struct DeviceList {
    fleet: Arc<Fleet>,
    own: BTreeSet<DeviceId>,
    is_whole: bool,
    foreign: BTreeSet<DeviceId>,
    tally: RowTally,
}

impl DeviceList {
    /// All of them. Not of a list that may lack some, nor of an empty one: an organization whose devices are gone all at once
    /// is more likely one that NinjaOne did not answer for.
    fn listed(&self) -> Option<BTreeSet<i64>> {
        let is_known = self.is_whole && !self.own.is_empty();
        is_known.then(|| self.own.iter().map(|device| device.get()).collect())
    }
}

async fn device_list(
    client: &Client,
    organization: OrganizationId,
    request: &AssessmentRequest<'_>,
) -> Result<DeviceList, Error> {
    let params = DevicesParams::default().filter(DeviceFilter::organization(organization));
    let mut pages = client.devices().detailed(params);
    let mut fleet = Fleet::builder(request.now).rules(*request.rules);
    let mut foreign = BTreeSet::new();
    let mut tally = RowTally::default();
    let mut own = BTreeSet::new();
    let mut is_whole = true;
    'walk: while let Some(page) = pages.next_page().await? {
        tally.page(page.malformed.len(), &page.repaired);
        for row in &page.rows {
            match (
                row.id,
                row.organization_id,
                facts::device_inventory::device(row),
            ) {
                (Some(id), Some(of), Ok(fact)) if of == organization => {
                    if own.len() == DEVICE_CEILING && !own.contains(&id) {
                        fleet.truncated();
                        is_whole = false;
                        break 'walk;
                    }
                    own.insert(id);
                    if facts::device_inventory::is_approval_lost(row) {
                        tally.unsure += 1;
                    }
                    fleet.observe(fact);
                    tally.count(RowFate::Used, false);
                }
                (Some(id), Some(_), Ok(_)) => {
                    foreign.insert(id);
                    tally.count(RowFate::UnknownDevice, true);
                }
                // A device that does not say whose it is cannot be taken for this customer's.
                _ => tally.malformed(1),
            }
        }
    }
    if is_whole && !pages.completeness().is_some_and(Completeness::is_complete) {
        fleet.truncated();
        is_whole = false;
    }
    if tally.malformed + tally.unsure > 0 {
        fleet.malformed_rows();
    }
    foreign.retain(|id| !own.contains(id));
    Ok(DeviceList {
        fleet: fleet.build(),
        own,
        is_whole: is_whole && tally.malformed == 0,
        foreign,
        tally,
    })
}

/// One organization's run through the reports.
struct Run<'a> {
    client: &'a Client,
    request: AssessmentRequest<'a>,
    filter: DeviceFilter,
    fleet: Arc<Fleet>,
    foreign: BTreeSet<DeviceId>,
    unlisted: BTreeMap<i64, u64>,
    rows: BTreeMap<Report, RowTally>,
    outcomes: BTreeMap<Report, ReportOutcome>,
    failures: BTreeMap<Report, Error>,
}

/// What the host's custom fields answered, and how their report ended.
struct CustomAnswers {
    answers: Vec<(Question, CustomFact)>,
    state: ReportState,
}

impl Run<'_> {
    /// Nothing is asked when the host names no field.
    async fn custom_fields(&mut self) -> CustomAnswers {
        let fields = self.request.custom_fields;
        let mut answers = Vec::new();
        if fields.is_empty() {
            return CustomAnswers {
                answers,
                state: ReportState::answered(),
            };
        }
        let params = CustomFieldsParams::default()
            .filter(self.filter.clone())
            .fields(fields.names());
        let pages = self.client.queries().custom_fields(params);
        let fleet = Arc::clone(&self.fleet);
        let state = self
            .read(Report::CustomFields, pages, |row| {
                let own = fields.read(row)?;
                let Some(device) = row.device_id.map(facts::device_key) else {
                    return Ok((None, RowFate::NotJudged));
                };
                if !fleet.contains(device) {
                    return Ok((row.device_id, RowFate::UnknownDevice));
                }
                let fate = if own.is_empty() {
                    RowFate::NotJudged
                } else {
                    RowFate::Used
                };
                answers.extend(own);
                Ok((row.device_id, fate))
            })
            .await;
        CustomAnswers { answers, state }
    }

    async fn disk_encryption(&mut self, custom: &CustomAnswers) -> (Signal, FactsDigest) {
        let mut disk = DiskEncryption::new(Arc::clone(&self.fleet));
        let params = VolumesParams::default()
            .filter(self.filter.clone())
            .bitlocker();
        let pages = self.client.queries().volumes(params);
        let state = self
            .read(Report::Volumes, pages, |row| {
                let volume = facts::disk_encryption::volume(row)?;
                Ok((row.device_id, volume.observe(&mut disk)))
            })
            .await;
        let mut state = state;
        if self.request.custom_fields.answers(Question::DiskEncrypted) {
            answer_disks(&custom.answers, &mut disk);
            state = state.and(custom.state);
        }
        disk.finish_with_digest(state, self.request.digest_key)
    }

    async fn antivirus_posture(
        &mut self,
        custom: &CustomAnswers,
    ) -> ((Signal, FactsDigest), BTreeMap<i64, bool>) {
        let mut antivirus = AntivirusPosture::new(Arc::clone(&self.fleet));
        let params = AntivirusStatusParams::default().filter(self.filter.clone());
        let pages = self.client.queries().antivirus_status(params);
        let state = self
            .read(Report::AntivirusStatus, pages, |row| {
                let fact = facts::antivirus_posture::product(row)?;
                Ok((row.device_id, antivirus.observe(fact)))
            })
            .await;
        let mut state = state;
        let questions = [Question::AntivirusOn, Question::SignaturesUpToDate];
        if questions
            .iter()
            .any(|question| self.request.custom_fields.answers(*question))
        {
            answer_antivirus(&custom.answers, &mut antivirus);
            state = state.and(custom.state);
        }
        let mut sightings = BTreeMap::new();
        if state.has_rows() {
            let id = |device: DeviceKey| device.get().cast_signed();
            sightings.extend(antivirus.out_of_date().map(|device| (id(device), true)));
            sightings.extend(antivirus.up_to_date().map(|device| (id(device), false)));
        }
        let history = self.request.signature_ages.map(|ages| {
            // A device without a time in the history was never seen up to date: nobody can tell how old its signatures are.
            let since = |id| ages.out_of_date_since(id);
            let out_of_date = sightings.iter().filter(|(_, out_of_date)| **out_of_date);
            out_of_date
                .filter_map(|(id, _)| Some((facts::device_key(DeviceId::new(*id)), since(*id)?)))
                .collect::<SignatureHistory>()
        });
        (
            antivirus.finish_with_digest(state, history.as_ref(), self.request.digest_key),
            sightings,
        )
    }

    async fn patch_sla(&mut self) -> (Signal, FactsDigest) {
        let kinds = self.request.kinds_in_use;
        let mut patches = PatchSla::new(Arc::clone(&self.fleet)).kinds_in_use(kinds);
        let queries = self.client.queries();
        let since = self.request.now.saturating_sub(ATTEMPTS_ASKED_FOR);
        let mut os = KindReports::default();
        if kinds.contains(PatchKind::Os) {
            let pending =
                queries.os_patches(OsPatchesParams::default().filter(self.filter.clone()));
            let installs = queries.os_patch_installs(
                OsPatchInstallsParams::default()
                    .filter(self.filter.clone())
                    .installed_after(since),
            );
            let mut take = |row: &OsPatch, half| {
                let fact = facts::patch_sla::os_patch(row, half)?;
                Ok((row.device_id, fact.observe(&mut patches)))
            };
            os.pending = self
                .read(Report::OsPatches, pending, |row| {
                    take(row, PatchReport::Pending)
                })
                .await;
            os.installs = self
                .read(Report::OsPatchInstalls, installs, |row| {
                    take(row, PatchReport::Installs)
                })
                .await;
        }
        let mut software = KindReports::default();
        if kinds.contains(PatchKind::Software) {
            let pending = queries
                .software_patches(SoftwarePatchesParams::default().filter(self.filter.clone()));
            let installs = queries.software_patch_installs(
                SoftwarePatchInstallsParams::default()
                    .filter(self.filter.clone())
                    .installed_after(since),
            );
            let mut take = |row: &SoftwarePatch, half| {
                let fact = facts::patch_sla::software_patch(row, half)?;
                Ok((row.device_id, fact.observe(&mut patches)))
            };
            software.pending = self
                .read(Report::SoftwarePatches, pending, |row| {
                    take(row, PatchReport::Pending)
                })
                .await;
            software.installs = self
                .read(Report::SoftwarePatchInstalls, installs, |row| {
                    take(row, PatchReport::Installs)
                })
                .await;
        }
        patches.finish_with_digest(os, software, self.request.digest_key)
    }

    async fn backup_activity(&mut self) -> (Signal, FactsDigest) {
        let mut backups = BackupActivity::new(Arc::clone(&self.fleet));
        let params = ActivitiesParams::default()
            .filter(self.filter.clone())
            .statuses(facts::backup_activity::status_codes())
            .after(self.request.now.saturating_sub(ACTIVITIES_ASKED_FOR));
        let pages = self.client.activities().list(params);
        let state = self
            .read(Report::Activities, pages, |row| {
                let fate = match facts::backup_activity::backup(row)? {
                    Some(fact) => backups.observe(fact),
                    None => RowFate::NotJudged,
                };
                Ok((row.device_id, fate))
            })
            .await;
        backups.finish_with_digest(state, self.request.digest_key)
    }

    /// Reads a report to its end, a page at a time, and says how it ended.
    async fn read<T>(
        &mut self,
        report: Report,
        mut pages: Pager<T>,
        mut take: impl FnMut(&T) -> Result<(Option<DeviceId>, RowFate), Malformed>,
    ) -> ReportState
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        let mut tally = RowTally::default();
        let end = loop {
            match pages.next_page().await {
                Ok(Some(page)) => {
                    tally.page(page.malformed.len(), &page.repaired);
                    for row in &page.rows {
                        match take(row) {
                            Ok((device, fate)) => {
                                let is_foreign =
                                    device.is_some_and(|id| self.foreign.contains(&id));
                                tally.count(fate, is_foreign);
                                if let (Some(id), RowFate::UnknownDevice, false) =
                                    (device, fate, is_foreign)
                                {
                                    *self.unlisted.entry(id.get()).or_default() += 1;
                                }
                            }
                            Err(Malformed { .. }) => tally.malformed(1),
                        }
                    }
                }
                Ok(None) => break Ok(pages.completeness()),
                Err(error) => break Err(error),
            }
        };
        let malformed = tally.malformed > 0;
        let has_begun = tally.pages > 0;
        self.rows.insert(report, tally);
        let (outcome, state) = match end {
            Ok(Some(Completeness::Complete)) if malformed => {
                (ReportOutcome::Answered, ReportState::with_malformed_rows())
            }
            Ok(Some(Completeness::Complete)) => (ReportOutcome::Answered, ReportState::answered()),
            Ok(_) => {
                tracing::warn!(?report, "a report was not read to its end");
                (ReportOutcome::Failed, ReportState::failed())
            }
            Err(error) => {
                tracing::warn!(?report, %error, "a report did not answer");
                // A report that only a person's token may read is one this connection cannot have. One that was refused after its first
                // page is there, and broke off.
                let is_refused = matches!(
                    error.kind(),
                    ErrorKind::NotAvailable | ErrorKind::UserContextRequired
                );
                let not_available = is_refused && !has_begun;
                self.failures.insert(report, error);
                if not_available {
                    (ReportOutcome::NotAvailable, ReportState::not_available())
                } else {
                    (ReportOutcome::Failed, ReportState::failed())
                }
            }
        };
        self.outcomes.insert(report, outcome);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_has_its_counter() {
        let mut tally = RowTally::default();
        for (fate, is_foreign) in [
            (RowFate::Used, false),
            (RowFate::NotJudged, false),
            (RowFate::Stale, false),
            (RowFate::Unreadable, false),
            (RowFate::UnknownDevice, true),
            (RowFate::UnknownDevice, false),
        ] {
            tally.count(fate, is_foreign);
        }
        tally.page(2, &[]);
        for (field, lost, rows) in [
            ("capacity", false, 3),
            ("capacity", true, 4),
            ("capacity", false, 2),
            ("label", true, 1),
        ] {
            tally.repair(field, lost, rows);
        }
        let repaired = [("capacity", 5, 4), ("label", 0, 1)]
            .map(|(field, read, lost)| (field.to_owned(), RepairedRows { read, lost }));
        let expected = RowTally {
            rows: 8,
            pages: 1,
            used: 1,
            not_judged: 1,
            stale: 1,
            unreadable: 1,
            foreign: 1,
            orphan: 1,
            malformed: 2,
            repaired: repaired.into(),
            ..RowTally::default()
        };
        assert_eq!(tally, expected);
    }

    #[test]
    fn a_sweep_counts_the_rows_of_all_reports() {
        let repaired = BTreeMap::from([("capacity".to_owned(), RepairedRows { read: 3, lost: 4 })]);
        let volumes = RowTally {
            rows: 40,
            pages: 2,
            stale: 5,
            unreadable: 6,
            malformed: 7,
            repaired: repaired.clone(),
            ..RowTally::default()
        };
        let devices = RowTally {
            pages: 1,
            foreign: 8,
            orphan: 9,
            malformed: 10,
            unsure: 11,
            ..RowTally::default()
        };
        let rows = BTreeMap::from([(Report::Volumes, volumes), (Report::Devices, devices)]);
        let expected = SweepCounts {
            foreign_rows: 8,
            orphan_rows: 9,
            malformed_rows: 7 + 10 + 11,
            stale_rows: 5,
            undated_rows: 6,
            repaired: BTreeMap::from([(Report::Volumes, repaired)]),
            requests: 3,
        };
        assert_eq!(sweep_counts(&rows), expected);
    }
}
