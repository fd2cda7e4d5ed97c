//! The whole story on a simulated tenant: connect, discover, map, sync, promote, sweep twice, disconnect.
//!
//! Time is simulated too, so that two sweeps six hours apart are played at once; the story ends now.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use ninjaone_simulator::{Clock as TenantClock, Preset, Tenant, front};
use regentra_sync::{
    Choice,
    host::{Clock as _, ManualClock, SystemClock},
    model::{CompanyId, Mapping, RegionKey},
    schedule::Cadence,
};
use time::{Duration, OffsetDateTime};

use crate::{
    command::{
        companies,
        connect::{self, ConnectArgs},
        disconnect, map, organizations, promote, signals, sweep, sync, tickets,
    },
    credentials::ApiClient,
    database::Database,
    host::{Host, HostArgs},
    output,
    portal::Portal,
    wording::{count, minute},
};

const SEED: u64 = 7;
const DEVICES: usize = 240;

/// Companies that the portal has before NinjaOne is asked, by the place of the organization of that name.
const IN_THE_PORTAL: [usize; 3] = [0, 2, 5];
/// The organization that is not to be synced.
const IGNORED: usize = 10;
/// The organization that nobody decides about.
const UNDECIDED: usize = 11;
/// The organization that belongs to the company of another one.
const SECOND_OF: (usize, usize) = (9, 1);
/// The organizations whose companies are promoted: a warning, a healthy, a failing one, and one that has gone dark. No more, so that
/// the whole story takes less than a minute's 180 requests.
const PROMOTED: [usize; 4] = [0, 1, 2, 5];

/// Plays the story in this folder.
///
/// # Errors
/// When a step of it fails.
pub async fn run(folder: &Path) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let second_sweep = Cadence::EVIDENCE_SWEEP.last(now);
    let first_sweep = second_sweep - Cadence::EVIDENCE_SWEEP.every;
    let time = ManualClock::at(first_sweep - Duration::minutes(40));

    let tenant = Tenant::preset(Preset::Mixed, SEED, DEVICES, time.now());
    let client = ApiClient {
        id: tenant.client_id().into(),
        secret: tenant.client_secret().into(),
    };
    let tenant_clock = time.clone();
    let server =
        front::http::serve_with(tenant, TenantClock::new(move || tenant_clock.now())).await;
    let region = RegionKey::parse(&server.url())?;

    let database = Database::Sqlite(folder.join("quickstart.db"));
    let args = HostArgs {
        db: Some(database.clone()),
        ..HostArgs::default()
    };
    let host = args.create_by(Arc::new(time.clone())).await?;

    output::line(
        "The whole story on a simulated NinjaOne tenant of a dozen customers. Time is simulated, nothing leaves this machine.",
    )?;
    step(&host, "Connect")?;
    output::line(
        connect::connect(&host, &ConnectArgs::to(region.clone()), client)
            .await?
            .text,
    )?;

    step(&host, "Discover the organizations, and decide what each is")?;
    map_all(&host, &region).await?;

    time.advance(Duration::minutes(15));
    step(&host, "Sync the assets")?;
    let synced = sync::all(&host, None).await?;
    let portal = Portal::read(&host).await?;
    output::print(&sync::said(&portal, &synced))?;
    output::print(&format!(
        "Once more: {}",
        sync::said(&portal, &sync::all(&host, None).await?)
    ))?;
    output::print(&host.spent().await?)?;

    step(&host, "Promote some of the companies to compliance")?;
    let promoted = promote_some(&host, &portal).await?;
    output::line(format!("Promoted: {promoted}.\n"))?;
    output::print(&companies::table(&companies::read(&host).await?))?;

    time.set(first_sweep);
    step(&host, "The first evidence sweep: a dry run")?;
    play_sweep(&host, first_sweep).await?;

    time.set(second_sweep);
    step(&host, "Six hours later, the second sweep: tickets")?;
    play_sweep(&host, second_sweep).await?;

    step(&host, "How the promoted companies stand")?;
    let standings = signals::read(&host, None).await?;
    output::print(&signals::table(&standings))?;
    output::print(&signals::summary(&host, &standings))?;

    step(&host, "The tickets that failing signals opened")?;
    let portal = Portal::read(&host).await?;
    let opened = tickets::read(&host, &portal).await?;
    output::print(&tickets::table(&portal, &opened))?;

    time.set(now);
    step(&host, "Disconnect")?;
    output::print(&disconnect::disconnect(&host, &region).await?.said(&region))?;
    let requests = server.tenant().requests().len() as u64;
    output::line(format!(
        "\nThe whole story took {}.",
        count(requests, "request to NinjaOne", "requests to NinjaOne")
    ))?;
    output::print(&farewell(&database))
}

