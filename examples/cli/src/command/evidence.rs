//! `regentra evidence`: one organization's five verdicts, straight from NinjaOne, nothing stored.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, bail};
use clap::Args;
use ninjaone_client::{
    BaseUrl, Client, Credentials, OrganizationId, organizations::OrganizationsParams,
};
use ninjaone_simulator::{Preset, Tenant, front};
use regentra_evidence::{DigestKey, KeyId, Rules};
use regentra_sync::{
    host::{Clock as _, ORGANIZATION_CEILING, SystemClock},
    model::{AppliedSettings, ComplianceOrgId, RegionKey, Report, ReportOutcome},
    ninjaone::{AssessmentRequest, Evaluated, read_reports},
};
use time::OffsetDateTime;

use crate::{
    command::settings,
    credentials,
    format::{count, count_and_lost, rfc3339},
    host::{HostArgs, region},
    output,
    progress::Waits,
    verdict,
};

/// Devices of the simulated tenant that `--demo` starts.
const DEMO_DEVICES: usize = 400;

/// Arguments of `regentra evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// The organization's id, as in NinjaOne's address bar. Not needed with --demo.
    #[arg(long, value_name = "ID", required_unless_present = "demo")]
    org: Option<i64>,

    /// The region you sign in at (us, us2, eu, ca, oc, fed), or the address: a branded or other https one. Not needed with --demo.
    // No default: whichever it were, a person's client id and secret would be sent where they do not belong.
    #[arg(long, alias = "base-url", env = "NINJAONE_REGION", value_parser = region, required_unless_present = "demo")]
    region: Option<RegionKey>,

    /// Start a simulated tenant in this process and ask that one.
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "1")]
    demo: Option<u64>,
}

/// Asks, and prints what came of it: the signals on standard output, everything else on standard error.
///
/// # Errors
///
/// When it could not ask: no credentials, no connection, an organization that is not visible, a device list that failed.
pub async fn run(args: EvidenceArgs, host: &HostArgs) -> anyhow::Result<()> {
    let now = host.now.unwrap_or_else(|| SystemClock.now());
    let Some(seed) = args.demo else {
        let region = args.region.context("--region is missing")?;
        let (base, settings) = (region.base_url()?, settings_of(&region, host).await?);
        let organization = args.org.context("--org is missing")?;
        return ask(
            base,
            credentials::read()?.into(),
            organization,
            now,
            &settings,
            host.json,
        )
        .await;
    };

    let tenant = Tenant::preset(Preset::Mixed, seed, DEMO_DEVICES, now);
    let credentials = Credentials::client_credentials(tenant.client_id(), tenant.client_secret());
    let organization = match args.org {
        Some(id) => id,
        None => tenant
            .organizations()
            .iter()
            .find_map(|row| row.get("id")?.as_i64())
            .context("the simulated tenant has no organization")?,
    };
    let server = front::tcp::serve(tenant).await?;
    output::note(format_args!(
        "simulated tenant (seed {seed}) at {}, organization {organization}",
        server.url()
    ));
    ask(
        BaseUrl::parse(&server.url())?,
        credentials,
        organization,
        now,
        &AppliedSettings::default(),
        host.json,
    )
    .await
}

/// What the region's connection settles, so that this gives the verdict that a sweep would store; nothing where it was never
/// connected, or there is no database.
async fn settings_of(region: &RegionKey, host: &HostArgs) -> anyhow::Result<AppliedSettings> {
    // Without a data directory there is no database either.
    if !host.database().is_ok_and(|database| database.exists()) {
        return Ok(AppliedSettings::default());
    }
    let settings = settings::applied(&host.read().await?, region).await;
    let settings = settings.context("the settings of the connection could not be read")?;
    if settings.is_some() {
        output::note(format_args!(
            "by the settings of the connection to {region}: `regentra settings` shows them"
        ));
    }
    Ok(settings.unwrap_or_default())
}

