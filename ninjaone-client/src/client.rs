//! The client: one pipeline for every request.

use std::{collections::BTreeMap, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::Instrument;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    BaseUrl, Error, ErrorKind, Transport,
    builder::ClientBuilder,
    clock,
    limit::{
        BudgetError, BudgetGrant, BudgetKey, BudgetUse, Lane, Limiter, Permit, RateLimit,
        SharedBudget,
    },
    oauth::{Credentials, Rotation, TOKEN_PATH, Token, TokenAnswer, TokenCache},
    observer::{ClientEvent, ClientObserver, WaitReason},
    paging::{
        Fence, Fences, LearnedOfReports, PageSizes, Pager, RawPage, Unreadable, Walk, read_page,
        read_single,
    },
    request::{Endpoint, Paging, Request, is_dots},
    response::{self, Failure, RequestKind},
    retry::{Outcome, RetryDecision, RetryPolicy},
    retry_after,
    transport::{LARGE, Large},
    vendor_error::VendorError,
};

/// Requests left below which the client warns.
const FEW_REQUESTS: u64 = 100;

/// No pause that NinjaOne asks for holds other requests back longer than its longest window.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How often one attempt renews a token that ended while it waited for the budget. NinjaOne judges the last one.
const MOST_RENEWALS: u32 = 2;

/// Bodies from this size on are decoded apart from the tasks of the runtime: four mebibytes take some twenty milliseconds.
/// Smaller ones stay: a thread costs more than it is worth.
const DECODED_APART: usize = LARGE;

/// A client of one NinjaOne tenant.
///
/// Cheap to clone; clones share the token and the rate limit. Every request runs through the same pipeline: get a token, wait
/// for the budget, send, judge, retry.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
    pub(crate) lane: Lane,
}

pub(crate) struct Inner {
    pub(crate) base: BaseUrl,
    pub(crate) credentials: Credentials,
    pub(crate) tokens: TokenCache,
    pub(crate) rotation: Rotation,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) limit: RateLimit,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) shared: Option<Arc<dyn SharedBudget>>,
    pub(crate) key: BudgetKey,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    pub(crate) most_pages: u32,
    pub(crate) most_rows: usize,
    pub(crate) reports: LearnedOfReports,
    pub(crate) page_sizes: PageSizes,
    /// Bytes of a body.
    pub(crate) largest_answer: usize,
    /// Bytes of memory that the content of a body takes.
    pub(crate) largest_content: usize,
    pub(crate) user_agent: HeaderValue,
    pub(crate) observer: Option<Arc<dyn ClientObserver>>,
}

impl Client {
    /// Begins a client of the tenant at `base` (a [`Region`](crate::Region) or a [`BaseUrl`]).
    ///
    /// ```
    /// use ninjaone_client::{Client, Credentials, Region};
    /// let client = Client::builder(Region::Eu, Credentials::client_credentials("id", "secret")).build()?;
    /// # Ok::<(), ninjaone_client::Error>(())
    /// ```
    pub fn builder(base: impl Into<BaseUrl>, credentials: Credentials) -> ClientBuilder {
        ClientBuilder::new(base.into(), credentials)
    }

    pub(crate) fn of(inner: Inner, lane: Lane) -> Self {
        Self {
            inner: Arc::new(inner),
            lane,
        }
    }

