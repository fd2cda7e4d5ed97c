//! A hook for metrics and progress.

use std::{fmt, time::Duration};

use crate::ErrorKind;

/// Observes what the client does. Called on the task that does it: return quickly.
///
/// Nothing of a tenant's data is in an event, so that all of them may be logged.
pub trait ClientObserver: fmt::Debug + Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: &ClientEvent);
}

/// What the client does.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A request was answered, or failed.
    #[non_exhaustive]
    Attempt {
        /// What was asked, such as `queries.volumes`.
        operation: &'static str,
        /// Which attempt, from 1.
        attempt: u32,
        /// The HTTP status, when there was an answer.
        status: Option<u16>,
        /// How it failed, if it did.
        error: Option<ErrorKind>,
        /// How long it took.
        elapsed: Duration,
    },
    /// The client waits before it sends the next request.
    #[non_exhaustive]
    Wait {
        /// What is asked.
        operation: &'static str,
        /// What it waits for.
        reason: WaitReason,
        /// How long, as far as known now.
        expected: Duration,
    },
    /// A page was read.
    #[non_exhaustive]
    Page {
        /// What was asked.
        operation: &'static str,
        /// Rows on the page.
        rows: usize,
        /// Rows on it that did not decode.
        malformed: usize,
        /// Fields of rows that were repaired: see [`Page::repaired`](crate::Page::repaired).
        repaired: usize,
        /// Rows read so far.
        so_far: usize,
        /// Rows in total, when NinjaOne says so.
        total: Option<usize>,
    },
    /// A report begins anew, because its cursor expired or lost its place.
    #[non_exhaustive]
    Restart {
        /// What was asked.
        operation: &'static str,
    },
    /// The client asks for pages of another size from now on, where the caller sets none.
    #[non_exhaustive]
    PageSize {
        /// What is asked.
        operation: &'static str,
        /// Rows of a page until now.
        from: u32,
        /// Rows of a page from now on.
        to: u32,
        /// Why.
        reason: PageSizeReason,
    },
    /// A token was got.
    #[non_exhaustive]
    Token {
        /// How long it is valid.
        valid_for: Duration,
    },
    /// NinjaOne said how many requests are left (it does not always).
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
    /// The own rate limit, or that shared between processes.
    Budget,
    /// NinjaOne asked for it.
    RetryAfter,
    /// The pause after a failure.
    Backoff,
}

/// Why the client asks for pages of another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageSizeReason {
    /// The larger size was refused (400), and the smaller was not.
    Refused,
    /// The larger page was too large for the server (413).
    TooLarge,
    /// The larger page exceeded a limit of this client
    /// ([`largest_answer`](crate::ClientBuilder::largest_answer), [`largest_content`](crate::ClientBuilder::largest_content)).
    LimitExceeded,
    /// The server failed on the larger page (5xx), however often it was asked.
    ServerFailed,
    /// The larger page did not come in time, however often it was asked for.
    TimedOut,
    /// The larger page broke off, however often it was asked for.
    BrokenOff,
    /// Pages came full and without a failure for a while.
    Grown,
}
