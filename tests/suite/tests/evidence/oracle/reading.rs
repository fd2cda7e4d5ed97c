//! Reading rows: times (section 10), and fields of the wrong type (section 14).

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Times are microseconds since 1970.
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;

/// Rounds to the microsecond, the half upwards.
pub(crate) fn microseconds(time: OffsetDateTime) -> i64 {
    i64::try_from((time.unix_timestamp_nanos() + 500).div_euclid(1_000))
        .expect("a time of this age of the world")
}

/// The one parser of times. `None` is a time that cannot be read, an absent one, or one too far in the future.
pub(crate) fn time(row: &Value, field: &str, now: i64) -> Option<i64> {
    let time = match row.get(field)? {
        Value::Number(number) => epoch(number.as_f64()?)?,
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => epoch(number)?,
            Err(_) => microseconds(OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?),
        },
        _ => return None,
    };
    (time > 0)
        .then_some(time)
        .and_then(|time| believed(time, now))
}

/// Up to five minutes ahead is a clock that runs fast, and means now; a time further ahead is none.
pub(crate) fn believed(time: i64, now: i64) -> Option<i64> {
    (time <= now + 5 * MINUTE).then(|| time.min(now))
}

/// Seconds, or from 1e11 on milliseconds.
fn epoch(number: f64) -> Option<i64> {
    let microseconds = (if number >= 1e11 {
        number * 1e3
    } else {
        number * 1e6
    })
    .round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (number.is_finite() && number > 0.0 && microseconds < 9e18).then_some(microseconds as i64)
}

/// When a row was collected (section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collected {
    /// Within the last 30 days, exactly 30 included.
    Fresh(i64),
    /// Before.
    TooOld(i64),
    /// Nobody can read when.
    Undated,
}

/// When a row was collected.
pub(crate) fn collected(row: &Value, now: i64) -> Collected {
    match time(row, "timestamp", now) {
        Some(time) if now - time <= 30 * DAY => Collected::Fresh(time),
        Some(time) => Collected::TooOld(time),
        None => Collected::Undated,
    }
}

/// A field of a row (section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// Not there, null, or a blank text.
    Absent,
    /// There, and of a type of which no lossless reading exists.
    Unreadable,
    Is(T),
}

impl<T> Field<T> {
    /// What stands there, if it can be read.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// A text. Open: whether a number where a text belongs has a lossless reading. It has none here: the rules read an approval
/// that is present and no text as unreadable.
pub(crate) fn text_field<'a>(row: &'a Value, field: &str) -> Field<&'a str> {
    match row.get(field) {
        None | Some(Value::Null) => Field::Absent,
        Some(Value::String(text)) if text.trim().is_empty() => Field::Absent,
        Some(Value::String(text)) => Field::Is(text),
        Some(_) => Field::Unreadable,
    }
}

/// A whole number: `123`, `"123"`, `123.0` and `16e9` are one each, `17.5` is none.
pub(crate) fn whole(row: &Value, field: &str) -> Field<i64> {
    let number = match row.get(field) {
        None | Some(Value::Null) => return Field::Absent,
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(without_fraction)),
        Some(_) => None,
    };
    number.map_or(Field::Unreadable, Field::Is)
}

fn without_fraction(number: f64) -> Option<i64> {
    // Whole numbers of this size are exact.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// A flag: `true` and `"true"`. Open: `1` and `0`, which the rules do not name, are none.
pub(crate) fn flag(row: &Value, field: &str) -> Field<bool> {
    match row.get(field) {
        None | Some(Value::Null) => Field::Absent,
        Some(Value::Bool(flag)) => Field::Is(*flag),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Field::Is(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Field::Is(false),
        Some(_) => Field::Unreadable,
    }
}

/// An object within a row.
pub(crate) fn object<'a>(row: &'a Value, field: &str) -> Field<&'a Value> {
    match row.get(field) {
        None | Some(Value::Null) => Field::Absent,
        Some(object @ Value::Object(_)) => Field::Is(object),
        Some(_) => Field::Unreadable,
    }
}

/// A text; absent, null, blank and unreadable are none.
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> Option<&'a str> {
    text_field(row, field).value()
}

/// Without case and the blanks around it: `Critical` and `CRITICAL` are one.
pub(crate) fn word(row: &Value, field: &str) -> Option<String> {
    text(row, field).map(|text| text.trim().to_uppercase())
}

/// Without case and separators: `Up-to-Date`, `UP_TO_DATE` and `up to date` are one.
pub(crate) fn folded(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
