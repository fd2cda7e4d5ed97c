//! What a host's repositories have to do: traits by use case and tenant, and the commit values they take.
//!
//! The sync decides, a store remembers. Every method takes its tenant first and the time as an argument; no method has a
//! default, so that an implementor decides about each. A store for a new database implements the ten traits below and runs
//! `conformance!` (feature `conformance`) over them, one named test per law.
//!
//! **Atomicity.** Each use case commits through *one* method that takes everything it writes as a plain value together with
//! the guards it relies on. Such a method checks, in this order: was the event seen before ([`CommitOutcome::AlreadyCommitted`]);
//! does a time of the commit lie ahead of the store's clock ([`Stamped::check_not_ahead`], an error of kind
//! [`StoreErrorKind::Clock`]); does every guard hold ([`CommitOutcome::Superseded`], with the first one that does not); and then writes everything,
//! remembers the event, and answers [`CommitOutcome::Committed`]. It writes all or nothing, also when its future is dropped
//! or the process dies, and nobody sees a half of it. A lost race is an answer, not an error.
//!
//! Some commits change rows that they do not carry, as a disconnect does: [`effects`] says how, as functions that a store calls.
//!
//! **Events** are remembered per MSP, for good, and by every commit alike: the ids of sweeps, requests and deliveries never
//! clash. **Times** are UTC and come with nothing finer than a microsecond, which is what a store has to keep. **Rows** of
//! another tenant do not exist: neither a read nor a guard finds them, and an unknown id is answered as an empty one.
//!
//! **Clocks.** A store has a [`StoreClock`](crate::host::StoreClock). It stamps leases, requests of the budget, and the commit
//! of each evidence record. Whatever a process stamps is refused, by every method that writes a time and by
//! [`Stamped::check_not_ahead`], when it lies more than [`CLOCK_TOLERANCE`](crate::model::CLOCK_TOLERANCE) ahead of it. What lies
//! there all the same was written by a clock that ran ahead together with the store's, and counts as not there: such a signal is not
//! current, such a request started now, such a lease is expired. A process whose clock is behind may write, but for a sweep behind
//! its chain ([`SweepCommit::check_order`]) and an asset behind its own row ([`Assets::commit_assets`]): versions and generations
//! say which of two writes is the later one, and no clock does.

pub use self::{
    anchors::{Anchors, RootCommit},
    assets::{AssetCommit, AssetFilter, AssetPage, AssetWrite, Assets},
    audit::{AuditFilter, AuditPage, AuditTrail},
    budget::Budget,
    commit::{CommitOutcome, Guard},
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

/// How many rows are read at a time where all are wanted.
pub(crate) const ROWS_PER_READ: u32 = 500;

/// Everything a host's store does. Implemented by whatever implements the ten traits.
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
