//! Reads a report by its cursor: decides when the cursor advances, when the report restarts, and when it ends.

use std::collections::HashSet;

use super::{
    cursor::Cursor,
    learned::{CountMeaning, Learned},
    walk::{Step, check_page},
};
use crate::{Error, ErrorKind};

/// Some reports refuse page sizes below this.
const SMALLEST_PAGE: usize = 10;

/// Fingerprint and number of rows of a page.
type PageKey = (u64, usize);

/// The state of one report that is read by its cursor.
///
/// A report ends at an empty page, at a page that returned no cursor twice, or when all rows that its `count` announces have been received.
/// The count is used only after it has proved to be a total. A short page never ends a report, because servers send fewer rows than
/// requested.
///
/// A report that fits on one page has no cursor. Neither has a page that a proxy or the server cut short, and the two look the same. The
/// client therefore requests such a page once more, with one row less: a server that sent the whole report then returns a cursor, and
/// usually a total. If it returns neither, that is an error. The number of rows that proved to be a whole report is remembered for the
/// report: a server that sends a page of that many rows uncut does not cut at fewer. Two responses cannot be tested in this way and are
/// accepted: a single row, and the same rows again from a server that ignores the page size.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the report"
)]
pub(crate) struct ByCursor {
    pub(super) parameter: &'static str,
    /// Rows requested per page.
    pub(super) page_size: usize,
    /// Rows a page is expected to have, for the limit on its rows: at least the size that the client began with, even if it has chosen a
    /// smaller one.
    pub(super) expected: usize,
    pub(super) name: Option<String>,
    /// Whether each page has its own cursor name. The same page is returned when its name is requested again.
    names_change: bool,
    /// Rows received since the report began or restarted.
    received: usize,
    /// The latest count that NinjaOne sent.
    count: Option<usize>,
    /// Whether the count changed since the report began. It then no longer decides where the report ends.
    count_changed: bool,
    learned: Learned,
    offsets: Offsets,
    last_offset: Option<usize>,
    /// Rows on the first page: the real page size of a server that sends fewer rows than requested.
    first_page: usize,
    /// Whether the last page was full: as many rows as requested, or as on the first page.
    last_is_full: bool,
    /// The last page.
    last: Option<PageKey>,
    /// All pages since the report began or restarted.
    seen: HashSet<PageKey>,
    /// The first page, until it is known whether it is the whole report.
    unconfirmed: Option<Unconfirmed>,
    /// Number of rows on a first page that had no cursor and was requested once more.
    rows_without_cursor: Option<usize>,
    /// Whether the last page had no cursor. The cursor before it is then requested once more.
    lapsed: bool,
    /// Rows received when a full page had no cursor and the cursor before it was refused. The report ends if that happens twice at the same
    /// place.
    lapsed_at: Option<usize>,
    /// Whether a response was lost and no offset has shown since then that no page was lost with it.
    in_doubt: bool,
    began_anew: bool,
    /// The pages delivered to the caller, in order. They are kept over a restart.
    delivered: Vec<PageKey>,
    /// How many of the delivered pages have been received again since the restart.
    seen_again: usize,
}

/// A first page that has neither a cursor nor a total.
#[derive(Debug, Clone, Copy)]
struct Unconfirmed {
    page: PageKey,
    /// The largest page size requested so far.
    largest_asked: usize,
}

/// The meaning of a page's offset. The vendor does not document it; live tenants send the number of rows before the page.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Offsets {
    #[default]
    Unknown,
    Before,
    After,
}

/// The meaning of a refused request for the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The cursor is not the cause: an ordinary error.
    Error,
    /// The cursor has expired: restart the report once.
    BeginAnew,
    /// The cursor has expired again.
    Again,
    /// The last page had no cursor, and the cursor before it is no longer valid: the report has ended.
    Over,
    /// The server refuses a page this small. The page that was kept is the whole report.
    Confirmed {
        /// Whether the page was delivered before the restart.
        again: bool,
    },
}

