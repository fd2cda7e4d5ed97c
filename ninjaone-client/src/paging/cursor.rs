//! The cursor of a report.

use serde_json::{Map, Value};

/// The cursor of one page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The name that requests the next page. Live tenants send the same name on every page.
    pub(crate) name: Option<String>,
    /// The position of this page in the report.
    pub(crate) offset: Option<usize>,
    /// The count that came with the page. It may be the rows of the whole report.
    pub(crate) count: Option<usize>,
}

impl Cursor {
    /// Reads the `cursor` of a response: an object, only its name, or nothing (absent, `null`, empty text, another type).
    pub(crate) fn read(cursor: Option<&str>, count: Option<&str>) -> Option<Self> {
        let parse = |json: &str| serde_json::from_str::<Value>(json).ok();
        let count = count.and_then(parse).as_ref().and_then(whole);
        let mut found = match cursor.and_then(parse) {
            Some(Value::Object(object)) => Self::of_object(&object),
            Some(Value::String(name)) => Self {
                name: Some(name),
                ..Self::default()
            },
            _ => Self::default(),
        };
        found.name = found.name.filter(|name| !name.trim().is_empty());
        found.count = found.count.or(count);
        (found != Self::default()).then_some(found)
    }

    fn of_object(object: &Map<String, Value>) -> Self {
        Self {
            name: object.get("name").and_then(text),
            offset: object.get("offset").and_then(whole),
            count: object.get("count").and_then(whole),
        }
    }
}

/// A name, as text or as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A whole number, as a number or as text.
fn whole(value: &Value) -> Option<usize> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked and the fraction is zero"
    )]
    ((0.0..9.0e15).contains(&number) && number.fract() == 0.0).then_some(number as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_a_cursor() {
        let full = Cursor {
            name: Some("c-1".into()),
            offset: Some(2),
            count: Some(5),
        };
        assert_eq!(
            Cursor::read(
                Some(r#"{"name":"c-1","offset":2,"count":5,"expires":1787901861.0}"#),
                None
            ),
            Some(full.clone())
        );
        assert_eq!(
            Cursor::read(Some(r#"{"name":"c-1","offset":"2","count":5.0}"#), None),
            Some(full)
        );
        let number = Cursor::read(Some(r#"{"name":17,"count":null}"#), None).unwrap();
        assert_eq!(number.name.as_deref(), Some("17"));
        for nameless in [r#"{"name":"","count":5}"#, r#"{"name":null,"count":5}"#] {
            let cursor = Cursor::read(Some(nameless), None).unwrap();
            assert_eq!((cursor.name, cursor.count), (None, Some(5)));
        }
        let name = Cursor {
            name: Some("c-1".into()),
            ..Cursor::default()
        };
        assert_eq!(Cursor::read(Some("\"c-1\""), None), Some(name));
        let count = Cursor {
            count: Some(5),
            ..Cursor::default()
        };
        assert_eq!(Cursor::read(None, Some("5")), Some(count));
        for nothing in [
            None,
            Some("null"),
            Some("\"\""),
            Some("{}"),
            Some("[]"),
            Some("7"),
        ] {
            assert_eq!(Cursor::read(nothing, None), None, "{nothing:?}");
        }
        assert_eq!(
            Cursor::read(Some(r#"{"count":-1,"offset":1.5,"name":" "}"#), Some("NaN")),
            None
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(cursor in ".{0,80}", count in ".{0,20}") {
            let _ = Cursor::read(Some(&cursor), Some(&count));
        }
    }
}
