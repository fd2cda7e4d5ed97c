//! Evidence records in a customer's tenant.
//!
//! What a record says and how the chain over them is verified is [`regentra_evidence`]'s ([`EvidenceRecord`], [`verify_chain`]).
//! Here is which chain a record belongs to: one for each (compliance organization, mapping, signal). The head of each stands in
//! the audit row of the sweep that wrote it, which is what an auditor anchors the chain with.
//!
//! [`verify_chain`]: regentra_evidence::verify_chain

use regentra_evidence::{
    ChainHead, ChainLink, EvidenceRecord, FactsDigest, RecordError, Rules, Signal, SignalKind,
};
use serde::{Deserialize, Serialize};

use crate::{ComplianceOrgId, EventId, MappingId};

/// The head of a chain before its first record. It is derived from whose chain it is, so that one cannot be passed off as
/// another's.
#[must_use]
pub fn chain_start(customer: ComplianceOrgId, mapping: MappingId, signal: SignalKind) -> ChainHead {
    ChainHead::start(&format!("{customer}/{mapping}"), signal)
}

/// One record in its chain, as a store keeps it: never changed, never deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The mapping it is about.
    pub mapping: MappingId,
    /// The signal it is about.
    pub signal: SignalKind,
    /// The sweep that wrote it.
    pub event: EventId,
    /// The record's place in the chain, its canonical text, and its hash.
    #[serde(flatten)]
    pub link: ChainLink,
}

impl EvidenceRow {
    /// The next record of a chain that ends in `head`.
    ///
    /// # Errors
    /// [`RecordError::Unwritable`] when a time of the signal cannot be written.
    pub fn append(
        head: ChainHead,
        mapping: MappingId,
        event: EventId,
        signal: &Signal,
        rules: &Rules,
        facts: FactsDigest,
    ) -> Result<Self, RecordError> {
        let record = EvidenceRecord::new(signal.clone(), rules, facts).canonical()?;
        Ok(Self {
            mapping,
            signal: signal.kind(),
            event,
            link: head.append(record),
        })
    }
}
