//! The repository traits that a host implements, one per use case and tenant, and the commit values they take.
//!
//! The sync makes the decisions; a store keeps the data. Every method takes its tenant first and the time as an argument. No method has a
//! default, so an implementor has to decide about each one. A store for a new database implements the ten traits below and runs
//! `conformance!` (feature `conformance`), which generates one named test per law.
//!
//! **Atomicity.** Each use case commits through *one* method. The method takes everything it writes as a plain value, together with the
//! preconditions that the commit relies on. It checks, in this order: whether the event was committed before (it returns
//! [`CommitOutcome::AlreadyCommitted`]); whether a time in the commit lies ahead of the store's clock ([`Stamped::check_not_ahead`]: an
//! error of kind [`StoreErrorKind::Clock`]); whether every precondition holds (it returns [`CommitOutcome::Superseded`] with the first one
//! that does not). Then it writes everything, records the event, and returns [`CommitOutcome::Committed`]. It writes all or nothing, even when
//! its future is dropped or the process dies, and no reader ever sees a partial commit. Losing a race is an outcome, not an error.
//!
//! Some commits, such as a disconnect, also change rows that they do not carry. [`effects`] defines these changes as functions that a store
//! calls, and the rules about leases, the request budget and signals that count.
//!
//! **Events.** Every commit records its event, per MSP and for good. The ids of sweeps, requests and deliveries never clash. **Times** are
//! UTC, in whole microseconds, and a store keeps them at that precision. **Rows** of another tenant do not exist: neither a read nor a
//! precondition finds them, and a read by an unknown id returns nothing.
//!
//! **Clocks.** A store has a [`StoreClock`](crate::host::StoreClock), which stamps leases, the requests of the budget, and the commit of
//! each evidence record. Every method that writes a time stamped by a process refuses it, with [`Stamped::check_not_ahead`], when it lies
//! more than [`CLOCK_TOLERANCE`](crate::model::CLOCK_TOLERANCE) ahead of the store's clock. A stored time can still lie ahead, if the
//! store's own clock ran ahead when it was written. The store then ignores that time: such a signal is not current, such a request counts
//! as started now, such a lease is expired. A process whose clock is behind may write, with two exceptions: a sweep behind its chain
//! ([`SweepCommit::check_order`]) and an asset behind its stored row ([`Assets::commit_assets`]). Versions and generations, never clocks,
//! decide which of two writes is the later one.

pub use self::{
    anchors::{Anchors, RootCommit},
    assets::{AssetCommit, AssetFilter, AssetPage, AssetWrite, Assets},
    audit::{AuditFilter, AuditPage, AuditTrail},
    budget::Budget,
    commit::{CommitOutcome, Precondition},
    connections::{ConnectCommit, Connections, DisconnectCommit, SecretsCommit, SettingsCommit},
    error::{Result, StoreError, StoreErrorKind},
    evidence::{Evidence, StoredSignal, SweepCommit, SweepState, TicketWrite},
    mappings::{
        CompanyFilter, CompanyPage, Decision, DiscoveryCommit, FrameworksCommit, MappingCommit,
        MappingCounts, MappingFilter, MappingPage, Mappings, PromotionCommit, SeenOrganization,
    },
    memory::MemoryStore,
    planner::{ActiveCredential, Planner},
    runs::{RowsAhead, RunFilter, RunOutcomeKind, RunPage, RunSubjects, Runs},
    tickets::{DeliveryCommit, TicketCounts, TicketFilter, TicketPage, Tickets},
    times::{Stamped, check_begun, check_not_ahead},
};

mod anchors;
mod assets;
mod audit;
mod budget;
mod commit;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod connections;
pub mod effects;
mod error;
mod evidence;
mod mappings;
mod memory;
mod planner;
mod runs;
mod tickets;
mod times;

/// How many rows one call reads when a use case reads all of them.
pub(crate) const ROWS_PER_READ: u32 = 500;

/// A host's whole store. Every type that implements the ten traits implements it.
pub trait Store:
    Connections
    + Mappings
    + Assets
    + Evidence
    + Anchors
    + Tickets
    + AuditTrail
    + Runs
    + Budget
    + Planner
{
}

impl<T> Store for T where
    T: Connections
        + Mappings
        + Assets
        + Evidence
        + Anchors
        + Tickets
        + AuditTrail
        + Runs
        + Budget
        + Planner
        + ?Sized
{
}
