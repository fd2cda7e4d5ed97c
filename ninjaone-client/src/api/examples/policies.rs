use ninjaone_client::{Client, Error};

pub async fn policies(client: &Client) -> Result<(), Error> {
    let policies = client.policies().list().collect().await?;
    println!("{} policies", policies.rows.len());
    Ok(())
}
