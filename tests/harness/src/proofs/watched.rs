//! A store that tells of every call before and after another store answers it: what fails, records and counts is built on it.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use regentra_sync::{
    model::{
        AnchoringFailure, Asset, AuditRow, BudgetUsage, CompanyId, ComplianceOrgId, Credential,
        CredentialId, EventId, EvidenceHead, EvidenceRoot, EvidenceRow, Fingerprint, Lease,
        LeaseKey, Mapping, MappingId, MspOrgId, OutboxRow, PortalCompany, RunRecord, Spend,
        StateDigest, StoredAuthorization, StoredFrameworks, StoredSettings, Ticket, Window,
        WorkerId,
    },
    regentra_evidence::SignalKind,
    seal::KeyCheck,
    store::{
        ActiveCredential, Anchors, AssetCommit, AssetFilter, AssetPage, Assets, AuditPage,
        AuditTrail, Budget, CommitOutcome, CompanyPage, ConnectCommit, Connections, DeliveryCommit,
        DisconnectCommit, DiscoveryCommit, Evidence, FrameworksCommit, MappingCommit,
        MappingCounts, MappingFilter, MappingPage, Mappings, Planner, PromotionCommit, Result,
        RootCommit, RowsAhead, RunPage, RunSubjects, Runs, SecretsCommit, SettingsCommit, Store,
        StoreError, StoreErrorKind, StoredSignal, SweepCommit, SweepState, TicketCounts,
        TicketFilter, TicketPage, Tickets,
    },
};
use time::{Duration, OffsetDateTime};

/// Sees every call. An error is answered instead of the store's answer.
#[async_trait]
pub trait Watch: Debug + Send + Sync + 'static {
    /// Before the store does anything.
    async fn before(&self, call: &Call) -> Result<()>;
    /// After the store has done it.
    async fn after(&self, call: &Call) -> Result<()>;
}

/// A store that is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    pub store: Arc<dyn Store>,
    pub watch: Arc<dyn Watch>,
}

impl Call {
    /// Whether the call is one of the atomic commits.
    pub fn is_commit(&self) -> bool {
        self.name().starts_with("commit_")
    }
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The store has done nothing.
    Before,
    /// The store has done it, and its answer is lost.
    After,
}

/// Fails one call, the n-th, and then never again.
#[derive(Debug)]
pub struct FailsOnce {
    at: usize,
    moment: Moment,
    calls: AtomicUsize,
}

impl FailsOnce {
    pub fn at(at: usize, moment: Moment) -> Self {
        Self {
            at,
            moment,
            calls: AtomicUsize::new(0),
        }
    }

    /// Whether so many calls were made.
    pub fn was_reached(&self) -> bool {
        self.calls.load(Ordering::Relaxed) >= self.at
    }

    fn fail_if(&self, number: usize, moment: Moment, call: &Call) -> Result<()> {
        if number != self.at || self.moment != moment {
            return Ok(());
        }
        let text = format!("{} fails by the script", call.name());
        Err(StoreError::new(StoreErrorKind::Unavailable, text))
    }
}

#[async_trait]
impl Watch for FailsOnce {
    async fn before(&self, call: &Call) -> Result<()> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.fail_if(number, Moment::Before, call)
    }

    async fn after(&self, call: &Call) -> Result<()> {
        let number = self.calls.load(Ordering::Relaxed);
        self.fail_if(number, Moment::After, call)
    }
}

/// Implements the traits by handing every call on, and declares [`Call`] with one variant per method.
macro_rules! watched {
    ($(
        $owner:ident {
            $($variant:ident = $method:ident($($arg:ident: $kind:ty $(=> $kept:ty)?),*) -> $answer:ty;)*
        }
    )*) => {
        /// One call of a store, with what it was called with.
        #[derive(Clone, Debug)]
        #[allow(clippy::large_enum_variant, reason = "a call is made once and looked at")]
        #[allow(dead_code, reason = "a call is shown whole; each watch looks at its own part of it")]
        pub enum Call {
            $($($variant { $($arg: watched!(@kept $kind $(, $kept)?)),* },)*)*
        }

        impl Call {
            pub fn name(&self) -> &'static str {
                match self {
                    $($(Self::$variant { .. } => stringify!($method),)*)*
                }
            }
        }

        $(
            #[async_trait]
            impl $owner for Watched {
                $(
                    async fn $method(&self, $($arg: $kind),*) -> Result<$answer> {
                        let call = Call::$variant { $($arg: $arg.to_owned()),* };
                        self.watch.before(&call).await?;
                        let answer = self.store.$method($($arg),*).await?;
                        self.watch.after(&call).await?;
                        Ok(answer)
                    }
                )*
            }
        )*
    };
    (@kept $kind:ty) => { $kind };
    (@kept $kind:ty, $kept:ty) => { $kept };
}

