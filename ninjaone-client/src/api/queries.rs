//! Reports over the whole fleet.
//!
//! A report is a snapshot that NinjaOne keeps under a cursor: read it through at once. Its rows carry the device's id and
//! no organization: join them to the device list, and drop what belongs to nobody you asked for, since a filter that a
//! report does not honour is ignored without a word.

use time::OffsetDateTime;

use super::{Names, endpoint, group, params};
use crate::DeviceFilter;
use crate::models::{
    AntivirusStatus, DeviceCustomFields, OsPatch, PatchImpact, PatchSeverity, PatchStatus,
    PatchType, ProductState, SoftwarePatch, Volume,
};
use crate::paging::{Pager, Walk};

group! {
    /// Reports over the whole fleet.
    Queries, queries
}

params! {
    /// Which volumes.
    VolumesParams = endpoint!("queries.volumes" "/v2/queries/volumes" ByCursor);
    page_size 1000 in 1..=10000;
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
    page_size 1000 in 1..=10000;
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
    page_size 1000 in 1..=10000;
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
        severity: PatchSeverity = "severity";
    }
}

params! {
    /// Which attempts to install patches of operating systems.
    OsPatchInstallsParams = endpoint!("queries.os_patch_installs" "/v2/queries/os-patch-installs" ByCursor);
    page_size 1000 in 1..=10000;
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
    page_size 1000 in 1..=10000;
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
    page_size 1000 in 1..=10000;
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
    page_size 1000 in 10..=10000;
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

/// Declares the methods of the reports.
macro_rules! reports {
    ($($(#[$doc:meta])* $method:ident($params:ident) -> $row:ty;)*) => {
        impl Queries<'_> {$(
            $(#[$doc])*
            pub fn $method(&self, params: $params) -> Pager<$row> {
                self.0.pager(params.request(), Walk::by_cursor("cursor", params.page_size))
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
}
