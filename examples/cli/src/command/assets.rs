//! `regentra assets`: the machines of a company, and those that a person should look at.

use std::collections::BTreeMap;

use clap::Args;
use regentra_sync::{
    model::{Asset, AssetId, AssetStatus},
    store::AssetFilter,
    views::Doubt,
};
use serde_json::json;

use crate::{
    format::{count, minute},
    host::HostArgs,
    output,
    portal::Portal,
    shown::Shown,
    table,
};

/// Arguments of `regentra assets`.
#[derive(Debug, Args)]
pub struct AssetsArgs {
    /// All assets of this company: its id, the beginning of its id, or its name. Without it, those of every company that a
    /// person should look at: ambiguous ones, possible duplicates, and those that are held though they are no longer listed.
    #[arg(long)]
    company: Option<String>,
}

/// Lists them.
///
/// # Errors
/// When the store does not answer, or there is no such company.
pub async fn run(args: AssetsArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.read().await?;
    let portal = Portal::read(&host).await?;
    let company = args
        .company
        .as_deref()
        .map(|wanted| portal.company(wanted))
        .transpose()?
        .map(|company| company.id);
    let doubts = host.views.asset_doubts(host.msp, company).await?;
    let mut assets = match company {
        Some(company) => {
            let filter = AssetFilter::Company(company);
            host.views.assets(host.msp, filter).await?
        }
        None => doubts.iter().map(|of| of.asset.clone()).collect(),
    };
    assets.sort_by_key(|asset| (asset.company, asset.source, asset.id));
    assets.dedup_by_key(|asset| asset.id);
    let mut of_asset: BTreeMap<AssetId, Vec<Doubt>> = BTreeMap::new();
    for doubt in &doubts {
        of_asset
            .entry(doubt.asset.id)
            .or_default()
            .push(doubt.doubt);
    }
    let doubts_of = |asset: &Asset| of_asset.get(&asset.id).map_or(&[][..], Vec::as_slice);
    if host.json {
        let row = |asset: &Asset| json!({ "asset": asset, "doubts": doubts_of(asset) });
        return output::json(&assets.iter().map(row).collect::<Vec<_>>());
    }
    if assets.is_empty() {
        return output::line(match company {
            Some(_) => "The company has no asset.\n\nNext: `regentra sync`",
            None => "No asset needs a look. `--company NAME` lists all of a company.",
        });
    }
    let mut table = table::new(&["Company", "Asset", "Source", "Id", "Status", "Why"]);
    for asset in &assets {
        table.add_row([
            table::cell(portal.company_name(asset.company)),
            table::cell(Shown::name(&asset.content.name)),
            table::cell(asset.source.as_str()),
            table::cell(Shown::bounded(&asset.external_id.to_string())),
            table::cell(match asset.status {
                AssetStatus::Active => "active",
                AssetStatus::Superseded { .. } => "superseded",
                AssetStatus::Retired => "retired",
            }),
            table::cell(Shown::lines(
                doubts_of(asset).iter().map(|doubt| why(*doubt)),
            )),
        ]);
    }
    output::print(&table::text(&table))?;
    let looked_at = count(of_asset.len() as u64, "asset needs", "assets need");
    output::line(format!(
        "\n{}; {looked_at} a look.",
        count(assets.len() as u64, "asset", "assets")
    ))
}

fn why(doubt: Doubt) -> Shown {
    match doubt {
        Doubt::Ambiguous { .. } => Shown::text(format_args!("ambiguous: {}", doubt.meaning())),
        Doubt::Held { since } => {
            Shown::text(format_args!("{}, since {}", doubt.meaning(), minute(since)))
        }
        _ => Shown::text(doubt.meaning()),
    }
}
