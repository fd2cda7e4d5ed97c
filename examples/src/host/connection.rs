//! `test-connection`, `connect`, `status`, `disconnect`.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use regentra_sync::{
    EventId, RegionKey,
    integration::{Connect, ConnectionStatus, ConnectionTest, DryRun, LastRun, TestConnection},
    progress::Unobserved,
    run::{RunKind, RunOutcome},
};
use serde_json::json;

use super::{
    HostArgs, RegionArgs, print_json,
    progress::Shown,
    table::{optional_time, table, time},
};
use crate::credentials;

/// Arguments of `regentra test-connection`.
#[derive(Debug, Args)]
pub struct TestConnectionArgs {
    #[command(flatten)]
    region: RegionArgs,
    /// If this region does not know the client, ask the others. Each of them is sent the client id and secret.
    #[arg(long)]
    try_other_regions: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Tries credentials without saving them.
///
/// # Errors
/// When they do not work; the message says why.
pub async fn test(host: &HostArgs, args: TestConnectionArgs) -> anyhow::Result<()> {
    let region = required(&args.region)?;
    let (client_id, client_secret) = credentials::pair()?;
    let host = host.create(Arc::new(Shown::default())).await?;
    let request = TestConnection {
        region,
        client_id,
        client_secret,
        try_other_regions: args.try_other_regions,
        actor: host.actor,
    };
    let test = host.integration.test_connection(host.msp, request).await?;
    if args.json {
        return print_json(&json!({
            "organizations_visible": test.organizations_visible,
            "truncated": test.truncated,
            "warning": test.warning,
        }));
    }
    println!("The connection works: {}.", visible(&test));
    Ok(())
}

fn visible(test: &ConnectionTest) -> String {
    let more = if test.truncated { " or more" } else { "" };
    let seen = format!(
        "{}{more} organizations are visible",
        test.organizations_visible
    );
    match test.warning {
        Some(warning) => format!("{seen}. Warning: {warning}"),
        None => seen,
    }
}

fn required(region: &RegionArgs) -> anyhow::Result<RegionKey> {
    match region.named()? {
        Some(region) => Ok(region),
        None => bail!(
            "say where your tenant lives: --region us, us2, eu, ca, oc or fed, or --base-url for a branded host"
        ),
    }
}

/// Arguments of `regentra connect`.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    #[command(flatten)]
    region: RegionArgs,
    /// Save the credentials without trying them first.
    #[arg(long)]
    untested: bool,
    /// Go on although the client id is connected elsewhere: every event and every ticket is made twice then. It is audited.
    #[arg(long)]
    allow_duplicate: bool,
}

/// Saves credentials, sealed, after a test.
///
/// # Errors
/// When they do not work, or cannot be saved.
pub async fn connect(host: &HostArgs, args: ConnectArgs) -> anyhow::Result<()> {
    let region = required(&args.region)?;
    let (client_id, client_secret) = credentials::pair()?;
    let host = host.create(Arc::new(Shown::default())).await?;
    if !args.untested {
        let request = TestConnection {
            region: region.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            try_other_regions: false,
            actor: host.actor,
        };
        let test = host.integration.test_connection(host.msp, request).await?;
        println!("The connection works: {}.", visible(&test));
    }
    let request = Connect {
        event: EventId::new(host.now()),
        region: region.clone(),
        client_id,
        client_secret,
        allow_duplicate: args.allow_duplicate,
        actor: host.actor,
    };
    let connected = host.integration.connect(host.msp, request).await?;
    let word = if connected.reconnected {
        "Reconnected"
    } else {
        "Connected"
    };
    println!(
        "{word} {region}. The credentials are sealed in {}.",
        host.place
    );
    println!("Next: `regentra organizations` lists what is there to map.");
    Ok(())
}

/// Arguments of `regentra disconnect`.
#[derive(Debug, Args)]
pub struct DisconnectArgs {
    #[command(flatten)]
    region: RegionArgs,
}

