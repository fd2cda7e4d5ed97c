//! The types of NinjaOne's responses.
//!
//! - Every field is optional: the API omits empty fields, sometimes sends `null`, and differs between regions. Fields that this version
//!   does not know are skipped.
//! - Times are [`Timestamp`](crate::Timestamp)s, sizes are bytes unless a field says otherwise, and ids are newtypes.
//! - Vocabularies are open: a row with an unknown word still decodes.
//! - A field that cannot be read is `None` and is named in `unreadable`; the row and its other fields are kept.
//! - `Debug` prints only the name of the type, because almost every model may contain a customer's data. Serialise a model to see its
//!   content.
//! - Minor versions add fields: build a model with `..Default::default()`.

/// Declares one model: every field is optional, absent fields are not written, and `Debug` prints no content.
///
/// Times are declared separately, because their `null` means *unreadable*, not *absent*.
macro_rules! model {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        } $(times {
            $($(#[$time_doc:meta])* $time:ident,)*
        })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase", remote = "Self")]
        pub struct $name {
            $(
                $(#[$field_doc])*
                #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::field::field")]
                pub $field: Option<$type>,
            )*
            $($(
                $(#[$time_doc])*
                #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::timestamp::field")]
                pub $time: Option<crate::Timestamp>,
            )*)?
            /// The fields that were sent but could not be read, including those of inner models.
            #[serde(rename = "$unreadable", skip_serializing)]
            pub unreadable: crate::Unreadable,
        }

        // `remote = "Self"` derives these two as inherent functions, so that the traits can read through `Object`.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::object_only::Object(deserializer))
            }
        }

        impl crate::field::Field for $name {
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <Self as serde::Deserialize>::deserialize(deserializer)
            }

            #[cfg(test)]
            fn sample(next: &mut i64) -> Self {
                *next += 1;
                Self {
                    $($field: Some(crate::field::Field::sample(next)),)*
                    $($($time: Some(crate::field::Field::sample(next)),)*)?
                    unreadable: crate::Unreadable::default(),
                }
            }
        }

        #[cfg(test)]
        impl super::every_field::Model for $name {
            fn unreadable(&self) -> &crate::Unreadable {
                &self.unreadable
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

mod activity;
mod activity_status;
mod alert;
mod antivirus;
mod backup;
mod contact;
mod currency;
mod custom_field;
mod device;
mod disk;
#[cfg(test)]
mod every_field;
mod group;
mod health;
mod job;
mod license;
mod network;
mod organization;
mod patch;
mod policy;
mod role;
mod scan_group;
mod software;
mod system;
mod tag;
mod user;
mod volume;
mod windows_service;

pub use activity::*;
pub use activity_status::*;
pub use alert::*;
pub use antivirus::*;
pub use backup::*;
pub use contact::*;
pub use currency::*;
pub use custom_field::*;
pub use device::*;
pub use disk::*;
pub use group::*;
pub use health::*;
pub use job::*;
pub use license::*;
pub use network::*;
pub use organization::*;
pub use patch::*;
pub use policy::*;
pub use role::*;
pub use scan_group::*;
pub use software::*;
pub use system::*;
pub use tag::*;
pub use user::*;
pub use volume::*;
pub use windows_service::*;
