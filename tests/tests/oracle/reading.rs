//! Reading rows: times (section 10), texts, and which rows decode at all.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

/// The time at which a row was collected, unless the row is to be ignored: collected more than 30 days ago, or nobody can
/// read when (section 2).
pub(crate) fn collected(row: &Value, now: i64) -> Option<i64> {
    time(row, "timestamp", now).filter(|time| now - time <= 30 * DAY)
}

/// A text; absent, null and blank are none.
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> Option<&'a str> {
    row.get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
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

/// What a field must be, if it is there at all.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number without which the row is of no use.
    Key,
    /// A text without which the row is of no use.
    TextKey,
    Whole,
    Text,
    Flag,
    Object(Fields),
}

/// The fields a row is read by. Times are not among them: they never cost a row.
pub(crate) type Fields = &'static [(&'static str, Kind)];

/// Whether a row decodes: every field it is read by is absent, null or of its kind, and its keys are there.
pub(crate) fn decodes(row: &Value, fields: Fields) -> bool {
    row.is_object()
        && fields
            .iter()
            .all(|(field, kind)| match (row.get(field), kind) {
                (None | Some(Value::Null), Kind::Key | Kind::TextKey) => false,
                (None | Some(Value::Null), _) => true,
                (Some(value), Kind::Key | Kind::Whole) => value.is_i64(),
                (Some(value), Kind::Text) => value.is_string(),
                (Some(value), Kind::TextKey) => {
                    value.as_str().is_some_and(|text| !text.trim().is_empty())
                }
                (Some(value), Kind::Flag) => value.is_boolean(),
                (Some(value), Kind::Object(inner)) => decodes(value, inner),
            })
}
