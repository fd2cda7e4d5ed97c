use ninjaone_client::{Client, Error};

pub async fn contacts(client: &Client) -> Result<(), Error> {
    let contacts = client.contacts().list().collect().await?;
    println!("{} contacts", contacts.rows.len());
    Ok(())
}
