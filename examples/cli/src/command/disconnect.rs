//! `regentra disconnect`.

use clap::Args;
use regentra_sync::{
    Disconnect,
    model::{AssetStatus, RegionKey, Source, TicketState},
    store::AssetFilter,
};
use serde_json::json;

use crate::{
    format::count,
    host::{Host, HostArgs, region},
    output,
};

/// Arguments of `regentra disconnect`.
#[derive(Debug, Args)]
pub struct DisconnectArgs {
    /// The region; not needed while only one is connected.
    #[arg(long, alias = "base-url", value_parser = region)]
    region: Option<RegionKey>,
}

/// Disconnects, and says what became of everything.
///
/// # Errors
/// When nothing is connected.
pub async fn run(args: DisconnectArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open_without_keys().await?;
    let region = host.one_region(args.region.as_ref()).await?;
    let done = disconnect(&host, &region).await?;
    if host.json {
        return output::json(&json!({
            "region": region,
            "assets_retired": done.assets_retired,
            "customers_told": done.customers_told,
            "signals_left": done.signals_left,
            "tickets_noted": done.tickets_noted,
        }));
    }
    output::print(&done.summary(&region))?;
    output::line(format!(
        "\nNext: `regentra connect --region {region}` resumes where this left off. In NinjaOne, revoke the API client if it is \
         no longer needed."
    ))
}

/// What a disconnect did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    assets_retired: u64,
    customers_told: u64,
    signals_left: u64,
    tickets_noted: u64,
}

impl Done {
    /// In sentences.
    #[must_use]
    pub fn summary(&self, region: &RegionKey) -> String {
        format!(
            "{region} is disconnected, and its credentials are deleted.\n\
             {} retired, the rows kept; mappings stay as they are.\n\
             {} informed on the audit trail; {} left to expire, 7 days after collection.\n\
             {}.\n",
            count(self.assets_retired, "asset is", "assets are"),
            count(
                self.customers_told,
                "promoted customer is",
                "promoted customers are"
            ),
            count(self.signals_left, "signal is", "signals are"),
            count(
                self.tickets_noted,
                "open ticket gets a note",
                "open tickets get a note"
            ),
        )
    }
}

/// Disconnects a region.
///
/// # Errors
/// As [`run`].
pub async fn disconnect(host: &Host, region: &RegionKey) -> anyhow::Result<Done> {
    let (views, msp) = (&host.views, host.msp);
    let mut done = Done::default();
    for connection in host.connected(Some(region)).await? {
        let mappings = views.mappings(msp, connection.credential).await?;
        let assets = views.assets(msp, AssetFilter::All).await?;
        let is_active = |asset: &&regentra_sync::model::Asset| {
            asset.source == Source::Ninjaone
                && asset.credential == Some(connection.credential)
                && asset.status == AssetStatus::Active
        };
        done.assets_retired = assets.iter().filter(is_active).count() as u64;
        let tickets = views.tickets(msp, None).await?;
        let is_ours = |id| mappings.iter().any(|mapping| mapping.id == id);
        done.tickets_noted = tickets
            .iter()
            .filter(|ticket| ticket.state == TicketState::Open && is_ours(ticket.key.mapping))
            .count() as u64;
        for company in views.companies(msp).await? {
            let is_affected = mappings
                .iter()
                .any(|mapping| mapping.state.company() == Some(company.id));
            let Some(customer) = company.converted_to.filter(|_| is_affected) else {
                continue;
            };
            done.customers_told += 1;
            let signals = views.current_signals(customer).await?;
            done.signals_left += signals
                .iter()
                .filter(|stored| is_ours(stored.mapping))
                .count() as u64;
        }
    }
    host.integration
        .disconnect(
            msp,
            Disconnect {
                region: region.clone(),
                actor: host.actor(),
                event: host.request(),
            },
        )
        .await?;
    Ok(done)
}
