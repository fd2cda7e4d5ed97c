//! `regentra map`: what an organization is.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use regentra_sync::{
    Bulk, BulkStep, Choice, ErrorKind, MapOrganization, MapPending, Mapped, MappedPending,
    PendingStep,
    model::{
        Asset, AssetStatus, CompanyId, Mapping, MappingState, PortalCompany, RegionKey,
        is_same_name,
    },
    store::AssetFilter,
};
use serde_json::{Value, json};

use super::organizations;
use crate::{
    format::{count, number},
    host::{Host, HostArgs, region},
    output,
    portal::{Portal, label},
    shown::Shown,
    table,
};

/// Arguments of `regentra map`.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// Organizations, by their id in NinjaOne or by name.
    #[arg(value_name = "ORGANIZATION", required_unless_present = "all_pending")]
    organizations: Vec<String>,

    /// Every organization that nobody has decided about yet. Those whose names are equal are never given one company.
    #[arg(long, conflicts_with = "organizations")]
    all_pending: bool,

    /// Show what --all-pending would do, and change nothing.
    #[arg(long, requires = "all_pending")]
    preview: bool,

    /// Do what `--all-pending --suggested` shows.
    #[arg(long, requires = "all_pending", conflicts_with = "preview")]
    yes: bool,

    #[command(flatten)]
    choice: ChoiceArgs,

    /// Where the id is known in several regions.
    #[arg(long, alias = "base-url", value_parser = region)]
    region: Option<RegionKey>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ChoiceArgs {
    /// It is this company: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: Option<String>,

    /// It is the company of this name, or of the organization's own; made where there is none.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    create: Option<String>,

    /// It is the company suggested.
    #[arg(long)]
    suggested: bool,

    /// Do not sync it, and do not ask again. The assets of a mapped one are retired.
    #[arg(long)]
    ignore: bool,

    /// Take the decision back: it is pending review again, and its assets are retired.
    #[arg(long)]
    unmap: bool,
}

/// Decides, and says so.
///
/// # Errors
/// When there is no such organization or company, or the organization is another company's.
pub async fn run(args: MapArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open_without_keys().await?;
    let portal = Portal::read(&host).await?;
    if args.all_pending {
        return all_pending(&args, &host, &portal).await;
    }
    // All of them are found before anything is decided.
    let find = |wanted: &String| portal.organization(wanted, args.region.as_ref());
    let wanted = args
        .organizations
        .iter()
        .map(find)
        .collect::<anyhow::Result<Vec<&Mapping>>>()?;
    let (mut rows, mut has_assets) = (Vec::new(), false);
    for organization in wanted {
        let counted = counted(&host, organization).await?;
        let mapped = decide(&host, &portal, organization, &args.choice).await?;
        let is_unmapped = mapped.changed && mapped.mapping.state.company().is_none();
        let retired = if is_unmapped { counted } else { 0 };
        has_assets |= mapped.changed && mapped.mapping.state.company().is_some();
        if host.json {
            rows.push(row(&mapped, retired));
        } else {
            let mut text = summary(&host, &mapped).await?;
            if retired > 0 {
                let assets = count(retired, "asset is", "assets are");
                let _ = write!(text, " Its {assets} retired; the rows are kept.");
            }
            output::line(text)?;
        }
    }
    if host.json {
        return output::json(&rows);
    }
    if has_assets {
        output::line("\nNext: `regentra sync`")?;
    }
    Ok(())
}

