//! The trait through which the use cases reach NinjaOne. [`NinjaOneApi`] implements it over the API; tests script it.

mod api;
mod assessment;
mod budget;
mod device_lists;
mod evaluation;
pub mod facts;
mod group;
mod group_read;
mod halves;
mod port;
mod reading;
mod reports;
mod row_tally;

pub use self::{
    api::NinjaOneApi,
    assessment::{Assessment, AssessmentRequest, Verdict},
    evaluation::Evaluated,
    group::{
        Checkpoint, DeviceLists, DeviceListsRequest, GroupAssessment, GroupCounts, GroupMember,
        GroupRequest,
    },
    port::{Access, AccessGrant, DeviceListRequest, NinjaOne, Redeemed, Redemption, Standing},
    reports::read_reports,
    row_tally::RowTally,
};
pub(crate) use self::{reading::Reading, reports::reports_besides_devices};