/// Disconnects a region.
///
/// # Errors
/// When it was never connected.
pub async fn disconnect(host: &HostArgs, args: DisconnectArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Unobserved)).await?;
    let region = host.region(args.region.named()?).await?;
    let event = EventId::new(host.now());
    let disconnected = host
        .integration
        .disconnect(host.msp, &region, host.actor, event)
        .await?;
    if disconnected.changed {
        println!(
            "Disconnected {region}: its secrets are deleted and its assets retired. Mappings, signals and evidence are kept; \
             signals expire by themselves within 7 days."
        );
    } else {
        println!("{region} was disconnected already; nothing changed.");
    }
    Ok(())
}

/// Arguments of `regentra status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows what is connected and how it goes.
///
/// # Errors
/// When the database cannot be read.
pub async fn status(host: &HostArgs, args: &StatusArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Unobserved)).await?;
    let statuses = host.integration.connection_status(host.msp).await?;
    if args.json {
        return print_json(&statuses);
    }
    if statuses.is_empty() {
        println!("Nothing is connected yet: begin with `regentra connect`.");
    }
    for status in &statuses {
        print_status(status);
    }
    Ok(())
}

/// Prints an operator's card.
pub fn print_status(status: &ConnectionStatus) {
    match (status.connected, status.disconnected_at) {
        (true, _) => println!(
            "NinjaOne {}: connected since {}",
            status.region,
            time(status.connected_at)
        ),
        (false, at) => println!(
            "NinjaOne {}: disconnected since {}",
            status.region,
            optional_time(at)
        ),
    }
    let organizations = status.organizations;
    println!(
        "  organizations: {} mapped, {} pending review, {} ignored, {} no longer listed",
        organizations.mapped,
        organizations.pending_review,
        organizations.ignored,
        organizations.missing
    );
    let next = (
        optional_time(status.next_asset_sync),
        optional_time(status.next_evidence_sweep),
    );
    println!(
        "  asset sync: last {}, due {}",
        last(status.last_asset_sync.as_ref()),
        next.0
    );
    println!(
        "  evidence sweep: last {}, due {}",
        last(status.last_evidence_sweep.as_ref()),
        next.1
    );
    let (budget, (minute, hour)) = (status.budget, status.budget_limits);
    println!(
        "  requests: {} of {minute} in the last minute, {} of {hour} in the last hour",
        budget.last_minute, budget.last_hour
    );
    if let Some(error) = &status.last_error {
        println!("  last error: {}", last(Some(error)));
    }
    if status.customers.is_empty() {
        println!();
        return;
    }
    let mut rows = table(&[
        "Company",
        "Organization",
        "Assets synced",
        "Evidence swept",
        "Tickets",
    ]);
    for customer in &status.customers {
        let name = customer
            .company_name
            .as_ref()
            .map_or("?", |name| name.as_str());
        let organization = format!(
            "{} ({})",
            customer.organization.as_str(),
            customer.external_org_id
        );
        let tickets = match customer.dry_run {
            DryRun::NotPromoted => "not promoted: assets only".to_owned(),
            DryRun::Pending => "dry run: none until a sweep succeeded".to_owned(),
            DryRun::Over { since } => format!("since {}", time(since)),
        };
        let (assets, evidence) = (
            customer.last_asset_sync.as_ref(),
            customer.last_evidence_sweep.as_ref(),
        );
        rows.add_row([
            name.to_owned(),
            organization,
            last(assets),
            last(evidence),
            tickets,
        ]);
    }
    println!("{rows}\n");
}

fn last(run: Option<&LastRun>) -> String {
    let Some(run) = run else {
        return "never".to_owned();
    };
    let kind = match run.kind {
        RunKind::Discovery => "listing organizations ",
        RunKind::AssetSync | RunKind::EvidenceSweep => "",
    };
    match &run.outcome {
        RunOutcome::Succeeded => time(run.at),
        RunOutcome::Partial => format!("{} (partial)", time(run.at)),
        RunOutcome::Failed { error } => format!("{} ({kind}failed: {error})", time(run.at)),
    }
}
