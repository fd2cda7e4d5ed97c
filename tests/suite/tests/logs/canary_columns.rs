//! Every text of the fleet is a canary: after the whole story, every column of every table of the database is looked at, and
//! everything that was logged. Only the columns that are there to name customers and machines may hold one, on the MSP's side.

use std::{path::Path, sync::Arc};

use regentra_harness::canaries::{Columns, NAMED, PUBLISHED, listening, runtime, whole_story};
use regentra_sync::{model::StrategyChoice, store::Store};
use regentra_sync_sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool, sqlite::SqliteConnectOptions};

/// Every value of every column, as text.
async fn columns(path: &Path) -> Columns {
    let options = SqliteConnectOptions::new().filename(path);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let tables = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    let all: Vec<(String, String)> = sqlx::query_as(tables).fetch_all(&pool).await.unwrap();
    let mut columns = Columns::new();
    for (table, column) in all {
        let select = format!(
            r#"SELECT CAST("{column}" AS BLOB) FROM "{table}" WHERE "{column}" IS NOT NULL"#
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .fetch_all(&pool)
            .await
            .unwrap();
        let values = rows.iter().map(|row| {
            let bytes: Vec<u8> = row.get(0);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        columns.insert((table, column), values.collect());
    }
    columns
}

#[test]
fn no_canary_is_in_a_column_that_is_not_there_for_it_nor_in_the_log() {
    for strategy in [
        StrategyChoice::PerCustomer,
        StrategyChoice::Group,
        StrategyChoice::WholeTenant,
    ] {
        look(strategy);
    }
}

fn look(strategy: StrategyChoice) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regentra.db");
    let runtime = runtime();
    let (planted, log) = listening(&runtime, async {
        let store = SqliteStore::migrate(&path).await.unwrap();
        let store_of = |clock| -> Arc<dyn Store> { Arc::new(store.clone().with_clock(clock)) };
        let planted = whole_story(strategy, store_of).await;
        store.close().await;
        planted
    });
    planted.look_at(&runtime.block_on(columns(&path)), NAMED, PUBLISHED);
    planted.look_at_log(&log);
}
