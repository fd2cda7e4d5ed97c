//! Text that may name a person, a machine or a customer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that may name a person, a machine or a customer: stored and shown to its owner, never logged.
///
/// `Debug` prints the length only, so that a struct that holds it may derive `Debug`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

impl Private {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes U+0000 out. Firmware puts it into names and serial numbers, and PostgreSQL has no way to keep it: one such text
    /// would keep a whole commit from being written.
    pub(crate) fn drop_nul(&mut self) {
        drop_nul(&mut self.0);
    }

    /// The text itself, for its owner's eyes and for stores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// See [`Private::drop_nul`]; for text that is not private.
pub(crate) fn drop_nul(text: &mut String) {
    text.retain(|character| character != '\0');
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Private({} bytes)", self.0.len())
    }
}

impl From<&str> for Private {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self(text)
    }
}
