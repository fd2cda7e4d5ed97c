//! Progress that a host can show while work runs.

use std::{fmt::Debug, time::Duration};

use time::OffsetDateTime;

use crate::{
    model::{CompanyId, EventId, MappingId, RunKind},
    schedule::{EventOutcome, PlanKind},
};

/// Observes the progress of work. Called on the task that does the work: return quickly.
///
/// It receives no customer data, so a host may log everything.
pub trait ProgressObserver: Debug + Send + Sync + 'static {
    /// Something happened.
    fn progress(&self, progress: &Progress);
}

/// One step of work.
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
    /// The work on one subject is done.
    Done {
        /// The kind of run.
        kind: RunKind,
        /// Which mapping.
        mapping: MappingId,
        /// Whose mapping it is.
        company: Option<CompanyId>,
        /// Whether it succeeded.
        succeeded: bool,
    },
    /// A request to NinjaOne got a response, or failed.
    Request {
        /// The operation, such as `queries.volumes`.
        operation: &'static str,
    },
    /// The next request waits.
    Waiting {
        /// The reason.
        reason: ninjaone_client::WaitReason,
        /// How long, as known now.
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
        /// How many events were done before this process began.
        done: usize,
        /// How many earlier ticks were missed. This tick replaces them.
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
        /// Its outcome.
        outcome: EventOutcome,
        /// When it is handled again; `None` when it is over.
        retry_at: Option<OffsetDateTime>,
    },
    /// The scheduler has nothing to do and sleeps.
    Idle {
        /// When it continues.
        until: OffsetDateTime,
        /// Events that wait for their time.
        waiting: usize,
    },
    /// The scheduler was asked to stop, and waits for the running events to end.
    Stopping {
        /// How many events are being handled.
        running: usize,
        /// When the events that are still running are dropped.
        until: OffsetDateTime,
    },
}

/// Ignores all progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl ProgressObserver for Unobserved {
    fn progress(&self, _progress: &Progress) {}
}
