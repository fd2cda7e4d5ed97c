//! When work is due, what it is, and how it ended: the values that a scheduler or another engine moves.

mod cadence;
mod event;
mod outcome;

pub(crate) use self::cadence::spread;

pub use self::{
    cadence::Cadence,
    event::{Event, PlanKind, SweepEvent, SyncEvent},
    outcome::EventEnd,
};
