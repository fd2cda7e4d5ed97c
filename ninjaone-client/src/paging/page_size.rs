//! The page size that the client requests, if the caller sets none.
//!
//! [`PageSize`] and [`SizedRead`] decide, without I/O and without a clock. [`PageSizes`] keeps what the reads of a tenant have learned. A
//! failure alone does not lower the remembered size, because an outage or an invalid request fails in every size. A smaller size is
//! remembered only after a page of that size has arrived. There is one exception: a later page of a report cannot be requested in another
//! size, so if it fails, half its size is remembered at once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    Error, ErrorKind,
    error::SizeHint,
    observer::PageSizeReason,
    request::{PageRange, Paging},
};

/// The client never chooses a page size below this.
const SMALLEST: u32 = 100;

/// Every endpoint accepts this page size, so a request that is refused in this size is invalid for another reason.
const ALWAYS_TAKEN: u32 = 1_000;

/// After this many full pages without a failure, the size grows.
const PAGES_TO_GROW: u32 = 20;

/// A size that failed is tried again after this time.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);

impl PageSizeReason {
    /// The reason why a page failed, if its size may be the cause.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match (error.size_hint(), error.kind(), error.status()) {
            (SizeHint::TooLarge, ..) => Some(Self::LimitExceeded),
            (SizeHint::BrokenOff, ..) => Some(Self::BrokenOff),
            (SizeHint::None, ErrorKind::InvalidRequest, Some(400)) => Some(Self::Refused),
            (SizeHint::None, ErrorKind::InvalidRequest, Some(413)) => Some(Self::TooLarge),
            (SizeHint::None, ErrorKind::Server, _) => Some(Self::ServerFailed),
            (SizeHint::None, ErrorKind::Timeout, _) => Some(Self::TimedOut),
            // A server that asks the client to wait is busy; the page size is not the cause.
            (SizeHint::None | SizeHint::AskedToWait, ..) => None,
        }
    }

    /// Whether an outage can cause the same failure, so that it may go away without a smaller size.
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Self::ServerFailed | Self::TimedOut | Self::BrokenOff)
    }

    /// The smallest size that may help after this failure.
    fn smallest(self) -> u32 {
        match self {
            Self::Refused => ALWAYS_TAKEN,
            _ => SMALLEST,
        }
    }
}

/// A size that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failed {
    rows: u32,
    at: Instant,
}

impl Failed {
    fn is_recent(self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < TRIED_AGAIN_AFTER
    }
}

/// What is known about the page size of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageSize {
    /// The size that the next read requests.
    rows: u32,
    /// Full pages since this size was chosen.
    full_pages: u32,
    /// The size that failed last, if it is known to have failed because of its size.
    failed: Option<Failed>,
    /// The smaller size that was tried without success after the server had failed on a larger page. The next read that fails tries less.
    in_vain: Option<Failed>,
}

impl PageSize {
    fn new(rows: u32) -> Self {
        Self {
            rows,
            full_pages: 0,
            failed: None,
            in_vain: None,
        }
    }

    /// Lowers the size after pages of a larger size failed.
    fn lower(&mut self, to: u32, failed: Failed) {
        if to < self.rows {
            self.rows = to;
            self.full_pages = 0;
        }
        self.in_vain = None;
        // A recent failure of a smaller size is more informative than this one, so it is kept.
        let is_known = |known: &Failed| known.rows < failed.rows && known.is_recent(failed.at);
        if !self.failed.as_ref().is_some_and(is_known) {
            self.failed = Some(failed);
        }
    }

    /// Notes that a page has arrived.
    fn came(&mut self, asked: u32, received: usize, most: u32, now: Instant) {
        // A page that is not full does not show that larger pages work.
        if received < asked as usize {
            return;
        }
        if asked >= self.rows {
            self.in_vain = None;
        }
        if self.failed.is_some_and(|failed| failed.rows <= asked) {
            self.failed = None;
        }
        if asked != self.rows {
            return;
        }
        self.full_pages = self.full_pages.saturating_add(1);
        if self.full_pages >= PAGES_TO_GROW {
            self.grow(most, now);
        }
    }

