//! Decodes the bytes of a page to its rows: first the whole page at once, and row by row only if that fails.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
    },
};
use serde_json::{error::Category, value::RawValue};

use super::{cursor::Cursor, walk::MOST_TIMES_ASKED};
use crate::{
    field::TOO_MUCH,
    meter::{self, Meter},
    repair,
    tree::{NoTree, Node},
    vendor_error::VendorError,
};

/// A row that did not decode: its position and the field at fault, but never the field's content.
///
/// A row is lost only if it is not an object or has no readable id. All other faults are repaired ([`RepairedField`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedRow {
    /// Position among all rows of the list, from 0.
    pub position: usize,
    /// The field that did not decode, such as `os.needsReboot`; none if the row is not an object.
    pub field: Option<String>,
}

/// A field that has another form than this version expects in some rows of a page, and the result of its repair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RepairedField {
    /// The field, such as `os.needsReboot`; never its content.
    pub field: String,
    /// Whether content was lost. If true, the field is absent from the model, or a list or map lacks elements, and
    /// [`Unreadable`](crate::Unreadable) names the field. If false, nothing was lost except letters that are not Unicode: for example a
    /// number sent as text, a repeated key, or a `null` in a list.
    pub lost: bool,
    /// Number of rows with this field.
    pub rows: usize,
}

impl RepairedField {
    /// Adds the repaired fields of another page.
    pub(crate) fn merge(all: &mut Vec<Self>, more: Vec<Self>) {
        for field in more {
            let same = |there: &&mut Self| there.field == field.field && there.lost == field.lost;
            match all.iter_mut().find(same) {
                Some(there) => there.rows += field.rows,
                None => all.push(field),
            }
        }
    }
}

/// A page as NinjaOne sent it.
#[derive(Debug)]
pub(crate) struct RawPage<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) malformed: Vec<MalformedRow>,
    pub(crate) repaired: Vec<RepairedField>,
    /// The ids of malformed rows, if the ids could be read.
    pub(crate) malformed_ids: Vec<i64>,
    pub(crate) cursor: Option<Cursor>,
    /// A hash of the rows, without the cursor.
    pub(crate) fingerprint: u64,
    /// The bytes that the rows were decoded from.
    pub(crate) body: Body,
}

/// The bytes of a page. They are a customer's data, so `Debug` prints only their number.
#[derive(Clone, Default)]
pub(crate) struct Body(pub(crate) Bytes);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
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
    /// The body breaks off.
    BrokenOff,
    /// The body is not JSON.
    Garbled,
    /// The body is an error although the status is success, with or without rows.
    VendorError,
    /// The body is JSON of another shape. Names the field at fault, if there is one.
    Shape(Option<String>),
    /// The rows are `null`, and no count says that there are none.
    NullRows,
    /// The body exceeds a limit.
    Exceeds(Fence),
}

/// A limit that a response exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Bytes of the body.
    Body(usize),
    /// Rows of a page.
    Rows(usize),
    /// Bytes of memory for the decoded content.
    Decoded(usize),
    /// Bytes of a cursor.
    Cursor(usize),
    /// Levels of nesting, if the caller's type reads all of them.
    Depth,
}

/// The limits of one response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fences {
    /// Rows of a page.
    pub(crate) rows: usize,
    /// Rows that were requested; 0 if the request had no page size.
    expected: usize,
    /// Bytes of memory that the decoded content may take, in addition to the body.
    pub(crate) decoded: usize,
}

impl Fences {
    /// The most rows of a page that was requested without a page size.
    pub(crate) const ROWS: usize = 1_000_000;
    /// The default limit for the memory of decoded content.
    pub(crate) const DECODED: usize = 64 << 20;
    /// The most bytes of a cursor. Observed cursors have about a hundred.
    const CURSOR: usize = 64 << 10;

    /// The limits of a page for which `asked` rows were requested.
    pub(crate) fn of(asked: Option<usize>, decoded: usize) -> Self {
        let rows = asked.map_or(Self::ROWS, |asked| asked.saturating_mul(MOST_TIMES_ASKED));
        Self {
            rows,
            expected: asked.unwrap_or(0),
            decoded,
        }
    }

