//! Pulls one organization's reports and judges them: wire rows become facts, facts become five signals.
//!
//! Eight walks (nine where the host names custom fields), one after the other, each a page at a time: the device list, which says
//! who belongs to the organization, and then the reports, whose rows the evaluation joins to those devices. Activities are asked for by status code and date, and rows of other codes and dates are
//! none of the signal's.
//!
//! A report that fails, or ends before its end, makes its own signal unknown and leaves the others alone. Without the device list nothing can be judged:
//! that is the one error of [`read_reports`].

use ninjaone_client::{
    Client, DeviceFilter, Error, Pager,
    activities::ActivitiesParams,
    devices::DevicesParams,
    queries::{
        AntivirusStatusParams, CustomFieldsParams, OsPatchInstallsParams, OsPatchesParams,
        SoftwarePatchInstallsParams, SoftwarePatchesParams, VolumesParams,
    },
};
use regentra_evidence::PatchKind;
use time::Duration;

use super::{
    assessment::AssessmentRequest,
    evaluation::{Collected, CustomerEvaluation, DeviceRoll, ReportRow},
    facts::{self, patch_sla::PatchReport},
    reading,
};
use crate::model::Report;

/// How far back install attempts are asked for: the 45 days that count, and a day for what the vendor makes of time zones.
const ATTEMPTS_ASKED_FOR: Duration = Duration::days(46);

/// How far back activities are asked for: the 7 days that count, and a day for what the vendor makes of time zones.
const ACTIVITIES_ASKED_FOR: Duration = Duration::days(8);

/// Pulls the reports of one organization through `client` and judges them at `request.now`.
///
/// Rows of devices that the device list shows in other organizations are counted as foreign, those of devices it does not show at
/// all as orphans; [`Assessment::unlisted_devices`](super::Assessment::unlisted_devices) names the latter for a host that knows
/// more devices.
///
/// # Errors
///
/// When the device list could not be read to its end. Any other report that fails is named in [`Collected::failures`].
#[tracing::instrument(level = "debug", skip_all, fields(organization = %request.organization))]
pub async fn read_reports(
    client: &Client,
    request: AssessmentRequest<'_>,
) -> Result<Collected, Error> {
    let filter = DeviceFilter::organization(request.organization);
    let mut evaluation = read_devices(client, request, filter.clone()).await?;
    read_custom_fields(client, &filter, &mut evaluation).await;
    read_volumes(client, &filter, &mut evaluation).await;
    read_antivirus(client, &filter, &mut evaluation).await;
    let kinds = request.kinds_in_use;
    if kinds.contains(PatchKind::Os) {
        read_os_patches(client, &filter, &mut evaluation).await;
    }
    if kinds.contains(PatchKind::Software) {
        read_software_patches(client, &filter, &mut evaluation).await;
    }
    read_activities(client, &filter, &mut evaluation).await;
    Ok(evaluation.finish())
}

async fn read_devices<'a>(
    client: &Client,
    request: AssessmentRequest<'a>,
    filter: DeviceFilter,
) -> Result<CustomerEvaluation<'a>, Error> {
    let params = DevicesParams::default().filter(filter);
    let mut pages = client.devices().detailed(params);
    reading::note(&pages);
    let mut roll = DeviceRoll::new(request);
    while let Some(page) = pages.next_page().await? {
        roll.page(page.malformed.len(), &page.repaired);
        for row in &page.rows {
            roll.observe(row);
            if roll.is_cut() {
                return Ok(roll.close(None));
            }
        }
    }
    Ok(roll.close(pages.completeness()))
}

/// Nothing is asked when the host names no field.
async fn read_custom_fields(
    client: &Client,
    filter: &DeviceFilter,
    evaluation: &mut CustomerEvaluation<'_>,
) {
    let fields = evaluation.request().custom_fields;
    if fields.is_empty() {
        return;
    }
    let params = CustomFieldsParams::default()
        .filter(filter.clone())
        .fields(fields.names());
    let pages = client.queries().custom_fields(params);
    walk(evaluation, Report::CustomFields, pages, |row| {
        ReportRow::CustomFields(row)
    })
    .await;
}

