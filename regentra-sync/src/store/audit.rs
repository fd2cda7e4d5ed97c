//! Audit trails, one per tenant.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{Actor, AuditAction, AuditId, AuditRow, ComplianceOrgId, EventId, MspOrgId};

/// The audit trails of MSPs and customers. Rows are appended by the commits of the other traits, and never changed.
#[async_trait]
pub trait AuditTrail: Debug + Send + Sync + 'static {
    /// A page of the rows of an MSP's trail that match, newest first (by time, then id). A short page is the last one.
    async fn msp_audit(&self, msp: MspOrgId, page: AuditPage) -> Result<Vec<AuditRow>>;

    /// A page of the rows of a customer's trail that match, newest first (by time, then id). A short page is the last one.
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

/// Which rows of a trail: those for which everything that is given holds. A store answers every field; it ignores none.
///
/// What a row is about (its credential, mapping or company) stands in its details, which no store looks into: that is no filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this.
    pub action: Option<AuditAction>,
    /// Asked for by this one.
    pub actor: Option<Actor>,
    /// At this time or later. A time has nothing finer than a microsecond.
    pub from: Option<OffsetDateTime>,
    /// Before this time.
    pub until: Option<OffsetDateTime>,
}

impl AuditFilter {
    /// Whether this row matches.
    #[must_use]
    pub fn matches(&self, row: &AuditRow) -> bool {
        let Self {
            action,
            actor,
            from,
            until,
        } = *self;
        action.is_none_or(|action| row.action == action)
            && actor.is_none_or(|actor| row.actor == actor)
            && from.is_none_or(|from| row.at >= from)
            && until.is_none_or(|until| row.at < until)
    }
}

/// Which part of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Which rows.
    pub filter: AuditFilter,
    /// Only rows that come after this one in the order of the answer: the time and id of the last row of the page before.
    pub before: Option<(OffsetDateTime, AuditId)>,
    /// At most this many.
    pub limit: u32,
}

impl AuditPage {
    /// The newest `limit` rows that match.
    #[must_use]
    pub const fn first(filter: AuditFilter, limit: u32) -> Self {
        Self {
            filter,
            before: None,
            limit,
        }
    }

    /// The newest `limit` rows of all.
    #[must_use]
    pub const fn newest(limit: u32) -> Self {
        let filter = AuditFilter {
            action: None,
            actor: None,
            from: None,
            until: None,
        };
        Self::first(filter, limit)
    }

    /// The page after one that ended with `last`.
    #[must_use]
    pub const fn next(self, last: &AuditRow) -> Self {
        Self {
            before: Some((last.at, last.id)),
            ..self
        }
    }
}
