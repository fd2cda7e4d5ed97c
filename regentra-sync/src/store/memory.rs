//! A store in memory, for tests and demonstrations. Dropping it loses everything.
//!
//! Every call suspends once before it reads or writes. So a test that drops a use case's future at its k-th suspension stops the use case
//! before its k-th call. Clones share their contents.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use regentra_evidence::SignalKind;
use time::OffsetDateTime;

use crate::{
    host::StoreClock,
    model::{
        AnchoringFailure, Asset, AssetId, AuditRow, CompanyId, ComplianceOrgId, Credential,
        CredentialGuard, CredentialId, EventId, EvidenceHead, EvidenceRoot, EvidenceRow,
        Fingerprint, Lease, LeaseKey, Mapping, MappingGuard, MappingId, MspOrgId, NoteReason,
        OutboxId, OutboxRow, PortalCompany, RunRecord, RunSubject, SettingsGuard, SignatureRecords,
        StateDigest, StoredAuthorization, StoredFrameworks, StoredSettings, Ticket, TicketId,
        TicketTick,
    },
    seal::KeyCheck,
    store::{
        CommitOutcome, Precondition, Stamped, StoreError, StoredSignal,
        effects::{EndedMappings, StoredLease},
    },
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

/// The store in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: StoreClock,
}

impl MemoryStore {
    /// An empty store with the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same store with another clock. Clones made before keep their clock.
    #[must_use]
    pub fn with_clock(mut self, clock: StoreClock) -> Self {
        self.clock = clock;
        self
    }

