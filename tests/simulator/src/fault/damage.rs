//! Harm done to single fields of rows, after the rows were chosen: what the server holds stays as it is.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{answer::Answer, wire};

/// Which field of which rows is harmed, and how. The endpoint is the fault's: [`Fault::on`](crate::Fault::on).
///
/// A field is written as `bitLockerStatus.conversionStatus`; a number is a place in a list (`volumes.0.capacity`), `*` every
/// place (`volumes.*.capacity`), and the empty text the row itself. A row without the field stays as it is.
///
/// ```
/// use ninjaone_simulator::{Damage, Fault, Harm, Preset, Request, Tenant};
/// use time::macros::datetime;
///
/// let now = datetime!(2026-11-23 06:30 UTC);
/// let mut tenant = Tenant::preset(Preset::Healthy, 1, 3, now);
/// let harm = Damage::to("systemName", Harm::HalfSurrogate).of_row(0);
/// tenant.fault(Fault::Damaged(harm).on("/v2/devices-detailed"));
/// let token = tenant.issue_token(now);
/// let answer = tenant.answer(&Request::get("/v2/devices-detailed").bearer(&token), now);
/// assert!(String::from_utf8_lossy(&answer.body).contains(r"\ud83d"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    field: String,
    rows: Struck,
    harm: Harm,
}

/// Which rows of an answer are harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Struck {
    All,
    Row(usize),
    Every(usize),
    Device(i64),
    Id(i64),
}

/// What becomes of a field.
///
/// | harm | can be read without loss |
/// |---|---|
/// | `AsText`, `AsDecimal`, `AsExponent`, `KeyTwice` | yes: a correct client reads the same value |
/// | `HalfSurrogate`, `NullElement`, `OddElement`, `Long` | in part: the rest of the field stays |
/// | all others | no: the field is absent or unreadable, and never better than it was |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Harm {
    /// The field is not there. An element leaves its list; a whole row becomes `null`.
    Absent,
    /// `null`.
    Null,
    /// `"123"` for `123`, `"false"` for `false`. Text stays as it is.
    AsText,
    /// `123.0` for `123`. Only whole numbers change.
    AsDecimal,
    /// `1.6e10` for `16000000000`. Only numbers change.
    AsExponent,
    /// The key twice: first with an object without fields, then with the value.
    KeyTwice,
    /// The key twice: first with the value, then with an object without fields.
    KeyTwiceThenOdd,
    /// `{}`.
    Object,
    /// `[]`.
    List,
    /// The value as the one element of a list.
    Wrapped,
    /// The text `seven`.
    Word,
    /// The number `7`.
    Number,
    /// `true`.
    Flag,
    /// Half of a surrogate pair, `\ud83d`, at the end of the text. Only text changes.
    HalfSurrogate,
    /// `null` before the first element. Only lists change.
    NullElement,
    /// A list within an object before the first element. Only lists change.
    OddElement,
    /// The text of the number zero's time: `0`.
    Zero,
    /// `-1`.
    Negative,
    /// The text `NaN`.
    NotANumber,
    /// `9000000000`: the year 2255.
    FarFuture,
    /// A text of 10,000 characters.
    Long,
    /// This JSON text, which need not be JSON.
    Raw(String),
}

impl Harm {
    /// Every harm but [`Raw`](Self::Raw).
    pub const ALL: [Self; 21] = [
        Self::Absent,
        Self::Null,
        Self::AsText,
        Self::AsDecimal,
        Self::AsExponent,
        Self::KeyTwice,
        Self::KeyTwiceThenOdd,
        Self::Object,
        Self::List,
        Self::Wrapped,
        Self::Word,
        Self::Number,
        Self::Flag,
        Self::HalfSurrogate,
        Self::NullElement,
        Self::OddElement,
        Self::Zero,
        Self::Negative,
        Self::NotANumber,
        Self::FarFuture,
        Self::Long,
    ];

    /// Whether the value is still there, in another form.
    #[must_use]
    pub const fn is_lossless(&self) -> bool {
        matches!(
            self,
            Self::AsText | Self::AsDecimal | Self::AsExponent | Self::KeyTwice
        )
    }

