//! Reports over the whole fleet.
//!
//! A report is a snapshot that NinjaOne keeps under a cursor: read it through at once. Its rows carry the device's id and
//! no organization: join them to the device list, and drop what belongs to nobody you asked for, since a filter that a
//! report does not honour is ignored without a word.

use time::OffsetDateTime;

use super::{Names, all, endpoint, group, params};
use crate::{
    DeviceFilter,
    models::{
        AntivirusStatus, AntivirusThreat, ComputerSystem, Device, DeviceCustomFields,
        DeviceCustomFieldsDetailed, DeviceHealth, Disk, HealthStatus, LoggedOnUser,
        NetworkInterface, OperatingSystem, OsPatch, OsPatchSeverity, PatchImpact, PatchStatus,
        PatchType, PolicyOverrides, Processor, ProductState, RaidController, RaidDrive,
        ScopedCustomFields, ScopedCustomFieldsDetailed, ServiceState, Software, SoftwarePatch,
        Volume, WindowsService,
    },
    paging::{Pager, Walk},
};

group! {
    /// Reports over the whole fleet.
    Queries, queries
}

params! {
    /// Which volumes.
    VolumesParams = endpoint!("queries.volumes" "/v2/queries/volumes" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only volumes of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
    flags {
        /// Asks for the state of BitLocker, which is left out otherwise.
        bitlocker = "include" "bl";
    }
}

params! {
    /// Which antivirus products.
    AntivirusStatusParams = endpoint!("queries.antivirus_status" "/v2/queries/antivirus-status" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only products on devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
        /// Only products in this state.
        product_state: ProductState = "productState";
        /// Only this product.
        product_name: String = "productName";
    }
}

params! {
    /// Which patches of operating systems that nobody has tried to install.
    OsPatchesParams = endpoint!("queries.os_patches" "/v2/queries/os-patches" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only patches on devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
        /// Only patches of this status.
        status: PatchStatus = "status";
        /// Only patches of this type.
        r#type: PatchType = "type";
        /// Only patches of this severity.
        severity: OsPatchSeverity = "severity";
    }
}

params! {
    /// Which attempts to install patches of operating systems.
    OsPatchInstallsParams = endpoint!("queries.os_patch_installs" "/v2/queries/os-patch-installs" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only attempts on devices that match.
        filter: DeviceFilter = "df";
        /// Only `FAILED` or only `INSTALLED`.
        status: PatchStatus = "status";
        /// Only attempts before this time.
        installed_before: OffsetDateTime = "installedBefore";
        /// Only attempts after this time. Without it the history goes back to the beginning.
        installed_after: OffsetDateTime = "installedAfter";
    }
}

params! {
    /// Which patches of third-party software that nobody has tried to install.
    SoftwarePatchesParams = endpoint!("queries.software_patches" "/v2/queries/software-patches" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only patches on devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
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
    /// Which attempts to install patches of third-party software.
    SoftwarePatchInstallsParams =
        endpoint!("queries.software_patch_installs" "/v2/queries/software-patch-installs" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only attempts on devices that match.
        filter: DeviceFilter = "df";
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
        /// Only attempts after this time. Without it the history goes back to the beginning.
        installed_after: OffsetDateTime = "installedAfter";
    }
}

params! {
    /// Which custom field values.
    CustomFieldsParams = endpoint!("queries.custom_fields" "/v2/queries/custom-fields" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only values of devices that match.
        filter: DeviceFilter = "df";
        /// Only values written after this time.
        updated_after: OffsetDateTime = "updatedAfter";
        /// Only these fields.
        fields: Names = "fields";
        /// Whether secure values come in clear. Default: no.
        show_secure_values: bool = "showSecureValues";
    }
}

params! {
    /// Which threats.
    AntivirusThreatsParams = endpoint!("queries.antivirus_threats" "/v2/queries/antivirus-threats" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Which sizes of backups. The vendor has no device filter here: pick your rows by their organization.
    BackupUsageParams = endpoint!("queries.backup_usage" "/v2/queries/backup/usage" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Whether deleted devices count.
        include_deleted_devices: bool = "includeDeletedDevices";
    }
    flags {
        /// Asks for the times of the last successful and the last failed job. Seen live, not in the vendor's document.
        with_last_job_times = "includeLastBackupJobTimes" "true";
    }
}

params! {
    /// Which computers.
    ComputerSystemsParams = endpoint!("queries.computer_systems" "/v2/queries/computer-systems" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Which custom field values, with who wrote them.
    CustomFieldsDetailedParams =
        endpoint!("queries.custom_fields_detailed" "/v2/queries/custom-fields-detailed" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Only values written after this time.
        updated_after: OffsetDateTime = "updatedAfter";
        /// Only these fields.
        fields: Names = "fields";
        /// Whether secure values come in clear. Default: no.
        show_secure_values: bool = "showSecureValues";
    }
}

params! {
    /// Which custom field values of devices, locations and organizations.
    ScopedCustomFieldsParams = endpoint!("queries.scoped_custom_fields" "/v2/queries/scoped-custom-fields" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only values written after this time.
        updated_after: OffsetDateTime = "updatedAfter";
        /// Only these fields.
        fields: Names = "fields";
        /// Only these scopes: `all`, `node`, `location`, `organization`.
        scopes: Names = "scopes";
        /// Whether secure values come in clear. Default: no.
        show_secure_values: bool = "showSecureValues";
    }
}

params! {
    /// Which custom field values of devices, locations and organizations, with who wrote them.
    ScopedCustomFieldsDetailedParams =
        endpoint!("queries.scoped_custom_fields_detailed" "/v2/queries/scoped-custom-fields-detailed" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only values written after this time.
        updated_after: OffsetDateTime = "updatedAfter";
        /// Only these fields.
        fields: Names = "fields";
        /// Only these scopes: `all`, `node`, `location`, `organization`.
        scopes: Names = "scopes";
        /// Whether secure values come in clear. Default: no.
        show_secure_values: bool = "showSecureValues";
    }
}

params! {
    /// Health of which devices.
    DeviceHealthParams = endpoint!("queries.device_health" "/v2/queries/device-health" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Only devices of this verdict.
        health: HealthStatus = "health";
    }
}

params! {
    /// Which disks.
    DisksParams = endpoint!("queries.disks" "/v2/queries/disks" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Last users of which devices.
    LoggedOnUsersParams = endpoint!("queries.logged_on_users" "/v2/queries/logged-on-users" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
    }
}

params! {
    /// Which network interfaces.
    NetworkInterfacesParams = endpoint!("queries.network_interfaces" "/v2/queries/network-interfaces" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
    }
}

params! {
    /// Which operating systems.
    OperatingSystemsParams = endpoint!("queries.operating_systems" "/v2/queries/operating-systems" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Overrides of which devices.
    PolicyOverridesParams = endpoint!("queries.policy_overrides" "/v2/queries/policy-overrides" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
    }
}

params! {
    /// Which processors.
    ProcessorsParams = endpoint!("queries.processors" "/v2/queries/processors" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Which RAID controllers.
    RaidControllersParams = endpoint!("queries.raid_controllers" "/v2/queries/raid-controllers" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Which drives at RAID controllers.
    RaidDrivesParams = endpoint!("queries.raid_drives" "/v2/queries/raid-drives" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Monitoring timestamp filter, in the vendor's undocumented syntax.
        ts: String = "ts";
    }
}

params! {
    /// Which software.
    SoftwareParams = endpoint!("queries.software" "/v2/queries/software" ByCursor);
    page_size 5000 in 1..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Only software installed before this time.
        installed_before: OffsetDateTime = "installedBefore";
        /// Only software installed after this time.
        installed_after: OffsetDateTime = "installedAfter";
    }
}

params! {
    /// Which Windows services.
    WindowsServicesParams = endpoint!("queries.windows_services" "/v2/queries/windows-services" ByCursor);
    page_size 5000 in 10..=10000;
    {
        /// Only rows of devices that match.
        filter: DeviceFilter = "df";
        /// Only services of this name.
        name: String = "name";
        /// Only services in this state.
        state: ServiceState = "state";
    }
}

/// Declares the methods of the reports.
macro_rules! reports {
    ($($(#[$doc:meta])* $method:ident($params:ident) -> $row:ty;)*) => {
        all! { &[]; $($params::ENDPOINT),* }

        impl Queries<'_> {$(
            $(#[$doc])*
            pub fn $method(self, params: $params) -> Pager<$row> {
                self.0.pager(params.request(), Walk::by_cursor("cursor", params.page_rows()))
            }
        )*}
    };
}

reports! {
    /// Disk volumes; with their encryption when [`VolumesParams::bitlocker`] asks for it.
    volumes(VolumesParams) -> Volume;
    /// Antivirus products, several for a device at times. A device without a row may well have one.
    antivirus_status(AntivirusStatusParams) -> AntivirusStatus;
    /// Patches of operating systems that are pending, approved, rejected or delayed. None is no proof that all are
    /// installed.
    os_patches(OsPatchesParams) -> OsPatch;
    /// Attempts to install patches of operating systems, successful and failed.
    os_patch_installs(OsPatchInstallsParams) -> OsPatch;
    /// Patches of third-party software that are pending, approved or rejected.
    software_patches(SoftwarePatchesParams) -> SoftwarePatch;
    /// Attempts to install patches of third-party software, successful and failed.
    software_patch_installs(SoftwarePatchInstallsParams) -> SoftwarePatch;
    /// Custom field values of devices.
    custom_fields(CustomFieldsParams) -> DeviceCustomFields;
    /// Custom field values of devices, with who wrote them and when.
    custom_fields_detailed(CustomFieldsDetailedParams) -> DeviceCustomFieldsDetailed;
    /// Custom field values of devices, locations and organizations.
    scoped_custom_fields(ScopedCustomFieldsParams) -> ScopedCustomFields;
    /// Custom field values of devices, locations and organizations, with who wrote them and when.
    scoped_custom_fields_detailed(ScopedCustomFieldsDetailedParams) -> ScopedCustomFieldsDetailed;
    /// Threats that antivirus products found.
    antivirus_threats(AntivirusThreatsParams) -> AntivirusThreat;
    /// Sizes of backups, below `references` of each device; a device without backup is listed with zeros.
    backup_usage(BackupUsageParams) -> Device;
    /// Hardware and domains.
    computer_systems(ComputerSystemsParams) -> ComputerSystem;
    /// Health, in numbers.
    device_health(DeviceHealthParams) -> DeviceHealth;
    /// Physical disks.
    disks(DisksParams) -> Disk;
    /// Who logged on last.
    logged_on_users(LoggedOnUsersParams) -> LoggedOnUser;
    /// Network interfaces.
    network_interfaces(NetworkInterfacesParams) -> NetworkInterface;
    /// Operating systems.
    operating_systems(OperatingSystemsParams) -> OperatingSystem;
    /// Which sections of its policy each device overrides.
    policy_overrides(PolicyOverridesParams) -> PolicyOverrides;
    /// Processors.
    processors(ProcessorsParams) -> Processor;
    /// RAID controllers.
    raid_controllers(RaidControllersParams) -> RaidController;
    /// Drives at RAID controllers.
    raid_drives(RaidDrivesParams) -> RaidDrive;
    /// Installed software.
    software(SoftwareParams) -> Software;
    /// Windows services.
    windows_services(WindowsServicesParams) -> WindowsService;
}
