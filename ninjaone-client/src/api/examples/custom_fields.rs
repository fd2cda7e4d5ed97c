use ninjaone_client::{
    Client, Error, custom_fields::DeviceCustomFieldDefinitionsParams, models::AccessPermission,
};

pub async fn custom_fields(client: &Client) -> Result<(), Error> {
    // Only fields that the MSP opened to the API have values there.
    let fields = client
        .custom_fields()
        .of_devices(DeviceCustomFieldDefinitionsParams::default())
        .collect()
        .await?;
    for field in fields
        .rows
        .iter()
        .filter(|field| field.api_permission != Some(AccessPermission::None))
    {
        println!("{}", field.name.as_deref().unwrap_or("?"));
    }
    Ok(())
}
