//! Backup jobs.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{OneOf, Parameter, all, endpoint, group, params};
use crate::{
    DeviceFilter,
    models::{BackupJob, BackupJobStatus, BackupPlanType, DeviceInclusion},
    paging::{Pager, Walk},
    request::{Endpoint, Request},
};

group! {
    /// Backup jobs and integrity checks. Sizes of backups are a report: [`Queries::backup_usage`](crate::queries::Queries::backup_usage).
    Backup, backup
}

params! {
    /// Which backup jobs.
    BackupJobsParams = endpoint!("backup.jobs" "/v2/backup/jobs" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only jobs of devices that match.
        filter: DeviceFilter = "df";
        /// Only jobs of deleted devices that match.
        deleted_filter: DeviceFilter = "ddf";
        /// Only jobs of these statuses.
        statuses: OneOf<BackupJobStatus> = "sf";
        /// Only jobs of these kinds of plan.
        plan_types: OneOf<BackupPlanType> = "ptf";
        /// Only jobs that began then.
        started: Started = "stf";
        /// Whether devices that were deleted count. Default: only active ones.
        include: DeviceInclusion = "include";
    }
}

const INTEGRITY_CHECKS: Endpoint =
    endpoint!("backup.integrity_check_jobs" "/v2/backup/integrity-check-jobs" ByCursor);

all! { &[]; BackupJobsParams::ENDPOINT, INTEGRITY_CHECKS }

/// When a backup job began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// After a time.
    After(OffsetDateTime),
    /// Between two times.
    Between(OffsetDateTime, OffsetDateTime),
}

impl Parameter for Started {
    fn text(&self) -> Option<String> {
        let text =
            |time: &OffsetDateTime| time.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok();
        Some(match self {
            Self::After(time) => format!("startTime after {}", text(time)?),
            Self::Between(from, to) => format!("startTime between ({},{})", text(from)?, text(to)?),
        })
    }

    fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Between(from, to) if from > to => {
                Some("the time filter of backup jobs ends before it begins")
            }
            _ => None,
        }
    }
}

impl BackupJobsParams {
    /// The request for the first page of integrity checks, without I/O.
    #[must_use]
    pub fn request_integrity_checks(&self) -> Request {
        self.fill(Request::new(INTEGRITY_CHECKS))
    }
}

impl Backup<'_> {
    /// Backup jobs.
    pub fn jobs(self, params: BackupJobsParams) -> Pager<BackupJob> {
        self.0.pager(
            params.request(),
            Walk::by_cursor("cursor", params.page_rows()),
        )
    }

    /// Jobs that check whether backups are whole.
    pub fn integrity_check_jobs(self, params: BackupJobsParams) -> Pager<BackupJob> {
        self.0.pager(
            params.request_integrity_checks(),
            Walk::by_cursor("cursor", params.page_rows()),
        )
    }
}
