use ninjaone_client::{Client, Error};

pub async fn software(client: &Client) -> Result<(), Error> {
    let products = client.software().products().collect().await?;
    let licenses = client.software().licenses().collect().await?;
    println!(
        "{} products, {} licences",
        products.rows.len(),
        licenses.rows.len()
    );
    Ok(())
}
