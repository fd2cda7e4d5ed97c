//! `regentra organizations`: discovery, and what was decided.

use clap::Args;
use regentra_sync::{
    Discover, Discovery, SuggestionReason,
    model::{Mapping, MappingState, RegionKey, is_readable},
};
use serde_json::{Value, json};

use crate::{
    format::{count, count_and_lost, listed, minute, number},
    host::{Host, HostArgs, Reading, region},
    output,
    portal::Portal,
    shown::Shown,
    table,
};

/// Arguments of `regentra organizations`.
#[derive(Debug, Args)]
pub struct OrganizationsArgs {
    /// Of this region alone.
    #[arg(long, alias = "base-url", value_parser = region)]
    region: Option<RegionKey>,

    /// List what is known, without asking NinjaOne.
    #[arg(long)]
    known: bool,

    /// Suggest a company for each that is pending review, with the reason: its name, or the serial numbers of its devices.
    #[arg(long, conflicts_with = "known")]
    suggest: bool,
}

impl OrganizationsArgs {
    /// Whether NinjaOne is asked, and what it says kept.
    pub(super) const fn writes(&self) -> bool {
        !self.known
    }
}

/// Discovers, and lists.
///
/// # Errors
/// When nothing is connected, or NinjaOne does not answer.
pub async fn run(args: OrganizationsArgs, host: &HostArgs) -> anyhow::Result<()> {
    if args.known {
        let host = host.read().await?;
        return show(&host, &known(&host, args.region.as_ref()).await?);
    }
    let host = host.open().await?;
    for connection in host.connected(args.region.as_ref()).await? {
        let found = discover(&host, &connection.region).await?;
        if found.truncated {
            output::note("warning: the list was cut at its ceiling of 5,000 organizations");
        }
        if !host.json {
            output::line(format!("{}\n", discovery_summary(&found)))?;
        }
    }
    let portal = known(&host, args.region.as_ref()).await?;
    if args.suggest {
        return suggest(&host, &portal, args.region.as_ref()).await;
    }
    show(&host, &portal)
}

/// What is known of every region, or of one.
async fn known(host: &Reading, region: Option<&RegionKey>) -> anyhow::Result<Portal> {
    let mut portal = Portal::read(host).await?;
    if let Some(region) = region {
        portal.organizations.retain(|(of, _)| of == region);
        portal.lost_organizations = 0;
        for connection in host.views.connections(host.msp).await? {
            if connection.region == *region {
                portal.lost_organizations = connection.lost_organizations;
            }
        }
    }
    Ok(portal)
}

fn show(host: &Reading, portal: &Portal) -> anyhow::Result<()> {
    if host.json {
        return output::json(&rows(portal));
    }
    output::print(&table(portal))?;
    output::print(&summary(portal))
}

/// Shows which company each organization that is pending review may be, and why.
async fn suggest(host: &Host, portal: &Portal, only: Option<&RegionKey>) -> anyhow::Result<()> {
    let mut suggestions = Vec::new();
    for connection in host.connected(only).await? {
        let of_region = host
            .integration
            .suggestions(host.msp, &connection.region)
            .await;
        host.meter.clear();
        suggestions.extend(of_region?);
    }
    if host.json {
        return output::json(&suggestions);
    }
    if suggestions.is_empty() {
        return output::line(
            "No company is suggested for any organization that is pending review.",
        );
    }
    let mut table = table::new(&["Organization", "Company", "Reason"]);
    for suggestion in &suggestions {
        table.add_row([
            table::cell(portal.organization_label(suggestion.mapping)),
            table::cell(portal.company_name(suggestion.company)),
            table::cell(reason(suggestion.reason)),
        ]);
    }
    output::print(&table::text(&table))?;
    output::line(
        "\nNext: `regentra map ID --company NAME`; `regentra map --all-pending --suggested` applies those of exactly the same name",
    )
}

/// Why a company is suggested, in words.
pub(super) fn reason(reason: SuggestionReason) -> String {
    match reason {
        SuggestionReason::Devices { known, of } => format!(
            "{} of {} are known under it by serial number",
            number(known),
            count(of, "device", "devices")
        ),
        _ => "exactly the same name".to_owned(),
    }
}

/// Asks NinjaOne for a region's organizations.
///
/// # Errors
/// As [`run`].
pub async fn discover(host: &Host, region: &RegionKey) -> anyhow::Result<Discovery> {
    let found = host
        .integration
        .discover(
            host.msp,
            Discover {
                region: region.clone(),
                actor: host.actor(),
                event: host.request(),
            },
        )
        .await;
    host.meter.clear();
    Ok(found?)
}

