//! The outcome of a commit.

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    /// Everything is written.
    Committed,
    /// This event was committed before; nothing is written.
    AlreadyCommitted,
    /// A precondition no longer holds; nothing is written. Read and decide again, or give up.
    Superseded(Precondition),
}

/// Which precondition of a commit did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// The credential is not active, is of another generation, or its secrets were rewritten.
    Credential,
    /// The client id is connected elsewhere.
    Fingerprint,
    /// The decision about the mapping was changed, or the mapping belongs to another customer.
    Mapping,
    /// The settings of the connection were changed, or there is no such connection.
    Settings,
    /// The company does not exist, exists already, was promoted to another organization, or has changed its frameworks.
    Company,
    /// Another commit wrote an asset row meanwhile.
    Asset,
    /// The evidence chain has another head.
    EvidenceChain,
    /// Another commit wrote the ticket meanwhile, or another ticket is open for its signal.
    Ticket,
    /// Another run opened tickets in the same tick, or the tick's digest was delivered.
    TicketTick,
    /// Another worker holds the lease.
    Lease,
    /// Another process wrote the MSP's next root, or a sweep committed a head to the tick meanwhile.
    Root,
}
