//! Reads a value from a [`Node`] whose JSON has another form than the type expects.
//!
//! A value in another form is read only if that loses nothing. [`whole`], [`flag`] and [`plain_text`] define all of these conversions. If a
//! value cannot be read, the innermost field of a model is dropped and its row is kept: see [`crate::field`], which calls this deserializer
//! in a way that no other deserializer answers.

use std::cell::{Cell, RefCell};

use serde::{
    de::{
        self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor,
        value::{MapAccessDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::{
    field::MODEL,
    tree::{Entry, Node, Text},
    unreadable::KEY,
};

/// The error for a value that could not be read. It has no details, because the text of an error may quote the value.
#[derive(Debug)]
pub(crate) struct Unread;

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value could not be read")
    }
}

impl std::error::Error for Unread {}

impl de::Error for Unread {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A field that was not as expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// The path of the field, relative to the model that the log belongs to.
    pub(crate) field: String,
    /// Whether content was lost.
    pub(crate) lost: bool,
}

/// The faults found while one model is read.
#[derive(Default)]
pub(crate) struct Log<'n> {
    /// The field that is being read.
    field: Cell<Option<&'n str>>,
    // The length is bounded, because only fields that the model and its inner models know are noted.
    found: RefCell<Vec<FieldFault>>,
}

impl Log<'_> {
    fn note(&self, lost: bool) {
        if let Some(field) = self.field.get() {
            self.add(field, lost);
        }
    }

    fn add(&self, field: &str, lost: bool) {
        let mut found = self.found.borrow_mut();
        match found.iter_mut().find(|found| found.field == field) {
            Some(found) => found.lost |= lost,
            None => found.push(FieldFault {
                field: field.to_owned(),
                lost,
            }),
        }
    }

    /// Adds the faults of an inner model.
    fn merge(&self, below: &Self) {
        for found in below.found.borrow().iter() {
            match self.field.get() {
                Some(field) => self.add(&format!("{field}.{}", found.field), found.lost),
                None => self.add(&found.field, found.lost),
            }
        }
    }

    fn lost(&self) -> Vec<String> {
        let found = self.found.borrow();
        let lost = found.iter().filter(|found| found.lost);
        lost.map(|found| found.field.clone()).collect()
    }
}

/// Reads a value from a tree and returns the fields that were not as expected.
pub(crate) fn read<T: de::DeserializeOwned>(
    node: &Node<'_>,
) -> Result<(T, Vec<FieldFault>), Unread> {
    let log = Log::default();
    let value = T::deserialize(Repair {
        node,
        log: &log,
        place: Place::Free,
        repeated: false,
        is_model: false,
    })?;
    Ok((value, log.found.into_inner()))
}

/// The place of a value, which decides how it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of a model's fields: a type that the caller defines, or a free-form value.
    Free,
    /// A field of a model.
    Field,
    /// An element of a list or map that is a field of a model.
    Element,
    /// The content of a field or element, which [`crate::field`] reads.
    Content,
}

#[derive(Clone, Copy)]
struct Repair<'n, 'c> {
    node: &'n Node<'n>,
    log: &'c Log<'n>,
    place: Place,
    /// Whether an earlier field with the same key was dropped.
    repeated: bool,
    is_model: bool,
}

impl<'n> Repair<'n, '_> {
    fn integer(&self) -> Result<i128, Unread> {
        let (number, as_expected) = match self.node {
            Node::Number(number) => match digits(number) {
                Some(number) => (Some(number), true),
                None => (whole(number).map(i128::from), false),
            },
            Node::Text(text) => (number_of(text), false),
            _ => (None, false),
        };
        let number = number.ok_or(Unread)?;
        if !as_expected {
            self.log.note(false);
        }
        Ok(number)
    }

    fn float(&self) -> Result<f64, Unread> {
        let (json, as_expected) = match self.node {
            Node::Number(number) => (*number, true),
            Node::Text(text) if !text.mended => (number_text(&text.text).ok_or(Unread)?, false),
            _ => return Err(Unread),
        };
        let number = finite(json).ok_or(Unread)?;
        if !as_expected {
            self.log.note(false);
        }
        Ok(number)
    }

    fn note_repeated(&self) {
        if self.repeated {
            self.log.note(false);
        }
    }

    fn text(&self, text: &'n Text<'n>) -> &'n str {
        if text.mended {
            self.log.note(false);
        }
        &text.text
    }
}

