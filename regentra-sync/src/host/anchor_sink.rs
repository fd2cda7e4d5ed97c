//! Anchors: roots over the heads of an MSP's evidence chains, kept where the database's administrator cannot write.
//!
//! The commit of a sweep writes the head of each chain on the MSP's side, too ([`EvidenceHead`](crate::model::EvidenceHead)). When the next tick is planned,
//! or on demand ([`Integration::anchor`](crate::use_cases::Integration::anchor)), the heads of each tick are put under one [`EvidenceRoot`](crate::model::EvidenceRoot),
//! and the root is handed to the host's [`AnchorSink`]: [`FileSink`] appends it to a file, and `TimeStamps` (feature `time-stamps`)
//! has a time-stamping authority sign it first. A sink that fails leaves the root waiting for the next time;
//! [`diagnose`](crate::Integration::diagnose) shows it, and no sweep waits for it.
//!
//! What an anchor proves, and against whom, says [`regentra_evidence::anchor`].

use std::{error::Error as StdError, fmt};

use async_trait::async_trait;
pub use regentra_evidence::Anchor;

mod file;
#[cfg(feature = "time-stamps")]
mod time_stamp;

pub use self::file::FileSink;
#[cfg(feature = "time-stamps")]
pub use self::time_stamp::{TimeStampTransport, TimeStamps, verify_imprint};

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

/// Why an anchor was not kept, as far as it matters for what a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkErrorKind {
    /// It does not answer, or with an error: it may answer later.
    Unreachable,
    /// It understood and refused.
    Refused,
    /// It answered, and with nothing that can be kept: what this program asks it for will not be had from it.
    Unreadable,
    /// What it keeps anchors in cannot be written.
    Unwritable,
    /// Anything else.
    Other,
}

impl SinkErrorKind {
    /// A short name that stays as it is, such as `sink.unreadable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "sink.unreachable",
            Self::Refused => "sink.refused",
            Self::Unreadable => "sink.unreadable",
            Self::Unwritable => "sink.unwritable",
            Self::Other => "sink.other",
        }
    }
}

/// Why an anchor was not kept.
#[derive(Debug)]
pub struct SinkError {
    kind: SinkErrorKind,
    what: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SinkError {
    /// What went wrong, in words without an address or a secret.
    #[must_use]
    pub const fn new(kind: SinkErrorKind, what: &'static str) -> Self {
        Self {
            kind,
            what,
            source: None,
        }
    }

    /// The same, and why.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// What kind of trouble.
    #[must_use]
    pub const fn kind(&self) -> SinkErrorKind {
        self.kind
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
