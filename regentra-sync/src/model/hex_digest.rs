//! Digests of 32 bytes as text, with a type for each kind of digest, so that one kind cannot be used for another.

use std::fmt;

macro_rules! hex_digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The digest of these bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(crate::hex::encode(&bytes))
            }

            /// The digest with this text, as a store kept it.
            ///
            /// # Errors
            /// [`MalformedDigest`](crate::model::MalformedDigest) unless the text is 64 lower-case hexadecimal digits.
            pub fn parse(text: impl Into<String>) -> Result<Self, crate::model::MalformedDigest> {
                let text = text.into();
                crate::model::hex_digest::check(&text)?;
                Ok(Self(text))
            }

            /// The text, for stores: 64 lower-case hexadecimal digits.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = crate::model::MalformedDigest;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use hex_digest;

/// The text is not a digest: it is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedDigest(());

impl fmt::Display for MalformedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest is 64 lower-case hexadecimal digits")
    }
}

impl std::error::Error for MalformedDigest {}

pub(crate) fn check(text: &str) -> Result<(), MalformedDigest> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == 64 && text.bytes().all(is_digit) {
        Ok(())
    } else {
        Err(MalformedDigest(()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::{DeviceDigest, Fingerprint, MalformedDigest, StateDigest};

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// The results of parsing a text as each of the three types, directly and from JSON.
    fn parsed(text: &str) -> [Result<String, MalformedDigest>; 3] {
        let json = serde_json::to_string(text).unwrap();
        macro_rules! of {
            ($name:ident) => {{
                let parsed = $name::parse(text);
                assert_eq!(
                    serde_json::from_str::<$name>(&json).ok(),
                    parsed.clone().ok()
                );
                if let Ok(digest) = &parsed {
                    assert_eq!(serde_json::to_string(digest).unwrap(), json);
                }
                parsed.map(|digest| digest.as_str().to_owned())
            }};
        }
        [of!(Fingerprint), of!(StateDigest), of!(DeviceDigest)]
    }

    #[test]
    fn a_digest_is_64_lower_case_hexadecimal_digits_and_nothing_else() {
        assert_eq!(parsed(DIGITS), [(); 3].map(|()| Ok(DIGITS.to_owned())));
        let malformed = [
            String::new(),
            "tenant".to_owned(),
            DIGITS[1..].to_owned(),
            format!("{DIGITS}0"),
            DIGITS.to_uppercase(),
            DIGITS.replace('a', "g"),
            format!(" {}", &DIGITS[1..]),
            format!("{}\n", &DIGITS[1..]),
            format!("0x{}", &DIGITS[2..]),
            // 64 bytes, and 64 characters that look like digits.
            format!("é{}", &DIGITS[2..]),
            DIGITS.replace('1', "\u{661}"),
        ];
        for text in malformed {
            assert!(parsed(&text).iter().all(Result::is_err), "{text:?}");
        }
    }

    #[test]
    fn an_error_shows_nothing_of_the_text() {
        let error = serde_json::from_str::<Fingerprint>("\"kept quiet\"").unwrap_err();
        assert!(!error.to_string().contains("quiet"), "{error}");
        let digest = Fingerprint::parse(DIGITS).unwrap();
        assert_eq!(format!("{digest:?}"), "Fingerprint(..)");
    }

    proptest! {
        #[test]
        fn the_text_of_bytes_is_read_back(bytes: [u8; 32]) {
            let digest = DeviceDigest::from_bytes(bytes);
            prop_assert_eq!(DeviceDigest::parse(digest.as_str()), Ok(digest.clone()));
            prop_assert_eq!(parsed(digest.as_str()), [(); 3].map(|()| Ok(digest.as_str().to_owned())));
        }

        #[test]
        fn one_other_byte_makes_a_text_malformed(bytes: [u8; 32], at in 0_usize..64, other in "[^0-9a-f]") {
            let mut text = Fingerprint::from_bytes(bytes).as_str().to_owned();
            text.replace_range(at..=at, &other);
            prop_assert!(parsed(&text).iter().all(Result::is_err));
        }
    }
}
