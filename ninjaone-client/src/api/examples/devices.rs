use ninjaone_client::{
    Client, DeviceFilter, Error,
    device::DeviceVolumesParams,
    devices::DevicesParams,
    models::{ApprovalStatus, NodeClass},
};

pub async fn devices(client: &Client) -> Result<(), Error> {
    let filter = DeviceFilter::class_in([NodeClass::WindowsWorkstation, NodeClass::Mac])
        .and_status(ApprovalStatus::Approved);
    let mut devices = client
        .devices()
        .detailed(DevicesParams::default().filter(filter))
        .with_ceiling(10_000);
    while let Some(page) = devices.next_page().await? {
        for device in page
            .rows
            .iter()
            .filter(|device| device.offline == Some(false))
            .take(1)
        {
            println!(
                "{} runs {:?}",
                device.best_name().unwrap_or("?"),
                device.os.as_ref().and_then(|os| os.name.as_deref())
            );
            if let Some(id) = device.id {
                let volumes = client
                    .devices()
                    .volumes(id, DeviceVolumesParams::default().bitlocker())
                    .collect()
                    .await?;
                println!("{} volumes", volumes.rows.len());
            }
        }
    }
    Ok(())
}
