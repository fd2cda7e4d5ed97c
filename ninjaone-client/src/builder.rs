//! Building a client.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::{
    BaseUrl, Client, ClientObserver, Error, RetryPolicy, Transport,
    client::Inner,
    limit::{BudgetKey, Lane, Limiter, RateLimit, SharedBudget, limiter_of},
    oauth::{Credentials, Rotation, TokenCache},
    paging::{Fences, LearnedOfReports, PageSizes},
    transport::ReqwestTransport,
};

/// Builds a [`Client`]. Every setting has a sensible default.
#[must_use = "call build()"]
pub struct ClientBuilder {
    base: BaseUrl,
    credentials: Credentials,
    limit: RateLimit,
    limiter: Option<Arc<Limiter>>,
    shared: Option<Arc<dyn SharedBudget>>,
    lane: Lane,
    retry: RetryPolicy,
    timeout: Duration,
    connect_timeout: Duration,
    largest_answer: usize,
    most_pages: u32,
    most_rows: usize,
    largest_content: usize,
    largest_page: u32,
    page_sizes: BTreeMap<String, u32>,
    http_client: Option<reqwest::Client>,
    transport: Option<Arc<dyn Transport>>,
    observer: Option<Arc<dyn ClientObserver>>,
    user_agent: Option<String>,
}

impl ClientBuilder {
    pub(crate) fn new(base: BaseUrl, credentials: Credentials) -> Self {
        Self {
            base,
            credentials,
            limit: RateLimit::default(),
            limiter: None,
            shared: None,
            lane: Lane::Interactive,
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            largest_answer: 64 << 20,
            most_pages: 5_000,
            most_rows: 5_000_000,
            largest_content: Fences::DECODED,
            largest_page: PageSizes::LARGEST,
            page_sizes: BTreeMap::new(),
            http_client: None,
            transport: None,
            observer: None,
            user_agent: None,
        }
    }

    /// How many requests it allows itself. Default: 200 a minute and 1,500 an hour.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Counts requests in this limiter, instead of the one that all clients of the same host and client id share in this
    /// process. For hosts that know better which clients belong to one tenant.
    pub fn limiter(mut self, limiter: Arc<Limiter>) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// Draws every request from a budget shared between processes, too.
    pub fn shared_budget(mut self, budget: Arc<dyn SharedBudget>) -> Self {
        self.shared = Some(budget);
        self
    }

