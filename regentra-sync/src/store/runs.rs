//! Leases, and when the last run was.

use std::{collections::BTreeSet, fmt::Debug};

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::error::Result;
use crate::model::{
    CredentialId, Lease, LeaseKey, MappingId, MspOrgId, RunKind, RunOutcome, RunRecord, RunSubject,
    WorkerId,
};

/// One run at a time per subject, and the bookkeeping of runs.
#[async_trait]
pub trait Runs: Debug + Send + Sync + 'static {
    /// The time by the store's clock.
    async fn store_time(&self) -> Result<OffsetDateTime>;

    /// Takes the lease on a subject for `length` from now, by the store's clock; `None` while another worker holds it and it is not
    /// expired.
    ///
    /// A lease that was never taken, was released, or is expired (`expires_at <= now`) can be taken, and so can one that this
    /// worker holds already: each taking raises the fence by one, so that of one worker's two runs only the later commits. Of
    /// two calls at once one gets it. A lease that ends later than twice its own length from now was taken by a clock that ran
    /// ahead: it counts as expired.
    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        length: Duration,
    ) -> Result<Option<Lease>>;

    /// Extends a lease to `length` from now, by the store's clock; `None`, and nothing changes, once another run took over or it was released. An
    /// expired lease that nobody took can be extended.
    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        length: Duration,
    ) -> Result<Option<Lease>>;

    /// Releases a lease and keeps the records of the runs made under it, each replacing the one of its subject. If the lease
    /// was lost, nothing is released and nothing is recorded. The fence is kept: the next taking raises it.
    ///
    /// Records ahead of the store's clock are refused with [`Stamped::check_not_ahead`](super::Stamped::check_not_ahead), and
    /// nothing is released.
    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()>;

    /// What lies ahead of the store's clock on the MSP's side: it counts as not there. Requests of the budget are counted by
    /// [`budget_usage`](super::Budget::budget_usage), signals by [`signals_ahead`](super::Evidence::signals_ahead), run records by
    /// who reads [`runs`](Self::runs).
    async fn rows_ahead(&self, msp: MspOrgId) -> Result<RowsAhead>;

    /// The last run of every subject, ordered by subject, whatever its time.
    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>>;

    /// The last runs of some subjects, ordered by subject, whatever their time; of a subject that was never run there is none. No
    /// other run is read: a connection has thousands of them.
    async fn runs_of(&self, msp: MspOrgId, subjects: RunSubjects) -> Result<Vec<RunRecord>>;

    /// A page of the last runs that match, whatever their time, ordered as [`RunPage::place`] says: by the name of the kind, the
    /// credential, and the mapping, a run without a mapping last. A short page is the last one.
    async fn runs_page(&self, msp: MspOrgId, page: RunPage) -> Result<Vec<RunRecord>>;
}

/// A connection, and some of its mappings: the runs of one kind over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSubjects {
    /// Of this kind.
    pub kind: RunKind,
    /// The connection. Its own runs, without a mapping, are always among them.
    pub credential: CredentialId,
    /// Mappings of that connection.
    pub mappings: BTreeSet<MappingId>,
}

impl RunSubjects {
    /// Runs of this kind over a connection and these of its mappings.
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

    /// Whether this is one of them.
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

/// Which runs: those for which everything that is given holds. A store answers every field; it ignores none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this kind.
    pub kind: Option<RunKind>,
    /// Of this mapping.
    pub mapping: Option<MappingId>,
    /// That ended so.
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
    /// It did all it set out to do.
    Succeeded,
    /// It did what it could.
    Partial,
    /// It could not.
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

    /// The name used in stores and lists: `succeeded`, `partial` or `failed`, as the field `outcome` of a stored
    /// [`RunOutcome`] has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// Which part of the last runs of an MSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPage {
    /// Which runs.
    pub filter: RunFilter,
    /// Only those that come after this one in the order of the answer: the subject of the last one of the page before.
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

    /// Where a subject stands in the order of pages.
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

/// How many rows of an MSP lie ahead of the store's clock. A row counts when one of the times in it that processes stamp does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowsAhead {
    /// Held leases that end later than twice their own length from now.
    pub leases: u64,
    /// Ticks to come in which tickets were opened.
    pub ticket_ticks: u64,
    /// Heads of evidence chains under no root, of ticks to come.
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
