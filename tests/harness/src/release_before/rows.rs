//! Every row of a database as text, and what of it is missing from another.

use std::collections::{BTreeMap, BTreeSet};

/// Columns by name.
pub type Row = BTreeMap<String, String>;

/// Rows by table.
pub type Tables = BTreeMap<String, Vec<Row>>;

/// Tables that have another name since then: before, now.
const RENAMED_TABLES: &[(&str, &str)] = &[];

/// Columns that have another name since then: table before, column before, now. It counts where the old name is gone.
const RENAMED: &[(&str, &str, &str)] = &[
    ("ticket", "said", "content_digest"),
    ("tickets", "said", "content_digest"),
];

/// Which migrations were applied: the one table that a migration does add rows to.
const MIGRATIONS: [&str; 2] = ["regentra_migration", "migrations"];

fn now_named(table: &str) -> &str {
    let renamed = RENAMED_TABLES.iter().find(|(before, _)| *before == table);
    renamed.map_or(table, |(_, now)| now)
}

/// What stood in a column before, in a row of now.
fn now_in<'a>(row: &'a Row, table: &str, column: &str) -> Option<&'a String> {
    row.get(column).or_else(|| {
        let mut renamed = RENAMED.iter();
        let (_, _, now) = renamed.find(|(of, before, _)| *of == table && *before == column)?;
        row.get(*now)
    })
}

/// The guards of before that are not there now. One of a column names it as `.column`.
pub fn lost_guards(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let is_kept = |guard: &String| {
        let mut renamed = RENAMED.iter().map(|(table, before, now)| {
            let [before, now] = [before, now].map(|column| format!("{table}.{column}"));
            guard.replace(&before, &now)
        });
        now.contains(guard) || renamed.any(|guard| now.contains(&guard))
    };
    before
        .iter()
        .filter(|guard| !is_kept(guard))
        .cloned()
        .collect()
}

/// Every row of before that is not there now with the same in every column of then, and every row that is there now and was not.
pub fn differences(before: &Tables, now: &Tables) -> Vec<String> {
    let mut differences = Vec::new();
    for (table, rows) in before {
        if MIGRATIONS.contains(&table.as_str()) {
            continue;
        }
        let Some(found) = now.get(now_named(table)) else {
            differences.push(format!("{table}: there is no such table"));
            continue;
        };
        let columns: Vec<&String> = rows.first().into_iter().flat_map(Row::keys).collect();
        let as_before = |row: &Row| -> Row {
            columns
                .iter()
                .filter_map(|column| {
                    let value = now_in(row, table, column)?;
                    Some(((*column).clone(), value.clone()))
                })
                .collect()
        };
        let mut left: Vec<Row> = found.iter().map(as_before).collect();
        for row in rows {
            match left.iter().position(|found| found == row) {
                Some(place) => drop(left.swap_remove(place)),
                None => differences.push(format!("{table}: {row:?} is gone")),
            }
        }
        differences.extend(left.iter().map(|row| format!("{table}: {row:?} is new")));
    }
    differences
}

/// The tables without a row, and the columns without a value: of these a migration could lose everything and nobody would see it.
pub fn without_a_value(tables: &Tables) -> Vec<String> {
    let mut empty = Vec::new();
    for (table, rows) in tables {
        let Some(first) = rows.first() else {
            empty.push(table.clone());
            continue;
        };
        let is_null = |column: &String| {
            let mut values = rows.iter().map(|row| row[column].to_lowercase());
            values.all(|value| value == "null")
        };
        let null = first.keys().filter(|column| is_null(column));
        empty.extend(null.map(|column| format!("{table}.{column}")));
    }
    empty
}