watched! {
    Connections {
        Credentials = credentials(msp: MspOrgId) -> Vec<Credential>;
        Credential = credential(msp: MspOrgId, credential: CredentialId) -> Option<Credential>;
        KeepKeyCheck = keep_key_check(offered: KeyCheck) -> KeyCheck;
        CommitConnect = commit_connect(msp: MspOrgId, commit: ConnectCommit) -> CommitOutcome;
        ConnectionSettings = connection_settings(msp: MspOrgId, credential: CredentialId) -> Option<StoredSettings>;
        CommitSettings = commit_settings(msp: MspOrgId, commit: SettingsCommit) -> CommitOutcome;
        CommitSecrets = commit_secrets(msp: MspOrgId, commit: SecretsCommit) -> CommitOutcome;
        CommitDisconnect = commit_disconnect(msp: MspOrgId, commit: DisconnectCommit) -> CommitOutcome;
        BeginAuthorization = begin_authorization(
            msp: MspOrgId, pending: StoredAuthorization, now: OffsetDateTime
        ) -> ();
        TakeAuthorization = take_authorization(
            msp: MspOrgId, state: &StateDigest => StateDigest, now: OffsetDateTime
        ) -> Option<StoredAuthorization>;
    }
    Mappings {
        MappingsOf = mappings(msp: MspOrgId, credential: CredentialId) -> Vec<Mapping>;
        MappingsPage = mappings_page(msp: MspOrgId, page: MappingPage) -> Vec<Mapping>;
        MappingCounts = mapping_counts(msp: MspOrgId, filter: MappingFilter) -> MappingCounts;
        Mapping = mapping(msp: MspOrgId, mapping: MappingId) -> Option<Mapping>;
        Companies = companies(msp: MspOrgId) -> Vec<PortalCompany>;
        CompaniesPage = companies_page(msp: MspOrgId, page: CompanyPage) -> Vec<PortalCompany>;
        Company = company(msp: MspOrgId, company: CompanyId) -> Option<PortalCompany>;
        AddCompany = add_company(msp: MspOrgId, company: PortalCompany) -> ();
        CommitDiscovery = commit_discovery(msp: MspOrgId, commit: DiscoveryCommit) -> CommitOutcome;
        CommitMapping = commit_mapping(msp: MspOrgId, commit: MappingCommit) -> CommitOutcome;
        CommitPromotion = commit_promotion(msp: MspOrgId, commit: PromotionCommit) -> CommitOutcome;
        AdoptedFrameworks = adopted_frameworks(msp: MspOrgId, company: CompanyId) -> Option<StoredFrameworks>;
        CommitFrameworks = commit_frameworks(msp: MspOrgId, commit: FrameworksCommit) -> CommitOutcome;
    }
    Assets {
        AssetsOf = assets(msp: MspOrgId, filter: AssetFilter) -> Vec<Asset>;
        AssetsPage = assets_page(msp: MspOrgId, page: AssetPage) -> Vec<Asset>;
        CommitAssets = commit_assets(msp: MspOrgId, commit: AssetCommit) -> CommitOutcome;
    }
    Evidence {
        SweepState = sweep_state(
            msp: MspOrgId, customer: ComplianceOrgId, mapping: MappingId, event: EventId, tick: OffsetDateTime
        ) -> SweepState;
        CommitSweep = commit_sweep(msp: MspOrgId, customer: ComplianceOrgId, commit: SweepCommit) -> CommitOutcome;
        CurrentSignals = current_signals(customer: ComplianceOrgId, now: OffsetDateTime) -> Vec<StoredSignal>;
        SignalsAhead = signals_ahead(customer: ComplianceOrgId) -> Vec<StoredSignal>;
        SignalHistory = signal_history(
            customer: ComplianceOrgId, mapping: MappingId, signal: SignalKind, limit: u32
        ) -> Vec<StoredSignal>;
        EvidenceChain = evidence_chain(
            customer: ComplianceOrgId, mapping: MappingId, signal: SignalKind, after: u64, limit: u32
        ) -> Vec<EvidenceRow>;
    }
    Anchors {
        TicksWithoutRoot = ticks_without_root(
            msp: MspOrgId, before: OffsetDateTime, limit: u32
        ) -> Vec<OffsetDateTime>;
        HeadsWithoutRoot = heads_without_root(msp: MspOrgId, tick: OffsetDateTime) -> Vec<EvidenceHead>;
        CommitRoot = commit_root(msp: MspOrgId, commit: RootCommit) -> CommitOutcome;
        LastRoot = last_root(msp: MspOrgId) -> Option<EvidenceRoot>;
        RootsWaiting = roots_waiting(msp: MspOrgId, limit: u32) -> Vec<EvidenceRoot>;
        RootHandedOut = root_handed_out(msp: MspOrgId, number: u64, at: OffsetDateTime) -> ();
        AnchoringFailure = anchoring_failure(msp: MspOrgId) -> Option<AnchoringFailure>;
        RememberAnchoringFailure = remember_anchoring_failure(msp: MspOrgId, failure: Option<AnchoringFailure>) -> ();
        HeadsOfRoot = heads_of_root(msp: MspOrgId, number: u64) -> Vec<EvidenceHead>;
        HeadsOfCustomer = heads_of_customer(msp: MspOrgId, customer: ComplianceOrgId) -> Vec<EvidenceHead>;
    }
    Tickets {
        TicketsOf = tickets(msp: MspOrgId, customer: Option<ComplianceOrgId>) -> Vec<Ticket>;
        TicketsPage = tickets_page(msp: MspOrgId, page: TicketPage) -> Vec<Ticket>;
        TicketCounts = ticket_counts(msp: MspOrgId, filter: TicketFilter) -> TicketCounts;
        Outbox = outbox(msp: MspOrgId, now: OffsetDateTime, limit: u32) -> Vec<OutboxRow>;
        CommitDelivery = commit_delivery(msp: MspOrgId, commit: DeliveryCommit) -> CommitOutcome;
    }
    AuditTrail {
        MspAudit = msp_audit(msp: MspOrgId, page: AuditPage) -> Vec<AuditRow>;
        CustomerAudit = customer_audit(customer: ComplianceOrgId, page: AuditPage) -> Vec<AuditRow>;
        CommitAudit = commit_audit(msp: MspOrgId, event: EventId, rows: Vec<AuditRow>) -> CommitOutcome;
    }
    Runs {
        StoreTime = store_time() -> OffsetDateTime;
        TakeLease = take_lease(
            msp: MspOrgId, key: LeaseKey, worker: WorkerId, length: Duration
        ) -> Option<Lease>;
        RenewLease = renew_lease(
            msp: MspOrgId, lease: &Lease => Lease, length: Duration
        ) -> Option<Lease>;
        ReleaseLease = release_lease(msp: MspOrgId, lease: &Lease => Lease, records: Vec<RunRecord>) -> ();
        RowsAhead = rows_ahead(msp: MspOrgId) -> RowsAhead;
        AllRuns = runs(msp: MspOrgId) -> Vec<RunRecord>;
        RunsOf = runs_of(msp: MspOrgId, subjects: RunSubjects) -> Vec<RunRecord>;
        RunsPage = runs_page(msp: MspOrgId, page: RunPage) -> Vec<RunRecord>;
    }
    Budget {
        Spend = spend(
            tenant: &Fingerprint => Fingerprint, windows: &[Window] => Vec<Window>
        ) -> Spend;
        BudgetWait = budget_wait(tenant: &Fingerprint => Fingerprint, windows: &[Window] => Vec<Window>) -> Duration;
        BudgetUsage = budget_usage(tenant: &Fingerprint => Fingerprint) -> BudgetUsage;
    }
    Planner {
        ActiveCredentials = active_credentials(after: Option<CredentialId>, limit: u32) -> Vec<ActiveCredential>;
    }
}
