//! What the reports of a tenant have shown of the server: the vendor does not say, and live tenants differ.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

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

/// What is known of one report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// What its count means.
    pub(crate) count: CountMeaning,
    /// The most rows of a page without a cursor that was proven to be the whole report. A server that cut pages at fewer rows
    /// would have cut that one, so a smaller page without a cursor is whole.
    pub(crate) whole_without_cursor: usize,
}

impl Learned {
    /// Both together. A count that was wrong once is never a total again.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            count: self.count.max(other.count),
            whole_without_cursor: self.whole_without_cursor.max(other.whole_without_cursor),
        }
    }
}

/// What is known of a tenant's reports. Clones of a client share it.
///
/// Each report is learned apart: what one report shows proves nothing about another.
#[derive(Debug, Default)]
pub(crate) struct LearnedOfReports(Mutex<BTreeMap<&'static str, Learned>>);

impl LearnedOfReports {
    /// What is known of a report.
    pub(crate) fn of(&self, operation: &'static str) -> Learned {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.get(operation).copied().unwrap_or_default()
    }

    /// Remembers what a page has shown.
    pub(crate) fn learn(&self, operation: &'static str, learned: Learned) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reports.entry(operation).or_default();
        *known = known.and(learned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_was_wrong_once_is_never_a_total_again() {
        let reports = LearnedOfReports::default();
        assert_eq!(reports.of("a").count, CountMeaning::Unknown);
        for (learned, known) in [
            (CountMeaning::Unknown, CountMeaning::Unknown),
            (CountMeaning::Total, CountMeaning::Total),
            (CountMeaning::NotTotal, CountMeaning::NotTotal),
            (CountMeaning::Total, CountMeaning::NotTotal),
        ] {
            let learned = Learned {
                count: learned,
                ..Learned::default()
            };
            reports.learn("a", learned);
            assert_eq!(reports.of("a").count, known);
        }
        assert_eq!(reports.of("b"), Learned::default());
    }

    #[test]
    fn the_largest_whole_page_is_remembered() {
        let reports = LearnedOfReports::default();
        for (rows, known) in [(20, 20), (7, 20), (21, 21)] {
            let learned = Learned {
                whole_without_cursor: rows,
                ..Learned::default()
            };
            reports.learn("a", learned);
            assert_eq!(reports.of("a").whole_without_cursor, known);
        }
    }
}
