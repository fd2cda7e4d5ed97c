//! Fields that were there and could not be read.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// The fields of one row that were present and could not be read, by their names in the JSON.
///
/// Such a field is `None` in the model, as an absent one is; a list or map of which only some elements could not be read holds
/// the others. A rule that treats the two differently asks here:
///
/// ```
/// use ninjaone_client::{Unreadable, models::Volume};
///
/// let volume = Volume {
///     unreadable: Unreadable::of(["driveLetter", "bitLockerStatus"]),
///     ..Volume::default()
/// };
/// assert!(volume.unreadable.contains("driveLetter"));
/// assert!(volume.unreadable.contains("bitLockerStatus.conversionStatus"));
/// assert!(!volume.unreadable.contains("capacity"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Unreadable(Option<Box<[Box<str>]>>);

/// The key under which the repair of a row hands its unreadable fields to the model.
pub(crate) const KEY: &str = "$unreadable";

impl Unreadable {
    /// These fields; a nested one is written `outer.inner`.
    pub fn of<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let fields: Box<[Box<str>]> = fields.into_iter().map(Box::from).collect();
        Self((!fields.is_empty()).then_some(fields))
    }

    /// Whether this field, or one that it is a part of, could not be read.
    #[must_use]
    pub fn contains(&self, field: &str) -> bool {
        self.iter().any(|unreadable| {
            field
                .strip_prefix(unreadable)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Whether every field could be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The names of the fields.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(AsRef::as_ref)
    }
}

/// Whatever is on the wire, nothing is read: only the repair of a row says what could not be read.
impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Unreadable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names of fields")
            }

            fn visit_unit<E>(self) -> Result<Unreadable, E> {
                Ok(Unreadable::default())
            }

            /// No deserializer shows a value that is ignored, but the one of the repair.
            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Unreadable, A::Error> {
                let mut fields = Vec::<String>::new();
                while let Some(name) = names.next_element()? {
                    fields.push(name);
                }
                Ok(Unreadable::of(fields.iter().map(String::as_str)))
            }
        }

        deserializer.deserialize_ignored_any(Names)
    }
}

// Names of fields are the vendor's words, and hold nothing of a customer.
impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
