//! Where the command line keeps what it knows.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use etcetera::BaseStrategy as _;
use regentra_sync::store::{Store, StoreErrorKind};
use regentra_sync_sqlite::SqliteStore;

/// A SQLite file, as a person names it: a path, or `sqlite:` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database(PathBuf);

impl FromStr for Database {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .unwrap_or(text);
        if path.is_empty() || path.contains("://") || path.starts_with(":memory:") {
            bail!("name a file, such as customers.db or sqlite:/var/lib/regentra/customers.db");
        }
        Ok(Self(path.into()))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
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
            format!(
                "{} cannot be made: name a database with --db",
                folder.display()
            )
        })?;
        Ok(Self(folder.join("regentra.db")))
    }

    /// The database in this file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// SQLite only says that it cannot read a folder.
    fn refuse_folder(&self) -> anyhow::Result<()> {
        if self.0.is_dir() {
            bail!("{self} is a folder: name a file in it");
        }
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether there is one.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Opens it, and brings an older schema up to date.
    ///
    /// # Errors
    /// When there is none, or it is not one of this program's, newer than it, or may not be written; it stays as it was.
    pub async fn open(&self) -> anyhow::Result<Arc<dyn Store>> {
        if !self.exists() {
            bail!(
                "there is no database at {self}: `regentra connect` creates it, or name another with --db"
            );
        }
        self.refuse_folder()?;
        let opened = match SqliteStore::open(&self.0).await {
            Err(error) if error.kind() == StoreErrorKind::Misconfigured => {
                SqliteStore::migrate(&self.0).await
            }
            opened => opened,
        };
        Ok(Arc::new(opened?))
    }

    /// Opens it, or creates it for this user alone.
    ///
    /// # Errors
    /// As [`Self::open`], except that a missing one is none.
    pub async fn create(&self) -> anyhow::Result<Arc<dyn Store>> {
        self.refuse_folder()?;
        // It will hold the names of customers and machines; SQLite itself would let everybody read it. Where the file cannot
        // be made, the store says so better.
        let _ = only_for_this_user(&self.0);
        Ok(Arc::new(SqliteStore::migrate(&self.0).await?))
    }
}

/// Makes a file that only this user can read; an error when it exists.
///
/// # Errors
/// When it exists or cannot be made.
pub(crate) fn only_for_this_user(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_carry_its_kind() {
        for text in ["a/b.db", "sqlite:a/b.db", "sqlite://a/b.db"] {
            assert_eq!(
                text.parse::<Database>().unwrap().path(),
                Path::new("a/b.db")
            );
        }
        for text in ["", "sqlite:", "mysql://host/db", "sqlite::memory:"] {
            assert!(text.parse::<Database>().is_err(), "{text}");
        }
    }
}
