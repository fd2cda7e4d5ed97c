//! Reads the fields of models: directly if they have the expected form, and one by one if not.
//!
//! A field of a model is read as an `Option`, which most deserializers pass as nothing or something. The deserializer of [`crate::repair`]
//! passes it as a sequence of one attempt instead. If the attempt fails, only that field is dropped.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::{meter, timestamp::PRECISE_NUMBER};

/// The newtype name by which [`crate::repair`] recognises a model.
pub(crate) const MODEL: &str = "$ninjaone_client::model";

/// A type that a field of a model may have: the types below, and the types that [`model!`](crate::models) and similar macros declare. No
/// other type implements it.
pub(crate) trait Field: Sized {
    /// Reads a value that is present.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Creates a value for tests. `next` makes each value different.
    #[cfg(test)]
    fn sample(next: &mut i64) -> Self;
}

/// Reads a field of a model.
pub(crate) fn field<'de, T: Field, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(Attempted::<T, true>(PhantomData))
}

/// Reads an element of a list or a map; none if the element was dropped.
struct Element<T>(PhantomData<T>);

impl<'de, T: Field> DeserializeSeed<'de> for Element<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(Attempted::<T, false>(PhantomData))
    }
}

struct Attempted<T, const NULL_IS_ABSENT: bool>(PhantomData<T>);

impl<'de, T: Field, const NULL_IS_ABSENT: bool> Visitor<'de> for Attempted<T, NULL_IS_ABSENT> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the field's type")
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        if NULL_IS_ABSENT {
            Ok(None)
        } else {
            Err(E::custom("no value"))
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read(deserializer).map(Some)
    }

    /// Reads the attempt that [`crate::repair`] passes.
    fn visit_seq<A: SeqAccess<'de>>(self, mut attempt: A) -> Result<Option<T>, A::Error> {
        Ok(attempt
            .next_element_seed(Content(PhantomData))
            .unwrap_or(None))
    }
}

struct Content<T>(PhantomData<T>);

impl<'de, T: Field> DeserializeSeed<'de> for Content<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

/// Implements [`Field`] for types that implement `Deserialize`.
macro_rules! fields {
    ($($type:ty = $sample:expr;)*) => {$(
        impl $crate::field::Field for $type {
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <Self as serde::Deserialize>::deserialize(deserializer)
            }

            #[cfg(test)]
            fn sample(next: &mut i64) -> Self {
                *next += 1;
                let sample: fn(i64) -> Self = $sample;
                sample(*next)
            }
        }
    )*};
}

pub(crate) use fields;

fields! {
    String = |next| format!("text {next}");
    bool = |next| next % 2 == 0;
    i64 = |next| next;
    f64 = |next| {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let next = next as f64;
        next + 0.5
    };
}

impl<T: Field> Field for Box<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !meter::charge(size_of::<T>()) {
            return Err(D::Error::custom(TOO_MUCH));
        }
        T::read(deserializer).map(Self::new)
    }

    #[cfg(test)]
    fn sample(next: &mut i64) -> Self {
        Self::new(T::sample(next))
    }
}

impl<T: Field> Field for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List(PhantomData))
    }

    #[cfg(test)]
    fn sample(next: &mut i64) -> Self {
        vec![T::sample(next), T::sample(next)]
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }

    #[cfg(test)]
    fn sample(next: &mut i64) -> Self {
        [("one".to_owned(), T::sample(next))].into()
    }
}

impl Field for Value {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FreeForm)
    }

    #[cfg(test)]
    fn sample(next: &mut i64) -> Self {
        *next += 1;
        serde_json::json!({"free": [*next, 0.5, null, "text"]})
    }
}

impl Field for Map<String, Value> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FreeObject)
    }

    #[cfg(test)]
    fn sample(next: &mut i64) -> Self {
        [("free".to_owned(), Value::sample(next))]
            .into_iter()
            .collect()
    }
}

/// The text of an error that is never shown, because the decoder checks the meter.
pub(crate) const TOO_MUCH: &str = "more than is allowed";

struct List<T>(PhantomData<T>);

impl<'de, T: Field> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element_seed(Element(PhantomData))? {
            if !meter::charge_element::<T>() {
                return Err(A::Error::custom(TOO_MUCH));
            }
            list.extend(element);
        }
        Ok(list)
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Field> Visitor<'de> for Entries<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if !meter::charge_element::<(String, T)>() {
                return Err(A::Error::custom(TOO_MUCH));
            }
            match map.next_value_seed(Element(PhantomData))? {
                Some(value) => entries.insert(key, value),
                // Of a repeated key, the last value is used, even if it is not readable.
                None => entries.remove(&key),
            };
        }
        Ok(entries)
    }
}

/// A free-form value: any JSON that `serde_json` reads, within the limit of the meter.
struct FreeForm;

impl<'de> DeserializeSeed<'de> for FreeForm {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FreeForm {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(Self)? {
            if !meter::charge_element::<Value>() {
                return Err(A::Error::custom(TOO_MUCH));
            }
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let mut object = FreeObject.visit_map(map)?;
        // If a program enables `arbitrary_precision` of `serde_json`, a number arrives as an object.
        if object.len() == 1
            && let Some(Value::String(text)) = object.get(PRECISE_NUMBER)
            && let Ok(number) = serde_json::from_str::<Number>(text)
        {
            object.clear();
            return Ok(number.into());
        }
        Ok(object.into())
    }
}

struct FreeObject;

impl<'de> Visitor<'de> for FreeObject {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if !meter::charge_element::<(String, Value)>() {
                return Err(A::Error::custom(TOO_MUCH));
            }
            object.insert(key, map.next_value_seed(FreeForm)?);
        }
        Ok(object)
    }
}
