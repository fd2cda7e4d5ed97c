//! Evidence records in a customer's tenant.
//!
//! What a record says and how the chain over them is verified is [`regentra_evidence`]'s ([`EvidenceRecord`], [`verify_chain`]).
//! Here is which chain a record belongs to: one for each (compliance organization, mapping, signal). The head of each stands in
//! the audit row of the sweep that wrote it, signed if the host has a signing key, and among the MSP's heads, whose roots are
//! [anchored](crate::anchor) outside if the host has a sink.
//!
//! The chain and the audit row stand in one database. They show what a fault of a program or a disk did, and nothing that the
//! database's administrator did: signatures and anchors do.
//!
//! [`verify_chain`]: regentra_evidence::verify_chain

use regentra_evidence::{
    ChainHead, ChainLink, EvidenceRecord, FactsDigest, HeadSignature, HeadSigner, RecordError,
    Rules, Signal, SignalKind, SignedLink,
};
use serde::{Deserialize, Serialize};

use crate::{ComplianceOrgId, EventId, MappingId};

/// The head of a chain before its first record. It is derived from whose chain it is, so that one cannot be passed off as
/// another's.
#[must_use]
pub fn chain_start(customer: ComplianceOrgId, mapping: MappingId, signal: SignalKind) -> ChainHead {
    ChainHead::start(&chain_subject(customer, mapping), signal)
}

/// What a customer's chains of one mapping are about, as [`ChainHead::start`] takes it.
#[must_use]
pub fn chain_subject(customer: ComplianceOrgId, mapping: MappingId) -> String {
    format!("{customer}/{mapping}")
}

/// The mapping of a [`chain_subject`].
#[must_use]
pub fn mapping_of(subject: &str) -> Option<MappingId> {
    subject.split_once('/')?.1.parse().ok()
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
    /// The signature of the chain's head after it; `None` when the host that wrote it had no signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<HeadSignature>,
}

impl EvidenceRow {
    /// The next record of a chain that ends in `head`, signed by `signer` if there is one.
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
        signer: Option<&HeadSigner>,
    ) -> Result<Self, RecordError> {
        let mut record = EvidenceRecord::new(signal.clone(), rules, facts);
        if let Some(signer) = signer {
            record = record.signed_by(signer.id().clone());
        }
        let link = head.append(record.canonical()?);
        Ok(Self {
            mapping,
            signal: signal.kind(),
            event,
            signature: signer.map(|signer| signer.sign(link.head())),
            link,
        })
    }

    /// The record as an auditor gets it.
    #[must_use]
    pub fn into_signed_link(self) -> SignedLink {
        SignedLink {
            link: self.link,
            signature: self.signature,
        }
    }
}
