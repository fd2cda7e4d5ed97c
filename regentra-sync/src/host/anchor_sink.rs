//! Anchors: roots over the heads of an MSP's evidence chains, kept where the administrator of the database cannot write.
//!
//! The commit of a sweep also writes the head of each chain on the MSP's side ([`EvidenceHead`](crate::model::EvidenceHead)). When the next
//! tick is planned, or on demand ([`Integration::anchor`](crate::use_cases::Integration::anchor)), the integration puts the heads of each
//! tick under one [`EvidenceRoot`](crate::model::EvidenceRoot) and hands the root to the host's [`AnchorSink`]. [`FileSink`] appends the
//! root to a file; `TimeStamps` (feature `time-stamps`) has a time-stamping authority sign it first. If a sink fails, the root waits until
//! the next attempt, [`diagnose`](crate::Integration::diagnose) shows the failure, and no sweep waits.
//!
//! [`regentra_evidence::anchor`] explains what an anchor proves, and against whom.

use std::{error::Error as StdError, fmt};

use async_trait::async_trait;
pub use regentra_evidence::Anchor;

mod file;
#[cfg(feature = "time-stamps")]
mod time_stamp;

pub use self::file::FileSink;
#[cfg(feature = "time-stamps")]
pub use self::time_stamp::{TimeStampTransport, TimeStamps, verify_imprint};

/// Moves roots out of reach of the database's administrator: to another machine, another person, or a public log.
///
/// A sink may receive a root twice, if a process ended before the store recorded that the sink kept it. An anchor that is in a file twice
/// counts once. Roots of different MSPs arrive in no particular order.
#[async_trait]
pub trait AnchorSink: fmt::Debug + Send + Sync + 'static {
    /// Stores an anchor durably before it returns.
    ///
    /// # Errors
    /// When the anchor is not kept. The sink receives it again when the next tick is planned, or on demand.
    async fn keep(&self, anchor: &Anchor) -> Result<(), SinkError>;
}

/// Why an anchor was not kept, named by what a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkErrorKind {
    /// The sink does not answer, or answers with an error. It may work later.
    Unreachable,
    /// The sink understood the request and refused it.
    Refused,
    /// The sink's answer cannot be kept as an anchor. It does not provide what this program asks for.
    Unreadable,
    /// The file or store in which the sink keeps anchors cannot be written.
    Unwritable,
    /// Anything else.
    Other,
}

impl SinkErrorKind {
    /// A short, stable name, such as `sink.unreadable`.
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
    /// The error with a description, which must not contain an address or a secret.
    #[must_use]
    pub const fn new(kind: SinkErrorKind, what: &'static str) -> Self {
        Self {
            kind,
            what,
            source: None,
        }
    }

    /// The same error, with its source.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// The kind of error.
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