    /// The memory for everything except texts. The texts of a response are not counted one by one: together they are at most as long as the
    /// body, so the body's length is reserved for them. At least half of the limit remains for the rows that contain the texts.
    fn beside_texts(self, body: &[u8]) -> usize {
        let least = self.decoded / 2;
        self.decoded.saturating_sub(body.len()).max(least)
    }
}

impl Default for Fences {
    fn default() -> Self {
        Self::of(None, Self::DECODED)
    }
}

/// Reads a page: a bare array, or an object with the rows under `results` or `activities`.
pub(crate) fn read_page<T: DeserializeOwned>(
    body: &Bytes,
    fences: Fences,
) -> Result<RawPage<T>, Unreadable> {
    let allowed = fences.beside_texts(body);
    let meter = Meter::start(allowed);
    let page = match envelope::<T>(body, fences, &meter) {
        Ok(envelope) => envelope.into_page(body, |rows| {
            Ok(Rows {
                read: rows,
                ..Rows::default()
            })
        }),
        Err(NoEnvelope::Exceeds(fence)) => Err(Unreadable::Exceeds(fence)),
        Err(NoEnvelope::Json(error)) if error.classify() == Category::Eof => {
            Err(Unreadable::BrokenOff)
        }
        Err(NoEnvelope::Json(_)) => {
            meter.give_back_to(allowed);
            let text = lossy(body, fences)?;
            let envelope = match envelope::<&RawValue>(text.as_bytes(), fences, &meter) {
                Ok(envelope) => envelope,
                Err(NoEnvelope::Exceeds(fence)) => return Err(Unreadable::Exceeds(fence)),
                Err(NoEnvelope::Json(error)) => {
                    return Err(Unreadable::of(&error, text.as_bytes(), None));
                }
            };
            envelope.into_page(text.as_bytes(), |rows| row_by_row(rows, fences, &meter))
        }
    };
    page.map(|page| RawPage {
        body: Body(body.clone()),
        ..page
    })
}

/// Reads one object, or any other type `T`.
pub(crate) fn read_single<T: DeserializeOwned>(
    body: &Bytes,
    fences: Fences,
) -> Result<T, Unreadable> {
    if VendorError::is_error_object(body) {
        return Err(Unreadable::VendorError);
    }
    let exceeds = Unreadable::Exceeds(Fence::Decoded(fences.decoded));
    let allowed = fences.beside_texts(body);
    // A type that the caller defines does not charge the meter, so the values of a large body are counted in advance.
    if body.len() > allowed / LARGEST_VALUE && values_at_most(body) > allowed / LARGEST_VALUE {
        return Err(exceeds);
    }
    let meter = Meter::start(allowed);
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(_) if meter.is_exceeded() => return Err(exceeds),
        Err(error) => error,
    };
    meter.give_back_to(allowed);
    let text = lossy(body, fences)?;
    match Node::parse(&text) {
        Ok(node) => match repair::read(&node) {
            _ if meter.is_exceeded() => Err(exceeds),
            Ok((value, _)) => Ok(value),
            Err(_) if node.is_too_deep() => Err(Unreadable::Exceeds(Fence::Depth)),
            Err(_) => Err(Unreadable::Shape(field_at_fault::<T>(body))),
        },
        Err(NoTree::TooLarge) => Err(exceeds),
        Err(NoTree::Invalid) => Err(Unreadable::of(&error, body, field_at_fault::<T>(body))),
    }
}

/// The most bytes that a value takes in a free-form tree, including its key and its share of the tree's nodes.
const LARGEST_VALUE: usize = 128;

/// An upper bound on the number of values in a body: each value except the first follows a bracket or a comma.
fn values_at_most(body: &[u8]) -> usize {
    body.iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
        .count()
        + 1
}