    /// The lane of its requests. Default: [`Lane::Interactive`]. See [`Client::in_lane`].
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// When a request is sent again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long one attempt may take, its whole answer included. Default: 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take. Default: 10 seconds. Without effect on an HTTP client or transport of your own.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The largest answer it reads, in bytes. Default: 64 MiB. A larger one is
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded); a transport of your own has read it by then.
    pub fn largest_answer(mut self, bytes: usize) -> Self {
        self.largest_answer = bytes;
        self
    }

    /// The most pages it reads of one list or report, those that were read twice included. Default: 5,000.
    ///
    /// A list that goes on after them is an error ([`LimitExceeded`](crate::ErrorKind::LimitExceeded)): a server that sends a
    /// row a page, or never comes to an end, costs no more requests than these.
    pub fn most_pages(mut self, pages: u32) -> Self {
        self.most_pages = pages;
        self
    }

    /// The most rows it reads of one list or report. Default: 5,000,000.
    ///
    /// One more is an error ([`LimitExceeded`](crate::ErrorKind::LimitExceeded)), and so is a page that holds more than ten
    /// times the rows asked for. To read no more than so many rows, and no error, see
    /// [`Pager::with_ceiling`](crate::Pager::with_ceiling).
    pub fn most_rows(mut self, rows: usize) -> Self {
        self.most_rows = rows;
        self
    }

    /// How much memory the content of one answer may take beside its body, in bytes. Default: 64 MiB. More is
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded).
    ///
    /// It is an estimate: rows, elements of lists and free-form values by the size of their types, texts by the length of the body,
    /// because all of them together are no longer than it is. The longest body leaves half for everything else. Whatever it is
    /// set to, a page holds at most ten times the rows that were asked for.
    ///
    /// An answer of 4 MiB and more is read, decoded and used before the client reads another such one: its rows count as used when
    /// the [`Pager`](crate::Pager) is asked for the next page or dropped, and ten seconds after they were delivered.
    pub fn largest_content(mut self, bytes: usize) -> Self {
        self.largest_content = bytes;
        self
    }

    /// The most rows of a page that it asks for where the caller's parameters set no page size. Default: 5,000.
    ///
    /// Without a page size of the caller's own the client begins with 5,000 rows for reports and 1,000 for lists and the activity
    /// log, or with this where it is less, and learns from what fails, operation by operation. NinjaOne takes at most 10,000 rows
    /// for reports and 1,000 for the others.
    ///
    /// A page that is refused (400, 413), that the server does not manage (5xx, no answer in time, an answer that breaks off,
    /// after all attempts) or that is larger than this client reads is asked for again in half the size: one that the server does not
    /// manage once for each list, one that it refuses (400) down to 1,000 rows, others down to 100. The size that worked is
    /// remembered. Of a report only the first page is asked for again: pages of two sizes under one cursor could skip rows. When a
    /// later one fails, the report fails, and the next is read in smaller pages.
    ///
    /// After 20 full pages the size doubles, up to this ceiling, and below the size that failed last. That one is tried again after
    /// a day. [`ClientEvent::PageSize`](crate::ClientEvent::PageSize) says what changes, [`Client::page_sizes`] what holds.
    pub fn largest_page(mut self, rows: u32) -> Self {
        self.largest_page = rows;
        self
    }

    /// Begins with these page sizes, by operation: what [`Client::page_sizes`] of an earlier process returned.
    ///
    /// Operations that this version does not know are ignored. Sizes are raised to 100, and lowered to
    /// [`largest_page`](Self::largest_page) and to what the endpoint takes.
    pub fn page_sizes<N: Into<String>>(
        mut self,
        sizes: impl IntoIterator<Item = (N, u32)>,
    ) -> Self {
        let sizes = sizes.into_iter();
        self.page_sizes
            .extend(sizes.map(|(operation, rows)| (operation.into(), rows)));
        self
    }

    /// Sends through a reqwest client of yours: its proxy, its certificates, its connections.
    ///
    /// Build it with `redirect(Policy::none())` and `retry(reqwest::retry::never())`; this crate cannot check that, and a
    /// redirect that is followed carries the client secret to wherever it points.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Sends through something else than reqwest.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Observes what the client does.
    pub fn observer(mut self, observer: Arc<dyn ClientObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Names your product in front of this crate in the `User-Agent`, such as `acme-sync/1.4`.
    pub fn user_agent(mut self, product: impl Into<String>) -> Self {
        self.user_agent = Some(product.into());
        self
    }

    /// Builds the client. Nothing is sent before its first request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when credentials or settings cannot work.
    pub fn build(self) -> Result<Client, Error> {
        self.credentials.validate()?;
        let own = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        let user_agent = match self.user_agent {
            Some(product) => HeaderValue::try_from(format!("{product} {own}")).map_err(|_| {
                Error::config("the user agent holds characters that cannot stand in a header")
            })?,
            None => HeaderValue::from_static(own),
        };
        let transport = match (self.transport, self.http_client) {
            (Some(transport), _) => transport,
            (None, Some(client)) => {
                Arc::new(ReqwestTransport::of_client(client, self.largest_answer))
            }
            (None, None) => Arc::new(ReqwestTransport::new(
                &self.base,
                self.connect_timeout,
                self.largest_answer,
            )?),
        };
        let key = BudgetKey::new(self.base.limit_host(), self.credentials.client_id());
        let limiter = self.limiter.unwrap_or_else(|| limiter_of(&key));
        let inner = Inner {
            base: self.base,
            credentials: self.credentials,
            tokens: TokenCache::default(),
            rotation: Rotation::default(),
            transport,
            limit: self.limit,
            limiter,
            shared: self.shared,
            key,
            retry: self.retry,
            timeout: self.timeout,
            most_pages: self.most_pages,
            most_rows: self.most_rows,
            reports: LearnedOfReports::default(),
            page_sizes: PageSizes::new(self.largest_page, &self.page_sizes),
            largest_answer: self.largest_answer,
            largest_content: self.largest_content,
            user_agent,
            observer: self.observer,
        };
        Ok(Client::of(inner, self.lane))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("base_url", &self.base.to_string())
            .finish_non_exhaustive()
    }
}
