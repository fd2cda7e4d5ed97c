//! The heads of an MSP's evidence chains, and the roots over them.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{
    AnchoringFailure, ComplianceOrgId, EventId, EvidenceHead, EvidenceRoot, MspOrgId,
};

/// The heads that sweeps wrote on the MSP's side, and the roots over them, which are handed to an [`AnchorSink`](crate::host::AnchorSink).
///
/// [`commit_sweep`](super::Evidence::commit_sweep) writes the heads. A head is under no root until [`commit_root`](Self::commit_root) puts
/// it under one; it then stays under that root for good.
#[async_trait]
pub trait Anchors: Debug + Send + Sync + 'static {
    /// The ticks before `before` that have heads under no root, ordered by time; at most `limit`.
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>>;

    /// The heads of a tick that are under no root, in any order.
    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>>;

    /// Writes a root over all heads of its tick that are under no root.
    ///
    /// Precondition: the root's number is one more than the MSP's last (the first is 1), and the number of these heads is exactly the
    /// number that the root covers, else [`Precondition::Root`](super::Precondition::Root).
    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome>;

    /// The last root; `None` before the first.
    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>>;

    /// The roots that were not handed out yet, ordered by number; at most `limit`.
    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>>;

    /// Records that a root was handed out at `at`. Does nothing if the root does not exist or was handed out before. Refuses a time ahead
    /// of the store's clock with [`check_not_ahead`](super::check_not_ahead).
    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()>;

    /// The last failure to anchor the MSP's evidence; `None` if there was none, or once everything is anchored.
    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>>;

    /// Replaces the last failure, or removes it if `None` is given. Refuses a time ahead of the store's clock with
    /// [`Stamped::check_not_ahead`](super::Stamped::check_not_ahead).
    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()>;

    /// The heads under a root, in any order.
    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>>;

    /// The heads of a customer that are under any root, in any order.
    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>>;
}

/// A root to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootCommit {
    /// The root's event: [`EventId::of_root`].
    pub event: EventId,
    /// The new root, not handed out yet.
    pub root: EvidenceRoot,
}
