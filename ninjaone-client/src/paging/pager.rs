//! The pager: reads one list page by page, on demand.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{
    by_cursor::{Refused, expired_twice},
    decode::{Body, MalformedRow, RawPage, RepairedField},
    page_size::{Place, SizeChange, SizedRead},
    walk::{Step, Walk},
};
use crate::{
    Client, Error, ErrorKind,
    observer::{ClientEvent, PageSizeReason},
    request::Request,
    transport::Lent,
};

/// Whether a list is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a list that was cut must not be taken for the whole"]
pub enum Completeness {
    /// All rows of the list were read.
    Complete,
    /// The list has more rows than the ceiling. Only the rows up to the ceiling were read.
    TruncatedAtCeiling {
        /// The ceiling.
        ceiling: usize,
    },
}

impl Completeness {
    /// Returns whether all rows were read.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self == Self::Complete
    }
}

/// One page of a list.
#[non_exhaustive]
pub struct Page<T> {
    /// The rows that decoded. The list may be empty although more pages follow.
    pub rows: Vec<T>,
    /// The rows that did not decode.
    pub malformed: Vec<MalformedRow>,
    /// The fields of rows that decoded only after they had been repaired.
    pub repaired: Vec<RepairedField>,
    /// Number of rows in the list before this page.
    pub offset: usize,
    /// Number of rows in the whole list, if NinjaOne's count has proved to be a total. A count may also be that of the page.
    pub total: Option<usize>,
}

/// The rows of a list, up to its end or to the ceiling.
#[must_use = "look at the completeness and the malformed rows"]
pub struct Collected<T> {
    /// The rows that decoded.
    pub rows: Vec<T>,
    /// The rows that did not decode.
    pub malformed: Vec<MalformedRow>,
    /// The fields of rows that decoded only after they had been repaired, over all pages.
    pub repaired: Vec<RepairedField>,
    /// Whether the list is complete.
    pub completeness: Completeness,
}

/// Reads one list page by page. A page is fetched only on demand.
///
/// A pager ends in one of three ways: the list is complete, it was truncated at a ceiling that you set, or there is an error. A list ends
/// at an empty page; a short page is not its end. A report may also end where other facts prove that it is complete. A list that stalls,
/// fewer rows than announced, and ids out of order are errors. A list cannot run for ever:
/// [`ClientBuilder::most_pages`](crate::ClientBuilder::most_pages) and [`most_rows`](crate::ClientBuilder::most_rows) limit it.
///
/// A future of a pager may be dropped: the pager keeps its position, and the next call requests the same page again. The same holds after
/// an error that [is retryable](Error::is_retryable).
///
/// ```no_run
/// # async fn example(client: ninjaone_client::Client) -> Result<(), ninjaone_client::Error> {
/// use ninjaone_client::devices::DevicesParams;
///
/// let mut devices = client.devices().detailed(DevicesParams::default()).with_ceiling(10_000);
/// while let Some(page) = devices.next_page().await? {
///     println!("{} devices, {} unreadable", page.rows.len(), page.malformed.len());
/// }
/// if devices.completeness().is_some_and(|completeness| completeness.is_complete()) {
///     println!("that was all of them");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a pager fetches nothing until it is asked"]
pub struct Pager<T> {
    client: Client,
    first: Request,
    walk: Walk<T>,
    /// The page size that the client chose; none if the caller set one.
    read: Option<SizedRead>,
    /// How often the page was already requested in a larger size without success. The request in the smaller size is then sent only once.
    sent_in_vain: u32,
    ceiling: Option<usize>,
    /// Rows delivered so far, including malformed ones.
    delivered: usize,
    completeness: Option<Completeness>,
    /// Whether the request for the next page may already have been sent, by a call that failed or whose future was dropped.
    in_doubt: bool,
    /// A page that is held back until it is known to be the whole report.
    kept: Option<RawPage<T>>,
    /// Pages received so far, including those that were read twice.
    pages: u32,
    /// Rows received since the list began or restarted.
    rows: usize,
    /// The permit to keep the last page in memory, if the page is large.
    lent: Option<Lent>,
}

