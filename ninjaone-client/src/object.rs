//! A model is a JSON object and nothing else.
//!
//! What `serde` derives for a struct also takes an array and reads it field by field, in the order of the declaration: a
//! status of `["FULLY_ENCRYPTED", "", "PROTECTED"]` would be taken for an encrypted disk. NinjaOne sends objects, so anything
//! else is a row that does not decode.

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

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
        self.0.deserialize_map(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
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
