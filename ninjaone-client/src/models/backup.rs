//! Backups: jobs and sizes.

use crate::{
    DeviceId, LocationId, OrganizationId,
    open_enum::{code, open_enum},
};

model! {
    /// Sizes of backups, in bytes. A device without backup is listed with zeros.
    BackupUsage {
        /// Current revisions.
        revisions_current_size: i64,
        /// Previous revisions.
        revisions_previous_size: i64,
        /// Deleted revisions.
        revisions_deleted_size: i64,
        /// All revisions.
        revisions_total_size: i64,
        /// Files and folders, local.
        local_file_folder_size: i64,
        /// Images, local.
        local_image_size: i64,
        /// Images of the second format, local.
        local_image_v2_size: i64,
        /// Everything local.
        local_total_size: i64,
        /// Files and folders, in the cloud.
        cloud_file_folder_size: i64,
        /// Images, in the cloud.
        cloud_image_size: i64,
        /// Images of the second format, in the cloud.
        cloud_image_v2_size: i64,
        /// Network shares, in the cloud.
        cloud_network_share_size: i64,
        /// Everything in the cloud.
        cloud_total_size: i64,
    } times {
        /// Last successful job, if the request asked for job times.
        last_successful_backup_job,
        /// Last failed job, if the request asked for job times.
        last_failed_backup_job,
    }
}

model! {
    /// Sizes of the backups of one location, in bytes.
    LocationBackupUsage {
        /// The location.
        location_id: LocationId,
        /// Its name.
        location_name: String,
        /// The MSP's description of it.
        location_description: String,
        /// The organization.
        organization_id: OrganizationId,
        /// Its name.
        organization_name: String,
        /// Current revisions.
        revisions_current_size: i64,
        /// Previous revisions.
        revisions_previous_size: i64,
        /// Deleted revisions.
        revisions_deleted_size: i64,
        /// All revisions.
        revisions_total_size: i64,
        /// Files and folders, local.
        local_file_folder_size: i64,
        /// Images, local.
        local_image_size: i64,
        /// Images of the second format, local.
        local_image_v2_size: i64,
        /// Everything local.
        local_total_size: i64,
        /// Files and folders, in the cloud.
        cloud_file_folder_size: i64,
        /// Images, in the cloud.
        cloud_image_size: i64,
        /// Images of the second format, in the cloud.
        cloud_image_v2_size: i64,
        /// Network shares, in the cloud.
        cloud_network_share_size: i64,
        /// Everything in the cloud.
        cloud_total_size: i64,
    } times {
        /// Last successful job.
        last_successful_backup_job,
        /// Last failed job.
        last_failed_backup_job,
    }
}

model! {
    /// Bandwidth limits of a device's backups.
    BackupBandwidthThrottle {
        /// Whether they apply.
        enabled: bool,
        /// Limit in working hours, in kbit/s.
        work_hours_kbps: i64,
        /// Limit outside working hours, in kbit/s.
        non_work_hours_kbps: i64,
        /// Unit in which the console shows the limit in working hours.
        work_hours_user_unit: String,
        /// Unit in which the console shows the limit outside working hours.
        non_work_hours_user_unit: String,
        /// The working hours.
        work_schedule: BackupWorkSchedule,
    }
}

model! {
    /// Working hours.
    BackupWorkSchedule {
        /// Hour they begin, 0 to 23.
        start_hour: i64,
        /// Minute they begin, 0 to 59.
        start_minute: i64,
        /// Hour they end, 0 to 23.
        end_hour: i64,
        /// Minute they end, 0 to 59.
        end_minute: i64,
        /// Days of the week.
        week_days: Vec<String>,
    }
}

model! {
    /// A backup job or an integrity check job.
    BackupJob {
        /// UUID of the job.
        job_id: String,
        /// State of the job.
        job_status: BackupJobStatus,
        /// The destination of the backup.
        destination: String,
        /// UUID of the job it follows.
        source_job_id: String,
        /// UUID of the plan.
        plan_guid: String,
        /// Name of the plan.
        plan_name: String,
        /// Kind of plan.
        plan_type: BackupPlanType,
        /// Bytes before compression and deduplication.
        total_actual_storage_bytes: i64,
        /// Bytes stored.
        total_stored_bytes: i64,
        /// Files written.
        files_uploaded: i64,
        /// The organization.
        organization_id: OrganizationId,
        /// The location.
        location_id: LocationId,
        /// The device.
        device_id: DeviceId,
        /// The upload to the cloud that follows a local job.
        upsync_job: UpsyncJob,
    } times {
        /// When it began.
        job_start_time,
        /// When it ended.
        job_end_time,
    }
}

model! {
    /// The upload to the cloud that follows a local backup job.
    UpsyncJob {
        /// State of the job.
        status: BackupJobStatus,
        /// Files uploaded.
        files_uploaded: i64,
        /// Bytes uploaded.
        bytes_uploaded: i64,
    } times {
        /// When it began.
        start_time,
        /// When it ended.
        end_time,
    }
}

code! {
    /// State of a backup job. The vendor's document lists no values; these are from its user guide.
    BackupJobStatus {
        PROCESSING = "PROCESSING",
        RUNNING = "RUNNING",
        COMPLETED = "COMPLETED",
        CANCELED = "CANCELED",
        FAILED = "FAILED",
    }
}

code! {
    /// Kind of backup plan. The vendor's document lists no values; these are from its user guide.
    BackupPlanType {
        IMAGE = "IMAGE",
        FILE_FOLDER = "FILE_FOLDER",
    }
}

open_enum! {
    /// The devices whose backup jobs are listed.
    DeviceInclusion {
        /// The default:
        Active = "active",
        Deleted = "deleted",
        All = "all",
    }
}
