//! How a walk moves on from page to page, and when it is over: pure, fed with pages by the pager.

use time::OffsetDateTime;

use super::cursor::Cursor;
use super::decode::{MalformedRow, RawPage};
use crate::request::Request;
use crate::{Error, ErrorKind};

/// The way through one list.
pub(crate) enum Walk<T> {
    /// Everything at once.
    Whole,
    /// By the largest id so far.
    ById(ById<T>),
    /// By a cursor.
    ByCursor(ByCursor),
    /// Back in time by the smallest id so far.
    Backwards(Backwards<T>),
}

/// What a page means for the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The page was taken.
    Taken {
        /// It had been delivered before the report began anew.
        again: bool,
        /// It was the last.
        over: bool,
    },
    /// The cursor lost its place: the report must be read from its beginning.
    Restart,
    /// The page may be the whole or not: it must be kept and its report asked for once more, in pages of another size.
    Confirm,
    /// The page kept is the whole.
    Confirmed {
        /// It had been delivered before the report began anew.
        again: bool,
    },
}

impl Step {
    const MORE: Self = Self::Taken {
        again: false,
        over: false,
    };
    const DONE: Self = Self::Taken {
        again: false,
        over: true,
    };
}

impl<T: PartialEq> Walk<T> {
    pub(crate) fn by_id(after: Option<i64>, page_size: u32, id_of: fn(&T) -> Option<i64>) -> Self {
        Self::ById(ById {
            after,
            page_size: page_size as usize,
            id_of,
            is_same: T::eq,
            previous: Vec::new(),
            overfull: false,
        })
    }

    pub(crate) fn backwards(
        older_than: Option<i64>,
        stop: Stop,
        page_size: u32,
        id_of: fn(&T) -> Option<i64>,
        time_of: fn(&T) -> Option<OffsetDateTime>,
    ) -> Self {
        Self::Backwards(Backwards {
            older_than,
            stop,
            page_size: page_size as usize,
            id_of,
            is_same: T::eq,
            time_of,
            previous: Vec::new(),
        })
    }
}

impl<T> Walk<T> {
    pub(crate) fn by_cursor(parameter: &'static str, page_size: u32) -> Self {
        Self::ByCursor(ByCursor {
            parameter,
            page_size: page_size as usize,
            ..ByCursor::default()
        })
    }

    /// The request for the next page.
    pub(crate) fn request(&self, first: &Request) -> Request {
        match self {
            Self::Whole => first.clone(),
            Self::ById(walk) => with(first, "after", walk.after),
            Self::ByCursor(walk) => {
                with(first, walk.parameter, walk.name.as_deref()).set("pageSize", walk.page_size)
            }
            Self::Backwards(walk) => with(first, "olderThan", walk.older_than),
        }
    }

    /// Takes a page in. What remains on it is new; `resent` says that its request was sent more than once.
    pub(crate) fn take(&mut self, page: &mut RawPage<T>, resent: bool) -> Result<Step, Error> {
        match self {
            Self::Whole => Ok(Step::DONE),
            Self::ById(walk) => walk.take(page),
            Self::ByCursor(walk) => walk.take(
                page.received(),
                page.cursor.as_ref(),
                page.fingerprint,
                resent,
            ),
            Self::Backwards(walk) => walk.take(page),
        }
    }

    /// Where a list stands: the id that would resume it.
    pub(crate) fn position(&self) -> Option<i64> {
        match self {
            Self::Whole | Self::ByCursor(_) => None,
            Self::ById(walk) => walk.after,
            Self::Backwards(walk) => walk.older_than,
        }
    }
}

/// The first request with its place in the list.
fn with(first: &Request, parameter: &str, place: Option<impl std::fmt::Display>) -> Request {
    match place {
        Some(place) => first.clone().set(parameter, place),
        None => first.clone(),
    }
}

/// Whether more rows than these may be there: all that were asked for came, or a round number of them, because servers that
/// send fewer than asked for stop at one (100 was seen).
fn may_be_cut(received: usize, page_size: usize) -> bool {
    received >= page_size || (received > 0 && received.is_multiple_of(50))
}

/// A list by the largest id so far.
pub(crate) struct ById<T> {
    after: Option<i64>,
    page_size: usize,
    id_of: fn(&T) -> Option<i64>,
    is_same: fn(&T, &T) -> bool,
    /// Ids of the page before, sorted: rows sent once more are told from rows out of order.
    previous: Vec<i64>,
    /// The page before held more rows than were asked for.
    overfull: bool,
}

