use std::{error::Error as StdError, fmt};

/// What to do about an error of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server does not answer: try again.
    Unavailable,
    /// The server does not know this program's services: a worker registers them when it starts.
    NotRegistered,
    /// The server is too old, or a setting is wrong. The message says what to do.
    Misconfigured,
    /// The integration's own error.
    Integration(regentra_sync::ErrorKind),
    /// The server refused a request, or its answer could not be read.
    Failed,
}

/// An error of the engine. Its text contains no address and no event.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of a call to the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misconfigured, message)
    }

    /// What to do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::NotRegistered)
    }
}

impl From<regentra_sync::Error> for Error {
    fn from(error: regentra_sync::Error) -> Self {
        Self {
            kind: ErrorKind::Integration(error.kind()),
            message: error.to_string(),
            source: Some(Box::new(error)),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message is the integration's own; its source is next.
        self.source.as_deref().and_then(StdError::source)
    }
}
