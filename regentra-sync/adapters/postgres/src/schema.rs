//! The schema, its versions, and the roles around it.
//!
//! All tables are in the schema `regentra_sync`, which belongs to this crate, together with a table of migrations. The *owner* migrates.
//! The *store's role* has the rights that the store needs, and no right that bypasses row-level security.

use regentra_sync::store::Result;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::failure::{failed, misconfigured};

/// One step of the schema. A step that was released is never changed.
struct Migration {
    version: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("../migrations/0001_store.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("../migrations/0002_row_level_security.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("../migrations/0003_pass_expires_at.sql"),
    },
    Migration {
        version: 4,
        sql: include_str!("../migrations/0004_identity.sql"),
    },
    Migration {
        version: 5,
        sql: include_str!("../migrations/0005_clocks.sql"),
    },
    Migration {
        version: 6,
        sql: include_str!("../migrations/0006_signed_heads.sql"),
    },
    Migration {
        version: 7,
        sql: include_str!("../migrations/0007_anchoring_failure.sql"),
    },
    Migration {
        version: 8,
        sql: include_str!("../migrations/0008_key_check.sql"),
    },
    Migration {
        version: 9,
        sql: include_str!("../migrations/0009_settings.sql"),
    },
    Migration {
        version: 10,
        sql: include_str!("../migrations/0010_pages.sql"),
    },
    Migration {
        version: 11,
        sql: include_str!("../migrations/0011_run_reading.sql"),
    },
    Migration {
        version: 12,
        sql: include_str!("../migrations/0012_dictionary.sql"),
    },
    Migration {
        version: 13,
        sql: include_str!("../migrations/0013_planning.sql"),
    },
];

/// The version of the schema that this program reads and writes.
pub const SCHEMA_VERSION: u32 = 13;

/// The oldest PostgreSQL that understands the schema, as `server_version_num` counts.
const OLDEST_SERVER: i32 = 150_000;

/// The rights of the store's role, table by table. Rows that are evidence can only be read and appended.
const GRANTS: &[&str] = &[
    "USAGE ON SCHEMA regentra_sync",
    "SELECT ON regentra_sync.migrations",
    "SELECT, INSERT ON regentra_sync.events, regentra_sync.signals, regentra_sync.evidence, regentra_sync.msp_audit, \
     regentra_sync.customer_audit",
    "SELECT, INSERT, UPDATE (root_number) ON regentra_sync.evidence_heads",
    "SELECT, INSERT, UPDATE (handed_out_at) ON regentra_sync.evidence_roots",
    "SELECT, INSERT, UPDATE ON regentra_sync.key_check, regentra_sync.credentials, regentra_sync.companies, regentra_sync.mappings, \
     regentra_sync.assets, regentra_sync.tickets, regentra_sync.ticket_ticks, regentra_sync.outbox, regentra_sync.leases, \
     regentra_sync.runs",
    "SELECT, INSERT, UPDATE, DELETE ON regentra_sync.authorizations, regentra_sync.signature_history, \
     regentra_sync.anchoring_failures",
    "SELECT, INSERT, UPDATE, DELETE ON regentra_sync.requests",
    "EXECUTE ON FUNCTION regentra_sync.current_msp(), regentra_sync.current_compliance_org(), \
     regentra_sync.current_fingerprint(), regentra_sync.active_credentials(uuid, bigint), \
     regentra_sync.client_id_is_connected_elsewhere(text, uuid, uuid), regentra_sync.compliance_org_is_taken(uuid)",
];

/// The content of a database under this schema's name.
enum SchemaState {
    /// There is no such schema.
    Nothing,
    /// The schema exists, but without this crate's table of migrations.
    Foreign,
    /// This crate's schema, which this role may not read.
    Closed,
    /// This crate's schema in this version; 0 before the first step.
    Version(i64),
}

