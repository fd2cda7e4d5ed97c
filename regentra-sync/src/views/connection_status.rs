use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    Views,
    asset_doubts::DoubtCounts,
    snapshot::{ConnectionSnapshot, MspSnapshot},
};
use crate::{
    error::{ErrorKind, Result},
    host::HostPolicy,
    model::{
        AppliedSettings, BudgetUsage, CompanyId, ConnectionSettings, Credential, CredentialId,
        Grant, Mapping, MappingId, MspOrgId, NINJAONE_WINDOWS, OrganizationId, PortalCompany,
        RegionKey, Report, RunKind, RunOutcome, RunRecord, Sensitive, StrategyCosts,
        StrategyReason, SweepStrategy, TenantView, is_readable,
    },
    ninjaone::reports_besides_devices,
    rules::{KnownRuns, StrategyInputs, StrategyPlan, strategy_plan},
    store::{MappingCounts, MappingFilter, effects::mapping_counts},
};

/// The status of one connection, as an operator's card shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionStatus {
    /// Which credential.
    pub credential: CredentialId,
    /// Where.
    pub region: RegionKey,
    /// How access was granted.
    pub grant: Grant,
    /// How much of the tenant the connection sees, if that is known.
    pub view: TenantView,
    /// Whether it is connected.
    pub connected: bool,
    /// NinjaOne no longer accepts the refresh token, so nothing runs until an administrator authorizes again. Everything else stays as it
    /// is.
    pub authorize_again: bool,
    /// When it was last connected.
    #[serde(with = "time::serde::rfc3339")]
    pub connected_at: OffsetDateTime,
    /// When it was disconnected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disconnected_at: Option<OffsetDateTime>,
    /// Organizations, counted by the decision about them.
    pub organizations: OrganizationCounts,
    /// Assets of its customers that a person should look at.
    pub assets: DoubtCounts,
    /// The mapped organizations.
    pub customers: Vec<CustomerStatus>,
    /// The last listing of organizations.
    pub last_discovery: Option<LastRun>,
    /// The asset sync that ended last.
    pub last_asset_sync: Option<LastRun>,
    /// The evidence sweep that ended last.
    pub last_evidence_sweep: Option<LastRun>,
    /// When asset syncs are due next; `None` while disconnected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_asset_sync: Option<OffsetDateTime>,
    /// When evidence sweeps are due next; `None` while disconnected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_evidence_sweep: Option<OffsetDateTime>,
    /// How the sweeps of its customers are read, and the cost; `None` if no customer is promoted.
    pub sweeps: Option<SweepCost>,
    /// Requests used of the budget.
    pub budget: BudgetUsage,
    /// Requests allowed in any minute, and in any hour.
    pub budget_limits: (u32, u32),
    /// The last failed run that nothing has corrected since. A later successful run of the same subject corrects it. A failed run of the
    /// whole region is corrected by a later successful run of any subject in the region.
    pub last_error: Option<LastRun>,
}

/// How the sweeps of a connection are read, and the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SweepCost {
    /// The strategy for the next tick.
    pub strategy: SweepStrategy,
    /// Why.
    pub reason: StrategyReason,
    /// The cost of a tick under each strategy, in requests, estimated from what the last runs read.
    pub costs: StrategyCosts,
    /// The actual cost of the last runs, in requests.
    pub last: u64,
}

/// Organizations, counted by the decision about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OrganizationCounts {
    /// There is no decision yet.
    pub pending_review: u64,
    /// Mapped to a company.
    pub mapped: u64,
    /// Not synced.
    pub ignored: u64,
    /// No longer listed by NinjaOne, whatever the decision.
    pub missing: u64,
    /// Without a readable name, whatever the decision.
    pub nameless: u64,
    /// Rows of the last list that do not say which organization they are. The other counts do not include them.
    pub unreadable_rows: u64,
}

/// One mapped organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomerStatus {
    /// Which mapping.
    pub mapping: MappingId,
    /// The organization in NinjaOne.
    pub external_org_id: OrganizationId,
    /// Its name there.
    pub organization: Sensitive,
    /// The company it is mapped to.
    pub company: CompanyId,
    /// The company's name.
    pub company_name: Option<Sensitive>,
    /// The state of its dry run.
    pub dry_run: DryRun,
    /// The last asset sync.
    pub last_asset_sync: Option<LastRun>,
    /// The last evidence sweep.
    pub last_evidence_sweep: Option<LastRun>,
}

