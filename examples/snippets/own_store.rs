//! A store of one's own: the ten traits of [`regentra_sync::store`] over one mutex, as short as a correct store can be.
//!
//! `cargo run -p regentra-snippets --example own_store` connects a simulated tenant to it;
//! `cargo test -p regentra-snippets --example own_store` holds it against every law of the conformance suite.
//!
//! Copy it to start a store of another kind: the order of the traits, the guards and the writes of each commit stay, and `State`
//! becomes a database. Every commit changes a copy of the state, which takes the place of the state once the commit is whole.
//! That copies everything each time: it is easily seen to be right, and slow.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use ninjaone_simulator::{Preset, Tenant, front};
use regentra_evidence::SignalKind;
use regentra_sync::{
    Connect, Discover, Integration,
    host::{Clock as _, HostPolicy, StoreClock, SystemClock},
    model::{
        Actor::Schedule, AnchoringFailure, Asset, AssetId, AuditRow, BudgetUsage, CompanyId,
        ComplianceOrgId, Credential, CredentialGuard, CredentialId, EventId, EvidenceHead,
        EvidenceRoot, EvidenceRow, Fingerprint, Lease, LeaseKey, Mapping, MappingGuard, MappingId,
        MspOrgId, NoteReason, OutboxId, OutboxRow, PortalCompany, RegionKey, RunRecord, RunSubject,
        SettingsGuard, SignatureRecords, Spend, StateDigest, StoredAuthorization, StoredFrameworks,
        StoredSettings, Ticket, TicketId, TicketState, TicketTick, Window, WorkerId, chain_start,
        is_ahead,
    },
    ninjaone::NinjaOneApi,
    seal::{KeyCheck, KeyId, Keyring, MasterKey},
    store::{
        ActiveCredential, Anchors, AssetCommit, AssetFilter, AssetPage, Assets, AuditPage,
        AuditTrail, Budget, CommitOutcome, CompanyPage, ConnectCommit, Connections, DeliveryCommit,
        DisconnectCommit, DiscoveryCommit, Evidence, FrameworksCommit, MappingCommit,
        MappingCounts, MappingFilter, MappingPage, Mappings, Planner, Precondition,
        PromotionCommit, Result, RootCommit, RowsAhead, RunPage, RunSubjects, Runs, SecretsCommit,
        SettingsCommit, Stamped, StoreError, StoredSignal, SweepCommit, SweepState, TicketCounts,
        TicketFilter, TicketPage, Tickets, check_begun, check_not_ahead,
        effects::{self, EndedMappings, StoredLease},
    },
};
use time::{Duration, OffsetDateTime};

/// The store.
#[derive(Debug, Default)]
struct OwnStore {
    state: Mutex<State>,
    /// What leases, budgets and the times of commits are held against; the laws move it.
    clock: StoreClock,
}

/// Rows of an MSP: its id is the first part of every key, so that no look-up finds a row of another one.
type Table<K, T> = BTreeMap<(MspOrgId, K), T>;
/// Rows of one signal of one mapping of a customer, in the order of commits.
type Chains<T> = BTreeMap<(ComplianceOrgId, MappingId, SignalKind), Vec<T>>;

#[derive(Clone, Debug, Default)]
struct State {
    /// The events of all commits: each is written once.
    events: BTreeSet<(MspOrgId, EventId)>,
    key_check: Option<KeyCheck>,
    credentials: Table<CredentialId, Credential>,
    settings: Table<CredentialId, StoredSettings>,
    authorizations: Table<StateDigest, StoredAuthorization>,
    mappings: Table<MappingId, Mapping>,
    companies: Table<CompanyId, PortalCompany>,
    frameworks: Table<CompanyId, StoredFrameworks>,
    assets: Table<AssetId, Asset>,
    signatures: Table<MappingId, SignatureRecords>,
    tickets: Table<TicketId, Ticket>,
    ticks: Table<OffsetDateTime, TicketTick>,
    leases: Table<LeaseKey, StoredLease>,
    runs: Table<RunSubject, RunRecord>,
    /// In the order of commits, as the three below.
    outbox: BTreeMap<MspOrgId, Vec<OutboxRow>>,
    msp_audit: BTreeMap<MspOrgId, Vec<AuditRow>>,
    heads: BTreeMap<MspOrgId, Vec<EvidenceHead>>,
    roots: BTreeMap<MspOrgId, Vec<EvidenceRoot>>,
    anchoring_failures: BTreeMap<MspOrgId, AnchoringFailure>,
    customer_audit: BTreeMap<ComplianceOrgId, Vec<AuditRow>>,
    signals: Chains<StoredSignal>,
    evidence: Chains<EvidenceRow>,
    /// When the requests to one NinjaOne tenant started, the oldest first.
    requests: BTreeMap<Fingerprint, Vec<OffsetDateTime>>,
}

/// A guard holds, or this one does not.
type Checked<T = ()> = std::result::Result<T, Precondition>;

/// Why a commit writes nothing.
enum Stop {
    With(CommitOutcome),
    Failed(StoreError),
}

