use ninjaone_client::{
    Client, Error,
    backup::{BackupJobsParams, Started},
    models::BackupJobStatus,
};
use time::macros::datetime;

pub async fn backup(client: &Client) -> Result<(), Error> {
    let params = BackupJobsParams::default()
        .statuses(BackupJobStatus::FAILED)
        .started(Started::After(datetime!(2026-11-16 00:00 UTC)));
    let failed = client.backup().jobs(params).collect().await?;
    println!("{} jobs failed", failed.rows.len());
    Ok(())
}
