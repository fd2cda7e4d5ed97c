use ninjaone_client::locations::LocationsParams;
use ninjaone_client::{Client, Error};

pub async fn locations(client: &Client) -> Result<(), Error> {
    let locations = client
        .locations()
        .list(LocationsParams::default())
        .collect()
        .await?;
    println!("{} locations", locations.rows.len());
    Ok(())
}
