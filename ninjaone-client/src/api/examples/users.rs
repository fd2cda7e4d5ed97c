use ninjaone_client::{Client, Error, models::UserType, users::UsersParams};

pub async fn users(client: &Client) -> Result<(), Error> {
    let technicians = client
        .users()
        .list(UsersParams::default().user_type(UserType::Technician))
        .collect()
        .await?;
    let without = technicians
        .rows
        .iter()
        .filter(|user| user.mfa_configured == Some(false))
        .count();
    println!("{without} technicians have no second factor");
    Ok(())
}
