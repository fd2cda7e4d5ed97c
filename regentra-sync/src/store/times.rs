//! Checks the times that a process stamps against the store's clock.

use time::OffsetDateTime;

use super::{
    anchors::RootCommit,
    assets::{AssetCommit, AssetWrite},
    connections::{ConnectCommit, DisconnectCommit, SecretsCommit, SettingsCommit},
    error::{Result, StoreError, StoreErrorKind},
    evidence::{SweepCommit, TicketWrite},
    mappings::{
        DiscoveryCommit, FrameworksCommit, MappingCommit, PromotionCommit, SeenOrganization,
    },
    tickets::DeliveryCommit,
};
use crate::model::{
    AUTHORIZATION_LIFETIME, AnchoringFailure, Asset, AuditRow, Credential, EvidenceRoot, Mapping,
    OutboxRow, PortalCompany, RunRecord, SignatureChanges, SignatureRecord, StoredAuthorization,
    Ticket, TicketTick, is_ahead,
};

/// A value written to a store that carries times stamped by a process.
///
/// A store checks these times before it writes anything. Otherwise a process whose clock ran ahead would decide for the other processes
/// until its times are reached. Times that are meant to lie in the future (when a signal or an authorization expires, when an outbox row is
/// due) are not checked.
pub trait Stamped: Send + Sync {
    /// The latest of its times; `None` when it has none.
    fn latest(&self) -> Option<OffsetDateTime>;

    /// Checks that none of its times lies ahead of the store's clock, which shows `now`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Clock`] when one lies more than [`CLOCK_TOLERANCE`](crate::model::CLOCK_TOLERANCE) ahead.
    fn check_not_ahead(&self, now: OffsetDateTime) -> Result<()> {
        self.latest()
            .map_or(Ok(()), |latest| check_not_ahead(latest, now))
    }
}

/// Checks that a time stamped by a process does not lie ahead of the store's clock, which shows `now`.
///
/// # Errors
/// [`StoreErrorKind::Clock`] when it lies more than [`CLOCK_TOLERANCE`](crate::model::CLOCK_TOLERANCE) ahead.
pub fn check_not_ahead(time: OffsetDateTime, now: OffsetDateTime) -> Result<()> {
    if is_ahead(time, now) {
        let text = "the clock of this process is more than five minutes ahead of the store's";
        return Err(StoreError::new(StoreErrorKind::Clock, text));
    }
    Ok(())
}

/// Checks the time `begun` at which an authorization was begun against the store's clock, which shows `now`: it is not ahead, and not so
/// far behind that the authorization has already expired.
///
/// # Errors
/// [`StoreErrorKind::Clock`] when `begun` is ahead, or too far behind.
pub fn check_begun(
    pending: &StoredAuthorization,
    begun: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<()> {
    check_not_ahead(begun, now)?;
    pending.check_not_ahead(now)?;
    if pending.expires_at <= now {
        let text = "the clock of this process is so far behind the store's that the authorization is over already";
        return Err(StoreError::new(StoreErrorKind::Clock, text));
    }
    Ok(())
}

fn latest<const N: usize>(times: [Option<OffsetDateTime>; N]) -> Option<OffsetDateTime> {
    times.into_iter().flatten().max()
}

impl<T: Stamped> Stamped for [T] {
    fn latest(&self) -> Option<OffsetDateTime> {
        self.iter().filter_map(Stamped::latest).max()
    }
}

impl<T: Stamped> Stamped for Vec<T> {
    fn latest(&self) -> Option<OffsetDateTime> {
        self.as_slice().latest()
    }
}

impl<T: Stamped> Stamped for Option<T> {
    fn latest(&self) -> Option<OffsetDateTime> {
        self.as_ref().and_then(Stamped::latest)
    }
}

impl Stamped for OffsetDateTime {
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(*self)
    }
}

impl Stamped for AuditRow {
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(self.at)
    }
}

impl Stamped for RunRecord {
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(self.started_at.max(self.finished_at))
    }
}

impl Stamped for PortalCompany {
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(self.created_at)
    }
}

impl Stamped for Credential {
    fn latest(&self) -> Option<OffsetDateTime> {
        latest([Some(self.connected_at), self.disconnected_at])
    }
}

impl Stamped for Mapping {
    fn latest(&self) -> Option<OffsetDateTime> {
        latest([
            Some(self.discovered_at),
            self.missing_since,
            self.first_evidence_synced_at,
        ])
    }
}