/// Replaces invalid UTF-8, so that it costs single letters and not the page. The copy is charged to the meter, because a replacement is
/// longer than what it replaces.
fn lossy(body: &[u8], fences: Fences) -> Result<Cow<'_, str>, Unreadable> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Ok(Cow::Borrowed(text));
    }
    let length = |chunk: std::str::Utf8Chunk<'_>| {
        chunk.valid().len() + char::REPLACEMENT_CHARACTER.len_utf8()
    };
    if !meter::charge(body.utf8_chunks().map(length).sum()) {
        return Err(Unreadable::Exceeds(Fence::Decoded(fences.decoded)));
    }
    Ok(String::from_utf8_lossy(body))
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

/// Whether the body begins with a bracket that its end does not close. `serde_json` reports a number that is cut at its decimal point as a
/// syntax error, not as an early end.
/// error, not an early end.
fn is_open_ended(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    match body.first() {
        Some(b'{') => body.last() != Some(&b'}'),
        Some(b'[') => body.last() != Some(&b']'),
        _ => false,
    }
}

/// The decoded rows of a page.
struct Rows<T> {
    read: Vec<T>,
    malformed: Vec<MalformedRow>,
    malformed_ids: Vec<i64>,
    repaired: Vec<RepairedField>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self {
            read: Vec::new(),
            malformed: Vec::new(),
            malformed_ids: Vec::new(),
            repaired: Vec::new(),
        }
    }
}

/// Reads rows one by one and repairs those that do not decode.
fn row_by_row<T: DeserializeOwned>(
    raw: Vec<&RawValue>,
    fences: Fences,
    meter: &Meter,
) -> Result<Rows<T>, Unreadable> {
    let mut rows = Rows::default();
    let mut repaired: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for (position, raw) in raw.into_iter().enumerate() {
        let mut malformed = |field, id| {
            rows.malformed.push(MalformedRow { position, field });
            rows.malformed_ids.extend::<Option<i64>>(id);
        };
        let before = meter.left();
        if !meter::charge_element::<T>() {
            return Err(Unreadable::Exceeds(Fence::Decoded(fences.decoded)));
        }
        let row = serde_json::from_str::<T>(raw.get());
        if meter.is_exceeded() {
            return Err(Unreadable::Exceeds(Fence::Decoded(fences.decoded)));
        }
        if let Ok(row) = row {
            rows.read.push(row);
            continue;
        }
        meter.give_back_to(before);
        match Node::of(raw) {
            Ok(node) => {
                let with_tree = meter.left();
                match repair::read::<T>(&node) {
                    Ok((row, found)) => {
                        meter::charge_element::<T>();
                        rows.read.push(row);
                        for field in found {
                            *repaired.entry((field.field, field.lost)).or_default() += 1;
                        }
                    }
                    Err(_) => malformed(field_at_fault::<T>(raw.get().as_bytes()), id_of(&node)),
                }
                if meter.is_exceeded() {
                    return Err(Unreadable::Exceeds(Fence::Decoded(fences.decoded)));
                }
                // The tree is freed here; the value that was read from it remains.
                meter.give_back_to(before - (with_tree - meter.left()));
            }
            Err(NoTree::TooLarge) => {
                return Err(Unreadable::Exceeds(Fence::Decoded(fences.decoded)));
            }
            Err(NoTree::Invalid) => malformed(None, None),
        }
    }
    rows.repaired = repaired
        .into_iter()
        .map(|((field, lost), rows)| RepairedField { field, lost, rows })
        .collect();
    Ok(rows)
}

/// The id of a row that does not decode. Paging needs it to continue after the row.
fn id_of(row: &Node<'_>) -> Option<i64> {
    repair::read(row.field("id")?).ok().map(|(id, _)| id)
}

/// Finds the field that did not decode.
///
/// The path ends at a free-form object, because the names inside it are a customer's data.
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

/// The object that contains the rows.
struct Envelope<'a, R> {
    rows: Option<Vec<R>>,
    rows_were_null: bool,
    cursor: Option<&'a RawValue>,
    /// `/v2/custom-fields` sends its count outside the cursor.
    count: Option<&'a RawValue>,
    is_error: bool,
}

