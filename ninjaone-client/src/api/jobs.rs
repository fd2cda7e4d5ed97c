//! Jobs of all devices.

use super::{all, endpoint, group, params};
use crate::{
    DeviceFilter,
    models::{ActivityType, Job},
    paging::{Pager, Walk},
};

group! {
    /// Jobs: what runs on devices at this moment.
    Jobs, jobs
}

params! {
    /// Which jobs.
    JobsParams = endpoint!("jobs.list" "/v2/jobs" Whole);
    {
        /// Only jobs of this type.
        job_type: ActivityType = "jobType";
        /// Only jobs of devices that match.
        filter: DeviceFilter = "df";
        /// Language of the texts.
        language: String = "lang";
        /// Time zone of the texts.
        time_zone: String = "tz";
    }
}

all! { &[]; JobsParams::ENDPOINT }

impl Jobs<'_> {
    /// Jobs that run at this moment.
    pub fn list(self, params: JobsParams) -> Pager<Job> {
        self.0.pager(params.request(), Walk::Whole)
    }
}
