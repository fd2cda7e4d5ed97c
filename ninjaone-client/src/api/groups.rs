//! Groups of devices.

use super::{all, group, methods};
use crate::{DeviceId, GroupId, models::Group};

group! {
    /// Groups: saved searches for devices.
    Groups, groups
}

methods! {
    Groups {
        /// All groups.
        Whole list() -> Group = "groups.list" "/v2/groups";
        /// Ids of the devices in a group.
        Whole device_ids(id: GroupId) -> DeviceId = "groups.device_ids" "/v2/group/{id}/device-ids";
    }
}

all! { PLAIN; }
