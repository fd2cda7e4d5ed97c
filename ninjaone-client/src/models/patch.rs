//! Patches of operating systems and of third-party software.
//!
//! The vendor's document lists no values for status, severity and type; the constants are values seen on live tenants, in two vocabularies
//! and in upper or lower case. All devices share the `id` of a patch: device and patch together identify a row.

use crate::{DeviceId, open_enum::code};

model! {
    /// A patch of the operating system, pending on or attempted on one device.
    OsPatch {
        /// The device.
        device_id: DeviceId,
        /// UUID of the patch, shared by all devices.
        id: String,
        /// Name.
        name: String,
        /// Number in Microsoft's knowledge base, such as `KB5031356`.
        kb_number: String,
        /// Severity.
        severity: OsPatchSeverity,
        /// Status.
        status: PatchStatus,
        /// Kind of patch.
        r#type: PatchType,
    } times {
        /// When it was installed or attempted. On live tenants, some rows lack it.
        installed_at,
        /// When the row was collected.
        timestamp,
    }
}

model! {
    /// A patch of third-party software, pending on or attempted on one device.
    SoftwarePatch {
        /// The device.
        device_id: DeviceId,
        /// UUID of the patch, shared by all devices.
        id: String,
        /// UUID of the product.
        product_identifier: String,
        /// Title.
        title: String,
        /// Impact.
        impact: PatchImpact,
        /// Status.
        status: PatchStatus,
        /// Kind of patch.
        r#type: PatchType,
    } times {
        /// When it was installed or attempted. On live tenants, some rows lack it.
        installed_at,
        /// When the row was collected.
        timestamp,
    }
}

code! {
    /// Severity of an operating system's patch. Windows sends capitals; Mac and Linux use another vocabulary.
    OsPatchSeverity {
        CRITICAL = "CRITICAL",
        IMPORTANT = "IMPORTANT",
        SECURITY = "SECURITY",
        MODERATE = "MODERATE",
        LOW = "LOW",
        OPTIONAL = "OPTIONAL",
        RECOMMENDED = "RECOMMENDED",
        NONE = "NONE",
    }
}

code! {
    /// Impact of a software patch, in upper or lower case.
    PatchImpact {
        CRITICAL = "CRITICAL",
        RECOMMENDED = "RECOMMENDED",
        OPTIONAL = "OPTIONAL",
    }
}

code! {
    /// Status of a patch.
    PatchStatus {
        /// Waits for a person. The console shows it as *Pending*:
        MANUAL = "MANUAL",
        APPROVED = "APPROVED",
        REJECTED = "REJECTED",
        DELAYED = "DELAYED",
        PENDING = "PENDING",
        FAILED = "FAILED",
        INSTALLED = "INSTALLED",
    }
}

code! {
    /// Kind of patch.
    PatchType {
        UNKNOWN = "UNKNOWN",
        UNSPECIFIED = "UNSPECIFIED",
        SECURITY_UPDATES = "SECURITY_UPDATES",
        CRITICAL_UPDATES = "CRITICAL_UPDATES",
        UPDATE_ROLLUPS = "UPDATE_ROLLUPS",
        REGULAR_UPDATES = "REGULAR_UPDATES",
        DEFINITION_UPDATES = "DEFINITION_UPDATES",
        DRIVER_UPDATES = "DRIVER_UPDATES",
        FEATURE_UPDATES = "FEATURE_UPDATES",
        FEATURE_PACKS = "FEATURE_PACKS",
        SERVICE_PACKS = "SERVICE_PACKS",
        /// Software:
        PATCH = "PATCH",
        /// Software:
        INSTALLER = "INSTALLER",
    }
}
