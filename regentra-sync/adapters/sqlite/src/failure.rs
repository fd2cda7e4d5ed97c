//! Translates SQLite's errors into kinds, by result code and never by message, because a message may quote a stored value.

use regentra_sync::store::{CommitOutcome, Precondition, StoreError, StoreErrorKind};

/// What went wrong, without any text of SQLite.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("SQLite answered result code {code}{advice}")]
    Answered { code: String, advice: &'static str },
    #[error("the file cannot be read or written ({0})")]
    File(std::io::ErrorKind),
    #[error("no connection to the file became free in time")]
    PoolTimedOut,
    #[error("the store is closed")]
    PoolClosed,
    #[error("the options of the file cannot be used")]
    Options,
    #[error("the column {0} holds a value that cannot be read")]
    Column(String),
    #[error("a stored value cannot be read")]
    Decode,
    #[error("a value cannot be written to SQLite")]
    Encode,
    #[error("the SQLite driver failed")]
    Driver,
}

/// The store's error for an error of the driver.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    let (kind, failure) = match error {
        sqlx::Error::Database(error) => {
            let code = error
                .code()
                .map_or_else(String::new, std::borrow::Cow::into_owned);
            let (kind, advice) = of_code(&code);
            (kind, Failure::Answered { code, advice })
        }
        sqlx::Error::Io(error) => (StoreErrorKind::Unavailable, Failure::File(error.kind())),
        sqlx::Error::PoolTimedOut => (StoreErrorKind::Unavailable, Failure::PoolTimedOut),
        sqlx::Error::WorkerCrashed => (StoreErrorKind::Unavailable, Failure::Driver),
        sqlx::Error::PoolClosed => (StoreErrorKind::Unavailable, Failure::PoolClosed),
        sqlx::Error::Configuration(_) => (StoreErrorKind::Misconfigured, Failure::Options),
        sqlx::Error::ColumnDecode { index, .. } | sqlx::Error::ColumnNotFound(index) => {
            (StoreErrorKind::Corrupt, Failure::Column(index))
        }
        sqlx::Error::Decode(_) => (StoreErrorKind::Corrupt, Failure::Decode),
        sqlx::Error::Encode(_) => (StoreErrorKind::Other, Failure::Encode),
        _ => (StoreErrorKind::Other, Failure::Driver),
    };
    StoreError::new(kind, failure)
}

/// The error of a stored value that cannot be read. It names the column.
pub(crate) fn corrupt(column: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, Failure::Column(column.to_owned()))
}

/// The error of a value that no column can hold.
pub(crate) fn unwritable() -> StoreError {
    StoreError::new(StoreErrorKind::Other, Failure::Encode)
}

/// The error of something that a person has to set up.
pub(crate) fn misconfigured(what: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, what.into())
}

/// Whether the file is not an SQLite database.
pub(crate) fn is_no_database(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| primary(&code) == Some(26))
}

/// The primary result code, which is the low byte of the extended one (<https://www.sqlite.org/rescode.html>).
fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn of_code(code: &str) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, Misconfigured, Other, ReadOnly, Unavailable};
    match primary(code) {
        Some(5 | 6 | 15) => (Unavailable, " (another process holds the file)"),
        Some(9) => (Unavailable, " (the statement was cancelled)"),
        Some(10) => (Unavailable, " (the disk failed)"),
        Some(3 | 8 | 14) => (ReadOnly, " (the file may not be opened or written)"),
        Some(13) => (ReadOnly, " (the disk is full)"),
        Some(11) => (Corrupt, " (the file is damaged)"),
        Some(1) => (
            Misconfigured,
            " (the schema is not this program's: run `migrate`)",
        ),
        Some(26) => (Misconfigured, " (the file is no database)"),
        Some(19) => (Other, " (a row breaks a rule of its table)"),
        _ => (Other, ""),
    }
}

/// A part of a transaction.
pub(crate) type Step<T = ()> = Result<T, Stop>;

/// Why a transaction stops before its commit.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing is written, and this is the answer.
    Answer(CommitOutcome),
    /// The database failed.
    Database(sqlx::Error),
    /// A stored value cannot be read.
    Store(StoreError),
}

impl Stop {
    pub(crate) const fn superseded(guard: Precondition) -> Self {
        Self::Answer(CommitOutcome::Superseded(guard))
    }

    /// The error of a read, which has no other answer.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Database(error) => failed(error),
            Self::Store(error) => error,
            Self::Answer(_) => StoreError::new(StoreErrorKind::Other, Failure::Driver),
        }
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Goes on only if the guard holds.
pub(crate) fn holds(condition: bool, guard: Precondition) -> Step {
    if condition {
        Ok(())
    } else {
        Err(Stop::superseded(guard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes_are_named_by_what_the_caller_does_next() {
        for (code, kind) in [
            ("5", StoreErrorKind::Unavailable),
            ("261", StoreErrorKind::Unavailable),
            ("6", StoreErrorKind::Unavailable),
            ("778", StoreErrorKind::Unavailable),
            ("8", StoreErrorKind::ReadOnly),
            ("13", StoreErrorKind::ReadOnly),
            ("14", StoreErrorKind::ReadOnly),
            ("11", StoreErrorKind::Corrupt),
            ("1", StoreErrorKind::Misconfigured),
            ("26", StoreErrorKind::Misconfigured),
            ("2067", StoreErrorKind::Other),
            ("", StoreErrorKind::Other),
        ] {
            assert_eq!(of_code(code).0, kind, "{code}");
        }
    }

    /// An error of a server, whose text quotes values.
    #[derive(Debug)]
    struct Quoting(&'static str);

    impl std::fmt::Display for Quoting {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Quoting {}

    impl sqlx::error::DatabaseError for Quoting {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some("2067".into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::UniqueViolation
        }
    }

    #[test]
    fn an_error_shows_no_text_of_the_driver() {
        let text = "canary-4711";
        for error in [
            sqlx::Error::Database(Box::new(Quoting(text))),
            sqlx::Error::Protocol(text.to_owned()),
            sqlx::Error::Configuration(text.into()),
            sqlx::Error::Tls(text.into()),
            sqlx::Error::Encode(text.into()),
            sqlx::Error::Decode(text.into()),
            sqlx::Error::Io(std::io::Error::other(text)),
            sqlx::Error::ColumnDecode {
                index: "name".to_owned(),
                source: text.into(),
            },
        ] {
            let error = failed(error);
            let shown = format!(
                "{error} {error:?} {:?}",
                std::error::Error::source(&error).map(ToString::to_string)
            );
            assert!(!shown.contains(text), "{shown}");
        }
    }
}
