//! The activity log.

use time::OffsetDateTime;

use super::{OneOf, all, endpoint, group, params};
use crate::{
    ActivityId, DeviceFilter,
    models::{Activity, ActivityClass, ActivityStatus, ActivityType},
    paging::{ActivityRange, Pager, Walk},
};

group! {
    /// The activity log: what happened, newest first.
    Activities, activities
}

params! {
    /// Which activities.
    ///
    /// The log is walked back by id, to its beginning or to an activity that is [`known`](Self::known). Age ends nothing: a
    /// device that was away for weeks puts its old activities on top of this week's. So ask for what is wanted, by
    /// [`statuses`](Self::statuses) and [`after`](Self::after), and the server leaves the rest out. Where it ignores what was
    /// asked, the walk goes on over the rest, and fails at [`most_not_asked_for`](Self::most_not_asked_for) rows of it.
    ActivitiesParams = endpoint!("activities.list" "/v2/activities" Backwards);
    page_size 1000 in 10..=1000;
    {
        /// Only activities of this class. Default: all.
        class: ActivityClass = "class";
        /// Only activities before this time.
        before: OffsetDateTime = "before";
        /// Only activities after this time; older ones that come all the same are left out.
        after: OffsetDateTime = "after";
        /// Begins before this activity.
        older_than: ActivityId = "olderThan";
        /// Only activities of this type.
        r#type: ActivityType = "type";
        /// Only activities of these status codes. Others that come all the same are delivered.
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
        /// Leaves out activities older than this, without asking NinjaOne to. It does not end the walk: use [`Self::after`].
        until: OffsetDateTime;
        /// Ends the walk at this activity, which with all before it is known already.
        known: ActivityId;
        /// How many activities the walk passes over that were not asked for: of other codes or types, or too old. One more
        /// is an error ([`LimitExceeded`](crate::ErrorKind::LimitExceeded)), because wanted ones may lie below. Default: 50,000.
        most_not_asked_for: usize;
    }
}

all! { &[]; ActivitiesParams::ENDPOINT }

/// How many activities that were not asked for a walk passes over.
pub(super) const MOST_NOT_ASKED_FOR: usize = 50_000;

/// Whether an activity is one that was asked for. What it does not tell does not count against it.
pub(super) fn is_asked_for(
    statuses: Option<OneOf<ActivityStatus>>,
    r#type: Option<ActivityType>,
) -> Box<dyn Fn(&Activity) -> bool + Send + Sync> {
    Box::new(move |row| {
        let is_status = statuses
            .as_ref()
            .zip(row.status_code.as_ref())
            .is_none_or(|(asked, status)| asked.contains(status));
        let is_type = r#type
            .as_ref()
            .zip(row.activity_type.as_ref())
            .is_none_or(|(asked, r#type)| asked == r#type);
        is_status && is_type
    })
}

impl ActivitiesParams {
    fn walk(&self) -> Walk<Activity> {
        let wanted = ActivityRange {
            known: self.known.map(ActivityId::get),
            since: self.after.max(self.until),
            time_of: |row: &Activity| row.activity_time.and_then(crate::Timestamp::at),
            is_asked_for: is_asked_for(self.statuses.clone(), self.r#type.clone()),
            most_not_asked_for: self.most_not_asked_for.unwrap_or(MOST_NOT_ASKED_FOR),
        };
        Walk::backwards(
            self.older_than.map(ActivityId::get),
            wanted,
            self.page_rows(),
            |row: &Activity| row.id.map(ActivityId::get),
        )
    }
}

impl Activities<'_> {
    /// Activities of the whole tenant, newest first, back to where the parameters say.
    ///
    /// It is complete, or an error: a server that ignores the codes or the time asked for costs pages, not activities. The newest id of a finished walk is what the next walk hands to [`ActivitiesParams::known`].
    pub fn list(self, params: ActivitiesParams) -> Pager<Activity> {
        self.0.pager(params.request(), params.walk())
    }
}
