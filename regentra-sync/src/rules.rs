//! The decisions of the sync, without I/O: which machine is which, which rows change, which tickets open and close.

mod identity;
mod reconcile;
mod sync_plan;
mod ticket_plan;

pub use self::{
    identity::{Ambiguity, Matches, SharedSerials, entra_key, host_key, match_assets, serial_key},
    reconcile::{ambiguities, reconcile},
    sync_plan::{SyncPlan, SyncTarget, sync_plan},
    ticket_plan::{Sweep, TicketPlan, ticket_plan},
};
