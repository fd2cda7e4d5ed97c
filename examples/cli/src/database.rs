//! Where the command line keeps what it knows.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::{builder::TypedValueParser, error::ErrorKind};
use etcetera::BaseStrategy as _;
use regentra_sync::{
    host::StoreClock,
    store::{Store, StoreErrorKind},
};
use regentra_sync_postgres::PostgresStore;
use regentra_sync_sqlite::SqliteStore;
use secrecy::{ExposeSecret as _, SecretString};

use crate::key::only_for_this_user;

/// A database, as a person names it.
#[derive(Clone, Debug)]
pub enum Database {
    /// A SQLite file: a path, or `sqlite:` and a path.
    Sqlite(PathBuf),
    /// A `postgres://` URL, which may hold a password.
    Postgres(SecretString),
}

impl FromStr for Database {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let kind = kind_of(text);
        let path = match kind.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" if text.get(kind.len()..).is_some_and(is_url_rest) => {
                let rest = text.get(kind.len()..).unwrap_or_default();
                return Ok(Self::Postgres(format!("postgres{rest}").into()));
            }
            "sqlite" => {
                let path = text.get("sqlite:".len()..).unwrap_or_default();
                path.strip_prefix("//").unwrap_or(path)
            }
            "" => text,
            // Whatever it is, it is no file, and it may hold a password.
            _ => "",
        };
        if path.is_empty() || path.starts_with(":memory:") || path.contains("://") {
            bail!(
                "name a file, such as customers.db or sqlite:/var/lib/regentra/customers.db, or a postgres:// URL"
            );
        }
        Ok(Self::Sqlite(path.into()))
    }
}

/// The word before a colon, as in a URL. A letter alone is a drive, and what has a slash before it is a place in a folder.
fn kind_of(text: &str) -> &str {
    match text.split_once(':') {
        Some((kind, _)) if kind.len() > 1 && !kind.contains(['/', '\\']) => kind,
        _ => "",
    }
}

fn is_url_rest(rest: &str) -> bool {
    rest.starts_with("://")
}

/// Reads a [`Database`] from an argument or a variable. What is wrong with one is said without repeating it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader;

impl TypedValueParser for Reader {
    type Value = Database;

    fn parse_ref(
        &self,
        _: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Database, clap::Error> {
        let text = value.to_str().unwrap_or_default();
        text.parse().map_err(|error: anyhow::Error| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n"))
        })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(_) => f.write_str("the PostgreSQL database"),
        }
    }
}

impl Database {
    /// The file in this user's data directory. Its folder is made when it is missing.
    ///
    /// # Errors
    /// When this user has no home directory, or the folder cannot be made.
    pub fn of_user() -> anyhow::Result<Self> {
        let base = etcetera::choose_base_strategy()
            .context("this user has no home directory: name a database with --db")?;
        let folder = base.data_dir().join("regentra");
        std::fs::create_dir_all(&folder).with_context(|| {
            let folder = folder.display();
            format!("{folder} cannot be made: name a database with --db")
        })?;
        Ok(Self::Sqlite(folder.join("regentra.db")))
    }

    /// The file, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// Whether there is one, as far as is known without asking.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path().is_none_or(Path::exists)
    }

    /// Opens it, to go by this clock. An older schema of a file is brought up to date; that of a server its owner migrates.
    ///
    /// # Errors
    /// When there is none, or it is not one of this program's, newer than it, or may not be written; it stays as it was.
    pub async fn open(&self, clock: StoreClock) -> anyhow::Result<Arc<dyn Store>> {
        let path = match self {
            Self::Sqlite(path) => path,
            Self::Postgres(url) => {
                let store = PostgresStore::connect(url.expose_secret()).await?;
                return Ok(Arc::new(store.with_clock(clock)));
            }
        };
        if !path.exists() {
            bail!(
                "there is no database at {self}: `regentra connect` creates it, or name another with --db"
            );
        }
        refuse_folder(path)?;
        let opened = match SqliteStore::open(path).await {
            Err(error) if error.kind() == StoreErrorKind::Misconfigured => {
                SqliteStore::migrate(path).await
            }
            opened => opened,
        };
        Ok(Arc::new(opened?.with_clock(clock)))
    }

    /// Opens it, to go by this clock, or makes the file for this user alone.
    ///
    /// # Errors
    /// As [`Self::open`], except that a missing file is none.
    pub async fn create(&self, clock: StoreClock) -> anyhow::Result<Arc<dyn Store>> {
        let Self::Sqlite(path) = self else {
            return self.open(clock).await;
        };
        refuse_folder(path)?;
        // It will hold the names of customers and machines; SQLite itself would let everybody read it. Where the file cannot
        // be made, the store says so better.
        let _ = only_for_this_user(path);
        Ok(Arc::new(
            SqliteStore::migrate(path).await?.with_clock(clock),
        ))
    }
}

/// SQLite only says that it cannot read a folder.
fn refuse_folder(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("{} is a folder: name a file in it", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_carry_its_kind() {
        for text in ["a/b.db", "sqlite:a/b.db", "sqlite://a/b.db"] {
            let database: Database = text.parse().unwrap();
            assert_eq!(database.path(), Some(Path::new("a/b.db")));
        }
        for text in ["./12:00.db", "SQLite:12:00.db", r"C:\a.db"] {
            let database: Database = text.parse().unwrap();
            let path = database.path().unwrap().to_str().unwrap();
            assert!(text.ends_with(path), "{text}: {path}");
        }
        for text in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "mysql://bob:hunter2@host/db",
            "postgre://bob:hunter2@host/db",
            "postgres:bob:hunter2@host/db",
            "bob:hunter2@host/db",
            "bob@host:hunter2",
        ] {
            let refused = text.parse::<Database>().unwrap_err();
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
        for text in ["Postgres://store@db/x", "POSTGRESQL://store@db/x"] {
            let server: Database = text.parse().unwrap();
            assert!(
                matches!(server, Database::Postgres(url) if url.expose_secret() == "postgres://store@db/x")
            );
        }
        let server: Database = "postgres://store:hunter2@db/regentra".parse().unwrap();
        assert!(server.exists() && server.path().is_none());
        assert!(!format!("{server} {server:?}").contains("hunter2"));
    }
}