impl Stamped for SeenOrganization {
    fn latest(&self) -> Option<OffsetDateTime> {
        self.missing_since
    }
}

impl Stamped for Asset {
    fn latest(&self) -> Option<OffsetDateTime> {
        latest([
            Some(self.created_at),
            Some(self.updated_at),
            self.missing_since,
        ])
    }
}

impl Stamped for AssetWrite {
    fn latest(&self) -> Option<OffsetDateTime> {
        self.asset.latest()
    }
}

impl Stamped for Ticket {
    fn latest(&self) -> Option<OffsetDateTime> {
        latest([
            Some(self.opened_at),
            Some(self.last_failed_at),
            self.closed_at,
        ])
    }
}

impl Stamped for TicketWrite {
    fn latest(&self) -> Option<OffsetDateTime> {
        self.ticket.latest()
    }
}

impl Stamped for TicketTick {
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(self.scheduled_at)
    }
}

impl Stamped for OutboxRow {
    fn latest(&self) -> Option<OffsetDateTime> {
        latest([Some(self.created_at), self.delivered_at])
    }
}

impl Stamped for SignatureChanges {
    fn latest(&self) -> Option<OffsetDateTime> {
        let since = |record: &SignatureRecord| record.since;
        self.changed.values().map(since).max()
    }
}

impl Stamped for EvidenceRoot {
    /// The root's tick is not checked. It is the tick of its heads and may lie in the future, and the root must still be written.
    fn latest(&self) -> Option<OffsetDateTime> {
        latest([Some(self.made_at), self.handed_out_at])
    }
}

impl Stamped for AnchoringFailure {
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(self.at)
    }
}

impl Stamped for StoredAuthorization {
    /// The time at which the authorization was begun.
    fn latest(&self) -> Option<OffsetDateTime> {
        Some(self.expires_at.saturating_sub(AUTHORIZATION_LIFETIME))
    }
}

// Each implementation destructures its commit, so that the compiler asks for a decision about a new field.

impl Stamped for ConnectCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            credential,
            expected: _,
            allow_duplicate: _,
            audit,
        } = self;
        latest([credential.latest(), audit.latest()])
    }
}

impl Stamped for SecretsCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            guard: _,
            expected: _,
            secrets: _,
            audit,
        } = self;
        audit.latest()
    }
}

impl Stamped for SettingsCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            guard: _,
            settings: _,
            audit,
        } = self;
        audit.latest()
    }
}

impl Stamped for DisconnectCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            guard: _,
            at,
            audit,
        } = self;
        latest([Some(*at), audit.latest()])
    }
}

impl Stamped for DiscoveryCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            guard: _,
            added,
            seen,
            lost_organizations: _,
            audit,
        } = self;
        latest([added.latest(), seen.latest(), audit.latest()])
    }
}

impl Stamped for MappingCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            guard: _,
            state: _,
            company,
            at,
            audit,
        } = self;
        latest([company.latest(), Some(*at), audit.latest()])
    }
}

impl Stamped for PromotionCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            company: _,
            compliance_org: _,
            audit,
        } = self;
        audit.latest()
    }
}

impl Stamped for FrameworksCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            company: _,
            expected: _,
            frameworks: _,
            audit,
        } = self;
        audit.latest()
    }
}

impl Stamped for AssetCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            credential: _,
            settings: _,
            mapping: _,
            lease: _,
            writes,
            audit,
        } = self;
        latest([writes.latest(), audit.latest()])
    }
}

impl Stamped for SweepCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            credential: _,
            settings: _,
            mapping: _,
            lease: _,
            scheduled_at,
            signals,
            // A record has the times of its signal, which is checked.
            evidence: _,
            audit,
            first_evidence_synced_at,
            signatures,
            tickets,
            outbox,
            tick,
        } = self;
        let collected = signals.iter().map(|stored| stored.signal.collected_at);
        latest([
            Some(*scheduled_at),
            collected.max(),
            audit.latest(),
            *first_evidence_synced_at,
            signatures.latest(),
            tickets.latest(),
            outbox.latest(),
            tick.latest(),
        ])
    }
}

impl Stamped for DeliveryCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self {
            event: _,
            row: _,
            reference: _,
            at,
        } = self;
        Some(*at)
    }
}

impl Stamped for RootCommit {
    fn latest(&self) -> Option<OffsetDateTime> {
        let Self { event: _, root } = self;
        root.latest()
    }
}