impl<T> ById<T> {
    fn take(&mut self, page: &mut RawPage<T>) -> Result<Step, Error> {
        let received = page.received();
        if received == 0 {
            return Ok(Step::DONE);
        }
        let mut ids = keep_new(
            page,
            self.id_of,
            self.is_same,
            &self.previous,
            self.after,
            |id, after| id <= after,
        )?;
        ids.append(&mut page.malformed_ids);
        ids.sort_unstable();
        let largest = ids.last().copied();
        let moved_on = largest > self.after;
        if !moved_on {
            // A server that ignores both parameters sends everything, and sends it again.
            let all_again = self.overfull && page.rows.is_empty();
            return if received < self.page_size || all_again {
                Ok(Step::DONE)
            } else {
                Err(stalled("after"))
            };
        }
        self.after = largest;
        self.previous = ids;
        self.overfull = received > self.page_size;
        Ok(if may_be_cut(received, self.page_size) {
            Step::MORE
        } else {
            Step::DONE
        })
    }
}

/// When the walk back through the activity log is over.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stop {
    /// Activities older than this are not wanted.
    pub(crate) until: Option<OffsetDateTime>,
    /// This activity and all before it are known.
    pub(crate) known: Option<i64>,
}

/// The activity log, newest first, back in time.
pub(crate) struct Backwards<T> {
    older_than: Option<i64>,
    stop: Stop,
    page_size: usize,
    id_of: fn(&T) -> Option<i64>,
    is_same: fn(&T, &T) -> bool,
    time_of: fn(&T) -> Option<OffsetDateTime>,
    previous: Vec<i64>,
}

impl<T> Backwards<T> {
    fn take(&mut self, page: &mut RawPage<T>) -> Result<Step, Error> {
        let received = page.received();
        if received == 0 {
            return Ok(Step::DONE);
        }
        let mut ids = keep_new(
            page,
            self.id_of,
            self.is_same,
            &self.previous,
            self.older_than,
            |id, before| id >= before,
        )?;
        ids.append(&mut page.malformed_ids);
        ids.sort_unstable();
        let smallest = ids.first().copied();
        let moved_on = match (smallest, self.older_than) {
            (Some(smallest), Some(before)) => smallest < before,
            (smallest, _) => smallest.is_some(),
        };
        if !moved_on {
            return if received < self.page_size {
                Ok(Step::DONE)
            } else {
                Err(stalled("olderThan"))
            };
        }
        self.older_than = smallest;
        self.previous = ids;
        let mut over = !may_be_cut(received, self.page_size);
        if let Some(known) = self.stop.known {
            page.rows
                .retain(|row| (self.id_of)(row).is_none_or(|id| id > known));
            over |= smallest.is_some_and(|smallest| smallest <= known);
        }
        if let Some(until) = self.stop.until {
            // Ids follow the time of arrival: a device that was away reports late. One whole page without anything
            // recent enough ends the walk, a single old row does not.
            page.rows
                .retain(|row| (self.time_of)(row).is_none_or(|time| time >= until));
            over |= page.rows.is_empty() && page.malformed.is_empty();
        }
        Ok(if over { Step::DONE } else { Step::MORE })
    }
}

/// Keeps the rows that are new and returns the ids of all.
///
/// A row of the page before that comes once more is dropped, and so is one that stands on this page already. Two rows of one
/// id that differ are both kept: which of them holds is not for a list to decide. A row behind the position that was not
/// there before means that the order is not what the walk relies on: rows may be missing, so that is an error. A row without
/// an id is malformed.
fn keep_new<T>(
    page: &mut RawPage<T>,
    id_of: fn(&T) -> Option<i64>,
    is_same: fn(&T, &T) -> bool,
    previous: &[i64],
    position: Option<i64>,
    is_behind: impl Fn(i64, i64) -> bool,
) -> Result<Vec<i64>, Error> {
    let mut repeated = repeated(&page.rows, id_of, is_same).into_iter().peekable();
    let mut ids = Vec::with_capacity(page.rows.len());
    let mut out_of_order = false;
    let mut without_id = Vec::new();
    let mut malformed = page.malformed.iter().map(|row| row.position).peekable();
    let mut position_on_page = 0;
    let mut index = 0;
    page.rows.retain(|row| {
        while malformed.next_if_eq(&position_on_page).is_some() {
            position_on_page += 1;
        }
        position_on_page += 1;
        index += 1;
        let is_repeated = repeated.next_if_eq(&(index - 1)).is_some();
        let Some(id) = id_of(row) else {
            without_id.push(MalformedRow {
                position: position_on_page - 1,
                field: Some("id".to_owned()),
            });
            return false;
        };
        if is_repeated || previous.binary_search(&id).is_ok() {
            return false;
        }
        out_of_order |= position.is_some_and(|position| is_behind(id, position));
        ids.push(id);
        true
    });
    page.malformed.append(&mut without_id);
    page.malformed.sort_by_key(|row| row.position);
    if out_of_order {
        return Err(Error::new(
            ErrorKind::Truncated,
            "the list does not come in the order of its ids, rows may be missing: read it again",
        ));
    }
    Ok(ids)
}

