//! The NinjaOne region or host that a credential belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A region's short name (`us`, `us2`, `eu`, `ca`, `oc`, `fed`) or the normalised base URL of a branded host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegionKey(String);

impl RegionKey {
    /// The key with this text, as a store kept it.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RegionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegionKey({})", self.0)
    }
}