    /// The same client with its requests in another lane of the rate limit.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            lane,
        }
    }

    /// The address it talks to.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.inner.base
    }

    /// How much of the rate limit is used at this moment, by all clients of the tenant in this process.
    #[must_use]
    pub fn budget(&self) -> BudgetUse {
        self.inner.limiter.used(&self.inner.limit)
    }

    /// How many rows a page is asked to hold now, by operation, such as `queries.volumes`: of the lists and reports that were read
    /// without a page size of the caller's own, and of those that [`ClientBuilder::page_sizes`] named.
    ///
    /// A host that stores them and hands them to the client it builds next saves that one what this one has learned.
    #[must_use]
    pub fn page_sizes(&self) -> BTreeMap<&'static str, u32> {
        self.inner.page_sizes.all()
    }

    /// Takes in what an earlier client of this tenant learned of page sizes ([`page_sizes`](Self::page_sizes)), for those operations
    /// that this one has not read yet: for a client that is at work already. See [`ClientBuilder::page_sizes`].
    pub fn expect_page_sizes<N: Into<String>>(&self, sizes: impl IntoIterator<Item = (N, u32)>) {
        let sizes = sizes.into_iter();
        let sizes = sizes.map(|(operation, rows)| (operation.into(), rows));
        self.inner.page_sizes.expect(&sizes.collect());
    }

    /// Gets a token, unless a fresh one is there, and says what is wrong when it cannot.
    ///
    /// # Errors
    /// [`WrongRegionOrClient`](ErrorKind::WrongRegionOrClient), [`Unauthenticated`](ErrorKind::Unauthenticated),
    /// [`ScopeNotGranted`](ErrorKind::ScopeNotGranted), [`AuthorizeAgain`](ErrorKind::AuthorizeAgain), or whatever keeps a
    /// request from being answered.
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.token().await.map(drop)
    }

    /// Asks any GET endpoint that has no method of its own, under the same policies.
    ///
    /// `path` begins with `/v2/`; the query is encoded here. `T` is your own type, or `serde_json::Value`.
    ///
    /// ```no_run
    /// # async fn example(client: ninjaone_client::Client) -> Result<(), ninjaone_client::Error> {
    /// let boards: Vec<serde_json::Value> = client.get("/v2/ticketing/trigger/boards", &[]).await?;
    /// let documents: serde_json::Value =
    ///     client.get("/v2/organization/documents", &[("groupBy", "TEMPLATE")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As every request; [`NotFound`](ErrorKind::NotFound) and [`Forbidden`](ErrorKind::Forbidden) also when the module is
    /// not licensed, because nothing is known about a path that the caller made up.
    pub async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        self.single(&Request::raw(path, query)).await
    }

    /// One object, or one whole list.
    pub(crate) async fn single<T: DeserializeOwned + Send + 'static>(
        &self,
        request: &Request,
    ) -> Result<T, Error> {
        fn read<T: DeserializeOwned>(
            status: StatusCode,
            body: &Bytes,
            fences: Fences,
        ) -> Result<T, Unreadable> {
            if status == StatusCode::NO_CONTENT {
                // Nothing there is a valid answer where an option or a unit is expected.
                return serde_json::from_slice(b"null").map_err(|_| Unreadable::Shape(None));
            }
            read_single(body, fences)
        }
        self.call(request, read, self.inner.retry)
            .await
            .map(|answer| answer.value)
    }

    pub(crate) fn pager<T: DeserializeOwned + Send + 'static>(
        &self,
        first: Request,
        walk: Walk<T>,
    ) -> Pager<T> {
        Pager::new(self.clone(), first, walk)
    }

    /// A page.
    pub(crate) async fn page<T: DeserializeOwned + Send + 'static>(
        &self,
        request: &Request,
        retry: RetryPolicy,
    ) -> Result<Answer<RawPage<T>>, Error> {
        fn read<T: DeserializeOwned>(
            status: StatusCode,
            body: &Bytes,
            fences: Fences,
        ) -> Result<RawPage<T>, Unreadable> {
            if status == StatusCode::NO_CONTENT {
                return read_page(&Bytes::from_static(b"[]"), fences);
            }
            read_page(body, fences)
        }
        self.call(request, read, retry).await
    }

    pub(crate) fn tell(&self, event: &ClientEvent) {
        if let Some(observer) = &self.inner.observer {
            observer.event(event);
        }
    }

    async fn call<T: Send + 'static>(
        &self,
        request: &Request,
        read: Reader<T>,
        retry: RetryPolicy,
    ) -> Result<Answer<T>, Error> {
        request.validate()?;
        let endpoint = request.endpoint();
        let call = Call {
            operation: endpoint.operation,
            asked: if endpoint.is_module() {
                RequestKind::Module
            } else {
                RequestKind::Entity
            },
            url: self.inner.base.join(&request.path_and_query()),
            form: None,
            fences: Fences::of(request.expected_rows(), self.inner.largest_content),
        };
        let span = tracing::info_span!("ninjaone.operation", operation = call.operation);
        self.run(&call, read, retry).instrument(span).await
    }

    /// The current token, or a new one.
    ///
    /// A refresh token is spent by being sent. Getting its successor goes on in a task of its own, so that the caller may
    /// go away at any point: were it cut off, an administrator would have to authorize again.
    async fn token(&self) -> Result<Arc<Token>, Error> {
        if let Some(token) = self.inner.tokens.fresh() {
            return Ok(token);
        }
        if !self.inner.credentials.rotates() {
            return self.inner.tokens.get(|| self.new_token()).await;
        }
        let client = self.clone();
        let renewal = async move { client.inner.tokens.get(|| client.new_token()).await };
        match tokio::spawn(renewal.in_current_span()).await {
            Ok(token) => token,
            Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
            Err(_) => Err(Error::new(
                ErrorKind::TokenStore,
                "the runtime ended while a token was renewed",
            )
            .of("oauth.token")),
        }
    }

    /// Posts a form to the token endpoint.
    ///
    /// Boxed, because a token request runs through the same pipeline as the request that needs the token.
    pub(crate) fn ask_for_token(
        &self,
        asked: RequestKind,
        form: Zeroizing<String>,
    ) -> BoxFuture<'_, Result<TokenAnswer, Error>> {
        Box::pin(async move {
            let call = Call {
                operation: "oauth.token",
                asked,
                url: self.inner.base.join(TOKEN_PATH),
                // Wiped when the last copy that shares it is dropped.
                form: Some(Bytes::from_owner(form)),
                fences: Fences::of(None, self.inner.largest_content),
            };
            let read: Reader<TokenAnswer> = |_, body, _| {
                TokenAnswer::read(body).ok_or_else(|| {
                    if VendorError::is_error_object(body) {
                        Unreadable::VendorError
                    } else {
                        Unreadable::Shape(Some("access_token".to_owned()))
                    }
                })
            };
            let span = tracing::info_span!("ninjaone.operation", operation = call.operation);
            let retry = self.inner.retry;
            let answer = self.run(&call, read, retry).instrument(span).await?.value;
            self.tell(&ClientEvent::Token {
                valid_for: answer.lifetime(),
            });
            Ok(answer)
        })
    }

    /// Attempts until one succeeds or the policy gives up.
    async fn run<T: Send + 'static>(
        &self,
        call: &Call,
        read: Reader<T>,
        retry: RetryPolicy,
    ) -> Result<Answer<T>, Error> {
        let mut attempt = 0;
        let mut spent = Duration::ZERO;
        let mut renewed = false;
        loop {
            let token = self.admit(call).await?;
            // Nothing is awaited between here and the sending: the request counts as sent.
            attempt += 1;
            let began = Instant::now();
            let span =
                tracing::debug_span!("ninjaone.attempt", attempt, status = tracing::field::Empty);
            let result = self
                .attempt(call, token.as_deref(), attempt, read)
                .instrument(span)
                .await;
            spent += began.elapsed();
            let failure = match result {
                Ok((value, large)) => {
                    return Ok(Answer {
                        value,
                        attempts: attempt,
                        large,
                    });
                }
                Err(failure) => failure,
            };
            if failure.error.status() == Some(401)
                && let Some(token) = &token
                && !renewed
            {
                renewed = true;
                self.inner.tokens.refused(token.generation);
                continue;
            }
            let asked_to_wait = match failure.outcome {
                Outcome::Again { retry_after } => retry_after,
                Outcome::Final => None,
            };
            if let Some(wait) = asked_to_wait
                && !self.inner.limit.is_unlimited()
            {
                self.inner.limiter.pause(wait.min(LONGEST_PAUSE));
            }
            match retry.decide(failure.outcome, attempt, spent, jitter()) {
                RetryDecision::Stop => {
                    return Err(failure.error.of(call.operation).after_attempts(attempt));
                }
                RetryDecision::After(wait) => {
                    let reason = if asked_to_wait.is_some_and(|asked| asked >= wait) {
                        WaitReason::RetryAfter
                    } else {
                        WaitReason::Backoff
                    };
                    tracing::debug!(kind = ?failure.error.kind(), ?wait, "trying again");
                    self.tell(&ClientEvent::Wait {
                        operation: call.operation,
                        reason,
                        expected: wait,
                    });
                    tokio::time::sleep(wait).await;
                    spent += wait;
                }
            }
        }
    }

    /// Waits until the request may be sent, with a token that is good at that moment.
    ///
    /// The process's own limiter comes last: what it counts is sent at once, so that the limit holds for what is sent, however
    /// long the token or the shared budget take.
    async fn admit(&self, call: &Call) -> Result<Option<Arc<Token>>, Error> {
        let inner = &*self.inner;
        let mut renewals = 0;
        loop {
            let token = match call.form {
                Some(_) => None,
                None => Some(self.token().await?),
            };
            if inner.limit.is_unlimited() {
                return Ok(token);
            }
            let permit = self.permit(call).await?;
            let Some(token) = token else {
                return Ok(None);
            };
            // Waiting for the budget may take longer than a token lives.
            if let Some(fresh) = inner.tokens.fresh() {
                return Ok(Some(fresh));
            }
            if renewals == MOST_RENEWALS {
                return Ok(Some(token));
            }
            renewals += 1;
            permit.give_back();
        }
    }

    /// Waits for the budget: the one shared between processes, then the process's own.
    async fn permit(&self, call: &Call) -> Result<Permit<'_>, Error> {
        let inner = &*self.inner;
        let began = Instant::now();
        // Everybody waits for a token, people too: the request for it is as urgent as they are.
        let lane = match call.form {
            Some(_) => Lane::Interactive,
            None => self.lane,
        };
        let waiting = |expected| {
            self.tell(&ClientEvent::Wait {
                operation: call.operation,
                reason: WaitReason::Budget,
                expected,
            });
        };
        let refused = |wait| {
            let reason = format!(
                "the request budget is spent for longer than this call may wait: try again in {}",
                retry_after::words(wait, clock::now())
            );
            let kind = ErrorKind::RateLimited {
                retry_after: Some(wait),
            };
            Error::new(kind, reason).of(call.operation)
        };
        let too_long = |wait| {
            let most = inner.limit.wait_at_most();
            most.is_some_and(|most| began.elapsed().saturating_add(wait) > most)
        };
        if let Some(shared) = &inner.shared {
            loop {
                // During a pause nothing is sent: what were granted now would be counted too early.
                let pause = inner.limiter.paused_for();
                let wait = if pause > Duration::ZERO {
                    pause
                } else {
                    let grant = shared.take(&inner.key, &inner.limit, lane).await;
                    match grant.map_err(|error| budget_failed(call.operation, error))? {
                        BudgetGrant::Granted => break,
                        BudgetGrant::Wait(wait) => wait,
                    }
                };
                if too_long(wait) {
                    return Err(refused(wait));
                }
                waiting(wait);
                // A store that says "zero" must not be asked in a tight loop.
                tokio::time::sleep(wait.max(Duration::from_millis(10))).await;
            }
        }
        inner
            .limiter
            .acquire(&inner.limit, lane, began, waiting)
            .await
            .map_err(refused)
    }

    async fn attempt<T: Send + 'static>(
        &self,
        call: &Call,
        token: Option<&Token>,
        attempt: u32,
        read: Reader<T>,
    ) -> Result<(T, Option<Large>), Failure> {
        let began = Instant::now();
        let mut status = None;
        let result = self.send(call, token, read, &mut status).await;
        if let Some(status) = status {
            tracing::Span::current().record("status", status);
        }
        let error = result.as_ref().err().map(|failure| failure.error.kind());
        let elapsed = began.elapsed();
        tracing::debug!(?elapsed, ?error, "attempt");
        self.tell(&ClientEvent::Attempt {
            operation: call.operation,
            attempt,
            status,
            error,
            elapsed,
        });
        result
    }

    async fn send<T: Send + 'static>(
        &self,
        call: &Call,
        token: Option<&Token>,
        read: Reader<T>,
        status: &mut Option<u16>,
    ) -> Result<(T, Option<Large>), Failure> {
        let inner = &*self.inner;
        let request = call
            .request(token, &inner.user_agent)
            .map_err(Failure::permanent)?;
        let mut answer = tokio::time::timeout(inner.timeout, inner.transport.send(request))
            .await
            .unwrap_or_else(|_| {
                Err(crate::TransportError::new(
                    crate::TransportErrorKind::Timeout,
                ))
            })
            .map_err(|error| response::no_answer(error, inner.largest_answer))?;
        let answered = answer.status();
        *status = Some(answered.as_u16());
        // Held until the body is decoded and gone, and what was read from it is done with.
        let large = answer.extensions_mut().remove::<Large>();
        if let Some(requests) = response::remaining(answer.headers()) {
            if requests < FEW_REQUESTS {
                tracing::warn!(
                    requests,
                    "few requests left until NinjaOne limits this tenant"
                );
            }
            self.tell(&ClientEvent::Remaining { requests });
        }
        let body = response::body_of(call.asked, answer)?;
        let result = if body.len() > inner.largest_answer {
            Err(Unreadable::Exceeds(Fence::Body(inner.largest_answer)))
        } else {
            decode(read, answered, &body, call.fences, large.as_ref()).await
        };
        let result = result.map_err(|why| response::unreadable(call.asked, answered, why, &body));
        if call.form.is_some() {
            wipe(body);
        }
        result.map(|value| (value, large))
    }
}

