//! Patches of operating systems and of third-party software.
//!
//! The vendor's document lists no values for their words; the constants are those seen on live tenants, in two
//! vocabularies and either case. A patch's `id` is shared by all devices: a row is identified by device and patch.

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
        /// How severe it is.
        severity: PatchSeverity,
        /// Where it stands.
        status: PatchStatus,
        /// What kind of patch it is.
        r#type: PatchType,
    } times {
        /// When it was installed or attempted; live tenants leave it out on some rows.
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
        /// How much it matters.
        impact: PatchImpact,
        /// Where it stands.
        status: PatchStatus,
        /// What kind of patch it is.
        r#type: PatchType,
    } times {
        /// When it was installed or attempted; live tenants leave it out on some rows.
        installed_at,
        /// When the row was collected.
        timestamp,
    }
}

code! {
    /// Severity of an operating system's patch: Windows sends capitals, Mac and Linux a vocabulary of their own.
    PatchSeverity {
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
    /// Impact of a software patch, in any case.
    PatchImpact {
        CRITICAL = "CRITICAL",
        RECOMMENDED = "RECOMMENDED",
        OPTIONAL = "OPTIONAL",
    }
}

code! {
    /// Where a patch stands.
    PatchStatus {
        /// Waits for a person; the console says *Pending*:
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
    /// What kind of patch it is.
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
