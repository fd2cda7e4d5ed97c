//! The evidence chains of one customer, and whether each is what was written.
//!
//! A sweep writes its records and, in the same commit, an audit row with the head of each chain. So a chain has to end in the last head of
//! the audit trail: a record that is changed, removed or moved shows, and so do a tail that was cut off and one that was added by hand.

use std::collections::BTreeMap;

use regentra_evidence::{ChainHead, EvidenceRecord, SignalKind, verify_chain};
use regentra_sync::{
    ComplianceOrgId, MappingId,
    audit::AuditDetails,
    evidence_chain::{EvidenceRow, TimeFault, chain_start, verify_times},
    store::{AuditPage, StoredSignal},
};

use crate::{host::Host, wording::number};

/// How many rows are read at a time.
const PAGE: u32 = 500;

/// Heads as the audit trail has them, the newest first.
pub type Heads = BTreeMap<(MappingId, SignalKind), Vec<ChainHead>>;

/// One chain, and what is wrong with it.
#[derive(Debug)]
pub struct Chain {
    /// The mapping it is about.
    pub mapping: MappingId,
    /// The signal it is about.
    pub signal: SignalKind,
    /// Its records, in order.
    pub records: Vec<EvidenceRow>,
    /// The newest head in the audit trail.
    pub head: Option<ChainHead>,
    /// The first thing that is wrong; `None` when the chain is whole.
    pub fault: Option<String>,
    /// Times that run backwards, or lay in the future when they were committed. They say that a clock was wrong, and not that a
    /// record was changed.
    pub times: Vec<TimeFault>,
}

/// Reads every chain of a customer and verifies it: those that the audit trail speaks of, and those of these mappings.
///
/// # Errors
/// When the store does not answer.
pub async fn read(
    host: &Host,
    customer: ComplianceOrgId,
    mappings: &[MappingId],
) -> anyhow::Result<Vec<Chain>> {
    let chains = read_once(host, customer, mappings).await?;
    if chains.iter().all(|chain| chain.fault.is_none()) {
        return Ok(chains);
    }
    // A sweep may have committed between two of the reads: what is wrong is wrong the second time too.
    read_once(host, customer, mappings).await
}

async fn read_once(
    host: &Host,
    customer: ComplianceOrgId,
    mappings: &[MappingId],
) -> anyhow::Result<Vec<Chain>> {
    let mut heads = heads(host, customer).await?;
    let current = host.store().current_signals(customer, host.now()).await?;
    let of_signals = current.iter().map(|stored| stored.mapping);
    for mapping in mappings.iter().copied().chain(of_signals) {
        for signal in SignalKind::ALL {
            heads.entry((mapping, signal)).or_default();
        }
    }
    let mut chains = Vec::with_capacity(heads.len());
    for ((mapping, signal), anchors) in heads {
        let records = records(host, customer, mapping, signal).await?;
        if records.is_empty() && anchors.is_empty() {
            continue;
        }
        let start = chain_start(customer, mapping, signal);
        let fault = fault(start, &records, &anchors).or_else(|| differs(&records, &current));
        let head = anchors.first().copied();
        let times = verify_times(&records);
        chains.push(Chain {
            mapping,
            signal,
            records,
            head,
            fault,
            times,
        });
    }
    Ok(chains)
}

/// The heads that a customer's audit trail anchors.
///
/// # Errors
/// When the store does not answer.
pub async fn heads(host: &Host, customer: ComplianceOrgId) -> anyhow::Result<Heads> {
    let mut heads = Heads::new();
    let mut page = AuditPage::newest(PAGE);
    loop {
        let rows = host.integration.customer_audit(customer, page).await?;
        for row in &rows {
            if let AuditDetails::Swept {
                mapping, signals, ..
            } = &row.details
            {
                for (kind, swept) in signals {
                    let of_chain = heads.entry((*mapping, *kind)).or_default();
                    of_chain.push(swept.chain_head);
                }
            }
        }
        match rows.last() {
            Some(last) if rows.len() as u64 == u64::from(PAGE) => {
                page = AuditPage::after(last, PAGE);
            }
            _ => break,
        }
    }
    for of_chain in heads.values_mut() {
        of_chain.sort_by_key(|head| std::cmp::Reverse(head.length));
    }
    Ok(heads)
}

async fn records(
    host: &Host,
    customer: ComplianceOrgId,
    mapping: MappingId,
    signal: SignalKind,
) -> anyhow::Result<Vec<EvidenceRow>> {
    let mut records: Vec<EvidenceRow> = Vec::new();
    loop {
        let after = records.last().map_or(0, |row| row.link.sequence);
        let page = host
            .store()
            .evidence_chain(customer, mapping, signal, after, PAGE)
            .await?;
        let is_last = (page.len() as u64) < u64::from(PAGE);
        records.extend(page);
        if is_last {
            return Ok(records);
        }
    }
}

/// What is wrong with the records by themselves and against the heads.
fn fault(start: ChainHead, records: &[EvidenceRow], anchors: &[ChainHead]) -> Option<String> {
    match verify_chain(start, records.iter().map(|row| &row.link), anchors) {
        Err(fault) => Some(fault.to_string()),
        Ok(head) if anchors.contains(&head) => None,
        Ok(_) => {
            let known = anchors.first().map_or(0, |head| head.length);
            Some(format!(
                "no audit row speaks of record {} and those after it",
                number(known.saturating_add(1))
            ))
        }
    }
}

/// Whether the signal that is shown is another one than the record of the same sweep says.
fn differs(records: &[EvidenceRow], current: &[StoredSignal]) -> Option<String> {
    let last = records.last()?;
    let shown = current.iter().find(|stored| {
        stored.mapping == last.mapping
            && stored.signal.kind() == last.signal
            && stored.event == last.event
    })?;
    let recorded = EvidenceRecord::parse(&last.link.record).ok();
    let same = recorded.is_some_and(|record| record.signal == shown.signal);
    (!same).then(|| {
        format!(
            "the signal that is shown is not what record {} says",
            number(last.link.sequence)
        )
    })
}

/// A head in few letters: its place, and how its hash begins.
#[must_use]
pub fn short(head: ChainHead) -> String {
    let hash: String = head.hash.to_string().chars().take(12).collect();
    format!("#{} {hash}", head.length)
}
