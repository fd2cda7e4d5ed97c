//! Crashes on PostgreSQL: then the event is delivered again, and everything is as if nothing had happened. What becomes of each
//! single commit that is cut off, `postgres_interruptions` shows.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where it fails, helpers included"
)]
#![allow(missing_docs, reason = "a test's name says what it shows")]
#![allow(
    dead_code,
    reason = "the proofs on other stores use more of these modules"
)]

#[path = "sync_proofs/on_a_database.rs"]
mod on_a_database;
mod postgres;
#[path = "sync/scripted.rs"]
mod scripted;
#[path = "sync_proofs/site.rs"]
mod site;
#[path = "sync_proofs/snapshot.rs"]
mod snapshot;
#[path = "sync_proofs/story.rs"]
mod story;
#[path = "sync_proofs/watched.rs"]
mod watched;

use std::sync::Arc;

use on_a_database::{Kept, crashes, in_memory};
use site::Site;
use story::Story;

/// A database in which the story has begun, to be copied.
struct Stories(postgres::Database);

impl Stories {
    async fn new() -> Self {
        let (store, database) = postgres::new_store().await;
        Story::begin(Site::new(Arc::new(store.clone()), ())).await;
        store.close().await;
        Self(database)
    }

    async fn begin(&self) -> (Story, Kept) {
        let database = self.0.copy().await;
        let mut story = in_memory().await;
        story.site.store = Arc::new(database.store().await);
        (story, Box::new(database))
    }
}

crashes!("current_thread", Stories::new());