impl ByCursor {
    pub(super) fn new(parameter: &'static str, page_size: u32) -> Self {
        Self {
            parameter,
            page_size: page_size as usize,
            ..Self::default()
        }
    }

    /// What has been learned about the report.
    pub(crate) fn learned(&self) -> Learned {
        self.learned
    }

    /// Adds what other reads have learned about the report.
    pub(crate) fn know(&mut self, learned: Learned) {
        self.learned = self.learned.and(learned);
    }

    /// Rows of the whole report, if the count has proved to be a total.
    pub(crate) fn total(&self) -> Option<usize> {
        self.count
            .filter(|_| self.learned.count == CountMeaning::Total && !self.count_changed)
    }

    /// Decides what a refused request for the next page means. `is_invalid`: the server refused the parameters.
    pub(crate) fn refused(&mut self, is_invalid: bool) -> Result<Refused, Error> {
        if let Some(kept) = self.unconfirmed
            && is_invalid
            && self.page_size < SMALLEST_PAGE
        {
            // A server that refuses pages this small does not cut a report to this size either.
            self.unconfirmed = None;
            let again = self.is_known(kept.page)?;
            self.is_whole()?;
            self.whole_without_cursor(kept.page.1);
            return Ok(Refused::Confirmed { again });
        }
        if self.name.is_none() {
            return Ok(Refused::Error);
        }
        if self.lapsed && self.count.is_none_or(|count| count <= self.received) {
            if !self.last_is_full || self.lapsed_at == Some(self.received) {
                self.is_whole()?;
                return Ok(Refused::Over);
            }
            // A report rarely ends with a full page that has no cursor, so this end is accepted only when it happens twice.
            self.lapsed_at = Some(self.received);
        }
        Ok(if self.began_anew {
            Refused::Again
        } else {
            Refused::BeginAnew
        })
    }

