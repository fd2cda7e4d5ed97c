//! What happens to any report on its way: rows twice, in any order, broken, or none at all.

use serde_json::{Value, json};

use super::{Maker, unreadable::read_fields};
use crate::oracle::tenant::{Report, State, Tenant};

impl Maker {
    /// Rows twice, in any order, rows that do not decode, reports that did not answer, a list cut short.
    pub(super) fn disturb(&mut self, tenant: &mut Tenant) {
        let again = if self.dice.percent(40) { 15 } else { 0 };
        for report in tenant.reports_mut() {
            for row in report.rows.clone() {
                if self.dice.percent(again) {
                    report.rows.push(row);
                }
            }
            self.dice.shuffle(&mut report.rows);
        }
        tenant.truncated = self.dice.percent(4);
        if self.dice.percent(12) {
            self.spoil(tenant);
        }
        let reports = if self.dice.percent(14) {
            self.dice.between(1, 2)
        } else {
            0
        };
        for _ in 0..reports {
            let index = usize::try_from(self.dice.between(1, 7)).expect("an index");
            let state = *self.dice.pick(&[State::Failed, State::NotAvailable]);
            *tenant.reports_mut()[index] = Report {
                state,
                ..Report::default()
            };
        }
    }

    /// A row that does not decode, or is about nothing, made of a good one.
    pub(super) fn spoil(&mut self, tenant: &mut Tenant) {
        let index = usize::try_from(self.dice.below(8)).expect("an index");
        let wrong = self
            .dice
            .pick(&[
                json!(17.5),
                json!(true),
                json!({ "a": 1 }),
                json!(["a"]),
                json!("17"),
            ])
            .clone();
        let field = *self.dice.pick(read_fields(index));
        let key = match index {
            0 => *self.dice.pick(&["id", "organizationId"]),
            3..=7 => *self.dice.pick(&["id", "deviceId"]),
            _ => "deviceId",
        };
        let report = &mut *tenant.reports_mut()[index];
        let Some(row) = report.rows.first().cloned() else {
            return;
        };
        let mut spoiled = row;
        match self.dice.below(12) {
            0 => {
                spoiled = self
                    .dice
                    .pick(&[json!(17), json!("row"), Value::Null, json!(true)])
                    .clone();
            }
            1 => {
                report.malformed = usize::try_from(self.dice.between(1, 3)).expect("a few");
                return;
            }
            2..=5 => {
                if self.dice.percent(30) {
                    spoiled[key] = Value::Null;
                } else {
                    spoiled.as_object_mut().expect("a row").remove(key);
                }
                // The rules name the `id` of a patch and nothing else to know it by.
                spoiled.as_object_mut().expect("a row").remove("kbNumber");
            }
            // A text is no wrong text, and a flag no wrong flag.
            _ if spoiled.get(field).is_some_and(|value| {
                value.is_string() == wrong.is_string() && value.is_boolean() == wrong.is_boolean()
            }) =>
            {
                return;
            }
            _ => spoiled[field] = wrong,
        }
        report.rows.push(spoiled);
        self.dice.shuffle(&mut report.rows);
    }
}