async fn found(connection: &mut PgConnection) -> Result<SchemaState> {
    // From the catalogs, which every role may read.
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'regentra_sync') AS any, \
         EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'regentra_sync' AND c.relname = 'migrations' AND c.relkind = 'r') AS ours, \
         coalesce((SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'regentra_sync' AND c.relname = 'migrations'), false) AS open",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let is = |column| row.try_get::<bool, _>(column).map_err(failed);
    if !is("any")? {
        return Ok(SchemaState::Nothing);
    }
    if !is("ours")? {
        return Ok(SchemaState::Foreign);
    }
    if !is("open")? {
        return Ok(SchemaState::Closed);
    }
    let version =
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM regentra_sync.migrations")
            .fetch_one(connection)
            .await
            .map_err(failed)?;
    Ok(SchemaState::Version(version))
}

fn foreign() -> regentra_sync::store::StoreError {
    misconfigured(
        "the database has a schema named regentra_sync that is another program's; name another database",
    )
}

fn newer(version: i64) -> regentra_sync::store::StoreError {
    misconfigured(format!(
        "the database has schema version {version}, and this program knows up to {SCHEMA_VERSION}; use a newer program"
    ))
}

/// Creates the schema, or brings it up to date, and grants `role` the rights that the store needs.
///
/// `owner` connects as the role that owns the schema or will own it; this role needs `CREATE` on the database. `role` is the role that
/// [`PostgresStore::connect`](crate::PostgresStore::connect) logs in with. It must exist, and must not be the owner. The migration is one
/// transaction. Several processes may call this at once, and a second call changes nothing.
///
/// # Errors
/// [`StoreErrorKind::Misconfigured`](regentra_sync::store::StoreErrorKind::Misconfigured) when the URL is invalid, the server is too old,
/// the schema belongs to another program or is newer than this one, or the owner lacks a right;
/// [`StoreErrorKind::Unavailable`](regentra_sync::store::StoreErrorKind::Unavailable) when the server does not answer. The database stays
/// as it was.
pub async fn migrate(owner: &str, role: &str) -> Result<()> {
    let options = crate::options(owner)?;
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let migrated = in_one_transaction(&mut connection, role).await;
    // Closing the connection rolls back a transaction that was begun.
    let _ = connection.close().await;
    migrated
}

async fn in_one_transaction(connection: &mut PgConnection, role: &str) -> Result<()> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('regentra.migrate', 0))")
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    refuse_old_server(&mut transaction).await?;
    refuse_unfit_grantee(&mut transaction, role).await?;
    let version = match found(&mut transaction).await? {
        SchemaState::Version(version) if version > i64::from(SCHEMA_VERSION) => {
            return Err(newer(version));
        }
        SchemaState::Version(version) => version,
        SchemaState::Foreign => return Err(foreign()),
        SchemaState::Closed => {
            return Err(misconfigured(
                "the schema regentra_sync is owned by another role; migrate as that one",
            ));
        }
        SchemaState::Nothing => {
            sqlx::raw_sql(
                "CREATE SCHEMA regentra_sync; CREATE TABLE regentra_sync.migrations \
                 (version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
            )
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            0
        }
    };
    for migration in MIGRATIONS.iter().filter(|step| step.version > version) {
        sqlx::raw_sql(migration.sql)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO regentra_sync.migrations (version) VALUES ($1)")
            .bind(migration.version)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    let grantee = format!("\"{}\"", role.replace('"', "\"\""));
    for grant in GRANTS {
        sqlx::raw_sql(AssertSqlSafe(format!("GRANT {grant} TO {grantee}")))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

async fn refuse_old_server(connection: &mut PgConnection) -> Result<()> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::integer")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    if version < OLDEST_SERVER {
        let (is, needed) = (version / 10_000, OLDEST_SERVER / 10_000);
        return Err(misconfigured(format!(
            "the server is PostgreSQL {is}, and the schema needs {needed} or newer"
        )));
    }
    Ok(())
}