impl<R> Envelope<'_, R> {
    fn into_page<T>(
        self,
        body: &[u8],
        read: impl FnOnce(Vec<R>) -> Result<Rows<T>, Unreadable>,
    ) -> Result<RawPage<T>, Unreadable> {
        if self.is_error {
            // The rows of such a body may be only those that were found before the error.
            return Err(Unreadable::VendorError);
        }
        let rows = self.rows.ok_or(Unreadable::Shape(None))?;
        let beside = [self.cursor, self.count].into_iter().flatten();
        if beside.map(|raw| raw.get().len()).max() > Some(Fences::CURSOR) {
            return Err(Unreadable::Exceeds(Fence::Cursor(Fences::CURSOR)));
        }
        let fingerprint = fingerprint(body);
        let cursor = Cursor::read(
            self.cursor.map(RawValue::get),
            self.count.map(RawValue::get),
        );
        // `null` is not an empty list: only a count of 0 shows that there are no rows.
        if self.rows_were_null && cursor.as_ref().and_then(|cursor| cursor.count) != Some(0) {
            return Err(Unreadable::NullRows);
        }
        let rows = read(rows)?;
        Ok(RawPage {
            rows: rows.read,
            malformed: rows.malformed,
            repaired: rows.repaired,
            malformed_ids: rows.malformed_ids,
            cursor,
            fingerprint,
            body: Body::default(),
        })
    }
}

/// Hashes the rows of a body, from the first bracket to the last. The hash excludes the cursor, because its expiry changes and it may be
/// absent.
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

/// FNV over words of eight bytes: fast, and sufficient because the hash need not resist attacks.
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

/// Bytes that a row is assumed to have at least, so that a small body does not reserve memory for many rows.
const SMALL_ROW: usize = 64;

/// Why there is no envelope.
enum NoEnvelope {
    Json(serde_json::Error),
    Exceeds(Fence),
}

/// Reads an envelope with its rows, within the limits.
fn envelope<'de, R: Deserialize<'de>>(
    body: &'de [u8],
    fences: Fences,
    meter: &Meter,
) -> Result<Envelope<'de, R>, NoEnvelope> {
    let too_many = Cell::new(false);
    let rows = EnvelopeRows {
        most: fences.rows,
        expected: fences.expected.min(body.len() / SMALL_ROW),
        too_many: &too_many,
        rows: PhantomData,
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let envelope = rows
        .envelope(&mut json)
        .and_then(|envelope| json.end().map(|()| envelope));
    if too_many.get() {
        Err(NoEnvelope::Exceeds(Fence::Rows(fences.rows)))
    } else if meter.is_exceeded() {
        Err(NoEnvelope::Exceeds(Fence::Decoded(fences.decoded)))
    } else {
        envelope.map_err(NoEnvelope::Json)
    }
}

/// Reads and counts the rows of an envelope.
struct EnvelopeRows<'c, R> {
    most: usize,
    /// Number of rows to reserve memory for in advance, because a list that grows is copied again and again.
    expected: usize,
    too_many: &'c Cell<bool>,
    rows: PhantomData<R>,
}

impl<R> Clone for EnvelopeRows<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for EnvelopeRows<'_, R> {}

impl<'de, R: Deserialize<'de>> EnvelopeRows<'_, R> {
    fn envelope<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope<'de, R>, D::Error> {
        deserializer.deserialize_any(EnvelopeVisitor(self))
    }
}

/// `null` counts as no rows.
impl<'de, R: Deserialize<'de>> DeserializeSeed<'de> for EnvelopeRows<'_, R> {
    type Value = Option<Vec<R>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Deserialize<'de>> Visitor<'de> for EnvelopeRows<'_, R> {
    type Value = Option<Vec<R>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::with_capacity(self.expected);
        while let Some(row) = seq.next_element()? {
            if rows.len() == self.most {
                self.too_many.set(true);
                return Err(A::Error::custom(TOO_MUCH));
            }
            if !meter::charge_element::<R>() {
                return Err(A::Error::custom(TOO_MUCH));
            }
            rows.push(row);
        }
        Ok(Some(rows))
    }
}

struct EnvelopeVisitor<'c, R>(EnvelopeRows<'c, R>);