    /// Suspends once, then calls `work` with exclusive access to the contents.
    async fn with<T>(&self, work: impl FnOnce(&mut State) -> T + Send) -> T {
        SuspendOnce(false).await;
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Pending the first time it is polled.
struct SuspendOnce(bool);

impl Future for SuspendOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Tables, each with its tenant first in the key.
#[derive(Debug, Default)]
struct State {
    key_check: Option<KeyCheck>,
    events: BTreeSet<(MspOrgId, EventId)>,
    credentials: BTreeMap<(MspOrgId, CredentialId), Credential>,
    /// Connections whose settings were written; the others have the defaults.
    settings: BTreeMap<(MspOrgId, CredentialId), StoredSettings>,
    authorizations: BTreeMap<(MspOrgId, StateDigest), StoredAuthorization>,
    mappings: BTreeMap<(MspOrgId, MappingId), Mapping>,
    companies: BTreeMap<(MspOrgId, CompanyId), PortalCompany>,
    /// Companies whose frameworks were written; the others have the default.
    frameworks: BTreeMap<(MspOrgId, CompanyId), StoredFrameworks>,
    assets: BTreeMap<(MspOrgId, AssetId), Asset>,
    signatures: BTreeMap<(MspOrgId, MappingId), SignatureRecords>,
    tickets: BTreeMap<(MspOrgId, TicketId), Ticket>,
    outbox: BTreeMap<MspOrgId, Vec<OutboxRow>>,
    ticks: BTreeMap<(MspOrgId, OffsetDateTime), TicketTick>,
    leases: BTreeMap<(MspOrgId, LeaseKey), StoredLease>,
    runs: BTreeMap<(MspOrgId, RunSubject), RunRecord>,
    msp_audit: BTreeMap<MspOrgId, Vec<AuditRow>>,
    customer_audit: BTreeMap<ComplianceOrgId, Vec<AuditRow>>,
    signals: BTreeMap<(ComplianceOrgId, MappingId, SignalKind), Vec<StoredSignal>>,
    evidence: BTreeMap<(ComplianceOrgId, MappingId, SignalKind), Vec<EvidenceRow>>,
    heads: BTreeMap<MspOrgId, Vec<EvidenceHead>>,
    roots: BTreeMap<MspOrgId, Vec<EvidenceRoot>>,
    anchoring_failures: BTreeMap<MspOrgId, AnchoringFailure>,
    /// When the requests to one NinjaOne tenant started, the oldest first.
    budget: BTreeMap<Fingerprint, Vec<OffsetDateTime>>,
}

/// The guards that several commits share.
impl State {
    /// Stops a commit whose event was committed before, or that has a time ahead of the store's clock. Every commit begins with this check.
    fn begins(
        &self,
        msp: MspOrgId,
        event: EventId,
        commit: &(impl Stamped + ?Sized),
        store_time: OffsetDateTime,
    ) -> Result<(), CommitStop> {
        if self.events.contains(&(msp, event)) {
            return Err(CommitOutcome::AlreadyCommitted.into());
        }
        Ok(commit.check_not_ahead(store_time)?)
    }

    fn credential_holds(&self, msp: MspOrgId, guard: CredentialGuard) -> Result<(), CommitOutcome> {
        let credential = self.credentials.get(&(msp, guard.credential));
        holds(
            credential.is_some_and(|c| c.is_active && c.generation == guard.generation),
            Precondition::Credential,
        )
    }

    /// The settings of a connection, or the defaults.
    fn stored_settings(&self, msp: MspOrgId, credential: CredentialId) -> Option<StoredSettings> {
        let key = (msp, credential);
        let stored = self.settings.get(&key).cloned().unwrap_or_default();
        self.credentials.contains_key(&key).then_some(stored)
    }

    fn settings_hold(&self, msp: MspOrgId, guard: SettingsGuard) -> Result<(), CommitOutcome> {
        let stored = self.stored_settings(msp, guard.credential);
        holds(
            stored.is_some_and(|stored| stored.version == guard.version),
            Precondition::Settings,
        )
    }

    /// Checks that the mapping is mapped and has the given version, and returns its company.
    fn mapping_holds(
        &self,
        msp: MspOrgId,
        guard: MappingGuard,
    ) -> Result<CompanyId, CommitOutcome> {
        self.mappings
            .get(&(msp, guard.mapping))
            .filter(|mapping| mapping.version == guard.version)
            .and_then(|mapping| mapping.state.company())
            .ok_or(CommitOutcome::Superseded(Precondition::Mapping))
    }

    fn lease_holds(&self, msp: MspOrgId, lease: &Lease) -> Result<(), CommitOutcome> {
        let stored = self.leases.get(&(msp, lease.key));
        holds(
            stored.is_some_and(|stored| stored.is_held_under(lease)),
            Precondition::Lease,
        )
    }

    /// Records the event, after everything else is written.
    fn committed(&mut self, msp: MspOrgId, event: EventId) -> CommitOutcome {
        self.events.insert((msp, event));
        CommitOutcome::Committed
    }

    fn append_msp_audit(&mut self, msp: MspOrgId, rows: Vec<AuditRow>) {
        self.msp_audit.entry(msp).or_default().extend(rows);
    }

    /// Applies the effects of ending mappings.
    fn end_mappings(
        &mut self,
        msp: MspOrgId,
        mappings: &BTreeSet<MappingId>,
        event: EventId,
        reason: NoteReason,
        at: OffsetDateTime,
    ) {
        let assets: Vec<_> = of_msp(&self.assets, msp).collect();
        let tickets = of_msp(&self.tickets, msp);
        let ended = EndedMappings::of(mappings, assets, tickets, event, reason, at);
        for asset in ended.assets {
            self.assets.insert((msp, asset.id), asset);
        }
        self.signatures
            .retain(|(owner, mapping), _| *owner != msp || !mappings.contains(mapping));
        self.outbox.entry(msp).or_default().extend(ended.notes);
    }

    fn outbox_row(&mut self, msp: MspOrgId, id: OutboxId) -> Option<&mut OutboxRow> {
        self.outbox
            .get_mut(&msp)?
            .iter_mut()
            .find(|row| row.id == id)
    }
}

/// The rows of one MSP, in the order of their keys.
fn of_msp<K, T>(
    table: &BTreeMap<(MspOrgId, K), T>,
    msp: MspOrgId,
) -> impl Iterator<Item = &T> + Clone {
    let rows = table.iter().filter(move |((owner, _), _)| *owner == msp);
    rows.map(|(_, row)| row)
}

fn holds(condition: bool, guard: Precondition) -> Result<(), CommitOutcome> {
    if condition {
        Ok(())
    } else {
        Err(CommitOutcome::Superseded(guard))
    }
}

/// The reason why a commit stops.
enum CommitStop {
    Outcome(CommitOutcome),
    Refused(StoreError),
}

impl From<CommitOutcome> for CommitStop {
    fn from(outcome: CommitOutcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<StoreError> for CommitStop {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// Turns a commit that stopped with `?` at a guard into its outcome.
fn outcome(result: Result<CommitOutcome, CommitStop>) -> Result<CommitOutcome, StoreError> {
    match result {
        Ok(outcome) | Err(CommitStop::Outcome(outcome)) => Ok(outcome),
        Err(CommitStop::Refused(error)) => Err(error),
    }
}
