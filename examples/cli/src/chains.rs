//! The evidence chains of one customer, and what is found of each.
//!
//! A sweep writes its records and, in the same commit, an audit row with the head of each chain. So a chain has to end in the last head of
//! the audit trail. Chain and trail stand in one database: that shows what an accident did, and nothing that the database's
//! administrator did. Against him stand signatures, if there are public keys, and anchors, if there are some from outside.

use regentra_evidence::{
    Anchor, ChainHead, EvidenceExport, EvidenceRecord, SignalKind, TrustedKeys,
    anchor::{AnchorFault, ChainReport},
    verify_export,
};
use regentra_sync::{
    model::{ComplianceOrgId, EvidenceRow, MappingId, TimeFault, mapping_of, verify_times},
    store::StoredSignal,
};

use crate::{format::number, host::Reading};

/// How many rows are read at a time.
const PAGE: u32 = 500;

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
    /// What its signatures and the anchors cover.
    pub report: ChainReport,
    /// The first thing that is wrong; `None` when nothing is.
    pub fault: Option<String>,
    /// Times that run backwards, or lay in the future when they were committed. They say that a clock was wrong, and not that a
    /// record was changed.
    pub times: Vec<TimeFault>,
}

/// What verifies: from outside, as far as it is there.
#[derive(Debug, Default)]
pub struct Outside {
    /// The public keys.
    pub keys: Option<TrustedKeys>,
    /// The anchors of the provider; `None` when none were given.
    pub anchors: Option<Vec<Anchor>>,
}

/// Everything that is found of a customer's evidence.
#[derive(Debug)]
pub struct Verified {
    /// The chains.
    pub chains: Vec<Chain>,
    /// Anchors whose heads are not those that the database has, of this customer or another one.
    pub faults: Vec<AnchorFault>,
    /// What an auditor gets.
    pub export: EvidenceExport,
}

impl Verified {
    fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.chains.iter().all(|chain| chain.fault.is_none())
    }
}

/// Reads every chain of a customer and verifies it: those that the audit trail speaks of, and those of these mappings.
///
/// # Errors
/// When the store does not answer.
pub async fn read(
    host: &Reading,
    customer: ComplianceOrgId,
    mappings: &[MappingId],
    outside: &Outside,
) -> anyhow::Result<Verified> {
    let verified = read_once(host, customer, mappings, outside).await?;
    if verified.is_whole() {
        return Ok(verified);
    }
    // A sweep may have committed between two of the reads: what is wrong is wrong the second time too.
    read_once(host, customer, mappings, outside).await
}

async fn read_once(
    host: &Reading,
    customer: ComplianceOrgId,
    mappings: &[MappingId],
    outside: &Outside,
) -> anyhow::Result<Verified> {
    let (views, keys) = (&host.views, outside.keys.as_ref());
    let published = keys.map(|keys| keys.keys().to_vec()).unwrap_or_default();
    let export = views
        .evidence_export(host.msp, customer, mappings, published)
        .await?;
    let current = views.current_signals(customer).await?;
    let anchors = outside.anchors.as_deref().unwrap_or_default();
    let reports = verify_export(&export, keys, anchors);
    let mut chains = Vec::with_capacity(reports.len());
    for (exported, report) in export.chains.iter().zip(reports) {
        let Some(mapping) = mapping_of(&exported.subject) else {
            continue;
        };
        let records = records(host, customer, mapping, report.signal).await?;
        let fault = report.fault.as_ref().map(ToString::to_string);
        let times = verify_times(&records);
        chains.push(Chain {
            mapping,
            signal: report.signal,
            head: exported.audit_heads.first().copied(),
            fault: fault.or_else(|| differs(&records, &current)),
            records,
            times,
            report,
        });
    }
    Ok(Verified {
        chains,
        faults: views.verify_anchors(host.msp, anchors).await?,
        export,
    })
}

async fn records(
    host: &Reading,
    customer: ComplianceOrgId,
    mapping: MappingId,
    signal: SignalKind,
) -> anyhow::Result<Vec<EvidenceRow>> {
    let mut records: Vec<EvidenceRow> = Vec::new();
    loop {
        let after = records.last().map_or(0, |row| row.link.sequence);
        let page = host
            .views
            .evidence_chain(customer, mapping, signal, after, PAGE)
            .await?;
        let is_last = (page.len() as u64) < u64::from(PAGE);
        records.extend(page);
        if is_last {
            return Ok(records);
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