    /// Whether it changes what is sent for this value.
    #[must_use]
    pub fn changes(&self, value: &Value) -> bool {
        match self.of(value, false) {
            Harmed::Untouched => false,
            Harmed::Gone => true,
            Harmed::Sent(text) => text != wire::text(value),
        }
    }

    /// What is sent instead of a value, which stands behind a key or not.
    fn of(&self, value: &Value, keyed_by: bool) -> Harmed {
        let sent = |value: Value| Harmed::Sent(wire::text(&value));
        let own = || wire::text(value);
        match self {
            Self::Absent => Harmed::Gone,
            Self::Null => sent(Value::Null),
            Self::AsText => match value {
                Value::Number(_) | Value::Bool(_) => sent(Value::String(own())),
                _ => Harmed::Untouched,
            },
            Self::AsDecimal if value.is_i64() || value.is_u64() => {
                Harmed::Sent(format!("{}.0", own()))
            }
            Self::AsExponent => exponent(value).map_or(Harmed::Untouched, Harmed::Sent),
            Self::KeyTwice | Self::KeyTwiceThenOdd if !keyed_by => Harmed::Sent("{}".to_owned()),
            Self::Object => sent(json!({})),
            Self::List => sent(json!([])),
            Self::Wrapped => sent(json!([value])),
            Self::Word => sent(json!("seven")),
            Self::Number => sent(json!(7)),
            Self::Flag => sent(json!(true)),
            Self::HalfSurrogate if value.is_string() => {
                let own = own();
                Harmed::Sent(format!(r#"{}\ud83d""#, own.trim_end_matches('"')))
            }
            Self::NullElement | Self::OddElement => match value.as_array() {
                Some(items) => {
                    let odd = if *self == Self::NullElement {
                        Value::Null
                    } else {
                        json!({ "odd": [1] })
                    };
                    sent(std::iter::once(odd).chain(items.iter().cloned()).collect())
                }
                None => Harmed::Untouched,
            },
            Self::Zero => sent(json!(0)),
            Self::Negative => sent(json!(-1)),
            Self::NotANumber => sent(json!("NaN")),
            Self::FarFuture => sent(json!(9_000_000_000_i64)),
            Self::Long => sent(json!("x".repeat(10_000))),
            Self::Raw(text) => Harmed::Sent(text.clone()),
            Self::AsDecimal | Self::HalfSurrogate | Self::KeyTwice | Self::KeyTwiceThenOdd => {
                Harmed::Untouched
            }
        }
    }

    /// What is sent instead of the value behind a key, the colon and all before it excluded.
    fn behind(&self, key: &str, value: &Value) -> Harmed {
        let (own, key) = (wire::text(value), wire::text(&json!(key)));
        match self {
            Self::KeyTwice => Harmed::Sent(format!("{{}},{key}:{own}")),
            Self::KeyTwiceThenOdd => Harmed::Sent(format!("{own},{key}:{{}}")),
            _ => self.of(value, true),
        }
    }
}

/// A value after the harm.
enum Harmed {
    Untouched,
    Gone,
    /// As JSON text, or what should have been it.
    Sent(String),
}

/// A number with an exponent, every digit kept.
fn exponent(value: &Value) -> Option<String> {
    let number = value.as_number()?;
    if let Some(whole) = number.as_u64() {
        return Some(format!("{whole:e}"));
    }
    if let Some(whole) = number.as_i64() {
        return Some(format!("{whole:e}"));
    }
    number.as_f64().map(|decimal| format!("{decimal:e}"))
}

impl Damage {
    /// Harms a field of every row.
    #[must_use]
    pub fn to(field: &str, harm: Harm) -> Self {
        Self {
            field: field.to_owned(),
            rows: Struck::All,
            harm,
        }
    }

    /// Only of the row at this place of an answer, from 0.
    #[must_use]
    pub fn of_row(self, place: usize) -> Self {
        Self {
            rows: Struck::Row(place),
            ..self
        }
    }

    /// Only of every nth row of an answer, beginning with the first.
    #[must_use]
    pub fn of_every(self, nth: usize) -> Self {
        Self {
            rows: Struck::Every(nth.max(1)),
            ..self
        }
    }

    /// Only of rows of this device: by `deviceId`, or by `id` where there is none.
    #[must_use]
    pub fn of_device(self, id: i64) -> Self {
        Self {
            rows: Struck::Device(id),
            ..self
        }
    }

    /// Only of rows with this `id`.
    #[must_use]
    pub fn of_id(self, id: i64) -> Self {
        Self {
            rows: Struck::Id(id),
            ..self
        }
    }

    /// The field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The harm.
    #[must_use]
    pub fn harm(&self) -> &Harm {
        &self.harm
    }

    /// Every field of a row that can be harmed: outer and inner ones, and elements of lists.
    #[must_use]
    pub fn fields(row: &Value) -> Vec<String> {
        fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
            let mut inner = |name: &str, value: &Value| {
                let path = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                };
                found.push(path.clone());
                walk(value, &path, found);
            };
            match value {
                Value::Object(fields) => fields.iter().for_each(|(key, value)| inner(key, value)),
                Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .for_each(|(place, value)| inner(&place.to_string(), value)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk(row, "", &mut found);
        found
    }

    fn strikes(&self, place: usize, row: &Value) -> bool {
        let number = |key| row.get(key).and_then(Value::as_i64);
        match self.rows {
            Struck::All => true,
            Struck::Row(wanted) => place == wanted,
            Struck::Every(nth) => place.is_multiple_of(nth),
            Struck::Device(id) => number("deviceId").or(number("id")) == Some(id),
            Struck::Id(id) => number("id") == Some(id),
        }
    }
}

/// Harms the rows of an answer: of a list, of `results` or `activities`, or the one object that it is.
pub(crate) fn apply(damages: &[&Damage], answer: &mut Answer) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return;
    };
    let mut sent = Sent::default();
    for (place, row) in rows(&mut body).iter_mut().enumerate() {
        // Chosen before any is harmed: one damage must not hide a row from the next.
        let struck: Vec<_> = damages
            .iter()
            .filter(|damage| damage.strikes(place, row))
            .collect();
        for damage in struck {
            let path: Vec<&str> = damage
                .field
                .split('.')
                .filter(|part| !part.is_empty())
                .collect();
            harm(row, &path, &damage.harm, &mut sent);
        }
    }
    answer.body = sent.filled_in(&wire::text(&body));
}

fn rows(body: &mut Value) -> &mut [Value] {
    let held = ["results", "activities"]
        .into_iter()
        .find(|key| body.get(key).is_some_and(Value::is_array));
    match (held, body) {
        (Some(key), Value::Object(fields)) => match fields.get_mut(key) {
            Some(Value::Array(rows)) => rows,
            _ => &mut [],
        },
        (_, Value::Array(rows)) => rows,
        (_, one) => std::slice::from_mut(one),
    }
}

fn harm(value: &mut Value, path: &[&str], harm_done: &Harm, sent: &mut Sent) {
    match (path, value) {
        ([], value) => match harm_done.of(value, false) {
            Harmed::Untouched => {}
            Harmed::Gone => *value = Value::Null,
            Harmed::Sent(text) => *value = sent.stand_in(text),
        },
        ([key], Value::Object(fields)) => {
            let Some(value) = fields.get(*key) else {
                return;
            };
            match harm_done.behind(key, value) {
                Harmed::Untouched => {}
                Harmed::Gone => drop(fields.remove(*key)),
                Harmed::Sent(text) => drop(fields.insert((*key).to_owned(), sent.stand_in(text))),
            }
        }
        ([key, rest @ ..], Value::Object(fields)) => {
            if let Some(value) = fields.get_mut(*key) {
                harm(value, rest, harm_done, sent);
            }
        }
        (["*", rest @ ..], Value::Array(items)) => {
            for item in items {
                harm(item, rest, harm_done, sent);
            }
        }
        ([place, rest @ ..], Value::Array(items)) => {
            let Some(place) = place.parse().ok().filter(|place| *place < items.len()) else {
                return;
            };
            if rest.is_empty() && *harm_done == Harm::Absent {
                items.remove(place);
            } else if let Some(item) = items.get_mut(place) {
                harm(item, rest, harm_done, sent);
            }
        }
        _ => {}
    }
}

/// JSON texts that no [`Value`] can hold, each with a text that stands for it until the answer is written.
#[derive(Default)]
struct Sent(Vec<String>);

/// Begins and ends what stands for a text: a character of the private use area, which no row contains.
const MARK: char = '\u{E000}';

impl Sent {
    fn stand_in(&mut self, text: String) -> Value {
        self.0.push(text);
        Value::String(format!("{MARK}{}{MARK}", self.0.len() - 1))
    }

