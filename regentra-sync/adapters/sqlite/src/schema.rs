//! The schema, its versions, and whose file this is.
//!
//! The migrations table is this crate's own (`regentra_migration`). A file with tables and without that one is another
//! program's and is refused; a host that keeps tables of its own in the same file lets this crate migrate it first.

use std::path::Path;

use regentra_sync::store::{Result, StoreErrorKind};
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::SqliteConnectOptions,
};

use crate::failure::Failure;

/// One step of the schema. A step that was released is never changed.
struct Migration {
    version: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("../migrations/0001_initial.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("../migrations/0002_pass_expires_at.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("../migrations/0003_identity.sql"),
    },
    Migration {
        version: 4,
        sql: include_str!("../migrations/0004_clocks.sql"),
    },
    Migration {
        version: 5,
        sql: include_str!("../migrations/0005_signed_heads.sql"),
    },
    Migration {
        version: 6,
        sql: include_str!("../migrations/0006_anchoring_failure.sql"),
    },
    Migration {
        version: 7,
        sql: include_str!("../migrations/0007_key_check.sql"),
    },
    Migration {
        version: 8,
        sql: include_str!("../migrations/0008_settings.sql"),
    },
    Migration {
        version: 9,
        sql: include_str!("../migrations/0009_pages.sql"),
    },
];

/// The version of the schema that this program reads and writes.
pub const SCHEMA_VERSION: u32 = 9;

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing at all.
    Empty,
    /// Tables, none of them ours.
    Foreign,
    /// Our schema in this version.
    Version(i64),
}

async fn found(db: &mut SqliteConnection) -> std::result::Result<Found, Failure> {
    let tables = "SELECT count(*) AS tables, coalesce(sum(name = 'regentra_migration'), 0) AS ours FROM sqlite_schema \
                  WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let row = sqlx::query(tables).fetch_one(&mut *db).await?;
    if row.try_get::<i64, _>("ours")? == 0 {
        let is_empty = row.try_get::<i64, _>("tables")? == 0;
        return Ok(if is_empty {
            Found::Empty
        } else {
            Found::Foreign
        });
    }
    let version = "SELECT coalesce(max(version), 0) AS version FROM regentra_migration";
    Ok(Found::Version(
        sqlx::query(version)
            .fetch_one(&mut *db)
            .await?
            .try_get("version")?,
    ))
}

fn misconfigured(text: String) -> Failure {
    Failure::new(StoreErrorKind::Misconfigured, text)
}

fn foreign(path: &Path) -> Failure {
    misconfigured(format!(
        "{} is another program's database; name a file of its own",
        path.display()
    ))
}

fn newer(path: &Path, version: i64) -> Failure {
    let text = "has schema version {version}, and this program knows up to";
    let text = text.replace("{version}", &version.to_string());
    misconfigured(format!(
        "{} {text} {SCHEMA_VERSION}; use a newer program",
        path.display()
    ))
}

/// Looks into a file, without changing it, and refuses one that is another program's or no database.
pub(crate) async fn refuse_foreign(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(crate::BUSY_TIMEOUT);
    let looked = async {
        let mut db = options.connect().await?;
        let found = found(&mut db).await?;
        db.close().await?;
        Ok::<_, Failure>(found)
    };
    match looked.await {
        Ok(Found::Foreign) => Err(foreign(path).into()),
        Ok(Found::Version(version)) if version > i64::from(SCHEMA_VERSION) => {
            Err(newer(path, version).into())
        }
        Ok(Found::Empty | Found::Version(_)) => Ok(()),
        Err(failure) => Err(explained(failure.into(), path)),
    }
}

/// An error of opening a file, with the file's name and what to do.
fn explained(
    error: regentra_sync::store::StoreError,
    path: &Path,
) -> regentra_sync::store::StoreError {
    let path = path.display();
    let text = match error.kind() {
        StoreErrorKind::Misconfigured => {
            format!("{path} is not a SQLite database; name another file")
        }
        StoreErrorKind::ReadOnly => {
            format!("{path} cannot be opened for writing; check the folder and its permissions")
        }
        StoreErrorKind::Corrupt => format!("{path} is damaged; restore it from a backup"),
        _ => return error,
    };
    regentra_sync::store::StoreError::new(error.kind(), text)
}

/// Refuses a database whose schema is not this program's.
pub(crate) async fn check(pool: &SqlitePool, path: &Path) -> Result<()> {
    let looked = async {
        let mut db = pool.acquire().await?;
        found(&mut db).await
    };
    match looked
        .await
        .map_err(|failure| explained(failure.into(), path))?
    {
        Found::Version(version) if version == i64::from(SCHEMA_VERSION) => Ok(()),
        Found::Version(version) if version > i64::from(SCHEMA_VERSION) => {
            Err(newer(path, version).into())
        }
        Found::Foreign => Err(foreign(path).into()),
        Found::Empty | Found::Version(_) => {
            let text = format!(
                "{} has an older schema than version {SCHEMA_VERSION}; migrate it first",
                path.display()
            );
            Err(misconfigured(text).into())
        }
    }
}

/// Applies what is missing, in one transaction.
pub(crate) async fn migrate(pool: &SqlitePool, path: &Path) -> Result<()> {
    let migrated = async {
        let mut db = pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut version = match found(&mut db).await? {
            Found::Version(version) => version,
            Found::Foreign => return Err(foreign(path)),
            Found::Empty => {
                let create = "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, \
                              applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT";
                sqlx::query(create).execute(&mut *db).await?;
                0
            }
        };
        if version > i64::from(SCHEMA_VERSION) {
            return Err(newer(path, version));
        }
        for migration in MIGRATIONS {
            if migration.version > version {
                sqlx::raw_sql(migration.sql).execute(&mut *db).await?;
                let applied = "INSERT INTO regentra_migration (version) VALUES (?1)";
                sqlx::query(applied)
                    .bind(migration.version)
                    .execute(&mut *db)
                    .await?;
                version = migration.version;
            }
        }
        db.commit().await?;
        Ok(())
    };
    migrated
        .await
        .map_err(|failure: Failure| explained_unless_said(failure, path))
}

fn explained_unless_said(failure: Failure, path: &Path) -> regentra_sync::store::StoreError {
    let error = regentra_sync::store::StoreError::from(failure);
    let is_from_sqlite =
        std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<sqlx::Error>);
    if is_from_sqlite {
        explained(error, path)
    } else {
        error
    }
}
