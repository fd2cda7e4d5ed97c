use ninjaone_client::{Client, Error, locations::LocationsParams};

pub async fn locations(client: &Client) -> Result<(), Error> {
    let locations = client
        .locations()
        .list(LocationsParams::default())
        .collect()
        .await?;
    println!("{} locations", locations.rows.len());
    Ok(())
}