impl<'de, R: Deserialize<'de>> Visitor<'de> for EnvelopeVisitor<'_, R> {
    type Value = Envelope<'de, R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows, or an object that holds one")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Ok(Envelope {
            rows: self.0.visit_seq(seq)?,
            rows_were_null: false,
            cursor: None,
            count: None,
            is_error: false,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope {
            rows: None,
            rows_were_null: false,
            cursor: None,
            count: None,
            is_error: false,
        };
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Results | Key::Activities => {
                    let rows = map.next_value_seed(self.0)?;
                    envelope.rows_were_null = rows.is_none();
                    envelope.rows = Some(rows.unwrap_or_default());
                }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::{Device, Volume};

    fn page(body: &'static str) -> Result<RawPage<Device>, Unreadable> {
        read_page(&Bytes::from_static(body.as_bytes()), Fences::default())
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
            (r#"{"results":null,"cursor":{"count":0}}"#, 0),
            (r#"{"count":0,"results":null}"#, 0),
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
            (r#"{"results":null}"#, Unreadable::NullRows),
            (
                r#"{"activities":null,"lastActivityId":9}"#,
                Unreadable::NullRows,
            ),
            (
                r#"{"results":null,"cursor":{"name":"c","count":1}}"#,
                Unreadable::NullRows,
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
    fn only_what_is_no_object_is_no_row_and_every_other_row_is_repaired() {
        let body = r#"[{"id":1},{"id":2,"os":{"needsReboot":"jane@example.com"}},7,{"id":4,"systemName":"\ud800"},
            ["id",5],{"id":"6","macAddresses":[null,"00:00:5E:00:53:01"]},null,{"id":7,"offline":[],"id":8}]"#;
        let page = page(body).unwrap();
        let ids: Vec<_> = page.rows.iter().map(|row| row.id.unwrap().get()).collect();
        assert_eq!(ids, [1, 2, 4, 6, 8]);
        let positions: Vec<_> = page.malformed.iter().map(|row| row.position).collect();
        assert_eq!(positions, [2, 4, 6]);
        assert!(page.malformed.iter().all(|row| row.field.is_none()));
        let repaired: Vec<_> = page
            .repaired
            .iter()
            .map(|field| (&*field.field, field.lost, field.rows))
            .collect();
        assert_eq!(
            repaired,
            [
                ("id", false, 2),
                ("macAddresses", false, 1),
                ("offline", true, 1),
                ("os.needsReboot", true, 1),
                ("systemName", false, 1),
            ]
        );
        assert!(!format!("{page:?}").contains("jane"));
    }

    #[test]
    fn the_id_of_a_row_of_the_callers_own_type_is_read_in_any_form() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only its id is looked at")]
        struct Strict {
            id: i64,
            name: String,
        }
        let body = Bytes::from_static(
            br#"[{"id":"5","name":[]},{"id":6.0},{"id":7e0,"name":{}},{"id":8.5},{"id":9,"name":"x"},{"name":"y"}]"#,
        );
        let page = read_page::<Strict>(&body, Fences::default()).unwrap();
        assert_eq!(page.malformed_ids, [5, 6, 7]);
        assert_eq!((page.rows.len(), page.malformed.len()), (1, 5));
    }

    #[test]
    fn one_object_is_repaired_as_a_row_is() {
        let read = |json: &'static str| {
            read_single::<Device>(&Bytes::from_static(json.as_bytes()), Fences::default())
        };
        let device = read(r#"{"id":"5","systemName":"\ud83d","offline":7,"id":6.0}"#).unwrap();
        assert_eq!(device.id, Some(crate::DeviceId::new(6)));
        assert_eq!(device.system_name.as_deref(), Some("\u{fffd}"));
        assert!(device.unreadable.contains("offline"));
        assert_eq!(read("[1]").unwrap_err(), Unreadable::Shape(None));
        assert_eq!(read(r#"{"id":1"#).unwrap_err(), Unreadable::BrokenOff);
        // Unexpected words do not hide an error.
        for error in [
            r#"{"resultCode":"FAILURE","errorMessage":"\ud800"}"#,
            r#"{"error":"x","error":null}"#,
            r#"{"\ud800":1,"error":"x"}"#,
        ] {
            assert_eq!(read(error).unwrap_err(), Unreadable::VendorError, "{error}");
        }
    }

    #[test]
    fn free_form_names_are_not_told() {
        type Row = crate::models::OrganizationSettings;
        let field =
            field_at_fault::<Row>(br#"{"backup":{"options":{"Jane Doe":1},"enabled":"x"}}"#);
        assert_eq!(field.as_deref(), Some("backup.enabled"));
        let field = field_at_fault::<BTreeMap<String, i64>>(br#"{"Jane Doe":"x"}"#);
        assert_eq!(field, None);
    }

    #[test]
    fn bytes_that_are_not_utf8_cost_their_letters_only() {
        let body = Bytes::from_static(b"[{\"id\":1,\"systemName\":\"B\xfcro\"}]");
        let page = read_page::<Device>(&body, Fences::default()).unwrap();
        assert_eq!(page.rows.len(), 1);
        assert!(page.malformed.is_empty());
    }

    #[test]
    fn the_fingerprint_sees_rows_and_not_the_cursor() {
        let print = |body: &str| {
            read_page::<Volume>(&Bytes::from(body.to_owned()), Fences::default())
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

    fn exceeds<T: DeserializeOwned + fmt::Debug>(body: String, fences: Fences) -> Option<Fence> {
        match read_page::<T>(&Bytes::from(body), fences) {
            Err(Unreadable::Exceeds(fence)) => Some(fence),
            _ => None,
        }
    }

    #[test]
    fn a_page_holds_ten_times_the_rows_that_were_asked_for_and_no_more() {
        let fences = Fences::of(Some(5), Fences::DECODED);
        for row in ["{}", r#"{"id":"5"}"#, "7"] {
            let rows = |rows: usize| format!("[{row}{}]", format!(",{row}").repeat(rows - 1));
            assert_eq!(exceeds::<Device>(rows(50), fences), None, "{row}");
            let too_many = exceeds::<Device>(rows(51), fences);
            assert_eq!(too_many, Some(Fence::Rows(50)), "{row}");
            let report = format!(r#"{{"results":{}}}"#, rows(51));
            assert_eq!(exceeds::<Device>(report, fences), too_many, "{row}");
        }
    }

    #[test]
    fn what_a_body_becomes_is_bounded_wherever_it_grows() {
        let fences = Fences::of(Some(1_000_000), 1 << 20);
        let decoded = Some(Fence::Decoded(1 << 20));
        let many = |element: &str| format!("[{element}{}]", format!(",{element}").repeat(400_000));
        let of_a_row = |field: &str, value: &str| format!(r#"[{{"id":1,"{field}":{value}}}]"#);
        let entries: Vec<_> = (0..40_000).map(|key| format!(r#""{key}":0"#)).collect();
        for body in [
            many("{}"),
            many("0"),
            many(r#"{"id":"1"}"#),
            // One row with a long list.
            of_a_row("volumes", &many("{}")),
            of_a_row("macAddresses", &many(r#""""#)),
            of_a_row("macAddresses", &many("null")),
            of_a_row("tags", &many("{}")),
            of_a_row("userData", &format!(r#"{{"a":{}}}"#, many("[]"))),
            of_a_row("userData", &format!("{{{}}}", entries.join(","))),
            of_a_row("offline", &many("0")),
            of_a_row("ofALaterVersion", &many("0")).replace(r#""id":1"#, r#""id":"1""#),
        ] {
            assert_eq!(
                exceeds::<Device>(body.clone(), fences),
                decoded,
                "{body:.60}"
            );
        }
        for cursor in [
            r#"{"results":[],"cursor":X}"#,
            r#"{"results":[],"count":X}"#,
        ] {
            let body = cursor.replace('X', &many("0"));
            let fence = exceeds::<Device>(body, fences);
            assert_eq!(fence, Some(Fence::Cursor(Fences::CURSOR)));
        }
        // Values that the type does not read cost nothing.
        assert_eq!(
            exceeds::<Device>(of_a_row("ofALaterVersion", &many("0")), fences),
            None
        );
        // Invalid bytes are replaced by longer characters.
        let body = [
            b"[{\"id\":1,\"systemName\":\"",
            vec![0xff; 3 << 20].as_slice(),
            b"\"}]",
        ]
        .concat();
        let read = read_page::<Device>(&Bytes::from(body), fences);
        assert_eq!(
            read.unwrap_err(),
            Unreadable::Exceeds(Fence::Decoded(1 << 20))
        );
    }

    #[test]
    fn one_object_is_bounded_too_whatever_its_type() {
        let fences = Fences::of(None, 1 << 20);
        let body = Bytes::from(format!("[{}0]", "0,".repeat(100_000)));
        let read = read_single::<serde_json::Value>(&body, fences);
        assert_eq!(
            read.unwrap_err(),
            Unreadable::Exceeds(Fence::Decoded(1 << 20))
        );
        let body = Bytes::from(format!(r#"{{"tags":[{}{{}}]}}"#, "{},".repeat(8_000)));
        let read = read_single::<crate::models::Tags>(&body, fences);
        assert_eq!(
            read.unwrap_err(),
            Unreadable::Exceeds(Fence::Decoded(1 << 20))
        );
        let deep = Bytes::from(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
        let read = read_single::<serde_json::Value>(&deep, Fences::default());
        assert_eq!(read.unwrap_err(), Unreadable::Exceeds(Fence::Depth));
    }

    #[test]
    fn nesting_without_end_costs_its_field_and_never_the_stack() {
        let deep = format!("{}{}", r#"{"a":["#.repeat(200_000), "]}".repeat(200_000));
        for field in [
            "userData",
            "offline",
            "systemName",
            "volumes",
            "lastContact",
            "ofALaterVersion",
        ] {
            let body = format!(r#"[{{"id":1,"{field}":{deep}}},{{"id":2}}]"#);
            let page = read_page::<Device>(&Bytes::from(body), Fences::default()).unwrap();
            assert_eq!((page.rows.len(), page.malformed.len()), (2, 0), "{field}");
            let is_named = !matches!(field, "lastContact" | "ofALaterVersion");
            assert_eq!(page.rows[0].unreadable.contains(field), is_named, "{field}");
        }
    }

    #[test]
    fn a_page_of_odd_rows_takes_time_in_proportion_to_its_size() {
        // Every row fails, and every element of a long list.
        let row = format!(
            r#"{{"id":"1","macAddresses":[{}null],"a":1,"a":2,"systemName":"{}"}}"#,
            "null,".repeat(200),
            r"\ud800".repeat(100)
        );
        let page =
            |rows: usize| Bytes::from(format!("[{row}{}]", format!(",{row}").repeat(rows - 1)));
        let took = |body: &Bytes| {
            let began = std::time::Instant::now();
            let page = read_page::<Device>(body, Fences::default()).unwrap();
            assert!(page.malformed.is_empty());
            began.elapsed()
        };
        let (small, large) = (page(200), page(1600));
        let small = (0..3).map(|_| took(&small)).min().unwrap();
        let large = (0..3).map(|_| took(&large)).min().unwrap();
        assert!(large < small * 32, "{small:?} {large:?}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let body = Bytes::from(body);
            let _ = read_page::<Device>(&body, Fences::default());
            let _ = read_single::<Device>(&body, Fences::default());
        }

        #[test]
        fn pages_torn_at_any_place_are_never_short_lists(rows in 1_usize..20, cut in 0.0_f64..1.0) {
            let body = serde_json::to_vec(&serde_json::json!({
                "cursor": {"name": "c", "offset": 0, "count": rows, "expires": 1_787_901_861.0},
                "results": (0..rows).map(|id| serde_json::json!({"deviceId": id, "name": "C:"})).collect::<Vec<_>>(),
            })).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "test")]
            let at = (body.len() as f64 * cut) as usize;
            let torn = read_page::<Volume>(&Bytes::copy_from_slice(&body[..at]), Fences::default());
            prop_assert_eq!(torn.unwrap_err(), Unreadable::BrokenOff);
        }
    }
}
