//! Health of devices.

use std::collections::BTreeMap;

use crate::{DeviceId, open_enum::open_enum};

model! {
    /// Health of one device, with counts of its problems.
    DeviceHealth {
        /// The device.
        device_id: DeviceId,
        /// Active threats.
        active_threats_count: i64,
        /// Quarantined threats.
        quarantined_threats_count: i64,
        /// Blocked threats.
        blocked_threats_count: i64,
        /// Patches of the operating system that failed.
        #[serde(rename = "failedOSPatchesCount")]
        failed_os_patches_count: i64,
        /// Patches of the operating system that are pending.
        #[serde(rename = "pendingOSPatchesCount")]
        pending_os_patches_count: i64,
        /// Patches of software that failed.
        failed_software_patches_count: i64,
        /// Patches of software that are pending.
        pending_software_patches_count: i64,
        /// Alerts.
        alert_count: i64,
        /// Running jobs.
        active_job_count: i64,
        /// Why a restart is pending, such as `WINDOWS_PM`.
        pending_reboot_reason: String,
        /// Installation of the antivirus product.
        av_install_status: InstallStatus,
        /// Installation of integrated products, by product.
        products_installation_statuses: BTreeMap<String, InstallStatus>,
        /// Whether it is offline.
        offline: bool,
        /// The device it belongs to.
        parent_device_id: DeviceId,
        /// Whether the parent device is offline.
        parent_offline: bool,
        /// The overall health.
        health_status: HealthStatus,
        /// Critical vulnerabilities.
        critical_vulnerability_count: i64,
        /// High vulnerabilities.
        high_vulnerability_count: i64,
        /// Medium vulnerabilities.
        medium_vulnerability_count: i64,
        /// Low vulnerabilities.
        low_vulnerability_count: i64,
        /// Installations with problems.
        installation_issues_count: i64,
    }
}

open_enum! {
    /// Overall health of a device.
    HealthStatus {
        /// NinjaOne has not determined the health.
        NotKnown = "UNKNOWN",
        Healthy = "HEALTHY",
        NeedsAttention = "NEEDS_ATTENTION",
        Unhealthy = "UNHEALTHY",
    }
}

open_enum! {
    /// State of the installation of a product.
    InstallStatus {
        Requested = "REQUESTED",
        DownloadStarted = "DOWNLOAD_STARTED",
        Downloaded = "DOWNLOADED",
        DownloadFailed = "DOWNLOAD_FAILED",
        InstallStarted = "INSTALL_STARTED",
        Installed = "INSTALLED",
        InstallFailed = "INSTALL_FAILED",
        UninstallRequested = "UNINSTALL_REQUESTED",
        UninstallFailed = "UNINSTALL_FAILED",
        Uninstalled = "UNINSTALLED",
    }
}