async fn refuse_unfit_grantee(connection: &mut PgConnection, role: &str) -> Result<()> {
    let is_unbound: Option<bool> = sqlx::query_scalar(
        "SELECT pg_has_role(r.oid, current_user::regrole::oid, 'MEMBER') \
         OR EXISTS (SELECT FROM pg_roles b WHERE b.rolbypassrls AND pg_has_role(r.oid, b.oid, 'MEMBER')) \
         FROM pg_roles r WHERE r.rolname = $1",
    )
    .bind(role)
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    match is_unbound {
        Some(false) => Ok(()),
        Some(true) => Err(misconfigured(
            "the store's role is the owner or a superuser, or has BYPASSRLS, or is a member of such a role, and row-level \
             security would not bind it; create a role of its own (CREATE ROLE ... LOGIN NOSUPERUSER NOBYPASSRLS)",
        )),
        None => Err(misconfigured(
            "the store's role does not exist; create it (CREATE ROLE ... LOGIN NOSUPERUSER NOBYPASSRLS)",
        )),
    }
}

/// Refuses a role that row-level security does not bind, and a schema that is not this program's.
pub(crate) async fn check(connection: &mut PgConnection) -> Result<()> {
    refuse_old_server(connection).await?;
    refuse_unbound_role(connection).await?;
    match found(connection).await? {
        SchemaState::Version(version) if version == i64::from(SCHEMA_VERSION) => {}
        SchemaState::Version(version) if version > i64::from(SCHEMA_VERSION) => {
            return Err(newer(version));
        }
        SchemaState::Version(version) => {
            return Err(misconfigured(format!(
                "the database has schema version {version}, and this program needs {SCHEMA_VERSION}; migrate it first, as its owner"
            )));
        }
        SchemaState::Nothing => {
            return Err(misconfigured(
                "the database has no schema regentra_sync; migrate it first, as its owner",
            ));
        }
        SchemaState::Foreign => return Err(foreign()),
        SchemaState::Closed => {
            return Err(misconfigured(
                "the role may not use the schema regentra_sync; migrate it for this role, as its owner",
            ));
        }
    }
    refuse_unbound_tables(connection).await
}

/// Refuses the session's role as well as the current one, because a session that logged in as a superuser can become a superuser again.
async fn refuse_unbound_role(connection: &mut PgConnection) -> Result<()> {
    let row = sqlx::query(
        "SELECT bool_or(r.rolsuper) AS superuser, bool_or(r.rolbypassrls) AS bypasses, \
         EXISTS (SELECT FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' \
         AND (pg_has_role(current_user, c.relowner, 'MEMBER') OR pg_has_role(session_user, c.relowner, 'MEMBER'))) AS owns \
         FROM pg_roles r \
         WHERE pg_has_role(current_user, r.oid, 'MEMBER') OR pg_has_role(session_user, r.oid, 'MEMBER')",
    )
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    let is = |column| row.try_get::<bool, _>(column).map_err(failed);
    let what = if is("superuser")? {
        "is a superuser, or a member of one"
    } else if is("bypasses")? {
        "has BYPASSRLS, or is a member of a role that has"
    } else if is("owns")? {
        "owns tables of this database, or is a member of a role that does"
    } else {
        return Ok(());
    };
    Err(misconfigured(format!(
        "the role that connects {what}, and row-level security would not bind it; connect as a role of its own \
         (CREATE ROLE ... LOGIN NOSUPERUSER NOBYPASSRLS) that the owner has migrated the schema for"
    )))
}

/// Every table except the list of migrations must be under forced row-level security. TRUNCATE, which no policy restricts, must not be
/// granted.
async fn refuse_unbound_tables(connection: &mut PgConnection) -> Result<()> {
    let unbound: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'regentra_sync' AND c.relkind IN ('r', 'p') AND c.relname <> 'migrations' \
         AND (NOT c.relrowsecurity OR NOT c.relforcerowsecurity OR has_table_privilege(c.oid, 'TRUNCATE')) ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    if unbound.is_empty() {
        return Ok(());
    }
    Err(misconfigured(format!(
        "row-level security is not enabled and forced, or TRUNCATE is granted, on {}; as the owner, ALTER TABLE ... ENABLE \
         ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, and REVOKE TRUNCATE",
        unbound.join(", ")
    )))
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