/// Decides about all that are pending review, and says what is left.
async fn all_pending(args: &MapArgs, host: &Host, portal: &Portal) -> anyhow::Result<()> {
    let choice = &args.choice;
    let region = args.region.as_ref();
    let bulk = match (&choice.company, choice.create.as_deref()) {
        (Some(company), _) => return one_company(args, host, portal, company).await,
        (None, Some(name)) if !name.trim().is_empty() => {
            bail!(
                "--all-pending --create takes no name: each organization becomes a company of its own; use --company for one that \
                 they all are"
            )
        }
        (None, Some(_)) => Bulk::CreateNew,
        (None, None) if choice.suggested => Bulk::ApplyExact,
        (None, None) if choice.ignore => Bulk::DontSync,
        (None, None) => {
            bail!("--all-pending --unmap changes nothing: what is pending review is not mapped")
        }
    };
    if portal.organizations.is_empty() && !host.json {
        return output::line(
            "No organization is known yet: `regentra organizations` asks NinjaOne.",
        );
    }
    // What is applied for its name alone is looked at first.
    let only_shown = args.preview || (bulk == Bulk::ApplyExact && !args.yes);
    if only_shown {
        let steps = host
            .integration
            .preview_pending(host.msp, region, bulk)
            .await?;
        return preview(host, portal, &steps, args.preview);
    }
    let mapped = host
        .integration
        .map_pending(
            host.msp,
            MapPending {
                region: region.cloned(),
                bulk,
                actor: host.actor(),
                event: host.request(),
            },
        )
        .await?;
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    for MappedPending { mapping, outcome } in &mapped {
        let label = label(mapping);
        let why = match outcome {
            Ok(Ok(mapped)) => {
                if host.json {
                    rows.push(row(mapped, 0));
                } else {
                    output::line(summary(host, mapped).await?)?;
                }
                continue;
            }
            Ok(Err(left)) => left.meaning().to_owned(),
            Err(error) => error.to_string(),
        };
        rows.push(json!({
            "mapping": mapping.id,
            "id": mapping.external_org_id,
            "state": mapping.state.as_str(),
            "changed": false,
            "left": match outcome {
                Ok(Err(left)) => json!(left),
                _ => json!("failed"),
            },
            "why": why,
        }));
        left.push(format!("  {label}: {}", Shown::text(why)));
    }
    if host.json {
        output::json(&rows)?;
    } else if mapped.is_empty() {
        output::line("No organization is pending review.")?;
    }
    if left.is_empty() {
        if !host.json && !mapped.is_empty() && bulk != Bulk::DontSync {
            output::line("\nNext: `regentra sync`")?;
        }
        return Ok(());
    }
    let all = mapped.len() as u64;
    bail!(
        "{} of {} left pending review; decide about each by its id (`regentra map ID --company NAME` or `--create`):\n{}",
        number(left.len() as u64),
        count(all, "organization is", "organizations are"),
        left.join("\n")
    )
}

/// All that are pending review are one company, as a person says.
async fn one_company(
    args: &MapArgs,
    host: &Host,
    portal: &Portal,
    company: &str,
) -> anyhow::Result<()> {
    let company = portal.company(company)?.id;
    let here = |of: &RegionKey| args.region.as_ref().is_none_or(|region| region == of);
    let pending = portal
        .organizations
        .iter()
        .filter(|(of, mapping)| here(of) && mapping.state == MappingState::PendingReview);
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    for (_, mapping) in pending {
        if args.preview {
            output::line(format!(
                "{} would be mapped to {}.",
                label(mapping),
                portal.company_name(company)
            ))?;
            continue;
        }
        let choice = Choice::UseExisting(company);
        let mapped = host
            .integration
            .map(
                host.msp,
                MapOrganization {
                    mapping: mapping.id,
                    choice,
                    actor: host.actor(),
                    event: host.request(),
                },
            )
            .await;
        match mapped {
            Ok(mapped) if host.json => rows.push(row(&mapped, 0)),
            Ok(mapped) => output::line(summary(host, &mapped).await?)?,
            Err(error) => left.push(format!("  {}: {error}", label(mapping))),
        }
    }
    if host.json {
        output::json(&rows)?;
    }
    if left.is_empty() {
        return Ok(());
    }
    bail!("left pending review:\n{}", left.join("\n"))
}

/// Shows what would be done.
fn preview(
    host: &Host,
    portal: &Portal,
    steps: &[PendingStep],
    is_asked_for: bool,
) -> anyhow::Result<()> {
    if host.json {
        return output::json(&steps);
    }
    if steps.is_empty() {
        return output::line("No organization is pending review.");
    }
    let mut table = table::new(&["Organization", "Would be", "Reason"]);
    for PendingStep { mapping, step } in steps {
        let (what, why) = match step {
            BulkStep::Map { company, reason } => (
                Shown::text(format_args!("mapped to {}", portal.company_name(*company))),
                organizations::reason(*reason),
            ),
            BulkStep::Create => (
                Shown::text(format_args!(
                    "mapped to the new company {}",
                    Shown::name(&mapping.name)
                )),
                "no company of its name".to_owned(),
            ),
            BulkStep::Ignore => (Shown::text("not synced"), String::new()),
            BulkStep::Leave { left } => (
                Shown::text("left pending review"),
                left.meaning().to_owned(),
            ),
            _ => (
                Shown::text("decided in a way that this release does not know"),
                String::new(),
            ),
        };
        table.add_row([
            table::cell(label(mapping)),
            table::cell(what),
            table::cell(why),
        ]);
    }
    output::print(&table::text(&table))?;
    let next = if is_asked_for {
        "without `--preview` it is done"
    } else {
        "add `--yes` to do it"
    };
    output::line(format!("\nNothing was changed: {next}."))
}

