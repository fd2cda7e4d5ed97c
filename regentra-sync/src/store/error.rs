//! The error of a store.

use std::fmt::{self, Debug};

pub use crate::model::error_kind::StoreErrorKind;

/// An error of a store. An implementor constructs it, with a source of its choice.
pub struct StoreError {
    kind: StoreErrorKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    /// Creates an error of this kind. The source is an error or a plain text; it must not contain a stored value.
    pub fn new(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// The kind of error.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(crate) fn into_source(self) -> Box<dyn std::error::Error + Send + Sync> {
        self.source
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store does not answer; try again later",
            StoreErrorKind::Contention => "the store lost a race inside itself; try again",
            StoreErrorKind::ReadOnly => "the store cannot be written",
            StoreErrorKind::Corrupt => "the store holds a value that cannot be read",
            StoreErrorKind::Misconfigured => "the store is not set up for this program",
            StoreErrorKind::Clock => {
                "the clock of this machine or of the store is wrong, and nothing was written; set both by a time server"
            }
            StoreErrorKind::Other => "the store failed",
        })
    }
}

impl Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// The result of a store.
pub type Result<T> = std::result::Result<T, StoreError>;
