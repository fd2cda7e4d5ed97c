//! `regentra frameworks`: the frameworks that companies have adopted, and the requirements that are shown of them.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use regentra_evidence::{Framework, crosswalk};
use regentra_sync::{
    AdoptFrameworks,
    model::{PortalCompany, StoredFrameworks, Version},
    views::Requirement,
};
use serde_json::json;

use crate::{
    host::{Host, HostArgs},
    output,
    portal::Portal,
    shown::Shown,
    table, verdict,
};

/// Arguments of `regentra frameworks`.
#[derive(Debug, Args)]
pub struct FrameworksArgs {
    /// A company: its id, the beginning of its id, or its name. Else all companies are listed.
    #[arg(value_name = "COMPANY")]
    company: Option<String>,

    /// The frameworks that the company has adopted, separated by commas, in the place of those it had: hipaa, `soc_2`, `nist_csf`,
    /// `iso_27001`, `nist_800_171`, cmmc, `pci_dss`, gdpr, `ftc_safeguards`.
    #[arg(
        long,
        value_name = "FRAMEWORKS",
        value_delimiter = ',',
        requires = "company"
    )]
    adopt: Vec<Framework>,

    /// It has adopted none: no requirement is shown.
    #[arg(long, requires = "company", conflicts_with = "adopt")]
    none: bool,

    /// Take the decision back: all frameworks are shown, as for a company that nobody has decided about.
    #[arg(long, requires = "company", conflicts_with_all = ["adopt", "none"])]
    undecide: bool,

    /// Change nothing if this is not the version that is stored: what another person changed meanwhile stays.
    #[arg(long, value_name = "VERSION")]
    expected: Option<u32>,
}

impl FrameworksArgs {
    /// Whether it is decided anew.
    pub(super) const fn writes(&self) -> bool {
        !self.adopt.is_empty() || self.none || self.undecide
    }
}

/// Adopts, if frameworks are given, and lists.
///
/// # Errors
/// When there is no such company.
pub async fn run(args: FrameworksArgs, host: &HostArgs) -> anyhow::Result<()> {
    let writes = args.writes();
    let host = host.open_without_keys().await?;
    let portal = Portal::read(&host).await?;
    let Some(wanted) = &args.company else {
        return list(&host, &portal).await;
    };
    let company = portal.company(wanted)?;
    let mut changed = false;
    if writes {
        let frameworks: BTreeSet<_> = args.adopt.iter().copied().collect();
        let request = AdoptFrameworks {
            event: host.request(),
            company: company.id,
            expected: args.expected.map(Version::from_u32),
            frameworks: (!args.undecide).then_some(frameworks),
            actor: host.actor(),
        };
        let adopted = host.integration.adopt_frameworks(host.msp, request);
        changed = adopted.await?.changed;
    }
    let stored = host.views.adopted_frameworks(host.msp, company.id).await?;
    // A company that is not promoted has no signal that could speak to a requirement.
    let requirements = match company.converted_to {
        Some(_) => Some(host.views.requirements(host.msp, company.id).await?),
        None => None,
    };
    if host.json {
        let mut row = row(company, &stored);
        if let Some(row) = row.as_object_mut() {
            row.insert("changed".to_owned(), json!(changed));
            row.insert("requirements".to_owned(), json!(requirements));
        }
        return output::json(&row);
    }
    let name = Shown::name(&company.name);
    output::line(format!(
        "{name}: {}, version {}{}",
        adopted(&stored),
        stored.version,
        match (writes, changed) {
            (true, true) => " (changed)",
            (true, false) => " (as it was)",
            (false, _) => "",
        }
    ))?;
    match requirements {
        Some(requirements) if !requirements.is_empty() => {
            output::print(&format!("\n{}", of_requirements(&requirements)))
        }
        Some(_) => output::line("\nNo requirement is shown."),
        None => output::line(format!(
            "\nNot promoted, so no signal speaks to a requirement yet: `regentra promote {}`",
            short(company)
        )),
    }
}

async fn list(host: &Host, portal: &Portal) -> anyhow::Result<()> {
    let mut rows = Vec::with_capacity(portal.companies.len());
    for company in &portal.companies {
        let stored = host.views.adopted_frameworks(host.msp, company.id).await?;
        rows.push((company, stored));
    }
    if host.json {
        let rows = rows.iter().map(|(company, stored)| row(company, stored));
        return output::json(&rows.collect::<Vec<_>>());
    }
    let mut table = table::new(&["Company", "Id", "Frameworks", ">Requirements"]);
    for (company, stored) in &rows {
        let shown = stored.frameworks.shown();
        table.add_row([
            table::cell(Shown::name(&company.name)),
            table::cell(short(company)),
            table::cell(Shown::text(adopted(stored))),
            table::number(crosswalk::coverage(&shown).len() as u64),
        ]);
    }
    output::print(&table::text(&table))
}

fn short(company: &PortalCompany) -> String {
    company.id.to_string().chars().take(8).collect()
}

fn row(company: &PortalCompany, stored: &StoredFrameworks) -> serde_json::Value {
    json!({
        "company": company.id,
        "name": company.name,
        "decided": stored.frameworks.is_decided(),
        "frameworks": stored.frameworks.shown(),
        "unknown": stored.frameworks.unknown().collect::<Vec<_>>(),
        "version": stored.version,
    })
}

/// What a company has adopted, in words.
fn adopted(stored: &StoredFrameworks) -> String {
    let frameworks = &stored.frameworks;
    if !frameworks.is_decided() {
        return "all frameworks (nobody has decided)".to_owned();
    }
    let shown = frameworks.shown();
    let mut words: Vec<_> = shown.iter().map(|one| one.name().to_owned()).collect();
    let unknown = frameworks.unknown();
    words.extend(unknown.map(|id| format!("{} (of a newer program)", Shown::bounded(id))));
    if words.is_empty() {
        return "no framework".to_owned();
    }
    words.join(", ")
}

fn of_requirements(requirements: &[Requirement]) -> String {
    let mut table = table::new(&[
        "Framework",
        "Requirement",
        "About",
        "Signal",
        "Verdict",
        "Evidence",
    ]);
    let mut by_framework: BTreeMap<Framework, Vec<&Requirement>> = BTreeMap::new();
    for requirement in requirements {
        let of = by_framework
            .entry(requirement.link.framework())
            .or_default();
        of.push(requirement);
    }
    for (framework, of_framework) in by_framework {
        for (place, requirement) in of_framework.into_iter().enumerate() {
            let link = requirement.link;
            table.add_row([
                table::cell(if place == 0 { framework.name() } else { "" }),
                table::cell(link.requirement()),
                table::cell(link.topic()),
                table::cell(verdict::title(requirement.signal)),
                table::status(requirement.status),
                table::cell(link.strength().as_str()),
            ]);
        }
    }
    table::text(&table)
}
