//! Hardware and operating systems: parts of a detailed device, and rows of the reports about them.

use crate::{DeviceId, open_enum::open_enum};

model! {
    /// An operating system.
    OperatingSystem {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Manufacturer.
        manufacturer: String,
        /// Name with edition.
        name: String,
        /// Architecture, such as `64-bit`.
        architecture: String,
        /// Build number.
        build_number: String,
        /// Release, such as `21H2`.
        release_id: String,
        /// Service pack, major part.
        service_pack_major_version: i64,
        /// Service pack, minor part.
        service_pack_minor_version: i64,
        /// Locale, such as `en-GB`.
        locale: String,
        /// Language.
        language: String,
        /// Whether a restart is pending.
        needs_reboot: bool,
    } times {
        /// When it was last started.
        last_boot_time,
        /// Reports only: when the row was collected.
        timestamp,
    }
}

model! {
    /// Hardware and domain of a machine. Mobile devices send only some of the fields, and also `display_name` and `build`.
    ComputerSystem {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Name of the computer.
        name: String,
        /// Manufacturer.
        manufacturer: String,
        /// Model.
        model: String,
        /// Serial number in the firmware.
        bios_serial_number: String,
        /// Serial number.
        serial_number: String,
        /// Serial number of the asset tag.
        asset_serial_number: String,
        /// Domain or workgroup.
        domain: String,
        /// Role in the domain, such as `Member Server`.
        domain_role: String,
        /// Processors.
        number_of_processors: i64,
        /// Physical memory in bytes.
        total_physical_memory: i64,
        /// Whether it is a virtual machine.
        virtual_machine: bool,
        /// Form of the chassis. Virtual machines send `DESKTOP`.
        chassis_type: ChassisType,
        /// Mobile devices: name to show.
        display_name: String,
        /// Mobile devices: build.
        build: String,
    } times {
        /// Reports only: when the row was collected.
        timestamp,
    }
}

model! {
    /// Memory of a machine.
    Memory {
        /// Bytes.
        capacity: i64,
    }
}

model! {
    /// A processor.
    Processor {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Architecture, such as `x64`.
        architecture: String,
        /// Highest clock speed in Hz.
        max_clock_speed: i64,
        /// Current clock speed in Hz.
        clock_speed: i64,
        /// Name.
        name: String,
        /// Cores.
        num_cores: i64,
        /// Logical cores.
        num_logical_cores: i64,
    } times {
        /// Reports only: when the row was collected.
        timestamp,
    }
}

model! {
    /// Cellular identity of a mobile device.
    MobileNetwork {
        /// International mobile equipment identity.
        imei: String,
        /// Identifier of the embedded SIM chip.
        eid: String,
        /// Mobile equipment identifier.
        meid: String,
        /// Telephone number.
        phone_number: String,
        /// Carrier.
        carrier: String,
        /// Identifier of the SIM card.
        icc_id: String,
    }
}

open_enum! {
    /// Form of a chassis.
    ChassisType {
        /// The device could not determine it.
        NotKnown = "UNKNOWN",
        Desktop = "DESKTOP",
        Laptop = "LAPTOP",
        Mobile = "MOBILE",
    }
}
