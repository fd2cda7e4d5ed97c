//! A store of a host's own, over plain hash maps, written from the public documentation of `regentra_sync::store` alone.
//!
//! It shows what implementing the traits takes, and keeps the documentation honest: where that left something open, it was
//! mended. One mutex around everything makes every commit atomic; a commit checks all its guards before it writes anything.

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

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use regentra_sync::{
    host::StoreClock,
    model::{
        AnchoringFailure, Asset, AssetId, AssetStatus, AuditRow, CompanyId, ComplianceOrgId,
        Credential, CredentialGuard, CredentialId, EventId, EvidenceHead, EvidenceRoot,
        EvidenceRow, Fence, Fingerprint, Lease, LeaseKey, Mapping, MappingGuard, MappingId,
        MspOrgId, NoteReason, OutboxId, OutboxRow, PendingAuthorization, PortalCompany, RunRecord,
        RunSubject, SettingsGuard, SignatureHistory, Source, StateDigest, StoredFrameworks,
        StoredSettings, Ticket, TicketId, TicketState, TicketTick, WorkerId, reactivate_superseded,
    },
    regentra_evidence::SignalKind,
    seal::KeyCheck,
    store::{CommitOutcome, Guard, Stamped, StoreError, StoredSignal},
};
use time::{Duration, OffsetDateTime};

/// The fourth store.
#[derive(Debug, Default)]
pub(crate) struct HashMapStore {
    state: Mutex<State>,
    clock: StoreClock,
}

/// Everything, by tenant first.
#[derive(Debug, Default)]
struct State {
    events: HashSet<(MspOrgId, EventId)>,
    key_check: Option<KeyCheck>,
    credentials: HashMap<(MspOrgId, CredentialId), Credential>,
    settings: HashMap<(MspOrgId, CredentialId), StoredSettings>,
    authorizations: HashMap<(MspOrgId, StateDigest), PendingAuthorization>,
    mappings: HashMap<(MspOrgId, MappingId), Mapping>,
    companies: HashMap<(MspOrgId, CompanyId), PortalCompany>,
    frameworks: HashMap<(MspOrgId, CompanyId), StoredFrameworks>,
    assets: HashMap<(MspOrgId, AssetId), Asset>,
    signatures: HashMap<(MspOrgId, MappingId), SignatureHistory>,
    tickets: HashMap<(MspOrgId, TicketId), Ticket>,
    /// With its place in the order of commits.
    outbox: HashMap<(MspOrgId, OutboxId), (usize, OutboxRow)>,
    ticks: HashMap<(MspOrgId, OffsetDateTime), TicketTick>,
    msp_audit: HashMap<MspOrgId, Vec<AuditRow>>,
    leases: HashMap<(MspOrgId, LeaseKey), Taken>,
    runs: HashMap<MspOrgId, Vec<(RunSubject, RunRecord)>>,
    customer_audit: HashMap<ComplianceOrgId, Vec<AuditRow>>,
    /// In the order of commits.
    signals: HashMap<(ComplianceOrgId, MappingId, SignalKind), Vec<StoredSignal>>,
    evidence: HashMap<(ComplianceOrgId, MappingId, SignalKind), Vec<EvidenceRow>>,
    heads: HashMap<MspOrgId, Vec<EvidenceHead>>,
    roots: HashMap<MspOrgId, Vec<EvidenceRoot>>,
    anchoring_failures: HashMap<MspOrgId, AnchoringFailure>,
    spent: HashMap<Fingerprint, Vec<OffsetDateTime>>,
}

/// A lease that was taken at least once.
#[derive(Clone, Copy, Debug)]
struct Taken {
    fence: Fence,
    /// Who holds it and until when; nobody after a release.
    holder: Option<(WorkerId, OffsetDateTime)>,
    length: Duration,
}

impl Taken {
    fn is_ahead(&self, now: OffsetDateTime) -> bool {
        self.holder
            .is_some_and(|(_, expires_at)| expires_at > now + self.length * 2)
    }

    fn is_expired(&self, now: OffsetDateTime) -> bool {
        let is_over = self.holder.is_none_or(|(_, expires_at)| expires_at <= now);
        is_over || self.is_ahead(now)
    }
}

impl HashMapStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One commit: the event first, then its times, then the guards, then everything at once. `check` returns what `write` needs.
    fn commit<T, E: Into<Stop>>(
        &self,
        msp: MspOrgId,
        event: EventId,
        stamped: &(impl Stamped + ?Sized),
        check: impl FnOnce(&State) -> Result<T, E>,
        write: impl FnOnce(&mut State, T),
    ) -> Result<CommitOutcome, StoreError> {
        let mut state = self.state();
        if state.events.contains(&(msp, event)) {
            return Ok(CommitOutcome::AlreadyCommitted);
        }
        stamped.check_not_ahead(self.clock.now())?;
        match check(&state).map_err(Into::into) {
            Err(Stop::Guard(guard)) => Ok(CommitOutcome::Superseded(guard)),
            Err(Stop::Refused(error)) => Err(error),
            Ok(checked) => {
                write(&mut state, checked);
                state.events.insert((msp, event));
                Ok(CommitOutcome::Committed)
            }
        }
    }
}

