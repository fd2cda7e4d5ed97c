//! The one error of the use cases.

use std::{borrow::Cow, fmt};

use crate::{
    model::UnknownRegion,
    seal::SealError,
    store::{StoreError, StoreErrorKind},
};

/// What went wrong, named by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for cannot be: correct the request.
    Invalid,
    /// There is no such credential, mapping or company for this MSP: look at the list.
    NotFound,
    /// It contradicts what is there: an organization that is mapped, a company that was promoted, a client id that is
    /// connected elsewhere. Change that first, or ask for the override where there is one.
    Conflict,
    /// This region is not connected: connect it.
    NotConnected,
    /// This authorization is not under way, was refused, or came back too late: begin it again.
    BeginAgain,
    /// Another run works on the same subject: wait for it.
    Busy,
    /// Somebody changed what the work relied on, again and again: look, and try again.
    Superseded,
    /// The work took longer than its deadline and was ended: the next attempt starts afresh. See
    /// [`Policy::sweep_deadline`](crate::host::Policy::sweep_deadline) and [`Policy::event_deadline`](crate::host::Policy::event_deadline).
    Deadline,
    /// Stored secrets do not open: restore the key, or connect again.
    Sealing,
    /// NinjaOne, as its client says.
    Ninjaone(ninjaone_client::ErrorKind),
    /// The store, as it says.
    Store(StoreErrorKind),
    /// A part of the host did not keep its contract.
    Internal,
}

impl ErrorKind {
    /// A short name for run records, lists and metrics, such as `not_found` or `ninjaone.timeout`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        use ninjaone_client::ErrorKind as Vendor;
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::NotConnected => "not_connected",
            Self::BeginAgain => "begin_again",
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::Deadline => "deadline",
            Self::Sealing => "sealing",
            Self::Internal => "internal",
            Self::Ninjaone(kind) => match kind {
                Vendor::Config => "ninjaone.config",
                Vendor::InvalidRequest => "ninjaone.invalid_request",
                Vendor::Unauthenticated => "ninjaone.unauthenticated",
                Vendor::WrongRegionOrClient => "ninjaone.wrong_region_or_client",
                Vendor::ScopeNotGranted => "ninjaone.scope_not_granted",
                Vendor::AuthorizeAgain => "ninjaone.authorize_again",
                Vendor::UserContextRequired => "ninjaone.user_context_required",
                Vendor::Forbidden => "ninjaone.forbidden",
                Vendor::NotAvailable => "ninjaone.not_available",
                Vendor::NotFound => "ninjaone.not_found",
                Vendor::Conflict => "ninjaone.conflict",
                Vendor::RateLimited { .. } => "ninjaone.rate_limited",
                Vendor::Truncated => "ninjaone.truncated",
                Vendor::LimitExceeded => "ninjaone.limit_exceeded",
                Vendor::Timeout => "ninjaone.timeout",
                Vendor::Connect => "ninjaone.connect",
                Vendor::Certificate => "ninjaone.certificate",
                Vendor::Decode => "ninjaone.decode",
                Vendor::Server => "ninjaone.server",
                Vendor::Budget => "ninjaone.budget",
                Vendor::TokenStore => "ninjaone.token_store",
                _ => "ninjaone.other",
            },
            Self::Store(kind) => match kind {
                StoreErrorKind::Unavailable => "store.unavailable",
                StoreErrorKind::Contention => "store.contention",
                StoreErrorKind::ReadOnly => "store.read_only",
                StoreErrorKind::Corrupt => "store.corrupt",
                StoreErrorKind::Misconfigured => "store.misconfigured",
                StoreErrorKind::Clock => "store.clock",
                StoreErrorKind::Other => "store.other",
            },
        }
    }
}

/// An error of a use case: opaque, with [`kind`](Self::kind) for decisions and `Display` for people.
///
/// Its text says what to do and holds no secret and nothing of a customer. The cause is behind
/// [`source`](std::error::Error::source) and not repeated in the text.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    retryable: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this kind, for implementors of [`NinjaOne`](crate::ninjaone::NinjaOne). The message says what to do.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retryable = matches!(
            kind,
            ErrorKind::Busy | ErrorKind::Superseded | ErrorKind::Deadline
        );
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retryable,
            source: None,
        }))
    }

    pub(crate) fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error once more, for another subject that failed for this reason; the cause stays with the first.
    pub(crate) fn of_another(&self) -> Self {
        Self::new(self.0.kind, self.0.message.clone()).retryable(self.0.retryable)
    }

    /// Says whether the same call may succeed later.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error of the NinjaOne client behind it, with its status, code and incident id.
    #[must_use]
    pub fn ninjaone(&self) -> Option<&ninjaone_client::Error> {
        self.0.source.as_ref()?.downcast_ref()
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The client's error is this error's own text: what comes next in the chain is its cause.
        let source = self.0.source.as_deref()?;
        match source.downcast_ref::<ninjaone_client::Error>() {
            Some(ninjaone) => ninjaone.source(),
            None => Some(source),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = ErrorKind::Store(error.kind());
        let retryable = error.kind().is_retryable();
        let message = error.to_string();
        Self::new(kind, message)
            .retryable(retryable)
            .caused_by(error.into_source())
    }
}

/// A refresh token that could not be read or kept is the store's failure, or a connection's that is no longer there: what the
/// token store said is said again.
fn of_token_store(error: &ninjaone_client::Error) -> Option<&Error> {
    use std::error::Error as _;
    if error.kind() != ninjaone_client::ErrorKind::TokenStore {
        return None;
    }
    error.source()?.source()?.downcast_ref()
}

impl From<ninjaone_client::Error> for Error {
    fn from(error: ninjaone_client::Error) -> Self {
        if let Some(of_store) = of_token_store(&error) {
            let (kind, retryable) = (of_store.kind(), of_store.is_retryable());
            return Self::new(kind, of_store.to_string())
                .retryable(retryable)
                .caused_by(error);
        }
        let kind = ErrorKind::Ninjaone(error.kind());
        let message = error.to_string();
        Self::new(kind, message)
            .retryable(error.is_retryable())
            .caused_by(error)
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::new(ErrorKind::Sealing, error.to_string())
    }
}

impl From<UnknownRegion> for Error {
    fn from(error: UnknownRegion) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}
