//! Physical disks and RAID.

use crate::DeviceId;

model! {
    /// A physical disk.
    Disk {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Bytes of one sector.
        bytes_per_sector: i64,
        /// Description.
        description: String,
        /// Interface, such as `SCSI`.
        interface_type: String,
        /// Manufacturer.
        manufacturer: String,
        /// Media type.
        media_type: String,
        /// Model.
        model: String,
        /// Name.
        name: String,
        /// Partitions.
        partition_count: i64,
        /// Serial number.
        serial_number: String,
        /// Size in bytes.
        size: i64,
        /// Whether it can report its own health.
        smart_capable: bool,
        /// State.
        status: String,
    } times {
        /// Reports only: when the row was collected.
        timestamp,
    }
}

model! {
    /// A RAID controller.
    RaidController {
        /// The device.
        device_id: DeviceId,
        /// State of the backup battery.
        backup_battery_status: String,
        /// Temperature of the battery.
        battery_temperature: i64,
        /// Version of the BIOS.
        bios_version: String,
        /// Size of the cache in bytes.
        cache_size: i64,
        /// Number of the controller.
        controller_index: i64,
        /// Name of the driver.
        driver_name: String,
        /// Version of the driver.
        driver_version: String,
        /// Family.
        family: String,
        /// Version of the firmware.
        firmware_version: String,
        /// Revision of the hardware.
        hardware_revision: String,
        /// Manufacturer.
        manufacturer: String,
        /// Model.
        model: String,
        /// Physical drives.
        physical_drive_count: i64,
        /// Slot.
        slot: String,
        /// State.
        system_health_status: String,
        /// Virtual drives.
        virtual_drive_count: i64,
    } times {
        /// When it was manufactured.
        manufacturing_date,
        /// When the row was collected.
        timestamp,
    }
}

model! {
    /// A drive of a RAID controller.
    RaidDrive {
        /// The device.
        device_id: DeviceId,
        /// Number of the controller.
        controller_index: i64,
        /// Group of drives.
        drive_group: String,
        /// Identifier.
        drive_id: String,
        /// Interface.
        interface_type: String,
        /// Location.
        location: String,
        /// Media type.
        media_type: String,
        /// Model.
        model: String,
        /// Protection.
        protection_info: String,
        /// Whether it encrypts itself.
        self_encrypted: bool,
        /// Serial number.
        serial: String,
        /// Size in bytes.
        size: i64,
        /// Whether it spins.
        spun: bool,
        /// State.
        status: String,
    } times {
        /// When the row was collected.
        timestamp,
    }
}
