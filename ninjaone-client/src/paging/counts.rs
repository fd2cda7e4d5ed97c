//! What the `count` beside a cursor means: the vendor does not say, and live tenants differ.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What the `count` of a report means, as far as its pages have shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CountMeaning {
    /// Nothing has shown it: a count that equals the rows of its page may be either.
    #[default]
    Unknown,
    /// Rows of the whole report: it was seen to exceed the rows of its page.
    Total,
    /// Something else: more rows than it says were received.
    NotTotal,
}

/// What the counts of a tenant's reports mean, report by report. Clones of a client share it.
///
/// Each report is learned apart: what one report counts proves nothing about another.
#[derive(Debug, Default)]
pub(crate) struct CountMeanings(Mutex<BTreeMap<&'static str, CountMeaning>>);

impl CountMeanings {
    /// What is known of a report.
    pub(crate) fn of(&self, operation: &'static str) -> CountMeaning {
        let meanings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meanings.get(operation).copied().unwrap_or_default()
    }

    /// Remembers what a page has shown. A count that was wrong once is never a total again.
    pub(crate) fn learn(&self, operation: &'static str, meaning: CountMeaning) {
        let mut meanings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = meanings.entry(operation).or_default();
        *known = meaning.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_was_wrong_once_is_never_a_total_again() {
        let meanings = CountMeanings::default();
        assert_eq!(meanings.of("a"), CountMeaning::Unknown);
        for (learned, known) in [
            (CountMeaning::Unknown, CountMeaning::Unknown),
            (CountMeaning::Total, CountMeaning::Total),
            (CountMeaning::NotTotal, CountMeaning::NotTotal),
            (CountMeaning::Total, CountMeaning::NotTotal),
        ] {
            meanings.learn("a", learned);
            assert_eq!(meanings.of("a"), known);
        }
        assert_eq!(meanings.of("b"), CountMeaning::Unknown);
    }
}
