//! The outcome of handling an event, and whether it is handled again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::error_kind::ErrorKind;

/// What came of handling an event once, and when to deliver it again. It is serialisable, so that an engine can keep it.
///
/// Whatever runs events goes by [`again`](Self::again) alone:
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
    /// What came of it.
    #[serde(flatten)]
    pub outcome: EventOutcome,
    /// Whether and when to deliver it again.
    pub again: Again,
}

/// When an event is delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// Not again: it is over, another attempt would end alike, or the event of the next tick takes its place.
    Never,
    /// At once.
    Now,
    /// After this time.
    After(Duration),
}

/// What came of handling an event once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventOutcome {
    /// It is done.
    Done,
    /// It was done before, here or by another process.
    DoneBefore,
    /// There is nothing to do any more: disconnected, not mapped, not promoted.
    Skipped,
    /// Another run works on the same customer, region or mapping.
    Busy,
    /// What it relied on changed meanwhile, and nothing was written.
    Superseded,
    /// Its connection's request budget is spent for more than a minute: it was not begun, and this was no attempt.
    Deferred,
    /// It failed, or a part of it did.
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

    /// Whether there is nothing left to do: it is done, or there is nothing to do any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::DoneBefore | Self::Skipped)
    }
}