    fn grow(&mut self, most: u32, now: Instant) {
        let mut rows = self.rows.saturating_mul(2).min(most);
        if let Some(failed) = self.failed {
            if !failed.is_recent(now) {
                rows = rows.min(failed.rows);
            } else if self.rows >= failed.rows / 2 {
                // The next size would be about as large as the size that failed.
                return;
            }
        }
        if rows > self.rows {
            self.rows = rows;
            self.full_pages = 0;
        }
    }
}

/// The place in a list where a page failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The first page.
    First,
    /// A later page of a list by id, which can continue in any size.
    LaterById,
    /// A later page of a report, which must keep its size.
    LaterByCursor,
}

/// One read of a list, if the client chooses the page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SizedRead {
    range: PageRange,
    /// The page size that this read requests.
    rows: u32,
    /// The larger size that failed, and why; none once a page has arrived.
    failed: Option<(u32, PageSizeReason)>,
    /// Whether this read has tried a smaller size after a failure that an outage can cause. It does so only once, because an outage would
    /// multiply the requests.
    asked_smaller: bool,
}

impl SizedRead {
    /// The sizes to choose from.
    pub(super) fn range(&self) -> PageRange {
        self.range
    }

    /// The page size that this read requests.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Whether the page that is requested now has failed in a larger size.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Notes that a page failed. Returns the size to request it in again, if a smaller size may help.
    fn fail(
        &mut self,
        known: &mut PageSize,
        reason: PageSizeReason,
        place: Place,
        now: Instant,
    ) -> Option<u32> {
        let smallest = reason.smallest();
        // The server accepted this size for an earlier page, so the size is not why it refuses this one.
        let is_of_size = reason != PageSizeReason::Refused || place == Place::First;
        if self.rows <= smallest || !is_of_size {
            return None;
        }
        let half = |rows: u32| (rows / 2).max(smallest);
        if place == Place::LaterByCursor {
            let failed = Failed {
                rows: self.rows,
                at: now,
            };
            known.lower(half(self.rows), failed);
            return None;
        }
        let mut smaller = half(self.rows);
        if reason.may_pass() {
            if std::mem::replace(&mut self.asked_smaller, true) {
                return None;
            }
            if let Some(tried) = known.in_vain.filter(|tried| tried.is_recent(now)) {
                smaller = half(tried.rows.min(self.rows));
            }
            known.in_vain = Some(Failed {
                rows: smaller,
                at: now,
            });
        }
        // Another read may have found a size that works in the meantime.
        smaller = smaller.min(known.rows);
        self.failed = Some((self.rows, reason));
        self.rows = smaller;
        Some(smaller)
    }

    /// Notes that a page has arrived. Returns the reason for a change of the size, if it changes.
    fn come(
        &mut self,
        known: &mut PageSize,
        asked: u32,
        received: usize,
        now: Instant,
    ) -> PageSizeReason {
        let mut reason = PageSizeReason::Grown;
        if let Some((rows, why)) = self.failed.take() {
            known.lower(self.rows, Failed { rows, at: now });
            reason = why;
        }
        known.came(asked, received, self.range.most, now);
        reason
    }
}

/// A change of the page size of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SizeChange {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) reason: PageSizeReason,
}

/// The page sizes of a tenant, by operation. Clones of a client share them.
#[derive(Debug)]
pub(crate) struct PageSizes {
    /// The host's ceiling.
    largest: u32,
    sizes: Mutex<BTreeMap<&'static str, PageSize>>,
}

impl PageSizes {
    /// The default ceiling.
    pub(crate) const LARGEST: u32 = 5_000;

    /// Begins with the sizes that an earlier client learned. Names of unknown operations are ignored.
    pub(crate) fn new(largest: u32, learned: &BTreeMap<String, u32>) -> Self {
        let sizes = crate::endpoints().filter_map(|endpoint| {
            let range = widest(endpoint.paging)?.under(largest);
            let rows = *learned.get(endpoint.operation)?;
            Some((endpoint.operation, PageSize::new(within(rows, range))))
        });
        Self {
            largest,
            sizes: Mutex::new(sizes.collect()),
        }
    }

