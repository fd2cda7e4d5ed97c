//! The schema, its versions, and the check which program a file belongs to.
//!
//! The migrations table is this crate's own (`regentra_migration`; an older release looks for that name to see that the file is newer). A
//! file with tables but without this one belongs to another program and is refused. A host that keeps its own tables in the same file lets
//! this crate migrate the file first.

use std::path::Path;

use regentra_sync::store::{Result, StoreError, StoreErrorKind};
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::SqliteConnectOptions,
};

use crate::failure::{Step, Stop, failed, is_no_database, misconfigured};

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
    Migration {
        version: 10,
        sql: include_str!("../migrations/0010_dictionary.sql"),
    },
];

/// The version of the schema that this program reads and writes.
pub const SCHEMA_VERSION: u32 = 10;

/// The content of a database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SchemaState {
    /// The file is empty.
    Empty,
    /// The file has tables, but none of this crate's.
    Foreign,
    /// The file has this crate's schema in this version.
    Version(i64),
}

async fn found(connection: &mut SqliteConnection) -> sqlx::Result<SchemaState> {
    let row = sqlx::query(
        "SELECT count(*) AS tables, coalesce(sum(name = 'regentra_migration'), 0) AS ours FROM sqlite_schema \
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if row.try_get::<i64, _>("ours")? == 0 {
        let is_empty = row.try_get::<i64, _>("tables")? == 0;
        return Ok(if is_empty {
            SchemaState::Empty
        } else {
            SchemaState::Foreign
        });
    }
    let version = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM regentra_migration")
        .fetch_one(connection)
        .await?;
    Ok(SchemaState::Version(version))
}

fn foreign(path: &Path) -> StoreError {
    misconfigured(format!(
        "{} is another program's database; name a file of its own",
        path.display()
    ))
}

fn newer(path: &Path, version: i64) -> StoreError {
    misconfigured(format!(
        "{} has schema version {version}, and this program knows up to {SCHEMA_VERSION}; use a newer program",
        path.display()
    ))
}

/// An error while opening a file, with the file's name and what to do.
fn explained(error: sqlx::Error, path: &Path) -> StoreError {
    let (is_no_database, error) = (is_no_database(&error), failed(error));
    let path = path.display();
    let text = match error.kind() {
        StoreErrorKind::Misconfigured if is_no_database => {
            format!("{path} is not a SQLite database; name another file")
        }
        StoreErrorKind::ReadOnly => {
            format!("{path} cannot be opened for writing; check the folder and its permissions")
        }
        StoreErrorKind::Corrupt => format!("{path} is damaged; restore it from a backup"),
        _ => return error,
    };
    StoreError::new(error.kind(), text)
}

/// Reads a file without changing it, and refuses a file that belongs to another program or is not a database.
pub(crate) async fn refuse_foreign(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(crate::BUSY_TIMEOUT);
    let looked = async {
        let mut connection = options.connect().await?;
        let found = found(&mut connection).await?;
        connection.close().await?;
        Ok(found)
    };
    match looked.await {
        Ok(SchemaState::Foreign) => Err(foreign(path)),
        Ok(SchemaState::Version(version)) if version > i64::from(SCHEMA_VERSION) => {
            Err(newer(path, version))
        }
        Ok(SchemaState::Empty | SchemaState::Version(_)) => Ok(()),
        Err(error) => Err(explained(error, path)),
    }
}

/// Applies the missing migrations in one transaction.
pub(crate) async fn migrate(pool: &SqlitePool, path: &Path) -> Result<()> {
    match in_one_transaction(pool, path).await {
        Ok(()) => Ok(()),
        Err(Stop::Database(error)) => Err(explained(error, path)),
        Err(stopped) => Err(stopped.into_error()),
    }
}

async fn in_one_transaction(pool: &SqlitePool, path: &Path) -> Step {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let version = match found(&mut transaction).await? {
        SchemaState::Version(version) if version > i64::from(SCHEMA_VERSION) => {
            return Err(newer(path, version).into());
        }
        SchemaState::Version(version) => version,
        SchemaState::Foreign => return Err(foreign(path).into()),
        SchemaState::Empty => {
            sqlx::raw_sql(
                "CREATE TABLE regentra_migration (version INTEGER PRIMARY KEY, \
                 applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT",
            )
            .execute(&mut *transaction)
            .await?;
            0
        }
    };
    for migration in MIGRATIONS.iter().filter(|step| step.version > version) {
        sqlx::raw_sql(migration.sql)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO regentra_migration (version) VALUES (?1)")
            .bind(migration.version)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

/// Refuses a database whose schema is not this program's.
pub(crate) async fn check(pool: &SqlitePool, path: &Path) -> Result<()> {
    let looked = async {
        let mut connection = pool.acquire().await?;
        found(&mut connection).await
    };
    match looked.await.map_err(|error| explained(error, path))? {
        SchemaState::Version(version) if version == i64::from(SCHEMA_VERSION) => Ok(()),
        SchemaState::Version(version) if version > i64::from(SCHEMA_VERSION) => {
            Err(newer(path, version))
        }
        SchemaState::Foreign => Err(foreign(path)),
        SchemaState::Empty | SchemaState::Version(_) => Err(misconfigured(format!(
            "{} has an older schema than version {SCHEMA_VERSION}; migrate it first",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_version_is_the_last_migrations() {
        let versions: Vec<_> = MIGRATIONS.iter().map(|step| step.version).collect();
        let all: Vec<_> = (1..=i64::from(SCHEMA_VERSION)).collect();
        assert_eq!(versions, all);
    }
}
