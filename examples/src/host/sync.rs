//! `sync`.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use regentra_sync::{
    EventId,
    audit::SyncCounts,
    integration::{MappingSync, SyncOutcome},
};
use serde_json::{Value, json};

use super::{Host, HostArgs, RegionArgs, print_json, progress::Shown, table::table};

/// Arguments of `regentra sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    #[command(flatten)]
    region: RegionArgs,
    /// Only this company (id or name), in whichever regions its organizations are.
    #[arg(long, value_name = "COMPANY", conflicts_with_all = ["region", "base_url"])]
    company: Option<String>,
    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// Syncs assets.
///
/// # Errors
/// When nothing could be synced, or some organizations could not.
pub async fn run(host: &HostArgs, args: SyncArgs) -> anyhow::Result<()> {
    let shown = Arc::new(Shown::default());
    let host = host.open(Arc::<Shown>::clone(&shown)).await?;
    let event = EventId::new(host.now());
    let synced = if let Some(company) = &args.company {
        let company = host.company(company).await?;
        host.integration
            .sync_company(host.msp, company, host.actor, event)
            .await?
    } else {
        let region = host.region(args.region.named()?).await?;
        host.integration
            .sync_assets(host.msp, &region, host.actor, event)
            .await?
    };
    shown.finish();
    if args.json {
        print_json(&synced.iter().map(as_json).collect::<Vec<_>>())?;
    } else if synced.is_empty() {
        println!("No organization is mapped yet: `regentra organizations` lists them.");
    } else {
        print(&host, &synced).await?;
        println!("{} requests.", shown.requests());
    }
    let failed = synced.iter().filter(|sync| sync.outcome.is_err()).count();
    if failed > 0 {
        bail!(
            "{failed} of {} organizations could not be synced; the others were",
            synced.len()
        );
    }
    Ok(())
}

fn as_json(sync: &MappingSync) -> Value {
    let mut value = match &sync.outcome {
        Ok(outcome) => json!(outcome),
        Err(error) => {
            json!({"outcome": "failed", "error": error.kind().as_str(), "message": error.to_string()})
        }
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("mapping".to_owned(), json!(sync.mapping));
        fields.insert("company".to_owned(), json!(sync.company));
    }
    value
}

/// Prints what an asset sync did.
///
/// # Errors
/// When the database cannot be read.
pub async fn print(host: &Host, synced: &[MappingSync]) -> anyhow::Result<()> {
    let mut rows = table(&[
        "Organization",
        "Devices",
        "New",
        "Changed",
        "Moved here",
        "Retired",
        "Gave way",
        "Came back",
        "",
    ]);
    for sync in synced {
        let mapping = host.store.mapping(host.msp, sync.mapping).await?;
        let name = mapping.map_or_else(
            || sync.mapping.to_string(),
            |mapping| mapping.name.as_str().to_owned(),
        );
        let (counts, note) = match &sync.outcome {
            Ok(SyncOutcome::Synced {
                counts,
                truncated,
                suspect_empty,
                changed,
            }) => {
                let note = match (truncated, suspect_empty, changed) {
                    (true, ..) => "the list was cut at its ceiling; nothing was retired",
                    (_, true, _) => "the list is empty while assets exist; they are held",
                    (_, _, false) => "unchanged",
                    _ => "",
                };
                (*counts, note.to_owned())
            }
            Ok(SyncOutcome::Missing) => (
                SyncCounts::default(),
                "NinjaOne no longer lists it; its assets are held".to_owned(),
            ),
            Ok(SyncOutcome::Superseded) => (
                SyncCounts::default(),
                "decided upon or disconnected meanwhile".to_owned(),
            ),
            Err(error) => (SyncCounts::default(), format!("failed: {error}")),
        };
        let numbers = [
            counts.listed,
            counts.created,
            counts.updated,
            counts.moved,
            counts.retired,
            counts.superseded,
            counts.restored,
        ];
        rows.add_row(
            std::iter::once(name)
                .chain(numbers.map(|n| n.to_string()))
                .chain([note]),
        );
    }
    println!("{rows}");
    Ok(())
}
