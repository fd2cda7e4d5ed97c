//! The seam between the client's policies and the network.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{BaseUrl, Error, region::LOCALHOST};

/// Sends one HTTP request and reads the whole response. The client does everything else: limits, tokens, retries, paging.
///
/// The client uses reqwest by default. A host may provide another transport, a test a scripted one.
///
/// An implementation
/// - must not follow redirects, because the token would be sent to their target;
/// - must not retry;
/// - must be cancel-safe: when the future is dropped, the request is abandoned;
/// - must not log headers or bodies.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute, and reads the response to its end.
    ///
    /// # Errors
    /// When there is no response, or it breaks off. Any HTTP status is a response, not an error.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (**self).send(request).await
    }
}

/// How a request failed below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: the name was not found, the connection was refused, or the TLS handshake failed.
    Connect,
    /// The server's certificate could not be verified. The request is never retried.
    Certificate,
    /// No response in time.
    Timeout,
    /// The connection broke off before the response was complete.
    Incomplete,
    /// The response is larger than the client accepts.
    TooLarge,
    /// Anything else.
    Other,
}

/// A failure below HTTP. Its texts contain no URL, because a query may contain a customer's data.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// An error of this kind, without a source.
    #[must_use]
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind with its source, whose texts must not contain a URL, header or body.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connect => "no connection",
            TransportErrorKind::Certificate => "the server's certificate could not be verified",
            TransportErrorKind::Timeout => "no answer in time",
            TransportErrorKind::Incomplete => "the answer broke off",
            TransportErrorKind::TooLarge => "the answer is too large",
            TransportErrorKind::Other => "the request failed",
        })
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Responses of this size or larger are read, decoded and used one at a time. So a tenant whose responses all have the maximum size takes
/// the memory of one, however many of its requests run at once.
pub(crate) const LARGE: usize = 4 << 20;

/// The right to hold a large response. It moves with the response until the rows are decoded and used.
#[derive(Clone)]
pub(crate) struct Large {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// How long the rows of a large page may keep the client's other large responses waiting. Without this limit, a caller that walks one list
/// inside another would deadlock: it holds the rows of the outer list while it waits for the inner one.
const LENT_FOR: Duration = Duration::from_secs(10);

/// The right to hold a large page while the caller holds its rows: until this value is dropped, but no longer than [`LENT_FOR`].
///
/// Dropping it drops a sender, which ends the task that holds the right.
pub(crate) struct Lent {
    _until_dropped: tokio::sync::oneshot::Sender<std::convert::Infallible>,
}

impl Lent {
    pub(crate) fn of(large: Large) -> Self {
        let (until_dropped, dropped) = tokio::sync::oneshot::channel();
        // Without a runtime the right ends here.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(LENT_FOR, dropped).await;
                drop(large);
            });
        }
        Self {
            _until_dropped: until_dropped,
        }
    }
}

/// The transport over reqwest.
pub(crate) struct ReqwestTransport {
    client: reqwest::Client,
    max_body: usize,
    /// Per client, and so per tenant: no request waits for another tenant's slow response.
    large: Arc<Semaphore>,
}

impl ReqwestTransport {
    pub(crate) fn new(
        base: &BaseUrl,
        connect_timeout: Duration,
        max_body: usize,
    ) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect_timeout);
        if base.is_plain_http() {
            // Plain http is loopback: no proxy may carry the secret elsewhere, and no table of hosts.
            let loopback = [
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
            ];
            builder = builder.no_proxy().resolve_to_addrs(LOCALHOST, &loopback);
        } else {
            builder = builder.https_only(true);
        }
        let client = builder.build().map_err(|error| {
            Error::config("the HTTP client could not be built").caused_by(error.without_url())
        })?;
        Ok(Self::of_client(client, max_body))
    }

    pub(crate) fn of_client(client: reqwest::Client, max_body: usize) -> Self {
        Self {
            client,
            max_body,
            large: Arc::new(Semaphore::new(1)),
        }
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(of_reqwest)?;
        let mut answer = self.client.execute(request).await.map_err(of_reqwest)?;
        let expected = answer
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        if expected.is_some_and(|length| length > self.max_body) {
            return Err(TransportError::new(TransportErrorKind::TooLarge));
        }
        // One buffer of the announced size: collecting the chunks first would hold every page twice.
        let expected = expected.unwrap_or(0);
        let mut body = BytesMut::with_capacity(expected.min(LARGE));
        let mut large = None;
        while let Some(chunk) = answer.chunk().await.map_err(of_reqwest)? {
            if body.len() + chunk.len() > self.max_body {
                return Err(TransportError::new(TransportErrorKind::TooLarge));
            }
            if large.is_none() && body.len() + chunk.len() > LARGE {
                // What was sent meanwhile stays with the server. The semaphore is never closed.
                let permit = Arc::clone(&self.large).acquire_owned().await;
                large = permit.ok().map(|permit| Large {
                    _permit: Arc::new(permit),
                });
                body.reserve(expected.saturating_sub(body.len()));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body.freeze());
        if let Some(large) = large {
            response.extensions_mut().insert(large);
        }
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// Whether a certificate failed verification, recognised by the messages of the TLS libraries: rustls, OpenSSL, and those of Windows and
/// macOS. This crate does not depend on these libraries, so it cannot match the types of their errors.
///
/// A TLS alert is not such a failure: it is the server's verdict on a certificate of ours.
fn is_certificate(error: &reqwest::Error) -> bool {
    let mut causes =
        std::iter::successors(std::error::Error::source(error), |error| error.source());
    error.is_connect()
        && causes.any(|cause| {
            let text = cause.to_string().to_ascii_lowercase();
            text.contains("certificate") && !text.contains("alert")
        })
}

fn of_reqwest(error: reqwest::Error) -> TransportError {
    let kind = if is_certificate(&error) {
        TransportErrorKind::Certificate
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_body() || error.is_decode() || error.is_request() {
        TransportErrorKind::Incomplete
    } else {
        TransportErrorKind::Other
    };
    TransportError::new(kind).caused_by(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lend(all: &Arc<Semaphore>) -> Lent {
        let permit = Arc::clone(all).try_acquire_owned().unwrap();
        Lent::of(Large {
            _permit: Arc::new(permit),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_page_is_held_until_it_is_dropped_and_not_for_ever() {
        let all = Arc::new(Semaphore::new(1));
        let lent = lend(&all);
        tokio::time::sleep(LENT_FOR / 2).await;
        assert_eq!(all.available_permits(), 0);
        drop(lent);
        let began = tokio::time::Instant::now();
        drop(all.acquire().await.unwrap());
        assert_eq!(began.elapsed(), Duration::ZERO);
        // A list that is walked while a page of another is held waits, and goes on.
        let lent = lend(&all);
        let began = tokio::time::Instant::now();
        drop(all.acquire().await.unwrap());
        assert_eq!(began.elapsed(), LENT_FOR);
        drop(lent);
    }
}
