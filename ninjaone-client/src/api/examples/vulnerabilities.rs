use ninjaone_client::{Client, Error};

pub async fn vulnerabilities(client: &Client) -> Result<(), Error> {
    let groups = client.vulnerabilities().scan_groups().collect().await?;
    println!("{} scan groups", groups.rows.len());
    Ok(())
}