impl From<Precondition> for Stop {
    fn from(guard: Precondition) -> Self {
        Self::With(CommitOutcome::Superseded(guard))
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl OwnStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every commit: the event first, then its times, then its guards and its writes, all or nothing.
    fn commit<C: Stamped>(
        &self,
        msp: MspOrgId,
        event: EventId,
        commit: C,
        write: impl FnOnce(&mut State, C) -> std::result::Result<(), Stop>,
    ) -> Result<CommitOutcome> {
        let mut state = self.state();
        if state.events.contains(&(msp, event)) {
            return Ok(CommitOutcome::AlreadyCommitted);
        }
        commit.check_not_ahead(self.clock.now())?;
        let mut written = state.clone();
        match write(&mut written, commit) {
            Ok(()) => {
                written.events.insert((msp, event));
                *state = written;
                Ok(CommitOutcome::Committed)
            }
            Err(Stop::With(outcome)) => Ok(outcome),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// The rows of one MSP, in the order of their keys.
fn of_msp<K, T>(table: &Table<K, T>, msp: MspOrgId) -> impl Iterator<Item = &T> + Clone {
    let rows = table.iter().filter(move |((owner, _), _)| *owner == msp);
    rows.map(|(_, row)| row)
}

/// The list of one tenant, which is empty before its first row.
fn list_of<'a, K: Ord, T>(lists: &'a BTreeMap<K, Vec<T>>, key: &K) -> &'a [T] {
    lists.get(key).map_or(&[], Vec::as_slice)
}

fn page<T: Clone>(rows: Vec<T>, limit: u32) -> Vec<T> {
    rows.into_iter().take(limit as usize).collect()
}

fn holds(condition: bool, guard: Precondition) -> Checked {
    if condition { Ok(()) } else { Err(guard) }
}

/// The guards that several commits share, and what several of them write.
impl State {
    fn credential_holds(&self, msp: MspOrgId, guard: CredentialGuard) -> Checked {
        let stored = self.credentials.get(&(msp, guard.credential));
        let is_as_read = stored.is_some_and(|c| c.is_active && c.generation == guard.generation);
        holds(is_as_read, Precondition::Credential)
    }

    /// The settings of a credential that exists: the default ones until others are written.
    fn settings_of(&self, key: (MspOrgId, CredentialId)) -> Option<StoredSettings> {
        let stored = self.settings.get(&key).cloned().unwrap_or_default();
        self.credentials.contains_key(&key).then_some(stored)
    }

    fn settings_hold(&self, msp: MspOrgId, guard: SettingsGuard) -> Checked {
        let stored = self.settings_of((msp, guard.credential));
        let is_as_read = stored.is_some_and(|stored| stored.version == guard.version);
        holds(is_as_read, Precondition::Settings)
    }

    /// The company of a mapping that is mapped and has that version.
    fn mapping_holds(&self, msp: MspOrgId, guard: MappingGuard) -> Checked<CompanyId> {
        let stored = self.mappings.get(&(msp, guard.mapping));
        let as_read = stored.filter(|stored| stored.version == guard.version);
        let company = as_read.and_then(|mapping| mapping.state.company());
        company.ok_or(Precondition::Mapping)
    }

    fn is_held(&self, msp: MspOrgId, lease: &Lease) -> bool {
        let stored = self.leases.get(&(msp, lease.key));
        stored.is_some_and(|stored| stored.is_held_under(lease))
    }

    fn append_audit(&mut self, msp: MspOrgId, rows: Vec<AuditRow>) {
        self.msp_audit.entry(msp).or_default().extend(rows);
    }

    fn outbox_row(&mut self, msp: MspOrgId, id: OutboxId) -> Option<&mut OutboxRow> {
        let mut rows = self.outbox.get_mut(&msp)?.iter_mut();
        rows.find(|row| row.id == id)
    }

    /// The effects of the end of mappings.
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
        for mapping in mappings {
            self.signatures.remove(&(msp, *mapping));
        }
        self.outbox.entry(msp).or_default().extend(ended.notes);
    }
}

#[async_trait]
impl Connections for OwnStore {
    async fn credentials(&self, msp: MspOrgId) -> Result<Vec<Credential>> {
        let state = self.state();
        let mut credentials: Vec<_> = of_msp(&state.credentials, msp).cloned().collect();
        credentials.sort_by(|a, b| a.region.cmp(&b.region));
        Ok(credentials)
    }

    async fn credential(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<Credential>> {
        Ok(self.state().credentials.get(&(msp, credential)).cloned())
    }

    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck> {
        let mut state = self.state();
        let is_connected = state.credentials.values().any(|stored| stored.is_active);
        let kept = state.key_check.take().filter(|_| is_connected);
        Ok(state.key_check.insert(kept.unwrap_or(offered)).clone())
    }

    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let key = (msp, commit.credential.id);
            let stored = state.credentials.get(&key).map(|stored| stored.generation);
            holds(stored == commit.expected, Precondition::Credential)?;
            let fingerprint = &commit.credential.fingerprint;
            let is_elsewhere = state.credentials.iter().any(|(other, stored)| {
                *other != key && stored.is_active && stored.fingerprint == *fingerprint
            });
            holds(
                commit.allow_duplicate || !is_elsewhere,
                Precondition::Fingerprint,
            )?;

            state.credentials.insert(key, commit.credential);
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }

    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            state.credential_holds(msp, commit.guard)?;
            let stored = state.credentials.get_mut(&(msp, commit.guard.credential));
            let stored = stored.filter(|stored| stored.secrets_version == commit.expected);
            let stored = stored.ok_or(Precondition::Credential)?;

