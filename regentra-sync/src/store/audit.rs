//! Audit trails, one per tenant.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::model::{Actor, AuditAction, AuditId, AuditRow, ComplianceOrgId, EventId, MspOrgId};

/// The audit trails of MSPs and customers. The commits of the other traits append rows. No row is ever changed.
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

    /// Appends rows that belong to no other commit to an MSP's trail, such as: a connection was tested, the budget is low, secrets do not
    /// open.
    async fn commit_audit(
        &self,
        msp: MspOrgId,
        event: EventId,
        rows: Vec<AuditRow>,
    ) -> Result<CommitOutcome>;
}

/// Selects rows of a trail: those that meet every condition given. A store honours every field and ignores none.
///
/// A row's details name its credential, mapping or company. A store does not look into the details, so there is no filter for these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// With this action.
    pub action: Option<AuditAction>,
    /// By this actor.
    pub actor: Option<Actor>,
    /// At this time or later, in whole microseconds.
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

/// Selects a page of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Which rows.
    pub filter: AuditFilter,
    /// Only rows that follow this one in the order of the list: the time and id of the last row of the previous page.
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

    /// The newest `limit` rows, without a filter.
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
