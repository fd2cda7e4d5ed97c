//! Everything about one device. The lists of a device come whole, except its activities.

use time::OffsetDateTime;

use super::{
    OneOf,
    activities::{MOST_NOT_ASKED_FOR, is_asked_for},
    all,
    devices::Devices,
    endpoint, methods, params,
};
use crate::{
    ActivityId, DeviceId, Error,
    models::{
        Activity, ActivityStatus, ActivityType, Alert, CustomFieldValues, Device, DeviceLink, Disk,
        Job, LoggedOnUser, NetworkInterface, OsPatch, OsPatchSeverity, PatchImpact, PatchStatus,
        PatchType, PolicyOverrides, Processor, ServiceState, Software, SoftwarePatch, Volume,
        WindowsService,
    },
    paging::{ActivityRange, Pager, Walk},
};

methods! {
    Devices {
        /// One device, in detail.
        Single get(id: DeviceId) -> Device = "devices.get" "/v2/device/{id}";
        /// Disks of a device.
        Whole disks(id: DeviceId) -> Disk = "devices.disks" "/v2/device/{id}/disks";
        /// Who logged on to a device last.
        Single last_logged_on_user(id: DeviceId) -> LoggedOnUser
            = "devices.last_logged_on_user" "/v2/device/{id}/last-logged-on-user";
        /// Network interfaces of a device.
        Whole network_interfaces(id: DeviceId) -> NetworkInterface
            = "devices.network_interfaces" "/v2/device/{id}/network-interfaces";
        /// Which sections of its policy a device overrides.
        Single policy_overrides(id: DeviceId) -> PolicyOverrides
            = "devices.policy_overrides" "/v2/device/{id}/policy/overrides";
        /// Processors of a device.
        Whole processors(id: DeviceId) -> Processor = "devices.processors" "/v2/device/{id}/processors";
        /// Software installed on a device.
        Whole software(id: DeviceId) -> Software = "devices.software" "/v2/device/{id}/software";
    }
}

params! {
    /// Which activities of a device. The log is walked back by id, as [that of the tenant](super::activities::ActivitiesParams).
    DeviceActivitiesParams = endpoint!("devices.activities" "/v2/device/{id}/activities" Backwards);
    at (id: DeviceId);
    page_size 1000 in 10..=1000;
    {
        /// Begins before this activity.
        older_than: ActivityId = "olderThan";
        /// Only activities of this type. The log of the tenant names the same parameter otherwise.
        activity_type: ActivityType = "activityType";
        /// Only activities of these status codes.
        statuses: OneOf<ActivityStatus> = "status";
        /// Only activities of this series (UUID).
        series: String = "seriesUid";
        /// Language of the texts.
        language: String = "lang";
        /// Time zone of the texts.
        time_zone: String = "tz";
    }
    local {
        /// Leaves out activities older than this. It does not end the walk: devices report late.
        until: OffsetDateTime;
        /// Ends the walk at this activity, which with all before it is known already.
        known: ActivityId;
        /// How many activities the walk passes over that were not asked for: of other codes or types, or too old. One more
        /// is an error ([`LimitExceeded`](crate::ErrorKind::LimitExceeded)), because wanted ones may lie below. Default: 50,000.
        most_not_asked_for: usize;
    }
}

params! {
    /// How to ask for the alerts of a device.
    DeviceAlertsParams = endpoint!("devices.alerts" "/v2/device/{id}/alerts" Whole);
    at (id: DeviceId);
    {
        /// Language of the texts.
        language: String = "lang";
        /// Time zone of the texts.
        time_zone: String = "tz";
    }
}

params! {
    /// How to ask for the jobs of a device.
    DeviceJobsParams = endpoint!("devices.jobs" "/v2/device/{id}/jobs" Whole);
    at (id: DeviceId);
    {
        /// Language of the texts.
        language: String = "lang";
        /// Time zone of the texts.
        time_zone: String = "tz";
    }
}

params! {
    /// Which custom field values of a device.
    DeviceCustomFieldsParams = endpoint!("devices.custom_fields" "/v2/device/{id}/custom-fields" Single);
    at (id: DeviceId);
    {}
    flags {
        /// Asks for values that the device inherits from its location and organization, too.
        with_inheritance = "withInheritance" "true";
    }
}

params! {
    /// Which link to a device.
    DashboardUrlParams = endpoint!("devices.dashboard_url" "/v2/device/{id}/dashboard-url" Single);
    at (id: DeviceId);
    {
        /// Whether the answer is a redirect, which this client does not follow: leave it out.
        redirect: bool = "redirect";
    }
}

params! {
    /// Which attempts to install patches of a device's operating system.
    DeviceOsPatchInstallsParams = endpoint!("devices.os_patch_installs" "/v2/device/{id}/os-patch-installs" Whole);
    at (id: DeviceId);
    {
        /// Only `FAILED` or only `INSTALLED`.
        status: PatchStatus = "status";
        /// Only attempts before this time.
        installed_before: OffsetDateTime = "installedBefore";
        /// Only attempts after this time.
        installed_after: OffsetDateTime = "installedAfter";
    }
}

params! {
    /// Which patches of a device's operating system.
    DeviceOsPatchesParams = endpoint!("devices.os_patches" "/v2/device/{id}/os-patches" Whole);
    at (id: DeviceId);
    {
        /// Only patches of this status.
        status: PatchStatus = "status";
        /// Only patches of this type.
        r#type: PatchType = "type";
        /// Only patches of this severity.
        severity: OsPatchSeverity = "severity";
    }
}

