//! The one error of this crate.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

/// What went wrong, named by what the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was put together wrongly: correct the configuration.
    Config,
    /// NinjaOne refused the parameters, or they were refused before they were sent: correct the call.
    InvalidRequest,
    /// The credentials were refused: check client id, secret and the type of the API client.
    Unauthenticated,
    /// The client id is unknown there: check region and client id, one of them is wrong.
    WrongRegionOrClient,
    /// The API client was not granted the scopes asked for: grant them, or ask for fewer.
    ScopeNotGranted,
    /// The refresh token or the authorization code is spent: send the administrator through the authorization again.
    AuthorizeAgain,
    /// The endpoint works only with a user's token: connect by authorization code.
    UserContextRequired,
    /// The credentials may not read this: widen the scope or the role.
    Forbidden,
    /// The tenant does not have this: a module that is not licensed, or a permission that is missing. Skip it.
    NotAvailable,
    /// There is no such entity.
    NotFound,
    /// It was changed meanwhile: read it again.
    Conflict,
    /// Too many requests: wait, at least as long as said here.
    RateLimited {
        /// How long NinjaOne or the own limit asks to wait, when known.
        retry_after: Option<Duration>,
    },
    /// The list would have come out short or doubled: read it again, and take nothing for granted meanwhile.
    Truncated,
    /// An answer or a list exceeds a limit of this client: ask for less, or raise the limit.
    LimitExceeded,
    /// No answer in time: try again later.
    Timeout,
    /// No connection, or it broke off: check the network, try again.
    Connect,
    /// The server's certificate could not be verified: check the address, the clock and the trusted certificates.
    Certificate,
    /// The answer could not be understood.
    Decode,
    /// NinjaOne failed: try again later, and quote the incident id to its support.
    Server,
    /// The request budget shared between processes could not be asked: nothing was sent.
    Budget,
    /// The store of refresh tokens failed: what was not stored may be lost.
    TokenStore,
}

/// An error of the client: opaque, with [`kind`](Self::kind) for decisions and `Display` for people.
///
/// Its texts say what to do and never contain a secret, a URL's query, a body or a value that NinjaOne sent, apart from
/// the incident id and well-known error codes. The cause is behind [`source`](std::error::Error::source).
#[derive(Clone)]
pub struct Error(Box<Inner>);

/// What an error says about the size of the page that was asked for, beside what its kind and its status say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SizeHint {
    /// Nothing.
    None,
    /// The page is larger than this client reads.
    TooLarge,
    /// The page broke off.
    BrokenOff,
    /// The server asks to wait: the size is not what is wrong.
    AskedToWait,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    reason: Cow<'static, str>,
    status: Option<u16>,
    code: Option<String>,
    incident_id: Option<String>,
    attempts: u32,
    permanent: bool,
    size_hint: SizeHint,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// `reason` is our own words, and holds no value of the wire.
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: "",
            reason: reason.into(),
            status: None,
            code: None,
            incident_id: None,
            attempts: 0,
            permanent: false,
            size_hint: SizeHint::None,
            source: None,
        }))
    }

    pub(crate) fn config(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, reason)
    }

    pub(crate) fn of(mut self, operation: &'static str) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation;
        }
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_vendor(mut self, code: Option<String>, incident_id: Option<String>) -> Self {
        self.0.code = code;
        self.0.incident_id = incident_id;
        self
    }

    /// Trying again will not help, whatever the kind says.
    pub(crate) fn permanent(mut self) -> Self {
        self.0.permanent = true;
        self
    }

    /// What it says about the size of the page that was asked for.
    pub(crate) fn with_size_hint(mut self, hint: SizeHint) -> Self {
        self.0.size_hint = hint;
        self
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.0.size_hint
    }

    pub(crate) fn after_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn caused_by(
        mut self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What went wrong, named by what the caller does next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without anybody changing anything.
    ///
    /// The client has already retried what its [`RetryPolicy`](crate::RetryPolicy) allows ([`Self::attempts`]): an outer
    /// layer tries again at its next turn instead of at once.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !self.0.permanent
            && matches!(
                self.0.kind,
                ErrorKind::RateLimited { .. }
                    | ErrorKind::Truncated
                    | ErrorKind::Timeout
                    | ErrorKind::Connect
                    | ErrorKind::Server
                    | ErrorKind::Budget
                    | ErrorKind::TokenStore
            )
    }

    /// The HTTP status, when there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// NinjaOne's error code, such as `invalid_scope`; whatever is not shaped like a code is left out.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// NinjaOne's id of the incident, which its support asks for.
    #[must_use]
    pub fn incident_id(&self) -> Option<&str> {
        self.0.incident_id.as_deref()
    }

    /// What was asked, such as `queries.volumes`; empty before anything was.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// How many times a request was sent for it.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if !inner.operation.is_empty() {
            write!(f, "{}: ", inner.operation)?;
        }
        f.write_str(&inner.reason)?;
        let mut details = Vec::new();
        if let Some(status) = inner.status {
            details.push(format!("HTTP {status}"));
        }
        // Only words of a fixed list: a code is whatever the other side sent.
        if let Some(code) = inner
            .code
            .as_deref()
            .filter(|code| crate::vendor_error::is_well_known(code))
        {
            details.push(format!("code {code}"));
        }
        if let Some(incident) = &inner.incident_id {
            details.push(format!("incident {incident}"));
        }
        if inner.attempts > 1 {
            details.push(format!("after {} attempts", inner.attempts));
        }
        if details.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", details.join(", "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("status", &self.0.status)
            .field("incident_id", &self.0.incident_id)
            .field("attempts", &self.0.attempts)
            .field("reason", &self.0.reason)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
