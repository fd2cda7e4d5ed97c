//! One pass for many customers: the request and the result.

use std::{collections::BTreeMap, fmt::Debug};

use async_trait::async_trait;

use super::assessment::{Assessment, AssessmentRequest};
use crate::{
    error::Result,
    model::{OrganizationId, OrganizationListHabit, Report, SweepStrategy},
};

/// Customers to assess in one pass. All belong to one connection, and are judged by the same rules at the same time.
#[derive(Clone, Copy, Debug)]
pub struct GroupRequest<'a> {
    /// The customers, in the order of the result.
    pub members: &'a [GroupMember<'a>],
    /// [`SweepStrategy::Group`] or [`SweepStrategy::WholeTenant`].
    pub strategy: SweepStrategy,
    /// How NinjaOne has answered for lists of organizations so far, by report.
    pub organization_list: &'a BTreeMap<Report, OrganizationListHabit>,
    /// The page size that was last requested, by report.
    pub page_sizes: &'a BTreeMap<Report, u32>,
    /// The maximum number of requests for reading again what was incomplete or cannot be trusted.
    pub read_again: u64,
    /// Checked before every report.
    pub checkpoint: &'a dyn Checkpoint,
}

/// One customer of a pass.
#[derive(Clone, Copy, Debug)]
pub struct GroupMember<'a> {
    /// What to assess.
    pub request: AssessmentRequest<'a>,
    /// The number of rows of its devices that its last run read, by report. If a report had rows and has none now, it is read again.
    pub rows_before: Option<&'a BTreeMap<Report, u64>>,
}

/// Whether a pass may go on.
#[async_trait]
pub trait Checkpoint: Debug + Send + Sync {
    /// Checks whether the pass may go on. An error ends it.
    async fn check(&self) -> Result<()>;
}

/// The result of a pass.
#[derive(Debug)]
pub struct GroupAssessment {
    /// For each customer, in the order of the request: its assessment, or why it has none and is left for another pass.
    pub assessments: Vec<Result<Assessment>>,
    /// The counts of the pass.
    pub counts: GroupCounts,
}

/// What a pass cost, and what it showed about the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Requests made, retries not counted.
    pub requests: u64,
    /// How many of these requests read something again.
    pub read_again: u64,
    /// Rows of devices of other organizations, dropped.
    pub foreign_rows: u64,
    /// Rows of devices that no list showed, dropped.
    pub orphan_rows: u64,
    /// How NinjaOne answered for lists of organizations, by report, as far as this was observed.
    pub organization_list: BTreeMap<Report, OrganizationListHabit>,
    /// The page size that was last requested, by report.
    pub page_sizes: BTreeMap<Report, u32>,
    /// The number of devices of the whole tenant, if all were seen.
    pub tenant_devices: Option<u64>,
}

/// A request for the device lists of many organizations.
#[derive(Clone, Copy, Debug)]
pub struct DeviceListsRequest<'a> {
    /// The organizations, each with the number of rows that its last sync read, by report. If a report had rows and has none now, it is
    /// read again.
    pub organizations: &'a [(OrganizationId, Option<BTreeMap<Report, u64>>)],
    /// The maximum number of devices of one organization. If there is one more, its list is truncated.
    pub ceiling: usize,
    /// The custom field that holds the Entra device id, for which one more report is read.
    pub entra_device_id_field: Option<&'a crate::model::CustomFieldName>,
    /// How NinjaOne has answered for lists of organizations so far, by report.
    pub organization_list: &'a BTreeMap<Report, OrganizationListHabit>,
    /// Checked before every walk.
    pub checkpoint: &'a dyn Checkpoint,
}

/// The device lists of many organizations, as they were read in one pass.
#[derive(Debug)]
pub struct DeviceLists {
    /// For each organization of the request: its list, or why it has none.
    pub lists: BTreeMap<OrganizationId, Result<crate::model::DeviceList>>,
    /// What the pass cost.
    pub counts: GroupCounts,
}