    /// The page sizes, by operation.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, u32> {
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes
            .iter()
            .map(|(operation, size)| (*operation, size.rows))
            .collect()
    }

    /// Adds the sizes that an earlier client learned, for operations of which this client knows no size yet.
    pub(crate) fn expect(&self, learned: &BTreeMap<String, u32>) {
        let earlier = Self::new(self.largest, learned);
        let earlier = earlier.sizes.into_inner();
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        for (operation, size) in earlier.unwrap_or_else(PoisonError::into_inner) {
            sizes.entry(operation).or_insert(size);
        }
    }

    /// Begins a read of a list. `range` holds the sizes that its endpoint accepts.
    pub(super) fn begin(&self, operation: &'static str, range: PageRange) -> SizedRead {
        let range = range.under(self.largest);
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes.get(operation).map(|size| size.rows);
        SizedRead {
            range,
            rows: known.map_or(range.begin, |rows| within(rows, range)),
            failed: None,
            asked_smaller: false,
        }
    }

    /// Notes that a page failed. Returns whether to request it again, in the size that the read has now.
    pub(super) fn fail(
        &self,
        operation: &'static str,
        read: &mut SizedRead,
        reason: PageSizeReason,
        place: Place,
    ) -> (bool, Option<SizeChange>) {
        self.update(operation, read, |read, known| {
            let again = read.fail(known, reason, place, Instant::now());
            (again.is_some(), reason)
        })
    }

    /// Notes that a page has arrived for which `asked` rows were requested.
    pub(super) fn come(
        &self,
        operation: &'static str,
        read: &mut SizedRead,
        asked: u32,
        received: usize,
    ) -> Option<SizeChange> {
        let come = |read: &mut SizedRead, known: &mut PageSize| {
            ((), read.come(known, asked, received, Instant::now()))
        };
        self.update(operation, read, come).1
    }

    fn update<R>(
        &self,
        operation: &'static str,
        read: &mut SizedRead,
        update: impl FnOnce(&mut SizedRead, &mut PageSize) -> (R, PageSizeReason),
    ) -> (R, Option<SizeChange>) {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sizes
            .entry(operation)
            .or_insert(PageSize::new(read.range.begin));
        known.rows = within(known.rows, read.range);
        let from = known.rows;
        let (result, reason) = update(read, known);
        let to = known.rows;
        (
            result,
            (to != from).then_some(SizeChange { from, to, reason }),
        )
    }
}

impl Default for PageSizes {
    fn default() -> Self {
        Self::new(Self::LARGEST, &BTreeMap::new())
    }
}

/// Limits a learned size to what the endpoint and the host allow.
fn within(rows: u32, range: PageRange) -> u32 {
    rows.max(SMALLEST).max(range.least).min(range.most)
}

