//! Random histories against a small model (see `sync_model`), on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test panics where it fails, helpers included"
)]
#![allow(missing_docs, reason = "a test's name says what it shows")]

#[path = "sync_model/held_up.rs"]
mod held_up;
#[path = "sync_model/histories.rs"]
mod histories;
#[path = "sync_model/host.rs"]
mod host;
#[path = "sync_model/model.rs"]
mod model;
#[path = "sync_model/operation.rs"]
mod operation;
mod postgres;
#[path = "sync_model/stories.rs"]
mod stories;
#[path = "sync_proofs/crashes/suspension.rs"]
mod suspension;
#[path = "sync_model/truth.rs"]
mod truth;
#[path = "sync_model/view.rs"]
mod view;
#[path = "sync_model/world.rs"]
mod world;

use std::sync::Arc;

use histories::{Kept, On, agree_with_the_model};
use regentra_sync::store::Store;

#[test]
fn every_history_on_postgres_agrees_with_the_model() {
    agree_with_the_model(On::Postgres, async |clock| {
        let (store, database) = postgres::new_store(clock).await;
        (
            Arc::new(store) as Arc<dyn Store>,
            Box::new(database) as Kept,
        )
    });
}