    fn filled_in(&self, text: &str) -> Bytes {
        let mut out = String::with_capacity(text.len());
        let opening = format!("\"{MARK}");
        let mut pieces = text.split(&opening);
        out.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let Some((number, rest)) = piece.split_once(MARK) else {
                continue;
            };
            let own = number
                .parse()
                .ok()
                .and_then(|number: usize| self.0.get(number));
            out.push_str(own.map_or("null", String::as_str));
            out.push_str(rest.strip_prefix('"').unwrap_or(rest));
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Damage, Harm, apply};
    use crate::answer::Answer;

    fn after(row: &Value, damage: &Damage) -> String {
        let mut answer = Answer::json(200, &json!([row, { "id": 8, "name": "b" }]));
        apply(&[damage], &mut answer);
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    #[test]
    fn every_harm_is_written_as_it_says() {
        let row = json!({ "id": 7, "capacity": 16_000_000_000_u64, "flag": false, "list": ["a"], "name": "C:" });
        let table = [
            (
                "name",
                Harm::Absent,
                r#"{"capacity":16000000000,"flag":false,"id":7,"list":["a"]}"#,
            ),
            ("capacity", Harm::AsExponent, r#""capacity":1.6e10,"#),
            ("capacity", Harm::AsDecimal, r#""capacity":16000000000.0,"#),
            ("flag", Harm::AsText, r#""flag":"false""#),
            ("list", Harm::NullElement, r#""list":[null,"a"]"#),
            ("list", Harm::OddElement, r#""list":[{"odd":[1]},"a"]"#),
            ("list.0", Harm::Absent, r#""list":[]"#),
            ("list.*", Harm::Number, r#""list":[7]"#),
            ("name", Harm::HalfSurrogate, r#""name":"C:\ud83d""#),
            ("name", Harm::KeyTwice, r#""name":{},"name":"C:""#),
            ("name", Harm::KeyTwiceThenOdd, r#""name":"C:","name":{}"#),
            ("name", Harm::Raw("NaN".to_owned()), r#""name":NaN}"#),
            ("", Harm::Absent, r"[null,"),
            ("", Harm::Raw("@".to_owned()), r"[@,"),
            ("nothing", Harm::Null, r#""name":"C:"},"#),
        ];
        for (field, harm, expected) in table {
            let text = after(&row, &Damage::to(field, harm.clone()).of_id(7));
            assert!(text.contains(expected), "{field} {harm:?}: {text}");
            assert!(text.contains(r#"{"id":8,"name":"b"}"#), "{text}");
        }
    }

    #[test]
    fn fields_are_found_at_every_depth() {
        let row = json!({ "a": { "b": [1, { "c": 2 }] }, "d": null });
        assert_eq!(
            Damage::fields(&row),
            ["a", "a.b", "a.b.0", "a.b.1", "a.b.1.c", "d"]
        );
    }

    #[test]
    fn a_harm_without_effect_is_known_as_such() {
        assert!(!Harm::AsText.changes(&json!("C:")));
        assert!(!Harm::Number.changes(&json!(7)));
        assert!(!Harm::NullElement.changes(&json!({})));
        assert!(Harm::AsText.changes(&json!(7)));
        assert!(Harm::Absent.changes(&Value::Null));
    }

    #[test]
    fn a_small_and_a_negative_number_keep_their_digits_with_an_exponent() {
        for (value, expected) in [
            (json!(7), "7e0"),
            (json!(-12), "-1.2e1"),
            (json!(0.5), "5e-1"),
        ] {
            let text = after(
                &json!({ "id": 1, "n": value }),
                &Damage::to("n", Harm::AsExponent),
            );
            assert!(text.contains(&format!(r#""n":{expected}"#)), "{text}");
        }
    }
}
