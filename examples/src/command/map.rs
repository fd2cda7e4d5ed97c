//! `regentra map`: what an organization is.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use regentra_sync::{
    CompanyId, ErrorKind, RegionKey,
    asset::{Asset, AssetStatus},
    company::{PortalCompany, fold_name},
    integration::{Choice, Mapped},
    mapping::{Mapping, MappingState},
    store::AssetFilter,
};
use serde_json::json;

use crate::{
    host::{Host, HostArgs, region},
    output,
    portal::Portal,
    wording::{count, shown},
};

/// Arguments of `regentra map`.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// Organizations, by their id in NinjaOne or by name.
    #[arg(value_name = "ORGANIZATION", required_unless_present = "all_pending")]
    organizations: Vec<String>,

    /// Every organization that nobody has decided about yet.
    #[arg(long, conflicts_with = "organizations")]
    all_pending: bool,

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
    let wanted: Vec<&Mapping> = if args.all_pending {
        let here = |of: &RegionKey| args.region.as_ref().is_none_or(|region| region == of);
        portal
            .organizations
            .iter()
            .filter(|(of, mapping)| here(of) && mapping.state == MappingState::PendingReview)
            .map(|(_, mapping)| mapping)
            .collect()
    } else {
        // All of them are found before anything is decided.
        let find = |wanted: &String| portal.organization(wanted, args.region.as_ref());
        args.organizations
            .iter()
            .map(find)
            .collect::<anyhow::Result<_>>()?
    };
    let (mut rows, mut has_assets) = (Vec::new(), false);
    for organization in wanted {
        let counted = counted(&host, organization).await?;
        let mapped = decide(&host, &portal, organization, &args.choice).await?;
        let is_let_go = mapped.changed && mapped.mapping.state.company().is_none();
        let retired = if is_let_go { counted } else { 0 };
        has_assets |= mapped.changed && mapped.mapping.state.company().is_some();
        if host.json {
            rows.push(json!({
                "mapping": mapped.mapping.id,
                "id": mapped.mapping.external_org_id,
                "state": mapped.mapping.state.as_str(),
                "company": mapped.mapping.state.company(),
                "created": mapped.created,
                "changed": mapped.changed,
                "assets_retired": retired,
            }));
        } else {
            let mut said = said(&host, &mapped).await?;
            if retired > 0 {
                let assets = count(retired, "asset is", "assets are");
                let _ = write!(said, " Its {assets} retired; the rows are kept.");
            }
            output::line(said)?;
        }
    }
    if host.json {
        return output::json(&rows);
    }
    if args.all_pending && portal.organizations.is_empty() {
        output::line("No organization is known yet: `regentra organizations` asks NinjaOne.")?;
    }
    if has_assets {
        output::line("\nNext: `regentra sync`")?;
    }
    Ok(())
}

/// The organization's assets that count.
async fn counted(host: &Host, organization: &Mapping) -> anyhow::Result<u64> {
    if organization.state.company().is_none() {
        return Ok(0);
    }
    let of_it = AssetFilter::Mapping(organization.id);
    let assets = host.store().assets(host.msp, of_it).await?;
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
            organization.id,
            choice,
            host.actor(),
            host.request(),
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
        .map_or("", |company| portal.company_name(company));
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
    let companies = host.store().companies(host.msp).await?;
    let folded = fold_name(name);
    let same: Vec<_> = companies
        .iter()
        .filter(|company| fold_name(company.name.as_str()) == folded)
        .collect();
    match same.as_slice() {
        [company] => Ok(company.id),
        // Nothing is made for what is refused.
        [] if organization.state.company().is_some() => Err(taken(portal, organization)),
        [] => super::companies::add(host, name).await,
        _ => bail!(
            "several companies are called `{name}`: use --company with an id, `regentra companies` shows it"
        ),
    }
}

/// What was decided, in a sentence.
///
/// # Errors
/// When the store does not answer.
pub async fn said(host: &Host, mapped: &Mapped) -> anyhow::Result<String> {
    let mapping = &mapped.mapping;
    let (name, id) = (shown(mapping.name.as_str()), mapping.external_org_id);
    let what = match mapping.state {
        MappingState::Mapped { company } => {
            let company = host.store().company(host.msp, company).await?;
            let company = company
                .map(|PortalCompany { name, .. }| name)
                .unwrap_or_default();
            let new = if mapped.created {
                "the new company "
            } else {
                ""
            };
            format!("is mapped to {new}{}", shown(company.as_str()))
        }
        MappingState::Ignored => "is not synced".to_owned(),
        MappingState::PendingReview => "is pending review".to_owned(),
    };
    let already = if mapped.changed { "" } else { " (as it was)" };
    Ok(format!("{name} ({id}) {what}{already}."))
}
