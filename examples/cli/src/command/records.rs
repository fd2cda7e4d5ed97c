//! `regentra records`: a customer's evidence as an auditor reads it, and what shows that it is what was written.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use regentra_evidence::EvidenceRecord;
use regentra_sync::{host::verify_imprint, model::EvidenceRow};
use serde_json::{Value, json};

use crate::{
    anchors,
    chains::{self, Chain, Outside, Verified},
    database::Database,
    format::{count, count_of, minute, number, rfc3339},
    host::{HostArgs, Reading},
    output,
    portal::Portal,
    shown::Shown,
    signing, table, verdict,
};

/// Arguments of `regentra records`.
#[derive(Debug, Args)]
pub struct RecordsArgs {
    /// The promoted company: its id, the beginning of its id, or its name.
    #[arg(long)]
    company: String,

    /// Say only what is found of each chain.
    #[arg(long)]
    verify: bool,

    /// Hold the evidence against these anchors: a file as `REGENTRA_ANCHORS` names one, from where the database's administrator
    /// cannot write.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,

    /// Verify signatures with these public keys, as `regentra signing-key` prints them [default: those beside the signing key].
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// Write the evidence and what verifies it into this file, for an auditor: `examples/cli/verify_evidence.py` verifies it without
    /// this program.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,

    /// How many records of each chain are listed, the newest [default: 10; with --json, all].
    #[arg(long, conflicts_with = "verify", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// How many records of a chain are listed in a table.
const LISTED: u32 = 10;

/// Lists the records, and verifies every chain: against the heads in the customer's audit trail, with the public keys, and against the
/// anchors.
///
/// # Errors
/// When there is no such company, or it is not promoted; when a file cannot be read; when a chain is not what was written.
pub async fn run(args: RecordsArgs, host: &HostArgs) -> anyhow::Result<()> {
    let database = host.database()?;
    let host = host.read().await?;
    let portal = Portal::read(&host).await?;
    let company = portal.company(&args.company)?;
    let Some(customer) = company.converted_to else {
        bail!(
            "{} is not promoted, so there is no evidence of it: `regentra promote` first",
            Shown::name(&company.name)
        );
    };
    let mappings: Vec<_> = portal
        .mapped_to(company.id)
        .map(|mapping| mapping.id)
        .collect();
    let outside = outside(&args, &host, &database)?;
    let Verified {
        chains,
        faults,
        export,
    } = chains::read(&host, customer, &mappings, &outside).await?;
    if let Some(path) = &args.export {
        std::fs::write(path, serde_json::to_vec(&export)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if host.json {
        let limit = if args.verify { Some(0) } else { args.limit };
        let rows = chains.iter().map(|chain| row(&portal, chain, limit));
        output::json(&rows.collect::<Vec<_>>())?;
    } else if chains.is_empty() {
        output::line("There are no records yet: the next sweep writes the first ones.")?;
    } else {
        for chain in &chains {
            let limit = args.limit.unwrap_or(LISTED);
            output::print(&page(&portal, chain, (!args.verify).then_some(limit)))?;
        }
    }
    if let Some(fault) = faults.first() {
        let of = outside.anchors.as_deref().unwrap_or_default();
        let all = count_of(of, "anchor", "anchors");
        bail!(
            "{} of {all} not what the database has: {fault}",
            faults.len()
        );
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
    if !host.json && !chains.is_empty() {
        output::print(&summary(&chains, &outside))?;
    }
    Ok(())
}

/// The public keys and anchors that are given, or that are there.
fn outside(args: &RecordsArgs, host: &Reading, database: &Database) -> anyhow::Result<Outside> {
    let keys = match &args.keys {
        Some(path) => Some(signing::read_public(path)?),
        None => signing::public_keys(database)?,
    };
    let anchors = args.anchors.as_deref().map(anchors::read).transpose()?;
    if let (Some(anchors), Some(path)) = (&anchors, &args.anchors) {
        let msp = host.msp.to_string();
        if !anchors.iter().any(|anchor| anchor.msp == msp) {
            bail!(
                "{} holds no anchor of this provider ({msp})",
                path.display()
            );
        }
        for anchor in anchors {
            verify_imprint(anchor)
                .with_context(|| format!("anchor {} of {}", anchor.number, path.display()))?;
        }
    }
    Ok(Outside { keys, anchors })
}

/// What holds, and against whom.
fn summary(chains: &[Chain], outside: &Outside) -> String {
    let sum = |of: fn(&Chain) -> u64| chains.iter().map(of).sum::<u64>();
    let records = sum(|chain| chain.records.len() as u64);
    let signed = sum(|chain| chain.report.signatures.signed);
    let anchored = sum(|chain| chain.report.anchored);
    let signatures = match &outside.keys {
        Some(_) => format!(
            "{} of {} signed, and each signature verifies.",
            number(signed),
            number(records)
        ),
        None => "not verified, there are no public keys (--keys FILE).".to_owned(),
    };
    let anchors = match &outside.anchors {
        Some(_) => format!(
            "{} of {} are as they were when they were anchored.",
            number(anchored),
            number(records)
        ),
        None => "none given (--anchors FILE).".to_owned(),
    };
    format!(
        "{}, {}: they fit each other and the heads in the audit trail. That shows accidents, and nothing that the database's \
         administrator did.\nSignatures: {signatures}\nAnchors: {anchors}\n",
        count_of(chains, "evidence chain", "evidence chains"),
        count(records, "record", "records"),
    )
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
            table::cell(hash)
        });
        let mut cells = vec![table::number(chained.sequence)];
        match EvidenceRecord::parse(&chained.record) {
            Ok(EvidenceRecord { signal, rules, .. }) => cells.extend([
                table::status(signal.status),
                table::cell(minute(signal.collected_at)),
                table::cell(minute(signal.expires_at)),
                table::cell(rules.version.as_str()),
            ]),
            Err(_) => cells.extend(["unreadable", "", "", ""].map(table::cell)),
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
        "signed": chain.report.signatures.signed,
        "anchored": chain.report.anchored,
        "anchor": chain.report.anchor,
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
        "signature": row.signature,
        "record": chained.record,
    })
}
