//! A hook for metrics and progress.

use std::fmt;
use std::time::Duration;

use crate::ErrorKind;

/// Observes what the client does. Called on the task that does it: return quickly.
///
/// Nothing of a tenant's data is in an event, so that all of them may be logged.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: &Event);
}

/// What the client does.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
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
