//! Jobs that are running on devices.

use serde_json::Value;

use super::{ActivityResult, ActivityType, Device, SourceType};
use crate::{DeviceId, UserId, open_enum::open_enum};

model! {
    /// A job that runs on a device.
    Job {
        /// Its UUID, which is also the UUID of its series of activities.
        uid: String,
        /// The device.
        device_id: DeviceId,
        /// Message.
        message: String,
        /// What started it.
        source_type: SourceType,
        /// UUID of the policy element or script behind it.
        source_config_uid: String,
        /// Name of the policy element or script behind it.
        source_name: String,
        /// Subject.
        subject: String,
        /// The user who started it.
        user_id: UserId,
        /// The id of the ticket in the PSA. Its form depends on the PSA.
        psa_ticket_id: Value,
        /// Template of that ticket.
        ticket_template_id: i64,
        /// Additional data of the module.
        data: Value,
        /// The device, when the request asked for it.
        device: Box<Device>,
        /// State.
        job_status: JobStatus,
        /// Result.
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
    /// State of a job.
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
