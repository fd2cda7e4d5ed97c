//! From the bytes of a page to its rows: the whole page at once, and row by row only after that failed.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::cursor::Cursor;
use crate::vendor_error::VendorError;

/// A row that did not decode: where it stood and which field was wrong, never what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedRow {
    /// Its place among all rows of the walk, from 0.
    pub position: usize,
    /// The field that did not decode, such as `os.needsReboot`; none when the row is no object at all.
    pub field: Option<String>,
}

/// A field that rows of a page carried in another form than this version expects: how often, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RepairedField {
    /// The field, such as `os.needsReboot`; never what was in it.
    pub field: String,
    /// Whether its value was lost: it is absent from the model and named in
    /// [`Unreadable`](crate::Unreadable). Otherwise it was read without loss.
    pub lost: bool,
    /// In how many rows.
    pub rows: usize,
}

/// A page as it was received.
#[derive(Debug)]
pub(crate) struct RawPage<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) malformed: Vec<MalformedRow>,
    pub(crate) repaired: Vec<RepairedField>,
    /// Ids of the malformed rows that could still be read.
    pub(crate) malformed_ids: Vec<i64>,
    pub(crate) cursor: Option<Cursor>,
    /// Tells one content from another, whatever its cursor.
    pub(crate) fingerprint: u64,
}

impl<T> RawPage<T> {
    /// Rows on the page, malformed ones included.
    pub(crate) fn received(&self) -> usize {
        self.rows.len() + self.malformed.len()
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It ends before its end.
    BrokenOff,
    /// It is no JSON.
    Garbled,
    /// An error that came with a status of success, with rows beside it or without.
    VendorError,
    /// It is JSON of another shape; the field, if one is to blame.
    Shape(Option<String>),
}

/// Reads a page: a bare array, or an object with the rows under `results` or `activities`.
pub(crate) fn read_page<T: DeserializeOwned>(body: &Bytes) -> Result<RawPage<T>, Unreadable> {
    match serde_json::from_slice::<Envelope<'_, Vec<T>>>(body) {
        Ok(envelope) => envelope.into_page(body, |rows| (rows, Vec::new(), Vec::new())),
        Err(error) if error.classify() == Category::Eof => Err(Unreadable::BrokenOff),
        Err(_) => {
            // Text that is not quite UTF-8 costs its letters, not its page.
            let text = String::from_utf8_lossy(body);
            let envelope: Envelope<'_, Vec<&RawValue>> = serde_json::from_str(&text)
                .map_err(|error| Unreadable::of(&error, text.as_bytes(), None))?;
            envelope.into_page(text.as_bytes(), row_by_row)
        }
    }
}

/// Reads one object (or whatever else `T` is).
pub(crate) fn read_single<T: DeserializeOwned>(body: &Bytes) -> Result<T, Unreadable> {
    if VendorError::is_error_object(body) {
        return Err(Unreadable::VendorError);
    }
    serde_json::from_slice(body)
        .map_err(|error| Unreadable::of(&error, body, field_at_fault::<T>(body)))
}

impl Unreadable {
    fn of(error: &serde_json::Error, body: &[u8], field: Option<String>) -> Self {
        match error.classify() {
            Category::Eof => Self::BrokenOff,
            Category::Syntax | Category::Io if is_open_ended(body) => Self::BrokenOff,
            Category::Syntax | Category::Io => Self::Garbled,
            Category::Data => Self::Shape(field),
        }
    }
}

/// Whether something was begun and not ended. A number torn at its decimal point is a syntax error, not an early end.
fn is_open_ended(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    match body.first() {
        Some(b'{') => body.last() != Some(&b'}'),
        Some(b'[') => body.last() != Some(&b']'),
        _ => false,
    }
}

fn row_by_row<T: DeserializeOwned>(raw: Vec<&RawValue>) -> (Vec<T>, Vec<MalformedRow>, Vec<i64>) {
    let mut rows = Vec::with_capacity(raw.len());
    let mut malformed = Vec::new();
    let mut ids = Vec::new();
    for (position, raw) in raw.into_iter().enumerate() {
        if let Ok(row) = serde_json::from_str(raw.get()) {
            rows.push(row);
        } else {
            malformed.push(MalformedRow {
                position,
                field: field_at_fault::<T>(raw.get().as_bytes()),
            });
            ids.extend(id_of(raw.get()));
        }
    }
    (rows, malformed, ids)
}

/// The id of a row that does not decode: paging must go past it all the same.
fn id_of(row: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Identified {
        id: i64,
    }
    serde_json::from_str(row).ok().map(|Identified { id }| id)
}