/// The state of a customer's dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "dry_run", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DryRun {
    /// The company was not promoted: it contributes assets only.
    NotPromoted,
    /// No sweep has succeeded yet, so no ticket is opened.
    Pending,
    /// The first sweep succeeded, so failing signals open tickets.
    Over {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// What kind of run.
    pub kind: RunKind,
    /// Which mapping; `None` for a listing of organizations and for the scheduled asset sync of a whole region.
    pub mapping: Option<MappingId>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: RunOutcome,
}

impl From<&RunRecord> for LastRun {
    fn from(record: &RunRecord) -> Self {
        Self {
            kind: record.subject.kind,
            mapping: record.subject.mapping,
            at: record.finished_at,
            outcome: record.outcome.clone(),
        }
    }
}

impl Views {
    /// The status of every connection, ordered by region, as an operator's card shows it.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    #[tracing::instrument(name = "regentra.connection_status", skip_all, fields(%msp))]
    pub async fn connection_status(&self, msp: MspOrgId) -> Result<Vec<ConnectionStatus>> {
        let snapshot = self.snapshot(msp, None).await?;
        Ok(snapshot.connection_status(&self.policy))
    }
}

impl MspSnapshot {
    pub(super) fn connection_status(&self, policy: &HostPolicy) -> Vec<ConnectionStatus> {
        let status = |connection| self.status_of(connection, policy);
        self.connections.iter().map(status).collect()
    }

    fn status_of(&self, connection: &ConnectionSnapshot, policy: &HostPolicy) -> ConnectionStatus {
        let ConnectionSnapshot {
            credential,
            mappings,
            runs,
            budget,
            settings,
        } = connection;
        let sweeps = sweep_cost(self, connection, policy, settings);
        let runs: Vec<_> = runs.iter().collect();
        let last = |kind| {
            let of_kind = runs.iter().filter(|record| record.subject.kind == kind);
            of_kind
                .max_by_key(|record| record.finished_at)
                .map(|record| LastRun::from(*record))
        };
        let failed = runs
            .iter()
            .filter(|record| record.has_failed() && !record.is_overcome(&runs));
        let of_mapping = runs.iter().filter_map(|run| {
            let mapping = run.subject.mapping?;
            Some(((run.subject.kind, mapping), *run))
        });
        let of_mapping: BTreeMap<_, _> = of_mapping.collect();
        let customers = mappings
            .iter()
            .filter_map(|mapping| customer(mapping, &self.companies, &of_mapping))
            .collect();
        let mapped_to: BTreeSet<_> = mappings
            .iter()
            .filter_map(|mapping| mapping.state.company())
            .collect();
        let doubts = self.doubts.iter();
        ConnectionStatus {
            credential: credential.id,
            region: credential.region.clone(),
            grant: credential.grant,
            view: credential.view,
            connected: credential.is_active,
            authorize_again: is_refused(credential, &runs),
            connected_at: credential.connected_at,
            disconnected_at: credential.disconnected_at,
            organizations: organizations(credential, mappings),
            assets: DoubtCounts::of(doubts.filter(|of| mapped_to.contains(&of.asset.company))),
            customers,
            last_discovery: last(RunKind::Discovery),
            last_asset_sync: last(RunKind::AssetSync),
            last_evidence_sweep: last(RunKind::EvidenceSweep),
            next_asset_sync: credential
                .is_active
                .then(|| policy.asset_sync.next(self.now)),
            next_evidence_sweep: credential
                .is_active
                .then(|| policy.evidence_sweep.next(self.now)),
            sweeps,
            budget: *budget,
            budget_limits: (NINJAONE_WINDOWS[0].limit, NINJAONE_WINDOWS[1].limit),
            last_error: failed
                .max_by_key(|record| record.finished_at)
                .map(|record| LastRun::from(*record)),
        }
    }
}

