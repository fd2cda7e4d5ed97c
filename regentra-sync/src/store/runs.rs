//! Leases, and the record of each subject's last run.

use std::{collections::BTreeSet, fmt::Debug};

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::error::Result;
use crate::model::{
    CredentialId, Lease, LeaseKey, MappingId, MspOrgId, RunKind, RunOutcome, RunRecord, RunSubject,
    WorkerId,
};

/// Leases, which allow one run at a time per subject, and the records of runs.
#[async_trait]
pub trait Runs: Debug + Send + Sync + 'static {
    /// The time by the store's clock.
    async fn store_time(&self) -> Result<OffsetDateTime>;

    /// Takes the lease on a subject for `length` from now, by the store's clock. `None` if another worker holds the lease and it has not
    /// expired.
    ///
    /// A lease can be taken if it was never taken, was released, or has expired (`expires_at <= now`). A worker can also take a lease that
    /// it holds already. Each taking raises the fence by one, so if one worker has two runs, only the later one can commit. Of two
    /// concurrent calls, one gets the lease. A lease that ends later than twice its own length from now was taken by a clock that ran
    /// ahead, and counts as expired. [`StoredLease::taken`](super::effects::StoredLease::taken) is this rule.
    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        length: Duration,
    ) -> Result<Option<Lease>>;

    /// Extends a lease to `length` from now, by the store's clock. `None`, without a change, if another run has taken the lease or it was
    /// released. A lease that expired can be extended until another run takes it.
    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        length: Duration,
    ) -> Result<Option<Lease>>;

    /// Releases a lease and stores the records of the runs made under it; each replaces the record of its subject. If the lease was lost,
    /// releases nothing and records nothing. The fence is kept, and the next taking raises it.
    ///
    /// Refuses records ahead of the store's clock with [`Stamped::check_not_ahead`](super::Stamped::check_not_ahead), and releases nothing.
    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()>;

    /// Counts the rows on the MSP's side that lie ahead of the store's clock and are therefore ignored. Three kinds of rows are not counted
    /// here: [`budget_usage`](super::Budget::budget_usage) counts requests of the budget, [`signals_ahead`](super::Evidence::signals_ahead)
    /// lists signals, and callers of [`runs`](Self::runs) find run records themselves.
    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead>;

    /// The last run of every subject, ordered by subject, whatever its time.
    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>>;

    /// The last runs of these subjects, ordered by subject, whatever their time. A subject that never ran has none. The store reads no
    /// other run, because a connection has thousands of them.
    async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>>;

    /// A page of the last runs that match, whatever their time, in the order of [`RunPage::place`]: by the name of the kind, then the
    /// credential, then the mapping, with a run without a mapping last. A short page is the last one.
    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>>;
}

/// Selects the runs of one kind over a connection and some of its mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSubjects {
    /// The kind of the runs.
    pub kind: RunKind,
    /// The connection. Its own runs, which have no mapping, are always included.
    pub credential: CredentialId,
    /// Mappings of that connection.
    pub mappings: BTreeSet<MappingId>,
}

impl RunSubjects {
    /// Selects the runs of this kind over a connection and these of its mappings.
    pub(crate) fn of(
        kind: RunKind,
        credential: CredentialId,
        mappings: impl IntoIterator<Item = MappingId>,
    ) -> Self {
        Self {
            kind,
            credential,
            mappings: mappings.into_iter().collect(),
        }
    }

    /// Whether this subject is selected.
    #[must_use]
    pub fn contains(&self, subject: &RunSubject) -> bool {
        let RunSubject {
            kind,
            credential,
            mapping,
        } = subject;
        *kind == self.kind
            && *credential == self.credential
            && mapping.is_none_or(|mapping| self.mappings.contains(&mapping))
    }
}

/// Selects runs: those that meet every condition given. A store honours every field and ignores none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this kind.
    pub kind: Option<RunKind>,
    /// Of this mapping.
    pub mapping: Option<MappingId>,
    /// With this outcome.
    pub outcome: Option<RunOutcomeKind>,
}

impl RunFilter {
    /// Whether this run matches.
    #[must_use]
    pub fn matches(&self, run: &RunRecord) -> bool {
        let Self {
            kind,
            mapping,
            outcome,
        } = *self;
        kind.is_none_or(|kind| run.subject.kind == kind)
            && mapping.is_none_or(|mapping| run.subject.mapping == Some(mapping))
            && outcome.is_none_or(|outcome| RunOutcomeKind::of(&run.outcome) == outcome)
    }
}

/// How a run ended, without the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOutcomeKind {
    /// The run did everything it was meant to do.
    Succeeded,
    /// The run did a part of it.
    Partial,
    /// The run failed.
    Failed,
}

impl RunOutcomeKind {
    /// The kind of this outcome.
    #[must_use]
    pub const fn of(outcome: &RunOutcome) -> Self {
        match outcome {
            RunOutcome::Succeeded => Self::Succeeded,
            RunOutcome::Partial { .. } => Self::Partial,
            RunOutcome::Failed { .. } => Self::Failed,
        }
    }

    /// The name used in stores and lists: `succeeded`, `partial` or `failed`, as in the field `outcome` of a stored [`RunOutcome`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// Selects a page of the last runs of an MSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPage {
    /// Which runs.
    pub filter: RunFilter,
    /// Only runs that follow this one in the order of the list: the subject of the last one of the previous page.
    pub after: Option<RunSubject>,
    /// At most this many.
    pub limit: u32,
}

impl RunPage {
    /// The first `limit` that match.
    #[must_use]
    pub const fn first(filter: RunFilter, limit: u32) -> Self {
        Self {
            filter,
            after: None,
            limit,
        }
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub const fn next(self, last: &RunRecord) -> Self {
        Self {
            after: Some(last.subject),
            ..self
        }
    }

    /// The sort key of a subject in the order of pages.
    #[must_use]
    pub fn place(subject: &RunSubject) -> (&'static str, CredentialId, bool, Option<MappingId>) {
        let RunSubject {
            kind,
            credential,
            mapping,
        } = *subject;
        (kind.as_str(), credential, mapping.is_none(), mapping)
    }
}

/// How many rows of an MSP lie ahead of the store's clock. A row is counted if one of its times that a process stamped lies ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowsAhead {
    /// Leases that are held and end later than twice their own length from now
    /// ([`StoredLease::is_ahead`](super::effects::StoredLease::is_ahead)).
    pub leases: u64,
    /// Ticks in the future in which tickets were opened.
    pub ticket_ticks: u64,
    /// Heads of evidence chains that are under no root and whose tick lies in the future.
    pub heads: u64,
    /// Roots over heads.
    pub roots: u64,
    /// Mappings.
    pub mappings: u64,
    /// Assets.
    pub assets: u64,
    /// Tickets.
    pub tickets: u64,
    /// Rows of the outbox that are not delivered.
    pub outbox: u64,
    /// Rows of the MSP's audit trail.
    pub audit: u64,
    /// Credentials.
    pub credentials: u64,
}
