//! What can go wrong with SQLite, as the caller's next step.

use regentra_sync::store::{CommitOutcome, Guard, StoreError, StoreErrorKind};

/// An error on its way out. It exists so that `?` turns an error of `sqlx` into one of the store.
#[derive(Debug)]
pub(crate) struct Failure(StoreError);

impl Failure {
    pub(crate) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self(StoreError::new(kind, text.into()))
    }

    /// A stored value that cannot be read. The value is not named: it may be anything.
    pub(crate) fn corrupt(column: &'static str) -> Self {
        Self::new(
            StoreErrorKind::Corrupt,
            format!("column {column} holds what this program never wrote"),
        )
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(StoreError::new(kind(&error), error))
    }
}

/// The kind of trouble, from SQLite's result code (<https://www.sqlite.org/rescode.html>) and never from a message.
fn kind(error: &sqlx::Error) -> StoreErrorKind {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_) => StoreErrorKind::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreErrorKind::Corrupt,
        sqlx::Error::Database(error) => {
            // The primary result code is the low byte of the extended one.
            match error
                .code()
                .and_then(|code| code.parse::<u32>().ok())
                .map(|code| code & 0xff)
            {
                Some(5 | 6 | 10 | 15) => StoreErrorKind::Unavailable,
                Some(3 | 8 | 13 | 14) => StoreErrorKind::ReadOnly,
                Some(11) => StoreErrorKind::Corrupt,
                Some(1 | 26) => StoreErrorKind::Misconfigured,
                _ => StoreErrorKind::Other,
            }
        }
        _ => StoreErrorKind::Other,
    }
}

/// Why a commit stops: it has its outcome, or it failed.
#[derive(Debug)]
pub(crate) enum Stop {
    Outcome(CommitOutcome),
    Failure(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

/// Stops with `guard` unless the condition holds.
pub(crate) fn holds(condition: bool, guard: Guard) -> Result<(), Stop> {
    if condition {
        Ok(())
    } else {
        Err(Stop::Outcome(CommitOutcome::Superseded(guard)))
    }
}
