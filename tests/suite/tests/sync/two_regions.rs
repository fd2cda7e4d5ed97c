//! One MSP in two regions that use the same ids, on the embedded stores.

use std::sync::Arc;

use regentra_sync::store::MemoryStore;
use regentra_sync_sqlite::SqliteStore;

macro_rules! on_embedded_stores {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $name() {
                    let store = super::MemoryStore::new();
                    crate::regions::$name(|clock| super::Arc::new(store.with_clock(clock))).await;
                }
            )+
        }
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = super::SqliteStore::migrate(folder.path().join("regentra.db")).await;
                    let store = store.unwrap();
                    crate::regions::$name(|clock| super::Arc::new(store.with_clock(clock))).await;
                }
            )+
        }
    };
}

on_embedded_stores!(
    assets_are_their_regions_own,
    one_region_is_swept_and_disconnected_and_the_other_goes_on,
    a_disconnected_region_is_unknown_and_never_a_pass,
);
