//! Leases, and when the last run was.

use std::fmt::Debug;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::Result;
use crate::{
    MspOrgId,
    run::{Lease, LeaseKey, RunRecord, WorkerId},
};

/// One run at a time per subject, and the bookkeeping of runs.
#[async_trait]
pub trait Runs: Debug + Send + Sync + 'static {
    /// Takes the lease on a subject until `now + length`; `None` while another worker holds it and it is not expired at `now`.
    ///
    /// A lease that was never taken, was released, or is expired at `now` (`expires_at <= now`) can be taken, and so can one
    /// that this worker holds already: each taking raises the fence by one, so that of one worker's two runs only the later
    /// commits. Of two calls at once one gets it.
    async fn take_lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
        worker: WorkerId,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>>;

    /// Extends a lease to `now + length`; `None`, and nothing changes, once another run took over or it was released. An
    /// expired lease that nobody took can be extended.
    async fn renew_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        now: OffsetDateTime,
        length: Duration,
    ) -> Result<Option<Lease>>;

    /// Releases a lease and keeps the records of the runs made under it, each replacing the one of its subject. If the lease
    /// was lost, nothing is released and nothing is recorded. The fence is kept: the next taking raises it.
    async fn release_lease(
        &self,
        msp: MspOrgId,
        lease: &Lease,
        records: Vec<RunRecord>,
    ) -> Result<()>;

    /// The last run of every subject, ordered by subject.
    async fn runs(&self, msp: MspOrgId) -> Result<Vec<RunRecord>>;
}