            stored.secrets = Some(commit.secrets);
            stored.secrets_version = commit.expected.next();
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }

    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>> {
        Ok(self.state().settings_of((msp, credential)))
    }

    async fn commit_settings(
        &self,
        msp: MspOrgId,
        commit: SettingsCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            state.settings_hold(msp, commit.guard)?;

            let (settings, version) = (commit.settings, commit.guard.version.next());
            let stored = StoredSettings { settings, version };
            let key = (msp, commit.guard.credential);
            state.settings.insert(key, stored);
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }

    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let (guard, at) = (commit.guard, commit.at);
            state.credential_holds(msp, guard)?;

            if let Some(stored) = state.credentials.get_mut(&(msp, guard.credential)) {
                *stored = effects::disconnected(stored.clone(), at);
                let region = stored.region.clone();
                let pending = &mut state.authorizations;
                pending.retain(|(owner, _), begun| {
                    *owner != msp || !effects::is_revoked(begun, &region)
                });
            }
            let mappings = of_msp(&state.mappings, msp);
            let mappings = mappings.filter(|mapping| mapping.credential == guard.credential);
            let rows = effects::customer_rows(
                &commit.audit,
                guard.credential,
                mappings.clone(),
                |company| state.companies.get(&(msp, company))?.converted_to,
                |customer| state.current_signals(customer, at, at),
            );
            let mappings = mappings.map(|mapping| mapping.id).collect();
            let reason = NoteReason::Disconnected;
            state.end_mappings(msp, &mappings, commit.event, reason, at);
            for (customer, row) in rows {
                state.customer_audit.entry(customer).or_default().push(row);
            }
            state.append_audit(msp, vec![commit.audit]);
            Ok(())
        })
    }

    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: StoredAuthorization,
        now: OffsetDateTime,
    ) -> Result<()> {
        let (mut state, store_time) = (self.state(), self.clock.now());
        check_begun(&pending, now, store_time)?;
        state.forget_expired_authorizations(msp, now.max(store_time));
        let key = (msp, pending.state.clone());
        state.authorizations.insert(key, pending);
        Ok(())
    }

    async fn take_authorization(
        &self,
        msp: MspOrgId,
        digest: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<StoredAuthorization>> {
        let (mut state, store_time) = (self.state(), self.clock.now());
        check_not_ahead(now, store_time)?;
        state.forget_expired_authorizations(msp, now.max(store_time));
        Ok(state.authorizations.remove(&(msp, digest.clone())))
    }
}

impl State {
    fn forget_expired_authorizations(&mut self, msp: MspOrgId, now: OffsetDateTime) {
        let pending = &mut self.authorizations;
        pending.retain(|(owner, _), begun| *owner != msp || now < begun.expires_at);
    }
}

#[async_trait]
impl Mappings for OwnStore {
    async fn mappings(&self, msp: MspOrgId, credential: CredentialId) -> Result<Vec<Mapping>> {
        let state = self.state();
        let found = of_msp(&state.mappings, msp).filter(|of| of.credential == credential);
        let mut found: Vec<_> = found.cloned().collect();
        found.sort_by_key(|mapping| mapping.external_org_id);
        Ok(found)
    }

    async fn mappings_page(&self, msp: MspOrgId, of: MappingPage) -> Result<Vec<Mapping>> {
        let state = self.state();
        let key = |mapping: &Mapping| (mapping.credential, mapping.external_org_id);
        let found = of_msp(&state.mappings, msp)
            .filter(|mapping| of.filter.matches(mapping))
            .filter(|mapping| of.after.is_none_or(|after| key(mapping) > after));
        let mut found: Vec<_> = found.cloned().collect();
        found.sort_by_key(key);
        Ok(page(found, of.limit))
    }

    async fn mapping_counts(&self, msp: MspOrgId, filter: MappingFilter) -> Result<MappingCounts> {
        let state = self.state();
        let mappings = of_msp(&state.mappings, msp);
        Ok(effects::mapping_counts(mappings, &filter))
    }

    async fn mapping(&self, msp: MspOrgId, mapping: MappingId) -> Result<Option<Mapping>> {
        Ok(self.state().mappings.get(&(msp, mapping)).cloned())
    }

    async fn companies(&self, msp: MspOrgId) -> Result<Vec<PortalCompany>> {
        Ok(of_msp(&self.state().companies, msp).cloned().collect())
    }

    async fn companies_page(&self, msp: MspOrgId, of: CompanyPage) -> Result<Vec<PortalCompany>> {
        let mut found = self.companies(msp).await?;
        found.retain(|company| of.filter.matches(company));
        found.retain(|company| of.after.is_none_or(|after| company.id > after));
        Ok(page(found, of.limit))
    }

    async fn company(&self, msp: MspOrgId, company: CompanyId) -> Result<Option<PortalCompany>> {
        Ok(self.state().companies.get(&(msp, company)).cloned())
    }