/// The widest range of sizes that this kind of paging accepts. A single endpoint may accept less.
fn widest(paging: Paging) -> Option<PageRange> {
    let range = |begin, most| PageRange {
        begin,
        least: 1,
        most,
    };
    match paging {
        Paging::ByCursor => Some(range(5_000, 10_000)),
        Paging::ById | Paging::Backwards => Some(range(1_000, 1_000)),
        Paging::Single | Paging::Whole => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPORT: PageRange = PageRange {
        begin: 5_000,
        least: 1,
        most: 5_000,
    };

    fn read(rows: u32) -> SizedRead {
        SizedRead {
            range: REPORT,
            rows,
            failed: None,
            asked_smaller: false,
        }
    }

    /// The sizes that a read requests until one works. The last one worked, unless all failed.
    fn asks(
        known: &mut PageSize,
        works: impl Fn(u32) -> bool,
        reason: PageSizeReason,
        now: Instant,
    ) -> Vec<u32> {
        let mut read = read(known.rows);
        let mut asked = vec![read.rows];
        while !works(read.rows) {
            match read.fail(known, reason, Place::First, now) {
                Some(rows) => asked.push(rows),
                None => return asked,
            }
        }
        let rows = read.rows;
        read.come(known, rows, rows as usize, now);
        asked
    }

    #[test]
    fn the_table_of_failures() {
        use PageSizeReason::{BrokenOff, LimitExceeded, Refused, ServerFailed, TimedOut, TooLarge};
        let now = Instant::now();
        let all: &[u32] = &[5_000, 2_500, 1_250, 625, 312, 156, 100];
        // Columns: which sizes work, why the others fail, the sizes that are requested, and the size that is remembered.
        let table: &[(u32, PageSizeReason, &[u32], u32)] = &[
            (5_000, Refused, &[5_000], 5_000),
            (2_000, Refused, &[5_000, 2_500, 1_250], 1_250),
            (1_000, Refused, &[5_000, 2_500, 1_250, 1_000], 1_000),
            // Refused in every size: the request is invalid, and no size is remembered.
            (0, Refused, &[5_000, 2_500, 1_250, 1_000], 5_000),
            (999, Refused, &[5_000, 2_500, 1_250, 1_000], 5_000),
            (700, TooLarge, &[5_000, 2_500, 1_250, 625], 625),
            (100, TooLarge, all, 100),
            (0, TooLarge, all, 5_000),
            (2_499, LimitExceeded, &[5_000, 2_500, 1_250], 1_250),
            (0, LimitExceeded, all, 5_000),
            (2_500, ServerFailed, &[5_000, 2_500], 2_500),
            (1_000, ServerFailed, &[5_000, 2_500], 5_000),
            (2_500, TimedOut, &[5_000, 2_500], 2_500),
            (2_500, BrokenOff, &[5_000, 2_500], 2_500),
        ];
        for (works, reason, expected, remembered) in table {
            let mut known = PageSize::new(5_000);
            let asked = asks(&mut known, |rows| rows <= *works, *reason, now);
            assert_eq!(asked, *expected, "{reason:?} above {works}");
            assert_eq!(known.rows, *remembered, "{reason:?} above {works}");
        }
    }

    #[test]
    fn an_outage_costs_each_read_one_request_and_no_size() {
        let now = Instant::now();
        let mut known = PageSize::new(5_000);
        let mut tried = Vec::new();
        for _ in 0..9 {
            let asked = asks(&mut known, |_| false, PageSizeReason::ServerFailed, now);
            assert_eq!((asked.len(), asked[0]), (2, 5_000));
            tried.push(asked[1]);
        }
        // If the server can only return small pages, several reads together find the size that works.
        assert_eq!(
            tried,
            [2_500, 1_250, 625, 312, 156, 100, 100, 100, 100],
            "{tried:?}"
        );
        assert_eq!(known.rows, 5_000);
        // The outage is over: a full page shows that its size works.
        known.came(5_000, 5_000, 5_000, now);
        assert_eq!(
            asks(&mut known, |_| false, PageSizeReason::TimedOut, now),
            [5_000, 2_500]
        );
        // Pages that are not full do not show it; the failure is forgotten after a day.
        known.came(5_000, 4_999, 5_000, now);
        let asked = asks(&mut known, |_| false, PageSizeReason::TimedOut, now);
        assert_eq!(asked, [5_000, 1_250]);
        let later = now + TRIED_AGAIN_AFTER;
        let asked = asks(&mut known, |_| false, PageSizeReason::TimedOut, later);
        assert_eq!(asked, [5_000, 2_500]);
    }

    #[test]
    fn a_later_page_lowers_the_size_of_the_next_read_and_is_not_asked_for_again() {
        let now = Instant::now();
        for (reason, place, again, next) in [
            (PageSizeReason::Refused, Place::LaterById, None, 5_000),
            (PageSizeReason::Refused, Place::LaterByCursor, None, 5_000),
            (PageSizeReason::TimedOut, Place::LaterByCursor, None, 2_500),
            (PageSizeReason::TooLarge, Place::LaterByCursor, None, 2_500),
            (
                PageSizeReason::LimitExceeded,
                Place::LaterByCursor,
                None,
                2_500,
            ),
            // A list by id continues in any size.
            (
                PageSizeReason::TimedOut,
                Place::LaterById,
                Some(2_500),
                5_000,
            ),
        ] {
            let (mut known, mut read) = (PageSize::new(5_000), read(5_000));
            let asked = read.fail(&mut known, reason, place, now);
            assert_eq!((asked, known.rows), (again, next), "{reason:?} {place:?}");
            // The caller tries the same page again, and it fails in the same way.
            if place == Place::LaterByCursor {
                read.fail(&mut known, reason, place, now);
                assert_eq!(known.rows, next, "{reason:?}");
            }
        }
    }

    #[test]
    fn many_reads_at_a_time_halve_once() {
        let now = Instant::now();
        let mut known = PageSize::new(5_000);
        let mut reads = [read(5_000); 20];
        for read in &mut reads {
            let again = read.fail(&mut known, PageSizeReason::LimitExceeded, Place::First, now);
            assert_eq!(again, Some(2_500));
            read.come(&mut known, 2_500, 2_500, now);
            assert_eq!(known.rows, 2_500);
        }
        assert_eq!(known.failed.map(|failed| failed.rows), Some(5_000));
    }

    fn full_pages(known: &mut PageSize, pages: u32, most: u32, now: Instant) {
        for _ in 0..pages {
            known.came(known.rows, known.rows as usize, most, now);
        }
    }

    #[test]
    fn a_size_grows_after_twenty_full_pages_up_to_the_ceiling() {
        let now = Instant::now();
        let mut known = PageSize::new(1_250);
        // Pages that are not full, or have another size, do not count.
        for _ in 0..100 {
            known.came(1_250, 1_249, 5_000, now);
            known.came(1_000, 1_000, 5_000, now);
            known.came(5_000, 5_000, 5_000, now);
        }
        full_pages(&mut known, 19, 5_000, now);
        assert_eq!(known.rows, 1_250);
        full_pages(&mut known, 1, 5_000, now);
        assert_eq!(known.rows, 2_500);
        full_pages(&mut known, 20, 4_000, now);
        assert_eq!(known.rows, 4_000);
        full_pages(&mut known, 1_000, 4_000, now);
        assert_eq!(known.rows, 4_000);
    }

    #[test]
    fn a_size_that_failed_is_tried_again_after_a_day_and_not_before() {
        let begin = Instant::now();
        let works = |rows: u32| rows <= 2_600;
        let mut known = PageSize::new(5_000);
        let mut failures = Vec::new();
        for hour in 0..100 {
            let now = begin + Duration::from_secs(3_600 * hour);
            let asked = asks(&mut known, works, PageSizeReason::TimedOut, now);
            failures.extend((asked.len() > 1).then_some((hour, asked[0])));
            for _ in 0..50 {
                let rows = known.rows;
                if works(rows) {
                    known.came(rows, rows as usize, 5_000, now);
                }
            }
        }
        assert_eq!(
            failures,
            [(0, 5_000), (25, 5_000), (50, 5_000), (75, 5_000)],
            "{failures:?}"
        );
    }

    #[test]
    fn a_size_that_works_again_is_kept() {
        let now = Instant::now();
        let mut known = PageSize::new(5_000);
        asks(
            &mut known,
            |rows| rows <= 700,
            PageSizeReason::TooLarge,
            now,
        );
        assert_eq!(known.rows, 625);
        full_pages(&mut known, 100, 5_000, now);
        assert_eq!(known.rows, 625, "1,250 failed today");
        let later = now + TRIED_AGAIN_AFTER;
        full_pages(&mut known, 1, 5_000, later);
        assert_eq!(known.rows, 1_250);
        full_pages(&mut known, 20, 5_000, later);
        assert_eq!((known.rows, known.failed), (2_500, None));
    }

    fn reasons() -> impl Strategy<Value = PageSizeReason> {
        prop_oneof![
            Just(PageSizeReason::Refused),
            Just(PageSizeReason::TooLarge),
            Just(PageSizeReason::LimitExceeded),
            Just(PageSizeReason::ServerFailed),
            Just(PageSizeReason::TimedOut),
            Just(PageSizeReason::BrokenOff),
        ]
    }

    proptest! {
        /// A server that can return pages up to a size that changes from time to time, and that is sometimes unavailable.
        #[test]
        fn whatever_a_server_manages_reads_get_through_and_few_fail(
            reason in reasons(),
            most in prop_oneof![100_u32..1_000, 1_000_u32..5_000, 5_000_u32..20_000],
            ceiling in prop_oneof![Just(5_000_u32), 1_u32..10_001],
            limits in proptest::collection::vec(
                (prop_oneof![3 => 100_u32..12_000, 1 => Just(0_u32)], 1_usize..40, 0_u32..60), 1..8,
            ),
        ) {
            // A refusal above 1,000 rows is due to the size; below, it is due to the request.
            let limit_of = |limit: u32| match reason {
                PageSizeReason::Refused if limit > 0 => limit.max(ALWAYS_TAKEN),
                _ => limit,
            };
            let range = PageRange { begin: 5_000, least: 1, most }.under(ceiling);
            let begin = Instant::now();
            let (mut hours, mut known) = (0, PageSize::new(range.begin));
            for (limit, reads, pages) in limits {
                let limit = limit_of(limit);
                let (mut in_vain, mut failures) = (0, 0);
                let first = hours;
                for _ in 0..reads {
                    hours += 1;
                    let now = begin + Duration::from_secs(3_600 * hours);
                    let mut read = SizedRead { range, rows: known.rows, failed: None, asked_smaller: false };
                    let before = known.rows;
                    let mut asked = 1;
                    loop {
                        prop_assert!(read.rows >= SMALLEST.min(range.most) && read.rows <= range.most);
                        if read.rows <= limit || (limit > 0 && read.rows <= SMALLEST) {
                            for _ in 0..pages {
                                let (rows, received) = (read.rows, read.rows as usize);
                                read.come(&mut known, rows, received, now);
                            }
                            if pages == 0 {
                                let rows = read.rows;
                                read.come(&mut known, rows, 0, now);
                            }
                            break;
                        }
                        failures += 1;
                        let Some(rows) = read.fail(&mut known, reason, Place::First, now) else {
                            in_vain += 1;
                            prop_assert_eq!(known.rows, before, "what fails in every size lowers none");
                            break;
                        };
                        prop_assert!(rows < before || rows < read.range.most);
                        asked += 1;
                    }
                    prop_assert!(asked <= 8);
                    prop_assert!(!reason.may_pass() || asked <= 2, "an outage multiplies no requests");
                }
                if limit > 0 {
                    prop_assert!(in_vain <= 7, "{} reads in vain", in_vain);
                    let days = (hours - first) / 24 + 1;
                    prop_assert!(failures <= 14 + 8 * days, "{} failures in {} days", failures, days);
                }
            }
        }
    }

    #[test]
    fn sizes_that_an_earlier_client_learned_are_taken_as_far_as_they_are_allowed() {
        let learned = [
            ("queries.volumes", 1_250),
            ("queries.disks", 20_000),
            ("queries.software", 1),
            ("devices.list", 5_000),
            ("activities.list", 250),
            ("organizations.get", 500),
            ("no.such_thing", 500),
        ];
        let learned = learned.map(|(name, rows)| (name.to_owned(), rows));
        let learned = BTreeMap::from(learned);
        let sizes = PageSizes::new(8_000, &learned);
        let expected = BTreeMap::from([
            ("queries.volumes", 1_250),
            ("queries.disks", 8_000),
            ("queries.software", 100),
            ("devices.list", 1_000),
            ("activities.list", 250),
        ]);
        assert_eq!(sizes.all(), expected);
        // The host's ceiling also limits learned sizes, and no endpoint receives a size below its minimum.
        // A size that this client already knows is not replaced.
        let known = PageSizes::new(8_000, &learned);
        let other = ["queries.volumes", "devices.list", "x"].map(|name| (name.to_owned(), 300));
        known.expect(&other.into());
        let before = sizes.all();
        for (operation, rows) in known.all() {
            assert_eq!(
                rows,
                before.get(operation).copied().unwrap_or(300),
                "{operation}"
            );
        }
        let sizes = PageSizes::new(60, &learned);
        assert!(sizes.all().values().all(|rows| *rows == 60));
        for (ceiling, least, rows) in [(60, 1, 60), (0, 10, 10), (u32::MAX, 1, 5_000)] {
            let range = PageRange {
                begin: 5_000,
                least,
                most: 10_000,
            };
            let read =
                PageSizes::new(ceiling, &BTreeMap::new()).begin("queries.raid_drives", range);
            assert_eq!(read.rows(), rows);
        }
    }
}
