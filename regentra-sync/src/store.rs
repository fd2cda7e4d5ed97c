//! What a host's repositories have to do: traits by use case and tenant, and the commit values they take.
//!
//! The sync decides, a store remembers. Every method takes its tenant first and the time as an argument; no method has a
//! default, so that an implementor decides about each. A store for a new database implements the ten traits below and runs
//! [`crate::conformance!`] over them, one named test per law.
//!
//! **Atomicity.** Each use case commits through *one* method that takes everything it writes as a plain value together with
//! the guards it relies on. Such a method checks, in this order: was the event seen before ([`CommitOutcome::AlreadyCommitted`]);
//! does every guard hold ([`CommitOutcome::Superseded`], with the first one that does not); and then writes everything,
//! remembers the event, and answers [`CommitOutcome::Committed`]. It writes all or nothing, also when its future is dropped
//! or the process dies, and nobody sees a half of it. A lost race is an answer, not an error.
//!
//! **Events** are remembered per MSP, for good, and by every commit alike: the ids of sweeps, requests and deliveries never
//! clash. **Times** are UTC and come with nothing finer than a microsecond, which is what a store has to keep. **Rows** of
//! another tenant do not exist: neither a read nor a guard finds them, and an unknown id is answered as an empty one.
//!
//! **Clocks.** A store has a [`StoreClock`](crate::clock::StoreClock). It stamps leases, requests of the budget, and the commit
//! of each evidence record. What lies more than [`CLOCK_TOLERANCE`](crate::clock::CLOCK_TOLERANCE) ahead of it was written by a
//! clock that ran ahead, and counts as not there: such a signal is not current, such a request started now, such a lease is
//! expired.

use std::fmt::{self, Debug};

pub use self::{
    anchors::{Anchors, RootCommit},
    assets::{AssetCommit, AssetFilter, AssetWrite, Assets},
    audit::{AuditPage, AuditTrail},
    budget::Budget,
    connections::{ConnectCommit, Connections, DisconnectCommit, SecretsCommit},
    evidence::{
        Evidence, StoredSignal, SweepCommit, SweepState, TicketWrite, check_not_ahead, is_ahead,
    },
    mappings::{DiscoveryCommit, MappingCommit, Mappings, PromotionCommit, SeenOrganization},
    planner::{ActiveCredential, Planner, PromotedMapping},
    runs::Runs,
    tickets::{DeliveryCommit, Tickets},
};

mod anchors;
mod assets;
mod audit;
mod budget;
mod connections;
mod evidence;
mod mappings;
mod planner;
mod runs;
mod tickets;

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

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    /// Everything is written.
    Committed,
    /// This event was committed before; nothing is written.
    AlreadyCommitted,
    /// A guard does not hold any more; nothing is written. Read again and decide afresh, or give up.
    Superseded(Guard),
}

/// Which guard of a commit did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Guard {
    /// The credential is not active, is of another generation, or its secrets were rewritten.
    Credential,
    /// The client id is connected elsewhere.
    Fingerprint,
    /// The mapping was decided upon again, or belongs to another customer.
    Mapping,
    /// The company does not exist, exists already, or was promoted otherwise.
    Company,
    /// An asset row was written by somebody else.
    Asset,
    /// The evidence chain has another head.
    EvidenceChain,
    /// The ticket was written by somebody else, or another one is open for its signal.
    Ticket,
    /// Somebody else opened tickets in the same tick, or the tick's digest was delivered.
    TicketTick,
    /// Another worker holds the lease.
    Lease,
    /// Another process made the MSP's next root, or a head was committed to the tick meanwhile.
    Root,
}

/// What kind of trouble a store has: named by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database does not answer, is locked or out of connections: try again later.
    Unavailable,
    /// The database gave up a race inside itself (serialization, deadlock): try again now.
    Contention,
    /// There is no room left, or the database may not be written.
    ReadOnly,
    /// A stored value cannot be read: a person has to look.
    Corrupt,
    /// The schema is missing, foreign, older or newer than this program, or the role may not do this: a person has to set it up.
    Misconfigured,
    /// The time of a commit lies ahead of the store's clock, or behind what is written already: a clock is wrong, and is to be
    /// set right.
    Clock,
    /// Anything else.
    Other,
}

impl StoreErrorKind {
    /// Whether the same call may succeed later without a person.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Contention | Self::Clock)
    }
}

/// An error of a store. Implementors construct it; its source is theirs.
pub struct StoreError {
    kind: StoreErrorKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    /// An error of this kind. The source may be an error or a plain text, and must hold no stored value.
    pub fn new(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// What kind of trouble.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(crate) fn into_source(self) -> Box<dyn std::error::Error + Send + Sync> {
        self.source
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store does not answer; try again later",
            StoreErrorKind::Contention => "the store lost a race inside itself; try again",
            StoreErrorKind::ReadOnly => "the store cannot be written",
            StoreErrorKind::Corrupt => "the store holds a value that cannot be read",
            StoreErrorKind::Misconfigured => "the store is not set up for this program",
            StoreErrorKind::Clock => {
                "the clock of this machine or of the store is wrong, and nothing was written; set both by a time server"
            }
            StoreErrorKind::Other => "the store failed",
        })
    }
}

impl Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// The result of a store.
pub type Result<T> = std::result::Result<T, StoreError>;