/// Where rows stand that are the same as one before them, ascending.
fn repeated<T>(
    rows: &[T],
    id_of: fn(&T) -> Option<i64>,
    is_same: fn(&T, &T) -> bool,
) -> Vec<usize> {
    let mut first = std::collections::HashMap::with_capacity(rows.len());
    let mut repeated = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let Some(id) = id_of(row) else { continue };
        let before = *first.entry(id).or_insert(index);
        let mut candidates = rows.iter().take(index).skip(before);
        if before < index && candidates.any(|other| id_of(other) == Some(id) && is_same(other, row))
        {
            repeated.push(index);
        }
    }
    repeated
}

fn stalled(parameter: &str) -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!(
            "the list does not move on (NinjaOne ignored `{parameter}`), rows are missing: read it again"
        ),
    )
}

/// A report by its cursor.
///
/// It ends where its `count` says. Without a count it ends with an empty page, or with one that is not full and names no
/// cursor. A report that fits on one page was seen to come without any cursor; a first page that says neither and
/// may have been cut is therefore asked for once more, in pages of another size, which tells one that
/// fits from one that was cut.
#[derive(Default)]
pub(crate) struct ByCursor {
    parameter: &'static str,
    /// Rows asked for.
    page_size: usize,
    name: Option<String>,
    /// Rows received since the report began.
    received: usize,
    count: Option<usize>,
    offsets: Offsets,
    last_offset: Option<usize>,
    /// Rows of the first page: servers were seen to send fewer than asked for.
    first_page: usize,
    /// The first page, while nobody knows whether it is the whole: content and size.
    unconfirmed: Option<(u64, usize)>,
    began_anew: bool,
    /// Content and size of the pages delivered, in order.
    delivered: Vec<(u64, usize)>,
    /// How many of them were seen again since the report began anew.
    seen_again: usize,
}

/// What the offset of a page means; the vendor does not say, live tenants count the rows before it.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Offsets {
    #[default]
    Unknown,
    Before,
    After,
}

impl ByCursor {
    /// Whether a refusal of the next page may be an expired cursor, which one new beginning cures.
    pub(crate) fn may_begin_anew(&self) -> bool {
        self.name.is_some() && !self.began_anew
    }

    /// Whether the next request continues a report.
    pub(crate) fn is_under_way(&self) -> bool {
        self.name.is_some()
    }

    /// Begins the report anew; what was delivered will be skipped if it comes unchanged.
    pub(crate) fn begin_anew(&mut self) {
        self.name = None;
        self.received = 0;
        self.count = None;
        self.offsets = Offsets::Unknown;
        self.last_offset = None;
        self.unconfirmed = None;
        self.seen_again = 0;
        self.began_anew = true;
    }

    /// Forgets what was delivered: the caller threw it away.
    pub(crate) fn forget_delivered(&mut self) {
        self.delivered.clear();
    }

