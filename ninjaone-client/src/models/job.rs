//! Jobs: what runs on devices at this moment.

use serde_json::Value;

use super::{ActivityResult, ActivityType, Device, SourceType};
use crate::{DeviceId, UserId, open_enum::open_enum};

model! {
    /// A job that runs on a device.
    Job {
        /// Its UUID, which is that of its series of activities.
        uid: String,
        /// The device.
        device_id: DeviceId,
        /// What it says.
        message: String,
        /// What started it.
        source_type: SourceType,
        /// UUID of the policy element or script behind it.
        source_config_uid: String,
        /// Name of the policy element or script behind it.
        source_name: String,
        /// What it is about.
        subject: String,
        /// The user who started it.
        user_id: UserId,
        /// The ticket in the PSA, of whatever form its id has there.
        psa_ticket_id: Value,
        /// Template of that ticket.
        ticket_template_id: i64,
        /// What the module adds.
        data: Value,
        /// The device, when the request asked for it.
        device: Box<Device>,
        /// Where it stands.
        job_status: JobStatus,
        /// How it ended.
        job_result: ActivityResult,
        /// The module it comes from.
        job_type: ActivityType,
    } times {
        /// When it was started.
        create_time,
        /// When it last changed.
        update_time,
    }
}

open_enum! {
    /// Where a job stands.
    JobStatus {
        StartRequested = "START_REQUESTED",
        Started = "STARTED",
        InProcess = "IN_PROCESS",
        Completed = "COMPLETED",
        CancelRequested = "CANCEL_REQUESTED",
        Cancelled = "CANCELLED",
        WaitingForUserResponse = "WAITING_FOR_USER_RESPONSE",
        Triggered = "TRIGGERED",
        Reset = "RESET",
        Acknowledged = "ACKNOWLEDGED",
        Disabled = "DISABLED",
    }
}