async fn ask(
    base: BaseUrl,
    credentials: Credentials,
    organization: i64,
    now: OffsetDateTime,
    settings: &AppliedSettings,
    json: bool,
) -> anyhow::Result<()> {
    let client = Client::builder(base, credentials)
        .observer(Arc::new(Waits))
        .build()?;
    ensure_visible(&client, OrganizationId::new(organization)).await?;

    let (rules, digest_key) = (Rules::default(), throwaway_key()?);
    let request = AssessmentRequest {
        customer: ComplianceOrgId::from_uuid(uuid::Uuid::nil()),
        organization: OrganizationId::new(organization),
        now,
        rules: &rules,
        custom_fields: &settings.custom_fields,
        kinds_in_use: settings.kinds_in_use,
        digest_key: &digest_key,
        signature_ages: None,
    };
    let collected = read_reports(&client, request)
        .await
        .with_context(|| format!("the devices of organization {organization} could not be read"))?;
    tell(&collected);
    let signals: Vec<_> = collected.assessment.signals().collect();
    if json {
        return output::line(serde_json::to_string(&signals)?);
    }
    output::print(&format!(
        "NinjaOne organization {organization}, as of {}\n\n{}",
        rfc3339(now),
        verdict::page(signals)
    ))
}

/// An organization that does not exist and one that has no device look the same in the reports, so the list is asked first.
async fn ensure_visible(client: &Client, wanted: OrganizationId) -> anyhow::Result<()> {
    let (mut visible, mut lost) = (BTreeSet::new(), 0_u64);
    let mut pages = client
        .organizations()
        .list(OrganizationsParams::default())
        .with_ceiling(ORGANIZATION_CEILING);
    while let Some(page) = pages.next_page().await? {
        lost += page.malformed.len() as u64;
        lost += page.rows.iter().filter(|row| row.id.is_none()).count() as u64;
        visible.extend(page.rows.iter().filter_map(|organization| organization.id));
        if visible.contains(&wanted) {
            return Ok(());
        }
    }
    if lost > 0 {
        bail!(
            "organization {wanted} is not among those that could be read: NinjaOne lists {}. It may be one of the latter: try \
             again later, and if it stays so, ask NinjaOne's support",
            count_and_lost(visible.len() as u64, "organization", "organizations", lost)
        );
    }
    if visible.is_empty() {
        bail!(
            "no organization is visible to this client: give the API client's user or role access to organizations in NinjaOne"
        );
    }
    let mut some: Vec<_> = visible.iter().take(10).map(ToString::to_string).collect();
    if visible.len() > some.len() {
        some.push("and others".to_owned());
    }
    bail!(
        "organization {wanted} is not visible to this client, which sees {}: {}. The id stands in NinjaOne's address bar",
        visible.len(),
        some.join(", ")
    )
}

/// Nothing is stored, so nobody will ever compare these digests.
fn throwaway_key() -> anyhow::Result<DigestKey> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    Ok(DigestKey::new(KeyId::new("throwaway")?, &secret)?)
}

/// What was dropped and what failed, on standard error.
fn tell(collected: &Evaluated) {
    for (report, error) in &collected.failures {
        let what = match collected.assessment.reports.get(report) {
            Some(ReportOutcome::NotAvailable) => "is not available",
            _ => "failed",
        };
        output::note(format_args!("report {} {what}: {error}", name(*report)));
    }
    let counts = &collected.assessment.counts;
    let lists_every_device = collected.assessment.listed_devices.is_some();
    let dropped = [
        (counts.foreign_rows, "of other organizations"),
        (
            counts.orphan_rows,
            if lists_every_device {
                "of devices that no longer exist"
            } else {
                "of devices that the incomplete device list does not contain"
            },
        ),
        (counts.malformed_rows, "that did not decode"),
        (counts.stale_rows, "collected too long ago"),
        (counts.undated_rows, "without a readable time"),
    ];
    for (rows, what) in dropped.into_iter().filter(|(rows, _)| *rows > 0) {
        output::note(format_args!(
            "left out: {} {what}",
            count(rows, "row", "rows")
        ));
    }
}

/// The report's name as the vendor's API spells it.
const fn name(report: Report) -> &'static str {
    match report {
        Report::Devices => "devices-detailed",
        Report::Volumes => "queries/volumes",
        Report::AntivirusStatus => "queries/antivirus-status",
        Report::OsPatches => "queries/os-patches",
        Report::OsPatchInstalls => "queries/os-patch-installs",
        Report::SoftwarePatches => "queries/software-patches",
        Report::SoftwarePatchInstalls => "queries/software-patch-installs",
        Report::Activities => "activities",
        Report::CustomFields => "queries/custom-fields",
        other => other.as_str(),
    }
}
