//! Every row of a database as text, and what of it is missing from another.

use std::collections::{BTreeMap, BTreeSet};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Columns by name.
pub type Row = BTreeMap<String, String>;

/// Rows by table.
pub type Tables = BTreeMap<String, Vec<Row>>;

/// Tables that have another name since then: before, now.
const RENAMED_TABLES: &[(&str, &str)] = &[
    ("event", "events"),
    ("credential", "credentials"),
    ("authorization", "authorizations"),
    ("company", "companies"),
    ("mapping", "mappings"),
    ("asset", "assets"),
    ("signature", "signature_history"),
    ("ticket", "tickets"),
    ("ticket_tick", "ticket_ticks"),
    ("lease", "leases"),
    ("run", "runs"),
    ("request", "requests"),
    ("signal", "signals"),
    ("evidence_head", "evidence_heads"),
    ("evidence_root", "evidence_roots"),
];

/// Columns that have another name since then, in every table: before, now. It counts where the old name is gone.
const RENAMED_EVERYWHERE: &[(&str, &str)] = &[
    ("msp", "msp_org_id"),
    ("compliance_org", "compliance_org_id"),
    ("credential", "credential_id"),
    ("company", "company_id"),
    ("mapping", "mapping_id"),
    ("ticket", "ticket_id"),
    ("event", "event_id"),
    ("worker", "worker_id"),
];

/// Columns that have another name since then: table before, column before, now. It counts where the old name is gone.
const RENAMED: &[(&str, &str, &str)] = &[
    ("event", "id", "event_id"),
    ("credential", "id", "credential_id"),
    ("credential", "grant", "grant_name"),
    ("credential", "client_id", "sealed_client_id"),
    ("credential", "client_secret", "sealed_client_secret"),
    ("credential", "refresh_token", "sealed_refresh_token"),
    ("authorization", "state", "state_digest"),
    ("company", "id", "company_id"),
    ("company", "converted_to", "converted_to_organization_id"),
    ("mapping", "id", "mapping_id"),
    ("asset", "id", "asset_id"),
    ("signature", "device", "device_digest"),
    ("ticket", "id", "ticket_id"),
    ("ticket", "said", "content_digest"),
    ("tickets", "said", "content_digest"),
    ("outbox", "id", "outbox_id"),
    ("lease", "length", "length_micros"),
    ("leases", "subject", "key"),
    ("request", "tenant", "fingerprint"),
    ("msp_audit", "id", "audit_id"),
    ("customer_audit", "id", "audit_id"),
    ("evidence_head", "root", "root_number"),
];

/// Columns that were given up: table before, column. The order of requests is that of their times.
const GIVEN_UP: &[(&str, &str)] = &[("request", "position")];

/// Guards that have another name since then, or stand on other columns: before, now.
const RENAMED_GUARDS: &[(&str, &str)] = &[
    ("index credential_id", "index credentials_by_id"),
    ("index mapping_id", "index mappings_by_id"),
    (
        "index mapping_organization",
        "index mappings_by_organization",
    ),
    ("index ticket_open", "index one_open_ticket_per_signal"),
    ("run.subject is not null", "runs.kind is not null"),
    ("run.record is not null", "runs.outcome is not null"),
    (
        "msp_audit.entry is not null",
        "msp_audit.details is not null",
    ),
    (
        "customer_audit.entry is not null",
        "customer_audit.details is not null",
    ),
    (
        "regentra_sync.outbox constraint outbox_action_name_check",
        "regentra_sync.outbox constraint outbox_action_check",
    ),
    (
        "outbox.action_name is not null",
        "outbox.action is not null",
    ),
];

/// What the names of triggers end with: before, now.
const RENAMED_TRIGGERS: &[(&str, &str)] = &[
    ("_stays", "_no_update"),
    ("_remains", "_no_delete"),
    ("_is_new", "_no_replace"),
];

/// Which migrations were applied: the one table that a migration does add rows to.
const MIGRATIONS: [&str; 2] = ["regentra_migration", "migrations"];

fn now_named(table: &str) -> &str {
    let renamed = RENAMED_TABLES.iter().find(|(before, _)| *before == table);
    renamed.map_or(table, |(_, now)| now)
}

/// The names that a column may have now.
fn columns_now(table: &str, column: &str) -> Vec<&'static str> {
    let own = RENAMED.iter();
    let own = own.filter(|(of, before, _)| *of == table && *before == column);
    let everywhere = RENAMED_EVERYWHERE
        .iter()
        .filter(|(before, _)| *before == column);
    let everywhere = everywhere.map(|(_, now)| *now);
    own.map(|(_, _, now)| *now).chain(everywhere).collect()
}

/// Whether a column was given up.
pub fn is_given_up(table: &str, column: &str) -> bool {
    GIVEN_UP.contains(&(table, column))
}

