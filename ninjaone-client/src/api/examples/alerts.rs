use ninjaone_client::{Client, DeviceFilter, Error, OrganizationId, alerts::AlertsParams};

pub async fn alerts(client: &Client) -> Result<(), Error> {
    let filter = DeviceFilter::organization(OrganizationId::new(1));
    let alerts = client
        .alerts()
        .list(AlertsParams::default().filter(filter))
        .collect()
        .await?;
    for alert in alerts
        .rows
        .iter()
        .filter(|alert| alert.severity.as_deref() == Some("CRITICAL"))
    {
        println!("{:?}", alert.device_id);
    }
    Ok(())
}
