use ninjaone_client::{Client, Error};

pub async fn groups(client: &Client) -> Result<(), Error> {
    for group in client.groups().list().collect().await?.rows {
        if let Some(id) = group.id {
            let members = client.groups().device_ids(id).collect().await?;
            println!(
                "{}: {} devices",
                group.name.as_deref().unwrap_or("?"),
                members.rows.len()
            );
        }
    }
    Ok(())
}
