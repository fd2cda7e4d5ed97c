//! Fields of another type than ours, and times that cannot be read.

use serde_json::{Value, json};

use super::Maker;
use crate::oracle::tenant::{State, Tenant};

/// The fields by which a report's rows are judged, times apart; a nested one is written `outer.inner`. Reports by their place
/// in [`Tenant::reports`].
pub(crate) fn read_fields(report: usize) -> &'static [&'static str] {
    match report {
        0 => &[
            "id",
            "organizationId",
            "nodeClass",
            "approvalStatus",
            "offline",
        ],
        1 => &[
            "deviceId",
            "name",
            "driveLetter",
            "serialNumber",
            "label",
            "deviceType",
            "capacity",
            "bitLockerStatus",
            "bitLockerStatus.conversionStatus",
            "bitLockerStatus.protectionStatus",
        ],
        2 => &[
            "deviceId",
            "productName",
            "productState",
            "definitionStatus",
        ],
        3 | 4 => &["deviceId", "id", "severity", "status", "type"],
        5 | 6 => &["deviceId", "id", "impact", "status", "type"],
        _ => &["id", "deviceId", "statusCode", "activityResult"],
    }
}

/// The times of a report's rows.
pub(crate) fn time_fields(report: usize) -> &'static [&'static str] {
    match report {
        0 => &["lastContact"],
        1 | 2 => &["timestamp"],
        3..=6 => &["timestamp", "installedAt"],
        _ => &["activityTime"],
    }
}

/// A field of a row, unless it is not there.
pub(crate) fn field<'a>(row: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let field = match path.split_once('.') {
        Some((outer, inner)) => row.get_mut(outer)?.get_mut(inner)?,
        None => row.get_mut(path)?,
    };
    (!field.is_null()).then_some(field)
}

impl Maker {
    /// Damages a few fields: a wrong type with a lossless reading, one without, half a character in a name, a key twice.
    pub(super) fn damage(&mut self, tenant: &mut Tenant) {
        let damages = if self.dice.percent(35) {
            self.dice.between(1, 4)
        } else {
            0
        };
        for _ in 0..damages {
            let index = usize::try_from(self.dice.below(8)).expect("an index");
            let path = *self.dice.pick(read_fields(index));
            let report = &mut *tenant.reports_mut()[index];
            if report.rows.is_empty() || report.state != State::Answered {
                continue;
            }
            let row = usize::try_from(self.dice.below(report.rows.len() as u64)).expect("an index");
            let row = &mut report.rows[row];
            match self.dice.below(4) {
                0 => self.lossless(row, path),
                1 => self.half_a_character(row, index),
                2 => self.key_twice(row, path),
                // Keys are damaged less often: a lost row covers what else there is to see.
                _ if path.to_lowercase().ends_with("id") && self.dice.percent(70) => {}
                _ => {
                    let wrong = self.wrong();
                    if let Some(field) = field(row, path)
                        && !(field.is_boolean() && wrong.is_boolean())
                    {
                        *field = wrong;
                    }
                }
            }
        }
    }

    /// What no field of a signal can be read from.
    fn wrong(&mut self) -> Value {
        self.dice
            .pick(&[
                json!(17.5),
                json!(true),
                json!({ "a": 1 }),
                json!([]),
                json!([null]),
            ])
            .clone()
    }

    /// `"123"` or `123.0` for a number, `"true"` for a flag.
    fn lossless(&mut self, row: &mut Value, path: &str) {
        let text = self.dice.percent(50);
        let Some(field) = field(row, path) else {
            return;
        };
        let other = match (field.as_i64(), field.as_bool()) {
            (Some(number), _) if text => json!(number.to_string()),
            #[expect(clippy::cast_precision_loss, reason = "ids and capacities are small")]
            (Some(number), _) => json!(number as f64),
            (_, Some(flag)) => json!(flag.to_string()),
            _ => return,
        };
        *field = other;
    }

    /// Half of a surrogate pair in a text that anyone may have typed. It is U+FFFD once repaired.
    fn half_a_character(&mut self, row: &mut Value, report: usize) {
        let names: &[&str] = match report {
            0 => &["systemName"],
            1 => &["name", "label"],
            2 => &["productName"],
            3..=6 => &["id", "title", "kbNumber"],
            _ => &["activityType"],
        };
        let name = *self.dice.pick(names);
        if let Some(Value::String(text)) = field(row, name) {
            text.push('\u{FFFD}');
        }
    }

    /// A key twice, of which the later counts. The earlier one stands under a name that nothing reads, until a server writes it.
    fn key_twice(&mut self, row: &mut Value, path: &str) {
        let earlier = self
            .dice
            .pick(&[
                json!("LOW"),
                json!("OFF"),
                json!("INSTALLED"),
                json!(9_999),
                json!([]),
                Value::Null,
            ])
            .clone();
        if let Some(row) = row.as_object_mut()
            && !path.contains('.')
            && row.contains_key(path)
        {
            row.insert(format!("{TWICE}{path}"), earlier);
        }
    }
}

/// Before the name of a key that is written twice. It sorts before every letter, and so does its value.
pub(crate) const TWICE: &str = "!";
