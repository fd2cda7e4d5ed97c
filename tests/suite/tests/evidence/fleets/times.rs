//! Times at every border, in every form, and those that cannot be read.

use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{DAY, HOUR, MICROSECOND, MINUTE, Maker, SECOND};

impl Maker {
    /// A time so long before now, in one of the forms in which times come.
    pub(super) fn written(&mut self, ago: i64) -> Value {
        let time = self.now - ago;
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of this century fit a double"
        )]
        let seconds = time as f64 / 1e6;
        if !self.spiteful_times {
            return json!(seconds);
        }
        let whole = time % SECOND == 0;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time) * 1_000)
            .expect("this century");
        match self.dice.below(8) {
            0 if whole => json!(time / SECOND),
            1 if time % 1_000 == 0 => json!(time / 1_000),
            2 if time % 1_000 == 0 => json!((time / 1_000).to_string()),
            3 => json!(format!("{seconds:.9}")),
            4 => json!(moment.format(&Rfc3339).expect("a time that can be written")),
            5 => {
                let there = moment.to_offset(UtcOffset::from_hms(-7, 0, 0).expect("an offset"));
                json!(there.format(&Rfc3339).expect("a time that can be written"))
            }
            _ => json!(seconds),
        }
    }

    /// A time that cannot be read.
    pub(super) fn unreadable(&mut self) -> Value {
        let ahead = *self.dice.pick(&[
            5 * MINUTE + MICROSECOND,
            5 * MINUTE + SECOND,
            DAY,
            400 * DAY,
        ]);
        let ahead = self.written(-ahead);
        self.dice
            .pick(&[
                Value::Null,
                json!(0),
                json!(0.0),
                json!("0"),
                json!(-1_700_000_000),
                json!("-5"),
                json!("NaN"),
                json!("yesterday"),
                json!(""),
                json!("2026-11-23"),
                json!(99_999_999_999_i64),
                json!(true),
                json!({}),
                json!([1_795_000_000]),
                ahead,
            ])
            .clone()
    }

    /// Sets a time at about a border, or leaves it out.
    pub(super) fn stamp(&mut self, row: &mut Value, field: &str, border: i64) {
        if !self.spiteful_times {
            let ago = *self.dice.pick(&[HOUR, 2 * HOUR, DAY]);
            row[field] = self.written(ago);
            return;
        }
        let ago = match self.dice.below(24) {
            0 => border,
            1 => border + MICROSECOND,
            2 => border - MICROSECOND,
            3 => border + SECOND,
            4 => border - SECOND,
            5 => border + DAY,
            6 => 0,
            7 => -SECOND,
            8 => -5 * MINUTE,
            9 => {
                row[field] = self.unreadable();
                return;
            }
            10 if self.dice.percent(50) => {
                row.as_object_mut().expect("a row").remove(field);
                return;
            }
            11 => self.dice.between(0, border),
            12 | 13 => DAY,
            _ => *self.dice.pick(&[HOUR, HOUR, 2 * HOUR]),
        };
        row[field] = self.written(ago);
    }

    /// Rows again: the same, and the same with something changed at the same, an older or a newer time.
    pub(super) fn doubled(
        &mut self,
        rows: &mut Vec<Value>,
        time: &str,
        change: fn(&mut Self, &mut Value),
    ) {
        if !self.doubles {
            return;
        }
        for row in rows.clone() {
            if !self.dice.percent(25) {
                continue;
            }
            let mut again = row;
            if self.dice.percent(75) {
                change(self, &mut again);
            }
            match self.dice.below(8) {
                0 | 1 => again[time] = self.written(2 * HOUR),
                2 | 3 => again[time] = self.written(MINUTE),
                4 if self.dice.percent(40) => again[time] = self.unreadable(),
                5 if self.dice.percent(40) => again[time] = self.written(30 * DAY + SECOND),
                6 if self.dice.percent(40) => again[time] = self.written(60 * DAY),
                _ => {}
            }
            rows.push(again);
        }
    }
}