params! {
    /// Which attempts to install patches of a device's software.
    DeviceSoftwarePatchInstallsParams =
        endpoint!("devices.software_patch_installs" "/v2/device/{id}/software-patch-installs" Whole);
    at (id: DeviceId);
    {
        /// Only patches of this type.
        r#type: PatchType = "type";
        /// Only patches of this impact.
        impact: PatchImpact = "impact";
        /// Only `FAILED` or only `INSTALLED`.
        status: PatchStatus = "status";
        /// Only patches of this product (UUID).
        product_identifier: String = "productIdentifier";
        /// Only attempts before this time.
        installed_before: OffsetDateTime = "installedBefore";
        /// Only attempts after this time.
        installed_after: OffsetDateTime = "installedAfter";
    }
}

params! {
    /// Which patches of a device's software.
    DeviceSoftwarePatchesParams = endpoint!("devices.software_patches" "/v2/device/{id}/software-patches" Whole);
    at (id: DeviceId);
    {
        /// Only patches of this status.
        status: PatchStatus = "status";
        /// Only patches of this product (UUID).
        product_identifier: String = "productIdentifier";
        /// Only patches of this type.
        r#type: PatchType = "type";
        /// Only patches of this impact.
        impact: PatchImpact = "impact";
    }
}

params! {
    /// Which volumes of a device.
    DeviceVolumesParams = endpoint!("devices.volumes" "/v2/device/{id}/volumes" Whole);
    at (id: DeviceId);
    {}
    flags {
        /// Asks for the state of BitLocker, which is left out otherwise.
        bitlocker = "include" "bl";
    }
}

params! {
    /// Which Windows services of a device.
    DeviceWindowsServicesParams = endpoint!("devices.windows_services" "/v2/device/{id}/windows-services" Whole);
    at (id: DeviceId);
    {
        /// Only the service of this name.
        name: String = "name";
        /// Only services in this state.
        state: ServiceState = "state";
    }
}

all! {
    PLAIN;
    DeviceActivitiesParams::ENDPOINT,
    DeviceAlertsParams::ENDPOINT,
    DeviceJobsParams::ENDPOINT,
    DeviceCustomFieldsParams::ENDPOINT,
    DashboardUrlParams::ENDPOINT,
    DeviceOsPatchInstallsParams::ENDPOINT,
    DeviceOsPatchesParams::ENDPOINT,
    DeviceSoftwarePatchInstallsParams::ENDPOINT,
    DeviceSoftwarePatchesParams::ENDPOINT,
    DeviceVolumesParams::ENDPOINT,
    DeviceWindowsServicesParams::ENDPOINT,
}

/// Declares the lists of one device that take parameters.
macro_rules! lists {
    ($($(#[$doc:meta])* $method:ident($params:ident) -> $row:ty;)*) => {
        impl Devices<'_> {$(
            $(#[$doc])*
            pub fn $method(self, id: DeviceId, params: $params) -> Pager<$row> {
                self.0.pager(params.request(id), Walk::Whole)
            }
        )*}
    };
}

lists! {
    /// Alerts of a device.
    alerts(DeviceAlertsParams) -> Alert;
    /// Jobs that run on a device at this moment.
    jobs(DeviceJobsParams) -> Job;
    /// Attempts to install patches of a device's operating system, successful and failed.
    os_patch_installs(DeviceOsPatchInstallsParams) -> OsPatch;
    /// Patches of a device's operating system that are pending, approved, rejected or delayed.
    os_patches(DeviceOsPatchesParams) -> OsPatch;
    /// Attempts to install patches of a device's software, successful and failed.
    software_patch_installs(DeviceSoftwarePatchInstallsParams) -> SoftwarePatch;
    /// Patches of a device's software that are pending, approved or rejected.
    software_patches(DeviceSoftwarePatchesParams) -> SoftwarePatch;
    /// Volumes of a device; with their encryption when [`DeviceVolumesParams::bitlocker`] asks for it.
    volumes(DeviceVolumesParams) -> Volume;
    /// Windows services of a device.
    windows_services(DeviceWindowsServicesParams) -> WindowsService;
}

impl Devices<'_> {
    /// Activities of a device, newest first, back to where the parameters say.
    pub fn activities(self, id: DeviceId, params: DeviceActivitiesParams) -> Pager<Activity> {
        let wanted = ActivityRange {
            known: params.known.map(ActivityId::get),
            since: params.until,
            time_of: |row: &Activity| row.activity_time.and_then(crate::Timestamp::at),
            is_asked_for: is_asked_for(params.statuses.clone(), params.activity_type.clone()),
            most_not_asked_for: params.most_not_asked_for.unwrap_or(MOST_NOT_ASKED_FOR),
        };
        let walk = Walk::backwards(
            params.older_than.map(ActivityId::get),
            wanted,
            params.page_rows(),
            |row: &Activity| row.id.map(ActivityId::get),
        );
        self.0.pager(params.request(id), walk)
    }

    /// Custom field values of a device.
    ///
    /// # Errors
    /// As every request: see [`ErrorKind`](crate::ErrorKind).
    pub async fn custom_fields(
        self,
        id: DeviceId,
        params: DeviceCustomFieldsParams,
    ) -> Result<CustomFieldValues, Error> {
        self.0.single(&params.request(id)).await
    }

    /// A link to a device in the NinjaOne console, which works for a while.
    ///
    /// # Errors
    /// As every request: see [`ErrorKind`](crate::ErrorKind). It needs the scope
    /// [`Management`](crate::Scope::Management).
    pub async fn dashboard_url(
        self,
        id: DeviceId,
        params: DashboardUrlParams,
    ) -> Result<DeviceLink, Error> {
        self.0.single(&params.request(id)).await
    }
}
