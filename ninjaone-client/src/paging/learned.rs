//! What the client has learned about each report of a tenant. The vendor does not document it, and live tenants differ.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The meaning of a report's `count`, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CountMeaning {
    /// Not known yet: a count that equals the number of rows on its page may be either.
    #[default]
    Unknown,
    /// The rows of the whole report: the count was larger than the number of rows on its page.
    Total,
    /// Something else: more rows were received than the count announced.
    NotTotal,
}

/// What is known of one report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// The meaning of the report's count.
    pub(crate) count: CountMeaning,
    /// The most rows of a page without a cursor that proved to be the whole report. A server that cut pages at fewer rows would have cut
    /// that page too, so a smaller page without a cursor is also whole.
    pub(crate) whole_without_cursor: usize,
}

impl Learned {
    /// Combines two states. A count that was wrong once is never used as a total again.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            count: self.count.max(other.count),
            whole_without_cursor: self.whole_without_cursor.max(other.whole_without_cursor),
        }
    }
}

/// What is known of a tenant's reports. Clones of a client share it.
///
/// Each report is separate: what one report shows proves nothing about another.
#[derive(Debug, Default)]
pub(crate) struct LearnedOfReports(Mutex<BTreeMap<&'static str, Learned>>);

impl LearnedOfReports {
    /// What is known of a report.
    pub(crate) fn of(&self, operation: &'static str) -> Learned {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.get(operation).copied().unwrap_or_default()
    }

    /// Adds what was learned from a page.
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
