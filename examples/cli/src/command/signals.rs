//! `regentra signals`: how every promoted company stands.

use std::collections::BTreeMap;

use clap::Args;
use regentra_evidence::{Reason, Signal, Status, posture::Posture};
use regentra_sync::{
    model::{MappingId, OrganizationId, PortalCompany},
    views::CustomerPosture,
};
use serde_json::json;

use crate::{
    format::{ago, count, count_of},
    host::{HostArgs, Reading},
    output,
    portal::Portal,
    shown::Shown,
    table, verdict,
};

/// Arguments of `regentra signals`.
#[derive(Debug, Args)]
pub struct SignalsArgs {
    /// This company alone: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: Option<String>,

    /// Only these verdicts, separated by commas: fail, unknown, warning, pass, `not_applicable`.
    #[arg(long, value_delimiter = ',')]
    status: Vec<Status>,
}

/// A promoted company and how it stands.
#[derive(Debug)]
pub struct Standing {
    /// The company.
    pub company: PortalCompany,
    /// How it stands.
    pub posture: CustomerPosture,
    organizations: BTreeMap<MappingId, OrganizationId>,
}

impl Standing {
    /// The current signals behind one line of the posture, and what each is said to be of where there are several.
    fn lines(&self, of: &Posture, line: fn(&Signal) -> String) -> String {
        let is_one = self.posture.mappings.len() == 1;
        let current = self.posture.mappings.iter().flat_map(|(mapping, signals)| {
            let signals = signals
                .iter()
                .filter(|stored| stored.signal.kind() == of.signal);
            signals.map(move |stored| (mapping, line(&stored.signal)))
        });
        let names: Vec<_> = current
            .filter(|(_, line)| !line.is_empty())
            .map(|(mapping, line)| match self.organizations.get(mapping) {
                Some(organization) if !is_one => format!("{line} ({organization})"),
                _ => line,
            })
            .collect();
        names.join("\n")
    }
}

/// Says how the companies stand.
///
/// # Errors
/// When there is no such company, or it is not promoted.
pub async fn run(args: SignalsArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.read().await?;
    let mut standings = read(&host, args.company.as_deref()).await?;
    if !args.status.is_empty() {
        for standing in &mut standings {
            standing
                .posture
                .posture
                .retain(|of| args.status.contains(&of.status));
        }
        standings.retain(|standing| !standing.posture.posture.is_empty());
    }
    if host.json {
        let row = |standing: &Standing| {
            json!({
                "company": { "id": standing.company.id, "name": standing.company.name },
                "compliance_org": standing.posture.compliance_org,
                "posture": standing.posture.posture,
                "mappings": standing.posture.mappings.iter().map(|(mapping, signals)| json!({
                    "mapping": mapping, "signals": signals,
                })).collect::<Vec<_>>(),
            })
        };
        return output::json(&standings.iter().map(row).collect::<Vec<_>>());
    }
    if standings.is_empty() && args.status.is_empty() {
        return output::line(
            "No company is promoted, so there are no signals: `regentra promote COMPANY`, then `regentra sweep`.",
        );
    }
    output::print(&table(&standings))?;
    output::print(&summary(&host, &standings))
}

/// Reads how promoted companies stand: all of them, or the one that is asked for.
///
/// # Errors
/// As [`run`].
pub async fn read(host: &Reading, company: Option<&str>) -> anyhow::Result<Vec<Standing>> {
    let portal = Portal::read(host).await?;
    let companies = match company {
        Some(wanted) => vec![portal.company(wanted)?.clone()],
        None => portal
            .companies
            .iter()
            .filter(|company| company.converted_to.is_some())
            .cloned()
            .collect(),
    };
    let mut standings = Vec::with_capacity(companies.len());
    for company in companies {
        let posture = host.views.posture(host.msp, company.id).await?;
        let organizations = portal.mapped_to(company.id);
        let organizations = organizations
            .map(|mapping| (mapping.id, mapping.external_org_id))
            .collect();
        standings.push(Standing {
            company,
            posture,
            organizations,
        });
    }
    Ok(standings)
}

/// The signals as a table: the figures of each, why it does not pass, and what was not measured.
#[must_use]
pub fn table(standings: &[Standing]) -> String {
    let mut table = table::new(&[
        "Company",
        "Signal",
        "Verdict",
        "Figures",
        "Why",
        "Not measured",
    ]);
    for standing in standings {
        for (place, of) in standing.posture.posture.iter().enumerate() {
            let name = if place == 0 {
                Shown::name(&standing.company.name)
            } else {
                Shown::default()
            };
            table.add_row([
                table::cell(name),
                table::cell(verdict::title(of.signal)),
                table::status(of.status),
                table::cell(lines(&standing.lines(of, verdict::headline))),
                table::cell(why(of)),
                table::cell(lines(&standing.lines(of, verdict::unmeasured))),
            ]);
        }
    }
    table::text(&table)
}

fn lines(text: &str) -> Shown {
    Shown::lines(text.lines().map(Shown::text))
}

fn why(of: &Posture) -> String {
    let mut whys = Vec::new();
    match (of.without_signal, of.mappings) {
        (0, 0) => whys.push("no organization is mapped to it".to_owned()),
        (0, _) => {}
        (without, mappings) if without == mappings => {
            whys.push("no signal of the last 7 days: sweep it".to_owned());
        }
        (without, _) => whys.push(format!(
            "{} without a signal of the last 7 days",
            count(without, "organization", "organizations")
        )),
    }
    // How much was not measured has a column of its own; that it was not is the reason only where there is no other.
    let is_unmeasured = |reason: &Reason| {
        matches!(
            reason,
            Reason::UnmeasuredDevices | Reason::UnmeasuredVolumes
        )
    };
    let others: Vec<_> = of
        .reasons
        .iter()
        .filter(|reason| !is_unmeasured(reason))
        .collect();
    let told = if others.is_empty() {
        of.reasons.iter().collect()
    } else {
        others
    };
    whys.extend(
        told.into_iter()
            .map(|reason| verdict::short_reason(*reason).to_owned()),
    );
    whys.join("; ")
}

/// How many of each verdict, and how old they are.
#[must_use]
pub fn summary(host: &Reading, standings: &[Standing]) -> String {
    let all = || {
        standings
            .iter()
            .flat_map(|standing| &standing.posture.posture)
    };
    let tally = verdict::tally(all().map(|of| of.status));
    let companies = count_of(standings, "company", "companies");
    let oldest = all().filter_map(|of| of.collected_at).min();
    let age = oldest.map_or_else(String::new, |at| {
        format!(" The oldest was collected {}.", ago(at, host.now()))
    });
    format!("\n{companies}: {tally}.{age}\n")
}
