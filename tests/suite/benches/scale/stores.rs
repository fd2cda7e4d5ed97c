//! The databases: a SQLite file, and a PostgreSQL server that was started for this. Both keep what they answered for.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context as _;
use regentra_harness::postgres;
use regentra_sync::{host::StoreClock, store::Store};
use regentra_sync_postgres::PostgresStore;
use regentra_sync_sqlite::SqliteStore;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::meter;

pub(crate) enum Database {
    Sqlite {
        folder: TempDir,
        store: SqliteStore,
    },
    Postgres {
        server: postgres::Server,
        store: PostgresStore,
        /// The server's first process.
        process: Option<u64>,
    },
}

const NAME: &str = "regentra";

pub(crate) async fn sqlite() -> anyhow::Result<Database> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::migrate(folder.path().join("regentra.db")).await?;
    Ok(Database::Sqlite { folder, store })
}

/// `None`, said aloud, on a machine without PostgreSQL.
pub(crate) async fn postgres() -> anyhow::Result<Option<Database>> {
    use postgres::{OWNER, STORE, SUPERUSER};
    let Some(server) = postgres::durable_server() else {
        return Ok(None);
    };
    let mut superuser = PgConnection::connect(&server.url(SUPERUSER, "postgres")).await?;
    for statement in [
        "CREATE ROLE regentra_owner LOGIN NOSUPERUSER NOBYPASSRLS",
        "CREATE ROLE regentra_store LOGIN NOSUPERUSER NOBYPASSRLS",
        "CREATE DATABASE regentra OWNER regentra_owner",
    ] {
        sqlx::raw_sql(statement).execute(&mut superuser).await?;
    }
    let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut superuser)
        .await?;
    let process = meter::parent_of(own);
    superuser.close().await?;
    regentra_sync_postgres::migrate(&server.url(OWNER, NAME), STORE).await?;
    let store = PostgresStore::connect(&server.url(STORE, NAME)).await?;
    Ok(Some(Database::Postgres {
        server,
        store,
        process,
    }))
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        })
    }
}

impl Database {
    pub(crate) fn store(&self, clock: StoreClock) -> Arc<dyn Store> {
        match self {
            Self::Sqlite { store, .. } => Arc::new(store.clone().with_clock(clock)),
            Self::Postgres { store, .. } => Arc::new(store.clone().with_clock(clock)),
        }
    }

    /// Processor time of the server so far.
    pub(crate) fn server_time(&self) -> Option<Duration> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { process, .. } => meter::family_time((*process)?),
        }
    }

    /// A connection that the store knows nothing of, and may do everything.
    async fn execute(
        &self,
        on_sqlite: &'static str,
        on_postgres: &'static str,
        parameter: Option<&str>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Sqlite { store, .. } => {
                let path = store.path().to_str().context("the folder's name is text")?;
                let mut connection = SqliteConnection::connect(path).await?;
                match parameter {
                    None => sqlx::raw_sql(on_sqlite).execute(&mut connection).await?,
                    Some(parameter) => {
                        sqlx::query(on_sqlite)
                            .bind(parameter)
                            .execute(&mut connection)
                            .await?
                    }
                };
                connection.close().await?;
            }
            Self::Postgres { server, .. } => {
                let mut connection =
                    PgConnection::connect(&server.url(postgres::SUPERUSER, NAME)).await?;
                match parameter {
                    None => sqlx::raw_sql(on_postgres).execute(&mut connection).await?,
                    Some(parameter) => {
                        sqlx::query(on_postgres)
                            .bind(parameter)
                            .execute(&mut connection)
                            .await?
                    }
                };
                connection.close().await?;
            }
        }
        Ok(())
    }

    /// From now on every write of an asset row fails, whatever it would write.
    pub(crate) async fn freeze_assets(&self) -> anyhow::Result<()> {
        let on_sqlite = "CREATE TRIGGER no_insert BEFORE INSERT ON assets BEGIN SELECT RAISE(ABORT, 'frozen'); END;\
                         CREATE TRIGGER no_update BEFORE UPDATE ON assets BEGIN SELECT RAISE(ABORT, 'frozen'); END;\
                         CREATE TRIGGER no_delete BEFORE DELETE ON assets BEGIN SELECT RAISE(ABORT, 'frozen'); END";
        let on_postgres = "CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON regentra_sync.assets \
                           FOR EACH ROW EXECUTE FUNCTION regentra_sync.refuse_change()";
        self.execute(on_sqlite, on_postgres, None).await
    }

    pub(crate) async fn thaw_assets(&self) -> anyhow::Result<()> {
        let on_sqlite = "DROP TRIGGER no_insert; DROP TRIGGER no_update; DROP TRIGGER no_delete";
        let on_postgres = "DROP TRIGGER frozen ON regentra_sync.assets";
        self.execute(on_sqlite, on_postgres, None).await
    }

    /// Adds companies that were promoted, given as a JSON list of (MSP, company, name, compliance organization): nothing is
    /// measured here, and the store adds one at a time.
    pub(crate) async fn add_companies(&self, rows: &str) -> anyhow::Result<()> {
        let on_sqlite = "INSERT INTO companies (msp_org_id, company_id, name, converted_to_organization_id, created_at) \
                         SELECT unhex(value ->> 0, '-'), unhex(value ->> 1, '-'), value ->> 2, unhex(value ->> 3, '-'), 0 \
                         FROM json_each(?1)";
        let on_postgres = "INSERT INTO regentra_sync.companies \
                           (msp_org_id, company_id, name, converted_to_organization_id, created_at) \
                           SELECT (row ->> 0)::uuid, (row ->> 1)::uuid, row ->> 2, (row ->> 3)::uuid, now() \
                           FROM jsonb_array_elements($1::jsonb) AS row";
        self.execute(on_sqlite, on_postgres, Some(rows)).await
    }

    pub(crate) async fn megabytes(&self) -> anyhow::Result<f64> {
        let bytes = match self {
            Self::Sqlite { folder, .. } => {
                let mut bytes = 0;
                for file in folder.path().read_dir()? {
                    bytes += file?.metadata()?.len();
                }
                bytes
            }
            Self::Postgres { server, .. } => {
                let mut connection =
                    PgConnection::connect(&server.url(postgres::SUPERUSER, NAME)).await?;
                let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
                    .fetch_one(&mut connection)
                    .await?;
                connection.close().await?;
                u64::try_from(bytes)?
            }
        };
        Ok(meter::float(bytes) / 1e6)
    }
}
