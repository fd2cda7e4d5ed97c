//! The heads of evidence chains on the MSP's side, and the roots over them.

use regentra_evidence::{Anchor, ChainHead, Hash256, SignalKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    mapping::MappingId,
    tenant::{ComplianceOrgId, MspOrgId},
};

/// The head of one chain after one sweep, as it stands on the MSP's side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvidenceHead {
    /// Whose chain.
    pub customer: ComplianceOrgId,
    /// Of which mapping.
    pub mapping: MappingId,
    /// Of which signal.
    pub signal: SignalKind,
    /// How many records the chain has.
    pub length: u64,
    /// The hash of the last one.
    pub hash: Hash256,
    /// The tick of the sweep.
    pub tick: OffsetDateTime,
    /// The number of the root that it is under; `None` until it is under one.
    pub root: Option<u64>,
}

impl EvidenceHead {
    /// The head.
    #[must_use]
    pub const fn head(&self) -> ChainHead {
        ChainHead {
            length: self.length,
            hash: self.hash,
        }
    }
}

/// The root over an MSP's heads of one tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRoot {
    /// The MSP's first root is 1.
    pub number: u64,
    /// The tick.
    pub tick: OffsetDateTime,
    /// How many heads.
    pub heads: u64,
    /// The root of their [`HeadTree`](regentra_evidence::HeadTree).
    pub root: Hash256,
    /// When it was made.
    pub made_at: OffsetDateTime,
    /// When a sink took it; `None` while it waits.
    pub handed_out_at: Option<OffsetDateTime>,
}

impl EvidenceRoot {
    /// What is handed out.
    #[must_use]
    pub fn anchor(&self, msp: MspOrgId) -> Anchor {
        Anchor {
            msp: msp.to_string(),
            number: self.number,
            tick: self.tick,
            heads: self.heads,
            root: self.root,
            at: self.made_at,
            time_stamp: None,
        }
    }
}

/// Why an MSP's evidence was last not anchored: a root could not be made, or the sink did not take one. Stores keep it until
/// everything is anchored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoringFailure {
    /// The kind of error, such as `sink.unreadable` ([`SinkErrorKind::as_str`](crate::host::SinkErrorKind::as_str)), or `store.contention`
    /// ([`ErrorKind::as_str`](crate::ErrorKind::as_str)) where no root could be made.
    pub error: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl AnchoringFailure {
    /// Whether the sink did not take a root; else none could be made.
    #[must_use]
    pub fn is_of_sink(&self) -> bool {
        self.error.starts_with("sink.")
    }
}