/// Why a commit writes nothing.
enum Stop {
    Guard(Guard),
    Refused(StoreError),
}

impl From<Guard> for Stop {
    fn from(guard: Guard) -> Self {
        Self::Guard(guard)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl State {
    fn check_credential(&self, msp: MspOrgId, guard: CredentialGuard) -> Result<(), Guard> {
        self.credentials
            .get(&(msp, guard.credential))
            .filter(|stored| stored.is_active && stored.generation == guard.generation)
            .map(|_| ())
            .ok_or(Guard::Credential)
    }

    /// Default settings are those of a credential that nobody gave any.
    fn settings_of(&self, key: (MspOrgId, CredentialId)) -> Option<StoredSettings> {
        let _: &Credential = self.credentials.get(&key)?;
        Some(self.settings.get(&key).cloned().unwrap_or_default())
    }

    fn check_settings(&self, msp: MspOrgId, guard: SettingsGuard) -> Result<(), Guard> {
        self.settings_of((msp, guard.credential))
            .filter(|stored| stored.version == guard.version)
            .map(|_| ())
            .ok_or(Guard::Settings)
    }

    /// The mapping is mapped and has that version. Answers with the company.
    fn check_mapping(&self, msp: MspOrgId, guard: MappingGuard) -> Result<CompanyId, Guard> {
        self.mappings
            .get(&(msp, guard.mapping))
            .filter(|stored| stored.version == guard.version)
            .and_then(|stored| stored.state.company())
            .ok_or(Guard::Mapping)
    }

    fn check_lease(&self, msp: MspOrgId, lease: &Lease) -> Result<(), Guard> {
        if self.is_held(msp, lease) {
            Ok(())
        } else {
            Err(Guard::Lease)
        }
    }

    fn is_held(&self, msp: MspOrgId, lease: &Lease) -> bool {
        self.leases.get(&(msp, lease.key)).is_some_and(|taken| {
            let holder = taken.holder.map(|(worker, _)| worker);
            taken.fence == lease.fence && holder == Some(lease.worker)
        })
    }

    fn append_audit(&mut self, msp: MspOrgId, rows: Vec<AuditRow>) {
        self.msp_audit.entry(msp).or_default().extend(rows);
    }

    fn put_into_outbox(&mut self, msp: MspOrgId, row: OutboxRow) {
        let next = self.outbox.len();
        match self.outbox.entry((msp, row.id)) {
            Entry::Vacant(free) => {
                free.insert((next, row));
            }
            Entry::Occupied(mut stored) if evidence::is_digest(&row) => stored.get_mut().1 = row,
            Entry::Occupied(_) => {}
        }
    }

    /// What un-mapping and disconnecting have in common: nothing of these mappings is kept going.
    fn retire_and_reactivate(
        &mut self,
        msp: MspOrgId,
        mappings: &HashSet<MappingId>,
        event: EventId,
        reason: NoteReason,
        at: OffsetDateTime,
    ) {
        let mut retired = HashSet::new();
        for ((owner, id), asset) in &mut self.assets {
            let is_of_mappings = asset.mapping.is_some_and(|id| mappings.contains(&id));
            let is_active = asset.status == AssetStatus::Active;
            if *owner == msp && asset.source == Source::Ninjaone && is_of_mappings && is_active {
                asset.status = AssetStatus::Retired;
                asset.version = asset.version.next();
                asset.updated_at = at;
                retired.insert(*id);
            }
        }
        let superseded = self
            .assets
            .iter()
            .filter(|((owner, _), asset)| {
                let winner = asset.status.superseded_by();
                *owner == msp && winner.is_some_and(|winner| retired.contains(&winner))
            })
            .map(|(_, asset)| asset.clone())
            .collect();
        for asset in reactivate_superseded(superseded, at) {
            self.assets.insert((msp, asset.id), asset);
        }
        for mapping in mappings {
            self.signatures.remove(&(msp, *mapping));
        }
        let mut open: Vec<_> = self
            .tickets
            .iter()
            .filter(|((owner, _), ticket)| {
                let is_open = ticket.state == TicketState::Open;
                *owner == msp && is_open && mappings.contains(&ticket.key.mapping)
            })
            .map(|(_, ticket)| OutboxRow::note(event, ticket, reason, at))
            .collect();
        open.sort_by_key(|note| note.id);
        for note in open {
            self.put_into_outbox(msp, note);
        }
    }
}

async fn new_store(clock: StoreClock) -> (HashMapStore, ()) {
    let state = Mutex::default();
    std::future::ready((HashMapStore { state, clock }, ())).await
}

regentra_sync::conformance!(new_store);
