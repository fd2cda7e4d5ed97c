//! `regentra records`: a customer's evidence as an auditor reads it, and whether it is what was written.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use comfy_table::Cell;
use regentra_evidence::EvidenceRecord;
use regentra_sync::evidence_chain::EvidenceRow;
use serde_json::{Value, json};

use crate::{
    chains::{self, Chain},
    host::HostArgs,
    output,
    portal::Portal,
    table, verdict,
    wording::{count, count_of, minute, number, rfc3339},
};

/// Arguments of `regentra records`.
#[derive(Debug, Args)]
pub struct RecordsArgs {
    /// The promoted company: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: String,

    /// Say only whether the chains are whole.
    #[arg(long)]
    verify: bool,

    /// How many records of each chain are listed, the newest [default: 10; with --json, all].
    #[arg(long, conflicts_with = "verify", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// How many records of a chain are listed in a table.
const LISTED: u32 = 10;

/// Lists the records, and verifies every chain against the heads in the customer's audit trail.
///
/// # Errors
/// When there is no such company, or it is not promoted; when a chain is not what was written.
pub async fn run(args: RecordsArgs, host: &HostArgs) -> anyhow::Result<()> {
    let host = host.open_without_keys().await?;
    let portal = Portal::read(&host).await?;
    let company = portal.company(&args.company)?;
    let Some(customer) = company.converted_to else {
        bail!(
            "{} is not promoted, so there is no evidence of it: `regentra promote` first",
            company.name.as_str()
        );
    };
    let mappings: Vec<_> = portal
        .mapped_to(company.id)
        .map(|mapping| mapping.id)
        .collect();
    let chains = chains::read(&host, customer, &mappings).await?;
    if host.json {
        let limit = if args.verify { Some(0) } else { args.limit };
        let rows = chains.iter().map(|chain| row(&portal, chain, limit));
        output::json(&rows.collect::<Vec<_>>())?;
    } else if chains.is_empty() {
        return output::line("There are no records yet: the next sweep writes the first ones.");
    } else {
        for chain in &chains {
            let limit = args.limit.unwrap_or(LISTED);
            output::print(&page(&portal, chain, (!args.verify).then_some(limit)))?;
        }
    }
    let broken: Vec<_> = chains
        .iter()
        .filter(|chain| chain.fault.is_some())
        .collect();
    let all = count_of(&chains, "evidence chain", "evidence chains");
    if let Some(first) = broken.first() {
        bail!(
            "{} of {all} not what was written; the first is {}: {}",
            number(broken.len() as u64),
            title(&portal, first),
            first.fault.as_deref().unwrap_or_default()
        );
    }
    if !host.json {
        let records = chains.iter().map(|chain| chain.records.len() as u64).sum();
        output::line(format!(
            "{all}, {}: all as they were written, up to the heads in the audit trail.",
            count(records, "record", "records")
        ))?;
    }
    Ok(())
}

fn title(portal: &Portal, chain: &Chain) -> String {
    let organization = portal.organization_label(chain.mapping);
    format!(
        "{organization}, {}",
        verdict::title(chain.signal).to_lowercase()
    )
}

/// The newest records of a chain, or all of them.
fn newest(chain: &Chain, limit: Option<u32>) -> &[EvidenceRow] {
    let all = &chain.records;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let from = limit.map_or(0, |limit| all.len().saturating_sub(limit));
    all.get(from..).unwrap_or_default()
}

/// A chain: what it is about, whether it is whole, and its newest records.
fn page(portal: &Portal, chain: &Chain, limit: Option<u32>) -> String {
    let state = match (&chain.fault, chain.head) {
        (Some(fault), _) => format!("BROKEN: {fault}"),
        (None, Some(head)) => format!("whole, head {} {}", head.length, head.hash),
        (None, None) => "whole".to_owned(),
    };
    let records = count_of(&chain.records, "record", "records");
    let mut line = format!("{}: {records}, {state}\n", title(portal, chain));
    if let Some(first) = chain.times.first() {
        let times = count_of(&chain.times, "time does", "times do");
        let _ = writeln!(
            line,
            "  {times} not fit, because a clock was wrong: {first}."
        );
    }
    let Some(limit) = limit else {
        return line;
    };
    let mut table = table::new(&[
        ">#",
        "Verdict",
        "Collected",
        "Expires",
        "Rules",
        "Previous",
        "Hash",
    ]);
    let shown = newest(chain, Some(limit));
    for row in shown {
        let chained = &row.link;
        let [previous, hash] = [chained.previous, chained.hash].map(|hash| {
            let hash: String = hash.to_string().chars().take(12).collect();
            Cell::new(hash)
        });
        let mut cells = vec![table::number(chained.sequence)];
        match EvidenceRecord::parse(&chained.record) {
            Ok(EvidenceRecord { signal, rules, .. }) => cells.extend([
                table::status(signal.status),
                Cell::new(minute(signal.collected_at)),
                Cell::new(minute(signal.expires_at)),
                table::cell(&rules.version),
            ]),
            Err(_) => cells.extend(["unreadable", "", "", ""].map(Cell::new)),
        }
        cells.extend([previous, hash]);
        table.add_row(cells);
    }
    let before = chain.records.len() - shown.len();
    let rest = match before as u64 {
        0 => String::new(),
        n => format!("{} before; --limit shows more.\n", number(n)),
    };
    format!("{line}{}{rest}\n", table::text(&table))
}

fn row(portal: &Portal, chain: &Chain, limit: Option<u32>) -> Value {
    let mapping = portal.mapping(chain.mapping);
    let records = newest(chain, limit).iter().map(record);
    json!({
        "mapping": chain.mapping,
        "organization": mapping.map(|mapping| mapping.external_org_id),
        "name": mapping.map(|mapping| mapping.name.clone()),
        "signal": chain.signal,
        "length": chain.records.len(),
        "head": chain.head,
        "whole": chain.fault.is_none(),
        "fault": chain.fault,
        "times": chain.times.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "records": records.collect::<Vec<_>>(),
    })
}

fn record(row: &EvidenceRow) -> Value {
    let chained = &row.link;
    let record = EvidenceRecord::parse(&chained.record).ok();
    let signal = record.as_ref().map(|record| &record.signal);
    json!({
        "sequence": chained.sequence,
        "event": row.event,
        "status": signal.map(|signal| signal.status),
        "complete": signal.map(|signal| signal.complete),
        "collected_at": signal.map(|signal| rfc3339(signal.collected_at)),
        "expires_at": signal.map(|signal| rfc3339(signal.expires_at)),
        "rules": record.as_ref().map(|record| &record.rules.version),
        "committed_at": row.committed_at.map(rfc3339),
        "previous": chained.previous,
        "hash": chained.hash,
        "record": chained.record,
    })
}
