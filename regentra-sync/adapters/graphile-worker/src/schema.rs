//! The engine's schema, its roles, and the checks before a worker begins.

use graphile_worker::WorkerUtils;
use graphile_worker_migrations::{
    GraphileWorkerMigration, MigrateError, sql::GRAPHILE_WORKER_MIGRATIONS,
};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    error::{Error, ErrorKind, Result},
    jobs::SCHEMA,
};

/// The version of the schema that this program works with: the last of the engine's migrations.
fn newest() -> i32 {
    let numbers = GRAPHILE_WORKER_MIGRATIONS.iter();
    let last = numbers.map(GraphileWorkerMigration::migration_number).max();
    i32::try_from(last.unwrap_or(0)).unwrap_or(i32::MAX)
}

enum SchemaState {
    /// There is no such schema.
    Nothing,
    /// The schema exists, but without the engine's tables.
    Foreign,
    /// The engine's schema, which this role may not read.
    Closed,
    /// The engine's schema in this version.
    Version(i32),
}

async fn found(connection: &mut PgConnection) -> Result<SchemaState> {
    // From the catalogs, which every role may read.
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS any, \
         EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = 'migrations' AND c.relkind = 'r') AS ours, \
         coalesce((SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = 'migrations'), false) AS open",
    )
    .bind(SCHEMA)
    .fetch_one(&mut *connection)
    .await?;
    if !row.try_get::<bool, _>("any")? {
        return Ok(SchemaState::Nothing);
    }
    if !row.try_get::<bool, _>("ours")? {
        return Ok(SchemaState::Foreign);
    }
    if !row.try_get::<bool, _>("open")? {
        return Ok(SchemaState::Closed);
    }
    let version = "SELECT coalesce(max(id), 0) FROM regentra_graphile_worker.migrations";
    let version = sqlx::query_scalar(version).fetch_one(connection).await?;
    Ok(SchemaState::Version(version))
}

fn foreign() -> Error {
    Error::misconfigured(format!(
        "the database has a schema named {SCHEMA} that is another program's; name another database"
    ))
}

fn newer(version: i32) -> Error {
    let known = newest();
    Error::misconfigured(format!(
        "the engine's schema has version {version}, and this program knows up to {known}; use a newer program"
    ))
}

/// Refuses a database that a worker cannot use, and a role with more rights than it should have.
///
/// When a worker begins, the engine migrates if there is anything to migrate. This check ensures that there is not.
pub(crate) async fn check(pool: &PgPool) -> Result<()> {
    let mut connection = pool.acquire().await?;
    match found(&mut connection).await? {
        SchemaState::Nothing => {
            return Err(Error::new(
                ErrorKind::NotMigrated,
                "the engine's schema is not there yet: migrate as its owner first",
            ));
        }
        SchemaState::Foreign => return Err(foreign()),
        SchemaState::Closed => {
            return Err(Error::misconfigured(
                "this role may not use the engine's schema: migrate as its owner, and name this role",
            ));
        }
        SchemaState::Version(version) if version > newest() => return Err(newer(version)),
        SchemaState::Version(version) if version < newest() => {
            let known = newest();
            return Err(Error::new(
                ErrorKind::NotMigrated,
                format!(
                    "the engine's schema has version {version}, and this program needs {known}: migrate as its owner first"
                ),
            ));
        }
        SchemaState::Version(_) => {}
    }
    let row = sqlx::query(
        "SELECT has_table_privilege('regentra_graphile_worker._private_jobs', 'SELECT, INSERT, UPDATE, DELETE') AS may_work, \
         has_schema_privilege('regentra_graphile_worker', 'CREATE') AS may_change, \
         coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'regentra_sync'), false) AS may_read",
    )
    .fetch_one(&mut *connection)
    .await?;
    if row.try_get("may_change")? {
        return Err(Error::misconfigured(
            "this role may change the engine's schema: run workers as another role than the owner, which only migrates",
        ));
    }
    if row.try_get("may_read")? {
        return Err(Error::misconfigured(
            "this role may read the store's schema: give the engine a role of its own",
        ));
    }
    if !row.try_get::<bool, _>("may_work")? {
        return Err(Error::misconfigured(
            "this role may not use the engine's schema: migrate as its owner, and name this role",
        ));
    }
    Ok(())
}