async fn read_volumes(
    client: &Client,
    filter: &DeviceFilter,
    evaluation: &mut CustomerEvaluation<'_>,
) {
    let params = VolumesParams::default().filter(filter.clone()).bitlocker();
    let pages = client.queries().volumes(params);
    walk(evaluation, Report::Volumes, pages, |row| {
        ReportRow::Volume(row)
    })
    .await;
}

async fn read_antivirus(
    client: &Client,
    filter: &DeviceFilter,
    evaluation: &mut CustomerEvaluation<'_>,
) {
    let params = AntivirusStatusParams::default().filter(filter.clone());
    let pages = client.queries().antivirus_status(params);
    walk(evaluation, Report::AntivirusStatus, pages, |row| {
        ReportRow::Antivirus(row)
    })
    .await;
}

async fn read_os_patches(
    client: &Client,
    filter: &DeviceFilter,
    evaluation: &mut CustomerEvaluation<'_>,
) {
    let since = evaluation.request().now.saturating_sub(ATTEMPTS_ASKED_FOR);
    let pending = OsPatchesParams::default().filter(filter.clone());
    let pending = client.queries().os_patches(pending);
    walk(evaluation, Report::OsPatches, pending, |row| {
        ReportRow::OsPatch(PatchReport::Pending, row)
    })
    .await;
    let installs = OsPatchInstallsParams::default()
        .filter(filter.clone())
        .installed_after(since);
    let installs = client.queries().os_patch_installs(installs);
    walk(evaluation, Report::OsPatchInstalls, installs, |row| {
        ReportRow::OsPatch(PatchReport::Installs, row)
    })
    .await;
}

async fn read_software_patches(
    client: &Client,
    filter: &DeviceFilter,
    evaluation: &mut CustomerEvaluation<'_>,
) {
    let since = evaluation.request().now.saturating_sub(ATTEMPTS_ASKED_FOR);
    let pending = SoftwarePatchesParams::default().filter(filter.clone());
    let pending = client.queries().software_patches(pending);
    walk(evaluation, Report::SoftwarePatches, pending, |row| {
        ReportRow::SoftwarePatch(PatchReport::Pending, row)
    })
    .await;
    let installs = SoftwarePatchInstallsParams::default()
        .filter(filter.clone())
        .installed_after(since);
    let installs = client.queries().software_patch_installs(installs);
    walk(evaluation, Report::SoftwarePatchInstalls, installs, |row| {
        ReportRow::SoftwarePatch(PatchReport::Installs, row)
    })
    .await;
}

async fn read_activities(
    client: &Client,
    filter: &DeviceFilter,
    evaluation: &mut CustomerEvaluation<'_>,
) {
    let since = evaluation
        .request()
        .now
        .saturating_sub(ACTIVITIES_ASKED_FOR);
    let params = ActivitiesParams::default()
        .filter(filter.clone())
        .statuses(facts::backup_activity::status_codes())
        .after(since);
    let pages = client.activities().list(params);
    walk(evaluation, Report::Activities, pages, |row| {
        ReportRow::Activity(row)
    })
    .await;
}

/// Reads a report to its end, a page at a time, into an evaluation.
async fn walk<T>(
    evaluation: &mut CustomerEvaluation<'_>,
    report: Report,
    mut pages: Pager<T>,
    row: impl for<'row> Fn(&'row T) -> ReportRow<'row>,
) where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    reading::note(&pages);
    let end = loop {
        match pages.next_page().await {
            Ok(Some(page)) => {
                evaluation.page(report, page.malformed.len(), &page.repaired);
                for each in &page.rows {
                    evaluation.observe(row(each));
                }
            }
            Ok(None) => break Ok(pages.completeness()),
            Err(error) => break Err(error),
        }
    };
    evaluation.end(report, end);
}
