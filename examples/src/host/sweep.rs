//! `sweep` and `signals`.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::bail;
use clap::Args;
use regentra_evidence::{Signal, SignalKind, Status};
use regentra_sync::{
    CompanyId, Error,
    event::SweepEvent,
    integration::{CustomerPosture, SkipReason, SweepOutcome},
    progress::Unobserved,
};
use serde_json::{Value, json};

use super::{Host, HostArgs, print_json, progress::Shown, table::table};
use crate::verdict;

/// Customers that are swept in parallel.
const PARALLEL: usize = 4;

/// Arguments of `regentra sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// What one sweep ended with.
pub type Swept = (SweepEvent, Result<SweepOutcome, Error>);

/// Sweeps the evidence of every promoted customer, as one tick of the schedule.
///
/// # Errors
/// When nothing could be planned, or some customers could not be swept.
pub async fn run(host: &HostArgs, args: &SweepArgs) -> anyhow::Result<()> {
    let shown = Arc::new(Shown::default());
    let host = host.open(Arc::<Shown>::clone(&shown)).await?;
    let swept = host
        .integration
        .sweep_now(host.msp, host.now(), PARALLEL)
        .await?;
    shown.finish();
    if args.json {
        print_json(&swept.iter().map(as_json).collect::<Vec<_>>())?;
    } else if swept.is_empty() {
        println!(
            "No customer is promoted yet, so there is nothing to sweep: `regentra promote COMPANY`."
        );
    } else {
        print(&host, &swept).await?;
        println!("{} requests.", shown.requests());
    }
    let failed = swept.iter().filter(|(_, outcome)| outcome.is_err()).count();
    if failed > 0 {
        bail!(
            "{failed} of {} organizations could not be swept; the others were",
            swept.len()
        );
    }
    Ok(())
}

fn as_json((event, outcome): &Swept) -> Value {
    let mut value = match outcome {
        Ok(SweepOutcome::Committed(report)) => json!({
            "outcome": "committed", "signals": report.signals, "counts": report.counts, "answered": report.answered,
            "dry_run": report.dry_run, "tickets_opened": report.opened, "tickets_closed": report.closed,
        }),
        Ok(SweepOutcome::AlreadyCommitted) => json!({"outcome": "already_committed"}),
        Ok(SweepOutcome::Superseded(_)) => json!({"outcome": "superseded"}),
        Ok(SweepOutcome::Skipped(reason)) => json!({"outcome": "skipped", "reason": reason}),
        Ok(SweepOutcome::Busy) => json!({"outcome": "busy"}),
        Err(error) => {
            json!({"outcome": "failed", "error": error.kind().as_str(), "message": error.to_string()})
        }
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("event".to_owned(), json!(event));
    }
    value
}

/// Prints what a sweep found, an organization a line.
///
/// # Errors
/// When the database cannot be read.
pub async fn print(host: &Host, swept: &[Swept]) -> anyhow::Result<()> {
    let mut columns = vec!["Organization"];
    columns.extend(SignalKind::ALL.map(verdict::title));
    columns.extend(["Tickets", ""]);
    let mut lines = BTreeMap::new();
    for (event, outcome) in swept {
        let mapping = host.store.mapping(host.msp, event.mapping_id).await?;
        let name = mapping.map_or_else(
            || event.mapping_id.to_string(),
            |mapping| mapping.name.as_str().to_owned(),
        );
        let mut line = vec![name.clone()];
        let (words, tickets, note) = match outcome {
            Ok(SweepOutcome::Committed(report)) => {
                let words = report
                    .signals
                    .iter()
                    .map(|stored| verdict::word(stored.signal.status).to_owned())
                    .collect();
                let digested = if report.digested {
                    ", more in the digest"
                } else {
                    ""
                };
                let tickets = format!(
                    "{} opened, {} closed{digested}",
                    report.opened, report.closed
                );
                let note = match (report.dry_run, report.answered) {
                    (true, true) => "dry run: from now on failures open tickets",
                    (true, false) => "dry run goes on: a report did not answer",
                    (false, false) => "a report did not answer",
                    (false, true) => "",
                };
                (words, tickets, note.to_owned())
            }
            Ok(SweepOutcome::AlreadyCommitted) => {
                (Vec::new(), String::new(), "swept already".to_owned())
            }
            Ok(SweepOutcome::Superseded(_)) => (
                Vec::new(),
                String::new(),
                "changed meanwhile: nothing written".to_owned(),
            ),
            Ok(SweepOutcome::Skipped(reason)) => {
                (Vec::new(), String::new(), skipped(*reason).to_owned())
            }
            Ok(SweepOutcome::Busy) => (
                Vec::new(),
                String::new(),
                "is being swept by another process".to_owned(),
            ),
            Err(error) => (Vec::new(), String::new(), format!("failed: {error}")),
        };
        line.extend(words);
        line.resize(1 + SignalKind::ALL.len(), "-".to_owned());
        line.extend([tickets, note]);
        lines.insert((name, event.mapping_id), line);
    }
    let mut rows = table(&columns);
    rows.add_rows(lines.into_values());
    println!("{rows}");
    Ok(())
}