/// Creates the engine's schema, or brings it up to date, and grants `role` the rights that workers need.
///
/// `owner` is a `postgres://` URL of the role that owns the schema or will own it; this role needs `CREATE` on the database. `role` is the
/// role that workers log in with. It must exist, and must be neither the owner nor the store's role. A second call changes nothing. If the
/// change log says that a release migrates, stop the workers of the previous release first.
///
/// # Errors
/// [`ErrorKind::Misconfigured`] when the URL is invalid, the schema belongs to another program or is newer than this one, or a role is
/// unsuitable; [`ErrorKind::Unavailable`] when the server does not answer; [`ErrorKind::Failed`]. A failed migration is undone; the
/// migrations before it stay.
pub async fn migrate(owner: &str, role: &str) -> Result<()> {
    let options: PgConnectOptions = owner
        .parse()
        .map_err(|_| Error::misconfigured("this is not a postgres:// URL"))?;
    let mut connection = PgConnection::connect_with(&options).await?;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('regentra.migrate.engine', 0))")
        .execute(&mut connection)
        .await?;
    match found(&mut connection).await? {
        SchemaState::Foreign => return Err(foreign()),
        SchemaState::Closed => {
            return Err(Error::misconfigured(
                "the engine's schema is owned by another role; migrate as that one",
            ));
        }
        SchemaState::Version(version) if version > newest() => return Err(newer(version)),
        SchemaState::Nothing | SchemaState::Version(_) => {}
    }
    refuse_unfit(&mut connection, role).await?;
    let pool = PgPoolOptions::new().max_connections(2);
    let pool = pool.connect_with(options).await?;
    let migrated = WorkerUtils::new(pool.clone(), SCHEMA).migrate().await;
    pool.close().await;
    migrated.map_err(|error| of_migration(&error))?;
    grant(&mut connection, role).await?;
    // Closing the connection also releases the lock.
    Ok(connection.close().await?)
}

async fn refuse_unfit(connection: &mut PgConnection, role: &str) -> Result<()> {
    let row = sqlx::query(
        "SELECT r.rolname = current_user OR pg_has_role(r.oid, current_user, 'MEMBER') AS is_owner, \
         r.rolsuper OR r.rolbypassrls AS is_unbound, \
         coalesce((SELECT has_schema_privilege(r.oid, n.oid, 'USAGE') FROM pg_namespace n WHERE nspname = 'regentra_sync'), false) \
         AS may_read FROM pg_roles r WHERE r.rolname = $1",
    )
    .bind(role)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else {
        return Err(Error::misconfigured(
            "there is no such role for the workers: create it first",
        ));
    };
    if row.try_get("is_unbound")? {
        return Err(Error::misconfigured(
            "workers may not run as a superuser or with BYPASSRLS: name another role",
        ));
    }
    if row.try_get("is_owner")? {
        return Err(Error::misconfigured(
            "workers may not run as the owner: name another role",
        ));
    }
    if row.try_get("may_read")? {
        return Err(Error::misconfigured(
            "this role may read the store's schema: give the engine a role of its own",
        ));
    }
    Ok(())
}

/// The engine switches on row-level security and creates no policy, so only the owner sees rows. This adds a policy for `role`.
async fn grant(connection: &mut PgConnection, role: &str) -> Result<()> {
    let mut transaction = connection.begin().await?;
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format(s, quote_ident($1)) FROM unnest(ARRAY[ \
         'GRANT USAGE ON SCHEMA regentra_graphile_worker TO %s', \
         'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA regentra_graphile_worker TO %s', \
         'REVOKE INSERT, UPDATE, DELETE ON regentra_graphile_worker.migrations FROM %s', \
         'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA regentra_graphile_worker TO %s']) AS s \
         UNION ALL SELECT format('CREATE POLICY %I ON regentra_graphile_worker.%I TO %I USING (true) WITH CHECK (true)', \
         'workers: ' || $1, c.relname, $1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'regentra_graphile_worker' AND c.relkind = 'r' AND c.relrowsecurity AND NOT EXISTS \
         (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = left('workers: ' || $1, 63))",
    )
    .bind(role)
    .fetch_all(&mut *transaction)
    .await?;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

fn of_migration(error: &MigrateError) -> Error {
    match error {
        MigrateError::IncompatibleVersion(_) => {
            Error::misconfigured("the server is older than PostgreSQL 12")
        }
        MigrateError::IncompatbleRevision {
            latest_migration, ..
        } => newer(*latest_migration),
        MigrateError::LockedJobInMigration11 => {
            Error::misconfigured("jobs run at this moment: stop all workers, and migrate then")
        }
        MigrateError::SqlError(error) if error.code() == Some("42501") => Error::misconfigured(
            "the owner may not do this: it needs CREATE on the database, and to own the engine's schema",
        ),
        MigrateError::SqlError(error) => {
            let code = error.code().unwrap_or("no code");
            Error::new(
                ErrorKind::Failed,
                format!("the database refused a migration of the engine ({code})"),
            )
        }
        MigrateError::ParseVersionError(_) => Error::new(
            ErrorKind::Failed,
            "the version of the server could not be read",
        ),
    }
}
