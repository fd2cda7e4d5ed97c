//! `regentra status`: the operator's card.

use regentra_sync::{
    model::{Grant, RunOutcome, SweepStrategy, TenantView},
    views::{
        Card, ConnectionStatus, CustomerStatus, Diagnosis, DoubtCounts, DryRun, LastRun, SweepCost,
    },
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::diagnose;
use crate::{
    format::{ago, count, minute, number},
    host::{HostArgs, spent},
    output,
    portal::Portal,
    shown::Shown,
    table,
};

/// Shows how every region stands.
///
/// # Errors
/// When the database cannot be opened.
pub async fn run(host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open_with_keys_if_any().await?;
    let Card {
        connections,
        diagnoses: found,
    } = host.integration.card(host.msp).await?;
    #[cfg(feature = "graphile-worker")]
    let engine = crate::engine::status().await?;
    #[cfg(feature = "restate")]
    let restate = crate::restate::status().await?;
    if host.json {
        let rows: Vec<_> = connections.iter().map(|of| row(of, &found)).collect();
        #[cfg(feature = "graphile-worker")]
        if let Some(engine) = &engine {
            return output::json(&json!({
                "connections": rows, "engine": crate::engine::row(engine),
            }));
        }
        #[cfg(feature = "restate")]
        if let Some(restate) = &restate {
            return output::json(&json!({
                "connections": rows, "engine": crate::restate::row(restate),
            }));
        }
        return output::json(&rows);
    }
    #[cfg(feature = "graphile-worker")]
    if let Some(engine) = &engine {
        output::print(&crate::engine::summary(engine, host.now()))?;
    }
    #[cfg(feature = "restate")]
    if let Some(restate) = &restate {
        output::print(&crate::restate::summary(restate, host.now()))?;
    }
    if connections.is_empty() {
        return output::line("Nothing was ever connected.\n\nNext: `regentra connect`");
    }
    for connection in &connections {
        output::print(&card(connection, host.now()))?;
        if !connection.customers.is_empty() {
            output::line("")?;
            output::print(&customers(&connection.customers, host.now()))?;
        }
        output::line("")?;
    }
    if !found.is_empty() {
        let portal = Portal::read(&host).await?;
        output::line(format!(
            "What to know:\n{}",
            diagnose::summary(&portal, &found)
        ))?;
    }
    output::print(&next(&connections))
}

/// A card as JSON, with what is found about its region.
fn row(connection: &ConnectionStatus, found: &[Diagnosis]) -> Value {
    let of_region = |of: &&Diagnosis| of.region.as_ref() == Some(&connection.region);
    let found: Vec<_> = found.iter().filter(of_region).map(diagnose::row).collect();
    let mut row = json!(connection);
    if let Value::Object(row) = &mut row {
        row.insert("diagnoses".to_owned(), json!(found));
    }
    row
}

/// What stands on the card of one region.
#[must_use]
pub fn card(connection: &ConnectionStatus, now: OffsetDateTime) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| lines.push(format!("  {label:<16}{text}\n"));
    let organizations = &connection.organizations;
    let mut states = vec![
        format!("{} mapped", number(organizations.mapped)),
        format!("{} pending review", number(organizations.pending_review)),
        format!("{} ignored", number(organizations.ignored)),
    ];
    if organizations.missing > 0 {
        states.push(format!(
            "{} no longer listed",
            number(organizations.missing)
        ));
    }
    if organizations.nameless > 0 {
        states.push(format!(
            "{} without a readable name",
            number(organizations.nameless)
        ));
    }
    if organizations.unreadable_rows > 0 {
        states.push(format!(
            "and {} that could not be read",
            count(organizations.unreadable_rows, "row", "rows")
        ));
    }
    line("organizations", states.join(", "));
    let DoubtCounts {
        ambiguous,
        possible_duplicates,
        held,
    } = connection.assets;
    let doubts: Vec<_> = [
        (ambiguous, "ambiguous"),
        (possible_duplicates, "possible duplicates"),
        (held, "held though not listed"),
    ]
    .into_iter()
    .filter(|(assets, _)| *assets > 0)
    .map(|(assets, what)| format!("{} {what}", number(assets)))
    .collect();
    if !doubts.is_empty() {
        line(
            "to look at",
            format!("{}: `regentra assets`", doubts.join(", ")),
        );
    }
    match connection.view {
        TenantView::Part => line(
            "sees",
            "a part of the tenant only: what it does not list is held".to_owned(),
        ),
        TenantView::Unknown if connection.grant == Grant::AuthorizationCode => line(
            "sees",
            "not known whether the authorized user sees the whole tenant".to_owned(),
        ),
        _ => {}
    }
    let of = |wanted: fn(&DryRun) -> bool| {
        connection
            .customers
            .iter()
            .filter(|customer| wanted(&customer.dry_run))
            .count() as u64
    };
    line(
        "evidence",
        format!(
            "{} with signals and tickets, {} in the dry run, {} with assets only",
            number(of(|dry_run| matches!(dry_run, DryRun::Over { .. }))),
            number(of(|dry_run| matches!(dry_run, DryRun::Pending))),
            number(of(|dry_run| matches!(dry_run, DryRun::NotPromoted))),
        ),
    );
    for (label, text) in last_runs(connection, now) {
        line(label, text);
    }
    if let Some(sweeps) = &connection.sweeps {
        line("read", reading(sweeps));
    }
    line("requests", spent(connection));
    if let Some(error) = &connection.last_error {
        line("last error", last_run(Some(error), now));
    }
    let since = match connection.disconnected_at {
        Some(at) if !connection.connected => format!("disconnected since {}", minute(at)),
        _ => format!("connected since {}", minute(connection.connected_at)),
    };
    format!("{}  {since}\n{}", connection.region, lines.concat())
}

