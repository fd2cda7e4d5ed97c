//! What a host can show while work goes on.

use std::{fmt::Debug, time::Duration};

use time::OffsetDateTime;

use crate::{
    model::{CompanyId, EventId, MappingId, RunKind},
    schedule::{EventOutcome, PlanKind},
};

/// Observes how work proceeds. Called on the task that does it: return quickly.
///
/// Nothing of a customer's data is in it, so that all of it may be logged.
pub trait ProgressObserver: Debug + Send + Sync + 'static {
    /// Something happened.
    fn progress(&self, progress: &Progress);
}

/// How work goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Work on several subjects begins.
    Started {
        /// The kind of run.
        kind: RunKind,
        /// How many subjects there are.
        subjects: usize,
    },
    /// One of them is done.
    Done {
        /// The kind of run.
        kind: RunKind,
        /// Which mapping.
        mapping: MappingId,
        /// Whose.
        company: Option<CompanyId>,
        /// Whether it succeeded.
        succeeded: bool,
    },
    /// A request to NinjaOne was answered, or failed.
    Request {
        /// What was asked, such as `queries.volumes`.
        operation: &'static str,
    },
    /// The next request waits.
    Waiting {
        /// What for.
        reason: ninjaone_client::WaitReason,
        /// How long, as far as known now.
        expected: Duration,
    },
    /// The scheduler planned a tick.
    Planned {
        /// What is planned.
        kind: PlanKind,
        /// The tick.
        scheduled_at: OffsetDateTime,
        /// How many events are to be handled.
        events: usize,
        /// How many were done before this process began.
        done: usize,
        /// How many ticks before it were missed, and are made up for by this one.
        missed: u64,
    },
    /// The scheduler could not plan, and will try again.
    NotPlanned {
        /// What was to be planned.
        kind: PlanKind,
        /// The kind of error, such as `store.unavailable`.
        error: &'static str,
        /// When it tries again.
        retry_at: OffsetDateTime,
    },
    /// The scheduler begins to handle an event.
    EventStarted {
        /// What kind of event.
        kind: PlanKind,
        /// Which event.
        event: EventId,
        /// Counts from 1.
        attempt: u32,
    },
    /// The scheduler handled an event.
    EventFinished {
        /// What kind of event.
        kind: PlanKind,
        /// Which event.
        event: EventId,
        /// What came of it.
        outcome: EventOutcome,
        /// When it is handled again; `None` when it is over.
        retry_at: Option<OffsetDateTime>,
    },
    /// The scheduler has nothing to do, and sleeps.
    Idle {
        /// Until then.
        until: OffsetDateTime,
        /// Events that wait for their time.
        waiting: usize,
    },
    /// The scheduler was asked to stop, and lets what runs come to its end.
    Stopping {
        /// How many events are being handled.
        running: usize,
        /// What runs longer is dropped then.
        until: OffsetDateTime,
    },
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl ProgressObserver for Unobserved {
    fn progress(&self, _progress: &Progress) {}
}
