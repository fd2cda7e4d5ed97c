//! The reports of a sweep: how each is requested, and the walk that reads it.
//!
//! There are eight walks (nine if the host names custom fields), one after the other, each a page at a time: first the device list, which
//! says which devices belong to the organization, then the reports, whose rows the evaluation joins to those devices. Activities are
//! requested by status code and date; rows with other codes or dates are ignored.
//!
//! A report that fails or ends early makes its own signal unknown and does not affect the others. Without the device list nothing can be
//! judged: this is the only error of [`read_reports`].

use ninjaone_client::{
    Client, Completeness, DeviceFilter, Error, Pager, RepairedField,
    activities::ActivitiesParams,
    devices::DevicesParams,
    models::Device,
    queries::{
        AntivirusStatusParams, CustomFieldsParams, OsPatchInstallsParams, OsPatchesParams,
        SoftwarePatchInstallsParams, SoftwarePatchesParams, VolumesParams,
    },
};
use regentra_evidence::{KindsInUse, PatchKind};
use time::{Duration, OffsetDateTime};

use super::{
    assessment::AssessmentRequest,
    evaluation::{CustomerEvaluation, DeviceRoll, Evaluated, ReportRow},
    facts::{self, patch_sla::PatchReport},
    reading,
};
use crate::model::{CustomFields, Report};

/// How far back install attempts are requested: the 45 days that count, and one more day for differences of time zones.
const ATTEMPTS_ASKED_FOR: Duration = Duration::days(46);

/// How far back activities are requested: the 7 days that count, and one more day for differences of time zones.
const ACTIVITIES_ASKED_FOR: Duration = Duration::days(8);

/// The reports that are requested besides the device list, in this order.
pub(crate) fn reports_besides_devices(fields: &CustomFields, kinds: KindsInUse) -> Vec<Report> {
    let mut reports = Vec::with_capacity(8);
    if !fields.is_empty() {
        reports.push(Report::CustomFields);
    }
    reports.extend([Report::Volumes, Report::AntivirusStatus]);
    if kinds.contains(PatchKind::Os) {
        reports.extend([Report::OsPatches, Report::OsPatchInstalls]);
    }
    if kinds.contains(PatchKind::Software) {
        reports.extend([Report::SoftwarePatches, Report::SoftwarePatchInstalls]);
    }
    reports.push(Report::Activities);
    reports
}

/// Pulls the reports of one organization through `client` and judges them at `request.now`.
///
/// Rows of devices that the device list shows in other organizations are counted as foreign, and rows of devices that it does not show at
/// all as orphans. [`Assessment::unlisted_devices`](super::Assessment::unlisted_devices) lists the devices of the orphans, for a host that
/// knows more devices.
///
/// # Errors
///
/// When the device list could not be read to its end. Any other report that fails is named in [`Evaluated::failures`].
#[tracing::instrument(level = "debug", skip_all, fields(organization = %request.organization))]
pub async fn read_reports(
    client: &Client,
    request: AssessmentRequest<'_>,
) -> Result<Evaluated, Error> {
    let filter = DeviceFilter::organization(request.organization);
    let called = call_roll(client, request).await;
    let mut evaluation = called.roll.close(called.end?);
    for report in reports_besides_devices(request.custom_fields, request.kinds_in_use) {
        let mut rows = OfOne {
            report,
            evaluation: &mut evaluation,
            requests: 0,
        };
        let asked = ReportRead::of(&request, report, filter.clone());
        let end = read_report(client, asked, &mut rows).await;
        evaluation.end(report, end);
    }
    Ok(evaluation.finish())
}

/// The devices of one organization, read from the device list of this organization alone.
pub(super) struct DeviceListRead<'a> {
    pub(super) roll: DeviceRoll<'a>,
    /// How far the list was read. The roll itself says whether it was cut at the ceiling.
    pub(super) end: Result<Option<Completeness>, Error>,
    pub(super) requests: u64,
}

/// Reads the device list of one organization.
pub(super) async fn call_roll<'a>(
    client: &Client,
    request: AssessmentRequest<'a>,
) -> DeviceListRead<'a> {
    let mut pages = detailed_devices(client, DeviceFilter::organization(request.organization));
    let mut roll = DeviceRoll::new(request);
    let end = loop {
        match pages.next_page().await {
            Ok(Some(page)) => {
                roll.page(page.malformed.len(), &page.repaired);
                page.rows.iter().for_each(|row| roll.observe(row));
                if roll.is_cut() {
                    break Ok(None);
                }
            }
            Ok(None) => break Ok(pages.completeness()),
            Err(error) => break Err(error),
        }
    };
    let requests = u64::from(pages.pages_so_far()) + u64::from(end.is_err());
    DeviceListRead {
        roll,
        end,
        requests,
    }
}

/// The device list, with all fields that a signal or an asset needs.
pub(super) fn detailed_devices(client: &Client, filter: DeviceFilter) -> Pager<Device> {
    let params = DevicesParams::default().filter(filter);
    let pages = client.devices().detailed(params);
    reading::note(&pages);
    pages
}

