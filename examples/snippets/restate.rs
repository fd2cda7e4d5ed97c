//! A process of a host that outgrew one: it plans and handles events together with others like it, by a Restate server.
//!
//! ```console
//! $ RESTATE_DISABLE_TELEMETRY=true restate-server --bind-ip 127.0.0.1 --base-dir restate-data
//! $ cargo run -p regentra-snippets --features restate --example restate
//! ```
//!
//! It takes `REGENTRA_STORE_URL`, the store as its role; and `REGENTRA_KEY`, the master key and the identity key in Base64, one after the
//! other. A second process needs `REGENTRA_LISTEN`, an address of its own, and a balancer: see the README of `regentra-sync-restate`.

use std::{env, sync::Arc};

use anyhow::Context as _;
use regentra_sync::{
    Integration,
    ninjaone::NinjaOneApi,
    seal::{KeyId, Keyring, MasterKey},
};
use regentra_sync_postgres::PostgresStore;
use regentra_sync_restate::{Restate, Server};

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
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

    // The server's two addresses, both on this machine.
    let server = Server::new("http://127.0.0.1:8080", "http://127.0.0.1:9070")?;
    let mut worker = Restate::builder(integration, server.clone()).parallel(8);
    if let Ok(listen) = env::var("REGENTRA_LISTEN") {
        worker = worker.listen(listen.parse()?);
    }
    let worker = worker.build().await?;

    // SIGTERM would do as well: running events have 15 seconds to end; the server delivers the others to another process.
    let asked_to_stop = async { drop(tokio::signal::ctrl_c().await) };
    worker.run(asked_to_stop).await?;
    let left = server.status().await?;
    println!(
        "{} events wait, {} are queued, {} failed",
        left.waiting, left.queued, left.failed
    );
    Ok(())
}