/// The last runs of each kind, and when the next are due.
fn last_runs(
    connection: &ConnectionStatus,
    now: OffsetDateTime,
) -> impl Iterator<Item = (&'static str, String)> {
    [
        (
            "asset sync",
            &connection.last_asset_sync,
            connection.next_asset_sync,
        ),
        (
            "evidence sweep",
            &connection.last_evidence_sweep,
            connection.next_evidence_sweep,
        ),
    ]
    .into_iter()
    .map(move |(label, last, next)| {
        let next = next.map_or_else(String::new, |at| format!("; due next at {}", minute(at)));
        (label, format!("{}{next}", last_run(last.as_ref(), now)))
    })
}

/// How the next sweeps are read, and what each way costs.
fn reading(sweeps: &SweepCost) -> String {
    let costs = sweeps.costs;
    let whole = costs
        .whole_tenant
        .map(|cost| format!(", the whole tenant in one pass {}", number(cost)));
    let how = match sweeps.strategy {
        SweepStrategy::PerCustomer => "each customer alone",
        SweepStrategy::Group => "many customers in one pass",
        SweepStrategy::WholeTenant => "the whole tenant in one pass",
        _ => "in a way that this release does not know",
    };
    format!(
        "{how}: {}; a tick costs each alone {}, in groups {}{}; the last cost {}",
        sweeps.reason.as_words(),
        number(costs.per_customer),
        number(costs.group),
        whole.unwrap_or_default(),
        count(sweeps.last, "request", "requests"),
    )
}

fn customers(customers: &[CustomerStatus], now: OffsetDateTime) -> String {
    let mut table = table::new(&[
        "Organization",
        "Company",
        "Evidence",
        "Asset sync",
        "Evidence sweep",
    ]);
    for customer in customers {
        let (name, id) = (
            Shown::name(&customer.organization),
            customer.external_org_id,
        );
        table.add_row([
            table::cell(format!("{name} ({id})")),
            table::cell(
                customer
                    .company_name
                    .as_ref()
                    .map_or_else(Shown::default, Shown::name),
            ),
            table::cell(match customer.dry_run {
                DryRun::NotPromoted => "assets only".to_owned(),
                DryRun::Pending => "dry run pending".to_owned(),
                DryRun::Over { since } => format!("since {}", minute(since)),
                _ => "not known to this release".to_owned(),
            }),
            table::cell(last_run(customer.last_asset_sync.as_ref(), now)),
            table::cell(match customer.dry_run {
                DryRun::NotPromoted => String::new(),
                _ => last_run(customer.last_evidence_sweep.as_ref(), now),
            }),
        ]);
    }
    table::text(&table)
}

fn last_run(run: Option<&LastRun>, now: OffsetDateTime) -> String {
    let Some(run) = run else {
        return "never".to_owned();
    };
    let when = ago(run.at, now);
    match &run.outcome {
        RunOutcome::Succeeded => when,
        RunOutcome::Partial { failed_reports } if failed_reports.is_empty() => {
            format!("{when}, in part")
        }
        RunOutcome::Partial { failed_reports } => {
            let each = failed_reports.iter();
            let each: Vec<_> = each
                .map(|(report, error)| format!("{}: {error}", report.as_str()))
                .collect();
            format!("{when}, without {}", each.join(", "))
        }
        RunOutcome::Failed { error } => format!("{when}, failed ({error})"),
        _ => format!("{when}, ended in a way that this release does not know"),
    }
}

/// What to do next: the answers to what is usually asked.
fn next(connections: &[ConnectionStatus]) -> String {
    let mut hints = Vec::new();
    if connections.iter().all(|connection| !connection.connected) {
        hints.push("`regentra connect` resumes; the mappings are as they were".to_owned());
    }
    for connection in connections.iter().filter(|connection| connection.connected) {
        if connection.authorize_again {
            hints.push(format!(
                "NinjaOne no longer takes the refresh token of {region}, and nothing runs: `regentra authorize --region {region}`",
                region = connection.region
            ));
        }
        let organizations = &connection.organizations;
        if organizations.pending_review > 0 {
            hints.push(format!(
                "{} for a decision: `regentra organizations`, then `regentra map`",
                count(
                    organizations.pending_review,
                    "organization waits",
                    "organizations wait"
                )
            ));
        } else if organizations.mapped + organizations.ignored == 0 {
            hints.push(
                "no organization is known yet: `regentra organizations` asks NinjaOne".to_owned(),
            );
        }
        let never_synced = connection
            .customers
            .iter()
            .filter(|customer| customer.last_asset_sync.is_none())
            .count() as u64;
        if never_synced > 0 {
            hints.push(format!(
                "{} never synced: `regentra sync`",
                count(
                    never_synced,
                    "mapped organization was",
                    "mapped organizations were"
                )
            ));
        }
        let is_promoted = |customer: &&CustomerStatus| customer.dry_run != DryRun::NotPromoted;
        let promoted: Vec<_> = connection.customers.iter().filter(is_promoted).collect();
        if promoted.is_empty() && !connection.customers.is_empty() {
            hints.push(
                "no company is promoted, so nothing is swept: `regentra promote COMPANY`"
                    .to_owned(),
            );
        }
        let pending = promoted
            .iter()
            .filter(|customer| customer.dry_run == DryRun::Pending)
            .count() as u64;
        if pending > 0 {
            hints.push(format!(
                "{} the first sweep before tickets are opened: `regentra sweep`",
                count(
                    pending,
                    "promoted organization needs",
                    "promoted organizations need"
                )
            ));
        }
    }
    if hints.is_empty() {
        return "Next: `regentra signals`\n".to_owned();
    }
    format!("Next:\n  - {}\n", hints.join("\n  - "))
}