impl<T: DeserializeOwned + Send + 'static> Pager<T> {
    pub(crate) fn new(client: Client, first: Request, walk: Walk<T>) -> Self {
        let operation = first.endpoint().operation;
        let range = first.page_range();
        let read = range.map(|range| client.inner.page_sizes.begin(operation, range));
        let mut pager = Self {
            client,
            first,
            walk,
            read,
            sent_in_vain: 0,
            ceiling: None,
            delivered: 0,
            completeness: None,
            in_doubt: false,
            kept: None,
            pages: 0,
            rows: 0,
            lent: None,
        };
        pager.set_page_size();
        pager
    }

    /// Reads no more than `rows` rows. A list of exactly `rows` rows is complete; a list of more is truncated.
    pub fn with_ceiling(mut self, rows: usize) -> Self {
        self.ceiling = Some(rows);
        self
    }

    /// Returns the next page, or none after the last.
    ///
    /// # Errors
    /// Any error that prevents a complete list, among them [`Truncated`](ErrorKind::Truncated) if NinjaOne's paging loses rows, and
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) if the list is larger than this client allows.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        loop {
            match self.advance().await? {
                Advance::Page(page) => return Ok(Some(page)),
                Advance::BegunAnew | Advance::Nothing => {}
                Advance::Over => return Ok(None),
            }
        }
    }

    /// Reads the list to its end.
    ///
    /// # Errors
    /// As [`Self::next_page`]. Rows read before an error are dropped, because they are not a complete list.
    pub async fn collect(mut self) -> Result<Collected<T>, Error> {
        let mut rows = Vec::new();
        let mut malformed = Vec::new();
        let mut repaired = Vec::new();
        loop {
            match self.advance().await? {
                Advance::Page(mut page) => {
                    rows.append(&mut page.rows);
                    malformed.append(&mut page.malformed);
                    RepairedField::merge(&mut repaired, page.repaired);
                }
                Advance::BegunAnew => {
                    // The caller has not received any row yet, so the report can simply be read again.
                    rows.clear();
                    malformed.clear();
                    repaired.clear();
                    self.delivered = 0;
                    if let Walk::ByCursor(walk) = &mut self.walk {
                        walk.forget_delivered();
                    }
                }
                Advance::Nothing => {}
                Advance::Over => {
                    let completeness = self.completeness.unwrap_or(Completeness::Complete);
                    return Ok(Collected {
                        rows,
                        malformed,
                        repaired,
                        completeness,
                    });
                }
            }
        }
    }

    /// Returns whether the list is complete; none while the pager has not reached its end.
    #[must_use]
    pub fn completeness(&self) -> Option<Completeness> {
        self.completeness
    }

    /// Rows delivered so far, including malformed ones.
    #[must_use]
    pub fn rows_so_far(&self) -> usize {
        self.delivered
    }

    /// Pages received so far, including empty pages and pages that were read twice. This is the number of requests for the list, without
    /// retries.
    #[must_use]
    pub fn pages_so_far(&self) -> u32 {
        self.pages
    }

    /// The id from which a list that is paged by id can be resumed: pass it to `after` (for the activity log, `older_than`) in new
    /// parameters. None before the first page, and for lists that cannot be resumed.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.walk.position()
    }

    /// The first request. If the client chooses the page size, the size may still change before the request is sent.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.first
    }

    async fn advance(&mut self) -> Result<Advance<T>, Error> {
        // A caller that requests the next page no longer needs the page before.
        self.lent = None;
        if self.completeness.is_some() {
            return Ok(Advance::Over);
        }
        let operation = self.first.endpoint().operation;
        self.choose_page_size();
        let request = self.walk.request(&self.first);
        let request = request.map_err(|error| error.of(operation))?;
        let most_pages = self.client.inner.most_pages;
        if self.pages >= most_pages {
            return Err(too_many("pages", most_pages as usize).of(operation));
        }
        let resent = std::mem::replace(&mut self.in_doubt, true);
        let sent_in_vain = std::mem::take(&mut self.sent_in_vain);
        let retry = match sent_in_vain {
            0 => self.client.inner.retry,
            _ => self.client.inner.retry.max_attempts(1),
        };
        let answer = match self.client.page::<T>(&request, retry).await {
            Ok(answer) => answer,
            Err(error) => {
                let attempts = error.attempts().saturating_add(sent_in_vain);
                return self.refused(error.after_attempts(attempts));
            }
        };
        let (mut page, attempts) = (answer.value, answer.attempts);
        self.lent = answer.large.map(Lent::of);
        self.pages += 1;
        let received = page.received();
        // If taking the page fails, the next call sends the same request again.
        let step = self
            .take(&mut page, resent || attempts > 1)
            .map_err(|error| error.of(operation))?;
        self.in_doubt = false;
        self.learn_page_size(&request, received);
        Ok(self.arrive(step, page))
    }

    /// Chooses the page size, as long as no page has been received.
    fn choose_page_size(&mut self) {
        if let Some(read) = &mut self.read
            && self.pages == 0
            && !read.has_failed()
        {
            let operation = self.first.endpoint().operation;
            let now = self.client.inner.page_sizes.begin(operation, read.range());
            if now.rows() != read.rows() {
                *read = now;
                self.set_page_size();
            }
        }
    }

    /// Sets the chosen page size in the request and the walk.
    fn set_page_size(&mut self) {
        if let Some(read) = &self.read {
            let (rows, range) = (read.rows(), read.range());
            self.first.set_page_size(rows, range);
            self.walk.set_page_size(rows, range.begin);
        }
    }

    /// Remembers that pages of this size work.
    fn learn_page_size(&mut self, request: &Request, received: usize) {
        let asked = request.asked_rows().and_then(|rows| rows.try_into().ok());
        if let (Some(read), Some(asked)) = (&mut self.read, asked) {
            let operation = self.first.endpoint().operation;
            let sizes = &self.client.inner.page_sizes;
            let change = sizes.come(operation, read, asked, received);
            self.tell_page_size(change);
        }
    }

    fn tell_page_size(&self, change: Option<SizeChange>) {
        if let Some(SizeChange { from, to, reason }) = change {
            let operation = self.first.endpoint().operation;
            tracing::debug!(operation, from, to, ?reason, "page size");
            self.client.tell(&ClientEvent::PageSize {
                operation,
                from,
                to,
                reason,
            });
        }
    }

    /// Decides whether a page that failed is requested again in a smaller size.
    fn asks_for_less(&mut self, error: &Error) -> bool {
        let operation = self.first.endpoint().operation;
        let (Some(read), Some(reason)) = (&mut self.read, PageSizeReason::of(error)) else {
            return false;
        };
        if error.operation() != operation {
            // The token request failed, not the page.
            return false;
        }
        let place = match self.pages {
            0 => Place::First,
            _ if self.walk.is_by_id() => Place::LaterById,
            _ => Place::LaterByCursor,
        };
        let sizes = &self.client.inner.page_sizes;
        let (again, change) = sizes.fail(operation, read, reason, place);
        self.tell_page_size(change);
        if again {
            if reason.may_pass() {
                self.sent_in_vain = error.attempts();
            }
            self.set_page_size();
        }
        again
    }

    fn take(&mut self, page: &mut RawPage<T>, resent: bool) -> Result<Step, Error> {
        let most_rows = self.client.inner.most_rows;
        let rows = self.rows.saturating_add(page.received());
        if rows > most_rows {
            return Err(too_many("rows", most_rows));
        }
        let operation = self.first.endpoint().operation;
        let reports = &self.client.inner.reports;
        if let Walk::ByCursor(walk) = &mut self.walk {
            walk.know(reports.of(operation));
        }
        let step = self.walk.take(page, resent)?;
        // The rows are decoded, and a walk that needs the body has taken it.
        page.body = Body::default();
        if let Walk::ByCursor(walk) = &self.walk {
            reports.learn(operation, walk.learned());
        }
        if step != Step::Confirm {
            self.rows = rows;
        }
        Ok(step)
    }

    fn arrive(&mut self, step: Step, page: RawPage<T>) -> Advance<T> {
        let operation = self.first.endpoint().operation;
        let (page, again, over) = match step {
            Step::Restart => return self.begin_anew(),
            Step::Confirm => {
                self.kept = Some(page);
                return Advance::Nothing;
            }
            Step::Confirmed { again } => (self.kept.take().unwrap_or(page), again, true),
            Step::Taken { again, over } => {
                self.kept = None;
                (page, again, over)
            }
        };
        let total = match &self.walk {
            Walk::ByCursor(walk) => walk.total(),
            _ => None,
        };
        let received = page.received();
        if over {
            self.completeness = Some(Completeness::Complete);
        }
        if again {
            // The page was delivered before the restart and is unchanged.
            return if over {
                Advance::Over
            } else {
                Advance::Nothing
            };
        }
        self.client.tell(&ClientEvent::Page {
            operation,
            rows: received,
            malformed: page.malformed.len(),
            repaired: page.repaired.iter().map(|field| field.rows).sum(),
            so_far: self.delivered + received,
            total,
        });
        let page = self.deliver(page, total);
        if over && page.rows.is_empty() && page.malformed.is_empty() {
            return Advance::Over;
        }
        Advance::Page(page)
    }

    fn deliver(&mut self, raw: RawPage<T>, total: Option<usize>) -> Page<T> {
        let offset = self.delivered;
        let mut page = Page {
            rows: raw.rows,
            malformed: raw.malformed,
            repaired: raw.repaired,
            offset,
            total,
        };
        for row in &mut page.malformed {
            row.position += offset;
        }
        let found = page.rows.len() + page.malformed.len();
        match self.ceiling {
            Some(ceiling) if offset + found > ceiling => {
                let room = ceiling.saturating_sub(offset);
                page.malformed.truncate(room);
                page.rows.truncate(room - page.malformed.len());
                self.delivered = ceiling;
                self.completeness = Some(Completeness::TruncatedAtCeiling { ceiling });
            }
            _ => self.delivered += found,
        }
        page
    }

    fn begin_anew(&mut self) -> Advance<T> {
        if let Walk::ByCursor(walk) = &mut self.walk {
            walk.begin_anew();
        }
        self.in_doubt = false;
        self.kept = None;
        self.rows = 0;
        self.client.tell(&ClientEvent::Restart {
            operation: self.first.endpoint().operation,
        });
        Advance::BegunAnew
    }

    /// Handles a page that failed. The page may be requested again in a smaller size. A refused cursor is treated as expired, because the
    /// response does not show the difference: the report is restarted once.
    fn refused(&mut self, error: Error) -> Result<Advance<T>, Error> {
        if self.asks_for_less(&error) {
            return Ok(Advance::Nothing);
        }
        let is_invalid = error.kind() == ErrorKind::InvalidRequest;
        let is_refused = is_invalid
            || (matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotAvailable)
                && error.status() != Some(403));
        let operation = self.first.endpoint().operation;
        let Walk::ByCursor(walk) = &mut self.walk else {
            return Err(error);
        };
        if !is_refused {
            return Err(error);
        }
        match walk
            .refused(is_invalid)
            .map_err(|changed| changed.of(operation))?
        {
            Refused::Error => Err(error),
            Refused::BeginAnew => Ok(self.begin_anew()),
            Refused::Again => Err(expired_twice().of(operation).caused_by(error)),
            Refused::Over => {
                self.completeness = Some(Completeness::Complete);
                Ok(Advance::Over)
            }
            Refused::Confirmed { again } => match self.kept.take() {
                Some(page) => Ok(self.arrive(Step::Taken { again, over: true }, page)),
                None => Err(error),
            },
        }
    }
}

fn too_many(what: &str, most: usize) -> Error {
    Error::new(
        ErrorKind::LimitExceeded,
        format!(
            "the list has more than {most} {what}, the limit of this client: it ends here, without its other rows; ask for less, or raise \
             `ClientBuilder::most_{what}`"
        ),
    )
}

enum Advance<T> {
    Page(Page<T>),
    /// No page to deliver yet.
    Nothing,
    BegunAnew,
    Over,
}

// Rows may contain a customer's data, so only their number is printed.
impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("rows", &self.rows.len())
            .field("malformed", &self.malformed)
            .field("repaired", &self.repaired)
            .field("offset", &self.offset)
            .field("total", &self.total)
            .finish()
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected")
            .field("rows", &self.rows.len())
            .field("malformed", &self.malformed)
            .field("repaired", &self.repaired)
            .field("completeness", &self.completeness)
            .finish()
    }
}

impl<T> fmt::Debug for Pager<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pager")
            .field("request", &self.first)
            .field("rows_so_far", &self.delivered)
            .field("completeness", &self.completeness)
            .finish_non_exhaustive()
    }
}
