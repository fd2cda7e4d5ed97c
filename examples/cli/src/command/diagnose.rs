//! `regentra diagnose`: what keeps it from doing what is expected, and what to do.

use clap::Args;
use regentra_sync::views::{Diagnosis, Severity};
use serde_json::{Value, json};

use crate::{format::count, host::HostArgs, output, portal::Portal};

/// So many organizations are named, and the others counted.
const NAMED: usize = 3;

/// Arguments of `regentra diagnose`.
#[derive(Debug, Args)]
pub struct DiagnoseArgs {
    /// About this company alone: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: Option<String>,
}

/// Says what is found in the database; nothing is asked of NinjaOne.
///
/// # Errors
/// When the database cannot be opened, or there is no such company.
pub async fn run(args: DiagnoseArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open_with_keys_if_any().await?;
    let portal = Portal::read(&host).await?;
    let company = args
        .company
        .as_deref()
        .map(|wanted| portal.company(wanted))
        .transpose()?;
    let company = company.map(|company| company.id);
    let found = host.integration.diagnose(host.msp, company).await?;
    if host.json {
        return output::json(&found.iter().map(row).collect::<Vec<_>>());
    }
    if found.is_empty() {
        return output::line("Nothing is wrong, and nothing is waited for.");
    }
    output::print(&summary(&portal, &found))
}

/// What is found, and what to do, two lines each.
#[must_use]
pub fn summary(portal: &Portal, found: &[Diagnosis]) -> String {
    let lines = found.iter().map(|diagnosis| {
        let finding = &diagnosis.finding;
        let mark = match finding.severity() {
            Severity::Blocking => "✗",
            Severity::Attention => "!",
            _ => "·",
        };
        let region = diagnosis
            .region
            .as_ref()
            .filter(|_| portal.has_several_regions());
        let region = region.map_or_else(String::new, |region| format!("{region}: "));
        format!(
            "{mark} {region}{}{}\n  {}\n",
            finding.meaning(),
            whom(portal, diagnosis),
            finding.next_step()
        )
    });
    lines.collect()
}

/// The organizations it concerns, as far as they fit.
fn whom(portal: &Portal, diagnosis: &Diagnosis) -> String {
    let mappings = &diagnosis.mappings;
    if mappings.is_empty() {
        return String::new();
    }
    let first = mappings.iter().take(NAMED);
    let mut names: Vec<_> = first
        .map(|id| portal.organization_label(*id).to_string())
        .collect();
    let others = mappings.len().saturating_sub(NAMED) as u64;
    if others > 0 {
        names.push(count(others, "other", "others"));
    }
    format!(" [{}]", names.join(", "))
}

/// One of them as JSON, with its words.
#[must_use]
pub fn row(diagnosis: &Diagnosis) -> Value {
    let mut row = json!(diagnosis);
    if let Value::Object(row) = &mut row {
        let finding = &diagnosis.finding;
        row.insert("severity".to_owned(), json!(finding.severity()));
        row.insert("meaning".to_owned(), json!(finding.meaning()));
        row.insert("next_step".to_owned(), json!(finding.next_step()));
    }
    row
}
