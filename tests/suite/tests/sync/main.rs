//! The integration's use cases on the embedded stores, with a scripted NinjaOne: what an operator, an auditor and a customer see.
//!
//! Every test runs on every embedded store; its name says which sentence of the promise it shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

/// Runs each test on each embedded store.
macro_rules! on_every_store {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name($crate::host::Host::in_memory()).await;
                }
            )+
        }
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name($crate::host::Host::on_sqlite().await).await;
                }
            )+
        }
    };
}

mod asset_sync;
mod authorization;
mod clocks;
mod connection;
mod diagnosis;
mod disconnection;
mod discovery;
mod dropped_key;
mod evidence_sweep;
mod groups;
mod host;
mod incomplete_lists;
mod mapping;
mod neighbours;
mod ninjaone_api;
mod over_http;
mod scheduler;
mod settings;
mod settings_over_http;
mod status;
mod strategies;
mod tickets;
mod two_regions;
mod views;

use regentra_harness::{regions, scripted};
