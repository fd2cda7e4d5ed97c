//! Installed software, and the products NinjaOne can patch.

use crate::DeviceId;

model! {
    /// Software installed on a device.
    Software {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Name of the product.
        name: String,
        /// Version.
        version: String,
        /// Publisher.
        publisher: String,
        /// Where it is installed.
        location: String,
        /// Bytes on disk.
        size: i64,
        /// Product code.
        product_code: String,
        /// Day of installation, as text (`YYYY-MM-DD`).
        install_date: String,
        /// Whether it belongs to the operating system.
        is_system_component: bool,
    } times {
        /// Reports only: when the row was collected.
        timestamp,
    }
}

model! {
    /// A third-party product that NinjaOne can patch.
    SoftwareProduct {
        /// UUID of the product.
        id: String,
        /// Vendor.
        vendor_name: String,
        /// Product.
        product_name: String,
        /// Whether it can be installed.
        installable: bool,
        /// Whether it is in use.
        active: bool,
    }
}
