//! `companies` and `promote`.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;
use regentra_sync::{
    CompanyId, ComplianceOrgId, EventId,
    asset::{AssetStatus, Source},
    company::PortalCompany,
    progress::Unobserved,
    store::AssetFilter,
};
use serde::Serialize;

use super::{
    Host, HostArgs, print_json,
    table::{count, table},
};

/// Arguments of `regentra companies`.
#[derive(Debug, Args)]
pub struct CompaniesArgs {
    /// Add a company of this name to the portal first.
    #[arg(long, value_name = "NAME")]
    add: Option<String>,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// One company, as it is listed.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The company.
    #[serde(flatten)]
    pub company: PortalCompany,
    /// NinjaOne organizations that are mapped to it.
    pub organizations: Vec<String>,
    /// Its active assets, by source.
    pub active_assets: BTreeMap<Source, usize>,
    /// Its assets that are retired or gave way to another source.
    pub retired_assets: usize,
}

/// All companies with their organizations and assets.
///
/// # Errors
/// When the database cannot be read.
pub async fn listed(host: &Host) -> anyhow::Result<Vec<Listed>> {
    let mut organizations: BTreeMap<CompanyId, Vec<String>> = BTreeMap::new();
    for credential in host.store.credentials(host.msp).await? {
        for mapping in host.store.mappings(host.msp, credential.id).await? {
            if let Some(company) = mapping.state.company() {
                organizations
                    .entry(company)
                    .or_default()
                    .push(mapping.name.as_str().to_owned());
            }
        }
    }
    let mut assets: BTreeMap<CompanyId, (BTreeMap<Source, usize>, usize)> = BTreeMap::new();
    for asset in host.store.assets(host.msp, AssetFilter::All).await? {
        let (active, retired) = assets.entry(asset.company).or_default();
        match asset.status {
            AssetStatus::Active => *active.entry(asset.source).or_default() += 1,
            AssetStatus::Superseded { .. } | AssetStatus::Retired => *retired += 1,
        }
    }
    let companies = host.store.companies(host.msp).await?;
    let mut listed: Vec<_> = companies
        .into_iter()
        .map(|company| {
            let (active_assets, retired_assets) = assets.remove(&company.id).unwrap_or_default();
            let organizations = organizations.remove(&company.id).unwrap_or_default();
            Listed {
                company,
                organizations,
                active_assets,
                retired_assets,
            }
        })
        .collect();
    listed.sort_by(|a, b| a.company.name.cmp(&b.company.name));
    Ok(listed)
}

/// Lists the companies of the portal.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(host: &HostArgs, args: CompaniesArgs) -> anyhow::Result<()> {
    let host = host.create(Arc::new(Unobserved)).await?;
    if let Some(name) = args.add {
        let id = CompanyId::of_name(host.msp, &name);
        let company = PortalCompany {
            id,
            name: name.trim().into(),
            converted_to: None,
            created_at: host.now(),
        };
        host.store.add_company(host.msp, company).await?;
    }
    let companies = listed(&host).await?;
    if args.json {
        return print_json(&companies);
    }
    if companies.is_empty() {
        println!("There are no companies yet: `regentra map ID --create-new` makes one.");
        return Ok(());
    }
    print(&companies);
    Ok(())
}

/// Prints companies.
pub fn print(companies: &[Listed]) {
    let mut rows = table(&[
        "Company",
        "Id",
        "Organizations",
        "Active assets",
        "Retired",
        "Compliance",
    ]);
    for listed in companies {
        let active: usize = listed.active_assets.values().sum();
        let compliance = listed.company.converted_to.map_or_else(
            || "not promoted".to_owned(),
            |customer| customer.to_string(),
        );
        rows.add_row([
            listed.company.name.as_str().to_owned(),
            listed.company.id.to_string(),
            listed.organizations.join(", "),
            active.to_string(),
            listed.retired_assets.to_string(),
            compliance,
        ]);
    }
    println!("{rows}");
}

/// Arguments of `regentra promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// The company (id or name).
    company: String,
    /// The customer's compliance organization. Default: one that belongs to this company alone.
    #[arg(long, value_name = "UUID")]
    compliance_org: Option<ComplianceOrgId>,
}

/// Promotes a company to compliance.
///
/// # Errors
/// When there is no such company, or it was promoted to another organization.
pub async fn promote(host: &HostArgs, args: PromoteArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Unobserved)).await?;
    let company = host.company(&args.company).await?;
    let customer = args
        .compliance_org
        .unwrap_or_else(|| compliance_org_of(company));
    let event = EventId::new(host.now());
    if host
        .integration
        .promote(host.msp, company, customer, host.actor, event)
        .await?
    {
        println!("Promoted: its evidence goes to compliance organization {customer}.");
        let organizations = listed(&host)
            .await?
            .into_iter()
            .find(|listed| listed.company.id == company);
        let organizations = organizations.map_or(0, |listed| listed.organizations.len());
        println!(
            "{} will be swept, first as a dry run without tickets.",
            count(organizations, "organization")
        );
    } else {
        println!("It was promoted to {customer} already; nothing changed.");
    }
    Ok(())
}

/// The compliance organization that a command line without a portal gives a company.
#[must_use]
pub fn compliance_org_of(company: CompanyId) -> ComplianceOrgId {
    let name = company.as_uuid();
    ComplianceOrgId::from_uuid(
        EventId::of_request("compliance organization", &name.to_string()).as_uuid(),
    )
}
