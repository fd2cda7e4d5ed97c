//! A page of a list costs what the page costs, whatever the length of the list.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics where it fails, and says what it measured"
)]

use std::time::{Duration, Instant};

use regentra_sync::{
    model::Mapping,
    store::{
        Decision, MappingFilter, MappingPage, Mappings as _,
        conformance::world::{World, clock, mapping},
    },
};
use regentra_sync_sqlite::SqliteStore;

/// Of so many readings the fastest counts: the others waited for another program.
const READINGS: usize = 20;

async fn fastest(store: &SqliteStore, world: &World<'_>, page: &MappingPage) -> (usize, Duration) {
    let mut fastest: Option<(usize, Duration)> = None;
    for _ in 0..READINGS {
        let begun = Instant::now();
        let rows = store.mappings_page(world.msp, page.clone()).await.unwrap();
        let reading = (rows.len(), begun.elapsed());
        fastest = Some(fastest.map_or(reading, |(rows, took)| (rows, took.min(reading.1))));
    }
    fastest.unwrap()
}

#[tokio::test]
async fn a_page_of_50_of_5_000_organizations_takes_less_than_20_ms() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::migrate(folder.path().join("pages.db"))
        .await
        .unwrap()
        .with_clock(regentra_sync::host::StoreClock::of(clock()));
    let world = World::new(&store, 1).await;
    let credential = world.credential.id;
    let organizations: Vec<Mapping> = (1_000..6_000).map(|id| mapping(credential, id)).collect();
    let (half, last) = (organizations[2_500].clone(), organizations[4_999].clone());
    world.discover(organizations).await;
    let all = MappingFilter::default();
    let pending = MappingFilter {
        decision: Some(Decision::PendingReview),
        ..all.clone()
    };
    let named = |name: &str| MappingFilter {
        name: Some(name.to_owned()),
        ..all.clone()
    };
    for (what, page, rows) in [
        ("the first", MappingPage::first(all.clone(), 50), 50),
        (
            "one in the middle",
            MappingPage::first(all.clone(), 50).next(&half),
            50,
        ),
        (
            "none after the last",
            MappingPage::first(all.clone(), 50).next(&last),
            0,
        ),
        (
            "those that are pending",
            MappingPage::first(pending, 50),
            50,
        ),
        // Every name is looked at.
        (
            "the one of a name",
            MappingPage::first(named("ORGANIZATION 5999"), 50),
            1,
        ),
        ("none of a name", MappingPage::first(named("nobody"), 50), 0),
    ] {
        let (found, took) = fastest(&store, &world, &page).await;
        println!("{what}: {found} organizations in {took:?}");
        assert_eq!(found, rows, "{what}");
        assert!(took < Duration::from_millis(20), "{what}: {took:?}");
    }
}
