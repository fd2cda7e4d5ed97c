use ninjaone_client::{Client, Error, activities::ActivitiesParams, models::ActivityStatus};
use time::{OffsetDateTime, macros::datetime};

pub async fn activities(client: &Client) -> Result<(), Error> {
    // A week of failed backups, newest first.
    let since: OffsetDateTime = datetime!(2026-11-16 06:30 UTC);
    let params = ActivitiesParams::default()
        .statuses([
            ActivityStatus::NINJA_BACKUP_BACKUPJOB_FAILED,
            ActivityStatus::CLOUDBERRY_BACKUPJOB_FAILED,
        ])
        .until(since);
    let failed = client.activities().list(params).collect().await?;
    println!("{} backups failed", failed.rows.len());
    Ok(())
}
