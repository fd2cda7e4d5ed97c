use ninjaone_client::{Client, Error, roles::NodeRolesParams};

pub async fn roles(client: &Client) -> Result<(), Error> {
    let roles = client
        .roles()
        .with_policies(NodeRolesParams::default().assignable(true))
        .collect()
        .await?;
    println!("{} device roles", roles.rows.len());
    Ok(())
}
