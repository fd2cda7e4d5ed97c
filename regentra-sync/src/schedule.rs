//! When work is due, what the work is, and how it ended: the values that the scheduler or another engine passes around.

mod cadence;
mod event;
mod outcome;
mod plan;
mod retry;

pub use self::{
    cadence::Cadence,
    event::{
        Event, EventKey, EventSubject, GroupedSweep, PlanKind, RequestedSyncEvent, SweepEvent,
        SweepGroup, SyncEvent,
    },
    outcome::{Again, EventEnd, EventOutcome},
    plan::{PlanCursor, PlanPage},
    retry::Retry,
};
pub(crate) use self::{cadence::spread, retry::Attempt};
