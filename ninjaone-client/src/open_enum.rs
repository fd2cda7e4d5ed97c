//! Open vocabularies: what NinjaOne says today has a name, what it will say tomorrow still decodes.
//!
//! A closed enum loses a whole page for one new value, so there is none in this crate.

/// Declares an enum of the vendor's words with a last variant that keeps any other word.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        ///
        /// Words that this version does not know decode to `Unknown` and are written back as they came.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                $(#[$variant_doc])*
                #[doc = concat!("`", $text, "`")]
                $variant,
            )+
            /// A word this version does not know.
            Unknown(String),
        }

        impl $name {
            /// Every word this version knows, in the order of the vendor's document.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// The word as NinjaOne sends it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(word) => word,
                }
            }

            /// Whether this version knows the word.
            #[must_use]
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }

            fn known(word: &str) -> Option<Self> {
                match word {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self::known(word).unwrap_or_else(|| Self::Unknown(word.to_owned()))
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::known(&word).unwrap_or(Self::Unknown(word))
            }
        }

        impl $crate::open_enum::Vocabulary for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        // An unknown word is whatever the tenant sent: it is not printed.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => stringify!($variant),)+
                    Self::Unknown(_) => "Unknown(..)",
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::open_enum::WordVisitor::new())
            }
        }

        $crate::field::fields! { $name = |_| Self::KNOWN.first().cloned().unwrap_or_else(|| Self::from("WORD")); }
    };
}

/// Declares a newtype over the vendor's word with a constant for each word that is known.
///
/// For vocabularies that are long, or that live tenants are known to exceed.
macro_rules! code {
    ($(#[$doc:meta])* $name:ident { $($(#[$const_doc:meta])* $constant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::borrow::Cow<'static, str>);

        impl $name {
            $(
                $(#[$const_doc])*
                #[doc = concat!("`", $text, "`")]
                pub const $constant: Self = Self(std::borrow::Cow::Borrowed($text));
            )*

            /// Every word this version has a constant for.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];

            /// The word as NinjaOne sends it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the word is one of [`Self::KNOWN`]; case counts.
            #[must_use]
            pub fn is_known(&self) -> bool {
                Self::KNOWN.contains(self)
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self(std::borrow::Cow::Owned(word.to_owned()))
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self(std::borrow::Cow::Owned(word))
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl $crate::open_enum::Vocabulary for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        // An unknown word is whatever the tenant sent: it is not printed.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))?;
                f.write_str("(")?;
                f.write_str(if self.is_known() { self.as_str() } else { ".." })?;
                f.write_str(")")
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::open_enum::WordVisitor::new())
            }
        }

        $crate::field::fields! { $name = |_| Self::KNOWN.first().cloned().unwrap_or_else(|| Self::from("WORD")); }
    };
}

pub(crate) use code;
pub(crate) use open_enum;

/// What [`WordVisitor`] can build: anything made from a word.
pub(crate) trait Vocabulary: for<'a> From<&'a str> + From<String> {}

/// Reads one word without an allocation for the words that are known.
pub(crate) struct WordVisitor<T>(std::marker::PhantomData<T>);

impl<T> WordVisitor<T> {
    pub(crate) fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: Vocabulary> serde::de::Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<T, E> {
        check_letters(word)?;
        Ok(T::from(word))
    }

    fn visit_string<E: serde::de::Error>(self, word: String) -> Result<T, E> {
        check_letters(&word)?;
        Ok(T::from(word))
    }
}

/// A word that lost a letter on the way is no word: taken for an unknown one it would hide the one it was.
fn check_letters<E: serde::de::Error>(word: &str) -> Result<(), E> {
    if word.contains(char::REPLACEMENT_CHARACTER) {
        return Err(E::custom("a word with a letter that cannot be read"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::{
        models::{Device, NodeClass, PatchStatus},
        paging::{Fences, read_page},
    };

    #[test]
    fn unknown_words_survive_a_round_trip() {
        for word in ["MAC", "MANUAL", "BLINKING", ""] {
            let json = serde_json::to_string(word).unwrap();
            let class: NodeClass = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&class).unwrap(), json);
            let status: PatchStatus = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&status).unwrap(), json);
        }
        assert_eq!(NodeClass::from("MAC"), NodeClass::Mac);
        assert_eq!(PatchStatus::from("MANUAL"), PatchStatus::MANUAL);
    }

    #[test]
    fn a_word_with_half_a_letter_is_unreadable_and_not_unknown() {
        for (class, state) in [
            (r#""MAC\ud83d""#, r#""APPROVED\udc00""#),
            (r#""\ufffdMAC""#, r#""\ud83dAPPROVED""#),
        ] {
            let body = format!(
                r#"[{{"id":1,"nodeClass":{class},"approvalStatus":{state},"displayName":"x"}}]"#
            );
            let page = read_page::<Device>(&Bytes::from(body.clone()), Fences::default()).unwrap();
            let device = &page.rows[0];
            assert_eq!(
                (&device.node_class, &device.approval_status),
                (&None, &None)
            );
            assert!(device.unreadable.contains("nodeClass"), "{body}");
            assert!(device.unreadable.contains("approvalStatus"), "{body}");
            assert_eq!(device.display_name.as_deref(), Some("x"));
        }
    }

    #[test]
    fn debug_does_not_print_an_unknown_word() {
        assert_eq!(format!("{:?}", NodeClass::from("MAC")), "Mac");
        assert_eq!(
            format!("{:?}", NodeClass::from("jane@example.com")),
            "Unknown(..)"
        );
        assert_eq!(format!("{:?}", PatchStatus::MANUAL), "PatchStatus(MANUAL)");
        assert_eq!(
            format!("{:?}", PatchStatus::from("jane@example.com")),
            "PatchStatus(..)"
        );
    }
}
