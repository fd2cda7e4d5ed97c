//! The activity log.

use serde_json::Value;

use super::ActivityStatus;
use crate::{
    ActivityId, DeviceId, UserId,
    open_enum::{code, open_enum},
};

model! {
    /// One entry of the activity log.
    Activity {
        /// Its id, by which the log is walked; ids grow with time and may be shared by tenants.
        id: ActivityId,
        /// The device, when it is about one.
        device_id: DeviceId,
        /// How severe it is; often absent.
        severity: ActivitySeverity,
        /// How urgent it is; often absent.
        priority: ActivityPriority,
        /// UUID of the job or condition it belongs to.
        series_uid: String,
        /// The module it comes from.
        activity_type: ActivityType,
        /// What has happened: rules go by this code.
        status_code: ActivityStatus,
        /// The same in words.
        status: String,
        /// How it ended; often absent, and a completed run may have failed.
        activity_result: ActivityResult,
        /// UUID of the policy element or script behind it.
        source_config_uid: String,
        /// Name of the policy element or script behind it.
        source_name: String,
        /// What it is about.
        subject: String,
        /// The user who caused it.
        user_id: UserId,
        /// The whole in words.
        message: String,
        /// The activity type in words.
        r#type: String,
        /// What the module adds; times in it are epoch milliseconds.
        data: Value,
    } times {
        /// When it happened.
        activity_time,
    }
}

open_enum! {
    /// What activities are about.
    ActivityClass {
        System = "SYSTEM",
        Device = "DEVICE",
        User = "USER",
        All = "ALL",
    }
}

open_enum! {
    /// How severe an activity is.
    ActivitySeverity {
        None = "NONE",
        Minor = "MINOR",
        Moderate = "MODERATE",
        Major = "MAJOR",
        Critical = "CRITICAL",
    }
}

open_enum! {
    /// How urgent an activity is.
    ActivityPriority {
        None = "NONE",
        Low = "LOW",
        Medium = "MEDIUM",
        High = "HIGH",
    }
}

open_enum! {
    /// How an activity or a job ended.
    ActivityResult {
        Success = "SUCCESS",
        Failure = "FAILURE",
        Unsupported = "UNSUPPORTED",
        Uncompleted = "UNCOMPLETED",
    }
}

code! {
    /// The module an activity or a job comes from. Live tenants send more than the vendor lists; there is no `BACKUP`.
    ActivityType {
        ACTIONSET = "ACTIONSET",
        ACTION = "ACTION",
        CONDITION = "CONDITION",
        CONDITION_ACTIONSET = "CONDITION_ACTIONSET",
        CONDITION_ACTION = "CONDITION_ACTION",
        ANTIVIRUS = "ANTIVIRUS",
        PATCH_MANAGEMENT = "PATCH_MANAGEMENT",
        TEAMVIEWER = "TEAMVIEWER",
        MONITOR = "MONITOR",
        SYSTEM = "SYSTEM",
        COMMENT = "COMMENT",
        SHADOWPROTECT = "SHADOWPROTECT",
        IMAGEMANAGER = "IMAGEMANAGER",
        HELP_REQUEST = "HELP_REQUEST",
        SOFTWARE_PATCH_MANAGEMENT = "SOFTWARE_PATCH_MANAGEMENT",
        SPLASHTOP = "SPLASHTOP",
        CLOUDBERRY = "CLOUDBERRY",
        CLOUDBERRY_BACKUP = "CLOUDBERRY_BACKUP",
        SCHEDULED_TASK = "SCHEDULED_TASK",
        RDP = "RDP",
        SCRIPTING = "SCRIPTING",
        SECURITY = "SECURITY",
        REMOTE_TOOLS = "REMOTE_TOOLS",
        VIRTUALIZATION = "VIRTUALIZATION",
        PSA = "PSA",
        MDM = "MDM",
        NINJA_REMOTE = "NINJA_REMOTE",
        NINJA_QUICK_CONNECT = "NINJA_QUICK_CONNECT",
        NINJA_NETWORK_DISCOVERY = "NINJA_NETWORK_DISCOVERY",
        NINJA_BACKUP = "NINJA_BACKUP",
        NINJA_TICKETING = "NINJA_TICKETING",
        KNOWLEDGE_BASE = "KNOWLEDGE_BASE",
        RELATED_ITEM = "RELATED_ITEM",
        CLIENT_CHECKLIST = "CLIENT_CHECKLIST",
        CHECKLIST_TEMPLATE = "CHECKLIST_TEMPLATE",
        DOCUMENTATION = "DOCUMENTATION",
        MICROSOFT_INTUNE = "MICROSOFT_INTUNE",
        DYNAMIC_POLICY = "DYNAMIC_POLICY",
    }
}