/// Whether a column is there again when another one of the same row is: without it nothing is lost.
pub fn stands_in_another(table: &str, column: &str) -> bool {
    (table, column) == ("outbox", "action_name")
}

/// What stood in a column before, in a row of now.
fn now_in(row: &Row, table: &str, column: &str) -> Option<String> {
    if let Some(value) = row.get(column) {
        return Some(value.clone());
    }
    let mut renamed = columns_now(table, column).into_iter();
    renamed
        .find_map(|now| row.get(now).cloned())
        .or_else(|| put_together(row, table, column))
}

/// What stood in a column before that was taken apart into others, letter by letter.
fn put_together(row: &Row, table: &str, column: &str) -> Option<String> {
    let is_null = |name: &str| Some(row.get(name)? == "NULL");
    let text = |name: &str| {
        let quoted = row.get(name)?.strip_prefix('\'')?.strip_suffix('\'')?;
        Some(quoted.replace("''", "'"))
    };
    let id = |name: &str| {
        let hex = row.get(name)?.strip_prefix("X'")?.strip_suffix('\'')?;
        Some(Uuid::parse_str(hex).ok()?.hyphenated().to_string())
    };
    let time = |name: &str| {
        let micros: i128 = row.get(name)?.parse().ok()?;
        let time = OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).ok()?;
        time.format(&Rfc3339).ok()
    };
    let subject = || {
        let (kind, credential) = (text("kind")?, id("credential_id")?);
        let mapping = if is_null("mapping_id")? {
            "null".to_owned()
        } else {
            format!("\"{}\"", id("mapping_id")?)
        };
        Some(format!(
            r#""kind":"{kind}","credential":"{credential}","mapping":{mapping}"#
        ))
    };
    let json = match (table, column) {
        ("run", "subject") => format!("{{{}}}", subject()?),
        ("run", "record") => format!(
            r#"{{{},"started_at":"{}","finished_at":"{}",{},"requests":{}}}"#,
            subject()?,
            time("started_at")?,
            time("finished_at")?,
            text("outcome")?.strip_prefix('{')?.strip_suffix('}')?,
            row.get("requests")?
        ),
        ("msp_audit" | "customer_audit", "entry") => {
            let actor = if is_null("actor_id")? {
                r#""schedule""#.to_owned()
            } else {
                format!(r#"{{"operator":"{}"}}"#, id("actor_id")?)
            };
            format!(
                r#"{{"id":"{}","event":"{}","at":"{}","actor":{actor},"action":"{}","details":{}}}"#,
                id("audit_id")?,
                id("event_id")?,
                time("at")?,
                text("action")?,
                text("details")?
            )
        }
        ("outbox", "action_name") => {
            let action: serde_json::Value = serde_json::from_str(row.get("action")?).ok()?;
            return Some(action.get("action")?.to_string());
        }
        _ => return None,
    };
    Some(format!("'{}'", json.replace('\'', "''")))
}

/// Policies that opened rows to a function that is gone: nothing is less protected without them.
const OPENED: &[&str] = &["regentra_sync.mappings policy planning"];

/// The guards of before that are not there now. One of a column names it as `table.column`.
pub fn lost_guards(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let is_kept = |guard: &String| {
        now.contains(guard)
            || OPENED.contains(&guard.as_str())
            || guards_now(guard).any(|guard| now.contains(&guard))
    };
    before
        .iter()
        .filter(|guard| !is_kept(guard))
        .cloned()
        .collect()
}

/// The names that a guard may have now.
fn guards_now(guard: &str) -> impl Iterator<Item = String> {
    let mut all = Vec::new();
    for (before, now) in RENAMED_GUARDS {
        if guard == *before {
            all.push((*now).to_owned());
        }
    }
    if let Some(trigger) = guard.strip_prefix("trigger ") {
        for (before, now) in RENAMED_TRIGGERS {
            if let Some(table) = trigger.strip_suffix(before) {
                all.push(format!("trigger {}{now}", now_named(table)));
            }
        }
    }
    if let Some((table, rest)) = guard.split_once('.')
        && let Some((column, rest)) = rest.split_once(' ')
    {
        let columns = columns_now(table, column);
        let columns = columns.iter().copied().chain([column]);
        all.extend(columns.map(|column| format!("{}.{column} {rest}", now_named(table))));
    }
    all.into_iter()
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
        let columns = rows.first().into_iter().flat_map(Row::keys);
        let columns: Vec<&String> = columns
            .filter(|column| !is_given_up(table, column))
            .collect();
        let as_before = |row: &Row| -> Row {
            columns
                .iter()
                .filter_map(|column| {
                    let value = now_in(row, table, column)?;
                    Some(((*column).clone(), value))
                })
                .collect()
        };
        let mut left: Vec<Row> = found.iter().map(as_before).collect();
        for row in rows {
            let mut row = row.clone();
            row.retain(|column, _| !is_given_up(table, column));
            match left.iter().position(|found| *found == row) {
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
