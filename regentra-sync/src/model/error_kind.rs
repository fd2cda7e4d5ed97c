//! The kinds of errors, which are stored with runs.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What went wrong. The kinds are named by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request asks for something impossible: correct it.
    Invalid,
    /// There is no such credential, mapping or company for this MSP: look at the list.
    NotFound,
    /// The request contradicts stored data: the organization is mapped, the company was promoted, or the client id is connected elsewhere.
    /// Change that first, or use the override if there is one.
    Conflict,
    /// This region is not connected: connect it.
    NotConnected,
    /// This authorization is not pending, was refused, or was completed too late: begin it again.
    AuthorizationExpired,
    /// Another run works on the same subject: wait for that run.
    Busy,
    /// Another request changed the rows that the work relied on, more than once: read them again, and retry.
    Superseded,
    /// The work took longer than its deadline and was ended: the next attempt starts from the beginning. See
    /// [`HostPolicy::sweep_deadline`](crate::host::HostPolicy::sweep_deadline) and [`HostPolicy::event_deadline`](crate::host::HostPolicy::event_deadline).
    Deadline,
    /// Stored secrets do not open: restore the key, or connect again.
    Sealing,
    /// An error of NinjaOne, by the kind that its client reports.
    Ninjaone(ninjaone_client::ErrorKind),
    /// An error of the store, by the kind that the store reports.
    Store(StoreErrorKind),
    /// A part of the host did not keep its contract.
    Internal,
    /// A kind that another release stored and this release does not know.
    Unknown,
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
            Self::AuthorizationExpired => "authorization_expired",
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::Deadline => "deadline",
            Self::Sealing => "sealing",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
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

    /// Every kind; the one with a wait has none here.
    const ALL: [Self; 39] = {
        use ninjaone_client::ErrorKind as Vendor;
        [
            Self::Invalid,
            Self::NotFound,
            Self::Conflict,
            Self::NotConnected,
            Self::AuthorizationExpired,
            Self::Busy,
            Self::Superseded,
            Self::Deadline,
            Self::Sealing,
            Self::Internal,
            Self::Unknown,
            Self::Ninjaone(Vendor::Config),
            Self::Ninjaone(Vendor::InvalidRequest),
            Self::Ninjaone(Vendor::Unauthenticated),
            Self::Ninjaone(Vendor::WrongRegionOrClient),
            Self::Ninjaone(Vendor::ScopeNotGranted),
            Self::Ninjaone(Vendor::AuthorizeAgain),
            Self::Ninjaone(Vendor::UserContextRequired),
            Self::Ninjaone(Vendor::Forbidden),
            Self::Ninjaone(Vendor::NotAvailable),
            Self::Ninjaone(Vendor::NotFound),
            Self::Ninjaone(Vendor::Conflict),
            Self::Ninjaone(Vendor::RateLimited { retry_after: None }),
            Self::Ninjaone(Vendor::Truncated),
            Self::Ninjaone(Vendor::LimitExceeded),
            Self::Ninjaone(Vendor::Timeout),
            Self::Ninjaone(Vendor::Connect),
            Self::Ninjaone(Vendor::Certificate),
            Self::Ninjaone(Vendor::Decode),
            Self::Ninjaone(Vendor::Server),
            Self::Ninjaone(Vendor::Budget),
            Self::Ninjaone(Vendor::TokenStore),
            Self::Store(StoreErrorKind::Unavailable),
            Self::Store(StoreErrorKind::Contention),
            Self::Store(StoreErrorKind::ReadOnly),
            Self::Store(StoreErrorKind::Corrupt),
            Self::Store(StoreErrorKind::Misconfigured),
            Self::Store(StoreErrorKind::Clock),
            Self::Store(StoreErrorKind::Other),
        ]
    };

    /// The kind of that name ([`as_str`](Self::as_str)); [`Unknown`](Self::Unknown) for a name that this release does not know.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        named.unwrap_or(Self::Unknown)
    }

    /// The kind as it is stored: without the wait that NinjaOne asked for, which is over by the time the kind is read.
    pub(crate) const fn remembered(self) -> Self {
        match self {
            Self::Ninjaone(ninjaone_client::ErrorKind::RateLimited { .. }) => {
                Self::Ninjaone(ninjaone_client::ErrorKind::RateLimited { retry_after: None })
            }
            other => other,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_name(&name))
    }
}

/// What is wrong with a store. The kinds are named by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database does not answer, is locked or out of connections: try again later.
    Unavailable,
    /// The database gave up a race inside itself (serialization, deadlock): try again now.
    Contention,
    /// There is no space left, or the database is read-only.
    ReadOnly,
    /// A stored value cannot be read: a person has to examine it.
    Corrupt,
    /// The schema is missing, belongs to another program, or is older or newer than this program, or the role lacks a right: a person has
    /// to set up the database.
    Misconfigured,
    /// The time of a commit lies ahead of the store's clock, or behind a row that is written already: a clock is wrong, and a person has to
    /// set it.
    Clock,
    /// Anything else.
    Other,
}

impl StoreErrorKind {
    /// Whether the same call may succeed later without a person.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Contention | Self::Clock)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use ninjaone_client::ErrorKind as Vendor;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_read_back_from_it() {
        let names: BTreeSet<_> = ErrorKind::ALL.map(ErrorKind::as_str).into();
        assert_eq!(names.len(), ErrorKind::ALL.len());
        // A kind of the client's errors would get this name if `as_str` did not name it.
        assert!(!names.contains("ninjaone.other"));
        for kind in ErrorKind::ALL {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<ErrorKind>(&json).unwrap(), kind);
        }
        assert_eq!(
            ErrorKind::from_name("ninjaone.of_next_year"),
            ErrorKind::Unknown
        );
    }

    #[test]
    fn a_wait_is_not_remembered() {
        let retry_after = Some(Duration::from_secs(86_400));
        let kind = ErrorKind::Ninjaone(Vendor::RateLimited { retry_after });
        assert_eq!(ErrorKind::from_name(kind.as_str()), kind.remembered());
    }
}
