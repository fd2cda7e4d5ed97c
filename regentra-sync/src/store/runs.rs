//! Leases, and when the last run was.

use std::fmt::Debug;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::error::Result;
use crate::model::{Lease, LeaseKey, MspOrgId, RunRecord, WorkerId};

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