/// The answer to a request, after retries.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// How often the request was sent.
    pub(crate) attempts: u32,
    /// The right to hold it, if it is large.
    pub(crate) large: Option<Large>,
}

/// Decodes where it holds nobody up: a large body on a thread of its own, where one can be had.
///
/// The thread ends with its answer. What allocators set aside for a thread goes to the next one then; in a pool of threads each would
/// keep what the largest answer took.
async fn decode<T: Send + 'static>(
    read: Reader<T>,
    status: StatusCode,
    body: &Bytes,
    fences: Fences,
    large: Option<&Large>,
) -> Result<T, Unreadable> {
    if body.len() >= DECODED_APART {
        // Decoding goes on when its caller is dropped, and keeps its permit until it ends.
        let (body, large) = (body.clone(), large.cloned());
        let (done, decoded) = tokio::sync::oneshot::channel();
        let decode = move || {
            let read = AssertUnwindSafe(|| read(status, &body, fences));
            let result = std::panic::catch_unwind(read);
            drop((body, large));
            let _ = done.send(result);
        };
        let thread = std::thread::Builder::new().name("ninjaone-decode".to_owned());
        // Where there is no thread, it is decoded here.
        if thread.spawn(decode).is_ok()
            && let Ok(result) = decoded.await
        {
            return result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }
    read(status, body, fences)
}

/// Overwrites a body that holds tokens, unless the transport kept a share of it.
fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
}

