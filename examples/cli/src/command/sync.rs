//! `regentra sync`: assets.

use anyhow::bail;
use clap::Args;
use regentra_sync::{
    ErrorKind, MappingSync, RequestSync, SyncAssets, SyncCompany, SyncOutcome,
    model::{Mapping, RegionKey, SyncCounts},
    schedule::{Again, EventOutcome},
};
use serde_json::{Value, json};

use crate::{
    format::{count, count_and_lost, number},
    host::{BUSY, Host, HostArgs, region},
    output,
    portal::{Portal, label},
    table,
};

/// Arguments of `regentra sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// This company alone: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: Option<String>,

    /// This organization alone: its NinjaOne id, or its name. What was synced within the minute before is not synced again.
    #[arg(long, conflicts_with = "company")]
    organization: Option<String>,

    /// Queues it for the processes of `regentra run --engine …`, ahead of their schedule, instead of doing it here.
    #[cfg(any(feature = "graphile-worker", feature = "restate"))]
    #[arg(long, requires = "organization")]
    queue: bool,

    /// This region alone.
    #[arg(long, alias = "base-url", value_parser = region, conflicts_with = "company")]
    region: Option<RegionKey>,
}

/// Syncs, and says what changed.
///
/// # Errors
/// When an organization could not be synced.
pub async fn run(args: SyncArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open().await?;
    let portal = Portal::read(&host).await?;
    if let Some(wanted) = &args.organization {
        let mapping = portal.organization(wanted, args.region.as_ref())?;
        #[cfg(any(feature = "graphile-worker", feature = "restate"))]
        if args.queue {
            return queue(&host, mapping).await;
        }
        return one(&host, mapping).await;
    }
    let company = args
        .company
        .as_deref()
        .map(|wanted| portal.company(wanted))
        .transpose()?;
    let synced = if let Some(company) = company {
        let synced = host
            .integration
            .sync_company(
                host.msp,
                SyncCompany {
                    company: company.id,
                    actor: host.actor(),
                    event: host.request(),
                },
            )
            .await;
        host.meter.clear();
        synced?
    } else {
        all(&host, args.region.as_ref()).await?
    };
    if host.json {
        output::json(
            &synced
                .iter()
                .map(|synced| row(&portal, synced))
                .collect::<Vec<_>>(),
        )?;
    } else {
        output::print(&summary(&portal, &synced))?;
        output::print(&host.spent().await?)?;
        if !synced.is_empty() {
            output::line("\nNext: `regentra companies`")?;
        }
    }
    let left = synced.iter().filter(|synced| !is_synced(synced)).count();
    if left > 0 {
        let of = count(synced.len() as u64, "organization", "organizations");
        bail!("{left} of {of} could not be synced; the others are");
    }
    Ok(())
}

/// Whether its assets are as NinjaOne says; those of an organization that NinjaOne no longer lists are held.
const fn is_synced(synced: &MappingSync) -> bool {
    matches!(
        synced.outcome,
        Ok(SyncOutcome::Synced { .. } | SyncOutcome::Missing | SyncOutcome::OutOfView)
    )
}

/// Syncs one organization, as an event that a scheduler or an engine would handle the same way.
async fn one(host: &Host, mapping: &Mapping) -> anyhow::Result<()> {
    let event = host
        .integration
        .request_sync(
            host.msp,
            RequestSync {
                mapping: mapping.id,
                actor: host.actor(),
                event: host.request(),
            },
        )
        .await?;
    let end = host.integration.handle(&event, 1).await;
    host.meter.clear();
    let name = label(mapping);
    if host.json {
        output::json(&json!({
            "mapping": mapping.id, "external_org_id": mapping.external_org_id, "event": event.id(),
            "outcome": end.outcome.as_str(), "error": error_of(end.outcome), "again": end.again,
        }))?;
    } else if end.outcome.is_over() {
        let how = match end.outcome {
            EventOutcome::DoneBefore => "was synced within the last minute",
            EventOutcome::Skipped => "is not mapped any more",
            _ => "is synced",
        };
        output::line(format!("{name} {how}\n\nNext: `regentra companies`"))?;
    }
    if end.outcome.is_over() {
        return Ok(());
    }
    let again = match end.again {
        Again::Never => "`regentra diagnose` says what to do".to_owned(),
        Again::Now => "run it again".to_owned(),
        Again::After(wait) => format!("run it again in {} s", wait.as_secs()),
    };
    match end.outcome {
        EventOutcome::Failed { error } => bail!("{name} could not be synced ({error}); {again}"),
        EventOutcome::Busy => bail!("{name} is being synced already; {again}"),
        EventOutcome::Deferred => bail!("the request budget of its connection is spent; {again}"),
        _ => bail!("{name} was decided upon meanwhile, and nothing was written; {again}"),
    }
}