    async fn add_company(&self, msp: MspOrgId, company: PortalCompany) -> Result<()> {
        company.check_not_ahead(self.clock.now())?;
        let mut state = self.state();
        state.companies.entry((msp, company.id)).or_insert(company);
        Ok(())
    }

    async fn commit_discovery(
        &self,
        msp: MspOrgId,
        commit: DiscoveryCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            state.credential_holds(msp, commit.guard)?;

            let credential = state.credentials.get_mut(&(msp, commit.guard.credential));
            if let (Some(credential), Some(lost)) = (credential, commit.lost_organizations) {
                credential.lost_organizations = lost;
            }
            for mapping in commit.added {
                state.mappings.entry((msp, mapping.id)).or_insert(mapping);
            }
            for seen in commit.seen {
                if let Some(stored) = state.mappings.get_mut(&(msp, seen.mapping)) {
                    *stored = effects::seen(stored, seen);
                }
            }
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }

    async fn commit_mapping(&self, msp: MspOrgId, commit: MappingCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let stored = state.mappings.get_mut(&(msp, commit.guard.mapping));
            let stored = stored.filter(|stored| stored.version == commit.guard.version);
            let stored = stored.ok_or(Precondition::Mapping)?;
            let was_mapped = stored.state.company().is_some();
            *stored = effects::decided(stored.clone(), commit.state);
            if let Some(company) = commit.company {
                let before = state.companies.insert((msp, company.id), company);
                holds(before.is_none(), Precondition::Company)?;
            }
            if let Some(company) = commit.state.company() {
                let exists = state.companies.contains_key(&(msp, company));
                holds(exists, Precondition::Company)?;
            }
            if was_mapped {
                let (mapping, reason) = (commit.guard.mapping, NoteReason::Unmapped);
                let mappings = BTreeSet::from([mapping]);
                state.end_mappings(msp, &mappings, commit.event, reason, commit.at);
            }
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }

    async fn commit_promotion(
        &self,
        msp: MspOrgId,
        commit: PromotionCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let promoted_to = Some(commit.compliance_org);
            // Of any MSP.
            let mut all = state.companies.values();
            let is_free = all.all(|company| company.converted_to != promoted_to);
            holds(is_free, Precondition::Company)?;
            let stored = state.companies.get_mut(&(msp, commit.company));
            let stored = stored.filter(|company| company.converted_to.is_none());
            let stored = stored.ok_or(Precondition::Company)?;

            stored.converted_to = promoted_to;
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }

    async fn adopted_frameworks(
        &self,
        msp: MspOrgId,
        company: CompanyId,
    ) -> Result<Option<StoredFrameworks>> {
        Ok(self.state().frameworks_of((msp, company)))
    }

    async fn commit_frameworks(
        &self,
        msp: MspOrgId,
        commit: FrameworksCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let key = (msp, commit.company);
            let stored = state.frameworks_of(key);
            let is_as_read = stored.is_some_and(|stored| stored.version == commit.expected);
            holds(is_as_read, Precondition::Company)?;

            let stored = StoredFrameworks {
                frameworks: commit.frameworks,
                version: commit.expected.next(),
            };
            state.frameworks.insert(key, stored);
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }
}

impl State {
    /// The frameworks of a company that exists: the default ones until others are adopted.
    fn frameworks_of(&self, key: (MspOrgId, CompanyId)) -> Option<StoredFrameworks> {
        let stored = self.frameworks.get(&key).cloned().unwrap_or_default();
        self.companies.contains_key(&key).then_some(stored)
    }
}

#[async_trait]
impl Assets for OwnStore {
    async fn assets(&self, msp: MspOrgId, filter: AssetFilter) -> Result<Vec<Asset>> {
        let state = self.state();
        let of_msp = of_msp(&state.assets, msp);
        Ok(of_msp
            .filter(|asset| filter.matches(asset))
            .cloned()
            .collect())
    }

    async fn assets_page(&self, msp: MspOrgId, of: AssetPage) -> Result<Vec<Asset>> {
        let state = self.state();
        let found = of_msp(&state.assets, msp).filter(|asset| of.matches(asset));
        Ok(page(found.cloned().collect(), of.limit))
    }

    async fn commit_assets(&self, msp: MspOrgId, commit: AssetCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            if let Some(guard) = commit.credential {
                state.credential_holds(msp, guard)?;
            }
            if let Some(guard) = commit.settings {
                state.settings_hold(msp, guard)?;
            }
            if let Some(guard) = commit.mapping {
                state.mapping_holds(msp, guard)?;
            }
            if let Some(lease) = &commit.lease {
                holds(state.is_held(msp, lease), Precondition::Lease)?;
            }
            let stored = of_msp(&state.assets, msp);
            let are_active = effects::superseding_assets_are_active(stored, &commit.writes);
            holds(are_active, Precondition::Asset)?;
            let mut replaced = Vec::new();
            for write in commit.writes {
                let key = (msp, write.id());
                let stored = state.assets.insert(key, write.asset.clone());
                let version = stored.as_ref().map(|stored| stored.version);
                holds(version == write.expected, Precondition::Asset)?;
                replaced.extend(stored.map(|stored| (write, stored.updated_at)));
            }
            for (write, stored_at) in replaced {
                write.check_order(stored_at, self.clock.now())?;
            }
            state.append_audit(msp, commit.audit);
            Ok(())
        })
    }
}

