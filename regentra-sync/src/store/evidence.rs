//! Signals and evidence of a customer, and the one commit of a sweep.

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
/// A sweep writes on both sides at once, so its two methods take both tenants; every other method takes the customer alone.
#[async_trait]
pub trait Evidence: Debug + Send + Sync + 'static {
    /// What a sweep of this mapping continues from. `tick` is the scheduled time whose ticket cap applies.
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
    /// Refuses a commit whose rows are not all of `customer` and of the guarded mapping, or that was judged by the settings of
    /// another connection, with [`SweepCommit::check_tenant`],
    /// before it reads anything.
    ///
    /// Guards: the credential is active and of that generation, else [`Guard::Credential`]; the settings of the
    /// connection are of that version, else [`Guard::Settings`]; the mapping is mapped, has that version, and its company was promoted to `customer`, else [`Guard::Mapping`]; the lease is held by that worker under
    /// that fence (one that is expired and that nobody took since is held still), else [`Guard::Lease`]; every evidence row, of
    /// which there is one for a signal, continues the head of its chain in the store (the first continues
    /// [`chain_start`](crate::model::chain_start)), else [`Guard::EvidenceChain`]; every ticket's stored version is
    /// `expected` (`None`: there is no row) and, if it is written as open, no other ticket is open for its key, else
    /// [`Guard::Ticket`]; the tick's stored version, if a tick is written, is the given one (0: there is no row), and no digest
    /// in the outbox rows was delivered under its id, else [`Guard::TicketTick`].
    ///
    /// Refuses, once the guards hold, a commit behind its chains with [`SweepCommit::check_order`].
    ///
    /// Writes on the customer's side: the signals (appended, never overwritten), the evidence rows with the time of the store's
    /// clock beside them, the audit row. On the MSP's side: the [`evidence_head`](super::effects::evidence_head) of each evidence
    /// row, for [`Anchors`](super::Anchors); the mapping's
    /// [`first_evidence_synced_at`](super::effects::first_evidence_synced_at); the signature history, tickets, outbox rows (a
    /// digest that exists is replaced in its place, any other row that exists is left as it is), what becomes of each
    /// [`tick_to_come`](super::effects::tick_to_come), and the tick with its version plus one.
    ///
    /// [`Guard::Credential`]: super::Guard::Credential
    /// [`Guard::Settings`]: super::Guard::Settings
    /// [`Guard::Mapping`]: super::Guard::Mapping
    /// [`Guard::Lease`]: super::Guard::Lease
    /// [`Guard::EvidenceChain`]: super::Guard::EvidenceChain
    /// [`Guard::Ticket`]: super::Guard::Ticket
    /// [`Guard::TicketTick`]: super::Guard::TicketTick
    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome>;

    /// Of each (mapping, signal) the one committed last among those that do not lie ahead of the store's clock, unless it is
    /// expired at `now` (at `expires_at` exactly one is expired), ordered by that key.
    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>>;

    /// Of each (mapping, signal) the one committed last, where it lies ahead of the store's clock, ordered by that key: a clock
    /// that ran ahead wrote it, and no sweep came after it.
    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>>;

    /// All signals of one (mapping, signal), whatever their times, the one committed last first, at most `limit`.
    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>>;

    /// The records of one evidence chain after sequence `after`, in order, at most `limit`.
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

/// What a sweep of one mapping continues from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepState {
    /// Whether the event was committed before: then there is nothing to do.
    pub seen: bool,
    /// The heads of the evidence chains; a signal without a record is absent.
    pub heads: BTreeMap<SignalKind, ChainHead>,
    /// When the signal was collected that was committed last of those that do not lie ahead of the store's clock: what comes next
    /// must not lie behind it.
    pub collected: BTreeMap<SignalKind, OffsetDateTime>,
    /// The open tickets of the mapping and customer.
    pub open_tickets: BTreeMap<SignalKind, Ticket>,
    /// The signature history of the mapping.
    pub signature_history: SignatureRecords,
    /// What was opened in the tick so far; `None` when nothing was.
    pub tick: Option<TicketTick>,
    /// The row of [`OutboxId::digest`](crate::model::OutboxId::digest) for the tick and its number of digests, if it is not
    /// delivered yet.
    pub digest: Option<OutboxRow>,
}

/// Everything that one sweep writes, and what it relies on.
#[derive(Clone, Debug)]
pub struct SweepCommit {
    /// The event.
    pub event: EventId,
    /// The credential has to be connected still.
    pub credential: CredentialGuard,
    /// The settings that it was judged by have to be in force still.
    pub settings: SettingsGuard,
    /// The mapping has to be as it was.
    pub mapping: MappingGuard,
    /// The lease has to be held still.
    pub lease: Lease,
    /// The tick that the sweep belongs to.
    pub scheduled_at: OffsetDateTime,
    /// The five signals.
    pub signals: Vec<StoredSignal>,
    /// One record for each.
    pub evidence: Vec<EvidenceRow>,
    /// The row for the customer's trail.
    pub audit: AuditRow,
    /// The time to stamp, when this sweep ends the dry run, or when the time that is stamped lies in the future.
    pub first_evidence_synced_at: Option<OffsetDateTime>,
    /// What changes in the signature history.
    pub signatures: SignatureChanges,
    /// Tickets to write.
    pub tickets: Vec<TicketWrite>,
    /// What the bridge is to do.
    pub outbox: Vec<OutboxRow>,
    /// The tick, when tickets are opened or put into its digest: counts as they shall be, version as it was read.
    pub tick: Option<TicketTick>,
}

impl SweepCommit {
    /// Every signal, evidence row and ticket is of `customer` and of the guarded mapping, and the settings are of the guarded credential.
    /// Stores ask it first: what a mistake
    /// elsewhere has mixed is not to reach another customer's tenant.
    ///
    /// # Errors
    /// [`StoreErrorKind::Other`] when one is not.
    pub fn check_tenant(&self, customer: ComplianceOrgId) -> Result<()> {
        let mapping = self.mapping.mapping;
        let is_theirs = |key: &SignalKey| key.compliance_org == customer && key.mapping == mapping;
        let said_of = |row: &OutboxRow| match &row.action {
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
                .filter_map(said_of)
                .all(|key| is_theirs(&key));
        if all_are_theirs {
            return Ok(());
        }
        let text = "the commit of a sweep holds rows of another customer, mapping or connection; nothing was written";
        Err(StoreError::new(StoreErrorKind::Other, text))
    }
}

impl SweepCommit {
    /// No signal was collected before the last one of its chain, which was collected at `collected` ([`SweepState::collected`]).
    /// Stores ask it inside the commit, once the guards hold.
    ///
    /// # Errors
    /// [`StoreErrorKind::Clock`] when one was.
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
    /// The row as it shall be.
    pub ticket: Ticket,
    /// The version that was read; `None` when there was no row.
    pub expected: Option<Version>,
}
