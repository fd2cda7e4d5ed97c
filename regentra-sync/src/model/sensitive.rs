//! Text that may name a person, a machine or a customer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that may name a person, a machine or a customer: stored and shown to its owner, never logged.
///
/// `Debug` prints only the length, so a struct with such a field may derive `Debug`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Removes U+0000. Firmware puts it into names and serial numbers, but PostgreSQL cannot store it: one such text would prevent a whole
    /// commit.
    pub(crate) fn drop_nul(&mut self) {
        drop_nul(&mut self.0);
    }

    /// The text itself, to show it to its owner and to store it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// [`Sensitive::drop_nul`] for text that is not sensitive.
pub(crate) fn drop_nul(text: &mut String) {
    text.retain(|character| character != '\0');
}

/// Whether a character is invisible on a terminal or changes how its neighbours are shown: control characters, line and paragraph
/// separators, zero-width characters, and characters that change the direction of text (bidi).
#[must_use]
pub const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a text shows anything.
#[must_use]
pub fn is_readable(text: &str) -> bool {
    text.chars()
        .any(|character| !is_invisible(character) && !character.is_whitespace())
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sensitive({} bytes)", self.0.len())
    }
}

impl From<&str> for Sensitive {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Sensitive {
    fn from(text: String) -> Self {
        Self(text)
    }
}
