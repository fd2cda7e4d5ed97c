//! The heads of evidence chains on the MSP's side, and the roots over them.

use regentra_evidence::{Anchor, ChainHead, Hash256, SignalKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    mapping::MappingId,
    tenant::{ComplianceOrgId, MspOrgId},
};

/// The head of one chain after one sweep, as the MSP's side stores it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvidenceHead {
    /// The customer of the chain.
    pub customer: ComplianceOrgId,
    /// The mapping of the chain.
    pub mapping: MappingId,
    /// The signal of the chain.
    pub signal: SignalKind,
    /// How many records the chain has.
    pub length: u64,
    /// The hash of the last record.
    pub hash: Hash256,
    /// The tick of the sweep.
    pub tick: OffsetDateTime,
    /// The number of the root that covers it; `None` until a root does.
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
    /// The number of the root. The MSP's first root is 1.
    pub number: u64,
    /// The tick.
    pub tick: OffsetDateTime,
    /// How many heads.
    pub heads: u64,
    /// The root of their [`HeadTree`](regentra_evidence::HeadTree).
    pub root: Hash256,
    /// When it was made.
    pub made_at: OffsetDateTime,
    /// When a sink stored it; `None` while it waits.
    pub handed_out_at: Option<OffsetDateTime>,
}

impl EvidenceRoot {
    /// The anchor that a sink gets for this root.
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

/// Why the last attempt to anchor an MSP's evidence failed: a root could not be made, or the sink did not store one. Stores keep this until
/// everything is anchored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoringFailure {
    /// The kind of error, such as `sink.unreadable` ([`SinkErrorKind::as_str`](crate::host::SinkErrorKind::as_str)), or `store.contention`
    /// ([`ErrorKind::as_str`](crate::ErrorKind::as_str)) if no root could be made.
    pub error: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl AnchoringFailure {
    /// Whether the sink failed to store a root. If not, no root could be made.
    #[must_use]
    pub fn is_of_sink(&self) -> bool {
        self.error.starts_with("sink.")
    }
}
