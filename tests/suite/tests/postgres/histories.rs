//! Random histories against a small model, on PostgreSQL.

use std::sync::Arc;

use regentra_harness::{
    StoreGuard,
    history::histories::{On, agree_with_the_model},
    postgres,
};
use regentra_sync::store::Store;

#[test]
fn every_history_on_postgres_agrees_with_the_model() {
    agree_with_the_model(On::Postgres, async |clock| {
        let (store, database) = postgres::new_store(clock).await;
        (
            Arc::new(store) as Arc<dyn Store>,
            Box::new(database) as StoreGuard,
        )
    });
}