#[async_trait]
impl Evidence for OwnStore {
    async fn sweep_state(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mapping: MappingId,
        event: EventId,
        tick: OffsetDateTime,
    ) -> Result<SweepState> {
        let (mut state, store_time) = (self.state(), self.clock.now());
        let heads = SignalKind::ALL.into_iter().filter_map(|signal| {
            let chain = state.evidence.get(&(customer, mapping, signal))?;
            Some((signal, chain.last()?.link.head()))
        });
        let heads = heads.collect();
        let open = of_msp(&state.tickets, msp).filter(|ticket| {
            ticket.state == TicketState::Open
                && ticket.key.compliance_org == customer
                && ticket.key.mapping == mapping
        });
        let open_tickets = open.map(|ticket| (ticket.key.signal, ticket.clone()));
        let open_tickets = open_tickets.collect();
        let history = state.signatures.get(&(msp, mapping)).cloned();
        let stored_tick = state.ticks.get(&(msp, tick)).cloned();
        let digest = stored_tick.as_ref().and_then(|stored| {
            let row = state.outbox_row(msp, OutboxId::digest(msp, tick, stored.digests))?;
            row.delivered_at.is_none().then(|| row.clone())
        });
        Ok(SweepState {
            seen: state.events.contains(&(msp, event)),
            heads,
            collected: state.collected(customer, mapping, store_time),
            open_tickets,
            signature_history: history.unwrap_or_default(),
            tick: stored_tick,
            digest,
        })
    }

    async fn commit_sweep(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        commit: SweepCommit,
    ) -> Result<CommitOutcome> {
        commit.check_tenant(customer)?;
        self.commit(msp, commit.event, commit, |state, commit| {
            let store_time = self.clock.now();
            let mapping = commit.mapping.mapping;
            state.credential_holds(msp, commit.credential)?;
            state.settings_hold(msp, commit.settings)?;
            let company = state.mapping_holds(msp, commit.mapping)?;
            let company = state.companies.get(&(msp, company));
            let promoted_to = company.and_then(|company| company.converted_to);
            holds(promoted_to == Some(customer), Precondition::Mapping)?;
            holds(state.is_held(msp, &commit.lease), Precondition::Lease)?;
            let collected = state.collected(customer, mapping, store_time);
            for row in &commit.evidence {
                state.append_evidence(msp, customer, commit.scheduled_at, row, store_time)?;
            }
            for write in &commit.tickets {
                state.write_ticket(msp, &write.ticket, write.expected)?;
            }
            if let Some(tick) = &commit.tick {
                let stored = state.ticks.get(&(msp, tick.scheduled_at));
                let version = stored.map(|stored| stored.version).unwrap_or_default();
                holds(version == tick.version, Precondition::TicketTick)?;
            }
            for row in &commit.outbox {
                state.write_outbox(msp, row)?;
            }
            commit.check_order(&collected)?;

            for stored in commit.signals {
                let key = (customer, stored.mapping, stored.signal.kind());
                state.signals.entry(key).or_default().push(stored);
            }
            let trail = state.customer_audit.entry(customer).or_default();
            trail.push(commit.audit);
            if let Some(stored) = state.mappings.get_mut(&(msp, mapping)) {
                let (first, carried) = (
                    stored.first_evidence_synced_at,
                    commit.first_evidence_synced_at,
                );
                stored.first_evidence_synced_at =
                    effects::first_evidence_synced_at(first, carried, store_time);
            }
            let history = state.signatures.entry((msp, mapping)).or_default();
            history.extend(commit.signatures.changed);
            history.retain(|device, _| !commit.signatures.forgotten.contains(device));
            for ((owner, _), tick) in &mut state.ticks {
                if *owner == msp
                    && let Some(cleared) = effects::tick_to_come(tick, store_time)
                {
                    *tick = cleared;
                }
            }
            if let Some(mut tick) = commit.tick {
                tick.version = tick.version.next();
                state.ticks.insert((msp, tick.scheduled_at), tick);
            }
            Ok(())
        })
    }

    async fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
    ) -> Result<Vec<StoredSignal>> {
        let store_time = self.clock.now();
        Ok(self.state().current_signals(customer, now, store_time))
    }

    async fn signals_ahead(&self, customer: ComplianceOrgId) -> Result<Vec<StoredSignal>> {
        let (state, store_time) = (self.state(), self.clock.now());
        let last = state.signals.iter().filter_map(|((owner, ..), signals)| {
            let last = signals.last()?;
            let is_ahead = is_ahead(last.signal.collected_at, store_time);
            (*owner == customer && is_ahead).then(|| last.clone())
        });
        Ok(last.collect())
    }

    async fn signal_history(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        limit: u32,
    ) -> Result<Vec<StoredSignal>> {
        let state = self.state();
        let signals = list_of(&state.signals, &(customer, mapping, signal));
        Ok(page(signals.iter().rev().cloned().collect(), limit))
    }

    async fn evidence_chain(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>> {
        let state = self.state();
        let chain = list_of(&state.evidence, &(customer, mapping, signal));
        let rows = chain.iter().filter(|row| row.link.sequence > after);
        Ok(page(rows.cloned().collect(), limit))
    }
}