/// Reads a body that came with a status of success.
type Reader<T> = fn(StatusCode, &Bytes, Fences) -> Result<T, Unreadable>;

/// One request of the pipeline, ready to be sent any number of times.
struct Call {
    operation: &'static str,
    asked: RequestKind,
    url: String,
    /// A form to post (tokens); everything else is a GET.
    form: Option<Bytes>,
    fences: Fences,
}

impl Call {
    fn request(
        &self,
        token: Option<&Token>,
        user_agent: &HeaderValue,
    ) -> Result<http::Request<Bytes>, Error> {
        let mut request = http::Request::builder()
            .uri(&self.url)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, user_agent);
        if let Some(token) = token {
            // A header takes the bytes over as they are, and they are wiped with the last share of them.
            let bearer = Zeroizing::new(format!("Bearer {}", token.access.expose_secret()));
            let mut bearer = HeaderValue::from_maybe_shared(Bytes::from_owner(bearer))
                .map_err(|_| Error::new(ErrorKind::Decode, "the token cannot stand in a header"))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = match &self.form {
            Some(form) => request
                .method(Method::POST)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
            None => request.method(Method::GET).body(Bytes::new()),
        };
        request.map_err(|_| Error::new(ErrorKind::InvalidRequest, "the path cannot stand in a URL"))
    }
}

impl Request {
    /// A request to a path of the caller's own.
    fn raw(path: &str, query: &[(&str, &str)]) -> Self {
        const RAW: Endpoint = Endpoint {
            operation: "get",
            path: "",
            paging: Paging::Single,
        };
        let well_formed = path.starts_with('/')
            && !path.split('/').any(is_dots)
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'));
        let problem = (!well_formed)
            .then_some("the path must begin with a slash, be percent-encoded and carry no query: hand the query in apart");
        let request = Self::of_path(RAW, path).refused(problem);
        query
            .iter()
            .fold(request, |request, (name, value)| request.with(name, value))
    }
}

fn budget_failed(operation: &'static str, error: BudgetError) -> Error {
    Error::new(
        ErrorKind::Budget,
        "the request budget shared between processes could not be asked",
    )
    .of(operation)
    .caused_by(error)
}

fn jitter() -> f64 {
    // Without randomness the wait is the longest one: late is safe.
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.inner.base.to_string())
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}
