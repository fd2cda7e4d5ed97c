//! A hook for metrics and progress.

use std::{fmt, time::Duration};

use crate::ErrorKind;

/// Receives the client's events. It is called on the task that runs the request, so it must return quickly.
///
/// Events contain no data of a tenant, so all of them may be logged.
pub trait ClientObserver: fmt::Debug + Send + Sync + 'static {
    /// Receives an event.
    fn event(&self, event: &ClientEvent);
}

/// An event of the client.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// One attempt of a request has ended, with or without a response.
    #[non_exhaustive]
    Attempt {
        /// The operation, such as `queries.volumes`.
        operation: &'static str,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// The HTTP status, if there was a response.
        status: Option<u16>,
        /// The kind of error, if it failed.
        error: Option<ErrorKind>,
        /// Duration of the attempt.
        elapsed: Duration,
    },
    /// The client waits before it sends the next request.
    #[non_exhaustive]
    Wait {
        /// The operation.
        operation: &'static str,
        /// What the client waits for.
        reason: WaitReason,
        /// The expected duration, as far as it is known now.
        expected: Duration,
    },
    /// A page was received and is delivered.
    #[non_exhaustive]
    Page {
        /// The operation.
        operation: &'static str,
        /// Rows on the page.
        rows: usize,
        /// Rows on the page that did not decode.
        malformed: usize,
        /// Number of repaired fields, over all rows of the page: see [`Page::repaired`](crate::Page::repaired).
        repaired: usize,
        /// Rows read so far.
        so_far: usize,
        /// Rows in total, if NinjaOne sends a total.
        total: Option<usize>,
    },
    /// A report is read again from its beginning, because its cursor expired or lost its place.
    #[non_exhaustive]
    Restart {
        /// The operation.
        operation: &'static str,
    },
    /// The client changes the page size of an operation, if the caller sets none.
    #[non_exhaustive]
    PageSize {
        /// The operation.
        operation: &'static str,
        /// The page size until now.
        from: u32,
        /// The page size from now on.
        to: u32,
        /// The reason.
        reason: PageSizeReason,
    },
    /// The client received an access token.
    #[non_exhaustive]
    Token {
        /// How long the token is valid.
        valid_for: Duration,
    },
    /// NinjaOne sent the number of requests that are left. It does not always send it.
    #[non_exhaustive]
    Remaining {
        /// Requests left.
        requests: u64,
    },
}

/// What the client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// The client's own rate limit, or the limit shared between processes.
    Budget,
    /// NinjaOne asked the client to wait.
    RetryAfter,
    /// The pause after a failure.
    Backoff,
}

/// Why the client changes the page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageSizeReason {
    /// The larger size was refused (400), and the smaller one was accepted.
    Refused,
    /// The larger page was too large for the server (413).
    TooLarge,
    /// The larger page exceeded a limit of this client
    /// ([`largest_answer`](crate::ClientBuilder::largest_answer), [`largest_content`](crate::ClientBuilder::largest_content)).
    LimitExceeded,
    /// The server failed on the larger page (5xx) at every attempt.
    ServerFailed,
    /// The larger page did not arrive in time at any attempt.
    TimedOut,
    /// The larger page broke off at every attempt.
    BrokenOff,
    /// Pages have been full for some time, without a failure.
    Grown,
}