impl State {
    fn current_signals(
        &self,
        customer: ComplianceOrgId,
        now: OffsetDateTime,
        store_time: OffsetDateTime,
    ) -> Vec<StoredSignal> {
        let last = self.signals.iter().filter_map(|((owner, ..), signals)| {
            let last = effects::last_present(signals, store_time)?;
            (*owner == customer && !last.signal.is_expired(now)).then(|| last.clone())
        });
        last.collect()
    }

    /// When the last signals of a mapping were collected.
    fn collected(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        store_time: OffsetDateTime,
    ) -> BTreeMap<SignalKind, OffsetDateTime> {
        let last = SignalKind::ALL.into_iter().filter_map(|kind| {
            let signals = list_of(&self.signals, &(customer, mapping, kind));
            let last = effects::last_present(signals, store_time)?;
            Some((kind, last.signal.collected_at))
        });
        last.collect()
    }

    /// Appends a record to its chain, and its head under no root.
    fn append_evidence(
        &mut self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        tick: OffsetDateTime,
        row: &EvidenceRow,
        store_time: OffsetDateTime,
    ) -> Checked {
        let (mapping, signal) = (row.mapping, row.signal);
        let chain = self.evidence.entry((customer, mapping, signal));
        let chain = chain.or_default();
        let start = || chain_start(customer, mapping, signal);
        let head = chain.last().map_or_else(start, |last| last.link.head());
        holds(row.link.continues() == head, Precondition::EvidenceChain)?;
        chain.push(EvidenceRow {
            committed_at: Some(store_time),
            ..row.clone()
        });
        let head = effects::evidence_head(customer, row, tick);
        self.heads.entry(msp).or_default().push(head);
        Ok(())
    }

    fn write_ticket(
        &mut self,
        msp: MspOrgId,
        ticket: &Ticket,
        expected: Option<regentra_sync::model::Version>,
    ) -> Checked {
        let is_second = of_msp(&self.tickets, msp).any(|other| {
            other.id != ticket.id && other.key == ticket.key && other.state == TicketState::Open
        });
        let before = self.tickets.insert((msp, ticket.id), ticket.clone());
        let version = before.map(|before| before.version);
        let is_free = !is_second || ticket.state != TicketState::Open;
        holds(version == expected && is_free, Precondition::Ticket)
    }

    fn write_outbox(&mut self, msp: MspOrgId, row: &OutboxRow) -> Checked {
        match self.outbox_row(msp, row.id) {
            Some(stored) => {
                if effects::is_replaced_by(stored, row)? {
                    *stored = row.clone();
                }
            }
            None => self.outbox.entry(msp).or_default().push(row.clone()),
        }
        Ok(())
    }
}

#[async_trait]
impl Anchors for OwnStore {
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>> {
        let state = self.state();
        let heads = state.heads_of(msp, |head| head.root.is_none() && head.tick < before);
        let ticks: BTreeSet<_> = heads.iter().map(|head| head.tick).collect();
        Ok(page(ticks.into_iter().collect(), limit))
    }

    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>> {
        let state = self.state();
        Ok(state.heads_of(msp, |head| head.root.is_none() && head.tick == tick))
    }

    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let root = commit.root;
            let next = list_of(&state.roots, &msp).len() as u64 + 1;
            let mut heads = 0;
            for head in state.heads.entry(msp).or_default() {
                if head.root.is_none() && head.tick == root.tick {
                    head.root = Some(root.number);
                    heads += 1;
                }
            }
            holds(
                root.number == next && root.heads == heads,
                Precondition::Root,
            )?;
            state.roots.entry(msp).or_default().push(root);
            Ok(())
        })
    }

    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>> {
        Ok(list_of(&self.state().roots, &msp).last().cloned())
    }

    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>> {
        let state = self.state();
        let roots = list_of(&state.roots, &msp).iter();
        let waiting = roots.filter(|root| root.handed_out_at.is_none());
        Ok(page(waiting.cloned().collect(), limit))
    }

    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()> {
        check_not_ahead(at, self.clock.now())?;
        let mut state = self.state();
        for root in state.roots.entry(msp).or_default() {
            if root.number == number {
                root.handed_out_at.get_or_insert(at);
            }
        }
        Ok(())
    }

    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>> {
        Ok(self.state().anchoring_failures.get(&msp).cloned())
    }

    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()> {
        failure.check_not_ahead(self.clock.now())?;
        let known = &mut self.state().anchoring_failures;
        match failure {
            Some(failure) => known.insert(msp, failure),
            None => known.remove(&msp),
        };
        Ok(())
    }

    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>> {
        let state = self.state();
        Ok(state.heads_of(msp, |head| head.root == Some(number)))
    }

    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>> {
        let state = self.state();
        Ok(state.heads_of(msp, |head| head.customer == customer && head.root.is_some()))
    }
}

