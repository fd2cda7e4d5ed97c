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
        /// Its id. The log is read in the order of ids. Ids grow with time and may be shared by tenants.
        id: ActivityId,
        /// The device, if the activity concerns one.
        device_id: DeviceId,
        /// Severity; often absent.
        severity: ActivitySeverity,
        /// Priority; often absent.
        priority: ActivityPriority,
        /// UUID of the job or condition it belongs to.
        series_uid: String,
        /// The module it comes from.
        activity_type: ActivityType,
        /// The code of the event. Rules should use this code.
        status_code: ActivityStatus,
        /// The status code in words.
        status: String,
        /// The result; often absent. A completed run may have failed.
        activity_result: ActivityResult,
        /// UUID of the policy element or script behind it.
        source_config_uid: String,
        /// Name of the policy element or script behind it.
        source_name: String,
        /// Subject.
        subject: String,
        /// The user who caused it.
        user_id: UserId,
        /// The whole activity in words.
        message: String,
        /// The activity type in words.
        r#type: String,
        /// Additional data of the module. Times in it are epoch milliseconds.
        data: Value,
    } times {
        /// When it happened.
        activity_time,
    }
}

open_enum! {
    /// The class of entity that activities concern.
    ActivityClass {
        System = "SYSTEM",
        Device = "DEVICE",
        User = "USER",
        All = "ALL",
    }
}

open_enum! {
    /// Severity of an activity.
    ActivitySeverity {
        None = "NONE",
        Minor = "MINOR",
        Moderate = "MODERATE",
        Major = "MAJOR",
        Critical = "CRITICAL",
    }
}

open_enum! {
    /// Priority of an activity.
    ActivityPriority {
        None = "NONE",
        Low = "LOW",
        Medium = "MEDIUM",
        High = "HIGH",
    }
}

open_enum! {
    /// Result of an activity or a job.
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
