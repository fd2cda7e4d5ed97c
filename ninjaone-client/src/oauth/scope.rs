//! Scopes: what a token may do.

use std::{collections::BTreeSet, fmt};

/// What a token may do.
///
/// A scope that the API client was not granted fails the whole token request: NinjaOne does not narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Read.
    Monitoring,
    /// Change, and run scripts.
    Management,
    /// Remote access.
    Control,
    /// Get a refresh token. Only with the authorization code flow: some regions refuse it with client credentials.
    OfflineAccess,
}

impl Scope {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monitoring => "monitoring",
            Self::Management => "management",
            Self::Control => "control",
            Self::OfflineAccess => "offline_access",
        }
    }
}

/// A set of scopes. The default is [`Scope::Monitoring`] and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Default for Scopes {
    fn default() -> Self {
        Self(BTreeSet::from([Scope::Monitoring]))
    }
}

impl Scopes {
    /// Exactly these.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, scope: Scope) -> Self {
        self.0.insert(scope);
        self
    }

    /// Whether a scope is among them.
    #[must_use]
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}
