//! The frameworks that a company has adopted.

use std::collections::BTreeSet;

use regentra_evidence::Framework;
use serde::{Deserialize, Serialize};

use super::id::Version;

/// The frameworks that a company has adopted. They decide which requirements are shown for the company.
///
/// By default, the requirements of all frameworks in the crosswalk are shown. A company may also adopt no framework; then no requirement is
/// shown. If a later release stored a framework that this release does not know, this release shows nothing for it and keeps it stored.
///
/// ```
/// use regentra_evidence::Framework;
/// use regentra_sync::model::AdoptedFrameworks;
///
/// assert_eq!(AdoptedFrameworks::default().shown(), Framework::ALL);
/// let some: AdoptedFrameworks = serde_json::from_str(r#"["of_a_later_release","soc_2"]"#)?;
/// assert_eq!(some.shown(), [Framework::Soc2]);
/// assert_eq!(serde_json::to_string(&some)?, r#"["of_a_later_release","soc_2"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AdoptedFrameworks {
    /// By their ids; `None` until a person decides.
    ids: Option<BTreeSet<String>>,
}

impl AdoptedFrameworks {
    /// These frameworks, and no others.
    #[must_use]
    pub fn of(frameworks: impl IntoIterator<Item = Framework>) -> Self {
        let ids = frameworks.into_iter().map(|one| one.as_str().to_owned());
        Self {
            ids: Some(ids.collect()),
        }
    }

    /// Whether a decision was made; the decision may be to adopt no framework.
    #[must_use]
    pub const fn is_decided(&self) -> bool {
        self.ids.is_some()
    }

    /// The frameworks whose requirements are shown, in the order of [`Framework::ALL`].
    #[must_use]
    pub fn shown(&self) -> Vec<Framework> {
        let all = Framework::ALL.iter().copied();
        match &self.ids {
            None => all.collect(),
            Some(ids) => all.filter(|one| ids.contains(one.as_str())).collect(),
        }
    }

    /// The ids of adopted frameworks that this release does not know.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let ids = self.ids.iter().flatten();
        ids.map(String::as_str)
            .filter(|id| id.parse::<Framework>().is_err())
    }

    /// Replaces the frameworks that this release knows by these. The ids that it does not know stay.
    pub(crate) fn with(&self, frameworks: &BTreeSet<Framework>) -> Self {
        let mut adopted = Self::of(frameworks.iter().copied());
        let unknown = self.unknown().map(str::to_owned);
        adopted.ids.get_or_insert_default().extend(unknown);
        adopted
    }
}

/// The adopted frameworks of a company as a store keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFrameworks {
    /// The frameworks; the default until a person decides.
    pub frameworks: AdoptedFrameworks,
    /// The number of decisions, counted from [`Version::FIRST`], which means none.
    pub version: Version,
}

impl Default for StoredFrameworks {
    fn default() -> Self {
        Self {
            frameworks: AdoptedFrameworks::default(),
            version: Version::FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_framework_is_a_decision_and_no_decision_is_all() {
        let none = AdoptedFrameworks::of([]);
        assert!(none.is_decided() && none.shown().is_empty());
        assert_eq!(serde_json::to_string(&none).unwrap(), "[]");
        let undecided = AdoptedFrameworks::default();
        assert!(!undecided.is_decided());
        assert_eq!(undecided.shown(), Framework::ALL);
        assert_eq!(serde_json::to_string(&undecided).unwrap(), "null");
    }

    #[test]
    fn a_framework_of_a_later_release_stays_whatever_is_adopted() {
        let stored: AdoptedFrameworks =
            serde_json::from_str(r#"["nis_2","pci_dss","zz"]"#).unwrap();
        assert_eq!(stored.shown(), [Framework::PciDss]);
        assert_eq!(stored.unknown().collect::<Vec<_>>(), ["nis_2", "zz"]);
        let adopted = stored.with(&BTreeSet::from([Framework::Soc2]));
        assert_eq!(
            serde_json::to_string(&adopted).unwrap(),
            r#"["nis_2","soc_2","zz"]"#
        );
        let none = stored.with(&BTreeSet::new());
        assert!(none.shown().is_empty());
        assert_eq!(none.unknown().collect::<Vec<_>>(), ["nis_2", "zz"]);
    }
}