/// Has the engine's processes sync one organization.
#[cfg(any(feature = "graphile-worker", feature = "restate"))]
async fn queue(host: &Host, mapping: &Mapping) -> anyhow::Result<()> {
    let request = RequestSync {
        mapping: mapping.id,
        actor: host.actor(),
        event: host.request(),
    };
    let event = send(host, request).await?;
    if host.json {
        return output::json(&json!({
            "mapping": mapping.id, "external_org_id": mapping.external_org_id, "event": event.id(), "outcome": "queued",
        }));
    }
    output::line(format!(
        "{} is queued\n\nNext: `regentra status`",
        label(mapping)
    ))
}

/// Hands it to the engine; a program with both takes Restate only where no database of the other is named.
#[cfg(any(feature = "graphile-worker", feature = "restate"))]
async fn send(host: &Host, request: RequestSync) -> anyhow::Result<regentra_sync::schedule::Event> {
    let (integration, msp) = (&host.integration, host.msp);
    #[cfg(feature = "graphile-worker")]
    if cfg!(not(feature = "restate")) || std::env::var_os("REGENTRA_ENGINE_DB").is_some() {
        let engine = crate::engine::connect()?;
        let sent = regentra_sync_graphile_worker::request_sync(integration, &engine, msp, request);
        return Ok(sent.await?);
    }
    #[cfg(feature = "restate")]
    {
        let server = crate::restate::server()?;
        Ok(server.request_sync(integration, msp, request).await?)
    }
    #[cfg(not(feature = "restate"))]
    bail!("this program has no engine")
}

const fn error_of(outcome: EventOutcome) -> Option<ErrorKind> {
    match outcome {
        EventOutcome::Failed { error } => Some(error),
        _ => None,
    }
}

/// Syncs every mapped organization.
///
/// # Errors
/// As [`run`].
pub async fn all(host: &Host, only: Option<&RegionKey>) -> anyhow::Result<Vec<MappingSync>> {
    let mut synced = Vec::new();
    for connection in host.connected(only).await? {
        let of_region = host
            .integration
            .sync_assets(
                host.msp,
                SyncAssets {
                    region: connection.region.clone(),
                    actor: host.actor(),
                    event: host.request(),
                },
            )
            .await;
        host.meter.clear();
        synced.extend(of_region?);
    }
    Ok(synced)
}

