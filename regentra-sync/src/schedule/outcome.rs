//! What came of handling an event.

/// What came of handling an event once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventEnd {
    /// It is done.
    Done,
    /// It was done before, here or by another process.
    DoneBefore,
    /// There is nothing to do any more: disconnected, not mapped, not promoted.
    Skipped,
    /// Another run works on the same customer or region.
    Busy,
    /// What it relied on changed meanwhile, and nothing was written.
    Superseded,
    /// Its connection's request budget is spent for more than a minute: it was not begun.
    Deferred,
    /// It failed, or a part of it did.
    Failed {
        /// The kind of error, such as `ninjaone.timeout`.
        error: &'static str,
    },
}

impl EventEnd {
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
}
