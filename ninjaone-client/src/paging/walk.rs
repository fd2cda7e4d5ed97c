//! Decides how a walk advances from page to page and where it ends. Walks are pure: the pager passes the pages to them.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::{
    by_cursor::ByCursor,
    decode::{Body, Fences, MalformedRow, RawPage, read_page},
};
use crate::{Error, ErrorKind, request::Request};

/// A page may have at most this many times the requested rows, because some servers ignore the page size.
pub(crate) const MOST_TIMES_ASKED: usize = 10;

/// Compares at most this many different rows with the same id. A repetition of a later one is delivered again.
const MOST_COMPARED: usize = 4;

/// The largest body that is kept until the next page arrives. The body is kept instead of the rows, because copying the rows would add a
/// third to the decoding time of every page, and rows seldom come again. Repeated rows of a page with a larger body are delivered twice.
const MOST_KEPT: usize = 1 << 20;

/// The state of one list that is being read.
pub(crate) enum Walk<T> {
    /// The whole list in one response.
    Whole,
    /// Forwards, from the largest id so far.
    ById(ById<T>),
    /// By a cursor.
    ByCursor(Box<ByCursor>),
    /// Backwards in time, from the smallest id so far.
    Backwards(Backwards<T>),
}

/// What to do after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The page belongs to the list.
    Taken {
        /// Whether the page was delivered before the restart.
        again: bool,
        /// Whether the page was the last.
        over: bool,
    },
    /// The cursor lost its place: read the report again from its beginning.
    Restart,
    /// The page may or may not be the whole report: keep it, and request the report once more with another page size.
    Confirm,
    /// The kept page is the whole report.
    Confirmed {
        /// Whether the page was delivered before the restart.
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

impl<T: PartialEq + DeserializeOwned> Walk<T> {
    pub(crate) fn by_id(after: Option<i64>, page_size: u32, id_of: fn(&T) -> Option<i64>) -> Self {
        Self::ById(ById {
            after,
            expected: page_size as usize,
            rows: Rows::new(id_of),
            previous: Previous::default(),
        })
    }

    pub(crate) fn backwards(
        older_than: Option<i64>,
        wanted: ActivityRange<T>,
        page_size: u32,
        id_of: fn(&T) -> Option<i64>,
    ) -> Self {
        Self::Backwards(Backwards {
            older_than,
            wanted,
            expected: page_size as usize,
            rows: Rows::new(id_of),
            previous: Previous::default(),
            not_asked_for: 0,
        })
    }
}

impl<T> Walk<T> {
    pub(crate) fn by_cursor(parameter: &'static str, page_size: u32) -> Self {
        Self::ByCursor(Box::new(ByCursor::new(parameter, page_size)))
    }

    /// Sets the page size. `expected` is the size that the client began with.
    pub(crate) fn set_page_size(&mut self, rows: u32, expected: u32) {
        let (rows, expected) = (rows as usize, expected.max(rows) as usize);
        match self {
            Self::Whole => {}
            // The first request carries the size.
            Self::ById(walk) => walk.expected = expected,
            Self::Backwards(walk) => walk.expected = expected,
            Self::ByCursor(walk) => {
                walk.page_size = rows;
                walk.expected = expected;
            }
        }
    }

    /// Whether the page size may change after the first page. In a report it may not: another size under the same cursor would skip rows.
    pub(crate) fn is_by_id(&self) -> bool {
        matches!(self, Self::ById(_) | Self::Backwards(_))
    }

    /// The request for the next page.
    ///
    /// # Errors
    /// When the walk has reached its limit.
    pub(crate) fn request(&self, first: &Request) -> Result<Request, Error> {
        Ok(match self {
            Self::Whole => first.clone(),
            Self::ById(walk) => with(first, "after", walk.after),
            Self::ByCursor(walk) => {
                with(first, walk.parameter, walk.name.as_deref()).set("pageSize", walk.page_size)
            }
            Self::Backwards(walk) => {
                walk.wanted.check(walk.not_asked_for)?;
                with(first, "olderThan", walk.older_than)
            }
        })
    }

    /// Takes a page and removes the rows that were delivered before. `resent`: its request was sent more than once.
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

    /// The id from which the list can be resumed.
    pub(crate) fn position(&self) -> Option<i64> {
        match self {
            Self::Whole | Self::ByCursor(_) => None,
            Self::ById(walk) => walk.after,
            Self::Backwards(walk) => walk.older_than,
        }
    }
}

/// The first request, with a parameter for the place in the list.
fn with(first: &Request, parameter: &str, place: Option<impl std::fmt::Display>) -> Request {
    match place {
        Some(place) => first.clone().set(parameter, place),
        None => first.clone(),
    }
}

/// Refuses a page that has many times the requested rows.
pub(super) fn check_page(received: usize, page_size: usize) -> Result<(), Error> {
    if received <= page_size.saturating_mul(MOST_TIMES_ASKED) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!(
            "a page holds more than {MOST_TIMES_ASKED} times the {page_size} rows asked for: nothing of it is used; ask for larger pages"
        ),
    ))
}

