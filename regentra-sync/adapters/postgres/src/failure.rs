//! Translates PostgreSQL's errors into kinds, by SQLSTATE and never by message, because a message may quote a stored value.

use regentra_sync::store::{CommitOutcome, Precondition, StoreError, StoreErrorKind};

/// What went wrong, without any text of the server.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("PostgreSQL answered SQLSTATE {code}{place}{advice}")]
    Answered {
        code: String,
        place: String,
        advice: &'static str,
    },
    #[error("the connection to PostgreSQL failed ({0})")]
    Connection(std::io::ErrorKind),
    #[error("no connection to PostgreSQL became free in time")]
    PoolTimedOut,
    #[error("the pool of connections to PostgreSQL is closed")]
    PoolClosed,
    #[error("no TLS connection to PostgreSQL could be made; see its sslmode and sslrootcert")]
    Tls,
    #[error("the PostgreSQL connection options cannot be used")]
    Options,
    #[error("the column {0} holds a value that cannot be read")]
    Column(String),
    #[error("a stored value cannot be read")]
    Decode,
    #[error("a value cannot be written to PostgreSQL")]
    Encode,
    #[error("the PostgreSQL driver failed")]
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
            let place = match (error.table(), error.constraint()) {
                (_, Some(constraint)) => format!(" at constraint {constraint}"),
                (Some(table), None) => format!(" at table {table}"),
                (None, None) => String::new(),
            };
            (
                kind,
                Failure::Answered {
                    code,
                    place,
                    advice,
                },
            )
        }
        sqlx::Error::Io(error) => (
            StoreErrorKind::Unavailable,
            Failure::Connection(error.kind()),
        ),
        sqlx::Error::PoolTimedOut => (StoreErrorKind::Unavailable, Failure::PoolTimedOut),
        sqlx::Error::WorkerCrashed => (StoreErrorKind::Unavailable, Failure::Driver),
        sqlx::Error::PoolClosed => (StoreErrorKind::Unavailable, Failure::PoolClosed),
        sqlx::Error::Tls(_) => (StoreErrorKind::Misconfigured, Failure::Tls),
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

/// Whether the transaction lost a race and may succeed if it is begun again: a serialization failure, a deadlock, or a row that another
/// connection inserted between a guard and its write.
pub(crate) fn is_lost_race(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| matches!(&*code, "40001" | "40P01" | "23505"))
}

fn of_code(code: &str) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{
        Contention, Corrupt, Misconfigured, Other, ReadOnly as NoRoom, Unavailable,
    };
    match code {
        // Serialization failure, deadlock.
        "40001" | "40P01" => (Contention, ""),
        // A lock was not available in time.
        "55P03" => (Unavailable, " (another transaction holds the rows)"),
        // A cancelled statement, a disk that failed, a transaction that was idle for too long, too many connections, a server that shuts down.
        "57014" | "58030" | "25P03" | "53300" | "57P01" | "57P02" | "57P03" | "57P05" => {
            (Unavailable, "")
        }
        "53100" | "25006" => (
            NoRoom,
            " (the disk is full, or the server is a read-only standby)",
        ),
        "42501" => (
            Misconfigured,
            " (the role may not do this: run `migrate` for it, and do not change its grants)",
        ),
        "3D000" => (Misconfigured, " (there is no such database)"),
        "28000" | "28P01" => (Misconfigured, " (the role may not log in this way)"),
        "3F000" | "42P01" | "42703" | "42883" => (
            Misconfigured,
            " (the schema is not this program's: run `migrate`)",
        ),
        "XX001" | "XX002" => (Corrupt, ""),
        "22021" | "22P05" => (Other, " (PostgreSQL stores no text with a NUL character)"),
        _ if code.starts_with("08") => (Unavailable, ""),
        _ if code.starts_with("23") => (Other, " (a row breaks a rule of its table)"),
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
    fn sqlstates_are_named_by_what_the_caller_does_next() {
        for (code, kind) in [
            ("40001", StoreErrorKind::Contention),
            ("40P01", StoreErrorKind::Contention),
            ("55P03", StoreErrorKind::Unavailable),
            ("08006", StoreErrorKind::Unavailable),
            ("57P01", StoreErrorKind::Unavailable),
            ("57014", StoreErrorKind::Unavailable),
            ("58030", StoreErrorKind::Unavailable),
            ("53300", StoreErrorKind::Unavailable),
            ("53100", StoreErrorKind::ReadOnly),
            ("25006", StoreErrorKind::ReadOnly),
            ("42501", StoreErrorKind::Misconfigured),
            ("42P01", StoreErrorKind::Misconfigured),
            ("28P01", StoreErrorKind::Misconfigured),
            ("XX001", StoreErrorKind::Corrupt),
            ("23505", StoreErrorKind::Other),
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
            Some("23505".into())
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
