//! The outcome of handling an event, and whether the event is handled again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::error_kind::ErrorKind;

/// The outcome of handling an event once, and when to deliver the event again. It is serialisable, so an engine can store it.
///
/// A scheduler or engine needs only [`again`](Self::again) to decide about the next delivery:
///
/// ```
/// use regentra_sync::schedule::{Again, EventEnd, EventOutcome};
///
/// let end: EventEnd = serde_json::from_str(r#"{"outcome": "busy", "again": {"after": {"secs": 31, "nanos": 0}}}"#)?;
/// match end.again {
///     Again::After(wait) => assert_eq!(wait.as_secs(), 31),
///     Again::Now | Again::Never => unreachable!(),
/// }
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventEnd {
    /// The outcome.
    #[serde(flatten)]
    pub outcome: EventOutcome,
    /// Whether and when to deliver the event again.
    pub again: Again,
}

/// When an event is delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// Not again: the event is done, another attempt would end in the same way, or the event of the next tick takes its place.
    Never,
    /// At once.
    Now,
    /// After this wait.
    After(Duration),
}

/// The outcome of handling an event once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventOutcome {
    /// The event is done.
    Done,
    /// The event was done before, by this process or another one.
    DoneBefore,
    /// There is nothing to do any more: the region is disconnected, or the organization is not mapped, or its company is not promoted.
    Skipped,
    /// Another run works on the same customer, region or mapping.
    Busy,
    /// Stored rows that the work relied on changed meanwhile, and nothing was written.
    Superseded,
    /// The connection's request budget has no room for more than a minute. The event was not begun, and this does not count as an attempt.
    Deferred,
    /// The event failed, or a part of it did.
    Failed {
        /// The kind of error, such as [`ErrorKind::Deadline`].
        error: ErrorKind,
    },
}

impl EventOutcome {
    /// A short name, such as `done_before`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneBefore => "done_before",
            Self::Skipped => "skipped",
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::Deferred => "deferred",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether nothing is left to do: the outcome is [`Done`](Self::Done), [`DoneBefore`](Self::DoneBefore) or [`Skipped`](Self::Skipped).
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::DoneBefore | Self::Skipped)
    }
}