/// Finds the field that did not decode.
///
/// Names inside free-form objects are a customer's words: the path ends before them.
fn field_at_fault<T: DeserializeOwned>(json: &[u8]) -> Option<String> {
    const FREE_FORM: [&str; 6] = [
        "fields",
        "userData",
        "data",
        "options",
        "value",
        "productsInstallationStatuses",
    ];
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let error = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err()?;
    let mut field = String::new();
    for segment in error.path() {
        let serde_path_to_error::Segment::Map { key } = segment else {
            continue;
        };
        if !is_field_name(key) {
            break;
        }
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(key);
        if FREE_FORM.contains(&key.as_str()) {
            break;
        }
    }
    (!field.is_empty()).then_some(field)
}

fn is_field_name(key: &str) -> bool {
    (1..=40).contains(&key.len())
        && key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What surrounds the rows.
struct Envelope<'a, R> {
    rows: Option<R>,
    cursor: Option<&'a RawValue>,
    /// `/v2/custom-fields` counts outside of a cursor.
    count: Option<&'a RawValue>,
    is_error: bool,
}

impl<R: Default> Envelope<'_, R> {
    fn into_page<T>(
        self,
        body: &[u8],
        read: impl FnOnce(R) -> (Vec<T>, Vec<MalformedRow>, Vec<i64>),
    ) -> Result<RawPage<T>, Unreadable> {
        if self.is_error {
            // Rows beside an error are what was found before it.
            return Err(Unreadable::VendorError);
        }
        let fingerprint = fingerprint(body);
        let cursor = Cursor::read(
            self.cursor.map(RawValue::get),
            self.count.map(RawValue::get),
        );
        // No rows at all are an empty page only where a count says so.
        let says_none = cursor
            .as_ref()
            .is_some_and(|cursor| cursor.count == Some(0));
        let rows = self
            .rows
            .or(says_none.then(R::default))
            .ok_or(Unreadable::Shape(None))?;
        let (rows, malformed, malformed_ids) = read(rows);
        Ok(RawPage {
            rows,
            malformed,
            repaired: Vec::new(),
            malformed_ids,
            cursor,
            fingerprint,
        })
    }
}

/// Hashes the rows of a body, from the first bracket to the last: neither its cursor, whose expiry moves, nor whether there is
/// one.
fn fingerprint(body: &[u8]) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    let first = body.iter().position(|byte| *byte == b'[');
    let last = body.iter().rposition(|byte| *byte == b']');
    let rows = first
        .zip(last)
        .and_then(|(first, last)| body.get(first..=last));
    hasher.write(rows.unwrap_or_default());
    hasher.finish()
}

/// FNV over words of eight bytes: fast, and no adversary to withstand.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.0 = (self.0 ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23);
        }
        for byte in rest {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        bytes.len().hash(&mut Length(&mut self.0));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Length<'a>(&'a mut u64);

