//! Every boundary of the rules in tables: rows as the wire sends them, and what has to stand in the signal.
//!
//! A case names only the part of a signal it is about. The same tables hold for every evaluator of the five signals.

#![expect(
    clippy::too_many_lines,
    reason = "a table is as long as its rule has borders"
)]

mod antivirus_posture;
mod backup_activity;
mod device_inventory;
mod devices;
mod disk_encryption;
mod kinds;
mod one_rule;
mod patch_attempts;
mod patch_sla;
mod public_json;
pub(crate) mod rows;
mod superseded;
mod times;
mod undated;
mod wire;

use serde_json::Value;

use crate::oracle::tenant::Tenant;

pub(crate) const DISK: &str = "disk_encryption";
pub(crate) const ANTIVIRUS: &str = "antivirus_posture";
pub(crate) const PATCHES: &str = "patch_sla";
pub(crate) const BACKUP: &str = "backup_activity";
pub(crate) const INVENTORY: &str = "device_inventory";
pub(crate) const SIGNALS: [&str; 5] = [DISK, ANTIVIRUS, PATCHES, BACKUP, INVENTORY];

/// One boundary.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) tenant: Tenant,
    pub(crate) signal: &'static str,
    /// A part of the signal: every field named here has to be there with this value; lists have to be equal.
    pub(crate) expected: Value,
}

/// A table under construction.
#[derive(Default)]
pub(crate) struct Table(Vec<Case>);

impl Table {
    pub(crate) fn case(
        &mut self,
        name: impl Into<String>,
        signal: &'static str,
        tenant: Tenant,
        expected: Value,
    ) {
        self.0.push(Case {
            name: name.into(),
            tenant,
            signal,
            expected,
        });
    }
}

type Fill = fn(&mut Table);

/// The tables, each with its name.
pub(crate) fn tables() -> Vec<(&'static str, Vec<Case>)> {
    let tables: [(&'static str, Fill); 14] = [
        ("devices", devices::table),
        ("one rule", one_rule::table),
        ("times", times::table),
        ("undated and too old rows", undated::table),
        ("fields of the wrong type", wire::table),
        ("disk encryption", disk_encryption::table),
        ("antivirus posture", antivirus_posture::table),
        ("patch sla", patch_sla::table),
        ("patch attempts", patch_attempts::table),
        ("superseded", superseded::table),
        ("kinds", kinds::table),
        ("backup activity", backup_activity::table),
        ("device inventory", device_inventory::table),
        ("public json", public_json::table),
    ];
    tables
        .into_iter()
        .map(|(name, fill)| {
            let mut table = Table::default();
            fill(&mut table);
            (name, table.0)
        })
        .collect()
}

/// What of a signal differs from what a case expects, a line each.
pub(crate) fn differences(expected: &Value, found: &Value, path: &str, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (field, value) in expected {
                differences(
                    value,
                    found.get(field).unwrap_or(&Value::Null),
                    &format!("{path}/{field}"),
                    lines,
                );
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{path}: expected {expected}, found {found}")),
    }
}