impl State {
    fn heads_of(
        &self,
        msp: MspOrgId,
        matches: impl Fn(&EvidenceHead) -> bool,
    ) -> Vec<EvidenceHead> {
        let heads = list_of(&self.heads, &msp).iter();
        heads.filter(|head| matches(head)).cloned().collect()
    }
}

#[async_trait]
impl Tickets for OwnStore {
    async fn tickets(
        &self,
        msp: MspOrgId,
        customer: Option<ComplianceOrgId>,
    ) -> Result<Vec<Ticket>> {
        let filter = TicketFilter {
            customer,
            ..TicketFilter::default()
        };
        let all = TicketPage::first(filter, u32::MAX);
        self.tickets_page(msp, all).await
    }

    async fn tickets_page(&self, msp: MspOrgId, of: TicketPage) -> Result<Vec<Ticket>> {
        let state = self.state();
        let key = |(opened_at, id): (OffsetDateTime, TicketId)| (Reverse(opened_at), id);
        let key_of = |ticket: &Ticket| key((ticket.opened_at, ticket.id));
        let found = of_msp(&state.tickets, msp)
            .filter(|ticket| of.filter.matches(ticket))
            .filter(|ticket| of.after.is_none_or(|after| key_of(ticket) > key(after)));
        let mut found: Vec<_> = found.cloned().collect();
        found.sort_by_key(key_of);
        Ok(page(found, of.limit))
    }

    async fn ticket_counts(&self, msp: MspOrgId, filter: TicketFilter) -> Result<TicketCounts> {
        let state = self.state();
        let tickets = of_msp(&state.tickets, msp);
        Ok(effects::ticket_counts(tickets, &filter))
    }

    async fn outbox(
        &self,
        msp: MspOrgId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OutboxRow>> {
        let state = self.state();
        let rows = list_of(&state.outbox, &msp).iter();
        let due = rows.filter(|row| row.is_due(now));
        Ok(page(due.cloned().collect(), limit))
    }

    async fn commit_delivery(
        &self,
        msp: MspOrgId,
        commit: DeliveryCommit,
    ) -> Result<CommitOutcome> {
        self.commit(msp, commit.event, commit, |state, commit| {
            let row = state.outbox_row(msp, commit.row);
            let row = row.filter(|row| row.delivered_at.is_none());
            let row = row.ok_or(Stop::With(CommitOutcome::AlreadyCommitted))?;

            row.delivered_at = Some(commit.at);
            let ticket = row.ticket;
            let ticket = ticket.and_then(|id| state.tickets.get_mut(&(msp, id)));
            if let Some(ticket) = ticket {
                *ticket = effects::delivered(ticket.clone(), commit.reference);
            }
            Ok(())
        })
    }
}

#[async_trait]
impl AuditTrail for OwnStore {
    async fn msp_audit(&self, msp: MspOrgId, of: AuditPage) -> Result<Vec<AuditRow>> {
        Ok(audit_page(list_of(&self.state().msp_audit, &msp), of))
    }

    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        of: AuditPage,
    ) -> Result<Vec<AuditRow>> {
        let state = self.state();
        Ok(audit_page(list_of(&state.customer_audit, &customer), of))
    }

    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome> {
        self.commit(msp, event, rows, |state, rows| {
            state.append_audit(msp, rows);
            Ok(())
        })
    }
}

fn audit_page(trail: &[AuditRow], of: AuditPage) -> Vec<AuditRow> {
    let mut rows = trail.to_vec();
    rows.sort_by_key(|row| Reverse((row.at, row.id)));
    rows.retain(|row| of.before.is_none_or(|before| (row.at, row.id) < before));
    rows.retain(|row| of.filter.matches(row));
    page(rows, of.limit)
}

