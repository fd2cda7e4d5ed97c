//! Random histories, each on a store of its own; the one that goes wrong is made as short as can be, and told.

use std::{env, fmt::Write as _, sync::Arc};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use regentra_sync::store::Store;

use crate::{
    operation::{Operation, histories},
    world::World,
};

/// How many histories there are on memory, SQLite and PostgreSQL: `REGENTRA_HISTORIES=2000,200,20`.
const HISTORIES: &str = "REGENTRA_HISTORIES";

/// Where chance begins: any number.
const SEED: &str = "REGENTRA_SEED";

#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    Memory,
    Sqlite,
    Postgres,
}

fn histories_on(on: On) -> u32 {
    let told = env::var(HISTORIES).ok();
    let told = told.and_then(|told| told.split(',').nth(on as usize)?.trim().parse().ok());
    told.unwrap_or(match on {
        On::Memory => 2_000,
        On::Sqlite => 200,
        On::Postgres => 20,
    })
}

fn seed() -> u64 {
    let told = env::var(SEED).ok();
    told.map_or(20_261_123, |told| told.parse().unwrap())
}

/// Lives through random histories, each beginning with an empty store, and fails with the shortest that goes wrong.
pub(crate) fn agree_with_the_model(on: On, new_store: impl AsyncFn() -> Arc<dyn Store>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (seed, cases) = (seed(), histories_on(on));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    // On PostgreSQL what a dropped future had sent may come into force after the next look.
    let strategy = histories(!matches!(on, On::Postgres));
    let lived = runner.run(&strategy, |history| {
        let lived = runtime.block_on(live(&history, &new_store));
        lived.map_err(TestCaseError::fail)
    });
    if let Err(TestError::Fail(why, history)) = lived {
        panic!("on {on:?}, {SEED}={seed}: {why}\n{}", told(&history));
    }
    lived.unwrap();
}

async fn live(
    history: &[Operation],
    new_store: &impl AsyncFn() -> Arc<dyn Store>,
) -> Result<(), String> {
    let mut world = World::new(new_store().await);
    for (number, operation) in history.iter().enumerate() {
        let step = world.step(operation).await;
        step.map_err(|why| format!("at {number}, {operation:?}:\n{why}"))?;
    }
    Ok(())
}

fn told(history: &[Operation]) -> String {
    let mut told = String::new();
    for (number, operation) in history.iter().enumerate() {
        let _ = writeln!(told, "{number:3} {operation:?}");
    }
    told
}
