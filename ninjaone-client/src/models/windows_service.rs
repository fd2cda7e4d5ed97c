//! Windows services.

use crate::{DeviceId, open_enum::open_enum};

model! {
    /// A Windows service.
    WindowsService {
        /// Reports only: the device.
        device_id: DeviceId,
        /// Name.
        name: String,
        /// Name to show.
        display_name: String,
        /// Description.
        description: String,
        /// How it is started.
        start_type: ServiceStartType,
        /// The account it runs under.
        user_name: String,
        /// Its state.
        state: ServiceState,
    } times {
        /// Reports only: when the row was collected.
        timestamp,
    }
}

open_enum! {
    /// How a Windows service is started.
    ServiceStartType {
        AutoStart = "AUTO_START",
        AutoStartDelayed = "AUTO_START_DELAYED",
        BootStart = "BOOT_START",
        DemandStart = "DEMAND_START",
        Disabled = "DISABLED",
        SystemStart = "SYSTEM_START",
    }
}

open_enum! {
    /// State of a Windows service.
    ServiceState {
        /// The device could not determine it.
        NotKnown = "UNKNOWN",
        Stopped = "STOPPED",
        StartPending = "START_PENDING",
        Running = "RUNNING",
        StopPending = "STOP_PENDING",
        PausePending = "PAUSE_PENDING",
        Paused = "PAUSED",
        ContinuePending = "CONTINUE_PENDING",
    }
}
