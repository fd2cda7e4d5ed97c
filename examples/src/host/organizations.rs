//! `organizations` and `map`.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use regentra_sync::{
    CredentialId, EventId, MappingId,
    integration::Choice,
    mapping::{ExternalOrgId, Mapping, MappingState},
};
use serde::Serialize;

use super::{Host, HostArgs, RegionArgs, print_json, progress::Shown, table::table};

/// Arguments of `regentra organizations`.
#[derive(Debug, Args)]
pub struct OrganizationsArgs {
    #[command(flatten)]
    region: RegionArgs,
    /// List what is known, without asking NinjaOne.
    #[arg(long)]
    offline: bool,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// One organization, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    mapping: &'a Mapping,
    company_name: Option<&'a str>,
    suggestion_name: Option<&'a str>,
}

/// Discovers the organizations of a region, and lists what was decided about each.
///
/// # Errors
/// When NinjaOne cannot be asked.
pub async fn list(host: &HostArgs, args: OrganizationsArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Shown::default())).await?;
    let region = host.region(args.region.named()?).await?;
    if !args.offline {
        let event = EventId::new(host.now());
        let discovery = host
            .integration
            .discover(host.msp, &region, host.actor, event)
            .await?;
        eprintln!(
            "{} organizations: {} new, {} renamed, {} no longer listed{}",
            discovery.listed,
            discovery.added,
            discovery.renamed,
            discovery.missing,
            if discovery.truncated {
                "; the list was cut at its ceiling"
            } else {
                ""
            }
        );
    }
    let mappings = host
        .store
        .mappings(host.msp, CredentialId::of(host.msp, &region))
        .await?;
    print(&host, &mappings, args.json).await
}

/// Prints organizations.
///
/// # Errors
/// When the companies cannot be read.
pub async fn print(host: &Host, mappings: &[Mapping], json: bool) -> anyhow::Result<()> {
    let companies = host.store.companies(host.msp).await?;
    let names: BTreeMap<_, _> = companies
        .iter()
        .map(|company| (company.id, company.name.as_str()))
        .collect();
    let name = |id: Option<_>| id.and_then(|id| names.get(&id).copied());
    if json {
        let listed: Vec<_> = mappings
            .iter()
            .map(|mapping| Listed {
                mapping,
                company_name: name(mapping.state.company()),
                suggestion_name: name(mapping.suggestion),
            })
            .collect();
        return print_json(&listed);
    }
    let mut rows = table(&["Id", "Organization", "State", "Company"]);
    for mapping in mappings {
        let company = match (mapping.state, name(mapping.suggestion)) {
            (MappingState::Mapped { company }, _) => name(Some(company)).unwrap_or("?").to_owned(),
            (MappingState::PendingReview, Some(suggestion)) => format!("suggested: {suggestion}"),
            (MappingState::PendingReview | MappingState::Ignored, _) => String::new(),
        };
        let gone = if mapping.missing_since.is_some() {
            ", no longer listed"
        } else {
            ""
        };
        let state = format!("{}{gone}", mapping.state.as_str().replace('_', " "));
        let id = mapping.external_org_id.to_string();
        rows.add_row([id, mapping.name.as_str().to_owned(), state, company]);
    }
    println!("{rows}");
    if mappings
        .iter()
        .any(|mapping| mapping.state == MappingState::PendingReview)
    {
        println!(
            "Decide with `regentra map ID --company NAME`, `--create-new`, `--suggested` or `--dont-sync`."
        );
    }
    Ok(())
}

/// Arguments of `regentra map`.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// The organization's id in NinjaOne, as `regentra organizations` lists it.
    organization: i64,
    #[command(flatten)]
    region: RegionArgs,
    #[command(flatten)]
    choice: ChoiceArgs,
}

/// What to do with an organization.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag for each choice, of which clap takes exactly one"
)]
struct ChoiceArgs {
    /// Its devices are this company's (id or name).
    #[arg(long, value_name = "COMPANY")]
    company: Option<String>,
    /// Its devices are the company's that was suggested.
    #[arg(long)]
    suggested: bool,
    /// Its devices are a company's of the same name, which is created if there is none.
    #[arg(long)]
    create_new: bool,
    /// Nothing of it is read, and nobody is asked again.
    #[arg(long)]
    dont_sync: bool,
    /// Take the decision back; its assets are retired.
    #[arg(long)]
    undecide: bool,
}

/// Decides about one organization.
///
/// # Errors
/// When there is no such organization or company, or it is mapped to another one.
pub async fn map(host: &HostArgs, args: MapArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Shown::default())).await?;
    let region = host.region(args.region.named()?).await?;
    let organization = ExternalOrgId::new(args.organization);
    let id = MappingId::of(CredentialId::of(host.msp, &region), organization);
    let stored = host.store.mapping(host.msp, id).await?;
    let stored = stored.with_context(|| {
        format!("there is no organization {organization} in {region}: `regentra organizations` lists them")
    })?;
    let choice = match &args.choice {
        ChoiceArgs {
            company: Some(company),
            ..
        } => Choice::UseExisting(host.company(company).await?),
        ChoiceArgs {
            suggested: true, ..
        } => Choice::UseExisting(stored.suggestion.with_context(|| {
            format!(
                "no company is suggested for {}: name one with --company",
                stored.name.as_str()
            )
        })?),
        ChoiceArgs {
            create_new: true, ..
        } => Choice::CreateNew,
        ChoiceArgs {
            dont_sync: true, ..
        } => Choice::DontSync,
        ChoiceArgs { .. } => Choice::Undecide,
    };
    let event = EventId::new(host.now());
    let mapped = host
        .integration
        .map(host.msp, id, choice, host.actor, event)
        .await?;
    let name = mapped.mapping.name.as_str();
    if !mapped.changed {
        println!("{name} was decided so already; nothing changed.");
        return Ok(());
    }
    match mapped.mapping.state {
        MappingState::Mapped { company } => {
            let company_name = host
                .store
                .company(host.msp, company)
                .await?
                .map(|company| company.name);
            let how = if mapped.created {
                "the new company"
            } else {
                "company"
            };
            println!(
                "{name} is {how} {} ({company}).",
                company_name.as_ref().map_or("?", |name| name.as_str())
            );
            println!("Next: `regentra sync` brings its assets.");
        }
        MappingState::Ignored => println!("{name} is not synced."),
        MappingState::PendingReview => println!("{name} is pending review again."),
    }
    Ok(())
}
