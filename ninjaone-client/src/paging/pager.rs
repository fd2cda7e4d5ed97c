//! The pager: one list, page by page, on demand.

use std::fmt;

use serde::de::DeserializeOwned;

use super::decode::{MalformedRow, RawPage, RepairedField};
use super::walk::{Step, Walk, expired_twice};
use crate::observer::Event;
use crate::request::Request;
use crate::{Client, Error, ErrorKind};

/// Whether a list is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a list that was cut must not be taken for the whole"]
pub enum Completeness {
    /// Every row was read, down to the last.
    Complete,
    /// There are more rows than the ceiling; only so many were read.
    TruncatedAtCeiling {
        /// The ceiling.
        ceiling: usize,
    },
}

impl Completeness {
    /// Whether it is [`Completeness::Complete`].
    #[must_use]
    pub fn is_complete(self) -> bool {
        self == Self::Complete
    }
}

/// One page.
#[non_exhaustive]
pub struct Page<T> {
    /// The rows that decoded. May be empty while more pages follow.
    pub rows: Vec<T>,
    /// The rows that did not.
    pub malformed: Vec<MalformedRow>,
    /// The fields of rows that decoded only after they had been repaired.
    pub repaired: Vec<RepairedField>,
    /// Rows of the walk before this page.
    pub offset: usize,
    /// Rows of the whole list, when NinjaOne says so.
    pub total: Option<usize>,
}

/// A whole list, or what a ceiling left of it.
#[must_use = "look at the completeness and the malformed rows"]
pub struct Collected<T> {
    /// The rows that decoded.
    pub rows: Vec<T>,
    /// The rows that did not.
    pub malformed: Vec<MalformedRow>,
    /// The fields of rows that decoded only after they had been repaired, over all pages.
    pub repaired: Vec<RepairedField>,
    /// Whether the list is whole.
    pub completeness: Completeness,
}

/// One list, page by page: nothing is fetched before it is asked for.
///
/// A pager ends in one of three ways: the list is complete, it was cut at a ceiling you set, or there is an error. It
/// never ends early in silence: a cursor that stalls, rows fewer than announced and pages out of order are errors.
///
/// Futures of a pager may be dropped: it stands where it stood, and the next call asks for the same page again. After an
/// error that [is retryable](Error::is_retryable) the same is true.
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
    ceiling: Option<usize>,
    /// Rows delivered so far, malformed ones included.
    delivered: usize,
    completeness: Option<Completeness>,
    /// The request for the next page may have been sent before: by a call that failed, or whose future was dropped.
    in_doubt: bool,
    /// A page that is delivered once it is known to be the whole.
    kept: Option<RawPage<T>>,
}

impl<T: DeserializeOwned + Send + 'static> Pager<T> {
    pub(crate) fn new(client: Client, first: Request, walk: Walk<T>) -> Self {
        Self {
            client,
            first,
            walk,
            ceiling: None,
            delivered: 0,
            completeness: None,
            in_doubt: false,
            kept: None,
        }
    }

    /// Reads no more than `rows` rows. Exactly so many are complete; one more, and the list is truncated.
    pub fn with_ceiling(mut self, rows: usize) -> Self {
        self.ceiling = Some(rows);
        self
    }

    /// The next page, or none after the last.
    ///
    /// # Errors
    /// Whatever keeps the list from being complete; [`Truncated`](ErrorKind::Truncated) when NinjaOne's paging does.
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
    /// As [`Self::next_page`]. Rows read before an error are dropped: they are no list.
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
                    // Nobody has seen a row yet: the report is simply read from its beginning.
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

    /// Whether the list is whole; none while it has not ended.
    #[must_use]
    pub fn completeness(&self) -> Option<Completeness> {
        self.completeness
    }

    /// Rows delivered so far, malformed ones included.
    #[must_use]
    pub fn rows_so_far(&self) -> usize {
        self.delivered
    }

    /// The id that resumes a list which is paged by id: hand it to `after` (or `older_than` of the activity log) of new
    /// parameters. None before the first page, and for lists that cannot be resumed.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        self.walk.position()
    }

    /// The first request, as it will be sent.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.first
    }

    async fn advance(&mut self) -> Result<Advance<T>, Error> {
        if self.completeness.is_some() {
            return Ok(Advance::Over);
        }
        let operation = self.first.endpoint().operation;
        let request = self.walk.request(&self.first);
        let resent = std::mem::replace(&mut self.in_doubt, true);
        let (mut page, attempts) = match self.client.page::<T>(&request).await {
            Ok(answer) => answer,
            Err(error) => return self.begin_anew_after(error),
        };
        self.in_doubt = false;
        let total = page.cursor.as_ref().and_then(|cursor| cursor.count);
        let step = self
            .walk
            .take(&mut page, resent || attempts > 1)
            .map_err(|error| error.of(operation))?;
        let (page, again, over) = match step {
            Step::Restart => return Ok(self.begin_anew()),
            Step::Confirm => {
                self.kept = Some(page);
                return Ok(Advance::Nothing);
            }
            Step::Confirmed { again } => (self.kept.take().unwrap_or(page), again, true),
            Step::Taken { again, over } => {
                self.kept = None;
                (page, again, over)
            }
        };
        let received = page.received();
        if over {
            self.completeness = Some(Completeness::Complete);
        }
        if again {
            // Delivered before the report began anew, and unchanged since.
            return Ok(if over {
                Advance::Over
            } else {
                Advance::Nothing
            });
        }
        self.client.tell(&Event::Page {
            operation,
            rows: received,
            malformed: page.malformed.len(),
            repaired: page.repaired.iter().map(|field| field.rows).sum(),
            so_far: self.delivered + received,
            total,
        });
        let page = self.deliver(page, total);
        if over && page.rows.is_empty() && page.malformed.is_empty() {
            return Ok(Advance::Over);
        }
        Ok(Advance::Page(page))
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
        self.client.tell(&Event::Restart {
            operation: self.first.endpoint().operation,
        });
        Advance::BegunAnew
    }

    /// A refused cursor is an expired one, as far as anybody knows: the report is read anew, once.
    fn begin_anew_after(&mut self, error: Error) -> Result<Advance<T>, Error> {
        let refused = matches!(
            error.kind(),
            ErrorKind::InvalidRequest | ErrorKind::NotFound | ErrorKind::NotAvailable
        ) && error.status() != Some(403);
        let Walk::ByCursor(walk) = &self.walk else {
            return Err(error);
        };
        if !refused || !walk.is_under_way() {
            return Err(error);
        }
        if walk.may_begin_anew() {
            return Ok(self.begin_anew());
        }
        Err(expired_twice()
            .of(self.first.endpoint().operation)
            .caused_by(error))
    }
}

enum Advance<T> {
    Page(Page<T>),
    /// Nothing to deliver yet.
    Nothing,
    BegunAnew,
    Over,
}

// Rows may hold a customer's data: only their number is printed.
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