/// A list that is read forwards by id. It ends at an empty page, because servers send fewer rows than requested.
pub(crate) struct ById<T> {
    after: Option<i64>,
    /// Rows a page is expected to have, for the limit on its rows.
    expected: usize,
    rows: Rows<T>,
    previous: Previous,
}

impl<T> ById<T> {
    fn take(&mut self, page: &mut RawPage<T>) -> Result<Step, Error> {
        let received = page.received();
        check_page(received, self.expected)?;
        if received == 0 {
            return Ok(Step::DONE);
        }
        let after = self.after;
        let is_behind = |id| after.is_some_and(|after| id <= after);
        let ids = self.rows.keep_new(page, &self.previous, is_behind);
        let ids = ids.map_err(|Disordered| disordered("after"))?;
        let largest = ids.range.map(|(_, largest)| largest);
        let place = ids.cautious().filter(|id| !is_behind(*id)).or(largest);
        if place <= after {
            return Err(stalled("after"));
        }
        self.after = place;
        self.previous.advance(ids, page, |id| Some(id) > place);
        Ok(Step::MORE)
    }
}

/// The activities that the caller wants, and the limits of the walk for them.
pub(crate) struct ActivityRange<T> {
    /// The caller knows this activity and all before it: the walk ends there.
    pub(crate) known: Option<i64>,
    /// Older activities are left out, but do not end the walk: ids follow the time of arrival, so a device that was offline for weeks adds
    /// old activities at the top of the log.
    pub(crate) since: Option<OffsetDateTime>,
    pub(crate) time_of: fn(&T) -> Option<OffsetDateTime>,
    /// Whether a row matches the requested filters, as far as the row can be read.
    pub(crate) is_asked_for: Box<dyn Fn(&T) -> bool + Send + Sync>,
    /// The walk continues over up to this many rows that were not requested.
    pub(crate) most_not_asked_for: usize,
}

impl<T> ActivityRange<T> {
    fn is_too_old(&self, row: &T) -> bool {
        let time = (self.time_of)(row);
        self.since
            .is_some_and(|since| time.is_some_and(|time| time < since))
    }

    fn check(&self, not_asked_for: usize) -> Result<(), Error> {
        if not_asked_for <= self.most_not_asked_for {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LimitExceeded,
            format!(
                "NinjaOne does not honour what was asked for: more than {} activities of other codes or times came, and wanted ones may lie below; walk back to a known activity, or raise `most_not_asked_for`",
                self.most_not_asked_for
            ),
        ))
    }
}

/// The activity log, read from the newest activity backwards. It ends at an empty page or at a known activity.
pub(crate) struct Backwards<T> {
    older_than: Option<i64>,
    wanted: ActivityRange<T>,
    /// Rows a page is expected to have, for the limit on its rows.
    expected: usize,
    rows: Rows<T>,
    previous: Previous,
    /// Rows received that were not requested.
    not_asked_for: usize,
}

impl<T> Backwards<T> {
    fn take(&mut self, page: &mut RawPage<T>) -> Result<Step, Error> {
        let received = page.received();
        check_page(received, self.expected)?;
        if received == 0 {
            return Ok(Step::DONE);
        }
        let older_than = self.older_than;
        let is_behind = |id| older_than.is_some_and(|before| id >= before);
        let ids = self.rows.keep_new(page, &self.previous, is_behind);
        let ids = ids.map_err(|Disordered| disordered("olderThan"))?;
        let smallest = ids.range.map(|(smallest, _)| smallest);
        let place = ids.cautious().filter(|id| !is_behind(*id)).or(smallest);
        let Some(place) = place.filter(|id| !is_behind(*id)) else {
            return Err(stalled("olderThan"));
        };
        self.older_than = Some(place);
        self.previous.advance(ids, page, |id| id < place);
        let mut over = false;
        if let Some(known) = self.wanted.known {
            let id_of = self.rows.id_of;
            page.rows
                .retain(|row| id_of(row).is_none_or(|id| id > known));
            over = place <= known;
        }
        let (wanted, not_asked_for) = (&self.wanted, &mut self.not_asked_for);
        page.rows.retain(|row| {
            let is_too_old = wanted.is_too_old(row);
            *not_asked_for += usize::from(is_too_old || !(wanted.is_asked_for)(row));
            !is_too_old
        });
        Ok(if over { Step::DONE } else { Step::MORE })
    }
}