/// Reads a whole number in any form that loses nothing: digits, or a decimal or exponent form that has no fraction and that a double holds
/// exactly. The sender's encoder may have rounded larger numbers.
fn whole(json: &str) -> Option<i64> {
    const EXACT: i64 = 1 << 53;
    let (sign, unsigned) = match json.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, json),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    // Digits as one integer, times ten to the power of `scale`.
    let mut all = format!("{int}{fraction}");
    let mut scale = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let significant = all.trim_end_matches('0').len();
    scale = scale.checked_add(i64::try_from(all.len() - significant).ok()?)?;
    all.truncate(significant);
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    if !(0..=16).contains(&scale) || digits.len() > 16 {
        return None;
    }
    let power = 10_i64.checked_pow(u32::try_from(scale).ok()?)?;
    let number = digits.parse::<i64>().ok()?.checked_mul(power)?;
    (number <= EXACT).then_some(sign * number)
}

/// Reads a number that consists only of digits.
fn digits(json: &str) -> Option<i128> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if digits.len() > 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    json.parse().ok()
}

/// Returns the number that a text consists of, without blanks around it. It must be written exactly as in JSON: `007`, `1,000` and `+1` are
/// not numbers.
fn number_text(text: &str) -> Option<&str> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let begins = text.bytes().next()?;
    let is_number = (begins == b'-' || begins.is_ascii_digit())
        && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    is_number.then_some(text)
}

fn number_of(text: &Text<'_>) -> Option<i128> {
    if text.mended {
        return None;
    }
    let text = number_text(&text.text)?;
    digits(text).or_else(|| whole(text).map(i128::from))
}

/// Reads a number as `serde_json` does; none if it is out of range.
fn finite(json: &str) -> Option<f64> {
    let number: serde_json::Number = serde_json::from_str(json).ok()?;
    number.as_f64().filter(|number| number.is_finite())
}

