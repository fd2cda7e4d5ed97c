//! The signals and evidence of a customer, and the commit of a sweep.

use std::{collections::BTreeMap, fmt::Debug};

use async_trait::async_trait;
use regentra_evidence::{ChainHead, Signal, SignalKind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    commit::CommitOutcome,
    error::{Result, StoreError, StoreErrorKind},
};
use crate::model::{
    AuditRow, ComplianceOrgId, CredentialGuard, EventId, EvidenceRow, Lease, MappingGuard,
    MappingId, MspOrgId, OutboxAction, OutboxRow, SettingsGuard, SignalKey, SignatureChanges,
    SignatureRecords, Ticket, TicketTick, Version,
};

/// The signals and evidence of a customer's compliance organization.
///
/// A sweep reads and writes both the MSP's and the customer's rows, so its two methods take both tenants. Every other method takes only the
/// customer.
#[async_trait]
pub trait Evidence: Debug + Send + Sync + 'static {
    /// The state that a sweep of this mapping continues from. `tick` is the scheduled time whose ticket cap applies.
    async fn sweep_state(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        tick: OffsetDateTime,
    ) -> Result<SweepState>;

    /// Writes everything that one sweep of one mapping found.
    ///
    /// Before it reads anything, refuses with [`SweepCommit::check_tenant`] a commit with a row of another customer or mapping, or one that
    /// was judged by the settings of another connection.
    ///
    /// Preconditions: the credential is active and has the given generation, else [`Precondition::Credential`]; the settings of the
    /// connection have the given version, else [`Precondition::Settings`]; the mapping is mapped, has the given version, and its company
    /// was promoted to `customer`, else [`Precondition::Mapping`]; the given worker holds the lease under the given fence (a lease that
    /// expired is still held until another run takes it), else [`Precondition::Lease`]; there is one evidence row per signal, and each
    /// continues the stored head of its chain (the first row continues [`chain_start`](crate::model::chain_start)), else
    /// [`Precondition::EvidenceChain`]; every ticket's stored version is `expected` (`None`: there is no row), and for a ticket written as
    /// open no other ticket with its key is open, else [`Precondition::Ticket`]; if a tick is written, its stored version is the given one
    /// (0: there is no row), and no digest among the outbox rows was already delivered under its id, else [`Precondition::TicketTick`].
    ///
    /// If the preconditions hold, refuses a commit whose times are behind its chains with [`SweepCommit::check_order`].
    ///
    /// Writes, on the customer's side: the signals (appended, never overwritten); the evidence rows, each with the time of the store's
    /// clock; the audit row. On the MSP's side: the [`evidence_head`](super::effects::evidence_head) of each evidence row, for
    /// [`Anchors`](super::Anchors); the mapping's [`first_evidence_synced_at`](super::effects::first_evidence_synced_at); the signature
    /// history; the tickets; the outbox rows (an existing digest is replaced and keeps its place, any other existing row stays as it is);
    /// each tick that [`tick_to_come`](super::effects::tick_to_come) changes; the tick with its version plus one.
    ///
    /// [`Precondition::Credential`]: super::Precondition::Credential
    /// [`Precondition::Settings`]: super::Precondition::Settings
    /// [`Precondition::Mapping`]: super::Precondition::Mapping
    /// [`Precondition::Lease`]: super::Precondition::Lease
    /// [`Precondition::EvidenceChain`]: super::Precondition::EvidenceChain
    /// [`Precondition::Ticket`]: super::Precondition::Ticket
    /// [`Precondition::TicketTick`]: super::Precondition::TicketTick
    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome>;

    /// For each (mapping, signal), the signal that was committed last among the signals that do not lie ahead of the store's clock. A
    /// signal that has expired at `now` is left out (at exactly `expires_at` it has expired). Ordered by (mapping, signal).
    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>>;

    /// For each (mapping, signal), the signal that was committed last, if it lies ahead of the store's clock: a clock that ran ahead wrote
    /// it, and no sweep followed. Ordered by (mapping, signal).
    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>>;

    /// The signals of one (mapping, signal), whatever their times, the last committed first; at most `limit`.
    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>>;

    /// The records of one evidence chain after sequence number `after`, in order; at most `limit`.
    async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>>;
}

/// A signal in a customer's tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSignal {
    /// The mapping it is about.
    pub mapping: MappingId,
    /// The sweep that wrote it.
    pub event: EventId,
    /// The signal.
    #[serde(flatten)]
    pub signal: Signal,
}