    /// Restarts the report. Pages that were delivered before are skipped if they are unchanged.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self {
            parameter: self.parameter,
            page_size: self.page_size,
            expected: self.expected,
            learned: self.learned,
            lapsed_at: self.lapsed_at,
            began_anew: true,
            delivered: std::mem::take(&mut self.delivered),
            ..Self::default()
        };
    }

    /// Forgets the delivered pages, because the caller has dropped their rows.
    pub(crate) fn forget_delivered(&mut self) {
        self.delivered.clear();
    }

    pub(super) fn take(
        &mut self,
        received: usize,
        cursor: Option<&Cursor>,
        fingerprint: u64,
        resent: bool,
    ) -> Result<Step, Error> {
        check_page(received, self.expected.max(self.page_size))?;
        let page = (fingerprint, received);
        let named = cursor.and_then(|cursor| cursor.name.clone());
        let count = cursor.and_then(|cursor| cursor.count);
        let offset = cursor.and_then(|cursor| cursor.offset);
        if let Some(kept) = self.unconfirmed
            && let Some(step) = self.confirm(kept, page, named.is_some(), count)?
        {
            return Ok(step);
        }
        let is_first = self.name.is_none();
        if is_first {
            self.offsets = match offset {
                Some(0) => Offsets::Before,
                Some(offset) if offset == received => Offsets::After,
                _ => Offsets::Unknown,
            };
        } else {
            if self.lapsed && self.last == Some(page) {
                return self.lapsed_page_again(named);
            }
            if self.lapsed && self.names_change && received > 0 {
                // The server sent the page in another size: some of its rows were already delivered.
                return self.restart_or(lost_place());
            }
            if received > 0 && self.seen.contains(&page) {
                return Err(stalled());
            }
            if !self.is_in_place(received, offset, resent)? {
                return self.restart_or(lost_place());
            }
        }
        let total = self.received + received;
        let announced = count.or(self.count);
        let is_end = received == 0 || (is_first && named.is_none());
        if is_end && announced.is_some_and(|count| count > total) {
            // A response may have been lost together with its rows, while the server's cursor advanced.
            return if resent || self.in_doubt {
                self.restart_or(too_few())
            } else {
                Err(too_few())
            };
        }
        self.learn(count, received, total);
        let is_full = received >= self.page_size || (!is_first && received >= self.first_page);
        let is_whole = self.total() == Some(total);
        let over = match &named {
            _ if received == 0 => true,
            Some(_) => is_whole && !is_full,
            None if is_first => {
                let was_whole = !is_full && received < self.learned.whole_without_cursor;
                is_whole || was_whole || (received == 1 && self.page_size > 1)
            }
            None => is_whole || self.rows_without_cursor == Some(total),
        };
        if is_first && named.is_none() && !over {
            return Ok(self.ask_once_more(page));
        }
        let again = self.is_known(page)?;
        if over {
            self.is_whole()?;
            if self.rows_without_cursor == Some(total) {
                self.whole_without_cursor(total);
            }
        }
        self.lapsed = named.is_none() && !over;
        if is_first {
            self.first_page = received;
        }
        self.received = total;
        self.last_offset = offset;
        self.last_is_full = is_full;
        self.last = Some(page);
        self.seen.insert(page);
        self.names_change |= self.name.is_some() && named.is_some() && self.name != named;
        // A single page in the middle may have no cursor. The previous name is kept, because it usually stays the same.
        self.name = if over {
            None
        } else {
            named.or_else(|| self.name.take())
        };
        Ok(Step::Taken { again, over })
    }

    /// Evaluates the second response for the first page. None if the report continues from that page.
    fn confirm(
        &mut self,
        kept: Unconfirmed,
        page: PageKey,
        is_named: bool,
        count: Option<usize>,
    ) -> Result<Option<Step>, Error> {
        let (rows, received) = (kept.page.1, page.1);
        // A count larger than the number of rows on its page is a total.
        let total = count.filter(|count| *count > received);
        if received > 0 && received < rows && total == Some(rows) {
            self.unconfirmed = None;
            self.learned.count = self.learned.count.max(CountMeaning::Total);
            let again = self.is_known(kept.page)?;
            self.is_whole()?;
            self.whole_without_cursor(rows);
            return Ok(Some(Step::Confirmed { again }));
        }
        if is_named {
            self.unconfirmed = None;
            self.rows_without_cursor = Some(rows);
            return Ok(None);
        }
        if total.is_some() {
            return Err(too_few());
        }
        // Two signs of a report that is cut: it had a cursor before its restart, or the server honours the page size and still sends
        // neither cursor nor count.
        if received != rows || received == self.page_size || !self.delivered.is_empty() {
            return Err(cut_without_a_word());
        }
        if kept.largest_asked <= rows {
            // The server may have a minimum page size: only a larger page shows whether more rows exist.
            return Ok(Some(self.ask(page, rows + 1, kept.largest_asked)));
        }
        self.unconfirmed = None;
        let again = self.is_known(page)?;
        self.is_whole()?;
        self.whole_without_cursor(rows);
        Ok(Some(Step::Confirmed { again }))
    }

    /// Requests a first page without a cursor once more, in another size.
    fn ask_once_more(&mut self, page: PageKey) -> Step {
        let (rows, asked) = (page.1, self.page_size);
        let size = if !self.delivered.is_empty() {
            // Pages that were delivered before can be recognised only in the same size.
            asked
        } else if rows > asked || rows < 2 {
            // A server that sends more rows than requested may have a minimum page size.
            rows + 1
        } else {
            // With a page size of one row less, a server that has more rows returns a cursor and a count.
            rows - 1
        };
        self.ask(page, size, asked)
    }

    fn ask(&mut self, page: PageKey, size: usize, largest: usize) -> Step {
        self.page_size = size;
        self.unconfirmed = Some(Unconfirmed {
            page,
            largest_asked: largest.max(size),
        });
        Step::Confirm
    }

    /// Takes the page that had no cursor, after the cursor before it was requested once more.
    fn lapsed_page_again(&mut self, named: Option<String>) -> Result<Step, Error> {
        let over = named.is_none();
        if over {
            // Each page has its own cursor name, and this page had none twice: it is the last.
            if self.count.is_some_and(|count| count > self.received) {
                return Err(too_few());
            }
            self.is_whole()?;
        }
        self.name = named;
        self.lapsed = false;
        Ok(Step::Taken { again: true, over })
    }

    /// Remembers that a page with this many rows and no cursor was the whole report.
    fn whole_without_cursor(&mut self, rows: usize) {
        let learned = Learned {
            whole_without_cursor: rows,
            ..self.learned
        };
        self.learned = self.learned.and(learned);
    }

    /// Learns the meaning of the count.
    fn learn(&mut self, count: Option<usize>, received: usize, total: usize) {
        let Some(count) = count else { return };
        if received > 0 && count > received {
            self.learned.count = self.learned.count.max(CountMeaning::Total);
        }
        if count < total {
            self.learned.count = CountMeaning::NotTotal;
        }
        self.count_changed |= self.count.is_some_and(|before| before != count);
        self.count = Some(count);
    }

    /// Whether the page was already delivered before the restart. If not, it is added to the delivered pages.
    fn is_known(&mut self, page: PageKey) -> Result<bool, Error> {
        let again = match self.delivered.get(self.seen_again) {
            Some(known) if *known == page => true,
            Some(_) => return Err(changed()),
            None => {
                self.delivered.push(page);
                false
            }
        };
        self.seen_again += 1;
        Ok(again)
    }

    /// Checks at the end of a report that every page delivered before the restart was received again.
    fn is_whole(&self) -> Result<(), Error> {
        if self.seen_again < self.delivered.len() {
            return Err(changed());
        }
        Ok(())
    }

    fn restart_or(&self, error: Error) -> Result<Step, Error> {
        if self.began_anew {
            Err(error)
        } else {
            Ok(Step::Restart)
        }
    }

    /// Whether a page directly follows the page before it.
    fn is_in_place(
        &mut self,
        received: usize,
        offset: Option<usize>,
        resent: bool,
    ) -> Result<bool, Error> {
        // If a response was lost, the server's cursor may have advanced. Without an offset, only a total shows at the end that rows are
        // missing.
        let would_be_missed = !resent || self.total().is_some();
        let Some(offset) = offset else {
            self.in_doubt |= resent;
            return Ok(would_be_missed);
        };
        if received == 0 {
            self.in_doubt |= resent;
            return Ok(would_be_missed || offset == self.received);
        }
        let expected = match self.offsets {
            Offsets::Before => Some(self.received),
            Offsets::After => Some(self.received + received),
            Offsets::Unknown => None,
        };
        if Some(offset) == expected {
            return Ok(true);
        }
        if self.last_offset.is_some_and(|last| offset <= last) {
            return Err(stalled());
        }
        self.in_doubt |= resent;
        Ok(expected.is_none() && would_be_missed)
    }
}

const REPORT_IT: &str = "if this happens at every run, report the endpoint to NinjaOne's support";

fn stalled() -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!(
            "the report's cursor does not move on: NinjaOne sent a page again, and rows may be missing; {REPORT_IT}"
        ),
    )
}

fn lost_place() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report's cursor lost its place twice, rows would be missing: try again later, over a steadier connection",
    )
}

pub(crate) fn expired_twice() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report's cursor expired twice before the last page: ask for larger pages, or for fewer rows",
    )
}

fn changed() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report began anew and has changed meanwhile: read it from its beginning",
    )
}

fn cut_without_a_word() -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!(
            "NinjaOne cuts pages of this report and names neither a cursor nor a count: nothing shows whether rows are missing; {REPORT_IT}"
        ),
    )
}

fn too_few() -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!("the report ended before all the rows it announced; {REPORT_IT}"),
    )
}
