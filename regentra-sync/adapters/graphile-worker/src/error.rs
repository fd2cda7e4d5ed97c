use std::{error::Error as StdError, fmt};

/// What to do about an error of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database does not answer: try again.
    Unavailable,
    /// The engine's schema is missing, or older than this program: migrate.
    NotMigrated,
    /// The engine's schema is newer than this program or belongs to another program, the role may not use it, or a setting is invalid. The
    /// message says what to do.
    Misconfigured,
    /// The integration's own error.
    Integration(regentra_sync::ErrorKind),
    /// The database refused a statement: a fault of this crate or of its schema.
    Failed,
}

/// An error of the engine. Its text contains no URL and no value of a row.
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

    /// The error of a statement. Only its class is kept, because the server's text may quote a row.
    pub(crate) fn of_database(error: &sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => {
                    let message = "the engine's database does not answer";
                    Self::new(ErrorKind::Unavailable, message)
                }
                _ => Self::new(
                    ErrorKind::Failed,
                    "the engine's database could not be asked",
                ),
            };
        };
        let code = database.code().unwrap_or_default();
        match code.get(..2) {
            // Too many connections; the server stops or starts; the connection is lost.
            Some("53" | "57" | "08") => Self::new(
                ErrorKind::Unavailable,
                "the engine's database does not answer",
            ),
            Some("28" | "3D") => Self::misconfigured(
                "the engine's database does not let this role in, or there is no such database",
            ),
            _ if code == "42501" => Self::misconfigured(
                "this role may not use the engine's schema: migrate as its owner, and name this role",
            ),
            _ => Self::new(
                ErrorKind::Failed,
                format!("the engine's database refused a statement ({code})"),
            ),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::of_database(&error)
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
        // The message is the integration's own, so its source is next.
        self.source.as_deref().and_then(StdError::source)
    }
}