impl Hasher for Length<'_> {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            *self.0 = (*self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        *self.0
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Results,
    Activities,
    Cursor,
    Count,
    Error,
    ErrorCode,
    ErrorMessage,
    Result,
    ResultCode,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a, R: Deserialize<'de> + Default> Deserialize<'de> for Envelope<'a, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnvelopeVisitor<'a, R>(PhantomData<(&'a (), R)>);

        impl<'de: 'a, 'a, R: Deserialize<'de> + Default> Visitor<'de> for EnvelopeVisitor<'a, R> {
            type Value = Envelope<'a, R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of rows, or an object that holds one")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                let rows = R::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(Envelope {
                    rows: Some(rows),
                    cursor: None,
                    count: None,
                    is_error: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut envelope = Envelope {
                    rows: None,
                    cursor: None,
                    count: None,
                    is_error: false,
                };
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Results | Key::Activities => envelope.rows = map.next_value()?,
                        Key::Cursor => envelope.cursor = map.next_value::<Option<&RawValue>>()?,
                        Key::Count => envelope.count = map.next_value::<Option<&RawValue>>()?,
                        Key::Error | Key::ErrorCode | Key::ErrorMessage | Key::ResultCode => {
                            envelope.is_error |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                        }
                        Key::Result => {
                            let result = map.next_value::<Option<&RawValue>>()?;
                            envelope.is_error |=
                                result.is_some_and(|result| result.get() == r#""FAILURE""#);
                        }
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(envelope)
            }
        }

        deserializer.deserialize_any(EnvelopeVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Device, Volume};
    use proptest::prelude::*;

    fn page(body: &'static str) -> Result<RawPage<Device>, Unreadable> {
        read_page(&Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn the_shapes_of_a_page() {
        for (body, rows) in [
            ("[]", 0),
            (r#"[{"id":1},{"id":2}]"#, 2),
            (
                r#"{"results":[{"id":1}],"cursor":{"name":"c","offset":0,"count":1}}"#,
                1,
            ),
            (r#"{"cursor":"","results":[{"id":1}]}"#, 1),
            (r#"{"lastActivityId":9,"activities":[{"id":1}]}"#, 1),
            (r#"{"results":null,"cursor":{"name":"c","count":0}}"#, 0),
            (r#"{"results":null,"count":0}"#, 0),
        ] {
            assert_eq!(page(body).unwrap().rows.len(), rows, "{body}");
        }
    }

    #[test]
    fn an_error_is_not_an_empty_list() {
        for (body, expected) in [
            (
                r#"{"resultCode":"FAILURE","errorMessage":"x"}"#,
                Unreadable::VendorError,
            ),
            (r#"{"error":"not_authenticated"}"#, Unreadable::VendorError),
            ("{}", Unreadable::Shape(None)),
            (r#"{"results":{}}"#, Unreadable::Shape(None)),
            (r#"{"results":null}"#, Unreadable::Shape(None)),
            (r#"{"activities":null}"#, Unreadable::Shape(None)),
            (
                r#"{"results":null,"cursor":{"name":"c","offset":0,"count":3}}"#,
                Unreadable::Shape(None),
            ),
            ("null", Unreadable::Shape(None)),
            ("\"text\"", Unreadable::Shape(None)),
            ("<html>", Unreadable::Garbled),
            (r#"[{"id":1},{"id"#, Unreadable::BrokenOff),
            (r#"{"results":[{"id":"x"},{"id":2}"#, Unreadable::BrokenOff),
            ("", Unreadable::BrokenOff),
        ] {
            assert_eq!(page(body).unwrap_err(), expected, "{body}");
        }
    }

    #[test]
    fn a_malformed_row_keeps_its_page_and_is_named_without_its_value() {
        let body = r#"[{"id":1},{"id":2,"os":{"needsReboot":"jane@example.com"}},7,{"id":4,"systemName":"\ud800"},{"id":5}]"#;
        let page = page(body).unwrap();
        assert_eq!(page.rows.len(), 2);
        assert_eq!(page.malformed_ids, [2, 4]);
        let named: Vec<_> = page
            .malformed
            .iter()
            .map(|row| (row.position, row.field.as_deref()))
            .collect();
        assert_eq!(
            named,
            [
                (1, Some("os.needsReboot")),
                (2, None),
                (3, Some("systemName"))
            ]
        );
    }

    #[test]
    fn free_form_names_are_not_told() {
        type Row = crate::models::OrganizationSettings;
        let field =
            field_at_fault::<Row>(br#"{"backup":{"options":{"Jane Doe":1},"enabled":"x"}}"#);
        assert_eq!(field.as_deref(), Some("backup.enabled"));
        let field =
            field_at_fault::<std::collections::BTreeMap<String, i64>>(br#"{"Jane Doe":"x"}"#);
        assert_eq!(field, None);
    }

    #[test]
    fn bytes_that_are_not_utf8_cost_their_letters_only() {
        let body = Bytes::from_static(b"[{\"id\":1,\"systemName\":\"B\xfcro\"}]");
        let page = read_page::<Device>(&body).unwrap();
        assert_eq!(page.rows.len(), 1);
        assert!(page.malformed.is_empty());
    }

    #[test]
    fn the_fingerprint_sees_rows_and_not_the_cursor() {
        let print = |body: &str| {
            read_page::<Volume>(&Bytes::from(body.to_owned()))
                .unwrap()
                .fingerprint
        };
        let one = print(r#"{"cursor":{"name":"a","offset":0},"results":[{"deviceId":1}]}"#);
        for same in [
            r#"{"cursor":{"name":"b","offset":0,"expires":9},"results":[{"deviceId":1}]}"#,
            r#"{"results":[{"deviceId":1}],"cursor":"b"}"#,
            r#"{"results":[{"deviceId":1}]}"#,
            r#"[{"deviceId":1}]"#,
        ] {
            assert_eq!(one, print(same), "{same}");
        }
        assert_ne!(
            one,
            print(r#"{"cursor":{"name":"a","offset":0},"results":[{"deviceId":2}]}"#)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let body = Bytes::from(body);
            let _ = read_page::<Device>(&body);
            let _ = read_single::<Device>(&body);
        }

        #[test]
        fn pages_torn_at_any_place_are_never_short_lists(rows in 1_usize..20, cut in 0.0_f64..1.0) {
            let body = serde_json::to_vec(&serde_json::json!({
                "cursor": {"name": "c", "offset": 0, "count": rows, "expires": 1_787_901_861.0},
                "results": (0..rows).map(|id| serde_json::json!({"deviceId": id, "name": "C:"})).collect::<Vec<_>>(),
            })).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "test")]
            let at = (body.len() as f64 * cut) as usize;
            let torn = read_page::<Volume>(&Bytes::copy_from_slice(&body[..at]));
            prop_assert_eq!(torn.unwrap_err(), Unreadable::BrokenOff);
        }
    }
}
