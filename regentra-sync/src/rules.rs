//! The decisions of the sync, without I/O: which assets are the same machine, which rows change, which tickets open and close.

mod identity;
mod known_runs;
mod reconcile;
mod sweep_strategy;
mod sync_plan;
mod ticket_plan;

pub use self::{
    identity::{Ambiguity, Matches, SharedSerials, entra_key, host_key, match_assets, serial_key},
    reconcile::{ambiguities, reconcile},
    sweep_strategy::{GROUP_DEVICES, GROUP_ORGANIZATIONS},
    sync_plan::{SyncPlan, SyncTarget, sync_plan},
    ticket_plan::{Sweep, TicketPlan, ticket_plan},
};
pub(crate) use self::{
    known_runs::KnownRuns,
    sweep_strategy::{FEW_CUSTOMERS, StrategyInputs, StrategyPlan, strategy_plan},
};
