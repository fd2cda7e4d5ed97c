//! Rows are written many at a time, as JSON that SQLite takes apart: whatever a text holds, it is kept.

use regentra_sync::{
    model::Source,
    store::{AssetFilter, Assets as _, conformance::world::World},
};
use regentra_sync_sqlite::SqliteStore;

#[tokio::test]
async fn whatever_a_name_holds_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::migrate(folder.path().join("regentra.db"))
        .await
        .unwrap();
    let world = World::new(&store, 1).await;
    let names = [
        "",
        "a\0b",
        "\0",
        "\"quoted\" and \\ and \\u0000",
        "caf\u{e9} \u{1f600} \u{202e}",
        "{\"id\": 1}",
        "line\r\n\tand \u{1b}",
        "1",
        "null",
        "0x10",
    ];
    let mut assets: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let mut asset = world.asset(Source::Level, &place.to_string());
            asset.content.name = (*name).into();
            asset.content.host_name = Some((*name).into());
            asset.content.class = Some((*name).to_owned());
            asset
        })
        .collect();
    world.write_assets("first", assets.clone()).await;
    assets.sort_by_key(|asset| asset.id);
    let stored = store.assets(world.msp, AssetFilter::All).await.unwrap();
    assert_eq!(stored, assets);
}
