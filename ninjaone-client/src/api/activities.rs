//! The activity log.

use time::OffsetDateTime;

use super::{OneOf, all, endpoint, group, params};
use crate::models::{Activity, ActivityClass, ActivityStatus, ActivityType};
use crate::paging::{Pager, Stop, Walk};
use crate::{ActivityId, DeviceFilter};

group! {
    /// The activity log: what happened, newest first.
    Activities, activities
}

params! {
    /// Which activities.
    ///
    /// The log is walked back by id. Where the walk ends is up to [`Self::until`] and [`Self::known`]; without either it
    /// goes back to the beginning of the log, which on a large tenant means hundreds of requests.
    ActivitiesParams = endpoint!("activities.list" "/v2/activities" Backwards);
    page_size 1000 in 10..=1000;
    {
        /// Only activities of this class. Default: all.
        class: ActivityClass = "class";
        /// Only activities before this time.
        before: OffsetDateTime = "before";
        /// Only activities after this time. Not every region was seen to honour it: set [`Self::until`] besides.
        after: OffsetDateTime = "after";
        /// Begins before this activity.
        older_than: ActivityId = "olderThan";
        /// Only activities of this type.
        r#type: ActivityType = "type";
        /// Only activities of these status codes.
        statuses: OneOf<ActivityStatus> = "status";
        /// Only activities of this user.
        user: String = "user";
        /// Only activities of this series (UUID).
        series: String = "seriesUid";
        /// Only activities of devices that match.
        filter: DeviceFilter = "df";
        /// Language of the texts.
        language: String = "lang";
        /// Time zone of the texts.
        time_zone: String = "tz";
        /// Only activities of this policy element or script (UUID).
        source_config: String = "sourceConfigUid";
    }
    local {
        /// Ends the walk where activities are older than this; older ones are left out.
        until: OffsetDateTime;
        /// Ends the walk at this activity, which with all before it is known already.
        known: ActivityId;
    }
}

all! { &[]; ActivitiesParams::ENDPOINT }

impl ActivitiesParams {
    fn walk(&self) -> Walk<Activity> {
        let stop = Stop {
            until: self.until,
            known: self.known.map(ActivityId::get),
        };
        Walk::backwards(
            self.older_than.map(ActivityId::get),
            stop,
            self.page_size,
            |row: &Activity| row.id.map(ActivityId::get),
            |row: &Activity| row.activity_time.and_then(crate::Timestamp::at),
        )
    }
}

impl Activities<'_> {
    /// Activities of the whole tenant, newest first, back to where the parameters say.
    ///
    /// The newest id of a finished walk is what the next walk hands to [`ActivitiesParams::known`].
    pub fn list(self, params: ActivitiesParams) -> Pager<Activity> {
        self.0.pager(params.request(), params.walk())
    }
}
