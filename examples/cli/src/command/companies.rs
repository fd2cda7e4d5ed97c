//! `regentra companies`.

use std::collections::BTreeMap;

use clap::Args;
use regentra_sync::{
    model::{AssetStatus, CompanyId, PortalCompany, Sensitive, fold_name},
    store::AssetFilter,
};
use serde_json::json;

use crate::{
    format::{count_of, minute, rfc3339},
    host::{Host, HostArgs, Reading},
    output,
    portal::Portal,
    shown::Shown,
    table,
};

/// Arguments of `regentra companies`.
#[derive(Debug, Args)]
pub struct CompaniesArgs {
    /// Add a company of this name first, as your portal would; discovery then suggests it. One that exists stays.
    #[arg(long, value_name = "NAME")]
    add: Vec<String>,
}

impl CompaniesArgs {
    /// Whether companies are added.
    pub(super) const fn writes(&self) -> bool {
        !self.add.is_empty()
    }
}

/// One company, and what there is of it.
#[derive(Debug)]
pub struct CompanyRow {
    company: PortalCompany,
    organizations: Vec<Shown>,
    active: u64,
    retired: u64,
    evidence: Evidence,
}

/// Whether a company gets signals.
#[derive(Clone, Copy, Debug)]
enum Evidence {
    /// It is not promoted.
    AssetsOnly,
    /// It is promoted, and no organization is mapped to it that could be swept.
    NothingToSweep,
    /// Its first sweep has not succeeded yet.
    DryRun,
    /// It has been since.
    Since(time::OffsetDateTime),
}

/// Lists the companies.
///
/// # Errors
/// When the store does not answer.
pub async fn run(args: CompaniesArgs, host: &HostArgs) -> anyhow::Result<()> {
    if !args.add.is_empty() {
        let host = host.create_without_keys().await?;
        for name in &args.add {
            add(&host, name).await?;
        }
    }
    let host = host.read().await?;
    let rows = read(&host).await?;
    if host.json {
        let row = |row: &CompanyRow| {
            json!({
                "id": row.company.id,
                "name": row.company.name,
                "organizations": row.organizations.iter().map(Shown::as_str).collect::<Vec<_>>(),
                "assets_active": row.active,
                "assets_retired": row.retired,
                "compliance_org": row.company.converted_to,
                "evidence": match row.evidence {
                    Evidence::AssetsOnly => "assets_only",
                    Evidence::NothingToSweep => "no_organization",
                    Evidence::DryRun => "dry_run",
                    Evidence::Since(_) => "on",
                },
                "first_evidence_synced_at": match row.evidence {
                    Evidence::Since(at) => Some(rfc3339(at)),
                    _ => None,
                },
            })
        };
        return output::json(&rows.iter().map(row).collect::<Vec<_>>());
    }
    output::print(&table(&rows))?;
    output::line(format!("\n{}.", count_of(&rows, "company", "companies")))?;
    if rows.is_empty() {
        return output::line("\nNext: `regentra map ORGANIZATION --create`");
    }
    if rows.iter().all(|row| row.organizations.is_empty()) {
        return output::line("\nNext: `regentra map ORGANIZATION --company COMPANY`");
    }
    if rows.iter().all(|row| row.active + row.retired == 0) {
        return output::line("\nNext: `regentra sync`");
    }
    if rows.iter().all(|row| row.company.converted_to.is_none()) {
        return output::line(
            "\nNext: `regentra promote COMPANY` for those that want compliance evidence",
        );
    }
    Ok(())
}

/// Adds a company as the MSP's portal would; one of that name is left as it is.
///
/// # Errors
/// When the store does not answer.
pub async fn add(host: &Host, name: &str) -> anyhow::Result<CompanyId> {
    let folded = fold_name(name);
    anyhow::ensure!(!folded.is_empty(), "a company needs a name");
    let companies = host.views.companies(host.msp).await?;
    let same = |company: &&PortalCompany| fold_name(company.name.as_str()) == folded;
    if let Some(company) = companies.iter().find(same) {
        return Ok(company.id);
    }
    let id = CompanyId::of_name(host.msp, name);
    let company = PortalCompany {
        id,
        name: Sensitive::new(name.trim()),
        converted_to: None,
        created_at: host.now(),
    };
    host.add_company(company).await?;
    Ok(id)
}

/// Reads the companies and what there is of them.
///
/// # Errors
/// When the store does not answer.
pub async fn read(host: &Reading) -> anyhow::Result<Vec<CompanyRow>> {
    let portal = Portal::read(host).await?;
    let mut assets: BTreeMap<CompanyId, (u64, u64)> = BTreeMap::new();
    for asset in host.views.assets(host.msp, AssetFilter::All).await? {
        let (active, retired) = assets.entry(asset.company).or_default();
        match asset.status {
            AssetStatus::Active => *active += 1,
            AssetStatus::Retired | AssetStatus::Superseded { .. } => *retired += 1,
        }
    }
    let rows = portal.companies.iter().map(|company| {
        let (active, retired) = assets.get(&company.id).copied().unwrap_or_default();
        let first = portal
            .mapped_to(company.id)
            .filter_map(|mapping| mapping.first_evidence_synced_at)
            .min();
        let evidence = match (company.converted_to, first) {
            (None, _) => Evidence::AssetsOnly,
            (Some(_), _) if portal.mapped_to(company.id).next().is_none() => {
                Evidence::NothingToSweep
            }
            (Some(_), None) => Evidence::DryRun,
            (Some(_), Some(at)) => Evidence::Since(at),
        };
        CompanyRow {
            company: company.clone(),
            organizations: portal
                .mapped_to(company.id)
                .map(|mapping| portal.organization_label(mapping.id))
                .collect(),
            active,
            retired,
            evidence,
        }
    });
    Ok(rows.collect())
}

/// The companies as a table.
#[must_use]
pub fn table(rows: &[CompanyRow]) -> String {
    let has_retired = rows.iter().any(|row| row.retired > 0);
    let mut columns = vec!["Company", "Id", "Organizations", ">Assets", "Evidence"];
    if has_retired {
        columns.insert(4, ">Retired");
    }
    let mut table = table::new(&columns);
    for row in rows {
        let short: String = row.company.id.to_string().chars().take(8).collect();
        let organizations = if row.organizations.is_empty() {
            "none".to_owned()
        } else {
            let organizations = row.organizations.iter().map(ToString::to_string);
            organizations.collect::<Vec<_>>().join(", ")
        };
        let mut cells = vec![
            table::cell(Shown::name(&row.company.name)),
            table::cell(short),
            table::cell(organizations),
            table::number(row.active),
            table::cell(match row.evidence {
                Evidence::AssetsOnly => "not promoted: assets only".to_owned(),
                Evidence::NothingToSweep => "promoted, no organization".to_owned(),
                Evidence::DryRun => "dry run until its first sweep succeeds".to_owned(),
                Evidence::Since(at) => format!("since {}", minute(at)),
            }),
        ];
        if has_retired {
            cells.insert(4, table::number(row.retired));
        }
        table.add_row(cells);
    }
    table::text(&table)
}
