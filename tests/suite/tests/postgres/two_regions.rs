//! One MSP in two regions that use the same ids, on PostgreSQL.

use std::sync::Arc;

use regentra_harness::{postgres, regions};

macro_rules! on_postgres {
    ($($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, _database) = postgres::new_store(postgres::clock()).await;
                regions::$name(|clock| Arc::new(store.with_clock(clock))).await;
            }
        )+
    };
}

on_postgres!(
    assets_are_their_regions_own,
    one_region_is_swept_and_disconnected_and_the_other_goes_on,
    a_disconnected_region_is_unknown_and_never_a_pass,
);
