//! Audit trails, one per tenant.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{AuditId, AuditRow, ComplianceOrgId, EventId, MspOrgId};

/// The audit trails of MSPs and customers. Rows are appended by the commits of the other traits, and never changed.
#[async_trait]
pub trait AuditTrail: Debug + Send + Sync + 'static {
    /// An MSP's trail, newest first (by time, then id).
    async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>>;

    /// A customer's trail, newest first (by time, then id).
    async fn customer_audit(
        &self,
        customer: ComplianceOrgId,
        page: AuditPage,
    ) -> Result<Vec<AuditRow>>;

    /// Appends rows to an MSP's trail that belong to no other write: a tested connection, a low budget, secrets that do not
    /// open.
    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome>;
}

/// Which part of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Only rows that come after this one in the order of the answer: the time and id of the last row of the page before.
    pub before: Option<(OffsetDateTime, AuditId)>,
    /// At most this many.
    pub limit: u32,
}

impl AuditPage {
    /// The newest `limit` rows.
    #[must_use]
    pub const fn newest(limit: u32) -> Self {
        Self {
            before: None,
            limit,
        }
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub const fn after(last: &AuditRow, limit: u32) -> Self {
        Self {
            before: Some((last.at, last.id)),
            limit,
        }
    }
}
