//! A report by its cursor: when it moves on, when it begins anew, and when it is over.

use std::collections::HashSet;

use super::{
    cursor::Cursor,
    learned::{CountMeaning, Learned},
    walk::{Step, check_page},
};
use crate::{Error, ErrorKind};

/// Page sizes below this are refused by some reports.
const SMALLEST_PAGE: usize = 10;

/// Content and size of a page.
type PageKey = (u64, usize);

/// A report by its cursor.
///
/// It is over at an empty page, at a page without a cursor that was asked for twice, or where its `count` says, once that
/// count was seen to be a total. The size of a page ends nothing: servers send fewer rows than asked for.
///
/// A report that fits on one page comes without any cursor. So does one that something on the way cut, and nothing tells
/// the two apart. Such a page is therefore asked for once more, one row smaller: a report that fits then names a
/// cursor, and mostly a total. One that still names neither is an error. What is learned so is remembered for the
/// report: a server that sent a whole page of so many rows does not cut at fewer. Two answers cannot be tested that way, and are believed:
/// one row, and the same rows again from a server that ignores the size.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the report"
)]
pub(crate) struct ByCursor {
    pub(super) parameter: &'static str,
    /// Rows asked for.
    pub(super) page_size: usize,
    /// Rows of a page that are nothing unusual, where the client chose fewer.
    pub(super) expected: usize,
    pub(super) name: Option<String>,
    /// Pages have names of their own: one that is asked for again is the same page.
    names_change: bool,
    /// Rows received since the report began.
    received: usize,
    /// The count announced last.
    count: Option<usize>,
    /// The count changed since the report began: it ends nothing any more.
    count_changed: bool,
    learned: Learned,
    offsets: Offsets,
    last_offset: Option<usize>,
    /// Rows of the first page: servers were seen to send fewer than asked for.
    first_page: usize,
    /// Whether the last page was as large as pages of this report get.
    last_is_full: bool,
    /// The last page.
    last: Option<PageKey>,
    /// Every page since the report began.
    seen: HashSet<PageKey>,
    /// The first page, while nobody knows whether it is the whole.
    unconfirmed: Option<Unconfirmed>,
    /// Rows of a first page that named nothing and was asked for once more.
    rows_without_cursor: Option<usize>,
    /// The last page named no cursor. The name before it is asked once more.
    lapsed: bool,
    /// Where a cursor lapsed, full pages and all, and was refused when it was asked once more.
    lapsed_at: Option<usize>,
    /// An answer was lost, and no offset has shown that no page went with it.
    in_doubt: bool,
    began_anew: bool,
    /// The pages delivered, in order.
    delivered: Vec<PageKey>,
    /// How many of them were seen again since the report began anew.
    seen_again: usize,
}

/// A first page that names neither a cursor nor a total.
#[derive(Debug, Clone, Copy)]
struct Unconfirmed {
    page: PageKey,
    /// The largest page asked for so far.
    largest_asked: usize,
}

/// What the offset of a page means; the vendor does not say, live tenants count the rows before it.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Offsets {
    #[default]
    Unknown,
    Before,
    After,
}