/// What a sync did: a row for whatever is new, and the sums.
#[must_use]
pub fn summary(portal: &Portal, synced: &[MappingSync]) -> String {
    if synced.is_empty() {
        return "No organization is mapped: `regentra organizations` lists them, `regentra map` maps them.\n".to_owned();
    }
    let mut sum = SyncCounts::default();
    let mut unchanged = 0_u64;
    let mut table = table::new(&[
        "Organization",
        "Company",
        ">Devices",
        ">New",
        ">Changed",
        ">Moved",
        ">Retired",
        "",
    ]);
    for synced in synced {
        let names = [
            table::cell(portal.organization_label(synced.mapping)),
            table::cell(portal.company_name(synced.company)),
        ];
        let remark = remark(synced);
        let Ok(SyncOutcome::Synced {
            counts, changed, ..
        }) = &synced.outcome
        else {
            let nothing = (0..5).map(|_| table::cell(""));
            table.add_row(
                names
                    .into_iter()
                    .chain(nothing)
                    .chain([table::cell(remark)]),
            );
            continue;
        };
        sum.listed += counts.listed;
        sum.created += counts.created;
        sum.updated += counts.updated;
        sum.moved += counts.moved;
        sum.retired += counts.retired;
        sum.malformed_rows += counts.malformed_rows;
        if !changed && remark.is_empty() {
            unchanged += 1;
            continue;
        }
        let numbers = [
            counts.listed,
            counts.created,
            counts.updated,
            counts.moved,
            counts.retired,
        ];
        table.add_row(
            names
                .into_iter()
                .chain(numbers.map(table::number))
                .chain([table::cell(remark)]),
        );
    }
    let news = if table.is_empty() {
        String::new()
    } else {
        format!("{}\n", table::text(&table))
    };
    let rest = match unchanged {
        0 => String::new(),
        all if all == synced.len() as u64 => "; nothing has changed".to_owned(),
        some => format!(
            "; {} unchanged",
            count(some, "organization", "organizations")
        ),
    };
    let all = count(synced.len() as u64, "organization", "organizations");
    let organizations = match synced.iter().filter(|synced| is_synced(synced)).count() {
        done if done == synced.len() => all,
        done => format!("{} of {all} synced", number(done as u64)),
    };
    format!(
        "{news}{organizations}, {}: {} new, {} changed, {} moved, {} retired{rest}.\n",
        count_and_lost(
            sum.listed,
            "approved device",
            "approved devices",
            sum.malformed_rows
        ),
        number(sum.created),
        number(sum.updated),
        number(sum.moved),
        number(sum.retired),
    )
}

fn remark(synced: &MappingSync) -> String {
    match &synced.outcome {
        Err(error) if error.kind() == ErrorKind::Busy => BUSY.to_owned(),
        Err(error) => format!("failed: {error}"),
        Ok(SyncOutcome::Missing) => "NinjaOne no longer lists it; its assets are held".to_owned(),
        Ok(SyncOutcome::OutOfView) => {
            "the user who authorized the connection does not see it; its assets are held".to_owned()
        }
        Ok(SyncOutcome::Superseded) => {
            "decided upon or disconnected meanwhile: nothing was written".to_owned()
        }
        Ok(SyncOutcome::Synced {
            counts,
            truncated,
            suspect_empty,
            suspect_shrunk,
            partial_view,
            ..
        }) => {
            let mut remarks = Vec::new();
            if *truncated {
                remarks.push("cut at its ceiling; nothing was retired".to_owned());
            }
            if *suspect_empty {
                remarks.push("empty while assets exist; they are held".to_owned());
            }
            let held = count(counts.held, "asset", "assets");
            if *suspect_shrunk {
                remarks.push(format!(
                    "{held} gone at once; held until the next complete list says the same"
                ));
            } else if *partial_view && counts.held > 0 {
                remarks.push(format!(
                    "{held} not visible to the user who authorized the connection; held"
                ));
            }
            let look = ": `regentra assets`";
            if counts.ambiguous > 0 {
                let ambiguous = count(counts.ambiguous, "asset", "assets");
                remarks.push(format!("{ambiguous} ambiguous{look}"));
            }
            if counts.possible_duplicates > 0 {
                let duplicates = count(
                    counts.possible_duplicates,
                    "possible duplicate",
                    "possible duplicates",
                );
                remarks.push(format!("{duplicates}{look}"));
            }
            for (n, what) in [
                (counts.foreign_rows, "of other organizations dropped"),
                (
                    counts.malformed_rows,
                    "could not be read; nothing was retired",
                ),
            ] {
                if n > 0 {
                    remarks.push(format!("{} {what}", count(n, "row", "rows")));
                }
            }
            remarks.join("; ")
        }
        Ok(_) => "ended in a way that this release does not know".to_owned(),
    }
}

fn row(portal: &Portal, synced: &MappingSync) -> Value {
    let outcome = match &synced.outcome {
        Ok(outcome) => json!(outcome),
        Err(error) => json!({
            "outcome": "failed", "error": error.kind().as_str(), "message": error.to_string(),
        }),
    };
    json!({
        "mapping": synced.mapping,
        "organization": portal.mapping(synced.mapping).map(|mapping| mapping.external_org_id),
        "company": { "id": synced.company, "name": portal.company_text(synced.company) },
        "result": outcome,
    })
}