#[async_trait]
impl Runs for OwnStore {
    async fn store_time(&self) -> Result<OffsetDateTime> {
        Ok(self.clock.now())
    }

    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut state = self.state();
        let stored = state.leases.get(&(msp, key)).copied();
        let taken = StoredLease::taken(stored, worker, length, self.clock.now());
        let Some(taken) = taken else {
            return Ok(None);
        };
        state.leases.insert((msp, key), taken);
        Ok(Some(Lease {
            key,
            worker,
            fence: taken.fence,
            expires_at: taken.expires_at,
        }))
    }

    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        length: Duration,
    ) -> Result<Option<Lease>> {
        let mut state = self.state();
        if !state.is_held(msp, lease) {
            return Ok(None);
        }
        let expires_at = self.clock.now().saturating_add(length);
        if let Some(stored) = state.leases.get_mut(&(msp, lease.key)) {
            stored.expires_at = expires_at;
            stored.length = length;
        }
        Ok(Some(Lease {
            expires_at,
            ..*lease
        }))
    }

    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()> {
        records.check_not_ahead(self.clock.now())?;
        let mut state = self.state();
        if !state.is_held(msp, lease) {
            return Ok(());
        }
        if let Some(stored) = state.leases.get_mut(&(msp, lease.key)) {
            stored.worker = None;
        }
        let records = records.into_iter();
        let records = records.map(|record| ((msp, record.subject), record));
        state.runs.extend(records);
        Ok(())
    }

    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead> {
        let (state, now) = (self.state(), self.clock.now());
        let leases = of_msp(&state.leases, msp).filter(|lease| lease.is_ahead(now));
        let opened = of_msp(&state.ticks, msp).filter(|tick| tick.opened > 0);
        let loose = state.heads_of(msp, |head| head.root.is_none() && is_ahead(head.tick, now));
        let outbox = list_of(&state.outbox, &msp).iter();
        Ok(RowsAhead {
            leases: leases.count() as u64,
            ticket_ticks: ahead(opened, now),
            heads: loose.len() as u64,
            roots: ahead(list_of(&state.roots, &msp).iter(), now),
            mappings: ahead(of_msp(&state.mappings, msp), now),
            assets: ahead(of_msp(&state.assets, msp), now),
            tickets: ahead(of_msp(&state.tickets, msp), now),
            outbox: ahead(outbox.filter(|row| row.delivered_at.is_none()), now),
            audit: ahead(list_of(&state.msp_audit, &msp).iter(), now),
            credentials: ahead(of_msp(&state.credentials, msp), now),
        })
    }

    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>> {
        Ok(of_msp(&self.state().runs, msp).cloned().collect())
    }

    async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>> {
        let mut found = self.runs(msp).await?;
        found.retain(|run| subjects.contains(&run.subject));
        Ok(found)
    }

    async fn runs_page(&self, msp: MspOrgId, of: RunPage) -> Result<Vec<RunRecord>> {
        let mut found = self.runs(msp).await?;
        let after = of.after.as_ref().map(RunPage::place);
        found.retain(|run| after.is_none_or(|after| RunPage::place(&run.subject) > after));
        found.retain(|run| of.filter.matches(run));
        found.sort_by_key(|run| RunPage::place(&run.subject));
        Ok(page(found, of.limit))
    }
}

fn ahead<'a, T: Stamped + 'a>(rows: impl Iterator<Item = &'a T>, now: OffsetDateTime) -> u64 {
    rows.filter(|row| row.check_not_ahead(now).is_err()).count() as u64
}

#[async_trait]
impl Budget for OwnStore {
    async fn spend(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Spend> {
        let mut state = self.state();
        let started = state.requests.entry(tenant.clone()).or_default();
        Ok(effects::spend(started, windows, self.clock.now()))
    }

    async fn budget_wait(&self, tenant: &Fingerprint, windows: &[Window]) -> Result<Duration> {
        let state = self.state();
        let started = list_of(&state.requests, tenant);
        let wait = effects::budget_wait(started, windows, self.clock.now());
        Ok(wait.unwrap_or(Duration::ZERO))
    }

    async fn budget_usage(&self, tenant: &Fingerprint) -> Result<BudgetUsage> {
        let state = self.state();
        let started = list_of(&state.requests, tenant);
        Ok(effects::budget_usage(started, self.clock.now()))
    }
}

#[async_trait]
impl Planner for OwnStore {
    async fn active_credentials(
        &self,
        after: Option<CredentialId>,
        limit: u32,
    ) -> Result<Vec<ActiveCredential>> {
        let state = self.state();
        let active = state.credentials.iter().filter(|((_, id), credential)| {
            credential.is_active && after.is_none_or(|after| *id > after)
        });
        let active = active.map(|((msp, id), credential)| ActiveCredential {
            msp: *msp,
            credential: *id,
            region: credential.region.clone(),
        });
        let mut active: Vec<_> = active.collect();
        active.sort_by_key(|active| active.credential);
        Ok(page(active, limit))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let tenant = Tenant::preset(Preset::Mixed, 7, 60, SystemClock.now());
    let (client_id, client_secret) = (tenant.client_id().into(), tenant.client_secret().into());
    let server = front::tcp::serve(tenant).await?;
    let region = RegionKey::parse(&server.url())?;

    let (key, identity) = (MasterKey::generate()?, MasterKey::generate()?);
    let keyring = Arc::new(Keyring::new(KeyId::new("demo")?, key, identity));
    let store = Arc::new(OwnStore::default());
    let sync = Integration::builder(store, keyring, Arc::new(NinjaOneApi::new()))
        .policy(HostPolicy::default().allow_hosts(|_| true))
        .build();

    let msp: MspOrgId = "6f0a8f0e-8a53-4a80-9a0c-4f4f0d6f1a11".parse()?;
    let connect = Connect {
        event: EventId::new(SystemClock.now()),
        region: region.clone(),
        client_id,
        client_secret,
        allow_duplicate: false,
        actor: Schedule,
    };
    let credential = sync.connect(msp, connect).await?.credential;
    let discover = Discover {
        event: EventId::new(SystemClock.now()),
        region,
        actor: Schedule,
    };
    sync.discover(msp, discover).await?;
    for organization in sync.views().mappings(msp, credential).await? {
        println!("{}", organization.name.as_str());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{OwnStore, StoreClock};

    async fn new_store(clock: StoreClock) -> (OwnStore, ()) {
        let store = OwnStore {
            clock,
            ..OwnStore::default()
        };
        std::future::ready((store, ())).await
    }

    regentra_sync::conformance!(new_store);
}
