//! A process of a host that outgrew one: it plans and handles events together with others like it, by `graphile_worker` on PostgreSQL.
//!
//! ```console
//! $ cargo run -p regentra-snippets --features graphile-worker --example graphile_worker -- migrate   # once, as the owner
//! $ cargo run -p regentra-snippets --features graphile-worker --example graphile_worker              # in every process
//! ```
//!
//! It takes `REGENTRA_OWNER_URL`, `REGENTRA_STORE_URL` and `REGENTRA_ENGINE_URL`: three roles of one database, see the README of
//! `regentra-sync-graphile-worker`; and `REGENTRA_KEY`, the master key and the identity key in Base64, one after the other.

use std::{env, sync::Arc};

use anyhow::Context as _;
use regentra_sync::{
    Integration,
    ninjaone::NinjaOneApi,
    seal::{KeyId, Keyring, MasterKey},
};
use regentra_sync_graphile_worker::{self as engine, GraphileWorker};
use regentra_sync_postgres::{self as store, PostgresStore};
use sqlx::postgres::PgPoolOptions;

const PARALLEL: usize = 8;

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if env::args().any(|argument| argument == "migrate") {
        let owner = variable("REGENTRA_OWNER_URL")?;
        store::migrate(&owner, "regentra_store").await?;
        engine::migrate(&owner, "regentra_engine").await?;
        println!("both schemas are up to date");
        return Ok(());
    }

    // The store by its own role: row-level security binds it.
    let store = Arc::new(PostgresStore::connect(&variable("REGENTRA_STORE_URL")?).await?);
    let keys = variable("REGENTRA_KEY")?;
    let (master, identity) = keys
        .split_once(' ')
        .context("REGENTRA_KEY holds two keys")?;
    let key = |text: &str| MasterKey::from_base64(text.trim());
    let keyring = Keyring::new(KeyId::new("2026-11")?, key(master)?, key(identity)?);
    let keyring = Arc::new(keyring);
    // Every process draws its requests from the budget in the store, so that all together keep NinjaOne's limits.
    let ninjaone = NinjaOneApi::new().shared_budget(store.clone(), Arc::clone(&keyring));
    let integration = Integration::builder(store, keyring, Arc::new(ninjaone)).build();

    // The engine by another role, which sees nothing of the store.
    let connections = u32::try_from(PARALLEL)? + 4;
    let pool = PgPoolOptions::new().max_connections(connections);
    let pool = pool.connect(&variable("REGENTRA_ENGINE_URL")?).await?;
    let worker = GraphileWorker::builder(integration, pool)
        .parallel(PARALLEL)
        .build()
        .await?;

    // SIGTERM would do as well: what runs has 25 seconds to come to its end, and what does not goes to another process.
    let asked_to_stop = async { drop(tokio::signal::ctrl_c().await) };
    worker.run(asked_to_stop).await;
    let left = worker.status().await?;
    println!(
        "{} events wait, {} are queued, {} failed",
        left.waiting, left.queued, left.failed
    );
    Ok(())
}
