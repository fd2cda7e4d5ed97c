use ninjaone_client::jobs::JobsParams;
use ninjaone_client::models::JobStatus;
use ninjaone_client::{Client, Error};

pub async fn jobs(client: &Client) -> Result<(), Error> {
    let jobs = client.jobs().list(JobsParams::default()).collect().await?;
    let running = jobs
        .rows
        .iter()
        .filter(|job| job.job_status == Some(JobStatus::InProcess))
        .count();
    println!("{running} jobs are running");
    Ok(())
}
