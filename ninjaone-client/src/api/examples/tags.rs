use ninjaone_client::{Client, Error};

pub async fn tags(client: &Client) -> Result<(), Error> {
    for tag in client.tags().list().await?.tags.unwrap_or_default() {
        println!(
            "{} on {} assets",
            tag.name.as_deref().unwrap_or("?"),
            tag.targets_count.unwrap_or(0)
        );
    }
    Ok(())
}
