//! What a commit answers.

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
    /// The settings of the connection were changed, or there is no such connection.
    Settings,
    /// The company does not exist, exists already, was promoted otherwise, or its frameworks were decided upon again.
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
    /// Another process made the MSP's next root, or a head was committed to the tick meanwhile.
    Root,
}
