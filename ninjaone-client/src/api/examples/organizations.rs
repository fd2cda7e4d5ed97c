use ninjaone_client::{Client, Completeness, Error, organizations::OrganizationsParams};

pub async fn organizations(client: &Client) -> Result<(), Error> {
    let organizations = client
        .organizations()
        .list(OrganizationsParams::default())
        .with_ceiling(5_000)
        .collect()
        .await?;
    for organization in &organizations.rows {
        println!("{}", organization.name.as_deref().unwrap_or("?"));
    }
    if let Completeness::TruncatedAtCeiling { ceiling } = organizations.completeness {
        println!("there are more than {ceiling}");
    }
    Ok(())
}
