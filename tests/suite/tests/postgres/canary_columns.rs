//! Every text of the fleet is a canary: after the whole story, an administrator whom no policy binds looks at every column of every
//! table, and at what was logged, by this program and by the server. Only the columns that are there to name customers and
//! machines may hold a canary, and in the server's log only the parameters of the statements on their tables.

use std::{collections::BTreeMap, sync::Arc};

use regentra_harness::{
    canaries::{Columns, NAMED, PUBLISHED, Planted, listening, runtime, whole_story},
    postgres::{self, Database, SUPERUSER, execute},
};
use regentra_sync::{model::StrategyChoice, store::Store};
use sqlx::AssertSqlSafe;

/// Every value of every column, as text.
async fn columns(database: &Database) -> Columns {
    let mut superuser = database.connect(SUPERUSER).await;
    let all: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, a.atttypid = 'bytea'::regtype \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let mut columns = Columns::new();
    for (schema, table, column, is_bytes) in all {
        // Of bytes, those that are text as text.
        let text = if is_bytes {
            format!(r#"encode("{column}", 'escape')"#)
        } else {
            format!(r#""{column}"::text"#)
        };
        let select =
            format!(r#"SELECT {text} FROM "{schema}"."{table}" WHERE "{column}" IS NOT NULL"#);
        let values = sqlx::query_scalar(AssertSqlSafe(select))
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        columns.insert((table, column), values);
    }
    columns
}

/// One entry of the server's log.
struct LogEntry<'l> {
    process: &'l str,
    /// `LOG`, `DETAIL`, `ERROR`, ...
    how: &'l str,
    what: String,
}

/// The server's log: lines that begin with a tab go on with what was said before.
fn entries(log: &str) -> Vec<LogEntry<'_>> {
    let mut all: Vec<LogEntry<'_>> = Vec::new();
    for line in log.lines() {
        let parts = line.split_once('[').and_then(|(_, rest)| {
            let (process, rest) = rest.split_once("] ")?;
            let (how, what) = rest.split_once(":  ")?;
            Some((process, how, what))
        });
        match (line.starts_with('\t'), parts, all.last_mut()) {
            (false, Some((process, how, what)), _) => all.push(LogEntry {
                process,
                how,
                what: what.to_owned(),
            }),
            (_, _, Some(before)) => before.what += line,
            (_, _, None) => {}
        }
    }
    all
}

/// Whether a statement is about tables that name customers and machines, and no others.
fn is_on_naming_tables(statement: &str) -> bool {
    let mut named = statement.split("regentra_sync.").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
        rest.split_at(end.unwrap_or(rest.len())).0
    });
    named.all(|name| NAMED.iter().any(|(table, _)| *table == name))
}

fn look_at_the_servers_log(planted: &Planted, log: &str) {
    let (mut statements, mut naming) = (BTreeMap::new(), 0);
    for LogEntry { process, how, what } in entries(log) {
        assert_eq!(planted.secret_in(&what), None, "logged by the server");
        if how == "LOG" {
            statements.insert(process, what.clone());
        }
        let Some(canary) = planted.canary_in(&what) else {
            continue;
        };
        let all = planted.canaries.iter();
        naming += all.filter(|canary| what.contains(*canary)).count();
        let is_parameter = how == "DETAIL" && what.to_lowercase().starts_with("parameters: ");
        let statement = statements.get(process).map_or("", String::as_str);
        assert!(
            is_parameter && is_on_naming_tables(statement),
            "{canary} in {how} of {statement}"
        );
    }
    assert!(naming > 100, "the server logged its parameters: {naming}");
}

#[test]
fn no_canary_is_in_a_column_that_is_not_there_for_it_nor_in_the_logs() {
    for strategy in [
        StrategyChoice::PerCustomer,
        StrategyChoice::Group,
        StrategyChoice::WholeTenant,
    ] {
        look(strategy);
    }
}

fn look(strategy: StrategyChoice) {
    let runtime = runtime();
    let database = runtime.block_on(async {
        let database = postgres::database().await;
        let mut superuser = database.connect(SUPERUSER).await;
        let log = format!(
            "ALTER DATABASE {} SET log_statement = 'all'",
            database.name()
        );
        execute(&mut superuser, &log).await;
        database
    });
    let (planted, log) = listening(&runtime, async {
        let store = database.store().await;
        let store_of = |clock| -> Arc<dyn Store> { Arc::new(store.clone().with_clock(clock)) };
        let planted = whole_story(strategy, store_of).await;
        store.close().await;
        planted
    });
    look_at_the_servers_log(&planted, &database.logged());
    planted.look_at(&runtime.block_on(columns(&database)), NAMED, PUBLISHED);
    planted.look_at_log(&log);
}