/// A decision as JSON.
fn row(mapped: &Mapped, retired: u64) -> Value {
    json!({
        "mapping": mapped.mapping.id,
        "id": mapped.mapping.external_org_id,
        "state": mapped.mapping.state.as_str(),
        "company": mapped.mapping.state.company(),
        "created": mapped.created,
        "changed": mapped.changed,
        "assets_retired": retired,
    })
}

/// The organization's assets that count.
async fn counted(host: &Host, organization: &Mapping) -> anyhow::Result<u64> {
    if organization.state.company().is_none() {
        return Ok(0);
    }
    let of_it = AssetFilter::Mapping(organization.id);
    let assets = host.views.assets(host.msp, of_it).await?;
    let is_active = |asset: &&Asset| asset.status == AssetStatus::Active;
    Ok(assets.iter().filter(is_active).count() as u64)
}

async fn decide(
    host: &Host,
    portal: &Portal,
    organization: &Mapping,
    choice: &ChoiceArgs,
) -> anyhow::Result<Mapped> {
    let label = portal.organization_label(organization.id);
    let choice = if let Some(company) = &choice.company {
        Choice::UseExisting(portal.company(company)?.id)
    } else if let Some(name) = &choice.create {
        if name.trim().is_empty() {
            Choice::CreateNew
        } else {
            Choice::UseExisting(company_called(host, portal, organization, name).await?)
        }
    } else if choice.suggested {
        match organization.suggestion {
            Some(company) => Choice::UseExisting(company),
            None => {
                bail!("no company is suggested for {label}: use --create, --company or --ignore")
            }
        }
    } else if choice.ignore {
        Choice::DontSync
    } else {
        Choice::Undecide
    };
    let mapped = host
        .integration
        .map(
            host.msp,
            MapOrganization {
                mapping: organization.id,
                choice,
                actor: host.actor(),
                event: host.request(),
            },
        )
        .await;
    mapped.map_err(|error| match error.kind() {
        ErrorKind::Conflict if organization.state.company().is_some() => {
            taken(portal, organization)
        }
        _ => error.into(),
    })
}

/// Why an organization cannot be another company's.
fn taken(portal: &Portal, organization: &Mapping) -> anyhow::Error {
    let label = portal.organization_label(organization.id);
    let company = organization
        .state
        .company()
        .map_or_else(Shown::default, |company| portal.company_name(company));
    anyhow::anyhow!(
        "{label} is mapped to {company} already, and an organization belongs to exactly one company: `regentra map {} --unmap` \
         first",
        organization.external_org_id
    )
}

/// The company of this name, made if there is none; but not for an organization that another company has.
async fn company_called(
    host: &Host,
    portal: &Portal,
    organization: &Mapping,
    name: &str,
) -> anyhow::Result<CompanyId> {
    let companies = host.views.companies(host.msp).await?;
    let same: Vec<_> = companies
        .iter()
        .filter(|company| is_same_name(company.name.as_str(), name))
        .collect();
    match same.as_slice() {
        [company] => Ok(company.id),
        // Nothing is made for what is refused.
        [] if organization.state.company().is_some() => Err(taken(portal, organization)),
        [] => super::companies::add(host, name).await,
        _ => bail!(
            "several companies are called `{}`: use --company with an id, `regentra companies` shows it",
            Shown::bounded(name)
        ),
    }
}

/// What was decided, in a sentence.
///
/// # Errors
/// When the store does not answer.
pub async fn summary(host: &Host, mapped: &Mapped) -> anyhow::Result<String> {
    let mapping = &mapped.mapping;
    let (name, id) = (Shown::name(&mapping.name), mapping.external_org_id);
    let what = match mapping.state {
        MappingState::Mapped { company } => {
            let company = host.views.company(host.msp, company).await?;
            let company = company
                .map(|PortalCompany { name, .. }| name)
                .unwrap_or_default();
            let new = if mapped.created {
                "the new company "
            } else {
                ""
            };
            format!("is mapped to {new}{}", Shown::name(&company))
        }
        MappingState::Ignored => "is not synced".to_owned(),
        MappingState::PendingReview => "is pending review".to_owned(),
    };
    let already = if mapped.changed { "" } else { " (as it was)" };
    Ok(format!("{name} ({id}) {what}{already}."))
}
