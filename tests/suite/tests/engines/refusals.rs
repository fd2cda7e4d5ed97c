//! An engine that is not there, a schema that is not fit, and roles that may too much or too little.

use std::sync::Arc;

use regentra_harness::postgres::{Database, OWNER, STORE, SUPERUSER, execute};
use regentra_sync::{
    Integration,
    host::HostPolicy,
    ninjaone::NinjaOneApi,
    schedule::Cadence,
    seal::{KeyId, Keyring, MasterKey},
    store::MemoryStore,
};
use regentra_sync_graphile_worker::{Error, ErrorKind, GraphileWorker, migrate, status};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::site::{ENGINE, migrated, not_migrated};

fn integration(policy: HostPolicy) -> Integration {
    let key = || MasterKey::from_bytes([1; 32]);
    let keyring = Keyring::new(KeyId::new("one").unwrap(), key(), key());
    let ninjaone = Arc::new(NinjaOneApi::new());
    Integration::builder(Arc::new(MemoryStore::new()), keyring, ninjaone)
        .policy(policy)
        .build()
}

fn pool(database: &Database, role: &str) -> PgPool {
    let options = PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(2));
    options.connect_lazy(&database.url(role)).unwrap()
}

async fn refused(pool: PgPool) -> Error {
    let built = GraphileWorker::builder(integration(HostPolicy::default()), pool);
    built.build().await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_not_there_is_one_clear_error() {
    let options = PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(1));
    let nowhere = "postgres://regentra_engine:canary@127.0.0.1:9/none";
    let error = refused(options.connect_lazy(nowhere).unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_missing_older_newer_or_anothers_is_named() {
    let database = not_migrated().await;
    let error = refused(pool(&database, ENGINE)).await;
    assert_eq!(error.kind(), ErrorKind::NotMigrated);
    assert!(error.to_string().contains("migrate"), "{error}");

    let mut owner = database.connect(OWNER).await;
    execute(&mut owner, "CREATE SCHEMA regentra_graphile_worker").await;
    let error = refused(pool(&database, ENGINE)).await;
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("another program's"), "{error}");
    let error = migrate(&database.url(OWNER), ENGINE).await.unwrap_err();
    assert!(error.to_string().contains("another program's"), "{error}");
    execute(&mut owner, "DROP SCHEMA regentra_graphile_worker").await;

    migrate(&database.url(OWNER), ENGINE).await.unwrap();
    migrate(&database.url(OWNER), ENGINE).await.unwrap();
    assert!(status(&pool(&database, ENGINE)).await.is_ok());
    let step = "INSERT INTO regentra_graphile_worker.migrations (id) VALUES (99)";
    execute(&mut owner, step).await;
    let error = refused(pool(&database, ENGINE)).await;
    assert!(error.to_string().contains("version 99"), "{error}");
    let error = migrate(&database.url(OWNER), ENGINE).await.unwrap_err();
    assert!(error.to_string().contains("use a newer program"), "{error}");

    // One that the release before left: a worker changes nothing about it.
    let back = "DELETE FROM regentra_graphile_worker.migrations WHERE id > 20";
    execute(&mut owner, back).await;
    let error = refused(pool(&database, ENGINE)).await;
    assert_eq!(error.kind(), ErrorKind::NotMigrated);
    assert!(error.to_string().contains("has version 20"), "{error}");
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM regentra_graphile_worker.migrations")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(steps, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_role_reads_the_others_schema_and_a_worker_runs_no_ddl() {
    let database = migrated().await;
    let engine = pool(&database, ENGINE);
    let denied = async |pool: &PgPool, sql: &'static str| {
        let error = sqlx::raw_sql(sql).execute(pool).await.unwrap_err();
        let error = error
            .as_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned();
        assert_eq!(error, "42501", "{sql}");
    };
    denied(&engine, "SELECT * FROM regentra_sync.credentials").await;
    denied(&engine, "SELECT * FROM regentra_sync.migrations").await;
    for ddl in [
        "CREATE TABLE regentra_graphile_worker.x (a int)",
        "CREATE SCHEMA x",
        "ALTER TABLE regentra_graphile_worker._private_jobs ADD COLUMN x int",
        "DROP TABLE regentra_graphile_worker._private_jobs",
        "TRUNCATE regentra_graphile_worker._private_jobs",
        "INSERT INTO regentra_graphile_worker.migrations (id) VALUES (99)",
    ] {
        denied(&engine, ddl).await;
    }
    let store = pool(&database, STORE);
    denied(
        &store,
        "SELECT * FROM regentra_graphile_worker._private_jobs",
    )
    .await;
    denied(&store, "SELECT regentra_graphile_worker.add_job('x')").await;
    // And the engine's role works.
    GraphileWorker::builder(integration(HostPolicy::default()), engine)
        .build()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_too_much_is_refused() {
    let database = migrated().await;
    for (role, says) in [
        (OWNER, "may change the engine's schema"),
        (SUPERUSER, "may change the engine's schema"),
        (STORE, "may not use the engine's schema"),
    ] {
        let error = refused(pool(&database, role)).await;
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains(says), "{role}: {error}");
    }
    for (role, says) in [
        (OWNER, "may not run as the owner"),
        (SUPERUSER, "superuser"),
        (STORE, "may read the store's schema"),
        ("nobody_of_that_name", "no such role"),
    ] {
        let error = migrate(&database.url(OWNER), role).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains(says), "{role}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cadence_of_seconds_is_refused_before_anything_runs() {
    let database = migrated().await;
    let policy = HostPolicy::default().evidence_sweep(Cadence {
        every: time::Duration::seconds(90),
        offset: time::Duration::ZERO,
    });
    let built = GraphileWorker::builder(integration(policy), pool(&database, ENGINE));
    let error = built.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("minutes"), "{error}");
}
