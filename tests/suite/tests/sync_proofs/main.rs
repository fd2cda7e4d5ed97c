//! The sync's promises, proven over stores: crashes, tenancies, and random histories against a small model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test panics where it fails, helpers included"
)]

mod crashes;
mod dice;
mod histories;
mod on_sqlite;
mod release_before;
mod simulated;
mod tenancy;

use regentra_harness::proofs::{
    killed, on_a_database, site, snapshot, story, undisturbed, watched,
};