/// Reads `true` and `false` as text, in any case. 0, 1, yes and no are not flags, because their meaning would be a guess.
fn flag(text: &Text<'_>) -> Option<bool> {
    let text = text.text.trim_matches([' ', '\t', '\r', '\n']);
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Returns a number as text, if it certainly has the form it was sent in: only digits, and no more than a double holds exactly. `1.10` may
/// have lost a zero, and `1e5` may have been `100000`.
fn plain_text(number: &str) -> Option<&str> {
    let is_exact = digits(number).is_some_and(|number| number.unsigned_abs() < 1 << 53);
    (is_exact && number != "-0").then_some(number)
}

impl<'de> Deserializer<'de> for Repair<'_, '_> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.note_repeated();
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Bool(flag) => visitor.visit_bool(*flag),
            Node::Number(json) => {
                if let Some(number) = digits(json) {
                    if let Ok(number) = u64::try_from(number) {
                        return visitor.visit_u64(number);
                    }
                    if let Ok(number) = i64::try_from(number) {
                        return visitor.visit_i64(number);
                    }
                }
                let Some(number) = finite(json) else {
                    // Among the fields of models, only times are read in this way, and a time marks itself as unreadable. A free-form value
                    // cannot hold such a number.
                    if self.place != Place::Field {
                        self.log.note(true);
                    }
                    return visitor.visit_f64(f64::INFINITY);
                };
                visitor.visit_f64(number)
            }
            Node::Text(text) => visitor.visit_str(self.text(text)),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Object(_) => self.deserialize_map(visitor),
            Node::TooDeep if self.place == Place::Field => visitor.visit_unit(),
            Node::TooDeep => Err(Unread),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.node {
            Node::Bool(flag) => visitor.visit_bool(*flag),
            Node::Text(text) => {
                let flag = flag(text).ok_or(Unread)?;
                self.log.note(false);
                visitor.visit_bool(flag)
            }
            _ => Err(Unread),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        let number = self.integer()?;
        if let Ok(number) = i64::try_from(number) {
            return visitor.visit_i64(number);
        }
        visitor.visit_u64(u64::try_from(number).map_err(|_| Unread)?)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_i128(self.integer()?)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_i128(self.integer()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_f64(self.float()?)
    }

    /// Reads words and borrowed texts. A word of a vocabulary is never a number.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.node {
            Node::Text(text) => visitor.visit_str(self.text(text)),
            _ => Err(Unread),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.node {
            Node::Text(text) => visitor.visit_str(self.text(text)),
            Node::Number(number) => {
                let text = plain_text(number).ok_or(Unread)?;
                self.log.note(false);
                visitor.visit_str(text)
            }
            _ => Err(Unread),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_any(visitor)
    }

    /// Passes a field of a model, or an element of a list in one, as a sequence of one attempt, which [`crate::field`] understands. So the
    /// value can fail without failing the model around it.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.place {
            Place::Free | Place::Content => match self.node {
                Node::Null => visitor.visit_none(),
                _ => visitor.visit_some(self),
            },
            Place::Field | Place::Element => {
                self.note_repeated();
                if self.place == Place::Field && matches!(self.node, Node::Null) {
                    return visitor.visit_none();
                }
                visitor.visit_seq(Attempt(self))
            }
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            _ => Err(Unread),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        visitor.visit_newtype_struct(Self {
            is_model: name == MODEL,
            ..self
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.node {
            Node::List(items) => visitor.visit_seq(Items {
                items: items.iter(),
                of: self,
            }),
            _ => Err(Unread),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.node {
            Node::Object(entries) if self.is_model => {
                let log = Log::default();
                let value = visitor.visit_map(Fields {
                    entries: entries.iter(),
                    value: None,
                    log: &log,
                    at_the_end: false,
                });
                self.log.merge(&log);
                value
            }
            Node::Object(entries) => visitor.visit_map(FreeFields {
                entries: entries.iter(),
                value: None,
                of: self,
            }),
            _ => Err(Unread),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        match self.node {
            Node::Text(text) => visitor.visit_enum(self.text(text).into_deserializer()),
            Node::Object(entries) => visitor.visit_enum(MapAccessDeserializer::new(FreeFields {
                entries: entries.iter(),
                value: None,
                of: self,
            })),
            _ => Err(Unread),
        }
    }

    /// A value that the type does not read is not examined.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_unit()
    }
}

/// One value that may fail, as a sequence of one element.
struct Attempt<'n, 'c>(Repair<'n, 'c>);

impl<'de> de::SeqAccess<'de> for Attempt<'_, '_> {
    type Error = Unread;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unread> {
        let read = seed.deserialize(Repair {
            place: Place::Content,
            repeated: false,
            ..self.0
        });
        if read.is_err() {
            // A null has no content, so nothing is lost with it.
            self.0.log.note(!matches!(self.0.node, Node::Null));
        }
        read.map(Some)
    }
}

struct Items<'n, 'c> {
    items: std::slice::Iter<'n, Node<'n>>,
    of: Repair<'n, 'c>,
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = Unread;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unread> {
        let Some(node) = self.items.next() else {
            return Ok(None);
        };
        let place = if self.of.place == Place::Content {
            Place::Element
        } else {
            Place::Free
        };
        let item = Repair {
            node,
            place,
            repeated: false,
            is_model: false,
            ..self.of
        };
        seed.deserialize(item).map(Some)
    }
}

/// The fields of a model, followed by the names of the fields that were lost.
struct Fields<'n, 'c> {
    entries: std::slice::Iter<'n, Entry<'n>>,
    value: Option<&'n Entry<'n>>,
    log: &'c Log<'n>,
    at_the_end: bool,
}

impl<'de> de::MapAccess<'de> for Fields<'_, '_> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unread> {
        if self.at_the_end {
            return Ok(None);
        }
        // This client reserves the key for the names, so it is ignored in a response.
        let next = self.entries.find(|entry| entry.key.text != KEY);
        self.value = next;
        self.log.field.set(next.map(|entry| &*entry.key.text));
        self.at_the_end = next.is_none();
        let key = next.map_or(KEY, |entry| &*entry.key.text);
        let key: de::value::StrDeserializer<'_, Unread> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unread> {
        let Some(entry) = self.value.take() else {
            return seed.deserialize(Names(self.log.lost()));
        };
        seed.deserialize(Repair {
            node: &entry.value,
            log: self.log,
            place: Place::Field,
            repeated: entry.repeated,
            is_model: false,
        })
    }
}

/// The fields of an object that is not a model.
struct FreeFields<'n, 'c> {
    entries: std::slice::Iter<'n, Entry<'n>>,
    value: Option<&'n Entry<'n>>,
    of: Repair<'n, 'c>,
}

impl<'de> de::MapAccess<'de> for FreeFields<'_, '_> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unread> {
        self.value = self.entries.next();
        let Some(entry) = self.value else {
            return Ok(None);
        };
        let key: de::value::StrDeserializer<'_, Unread> =
            self.of.text(&entry.key).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unread> {
        let entry = self.value.take().ok_or(Unread)?;
        // The values of a map in a model may fail one by one, like the elements of a list.
        let place = if self.of.place == Place::Content {
            Place::Element
        } else {
            Place::Free
        };
        seed.deserialize(Repair {
            node: &entry.value,
            place,
            repeated: false,
            is_model: false,
            ..self.of
        })
    }
}

/// The names of lost fields, for [`Unreadable`](crate::Unreadable). It ignores names from any other deserializer.
struct Names(Vec<String>);

impl<'de> Deserializer<'de> for Names {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
