//! Random histories, each on a store of its own; the one that goes wrong is made as short as can be, and told.

use std::{cell::Cell, env, fmt::Write as _, sync::Arc, thread};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use regentra_sync::{
    host::{ManualClock, StoreClock},
    store::Store,
};

use crate::{
    StoreGuard,
    history::{
        step::HistoryStep,
        stories,
        world::{NOW, World},
    },
};

/// How many histories there are on memory, SQLite and PostgreSQL. More than every check has time for: `REGENTRA_HISTORIES=20000,2000,200`
/// (`.ci/long`).
const HISTORIES: &str = "REGENTRA_HISTORIES";

/// Where chance begins: any number.
const SEED: &str = "REGENTRA_SEED";

#[derive(Clone, Copy, Debug)]
pub enum On {
    Memory,
    Sqlite,
    Postgres,
}

fn histories_on(on: On) -> u32 {
    let told = env::var(HISTORIES).ok();
    let told = told.and_then(|told| told.split(',').nth(on as usize)?.trim().parse().ok());
    told.unwrap_or(match on {
        On::Memory => 200,
        On::Sqlite => 24,
        On::Postgres => 4,
    })
}

fn seed() -> u64 {
    let told = env::var(SEED).ok();
    told.map_or(20_261_123, |told| told.parse().unwrap())
}

/// Lives through random histories, each beginning with an empty store, and fails with the shortest that goes wrong. Several
/// threads share them.
pub fn agree_with_the_model<F>(on: On, new_store: F)
where
    F: AsyncFn(StoreClock) -> (Arc<dyn Store>, StoreGuard) + Sync,
{
    let (seed, histories) = (seed(), histories_on(on));
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get().min(4));
    let threads = u32::try_from(threads).unwrap();
    let new_store = &new_store;
    let found: Vec<_> = thread::scope(|scope| {
        let parts = (0..threads).map(|part| {
            let share = histories / threads + u32::from(part < histories % threads);
            scope.spawn(move || live_through(on, share, (seed, part), new_store))
        });
        let parts: Vec<_> = parts.collect();
        parts
            .into_iter()
            .filter_map(|part| part.join().unwrap())
            .collect()
    });
    let told = found.join("\n");
    assert!(found.is_empty(), "on {on:?} with {SEED}={seed}:\n{told}");
}

/// Tells of the first history that goes wrong, if one does.
fn live_through(
    on: On,
    histories: u32,
    (seed, part): (u64, u32),
    new_store: &impl AsyncFn(StoreClock) -> (Arc<dyn Store>, StoreGuard),
) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&part.to_le_bytes());
    let config = Config {
        cases: histories,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    // On PostgreSQL what a dropped future had sent may come into force after the next look.
    let strategy = stories::histories(matches!(on, On::Memory), !matches!(on, On::Postgres));
    let (well, found) = (Cell::new(0), Cell::new(false));
    let lived = TestRunner::new_with_rng(config, rng).run(&strategy, |history| {
        let lived = runtime.block_on(live(&history, new_store));
        // What comes after the first that goes wrong are shorter ones made of it.
        found.set(found.get() || lived.is_err());
        well.set(well.get() + u32::from(!found.get()));
        lived.map_err(TestCaseError::fail)
    });
    match lived {
        Ok(()) => None,
        Err(TestError::Fail(why, history)) => {
            let well = well.get();
            let told = told(&history);
            Some(format!(
                "after {well} histories in thread {part}, {why}\n{told}"
            ))
        }
        Err(aborted) => Some(aborted.to_string()),
    }
}

async fn live(
    history: &[HistoryStep],
    new_store: &impl AsyncFn(StoreClock) -> (Arc<dyn Store>, StoreGuard),
) -> Result<(), String> {
    let clock = ManualClock::at(NOW);
    let (store, _kept) = new_store(StoreClock::of(clock.clone())).await;
    let mut world = World::new(store, clock);
    for (number, operation) in history.iter().enumerate() {
        let step = world.step(operation).await;
        step.map_err(|why| format!("at {number}, {operation:?}:\n{why}"))?;
    }
    let end = world.end().await;
    end.map_err(|why| format!("at the end:\n{why}"))
}

fn told(history: &[HistoryStep]) -> String {
    let mut told = String::new();
    for (number, operation) in history.iter().enumerate() {
        let _ = writeln!(told, "{number:3} {operation:?}");
    }
    told
}
