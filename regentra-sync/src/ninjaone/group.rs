//! One pass for many customers: the request and the result.

use std::{collections::BTreeMap, fmt::Debug};

use async_trait::async_trait;

use super::assessment::{Assessment, AssessmentRequest};
use crate::{
    error::Result,
    model::{OrganizationId, OrganizationListHabit, Report, SweepStrategy},
};

/// Customers to assess in one pass. All are of one connection, and judged by the same rules at the same time.
#[derive(Clone, Copy, Debug)]
pub struct GroupRequest<'a> {
    /// The customers, in the order of the answer.
    pub members: &'a [GroupMember<'a>],
    /// [`SweepStrategy::Group`] or [`SweepStrategy::WholeTenant`].
    pub strategy: SweepStrategy,
    /// What NinjaOne made of lists of organizations so far.
    pub organization_list: &'a BTreeMap<Report, OrganizationListHabit>,
    /// Rows of a page that were asked for last, by report.
    pub page_sizes: &'a BTreeMap<Report, u32>,
    /// How many requests may be spent on reading again what was not whole or is not to be trusted.
    pub read_again: u64,
    /// Asked before every report.
    pub checkpoint: &'a dyn Checkpoint,
}

/// One customer of a pass.
#[derive(Clone, Copy, Debug)]
pub struct GroupMember<'a> {
    /// What to assess.
    pub request: AssessmentRequest<'a>,
    /// Rows of its devices that its last run read, by report: what had rows and has none is looked at twice.
    pub rows_before: Option<&'a BTreeMap<Report, u64>>,
}

/// Whether a pass may go on.
#[async_trait]
pub trait Checkpoint: Debug + Send + Sync {
    /// An error ends the pass.
    async fn check(&self) -> Result<()>;
}

/// What a pass found.
#[derive(Debug)]
pub struct GroupAssessment {
    /// Of each customer, in the order of the request, its assessment, or why there is none: it is left for another pass.
    pub assessments: Vec<Result<Assessment>>,
    /// What is known of the pass.
    pub counts: GroupCounts,
}

/// What a pass cost, and what it showed of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Requests made, retries not counted.
    pub requests: u64,
    /// Those of them that read something again.
    pub read_again: u64,
    /// Rows of devices of other organizations, dropped.
    pub foreign_rows: u64,
    /// Rows of devices that no list showed, dropped.
    pub orphan_rows: u64,
    /// What NinjaOne made of lists of organizations, as far as it was seen.
    pub organization_list: BTreeMap<Report, OrganizationListHabit>,
    /// Rows a page may have, by report, as they were last asked for.
    pub page_sizes: BTreeMap<Report, u32>,
    /// Devices of the whole tenant, where all were seen.
    pub tenant_devices: Option<u64>,
}

/// The device lists of many organizations.
#[derive(Clone, Copy, Debug)]
pub struct DeviceListsRequest<'a> {
    /// Of which organizations, each with the rows that its last sync read, by report: what had rows and has none is looked at twice.
    pub organizations: &'a [(OrganizationId, Option<BTreeMap<Report, u64>>)],
    /// The most devices of one organization. One more makes its list truncated.
    pub ceiling: usize,
    /// The custom field that holds the Entra device id, for which one more report is read.
    pub entra_device_id_field: Option<&'a crate::model::CustomFieldName>,
    /// What NinjaOne made of lists of organizations so far.
    pub organization_list: &'a BTreeMap<Report, OrganizationListHabit>,
    /// Asked before every walk.
    pub checkpoint: &'a dyn Checkpoint,
}

/// The device lists of many organizations, as they were read in one pass.
#[derive(Debug)]
pub struct DeviceLists {
    /// Of each organization of the request its list, or why there is none.
    pub lists: BTreeMap<OrganizationId, Result<crate::model::DeviceList>>,
    /// What the pass cost.
    pub counts: GroupCounts,
}
