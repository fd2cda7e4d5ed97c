//! Scopes: the permissions of a token.

use std::{collections::BTreeSet, fmt};

/// A permission of a token.
///
/// If the API client was not granted a requested scope, NinjaOne refuses the whole token request; it does not grant the remaining scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Read data.
    Monitoring,
    /// Change data and run scripts.
    Management,
    /// Remote access.
    Control,
    /// Receive a refresh token. Request it only in the authorization code flow: some regions refuse it with client credentials.
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

/// A set of scopes. The default is only [`Scope::Monitoring`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Default for Scopes {
    fn default() -> Self {
        Self(BTreeSet::from([Scope::Monitoring]))
    }
}

impl Scopes {
    /// Creates a set of exactly these scopes.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Adds a scope.
    #[must_use]
    pub fn with(mut self, scope: Scope) -> Self {
        self.0.insert(scope);
        self
    }

    /// Returns whether the set contains a scope.
    #[must_use]
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Returns whether the set is empty.
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