/// How the sweeps of these organizations of a connection are read, estimated from what its last runs read.
pub(crate) fn strategy_of(
    organizations: impl Iterator<Item = MappingId>,
    settings: &AppliedSettings,
    runs: &[RunRecord],
    credential: CredentialId,
    now: OffsetDateTime,
) -> StrategyPlan {
    let known = KnownRuns::of(runs, credential, RunKind::EvidenceSweep, now);
    let mut reports = vec![Report::Devices];
    reports.extend(reports_besides_devices(
        &settings.custom_fields,
        settings.kinds_in_use,
    ));
    let known = StrategyInputs::of(organizations, reports, known);
    strategy_plan(settings.sweep_strategy, &known)
}

fn sweep_cost(
    snapshot: &MspSnapshot,
    connection: &ConnectionSnapshot,
    policy: &HostPolicy,
    settings: &ConnectionSettings,
) -> Option<SweepCost> {
    let promoted = connection.mappings.iter().filter(|mapping| {
        let company = mapping.state.company();
        let company = company.and_then(|company| snapshot.companies.get(&company));
        company.is_some_and(|company| company.converted_to.is_some())
    });
    let promoted: Vec<_> = promoted.map(|mapping| mapping.id).collect();
    let applied = policy.apply(settings).ok()?;
    if promoted.is_empty() {
        return None;
    }
    let (credential, kind) = (connection.credential.id, RunKind::EvidenceSweep);
    let promoted = promoted.into_iter();
    let plan = strategy_of(
        promoted,
        &applied,
        &connection.runs,
        credential,
        snapshot.now,
    );
    let sweeps = connection
        .runs
        .iter()
        .filter(|run| run.subject.kind == kind);
    Some(SweepCost {
        strategy: plan.strategy,
        reason: plan.reason,
        costs: plan.costs,
        last: sweeps.map(|run| run.requests).sum(),
    })
}

/// Whether an administrator has to authorize the connection again: a run failed for this reason, and no later run succeeded.
fn is_refused(credential: &Credential, runs: &[&RunRecord]) -> bool {
    let again = ErrorKind::Ninjaone(ninjaone_client::ErrorKind::AuthorizeAgain);
    let refused = |run: &RunRecord| run.outcome == RunOutcome::Failed { error: again };
    let since = |run: &&&RunRecord| run.finished_at >= credential.connected_at;
    let (mut last_refused, mut last_answered) = (None, None);
    for run in runs.iter().filter(since) {
        let last = match run.outcome {
            _ if refused(run) => &mut last_refused,
            RunOutcome::Succeeded | RunOutcome::Partial { .. } => &mut last_answered,
            RunOutcome::Failed { .. } => continue,
        };
        *last = (*last).max(Some(run.finished_at));
    }
    credential.is_active && last_refused > last_answered
}

fn organizations(credential: &Credential, mappings: &[Mapping]) -> OrganizationCounts {
    let MappingCounts {
        pending_review,
        mapped,
        ignored,
        missing,
    } = mapping_counts(mappings, &MappingFilter::default());
    let nameless = mappings
        .iter()
        .filter(|mapping| !is_readable(mapping.name.as_str()));
    OrganizationCounts {
        pending_review,
        mapped,
        ignored,
        missing,
        nameless: nameless.count() as u64,
        unreadable_rows: credential.lost_organizations,
    }
}

fn customer(
    mapping: &Mapping,
    companies: &BTreeMap<CompanyId, PortalCompany>,
    runs: &BTreeMap<(RunKind, MappingId), &RunRecord>,
) -> Option<CustomerStatus> {
    let company = mapping.state.company()?;
    let stored = companies.get(&company);
    let is_promoted = stored.is_some_and(|company| company.converted_to.is_some());
    let last = |kind| runs.get(&(kind, mapping.id)).copied().map(LastRun::from);
    Some(CustomerStatus {
        mapping: mapping.id,
        external_org_id: mapping.external_org_id,
        organization: mapping.name.clone(),
        company,
        company_name: stored.map(|company| company.name.clone()),
        dry_run: match mapping.first_evidence_synced_at {
            _ if !is_promoted => DryRun::NotPromoted,
            None => DryRun::Pending,
            Some(since) => DryRun::Over { since },
        },
        last_asset_sync: last(RunKind::AssetSync),
        last_evidence_sweep: last(RunKind::EvidenceSweep),
    })
}
