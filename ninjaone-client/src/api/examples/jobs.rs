use ninjaone_client::{Client, Error, jobs::JobsParams, models::JobStatus};

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
