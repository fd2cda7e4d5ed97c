//! Alerts of all devices.

use super::{all, endpoint, group, params};
use crate::{
    DeviceFilter,
    models::{Alert, SourceType},
    paging::{Pager, Walk},
};

group! {
    /// Alerts: conditions that have triggered and were not reset.
    Alerts, alerts
}

params! {
    /// Which alerts.
    AlertsParams = endpoint!("alerts.list" "/v2/alerts" Whole);
    {
        /// Only alerts raised by this.
        source_type: SourceType = "sourceType";
        /// Only alerts of devices that match.
        filter: DeviceFilter = "df";
        /// Language of the texts.
        language: String = "lang";
        /// Time zone of the texts.
        time_zone: String = "tz";
    }
}

all! { &[]; AlertsParams::ENDPOINT }

impl Alerts<'_> {
    /// Alerts of all devices.
    pub fn list(self, params: AlertsParams) -> Pager<Alert> {
        self.0.pager(params.request(), Walk::Whole)
    }
}
