//! What the use cases need of NinjaOne, as a trait: [`NinjaOneApi`] asks the API, a test scripts it, and another
//! way to get at the data, such as one pass over the whole tenant's reports, is another implementation.

mod api;
mod assessment;
mod budget;
mod evaluation;
pub mod facts;
mod port;
mod reading;
mod reports;
mod row_tally;

pub(crate) use self::reading::Reading;
pub use self::{
    api::NinjaOneApi,
    assessment::{Assessment, AssessmentRequest, Verdict},
    evaluation::Collected,
    port::{Access, AccessGrant, DeviceListRequest, NinjaOne, Redeemed, Redemption, Standing},
    reports::read_reports,
    row_tally::RowTally,
};