const fn skipped(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Disconnected => "skipped: the region was disconnected",
        SkipReason::NotMapped => "skipped: no longer mapped",
        SkipReason::NotPromoted => "skipped: the company was not promoted to this customer",
    }
}

/// Arguments of `regentra signals`.
#[derive(Debug, Args)]
pub struct SignalsArgs {
    /// Only this company (id or name).
    #[arg(long, value_name = "COMPANY")]
    company: Option<String>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows the current signals of promoted customers.
///
/// # Errors
/// When there is no such company, or it was not promoted.
pub async fn signals(host: &HostArgs, args: &SignalsArgs) -> anyhow::Result<()> {
    let host = host.open(Arc::new(Unobserved)).await?;
    let only = match &args.company {
        Some(company) => Some(host.company(company).await?),
        None => None,
    };
    let postures = postures(&host, only).await?;
    if args.json {
        let listed: Vec<_> = postures
            .iter()
            .map(|(company, name, posture)| {
                let mappings: Vec<_> = posture
                    .mappings
                    .iter()
                    .map(|(mapping, signals)| json!({"mapping": mapping, "signals": signals}))
                    .collect();
                json!({"company": company, "company_name": name, "compliance_org": posture.compliance_org,
                    "posture": posture.posture, "mappings": mappings})
            })
            .collect();
        return print_json(&listed);
    }
    if postures.is_empty() {
        println!(
            "No customer is promoted yet, so there are no signals: `regentra promote COMPANY`."
        );
    }
    for (_, name, posture) in &postures {
        println!("{name}");
        println!("{}", "=".repeat(name.chars().count()));
        if posture
            .mappings
            .iter()
            .all(|(_, signals)| signals.is_empty())
        {
            println!("no unexpired signal: it was not swept within the last 7 days\n");
            continue;
        }
        let signals = posture
            .mappings
            .iter()
            .flat_map(|(_, signals)| signals.iter().map(|stored| &stored.signal));
        println!("{}", verdict::page(signals));
    }
    Ok(())
}

/// How every promoted company stands, ordered by name.
///
/// # Errors
/// When the database cannot be read, or the company asked for was not promoted.
pub async fn postures(
    host: &Host,
    only: Option<CompanyId>,
) -> anyhow::Result<Vec<(CompanyId, String, CustomerPosture)>> {
    let mut postures = Vec::new();
    for company in host.store.companies(host.msp).await? {
        let is_asked_for = only.map_or(company.converted_to.is_some(), |only| only == company.id);
        if is_asked_for {
            let posture = host.integration.posture(host.msp, company.id).await?;
            postures.push((company.id, company.name.as_str().to_owned(), posture));
        }
    }
    postures.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(postures)
}

/// Prints how customers stand: a line each, with the reasons for what does not pass.
pub fn print_postures(postures: &[(CompanyId, String, CustomerPosture)]) {
    let mut columns = vec!["Customer"];
    columns.extend(SignalKind::ALL.map(verdict::title));
    let mut rows = table(&columns);
    for (_, name, posture) in postures {
        let mut line = vec![name.clone()];
        for kind in SignalKind::ALL {
            let of_kind = posture
                .posture
                .iter()
                .find(|posture| posture.signal == kind);
            line.push(
                of_kind
                    .map_or("-", |posture| verdict::word(posture.status))
                    .to_owned(),
            );
        }
        rows.add_row(line);
    }
    println!("{rows}");
}

/// The signals of a customer that do not pass, with their reasons in words.
pub fn not_passing(posture: &CustomerPosture) -> impl Iterator<Item = (&Signal, String)> {
    let signals = posture
        .mappings
        .iter()
        .flat_map(|(_, signals)| signals.iter().map(|stored| &stored.signal));
    signals
        .filter(|signal| !matches!(signal.status, Status::Pass | Status::NotApplicable))
        .map(|signal| {
            let reasons: Vec<_> = signal
                .reasons
                .iter()
                .map(|reason| verdict::reason(*reason))
                .collect();
            (signal, reasons.join("; "))
        })
}
