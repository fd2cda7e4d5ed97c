//! Anchors: roots over the heads of an MSP's evidence chains, kept where the database's administrator cannot write.
//!
//! The commit of a sweep writes the head of each chain on the MSP's side, too ([`EvidenceHead`]). When the next tick is planned,
//! or on demand ([`Integration::anchor`](crate::Integration::anchor)), the heads of each tick are put under one [`EvidenceRoot`],
//! and the root is handed to the host's [`AnchorSink`]: [`FileSink`] appends it to a file, and `TimeStamps` (feature `time-stamps`)
//! has a time-stamping authority sign it first. A sink that fails leaves the root waiting for the next time;
//! [`diagnose`](crate::Integration::diagnose) shows it, and no sweep waits for it.
//!
//! What an anchor proves, and against whom, says [`regentra_evidence::anchor`].

use std::{error::Error as StdError, fmt};

use async_trait::async_trait;
pub use regentra_evidence::Anchor;
use regentra_evidence::{ChainHead, Hash256, SignalKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{ComplianceOrgId, MappingId, MspOrgId};

mod file;
#[cfg(feature = "time-stamps")]
mod time_stamp;

pub use self::file::FileSink;
#[cfg(feature = "time-stamps")]
pub use self::time_stamp::{TimeStampTransport, TimeStamps, verify_imprint};

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

/// Takes roots out of the reach of the database's administrator: to another machine, another person, or a public log.
///
/// A root may be handed over twice, when a process ended before the store knew that it was taken; an anchor that stands in a file
/// twice counts once. A sink keeps no order between MSPs.
#[async_trait]
pub trait AnchorSink: fmt::Debug + Send + Sync + 'static {
    /// Keeps an anchor, durably, before it returns.
    ///
    /// # Errors
    /// When it is not kept. It is handed over again when the next tick is planned, or on demand.
    async fn keep(&self, anchor: &Anchor) -> Result<(), SinkError>;
}

/// Why an anchor was not kept.
#[derive(Debug)]
pub struct SinkError {
    what: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SinkError {
    /// What went wrong, in words without an address or a secret.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, source: None }
    }

    /// The same, and why.
    #[must_use]
    pub fn because(what: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            what,
            source: Some(source.into()),
        }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl StdError for SinkError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