/// The previous page. It distinguishes rows that are sent again from rows out of order and from rows that have changed.
#[derive(Default)]
struct Previous {
    /// The ids of the page, and of earlier pages, that may come again; ascending.
    ids: Vec<i64>,
    /// The ids of the page itself, ascending.
    own: Vec<i64>,
    /// The body of the page; none if it was too large to be kept.
    body: Option<Body>,
}

impl Previous {
    fn advance<T>(&mut self, ids: Ids, page: &mut RawPage<T>, may_come: impl Fn(i64) -> bool) {
        self.own.clone_from(&ids.new);
        self.own.sort_unstable();
        self.ids = ids.and(&self.ids, may_come);
        self.body = Some(std::mem::take(&mut page.body)).filter(|body| body.0.len() <= MOST_KEPT);
    }
}

/// Decodes the rows of the previous page again.
fn rows_of<T: DeserializeOwned>(body: &Body) -> Vec<T> {
    read_page(&body.0, Fences::default()).map_or_else(|_| Vec::new(), |page| page.rows)
}

/// Compares rows by their ids and their content.
struct Rows<T> {
    id_of: fn(&T) -> Option<i64>,
    is_same: fn(&T, &T) -> bool,
    read: fn(&Body) -> Vec<T>,
}

/// A row lies behind the walk's position and was not on an earlier page: the list is not in the order that the walk relies on.
struct Disordered;

/// The ids on a page.
struct Ids {
    /// The ids of new rows.
    new: Vec<i64>,
    /// The smallest and the largest id.
    range: Option<(i64, i64)>,
    /// The id of the last row.
    last: Option<i64>,
    is_ascending: bool,
    is_descending: bool,
}

impl Ids {
    /// The id of the last row, if the page is in no order.
    ///
    /// On such a page, a walk that continued from the outermost id could skip everything between, because a single id may be far out of
    /// range. A walk that continues from the last row at worst receives rows twice.
    fn cautious(&self) -> Option<i64> {
        self.last
            .filter(|_| !self.is_ascending && !self.is_descending)
    }

    fn push(&mut self, id: i64) {
        let (smallest, largest) = self.range.unwrap_or((id, id));
        self.range = Some((smallest.min(id), largest.max(id)));
    }

    /// These ids and earlier ones that may come again, ascending.
    fn and(self, before: &[i64], may_come: impl Fn(i64) -> bool) -> Vec<i64> {
        let mut ids = self.new;
        ids.extend(before.iter().copied().filter(|id| may_come(*id)));
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl<T: PartialEq + DeserializeOwned> Rows<T> {
    fn new(id_of: fn(&T) -> Option<i64>) -> Self {
        Self {
            id_of,
            is_same: T::eq,
            read: rows_of,
        }
    }
}

impl<T> Rows<T> {
    /// Keeps the new rows and returns the ids of the page.
    ///
    /// A row is dropped if the same row was on the previous page or is already on this page. If two rows have the same id and differ, both
    /// are kept, because the list does not show which is current. A row behind the position that was not on an earlier page is an error,
    /// because rows may be missing. A row without an id is malformed.
    fn keep_new(
        &self,
        page: &mut RawPage<T>,
        previous: &Previous,
        is_behind: impl Fn(i64) -> bool,
    ) -> Result<Ids, Disordered> {
        let mut repeated = self.repeated(&page.rows).into_iter().peekable();
        let mut changed = self.changed(&page.rows, previous).into_iter().peekable();
        let mut ids = Ids {
            new: Vec::with_capacity(page.rows.len()),
            range: None,
            last: None,
            is_ascending: true,
            is_descending: true,
        };
        let mut is_disordered = false;
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
            let has_changed = changed.next_if_eq(&(index - 1)).is_some();
            let Some(id) = (self.id_of)(row) else {
                without_id.push(MalformedRow {
                    position: position_on_page - 1,
                    field: Some("id".to_owned()),
                });
                return false;
            };
            ids.is_ascending &= ids.last.is_none_or(|last| last <= id);
            ids.is_descending &= ids.last.is_none_or(|last| last >= id);
            ids.last = Some(id);
            ids.push(id);
            let is_known = previous.ids.binary_search(&id).is_ok();
            if is_repeated || (is_known && !has_changed) {
                return false;
            }
            is_disordered |= !is_known && is_behind(id);
            ids.new.push(id);
            true
        });
        page.malformed.append(&mut without_id);
        page.malformed.sort_by_key(|row| row.position);
        if is_disordered {
            return Err(Disordered);
        }
        for id in page.malformed_ids.drain(..) {
            ids.push(id);
            ids.new.push(id);
        }
        Ok(ids)
    }

