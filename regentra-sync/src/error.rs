//! The one error of the use cases.

use std::{borrow::Cow, fmt};

pub use crate::model::error_kind::ErrorKind;
use crate::{
    model::{SettingsError, UnknownRegion, UnreadableSetting},
    seal::SealError,
    store::StoreError,
};

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

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}

impl From<UnreadableSetting> for Error {
    fn from(error: UnreadableSetting) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}

impl From<UnknownRegion> for Error {
    fn from(error: UnknownRegion) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}