    fn take(
        &mut self,
        received: usize,
        cursor: Option<&Cursor>,
        fingerprint: u64,
        resent: bool,
    ) -> Result<Step, Error> {
        let total = self.received + received;
        let offset = cursor.and_then(|cursor| cursor.offset);
        let announced = cursor.and_then(|cursor| cursor.count).or(self.count);
        // A count that is too small to be true counts as none. Beside custom field definitions stands one that may as well
        // be the page's own: it tells that rows are missing, and never that none are.
        let least = total + usize::from(self.parameter == "cursorName");
        let count = announced.filter(|count| *count >= least);
        let named = cursor.and_then(|cursor| cursor.name.clone());
        if let Some(kept) = self.unconfirmed {
            if count == Some(kept.1) {
                self.unconfirmed = None;
                return Ok(Step::Confirmed {
                    again: self.is_known(kept)?,
                });
            }
            // A page as large as asked for, and again not a word of more.
            let is_cut =
                received == self.page_size || (received > self.page_size && received != kept.1);
            if named.is_none() && count.is_none() && is_cut {
                return Err(cut_without_a_word());
            }
        }
        if self.name.is_none() {
            self.offsets = match offset {
                Some(0) => Offsets::Before,
                Some(offset) if offset == received => Offsets::After,
                _ => Offsets::Unknown,
            };
        } else if !self.is_in_place(received, offset, count, resent)? {
            return if self.began_anew {
                Err(lost_place())
            } else {
                Ok(Step::Restart)
            };
        } else if offset.is_none() && received > 0 && self.seen_again > 0 {
            let before = self.delivered.get(self.seen_again - 1);
            if before.is_some_and(|(content, _)| *content == fingerprint) {
                return Err(stalled(self.parameter));
            }
        }
        let is_full =
            received >= self.page_size || (self.received > 0 && received >= self.first_page);
        // One page of a report may come without its cursor, whose name never changes.
        let more_to_come = count.map_or(is_full, |count| total < count);
        let name = match named {
            None if received > 0 && more_to_come => self.name.clone(),
            named => named,
        };
        // The end, as this page would have it, before all the rows that were announced.
        if (received == 0 || name.is_none()) && count.is_some_and(|count| total < count) {
            // A lost answer may have taken the last rows with it: the cursor moved on without us.
            return if resent && !self.began_anew {
                Ok(Step::Restart)
            } else {
                Err(too_few())
            };
        }
        let is_first = self.received == 0 && self.name.is_none();
        let page = (fingerprint, received);
        if is_first
            && may_be_cut(received, self.page_size)
            && name.is_none()
            && count.is_none()
            && self.unconfirmed.is_none()
        {
            if announced.is_some_and(|count| count < total) {
                return Err(too_many());
            }
            self.unconfirmed = Some(page);
            self.page_size = match received {
                // Pages delivered before can only be recognised in the size they had.
                _ if !self.delivered.is_empty() => self.page_size,
                // One row less makes a server that has them all name a cursor and a count.
                11.. if received <= self.page_size => received - 1,
                // Pages of fewer than ten rows some reports refuse, and who sends more than asked for may have a least of
                // its own.
                _ => received + 1,
            };
            return Ok(Step::Confirm);
        }
        let again = self.is_known(page)?;
        if is_first {
            self.first_page = received;
            self.unconfirmed = None;
        }
        self.received = total;
        self.last_offset = offset;
        self.count = count;
        self.name = name;
        let over = received == 0 || self.name.is_none() || count == Some(total);
        if over {
            self.name = None;
        }
        Ok(Step::Taken { again, over })
    }

    /// Whether a page is the next of those delivered before the report began anew; otherwise it is the next to deliver.
    fn is_known(&mut self, page: (u64, usize)) -> Result<bool, Error> {
        let known = self.delivered.get(self.seen_again);
        let again = match known {
            Some(known) if *known == page => true,
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::Truncated,
                    "the report began anew and has changed meanwhile: read it again from its beginning",
                ));
            }
            None => {
                self.delivered.push(page);
                false
            }
        };
        self.seen_again += 1;
        Ok(again)
    }

    /// Whether a page follows the one before it.
    fn is_in_place(
        &self,
        received: usize,
        offset: Option<usize>,
        count: Option<usize>,
        resent: bool,
    ) -> Result<bool, Error> {
        let Some(offset) = offset else {
            // A lost answer may have moved the cursor on; without offset and count nobody would notice.
            return Ok(!resent || count.is_some());
        };
        if received == 0 {
            // The rows that were announced are counted; of others only the offset knows whether an answer took them along.
            return Ok(!resent || count.is_some() || offset == self.received);
        }
        let expected = match self.offsets {
            Offsets::Before => self.received,
            Offsets::After => self.received + received,
            Offsets::Unknown => {
                return if self.last_offset.is_none_or(|last| offset > last) {
                    Ok(true)
                } else {
                    Err(stalled("cursor"))
                };
            }
        };
        if offset == expected {
            return Ok(true);
        }
        if self.last_offset.is_some_and(|last| offset <= last) {
            return Err(stalled("cursor"));
        }
        Ok(false)
    }
}

pub(crate) fn lost_place() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report's cursor lost its place twice, rows would be missing: read it again",
    )
}

pub(crate) fn expired_twice() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report's cursor expired twice: read it again, faster or with larger pages",
    )
}

fn cut_without_a_word() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report fills its page and names neither a cursor nor a count, rows may be missing: read it in larger pages, or by parts",
    )
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report fills its page with more rows than it announced, others may be missing: read it again",
    )
}

fn too_few() -> Error {
    Error::new(
        ErrorKind::Truncated,
        "the report ended before all the rows it announced: read it again",
    )
}
