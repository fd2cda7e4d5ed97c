//! A model is a JSON object and nothing else.
//!
//! What `serde` derives for a struct also takes an array and reads it field by field, in the order of the declaration: a
//! status of `["FULLY_ENCRYPTED", "", "PROTECTED"]` would be taken for an encrypted disk. NinjaOne sends objects, so anything
//! else is a row that does not decode.

use std::fmt;

use serde::{
    de::{Deserializer, MapAccess, Visitor},
    forward_to_deserialize_any,
};

use crate::field::MODEL;

/// A deserializer that reads structs from objects only.
pub(crate) struct Object<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // The name tells the deserializer of a repair that this is a model; all others pass through.
        self.0.deserialize_newtype_struct(MODEL, AsMap(visitor))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Reads an object, whatever it is wrapped in.
struct AsMap<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for AsMap<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        deserializer.deserialize_map(self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }
}

#[cfg(test)]
mod tests {
    use crate::models::{Device, Volume};

    #[test]
    fn an_array_is_no_row_and_no_nested_object() {
        assert!(serde_json::from_str::<Device>("[1]").is_err());
        assert!(serde_json::from_str::<Volume>(r#"["x"]"#).is_err());
        let status = r#"{"bitLockerStatus":["FULLY_ENCRYPTED","x","PROTECTED","x",true]}"#;
        assert!(serde_json::from_str::<Volume>(status).is_err());
        assert!(serde_json::from_str::<Volume>(r#"{"bitLockerStatus":{}}"#).is_ok());
        assert!(serde_json::from_str::<Volume>(r#"{"bitLockerStatus":null}"#).is_ok());
    }
}
