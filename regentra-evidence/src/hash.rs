//! A 256-bit hash, written as 64 lower-case hexadecimal digits.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A SHA-256 or HMAC-SHA-256 value. Reads and writes as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash256([u8; 32]);

impl Hash256 {
    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Hash256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hash256({self})")
    }
}

/// A text that is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
pub struct NotAHash;

impl std::str::FromStr for Hash256 {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(NotAHash);
        };
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?))
            .collect();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(NotAHash)
    }
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter.saturating_sub(b'0')),
        b'a'..=b'f' => Some(letter.saturating_sub(b'a').saturating_add(10)),
        _ => None,
    }
}

impl Serialize for Hash256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_what_it_writes() {
        let bytes = std::array::from_fn(|index| u8::try_from(index * 8 + 3).unwrap());
        let hash = Hash256::from_bytes(bytes);
        let text = hash.to_string();
        assert_eq!(text.len(), 64);
        assert!(text.starts_with("030b131b23"));
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(hash.as_bytes(), &bytes);
        assert_eq!(format!("{hash:?}"), format!("Hash256({text})"));
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<Hash256>(&json).unwrap(), hash);
    }

    #[test]
    fn anything_else_is_refused() {
        let good = "0".repeat(64);
        for text in [
            "",
            "00",
            &good[1..],
            &format!("{good}0"),
            &format!("{good}00"),
            &good.replace('0', "A"),
        ] {
            assert_eq!(text.parse::<Hash256>(), Err(NotAHash), "{text}");
        }
        for letter in ["g", "/", ":", "`", "ä"] {
            let text = format!("{letter}{}", &good[letter.len()..]);
            assert_eq!(text.parse::<Hash256>(), Err(NotAHash), "{letter}");
        }
        assert_eq!("f".repeat(64).parse(), Ok(Hash256::from_bytes([0xff; 32])));
    }
}