    /// The places of rows whose id the previous page holds with other content, ascending.
    fn changed(&self, rows: &[T], previous: &Previous) -> Vec<usize> {
        let comes_again =
            |row: &T| (self.id_of)(row).filter(|id| previous.own.binary_search(id).is_ok());
        let mut changed: Vec<usize> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| comes_again(row).is_some())
            .map(|(index, _)| index)
            .collect();
        if changed.is_empty() {
            return changed;
        }
        let before = previous.body.as_ref().map(self.read).unwrap_or_default();
        let mut known: HashMap<i64, Vec<&T>> = HashMap::with_capacity(before.len());
        for row in &before {
            if let Some(id) = (self.id_of)(row) {
                let rows = known.entry(id).or_default();
                if rows.len() < MOST_COMPARED {
                    rows.push(row);
                }
            }
        }
        let is_same = |row: &T| {
            let known = comes_again(row).and_then(|id| known.get(&id));
            known.is_some_and(|known| known.iter().any(|other| (self.is_same)(other, row)))
        };
        changed.retain(|index| rows.get(*index).is_some_and(|row| !is_same(row)));
        changed
    }

    /// The places of rows that equal an earlier row of the page, ascending.
    fn repeated(&self, rows: &[T]) -> Vec<usize> {
        let mut different: HashMap<i64, Vec<&T>> = HashMap::with_capacity(rows.len());
        let mut repeated = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let Some(id) = (self.id_of)(row) else {
                continue;
            };
            let before = different.entry(id).or_default();
            if before.iter().any(|other| (self.is_same)(other, row)) {
                repeated.push(index);
            } else if before.len() < MOST_COMPARED {
                before.push(row);
            }
        }
        repeated
    }
}

fn stalled(parameter: &str) -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!(
            "the list does not move on: NinjaOne answers `{parameter}` with rows of the page before, or with none that has an id. Rows are missing, and reading it again gives the same: report the endpoint to NinjaOne's support"
        ),
    )
    .permanent()
}

fn disordered(parameter: &str) -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!(
            "the ids of the list are out of order: NinjaOne answers `{parameter}` with rows that belong before it. Rows may be missing, and reading it again gives the same: report the endpoint to NinjaOne's support"
        ),
    )
    .permanent()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    type Row = (i64, usize);

    fn page(rows: Vec<Row>) -> RawPage<Row> {
        RawPage {
            rows,
            malformed: Vec::new(),
            repaired: Vec::new(),
            malformed_ids: Vec::new(),
            cursor: None,
            fingerprint: 0,
            body: Body::default(),
        }
    }

    #[test]
    fn a_page_of_one_id_costs_no_more_than_any_other() {
        const ROWS: usize = 50_000;
        for rows in [
            vec![(1, 0); ROWS],
            (0..ROWS).map(|row| (1, row)).collect(),
            (0..ROWS).map(|row| (1, row % 2)).collect(),
        ] {
            let expected = rows.iter().collect::<std::collections::HashSet<_>>().len();
            let mut page = page(rows);
            let mut walk = Walk::by_id(None, 5_000, |row: &Row| Some(row.0));
            let began = Instant::now();
            assert_eq!(walk.take(&mut page, false).unwrap(), Step::MORE);
            let elapsed = began.elapsed();
            assert_eq!(page.rows.len(), expected);
            // This took minutes when every row was compared with all rows before it.
            assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
        }
    }

    #[test]
    fn more_than_ten_times_the_rows_asked_for_are_refused() {
        let rows = |count: i64| (1..=count).map(|id| (id, 0)).collect();
        for (count, is_fine) in [(0, true), (100, true), (101, false)] {
            let id_of = |row: &Row| Some(row.0);
            let wanted = ActivityRange {
                known: None,
                since: None,
                time_of: |_| None,
                is_asked_for: Box::new(|_| true),
                most_not_asked_for: 0,
            };
            for mut walk in [
                Walk::by_id(None, 10, id_of),
                Walk::backwards(None, wanted, 10, id_of),
                Walk::by_cursor("cursor", 10),
            ] {
                match walk.take(&mut page(rows(count)), false) {
                    Ok(_) => assert!(is_fine),
                    Err(error) => {
                        assert!(!is_fine);
                        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
                        assert!(!error.is_retryable());
                    }
                }
            }
        }
    }
}