/// Receives the rows of a report.
pub(super) trait Rows: Send {
    /// A page arrived, with these rows and fields that did not decode.
    fn page(&mut self, malformed: usize, repaired: &[RepairedField]);

    /// A row of the page.
    fn row(&mut self, row: ReportRow<'_>);

    /// The walk ended, after so many requests.
    fn spent(&mut self, requests: u64);
}

/// Receives the rows of a response for one customer.
pub(super) struct OfOne<'e, 'a> {
    pub(super) report: Report,
    pub(super) evaluation: &'e mut CustomerEvaluation<'a>,
    pub(super) requests: u64,
}

impl Rows for OfOne<'_, '_> {
    fn page(&mut self, malformed: usize, repaired: &[RepairedField]) {
        self.evaluation.page(self.report, malformed, repaired);
    }

    fn row(&mut self, row: ReportRow<'_>) {
        self.evaluation.observe(row);
    }

    fn spent(&mut self, requests: u64) {
        self.requests += requests;
    }
}

/// One report to read: the filter for its devices, and the time and custom fields with which its rows are read.
pub(super) struct ReportRead<'a> {
    report: Report,
    filter: DeviceFilter,
    now: OffsetDateTime,
    custom_fields: &'a CustomFields,
}

impl<'a> ReportRead<'a> {
    pub(super) const fn of(
        request: &AssessmentRequest<'a>,
        report: Report,
        filter: DeviceFilter,
    ) -> Self {
        Self {
            report,
            filter,
            now: request.now,
            custom_fields: request.custom_fields,
        }
    }
}

/// Reads a report to its end, a page at a time. The device list is not read here.
pub(super) async fn read_report(
    client: &Client,
    asked: ReportRead<'_>,
    rows: &mut dyn Rows,
) -> Result<Option<Completeness>, Error> {
    let ReportRead {
        report,
        filter,
        now,
        custom_fields,
    } = asked;
    let queries = client.queries();
    let since = now.saturating_sub(ATTEMPTS_ASKED_FOR);
    match report {
        Report::CustomFields => {
            let params = CustomFieldsParams::default().filter(filter);
            let params = params.fields(custom_fields.names());
            walk(queries.custom_fields(params), rows, |row| {
                ReportRow::CustomFields(row)
            })
            .await
        }
        Report::Volumes => {
            let params = VolumesParams::default().filter(filter).bitlocker();
            walk(queries.volumes(params), rows, |row| ReportRow::Volume(row)).await
        }
        Report::AntivirusStatus => {
            let params = AntivirusStatusParams::default().filter(filter);
            walk(queries.antivirus_status(params), rows, |row| {
                ReportRow::Antivirus(row)
            })
            .await
        }
        Report::OsPatches => {
            let params = OsPatchesParams::default().filter(filter);
            walk(queries.os_patches(params), rows, |row| {
                ReportRow::OsPatch(PatchReport::Pending, row)
            })
            .await
        }
        Report::OsPatchInstalls => {
            let params = OsPatchInstallsParams::default().filter(filter);
            let params = params.installed_after(since);
            walk(queries.os_patch_installs(params), rows, |row| {
                ReportRow::OsPatch(PatchReport::Installs, row)
            })
            .await
        }
        Report::SoftwarePatches => {
            let params = SoftwarePatchesParams::default().filter(filter);
            walk(queries.software_patches(params), rows, |row| {
                ReportRow::SoftwarePatch(PatchReport::Pending, row)
            })
            .await
        }
        Report::SoftwarePatchInstalls => {
            let params = SoftwarePatchInstallsParams::default().filter(filter);
            let params = params.installed_after(since);
            walk(queries.software_patch_installs(params), rows, |row| {
                ReportRow::SoftwarePatch(PatchReport::Installs, row)
            })
            .await
        }
        Report::Activities => {
            let params = ActivitiesParams::default().filter(filter);
            let params = params
                .statuses(facts::backup_activity::status_codes())
                .after(now.saturating_sub(ACTIVITIES_ASKED_FOR));
            walk(client.activities().list(params), rows, |row| {
                ReportRow::Activity(row)
            })
            .await
        }
        // The rows of this list are devices, which a roll reads.
        Report::Devices => Ok(None),
    }
}

async fn walk<T>(
    mut pages: Pager<T>,
    rows: &mut dyn Rows,
    row: for<'row> fn(&'row T) -> ReportRow<'row>,
) -> Result<Option<Completeness>, Error>
where
    T: serde::de::DeserializeOwned + Send + Sync + 'static,
{
    reading::note(&pages);
    let end = loop {
        match pages.next_page().await {
            Ok(Some(page)) => {
                rows.page(page.malformed.len(), &page.repaired);
                for each in &page.rows {
                    rows.row(row(each));
                }
            }
            Ok(None) => break Ok(pages.completeness()),
            Err(error) => break Err(error),
        }
    };
    let failed = u64::from(end.is_err());
    rows.spent(u64::from(pages.pages_so_far()) + failed);
    end
}