/// What a refusal of the next page means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing: it is an error like any other.
    Error,
    /// The cursor has expired: one new beginning cures that.
    BeginAnew,
    /// The cursor has expired again.
    Again,
    /// The last page had named no cursor, and the one before is gone: that was the end.
    Over,
    /// A page that small cannot be asked for. The page kept is the whole.
    Confirmed {
        /// It had been delivered before the report began anew.
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

    /// What the report has shown.
    pub(crate) fn learned(&self) -> Learned {
        self.learned
    }

    /// Takes in what other reads of the report have shown.
    pub(crate) fn know(&mut self, learned: Learned) {
        self.learned = self.learned.and(learned);
    }

    /// Rows of the whole report, once a count was seen to be that.
    pub(crate) fn total(&self) -> Option<usize> {
        self.count
            .filter(|_| self.learned.count == CountMeaning::Total && !self.count_changed)
    }

    /// What a refusal of the next page means; `is_invalid` says that its parameters were refused.
    pub(crate) fn refused(&mut self, is_invalid: bool) -> Result<Refused, Error> {
        if let Some(kept) = self.unconfirmed
            && is_invalid
            && self.page_size < SMALLEST_PAGE
        {
            // A server that refuses pages so small does not cut at them either.
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
            // A full page without its cursor is an odd end: it is believed when it comes twice.
            self.lapsed_at = Some(self.received);
        }
        Ok(if self.began_anew {
            Refused::Again
        } else {
            Refused::BeginAnew
        })
    }

    /// Begins the report anew; what was delivered will be skipped if it comes unchanged.
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

    /// Forgets what was delivered: the caller threw it away.
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
                // The same place in pages of another size: its rows were delivered.
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
            // A lost answer may have taken rows with it: the cursor moved on without us.
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
        // One page of a report may come without its cursor, whose name mostly stays the same.
        self.name = if over {
            None
        } else {
            named.or_else(|| self.name.take())
        };
        Ok(Step::Taken { again, over })
    }

    /// What the first page, asked for once more, says. None where the report is read on from it.
    fn confirm(
        &mut self,
        kept: Unconfirmed,
        page: PageKey,
        is_named: bool,
        count: Option<usize>,
    ) -> Result<Option<Step>, Error> {
        let (rows, received) = (kept.page.1, page.1);
        // A count that exceeds the rows of its page is a total.
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
        // A report whose pages were delivered had a cursor once. One that honours the size and names nothing cuts.
        if received != rows || received == self.page_size || !self.delivered.is_empty() {
            return Err(cut_without_a_word());
        }
        if kept.largest_asked <= rows {
            // It may have a smallest page of its own: only a larger one shows whether rows are left.
            return Ok(Some(self.ask(page, rows + 1, kept.largest_asked)));
        }
        self.unconfirmed = None;
        let again = self.is_known(page)?;
        self.is_whole()?;
        self.whole_without_cursor(rows);
        Ok(Some(Step::Confirmed { again }))
    }

    /// Asks for a first page that names nothing once more, in another size.
    fn ask_once_more(&mut self, page: PageKey) -> Step {
        let (rows, asked) = (page.1, self.page_size);
        let size = if !self.delivered.is_empty() {
            // Pages delivered before can only be recognised in the size they had.
            asked
        } else if rows > asked || rows < 2 {
            // A server that sends more than asked for may have a smallest page of its own.
            rows + 1
        } else {
            // One row less makes a server that has more rows name a cursor and a count.
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

    /// The page that named no cursor, after the cursor before it was asked once more.
    fn lapsed_page_again(&mut self, named: Option<String>) -> Result<Step, Error> {
        let over = named.is_none();
        if over {
            // Every page has a name of its own, and this one names none, twice.
            if self.count.is_some_and(|count| count > self.received) {
                return Err(too_few());
            }
            self.is_whole()?;
        }
        self.name = named;
        self.lapsed = false;
        Ok(Step::Taken { again: true, over })
    }

    /// Learns that a page of so many rows without a cursor was the whole report.
    fn whole_without_cursor(&mut self, rows: usize) {
        let learned = Learned {
            whole_without_cursor: rows,
            ..self.learned
        };
        self.learned = self.learned.and(learned);
    }

    /// Learns what the count means.
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

    /// Whether a page is the next of those delivered before the report began anew; otherwise it is the next to deliver.
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

    /// At the end: whether every page that was delivered before the report began anew has come again.
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

    /// Whether a page follows the one before it.
    fn is_in_place(
        &mut self,
        received: usize,
        offset: Option<usize>,
        resent: bool,
    ) -> Result<bool, Error> {
        // A lost answer may have moved the cursor on. Without an offset only a total would miss its rows, at the end.
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
            "NinjaOne cuts pages of this report and names neither a cursor nor a count: whether rows are missing cannot be told; {REPORT_IT}"
        ),
    )
}

fn too_few() -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!("the report ended before all the rows it announced; {REPORT_IT}"),
    )
}