/// What a discovery saw, in a sentence.
#[must_use]
pub fn discovery_summary(found: &Discovery) -> String {
    let mut news: Vec<_> = [
        (found.added, "new"),
        (found.renamed, "renamed"),
        (found.missing, "no longer listed"),
        (found.returned, "listed again"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{} {what}", number(n)))
    .collect();
    if news.is_empty() {
        news.push("nothing new".to_owned());
    }
    if found.nameless > 0 {
        news.push(format!(
            "{} without a readable name",
            number(found.nameless)
        ));
    }
    let lost = found.unreadable_rows;
    let all = count_and_lost(found.listed, "organization", "organizations", lost);
    format!("NinjaOne lists {all}: {}.", listed(&news))
}

/// The organizations as a table.
#[must_use]
pub fn table(portal: &Portal) -> String {
    let regions = portal.has_several_regions();
    let mut columns = vec![">Id", "Organization", "State", "Company", ""];
    if regions {
        columns.insert(0, "Region");
    }
    let mut table = table::new(&columns);
    for (region, mapping) in &portal.organizations {
        let mut cells = vec![
            table::cell(mapping.external_org_id.to_string()),
            table::cell(Shown::name(&mapping.name)),
            table::cell(state(mapping.state)),
            table::cell(
                mapping
                    .state
                    .company()
                    .map_or_else(Shown::default, |company| portal.company_name(company)),
            ),
            table::cell(remark(portal, mapping)),
        ];
        if regions {
            cells.insert(0, table::cell(region.as_str()));
        }
        table.add_row(cells);
    }
    table::text(&table)
}

/// What was decided, in words.
const fn state(state: MappingState) -> &'static str {
    match state {
        MappingState::PendingReview => "pending review",
        MappingState::Mapped { .. } => "mapped",
        MappingState::Ignored => "ignored",
    }
}

fn remark(portal: &Portal, mapping: &Mapping) -> String {
    let mut remarks = Vec::new();
    let is_pending = mapping.state == MappingState::PendingReview;
    if let Some(company) = mapping.suggestion.filter(|_| is_pending) {
        remarks.push(format!("suggestion: {}", portal.company_name(company)));
    }
    if is_pending && !is_readable(mapping.name.as_str()) {
        remarks.push("map it by its id".to_owned());
    }
    if let Some(since) = mapping.missing_since {
        remarks.push(format!("no longer listed since {}", minute(since)));
    }
    remarks.join("; ")
}

/// How many there are of each state, and what to do next.
#[must_use]
pub fn summary(portal: &Portal) -> String {
    let of = |wanted: &str| {
        portal
            .organizations
            .iter()
            .filter(|(_, mapping)| mapping.state.as_str() == wanted)
            .count() as u64
    };
    let all = portal.organizations.len() as u64;
    let all = count_and_lost(
        all,
        "organization",
        "organizations",
        portal.lost_organizations,
    );
    let (pending, mapped, ignored) = (of("pending_review"), of("mapped"), of("ignored"));
    let mut text = format!(
        "\n{all}: {} pending review, {} mapped, {} ignored.\n",
        number(pending),
        number(mapped),
        number(ignored)
    );
    if pending > 0 {
        text.push_str(
            "\nNext: decide about those pending review, by id or name:\n\
             \x20 regentra map ID --create           a company of the organization's name, made where there is none\n\
             \x20 regentra map ID --company NAME     a company that exists (`regentra companies`)\n\
             \x20 regentra map ID --suggested        the company suggested\n\
             \x20 regentra map ID --ignore           do not sync it, and do not ask again\n\
             `--all-pending` instead of ids decides about all of them; `--preview` shows what that would do.\n\
             `regentra organizations --suggest` looks which company knows their devices.\n",
        );
    } else if mapped > 0 {
        text.push_str("\nNext: `regentra sync`\n");
    }
    text
}

fn rows(portal: &Portal) -> Vec<Value> {
    let named =
        |company: Option<_>| company.map(|id| json!({ "id": id, "name": portal.company_text(id) }));
    let row = |(region, mapping): &(RegionKey, Mapping)| {
        json!({
            "mapping": mapping.id,
            "region": region,
            "id": mapping.external_org_id,
            "name": mapping.name,
            "state": mapping.state.as_str(),
            "company": named(mapping.state.company()),
            "suggestion": named(mapping.suggestion),
            "missing_since": mapping.missing_since.map(crate::format::rfc3339),
            "first_evidence_synced_at": mapping.first_evidence_synced_at.map(crate::format::rfc3339),
        })
    };
    portal.organizations.iter().map(row).collect()
}