/// The state that a sweep of one mapping continues from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepState {
    /// Whether the event was committed before. If so, there is nothing to do.
    pub seen: bool,
    /// The heads of the evidence chains; a signal without a record is absent.
    pub heads: BTreeMap<SignalKind, ChainHead>,
    /// When the last committed signal that does not lie ahead of the store's clock was collected. The next signals must not be older.
    pub collected: BTreeMap<SignalKind, OffsetDateTime>,
    /// The open tickets of the mapping and customer.
    pub open_tickets: BTreeMap<SignalKind, Ticket>,
    /// The signature history of the mapping.
    pub signature_history: SignatureRecords,
    /// What the tick has opened so far; `None` if nothing.
    pub tick: Option<TicketTick>,
    /// The outbox row of the tick's present digest ([`OutboxId::digest`](crate::model::OutboxId::digest) of the tick and its number of
    /// digests), if it is not delivered yet.
    pub digest: Option<OutboxRow>,
}

/// Everything that one sweep writes, and the guards it relies on.
#[derive(Clone, Debug)]
pub struct SweepCommit {
    /// The event.
    pub event: EventId,
    /// The credential, which must still be connected.
    pub credential: CredentialGuard,
    /// The settings that the sweep was judged by, which must still be in force.
    pub settings: SettingsGuard,
    /// The mapping, which must be unchanged.
    pub mapping: MappingGuard,
    /// The lease, which must still be held.
    pub lease: Lease,
    /// The tick that the sweep belongs to.
    pub scheduled_at: OffsetDateTime,
    /// The five signals.
    pub signals: Vec<StoredSignal>,
    /// One record for each signal.
    pub evidence: Vec<EvidenceRow>,
    /// The row for the customer's trail.
    pub audit: AuditRow,
    /// The time to set, if this sweep ends the dry run or the stored time lies in the future.
    pub first_evidence_synced_at: Option<OffsetDateTime>,
    /// The changes to the signature history.
    pub signatures: SignatureChanges,
    /// Tickets to write.
    pub tickets: Vec<TicketWrite>,
    /// The outbox rows for the bridge.
    pub outbox: Vec<OutboxRow>,
    /// The tick, if the sweep opens tickets or adds some to the tick's digest: the new counts, and the version when the tick was read.
    pub tick: Option<TicketTick>,
}

impl SweepCommit {
    /// Checks that every signal, evidence row and ticket belongs to `customer` and to the guarded mapping, and that the settings belong to
    /// the guarded credential. A store calls it first. So rows of another customer never reach this customer's tenant, even if a mistake
    /// elsewhere mixed them up.
    ///
    /// # Errors
    /// [`StoreErrorKind::Other`] when one of them belongs elsewhere.
    pub fn check_tenant(&self, customer: ComplianceOrgId) -> Result<()> {
        let mapping = self.mapping.mapping;
        let is_theirs = |key: &SignalKey| key.compliance_org == customer && key.mapping == mapping;
        let key_of = |row: &OutboxRow| match &row.action {
            OutboxAction::Open { key, .. }
            | OutboxAction::Update { key, .. }
            | OutboxAction::Close { key, .. }
            | OutboxAction::Note { key, .. } => Some(*key),
            // A tick has one digest for all customers of the MSP.
            OutboxAction::Digest { .. } => None,
        };
        let all_are_theirs = self.settings.credential == self.credential.credential
            && self.signals.iter().all(|row| row.mapping == mapping)
            && self.evidence.iter().all(|row| row.mapping == mapping)
            && self
                .tickets
                .iter()
                .all(|write| is_theirs(&write.ticket.key))
            && self
                .outbox
                .iter()
                .filter_map(key_of)
                .all(|key| is_theirs(&key));
        if all_are_theirs {
            return Ok(());
        }
        let text = "the commit of a sweep holds rows of another customer, mapping or connection; nothing was written";
        Err(StoreError::new(StoreErrorKind::Other, text))
    }
}

impl SweepCommit {
    /// Checks that no signal was collected before the last one of its chain. `collected` holds the times of the last ones
    /// ([`SweepState::collected`]). A store calls it inside the commit, once the preconditions hold.
    ///
    /// # Errors
    /// [`StoreErrorKind::Clock`] when a signal was collected before the last one of its chain.
    pub fn check_order(&self, collected: &BTreeMap<SignalKind, OffsetDateTime>) -> Result<()> {
        let is_behind = |stored: &StoredSignal| {
            let last = collected.get(&stored.signal.kind());
            last.is_some_and(|last| stored.signal.collected_at < *last)
        };
        if self.signals.iter().any(is_behind) {
            let text =
                "the signals of this sweep were collected before those that its chains end with";
            return Err(StoreError::new(StoreErrorKind::Clock, text));
        }
        Ok(())
    }
}

/// One ticket to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketWrite {
    /// The new row.
    pub ticket: Ticket,
    /// The version that was read; `None` when there was no row.
    pub expected: Option<Version>,
}