fn step(host: &Host, title: &str) -> anyhow::Result<()> {
    output::line(format!("\n── {title} ── {} ──\n", minute(host.now())))
}

fn farewell(database: &Database) -> String {
    let regentra = format!("cargo run --release --bin regentra -- --db {database}");
    format!(
        "\nDatabase: {database}\n\
         \nNext, on it:\n\
         \x20 {regentra} signals --status fail\n\
         \x20 {regentra} audit --limit 20\n\
         \x20 {regentra} status\n\
         \nOn your own tenant, with NINJAONE_CLIENT_ID and NINJAONE_CLIENT_SECRET set:\n\
         \x20 cargo run --release --bin regentra -- connect --region us\n"
    )
}

/// The organization at a place of NinjaOne's list.
fn at(portal: &Portal, place: usize) -> anyhow::Result<&Mapping> {
    let (_, mapping) = portal
        .organizations
        .get(place)
        .context("the simulated tenant has too few organizations")?;
    Ok(mapping)
}

async fn map_all(host: &Host, region: &RegionKey) -> anyhow::Result<()> {
    let found = organizations::discover(host, region).await?;
    output::line(organizations::said(&found))?;
    let portal = Portal::read(host).await?;
    for place in IN_THE_PORTAL {
        companies::add(host, at(&portal, place)?.name.as_str()).await?;
    }
    organizations::discover(host, region).await?;
    output::line(format!(
        "{} have a company of that name in the portal already, and it is suggested.\n",
        IN_THE_PORTAL.len()
    ))?;
    for (place, (_, organization)) in Portal::read(host).await?.organizations.iter().enumerate() {
        let choice = match (place, organization.suggestion) {
            (UNDECIDED, _) => continue,
            (IGNORED, _) => Choice::DontSync,
            (_, Some(company)) => Choice::UseExisting(company),
            (place, None) if place == SECOND_OF.0 => {
                Choice::UseExisting(company_at(&Portal::read(host).await?, SECOND_OF.1)?)
            }
            (_, None) => Choice::CreateNew,
        };
        let mapped = host
            .integration
            .map(
                host.msp,
                organization.id,
                choice,
                host.actor(),
                host.request(),
            )
            .await?;
        if place == IGNORED {
            output::line(map::said(host, &mapped).await?)?;
        }
    }
    output::line("")?;
    output::print(&organizations::table(&Portal::read(host).await?))
}

fn company_at(portal: &Portal, place: usize) -> anyhow::Result<CompanyId> {
    at(portal, place)?
        .state
        .company()
        .context("an organization of the story is not mapped")
}

async fn promote_some(host: &Host, portal: &Portal) -> anyhow::Result<String> {
    let mut names = Vec::new();
    for place in PROMOTED {
        let company = company_at(portal, place)?;
        promote::promote(host, company, promote::compliance_org_of(company)).await?;
        names.push(portal.company_name(company).to_string());
    }
    Ok(crate::wording::listed(&names))
}

async fn play_sweep(host: &Host, tick: OffsetDateTime) -> anyhow::Result<()> {
    let swept = sweep::sweep(host, tick).await?;
    output::print(&sweep::said(&Portal::read(host).await?, tick, &swept))?;
    output::print(&host.spent().await?)
}
